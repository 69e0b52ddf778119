"""integers.py: which ops of fake-quantized models run in integers.

Protects: no convolution or matrix product whose operands have scales is silently computed in floats; what else of such a
model stays in float is listed here, with the reason that the report gives.

    integers.py --qcc=PATH [PATTERN ...]

Models: the quantized ones of tests/data/onnx, and those of the model set where it is present.
"""

import argparse
import fnmatch
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

PRODUCTS = ("conv2d", "depthwise_conv2d", "transpose_conv2d", "fully_connected", "batch_matmul")
# Ops that stay in float: (model, op) -> why.
KNOWN = {
    ("decoder_qdq_*", "avg_pool2d"): "padding leaves taps out at the borders, and the result's scale is finer",
    ("decoder_qdq_*", "resize_bilinear"): "the result's scale is finer: two roundings would be more than a step",
    ("cnn_qdq_open", "*"): "results of convolutions have no scales there",
    ("mobilenet_edgetpu_slice_qdq_*", "add"): "its result has no scale",
    ("*", "transpose"): "of an input or a result, which are real",
}
# Integers of 16 bits are what stands between two steps there; the steps are real (docs/onnx.md), and the report says why.
OF_16_BITS = ("sixteen_bits_qdq",)


def model_files(patterns):
    found = glob.glob(os.path.join(HERE, "..", "data", "onnx", "*.ort"))
    for base in (os.path.join(HERE, "..", "..", "..", "shared"), os.path.join(HERE, "..", "..", "..", "..", "shared")):
        found += glob.glob(os.path.join(base, "models", "ort", "**", "*.ort"), recursive=True)
    names = {os.path.basename(path)[:-len(".ort")]: path for path in found}
    for name, path in sorted(names.items()):
        if any(text in name for text in ("qdq", "qlinear", "qoperator")) and any(fnmatch.fnmatch(name, p) for p in patterns):
            yield name, path


def floats_of(qcc, path):
    """(the report's ops that compute in float, all of them), or a diagnostic."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "r.json")
        done = subprocess.run([qcc, path, "--report=" + report, "--target=avx2", "-o", os.path.join(folder, "m.o")], capture_output=True,
                              text=True)  # which ops are integers does not depend on the target
        if done.returncode:
            return None, done.stderr.strip()
        with open(report, encoding="utf-8") as f:
            ops = json.load(f)["ops"]
    return [o for o in ops if o["arithmetic"] == "float"], ops


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--qcc", default=os.environ.get("QCC"))
    a = parser.parse_args()
    bad = count = 0
    for name, path in model_files(a.patterns):
        floats, ops = floats_of(a.qcc, path)
        if floats is None:
            print(f"{name}: {ops}")
            bad += 1
            continue
        count += 1
        products = sum(o["op"] in PRODUCTS for o in ops)
        print(f"{name:46} {products:4} products, {len(ops):4} ops, {len(floats)} in float", flush=True)
        for o in floats:
            if name in OF_16_BITS and (o["op"] not in PRODUCTS or "16 bits" in o["why"]):
                continue
            known = any(fnmatch.fnmatch(name, m) and fnmatch.fnmatch(o["op"], kind) for m, kind in KNOWN)
            if o["op"] in PRODUCTS or not known:
                print(f"    {o['op']} '{o['name']}' is computed in float: {o['why']}")
                bad += 1
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
