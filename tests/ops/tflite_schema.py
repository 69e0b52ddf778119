#!/usr/bin/env python3
"""tflite_schema.py: what frontends/tflite/ops.def declares, against TFLite's schema, kernels and the importer.

    tflite_schema.py OPS_DEF IMPORT FOLDER        (needs ai_edge_litert and flatbuffers: exit 77 without)

Protects: no option of an operator, and no version, is taken for something that it is not.

The declarations: operators have the schema's numbers, options its fields in their places, and all of them.  The
importer: each operator of the models in FOLDER (tests/data) is refused, at its place, with a newer version, and with
options that have a field more than it declares."""
import glob
import inspect
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
try:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    import ops_def
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

# Options in the table -> in the schema, where they are not called as their operator.
NAMES = {"CONV2D": "Conv2D", "CONV3D": "Conv3D", "DEPTHWISE": "DepthwiseConv2D", "POOL": "Pool2D", "CONCAT": "Concatenation",
         "L2NORM": "L2Norm", "RESIZE_NEAREST": "ResizeNearestNeighbor", "SPACE_TO_DEPTH": "SpaceToDepth",
         "DEPTH_TO_SPACE": "DepthToSpace", "BATCH_MATMUL": "BatchMatMul", "SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
         "SEQUENCE_RNN": "SequenceRNN", "COMPOSITE": "StableHLOComposite"}
DEPRECATED = {"new_height", "new_width"}  # the schema has their places, and no more


def camel(name):
    return NAMES.get(name, "".join(part.capitalize() for part in name.split("_")))


def fields_of(options, source):
    """The schema's fields by their places, without underlines."""
    found = re.findall(rf"^def {camel(options)}OptionsAdd(\w+)\(.*\n.*Slot\((\d+),", source, re.M)
    return {int(slot): name.lower() for name, slot in found}


def check_declarations(rows, fields):
    source = inspect.getsource(schema)
    codes = {k: v for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    for row in rows:
        if codes.get(row.name) != row.number:
            yield f"{row.name} has the number {codes.get(row.name)}"
    for options, rules in fields.items():
        real = fields_of(options, source)
        declared = {k: name.replace("_", "") for k, name in enumerate(rules) if name not in DEPRECATED}
        if declared != real:
            yield f"options {options} have the fields {real}, declared are {declared}"
    bare = {camel(row.name) for row in rows if row.options == "NONE"}
    for name in sorted(bare):
        if fields_of(name, source):
            yield f"{name} has options with fields, declared are none"


def more_fields(operator):
    """Options with all places of the longest table set."""
    table = schema.DepthwiseConv2DOptionsT()
    table.padding = table.strideW = table.strideH = table.depthMultiplier = table.fusedActivationFunction = 1
    table.dilationWFactor = table.dilationHFactor = 3
    operator.builtinOptions = table


class Writer:
    def __init__(self, program, folder):
        self.program, self.folder, self.count = program, folder, 0

    def ask(self, model):
        """The diagnostic, None if it was imported."""
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = os.path.join(self.folder, f"{self.count}.tflite")
        self.count += 1
        with open(path, "wb") as f:
            f.write(builder.Output())
        done = subprocess.run([self.program, path], capture_output=True, text=True, check=False)
        return None if ": imported" in done.stdout else done.stdout + done.stderr


def load(path):
    with open(path, "rb") as f:
        return schema.ModelT.InitFromPackedBuf(f.read(), 0)


def check_importer(writer, folder, rows):
    """Yields what is wrong; each operator once."""
    by_number, seen = {row.number: row for row in rows}, set()
    for path in sorted(glob.glob(os.path.join(folder, "*.tflite"))):
        for k, operator in enumerate(load(path).subgraphs[0].operators):
            model = load(path)
            code = model.operatorCodes[operator.opcodeIndex]
            row = by_number.get(max(code.builtinCode, code.deprecatedBuiltinCode))
            if row is None or row.name in seen or writer.ask(model):
                continue
            seen.add(row.name)
            code.version, before = row.newest + 1, code.version
            said = writer.ask(model)
            if not said or f"({row.name}): error: version {row.newest + 1} of the operator is not" not in said:
                yield f"{row.name} of version {row.newest + 1}: {said}"
            code.version = before
            here = model.subgraphs[0].operators[k]
            if not here.builtinOptionsType:
                continue
            more_fields(here)
            said = writer.ask(model)
            if len(row.fields) < 7 and (not said or f"node {k} ({row.name}): error: the attribute " not in said):
                yield f"{row.name} with a field more: {said}"
    print(f"{len(seen)} operators of {len(rows)} tried")


def main(definitions, program, folder):
    rows, fields = ops_def.read_tflite(definitions)
    wrong = list(check_declarations(rows, fields))
    with tempfile.TemporaryDirectory() as scratch:
        wrong += check_importer(Writer(program, scratch), folder, rows)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
