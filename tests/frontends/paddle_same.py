#!/usr/bin/env python3
"""paddle_same.py: a program gives the same graph whichever of Paddle's boxes it lies in.

    paddle_same.py QCC DATA        (needs numpy and flatbuffers: exit 77 without)

Protects: the two readers say the same of the same program.  Each .nb of the folder becomes a .pdmodel with its .pdiparams, and
a folder with __model__ and a file for each parameter.  Files may hold what a quantizer has made of a parameter and not told
the program: int8 for real weights, [] and [1, 6] for [1] and [6].  What is refused is refused with the same words, and files of parameters
that are cut, longer, or another program's are."""
import copy
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "paddle_models"))
try:
    import numpy as np
    import nb_file
    import paddle_file
except ImportError as missing:
    print(missing)
    sys.exit(77)
if nb_file.available():
    print(nb_file.available())
    sys.exit(77)
DAMAGED = 3  # models whose parameters are damaged, too


def outcome(qcc, path, *options):
    """The graph as imported but for places, which name the file; or the end of the diagnostic."""
    done = subprocess.run([qcc, path, "-O0", "--emit=ir", "-o", "-", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        return done.returncode, done.stderr.split("error: ")[-1].strip()
    return 0, re.sub(r" loc\(.*\)$|^graph .*$", "", done.stdout, flags=re.M)


def program_of(path):
    """With the parameters in the order of their names, in which files have them that hold them all."""
    with open(path, "rb") as f:
        program = nb_file.read(f.read())
    program.params = dict(sorted(program.params.items()))
    return program


def held_otherwise(program):
    """Programs whose files hold other arrays than they say, and the program that says it."""
    scales = {n: a for n, a in program.params.items() if a.dtype == np.float32 and a.ndim == 1}
    yield program, {n: a.reshape([] if a.size == 1 else [1, a.size]) for n, a in scales.items()}
    weights = {n: a for n, a in program.params.items() if a.dtype == np.int8}
    real = copy.copy(program)
    real.params = {n: weights[n].astype(np.float32) if n in weights else a for n, a in program.params.items()}
    yield real, weights


def check(qcc, program, folder, damage):
    """What is wrong."""
    program.save(os.path.join(folder, "m.nb"))
    want = outcome(qcc, os.path.join(folder, "m.nb"))
    model, weights = os.path.join(folder, "m.pdmodel"), os.path.join(folder, "m.pdiparams")
    paddle_file.write(program, model, weights)
    if outcome(qcc, model) != want:
        yield f"with all parameters in a file: {outcome(qcc, model)[1][:300]}"
    apart = os.path.join(folder, "apart")
    os.makedirs(apart)
    paddle_file.write(program, os.path.join(apart, "__model__"), None)
    if outcome(qcc, os.path.join(apart, "__model__")) != want:
        yield f"with a file for each parameter: {outcome(qcc, os.path.join(apart, '__model__'))[1][:300]}"
    for said, held in held_otherwise(program):
        paddle_file.write(said, model, weights, held)
        if held and outcome(qcc, model) != want:
            yield f"with {', '.join(held)} held otherwise: {outcome(qcc, model)[1][:300]}"
    paddle_file.write(program, model, weights)
    if not damage:
        return
    other = os.path.join(folder, "other.bin")
    os.rename(weights, other)
    for given in (other, apart):
        if outcome(qcc, model, f"--params={given}") != want:
            yield f"--params={given}: {outcome(qcc, model, f'--params={given}')[1][:300]}"
    if "No such file" not in outcome(qcc, model)[1]:
        yield f"without parameters: {outcome(qcc, model)[1][:300]}"
    with open(other, "rb") as f:
        whole = f.read()
    for damaged in (whole[:-1], whole[:len(whole) // 2], b"", whole + b"\0", b"\1" + whole[1:], whole[:20] + b"\x7f" + whole[21:]):
        with open(weights, "wb") as f:
            f.write(damaged)
        if outcome(qcc, model)[0] != 1:
            yield f"{len(damaged)} bytes of {len(whole)} are taken"


def main():
    qcc, data = sys.argv[1:]
    count = bad = damaged = 0
    for name in sorted(n for n in os.listdir(data) if n.endswith(".nb")):
        with tempfile.TemporaryDirectory() as folder:
            program = program_of(os.path.join(data, name))
            damaged += bool(program.params)
            problems = list(check(qcc, program, folder, program.params and damaged <= DAMAGED))
        count, bad = count + 1, bad + bool(problems)
        for problem in problems:
            print(f"BAD {name}: {problem}")
    print(f"{count} programs, {bad} differ")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
