"""explicit_random.py: random graphs with QuantizeLinear and DequantizeLinear here and there, op by op against ONNX Runtime.

Protects: that nothing is rounded that such a file does not round, and nothing wrongly that it does (docs/fidelity.md): each op of
ours, after the passes, on ONNX Runtime's own operands; an 8-bit result at most one step from ONNX Runtime's, a real one 1e-4 of the
largest magnitude.

    explicit_random.py --eval-ops=PATH [--count=N] [--seed=N]

Graph k of N is drawn from seed + k.  Exit 1 on a broken promise, 77 where ONNX Runtime is not here.
"""

import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
sys.path.insert(0, os.path.join(HERE, "..", "tools", "onnx_models"))
import ort_onnx  # noqa: E402

if not ort_onnx.available():
    import numpy as np
    import onnx_fidelity
    from onnx_graph import Graph, session

CHANNELS, EXTENT = 4, 8


class Draw:
    """One random graph; every value is [1, CHANNELS, EXTENT, EXTENT]."""

    def __init__(self, seed):
        self.g = Graph(seed)
        self.r = self.g.random
        image = self.g.input("x", [1, CHANNELS, EXTENT, EXTENT])
        self.values = [self.rounded(image) if self.r.random() < 0.9 else image]

    def pick(self, *choices):
        return choices[int(self.r.integers(len(choices)))]

    def real(self, low, high):
        return float(self.r.uniform(low, high))

    def other(self):
        return self.pick(*self.values)

    def rounded(self, x):
        kind = self.pick(np.uint8, np.int8)
        zero = self.pick(0, 0, 128 if kind == np.uint8 else -128, int(self.r.integers(0, 128)))
        parameters = self.g.real(self.real(0.005, 0.03)), self.g.constant(kind(zero))
        return self.g.op("DequantizeLinear", self.g.op("QuantizeLinear", x, *parameters), *parameters)

    def weights(self, *shape, out):
        """Per tensor, per channel of the result or of the operand, real, or real and quantized in the graph."""
        step = 0.02 / float(np.prod(shape) / shape[out]) ** 0.5
        q = self.r.integers(-127, 128, shape).astype(np.int8)
        form = self.pick("tensor", "result", "operand", "real", "in graph")
        if form == "real":
            return self.g.constant((q * step).astype(np.float32))
        one = self.g.real(step), self.g.constant(np.int8(self.pick(0, 0, 3)))
        if form == "in graph":
            return self.g.op("DequantizeLinear", self.g.op("QuantizeLinear", self.g.normal(*shape, deviation=50 * step), *one), *one)
        if form == "tensor":
            return self.g.op("DequantizeLinear", self.g.constant(q), *one)
        axis = out if form == "result" else 1 - out
        scales = (step * self.r.uniform(0.3, 2, shape[axis])).astype(np.float32)
        return self.g.op("DequantizeLinear", self.g.constant(q), self.g.constant(scales),
                         self.g.constant(np.zeros(shape[axis], np.int8)), axis=axis)

    def bias(self, count):
        """None, real, or integers of any scale: a list of operands."""
        form = self.pick("none", "real", "integers")
        if form == "none":
            return []
        if form == "real":
            return [self.g.normal(count, deviation=10 ** self.real(-4, 0))]
        q = self.r.integers(-200, 200, count).astype(np.int32)
        return [self.g.op("DequantizeLinear", self.g.constant(q), self.g.real(10 ** self.real(-4, -2)))]

    def convolution(self, v):
        groups = self.pick(1, CHANNELS)
        w = self.weights(CHANNELS, CHANNELS // groups, 3, 3, out=0)
        return self.g.op("Conv", v, w, *self.bias(CHANNELS), kernel_shape=[3, 3], pads=[1] * 4, group=groups)

    def product(self, v):
        y = self.g.op("MatMul", v, self.weights(EXTENT, EXTENT, out=1))
        b = self.bias(EXTENT)
        return self.g.op("Add", y, *b) if b else y

    def joined(self, v):
        w = self.weights(CHANNELS, 2 * CHANNELS, 1, 1, out=0)
        return self.g.op("Conv", self.g.op("Concat", v, self.other(), axis=1), w, kernel_shape=[1, 1])

    def normalised(self, v):
        kind = self.pick("BatchNormalization", "InstanceNormalization", "LayerNormalization")
        if kind == "LayerNormalization":
            return self.g.op(kind, v, self.g.normal(EXTENT, deviation=1), self.g.normal(EXTENT, deviation=0.3), axis=-1)
        operands = [self.g.normal(CHANNELS, deviation=d) for d in (1, 0.3)]
        if kind == "BatchNormalization":
            operands += [self.g.normal(CHANNELS, deviation=0.3), self.g.constant(self.r.uniform(0.3, 2, CHANNELS).astype(np.float32))]
        return self.g.op(kind, v, *operands)

    def function(self, v):
        kind = self.pick("Relu", "Sigmoid", "Tanh", "Neg", "HardSwish", "Softmax", "LeakyRelu", "Clip", "Swish")
        if kind == "Swish":
            return self.g.op("Mul", v, self.g.op("Sigmoid", v))
        bounds = [self.g.real(self.pick(0, -1, -0.5)), self.g.real(self.pick(6, 1, 0.77))] if kind == "Clip" else []
        return self.g.op(kind, v, *bounds, **({"axis": -1} if kind == "Softmax" else {}))

    def window(self, v):
        kind = self.pick("MaxPool", "AveragePool", "linear", "nearest", "Pad")
        if kind == "Pad":
            return self.g.op("MaxPool", self.g.op("Pad", v, self.g.ints(0, 0, 1, 1, 0, 0, 1, 1), self.g.real(0)), kernel_shape=[3, 3])
        if kind in ("MaxPool", "AveragePool"):
            return self.g.op(kind, v, kernel_shape=[3, 3], pads=[1] * 4)
        how = {"coordinate_transformation_mode": "half_pixel"} if kind == "linear" else \
              {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        larger = self.g.op("Resize", v, "", self.g.constant(np.array([1, 1, 2, 2], np.float32)), mode=kind, **how)
        return self.g.op("MaxPool", larger, kernel_shape=[2, 2], strides=[2, 2])

    def pair(self, v):
        kind = self.pick("Add", "Sub", "Mul", "Max")
        other = self.pick(self.other(), self.g.op("GlobalAveragePool", v), self.g.op("ReduceMax", v, self.g.ints(3), keepdims=1),
                          self.g.real(self.pick(0.37, -1.3, 2, 0.1)))
        return self.g.op(kind, v, other)

    def moved(self, v):
        turned = self.g.op("Reshape", self.g.op("Transpose", v, perm=[0, 1, 3, 2]), self.g.ints(1, CHANNELS, 4, 16))
        return self.g.op("Reshape", turned, self.g.ints(1, CHANNELS, EXTENT, EXTENT))

    def model(self):
        for _ in range(int(self.r.integers(3, 10))):
            make = self.pick(self.convolution, self.product, self.joined, self.normalised, self.function, self.window, self.pair,
                             self.moved, self.rounded, self.rounded, self.rounded)
            self.values.append(make(self.pick(*self.values[-3:])))
        for name in sorted({self.values[-1], self.pick(*self.values[1:])}):
            self.g.output(name)
        return self.g.model()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval-ops", default=os.environ.get("EVAL_OPS"))
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if ort_onnx.available():
        print(f"skipped: {ort_onnx.available()}")
        return 77
    bad = results = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.ort")
        for seed in range(arguments.seed, arguments.seed + arguments.count):
            session(Draw(seed).model(), "disabled", path)
            problems, count, _, _ = onnx_fidelity.check_ops(arguments.eval_ops, path, "random")
            results += count
            bad += bool(problems)
            for p in problems[:4]:
                print(f"seed {seed}: {p}")
    print(f"{arguments.count} graphs, {results} results compared, {bad} graphs differ")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
