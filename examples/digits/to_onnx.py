"""Writes digits.onnx: the network of digits_float.tflite as ONNX has it, channels first, for pictures of bytes as they are.

    python3 -m venv venv && venv/bin/pip install ai-edge-litert onnx && venv/bin/python to_onnx.py"""
import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

interpreter = Interpreter("digits_float.tflite", experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
interpreter.allocate_tensors()
layers = [op for op in interpreter._get_ops_details() if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]
constants, nodes = [], []


def constant(name, array):
    constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
    return name


def node(kind, inputs, output, **attributes):
    nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
    return output


def weights(layer):
    return [interpreter.get_tensor(index) for index in layer["inputs"][1:]]


def convolution(x, layer, name, scale=1, groups=1, relu6=True):
    kernel, bias = weights(layer)
    kernel = kernel.transpose((0, 3, 1, 2) if groups == 1 else (3, 0, 1, 2)) / scale
    edge = kernel.shape[-1] // 2
    y = node("Conv", [x, constant(f"{name}.weight", kernel), constant(f"{name}.bias", bias)], name, group=groups, pads=[edge] * 4)
    return node("Clip", [y, "zero", "six"], f"{name}.relu6") if relu6 else y


constant("zero", 0)
constant("six", 6)
x = skip = convolution("picture", layers[0], "conv1", scale=255)
x = convolution(x, layers[1], "conv2", groups=16)
x = node("Add", [convolution(x, layers[2], "conv3", relu6=False), skip], "sum")
x = node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
x = node("GlobalAveragePool", [convolution(x, layers[3], "conv4")], "mean")
matrix, bias = weights(layers[4])
x = node("Gemm", [node("Flatten", [x], "flat"), constant("fc.weight", matrix), constant("fc.bias", bias)], "fc", transB=1)
node("Softmax", [x], "scores", axis=1)
graph = helper.make_graph(nodes, "digits", [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 1, 8, 8])],
                          [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])], constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, "digits.onnx")
