"""per_op.py: the interpreter against TFLite, one operator at a time (eval_ops.c does the comparing).

TFLite runs a model and keeps all its tensors; eval_ops evaluates each op of our graph on those tensors and compares
the result.  No op inherits another's difference, so every difference found belongs to the op it is reported for.
"""

import os
import subprocess
import tempfile
from collections import Counter, namedtuple

import tflite_reference

Row = namedtuple("Row", "node kind op name dtype elements differ largest magnitude first ours theirs")

# Operands that operators also write: what counts is what they held before.
STATE_OPERANDS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19), "UNIDIRECTIONAL_SEQUENCE_RNN": (4,)}


def dump(reference, directory, arrays, steps=1):
    """Runs the model and writes what eval_ops reads.  `arrays`: inputs of the last step, or a list of such lists."""
    import numpy as np
    runs = arrays if arrays and isinstance(arrays[0], list) else [arrays]
    for step in runs[:-1]:
        reference.run(step)
    states = {int(o["inputs"][k]) for o in reference.ops() for k in STATE_OPERANDS.get(o["op_name"], ())}
    before = {i: np.array(reference.tensor(i)) for i in states}
    reference.run(runs[-1])
    for k, a in enumerate(runs[-1]):
        with open(os.path.join(directory, f"in{k}.bin"), "wb") as f:
            f.write(np.ascontiguousarray(a).tobytes())
    details = reference.tensors()
    count = Counter(d["name"] for d in details.values())
    produced = {int(i) for o in reference.ops() if o["op_name"] != "VAR_HANDLE" for i in o["outputs"]}
    with open(os.path.join(directory, "names.txt"), "w") as names:
        for index, d in sorted(details.items()):
            if (index not in produced and index not in states) or count[d["name"]] != 1:
                continue
            t = before[index] if index in states else reference.tensor(index)
            if t is None or t.dtype == object:
                continue
            names.write(f"{index}\t{d['name']}\n")
            with open(os.path.join(directory, f"t{index:04d}.bin"), "wb") as f:
                f.write(np.ascontiguousarray(t).tobytes())


def compare(eval_ops, model, arrays, kernels="ref", rounding="tflite", chain=False):
    """(rows, error): error is None, or eval_ops' diagnostic when some op could not be evaluated."""
    reference = tflite_reference.Reference(model, kernels, keep=True)
    if arrays is None:
        arrays = reference.made_inputs()
    with tempfile.TemporaryDirectory() as directory:
        dump(reference, directory, arrays)
        return evaluate(eval_ops, model, directory, f"--rounding={rounding}", *(["--chain"] if chain else []))


def evaluate(eval_ops, model, directory, *options):
    """(rows, error) of eval_ops on what the directory holds."""
    done = subprocess.run([eval_ops, model, directory, *options], capture_output=True, text=True)
    rows = []
    for line in done.stdout.splitlines():
        c = line.split("\t")
        rows.append(Row(int(c[0]), c[1], c[2], c[3], c[4], int(c[5]), int(c[6]), float(c[7]), float(c[8]), int(c[9]),
                        float(c[10]), float(c[11])))
    error = None
    if done.returncode:
        error = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"eval_ops ended with {done.returncode}"
    return rows, error
