#!/usr/bin/env python3
"""Runs the cases of .qir files through qcc-opt.

    run_cases.py QCC_OPT FILE.qir...            checks;  --update rewrites the expected parts

A file holds cases, separated by lines of `// ====`.  A case:

    // What it protects.
    // run: --passes=dce --check          arguments of qcc-opt
    graph "x" { ... }
    // ----
    graph "x" { ... }                     what qcc-opt has to print

Instead of the second part, a line of the graph may end in `// error: TEXT`: then qcc-opt has to fail with a diagnostic for
that line that contains TEXT; or a header line may say `// fails: TEXT`, for failures without a line.
"""
import re
import subprocess
import sys

CASE, RESULT = "// ====", "// ----"


def split_cases(lines):
    """Yields (first line number, lines) of each case."""
    start = 0
    for i in range(len(lines) + 1):
        if i == len(lines) or lines[i].startswith(CASE):
            yield start, lines[start:i]
            start = i + 1


def run_case(opt, first, lines):
    """Returns (failure text or None, printed result)."""
    cut = next((i for i, line in enumerate(lines) if line.startswith(RESULT)), len(lines))
    given, expected = lines[:cut], "".join(lines[cut + 1:])
    run = next((line for line in given if line.startswith("// run:")), None)
    if run is None:
        return "no `// run:` line", ""
    arguments = run[len("// run:"):].split()
    text = "\n" * first + "".join(given)  # keeps the file's line numbers
    result = subprocess.run([opt, *arguments, "-"], input=text, capture_output=True, text=True)
    for i, line in enumerate(given):
        found = re.search(r"// (error|fails): (.*)", line)
        if found:
            where = "line %d: " % (first + i + 1) if found[1] == "error" else "error: "
            if result.returncode != 1 or where not in result.stderr or found[2].strip() not in result.stderr:
                return "expected '%s… %s', got %d: %s" % (where, found[2], result.returncode, result.stderr), ""
            return None, ""
    if result.returncode != 0:
        return "exit code %d: %s" % (result.returncode, result.stderr), ""
    if result.stdout != expected:
        return "expected\n%s\ngot\n%s" % (expected, result.stdout), result.stdout
    return None, result.stdout


def run_file(opt, path, update):
    with open(path) as f:
        lines = f.read().splitlines(keepends=True)
    failures, out = 0, []
    for first, case in split_cases(lines):
        failure, printed = run_case(opt, first, case)
        cut = next((i for i, line in enumerate(case) if line.startswith(RESULT)), len(case))
        out.append("".join(case[:cut]) + (RESULT + "\n" + printed if printed else "".join(case[cut:])))
        if failure and not (update and printed):
            print("%s:%d: %s" % (path, first + 1, failure))
            failures += 1
    if update:
        with open(path, "w") as f:
            f.write((CASE + "\n").join(out))
    return failures


def main():
    update = "--update" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    sys.exit(1 if sum(run_file(arguments[0], path, update) for path in arguments[1:]) else 0)


if __name__ == "__main__":
    main()
