#!/usr/bin/env python3
"""published.py: the public models beside the project are imported, or refused for the reason given here.

    published.py IMPORT [FOLDER]        IMPORT: the test program; FOLDER: the model set; exit 77 where it is not

Protects: the list of what is supported in docs/tflite.md.
"""
import fnmatch
import glob
import os
import subprocess
import sys

NETWORKS = ["tflite/imagenet/*", "tflite/inat/*", "tflite/cifar10/*", "tflite/mnist/*", "tflite/vww/*", "tflite/vision/*",
            "tflite/audio/arm_*", "tflite/audio/mlperf_*", "tflite/audio/moonshine_*", "tflite/audio/silabs_*",
            "tflite/audio/mww_*", "tflite/audio/lyra_*",
            "tflite/audio/tflm_micro_speech*", "tflite/audio/tflm_hello_world*", "tflite/audio/tflm_dtln_lstm*", "ops/tflite/*"]

# What is refused of these, with a part of the diagnostic.
REFUSED = {
    "litert_static_w8_a16_quantized_*": "batch_matmul: not supported for types i16, i8 -> i16",
}

RUN = ("loop_if_4031_v5.ort", "matmulnbits_add_v6.ort", "roialign10_v4.ort", "scan9_v4.ort")  # they are supported by now; ort_expected.py runs them


def run(program, paths):
    """{path: outcome line}; the program says one line a file."""
    result = subprocess.run([program, *paths], capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    if result.returncode not in (0, 1) or len(lines) != len(paths):
        sys.exit(f"{program} exits with {result.returncode} after {len(lines)} of {len(paths)} files\n{result.stderr}")
    return dict(zip(paths, lines))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("QCC_MODELS", os.path.join(here, "../../../shared/models"))
    if not os.path.exists(os.path.join(folder, "MANIFEST.md")):
        folder = os.path.join(here, "../../../../shared/models")
    models = sorted(path for pattern in NETWORKS for path in glob.glob(os.path.join(folder, pattern)) if path.endswith(".tflite"))
    if not models:
        print("skipped: the model set is not here")
        return 77
    failures = 0
    for path, line in run(sys.argv[1], models).items():
        reason = next((r for pattern, r in REFUSED.items() if fnmatch.fnmatch(os.path.basename(path), pattern)), None)
        if (": imported, " in line) if reason is None else (reason in line and " error: " in line):
            continue
        print(line)
        failures += 1
    for path, line in run(sys.argv[1], sorted(glob.glob(os.path.join(folder, "reject", "*", "*")))).items():
        if (": imported, " if os.path.basename(path) in RUN else ": error: ") not in line:
            print(line)
            failures += 1
    print(f"{len(models)} models to import or refuse, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
