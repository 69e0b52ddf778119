"""ort_onnx.py: a model in ONNX Runtime's format as an ONNX model, so that ONNX Runtime can show its intermediate values.

    ort_onnx.py MODEL.ort MODEL.onnx

As a module: load(path) -> onnx.ModelProto; Reference(path) runs it without optimizations and keeps every value.
Needs onnx and onnxruntime, whose own schema reads the file.
"""

import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    import onnx.numpy_helper
    from onnx import helper
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import InferenceSession
    MISSING = None
except ImportError as error:
    MISSING = str(error)

FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 5, 6, 7, 8  # kinds of attributes


def available():
    """None, or the reason why models can't be rebuilt here."""
    return MISSING


def text(value):
    return value.decode() if value else ""


def tensor_of(t):
    made = onnx.TensorProto(name=text(t.Name()), data_type=t.DataType(), dims=[t.Dims(i) for i in range(t.DimsLength())])
    if t.StringDataLength():
        made.string_data.extend(t.StringData(i) for i in range(t.StringDataLength()))
    else:
        made.raw_data = t.RawDataAsNumpy().tobytes() if t.RawDataLength() else b""
    return made


def attribute_of(a):
    kind, name = a.Type(), text(a.Name())
    made = onnx.AttributeProto(name=name, type=kind)
    if kind == FLOAT:
        made.f = a.F()
    elif kind == INT:
        made.i = a.I()
    elif kind == STRING:
        made.s = a.S() or b""
    elif kind == TENSOR:
        made.t.CopyFrom(tensor_of(a.T()))
    elif kind == GRAPH:
        made.g.CopyFrom(graph_of(a.G()))
    elif kind == FLOATS:
        made.floats.extend(a.Floats(i) for i in range(a.FloatsLength()))
    elif kind == INTS:
        made.ints.extend(a.Ints(i) for i in range(a.IntsLength()))
    elif kind == STRINGS:
        made.strings.extend(a.Strings(i) for i in range(a.StringsLength()))
    else:
        raise ValueError(f"attribute {name} of kind {kind}")
    return made


def value_of(v):
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.TensorTypeAndShape import TensorTypeAndShape
    made = onnx.ValueInfoProto(name=text(v.Name()))
    info = v.Type()
    if info is None or info.ValueType() != 1:
        return made
    tensor = TensorTypeAndShape()
    tensor.Init(info.Value().Bytes, info.Value().Pos)
    made.type.tensor_type.elem_type = tensor.ElemType()
    shape = tensor.Shape()
    if shape is not None:
        made.type.tensor_type.shape.SetInParent()
        for i in range(shape.DimLength()):
            d, value = made.type.tensor_type.shape.dim.add(), shape.Dim(i).Value()
            if value.DimType() == 1:
                d.dim_value = value.DimValue()
            elif value.DimType() == 2:
                d.dim_param = text(value.DimParam())
    return made


def node_of(n):
    made = onnx.NodeProto(name=text(n.Name()), op_type=text(n.OpType()), domain=text(n.Domain()))
    made.input.extend(text(n.Inputs(i)) for i in range(n.InputsLength()))
    made.output.extend(text(n.Outputs(i)) for i in range(n.OutputsLength()))
    made.attribute.extend(attribute_of(n.Attributes(i)) for i in range(n.AttributesLength()))
    return made


def graph_of(g):
    made = onnx.GraphProto(name="graph")
    infos = {text(g.NodeArgs(i).Name()): g.NodeArgs(i) for i in range(g.NodeArgsLength())}
    named = lambda name: value_of(infos[name]) if name in infos else onnx.ValueInfoProto(name=name)
    made.initializer.extend(tensor_of(g.Initializers(i)) for i in range(g.InitializersLength()))
    made.node.extend(node_of(g.Nodes(i)) for i in range(g.NodesLength()))
    made.input.extend(named(text(g.Inputs(i))) for i in range(g.InputsLength()))
    made.output.extend(named(text(g.Outputs(i))) for i in range(g.OutputsLength()))
    sort_nodes(made)
    return made


def captured(node):
    """Names that the subgraphs of a node read from outside, and others."""
    return [name for a in node.attribute if a.type == GRAPH for inner in a.g.node for name in [*inner.input, *captured(inner)]]


def sort_nodes(graph):
    """ONNX wants every node behind those that make its operands; the file doesn't."""
    made_by = {name: k for k, n in enumerate(graph.node) for name in n.output if name}
    nodes, state, order = list(graph.node), {}, []
    for start in range(len(nodes)):
        stack = [start]
        while stack:
            top = stack[-1]
            missing = [made_by[name] for name in [*nodes[top].input, *captured(nodes[top])]
                       if name in made_by and made_by[name] != top and made_by[name] not in state]
            if missing:
                stack.append(missing[0])
                continue
            stack.pop()
            if top not in state:
                state[top] = True
                order.append(nodes[top])
    del graph.node[:]
    graph.node.extend(order)


def load(path):
    with open(path, "rb") as f:
        model = InferenceSession.GetRootAs(f.read(), 0).Model()
    opsets = [model.OpsetImport(i) for i in range(model.OpsetImportLength())]
    made = helper.make_model(graph_of(model.Graph()), ir_version=min(10, model.IrVersion() or 10),
                             opset_imports=[helper.make_opsetid(text(o.Domain()), o.Version()) for o in opsets])
    return made


# Integer products: where their activations' zero point, their weights and the weights' zero point are among the inputs.
PRODUCTS = {"QLinearConv": (2, 3, 5), "QLinearMatMul": (2, 3, 5), "QGemm": (2, 3, 5), "ConvInteger": (2, 1, 3),
            "MatMulInteger": (2, 1, 3), "MatMulIntegerToFloat": (4, 1, 5), "DynamicQuantizeMatMul": (None, 1, 3)}


def shifted(tensor, name):
    """int8 as uint8, 128 more."""
    return onnx.numpy_helper.from_array((onnx.numpy_helper.to_array(tensor) ^ np.int8(-128)).view(np.uint8), name)


def unsigned_weights(model):
    """Makes int8 weights of uint8 activations uint8.  It is the same product; but on a CPU with neither VNNI nor AMX
    ONNX Runtime multiplies uint8 by int8 with vpmaddubsw, whose sums of two saturate at 16 bits."""
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    made = {}

    def replace(node, at):
        name = node.input[at] + "_unsigned"
        made[name] = shifted(constants[node.input[at]], name)
        node.input[at] = name

    def has(node, at, *types):
        return at < len(node.input) and node.input[at] in constants and constants[node.input[at]].data_type in types

    for node in graph.node:
        activations, weights, zero = PRODUCTS.get(node.op_type, (None, None, None))
        signed = activations is not None and (activations >= len(node.input) or has(node, activations, onnx.TensorProto.INT8))
        if weights is None or signed or not has(node, weights, onnx.TensorProto.INT8):
            continue
        replace(node, weights)
        if has(node, zero, onnx.TensorProto.INT8):
            replace(node, zero)
        else:
            node.input.extend([""] * (zero + 1 - len(node.input)))
            node.input[zero] = "zero_unsigned"
            made["zero_unsigned"] = onnx.numpy_helper.from_array(np.uint8(128), "zero_unsigned")
    graph.initializer.extend(made.values())


class Reference:
    """The model with every node's result as an output, in ONNX Runtime without graph optimizations."""

    def __init__(self, path, keep=True):
        model = load(path) if isinstance(path, str) else path
        self.inputs = [i for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer}]
        self.outputs = [o.name for o in model.graph.output]
        unsigned_weights(model)
        if keep:
            have = set(self.outputs)
            produced = [name for n in model.graph.node for name in n.output if name and name not in have]
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in produced)
        self.model = model
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(self, arrays):
        """{name: array} of the model's outputs, or of all values, but for bfloat16, which NumPy has not, and for half precision of
        what is no output: that is computed as float32 here."""
        feeds = {i.name: a for i, a in zip(self.inputs, arrays)}
        names = [o.name for o in self.session.get_outputs()
                 if o.type != "tensor(bfloat16)" and (o.type != "tensor(float16)" or o.name in self.outputs)]
        return dict(zip(names, self.session.run(names, feeds)))


def main():
    if MISSING:
        print(f"skipped: {MISSING}")
        return 77
    onnx.save(load(sys.argv[1]), sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
