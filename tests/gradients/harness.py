"""harness.py: runs a graph with its gradients, and says where those are not what they should be."""
import os
import subprocess

import numpy as np

# Of an element, and of a tensor's largest: sums in float cancel, so that small elements have the errors of large ones.
RELATIVE, OF_LARGEST = 1e-3, 3e-5
LEAST = 1e-2  # the least "largest", of that of all gradients: some are 0 as a sum of parts (a bias in front of a batch norm)
WAYS = {"interpreted": ["--interp"], "compiled": ["--target=generic", "-O0"]}


class Failed(Exception):
    pass


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"exit {done.returncode}: {done.stderr.strip()}")


def gradients_of(graph, way, folder, programs):
    """The loss, and its gradient by every input that is not fixed."""
    path = os.path.join(folder, "case.qir")
    with open(path, "w") as f:
        f.write(graph.text())
    run([programs[0], path, path + ".gradients.qir"])
    command = [programs[1], path + ".gradients.qir", *WAYS[way]]
    for i, (_, array, _) in enumerate(graph.inputs):
        np.save(os.path.join(folder, f"in{i}.npy"), array)
        command += ["-i", os.path.join(folder, f"in{i}.npy")]
    count = 1 + sum(not fixed for _, _, fixed in graph.inputs)
    outputs = [os.path.join(folder, f"out{i}.npy") for i in range(count)]
    run(command + [word for path in outputs for word in ("-o", path)])
    return [np.load(path).astype(np.float64) for path in outputs]


def scale_of(found):
    """The least that counts as a tensor's largest element."""
    return LEAST * max(1, max(abs(by).max(initial=0) for by in found))


def is_near(got, want, weight, largest):
    return abs(got - want) <= RELATIVE * abs(want) + OF_LARGEST * weight * largest
