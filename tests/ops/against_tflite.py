"""against_tflite.py: single operators against TFLite's reference kernels.

Protects: the interpreter's meaning of every op.  Quantized results are identical with --rounding=tflite, and differ by
at most one step per op with the default rounding; float results agree to 1e-5 of the largest magnitude.

    against_tflite.py EVAL_OPS [-v] [--seeds=N] [PATTERN]
"""

import argparse
import fnmatch
import os
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    np = None  # the reference isn't there either, which main() reports

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "tools"))
sys.path.insert(0, os.path.join(here, "..", "tools", "tflite_models"))
import tflite_reference  # noqa: E402
import tflite_writer  # noqa: E402
import per_op  # noqa: E402

# What differs on purpose, with its cause: (pattern of the case, rounding) -> largest difference in steps.
EXCEPTIONS = {
    # The optimised kernels (see below) scale sums in float.
    ("SUM_int8*", "tflite"): 1,
    ("SUM_int16*", "tflite"): 1,
    # TFLite interpolates between 512 nodes, in a bilinear resize with weights of 10 bits; the default rounding is exact.
    ("SOFTMAX_int16*", "fp32"): 40,
    # From int8, TFLite's reference has -32768 for 0 and units of 2^-16, whatever the file says of the result.
    ("SOFTMAX_to_int16*", "fp32"): 65535,
    ("SOFTMAX_to_all_int16*", "fp32"): 9, # its sums have 12 fractional bits
    ("RESIZE_BILINEAR_int16*", "fp32"): 400,
    ("EXP_int16*", "fp32"): 16,
    ("TANH_int16*", "fp32"): 2,
    ("GELU_int16*", "fp32"): 2,
    ("LOG_int16*", "fp32"): 65535, # between the nodes beside 0
    # TFLite compares the stored integers, whatever their scales are, and keeps one; the default rounding compares real values.
    ("M??IMUM_*_scales", "fp32"): 65535,
}


# Operators whose reference kernels are not registered, or wrong (SUM reads every type as uint8): the optimised ones are the truth.
OPTIMISED_ONLY = ("ELU", "CEIL", "ROUND", "SUM_int8", "SUM_int16")


def allowed(name, rounding):
    for (pattern, mode), steps in EXCEPTIONS.items():
        if mode == rounding and fnmatch.fnmatch(name, pattern):
            return steps
    return 0 if rounding == "tflite" else 1


def verdict(row, name, rounding):
    if row.dtype in ("f32", "f64"):
        return row.largest <= 1e-5 * max(row.magnitude, 1e-6)
    if row.dtype == "bool" and rounding == "fp32" and "float" not in name:
        return row.differ <= 0.02 * row.elements  # TFLite compares in fixed point, where near values can be equal
    return row.largest <= allowed(name, rounding)


def check(eval_ops, name, model, seed):
    """(problems, one line each, None), or (None, reason) when TFLite does not run the model."""
    problems = []
    kernels = "opt" if name.startswith(OPTIMISED_ONLY) else "ref"
    try:
        reference = tflite_reference.Reference(model, kernels)
        arrays = reference.made_inputs(seed)
        if name.startswith(("DIV", "FLOOR_DIV", "FLOOR_MOD", "POW")) and len(arrays) > 1:
            arrays[1] = abs(arrays[1]).clip(1)
        if name.startswith("POW_int"):  # powers that fit: the reference overflows through double
            arrays = [arrays[0] % 7, arrays[1] % 5]
        if name.startswith("DIV_uint8"):  # the reference shifts quotients far below one step by more than 31 bits
            zero = reference.inputs()[0]["quantization"][1]
            arrays[0] = np.where(abs(arrays[0].astype(int) - zero) < 9, zero + 9, arrays[0]).astype("uint8")
        if name.startswith(("SQRT", "RSQRT", "LOG_f")):
            arrays[0] = abs(arrays[0]) + arrays[0].dtype.type(0.01) if arrays[0].dtype.kind == "f" else arrays[0].clip(-127)
        if arrays[0].dtype == "float32" and not name.startswith("detection"):
            arrays = [a * a.dtype.type(4) if a.dtype.kind == "f" else a for a in arrays]
        reference.run(arrays)
    except (RuntimeError, ValueError) as error:
        return None, str(error).splitlines()[0]
    with tempfile.NamedTemporaryFile(suffix=".tflite") as f:
        f.write(model)
        f.flush()
        for rounding in ("tflite", "fp32"):
            rows, error = per_op.compare(eval_ops, f.name, arrays, kernels, rounding)
            if error:
                return [error], None
            if not rows:
                problems.append("nothing was compared")
            for r in rows:
                if not verdict(r, name, rounding):
                    problems.append(f"{rounding}: {r.op} '{r.name}' {r.differ} of {r.elements} differ, largest "
                                    f"{r.largest:g} of {r.magnitude:g}, at {r.first} ours {r.ours:g}, theirs {r.theirs:g}")
    return problems, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("eval_ops")
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    a = parser.parse_args()
    reason = tflite_writer.available() or tflite_reference.available()
    if reason:
        print(f"skipped: {reason}")
        return 77
    import tflite_cases
    count = failed = refused = 0
    for seed in range(1, a.seeds + 1):
        for name, model in tflite_cases.cases(seed):
            if not fnmatch.fnmatch(name, a.pattern):
                continue
            problems, reason = check(a.eval_ops, name, model, seed)
            count += 1
            if problems is None:
                refused += 1
                if a.v:
                    print(f"{name}: TFLite: {reason}")
            elif problems:
                failed += 1
                for p in problems:
                    print(f"{name}: {p}")
            elif a.v:
                print(f"{name}: fine")
    print(f"{count} cases, {failed} differ, {refused} that TFLite does not run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
