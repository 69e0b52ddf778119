"""fidelity.py: the numbers of every model of the set against TFLite's reference kernels.

Protects: what docs/fidelity.md promises.
  ops     each operator on TFLite's own operands: --rounding=tflite identical, --rounding=fp32 at most one step (or what
          EXCEPTIONS says), float 1e-4 of the largest magnitude
  interp  the whole model by qcc-run --interp --rounding=tflite: quantized outputs identical
  code    the compiled model, --rounding=tflite: identical to the reference, and with the default rounding identical to
          the interpreter's

    fidelity.py --eval-ops=PATH --qcc=PATH --qcc-run=PATH [--what=ops,interp,code] [--seeds=N] [--set=networks|more|ops|all] [--jobs=N] [PATTERN ...]

Exit 0 when every difference is an expected one, 1 otherwise, 77 when the model set or TFLite is not here.
"""

import argparse
import concurrent.futures
import fnmatch
import functools
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import model_set  # noqa: E402
import tflite_reference  # noqa: E402
import per_op  # noqa: E402

FLOAT_TOLERANCE = 1e-4
STATEFUL = ("VAR_HANDLE", "UNIDIRECTIONAL_SEQUENCE_LSTM")
STREAM_STEPS = 5  # runs of a model with state, all with one input; the last result counts

# Reference kernels that are broken: the optimised kernels are the truth for these results.
BROKEN_REFERENCE = {("SUM", "i8"): "BUILTIN_REF's int8 SUM gives a constant"}

# (model pattern, operator, result type, rounding) -> (largest difference in steps, cause)
EXCEPTIONS = {
    ("*", "SOFTMAX", "i16", "fp32"): (40, "TFLite interpolates in tables of 512 steps, the default rounding is exact"),
    ("litert_matmul_quant", "BATCH_MATMUL", "i16", "tflite"): (65535, "TFLite's sums wrap where ours saturate"),
    ("litert_matmul_quant", "BATCH_MATMUL", "i16", "fp32"): (65535, "TFLite's sums wrap where ours saturate"),
    ("*", "SUM", "i8", "tflite"): (1, "the optimised kernel, which is the truth here, multiplies sums by a float"),
}

# What qcc refuses with a diagnostic: (model pattern) -> what the diagnostic says.
NOT_SUPPORTED = {
    "litert_static_w8_a16_*": "batch_matmul: not supported for types i16, i8",
}

# Float outputs of whole models that may differ by more than FLOAT_TOLERANCE: (largest difference over magnitude, cause).
STEPPED = {
    "*_FAKE_QUANT_made": (12 / 256, "integers where TFLite rounds floats: sums near a tie fall on the other side of a step"),
}

# Whole models whose outputs can't be compared with the reference kernels, with the cause.
NOT_WHOLE = {
    "litert_matmul_quant": "TFLite's sums wrap where ours saturate",
    "moonshine_*_int8": "ends in an int8 SUM, which BUILTIN_REF computes wrongly",
}


def refused(name, message):
    return any(fnmatch.fnmatch(name, pattern) and text in message for pattern, text in NOT_SUPPORTED.items())


def allowed(name, row, rounding):
    for (pattern, kind, dtype, mode), (steps, _) in EXCEPTIONS.items():
        if fnmatch.fnmatch(name, pattern) and kind == row.kind and dtype == row.dtype and mode == rounding:
            return steps
    return 0 if rounding == "tflite" else 1


def row_is_fine(name, row, rounding):
    if row.dtype in ("f32", "f64"):
        if row.largest == float("inf") and abs(row.theirs) > 3.4e38 and row.ours == float("inf") * row.theirs:
            return True  # TFLite clamps results without an activation to the finite floats
        return row.largest <= FLOAT_TOLERANCE * max(row.magnitude, 1e-6)
    return row.largest <= allowed(name, row, rounding)


def kernels_of(path):
    """The reference kernels, or the optimised ones where an operator has none registered."""
    try:
        tflite_reference.Reference(path, "ref")
        return "ref"
    except (RuntimeError, ValueError):
        tflite_reference.Reference(path, "opt")
        return "opt"


def inputs_of(path, seeds, kernels):
    """Lists of inputs: made ones, and an image for those that classify images."""
    reference = tflite_reference.Reference(path, kernels)
    bounds = model_set.bounds(path)
    lists = [reference.made_inputs(seed, bounds=bounds) for seed in range(1, seeds + 1)]
    if os.sep + "imagenet" + os.sep in path:
        folder, rows = model_set.image_files(1)
        file = os.path.join(folder, rows[0].get("file") or list(rows[0].values())[0])
        lists.append([model_set.image_input(file, reference.inputs()[0], model_set.image_normalisation(path))])
    return lists


class Run:
    """The reference with one list of inputs, run once; its tensors are in files for eval_ops."""

    def __init__(self, path, arrays, kernels):
        self.arrays, self.folder = arrays, tempfile.TemporaryDirectory()
        self.reference = tflite_reference.Reference(path, kernels, keep=True)
        per_op.dump(self.reference, self.folder.name, arrays)
        self.steps = STREAM_STEPS if any(o["op_name"] in STATEFUL for o in self.reference.ops()) else 1

    def outputs(self):
        """Of the last step."""
        for _ in range(self.steps - 1):
            self.reference.run(self.arrays)
        return self.reference.results()


def rows_of(tools, path, run, rounding):
    """(rows, error) of every operator on the reference's own operands."""
    rows, error = per_op.evaluate(tools.eval_ops, path, run.folder.name, f"--rounding={rounding}")
    if not error and any((r.kind, r.dtype) in BROKEN_REFERENCE for r in rows):
        right, error = per_op.compare(tools.eval_ops, path, run.arrays, "opt", rounding)
        rows = [r for r in rows if (r.kind, r.dtype) not in BROKEN_REFERENCE] + \
               [r for r in right if (r.kind, r.dtype) in BROKEN_REFERENCE]
    return rows, error


def check_ops(tools, path, name, runs):
    """Problems of every operator, for both roundings; and how many results were compared."""
    problems, count = [], 0
    for run in runs:
        for rounding in ("tflite", "fp32"):
            rows, error = rows_of(tools, path, run, rounding)
            if error:
                return [error], count
            count += len(rows)
            for r in rows:
                if not row_is_fine(name, r, rounding):
                    problems.append(f"{rounding}: node {r.node} {r.kind} {r.dtype}: {r.differ} of {r.elements} differ, "
                                    f"largest {r.largest:g} of {r.magnitude:g}, at {r.first} ours {r.ours:g}, "
                                    f"theirs {r.theirs:g}")
    return problems, count


def run_ours(tools, model, arrays, outputs, *options):
    """Outputs of qcc-run for a model or what qcc made of one, or a diagnostic."""
    import numpy as np
    with tempfile.TemporaryDirectory() as d:
        ins = [os.path.join(d, f"in{k}.npy") for k in range(len(arrays))]
        outs = [os.path.join(d, f"out{k}.npy") for k in range(outputs)]
        for file, a in zip(ins, arrays):
            np.save(file, a)
        command = [tools.qcc_run, model, *options]
        for flag, files in (("-i", ins), ("-o", outs)):
            for file in files:
                command += [flag, file]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            return None, lines[-1] if lines else f"qcc-run ended with {done.returncode}"
        return [np.load(f) for f in outs], None


def compare_outputs(ours, theirs, tolerance):
    import numpy as np
    for k, (a, b) in enumerate(zip(ours, theirs)):
        if a.dtype != b.dtype or a.size != b.size:
            return f"output {k}: {a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}"
        x, y = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        if same.all():
            continue
        largest = np.abs(x - y)[~same].max()
        magnitude = np.abs(y[np.isfinite(y)]).max(initial=1e-6)
        if a.dtype.kind == "f" and largest <= tolerance * magnitude:
            continue
        return f"output {k}: {np.count_nonzero(~same)} of {x.size} differ, largest {largest:g} of {magnitude:g}"
    return None


def make_library(tools, path, folder, rounding):
    """The shared library of a model for this machine, or a diagnostic: made once for all inputs."""
    library = os.path.join(folder, f"{rounding}.so")
    done = subprocess.run([tools.qcc, path, "--target=native", f"--rounding={rounding}", "-o", library],
                          capture_output=True, text=True)
    lines = (done.stderr or done.stdout).strip().splitlines()
    return (library, None) if done.returncode == 0 else (None, lines[-1] if lines else f"qcc ended with {done.returncode}")


def check_whole(tools, path, name, runs, what):
    """Problems of the whole model: interpreter against TFLite, and for each rounding compiled code against the interpreter."""
    problems = []
    exact = not any(fnmatch.fnmatch(name, pattern) for pattern in NOT_WHOLE)
    tolerance = next((t for pattern, (t, _) in STEPPED.items() if fnmatch.fnmatch(name, pattern)), FLOAT_TOLERANCE)
    theirs = [run.outputs() for run in runs]

    def compare(label, ours, others):
        difference = compare_outputs(ours, others, tolerance)
        problems.extend([f"{label}: {difference}"] if difference else [])

    for rounding in ("tflite", "fp32") if "code" in what else ("tflite",):
        with tempfile.TemporaryDirectory() as folder:
            library, error = make_library(tools, path, folder, rounding) if "code" in what else (None, None)
            if error:
                return [f"code, {rounding}: {error}"]
            for run, right in zip(runs, theirs):
                often = f"--steps={run.steps}"
                interpreted, error = run_ours(tools, path, run.arrays, len(right), "--interp", f"--rounding={rounding}", often)
                if error:
                    return [f"interp: {error}"]
                if "interp" in what and exact and rounding == "tflite":
                    compare("interp", interpreted, right)
                if not library:
                    continue
                code, error = run_ours(tools, library, run.arrays, len(right), often)
                if error:
                    return [f"code, {rounding}: {error}"]
                compare(f"code, {rounding}", code, interpreted)
                if exact and rounding == "tflite":
                    compare("code against TFLite", code, right)
    return problems


def check(a, what, path):
    """One model: "same", "differs" or "not run", and what to print of it."""
    name = os.path.basename(path)[:-len(".tflite")]
    try:
        kernels = kernels_of(path)
        runs = [Run(path, arrays, kernels) for arrays in inputs_of(path, a.seeds, kernels)]
    except (RuntimeError, ValueError) as error:
        return "not run", f"{name:55} TFLite's reference does not run it: {str(error).splitlines()[0][:80]}"
    problems, count = check_ops(a, path, name, runs) if "ops" in what else ([], 0)
    if ("interp" in what or "code" in what) and not (len(problems) == 1 and refused(name, problems[0])):
        problems += check_whole(a, path, name, runs, what)
    if problems and all(refused(name, p) for p in problems):
        return "not run", f"{name:55} qcc: {problems[0].split('error: ')[-1]}"
    lines = [f"{name:55} {'same' if not problems else 'DIFFERS'} {count:5} results, outputs "
             f"{','.join(sorted({str(t.dtype) for t in runs[0].reference.results()}))}"]
    lines += [f"    {p}" for p in problems[:6]]
    if len(problems) > 6:
        lines.append(f"    … and {len(problems) - 6} more")
    return "differs" if problems else "same", "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--eval-ops", default=os.environ.get("EVAL_OPS"))
    parser.add_argument("--qcc", default=os.environ.get("QCC"))
    parser.add_argument("--qcc-run", default=os.environ.get("QCC_RUN"))
    parser.add_argument("--what", default="ops,interp,code")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", choices=["networks", "more", "ops", "all"], default="all")
    parser.add_argument("--jobs", type=int, default=1, help="models at once")
    a = parser.parse_args()
    if tflite_reference.available() or not model_set.root():
        print(f"skipped: {tflite_reference.available() or 'the model set is not here'}")
        return 77
    what = [w for w in a.what.split(",") if {"ops": a.eval_ops, "interp": a.qcc_run, "code": a.qcc and a.qcc_run}[w]]
    sets = {"networks": model_set.networks, "more": model_set.more_networks, "ops": model_set.single_ops}
    paths = sum([sets[s]() for s in (sets if a.set == "all" else [a.set])], [])
    paths = [path for path in paths if any(fnmatch.fnmatch(os.path.basename(path)[:-len(".tflite")], p) for p in a.patterns)]
    counts = {"same": 0, "differs": 0, "not run": 0}
    with concurrent.futures.ProcessPoolExecutor(a.jobs) as workers:
        for result, text in workers.map(functools.partial(check, a, what), paths):
            print(text, flush=True)
            counts[result] += 1
    print(f"{counts['same']} the same, {counts['differs']} differ unexpectedly, {counts['not run']} not run by TFLite or not supported")
    return 1 if counts["differs"] else 0


if __name__ == "__main__":
    sys.exit(main())
