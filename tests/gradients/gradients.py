"""gradients.py: the gradients that pass_gradients adds, against finite differences.

Protects: the rule of every op (passes/gradients/rules.def), operands that are broadcast, values with several uses, whole
networks; interpreted and compiled.  The reference is a function on numpy arrays in double, written for this test: central
differences with step 1e-5 are then right to about 1e-9, where those of a float graph would have errors of 1e-2.

    gradients.py GRADIENT_GRAPH QCC_RUN [PATTERN] [--random=N] [--compiled] [--seed=S]           exit 77 without numpy

With --random every op of random_cases.py N times, of random shapes, interpreted, and with --compiled also compiled; else the cases
of cases.py, both.
"""
import argparse
import fnmatch
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: Python has no numpy")
    sys.exit(77)

import cases  # noqa: E402
import random_cases  # noqa: E402
from graph import Graph  # noqa: E402
from harness import WAYS, Failed, gradients_of, is_near, scale_of  # noqa: E402

STEP = 1e-5
DIRECTIONS = 24  # of inputs with more elements than this: random ones, and as many single elements
NOT_COMPILED = ("transpose_conv2d", "lstm", "gru", "rnn")  # with weights that are not constant
REFUSED = ("windows that lie wholly in the padding", "fully_connected: no kernel for f32, f32, f32, f32 -> f32")  # compiled; a residual behind weights from run time


def directions(rng, shape):
    count = int(np.prod(shape))
    if count <= 2 * DIRECTIONS:
        return np.eye(count).reshape((count,) + shape)
    single = np.zeros((DIRECTIONS, count))
    single[np.arange(DIRECTIONS), rng.choice(count, DIRECTIONS, replace=False)] = 1
    mixed = rng.choice([-1.0, 1.0], (DIRECTIONS, count))
    return np.concatenate([single, mixed]).reshape((2 * DIRECTIONS,) + shape)


def differences(graph, rng):
    """For each such input: its directions, and the derivatives along them."""
    found = []
    for value, _, fixed in graph.inputs:
        if fixed:
            continue
        along = directions(rng, value.shape)
        found.append((along, np.array([graph.derivative(value.number, d, STEP) for d in along])))
    return found


def check(name, way, found, expected):
    wrong, least = [], scale_of(found)
    for i, (by, (along, want)) in enumerate(zip(found, expected)):
        axes = tuple(range(1, along.ndim))
        got = (along * by).sum(axis=axes)
        weight = np.sqrt((along * along).sum(axis=axes))  # of directions of many elements the errors add up
        bad = np.flatnonzero(~is_near(got, want, weight, max(abs(by).max(initial=0), least)))
        if len(bad):
            wrong.append(f"{name}, {way}, input {i}, direction {bad[0]} of {len(along)}: {got[bad[0]]:.6g}, "
                         f"expected {want[bad[0]]:.6g}")
    return wrong


def check_case(name, build, rng, ways, folder, programs):
    graph = Graph(rng)
    graph.loss(build(graph))
    expected, wrong = differences(graph, rng), []
    for way in ways:
        if way == "compiled" and name.startswith(NOT_COMPILED):
            continue
        try:
            wrong += check(name, way, gradients_of(graph, way, folder, programs)[1:], expected)
        except Failed as e:
            if way != "compiled" or not any(reason in str(e) for reason in REFUSED):
                wrong.append(f"{name}, {way}: {e}")
    return wrong + [graph.text()] * bool(wrong)


def all_of(options):
    """(name, how it is built, its numbers)"""
    if not options.random:
        for number, (name, build) in enumerate(cases.all_cases()):
            yield name, build, np.random.default_rng(number)
    for number in range(options.random):
        for k, (name, build) in enumerate(random_cases.draws()):
            yield f"{name} random {number}", build, np.random.default_rng([options.seed, number, k])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs=2)
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_intermixed_args()
    ways = list(WAYS) if options.compiled or not options.random else ["interpreted"]
    wrong, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name, build, rng in all_of(options):
            if fnmatch.fnmatch(name, options.pattern):
                wrong += check_case(name, build, rng, ways, folder, options.programs)
                count += 1
    print("\n".join(wrong))
    print(f"{count} cases, {len(wrong)} lines of what is wrong")
    sys.exit(bool(wrong) or not count)


main()
