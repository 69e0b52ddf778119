"""tflite_repair.py: models that TFLite's runtime refuses for reasons that do not touch their meaning.

repaired(bytes) gives an equivalent model that the reference kernels run:
  - a quantized dimension beyond the tensor's rank (written by old converters for biases) becomes 0
  - DEPTH_TO_SPACE of version 2 becomes version 1, which the reference resolver knows
  - Convolution2DTransposeBias, a custom op of MediaPipe, becomes TRANSPOSE_CONV with a bias
"""

import struct

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def constant(model, graph, name, values):
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, schema.TensorType.INT32, [len(values)]
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def repair_transpose_bias(model, graph, op):
    padding, width, height = struct.unpack("<iii", bytes(bytearray(op.customOptions))[:12])
    options = schema.TransposeConvOptionsT()
    options.padding, options.strideW, options.strideH = padding - 1, width, height
    op.builtinOptionsType, op.builtinOptions, op.customOptions = schema.BuiltinOptions.TransposeConvOptions, options, None
    shape = constant(model, graph, f"repair_shape_{op.outputs[0]}", [int(d) for d in graph.tensors[op.outputs[0]].shape])
    x, w, b = list(op.inputs)[:3]
    op.inputs = [shape, w, x, b]


def repaired(data):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
    for graph in model.subgraphs:
        for t in graph.tensors:
            rank = 0 if t.shape is None else len(t.shape)
            if t.quantization is not None and t.quantization.quantizedDimension >= max(rank, 1):
                t.quantization.quantizedDimension = 0
        for op in graph.operators:
            code = model.operatorCodes[op.opcodeIndex]
            if code.customCode in (b"Convolution2DTransposeBias", "Convolution2DTransposeBias"):
                repair_transpose_bias(model, graph, op)
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.DEPTH_TO_SPACE:
            code.version = 1
        if code.customCode in (b"Convolution2DTransposeBias", "Convolution2DTransposeBias"):
            code.customCode, code.builtinCode = None, schema.BuiltinOperator.TRANSPOSE_CONV
            code.deprecatedBuiltinCode, code.version = schema.BuiltinOperator.TRANSPOSE_CONV, 3
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
