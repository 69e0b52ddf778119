"""nb_quantized.py: the models of nb_models.py that hold fake quantization, as training leaves it, or integers."""
import numpy as np

from nb_kernels import away
from nb_models import case, conv, image, noise, unary


def fake(p, x, scale, kind="fake_quantize_dequantize_moving_average_abs_max"):
    name = f"{x}.scale"
    p.param(name, np.array([scale], np.float32))
    p.op(kind, {"X": [x], "InScale": [name]}, {"Out": [x + ".fake"], "OutScale": [name + ".out"]}, bit_length=8, is_test=True, round_type=1)
    return x + ".fake"


def rounded(p, name, x, threshold, kind="fake_quantize_dequantize_moving_average_abs_max", **more):
    p.param(name + ".scale", np.array([threshold], np.float32))
    p.op(kind, {"X": [x], "InScale": [name + ".scale"]}, {"Out": [name], "OutScale": [name + ".scale.out"]}, **{"bit_length": 8, "is_test": True, **more})
    return name


@case
def fake_results(p):
    """What is only rounded and clamped: right before an output, in one operator, in two, and behind a function.  Of both kinds of rounding, with
    numbers right between two integers and on both sides of the range."""
    x = image(p, (1, 3, 4, 13))
    p.param("zero", np.array([0], np.float32))
    for kind in (0, 1):
        name = f"r{kind}."
        p.output(rounded(p, name + "plain", "x", 1.0, round_type=kind))
        p.output(rounded(p, name + "steps", x, 31.75, round_type=kind))
        p.output(rounded(p, name + "behind", unary(p, x, "sin"), 0.5, round_type=kind))
        for op, a, b in (("quantize_linear", "x", name + "whole"), ("dequantize_linear", name + "whole", name + "two")):
            p.op(op, {"X": [a], "Scale": [name + "plain.scale"], "ZeroPoint": ["zero"]}, {"Y": [b]}, bit_length=8, quant_axis=-1, round_type=kind,
                 is_test=True, only_observer=False)
        p.output(name + "two")
    values = noise(56, (1, 3, 4, 13), -1.5, 1.5).reshape(-1)
    values[:80] = np.arange(-40, 40) / 8 + 0  # eighths: halves of the steps above, and beyond the other ranges
    return [values.reshape(1, 3, 4, 13)]


@case
def fake_alone(p):
    """A model of nothing else."""
    p.input("x", "float32", [2, 13])
    p.output(rounded(p, "y", "x", 0.6, round_type=1))
    return [noise(57, (2, 13))]


@case
def fake_widths(p):
    """Other widths than 8 bits; thresholds of nothing, of little, and large ones; weights along their second dimension."""
    x = image(p, (1, 4, 3, 12))
    for kind in (0, 1):
        for bits in (2, 4, 7, 16):
            p.output(rounded(p, f"b{bits}.{kind}", x, 0.8, bit_length=bits, round_type=kind))
        for name, threshold in (("none", 0.0), ("little", 3e-20), ("large", 1e30)):
            p.output(rounded(p, f"{name}.{kind}", x, threshold, round_type=kind))
        w = p.param(f"w{kind}", noise(140 + kind, (12, 6)))
        p.op("fake_channel_wise_quantize_dequantize_abs_max", {"X": [w]}, {"Out": [w + ".fake"], "OutScale": [w + ".scale"]}, bit_length=4, quant_axis=1,
             is_test=False, round_type=kind)
        p.op("matmul_v2", {"X": [x], "Y": [w + ".fake"]}, {"Out": [f"y{kind}"]}, trans_x=False, trans_y=False)
        p.output(f"y{kind}")
    p.output(rounded(p, "least", x, 1e-33, round_type=1))
    return [noise(59, (1, 4, 3, 12), -1.2, 1.2)]


@case
def linear_widths(p):
    """The largest integer of quantize_linear and dequantize_linear is qmax, whatever bit_length says."""
    x = image(p, (1, 4, 3, 12))
    p.param("scale", np.array([0.8], np.float32))
    p.param("zero", np.array([0], np.float32))
    p.param("w", np.random.RandomState(144).randint(-7, 8, (6, 4, 1, 1)).astype(np.int8))
    p.param("w.scale", noise(145, (6,), 0.2, 1))
    p.param("w.zero", np.zeros(6, np.float32))
    for name, bits, most in (("four", 4, 7), ("seven", 7, 63), ("sixteen", 16, 32767), ("said.four", 8, 7), ("said.eight", 4, 127)):
        limits = {"bit_length": bits, "qmin": -most - 1, "qmax": most, "is_test": True, "only_observer": False}
        for kind in (0, 1):
            at = f"{name}.{kind}"
            for op, a, b in (("quantize_linear", x, at + ".whole"), ("dequantize_linear", at + ".whole", at)):
                p.op(op, {"X": [a], "Scale": ["scale"], "ZeroPoint": ["zero"]}, {"Y": [b]}, quant_axis=-1, round_type=kind, **limits)
            p.output(at)
        p.op("dequantize_linear", {"X": ["w"], "Scale": ["w.scale"], "ZeroPoint": ["w.zero"]}, {"Y": [name + ".w"]}, quant_axis=0, round_type=0, **limits)
        p.op("conv2d", {"Input": [x], "Filter": [name + ".w"]}, {"Output": [name + ".y"]}, strides=[1, 1], paddings=[0, 0], dilations=[1, 1], groups=1,
             padding_algorithm="EXPLICIT", data_format="NCHW")
        p.output(name + ".y")
    return [noise(146, (1, 4, 3, 12), -1.2, 1.2)]


@case
def fake_operands(p):
    """Rounded right in front of a product, of an operand on which the integers are exact: nothing else is between them and the output."""
    x = image(p, (1, 4, 3, 12))
    values = np.concatenate([np.arange(-64, 64) / 2, noise(58, (16,), -80, 80)]).astype(np.float32)
    for kind in (0, 1):
        w = p.param(f"w{kind}", np.array([1, -1, 0.5, -0.25], np.float32).reshape(4, 1, 1, 1))
        p.op("fake_channel_wise_quantize_dequantize_abs_max", {"X": [w]}, {"Out": [w + ".fake"], "OutScale": [w + ".scale"]}, bit_length=8, quant_axis=0,
             is_test=False, round_type=kind)
        y = rounded(p, f"x{kind}", x, 31.75 if kind else 15.875, round_type=kind)
        p.op("depthwise_conv2d", {"Input": [y], "Filter": [w + ".fake"]}, {"Output": [f"y{kind}"]}, strides=[1, 1], paddings=[0, 0], dilations=[1, 1],
             groups=4, padding_algorithm="EXPLICIT", data_format="NCHW")
        p.output(f"y{kind}")
    return [values.reshape(1, 4, 3, 12)]


@case
def qat_fake(p):
    """Fake quantization that dequantizes at once, as the weights and activations of training have it."""
    p.input("x", "float32", [1, 4, 6, 6])
    w = p.param("w", noise(51, (8, 4, 3, 3)))
    p.op("fake_channel_wise_quantize_dequantize_abs_max", {"X": ["w"]}, {"Out": ["w.fake"], "OutScale": ["w.scale"]}, bit_length=8, quant_axis=0, is_test=False, round_type=1)
    x = fake(p, "x", 0.9)
    p.op("conv2d", {"Input": [x], "Filter": ["w.fake"]}, {"Output": ["conv"]}, strides=[1, 1], paddings=[1, 1], dilations=[1, 1], groups=1,
         padding_algorithm="EXPLICIT", data_format="NCHW", out_threshold=6.5)
    p.op("elementwise_add", {"X": ["conv"], "Y": [p.param("b", noise(52, (8,)))]}, {"Out": ["sum"]}, axis=1)
    p.op("relu", {"X": ["sum"]}, {"Out": ["relu"]}, out_threshold=6.0)
    y = fake(p, "relu", 4.0)
    p.op("pool2d", {"X": [y]}, {"Out": ["pool"]}, pooling_type="avg", ksize=[6, 6], strides=[1, 1], paddings=[0, 0], global_pooling=True, exclusive=True)
    p.param("fw", noise(53, (8, 5)))
    p.op("fake_quantize_dequantize_abs_max", {"X": ["fw"]}, {"Out": ["fw.fake"], "OutScale": ["fw.scale"]}, bit_length=8, round_type=1)
    p.op("flatten_contiguous_range", {"X": ["pool"]}, {"Out": ["rows"], "XShape": ["rows.shape"]}, start_axis=1, stop_axis=3)
    z = fake(p, "rows", 1.7)
    p.op("matmul_v2", {"X": [z], "Y": ["fw.fake"]}, {"Out": ["out"]}, trans_x=False, trans_y=False, out_threshold=2.0)
    p.output("out")
    return [noise(50, (1, 4, 6, 6))]


@case
def qat_network(p):
    """Blocks of a MobileNet as training leaves them: fake ops in front of products, batch norms behind them, sums, thresholds."""
    def block(i, x, shape, act, threshold, kind="conv2d", stride=1):
        w, outputs = f"w{i}", shape[0]
        p.param(w, noise(500 + i, shape))
        p.op("fake_channel_wise_quantize_dequantize_abs_max", {"X": [w]}, {"Out": [w + ".fake"], "OutScale": [w + ".scale"]},
             bit_length=8, quant_axis=0, is_test=False, round_type=1)
        p.op(kind, {"Input": [x], "Filter": [w + ".fake"]}, {"Output": [f"c{i}"]}, strides=[stride] * 2, paddings=[shape[2] // 2] * 2,
             dilations=[1, 1], groups=outputs if kind != "conv2d" else 1, padding_algorithm="EXPLICIT", data_format="NCHW")
        for j, (name, low) in enumerate((("scale", -1.2), ("bias", -0.5), ("mean", -0.5), ("variance", 0.5))):
            p.param(f"{name}{i}", noise(600 + 10 * i + j, (outputs,), low, 1.5))
        p.op("batch_norm", {"X": [f"c{i}"], "Scale": [f"scale{i}"], "Bias": [f"bias{i}"], "Mean": [f"mean{i}"], "Variance": [f"variance{i}"]},
             {"Y": [f"n{i}"], **{o: [f"{o}{i}"] for o in ("MeanOut", "VarianceOut", "SavedMean", "SavedVariance")}}, epsilon=1e-5,
             data_layout="NCHW", is_test=True, **({} if act else {"out_threshold": threshold}))
        if act:
            p.op(act, {"X": [f"n{i}"]}, {"Out": [f"a{i}"]}, out_threshold=threshold, **({"threshold": 6.0} if act == "relu6" else {}))
        return fake(p, f"a{i}" if act else f"n{i}", threshold)
    p.input("x", "float32", [1, 3, 16, 16])
    x = block(0, fake(p, "x", 1.0), (16, 3, 3, 3), "relu6", 6.0, stride=2)
    y = block(2, block(1, x, (16, 1, 3, 3), "relu", 5.0, "depthwise_conv2d"), (16, 16, 1, 1), None, 9.0)
    p.op("elementwise_add", {"X": [x], "Y": [y]}, {"Out": ["sum"]}, axis=-1, out_threshold=11.0)
    z = block(3, fake(p, "sum", 11.0), (24, 16, 1, 1), "relu", 30.0)
    p.op("pool2d", {"X": [z]}, {"Out": ["pool"]}, pooling_type="avg", ksize=[8, 8], strides=[1, 1], paddings=[0, 0], global_pooling=True, exclusive=True)
    p.op("flatten_contiguous_range", {"X": ["pool"]}, {"Out": ["rows"], "XShape": ["rows.shape"]}, start_axis=1, stop_axis=3)
    p.param("fw", noise(55, (24, 10)))
    p.op("fake_quantize_dequantize_abs_max", {"X": ["fw"]}, {"Out": ["fw.fake"], "OutScale": ["fw.scale"]}, bit_length=8, round_type=1)
    p.op("matmul_v2", {"X": [fake(p, "rows", 12.0)], "Y": ["fw.fake"]}, {"Out": ["out"]}, trans_x=False, trans_y=False, out_threshold=30.0)
    p.output("out")
    return [noise(54, (1, 3, 16, 16))]


@case
def qat_split(p):
    """Whole numbers through the convolution, dequantized behind it."""
    p.input("x", "float32", [1, 4, 6, 6])
    p.param("xs", np.array([0.8], np.float32))
    p.op("fake_quantize_moving_average_abs_max", {"X": ["x"], "InScale": ["xs"]}, {"Out": ["x.q"], "OutScale": ["xs.out"]}, bit_length=8, is_test=True, round_type=1)
    p.param("w", noise(61, (8, 4, 3, 3)))
    p.op("fake_channel_wise_quantize_abs_max", {"X": ["w"]}, {"Out": ["w.q"], "OutScale": ["w.scale"]}, bit_length=8, quant_axis=0, is_test=False, round_type=1)
    p.op("conv2d", {"Input": ["x.q"], "Filter": ["w.q"]}, {"Output": ["conv"]}, strides=[1, 1], paddings=[1, 1], dilations=[1, 1], groups=1,
         padding_algorithm="EXPLICIT", data_format="NCHW")
    p.op("fake_channel_wise_dequantize_max_abs", {"X": ["conv"], "Scales": ["w.scale", "xs"]}, {"Out": ["deq"]}, quant_bits=[8, 8], quant_axis=0, x_num_col_dims=1)
    p.output("deq")
    p.param("ys", np.array([3.0], np.float32))
    p.op("fake_quantize_range_abs_max", {"X": ["deq"], "InScale": ["ys"]}, {"Out": ["y.q"], "OutScale": ["ys.out"]}, bit_length=8, is_test=True, window_size=10000, round_type=1)
    p.param("m", np.clip(away(noise(62, (288, 3), -127, 127)), -127, 127).astype(np.float32))
    p.op("mul", {"X": ["y.q"], "Y": ["m"]}, {"Out": ["product"]}, x_num_col_dims=1, y_num_col_dims=1)
    p.param("ms", np.array([0.5 * 3.0 / 127], np.float32))
    p.op("fake_dequantize_max_abs", {"X": ["product"], "Scale": ["ms"]}, {"Out": ["out"]}, max_range=127.0)
    p.output("out")
    return [noise(60, (1, 4, 6, 6))]


@case
def qat_linear(p):
    """quantize_linear and dequantize_linear; weights stored as int8."""
    p.input("x", "float32", [1, 4, 6, 6])
    p.param("xs", np.array([0.8], np.float32))
    p.param("zero", np.array([0], np.float32))
    p.op("quantize_linear", {"X": ["x"], "Scale": ["xs"], "ZeroPoint": ["zero"]}, {"Y": ["x.q"]}, bit_length=8, quant_axis=-1, round_type=0, is_test=True, only_observer=False)
    p.op("dequantize_linear", {"X": ["x.q"], "Scale": ["xs"], "ZeroPoint": ["zero"]}, {"Y": ["x.d"]}, bit_length=8, quant_axis=-1, round_type=0, is_test=True, only_observer=False)
    p.param("w", np.random.RandomState(71).randint(-127, 128, (8, 4, 3, 3)).astype(np.int8))
    p.param("ws", noise(72, (8,), 0.2, 1))
    p.param("wz", np.zeros(8, np.float32))
    p.op("dequantize_linear", {"X": ["w"], "Scale": ["ws"], "ZeroPoint": ["wz"]}, {"Y": ["w.d"]}, bit_length=8, quant_axis=0, round_type=0, is_test=True, only_observer=False)
    p.op("conv2d", {"Input": ["x.d"], "Filter": ["w.d"]}, {"Output": ["conv"]}, strides=[1, 1], paddings=[1, 1], dilations=[1, 1], groups=1,
         padding_algorithm="EXPLICIT", data_format="NCHW", out_threshold=5.0)
    p.output("conv")
    return [noise(70, (1, 4, 6, 6))]


@case
def int8(p):
    """Paddle Lite's integer kernels; one variable is int8 and real in turn."""
    random = np.random.RandomState(81)
    p.input("x", "float32", [1, 8, 6, 6])
    p.op("calib", {"Input": ["x"]}, {"Out": ["t"]}, scale=0.01, **{"__@kernel_type_attr@__": "calib/fp32_to_int8/4/2/1"})
    def layer(name, kind, x, shape, out_kind, act="", groups=1, scale=0.05, padding=1):
        w = random.randint(-127, 128, shape).astype(np.int8)
        conv(p, name, x, w, noise(len(p.ops), (shape[0],)), out="t", kind=kind, groups=groups, paddings=[padding, padding], act_type=act, with_act=bool(act),
             enable_int8=True, bit_length=8, Input0_scale=[0.01 if name == "a" else scale], out_threshold=3.0,
             Filter0_scale=[float(v) for v in np.round(noise(len(p.ops), (shape[0],), 0.001, 0.004), 6)], Output0_scale=[0.05],
             **{"__@kernel_type_attr@__": f"{kind}/{out_kind}/4/2/1"})
    layer("a", "conv2d", "t", (16, 8, 3, 3), "int8_out", "relu")
    layer("b", "depthwise_conv2d", "t", (16, 1, 3, 3), "int8_out", groups=16)
    layer("c", "conv2d", "t", (8, 16, 1, 1), "fp32_out", "hard_swish", padding=0)
    p.output("t")
    p.op("hard_swish", {"X": ["t"]}, {"Out": ["t"]}, threshold=6.0, scale=6.0, offset=3.0)
    p.op("calib", {"Input": ["t"]}, {"Out": ["u"]}, scale=0.03, **{"__@kernel_type_attr@__": "calib/fp32_to_int8/4/2/1"})
    layer("d", "conv2d", "u", (8, 4, 3, 3), "int8_out", groups=2, scale=0.03)
    p.op("calib", {"Input": ["t"]}, {"Out": ["u"]}, scale=0.05, **{"__@kernel_type_attr@__": "calib/int8_to_fp32/4/2/1"})
    p.output("u")
    p.param("fw", random.randint(-127, 128, (288, 5)).astype(np.int8))
    p.op("fc", {"Input": ["t"], "W": ["fw"], "Bias": [p.param("fb", noise(82, (5,)))]}, {"Out": ["fc"]}, in_num_col_dims=1, activation_type="",
         enable_int8=True, Input0_scale=[0.05], W0_scale=[0.002] * 5, **{"__@kernel_type_attr@__": "fc/fp32out/4/2/1"})
    p.output("fc")
    return [noise(80, (1, 8, 6, 6))]


@case
def int8_shuffles(p):
    """Blocks of a network for poses: half of the channels through integer kernels, some with real results, some dequantized by calib; both halves
    joined and shuffled, by an operator or by reshapes; sums; one variable quantized with two scales."""
    random = np.random.RandomState(83)
    names = (f"v{i}" for i in range(1000))

    def op(kind, inputs, kernel="def/4/1/1", **attributes):
        outputs = {"Out": [next(names)]}
        if kind in ("reshape2", "transpose2"):
            outputs["XShape"] = [next(names)]
        p.op(kind, inputs if isinstance(inputs, dict) else {"X": inputs}, outputs, **{"__@kernel_type_attr@__": f"{kind}/{kernel}"}, **attributes)
        return outputs["Out"][0]

    def calib(x, scale, kernel="fp32_to_int8"):
        return op("calib", {"Input": [x]}, kernel + "/4/2/1", scale=scale)

    def layer(x, shape, scale, out_scale, out, act="relu", kind="conv2d", stride=1):
        bound = 1 / (60 * np.sqrt(np.prod(shape[1:])))
        name = next(names)
        conv(p, name, x, random.randint(-127, 128, shape).astype(np.int8), noise(len(p.ops), (shape[0],), -0.5, 0.5), out=name, kind=kind,
             groups=shape[0] if kind != "conv2d" else 1, strides=[stride] * 2, paddings=[shape[2] // 2] * 2, act_type=act, with_act=bool(act),
             enable_int8=True, bit_length=8, Input0_scale=[scale], Output0_scale=[out_scale],
             Filter0_scale=[float(v) for v in noise(len(p.ops), (shape[0],), bound / 2, bound)], **{"__@kernel_type_attr@__": f"{kind}/{out}/4/2/1"})
        return name

    p.input("x", "float32", [1, 3, 12, 12])
    x = layer(calib("x", 1 / 127), (16, 3, 3, 3), 1 / 127, 1.0, "fp32_out", stride=2)
    for i in range(4):
        s, t, u = 0.013 + 0.004 * i, 0.017 + 0.005 * i, 0.015 + 0.004 * i
        halves = [next(names), next(names)]
        p.op("split", {"X": [x]}, {"Out": halves}, axis=1, sections=[8, 8] if i % 2 else [], num=0 if i % 2 else 2)
        y = layer(calib(halves[1], s), (8, 8, 1, 1), s, t, "int8_out")
        y = layer(y, (8, 1, 3, 3), t, u, "int8_out" if i % 3 else "fp32_out", "", "depthwise_conv2d")
        y = layer(y if i % 3 else calib(y, u), (8, 8, 1, 1), u, s, "int8_out" if i % 2 else "fp32_out")
        x = op("concat", [halves[0], calib(y, s, "int8_to_fp32") if i % 2 else y], "def/4/4/1", axis=1)
        if i == 2:
            x = op("shuffle_channel", [x], group=2)
        else:
            x = op("transpose2", [op("reshape2", [x], "def/1/4/2", shape=[1, 2, 8, 6, 6])], "def/4/4/1", axis=[0, 2, 1, 3, 4])
            x = op("reshape2", [x], "def/1/4/2", shape=[1, 16, 6, 6])
        if i % 2:
            y = layer(calib(x, s * 2), (16, 16, 1, 1), s * 2, 1.0, "fp32_out", "")
            add, act = ("fusion_elementwise_add_activation", {"act_type": "relu"}) if i == 3 else ("elementwise_add", {})
            x = op(add, {"X": [x], "Y": [y]}, axis=-1, **act)
    wide = op("nearest_interp", [x], out_h=12, out_w=12, scale=0.0, align_corners=False, align_mode=1, interp_method="nearest", data_layout="NCHW")
    for v, scale in ((wide, 0.02), (x, 0.03)):
        p.output(layer(calib(v, scale), (5, 16, 1, 1), scale, 1.0, "fp32_out", ""))
    return [noise(84, (1, 3, 12, 12))]


@case
def int8_bounded(p):
    """Real results between bounds that end where the integers of the next calib end, moved and joined on their way there: zeros stay zeros."""
    random = np.random.RandomState(85)

    def op(kind, x, out, **attributes):
        p.op(kind, {"Input" if kind == "calib" else "X": x if isinstance(x, list) else [x]}, {"Out": [out]}, **attributes)
        return out

    def calib(x, scale):
        return op("calib", x, x + ".q", scale=float(np.float32(scale)), **{"__@kernel_type_attr@__": "calib/fp32_to_int8/4/2/1"})

    def layer(name, x, shape, scale, act=""):
        return conv(p, name, x, random.randint(-127, 128, shape).astype(np.int8), noise(len(p.ops), (shape[0],), -0.5, 0.5), out=name, act_type=act,
                    with_act=bool(act), enable_int8=True, bit_length=8, Input0_scale=[float(np.float32(scale))], paddings=[0, 0], fuse_brelu_threshold=6.0,
                    Filter0_scale=[float(v) for v in noise(len(p.ops), (shape[0],), 0.002, 0.004)],
                    **{"__@kernel_type_attr@__": "conv2d/fp32_out/4/2/1"})

    p.input("x", "float32", [2, 4, 6, 6])
    a = layer("a", calib("x", 0.03), (8, 4, 1, 1), 0.03, "relu6")
    b = op("relu6", layer("b", calib(op("shuffle_channel", a, "s", group=2), 6 / 127), (8, 8, 1, 1), 6 / 127), "bounded", threshold=6.0)
    c = layer("c", calib(op("concat", [a, b], "joined", axis=1), 6 / 127), (8, 16, 1, 1), 6 / 127)
    results = [(b, 6 / 127), (op("relu6", c, "of_joined", threshold=6.0), 0.0475), (op("clip", c, "clipped", min=0.0, max=1.0), 1 / 127),
               (op("sigmoid", c, "sigmoid"), 1 / 127), (layer("d", "x.q", (8, 4, 1, 1), 0.03, "relu6"), 0.05)]
    for i, (x, scale) in enumerate(results):
        p.output(layer(f"y{i}", calib(x, scale), (3, 8, 1, 1), scale))
    return [noise(86, (2, 4, 6, 6), -4, 4)]


@case
def int8_joins(p):
    """Bytes of different scales joined, which the next kernel reads with its own; sums of integers; activations fused into a scale."""
    random = np.random.RandomState(87)

    def op(kind, inputs, out, **attributes):
        p.op(kind, inputs, {"Out": [out]}, **attributes)
        return out

    def calib(x, out, scale, kind="fp32_to_int8"):
        return op("calib", {"Input": [x]}, out, scale=float(np.float32(scale)), **{"__@kernel_type_attr@__": f"calib/{kind}/4/2/1"})

    def add(kind, out, kernel, **more):
        p.output(op(kind, {"X": ["a"], "Y": ["b"]}, out, axis=-1, enable_int8=True, X0_scale=[0.01], Y0_scale=[0.02], Out0_scale=[0.025], **more,
                    **{"__@kernel_type_attr@__": f"{kind}/{kernel}/4/2/1"}))

    p.input("x", "float32", [2, 4, 5, 6])
    calib("x", "a", 0.01), calib("x", "b", 0.02)
    op("concat", {"X": ["a", "b", "a"]}, "joined", axis=1)
    conv(p, "c", "joined", random.randint(-127, 128, (5, 12, 1, 1)).astype(np.int8), noise(88, (5,)), out="c", paddings=[0, 0], act_type="", with_act=False,
         enable_int8=True, bit_length=8, Input0_scale=[0.015], Filter0_scale=[0.002] * 5, **{"__@kernel_type_attr@__": "conv2d/fp32_out/4/2/1"})
    p.output("c")
    add("elementwise_add", "sum", "int8_out")
    add("fusion_elementwise_add_activation", "sum_relu", "fp32_out", act_type="relu")
    for act, alpha in (("relu6", 1.5), ("relu6", 6.0), ("leaky_relu", 0.3)):
        p.output(op("scale", {"X": ["x"]}, f"{act}{alpha}", scale=3.0, bias=0.5, bias_after_scale=True, activation_type=act, alpha=float(np.float32(alpha))))
    return [noise(89, (2, 4, 5, 6))]


@case
def qat_transposed(p):
    """A transposed convolution whose weights are fake-quantized, along their second dimension, and as a whole."""
    x = image(p, (2, 4, 5, 3))
    for i, kind in enumerate(("fake_channel_wise_quantize_dequantize_abs_max", "fake_quantize_dequantize_abs_max")):
        w = p.param(f"w{i}", noise(91 + i, (4, 3, 2, 2)))
        p.op(kind, {"X": [w]}, {"Out": [w + ".q"], "OutScale": [w + ".s"]}, bit_length=8, quant_axis=1, is_test=True, round_type=1)
        p.op("conv2d_transpose", {"Input": [x], "Filter": [w + ".q"]}, {"Output": [f"y{i}"]}, strides=[2, 2], paddings=[0, 0], dilations=[1, 1], groups=1,
             output_padding=[], output_size=[], padding_algorithm="EXPLICIT", data_format="NCHW")
        p.output(f"y{i}")
    return [noise(93, (2, 4, 5, 3))]
