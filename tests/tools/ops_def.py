"""ops_def.py: the rows of frontends/onnx/ops.def and its kin, for tests that ask what the importers declare.

    for op in ops_def.read("frontends/onnx/ops.def"): op.domain, op.name, op.rules["axis"]
    rows, every = ops_def.read_paddle("frontends/paddle/ops.def")      rows["softmax"]["axis"], every["op_role"]"""

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
    name, sign, values = re.fullmatch(r"([\w#@]+)([:=~]?)(.*)", word).groups()
    return name, Rule(SIGNS[sign], values.split("|") if values else [])


def rules_of(declared, macros):
    return dict(rule_of(word) for word in text_of(declared, macros).split())


def open_table(path):
    """Its text, one row a line, and its macros."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"\n {4,}", " ", f.read().replace("\\\n", " "))
    macros = {}
    for name, value in re.findall(r"^#define (\w+) (.*)$", text, re.M):
        macros[name] = text_of(value, macros)
    return text, macros


def read_paddle(path):
    text, macros = open_table(path)
    rows = {}
    for row in re.findall(r"^PADDLE_OP\((.*)\)$", text, re.M):
        name, _, _, declared = [part.strip() for part in row.split(",", 3)]
        rows[name] = rules_of(declared, macros)
    return rows, rules_of(re.search(r"^PADDLE_ALL\((.*)\)$", text, re.M).group(1), macros)


@dataclass
class TfliteOp:
    name: str
    number: int
    newest: int
    options: str
    fields: dict


def read_tflite(path):
    """The rows, and the fields of options in their order."""
    text, macros = open_table(path)
    fields = {name[7:]: rules_of(f'"{declared}"', macros) for name, declared in macros.items() if name.startswith("FIELDS_")}
    rows = []
    for row in re.findall(r"^TFLITE_OP\((.*)\)$", text, re.M):
        name, number, newest, options = [part.strip() for part in row.split(",")[:4]]
        rows.append(TfliteOp(name, int(number), int(newest), options, fields[options]))
    return rows, fields


def read(path):
    text, macros = open_table(path)
    for row in re.findall(r"^ORT_OP\((.*)\)$", text, re.M):
        domain, name, fewest, most, importer, _, oldest, newest, declared = [part.strip() for part in row.split(",", 8)]
        yield Op(macros[domain], name.strip('"'), int(fewest), int(most), importer, int(oldest), int(newest),
                 rules_of(declared, macros))
