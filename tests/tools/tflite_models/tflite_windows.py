"""tflite_windows.py: models of windows for make_models.py: transposed ones, and over three dimensions."""

import numpy as np

from tflite_writer import RELU6, SAME, VALID, Model


def ints(m, name, values):
    return m.const(name, np.array(values, np.int32))


def transposed(padding=SAME, window=3, stride=2, out=6):
    """TRANSPOSE_CONV: padding is cut from the full result."""
    m = Model()
    x = m.input("x", "float32", [1, 3, 3, 1])
    w = m.const("w", np.ones((2, window, window, 1), np.float32))
    y = m.tensor("y", "float32", [1, out, out, 2])
    m.op("TRANSPOSE_CONV", [ints(m, "shape", [1, out, out, 2]), w, x], [y], "TransposeConvOptions", padding=padding, strideH=stride,
         strideW=stride)
    m.output(y)
    return m


def transposed_small():
    """A window that is smaller than its stride: some pixels of the result are out of its reach."""
    return transposed(window=2, stride=3, out=9)


def transposed_hybrid():
    """Filters of bytes, numbered, for an image of floats: quantized at run time, with zeros between its pixels."""
    m = Model()
    x = m.input("x", "float32", [1, 2, 2, 1])
    w = m.const("w", np.arange(8, dtype=np.int8).reshape(2, 2, 2, 1), scale=[0.5, 0.25], zero=[0, 0], axis=0)
    y = m.tensor("y", "float32", [1, 6, 4, 2])
    m.op("TRANSPOSE_CONV", [ints(m, "shape", [1, 6, 4, 2]), w, x], [y], "TransposeConvOptions", padding=SAME, strideH=3, strideW=2)
    m.output(y)
    return m


def volume(x="float32", w=np.float32, out=(1, 2, 2, 1, 2), depth=1, bias=2):
    """CONV_3D, SAME along two dimensions and one tap along the third."""
    m = Model()
    i = m.input("x", x, [1, 2, 3, 1, 1], **({"scale": 0.5, "zero": 0} if x == "int8" else {}))
    filters = m.const("w", np.arange(8 * depth).astype(w).reshape(2, 2, 1, depth, 2))
    b = m.const("b", np.array([1.0, -1.0, 0.5][:bias], np.float32))
    y = m.tensor("y", x, out, **({"scale": 0.5, "zero": 0} if x == "int8" else {}))
    m.op("CONV_3D", [i, filters, b], [y], "Conv3DOptions", padding=SAME, strideD=1, strideH=2, strideW=1, fusedActivationFunction=RELU6)
    m.output(y)
    return m


def volume_transposed(out=(1, 3, 2, 1, 2)):
    m = Model()
    x = m.input("x", "float32", [1, 2, 2, 1, 1])
    w = m.const("w", np.arange(4, dtype=np.float32).reshape(2, 1, 1, 2, 1))
    y = m.tensor("y", "float32", out)
    m.op("CONV_3D_TRANSPOSE", [ints(m, "shape", out), w, x], [y], "Conv3DOptions", padding=VALID, strideD=1, strideH=1, strideW=1)
    m.output(y)
    return m


IMPORTED = {make.__name__: make for make in (transposed, transposed_small, transposed_hybrid, volume, volume_transposed)}
REFUSED = {
    "transposed_beyond": lambda: transposed(VALID, 2, 3, 11),
    "volume_integers": lambda: volume("int8", np.int8),
    "volume_channels": lambda: volume(depth=2),
    "volume_bias": lambda: volume(bias=3),
    "volume_transposed_extent": lambda: volume_transposed((1, 5, 2, 1, 2)),
    "volume_transposed_filters": lambda: volume_transposed((1, 3, 2, 1, 3)),
}
