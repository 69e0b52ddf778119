#!/usr/bin/env python3
"""control_flow.py: TFLite models with control flow, run by LiteRT and by qcc, interpreted and compiled.

    control_flow.py QCC_RUN                (exit 77 without LiteRT)

Protects: IF takes the branch that its condition says, whichever way and whenever that is known; WHILE runs as often as its
condition holds (docs/tflite.md, "Control flow").  The models are those of tests/tools/tflite_models/tflite_control.py."""
import itertools
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "tflite_models"))
try:
    import numpy as np

    import tflite_writer
    from ai_edge_litert.interpreter import Interpreter
    MISSING = tflite_writer.available()
except ImportError as error:
    MISSING = str(error)
TOLERANCE = 1e-6  # of tanh


def feeds_of(details):
    """Every choice of the booleans, random numbers else."""
    random = np.random.default_rng(1)
    flags = [d["dtype"] == np.bool_ for d in details]
    for chosen in itertools.product((False, True), repeat=sum(flags)):
        left = iter(chosen)
        yield [np.array(next(left)) if flag else random.standard_normal(d["shape"]).astype(np.float32)
               for d, flag in zip(details, flags)]


def expected(path):
    """[(inputs, outputs)]"""
    interpreter = Interpreter(model_path=path)
    for feeds in feeds_of(interpreter.get_input_details()):
        interpreter.allocate_tensors()
        for d, value in zip(interpreter.get_input_details(), feeds):
            interpreter.set_tensor(d["index"], value)
        interpreter.invoke()
        yield feeds, [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def run(qcc_run, path, feeds, count, options):
    inputs, outputs = ([f"{path}.{kind}{k}.npy" for k in range(n)] for kind, n in (("in", len(feeds)), ("out", count)))
    for name, value in zip(inputs, feeds):
        np.save(name, value)
    subprocess.run([qcc_run, path, *options, "--input", *inputs, "--output", *outputs], check=True)
    return [np.load(name) for name in outputs]


def main(qcc_run):
    import tflite_control
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, make in tflite_control.RUN.items():
            path = os.path.join(folder, name + ".tflite")
            make().save(path)
            for feeds, want in expected(path):
                for options in ([], ["--interp"]):
                    got = run(qcc_run, path, feeds, len(want), options)
                    good = all(g.shape == w.shape and np.allclose(g, w, rtol=0, atol=TOLERANCE) for g, w in zip(got, want))
                    wrong += not good
                    print("ok  " if good else "BAD ", name, *[f for f in feeds if f.dtype == bool], *options)
    return 1 if wrong else 0


if __name__ == "__main__":
    if MISSING:
        print(f"skipped: {MISSING}")
        sys.exit(77)
    sys.exit(main(sys.argv[1]))
