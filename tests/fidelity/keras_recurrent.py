"""keras_recurrent.py: recurrent layers of Keras, exported to TFLite, against Keras.

Protects: LSTM, GRU and simple layers, as one operator, written out, or as a loop whose passes can be counted, give what Keras gives to
1e-6 (states are within -1 and 1), interpreted and compiled; lists of tensors are refused with the cure.

    keras_recurrent.py --qcc-run=PATH --python=PYTHON

PYTHON has TensorFlow (tests/tools/tflite_models/keras_models.py runs there); exit 77 where it has not.
"""
import argparse
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

CURE = "lists of tensors are not supported: convert"


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def problem(qcc_run, base, ways):
    done = run([qcc_run, f"{base}.tflite", *ways, "-i", f"{base}.in.npy", "-o", f"{base}.made.npy"])
    if done.returncode:
        return done.stderr.strip()
    ours, theirs = np.load(f"{base}.made.npy"), np.load(f"{base}.out.npy")
    far = np.abs(ours - theirs).max() if ours.shape == theirs.shape else np.inf
    return "" if far <= 1e-6 else f"{far:g} away, {ours.shape}, {theirs.shape} expected"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qcc-run", default=os.environ.get("QCC_RUN"))
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        failed = export(arguments.python, "tflite_models/keras_models.py", folder)
        if failed:
            return failed
        bad = 0
        for file in sorted(name for name in os.listdir(folder) if name.endswith(".in.npy")):
            base = os.path.join(folder, file[:-len(".in.npy")])
            said = problem(arguments.qcc_run, base, ["--interp"]) or problem(arguments.qcc_run, base, [])
            bad += bool(said)
            print(f"{os.path.basename(base)}: {said or 'as Keras'}")
        refused = run([arguments.qcc_run, os.path.join(folder, "lists.tflite")])
        if refused.returncode != 1 or CURE not in refused.stderr:
            bad += 1
            print(f"lists: {refused.stderr}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
