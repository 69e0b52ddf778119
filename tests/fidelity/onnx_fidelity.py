"""onnx_fidelity.py: the numbers of models in ONNX Runtime's format against ONNX Runtime without graph optimizations.

Protects: what docs/fidelity.md promises of ONNX models.
  ops     each op of our graph, after the passes that make integers of fake-quantized ones, on ONNX Runtime's own operands: an
          8-bit result at most one step from ONNX Runtime's (of a fake-quantized layer: the float op between dequantize and
          quantize), float 1e-4 of the largest magnitude, others equal
  images  compiled classifiers on pictures: the same class for 99 %, cosine of the logits above 0.999 on average (but for one
          model, CLASSIFIERS)

    onnx_fidelity.py --eval-ops=PATH --qcc=PATH [--what=ops,images] [--images=N] [PATTERN ...]

Models: those of tests/data/onnx, and those of the model set where it is present.  Exit 1 on a broken promise, 77 when ONNX
Runtime is not here.
"""

import argparse
import fnmatch
import glob
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
sys.path.insert(0, os.path.join(HERE, "..", "tools", "onnx_models"))
import model_set  # noqa: E402
import ort_onnx  # noqa: E402
import per_op  # noqa: E402
from tflite_reference import made_input  # noqa: E402

FLOAT_TOLERANCE = 1e-4

# (model pattern, operator, op, type) -> (largest difference in steps, or over the magnitude; cause)
EXCEPTIONS = {
    ("stored_lstm_float", "DynamicQuantizeLSTM", "*", "f32"): (1e-2, "ONNX Runtime rounds x and h to 8 bits at each step, qcc does not"),
    ("ppocrv3_*", "Sigmoid", "*", "f32"): (2e-3, "ONNX Runtime's Sigmoid is right to 2^-23 of 1, and all results here are near 0"),
}

# How classifiers want their images; the least agreement of classes, and the least cosine on average.
CLASSIFIERS = {
    "mobilenet_v2_qdq_int8": ("torch", 0.99, 0.999),
    # One sum of 25,000 that ONNX Runtime's QLinearAdd rounds the other way, of 7 million results, changes a tenth of the
    # logits of this model.
    "mobilenet_v2_qlinear_int8": ("torch", 0.9, 0.99),
}


def models(patterns):
    found = glob.glob(os.path.join(HERE, "..", "data", "onnx", "*.ort"))
    if model_set.root():
        found += glob.glob(os.path.join(model_set.root(), "ort", "**", "*.ort"), recursive=True)
    for path in sorted(found):
        name = os.path.basename(path)[:-len(".ort")]
        if any(fnmatch.fnmatch(name, p) for p in patterns):
            yield path, name


def inputs_of(path, reference):
    """Made ones, by the rule of the model set; open dimensions as its expectations have them, else 1."""
    import onnx
    said = model_set.expected(path) if model_set.root() and path.startswith(model_set.root()) else None
    arrays = []
    for k, i in enumerate(reference.inputs):
        t = i.type.tensor_type
        shape = said["inputs"][k]["shape"] if said else [d.dim_value or 1 for d in t.shape.dim]
        bound = said["inputs"][k].get("bound") if said else None
        arrays.append(made_input(onnx.helper.tensor_dtype_to_np_dtype(t.elem_type), shape, 1 + k, bound))
        constant = said["inputs"][k].get("const") if said else None
        if constant is not None:
            arrays[-1][...] = constant
    return arrays


def dump(reference, directory, arrays):
    """Writes what eval_ops reads."""
    for k, a in enumerate(arrays):
        a.tofile(os.path.join(directory, f"in{k}.bin"))
    values = reference.run(arrays)
    with open(os.path.join(directory, "names.txt"), "w") as names:
        for index, (name, value) in enumerate(values.items()):
            if not hasattr(value, "tofile") or value.dtype == object:
                continue
            names.write(f"{index}\t{name}\t{'x'.join(map(str, value.shape))}\n")
            value.tofile(os.path.join(directory, f"t{index:04d}.bin"))


def fine(name, row):
    limit = next((steps for (pattern, kind, op, dtype), (steps, _) in EXCEPTIONS.items()
                  if fnmatch.fnmatch(name, pattern) and kind in ("*", row.kind) and op in ("*", row.op) and dtype == row.dtype),
                 None)
    if row.dtype in ("f32", "f64", "f16"):
        return row.largest <= (limit or FLOAT_TOLERANCE) * max(row.magnitude, 1e-6)
    return row.largest <= (limit or (1 if row.dtype in ("i8", "u8") else 0))


def check_ops(eval_ops, path, name):
    """(problems, results compared, 8-bit ones among them, how many of their elements differ)"""
    reference = ort_onnx.Reference(path)
    arrays = inputs_of(path, reference)
    shapes = [f"--input-shape={i.name}:{'x'.join(map(str, a.shape))}" for i, a in zip(reference.inputs, arrays)
              if any(not d.dim_value for d in i.type.tensor_type.shape.dim)]
    with tempfile.TemporaryDirectory() as directory:
        dump(reference, directory, arrays)
        rows, error = per_op.evaluate(eval_ops, path, directory, "--passes", *shapes)
    if error:
        return [error], 0, 0, ""
    problems = [f"node {r.node} {r.kind}: {r.op} '{r.name}' {r.dtype}: {r.differ} of {r.elements} differ, largest {r.largest:g} of "
                f"{r.magnitude:g}, at {r.first} ours {r.ours:g}, theirs {r.theirs:g}" for r in rows if not fine(name, r)]
    bytes_ = [r for r in rows if r.dtype in ("i8", "u8")]
    return problems, len(rows), len(bytes_), f"{sum(r.differ for r in bytes_)} of {sum(r.elements for r in bytes_)}"


def check_images(qcc, path, name, count):
    """(problem or None, text)"""
    import numpy as np
    from qcc_model import Compiled
    reference = ort_onnx.Reference(path, keep=False)
    shape = [d.dim_value or 1 for d in reference.inputs[0].type.tensor_type.shape.dim]
    compiled = Compiled(qcc, path)
    normalisation, least_agreement, least_cosine = next(c for p, c in CLASSIFIERS.items() if name.startswith(p))
    folder, rows = model_set.image_files(count)
    same = ours_right = theirs_right = 0
    cosines = []
    for row in rows:
        x = model_set.image_input(os.path.join(folder, row["file"]), {"shape": shape, "dtype": np.float32}, normalisation)
        theirs = reference.run([x])[reference.outputs[0]].reshape(-1).astype(np.float64)
        ours = compiled.run([x])[0].reshape(-1).astype(np.float64)
        label = int(row["index1001"] if theirs.size == 1001 else row["index1000"])
        same += ours.argmax() == theirs.argmax()
        ours_right += ours.argmax() == label
        theirs_right += theirs.argmax() == label
        cosines.append(float(ours @ theirs / np.sqrt(ours @ ours * (theirs @ theirs))))
    n = len(rows)
    text = (f"{n} pictures: top-1 {theirs_right / n:.3f} theirs, {ours_right / n:.3f} ours; same class {same / n:.3f}, cosine "
            f"{sum(cosines) / n:.5f}, at least {min(cosines):.5f}")
    return same / n < least_agreement or sum(cosines) / n <= least_cosine, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--eval-ops", default=os.environ.get("EVAL_OPS"))
    parser.add_argument("--qcc", default=os.environ.get("QCC"))
    parser.add_argument("--what", default="ops,images")
    parser.add_argument("--images", type=int, default=100)
    a = parser.parse_args()
    if ort_onnx.available():
        print(f"skipped: {ort_onnx.available()}")
        return 77
    broken = 0
    for path, name in models(a.patterns):
        if "ops" in a.what:
            problems, count, quantized, differ = check_ops(a.eval_ops, path, name)
            print(f"{name:50} {'DIFFERS' if problems else 'same':8} {count:4} results"
                  f"{f', {quantized} of 8 bits: {differ} elements a step apart' if quantized else ''}", flush=True)
            for p in problems[:6]:
                print(f"    {p}")
            broken += bool(problems)
        if "images" in a.what and model_set.root() and any(name.startswith(c) for c in CLASSIFIERS):
            bad, text = check_images(a.qcc, path, name, a.images)
            print(f"{name:50} {text}{'  BROKEN' if bad else ''}", flush=True)
            broken += bad
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
