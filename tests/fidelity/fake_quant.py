"""fake_quant.py: a float classifier with FAKE_QUANT ops becomes int8, and decides as before.

Protects: the passes over fake-quantized graphs as a whole, on real weights and pictures.
  - every convolution, depthwise convolution and matrix product is computed on integers (--report)
  - interpreter and compiled code agree in every bit, at -O0 as at -O3
  - top-1 agrees with TFLite, which computes the fake-quantized graph in floats, on 99 % of the pictures at least, and the
    logits point in the same direction: mean cosine above 0.999

With --small the first two, on the small model of tests/data, and that its probabilities are near those of the model without
any rounding.

Logits are on a grid of 0.13, and one picture in 18 has two best classes: classes agree when the best of one is among the best of
the other.  The share of pictures with the very same first class is printed, too, and the same of TFLite's own kernels
(reference and XNNPACK), which differ in such pictures as well.

    fake_quant.py --qcc=PATH --qcc-run=PATH [--images=N]

Exit 1 on a broken promise, 77 when model, pictures or TFLite are not here.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import model_set  # noqa: E402
import tflite_reference  # noqa: E402

MODEL = "tflite/imagenet/mobilenet_v1_0.25_128_FAKE_QUANT_made.tflite"
PRODUCTS = ("conv2d", "depthwise_conv2d", "fully_connected", "transpose_conv2d", "batch_matmul")
LEAST_AGREEMENT, LEAST_COSINE = 0.99, 0.999
SMALL_TOLERANCE = 0.02  # of a probability


def logits_model(path, folder):
    """The model without the softmax at its end: what it computes of its class scores.  Returns the new file's path."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    with open(path, "rb") as f:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(f.read()), 0))
    graph = model.subgraphs[0]
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    kinds = [codes[op.opcodeIndex] for op in graph.operators]
    end = kinds.index(schema.BuiltinOperator.SOFTMAX)
    graph.outputs = [graph.operators[end].inputs[0]]
    graph.operators = graph.operators[:end]
    model.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    to = os.path.join(folder, "logits.tflite")
    with open(to, "wb") as f:
        f.write(bytes(builder.Output()))
    return to


def floats_left(qcc, path, folder):
    report = os.path.join(folder, "report.json")
    subprocess.run([qcc, path, "-o", os.path.join(folder, "m.o"), "--no-header", "--report=" + report], check=True)
    with open(report) as f:
        ops = json.load(f)["ops"]
    count = sum(op["op"] in PRODUCTS for op in ops)
    return count, [f"{op['name']}: {op['why']}" for op in ops if op["op"] in PRODUCTS and op["arithmetic"] != "int8"]


def same_everywhere(qcc_run, path, folder):
    outputs = []
    for k, options in enumerate((["--interp"], ["-O0"], ["-O3"])):
        to = os.path.join(folder, f"y{k}.npy")
        subprocess.run([qcc_run, path, "--random=7", "-o", to, *options], check=True, stdout=subprocess.DEVNULL)
        with open(to, "rb") as f:
            outputs.append(f.read())
    return outputs[0] == outputs[1] == outputs[2]


def is_integer_model(qcc, qcc_run, path, folder):
    count, left = floats_left(qcc, path, folder)
    print(f"{count} products, {len(left)} in float", *left, sep="\n  ")
    same = same_everywhere(qcc_run, path, folder)
    print("interpreter, -O0 and -O3:", "the same" if same else "DIFFERENT")
    return count > 0 and not left and same


def small(qcc, qcc_run, path):
    with tempfile.TemporaryDirectory() as folder:
        fine = is_integer_model(qcc, qcc_run, path, folder)
        real = os.path.join(folder, "real.npy")
        for seed in range(1, 9):
            subprocess.run([qcc_run, path, "--quantize=none", f"--random={seed}", "-o", real], check=True, stdout=subprocess.DEVNULL)
            done = subprocess.run([qcc_run, path, f"--random={seed}", "--compare", real, f"--tolerance={SMALL_TOLERANCE}"],
                                  capture_output=True, text=True)
            print(f"seed {seed}: {done.stdout.strip()} {done.stderr.strip()}")
            fine = fine and done.returncode == 0
    return 0 if fine else 1


def measure(qcc, path, count):
    """(accuracy of TFLite, of qcc, agreement, same first class, that of TFLite with itself, mean cosine, smallest cosine)"""
    import numpy as np
    from qcc_model import Compiled
    reference, compiled = tflite_reference.Reference(path, "ref"), Compiled(qcc, path)
    fast = tflite_reference.Reference(path, "xnnpack")
    detail = reference.inputs()[0]
    folder, rows = model_set.image_files(count)
    hits, cosines = np.zeros(5), []
    for row in rows:
        x = model_set.image_input(os.path.join(folder, row["file"]), detail, model_set.image_normalisation(path))
        theirs = reference.run([x])[0].reshape(-1).astype(np.float64)
        ours = compiled.run([x])[0].reshape(-1).astype(np.float64)
        label = int(row["index1001"])
        tie = 1e-4 * np.abs(theirs).max()
        best = (theirs >= theirs.max() - tie) & (ours >= ours.max() - tie)
        hits += [theirs.argmax() == label, ours.argmax() == label, best.any(), theirs.argmax() == ours.argmax(),
                 theirs.argmax() == fast.run([x])[0].argmax()]
        cosines.append(theirs @ ours / np.sqrt((theirs @ theirs) * (ours @ ours)))
    return (*(hits / len(rows)), np.mean(cosines), np.min(cosines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qcc", default=os.environ.get("QCC"))
    parser.add_argument("--qcc-run", default=os.environ.get("QCC_RUN"))
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--small", metavar="MODEL")
    a = parser.parse_args()
    if a.small:
        return small(a.qcc, a.qcc_run, a.small)
    path = model_set.root() and os.path.join(model_set.root(), MODEL)
    if tflite_reference.available() or not path or not os.path.exists(path):
        print(f"skipped: {tflite_reference.available() or 'the model set is not here'}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        fine = is_integer_model(a.qcc, a.qcc_run, path, folder)
        r = measure(a.qcc, logits_model(path, folder), a.images)
    print(f"accuracy: TFLite {r[0]:.3f}, qcc {r[1]:.3f}; class among the best of the other {r[2]:.4f}; first class the same "
          f"{r[3]:.4f}, TFLite with itself {r[4]:.4f}; cosine of logits {r[5]:.5f}, least {r[6]:.5f}")
    return 0 if fine and r[2] >= LEAST_AGREEMENT and r[5] > LEAST_COSINE else 1


if __name__ == "__main__":
    sys.exit(main())
