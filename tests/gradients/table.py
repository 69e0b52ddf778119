"""table.py: the table of docs/gradients.md: every op, the file of its rule and how many cases of gradients.py have it, or why it has no gradient.

Protects: no op is left out of the table; every rule is checked by a case, and by one of random shapes.

    table.py docs/gradients.md [--update]                 exit 77 without numpy
"""
import re
import sys
from collections import Counter
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("skipped: Python has no numpy")
    sys.exit(77)

import cases  # noqa: E402
import random_cases  # noqa: E402
from graph import Graph  # noqa: E402

RULES = Path(__file__).resolve().parents[2] / "passes" / "gradients" / "rules.def"
START, END = "<!-- tests/gradients/table.py writes this table -->\n", "<!-- its end -->\n"


def rules():
    """(op, file, reason)"""
    file = ""
    for line in RULES.read_text(encoding="utf-8").splitlines():
        file = (re.match(r"/\* (rules_\w+\.c)", line) or [None, file])[1]
        found = re.match(r'(NO_)?RULE\((\w+), +(?:"(.*)"|\w+)\)', line)
        if found:
            yield found[2].lower(), file, found[3]


def counted(drawn):
    """How many cases have an op."""
    count = Counter()
    for number, (_, build) in enumerate(drawn):
        graph = Graph(np.random.default_rng(number))
        build(graph)
        count.update({found[1] for line in graph.lines if (found := re.search(r" = (\w+) ", line))})
    return count


def table():
    count, random, rows, unchecked = counted(cases.all_cases()), counted(random_cases.draws()), [], []
    for op, file, reason in rules():
        rows.append(f"| {op} | {'none: ' + reason if reason else '`' + file + '`'} | {'' if reason else count[op]} |")
        unchecked += [op] if not reason and not (count[op] and random[op]) else []
    return "\n".join(["| op | gradient | cases |", "|---|---|---|", *sorted(rows)]) + "\n", unchecked


def main():
    path = Path(sys.argv[1])
    text = path.read_text(encoding="utf-8")
    rows, unchecked = table()
    before, rest = text.split(START)
    wanted = before + START + rows + END + rest.split(END)[1]
    if unchecked:
        sys.exit("rules without a case: " + ", ".join(unchecked))
    if "--update" in sys.argv:
        path.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit(f"{path}: the table is not what rules.def and the cases say: table.py {path} --update")


main()
