"""images.py: compiled classifiers on real pictures.

Protects: what a user sees.  With --rounding=tflite every output equals that of TFLite's reference kernels (all of its
elements; of float models the class; those with FAKE_QUANT are for fake_quant.py).  With the default rounding, which is XNNPACK's, the class is
that of TFLite with XNNPACK.  Classes agree for 99 % of the pictures at least, or for as many as TFLite's own two sets of
kernels agree on (a model whose logits have few steps, like squeezenet_224_int8, changes its mind with a single one).

    images.py --qcc=PATH [--images=N] [PATTERN ...]

Prints for each model: accuracy of TFLite and of both roundings, agreement.  Exit 1 on a broken promise, 77 when models,
pictures or TFLite are not here.
"""

import argparse
import fnmatch
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import model_set  # noqa: E402
import tflite_reference  # noqa: E402

LEAST_AGREEMENT = 0.99


def classifiers(patterns):
    for path in model_set.networks():
        name = os.path.basename(path)[:-len(".tflite")]
        if os.sep + "imagenet" + os.sep in path and "FAKE_QUANT" not in name and any(fnmatch.fnmatch(name, p) for p in patterns):
            yield path, name


def measure(qcc, path, count):
    """(accuracy of TFLite, of tflite, of fp32, identical outputs, agreement of tflite, of fp32, of TFLite with itself)"""
    import numpy as np
    from qcc_model import Compiled
    reference, fast = tflite_reference.Reference(path), tflite_reference.Reference(path, "xnnpack")
    detail = reference.inputs()[0]
    exact, plain = Compiled(qcc, path, "--rounding=tflite"), Compiled(qcc, path)
    folder, rows = model_set.image_files(count)
    sums = np.zeros(7)
    for row in rows:
        x = model_set.image_input(os.path.join(folder, row["file"]), detail, model_set.image_normalisation(path))
        theirs, a, b = reference.run([x])[0].reshape(-1), exact.run([x])[0].reshape(-1), plain.run([x])[0].reshape(-1)
        default = fast.run([x])[0].reshape(-1)
        label = int(row["index1001"] if theirs.size == 1001 else row["index1000"])
        same = np.array_equal(theirs, a) if theirs.dtype.kind != "f" else theirs.argmax() == a.argmax()
        sums += [theirs.argmax() == label, a.argmax() == label, b.argmax() == label, same,
                 theirs.argmax() == a.argmax(), default.argmax() == b.argmax(),
                 theirs.argmax() == default.argmax()]
    return sums / len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--qcc", default=os.environ.get("QCC"))
    parser.add_argument("--images", type=int, default=100)
    a = parser.parse_args()
    if tflite_reference.available() or not model_set.root():
        print(f"skipped: {tflite_reference.available() or 'the model set is not here'}")
        return 77
    print(f"{'':45} {'TFLite':>7} {'tflite':>7} {'fp32':>7}   identical  same class: tflite, fp32, TFLite with itself")
    broken = 0
    for path, name in classifiers(a.patterns):
        try:
            r = measure(a.qcc, path, a.images)
        except RuntimeError as error:
            print(f"{name:45} {str(error).splitlines()[0][:150]}")
            broken += 1
            continue
        least = min(LEAST_AGREEMENT, r[6])
        fine = (r[3] == 1 or "fp32" in name and r[4] >= least) and r[5] >= least
        print(f"{name:45} {r[0]:7.3f} {r[1]:7.3f} {r[2]:7.3f}   {r[3]:9.3f}  {r[4]:.3f} {r[5]:.3f}   {r[6]:.3f}"
              f"{'' if fine else '  BROKEN'}", flush=True)
        broken += not fine
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
