"""paddle_json.py: programs that PaddlePaddle 3 saves, against what it makes of them.

Protects: a .json with its .pdiparams, as paddle.jit.save leaves them, gives PaddlePaddle's results: reals to 1e-5 of the largest, all else
equal; for a LeNet, a MobileNetV3, models that have an operator of each kind, branches, loops, and quantized layers.  However values are
numbered, the result is the same.

    paddle_json.py --qcc-run=PATH --python=PYTHON

PYTHON has PaddlePaddle 3 (tests/tools/paddle_models/paddle3_models.py runs there); exit 77 where it has not.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from exports import export  # noqa: E402

REAL = 1e-5


def files(folder, prefix):
    count = sum(name.startswith(prefix) and name.endswith(".npy") for name in os.listdir(folder))
    return [os.path.join(folder, f"{prefix}{index}.npy") for index in range(count)]


def renumber(value):
    """Numbers of values with gaps between them."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "%" or (key == "#" and isinstance(inner, int)):
            value[key] = inner and (inner * 1000003 if inner > 0 else inner - 5)
        else:
            renumber(inner)


def write_renumbered(folder):
    with open(os.path.join(folder, "m.json"), encoding="utf-8") as file:
        program = json.load(file)
    renumber(program)
    with open(os.path.join(folder, "r.json"), "w", encoding="utf-8") as file:
        json.dump(program, file)


def check(qcc_run, folder, program):
    """Problems of one model."""
    wanted = files(folder, "out")
    made = [path.replace("out", "made") for path in wanted]
    parameters = os.path.join(folder, "m.pdiparams")
    command = [qcc_run, os.path.join(folder, program), *([f"--params={parameters}"] if os.path.exists(parameters) else [])]
    for option, paths in (("-i", files(folder, "in")), ("-o", made)):
        for path in paths:
            command += [option, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return [done.stderr.strip()]
    problems = []
    for ours, theirs in zip(map(np.load, made), map(np.load, wanted)):
        far = np.abs(ours.astype(np.float64).ravel() - theirs.ravel()).max() if ours.size == theirs.size else np.inf
        if ours.dtype != theirs.dtype or not far <= (REAL * np.abs(theirs).max() if ours.dtype == np.float32 else 0):
            problems.append(f"{ours.shape} {ours.dtype}, {theirs.shape} {theirs.dtype} expected, {far:g} away")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qcc-run", default=os.environ.get("QCC_RUN"))
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        failed = export(arguments.python, "paddle_models/paddle3_models.py", folder)
        if failed:
            return failed
        bad = 0
        for name in sorted(os.listdir(folder)):
            write_renumbered(os.path.join(folder, name))
            problems = check(arguments.qcc_run, os.path.join(folder, name), "m.json") or check(arguments.qcc_run, os.path.join(folder, name), "r.json")
            bad += bool(problems)
            print(f"{name}: {'; '.join(problems) or 'as PaddlePaddle'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
