"""compiled.py: compiled single operators against the interpreter, on the same models that against_tflite.py uses.

Protects: that compiled code computes what the interpreter does, for every op, type and rounding: integers bit for bit,
floats to 1e-5 of the largest magnitude (softmax and functions of many steps: 1e-4).  The interpreter is held to TFLite by
against_tflite.py.  An op that the code generator refuses with a diagnostic is counted, not a failure.

    compiled.py QCC_RUN [-v] [--seeds=N] [--target=NAME] [PATTERN]
"""

import argparse
import fnmatch
import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "tools", "tflite_models"))
import tflite_writer  # noqa: E402

FLOAT_TOLERANCE = 1e-4


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def largest_magnitude(path):
    import numpy as np
    y = np.load(path)
    finite = y[np.isfinite(y)] if y.dtype.kind == "f" else y
    return (float(np.abs(finite).max()) if finite.size else 0.0), y.dtype.kind == "f"


def check(qcc_run, target, path, folder, outputs, rounding):
    """None when both agree, (True, text) when compiled code is refused, (False, text) when they differ."""
    files = [os.path.join(folder, f"y{k}.npy") for k in range(outputs)]
    common = [qcc_run, path, "--random=1", f"--rounding={rounding}"]
    status, text = run(common + ["--interp"] + sum([["-o", f] for f in files], []))
    if status:
        return True, f"interpreter: {text}"
    magnitude, is_float = largest_magnitude(files[0])
    tolerance = FLOAT_TOLERANCE * max(magnitude, 1e-6) if is_float else 0
    status, text = run(common + [f"--target={target}", f"--tolerance={tolerance}"] +
                       sum([["--compare", f] for f in files], []))
    if status == 0:
        return None
    return "error:" in text, text.splitlines()[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("qcc_run")
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--target", default="native")
    a = parser.parse_args()
    if tflite_writer.available():
        print(f"skipped: {tflite_writer.available()}")
        return 77
    import tflite_cases
    count = failed = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "case.tflite")
        for seed in range(1, a.seeds + 1):
            for name, model in tflite_cases.cases(seed):
                if not fnmatch.fnmatch(name, a.pattern):
                    continue
                with open(path, "wb") as f:
                    f.write(model)
                outputs = 4 if name.startswith("detection") else 1
                roundings = ("tflite", "fp32") if "float32" not in name and "int32" not in name else ("fp32",)
                for rounding in roundings:
                    count += 1
                    problem = check(a.qcc_run, a.target, path, folder, outputs, rounding)
                    if problem is None:
                        continue
                    refused, failed = refused + problem[0], failed + (not problem[0])
                    if a.v or not problem[0]:
                        print(f"{name} {rounding}: {problem[1][-200:]}", flush=True)
    print(f"{count} runs, {failed} differ, {refused} refused")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
