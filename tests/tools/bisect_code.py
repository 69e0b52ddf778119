"""bisect_code.py: the first op whose compiled code differs from the interpreter.

    bisect_code.py --qcc=PATH --qcc-run=PATH MODEL [qcc options ...]

Imports the model to textual IR, cuts it off behind one op after the other (by bisection over the ops, then backwards
while earlier ones differ) and runs both on the same random inputs.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile


def cut(lines, at):
    """The graph up to line `at`, whose results become the outputs."""
    body = [line for line in lines[:at + 1] if not line.startswith("  output ")]
    results = re.match(r"  ((?:%\d+:[^=]*?(?:, )?)+)(?: \"(?:[^\"\\]|\\.)*\")? = ", lines[at])
    names = re.findall(r"%\d+", lines[at].split(" = ")[0])
    del results
    return body + [f'  output {n} "out{k}"\n' for k, n in enumerate(names)] + ["}\n"]


def differs(a, lines, at, options):
    with tempfile.TemporaryDirectory() as d:
        graph, out = os.path.join(d, "m.qir"), []
        with open(graph, "w") as f:
            f.writelines(cut(lines, at))
        names = len(re.findall(r"%\d+", lines[at].split(" = ")[0]))
        for k in range(names):
            out += ["-o", os.path.join(d, f"o{k}.npy")]
        inputs = sum([["-i", i] for i in a.input], []) or ["--random=1"]
        done = subprocess.run([a.qcc_run, graph, "--interp", *inputs, *out, *options], capture_output=True, text=True)
        if done.returncode:
            return f"interpreter: {done.stderr.strip()[-200:]}"
        compare = sum([["--compare", o] for o in out[1::2]], [])
        done = subprocess.run([a.qcc_run, graph, *inputs, *compare, *options, f"--tolerance={a.tolerance}"],
                              capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()[-200:] if done.returncode else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--qcc", required=True)
    parser.add_argument("--qcc-run", required=True)
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--tolerance", default="0")
    parser.add_argument("--all", action="store_true", help="every op in order, not by bisection")
    a, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as d:
        graph = os.path.join(d, "m.qir")
        subprocess.run([a.qcc, a.model, "-o", graph, *options], check=True)
        with open(graph) as f:
            lines = f.readlines()
    ops = [i for i, line in enumerate(lines) if re.match(r"  %", line)]
    low, high = 0, len(ops) - 1
    if a.all:
        for i in ops:
            found = differs(a, lines, i, options)
            if found:
                print(f"{re.sub('loc.*', '', lines[i]).strip()[:300]}\n    {found}")
                return 1
        return 0
    if not differs(a, lines, ops[high], options):
        print("no difference")
        return 0
    while low < high:
        middle = (low + high) // 2
        if differs(a, lines, ops[middle], options):
            high = middle
        else:
            low = middle + 1
    print(re.sub("loc.*", "", lines[ops[low]]).strip()[:400])
    print("   ", differs(a, lines, ops[low], options))
    return 1


if __name__ == "__main__":
    sys.exit(main())
