"""make_onnx_models.py: writes the models of tests/data/onnx, small ones in ONNX Runtime's format, and what they come to.

    make_onnx_models.py FOLDER [NAME ...]        (needs numpy, onnx and onnxruntime)

For each model NAME.ort there is NAME.json: the inputs, made by the rule of tests/frontends/ort_expected.py, and ONNX Runtime's
outputs without optimizations.  Weights are seeded; fake-quantized models take their ranges from the float model's values.
The files differ from run to run in the order of their tables only.
"""

import json
import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import onnx_control  # noqa: E402
import onnx_composed  # noqa: E402
import onnx_convolutions  # noqa: E402
import onnx_narrow  # noqa: E402
import onnx_resampled  # noqa: E402
import ort_onnx  # noqa: E402
import ort_writer  # noqa: E402
from onnx_graph import Graph, Quantizer, made_inputs, session  # noqa: E402


# ---- Models ----

def cnn(seed=1, ends=True):
    """A convolutional network: residual add, depthwise, pools, concatenation, upsampling, a classifier."""
    g = Graph(seed)
    x = g.input("image", [1, 3, 20, 20])
    x = g.op("Relu", g.conv(x, 3, 8, stride=2))
    y = g.op("Clip", g.conv(x, 8, 16, kernel=1), g.real(0), g.real(6))
    y = g.op("Clip", g.conv(y, 16, 16, groups=16), g.real(0), g.real(6))
    y = g.conv(y, 16, 8, kernel=1)
    x = g.op("Add", x, y)
    p = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    a = g.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    c = g.op("Concat", p, a, axis=1)
    s = g.op("Sigmoid", g.conv(c, 16, 16, kernel=1, bias=False))
    c = g.op("Mul", c, s)
    u = g.op("Resize", g.op("LeakyRelu", g.conv(c, 16, 8), alpha=0.1), "", g.constant(np.array([1, 1, 2, 2], np.float32)),
             mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = g.op("Add", u, x)
    g.output(x)
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    x = g.op("Gemm", x, g.normal(10, 8), g.normal(10, deviation=0.1), transB=1)
    g.output(g.op("Softmax", x, axis=1) if ends else x)
    return g.model()


def attention(seed=2):
    """A transformer's layer: projections, attention over two heads, layer norm, GELU."""
    g = Graph(seed)
    x = g.input("tokens", [1, 6, 16])
    heads = []
    for name in "qkv":
        y = g.op("Add", g.op("MatMul", x, g.normal(16, 16, deviation=0.25)), g.normal(16, deviation=0.1))
        heads.append(g.op("Transpose", g.op("Reshape", y, g.ints(1, 6, 2, 8)), perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]))
    scores = g.op("Div", g.op("MatMul", heads[0], heads[1]), g.real(8 ** 0.5))
    y = g.op("MatMul", g.op("Softmax", scores, axis=-1), heads[2])
    y = g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), g.ints(1, 6, 16))
    x = g.op("Add", x, g.op("Add", g.op("MatMul", y, g.normal(16, 16, deviation=0.25)), g.normal(16, deviation=0.1)))
    x = g.op("LayerNormalization", x, g.normal(16, deviation=1), g.normal(16, deviation=0.1), axis=-1)
    y = g.op("Gelu", g.op("Add", g.op("MatMul", x, g.normal(16, 32, deviation=0.25)), g.normal(32, deviation=0.1)),
             domain="com.microsoft")
    g.output(g.op("Add", x, g.op("MatMul", y, g.normal(32, 16, deviation=0.2))))
    return g.model()


def attention_operators(seed=21):
    """Attention as operators of com.microsoft: with a mask of places, and with biases, projections and scores added to."""
    g, ms = Graph(seed), {"domain": "com.microsoft"}
    x, scores = g.input("tokens", [2, 6, 16]), g.input("scores", [1, 2, 6, 6])
    places = g.constant(np.array([[1] * 6, [1] * 4 + [0] * 2], np.int32), "places")
    y = g.op("Attention", x, g.normal(16, 48, deviation=0.25), g.normal(48, deviation=0.1), places, num_heads=2, **ms)
    g.output(y)
    parts = [g.op("MatMul", y, g.normal(16, 16, deviation=0.25)) for _ in range(3)]
    g.output(g.op("MultiHeadAttention", *parts, g.normal(48, deviation=0.1), "", scores, num_heads=2, scale=0.5, **ms))
    return g.model()


def elementwise(seed=3):
    """Operators of one and two operands, in both layouts."""
    g = Graph(seed)
    x, y = g.input("x", [1, 4, 5, 6]), g.input("y", [4, 1, 6])
    c = g.conv(x, 4, 4)
    parts = [g.op(kind, c) for kind in ("Abs", "Neg", "Exp", "Sin", "Cos", "Tanh", "Sigmoid", "Ceil", "Floor", "Round",
                                        "Sign", "HardSwish", "Elu", "Erf", "Softplus", "Mish", "Softsign", "Selu")]
    parts += [g.op("Sqrt", g.op("Abs", c)), g.op("Celu", c, alpha=0.7), g.op("Elu", c, alpha=0.3),
              g.op("ThresholdedRelu", c, alpha=0.2)]
    parts += [g.op("HardSigmoid", c, alpha=0.3, beta=0.4), g.op("Gelu", c, domain="com.microsoft"),
              g.op("PRelu", c, g.normal(4, 1, 1)),
              g.op("Clip", c, g.real(-0.5), g.real(0.75)), g.op("Log", g.op("Add", g.op("Abs", c), g.real(1))),
              g.op("Reciprocal", g.op("Add", g.op("Exp", c), g.real(1)))]
    parts += [g.op(kind, c, y) for kind in ("Add", "Sub", "Mul", "Div", "Min", "Max")]
    parts += [g.op("Pow", g.op("Abs", c), g.real(p)) for p in (2, 0.5, 1.5)]
    parts.append(g.op("Where", g.op("Less", c, y), c, y))
    parts.append(g.op("Where", g.op("Not", g.op("Or", g.op("Greater", c, y), g.op("Equal", c, c))), y, c))
    total = parts[0]
    for p in parts[1:]:
        total = g.op("Add", total, p)
    g.output(total)
    g.output(g.op("Cast", g.op("Round", g.op("Mul", c, g.real(8))), to=TensorProto.INT32))
    return g.model()


def moves(seed=4):
    """Data movement, windows, computed shapes."""
    g = Graph(seed)
    x = g.input("x", [1, 4, 6, 6])
    c = g.conv(x, 4, 4)
    s = g.op("Shape", c)
    for v in (g.op("DepthToSpace", c, blocksize=2, mode="DCR"), g.op("DepthToSpace", c, blocksize=2, mode="CRD"),
              g.op("SpaceToDepth", c, blocksize=2), g.op("Gather", c, g.ints(3, 0), axis=1),
              g.op("Tile", g.op("Slice", c, g.ints(5), g.ints(0), g.ints(2), g.ints(-2)), g.ints(1, 2, 1, 3)),
              g.op("Expand", g.op("ReduceMax", c, g.ints(2, 3)), s),
              g.op("Reshape", c, g.op("Concat", g.op("Slice", s, g.ints(0), g.ints(1)), g.ints(-1), axis=0)),
              g.op("Resize", c, "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
                   coordinate_transformation_mode="half_pixel"),
              g.op("Resize", c, "", "", g.ints(1, 4, 11, 11), mode="linear", coordinate_transformation_mode="align_corners"),
              g.op("ConvTranspose", c, g.normal(4, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]),
              g.op("Transpose", g.op("Squeeze", g.op("Unsqueeze", c, g.ints(0)), g.ints(0)), perm=[1, 3, 0, 2]),
              *g.op("Split", c, g.ints(1, 3), outputs=2, axis=1),
              g.op("Pad", c, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")):
        g.output(v)
    return g.model()


def reductions(seed=15):
    """Reductions, pools, normalisations, running sums."""
    g = Graph(seed)
    x = g.input("x", [1, 4, 6, 6])
    c = g.conv(x, 4, 4)
    padded = g.op("Pad", c, g.ints(0, 0, 1, 2, 0, 0, 1, 0), g.real(0.5), mode="constant")
    for v in (g.op("ReduceMean", c, g.ints(2, 3), keepdims=0), g.op("ReduceMax", c, g.ints(1), keepdims=1),
              g.op("ReduceSum", padded, g.ints(1), keepdims=0), g.op("ReduceMin", c, g.ints(-1), keepdims=0),
              g.op("ReduceProd", c, g.ints(1), keepdims=0), g.op("ReduceL1", c, g.ints(2), keepdims=0),
              g.op("ReduceL2", c, g.ints(1), keepdims=0), g.op("ReduceLogSumExp", c, g.ints(-1), keepdims=0),
              g.op("ReduceSumSquare", c, g.ints(0), keepdims=0), g.op("ArgMax", c, axis=1, keepdims=0),
              g.op("InstanceNormalization", c, g.normal(4, deviation=1), g.normal(4, deviation=1)), g.op("LogSoftmax", c, axis=1),
              g.op("CumSum", c, g.ints(3)), g.op("MaxPool", c, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
              g.op("AveragePool", c, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)):
        g.output(v)
    return g.model()


def sequence(seed=5):
    """One-dimensional convolutions, as networks for sound have them, and an instance norm."""
    g = Graph(seed)
    x = g.input("sound", [1, 4, 40])
    x = g.op("Relu", g.op("Conv", x, g.normal(8, 4, 5), g.normal(8, deviation=0.1), kernel_shape=[5], strides=[2], pads=[2, 2]))
    x = g.op("Relu", g.op("Conv", x, g.normal(8, 1, 3), kernel_shape=[3], group=8, dilations=[2], pads=[2, 2]))
    x = g.op("MaxPool", g.op("Conv", x, g.normal(12, 8, 1), kernel_shape=[1]), kernel_shape=[2], strides=[2])
    g.output(g.op("ReduceMean", x, g.ints(-1), keepdims=0))
    return g.model()


def explicit(seed=22):
    """Real values between quantized ones: what has no quantize behind it, and weights with a scale for each channel of the operand."""
    g = Graph(seed)
    scale, zero = g.real(0.02), g.constant(np.uint8(125))

    def bytes_of(x):
        return g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero), scale, zero)

    def weights(*shape, axis=None):
        q = g.constant(g.random.integers(-127, 128, shape).astype(np.int8), "w")
        if axis is None:
            return g.op("DequantizeLinear", q, g.real(0.01), g.constant(np.int8(0)))
        scales = g.constant(g.random.uniform(0.0005, 0.05, shape[axis]).astype(np.float32), "s")
        return g.op("DequantizeLinear", q, scales, g.constant(np.zeros(shape[axis], np.int8)), axis=axis)

    def sparse(*shape):
        """Few and small: a bias is not much less than what the integers count in."""
        q = g.constant((g.random.random(shape) < 0.1).astype(np.int8), "w")
        return g.op("DequantizeLinear", q, g.real(0.01), g.constant(np.int8(0)))

    image = bytes_of(g.input("image", [1, 4, 6, 6]))
    g.output(g.op("GlobalAveragePool", image))
    g.output(g.op("AveragePool", image, kernel_shape=[2, 2], strides=[2, 2]))
    g.output(g.op("ReduceMean", image, g.ints(1), keepdims=0))
    g.output(g.op("Resize", image, "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
                  coordinate_transformation_mode="half_pixel"))
    g.output(g.op("InstanceNormalization", image, g.normal(4, deviation=1), g.normal(4, deviation=1)))
    g.output(g.op("Conv", g.op("Mul", image, g.op("Sigmoid", image)), weights(4, 4, 3, 3, axis=0), kernel_shape=[3, 3]))
    g.output(g.op("Conv", g.op("MaxPool", g.op("Relu", image), kernel_shape=[2, 2], strides=[2, 2]), weights(4, 4, 1, 1)))
    g.output(g.op("Conv", g.op("Clip", image, g.real(0), g.real(0.33)), weights(4, 4, 1, 1)))
    rows = bytes_of(g.input("rows", [3, 24]))
    for kind in ("Softmax", "Sigmoid", "Tanh", "LogSoftmax"):
        g.output(g.op("MatMul", g.op(kind, rows), weights(24, 5)))
    for moved, inside in ((g.op("Reshape", g.op("Softmax", rows), g.ints(9, 8)), 8),
                          (g.op("Transpose", g.op("Sigmoid", rows), perm=[1, 0]), 3),
                          (g.op("Concat", g.op("Softmax", rows), g.op("Tanh", rows), axis=1), 48)):
        g.output(g.op("MatMul", moved, weights(inside, 5)))
    y = g.op("MatMul", rows, weights(24, 5, axis=0))
    g.output(y)
    g.output(bytes_of(y))
    g.output(g.op("MatMul", rows, weights(24, 5, axis=1)))
    for bias in (g.normal(5, deviation=1e-4), g.normal(5, deviation=1e8),
                 g.op("DequantizeLinear", g.constant(g.random.integers(-99, 99, 5).astype(np.int32)), g.real(0.003))):
        g.output(g.op("Add", g.op("MatMul", rows, sparse(24, 5)), bias))
    g.output(g.op("Conv", image, sparse(4, 4, 2, 2), g.normal(4, deviation=1e-4)))
    g.output(g.op("Conv", image, sparse(4, 1, 3, 3), g.normal(4, deviation=1e-4), group=4))
    return g.model()


def computed_constants(seed=25):
    """What operators need as constants, computed in the graph: dequantized, quantized, and large sums that shapes follow from."""
    g = Graph(seed)

    def dequantized(*shape, axis=None):
        q = g.constant(g.random.integers(-127, 128, shape).astype(np.int8), "q")
        if axis is None:
            return g.op("DequantizeLinear", q, g.real(0.01), g.constant(np.int8(3)))
        return g.op("DequantizeLinear", q, g.constant(g.random.uniform(0.002, 0.01, shape[axis]).astype(np.float32)), axis=axis)

    def quantized(*shape, scale=0.01, zero=np.int8(0)):
        return g.op("QuantizeLinear", g.normal(*shape), g.real(scale), g.constant(zero))

    image, rows, steps = g.input("image", [1, 3, 6, 6]), g.input("rows", [3, 8]), g.input("steps", [5, 2, 4])
    g.output(g.op("BatchNormalization", image, dequantized(3), dequantized(3), g.normal(3, deviation=1), g.op("Abs", dequantized(3))))
    g.output(g.op("LSTM", steps, dequantized(1, 24, 4, axis=1), dequantized(1, 24, 6), dequantized(1, 48), hidden_size=6))
    g.output(g.op("GRU", steps, g.op("Transpose", dequantized(1, 4, 18), perm=[0, 2, 1]), dequantized(1, 18, 6), hidden_size=6))
    scale, zero = g.real(1 / 128), g.constant(np.uint8(128))
    bytes_of, weights = g.op("QuantizeLinear", image, scale, zero), quantized(4, 3, 3, 3)
    ends = (g.real(0.05), g.constant(np.uint8(120)))
    y = g.op("QLinearConv", bytes_of, scale, zero, weights, g.real(0.01), g.constant(np.int8(0)), *ends)
    g.output(g.op("DequantizeLinear", y, *ends))
    g.output(g.op("Conv", image, g.op("DequantizeLinear", weights, g.real(0.01), g.constant(np.int8(0)))))
    g.output(g.op("ConvInteger", bytes_of, quantized(4, 3, 3, 3, zero=np.uint8(128)), zero, g.constant(np.uint8(128))))
    whole = g.op("QuantizeLinear", rows, scale, zero)
    g.output(g.op("MatMulInteger", whole, quantized(8, 5, scale=0.05), zero, g.constant(np.int8(0))))
    shared = dequantized(8, 8)
    g.output(g.op("MatMul", g.op("DequantizeLinear", whole, scale, zero), shared))
    g.output(g.op("RNN", g.op("Reshape", rows, g.ints(3, 1, 8)), g.op("Unsqueeze", shared, g.ints(0)), dequantized(1, 8, 8), hidden_size=8))
    many = g.op("ReduceMax", g.constant(np.arange(5000, dtype=np.float32) % 7), g.ints(0), keepdims=1)
    g.output(g.op("Reshape", rows, g.op("Concat", g.op("Cast", many, to=TensorProto.INT64), g.ints(4), axis=0)))
    return g.model()


def bounded_integers(seed=26):
    """Integers between bounds: those that stand for real numbers, so that their range is narrower than the type's, and plain ones."""
    g = Graph(seed)
    image, counts = g.input("image", [1, 3, 6, 6]), g.input("counts", [2, 7], TensorProto.INT32)
    q = (g.real(0.02), g.constant(np.int8(-5)))
    y = g.op("DequantizeLinear", g.op("Clip", g.op("QuantizeLinear", image, *q), g.constant(np.int8(-31)), g.constant(np.int8(30))), *q)
    g.output(y)
    g.output(g.op("DequantizeLinear", g.op("Clip", g.op("QuantizeLinear", g.conv(y, 3, 4), *q), "", g.constant(np.int8(7))), *q))
    u = (g.real(0.02), g.constant(np.uint8(128)))
    g.output(g.op("DequantizeLinear", g.op("Clip", g.op("QuantizeLinear", image, *u), g.constant(np.uint8(100))), *u))
    g.output(g.op("DequantizeLinear", g.op("Relu", g.op("QuantizeLinear", image, *q)), *q))
    g.output(g.op("Clip", counts, g.constant(np.int32(3)), g.constant(np.int32(11))))
    return g.model()


def channels_last(seed=27):
    """Images whose channels the file has last, made larger: real and quantized."""
    g = Graph(seed)
    x = g.input("image", [1, 5, 4, 3])
    scales = g.constant(np.array([1, 2, 2, 1], np.float32))
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    g.output(g.op("Resize", x, "", scales, **nearest))
    g.output(g.op("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel"))
    g.output(g.op("Resize", x, "", "", g.ints(1, 15, 4, 3), **nearest))
    q = (g.real(0.02), g.constant(np.uint8(120)))
    g.output(g.op("DequantizeLinear", g.op("Resize", g.op("QuantizeLinear", x, *q), "", scales, **nearest), *q))
    c = g.op("Resize", g.op("Transpose", g.conv(g.op("Transpose", x, perm=[0, 3, 1, 2]), 3, 4), perm=[0, 2, 3, 1]), "", scales, **nearest)
    g.output(g.op("Transpose", c, perm=[0, 3, 1, 2]))
    return g.model()


def decoder(seed=16):
    """What widens images: transposed convolution, bilinear resize, pixel shuffle; averages with padding, a squeeze and
    excitation."""
    g = Graph(seed)
    x = g.op("HardSwish", g.conv(g.input("image", [1, 4, 8, 8]), 4, 8, stride=2))
    s = g.op("Relu", g.conv(g.op("GlobalAveragePool", x), 8, 4, kernel=1))
    x = g.op("Mul", x, g.op("HardSigmoid", g.conv(s, 4, 8, kernel=1), alpha=1 / 6, beta=0.5))
    a = g.op("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = g.op("Sub", x, a)
    y = g.op("Relu", g.op("ConvTranspose", x, g.normal(8, 4, 2, 2), g.normal(4, deviation=0.1), kernel_shape=[2, 2],
                          strides=[2, 2]))
    z = g.op("Resize", g.conv(x, 8, 4, kernel=1), "", g.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
             coordinate_transformation_mode="half_pixel")
    d = g.op("DepthToSpace", g.conv(x, 8, 16, groups=2), blocksize=2, mode="CRD")
    first, last = g.op("Split", g.op("Concat", y, z, d, axis=1), g.ints(4, 8), outputs=2, axis=1)
    x = g.op("Add", first, g.op("MaxPool", g.conv(last, 8, 4), kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    g.output(g.op("Sigmoid", g.op("Slice", x, g.ints(1, 0), g.ints(7, 8), g.ints(2, 3), g.ints(1, 2))))
    return g.model()


def fused(seed=6):
    """What ONNX Runtime's optimizer makes of float networks: FusedConv, FusedGemm, SkipLayerNormalization, BiasGelu …"""
    g = Graph(seed)
    x = g.input("image", [1, 3, 8, 8])
    x = g.op("Relu", g.conv(x, 3, 8))
    x = g.op("LeakyRelu", g.conv(x, 8, 8), alpha=0.2)
    x = g.op("Clip", g.op("Add", x, g.conv(x, 8, 8)), g.real(-1), g.real(1))
    x = g.op("HardSigmoid", g.conv(x, 8, 16, stride=2))
    x = g.op("Reshape", x, g.ints(1, 16, 16))
    y = g.op("Gelu", g.op("Add", g.op("MatMul", x, g.normal(16, 16)), g.normal(16, deviation=0.1)), domain="com.microsoft")
    x = g.op("LayerNormalization", g.op("Add", x, y), g.normal(16, deviation=1), g.normal(16, deviation=0.1), axis=-1)
    y = g.op("MatMul", x, g.op("Transpose", x, perm=[0, 2, 1]))
    y = g.op("Softmax", g.op("Mul", y, g.real(0.25)), axis=-1)
    x = g.op("Relu", g.op("Gemm", g.op("Reshape", y, g.ints(16, 16)), g.normal(16, 8), g.normal(8, deviation=0.1)))
    g.output(x)
    return g.model()


def recurrent(seed=15):
    """Layers over a sequence: in each direction and in both, with and without biases and initial states."""
    g = Graph(seed)
    x = g.input("steps", [5, 2, 6])

    def layer(kind, gates, x, inside, units, direction="forward", bias=True, states=(), **more):
        ways = 2 if direction == "bidirectional" else 1
        operands = [g.normal(ways, gates * units, inside, deviation=0.5), g.normal(ways, gates * units, units, deviation=0.5)]
        operands.append(g.normal(ways, 2 * gates * units, deviation=0.3) if bias else "")
        while states or not operands[-1]:
            if not states:
                operands.pop()
                continue
            operands += ["", *states]
            states = ()
        return g.op(kind, x, *operands, hidden_size=units, direction=direction, outputs=3 if kind == "LSTM" else 2, **more)

    def rows(y, ways, units):
        return g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), g.ints(5, 2, ways * units))

    h, c = g.input("h", [2, 2, 8]), g.normal(2, 2, 8, deviation=0.5)
    y, last_h, last_c = layer("LSTM", 4, x, 6, 8, "bidirectional", states=(h, c))
    g.output(last_h)
    y, _, last_c = layer("LSTM", 4, rows(y, 2, 8), 16, 5, "reverse", bias=False)
    g.output(last_c)
    y, _, _ = layer("LSTM", 4, rows(y, 1, 5), 5, 4)
    y, last_h = layer("GRU", 3, rows(y, 1, 4), 4, 6, "bidirectional", linear_before_reset=1)
    g.output(last_h)
    y, _ = layer("GRU", 3, rows(y, 2, 6), 12, 5, "reverse", bias=False, linear_before_reset=1)
    y, last_h = layer("GRU", 3, rows(y, 1, 5), 5, 7, "bidirectional", states=(g.normal(2, 2, 7),))
    g.output(last_h)
    y, last_h = layer("RNN", 1, rows(y, 2, 7), 14, 5, "bidirectional", activations=["Relu", "Relu"])
    g.output(last_h)
    y, _ = layer("RNN", 1, rows(y, 2, 5), 10, 3)
    g.output(y)
    return g.model()


def dynamic(seed=16):
    """Quantization at run time: products and convolutions of integers, with what follows them and without."""
    g = Graph(seed)

    def integers(low, high, *shape, kind=np.int8):
        return g.constant(g.random.integers(low, high + 1, shape).astype(kind), "w")

    def scaled(product, scale, *shape):
        weights = g.constant(g.random.uniform(0.005, 0.02, shape).astype(np.float32), "s")
        return g.op("Mul", g.op("Cast", product, to=TensorProto.FLOAT), g.op("Mul", scale, weights))

    x = g.input("x", [2, 5, 24])
    image = g.input("image", [1, 4, 7, 6])
    q, s, z = g.op("DynamicQuantizeLinear", x, outputs=3)
    w = integers(-127, 127, 24, 17)
    y = g.op("Relu", g.op("Add", scaled(g.op("MatMulInteger", q, w, z), s, 17), g.normal(17, deviation=0.1)))
    g.output(g.op("MatMulInteger", q, integers(0, 255, 24, 9, kind=np.uint8), z, g.constant(np.uint8(131))))
    q, s, z = g.op("DynamicQuantizeLinear", y, outputs=3)
    w = integers(-127, 127, 17, 33)
    g.output(g.op("MatMulIntegerToFloat", q, w, s, g.real(0.01), z, domain="com.microsoft"))
    g.output(g.op("DynamicQuantizeMatMul", y, w, g.real(0.02), "", g.normal(33, deviation=0.5), domain="com.microsoft"))
    zero = g.constant(np.int8(-7))
    signed = g.op("QuantizeLinear", y, g.real(0.05), zero)
    g.output(g.op("MatMulInteger", signed, w, zero))
    q, s, z = g.op("DynamicQuantizeLinear", image, outputs=3)
    zero = g.constant(np.uint8(120))
    c = g.op("ConvInteger", q, integers(0, 255, 8, 4, 3, 3, kind=np.uint8), z, zero, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    g.output(g.op("Relu", g.op("Add", scaled(c, s), g.normal(1, 8, 1, 1, deviation=0.1))))
    c = g.op("ConvInteger", q, integers(0, 255, 4, 1, 3, 3, kind=np.uint8), z, zero, kernel_shape=[3, 3], strides=[2, 2], group=4)
    g.output(scaled(c, s, 1))
    return g.model()


def language(seed=21):
    """What optimizers of networks for text write: embeddings, norms with a residual; selections, products with vectors."""
    g = Graph(seed)
    ids, segments = g.input("ids", [2, 5], TensorProto.INT64), g.input("segments", [2, 5], TensorProto.INT64)
    ids, segments = (g.op("Cast", v, to=TensorProto.INT32) for v in (ids, segments))
    x = g.op("EmbedLayerNormalization", ids, segments, g.normal(16, 8, deviation=1), g.normal(7, 8, deviation=1),
             g.normal(16, 8, deviation=1), g.normal(8, deviation=1), g.normal(8, deviation=1), outputs=2, domain="com.microsoft")[0]
    y = g.op("MatMul", x, g.normal(8, 8))
    x = g.op("SkipSimplifiedLayerNormalization", x, y, g.normal(8, deviation=1), g.normal(8, deviation=1), domain="com.microsoft")
    g.output(g.op("SimplifiedLayerNormalization", x, g.normal(8, deviation=1), axis=-1))
    for v in (*g.op("TopK", x, g.ints(3), outputs=2), *g.op("TopK", x, g.ints(2), outputs=2, axis=1, largest=0),
              g.op("MatMul", x, g.normal(8, deviation=1)), g.op("MatMul", g.normal(5, deviation=1), x),
              g.op("Range", g.constant(np.int64(2)), g.constant(np.int64(11)), g.constant(np.int64(3))),
              g.op("ConstantOfShape", g.ints(2, 3), value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5]))):
        g.output(v)
    return g.model()


def indices(seed=25):
    """Gathers by indices that are known at run time, and count from both ends: -8 to 7, of types, ranks and dimensions."""
    g = Graph(seed)
    x, ids = g.input("x", [8, 3, 8]), g.input("ids", [3, 2], TensorProto.INT64)
    at = g.op("Sub", ids, g.ints(8))
    short = g.op("Cast", at, to=TensorProto.INT32)
    third = g.op("Sub", g.op("Mod", ids, g.ints(6)), g.ints(3))
    one = g.op("Squeeze", g.op("Slice", g.op("Reshape", at, g.ints(6)), g.ints(0), g.ints(1)), g.ints(0))
    q = g.op("QuantizeLinear", x, g.real(0.01), g.constant(np.uint8(128)))
    for v in (g.op("Gather", x, at, axis=0), g.op("Gather", x, short, axis=-1), g.op("Gather", x, third, axis=1),
              g.op("Gather", x, one, axis=2), g.op("Gather", q, short, axis=0),
              g.op("Gather", at, g.op("Sub", g.op("Mod", ids, g.ints(4)), g.ints(2)), axis=0),
              g.op("Gather", x, g.ints(-1, 2, -3), axis=1), g.op("GatherND", x, g.constant(np.array([[-1, 2], [0, -3]]))),
              g.op("DequantizeLinear", g.op("Gather", q, third, axis=1), g.real(0.01), g.constant(np.uint8(128)))):
        g.output(v)
    return g.model()


def tuples(seed=26):
    """Tuples of indices that the model computes, of all lengths, which count from both ends."""
    g = Graph(seed)
    x, ids = g.input("x", [4, 3, 5]), g.input("ids", [2, 4, 3], TensorProto.INT64)
    at = g.op("Sub", g.op("Mod", ids, g.ints(8, 6, 10)), g.ints(4, 3, 5))
    pairs = g.op("Slice", at, g.ints(0), g.ints(2), g.ints(2))
    rows = g.op("Slice", at, g.ints(0), g.ints(1), g.ints(2))
    images = g.op("Conv", g.op("Unsqueeze", x, g.ints(0)), g.normal(3, 4, 1, 1), kernel_shape=[1, 1])  # channels last inside
    places = g.op("Concat", g.constant(np.zeros((2, 4, 1), np.int64)), g.op("Sub", g.op("Mod", ids, g.ints(6)), g.ints(3)), axis=2)
    q = g.op("QuantizeLinear", x, g.real(0.01), g.constant(np.uint8(128)))
    for v in (g.op("GatherND", x, rows), g.op("GatherND", x, pairs), g.op("GatherND", x, at),
              g.op("GatherND", at, g.op("Sub", g.op("Mod", rows, g.ints(4)), g.ints(2))),
              g.op("GatherND", images, g.op("Slice", places, g.ints(0), g.ints(2), g.ints(2))), g.op("GatherND", images, places),
              g.op("DequantizeLinear", g.op("GatherND", q, pairs), g.real(0.01), g.constant(np.uint8(128)))):
        g.output(v)
    return g.model()


def batches(seed=23):
    """Several images, of one line or one pixel: what a batch adds to 1-D convolutions, pools and products."""
    g = Graph(seed)
    line, image = g.input("line", [3, 6, 12]), g.input("image", [2, 4, 2, 9])

    def conv(x, channels, *kernel, groups=1, **attributes):
        inside = {line: 6, image: 4}.get(x, channels)
        return g.op("Conv", x, g.normal(channels, inside // groups, *kernel), g.normal(channels, deviation=0.1), group=groups,
                    **attributes)

    g.output(conv(line, 5, 3))
    g.output(conv(line, 5, 3, pads=[2, 1], dilations=[2], strides=[2]))
    g.output(conv(line, 7, 12))
    g.output(conv(line, 12, 5, groups=6, strides=[5]))
    g.output(conv(line, 4, 3, groups=2, auto_pad="SAME_LOWER", strides=[2]))
    for stride in ([2, 1], [2, 9], [1, 2], [3, 2]):
        g.output(conv(image, 5, 2, 2, strides=stride))
        g.output(conv(image, 4, 1, 3, strides=stride, pads=[0, 1, 0, 1], groups=4))
    g.output(conv(image, 17, 2, 9))
    g.output(conv(conv(image, 6, 2, 9), 6, 1, 1, strides=[2, 2]))
    g.output(g.op("MaxPool", line, kernel_shape=[3], strides=[4], ceil_mode=1))
    g.output(g.op("AveragePool", image, kernel_shape=[2, 9], strides=[2, 9]))
    g.output(g.op("AveragePool", image, kernel_shape=[2, 3], pads=[1, 1, 0, 0], strides=[2, 1]))
    g.output(g.op("ConvTranspose", g.op("MaxPool", image, kernel_shape=[2, 9]), g.normal(4, 3, 2, 3), strides=[2, 3]))
    flat = g.op("Relu", g.op("Flatten", g.op("GlobalAveragePool", line)))
    g.output(g.op("Gemm", flat, g.normal(8, 6), transB=1))
    return g.model()


def branches(seed=19):
    """A condition that follows from shapes, in a graph within a graph, too."""
    g = Graph(seed)
    x = g.input("x", [1, 4, 6, 6])
    c = g.op("Relu", g.conv(x, 4, 4))
    kinds = helper.make_tensor_value_info
    outer = Graph(seed + 1)
    weights = [numpy_helper.from_array(outer.random.standard_normal((4, 4, 1, 1)).astype(np.float32), f"branch_w{k}")
               for k in range(2)]
    nested = [helper.make_graph([helper.make_node("Conv", [c, weights[k].name], ["deep"])], f"deep{k}",
                                [], [kinds("deep", TensorProto.FLOAT, None)], [weights[k]]) for k in range(2)]
    then = helper.make_graph([helper.make_node("If", ["flag"], ["inside"], then_branch=nested[0], else_branch=nested[1]),
                              helper.make_node("Tanh", ["inside"], ["then_out"])], "then", [],
                             [kinds("then_out", TensorProto.FLOAT, None)])
    other = helper.make_graph([helper.make_node("Neg", [c], ["else_out"])], "else", [],
                              [kinds("else_out", TensorProto.FLOAT, None)])
    g.nodes.append(helper.make_node("Not", [g.op("Equal", g.op("Shape", c, start=2, end=3), g.ints(6))], ["flag"]))
    flag = g.op("Less", g.op("Shape", c, start=1, end=2), g.ints(5))
    g.nodes.append(helper.make_node("If", [flag], ["chosen"], then_branch=then, else_branch=other))
    g.output(g.op("Add", "chosen", c))
    return g.model()


def forms(seed=23):
    """Attributes that operators got later, and results that are optional."""
    g = Graph(seed, 23)
    x, y = g.input("image", [1, 4, 6, 8]), g.input("rows", [2, 3, 8])
    c = g.conv(x, 4, 4)
    g.output(g.op("Resize", c, "", "", g.ints(12, 16), mode="linear", axes=[2, 3]))
    g.output(g.op("Resize", c, "", g.constant(np.array([2, 2], np.float32)), axes=[-1, 2], mode="nearest",
                  coordinate_transformation_mode="asymmetric", nearest_mode="floor", cubic_coeff_a=-0.5))
    for result in g.op("LayerNormalization", y, g.normal(8), g.normal(8), outputs=3, epsilon=1e-3):
        g.output(result)
    g.output(g.op("LayerNormalization", y, g.normal(3, 8), outputs=2, axis=1)[1])
    g.output(g.op("RMSNormalization", y, g.normal(3, 8), axis=1, epsilon=1e-2))
    g.output(g.op("Mean", y, g.op("Neg", y), g.normal(8)))
    g.output(g.op("Mean", c, g.normal(4, 1, 1)))
    for part in g.op("Split", y, outputs=3, axis=2, num_outputs=3):
        g.output(part)
    g.output(g.op("Gelu", y, approximate="tanh"))
    g.output(g.op("ReduceSum", y, noop_with_empty_axes=1))
    g.output(g.op("Dropout", y, g.real(0.7), g.constant(np.array(False)), seed=5))
    for axis, block, zero in ((0, 2, True), (1, 3, False), (0, 4, True)):  # the last block of 3 in 8 is smaller
        extents = [-(-8 // block), 8] if axis == 0 else [8, -(-8 // block)]
        w, s = g.random.integers(-128, 128, (8, 8), np.int8), np.abs(g.random.standard_normal(extents)).astype(np.float32) / 64
        z = [g.constant(g.random.integers(-9, 9, extents, np.int8))] if zero else []
        w = g.op("DequantizeLinear", g.constant(w), g.constant(s), *z, axis=axis, block_size=block)
        g.output(g.op("MatMul", y, w))
    return g.model()


def output_types(seed=24):
    """QuantizeLinear whose result has the type that an attribute says, or the zero point."""
    g = Graph(seed, 21)
    x, types = g.input("x", [2, 3, 8]), TensorProto
    for kind, scale in ((types.INT8, 0.01), (types.UINT8, 0.01), (types.INT16, 3e-5)):
        q = g.op("QuantizeLinear", x, g.real(scale), output_dtype=kind)
        g.output(q)
        g.output(g.op("QuantizeLinear", x, g.real(scale), g.op("Cast", g.ints(3), to=kind), output_dtype=kind))
    g.output(g.op("QuantizeLinear", x, g.real(0.01), saturate=0))
    return g.model()


def sixteen_bits(seed=26):
    """Signed 16-bit quantization with any zero points around products, functions, pools and joins; 16-bit weights and results."""
    g = Graph(seed, opset=21)
    x = g.input("x", [1, 6, 6, 5])

    def pair(v, zero=0, step=2 / 32767):
        parameters = g.real(step), g.constant(np.int16(zero))
        return g.op("DequantizeLinear", g.op("QuantizeLinear", v, *parameters), *parameters)

    def weights(kind, *shape):
        limit = np.iinfo(kind).max
        q = g.constant(g.random.integers(-limit, limit + 1, shape).astype(kind))
        return g.op("DequantizeLinear", q, g.real(0.3 / limit), g.constant(kind(0)))

    a, b = pair(x), pair(x, 1000, 1e-4)
    g.output(g.op("QuantizeLinear", b, g.real(1e-4), g.constant(np.int16(-77))))
    g.output(pair(g.op("Conv", a, weights(np.int8, 4, 6, 3, 3), g.normal(4), kernel_shape=[3, 3]), 0, 3e-4))
    g.output(pair(g.op("Conv", a, weights(np.int16, 6, 1, 3, 3), kernel_shape=[3, 3], group=6), 0, 3e-4))
    g.output(pair(g.op("MatMul", b, weights(np.int8, 5, 7)), -300, 3e-4))
    for kind in ("Sigmoid", "Softmax", "HardSwish"):
        g.output(pair(g.op(kind, a), 0, 3e-5))
    for kind in ("Add", "Mul"):
        g.output(pair(g.op(kind, a, b), 5, 4 / 32767))
    g.output(pair(g.op("AveragePool", a, kernel_shape=[2, 2], strides=[2, 2])))
    g.output(pair(g.op("Concat", a, b, axis=1)))
    return g.model()


def integer_sums(seed=27):
    """ConvInteger whose sums are results: all groups, and groups of one channel, with zero points and without."""
    g = Graph(seed)
    x = g.input("x", [2, 6, 7, 5])
    q = g.op("QuantizeLinear", x, g.real(0.01), g.constant(np.uint8(117)))
    for groups, out, zeros in ((1, 4, True), (2, 4, False), (6, 6, True), (6, 12, False), (6, 6, False)):
        w = g.constant(g.random.integers(0, 256, (out, 6 // groups, 3, 3)).astype(np.uint8))
        zero = [g.constant(np.uint8(117)), g.constant(np.uint8(120))] if zeros else []
        g.output(g.op("ConvInteger", q, w, *zero, kernel_shape=[3, 3], group=groups, pads=[1] * 4))
    return g.model()


def computed_products(seed=28):
    """Products of integers that are both computed: zero points from run time, constant, one for each column, none."""
    g = Graph(seed)
    x, y = g.input("x", [2, 5, 8]), g.input("y", [2, 8, 6])
    qx, _, zx = g.op("DynamicQuantizeLinear", x, outputs=3)
    qy, _, zy = g.op("DynamicQuantizeLinear", y, outputs=3)
    g.output(g.op("MatMulInteger", qx, qy, zx, zy))
    g.output(g.op("MatMulInteger", qx, qy, zx))
    g.output(g.op("MatMulInteger", qx, qy, "", zy))
    zeros = [g.constant(np.int8(-7)), g.constant(np.int8(9))]
    a, b = g.op("QuantizeLinear", x, g.real(0.01), zeros[0]), g.op("QuantizeLinear", y, g.real(0.02), zeros[1])
    g.output(g.op("MatMulInteger", a, b, *zeros))
    g.output(g.op("MatMulInteger", a, g.op("Squeeze", g.op("Slice", qy, g.ints(0), g.ints(1)), g.ints(0)), zeros[0],
                  g.constant(np.array([0, 3, 255, 128, 127, 1], np.uint8))))
    return g.model()


MODELS = {
    "cnn_float": lambda: (cnn(), "disabled"),
    "cnn_qdq_u8s8": lambda: (Quantizer(cnn()).run(), "disabled"),
    "cnn_qdq_s8s8_channels": lambda: (Quantizer(cnn(7), act="int8", channels=True).run(), "disabled"),
    "cnn_qdq_s8s8_symmetric": lambda: (Quantizer(cnn(8), act="int8", symmetric=True, channels=True).run(), "disabled"),
    "cnn_qdq_u8u8_channels": lambda: (Quantizer(cnn(9), weights="uint8", channels=True).run(), "disabled"),
    "cnn_qdq_open": lambda: (Quantizer(cnn(10, ends=False), open_ends=True, keep=("Conv",)).run(), "disabled"),
    "cnn_qoperator": lambda: (Quantizer(cnn(11)).run(), "extended"),
    "attention_float": lambda: (attention(), "disabled"),
    "attention_qdq": lambda: (Quantizer(attention(12), channels=True).run(), "disabled"),
    "attention_qoperator": lambda: (Quantizer(attention(13)).run(), "extended"),
    "sequence_qdq": lambda: (Quantizer(sequence(14), act="int8", channels=True).run(), "disabled"),
    "decoder_float": lambda: (decoder(), "disabled"),
    "decoder_qdq_u8s8": lambda: (Quantizer(decoder(17)).run(), "disabled"),
    "decoder_qdq_s8s8_channels": lambda: (Quantizer(decoder(18), act="int8", channels=True).run(), "disabled"),
    "branches_float": lambda: (branches(), "disabled"),
    "batches_float": lambda: (batches(), "disabled"),
    "indices": lambda: (indices(), "disabled"),
    "tuples": lambda: (tuples(), "disabled"),
    "language_float": lambda: (language(), "disabled"),
    "elementwise_float": lambda: (elementwise(), "disabled"),
    "moves_float": lambda: (moves(), "disabled"),
    "reductions_float": lambda: (reductions(), "disabled"),
    "recurrent_float": lambda: (recurrent(), "disabled"),
    "dynamic_int8": lambda: (dynamic(), "disabled"),
    "dynamic_int8_fused": lambda: (dynamic(17), "extended"),
    "forms_float": lambda: (forms(), "disabled"),
    "sixteen_bits_qdq": lambda: (sixteen_bits(), "disabled"),
    "integer_sums": lambda: (integer_sums(), "disabled"),
    "computed_products": lambda: (computed_products(), "disabled"),
    "output_types_qdq": lambda: (output_types(), "disabled"),
    "attention_operators_float": lambda: (attention_operators(), "disabled"),
    "explicit_reals": lambda: (explicit(), "disabled"),
    "computed_constants": lambda: (computed_constants(), "disabled"),
    "bounded_integers": lambda: (bounded_integers(), "disabled"),
    "channels_last_float": lambda: (channels_last(), "disabled"),
    "fused_float": lambda: (fused(), "extended"),
    **{name: lambda make=make: (make(), "disabled") for name, make in onnx_control.MODELS.items()},
    **{name: lambda make=make: (make(), "disabled") for name, make in onnx_composed.MODELS.items()},
    **{name: lambda make=make: (make(), "disabled") for name, make in onnx_convolutions.MODELS.items()},
    **{name: lambda make=make: (make(), "disabled") for name, make in onnx_resampled.MODELS.items()},
    **{name: lambda make=make: (make(), "disabled") for name, make in onnx_narrow.MODELS.items()},
    "convolutions_qdq": lambda: (Quantizer(onnx_convolutions.convolutions(32), act="int8", symmetric=True).run(), "disabled"),
}


def constant_nan(initializer):
    """x + c, where c holds NaN and is an initializer, or an attribute."""
    g = Graph(1)
    x, c = g.input("x", [2, 3]), np.array([1, np.nan, 3], np.float32)
    g.output(g.op("Add", x, g.constant(c) if initializer else g.op("Constant", value=numpy_helper.from_array(c))))
    return g.model()


def half_ends(input_kind, output_kind):
    """A cast from a type that the outside sees."""
    g = Graph(1)
    x = g.input("x", [2, 3], input_kind)
    g.output(g.op("Cast", g.op("Relu", x), to=output_kind))
    model = g.untyped()
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(g.outputs[0], output_kind, [2, 3]))
    return model


def attribute_nan():
    g = Graph(1)
    g.output(g.op("Selu", g.input("x", [2, 3]), gamma=float("nan")))
    return g.model()


def auto_pad_apart(seed=24):
    """Windows that lie apart, so that auto_pad would have to take pixels away."""
    g = Graph(seed)
    g.output(g.op("Conv", g.input("line", [1, 1, 8]), g.normal(1, 1, 1), strides=[8], auto_pad="SAME_UPPER"))
    return g.model()


def one_node(kind, *operands, opset=21, x=(2, 4), outputs=1, domain="", **attributes):
    """x, then the operands, to the results."""
    g = Graph(1, opset)
    names = g.op(kind, g.input("x", list(x)), *[g.constant(o) for o in operands], outputs=outputs, domain=domain, **attributes)
    for name in [names] if outputs == 1 else names:
        g.output(name)
    return g.untyped()


def tuples_given():
    g = Graph(1)
    g.output(g.op("GatherND", g.input("x", [4, 2]), g.input("at", [3, 2], TensorProto.INT64)))
    return g.untyped()


def of_form(version):
    return one_node("Relu"), lambda node: version


def several():
    """Nodes that are refused: two alike, one although what it reads is not known, one in a graph within; and inputs that are open."""
    g = Graph(1)
    x, y = g.input("x", [1, 1, 6, 6]), g.input("y", [1, "rows", "columns", 6])
    first = g.op("NoSuchOperator", x)
    g.output(g.op("LayerNormalization", first, g.constant(np.ones(6, np.float32)), stash_type=10))
    g.output(g.op("Relu", g.op("Add", first, y)))
    g.output(g.op("NoSuchOperator", x))
    inner = Graph(2)
    inner.output(inner.op("Softmax", x, axis=1.0))
    branch = inner.untyped().graph
    g.output(g.op("If", g.constant(np.array(True)), then_branch=branch, else_branch=branch))
    g.output(g.op("Reshape", x, g.ints(5, -1)))
    return g.untyped()


# Models that no importer takes, written as they are; with the form of their nodes where it is none of ONNX's.
REFUSED_AS_THEY_ARE = {
    "ort_several": several,
    "ort_attribute_unknown": lambda: one_node("Relu", slope=0.5),
    "ort_attribute_value": lambda: one_node("LayerNormalization", np.ones(4, np.float32), stash_type=10),
    "ort_attribute_text": lambda: one_node("MaxPool", x=(1, 1, 6, 6), kernel_shape=[2, 2], auto_pad="SOMEHOW"),
    "ort_attribute_type": lambda: one_node("Softmax", axis=1.0),
    "ort_attribute_of_other_form": lambda: one_node("Resize", np.ones(4, np.float32), opset=10, x=(1, 1, 2, 2), nearest_mode="floor"),
    "ort_quantize_blocks": lambda: one_node("QuantizeLinear", np.ones((2, 2), np.float32), block_size=2),
    "ort_dequantize_blocks": lambda: one_node("DequantizeLinear", np.ones((2, 2), np.float32), block_size=2),
    "ort_quantize_type": lambda: one_node("QuantizeLinear", np.float32(1), output_dtype=TensorProto.UINT4),
    "ort_form_newer": lambda: of_form(99),
    "ort_form_older": lambda: of_form(1),
    "ort_dropout_in_training": lambda: one_node("Dropout", np.float32(0.5), np.array(True)),
    "ort_result_not_made": lambda: one_node("MaxPool", x=(1, 1, 4, 4), outputs=2, kernel_shape=[2, 2]),
    "ort_operand_not_read": lambda: one_node("Attention", np.ones((4, 12), np.float32), np.ones(12, np.float32),
                                             np.ones((1, 2), np.int32), np.ones((2, 1, 1, 2, 4), np.float32), x=(1, 2, 4),
                                             domain="com.microsoft", num_heads=1),
    "ort_half_input": lambda: half_ends(TensorProto.BFLOAT16, TensorProto.FLOAT),
    **onnx_control.REFUSED,
    **onnx_composed.REFUSED,
}

# Models that no importer takes.
REFUSED = {
    "ort_initializer_nan": lambda: constant_nan(True),
    "ort_constant_nan": lambda: constant_nan(False),
    "ort_attribute_nan": lambda: attribute_nan(),
    "ort_auto_pad_apart": lambda: auto_pad_apart(),
    "ort_gather_outside": lambda: one_node("Gather", np.array([3, -5]), x=(4, 2)),
    "ort_gather_nd_input": lambda: tuples_given(),
    "ort_variance": lambda: one_node("BatchNormalization", *[np.array(v, np.float32) for v in ([1, 1], [0, 0], [0, 0], [1, -1])],
                                     x=(1, 2, 3, 3)),
    "ort_gather_nd_outside": lambda: one_node("GatherND", np.array([[-4, 1], [3, 2]]), x=(4, 2)),
}


def write_refused(folder):
    os.makedirs(folder, exist_ok=True)
    for name, make in REFUSED.items():
        session(make(), "disabled", os.path.join(folder, name + ".ort"))
    for name, make in REFUSED_AS_THEY_ARE.items():
        made = make()
        with open(os.path.join(folder, name + ".ort"), "wb") as f:
            f.write(ort_writer.write(*(made if isinstance(made, tuple) else (made,))))


def write(folder, name):
    model, level = MODELS[name]()
    path = os.path.join(folder, name + ".ort")
    with tempfile.TemporaryDirectory() as d:
        session(model, level, os.path.join(d, "m.ort"))
        with open(os.path.join(d, "m.ort"), "rb") as f:
            content = f.read()
    with open(path, "wb") as f:
        f.write(content)
    print(f"{name:28} {len(content):6} bytes")
    write_expectations(model, path, os.path.join(folder, name + ".json"))


def write_expectations(model, reference, path):
    """What ONNX Runtime computes of made inputs, without optimizations; reference: the model that it reads, or its file."""
    feeds = made_inputs(model)
    results = ort_onnx.Reference(reference, keep=False).run(feeds.values()).values()
    facts = {
        "reference": f"onnxruntime {onnxruntime.__version__}",
        "inputs": [{"name": n, "shape": list(a.shape), "declared": [str(d) for d in a.shape], "dtype": str(a.dtype), "seed": 1 + k,
                    **({"bound": 16} if a.dtype.kind == "i" else {})}
                   for k, (n, a) in enumerate(feeds.items())],
        "outputs": [{"name": o.name, "shape": list(r.shape), "dtype": str(r.dtype),
                     "values": [float(f"{v:.9g}") if r.dtype.kind == "f" else int(v) for v in r.reshape(-1)]}
                    for o, r in zip(model.graph.output, results)]}
    with open(path, "w") as f:
        f.write(json.dumps(facts).replace('{"name"', '\n{"name"') + "\n")


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        write(sys.argv[1], name)
    if not sys.argv[2:]:
        write_refused(os.path.join(sys.argv[1], "..", "refused"))


if __name__ == "__main__":
    main()
