"""onnx_opsets.py: networks of four kinds, each as a file of every operator set of OPSETS would have it.

models() yields (name, model).  What changed between these sets is written in the form of each: batch normalization, softmax, splits,
reductions, recurrent layers, quantization.
"""

import numpy as np

from onnx_graph import Graph

OPSETS = (7, 11, 13, 17, 21)


def mean(g, x, *axes):
    """Axes are an operand since operator set 18."""
    return g.op("ReduceMean", x, g.ints(*axes)) if g.opset >= 18 else g.op("ReduceMean", x, axes=list(axes))


def halves(g, x, axis, each):
    """Extents are an operand since 13, and from 18 on their number may be said instead."""
    if g.opset >= 18:
        return g.op("Split", x, outputs=2, axis=axis, num_outputs=2)
    return g.op("Split", x, g.ints(each, each), outputs=2, axis=axis) if g.opset >= 13 else \
        g.op("Split", x, outputs=2, axis=axis, split=[each, each])


def classifier(g):
    """Convolutions, one in groups, normalized; a residual; fully connected, with the batch named where files name it."""
    x = g.input("image", ["batch" if g.opset >= 13 else 1, 3, 16, 16])
    norm = [g.constant(g.random.uniform(0.5, 1.5, 8).astype(np.float32)) for _ in range(4)]
    c = g.op("Relu", g.op("BatchNormalization", g.conv(x, 3, 8, stride=2, bias=False), *norm))
    d = g.op("Relu", g.conv(c, 8, 8, groups=8))
    p = g.op("MaxPool", g.op("Add", c, g.conv(d, 8, 8, kernel=1)), kernel_shape=[2, 2], strides=[2, 2])
    f = g.op("Flatten", g.op("Sigmoid", p))
    g.output(g.op("Softmax", g.op("Gemm", f, g.normal(10, 128), g.normal(10, deviation=0.1), transB=1)))


def decoder(g):
    """Up and down: a transposed convolution, joined with what was before; instance norm; padding by its attribute or operand."""
    x = g.input("image", [1, 4, 8, 8])
    low = g.op("AveragePool", g.op("LeakyRelu", g.conv(x, 4, 6), alpha=0.1), kernel_shape=[2, 2], strides=[2, 2])
    up = g.op("ConvTranspose", low, g.normal(6, 5, 2, 2), kernel_shape=[2, 2], strides=[2, 2])
    both = g.op("Concat", up, x, axis=1)
    n = g.op("InstanceNormalization", both, g.normal(9, deviation=1), g.normal(9, deviation=0.1), epsilon=1e-5)
    a, b = halves(g, g.conv(n, 9, 4), 1, 2)
    edges = [0, 0, 1, 1, 0, 0, 1, 1]
    product = g.op("Mul", g.op("Tanh", a), b)
    g.output(g.op("Pad", product, g.ints(*edges)) if g.opset >= 11 else g.op("Pad", product, pads=edges))


def attention(g):
    """Rows that attend to each other; a norm of single operators."""
    x = g.input("rows", [1, 6, 16])
    q, k, v = (g.op("MatMul", x, g.normal(16, 16)) for _ in range(3))
    scores = g.op("Div", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 2, 1])), g.real(4))
    y = g.op("Add", x, g.op("MatMul", g.op("Softmax", scores, axis=2), v))
    centred = g.op("Sub", y, mean(g, y, 2))
    deviation = g.op("Sqrt", g.op("Add", mean(g, g.op("Mul", centred, centred), 2), g.real(1e-5)))
    g.output(g.op("Reshape", g.op("Div", centred, deviation), g.ints(6, -1)))


def recurrent(g):
    """A layer in both directions behind one of integers, where operator sets have these (10 and later)."""
    x = g.input("steps", [5, 1, 8])
    if g.opset >= 10:
        scale, zero = g.real(0.02), g.constant(np.uint8(120))
        x = g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero), scale, zero)
        w = g.constant(g.random.integers(-127, 128, (8, 8)).astype(np.int8), "w")
        x = g.op("MatMul", x, g.op("DequantizeLinear", w, g.real(0.01), g.constant(np.int8(0))))
    y, last, _ = g.op("LSTM", x, g.normal(2, 16, 8), g.normal(2, 16, 4), g.normal(2, 32, deviation=0.1), outputs=3, hidden_size=4,
                      direction="bidirectional")
    g.output(y)
    g.output(g.op("GRU", g.op("Transpose", last, perm=[1, 0, 2]), g.normal(1, 9, 4), g.normal(1, 9, 3), outputs=2, hidden_size=3)[1])


def models():
    for make in (classifier, decoder, attention, recurrent):
        for opset in OPSETS:
            g = Graph(41, opset)
            make(g)
            yield f"{make.__name__}_{opset}", g.model()
