#!/usr/bin/env python3
"""paddle_attributes.py: what frontends/paddle/ops.def declares, against Paddle's operators and the importer.

    paddle_attributes.py OPS_DEF IMPORT FOLDER        (needs numpy and flatbuffers: exit 77 without)

Protects: no attribute of an operator is taken for something that it is not.

FOLDER has models (tests/data/nb).  Each operator in them, with those that its operands come from, is a model that gets one
attribute changed: one that nobody declares, or another value than those declared, has to be refused by its name, at its place;
one that has no bearing has to be accepted, whatever it is; one that is declared as read has to be refused when it has another
type, in at least one model that has it.  Where Paddle can be imported, its operators have no attribute that the table does not know."""
import collections
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "paddle_models"))
try:
    import numpy as np  # noqa: F401
    import nb_file
    import ops_def
    missing = nb_file.available()
except ImportError as error:
    missing = str(error)
if missing:
    print(f"skipped: {missing}")
    sys.exit(77)

MOST_ALIKE = 1  # nodes of one operator
DYNAMIC = "#"  # words for attributes of operands
# What else is said for an attribute to be read.
FORMS = {"fuse_brelu_threshold": "relu6", "leaky_relu_alpha": "leaky_relu", "hard_swish_threshold": "hard_swish",
         "hard_swish_scale": "hard_swish", "hard_swish_offset": "hard_swish"}


def form(name):
    if name in FORMS:
        return {"act_type": FORMS[name], "activation_type": FORMS[name]}
    return {"scale": []} if name in ("out_h", "out_w") else {}


def part(program, k):
    """The operators that operator k needs, and itself last, as a program of one result; its number in it."""
    wanted, ops = set(), []
    for op in reversed(program.ops[:k + 1]):
        written = {name for names in op.outputs.values() for name in names}
        if op is not program.ops[k] and not wanted & written:
            continue
        wanted = wanted - written | {name for names in op.inputs.values() for name in names}
        ops.insert(0, nb_file.Op(op.kind, op.inputs, op.outputs, dict(op.attributes)))
    p, number = nb_file.Program(), len(ops) - 1
    p.variables, p.ops = dict(program.variables), ops
    p.params = {name: array for name, array in program.params.items() if name in wanted}
    p.output(next(names[0] for names in ops[number].outputs.values() if names))
    return p, number


def other_value(rule, present):
    """One that the rule does not allow, of the type that the attribute has, or its values have."""
    if "none" in rule.values:
        return [7]
    if isinstance(present, str) or not all(v.lstrip("-").replace(".", "").isdigit() for v in rule.values):
        return "other"
    if isinstance(present, bool):
        return rule.values == ["0"]
    return 77.0 if isinstance(present, float) else 77


class Trials:
    def __init__(self, program, folder):
        self.program, self.folder, self.waiting = program, folder, []

    def add(self, program, k, changes, what):
        """Operator k with other attributes, as a file."""
        before = program.ops[k].attributes
        program.ops[k].attributes = {**before, **changes}
        path = os.path.join(self.folder, f"{len(self.waiting)}.nb")
        program.save(path)
        program.ops[k].attributes = before
        self.waiting.append((path, what))

    def answers(self):
        """(what, None or the diagnostic)"""
        for start in range(0, len(self.waiting), 500):
            chunk = self.waiting[start:start + 500]
            done = subprocess.run([self.program, *(path for path, _ in chunk)], capture_output=True, text=True, check=False)
            lines = done.stdout.splitlines()  # one a file
            if len(lines) != len(chunk):
                sys.exit(f"the importer stopped: {done.stderr}")
            for (_, what), line in zip(chunk, lines):
                yield what, None if ": imported" in line else line


def nodes_of(folder):
    """Some of each operator: (program, number)."""
    seen = collections.Counter()
    for path in sorted(glob.glob(os.path.join(folder, "*.nb"))):
        with open(path, "rb") as f:
            program = nb_file.read(f.read())
        for k, op in enumerate(program.ops):
            seen[op.kind] += 1
            if op.kind not in ("feed", "fetch") and seen[op.kind] <= MOST_ALIKE:
                yield part(program, k)


def try_node(trials, program, k, rules, every):
    op = program.ops[k]
    trials.add(program, k, {}, (op.kind, "accepted", "itself"))
    trials.add(program, k, {"no_such_attribute": 1}, (op.kind, "refused", "no_such_attribute"))
    trials.add(program, k, {name: [3.5] for name, rule in rules.items() if rule.use == ops_def.IGNORED},
               (op.kind, "accepted", "what has no bearing"))
    for name, rule in {**every, **rules}.items():
        if rule.values:
            trials.add(program, k, {name: other_value(rule, op.attributes.get(name))}, (op.kind, "refused", name))
        elif rule.use == ops_def.READ and name in rules and not name.startswith(DYNAMIC):
            settings = {other: value for other, value in form(name).items() if other in rules}
            trials.add(program, k, {**settings, name: ["a list of texts"]}, (op.kind, "read", name))


def judge(answers):
    """Yields what is wrong."""
    read = collections.defaultdict(bool)
    for (kind, expected, name), said in answers:
        if expected == "read":
            read[name] |= said is not None
        elif expected == "accepted" and said:
            yield f"{kind}: {name}: {said}"
        elif expected == "refused" and (said is None or f"the attribute {name} " not in said or f"({kind})" not in said):
            yield f"{kind}: {name} is not refused: {said}"
    for name, once in read.items():
        if not once:
            yield f"{name} is declared as read, but no importer has a use for it"


def undeclared(rows, every):
    """Attributes of Paddle's own operators that the table does not know."""
    try:
        from paddle.base.framework import OpProtoHolder
    except ImportError:
        print("no Paddle: its own operators are not walked")
        return
    for kind, rules in rows.items():
        try:
            attributes = OpProtoHolder.instance().get_op_proto(kind).attrs
        except (ValueError, AssertionError):
            continue  # Paddle Lite's, or an older Paddle's
        for a in attributes:
            if a.name not in rules and a.name not in every:
                yield f"{kind}: Paddle's attribute {a.name} is not declared"


def main(definitions, program, folder):
    rows, every = ops_def.read_paddle(definitions)
    with tempfile.TemporaryDirectory() as scratch:
        trials, kinds = Trials(program, scratch), set()
        for p, k in nodes_of(folder):
            kinds.add(p.ops[k].kind)
            try_node(trials, p, k, rows[p.ops[k].kind], every)
        wrong = list(judge(trials.answers()))
    wrong += undeclared(rows, every)
    for line in wrong:
        print(line)
    print(f"{len(trials.waiting)} models of {len(kinds)} operators of {len(rows)}, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
