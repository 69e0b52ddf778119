"""first_difference.py: where our numbers leave TFLite's.

    first_difference.py [--eval-ops=PATH] [--rounding=tflite|fp32|once] [--kernels=ref|opt] [--seed=N] [-i x.npy ...]
                        [--chain] [--all] MODEL.tflite ...

Each op is evaluated on TFLite's own operands (with --chain: on ours), results are compared with TFLite's.  Prints the
ops that differ, the first one first (--all: every op), and a line for each model.  Exit 1 when anything differs by more
than the float tolerance of 1e-4 of the largest magnitude (integers: at all).
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tflite_reference  # noqa: E402
import per_op  # noqa: E402


def is_float(row):
    return row.dtype in ("f32", "f64", "f16")


def wrong(row):
    return row.largest > 1e-4 * max(row.magnitude, 1e-6) if is_float(row) else row.differ > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--eval-ops", default=os.environ.get("EVAL_OPS", "eval_ops"))
    parser.add_argument("--rounding", default="tflite")
    parser.add_argument("--kernels", default="ref")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-i", dest="inputs", action="append")
    parser.add_argument("--chain", action="store_true")
    parser.add_argument("--all", action="store_true")
    a = parser.parse_args()
    if tflite_reference.available():
        print(f"skipped: {tflite_reference.available()}")
        return 77
    failed = False
    for model in a.models:
        name = os.path.basename(model)
        try:
            if a.inputs:
                import numpy as np
                arrays = [np.load(p) for p in a.inputs]
            else:
                arrays = tflite_reference.Reference(model, a.kernels).made_inputs(a.seed)
            rows, error = per_op.compare(a.eval_ops, model, arrays, a.kernels, a.rounding, a.chain)
        except (RuntimeError, ValueError) as e:
            print(f"{name}: TFLite does not run it: {str(e).splitlines()[0][:150]}")
            continue
        bad = [r for r in rows if wrong(r)]
        print(f"{name}: {len(rows)} results, {len(bad)} differ" + (f"; {error}" if error else ""))
        for r in rows if a.all else bad:
            print(f"  node {r.node} {r.kind} ({r.op}) {r.dtype} '{r.name[-40:]}': {r.differ} of {r.elements}, largest "
                  f"{r.largest:g} (magnitude {r.magnitude:g}); at {r.first} ours {r.ours:g}, theirs {r.theirs:g}")
        failed |= bool(bad) or error is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
