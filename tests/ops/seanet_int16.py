"""seanet_int16.py: single 16-bit operators with inputs and results that their authors published.

Protects: int16 activations.  --rounding=tflite gives the published results, the default differs by at most one step.

    seanet_int16.py QCC_OPT QCC_RUN
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "fidelity"))
import model_set  # noqa: E402

try:
    import numpy as np
except ImportError:
    np = None


def shapes(qcc_opt, model):
    """(element type, dimensions) of each input."""
    text = subprocess.run([qcc_opt, "--passes=set_rounding", model], check=True, capture_output=True, text=True).stdout
    return [(t, [int(d) for d in dims.split("x")]) for t, dims in re.findall(r"^  input %\d+:(\w+)<([\dx]+)", text, re.M)]


def run(qcc_run, model, arrays, rounding, directory):
    command = [qcc_run, "--interp", f"--rounding={rounding}", model, "-o", os.path.join(directory, "y.npy")]
    for k, a in enumerate(arrays):
        path = os.path.join(directory, f"x{k}.npy")
        np.save(path, a)
        command += ["-i", path]
    subprocess.run(command, check=True)
    return np.load(os.path.join(directory, "y.npy")).astype(int).ravel()


def main():
    qcc_opt, qcc_run = sys.argv[1:]
    models = sorted(glob.glob(os.path.join(model_set.root() or "?", "ops", "seanet_int16", "*", "*.tflite")))
    if np is None or not models:
        print("skipped: no numpy, or no model set")
        return 77
    failed = 0
    for model in models:
        stem = model[:-len(".tflite")]
        golden = np.loadtxt(glob.glob(stem + "_golden_*.csv")[0], delimiter=",").astype(int).ravel()
        files = sorted(glob.glob(stem + "_input[0-9]*.csv")) or glob.glob(stem + "_input_*.csv")
        arrays = [np.loadtxt(f, delimiter=",").reshape(dims).astype({"i16": "int16", "i8": "int8", "i32": "int32"}[t])
                  for f, (t, dims) in zip(files, shapes(qcc_opt, model))]
        for rounding, steps in (("tflite", 0), ("fp32", 1)):
            with tempfile.TemporaryDirectory() as directory:
                difference = abs(run(qcc_run, model, arrays, rounding, directory) - golden)
            if difference.max() > steps:
                failed += 1
                print(f"{os.path.basename(stem)}, {rounding}: {(difference > steps).sum()} of {golden.size} differ, "
                      f"largest {difference.max()}")
    print(f"{len(models)} operators, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
