"""nb_models.py: the small Paddle Lite models of tests/data/nb: CASES, a function each (those of quantized models are in
nb_quantized.py), which gets a nb_file.Program, describes the model in it, and returns the inputs that it is run on."""
import numpy as np

import nb_file


def noise(seed, shape, low=-1.0, high=1.0):
    return (np.random.RandomState(seed).rand(*shape) * (high - low) + low).astype(np.float32)


CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


def conv(p, name, x, w, bias=None, out=None, kind="conv2d", **more):
    p.param(name + ".w", w)
    inputs = {"Input": [x], "Filter": [name + ".w"]}
    if bias is not None:
        inputs["Bias"] = [p.param(name + ".b", bias)]
    settings = {"strides": [1, 1], "paddings": [1, 1], "dilations": [1, 1], "groups": 1, "padding_algorithm": "EXPLICIT", "data_format": "NCHW"}
    p.op(kind, inputs, {"Output": [out or name + ".out"]}, **{**settings, **more})
    return out or name + ".out"


def unary(p, x, kind, parameter="X", **attributes):
    out = f"{kind}_{len(p.ops)}.out"
    p.op(kind, {parameter: [x]}, {"Out": [out]}, **attributes)
    p.output(out)
    return out


def image(p, shape=(1, 6, 5, 4), name="x"):
    """An input, and after a pool that leaves it as it is, the same with channels last inside."""
    p.input(name, "float32", shape)
    p.op("pool2d", {"X": [name]}, {"Out": [name + ".pooled"]}, pooling_type="max", ksize=[1, 1], strides=[1, 1], paddings=[0, 0])
    return name + ".pooled"


@case
def functions(p):
    x = image(p)
    for kind in ("relu", "sigmoid", "tanh", "exp", "abs", "floor", "ceil", "sign", "sin", "cos", "erf", "silu", "square", "softsign", "mish"):
        unary(p, x, kind)
    unary(p, x, "relu6", threshold=6.0)
    unary(p, x, "leaky_relu", alpha=0.1)
    unary(p, x, "hard_sigmoid", slope=0.2, offset=0.5)
    unary(p, x, "hard_swish", threshold=6.0, scale=6.0, offset=3.0)
    unary(p, x, "hard_swish", threshold=4.0, scale=5.0, offset=2.0)
    unary(p, x, "swish", beta=1.5)
    unary(p, x, "elu", alpha=1.0)
    unary(p, x, "elu", alpha=0.3)
    unary(p, x, "gelu", approximate=False)
    unary(p, x, "gelu", approximate=True)
    unary(p, x, "softplus", beta=1.0, threshold=20.0)
    unary(p, x, "clip", min=-0.3, max=0.4)
    unary(p, x, "scale", scale=1.5, bias=0.25, bias_after_scale=True)
    unary(p, x, "scale", scale=1.5, bias=0.25, bias_after_scale=False)
    unary(p, x, "softmax", axis=-1)
    unary(p, x, "softmax", axis=1)
    unary(p, x, "log_softmax", axis=1)
    unary(p, x, "cumsum", axis=2, flatten=False, exclusive=False, reverse=False)
    for mode, alpha in (("all", noise(5, (1,))), ("channel", noise(6, (1, 6, 1, 1))), ("element", noise(7, (1, 6, 5, 4)))):
        p.param("alpha." + mode, alpha)
        p.op("prelu", {"X": [x], "Alpha": ["alpha." + mode]}, {"Out": ["prelu." + mode]}, mode=mode, data_format="NCHW")
        p.output("prelu." + mode)
    return [noise(1, (1, 6, 5, 4), -2, 2)]


@case
def pools(p):
    x = image(p, (1, 3, 7, 9))
    def pool(**more):
        settings = {"pooling_type": "avg", "ksize": [3, 3], "strides": [2, 2], "paddings": [0, 0], "global_pooling": False, "exclusive": True,
                    "adaptive": False, "ceil_mode": False, "padding_algorithm": "EXPLICIT", "data_format": "NCHW"}
        unary(p, x, "pool2d", **{**settings, **more})
    for kind in ("avg", "max"):
        pool(pooling_type=kind)
        pool(pooling_type=kind, paddings=[1, 1])
        pool(pooling_type=kind, paddings=[1, 0, 0, 1])
        pool(pooling_type=kind, ceil_mode=True, ksize=[2, 2])
        pool(pooling_type=kind, global_pooling=True)
        pool(pooling_type=kind, padding_algorithm="SAME")
    pool(adaptive=True, ksize=[1, 3])  # of the largest, Paddle's operator of this name makes something else
    pool(adaptive=True, ksize=[3, 4])
    pool(exclusive=False, paddings=[1, 1])
    return [noise(2, (1, 3, 7, 9))]


@case
def interpolation(p):
    x = image(p, (1, 3, 5, 6))
    for kind in ("nearest", "bilinear"):
        for corners, mode in ((False, 1), (True, 1)) + (((False, 0),) if kind == "bilinear" else ()):
            for size in ((10, 12), (7, 4)):
                unary(p, x, kind + "_interp_v2", out_h=size[0], out_w=size[1], scale=[], align_corners=corners, align_mode=mode,
                      interp_method=kind, data_layout="NCHW")
    unary(p, x, "nearest_interp_v2", out_h=-1, out_w=-1, scale=[2.0, 2.0], align_corners=False, align_mode=1, interp_method="nearest", data_layout="NCHW")
    return [noise(3, (1, 3, 5, 6))]


@case
def interpolation_scales(p):
    """Scales whose sizes are rounded: where pixels are follows from the scale.  Sizes from operands, one of them computed."""
    x = image(p, (1, 3, 5, 11))
    settings = {"out_h": -1, "out_w": -1, "align_mode": 1, "data_layout": "NCHW"}
    for kind in ("nearest", "bilinear"):
        for scale in ([1.3, 1.26], [0.7, 0.37], [2.0, 1.7]):
            for corners, mode in ((False, 1), (True, 1)) + (((False, 0),) if kind == "bilinear" else ()):
                unary(p, x, kind + "_interp_v2", **{**settings, "scale": scale, "align_corners": corners, "align_mode": mode, "interp_method": kind})
        unary(p, x, kind + "_interp", **{**settings, "scale": 1.26, "align_corners": False, "interp_method": kind})
        p.param(kind + ".size", np.array([7, 5], np.int32))
        p.param(kind + ".h", np.array([9], np.int32))
        p.param(kind + ".scale", np.array([1.5], np.float32))
        for operands in ({"OutSize": [kind + ".size"]}, {"SizeTensor": [kind + ".h", kind + ".h"]}, {"Scale": [kind + ".scale"]}):
            out = f"{kind}.{next(iter(operands))}"
            p.op(kind + "_interp_v2", {"X": [x], **operands}, {"Out": [out]}, **{**settings, "scale": [], "align_corners": False, "interp_method": kind})
            p.output(out)
    return [noise(31, (1, 3, 5, 11))]


@case
def reductions(p):
    x = image(p, (2, 6, 5, 4))
    for kind in ("reduce_mean", "reduce_sum", "reduce_max", "reduce_min", "reduce_prod"):
        for dims, keep in (([2, 3], True), ([2, 3], False), ([1], False), ([-1], True), ([0, 2], False)):
            unary(p, x, kind, dim=dims, keep_dim=keep, reduce_all=False)
    unary(p, x, "reduce_mean", dim=[0], keep_dim=False, reduce_all=True)
    for kind in ("arg_max", "arg_min"):
        unary(p, x, kind, axis=nb_file.Long(1), keepdims=False, flatten=False, dtype=3)
        unary(p, x, kind, axis=nb_file.Long(-1), keepdims=True, flatten=False, dtype=2)
    p.op("top_k_v2", {"X": [x]}, {"Out": ["top"], "Indices": ["top.at"]}, k=2, axis=-1, largest=True, sorted=True)
    p.output("top")
    p.output("top.at")
    return [noise(4, (2, 6, 5, 4))]


@case
def normalisation(p):
    x = image(p, (2, 6, 5, 4))
    p.param("scale", noise(11, (6,), 0.5, 1.5))
    p.param("bias", noise(12, (6,)))
    p.param("row.scale", noise(13, (20,), 0.5, 1.5))
    p.param("row.bias", noise(14, (20,)))
    p.param("mean", noise(15, (6,)))
    p.param("variance", noise(16, (6,), 0.5, 2))
    p.op("layer_norm", {"X": [x], "Scale": ["row.scale"], "Bias": ["row.bias"]}, {"Y": ["ln"], "Mean": ["m0"], "Variance": ["v0"]}, begin_norm_axis=2, epsilon=1e-5)
    p.op("group_norm", {"X": [x], "Scale": ["scale"], "Bias": ["bias"]}, {"Y": ["gn"], "Mean": ["m1"], "Variance": ["v1"]}, groups=3, epsilon=1e-5, data_layout="NCHW")
    p.op("instance_norm", {"X": [x], "Scale": ["scale"], "Bias": ["bias"]}, {"Y": ["in"], "SavedMean": ["m2"], "SavedVariance": ["v2"]}, epsilon=1e-5)
    p.op("batch_norm", {"X": [x], "Scale": ["scale"], "Bias": ["bias"], "Mean": ["mean"], "Variance": ["variance"]},
         {"Y": ["bn"], "MeanOut": ["mean.out"], "VarianceOut": ["variance.out"], "SavedMean": ["m3"], "SavedVariance": ["v3"]}, epsilon=1e-5,
         is_test=True, data_layout="NCHW")
    for name in ("ln", "gn", "in", "bn"):
        p.output(name)
    return [noise(10, (2, 6, 5, 4), -1, 3)]


@case
def movement(p):
    x = image(p, (1, 8, 3, 4))
    unary(p, x, "flip", axis=[1, 3])
    unary(p, x, "pixel_shuffle", upscale_factor=2, data_format="NCHW")
    unary(p, x, "shuffle_channel", group=2)
    unary(p, x, "pad2d", paddings=[1, 2, 0, 3], mode="constant", pad_value=0.5, data_format="NCHW")
    unary(p, x, "pad2d", paddings=[1, 2, 2, 1], mode="reflect", pad_value=0.0, data_format="NCHW")
    unary(p, x, "tile", repeat_times=[1, 2, 1, 3])
    unary(p, x, "expand_v2", shape=[3, -1, 3, 4])
    p.op("stack", {"X": [x, x]}, {"Y": ["stacked"]}, axis=2)
    p.output("stacked")
    p.op("unstack", {"X": [x]}, {"Y": ["part0", "part1", "part2"]}, axis=2, num=3)
    p.output("part2")
    p.op("strided_slice", {"Input": [x]}, {"Out": ["strided"]}, axes=[1, 3], starts=[1, 0], ends=[7, 4], strides=[3, 2], infer_flags=[1, 1], decrease_axis=[])
    p.output("strided")
    p.op("slice", {"Input": [x]}, {"Out": ["sliced"]}, axes=[1, 2], starts=[-3, 1], ends=[100, 2], decrease_axis=[2], infer_flags=[1, 1])
    p.output("sliced")
    p.param("at", np.array([2, 0, 1, 2], np.int32))
    p.op("gather", {"X": [x], "Index": ["at"]}, {"Out": ["gathered"]}, axis=2)
    p.output("gathered")
    p.param("table", noise(21, (5, 3)))
    p.param("ids", np.array([[4, 0], [1, 1]], np.int64))
    p.op("lookup_table_v2", {"W": ["table"], "Ids": ["ids"]}, {"Out": ["looked"]}, padding_idx=nb_file.Long(-1))
    p.op("elementwise_add", {"X": ["looked"], "Y": ["looked"]}, {"Out": ["looked.twice"]}, axis=-1)
    p.output("looked.twice")
    p.op("split", {"X": [x]}, {"Out": ["s0", "s1"]}, axis=1, sections=[3, 5], num=0)
    p.op("concat", {"X": ["s1", "s0"]}, {"Out": ["joined"]}, axis=1)
    p.output("joined")
    p.op("transpose2", {"X": [x]}, {"Out": ["turned"], "XShape": ["turned.shape"]}, axis=[0, 2, 3, 1])
    p.op("reshape2", {"X": ["turned"]}, {"Out": ["flat"], "XShape": ["flat.shape"]}, shape=[0, -1, 8])
    p.op("unsqueeze2", {"X": ["flat"]}, {"Out": ["flat.4"], "XShape": ["flat.4.shape"]}, axes=[1])
    p.output("flat.4")
    p.op("flatten_contiguous_range", {"X": [x]}, {"Out": ["range"], "XShape": ["range.shape"]}, start_axis=1, stop_axis=2)
    p.output("range")
    p.param("limit", np.array([0.1], np.float32))
    p.op("greater_than", {"X": [x], "Y": ["limit"]}, {"Out": ["mask"]}, axis=-1)
    p.op("cast", {"X": ["mask"]}, {"Out": ["mask.real"]}, in_dtype=0, out_dtype=5)
    p.output("mask.real")
    return [noise(20, (1, 8, 3, 4))]


@case
def products(p):
    p.input("x", "float32", [2, 3, 4])
    p.input("y", "float32", [2, 4, 5])
    p.param("w", noise(31, (4, 6)))
    p.param("wt", noise(32, (6, 4)))
    p.param("v", noise(33, (4,)))
    for name, inputs, swap in (("a", ("x", "y"), (False, False)), ("b", ("y", "x"), (True, True)), ("c", ("x", "w"), (False, False)),
                               ("d", ("x", "wt"), (False, True)), ("e", ("x", "v"), (False, False))):
        p.op("matmul_v2", {"X": [inputs[0]], "Y": [inputs[1]]}, {"Out": [name]}, trans_x=swap[0], trans_y=swap[1])
        p.output(name)
    p.op("matmul", {"X": ["x"], "Y": ["y"]}, {"Out": ["scaled"]}, transpose_X=False, transpose_Y=False, alpha=0.5)
    p.output("scaled")
    p.param("m", noise(34, (12, 5)))
    p.op("mul", {"X": ["x"], "Y": ["m"]}, {"Out": ["mul"]}, x_num_col_dims=1, y_num_col_dims=1)
    p.output("mul")
    p.param("fc.b", noise(35, (5,)))
    p.op("fc", {"Input": ["x"], "W": ["m"], "Bias": ["fc.b"]}, {"Out": ["fc"]}, in_num_col_dims=1, activation_type="")
    p.output("fc")
    return [noise(30, (2, 3, 4)), noise(36, (2, 4, 5))]


@case
def convolutions(p):
    """Also: one variable for several values."""
    x = image(p, (1, 4, 7, 6))
    t = conv(p, "plain", x, noise(41, (5, 4, 3, 3)), noise(42, (5,)), out="t", with_act=False)
    p.op("elementwise_add", {"X": ["t"], "Y": [p.param("c", noise(43, (5,)))]}, {"Out": ["t"]}, axis=1)
    p.output("t")
    conv(p, "strided", "t", noise(44, (6, 5, 3, 3)), out="t", strides=[2, 1], paddings=[1, 0, 2, 1])
    conv(p, "deep", "t", noise(45, (6, 1, 3, 3)), kind="depthwise_conv2d", groups=6, dilations=[1, 1])
    p.output("deep.out")
    conv(p, "groups", "t", noise(46, (4, 3, 1, 1)), groups=2, paddings=[0, 0])
    p.output("groups.out")
    conv(p, "dilated", x, noise(47, (3, 4, 3, 3)), dilations=[2, 2], paddings=[2, 2])
    p.output("dilated.out")
    conv(p, "same", x, noise(48, (3, 4, 2, 3)), padding_algorithm="SAME", strides=[2, 2])
    p.output("same.out")
    p.param("up.w", noise(49, (4, 3, 2, 2)))
    p.op("conv2d_transpose", {"Input": [x], "Filter": ["up.w"]}, {"Output": ["up"]}, strides=[2, 2], paddings=[0, 0], dilations=[1, 1], groups=1,
         output_padding=[], output_size=[], padding_algorithm="EXPLICIT", data_format="NCHW")
    p.output("up")
    return [noise(40, (1, 4, 7, 6))]


@case
def transposed_forms(p):
    """Transposed convolutions with groups, dilation, the padding algorithms, and results that reach past the filters."""
    x = image(p)
    forms = (
        {"groups": 2, "strides": [2, 2], "paddings": [1, 1]},
        {"groups": 6, "strides": [2, 1], "paddings": [0, 1]},
        {"dilations": [2, 3], "paddings": [1, 2]},
        {"groups": 3, "dilations": [2, 1], "strides": [2, 2], "paddings": [1, 1]},
        {"padding_algorithm": "SAME", "strides": [2, 2]},
        {"padding_algorithm": "SAME", "strides": [1, 2], "paddings": [5, 5]},
        {"padding_algorithm": "VALID", "strides": [3, 2], "paddings": [1, 1]},
        {"strides": [2, 2], "output_padding": [1, 1]},
        {"strides": [4, 3], "output_padding": [3, 2]},
        {"strides": [2, 3], "paddings": [1, 0, 0, 1], "output_padding": [1, 2]},
        {"strides": [3, 3], "paddings": [1, 1], "output_size": [13, 11]},
    )
    for i, form in enumerate(forms):
        groups = form.get("groups", 1)
        more = {"paddings": [0, 0], "output_padding": [], "output_size": [], **form}
        kind = "depthwise_conv2d_transpose" if groups == 6 else "conv2d_transpose"
        conv(p, f"up{i}", x, noise(40 + i, (6, 6 // groups, 3, 2)), out=f"y{i}", kind=kind, **more)
        p.output(f"y{i}")
    return [noise(39, (1, 6, 5, 4))]


@case
def recurrent(p):
    """Each mode of rnn, in one direction and in both; every layer's states are results."""
    p.input("x", "float32", [5, 2, 6])

    def layer(name, x, inside, mode, units, layers, ways):
        gates, total = {"LSTM": 4, "GRU": 3}.get(mode, 1), layers * ways
        weights = []
        for k in range(total):
            columns = inside if k < ways else ways * units
            weights += [p.param(f"{name}.w{k}", noise(90 + k, (gates * units, columns))),
                        p.param(f"{name}.r{k}", noise(95 + k, (gates * units, units)))]
        weights += [p.param(f"{name}.b{k}", noise(100 + k, (gates * units,), -0.5, 0.5)) for k in range(2 * total)]
        states = ["h", "c"][:2 if mode == "LSTM" else 1]
        before = [p.param(f"{name}.{s}", noise(110, (total, 2, units), -0.5, 0.5)) for s in states]
        p.op("rnn", {"Input": [x], "PreState": before, "WeightList": weights}, {"Out": [name], "State": [f"{name}.last_{s}" for s in states],
             "Reserve": [name + ".reserve"], "DropoutState": [name + ".dropout"]}, mode=mode, hidden_size=units, input_size=inside,
             num_layers=layers, is_bidirec=ways == 2, is_test=True, dropout_prob=0.0, seed=0)
        p.output(name)
        for s in states:
            p.output(f"{name}.last_{s}")
        return name

    x = layer("lstm", "x", 6, "LSTM", 5, 2, 2)
    x = layer("gru", x, 10, "GRU", 7, 1, 2)
    x = layer("gru1", x, 14, "GRU", 4, 2, 1)
    x = layer("tanh", x, 4, "RNN_TANH", 6, 1, 2)
    layer("relu", x, 12, "RNN_RELU", 3, 2, 1)
    return [noise(89, (5, 2, 6))]


@case
def broadcasting(p):
    x = image(p, (2, 6, 5, 4))
    p.param("channels", noise(121, (6,)))
    p.param("block", noise(122, (5, 4)))
    p.param("pixels", noise(123, (2, 1, 5, 4)))
    def two(kind, y, axis=-1, **more):
        out = f"{kind}_{len(p.ops)}.out"
        p.op(kind, {"X": [x], "Y": [y]}, {"Out": [out]}, axis=axis, **more)
        return out
    for kind in ("elementwise_add", "elementwise_sub", "elementwise_mul", "elementwise_div", "elementwise_max", "elementwise_min"):
        p.output(two(kind, "channels", 1))
        p.output(two(kind, "block"))
        p.output(two(kind, "pixels"))
    masks = [two(kind, "pixels") for kind in ("less_than", "less_equal", "greater_than", "greater_equal", "equal", "not_equal")]
    p.op("logical_and", {"X": [masks[0]], "Y": [masks[5]]}, {"Out": ["both"]}, axis=-1)
    p.op("logical_not", {"X": ["both"]}, {"Out": ["neither"]})
    p.op("where", {"Condition": ["neither"], "X": [x], "Y": [two("elementwise_mul", "channels", 1)]}, {"Out": ["chosen"]})
    p.output("chosen")
    p.op("sum", {"X": [x, "chosen", x]}, {"Out": ["all"]})
    p.output("all")
    p.op("squeeze2", {"X": [x]}, {"Out": ["same"], "XShape": ["same.shape"]}, axes=[1])
    p.op("expand_as_v2", {"X": ["pixels"]}, {"Out": ["wide"]}, target_shape=[2, 6, 5, 4])
    p.op("elementwise_add", {"X": ["wide"], "Y": ["same"]}, {"Out": ["wider"]}, axis=-1)
    p.output("wider")
    p.op("fill_any_like", {"X": [x]}, {"Out": ["filled"]}, value=2.5, dtype=5)
    p.op("elementwise_pow", {"X": [unary(p, x, "abs")], "Y": ["filled"]}, {"Out": ["power"]}, axis=-1)
    p.output("power")
    p.param("where", np.array([[0, 5], [1, 2], [1, 0]], np.int32))
    p.op("gather_nd", {"X": [x], "Index": ["where"]}, {"Out": ["picked"]})
    p.output("picked")
    p.op("arg_max", {"X": [x]}, {"Out": ["best"]}, axis=nb_file.Long(3), keepdims=False, flatten=False, dtype=2)
    p.op("one_hot_v2", {"X": ["best"]}, {"Out": ["hot"]}, depth=4, dtype=5, allow_out_of_range=False)
    p.output("hot")
    p.op("unsqueeze2", {"X": [x]}, {"Out": ["deep"], "XShape": ["deep.shape"]}, axes=[2])
    p.op("pad3d", {"X": ["deep"]}, {"Out": ["padded"]}, paddings=[1, 0, 0, 2, 1, 1], mode="constant", value=0.25, data_format="NCDHW")
    p.output("padded")
    return [noise(120, (2, 6, 5, 4))]


@case
def indices(p):
    """Indices that are known at run time; those of gathers count from both ends."""
    x = "x"
    for name, kind, shape in ((x, "float32", [4, 3, 5]), ("at", "int64", [6]), ("short", "int32", [3, 1]), ("pairs", "int64", [2, 4, 2]), ("ids", "int64", [2, 3])):
        p.input(name, kind, shape)
    for name, kind, at, more in (("rows", "gather", "at", {"axis": 0}), ("columns", "gather", "at", {"axis": 2}),
                                 ("middle", "gather", "short", {"axis": 1}), ("selected", "index_select", "at", {"dim": 2}),
                                 ("picked", "gather_nd", "pairs", {})):
        p.op(kind, {"X": [x], "Index": [at]}, {"Out": [name]}, **more)
        p.output(name)
    p.param("known", np.array([-1, 2, -3], np.int32))
    p.op("gather", {"X": [x], "Index": ["known"]}, {"Out": ["known.rows"]}, axis=1)
    p.output("known.rows")
    p.param("table", noise(126, (5, 3)))
    p.op("lookup_table_v2", {"W": ["table"], "Ids": ["ids"]}, {"Out": ["looked"]}, padding_idx=nb_file.Long(-1))
    p.output("looked")
    p.input("far", "int64", [5])
    p.op("one_hot_v2", {"X": ["far"]}, {"Out": ["hot"]}, depth=3, dtype=5, allow_out_of_range=True)
    p.output("hot")
    return [noise(125, (4, 3, 5)), np.array([-4, 3, -1, 0, 1, -3], np.int64), np.array([[-3], [2], [-1]], np.int32),
            np.array([[[-4, 1], [3, -1], [0, -3], [2, 2]], [[-1, 0], [1, 1], [-2, -2], [0, 0]]], np.int64),
            np.array([[4, 0, 2], [1, 1, 3]], np.int64), np.array([1, -1, 3, 2**32, 2], np.int64)]


@case
def bitwise(p):
    for name, kind in (("a", "int32"), ("b", "int32"), ("c", "bool"), ("d", "bool")):
        p.input(name, kind, [3, 4])
    for pair, kind in (("ab", "int32"), ("cd", "bool")):
        for code in ("and", "or", "xor"):
            p.op("bitwise_" + code, {"X": [pair[0]], "Y": [pair[1]]}, {"Out": [code + kind]})
            p.output(code + kind)
        p.op("bitwise_not", {"X": [pair[0]]}, {"Out": ["not" + kind]})
        p.output("not" + kind)
    rng = np.random.default_rng(127)
    return [rng.integers(-2**31, 2**31, (3, 4), np.int64).astype(np.int32) for _ in "ab"] + [rng.random((3, 4)) < 0.5 for _ in "cd"]


@case
def sampling(p):
    """Places within the image, at its edges and outside."""
    p.input("x", "float32", [2, 3, 5, 6])
    p.input("grid", "float32", [2, 4, 7, 2])
    p.input("theta", "float32", [2, 2, 3])
    for corners in (True, False):
        for mode in ("bilinear", "nearest"):
            for around in ("zeros", "border", "reflection"):
                name = f"{mode}.{around}.{corners}"
                p.op("grid_sampler", {"X": ["x"], "Grid": ["grid"]}, {"Output": [name]}, mode=mode, padding_mode=around, align_corners=corners)
                p.output(name)
        p.op("affine_grid", {"Theta": ["theta"]}, {"Output": [f"places.{corners}"]}, output_shape=[2, 3, 4, 5], align_corners=corners)
        p.output(f"places.{corners}")
        p.op("grid_sampler", {"X": ["x"], "Grid": [f"places.{corners}"]}, {"Output": [f"turned.{corners}"]}, mode="bilinear", padding_mode="zeros",
             align_corners=corners)
        p.output(f"turned.{corners}")
    return [noise(131, (2, 3, 5, 6)), noise(132, (2, 4, 7, 2), -1.4, 1.4), noise(133, (2, 2, 3))]


@case
def suppression(p):
    p.input("boxes", "float32", [2, 40, 4])
    p.input("scores", "float32", [2, 3, 40])
    for name, more in (("few", {"keep_top_k": 8}), ("all", {"keep_top_k": 100, "background_label": 1}), ("best", {"nms_top_k": 5, "keep_top_k": 30}),
                       ("eta", {"nms_eta": 0.8, "nms_threshold": 0.7, "keep_top_k": 60}), ("pixels", {"normalized": False, "keep_top_k": 60})):
        settings = {"background_label": -1, "score_threshold": 0.3, "nms_top_k": 100, "nms_threshold": 0.4, "nms_eta": 1.0, "normalized": True}
        p.op("multiclass_nms3", {"BBoxes": ["boxes"], "Scores": ["scores"]}, {"Out": [name], "Index": [name + ".at"], "NmsRoisNum": [name + ".count"]},
             **{**settings, **more})
        for output in (name, name + ".at", name + ".count"):
            p.output(output)
    corner, size = noise(91, (2, 40, 2), 0, 8), noise(92, (2, 40, 2), 1, 5)
    return [np.concatenate([corner, corner + size], 2), noise(93, (2, 3, 40), 0, 1)]


@case
def suppression_matrix(p):
    """Scores that decay."""
    p.input("boxes", "float32", [2, 40, 4])
    p.input("scores", "float32", [2, 3, 40])
    for name, more in (("few", {"keep_top_k": 8}), ("all", {"keep_top_k": 100, "background_label": 1}), ("best", {"nms_top_k": 5, "keep_top_k": 30}),
                       ("smooth", {"use_gaussian": True, "keep_top_k": 60, "nms_top_k": -1}), ("pixels", {"normalized": False, "keep_top_k": 60}),
                       ("none", {"post_threshold": 1.5, "keep_top_k": 3})):
        settings = {"background_label": -1, "score_threshold": 0.3, "post_threshold": 0.1, "nms_top_k": 100, "normalized": True, "use_gaussian": False,
                    "gaussian_sigma": 1.5}
        p.op("matrix_nms", {"BBoxes": ["boxes"], "Scores": ["scores"]}, {"Out": [name], "Index": [name + ".at"], "RoisNum": [name + ".count"]},
             **{**settings, **more})
        for output in (name, name + ".at", name + ".count"):
            p.output(output)
    corner, size = noise(191, (2, 40, 2), 0, 8), noise(192, (2, 40, 2), 1, 5)
    return [np.concatenate([corner, corner + size], 2), noise(193, (2, 3, 40), 0, 1)]


@case
def boxes_encoded(p):
    """Boxes of cells that say how far they overlap, and boxes as what their anchors differ by."""
    p.input("x", "float32", [2, 24, 3, 4])
    p.input("sizes", "int32", [2, 2])
    settings = {"anchors": [10, 13, 16, 30, 33, 23], "class_num": 2, "conf_thresh": 0.3, "downsample_ratio": 32, "clip_bbox": True, "scale_x_y": 1.0,
                "iou_aware": True}
    for name, factor in (("half", 0.5), ("less", 0.3)):
        p.op("yolo_box", {"X": ["x"], "ImgSize": ["sizes"]}, {"Boxes": [name + ".boxes"], "Scores": [name + ".scores"]}, **settings, iou_aware_factor=factor)
        p.output(name + ".boxes")
        p.output(name + ".scores")
    p.input("boxes", "float32", [5, 4])
    corner, size = noise(160, (6, 2), 0, 8), noise(161, (6, 2), 1, 5)
    p.param("prior", np.concatenate([corner, corner + size], 1))
    p.param("variance", noise(162, (6, 4), 0.1, 0.3))
    for form, operands, more in (("operand", {"PriorBoxVar": ["variance"]}, {"variance": []}),
                                 ("attribute", {}, {"variance": [0.1, 0.2, 0.3, 0.4], "box_normalized": False}), ("none", {}, {"variance": []})):
        p.op("box_coder", {"PriorBox": ["prior"], "TargetBox": ["boxes"], **operands}, {"OutputBox": [form]},
             **{"code_type": "encode_center_size", "box_normalized": True, "axis": 0, **more})
        p.output(form)
    corner, size = noise(163, (5, 2), 0, 8), noise(164, (5, 2), 1, 5)
    return [noise(165, (2, 24, 3, 4), -2, 2), np.array([[90, 120], [64, 200]], np.int32), np.concatenate([corner, corner + size], 1)]


@case
def boxes(p):
    """Boxes of cells, of anchors, and decoded ones."""
    p.input("x", "float32", [2, 21, 3, 4])
    p.input("sizes", "int32", [2, 2])
    p.input("deltas", "float32", [5, 6, 4])
    settings = {"anchors": [10, 13, 16, 30, 33, 23], "class_num": 2, "conf_thresh": 0.3, "downsample_ratio": 32, "clip_bbox": True, "scale_x_y": 1.0,
                "iou_aware": False, "iou_aware_factor": 0.5}
    for name, more in (("plain", {}), ("whole", {"clip_bbox": False}), ("scaled", {"scale_x_y": 1.05, "conf_thresh": 0.0})):
        p.op("yolo_box", {"X": ["x"], "ImgSize": ["sizes"]}, {"Boxes": [name + ".boxes"], "Scores": [name + ".scores"]}, **{**settings, **more})
        p.output(name + ".boxes")
        p.output(name + ".scores")
    p.input("image", "float32", [2, 3, 30, 44])
    ratios = {"min_sizes": [4.0, 9.0], "max_sizes": [9.0, 15.0], "aspect_ratios": [1.0, 2.0, 3.0], "variances": [0.1, 0.1, 0.2, 0.2], "flip": True,
              "clip": False, "step_w": 0.0, "step_h": 0.0, "offset": 0.5, "min_max_aspect_ratios_order": False}
    for name, more in (("cells", {}), ("ordered", {"min_max_aspect_ratios_order": True, "clip": True}),
                       ("steps", {"max_sizes": [], "flip": False, "step_w": 8.0, "step_h": 9.0, "offset": 0.25})):
        p.op("prior_box", {"Input": ["x"], "Image": ["image"]}, {"Boxes": [name], "Variances": [name + ".variances"]}, **{**ratios, **more})
        p.output(name)
        p.output(name + ".variances")
    for name, count, axis in (("columns", 6, 0), ("rows", 5, 1)):
        corner, size = noise(150 + axis, (count, 2), 0, 8), noise(152 + axis, (count, 2), 1, 5)
        p.param(name + ".prior", np.concatenate([corner, corner + size], 1))
        p.param(name + ".variance", noise(154 + axis, (count, 4), 0.1, 0.3))
        for form, operands, more in (("operand", {"PriorBoxVar": [name + ".variance"]}, {"variance": []}),
                                     ("attribute", {}, {"variance": [0.1, 0.2, 0.3, 0.4], "box_normalized": False}), ("none", {}, {"variance": []})):
            out = f"{name}.{form}"
            p.op("box_coder", {"PriorBox": [name + ".prior"], "TargetBox": ["deltas"], **operands}, {"OutputBox": [out]},
                 **{"code_type": "decode_center_size", "box_normalized": True, "axis": axis, **more})
            p.output(out)
    return [noise(156, (2, 21, 3, 4), -2, 2), np.array([[90, 120], [64, 200]], np.int32), noise(157, (5, 6, 4)), noise(158, (2, 3, 30, 44))]
