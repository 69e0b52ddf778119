#!/usr/bin/env python3
"""tests/tools/paddle_models/nb_file.py, which writes the models that the importer is tested with, against files that others wrote.

    nb_file_test.py QCC FOLDER      exit 77 without numpy and flatbuffers

Protects: reading a file and writing it again gives an equal program, and the importer makes the same graph of both.  FOLDER's
models, and those of ../shared/models/nb where they are."""
import glob
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools", "paddle_models"))
import nb_file  # noqa: E402


def imported(program, path, folder, name):
    if os.path.dirname(path) != folder:
        os.symlink(os.path.abspath(path), os.path.join(folder, name))
    command = [program, name, "-O0", "--emit=ir", "--no-header", "-o", "model.qir"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    os.unlink(os.path.join(folder, name))
    if result.returncode:
        return result.stderr
    with open(os.path.join(folder, "model.qir"), encoding="utf-8") as f:
        return f.read()


def main(program, folder):
    if nb_file.available():
        print(f"skipped: {nb_file.available()}")
        return 77
    failures = 0
    paths = glob.glob(os.path.join(folder, "*.nb"))
    for up in ("..", "../..", "../../.."):
        paths += glob.glob(os.path.join(ROOT, up, "shared", "models", "nb", "*.nb"))
    for path in sorted(paths):
        with open(path, "rb") as f:
            first = nb_file.read(f.read())
        again = first.bytes()
        equal = nb_file.same(first, nb_file.read(again))
        with tempfile.TemporaryDirectory() as scratch:
            before = imported(os.path.abspath(program), path, scratch, "model.nb")
            with open(os.path.join(scratch, "model.nb"), "wb") as f:
                f.write(again)
            after = imported(os.path.abspath(program), os.path.join(scratch, "model.nb"), scratch, "model.nb")
        print("ok  " if equal and before == after else "FAIL", os.path.basename(path), "" if equal else "(program)", flush=True)
        failures += not equal or before != after
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
