"""torch_cases.py: ops as torch computes them: (name, function that builds one in a graph whose values are torch's tensors).

What torch has no one function for (padding that differs from side to side) is put together from what it has.
"""
import torch
import torch.nn.functional as F
from random_cases import number, numbers, one_of, shape, stretched

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # images of torch, and ours


def images(function):
    """A function of torch's layout on ours."""
    return lambda x, *more: function(x.permute(FIRST), *more).permute(LAST)


def padded(x, pad, value=0.0):
    """top, left, bottom, right"""
    return F.pad(x, (pad[1], pad[3], pad[0], pad[2]), value=value)


# ---- Numbers ----

def unary_cases():
    table = [("abs", torch.abs), ("neg", torch.neg), ("exp", torch.exp), ("sin", torch.sin), ("cos", torch.cos), ("tanh", torch.tanh),
             ("logistic", torch.sigmoid), ("elu", F.elu), ("erf", torch.erf), ("hard_swish", F.hardswish)]
    for name, function in table:
        yield name, lambda g, n=name, f=function: g.op(n, f, g.input(shape(g), 2.5))
    for name, function in (("log", torch.log), ("sqrt", torch.sqrt), ("rsqrt", torch.rsqrt)):
        yield name, lambda g, n=name, f=function: g.op(n, f, g.input(shape(g), above=0.2))
    for act, function in (("relu", F.relu), ("relu6", F.relu6), ("relu_n1_to_1", F.hardtanh)):
        yield act, lambda g, a=act, f=function: g.op("relu", f, g.input(shape(g), 4.0), act=a)
    for act, function, borders in (("relu", F.relu, [0, 1, -1]), ("relu6", F.relu6, [0, 6, 3]), ("relu_n1_to_1", F.hardtanh, [-1, 1, 0])):
        yield f"{act} at its bounds", lambda g, a=act, f=function, x=borders: g.op("relu", f, g.input((3,), array=x), act=a)
    yield "hard_swish at its bounds", lambda g: g.op("hard_swish", F.hardswish, g.input((4,), array=[-3, 3, 0, -1]))
    yield "abs of 0", lambda g: g.op("abs", torch.abs, g.input((3,), array=[0, 1, -1]))
    yield "gelu", lambda g: g.op("gelu", F.gelu, g.input(shape(g), 2.0))
    yield "gelu tanh", lambda g: g.op("gelu", lambda x: F.gelu(x, approximate="tanh"), g.input(shape(g), 2.0), approximate=1)
    yield "leaky_relu", lambda g: g.op("leaky_relu", lambda x: F.leaky_relu(x, 0.125), g.input(shape(g), 2.0), alpha=0.125)


def binary_cases():
    table = [("add", torch.add, None), ("sub", torch.sub, None), ("mul", torch.mul, None), ("div", torch.div, 0.3), ("pow", torch.pow, 0.3),
             ("minimum", torch.minimum, None), ("maximum", torch.maximum, None), ("atan2", torch.atan2, None),
             ("floor_mod", torch.remainder, 0.3), ("squared_difference", lambda a, b: (a - b) ** 2, None)]
    for name, function, above in table:
        def build(g, name=name, function=function, above=above):
            whole = shape(g)
            return g.op(name, function, *(g.input(stretched(g, whole), above=above) for _ in range(2)))
        yield name, build
    yield "prelu", lambda g: g.op("prelu", lambda x, a: F.prelu(x, a), g.input((2, 3), 2.0), g.input((1,)))
    yield "select", lambda g: g.op("select", torch.where, g.op("less", torch.less, g.input((3, 1)), g.input((3, 4)), kind="bool"),
                                   g.input((4,)), g.input((3, 1)))


# ---- Products and windows ----

def conv2d(g):
    groups, stride, dilation, pad = one_of(g, 1, 1, 2), numbers(g, 2, 1, 3), numbers(g, 2, 1, 2), numbers(g, 4, 0, 2)
    x, w = g.input((2, *numbers(g, 2, 5, 8), 3 * groups)), g.input((2 * groups, *numbers(g, 2, 1, 3), 3), 0.4)
    function = images(lambda x, w, b: F.conv2d(padded(x, pad), w.permute(FIRST), b, stride, 0, dilation, groups))
    return g.op("conv2d", function, x, w, g.input((w.shape[0],)), stride=stride, dilation=dilation, pad=pad, groups=groups)


def depthwise_conv2d(g):
    channels, stride, pad = number(g, 1, 4), numbers(g, 2, 1, 3), numbers(g, 4, 0, 2)
    x, w = g.input((2, *numbers(g, 2, 4, 7), channels)), g.input((1, *numbers(g, 2, 1, 4), channels * number(g, 1, 2)))
    function = images(lambda x, w, b: F.conv2d(padded(x, pad), w.permute(3, 0, 1, 2), b, stride, groups=channels))
    return g.op("depthwise_conv2d", function, x, w, g.input(w.shape[3:]), stride=stride, pad=pad)


def transpose_conv2d(g):
    stride, pad = numbers(g, 2, 1, 3), numbers(g, 4, 0, 1)
    x, w = g.input((2, *numbers(g, 2, 2, 4), 3)), g.input((2, *numbers(g, 2, 2, 4), 3), 0.5)

    def function(x, w, b):
        y = F.conv_transpose2d(x, w.permute(3, 0, 1, 2), b, stride)
        return y[:, :, pad[0]:y.shape[2] - pad[2], pad[1]:y.shape[3] - pad[3]]
    return g.op("transpose_conv2d", images(function), x, w, g.input((2,)), stride=stride, pad=pad)


def pools():
    for name in ("max_pool2d", "avg_pool2d"):
        def build(g, name=name):
            kernel, stride = numbers(g, 2, 1, 4), numbers(g, 2, 1, 3)
            pad = [number(g, 0, k // 2) for k in kernel]
            more = dict(count_include_pad=False) if name == "avg_pool2d" else {}
            function = images(lambda x: getattr(F, name)(x, kernel, stride, pad, **more))
            return g.op(name, function, g.input((2, *numbers(g, 2, 4, 8), 3)), kernel=kernel, stride=stride, pad=pad * 2)
        yield name, build
    yield "max_pool2d of equal pixels", lambda g: g.op("max_pool2d", images(lambda x: F.max_pool2d(x, 3, 2, 1)), g.input(
        (1, 5, 6, 2), array=g.rng.integers(0, 2, (1, 5, 6, 2))), kernel=[3, 3], stride=[2, 2], pad=[1, 1, 1, 1])


def resizes():
    for align in (False, True):
        def build(g, align=align):
            out = numbers(g, 2, 1, 9)
            function = images(lambda x: F.interpolate(x, out, mode="bilinear", align_corners=align))
            return g.op("resize_bilinear", function, g.input((2, *numbers(g, 2, 1, 5), 3)), **({"align_corners": 1} if align else {"half_pixel": 1}))
        yield f"resize_bilinear {align}", build
    for mode, attributes in (("nearest", {}), ("nearest-exact", dict(half_pixel=1))):
        def nearest(g, mode=mode, attributes=attributes):
            out = numbers(g, 2, 1, 9)
            return g.op("resize_nearest", images(lambda x: F.interpolate(x, out, mode=mode)), g.input((2, *numbers(g, 2, 1, 5), 3)), **attributes)
        yield f"resize_nearest {mode}", nearest


def matmul(g):
    whole, (m, k, n) = shape(g, 0, 2, 3), numbers(g, 3, 1, 5)
    return g.op("batch_matmul", torch.matmul, g.input(stretched(g, whole) + (m, k)), g.input(stretched(g, whole) + (k, n)))


def product_cases():
    yield "fully_connected", lambda g: g.op("fully_connected", F.linear, g.input(shape(g, 1, 3)[:-1] + (5,)), g.input((4, 5)), g.input((4,)))
    for function in (conv2d, depthwise_conv2d, transpose_conv2d, matmul):
        yield function.__name__, function
    yield from pools()
    yield from resizes()


# ---- Rows ----

def row_cases():
    yield "softmax", lambda g: g.op("softmax", lambda x: torch.softmax(x, -1), g.input(shape(g, 1), 2.0))
    yield "log_softmax", lambda g: g.op("log_softmax", lambda x: torch.log_softmax(x, -1), g.input(shape(g, 1), 2.0))
    yield "layer_norm", lambda g: g.op("layer_norm", lambda x, c, b: F.layer_norm(x, (7,), c, b, 0.0009765625), g.input((2, 3, 7)), g.input((7,)),
                                       g.input((7,)), epsilon=0.0009765625)
    yield "l2_normalize", lambda g: g.op("l2_normalize", lambda x: F.normalize(x, dim=-1), g.input(shape(g, 2)))
    for name, function in (("sum", torch.sum), ("mean", torch.mean), ("reduce_max", torch.amax), ("reduce_min", torch.amin)):
        yield name, lambda g, n=name, f=function: g.op(n, lambda x: f(x, (0, 2)), g.input((2, 3, 4)), axes=[0, 2])
    yield "reduce_prod", lambda g: g.op("reduce_prod", lambda x: torch.prod(x, 1), g.input((2, 3, 4)), axes=[1])
    yield "cumsum", lambda g: g.op("cumsum", lambda x: torch.cumsum(x, 1), g.input((2, 3, 4)), axis=1)
    yield "equal elements", lambda g: g.op("reduce_max", lambda x: torch.amax(x, 0), g.input((4,), array=[1, 2, 2, 0]), axes=[0])
    yield "cross_entropy", cross_entropy
    yield "batch_norm", batch_norm


def cross_entropy(g):
    """As it is spelled here, and as torch has it."""
    logits = g.input((4, 5))
    classes = g.rng.integers(0, 5, 4)
    labels = g.input((4, 5), array=torch.eye(5)[classes].numpy(), fixed=True)
    picked = g.op("mul", torch.mul, g.op("log_softmax", lambda x: torch.log_softmax(x, -1), logits), labels)
    total = g.op("sum", torch.sum, picked, axes=[0, 1])
    return g.op("neg", lambda _: F.cross_entropy(g.values[logits.number], torch.tensor(classes), reduction="sum"), total)


def batch_norm(g):
    """In training, as networks.py spells it."""
    x, gamma, beta = g.input((3, 4, 5, 2)), g.input((2,)), g.input((2,))
    axes = dict(axes=[0, 1, 2], keep_dims=1)

    def mean(v):
        return g.op("mean", lambda v: v.mean((0, 1, 2), keepdim=True), v, **axes)
    centred = g.op("sub", torch.sub, x, mean(x))
    variance = mean(g.op("mul", torch.mul, centred, centred))
    inverse = g.op("rsqrt", torch.rsqrt, g.op("add", torch.add, variance, g.constant(0.0009765625)))
    scaled = g.op("mul", torch.mul, g.op("mul", torch.mul, centred, inverse), gamma)
    whole = images(lambda x: F.batch_norm(x, None, None, g.values[gamma.number], g.values[beta.number], True, 0.0, 0.0009765625))
    return g.op("add", lambda *_: whole(g.values[x.number]), scaled, beta)


# ---- Moving data ----

def move_cases():
    yield "reshape", lambda g: g.op("reshape", lambda x: x.reshape(4, 6), g.input((2, 3, 4)))
    yield "transpose", lambda g: g.op("transpose", lambda x: x.permute(2, 0, 1), g.input((2, 3, 4)), perm=[2, 0, 1])
    yield "concat", lambda g: g.op("concat", lambda *x: torch.cat(x, 1), g.input((2, 3)), g.input((2, 1)), axis=1)
    yield "slice", lambda g: g.op("slice", lambda x: x[1:6:2, 1:4], g.input((7, 5)), begin=[1, 1], step=[2, 1])
    yield "pad", lambda g: g.op("pad", lambda x: F.pad(x, (0, 3, 1, 2), value=2.0), g.input((2, 3)), before=[1, 0], after=[2, 3], value=2.0)
    yield "mirror_pad", lambda g: g.op("mirror_pad", lambda x: F.pad(x[None], (2, 1, 1, 2), mode="reflect")[0], g.input((2, 4, 5)),
                                       before=[0, 1, 2], after=[0, 2, 1])
    yield "broadcast", lambda g: g.op("broadcast", lambda x: x.expand(4, 2, 3), g.input((2, 1)))
    yield "tile", lambda g: g.op("tile", lambda x: x.tile(2, 1, 3), g.input((2, 3, 2)))
    yield "reverse", lambda g: g.op("reverse", lambda x: x.flip(0, 2), g.input((3, 2, 4)), axes=[0, 2])
    for block in (2, 3):  # of one channel: torch has the channel outside, and TFLite inside a block
        yield f"depth_to_space {block}", lambda g, b=block: g.op("depth_to_space", images(lambda x: F.pixel_shuffle(x, b)), g.input((2, 3, 2, b * b)),
                                                               block=[b, b])
        yield f"space_to_depth {block}", lambda g, b=block: g.op("space_to_depth", images(lambda x: F.pixel_unshuffle(x, b)),
                                                               g.input((2, 2 * b, b, 1)), block=[b, b])
    for axis in range(3):
        yield f"gather {axis}", lambda g, a=axis: g.op(
            "gather", lambda x, i: x.index_select(a, i), g.input((3, 4, 5)), g.input((4,), array=[2, 0, 2, 1], kind="i32"), axis=a)
    yield "gather_nd", lambda g: g.op("gather_nd", lambda x, i: x[i[:, 0].long(), i[:, 1].long()], g.input((3, 4, 2)),
                                      g.input((3, 2), array=[[0, 1], [2, 3], [0, 1]], kind="i32"))
    yield "scatter_nd", lambda g: g.op("scatter_nd", lambda i, u, x: x.index_add(0, i[:, 0], u), g.input((4, 1), array=[[1], [0], [1], [2]], kind="i32"),
                                       g.input((4, 5)), g.input((3, 5)))
    yield "top_k", lambda g: g.op("top_k", lambda x: torch.topk(x, 3)[0], g.input((4, 7)), further=[((4, 3), "i32")], k=3)


# ---- Recurrent layers ----

def layer_of(kind, x, r, h, more):
    """torch's layer over gates that are computed already: its own product with them is one with the identity."""
    units = h.shape[1]
    size = x.shape[2]
    order = torch.arange(size)
    if kind == "gru":  # torch has the reset gate first
        order = torch.cat([order[units:2 * units], order[:units], order[2 * units:]])
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[kind](size, units, bias=kind == "gru").double()
    weights = {"weight_ih_l0": torch.eye(size, dtype=torch.float64)[order], "weight_hh_l0": r[order]}
    if kind == "gru":
        weights |= {"bias_ih_l0": torch.zeros(size, dtype=torch.float64),
                    "bias_hh_l0": torch.cat([torch.zeros(2 * units, dtype=torch.float64), more[0]])}
    start = (h[None], more[0][None]) if kind == "lstm" else h[None]
    y, last = torch.func.functional_call(layer, weights, (x, start))
    return (y, last[0][0], last[1][0]) if kind == "lstm" else (y, last[0])


def recurrent_cases():
    for kind, gates in (("lstm", 4), ("gru", 3), ("rnn", 1)):
        def build(g, kind=kind, gates=gates):
            steps, batch, units = numbers(g, 3, 1, 5)
            operands = [g.input((steps, batch, gates * units)), g.input((gates * units, units), 0.5), g.input((batch, units))]
            operands += [g.input(more) for more in {"lstm": [(batch, units)], "gru": [(units,)], "rnn": []}[kind]]
            results = [lambda x, r, h, *more, k=k: layer_of(kind, x, r, h, more)[k] for k in range(3 if kind == "lstm" else 2)]
            y, *last = g.ops(kind, results, *operands)
            sums = [g.op("sum", lambda v: v.sum(0), y, axes=[0]), *last]
            return g.op("concat", lambda *v: torch.cat(v, 1), *sums, axis=1)
        yield kind, build


def all_cases():
    for group in (unary_cases, binary_cases, product_cases, row_cases, move_cases, recurrent_cases):
        yield from group()
