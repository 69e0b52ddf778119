"""onnx_narrow.py: models whose values or weights have few bits: half precision, blocks of 4 bits; make_onnx_models.py writes
them."""

import numpy as np
from onnx import TensorProto

from onnx_graph import Graph


def halves(seed=35):
    """Half precision between float32 inputs and outputs, as converters leave it: weights, constants and all that lies between."""
    g = Graph(seed)
    x = g.op("Cast", g.input("image", [1, 3, 8, 8]), to=TensorProto.FLOAT16)

    def half(*shape):
        return g.constant((g.random.standard_normal(shape) * 0.2).astype(np.float16), "h")

    x = g.op("Relu", g.op("Conv", x, half(8, 3, 3, 3), half(8), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4))
    x = g.op("Mul", x, g.constant(np.float16(0.5)))
    x = g.op("MatMul", g.op("Flatten", x), half(128, 10))
    y = g.op("Softmax", x, axis=-1)
    g.output(g.op("Cast", y, to=TensorProto.FLOAT))
    brain = g.op("Cast", g.op("Cast", x, to=TensorProto.FLOAT), to=TensorProto.BFLOAT16)
    g.output(g.op("Cast", brain, to=TensorProto.FLOAT))
    return g.model()


def narrow(seed=36):
    """Products with weights of 4 bits in blocks: with zero points, without, blocks that the columns do not fill."""
    g = Graph(seed)
    x = g.input("x", [2, 3, 40])
    for rows, columns, block, zeros in ((9, 40, 16, True), (8, 40, 32, False), (16, 40, 32, True)):
        blocks = -(-columns // block)
        w = g.constant(g.random.integers(0, 256, (rows, blocks, block // 2)).astype(np.uint8))
        s = g.constant(np.abs(g.random.standard_normal(rows * blocks) * 0.1).astype(np.float32))
        z = [g.constant(g.random.integers(0, 256, rows * ((blocks + 1) // 2)).astype(np.uint8))] if zeros else []
        g.output(g.op("MatMulNBits", x, w, s, *z, domain="com.microsoft", N=rows, K=columns, bits=4, block_size=block))
    return g.model()


def ends(seed=37):
    """Half and double precision that the outside sees, and constants of them."""
    g = Graph(seed)
    x, z = g.input("x", [2, 3, 5], TensorProto.FLOAT16), g.input("z", [3, 5], TensorProto.DOUBLE)
    y = g.op("Add", x, g.constant(np.array([1.5, -0.25, 1e-7, 6e4, 3], np.float16)))
    g.output(y)
    g.output(g.op("Cast", y, to=TensorProto.FLOAT))
    g.output(x)
    w = g.op("Mul", z, g.constant(np.array([0.1, 1e4, -3, 1 / 3, 7])))
    g.output(w)
    g.output(g.op("Cast", w, to=TensorProto.FLOAT16))
    g.output(g.op("Cast", g.op("Cast", x, to=TensorProto.DOUBLE), to=TensorProto.INT32))
    return g.model()


def stored_lstm(seed=38):
    """Weights of 8 bits, with a scale for each direction, or for each of its gates' rows."""
    g = Graph(seed)
    x = g.input("x", [5, 2, 6])
    for ways, direction, kind, each in ((1, "forward", np.int8, ()), (1, "reverse", np.uint8, (16,)), (2, "bidirectional", np.int8, (16,))):
        low, high, zero = (-127, 128, 0) if kind == np.int8 else (0, 256, 128)
        w, r = (g.constant(g.random.integers(low, high, (ways, extent, 16)).astype(kind)) for extent in (6, 4))
        s, t = (g.constant((g.random.random((ways, *each)) * 0.005 + 0.002).astype(np.float32)) for _ in "wr")
        z, u = (g.constant(np.full((ways, *each), zero).astype(kind)) for _ in "wr")
        for y in g.op("DynamicQuantizeLSTM", x, w, r, g.normal(ways, 32), "", "", "", "", s, z, t, u, outputs=3, domain="com.microsoft",
                      hidden_size=4, direction=direction, activations=["Sigmoid", "Tanh", "Tanh"] * ways):
            g.output(y)
    return g.model()


MODELS = {"stored_lstm_float": stored_lstm, "ends_float": ends, "halves_float": halves, "narrow_float": narrow}
