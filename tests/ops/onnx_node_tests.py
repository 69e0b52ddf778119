#!/usr/bin/env python3
"""onnx_node_tests.py: the tests of operators that ONNX's own package carries, run with qcc.

    onnx_node_tests.py QCC_RUN [--only=TEXT] [--list]        (needs numpy, onnx and onnxruntime: exit 77 without)

Protects: the importer's operators mean what ONNX says, in every form that qcc accepts.

Each test is a small model with inputs and expected outputs.  ONNX Runtime writes it in its own format, without optimizing
it; what it has no kernel for is written as it is.  A test passes its parameters (axes, shapes, weights) as inputs; where
qcc wants them to be constant, all inputs but the first, or all, become constants.  What qcc accepts is compiled, and run
by the interpreter, and both have to agree with the outputs: integers are equal, real numbers differ by no more than
RELATIVE of the expected one and ABSOLUTE of the largest in the output, which is what sums in another order come to;
TOLERANCES has others, and why.

How many are accepted is printed and may not fall below ACCEPTED, counted with the ONNX of that version.  --list names the
refused ones, too, by their reasons."""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "onnx_models"))
try:
    import numpy as np
    import onnx
    import onnxruntime  # noqa: F401
    import onnx_cases
except ImportError as missing:
    print(missing)
    sys.exit(77)

ACCEPTED = {"1.23": 1530}
RELATIVE, ABSOLUTE = 1e-5, 1e-6
HALF = 2.0**-10  # a step of half precision: what is computed in it, and rounded after each operator, is a step off now and then
TOLERANCES = {"test_averagepool_2d_ceil_last_window_starts_on_pad": (0, 3e-4),  # its outputs are written with four digits
              "test_gridsample_bicubic": (0, 2e-5),  # so are its
              "test_roialign_aligned_false": (0, 1e-4), "test_roialign_aligned_true": (0, 1e-4),  # and theirs
              # the interpreter sums thousands of weights one after the other: up to n 2^-24, a few in a hundred of it here
              "test_nllloss_NCd1d2d3d4d5_mean_weight": (1e-4, 0), "test_sce_NCd1d2d3d4d5_mean_weight": (1e-4, 0),
              "test_sce_NCd1d2d3d4d5_mean_weight_log_prob": (1e-4, 0)}
WAYS = {"compiled": ["--target=generic"], "interpreted": ["--interp"]}


def shape_options(case):
    for info, value in zip(onnx_cases.fed(case.model), case.inputs):
        if any(not d.HasField("dim_value") for d in info.type.tensor_type.shape.dim):
            yield f"--input-shape={info.name}:{'x'.join(map(str, value.shape))}"


def difference(case, got, want):
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype} {got.shape}, expected {want.dtype} {want.shape}"
    if got.dtype.kind != "f":
        return "" if np.array_equal(got, want) else f"{np.count_nonzero(got != want)} of {got.size} differ"
    real, expected = got.astype(np.float64), want.astype(np.float64)
    odd = ~np.isfinite(expected)
    if not np.array_equal(real[odd], expected[odd], equal_nan=True) or not np.isfinite(real[~odd]).all():
        return "infinities or NaN differ"
    relative, absolute = TOLERANCES.get(case.name.removesuffix("_expanded"), (RELATIVE, ABSOLUTE))
    if want.dtype == np.float16:
        relative = max(relative, HALF)
    largest = np.abs(expected[~odd]).max(initial=0)
    gap = np.abs(real[~odd] - expected[~odd])
    if (gap <= relative * np.abs(expected[~odd]) + absolute * largest).all():
        return ""
    return f"differs by {gap.max():.3g} of {largest:.3g}"


def meant(case, got, want):
    """Without the rows that are left over, of results whose length depends on the data."""
    padded = case.model.graph.node[-1].op_type == "NonMaxSuppression"
    return got[:len(want)] if padded and (got[len(want):] == -1).all() else got


def refusal_of(text):
    """Of several the one that constants may mend, else the first."""
    reasons = [line.split("error: ")[-1] for line in text.strip().split("\n") if "error: " in line]
    return next((r for r in reasons if "constant" in r), (reasons or ["no reason"])[0])


def run(qcc_run, case):
    """Sets the refusal of a case, or its problems; what is compiled can be interpreted."""
    inputs, used = [], len(case.inputs) - case.constants
    for k, value in enumerate(case.inputs[:used]):
        inputs.append(f"{case.path}.in{k}.npy")
        np.save(inputs[-1], value)
    for way, options in WAYS.items():
        outputs = [f"{case.path}.{way}{k}.npy" for k in range(len(case.outputs))]
        command = [qcc_run, case.path, *options, *(shape_options(case) if used else ()),
                   *(["--input", *inputs] if inputs else []), "--output", *outputs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 1 and way == "compiled":
            case.refusal = refusal_of(done.stderr)
            return
        if done.returncode:
            case.problems.append(f"{way}: exit {done.returncode}: {done.stderr.strip()}")
            continue
        for k, want in enumerate(case.outputs):
            problem = difference(case, meant(case, np.load(outputs[k]), np.asarray(want)), np.asarray(want))
            if problem:
                case.problems.append(f"{way}: output {k} {problem}")


def run_all(qcc_run, cases, workers):
    list(workers.map(lambda c: run(qcc_run, c), [c for c in cases if not c.refusal]))


def summary(cases, every):
    reasons = collections.defaultdict(list)
    for case in cases:
        if case.refusal:
            reasons[re.sub(r"'[^']*'|-?\d+", "…", case.refusal)].append(case.name)
    for reason, names in sorted(reasons.items(), key=lambda r: -len(r[1])):
        print(f"{len(names):4} refused: {reason}")
        if every:
            print("".join(f"          {name}\n" for name in names), end="")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("qcc_run")
    parser.add_argument("--only", default="", help="tests whose name has it")
    parser.add_argument("--list", action="store_true", help="name the refused tests, too")
    options = parser.parse_args()
    cases = list(onnx_cases.load_cases(options.only))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as workers:
        for case in cases:
            onnx_cases.convert(case, folder, 0)
        run_all(options.qcc_run, cases, workers)
        for keep in (1, 0):
            again = [c for c in cases if "constant" in c.refusal and len(c.inputs) > keep]
            for case in again:
                onnx_cases.convert(case, folder, len(case.inputs) - keep)
            run_all(options.qcc_run, again, workers)
    summary(cases, options.list)
    accepted = [c for c in cases if not c.refusal]
    wrong = [c for c in accepted if c.problems]
    for case in wrong:
        print(f"BAD {case.name}: {'; '.join(case.problems)}")
    least = ACCEPTED.get(".".join(onnx.__version__.split(".")[:2]))
    print(f"{len(accepted)} of {len(cases)} tests accepted, {len(wrong)} of them wrong"
          + (f"; ONNX {onnx.__version__} has no number to keep" if least is None else f"; at least {least} to be accepted"))
    return 1 if wrong or (not options.only and least and len(accepted) < least) else 0


if __name__ == "__main__":
    sys.exit(main())
