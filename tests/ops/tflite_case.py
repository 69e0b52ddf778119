"""tflite_case.py: what the makers of single-operator .tflite models share: a model under construction, its random numbers."""

import numpy as np
from tflite_writer import Model, NONE, RELU, RELU6, RELU_N1_TO_1, SAME

INTEGER = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
ACTS = {"none": NONE, "relu": RELU, "relu6": RELU6, "n1to1": RELU_N1_TO_1}


class Case:
    """A model under construction with a seeded generator; quantized tensors get plausible parameters."""

    def __init__(self, seed):
        self.m = Model()
        self.rng = np.random.default_rng(seed)

    def params(self, dtype, low=0.002, high=0.1):
        """(scale, zero)"""
        if dtype == "int16":
            return float(self.rng.uniform(0.0001, 0.001)), 0
        lo, hi = INTEGER[dtype]
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high)))), int(self.rng.integers(lo // 2, hi // 2 + 1))

    def input(self, name, dtype, shape, params=None):
        if dtype not in INTEGER:
            return self.m.input(name, dtype, shape), None
        params = params or self.params(dtype)
        return self.m.input(name, dtype, shape, scale=params[0], zero=params[1]), params

    def output(self, dtype, shape, params=None, name="y"):
        if dtype not in INTEGER:
            i = self.m.tensor(name, dtype, shape)
        else:
            i = self.m.tensor(name, dtype, shape, scale=params[0], zero=params[1])
        self.m.output(i)
        return i

    def ints(self, name, values, dtype=np.int32):
        return self.m.const(name, np.array(values, dtype))

    def done(self):
        return self.m.bytes()


def window(padding, extent, kernel, stride, dilation=1):
    span = (kernel - 1) * dilation + 1
    return -(-extent // stride) if padding == SAME else -(-(extent - span + 1) // stride)


def hybrid_weights(c, shape, axis, channels, per_channel):
    scale = c.rng.uniform(0.002, 0.02, channels if per_channel else 1).astype(np.float32)
    return c.m.const("w", c.rng.integers(-127, 128, shape).astype(np.int8), scale=scale, zero=0, axis=axis)
