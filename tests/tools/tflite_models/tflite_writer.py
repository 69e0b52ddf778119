"""tflite_writer.py: .tflite files from Python descriptions, for tests that need a model nobody published.

    m = Model()
    x = m.input("x", "int8", [1, 8, 8, 3], scale=0.02, zero=-3)
    w = m.const("w", weights_int8, scale=[...], zero=[...], axis=0)        # per-axis
    b = m.const("b", bias_int32, scale=[...], zero=[...], axis=0)
    y = m.tensor("y", "int8", [1, 8, 8, 16], scale=0.05, zero=4)
    m.op("CONV_2D", [x, w, b], [y], "Conv2DOptions", padding=SAME, strideW=1, strideH=1, fusedActivationFunction=RELU)
    m.output(y)
    m.save("conv.tflite")

The same from a JSON description on the command line:  tflite_writer.py DESCRIPTION.json OUT.tflite, with
  {"tensors": [{"name", "dtype", "shape", "scale"?, "zero"?, "axis"?, "data"? (flat list), "variable"?}],
   "ops": [{"code", "inputs": [names, or null], "outputs": [names], "options"?: "Conv2DOptions", "fields"?: {...},
            "custom"?: {...}}],
   "inputs": [names], "outputs": [names]}

Option classes and their fields have the names of the TFLite schema.  Needs numpy, flatbuffers and the schema classes of
ai_edge_litert; available() says why not.
"""

import json
import sys

try:
    import flatbuffers
    from flatbuffers import flexbuffers
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    MISSING = None
except ImportError as error:
    MISSING = str(error)

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
UINT8 = 3  # of TensorType

NUMPY_NAMES = {"float32": "FLOAT32", "float16": "FLOAT16", "int32": "INT32", "uint8": "UINT8", "int64": "INT64",
               "bool": "BOOL", "int16": "INT16", "int8": "INT8", "float64": "FLOAT64", "uint32": "UINT32",
               "uint16": "UINT16", "int4": "INT4", "resource": "RESOURCE"}


def available():
    """None, or the reason why models can't be written here."""
    return MISSING


def packed(values):
    """Integers of 4 bits, two to a byte, the first in the low half."""
    halves = np.asarray(values, np.uint8).reshape(-1) & 15
    halves = np.append(halves, np.zeros(len(halves) % 2, np.uint8))
    return halves[::2] | halves[1::2] << 4


class Model:
    def __init__(self, subgraph_name="main"):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "test model"
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]  # buffer 0 is the empty one by convention
        self.graph = schema.SubGraphT()
        self.graph.name = subgraph_name
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.model.subgraphs = [self.graph]
        self.codes = {}

    def tensor(self, name, dtype, shape, scale=None, zero=None, axis=0, data=None, variable=False, signature=None):
        """Index of a new tensor.  scale and zero: numbers, or lists for per-axis parameters along `axis`.  data of "int4" is an
        array of int8."""
        t = schema.TensorT()
        t.name = name
        t.type = getattr(schema.TensorType, NUMPY_NAMES[str(dtype)])
        t.shape = [int(d) for d in shape]
        t.isVariable = variable
        if signature is not None:
            t.shapeSignature = [int(d) for d in signature]
        if scale is not None:
            q = schema.QuantizationParametersT()
            q.scale = [float(s) for s in np.atleast_1d(np.asarray(scale, np.float32))]
            q.zeroPoint = [int(z) for z in np.atleast_1d(np.asarray(0 if zero is None else zero))]
            if len(q.zeroPoint) == 1:
                q.zeroPoint = q.zeroPoint * len(q.scale)
            q.quantizedDimension = axis
            t.quantization = q
        if data is not None:
            b = schema.BufferT()
            data = packed(np.asarray(data).astype(np.uint8)) if str(dtype) == "int4" else data
            b.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(b)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, name, dtype, shape, **more):
        index = self.tensor(name, dtype, shape, **more)
        self.graph.inputs.append(index)
        return index

    def const(self, name, array, **more):
        array = np.asarray(array)
        return self.tensor(name, str(array.dtype), array.shape, data=array, **more)

    def output(self, *indices):
        self.graph.outputs.extend(indices)

    def op(self, code, inputs, outputs, options=None, custom=None, version=1, **fields):
        """code: a BuiltinOperator name, or the name of a custom op when `custom` (a dict, FlexBuffers) is given.
        An input of None or -1 is absent."""
        key = (code, version)
        if key not in self.codes:
            c = schema.OperatorCodeT()
            c.version = version
            c.builtinCode = schema.BuiltinOperator.CUSTOM if custom is not None else getattr(schema.BuiltinOperator, code)
            c.deprecatedBuiltinCode = min(c.builtinCode, 127)
            if custom is not None:
                c.customCode = code
            self.codes[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(c)
        o = schema.OperatorT()
        o.opcodeIndex = self.codes[key]
        o.inputs = [-1 if i is None else i for i in inputs]
        o.outputs = list(outputs)
        if options:
            table = getattr(schema, options + "T")()
            for field, value in fields.items():
                assert hasattr(table, field), f"{options} has no field {field}"
                setattr(table, field, value)
            second = hasattr(schema.BuiltinOptions2, options)
            if second:
                o.builtinOptions2Type, o.builtinOptions2 = getattr(schema.BuiltinOptions2, options), table
            else:
                o.builtinOptionsType, o.builtinOptions = getattr(schema.BuiltinOptions, options), table
        if custom is not None:
            o.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(custom)), np.uint8) if custom else None
        self.graph.operators.append(o)
        return o

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def save(self, path):
        with open(path, "wb") as f:
            f.write(self.bytes())


def from_description(d):
    m, index = Model(), {}
    for t in d["tensors"]:
        data = t.get("data")
        index[t["name"]] = m.tensor(t["name"], t["dtype"], t["shape"], scale=t.get("scale"), zero=t.get("zero"),
                                    axis=t.get("axis", 0), variable=t.get("variable", False),
                                    data=None if data is None else np.array(data, t["dtype"]).reshape(t["shape"]))
    for o in d["ops"]:
        m.op(o["code"], [None if n is None else index[n] for n in o["inputs"]], [index[n] for n in o["outputs"]],
             o.get("options"), custom=o.get("custom"), **o.get("fields", {}))
    m.graph.inputs.extend(index[n] for n in d["inputs"])
    m.output(*(index[n] for n in d["outputs"]))
    return m


if __name__ == "__main__":
    if MISSING:
        sys.exit(f"skipped: {MISSING}")
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as source:
        from_description(json.load(source)).save(sys.argv[2])
