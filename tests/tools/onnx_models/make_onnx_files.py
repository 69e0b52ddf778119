"""make_onnx_files.py: writes the .onnx files of tests/data/onnx, small models of several operator sets, and what they come to.

    make_onnx_files.py FOLDER [NAME ...]        (needs numpy, onnx and onnxruntime)

Each has the forms that its operator set has of operators which changed, and a way of its own to say what files may say in
several: elements as bytes or as lists of numbers, packed or not, constants that are nodes, inputs with values, local functions.
For each NAME.onnx there is NAME.json, as make_onnx_models.py writes it."""

import os
import sys

import numpy as np
import onnx
import onnx.external_data_helper
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from make_onnx_models import write_expectations  # noqa: E402
from onnx_graph import Graph  # noqa: E402


def listed(model):
    """The elements of all constants as lists of numbers."""
    for t in model.graph.initializer:
        values = numpy_helper.to_array(t)
        t.CopyFrom(helper.make_tensor(t.name, t.data_type, t.dims, values.reshape(-1)))
    return model


def with_constants_fed(model):
    """Constants are inputs, too, as files before version 4 have them."""
    for t in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(t.name, t.data_type, t.dims))
    model.ir_version = 3
    return model


def value(g, array):
    """A constant that is a node."""
    return g.op("Constant", value=numpy_helper.from_array(np.asarray(array)))


def opset7(seed=31):
    """Everything that was an attribute once; constants that are inputs, listed number by number."""
    g = Graph(seed, opset=7)
    x = g.input("image", [1, 3, 12, 12])
    c = g.op("BatchNormalization", g.conv(x, 3, 6), *(g.constant(g.random.uniform(0.5, 1.5, 6).astype(np.float32)) for _ in range(4)))
    c = g.op("Dropout", g.op("Relu", c), ratio=0.25)
    p = g.op("Pad", c, pads=[0, 0, 1, 1, 0, 0, 0, 1], mode="constant", value=0.5)
    s = g.op("Slice", p, starts=[1, 2], ends=[12, 100], axes=[2, 3])
    g.output(g.op("Clip", s, min=0.1, max=0.9))
    a, b = g.op("Split", g.op("MaxPool", c, kernel_shape=[2, 2], strides=[2, 2]), outputs=2, axis=1, split=[2, 4])
    g.output(g.op("Squeeze", g.op("ReduceSum", a, axes=[2], keepdims=1), axes=[2]))
    g.output(g.op("Unsqueeze", g.op("ReduceMean", b, axes=[1, 3], keepdims=0), axes=[0, 3]))
    g.output(g.op("LeakyRelu", g.op("PRelu", g.op("Sub", b, value(g, np.float32(0.4))), g.normal(4, 1, 1)), alpha=0.2))
    f = g.op("Flatten", g.op("AveragePool", c, kernel_shape=[3, 3], strides=[3, 3]))
    g.output(g.op("Softmax", g.op("Gemm", f, g.normal(96, 10), g.normal(10, deviation=0.1))))
    g.output(g.op("Softmax", g.op("Reshape", f, g.ints(2, 3, -1)), axis=1))
    return with_constants_fed(listed(g.model()))


def opset11(seed=32):
    """What became operands with operator set 11; a quantized stretch, integers and booleans listed."""
    g = Graph(seed, opset=11)
    x = g.input("image", [2, 4, 5, 5])
    q = g.op("QuantizeLinear", x, g.real(0.01), g.constant(np.uint8(128)))
    w = g.constant(g.random.integers(-127, 128, (6, 4, 3, 3)).astype(np.int8), "w")
    y = g.op("QLinearConv", q, g.real(0.01), g.constant(np.uint8(128)), w, g.real(0.005), g.constant(np.int8(0)), g.real(0.05),
             g.constant(np.uint8(100)), g.constant(g.random.integers(-999, 999, 6).astype(np.int32)), pads=[1, 1, 1, 1])
    c = g.op("DequantizeLinear", y, g.real(0.05), g.constant(np.uint8(100)))
    g.output(g.op("Pad", g.op("Clip", c, g.real(-1), g.real(2)), g.ints(0, 0, 1, 1, 0, 0, 2, 0), g.real(0.25), mode="constant"))
    g.output(g.op("Slice", c, g.ints(4, 0), g.ints(-9, 9), g.ints(2, 3), g.ints(-2, 3)))
    g.output(g.op("Resize", c, g.constant(np.zeros(0, np.float32)), g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
                  coordinate_transformation_mode="half_pixel"))
    g.output(g.op("CumSum", g.op("ReduceMean", c, axes=[1], keepdims=0), g.constant(np.int32(2))))
    for part in g.op("Split", c, outputs=3, axis=1):
        g.output(g.op("Squeeze", g.op("ReduceSum", part, axes=[1]), axes=[1]))
    chosen = g.op("Where", g.constant(np.array([True, False, True, True, False])), c, value(g, np.float32(7)))
    g.output(chosen)
    return listed(g.model())


def opset13(seed=33):
    """Dimensions as operands, softmax along one of them, scales for each channel; a first dimension that is left open."""
    g = Graph(seed, opset=13)
    x = g.input("tokens", ["batch", 6, 16])
    y = g.op("Add", g.op("MatMul", x, g.normal(16, 16, deviation=0.25)), g.normal(16, deviation=0.1))
    scales = g.constant(g.random.uniform(0.005, 0.02, 24).astype(np.float32))
    w = g.op("DequantizeLinear", g.constant(g.random.integers(-127, 128, (16, 24)).astype(np.int8), "w"), scales,
             g.constant(np.zeros(24, np.int8)), axis=1)
    r = [g.op("DequantizeLinear", g.op("QuantizeLinear", y, g.real(0.03), g.constant(np.uint8(120))), g.real(0.03),
              g.constant(np.uint8(120)))]
    z = g.op("MatMul", r[0], w)
    g.output(g.op("Squeeze", g.op("ReduceSum", g.op("Softmax", z, axis=1), g.ints(2), keepdims=1), g.ints(2)))
    g.output(g.op("Unsqueeze", g.op("ReduceMax", z, axes=[-1], keepdims=0), g.ints(1)))
    n = g.op("Shape", x)
    g.output(g.op("Reshape", z, g.op("Concat", g.op("Slice", n, g.ints(0), g.ints(1)), g.ints(-1), axis=0)))
    g.output(g.op("Identity", g.op("Cast", g.op("Mul", z, g.real(100)), to=TensorProto.INT32)))
    return g.model()


def opset17(seed=34):
    """Local functions: one with an attribute and a default, one that calls it, a name that both sides have."""
    g = Graph(seed, opset=17)
    x = g.input("rows", [4, 8])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("pack", 1)]
    by = helper.make_node("Constant", [], ["c"])
    by.attribute.append(onnx.AttributeProto(name="value_float", type=onnx.AttributeProto.FLOAT, ref_attr_name="by"))
    scaled = helper.make_function("pack", "scaled", ["a"], ["b"], [by, helper.make_node("Mul", ["a", "c"], ["b"])], opsets, [],
                                  [helper.make_attribute("by", 0.5)])
    mixed = helper.make_function("pack", "mixed", ["a", "w", "extra"], ["sum", "rest"], [
        helper.make_node("scaled", ["a"], ["c"], domain="pack", by=3.0), helper.make_node("scaled", ["w"], ["b"], domain="pack"),
        helper.make_node("Add", ["c", "b"], ["inner"]), helper.make_node("Relu", ["inner"], ["sum"]),
        helper.make_node("Sub", ["inner", "a"], ["rest"])], opsets)
    y, rest = g.op("mixed", x, g.normal(4, 8), domain="pack", outputs=2)
    z, _ = g.op("mixed", y, rest, domain="pack", outputs=2)
    c = value(g, np.ones(8, np.float32))
    n = g.op("LayerNormalization", z, c, g.normal(8, deviation=0.1))
    shapes = {y: [4, 8], rest: [4, 8], z: [4, 8], n: [4, 8]}
    graph = helper.make_graph(g.nodes, "graph", g.inputs,
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in (y, rest, n)],
                              g.constants)
    return helper.make_model(graph, opset_imports=opsets, functions=[scaled, mixed], ir_version=9)


def opset21(seed=35):
    """The forms of now: dimensions of all reductions as operands, lists of reals, Gelu, a branch that is known."""
    g = Graph(seed, opset=21)
    x = g.input("image", [1, 4, 6, 6])
    c = g.op("Gelu", g.conv(x, 4, 8), approximate="tanh")
    g.output(g.op("ReduceMean", c, g.ints(2, 3), keepdims=0))
    g.output(g.op("ReduceMax", c, g.ints(1)))
    g.output(g.op("Mul", g.op("Constant", value_floats=[0.5, 0.25, 0.125, 2.0, 3.0, -1.0]), c))
    kinds = helper.make_tensor_value_info
    branches = [helper.make_graph([helper.make_node(kind, [c], [f"{kind}_out"])], kind, [], [kinds(f"{kind}_out", TensorProto.FLOAT, None)])
                for kind in ("Tanh", "Neg")]
    g.nodes.append(helper.make_node("If", [g.op("Less", g.op("Size", c), g.ints(1000))], ["chosen"], then_branch=branches[0],
                                    else_branch=branches[1]))
    g.output("chosen")
    return g.model()


def external(seed=36):
    """Weights in another file, one of them to its end; open dimensions that have names."""
    g = Graph(seed, opset=13)
    x = g.input("rows", ["batch", 12])
    y = g.op("Relu", g.op("Gemm", x, g.normal(12, 8), g.normal(8, deviation=0.1)))
    g.output(g.op("MatMul", y, g.normal(8, 5)))
    return g.model()


BESIDE = ("external",)  # have their weights in another file
MODELS = {f.__name__: f for f in (opset7, opset11, opset13, opset17, opset21, external)}


def move_weights(model, folder, name):
    """To another file, each with its length but for the last."""
    with open(os.path.join(folder, name), "wb") as f:
        for t in model.graph.initializer:
            length = len(t.raw_data) if t is not model.graph.initializer[-1] else None
            onnx.external_data_helper.set_external_data(t, name, f.tell(), length)
            f.write(t.raw_data)
            t.ClearField("raw_data")


def write(model, folder, name):
    if name in BESIDE:
        move_weights(model, folder, name + ".bin")
    with open(os.path.join(folder, name + ".onnx"), "wb") as f:
        f.write(model.SerializeToString(deterministic=True))


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        model = MODELS[name]()
        write_expectations(model, model, os.path.join(sys.argv[1], name + ".json"))
        write(model, sys.argv[1], name)


if __name__ == "__main__":
    main()
