"""make_models.py: writes the models of tests/data, small ones that hold every form the TFLite importer knows.

    make_models.py FOLDER        (needs what tflite_writer.py needs)

tests/frontends/{imported,refused}.txt say what each must come to: the imported graph, or one diagnostic.  Weights are small integers so
that the expected text can be read.
"""

import os
import sys

import numpy as np

import tflite_audio
import tflite_control
import tflite_tables
import tflite_windows
import tflite_writer
from tflite_writer import NONE, RELU, RELU6, SAME, VALID, Model

TANH, SIGN_BIT = 4, 5
if not tflite_writer.available():
    from tflite_writer import schema


def ints(m, name, values, dtype=np.int32):
    return m.const(name, np.array(values, dtype))


# ---- Models that are imported ----

def conv_int8():
    """Per-channel weights, SAME padding, strides, fused activations; a bias whose scales name the weights' dimension."""
    m = Model()
    x = m.input("image", "int8", [1, 5, 7, 2], scale=0.5, zero=-1)
    w = m.const("filter", np.arange(36, dtype=np.int8).reshape(2, 3, 3, 2), scale=[0.25, 0.125], zero=[0, 0], axis=0)
    b = m.const("bias", np.array([3, -4], np.int32), scale=[0.125, 0.0625], zero=[0, 0], axis=3)
    y = m.tensor("conv", "int8", [1, 3, 4, 2], scale=0.75, zero=-128)
    m.op("CONV_2D", [x, w, b], [y], "Conv2DOptions", padding=SAME, strideH=2, strideW=2, fusedActivationFunction=RELU6)
    dw = m.const("depth filter", np.arange(8, dtype=np.int8).reshape(1, 2, 2, 2), scale=[0.5, 0.25], zero=[0, 0], axis=3)
    z = m.tensor("depth", "int8", [1, 2, 2, 2], scale=1.5, zero=2)
    m.op("DEPTHWISE_CONV_2D", [y, dw, None], [z], "DepthwiseConv2DOptions", padding=VALID, strideH=1, strideW=1,
         depthMultiplier=1, dilationWFactor=2, fusedActivationFunction=RELU)
    p = m.tensor("pooled", "int8", [1, 1, 1, 2], scale=1.5, zero=2)
    m.op("AVERAGE_POOL_2D", [z], [p], "Pool2DOptions", padding=VALID, strideH=1, strideW=1, filterHeight=2, filterWidth=2)
    fw = m.const("weights", np.array([[1, -2], [3, 4], [5, 6]], np.int8), scale=0.5, zero=0)
    f = m.tensor("logits", "int8", [1, 3], scale=2.0, zero=0)
    m.op("FULLY_CONNECTED", [p, fw], [f], "FullyConnectedOptions", fusedActivationFunction=NONE)
    s = m.tensor("probabilities", "int8", [1, 3], scale=1 / 256, zero=-128)
    m.op("SOFTMAX", [f], [s], "SoftmaxOptions", beta=1.0)
    m.output(s)
    return m


def int4():
    """Weights of 4 bits: an odd number of them, every value; for integers and for floats."""
    m = Model()
    values = np.arange(-8, 7).reshape(3, 5)
    for kind, form in (("int8", dict(scale=0.5, zero=-1)), ("float32", {})):
        x = m.input(f"x {kind}", kind, [1, 5], **form)
        w = m.tensor(f"weights of {kind}", "int4", [3, 5], data=values, scale=0.25, zero=0)
        y = m.tensor(f"y {kind}", kind, [1, 3], **form)
        m.op("FULLY_CONNECTED", [x, w, None], [y], "FullyConnectedOptions")
        m.output(y)
    return m


def epsilon(scale=2.0**-47):
    """A constant of a scale that no result of a network has: what keeps a root away from zero."""
    m = Model()
    x, y = m.input("x", "int8", [2, 3], scale=0.5, zero=-1), m.tensor("y", "int8", [2, 3], scale=0.5, zero=-1)
    m.op("ADD", [x, m.const("epsilon", np.array(127, np.int8), scale=scale, zero=0)], [y], "AddOptions")
    m.output(y)
    return m


def pool_bytes(act=NONE):
    """Pools of bytes without scales."""
    m = Model()
    x = m.input("x", "int8", [1, 2, 4, 1])
    for code in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        y = m.tensor(code, "int8", [1, 1, 2, 1])
        m.op(code, [x], [y], "Pool2DOptions", padding=VALID, strideH=2, strideW=2, filterHeight=2, filterWidth=2,
             fusedActivationFunction=act)
        m.output(y)
    return m


def wide_results():
    """Results of more bits than their operands of int8 have."""
    m = Model()
    a, b = m.input("a", "int8", [2, 3], scale=0.5, zero=3), m.input("b", "int8", [3, 2], scale=0.25, zero=-4)
    sums, shares = m.tensor("sums", "int32", [2, 2]), m.tensor("shares", "int16", [2, 3], scale=1 / 32768, zero=0)
    m.op("BATCH_MATMUL", [a, b], [sums], "BatchMatMulOptions", version=4)
    m.op("SOFTMAX", [a], [shares], "SoftmaxOptions", version=3, beta=1.0)
    m.output(sums)
    m.output(shares)
    return m


def diagonals(length=2):
    m = Model()
    x, d = m.input("x", "int8", [2, 2, 3], scale=0.5, zero=3), m.input("d", "int8", [2, length], scale=0.5, zero=3)
    made, put = (m.tensor(n, "int8", s, scale=0.5, zero=3) for n, s in (("made", [2, length, length]), ("put", [2, 2, 3])))
    m.op("MATRIX_DIAG", [d], [made], "MatrixDiagOptions")
    m.op("MATRIX_SET_DIAG", [x, d], [put], "MatrixSetDiagOptions")
    m.output(made)
    m.output(put)
    return m


def conv_uint8():
    """The older asymmetric form, grouped channels, a pad that is its own operator."""
    m = Model()
    x = m.input("x", "uint8", [1, 4, 4, 4], scale=0.5, zero=128)
    borders = ints(m, "borders", [[0, 0], [1, 1], [1, 1], [0, 0]])
    p = m.tensor("padded", "uint8", [1, 6, 6, 4], scale=0.5, zero=128)
    m.op("PAD", [x, borders], [p], "PadOptions")
    w = m.const("w", np.arange(72, dtype=np.uint8).reshape(4, 3, 3, 2), scale=0.25, zero=37)
    b = m.const("b", np.zeros(4, np.int32), scale=0.125, zero=0)
    y = m.tensor("y", "uint8", [1, 4, 4, 4], scale=1.0, zero=3)
    m.op("CONV_2D", [p, w, b], [y], "Conv2DOptions", padding=VALID, strideH=1, strideW=1)
    m.output(y)
    return m


def hybrid():
    """Float activations with int8 weights: per-channel and grouped convolutions, depthwise, products of both kinds."""
    m = Model()
    rng = np.arange(72, dtype=np.int8) - 36
    x = m.input("x", "float32", [1, 4, 4, 2])
    one = m.const("one scale", rng[:36].reshape(2, 3, 3, 2), scale=0.25, zero=0)
    b = m.const("bias", np.array([1, -2], np.float32))
    y = m.tensor("symmetric", "float32", [1, 4, 4, 2])
    m.op("CONV_2D", [x, one, b], [y], "Conv2DOptions", padding=SAME, strideH=1, strideW=1, fusedActivationFunction=RELU)
    two = m.const("two scales", rng[:4].reshape(2, 1, 1, 2), scale=[0.25, 0.5], zero=[0, 0], axis=0)
    z = m.tensor("affine", "float32", [1, 4, 4, 2])
    m.op("CONV_2D", [y, two, b], [z], "Conv2DOptions", padding=SAME, strideH=1, strideW=1, fusedActivationFunction=NONE)
    dw = m.const("depth", rng[:8].reshape(1, 2, 2, 2), scale=[0.25, 0.5], zero=[0, 0], axis=3)
    d = m.tensor("depthwise", "float32", [1, 3, 3, 2])
    m.op("DEPTHWISE_CONV_2D", [z, dw, b], [d], "DepthwiseConv2DOptions", padding=VALID, strideH=1, strideW=1, depthMultiplier=1,
         fusedActivationFunction=NONE)
    w = m.const("weights", rng[:54].reshape(3, 18), scale=0.125, zero=0)
    f = m.tensor("product", "float32", [1, 3])
    m.op("FULLY_CONNECTED", [d, w], [f], "FullyConnectedOptions", fusedActivationFunction=NONE)
    g = m.const("matrix", rng[:12].reshape(3, 4), scale=0.125, zero=0)
    p = m.tensor("matmul", "float32", [1, 4])
    m.op("BATCH_MATMUL", [f, g], [p], "BatchMatMulOptions", asymmetricQuantizeInputs=True)
    m.output(p)
    return m


def float_ops():
    """A fused TANH, a half-precision constant, broadcasting, reductions with negative axes."""
    m = Model()
    x = m.input("x", "float32", [2, 3])
    h = m.const("half", np.array([1, 0.5, -2], np.float16))
    c = m.tensor("full", "float32", [3])
    m.op("DEQUANTIZE", [h], [c], "DequantizeOptions")
    y = m.tensor("sum", "float32", [2, 3])
    m.op("ADD", [x, c], [y], "AddOptions", fusedActivationFunction=TANH)
    z = m.tensor("mean", "float32", [2, 1])
    m.op("MEAN", [y, ints(m, "axes", [-1])], [z], "ReducerOptions", keepDims=True)
    d = m.tensor("difference", "float32", [2, 3])
    m.op("SQUARED_DIFFERENCE", [y, z], [d], "SquaredDifferenceOptions")
    t = m.tensor("swapped", "float32", [3, 2])
    m.op("TRANSPOSE", [d, ints(m, "perm", [1, 0])], [t], "TransposeOptions")
    m.output(t, z)
    return m


def shapes():
    """SHAPE -> STRIDED_SLICE -> PACK feeds FILL and RESHAPE: all of it is evaluated while importing."""
    m = Model()
    x = m.input("x", "float32", [2, 12])
    s = m.tensor("shape", "int32", [2])
    m.op("SHAPE", [x], [s], "ShapeOptions", outType=2)
    n = m.tensor("batch", "int32", [])
    m.op("STRIDED_SLICE", [s, ints(m, "b", [0]), ints(m, "e", [1]), ints(m, "st", [1])], [n], "StridedSliceOptions",
         shrinkAxisMask=1)
    p = m.tensor("new shape", "int32", [3])
    m.op("PACK", [n, ints(m, "three", 3), ints(m, "minus one", -1)], [p], "PackOptions", valuesCount=3, axis=0)
    y = m.tensor("y", "float32", [2, 3, 4])
    m.op("RESHAPE", [x, p], [y], "ReshapeOptions")
    q = m.tensor("fill shape", "int32", [2])
    m.op("PACK", [n, ints(m, "four", 4)], [q], "PackOptions", valuesCount=2, axis=0)
    f = m.tensor("filled", "float32", [2, 4])
    m.op("FILL", [q, m.const("one", np.array(1, np.float32))], [f], "FillOptions")
    m.output(y, f)
    return m


def scalar():
    """A new shape [0], which is how old files write that there is none."""
    m = Model()
    y = m.tensor("y", "float32", [])
    m.op("RESHAPE", [m.input("x", "float32", [1, 1])], [y], "ReshapeOptions", newShape=[0])
    m.output(y)
    return m


def slices_at_run_time():
    """Slices whose place is an input: of several elements, and of one, which counts from the end where it is negative."""
    m = Model()
    x, at = m.input("x", "int8", [4, 6, 2], scale=0.5, zero=3), m.input("at", "int32", [3])
    y, z = m.tensor("part", "int8", [2, 1, 2], scale=0.5, zero=3), m.tensor("row", "int8", [6], scale=0.5, zero=3)
    m.op("SLICE", [x, at, ints(m, "size", [2, 1, 2])], [y], "SliceOptions")
    m.op("STRIDED_SLICE", [x, at, at, ints(m, "s", [1, 1, 1])], [z], "StridedSliceOptions", beginMask=2, endMask=2, shrinkAxisMask=5)
    m.output(y, z)
    return m


def slices():
    """Masks of STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK, CONCATENATION."""
    m = Model()
    x = m.input("x", "float32", [4, 6, 2])
    a = m.tensor("masked", "float32", [1, 4, 6])
    m.op("STRIDED_SLICE", [x, ints(m, "b", [0, 3, 0, 1]), ints(m, "e", [0, 0, 0, 0]), ints(m, "s", [1, -1, 1, 1])], [a],
         "StridedSliceOptions", newAxisMask=1, endMask=2, ellipsisMask=4, shrinkAxisMask=8)
    b = m.tensor("reversed", "float32", [2, 6, 2])
    m.op("STRIDED_SLICE", [x, ints(m, "b2", [-1]), ints(m, "e2", [-4]), ints(m, "s2", [-2])], [b], "StridedSliceOptions")
    parts = [m.tensor(f"part {i}", "float32", [4, 2, 2]) for i in range(3)]
    m.op("SPLIT", [ints(m, "axis", 1), x], parts, "SplitOptions", numSplits=3)
    rest = [m.tensor(f"rest {i}", "float32", [k, 6, 2]) for i, k in enumerate([1, 3])]
    m.op("SPLIT_V", [x, ints(m, "sizes", [1, -1]), ints(m, "axis0", [0])], rest, "SplitVOptions", numSplits=2)
    rows = [m.tensor(f"row {i}", "float32", [4, 6]) for i in range(2)]
    m.op("UNPACK", [x], rows, "UnpackOptions", num=2, axis=-1)
    c = m.tensor("joined", "float32", [4, 4, 2])
    m.op("CONCATENATION", [parts[0], parts[2]], [c], "ConcatenationOptions", axis=1)
    m.output(a, b, c, rest[1], rows[1])
    return m


def data_movement():
    """Blocks, borders, gathers, resizing, repetition; operands of a concatenation with other parameters."""
    m = Model()
    x = m.input("x", "uint8", [1, 4, 4, 4], scale=0.5, zero=10)
    d = m.tensor("deep", "uint8", [1, 2, 2, 16], scale=0.5, zero=10)
    m.op("SPACE_TO_DEPTH", [x], [d], "SpaceToDepthOptions", blockSize=2)
    w = m.tensor("wide", "uint8", [1, 4, 4, 4], scale=0.5, zero=10)
    m.op("DEPTH_TO_SPACE", [d], [w], "DepthToSpaceOptions", blockSize=2)
    r = m.tensor("larger", "uint8", [1, 8, 8, 4], scale=0.5, zero=10)
    m.op("RESIZE_BILINEAR", [w, ints(m, "size", [8, 8])], [r], "ResizeBilinearOptions", halfPixelCenters=True)
    e = m.tensor("mirrored", "uint8", [1, 6, 6, 4], scale=0.5, zero=10)
    m.op("MIRROR_PAD", [x, ints(m, "borders", [[0, 0], [1, 1], [1, 1], [0, 0]])], [e], "MirrorPadOptions", mode=1)
    g = m.tensor("gathered", "uint8", [1, 4, 2, 4], scale=0.5, zero=10)
    m.op("GATHER", [x, ints(m, "indices", [3, 0])], [g], "GatherOptions", axis=2)
    b = m.tensor("batches", "uint8", [4, 2, 1, 4], scale=0.5, zero=10)
    m.op("SPACE_TO_BATCH_ND", [g, ints(m, "block", [2, 2]), ints(m, "none", [[0, 0], [0, 0]])], [b], "SpaceToBatchNDOptions")
    y = m.input("y", "uint8", [1, 4, 2, 4], scale=0.25, zero=0)
    c = m.tensor("joined", "uint8", [1, 8, 2, 4], scale=0.5, zero=10)
    m.op("CONCATENATION", [g, y], [c], "ConcatenationOptions", axis=1)
    t = m.tensor("tiled", "uint8", [2, 8, 2, 4], scale=0.5, zero=10)
    m.op("TILE", [c, ints(m, "times", [2, 1, 1, 1])], [t], "TileOptions")
    a = m.tensor("largest", "int32", [1, 8, 8])
    m.op("ARG_MAX", [r, ints(m, "last", [-1])], [a], "ArgMaxOptions", outputType=2)
    m.output(t, a, b, e)
    return m


def composite():
    """A composite operator is its decomposition; names of inputs and outputs come from the signature."""
    m = Model()
    x = m.input("x", "float32", [4])
    y = m.tensor("y", "float32", [4])
    m.op("STABLEHLO_COMPOSITE", [x], [y], "StableHLOCompositeOptions", name="twice", decompositionSubgraphIndex=1)
    m.output(y)
    inner = Model("twice")
    a = inner.input("a", "float32", [4])
    b = inner.tensor("b", "float32", [4])
    inner.op("ADD", [a, a], [b], "AddOptions")
    inner.output(b)
    m.model.subgraphs.append(inner.graph)
    inner.graph.operators[0].opcodeIndex = len(m.model.operatorCodes)
    m.model.operatorCodes += inner.model.operatorCodes
    s = schema.SignatureDefT()
    s.signatureKey, s.subgraphIndex, s.inputs, s.outputs = "serving_default", 0, [], []
    for where, name, index in ((s.inputs, "in", x), (s.outputs, "out", y)):
        t = schema.TensorMapT()
        t.name, t.tensorIndex = name, index
        where.append(t)
    m.model.signatureDefs = [s]
    return m


def sparse_parameters(order, block_map, levels):
    p = schema.SparsityParametersT()
    p.traversalOrder, p.blockMap, p.dimMetadata = order, block_map, []
    for level in levels:
        d = schema.DimensionMetadataT()
        if isinstance(level, int):
            d.format, d.denseSize = schema.DimensionType.DENSE, level
        else:
            d.format = schema.DimensionType.SPARSE_CSR
            for field, values in zip(("Segments", "Indices"), level):
                vector = schema.Uint8VectorT()
                vector.values = values
                setattr(d, f"array{field}Type", schema.SparseIndexVector.Uint8Vector)
                setattr(d, f"array{field}", vector)
        p.dimMetadata.append(d)
    return p


def sparse():
    """Sparse constants behind DENSIFY: rows compressed, and in blocks of 2 x 2."""
    m = Model()
    x = m.input("x", "float32", [2, 4])
    c = m.tensor("rows", "float32", [2, 4], data=np.array([1, 2, 3], np.float32))
    m.graph.tensors[c].sparsity = sparse_parameters([0, 1], None, [2, ([0, 2, 3], [0, 3, 1])])
    d = m.tensor("dense rows", "float32", [2, 4])
    m.op("DENSIFY", [c], [d], "DensifyOptions")
    y = m.tensor("y", "float32", [2, 4])
    m.op("MUL", [x, d], [y], "MulOptions")
    b = m.tensor("blocks", "float32", [2, 4], data=np.arange(1, 5, dtype=np.float32))
    m.graph.tensors[b].sparsity = sparse_parameters([0, 1, 2, 3], [0, 1], [1, ([0, 1], [1]), 2, 2])
    e = m.tensor("dense blocks", "float32", [2, 4])
    m.op("DENSIFY", [b], [e], "DensifyOptions")
    z = m.tensor("z", "float32", [2, 4])
    m.op("ADD", [y, e], [z], "AddOptions")
    m.output(z)
    return m


def detection(**change):
    """TFLite_Detection_PostProcess, whose options are a FlexBuffers map."""
    m = Model()
    boxes = m.input("boxes", "uint8", [1, 6, 4], scale=0.0625, zero=128)
    scores = m.input("scores", "uint8", [1, 6, 3], scale=1 / 256, zero=0)
    anchors = m.const("anchors", np.tile(np.array([1, 1, 2, 2], np.uint8), (6, 1)), scale=0.25, zero=0)
    out = [m.tensor(n, "float32", []) for n in ("found", "classes", "certainty", "count")]
    options = {"max_detections": 3, "max_classes_per_detection": 1, "detections_per_class": 10, "use_regular_nms": False,
               "nms_score_threshold": 1e-8, "nms_iou_threshold": 0.5, "num_classes": 2, "y_scale": 10.0, "x_scale": 10.0,
               "h_scale": 5.0, "w_scale": 5.0}
    options.update(change)
    m.op("TFLite_Detection_PostProcess", [boxes, scores, anchors], out, custom=options)
    m.output(*out)
    return m


def state(initial=0, name="states", kind="float32"):
    """A variable that is read, shifted and written; its initial zeros are assigned by a subgraph that runs once."""
    m, init = Model(), Model("init")
    m.op("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=1)
    x = m.input("x", "float32", [1, 2])
    h = m.tensor("handle", "resource", [])
    m.op("VAR_HANDLE", [], [h], "VarHandleOptions", container="", sharedName=name)
    old = m.tensor("old", kind, [1, 4])
    m.op("READ_VARIABLE", [h], [old], "ReadVariableOptions")
    both = m.tensor("both", "float32", [1, 6])
    m.op("CONCATENATION", [old, x], [both], "ConcatenationOptions", axis=1)
    new = m.tensor("new", "float32", [1, 4])
    m.op("SLICE", [both, ints(m, "begin", [0, 2]), ints(m, "size", [1, 4])], [new], "SliceOptions")
    m.op("ASSIGN_VARIABLE", [h, new], [], "AssignVariableOptions")
    m.output(both)
    g = init.tensor("handle", "resource", [])
    init.op("VAR_HANDLE", [], [g], "VarHandleOptions", container="", sharedName=name)
    zeros = init.tensor("zeros", "float32", [1, 4])
    init.op("ASSIGN_VARIABLE", [g, zeros], [], "AssignVariableOptions")
    init.graph.tensors[zeros].buffer = len(m.model.buffers)
    b = schema.BufferT()
    b.data = np.frombuffer(np.full(4, initial, np.float32).tobytes(), np.uint8)
    m.model.buffers.append(b)
    for o in init.graph.operators:
        o.opcodeIndex += len(m.model.operatorCodes)
    m.model.operatorCodes += init.model.operatorCodes
    m.model.subgraphs.append(init.graph)
    return m


def lstm_layer(kind="float32", weights=None, coupled=False, variable=True, extra=(), hidden_scale=0.0078125, cell_scale=2.0**-12,
               act=TANH, time_major=False, **options):
    """Two units over three channels.  extra: operands (by number) that a plain LSTM does not have."""
    m = Model()
    is_int, units, weights = kind == "int8", 2, weights or ("int8" if kind == "int8" else "float32")
    x = m.input("x", kind, [1, 4, 3], **({"scale": 0.5, "zero": -1} if is_int else {}))
    operands = [x] + [None] * 23
    for g, gate in enumerate(("input", "forget", "cell", "output")):
        if g == 0 and coupled:
            continue
        for first, name, columns in ((1, "weights", 3), (5, "recurrent", units)):
            values = (np.arange(units * columns) - g).reshape(units, columns).astype(weights)
            scales = {"scale": 0.25 / (1 + g), "zero": 0} if weights == "int8" else {}
            operands[first + g] = m.const(f"{gate} {name}", values, **scales)
        operands[12 + g] = m.const(f"{gate} bias", np.arange(units).astype(np.int32 if is_int else np.float32))
    state = {"scale": 0.0078125, "zero": 3} if is_int else {}
    operands[18] = m.tensor("h", kind, [1, units], variable=variable, **state)
    operands[19] = m.tensor("c", "int16" if is_int else kind, [1, units], variable=True,
                            **({"scale": cell_scale, "zero": 0} if is_int else {}))
    for k in extra:
        operands[k] = m.const(f"operand {k}", np.ones(units, np.float32))
    y = m.tensor("y", kind, [1, 4, units], **state)
    o = m.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [y], "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=act,
             timeMajor=time_major, **options)
    if is_int:
        o.intermediates = [m.tensor(f"gate {g}", "float32", [0]) for g in range(4)]
        o.intermediates.append(m.tensor("hidden", "int8", [0], scale=hidden_scale, zero=3))
    m.output(y)
    return m


def rnn_layer(weights="float32", act=TANH, **options):
    """Two units over three channels."""
    m = Model()
    scales = {"scale": 0.25, "zero": 0} if weights == "int8" else {}
    x = m.input("x", "float32", [1, 4, 3])
    operands = [x] + [m.const(name, np.arange(2 * columns).reshape(2, columns).astype(weights), **scales)
                      for name, columns in (("weights", 3), ("recurrent", 2))]
    operands += [m.const("bias", np.ones(2, np.float32)), m.tensor("h", "float32", [1, 2], variable=True)]
    y = m.tensor("y", "float32", [1, 4, 2])
    m.op("UNIDIRECTIONAL_SEQUENCE_RNN", operands, [y], "SequenceRNNOptions", fusedActivationFunction=act, **options)
    m.output(y)
    return m


def lstm():
    """An input gate that is coupled to the forget gate, a bound on the cell state."""
    return lstm_layer(coupled=True, cellClip=10.0)


def lstm_int8():
    return lstm_layer("int8")


def fake_quant():
    """A float classifier as training with simulated quantization leaves it: weights rounded by an operator, and rounded
    already; a batch norm that is not folded, with a negative factor; a learned clip; a residual sum."""
    m = Model()
    rng = np.random.default_rng(5)

    def fake(x, shape, low, high, name, narrow=False):
        y = m.tensor(name, "float32", shape)
        m.op("FAKE_QUANT", [x], [y], "FakeQuantOptions", min=low, max=high, numBits=8, narrowRange=narrow)
        return y

    def step(code, operands, shape, options, **fields):
        y = m.tensor(code.lower(), "float32", shape)
        m.op(code, operands, [y], options, **fields)
        return y

    def real(name, *shape):
        return m.const(name, rng.normal(0, 0.4, shape).round(3).astype(np.float32))

    image, maps = [1, 6, 6, 4], [1, 6, 6, 8]
    x = fake(m.input("image", "float32", image), image, -1.0, 1.0, "image on its grid")
    w = fake(real("filter", 8, 3, 3, 4), [8, 3, 3, 4], -1.27, 1.27, "filter on its grid", narrow=True)
    y = step("CONV_2D", [x, w, None], maps, "Conv2DOptions", padding=SAME, strideH=1, strideW=1)
    factor = m.const("factor", np.array([0.5, -0.7, 1.1, 0.3, 0.9, -1.2, 0.6, 0.8], np.float32))
    y = step("ADD", [step("MUL", [y, factor], maps, "MulOptions"), real("shift", 8)], maps, "AddOptions",
             fusedActivationFunction=RELU6)
    a = fake(y, maps, 0.0, 6.0, "first")
    dw = m.const("depth filter", (rng.integers(-127, 128, (1, 3, 3, 8)) * 0.01).astype(np.float32))
    y = step("DEPTHWISE_CONV_2D", [a, dw, real("depth bias", 8)], maps, "DepthwiseConv2DOptions", padding=SAME, strideH=1,
             strideW=1, depthMultiplier=1)
    y = step("MINIMUM", [y, m.const("clip", np.array([5.08], np.float32))], maps, "MaximumMinimumOptions")
    y = step("MAXIMUM", [y, m.const("minus clip", np.array([-5.08], np.float32))], maps, "MaximumMinimumOptions")
    b = fake(y, maps, -5.08, 5.08, "second", narrow=True)
    c = fake(step("ADD", [a, b], maps, "AddOptions", fusedActivationFunction=RELU), maps, 0.0, 8.0, "sum")
    y = step("AVERAGE_POOL_2D", [c], [1, 1, 1, 8], "Pool2DOptions", padding=VALID, strideH=1, strideW=1, filterHeight=6, filterWidth=6)
    y = step("RESHAPE", [fake(y, [1, 1, 1, 8], 0.0, 4.0, "pooled"), ints(m, "shape", [1, 8])], [1, 8], "ReshapeOptions")
    y = step("FULLY_CONNECTED", [y, real("weights", 5, 8), real("bias", 5)], [1, 5], "FullyConnectedOptions")
    y = step("SOFTMAX", [fake(y, [1, 5], -4.0, 4.0, "logits")], [1, 5], "SoftmaxOptions", beta=1.0)
    m.output(fake(y, [1, 5], 0.0, 255 / 256, "probabilities"))
    return m


IMPORTED = [conv_int8, int4, epsilon, pool_bytes, wide_results, diagonals, conv_uint8, hybrid, float_ops, shapes, scalar,
            slices, slices_at_run_time, data_movement, composite, sparse, detection, state, lstm, lstm_int8,
            fake_quant]
IMPORTED = {**{make.__name__: make for make in IMPORTED}, **tflite_audio.IMPORTED, **tflite_control.IMPORTED, **tflite_tables.IMPORTED,
            **tflite_windows.IMPORTED}


# ---- Models that are refused, each for one reason, but for the first; the name says it ----

def several():
    """Two operators that are refused alike, a third that is for what it says alone although what it reads is not known, one that is
    left out for that, and one beside them."""
    m = Model()
    a, b = m.input("a", "float32", [2, 3]), m.input("b", "float32", [2, 3])
    t = [m.tensor(f"t{i}", "float32", [2, 3]) for i in range(5)]
    m.op("ADD", [a, b], [t[0]], "AddOptions", fusedActivationFunction=SIGN_BIT)
    m.op("GATHER", [t[0], m.const("at", np.array([0, 1], np.int32))], [t[1]], "GatherOptions", version=99)
    m.op("ADD", [t[0], t[1]], [t[2]], "AddOptions")
    m.op("ADD", [b, b], [t[3]], "AddOptions", fusedActivationFunction=SIGN_BIT)
    m.op("SUM", [b, m.const("axis", np.array([2], np.int32))], [t[4]], "ReducerOptions")
    for y in t[2:]:
        m.output(y)
    return m


def binary(op="ADD", options="AddOptions", a=("float32", [2, 3]), b=("float32", [3]), y=("float32", [2, 3]), **fields):
    m = Model()
    one, two, out = m.input("a", *a), m.input("b", *b), m.tensor("y", *y)
    m.op(op, [one, two], [out], options, **fields)
    m.output(out)
    return m


def conv(filter_shape=(2, 3, 3, 2), scale=0.25, zero=0, axis=0, x="float32", w=np.float32, out=(1, 4, 4, 2), bias=None,
         bias_type=None, w_value=0, **fields):
    m = Model()
    quantized = {"scale": 0.5, "zero": 0} if x == "int8" else {}
    image = m.input("image", x, [1, 4, 4, 2], **quantized)
    more = {"scale": scale, "zero": zero, "axis": axis} if w == np.int8 and scale else {}
    weights = m.const("filter", np.full(filter_shape, w_value, w), **more)
    operands = [image, weights]
    if bias is not None:
        operands.append(m.const("bias", np.zeros(bias, bias_type or (np.int32 if x == "int8" else np.float32))))
    y = m.tensor("y", x, out, **quantized)
    options = {"padding": SAME, "strideH": 1, "strideW": 1}
    options.update(fields)
    m.op("CONV_2D", operands, [y], "Conv2DOptions", **options)
    m.output(y)
    return m


def parameter(op, options, shape, value, out, dtype=np.int32, **fields):
    m = Model()
    x = m.input("x", "float32", shape)
    y = m.tensor("y", "float32", out)
    m.op(op, [x, m.const("p", np.array(value, dtype))], [y], options, **fields)
    m.output(y)
    return m


def changed(m, change):
    change(m)
    return m


def with_options(kind, **fields):
    """A table of another kind in place of the operator's options."""
    def change(m):
        m.graph.operators[0].builtinOptions = kind()
        for name, value in fields.items():
            setattr(m.graph.operators[0].builtinOptions, name, value)
    return change


def set_field(**fields):
    def change(m):
        for path, value in fields.items():
            table, _, field = path.rpartition("__")
            target = {"tensor0": lambda: m.graph.tensors[0], "last": lambda: m.graph.tensors[-1],
                      "op": lambda: m.graph.operators[0], "graph": lambda: m.graph, "model": lambda: m.model,
                      "code": lambda: m.model.operatorCodes[0]}[table]()
            setattr(target, field, value)
    return change


def quantization(**fields):
    def change(m):
        for name, value in fields.items():
            setattr(m.graph.tensors[0].quantization, name, value)
    return change


def int8_pair():
    m = Model()
    x = m.input("x", "int8", [4], scale=0.5, zero=0)
    y = m.tensor("y", "int8", [4], scale=0.5, zero=0)
    m.op("ABS", [x], [y], "AbsOptions")
    m.output(y)
    return m


def blockwise(m):
    q = m.graph.tensors[0].quantization
    q.detailsType, q.details = schema.QuantizationDetails.BlockwiseQuantization, schema.BlockwiseQuantizationT()


def sparse_with(levels, order=(0, 1)):
    def change(m):
        m.graph.tensors[1].sparsity = sparse_parameters(list(order), None, levels)
    return changed(sparse(), change)


def composite_with(subgraph):
    def change(m):
        m.graph.operators[0].builtinOptions2.decompositionSubgraphIndex = subgraph
    return changed(composite(), change)


def slice_with(begin, end, strides, **fields):
    m = Model()
    x = m.input("x", "float32", [4])
    y = m.tensor("y", "float32", [4])
    m.op("STRIDED_SLICE", [x, ints(m, "b", begin), ints(m, "e", end), ints(m, "s", strides)], [y], "StridedSliceOptions",
         **fields)
    m.output(y)
    return m


def range_at_run_time():
    m = Model()
    x, at, y = m.input("x", "float32", [4]), m.input("at", "int32", [1]), m.tensor("y", "float32", [2])
    m.op("STRIDED_SLICE", [x, at, ints(m, "e", [4]), ints(m, "s", [1])], [y], "StridedSliceOptions")
    m.output(y)
    return m


def rest_at_run_time():
    m = Model()
    x, at, y = m.input("x", "float32", [4]), m.input("at", "int32", [1]), m.tensor("y", "float32", [2])
    m.op("SLICE", [x, at, ints(m, "size", [-1])], [y], "SliceOptions")
    m.output(y)
    return m


def scatter(indices):
    m = Model()
    u = m.input("updates", "float32", [2])
    y = m.tensor("y", "float32", [4])
    m.op("SCATTER_ND", [ints(m, "indices", indices), u, ints(m, "shape", [4])], [y], "ScatterNdOptions")
    m.output(y)
    return m


def alpha_nan():
    m = Model()
    y = m.tensor("y", "float32", [2, 3])
    m.op("LEAKY_RELU", [m.input("x", "float32", [2, 3])], [y], "LeakyReluOptions", alpha=float("nan"))
    m.output(y)
    return m


def half_nan():
    m = Model()
    half = m.const("half", np.array([1, float("nan"), 3], np.float16))
    whole, out = m.tensor("whole", "float32", [3]), m.tensor("y", "float32", [2, 3])
    m.op("DEQUANTIZE", [half], [whole])
    m.op("ADD", [m.input("a", "float32", [2, 3]), whole], [out], "AddOptions")
    m.output(out)
    return m


REFUSED = {
    "version": lambda: changed(binary(), set_field(model__version=2)),
    "no_subgraph": lambda: changed(binary(), set_field(model__subgraphs=[])),
    "no_outputs": lambda: changed(binary(), set_field(graph__outputs=[])),
    "input_index": lambda: changed(binary(), set_field(graph__inputs=[0, 9])),
    "input_twice": lambda: changed(binary(), set_field(graph__inputs=[0, 0])),
    "output_index": lambda: changed(binary(), set_field(graph__outputs=[-1])),
    "output_never_computed": lambda: changed(binary(), set_field(graph__operators=[])),
    "opcode_index": lambda: changed(binary(), set_field(op__opcodeIndex=3)),
    "operator_unknown": lambda: changed(binary(), set_field(code__builtinCode=5000)),
    "operator_custom": lambda: changed(binary(), set_field(code__builtinCode=32, code__customCode="Magic")),
    "operator_unsupported": lambda: changed(binary(), set_field(code__builtinCode=200)),
    "operand_index": lambda: changed(binary(), set_field(op__inputs=[0, 17])),
    "operand_missing": lambda: changed(binary(), set_field(op__inputs=[0, -1])),
    "operand_count": lambda: changed(binary(), set_field(op__inputs=[0])),
    "operand_not_computed": lambda: changed(binary(), set_field(op__inputs=[0, 2])),
    "result_index": lambda: changed(binary(), set_field(op__outputs=[77])),
    "result_twice": lambda: changed(binary(), set_field(op__outputs=[0])),
    "options_of_another": lambda: binary(op="ADD", options="Conv2DOptions"),
    "broadcast": lambda: binary(b=("float32", [2])),
    "result_shape": lambda: binary(y=("float32", [2, 4])),
    "result_type": lambda: binary(y=("int32", [2, 3])),
    "types": lambda: binary(b=("int32", [3])),
    "tensor_type_string": lambda: changed(binary(), set_field(tensor0__type=5)),
    "tensor_type_int4": lambda: changed(binary(), set_field(tensor0__type=17)),
    "int4_short": lambda: changed(int4(), lambda m: setattr(m.model.buffers[1], "data", m.model.buffers[1].data[:-1])),
    "int4_sparse": lambda: changed(sparse_with([2, ([0, 2, 3], [0, 3, 1])]), lambda m: setattr(m.graph.tensors[1], "type", 17)),
    "tensor_type_unknown": lambda: changed(binary(), set_field(tensor0__type=99)),
    "tensor_rank": lambda: changed(binary(), set_field(tensor0__shape=[1] * 9)),
    "tensor_negative": lambda: changed(binary(), set_field(tensor0__shape=[-3, 3])),
    "tensor_huge": lambda: changed(binary(), set_field(tensor0__shape=[1 << 20, 1 << 20])),
    "tensor_overflow": lambda: changed(binary(), set_field(tensor0__shape=[2**31 - 1] * 8)),
    "several": several,
    "activation_sign_bit": lambda: binary(fusedActivationFunction=SIGN_BIT),
    "activation_tanh_int32": lambda: binary(a=("int32", [2, 3]), b=("int32", [3]), y=("int32", [2, 3]),
                                            fusedActivationFunction=TANH),
    "scale_negative": lambda: changed(int8_pair(), quantization(scale=[-1.0])),
    "scale_nan": lambda: changed(int8_pair(), quantization(scale=[float("nan")])),
    "scale_zero": lambda: changed(int8_pair(), quantization(scale=[0.0])),
    "scale_tiny": lambda: changed(int8_pair(), quantization(scale=[2.0**-47])),
    "scale_of_constant_tiny": lambda: epsilon(2.0**-91),
    "pool_bytes_relu": lambda: pool_bytes(RELU),
    "diagonal_long": lambda: diagonals(3),
    "zero_point_range": lambda: changed(int8_pair(), quantization(zeroPoint=[200])),
    "zero_point_count": lambda: changed(int8_pair(), quantization(zeroPoint=[1, 2, 3])),
    "scale_count": lambda: changed(int8_pair(), quantization(scale=[1.0] * 3, zeroPoint=[0] * 3)),
    "quantized_blockwise": lambda: changed(int8_pair(), blockwise),
    "quantized_dimension": lambda: conv(x="int8", w=np.int8, scale=[0.5, 0.25], zero=[0, 0], axis=7),
    "weights_dimension": lambda: conv(x="int8", w=np.int8, scale=[0.5, 0.25], zero=[0, 0], axis=3),
    "hybrid": lambda: conv(w=np.int8, scale=None, zero=None),
    "hybrid_zero": lambda: conv(w=np.int8, zero=3),
    "hybrid_bias": lambda: conv(w=np.int8, bias=2, bias_type=np.int32),
    "filter_depth": lambda: conv(filter_shape=(2, 3, 3, 5)),
    "filter_rank": lambda: conv(filter_shape=(2, 3, 3)),
    "bias_length": lambda: conv(bias=3),
    "stride_zero": lambda: conv(strideH=0),
    "dilation_negative": lambda: conv(dilationWFactor=-1),
    "padding_unknown": lambda: conv(padding=7),
    "window_too_large": lambda: conv(padding=VALID, dilationHFactor=9),
    "conv_result": lambda: conv(out=(1, 4, 5, 2)),
    "weights_nan": lambda: conv(w_value=float("nan")),
    "half_nan": half_nan,
    "alpha_nan": alpha_nan,
    "buffer_index": lambda: changed(conv(), lambda m: setattr(m.graph.tensors[1], "buffer", 400)),
    "buffer_short": lambda: changed(conv(), lambda m: setattr(m.model.buffers[1], "data", m.model.buffers[1].data[:-1])),
    "buffer_outside": lambda: changed(conv(), lambda m: (setattr(m.model.buffers[1], "data", None),
                                                         setattr(m.model.buffers[1], "offset", 1 << 40),
                                                         setattr(m.model.buffers[1], "size", 144))),
    "reshape_elements": lambda: parameter("RESHAPE", "ReshapeOptions", [2, 6], [5, -1], [5, 2]),
    "reshape_two_open": lambda: parameter("RESHAPE", "ReshapeOptions", [2, 6], [-1, -1], [2, 6]),
    "reshape_runtime": lambda: binary(op="RESHAPE", options="ReshapeOptions", b=("int32", [2])),
    "reshape_float_shape": lambda: parameter("RESHAPE", "ReshapeOptions", [2, 6], [3, 4], [3, 4], dtype=np.float32),
    "axis_outside": lambda: parameter("SUM", "ReducerOptions", [2, 6], [2], [2]),
    "permutation_twice": lambda: parameter("TRANSPOSE", "TransposeOptions", [2, 6], [1, 1], [6, 6]),
    "permutation_short": lambda: parameter("TRANSPOSE", "TransposeOptions", [2, 6], [0], [2, 6]),
    "pad_negative": lambda: parameter("PAD", "PadOptions", [2, 6], [[0, 0], [-1, 0]], [2, 5]),
    "pad_mirror_long": lambda: parameter("MIRROR_PAD", "MirrorPadOptions", [2, 6], [[2, 0], [0, 0]], [4, 6], mode=0),
    "gather_outside": lambda: parameter("GATHER", "GatherOptions", [2, 6], [0, 2], [2, 6], axis=0),
    "version_newer": lambda: parameter("GATHER", "GatherOptions", [2, 6], [0, 1], [2, 6], axis=0, version=99),
    "option_unknown": lambda: changed(parameter("MIRROR_PAD", "MirrorPadOptions", [2, 6], [[0, 0], [0, 0]], [2, 6]),
                                      with_options(tflite_writer.schema.PackOptionsT, axis=1)),
    "option_where_none": lambda: changed(parameter("PAD", "PadOptions", [2, 6], [[0, 0], [0, 0]], [2, 6]),
                                         with_options(tflite_writer.schema.ReducerOptionsT, keepDims=True)),
    "tile_huge": lambda: parameter("TILE", "TileOptions", [2, 6], [2**30, 2**30], [2, 6]),
    "fill_huge": lambda: parameter("BROADCAST_TO", "BroadcastToOptions", [1, 1], [2**16, 2**16], [1, 1]),
    "slice_stride_zero": lambda: slice_with([0], [4], [0]),
    "slice_too_many": lambda: slice_with([0, 0], [4, 4], [1, 1]),
    "slice_lengths": lambda: slice_with([0], [4, 4], [1]),
    "slice_shrink_outside": lambda: slice_with([4], [5], [1], shrinkAxisMask=1),
    "slice_range_at_run_time": range_at_run_time,
    "slice_rest_at_run_time": rest_at_run_time,
    "scatter_outside": lambda: scatter([[0], [4]]),
    "division_by_zero": lambda: changed(binary("FLOOR_DIV", "FloorDivOptions", a=("int32", [2]), b=("int32", [2]), y=("int32", [2])),
                                        lambda m: (m.graph.inputs.pop(), m.graph.operators[0].inputs.__setitem__(
                                            1, m.const("d", np.array([1, 0], np.int32))))),
    "sparse_order": lambda: sparse_with([2, ([0, 2, 3], [0, 3, 1])], order=(0, 0)),
    "sparse_descending": lambda: sparse_with([2, ([0, 2, 3], [3, 0, 1])]),
    "sparse_outside": lambda: sparse_with([2, ([0, 2, 3], [0, 4, 1])]),
    "sparse_segments": lambda: sparse_with([2, ([0, 9], [0, 3, 1])]),
    "sparse_values": lambda: sparse_with([2, ([0, 2, 4], [0, 3, 1, 2])]),
    "sparse_extent": lambda: sparse_with([3, ([0, 1, 2, 3], [0, 3, 1])]),
    "composite_itself": lambda: composite_with(0),
    "composite_missing": lambda: composite_with(12),
    "state_initial": lambda: state(initial=1),
    "state_unnamed": lambda: state(name=""),
    "state_type": lambda: state(kind="int32"),
    "state_handle": lambda: changed(state(), lambda m: m.graph.operators[2].inputs.__setitem__(0, 0)),
    "state_call_itself": lambda: changed(state(), lambda m: setattr(m.graph.operators[0].builtinOptions, "initSubgraphIndex", 0)),
    "lstm_peephole": lambda: lstm_layer(extra=(10, 11)),
    "lstm_projection": lambda: lstm_layer(extra=(16,)),
    "lstm_normalized": lambda: lstm_layer(extra=(20, 21, 22, 23)),
    "lstm_activation": lambda: lstm_layer(act=RELU),
    "lstm_hybrid": lambda: lstm_layer(weights="int8", asymmetricQuantizeInputs=True),
    "rnn_activation": lambda: rnn_layer(act=RELU6),
    "rnn_hybrid": lambda: rnn_layer("int8", asymmetricQuantizeInputs=True),
    "rnn_weight_shape": lambda: changed(rnn_layer(), lambda m: m.graph.operators[0].inputs.__setitem__(2, 1)),
    "lstm_coupled_int8": lambda: lstm_layer("int8", coupled=True),
    "lstm_not_variable": lambda: lstm_layer(variable=False),
    "lstm_clip_negative": lambda: lstm_layer(cellClip=-1.0),
    "lstm_state_batch": lambda: lstm_layer(time_major=True),
    "lstm_hidden_scale": lambda: lstm_layer("int8", hidden_scale=0.5),
    "lstm_cell_scale": lambda: lstm_layer("int8", cell_scale=0.001),
    "lstm_intermediates": lambda: changed(lstm_layer("int8"), lambda m: m.graph.operators[0].intermediates.pop()),
    "lstm_weight_shape": lambda: changed(lstm_layer(), lambda m: m.graph.operators[0].inputs.__setitem__(6, 3)),
    "detection_option": lambda: detection(num_classes=7),
    "detection_range": lambda: detection(max_detections=0),
    **tflite_audio.REFUSED,
    **tflite_control.REFUSED,
    **tflite_tables.REFUSED,
    **tflite_windows.REFUSED,
}


def main(folder):
    os.makedirs(os.path.join(folder, "refused"), exist_ok=True)
    for name, make in IMPORTED.items():
        make().save(os.path.join(folder, name + ".tflite"))
    for name, make in REFUSED.items():
        make().save(os.path.join(folder, "refused", name + ".tflite"))


if __name__ == "__main__":
    if tflite_writer.available():
        sys.exit(f"make_models: {tflite_writer.available()}")
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
