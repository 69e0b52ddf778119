#!/usr/bin/env python3
"""onnx_schemas.py: what frontends/onnx/ops.def declares, against the schemas of ONNX and of ONNX Runtime.

    onnx_schemas.py OPS_DEF IMPORT [--list]        (needs numpy, onnx, onnxruntime and flatbuffers: exit 77 without)

Protects: no attribute and no form of an operator is taken for something that it is not.

The declarations: a row's oldest and newest are forms that exist, and it covers all between operator set 7 and the newest; what
it says of an attribute includes the default, so that a model that spells out defaults is not refused; what it declares exists.

The importer: each model of one operator that qcc takes (tests that ONNX carries, and nodes of tests/data/onnx) gets each
attribute of each form in turn, with values that are not the default.  One that is not declared, or is not the one value
declared, has to be refused by its name; one that has no bearing has to be accepted; one that is declared as read has to be
read in at least one model.  A form newer than the newest, or older than the oldest, has to be refused."""
import argparse
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
sys.path.insert(0, os.path.join(HERE, "..", "tools", "onnx_models"))
try:
    import numpy as np
    import onnx
    from onnx import AttributeProto, helper, numpy_helper
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime
    import onnx_cases
    import ops_def
    import ort_onnx
    import ort_writer
except ImportError as missing:
    print(missing)
    sys.exit(77)

OLDEST_SET = 7
MICROSOFT = "com.microsoft"
# Attributes of operators that ONNX Runtime has in ONNX's own domain, and does not show the schemas of.
OWN_FORMS = {"LayerNormalization": 1, "SimplifiedLayerNormalization": 1}
def weights(rows, columns):
    return np.ones((1, rows, columns), np.float32)


# Nodes that neither has: name, domain, operator set, operands (a list: the extents of an input, its last word says of
# which type or that it is quantized first; else a constant), attributes.
F, U = np.float32(0.5), np.uint8(3)
SAMPLES = [
    ("Slice", "", 9, [[3, 4]], {"starts": [1], "ends": [2], "axes": [0]}),
    ("ReduceLogSumExp", "", 13, [[3, 4]], {"axes": [1]}),
    ("Constant", "", 13, [], {"value_int": 3}),
    ("Constant", "", 13, [], {"value_ints": [3, 4]}),
    ("Cast", "", 13, [[3, 4]], {"to": 6}),
    ("CastLike", "", 19, [[3, 4], np.array([1, 2], np.int32)], {}),
    ("ConstantOfShape", "", 13, [np.array([2, 3])], {}),
    ("Range", "", 13, [np.int64(0), np.int64(5), np.int64(1)], {}),
    ("RNN", "", 14, [[5, 1, 3], weights(4, 3), weights(4, 4)], {"hidden_size": 4, "activations": ["Relu"]}),
    ("GRU", "", 14, [[5, 1, 3], weights(6, 3), weights(6, 2)], {"activations": ["Sigmoid", "Tanh"]}),
    ("LSTM", "", 14, [[5, 1, 3], weights(8, 3), weights(8, 2)], {"activations": ["Sigmoid", "Tanh", "Tanh"]}),
    ("DequantizeLinear", "", 21, [np.ones((4, 2), np.int8), np.ones((2, 2), np.float32)], {"block_size": 2, "axis": 0}),
    ("QuantizeLinear", MICROSOFT, 1, [[3, 4], F, U], {"axis": 1}),
    ("DequantizeLinear", MICROSOFT, 1, [[3, 4, "u8"], F, U], {"axis": 1}),
    ("NhwcMaxPool", MICROSOFT, 1, [[1, 4, 4, 2, "quantized"]], {"kernel_shape": [2, 2]}),
    ("QLinearReduceMean", MICROSOFT, 1, [[3, 4, "u8"], F, U, F, U], {"axes": [1], "keepdims": 1}),
    ("QLinearWhere", MICROSOFT, 1, [np.array([True, False]), [2, "u8"], F, U, [2, "u8"], F, U, F, U], {}),
    ("QLinearAveragePool", MICROSOFT, 1, [[1, 4, 4, 2, "u8"], F, U, F, U], {"kernel_shape": [2, 2], "channels_last": 1}),
    ("QLinearGlobalAveragePool", MICROSOFT, 1, [[1, 4, 4, 2, "u8"], F, U, F, U], {"channels_last": 1}),
    ("QLinearConv", MICROSOFT, 1, [[1, 4, 4, 2, "u8"], F, U, np.ones((3, 2, 2, 2), np.int8), F, np.int8(0), F, U],
     {"channels_last": 1, "group": 1}),
    ("BiasGelu", MICROSOFT, 1, [[3, 4], [4]], {}),
    ("FastGelu", MICROSOFT, 1, [[3, 4]], {}),
    ("QuickGelu", MICROSOFT, 1, [[3, 4]], {"alpha": 1.5}),
    ("FusedGemm", MICROSOFT, 1, [[3, 4], np.ones((5, 4), np.float32)],
     {"transB": 1, "activation": "HardSigmoid", "activation_alpha": 0.3, "activation_beta": 0.4}),
]
MOST_ALIKE = 2  # models of one operator with the same attributes and number of operands
FIRST = 2  # models of an operator that each attribute is tried in; the others only if it wasn't read in these


def default_of(attribute):
    """Of ONNX's and of ONNX Runtime's description; None: there is none."""
    value = getattr(attribute, "default_value", None)
    if value is None:
        value = AttributeProto()
        value.ParseFromString(attribute._default_value)
    if not value.type:
        return None
    value = helper.get_attribute_value(value)
    return value.decode() if isinstance(value, bytes) else value


class Schemas:
    def __init__(self):
        self.forms = collections.defaultdict(dict)  # (domain, name) -> {version: {attribute: (kind, default)}}
        for s in onnx.defs.get_all_schemas_with_history():
            if s.domain == "":
                self.add(s, {n: (a.type.name, default_of(a)) for n, a in s.attributes.items()})
        for s in runtime.get_all_operator_schema():
            if s.domain == MICROSOFT or s.name in OWN_FORMS:
                self.add(s, {n: (a.type.name, default_of(a)) for n, a in s.attributes.items()})

    def add(self, s, attributes):
        self.forms[s.domain, s.name][s.since_version] = attributes

    def of(self, op):
        """The forms that operator set 7 and later ones have."""
        forms = self.forms[op.domain, op.name]
        first = max((v for v in forms if v <= OLDEST_SET), default=0)
        return {v: a for v, a in sorted(forms.items()) if v >= first or v == OWN_FORMS.get(op.name)}


def same(text, value):
    if isinstance(value, str):
        return text == value
    return np.float32(text) == np.float32(value)


def check_declaration(op, forms):
    """What is wrong with a row."""
    if not forms:
        yield "there is no such operator"
        return
    if op.oldest not in forms or op.newest not in forms:
        yield f"there are the forms {sorted(forms)}, it names {op.oldest} and {op.newest}"
    if op.newest < max(forms):
        yield f"form {max(forms)} is not covered"
    covered = {v: a for v, a in forms.items() if op.oldest <= v <= op.newest}
    for version, attributes in covered.items():
        for name, (_, default) in attributes.items():
            rule = op.rules.get(name)
            if default is None or isinstance(default, list) or name == "consumed_inputs":
                continue
            if rule is None:
                yield f"{name} of form {version} has the default {default}, and is not declared"
            elif rule.values and not any(same(v, default) for v in rule.values):
                yield f"{name} of form {version} has the default {default}, which is refused"
    known = {name for attributes in covered.values() for name in attributes}
    for name in sorted(set(op.rules) - known):
        if op.rules[name].use != ops_def.FIXED:  # that the operator has elsewhere; refusing it costs nothing
            yield f"there is no attribute {name}"


# ---- The importer ----

class Importer:
    """Imports many small models by one call."""

    def __init__(self, program, folder):
        self.program, self.folder, self.waiting = program, folder, []

    def ask(self, model, version, what):
        path = os.path.join(self.folder, f"{len(self.waiting)}.ort")
        with open(path, "wb") as f:
            f.write(ort_writer.write(model, version))
        self.waiting.append(what)

    def answers(self):
        """(what, None or the diagnostic), in the order of asking."""
        lines = []
        for start in range(0, len(self.waiting), 1000):
            paths = [os.path.join(self.folder, f"{k}.ort") for k in range(start, min(start + 1000, len(self.waiting)))]
            done = subprocess.run([self.program, *paths], capture_output=True, text=True, check=False)
            if done.returncode not in (0, 1):
                raise RuntimeError(f"{self.program} ended with {done.returncode}: {done.stderr.strip()}")
            lines += done.stdout.splitlines()  # one a file
        asked, self.waiting = self.waiting, []
        return [(what, None if "imported" in line else line.split("error: ")[-1]) for what, line in zip(asked, lines)]


def shortened(model):
    """The same with fewer operands: older forms have attributes for them."""
    node = model.graph.node[0]
    for count in range(len(node.input) - 1, 0, -1):
        less = onnx.ModelProto()
        less.CopyFrom(model)
        del less.graph.node[0].input[count:]
        for name in node.input[count:]:
            for some in (less.graph.initializer, less.graph.input):
                for item in [i for i in some if i.name == name]:
                    some.remove(item)
        yield less


def candidates(ops):
    """(op, model, the operator's node in it), few alike"""
    alike = collections.Counter()
    for op, model, k in every_candidate(ops):
        node = model.graph.node[k]
        form = (op.domain, op.name, sum(map(bool, node.input)), *sorted(a.name for a in node.attribute))
        alike[form] += 1
        if alike[form] <= MOST_ALIKE:
            yield op, model, k


def sample(name, domain, version, operands, attributes):
    inputs, nodes, names = [], [], []
    constants = [numpy_helper.from_array(np.asarray(F), "scale"), numpy_helper.from_array(np.asarray(U), "zero")]
    for k, operand in enumerate(operands):
        names.append(f"x{k}")
        if isinstance(operand, list):
            extents = [d for d in operand if not isinstance(d, str)]
            kind = onnx.TensorProto.UINT8 if "u8" in operand else onnx.TensorProto.FLOAT
            inputs.append(helper.make_tensor_value_info(names[-1], kind, extents))
        else:
            constants.append(numpy_helper.from_array(np.asarray(operand), names[-1]))
        if isinstance(operand, list) and "quantized" in operand:
            nodes.append(helper.make_node("QuantizeLinear", [names[-1], "scale", "zero"], [f"q{k}"]))
            names[-1] = f"q{k}"
    nodes.append(helper.make_node(name, names, ["y"], domain=domain, **attributes))
    graph = helper.make_graph(nodes, "graph", inputs, [onnx.ValueInfoProto(name="y")], constants)
    sets = [helper.make_opsetid(domain, version)] + ([helper.make_opsetid("", 13)] if domain else [])
    return helper.make_model(graph, opset_imports=sets), len(nodes) - 1


def every_candidate(ops):
    by_name = {(op.domain, op.name): op for op in ops}
    for row in SAMPLES:
        yield by_name[row[1], row[0]], *sample(*row)
    for case in onnx_cases.load_cases(kinds=("node", "pytorch-converted", "pytorch-operator")):
        if len(case.model.graph.node) != 1 or not case.has_tensors_only():
            continue
        op = by_name.get(("", case.model.graph.node[0].op_type))
        if op and not case.model.graph.node[0].domain:
            model = onnx_cases.with_constants(case, max(0, len(case.inputs) - 1))
            yield op, model, 0
            for less in shortened(model):
                yield op, less, 0
    for path in sorted(glob.glob(os.path.join(HERE, "..", "data", "onnx", "*.ort"))):
        model = ort_onnx.load(path)
        for k, node in enumerate(model.graph.node):
            op = by_name.get((node.domain.replace("ai.onnx", ""), node.op_type))
            if op:
                yield op, model, k


def of_form(model, k, version):
    """What ort_writer asks for: node k has that form, the others those of the model."""
    return lambda node: version if node is model.graph.node[k] else ort_writer.form_of(node, model)


def forms_that_import(importer, ops, schemas):
    """{(domain, name): [(model, node number, form)]}"""
    found = collections.defaultdict(list)
    for op, model, k in candidates(ops):
        for version in schemas.of(op):
            importer.ask(model, of_form(model, k, version), (op, model, k, version))
    for (op, model, k, version), refusal in importer.answers():
        if refusal is None:
            found[op.domain, op.name].append((model, k, version))
    return found


def other_values(kind, default, rule):
    """Values of an attribute that are not its default."""
    tensor = numpy_helper.from_array(np.array([1], np.int64))
    lists = [[v] * n for n, v in ((1, 1), (1, 0), (2, 1), (2, 2), (3, 1), (4, 1), (4, 0), (6, 1), (8, 1))]
    texts = [v for v in (rule.values if rule else []) if v != default]
    return {"INT": [v for v in (1, 0, 2, -1, 7, 6) if v != default], "FLOAT": [v for v in (0.25, 2.0) if v != default],
            "STRING": texts + ["other"], "INTS": lists + [[1, 0], [0, 1, 3, 2], [0, 2, 1]],
            "FLOATS": [[0.25], [0.25, 0.5]], "STRINGS": [["Relu"], ["Other"]], "TENSOR": [tensor]}.get(kind, [])


def with_attribute(model, k, name, value):
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    node = changed.graph.node[k]
    for old in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(old)
    node.attribute.append(helper.make_attribute(name, value))
    return changed


def ask_attributes(importer, op, models, forms, only=None):
    every = {name: what for version, attributes in forms.items() for name, what in attributes.items()}
    every["not_an_attribute"] = ("INT", None)
    for name, (kind, default) in every.items():
        if only and (op.domain, op.name, name) not in only:
            continue
        for model, k, version in models:
            for value in other_values(kind, default, op.rules.get(name)):
                changed = with_attribute(model, k, name, value)
                importer.ask(changed, of_form(changed, k, version), (op, name, value))


def check_forms(importer, ops, models):
    """What is wrong with the answers to forms that the rows don't cover."""
    for op in ops:
        for model, k, _ in models[op.domain, op.name][:1]:
            for version in [v for v in (op.oldest - 1, op.newest + 1) if v]:
                importer.ask(model, of_form(model, k, version), (op, version))
    for (op, version), refusal in importer.answers():
        if refusal is None or "operator set" not in refusal:
            yield f"{op.name}: form {version} is not refused as such: {refusal or 'accepted'}"


def verdict(op, name, value, refusal):
    """None, or what is wrong with the importer's answer."""
    rule = op.rules.get(name)
    named = refusal is not None and re.search(rf"attribute {name}\b", refusal)
    allowed = rule and (not rule.values or all(
        any(v == one if isinstance(one, str) else not v[-1].isalpha() and float(v) == one for v in rule.values)
        for one in (value if isinstance(value, list) else [value])))
    if rule is None or not allowed:
        return None if named else f"{name} = {value} is " + (f"refused otherwise: {refusal}" if refusal else "accepted")
    if rule.use != ops_def.READ and refusal is not None and not isinstance(value, list):
        return f"{name} = {value} is refused: {refusal}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("definitions")
    parser.add_argument("program")
    parser.add_argument("--list", action="store_true", help="show each question and its answer")
    options = parser.parse_args()
    ops, schemas, wrong = list(ops_def.read(options.definitions)), Schemas(), []
    for op in ops:
        wrong += [f"{op.name}: {problem}" for problem in check_declaration(op, schemas.of(op))]
    with tempfile.TemporaryDirectory() as folder:
        importer = Importer(options.program, folder)
        models = forms_that_import(importer, ops, schemas)
        wrong += check_forms(importer, ops, models)
        asked, unread = 0, {(op.domain, op.name, name) for op in ops for name, rule in op.rules.items()
                            if rule.use == ops_def.READ and models[op.domain, op.name]}
        unread -= {(*op, a.name) for op, found in models.items()
                   for model, k, _ in found for a in model.graph.node[k].attribute}
        for part, only in ((slice(FIRST), None), (slice(FIRST, None), unread)):
            for op in ops:
                ask_attributes(importer, op, models[op.domain, op.name][part], schemas.of(op), only)
            for (op, name, value), refusal in importer.answers():
                asked += 1
                if options.list:
                    print(f"{op.name} {name} = {value}: {refusal or 'accepted'}"[:240])
                problem = verdict(op, name, value, refusal)
                if problem:
                    wrong.append(f"{op.name}: {problem}")
                if refusal is None:
                    unread.discard((op.domain, op.name, name))
    wrong += [f"{op.name}: no model has it" for op in ops if not models[op.domain, op.name]]
    wrong += [f"{name}: {attribute} is declared as read, and was read in no model" for _, name, attribute in sorted(unread)]
    print("\n".join(dict.fromkeys(wrong)))
    print(f"{len(ops)} operators, {asked} nodes with an attribute changed, {len(set(wrong))} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
