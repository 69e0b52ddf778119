"""paddleslim.py: what PaddleSlim leaves of a LeNet that was trained here, against PaddlePaddle.

Protects: exports of quantization-aware training (PaddleSlim's default configuration, and with PACT) and of quantization after
training with Kullback-Leibler divergence (of layers, and of a program) compile as they are.
  - each op of the graph as imported, on PaddlePaddle's own operands, gives PaddlePaddle's results to 1e-5 of the largest
  - all convolutions and matrix products, as many as the network has, are of integers (--report), each result at most one step from the
    fake-quantized graph's on the same operands, for each of several pictures.  A function of values that PaddleSlim has only observed, and whose operand it does not round, may be another
    step away: the operand's own rounding
  - as many of the held-out pictures are right as by PaddlePaddle's run of the same export, but for one

    paddleslim.py --qcc=PATH --qcc-run=PATH --eval-ops=PATH --python=PYTHON [--keep=FOLDER]

PYTHON has paddlepaddle and paddleslim (tests/tools/paddle_models/paddleslim_lenet.py runs there); exit 77 where it has not.  An export that fails
within PaddleSlim is named.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import per_op  # noqa: E402
from exports import export  # noqa: E402
from fake_quant import PRODUCTS  # noqa: E402

REAL = 1e-5
FEWER = 1  # pictures
LAYERS = 5  # convolutions and matrix products of the network
STEPPED = 4  # pictures that are compared layer by layer
EXPORTS = ("qat", "pact", "kl", "kl_program")


def check_ops(arguments, folder):
    rows, error = per_op.evaluate(arguments.eval_ops, os.path.join(folder, "m.pdmodel"), folder)
    if error or not rows:
        return [error or "no op was compared"]
    return [f"node {r.node} {r.kind}: {r.op} '{r.name}': {r.largest:g} of {r.magnitude:g} from PaddlePaddle's" for r in rows
            if not r.largest <= REAL * max(r.magnitude, 1)]


def steps_allowed(op):
    observed = any(v and v.get("scale_from") == "observed" for v in op["operands"])
    return 2 if observed and op["op"] not in PRODUCTS else 1


def check_steps(arguments, folder, picture):
    """Problems."""
    import numpy as np
    entry, report = os.path.join(folder, "picture.npy"), os.path.join(folder, "report.json")
    np.save(entry, picture)
    done = subprocess.run([arguments.qcc_run, os.path.join(folder, "m.pdmodel"), "-i", entry, f"--report={report}"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        return [done.stderr.strip() or f"qcc-run ended with {done.returncode}"]
    with open(report, encoding="utf-8") as file:
        ops = json.load(file)["ops"]
    products = [op for op in ops if op["op"] in PRODUCTS]
    problems = [f"{op['name']}: {op['op']} is {op['arithmetic']}" for op in products if op["arithmetic"] != "int8"]
    if len(products) != LAYERS:
        problems.append(f"{len(products)} products, the network has {LAYERS}")
    for op in [op for op in ops if op["arithmetic"] == "int8"]:
        for v in op["results"]:
            steps = v.get("difference", {}).get("alone_max")
            if steps is None and op in products:
                problems.append(f"{op['name']}: {op['op']} is not compared with the fake-quantized graph")
            elif steps is not None and not steps <= steps_allowed(op):
                problems.append(f"{op['name']}: {op['op']} is {steps} steps from the fake-quantized graph")
    return problems


def check_classes(arguments, folder, pictures, classes):
    """Problems, and how many are right: by PaddlePaddle, by qcc."""
    import numpy as np
    from qcc_model import Compiled
    compiled = Compiled(arguments.qcc, os.path.join(folder, "m.pdmodel"))
    ours = np.array([compiled.run([picture[None]])[0].argmax() for picture in pictures])
    theirs = np.load(os.path.join(folder, "best.npy"))
    right = int((theirs == classes).sum()), int((ours == classes).sum())
    return [f"{right[1]} are right, {right[0]} by PaddlePaddle"] if abs(right[0] - right[1]) > FEWER else [], right


def check(arguments, folder):
    import numpy as np
    pictures, classes = (np.load(os.path.join(folder, name)) for name in ("pictures.npy", "classes.npy"))
    bad = compared = 0
    for name in EXPORTS:
        export = os.path.join(folder, name)
        if not os.path.exists(os.path.join(export, "best.npy")):
            continue
        problems = check_ops(arguments, export)
        steps = [problem for i in range(STEPPED) for problem in check_steps(arguments, export, pictures[i:i + 1])]
        accuracy, right = check_classes(arguments, export, pictures, classes)
        print(f"{name}: {right[1]} of {len(classes)} right, {right[0]} by PaddlePaddle")
        for problem in problems + steps + accuracy:
            print(f"BAD {name}: {problem}")
        bad += bool(problems + steps + accuracy)
        compared += 1
    with open(os.path.join(folder, "failed.txt"), encoding="utf-8") as file:
        for line in file:
            print(f"not exported, for PaddleSlim fails: {line.strip()}")
    return 1 if bad or not compared else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("qcc", "qcc-run", "eval-ops"):
        parser.add_argument("--" + name, default=os.environ.get(name.upper().replace("-", "_")))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--keep", metavar="FOLDER", help="where exports stay")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or temporary
        os.makedirs(folder, exist_ok=True)
        failed = export(arguments.python, "paddle_models/paddleslim_lenet.py", folder, OMP_NUM_THREADS="1")
        if failed:
            return failed
        return check(arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
