#!/usr/bin/env python3
"""support.py: the page of all formats' operators has what `qcc --list-operators` says.

    support.py QCC PAGE [--update]

Protects: docs/support.md follows from the importers' tables.  What stands in front of its first table is written by hand;
--update writes the rest anew."""
import re
import subprocess
import sys

FORMATS = {"tflite": "TFLite", "onnx": "ONNX", "paddle": "Paddle"}


def values(word):
    """`dilations=1` as a phrase for readers; : is what = is, for an attribute that the importer reads."""
    name, allowed = re.split("[=:]", word, maxsplit=1)
    return f"`{name}` " + " or ".join(v or "empty" for v in allowed.split("|"))


def tables(listing):
    rows = {key: [] for key in FORMATS}
    refused = {key: [] for key in FORMATS}
    for line in listing.splitlines():
        key, name, said = re.match(r"(\w+) +(\S+) +(.*)", line).groups()
        what, _, more = said.partition("; ")
        if what == "no":
            refused[key].append(f"`{name}`" + (f" ({more})" if more else ""))
        else:
            rows[key].append(f"| `{name}` | {what} | {', '.join(values(w) for w in more.split())} |\n")
    for key, title in FORMATS.items():
        yield f"## {title}\n\n| operator | supported | with these values of attributes only |\n|---|---|---|\n"
        yield from rows[key]
        if refused[key]:
            yield f"\nKnown by name, and refused: {', '.join(refused[key])}.\n"
        yield "\n" if key != "paddle" else ""


def main(qcc, page, update=None):
    listing = subprocess.run([qcc, "--list-operators"], capture_output=True, text=True, check=True).stdout
    with open(page, encoding="utf-8") as f:
        said = f.read()
    by_hand = said[:said.index("## TFLite\n")]
    made = by_hand + "".join(tables(listing))
    if update:
        with open(page, "w", encoding="utf-8") as f:
            f.write(made)
    elif said != made:
        for old, new in zip(said.splitlines(), made.splitlines()):
            if old != new:
                print(f"the page has\n    {old}\nand the tables\n    {new}")
                break
        print(f"{page} is not what the tables say: {sys.argv[0]} {qcc} {page} --update writes it anew")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
