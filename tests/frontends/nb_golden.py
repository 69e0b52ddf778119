#!/usr/bin/env python3
"""The Paddle Lite models of tests/data/nb against what Paddle computed for them (tests/tools/paddle_models/make_nb_models.py).

    nb_golden.py QCC_RUN FOLDER [NAME...]

Protects: what operators of Paddle mean, in both layouts; fake quantization; Paddle Lite's integer kernels; variables that
hold several values.  In the interpreter, and compiled.  Where integers take the place of fake-quantized floats (qat_*),
outputs may be off by STEPS of their scale, here 1/127 of the largest magnitude; imported.txt has those graphs."""
import array
import base64
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

TIGHT, STEPS = 1e-5, 3
CODES = {"float32": ("<f4", "f"), "int32": ("<i4", "i"), "int64": ("<i8", "q"), "int8": ("|i1", "b"), "bool": ("|b1", "b")}


def save(path, x):
    descr, _ = CODES[x["dtype"]]
    shape = "(" + "".join(f"{d}, " for d in x["shape"]) + ")"
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + base64.b64decode(x["data"]))


def load(path):
    with open(path, "rb") as f:
        data = f.read()
    length = struct.unpack_from("<H", data, 8)[0]
    header = eval(data[10:10 + length].decode(), {"__builtins__": {}}, {"True": True, "False": False})
    code = next(c for d, c in CODES.values() if d == header["descr"])
    return list(header["shape"]), array.array(code, data[10 + length:])


def difference(qcc_run, model, golden, options):
    """The largest of any output relative to its largest magnitude, or a message."""
    with tempfile.TemporaryDirectory() as folder:
        command = [qcc_run, model, *options]
        for i, x in enumerate(golden["inputs"]):
            save(f"{folder}/in{i}.npy", x)
            command += ["--input", f"{folder}/in{i}.npy"]
        outputs = [f"{folder}/out{i}.npy" for i in range(len(golden["outputs"]))]
        result = subprocess.run(command + ["--output", *outputs], capture_output=True, text=True, check=False)
        if result.returncode:
            return result.stderr.strip() or f"exit code {result.returncode}"
        worst = 0
        for i, (x, path) in enumerate(zip(golden["outputs"], outputs)):
            shape, got = load(path)
            want = array.array(CODES[x["dtype"]][1], base64.b64decode(x["data"]))
            if shape != x["shape"]:
                return f"output {i}: shape {shape}, expected {x['shape']}"
            most = max(max(map(abs, want)), 1e-2)
            off = max((abs(a - b) for a, b in zip(got, want)), default=0) / most
            if not off <= worst:
                worst = off
                if off > TIGHT and os.environ.get("NB_GOLDEN_VERBOSE"):
                    print(f"    output {i}: {off:.3g}")
        return worst


def main(qcc_run, folder, *names):
    failures = 0
    for path in sorted(glob.glob(os.path.join(folder, "*.nb"))):
        name = os.path.basename(path)[:-3]
        if names and name not in names:
            continue
        with open(os.path.join(folder, "golden", name + ".json"), encoding="utf-8") as f:
            golden = json.load(f)
        loose = STEPS / 127 if name.startswith("qat_") else TIGHT
        for options, bound in ((["--interp"], loose), ([], loose)):
            off = difference(qcc_run, path, golden, options)
            good = not isinstance(off, str) and off <= bound
            print("ok  " if good else "FAIL", name, " ".join(options), off if isinstance(off, str) else f"{off:.3g}", flush=True)
            failures += not good
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
