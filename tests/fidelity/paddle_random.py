"""paddle_random.py: random Paddle programs with fake quantization here and there, op by op against PaddlePaddle.

Protects: what Paddle's fake quantization means in all of its forms (round_type, widths, operators that only quantize, thresholds that
cut off, right before an output), and the operators beside it.  As imported, each op of ours on Paddle's own operands: every result to
1e-5 of the largest magnitude.  Compiled, with the integers that the passes make (tests/passes/fake_random.c has what these promise):
outputs that are far from Paddle's only as steps are that were taken the other way.

    paddle_random.py --eval-ops=PATH --qcc-run=PATH [--count=N] [--seed=N] [--keep=FOLDER]

Graph k of N is drawn from seed + k.  Exit 1 on a broken promise, 77 where PaddlePaddle is not here.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
sys.path.insert(0, os.path.join(HERE, "..", "tools", "paddle_models"))
import nb_file  # noqa: E402
import per_op  # noqa: E402

MISSING = nb_file.available() or (None if importlib.util.find_spec("paddle") else "no module paddle")
if not MISSING:
    import numpy as np
    import paddle_file
    from nb_kernels import paddle_reads, run_paddle

CHANNELS, EXTENT = 4, 8
REAL = 1e-5
FAR = 0.2  # of an output's norm
WINDOW = {"padding_algorithm": "EXPLICIT", "data_format": "NCHW"}


class Draw:
    """One random program, computed by Paddle as it is drawn; every value is [1, CHANNELS, EXTENT, EXTENT]."""

    def __init__(self, seed):
        self.r = np.random.default_rng(seed)
        self.p = nb_file.Program()
        self.values = {}
        self.p.input("x", "float32", [1, CHANNELS, EXTENT, EXTENT])
        self.values["x"] = self.x = self.numbers(1, CHANNELS, EXTENT, EXTENT, deviation=self.real(0.1, 2))
        self.drawn = [self.rounded("x") if self.r.random() < 0.8 else "x"]

    # ---- Numbers and names ----

    def pick(self, *choices):
        return choices[int(self.r.integers(len(choices)))]

    def real(self, low, high):
        return float(self.r.uniform(low, high))

    def numbers(self, *shape, deviation=1.0):
        return (self.r.standard_normal(shape) * deviation).astype(np.float32)

    def other(self):
        return self.pick(*self.drawn)

    def param(self, array):
        name = self.p.param(f"p{len(self.p.params)}", array)
        self.values[name] = self.p.params[name]
        return name

    def op(self, kind, inputs, *results, observed=False, **attributes):
        """The name of the first result; those behind it are named, too.  observed: the file may say how large it becomes."""
        name = f"v{len(self.p.ops)}"
        outputs = {r: [name if r == results[0] else f"{name}.{r}"] for r in results}
        if not paddle_reads(kind, "round_type"):  # Paddle 2.6 rounds ties away from zero, whatever the file says
            attributes.pop("round_type", None)
        self.p.op(kind, {k: [v] if isinstance(v, str) else v for k, v in inputs.items()}, outputs, precision=None, **attributes)
        made = run_paddle(self.p.ops[-1], self.values)
        for parameter, names in self.p.ops[-1].outputs.items():
            self.values.update(zip(names, made[parameter]))
        if observed and self.r.random() < 0.2:
            self.p.ops[-1].attributes["out_threshold"] = float(np.abs(self.values[name]).max()) * self.real(0.9, 1.5)
        return name

    # ---- Fake quantization ----

    def ties(self):
        kind = self.pick(0, 1, None)
        return {} if kind is None else {"round_type": kind}

    def limits(self, bits):
        """Of quantize_linear and dequantize_linear: what decides is qmax, which older files don't have."""
        return {} if bits == 8 and self.pick(0, 1) else {"qmin": -2 ** (bits - 1), "qmax": 2 ** (bits - 1) - 1}

    def threshold(self, x):
        """Of an activation: what it has, less, more, a power of two."""
        most = float(np.abs(self.values[x]).max()) or 1.0
        return np.float32(self.pick(most, most * self.real(0.2, 1), most * self.real(1, 2), 2.0 ** np.ceil(np.log2(most))))

    def rounded(self, x):
        scale = self.param(np.array([self.threshold(x)], np.float32))
        bits = self.pick(8, 8, 8, 8, 8, 4, 7, 16)
        form = self.pick("one", "one", "linear", "split")
        common = {"bit_length": bits, "is_test": True, **self.ties()}
        if form == "one":
            return self.op("fake_quantize_dequantize_moving_average_abs_max", {"X": x, "InScale": scale}, "Out", "OutScale", **common)
        if form == "linear":
            operands = {"Scale": scale, "ZeroPoint": self.param(np.zeros(1, np.float32))}
            both = {"quant_axis": -1, "only_observer": False, **common, **self.limits(bits)}
            q = self.op("quantize_linear", {"X": x, **operands}, "Y", **both)
            return self.real_of(q, self.op("dequantize_linear", {"X": q, **operands}, "Y", **both))
        kind = self.pick("fake_quantize_moving_average_abs_max", "fake_quantize_range_abs_max")
        q = self.op(kind, {"X": x, "InScale": scale}, "Out", "OutScale", **common)
        return self.real_of(q, self.op("fake_dequantize_max_abs", {"X": q, "Scale": scale}, "Out", max_range=float(2 ** (bits - 1) - 1)))

    def real_of(self, whole, real):
        """The importer holds, as the one, the other: whole numbers by what they stand for."""
        self.values[whole] = self.values[real]
        return real

    def weights(self, *shape, axis):
        """Real, or rounded in the program, for each channel or as a whole, or stored as integers."""
        w = self.numbers(*shape, deviation=self.real(0.2, 1) / float(np.prod(shape) / shape[axis]) ** 0.5)
        form = self.pick("real", "tensor", "channels", "channels", "split", "linear", "stored")
        common = {"bit_length": self.pick(8, 8, 8, 4, 3), **self.ties()}
        if form == "real":
            return self.param(w)
        if form == "tensor":
            return self.op("fake_quantize_dequantize_abs_max", {"X": self.param(w)}, "Out", "OutScale", **common)
        if form == "channels":
            return self.op("fake_channel_wise_quantize_dequantize_abs_max", {"X": self.param(w)}, "Out", "OutScale", quant_axis=axis,
                           **common)
        bits = common["bit_length"]
        if form == "split":
            q = self.op("fake_channel_wise_quantize_abs_max", {"X": self.param(w)}, "Out", "OutScale", quant_axis=axis, is_test=False,
                        **common)
            return self.op("fake_channel_wise_dequantize_max_abs", {"X": q, "Scales": [q + ".OutScale"]}, "Out", quant_bits=[bits],
                           quant_axis=axis, x_num_col_dims=1)
        count = self.pick(1, shape[axis])
        most = np.abs(w).max(axis=tuple(i for i in range(w.ndim) if i != axis)) if count > 1 else np.abs(w).max(keepdims=True).reshape(1)
        operands = {"Scale": self.param((most * self.real(0.7, 1.2)).astype(np.float32)),
                    "ZeroPoint": self.param(np.zeros(count, np.float32))}
        both = {"quant_axis": axis if count > 1 else -1, "is_test": True, "only_observer": False, **common,
                **self.limits(bits)}
        if form == "linear":
            stored = self.op("quantize_linear", {"X": self.param(w), **operands}, "Y", **both)
        else:
            limit = 2 ** (bits - 1) - 1
            stored = self.param(self.r.integers(-limit, limit + 1, shape).astype(np.int8))
        return self.op("dequantize_linear", {"X": stored, **operands}, "Y", **both)

    # ---- Operators ----

    def convolution(self, v):
        groups = self.pick(1, 1, 2, CHANNELS)
        w = self.weights(CHANNELS, CHANNELS // groups, 3, 3, axis=0)
        kind = "depthwise_conv2d" if groups == CHANNELS else "conv2d"
        y = self.op(kind, {"Input": v, "Filter": w}, "Output", strides=[1, 1], paddings=[1, 1], dilations=[1, 1], groups=groups,
                    observed=True, **WINDOW)
        return self.biased(y) if self.pick(0, 1) else y

    def biased(self, y):
        return self.op("elementwise_add", {"X": y, "Y": self.param(self.numbers(CHANNELS))}, "Out", axis=1)

    def transposed(self, v):
        w = self.weights(CHANNELS, CHANNELS, 2, 2, axis=1)
        y = self.op("conv2d_transpose", {"Input": v, "Filter": w}, "Output", strides=[2, 2], paddings=[0, 0], dilations=[1, 1], groups=1,
                    output_padding=[], output_size=[], **WINDOW)
        return self.pool(y, "max", 2, 2, 0)

    def product(self, v):
        kind = self.pick("matmul_v2", "mul")
        w = self.weights(EXTENT, EXTENT, axis=1)
        if kind == "mul":
            return self.op(kind, {"X": v, "Y": w}, "Out", x_num_col_dims=3, y_num_col_dims=1)
        return self.op(kind, {"X": v, "Y": w}, "Out", trans_x=False, trans_y=False)

    def computed(self, v):
        return self.op("matmul_v2", {"X": v, "Y": self.other()}, "Out", trans_x=False, trans_y=bool(self.pick(0, 1)))

    def split_product(self, v):
        """Whole numbers through a convolution, dequantized behind it."""
        bits, ties = self.pick(8, 8, 7), self.ties()
        scale = self.param(np.array([self.threshold(v)], np.float32))
        q = self.op("fake_quantize_moving_average_abs_max", {"X": v, "InScale": scale}, "Out", "OutScale", bit_length=bits, is_test=True,
                    **ties)
        w = self.op("fake_channel_wise_quantize_abs_max", {"X": self.param(self.numbers(CHANNELS, CHANNELS, 1, 1))}, "Out", "OutScale",
                    bit_length=bits, quant_axis=0, is_test=False, **ties)
        y = self.op("conv2d", {"Input": q, "Filter": w}, "Output", strides=[1, 1], paddings=[0, 0], dilations=[1, 1], groups=1, **WINDOW)
        self.values[q] = self.values[q] * self.values[scale] / np.float32(2 ** (bits - 1) - 1)
        return self.real_of(y, self.op("fake_channel_wise_dequantize_max_abs", {"X": y, "Scales": [w + ".OutScale", scale]}, "Out",
                                       quant_bits=[bits, bits], quant_axis=0, x_num_col_dims=1))

    def joined(self, v):
        both = self.op("concat", {"X": [v, self.other()]}, "Out", axis=1)
        w = self.weights(CHANNELS, 2 * CHANNELS, 1, 1, axis=0)
        return self.op("conv2d", {"Input": both, "Filter": w}, "Output", strides=[1, 1], paddings=[0, 0], dilations=[1, 1], groups=1,
                       **WINDOW)

    def normalised(self, v):
        scale, bias, mean = (self.param(self.numbers(CHANNELS)) for _ in range(3))
        variance = self.param(self.r.uniform(0.3, 2, CHANNELS).astype(np.float32))
        return self.op("batch_norm", {"X": v, "Scale": scale, "Bias": bias, "Mean": mean, "Variance": variance}, "Y", "MeanOut",
                       "VarianceOut", "SavedMean", "SavedVariance", epsilon=1e-5, data_layout="NCHW", is_test=True, observed=True)

    def function(self, v):
        kind, attributes = self.pick(("relu", {}), ("relu6", {"threshold": 6.0}), ("sigmoid", {}), ("tanh", {}), ("leaky_relu", {"alpha": 0.1}),
                                     ("hard_swish", {"threshold": 6.0, "scale": 6.0, "offset": 3.0}), ("softmax", {"axis": -1}),
                                     ("hard_sigmoid", {"slope": 0.2, "offset": 0.5}), ("abs", {}), ("clip", {"min": -0.5, "max": 0.77}),
                                     ("scale", {"scale": -1.5, "bias": 0.25, "bias_after_scale": True}), ("swish", {"beta": 1.0}))
        return self.op(kind, {"X": v}, "Out", observed=True, **attributes)

    def pool(self, v, kind, size, stride, padding):
        return self.op("pool2d", {"X": v}, "Out", pooling_type=kind, ksize=[size] * 2, strides=[stride] * 2, paddings=[padding] * 2,
                       global_pooling=False, exclusive=bool(self.pick(0, 1)), adaptive=False, ceil_mode=False, **WINDOW)

    def window(self, v):
        return self.pool(v, self.pick("avg", "max"), 3, 1, 1)

    def interpolated(self, v):
        """To a size that a factor gives, whole or not, and back."""
        return self.resized(self.resized(v, self.pick({"factor": [self.pick(2.0, 1.3, 0.7, 1.6, 0.55, 2.37)] * 2},
                                                      {"factor": [self.real(0.5, 2.5), self.real(0.5, 2.5)]},
                                                      {"size": int(self.r.integers(3, 20))})), {"size": EXTENT})

    def resized(self, v, how):
        kind = self.pick("nearest_interp_v2", "bilinear_interp_v2")
        size = how.get("size", -1)
        return self.op(kind, {"X": v}, "Out", data_layout="NCHW", out_d=-1, out_h=size, out_w=size, scale=how.get("factor", []),
                       interp_method=kind.split("_")[0], align_corners=bool(self.pick(0, 0, 1)), align_mode=self.pick(0, 1))

    def pair(self, v):
        kind = self.pick("add", "add", "sub", "mul", "max")
        constant = self.param(np.array([self.pick(0.37, -1.3, 2, 0.1)], np.float32))
        return self.op("elementwise_" + kind, {"X": v, "Y": self.pick(self.other(), self.other(), constant)}, "Out", axis=-1,
                       observed=True)

    def moved(self, v):
        turned = self.op("transpose2", {"X": v}, "Out", "XShape", axis=[0, 1, 3, 2])
        flat = self.op("reshape2", {"X": turned}, "Out", "XShape", shape=[1, CHANNELS, 4, 16])
        return self.op("reshape2", {"X": flat}, "Out", "XShape", shape=[1, CHANNELS, EXTENT, EXTENT])

    def draw(self):
        for _ in range(int(self.r.integers(2, 9))):
            make = self.pick(self.convolution, self.convolution, self.product, self.computed, self.split_product, self.joined, self.transposed,
                             self.normalised, self.function, self.window, self.interpolated, self.pair, self.moved,
                             *[self.rounded] * 6)
            self.drawn.append(make(self.pick(*self.drawn[-3:])))
        for name in sorted({self.drawn[-1], self.pick(*self.drawn[1:])}):
            self.p.output(name)


def dump(drawn, directory):
    """Writes what eval_ops reads."""
    drawn.x.tofile(os.path.join(directory, "in0.bin"))
    with open(os.path.join(directory, "names.txt"), "w", encoding="utf-8") as names:
        for index, (name, value) in enumerate(drawn.values.items()):
            if value.dtype == object:  # a result that only records a shape
                continue
            names.write(f"{index}\t{name}\t{'x'.join(map(str, value.shape))}\n")
            np.ascontiguousarray(value).tofile(os.path.join(directory, f"t{index:04d}.bin"))


def check_ops(eval_ops, model, folder):
    """(problems, results compared)"""
    rows, error = per_op.evaluate(eval_ops, model, folder)
    problems = [error] if error else []
    problems += [f"node {r.node} {r.kind}: {r.op} '{r.name}' {r.dtype}: {r.differ} of {r.elements} differ, largest {r.largest:g} of "
                 f"{r.magnitude:g}, at {r.first} ours {r.ours:g}, theirs {r.theirs:g}" for r in rows
                 if not r.largest <= REAL * max(r.magnitude, 1e-6)]
    return problems, len(rows)


def check_compiled(qcc_run, model, folder, drawn):
    """(problems, the largest distance of an output, over its norm)"""
    np.save(os.path.join(folder, "x.npy"), drawn.x)
    wanted = [drawn.values[op.inputs["X"][0]] for op in drawn.p.ops if op.kind == "fetch"]
    outputs = [os.path.join(folder, f"out{i}.npy") for i in range(len(wanted))]
    done = subprocess.run([qcc_run, model, "--input", os.path.join(folder, "x.npy"), "--output", *outputs], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        return [f"qcc-run: {done.stderr.strip() or done.returncode}"], 0
    distances = [float(np.linalg.norm(np.load(path) - theirs) / max(np.linalg.norm(theirs), 1e-6)) for path, theirs in zip(outputs, wanted)]
    return [f"compiled: output {i} is {d:.3g} of its norm from Paddle's" for i, d in enumerate(distances) if not d <= FAR], max(distances)


def check(arguments, seed, folder):
    """(problems, results compared, distance)"""
    drawn = Draw(seed)
    drawn.draw()
    model = os.path.join(folder, "m.pdmodel")
    paddle_file.write(drawn.p, model, os.path.join(folder, "m.pdiparams"))
    dump(drawn, folder)
    problems, count = check_ops(arguments.eval_ops, model, folder)
    more, distance = check_compiled(arguments.qcc_run, model, folder, drawn)
    return problems + more, count, distance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval-ops", default=os.environ.get("EVAL_OPS"))
    parser.add_argument("--qcc-run", default=os.environ.get("QCC_RUN"))
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="where programs that differ stay")
    arguments = parser.parse_args()
    if MISSING:
        print(f"skipped: {MISSING}")
        return 77
    bad = results = 0
    distances = []
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        with tempfile.TemporaryDirectory() as folder:
            if arguments.keep:
                folder = os.path.join(arguments.keep, str(seed))
                os.makedirs(folder, exist_ok=True)
            problems, count, distance = check(arguments, seed, folder)
        results += count
        distances.append(distance)
        bad += bool(problems)
        for p in problems[:4]:
            print(f"seed {seed}: {p}", flush=True)
    print(f"seeds {arguments.seed}…{arguments.seed + arguments.count - 1}: {results} results compared, compiled outputs {np.median(distances):.2g} "
          f"of their norm away (median; at most {max(distances):.2g}), {bad} programs differ")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
