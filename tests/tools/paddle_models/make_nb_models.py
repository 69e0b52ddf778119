#!/usr/bin/env python3
"""make_nb_models.py: writes the small Paddle Lite models of tests/data/nb, and what Paddle computes for them.

    make_nb_models.py [--check] [NAME...]      --check: compares with what is there instead of writing

NAME.nb is the model (nb_models.py), golden/NAME.json its inputs and outputs (base64 of little-endian arrays; nb_kernels.py).
Those that must be refused (nb_refused.py) are written, too, unless names are given.  Needs numpy, flatbuffers, paddlepaddle."""
import base64
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import nb_file  # noqa: E402
from nb_kernels import run  # noqa: E402
import nb_quantized  # noqa: E402, F401
from nb_models import CASES  # noqa: E402
from nb_refused import REFUSED, damaged  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
FOLDER = os.path.join(ROOT, "tests", "data", "nb")


def pack(x):
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()}


def main(arguments):
    check = "--check" in arguments
    chosen = [a for a in arguments if not a.startswith("--")]
    names = chosen or list(CASES)
    os.makedirs(os.path.join(FOLDER, "golden"), exist_ok=True)
    failures = 0
    for name, build in () if chosen else sorted(REFUSED.items()):
        p = nb_file.Program()
        build(p)
        with open(os.path.join(FOLDER, "..", "refused", f"nb_{name}.nb"), "wb") as f:
            f.write(p.bytes())
    for name, data in () if chosen else damaged():
        with open(os.path.join(FOLDER, "..", "refused", f"nb_file_{name}.nb"), "wb") as f:
            f.write(data)
    for name in names:
        if name in REFUSED:
            continue
        p = nb_file.Program()
        feeds = CASES[name](p)
        outputs = run(p, feeds)
        text = json.dumps({"inputs": [pack(x) for x in feeds], "outputs": [pack(x) for x in outputs]}, indent=0)
        for file, made in ((f"{name}.nb", p.bytes()), (f"golden/{name}.json", text.encode())):
            path = os.path.join(FOLDER, file)
            if not check:
                with open(path, "wb") as f:
                    f.write(made)
            elif open(path, "rb").read() != made:
                print(f"{path} is not what is made now")
                failures += 1
        print(name, len(p.ops), "operators", len(p.bytes()), "bytes")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
