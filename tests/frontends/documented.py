#!/usr/bin/env python3
"""documented.py: a format's page names every operator that its ops.def imports, and no other as supported.

    documented.py OPS_DEF PAGE
"""
import re
import sys


def main(definitions, page):
    with open(definitions, encoding="utf-8") as f:
        text = f.read()
    imported = set(re.findall(r'^(?:TFLITE_OP|TFLITE_CUSTOM|ORT_OP|PADDLE_OP)\((?:ONNX, |MS, )?"?(\w+)', text, re.M))
    refused = set(re.findall(r'^(?:TFLITE_NO|ORT_NO|PADDLE_NO)\((?:ONNX, |MS, )?"?(\w+)', text, re.M))
    with open(page, encoding="utf-8") as f:
        rows = re.search(r"## Operators\n(.*?)(\n## |\Z)", f.read(), re.S).group(1)
    named = set(re.findall(r"\w+", "\n".join(line.split("|")[1] for line in rows.splitlines() if line.startswith("| "))))
    for name in sorted(imported - named):
        print(f"{name} is imported, but not in the table")
    for name in sorted(refused & named):
        print(f"{name} is in the table, but not imported")
    return 1 if imported - named or refused & named else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
