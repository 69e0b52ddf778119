#!/usr/bin/env python3
"""What several targets in one object cost: its size and the time to compile it, as a table in Markdown.

    targets.py QCC MODEL… [--lists=A:A,B:A,B,C] [--rounds=N]

Times are the least of N processor times, models and lists in turn, so that a machine that does other things disturbs little."""
import argparse
import resource
import subprocess
import tempfile
from pathlib import Path


def compile_once(qcc, model, names, output):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([qcc, model, "-o", output, "--no-header", "--name=model", f"--target={names}"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def sections(path):
    """Bytes of code and of constants."""
    lines = subprocess.run(["size", "-A", path], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith(".")]
    return (sum(int(r[1]) for r in rows if r[0].startswith(".text")), sum(int(r[1]) for r in rows if r[0].startswith(".rodata")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("qcc")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--lists", default="avx512vnni:avx512vnni,avx2:avx512vnni,avx2,generic", help="lists of targets, between colons")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cases = [(model, names) for model in options.models for names in options.lists.split(":")]
    seconds, sizes = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "model.o"
        for _ in range(options.rounds):
            for case in cases:
                seconds[case] = min(seconds.get(case, 1e9), compile_once(options.qcc, *case, output))
                sizes[case] = (output.stat().st_size, *sections(output))
    print("| model | targets | object, KB | code, KB | constants, KB | compiled in, s |\n|---|---|---|---|---|---|")
    for case in cases:
        whole, code, constants = (f"{bytes_ / 1000:.0f}" for bytes_ in sizes[case])
        print(f"| {Path(case[0]).stem} | {case[1]} | {whole} | {code} | {constants} | {seconds[case]:.2f} |")


if __name__ == "__main__":
    main()
