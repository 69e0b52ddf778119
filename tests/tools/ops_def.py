"""ops_def.py: the rows of frontends/ort_ops.def, for tests that ask what the importer declares.

    for op in ops_def.read("frontends/ort_ops.def"): op.domain, op.name, op.rules["axis"]"""

import re
from dataclasses import dataclass

READ, FIXED, IGNORED = "read", "fixed", "ignored"
SIGNS = {"": READ, ":": READ, "=": FIXED, "~": IGNORED}


@dataclass
class Rule:
    use: str
    values: list  # those allowed, as texts; empty: any


@dataclass
class Op:
    domain: str
    name: str
    fewest: int
    most: int
    importer: str
    oldest: int
    newest: int
    rules: dict


def text_of(expression, macros):
    """A C expression of literals and macros side by side."""
    parts = re.findall(r'"([^"]*)"|(\w+)', expression)
    return "".join(macros[name] if name else literal for literal, name in parts)


def rule_of(word):
    name, sign, values = re.fullmatch(r"(\w+)([:=~]?)(.*)", word).groups()
    return name, Rule(SIGNS[sign], values.split("|") if values else [])


def read(path):
    with open(path, encoding="utf-8") as f:
        text = f.read().replace("\\\n", " ")
    macros = {}
    for name, value in re.findall(r"^#define (\w+) (.*)$", text, re.M):
        macros[name] = text_of(value, macros)
    for row in re.findall(r"^ORT_OP\((.*)\)$", text, re.M):
        domain, name, fewest, most, importer, _, oldest, newest, declared = [part.strip() for part in row.split(",", 8)]
        rules = dict(rule_of(word) for word in text_of(declared, macros).split())
        yield Op(macros[domain], name.strip('"'), int(fewest), int(most), importer, int(oldest), int(newest), rules)
