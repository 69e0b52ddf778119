"""cases.py: what gradients.py checks: (name, function that builds it in a Graph and returns the result)."""
import networks
import numpy as np
import numpy_ops as ops


def unary(name, function, shape=(3, 5), scale=1.5, positive=False, **attributes):
    def build(g):
        x = g.rng.normal(0, scale, shape)
        return g.op(name, function, g.input(shape, array=abs(x) + 0.2 if positive else x), **attributes)
    return build


def unary_table():
    """(label, op, function, options of `unary`)"""
    for name, function in (("abs", np.abs), ("neg", np.negative), ("exp", np.exp), ("sin", np.sin), ("cos", np.cos), ("tanh", np.tanh)):
        yield name, name, function, {}
    for name, function in (("log", np.log), ("sqrt", np.sqrt), ("rsqrt", lambda x: 1 / np.sqrt(x))):
        yield name, name, function, dict(positive=True)
    yield "logistic", "logistic", ops.logistic, dict(scale=3)
    for act in ("relu", "relu6", "relu_n1_to_1", "relu_0_to_1"):
        yield f"relu {act}", "relu", lambda x, act=act: ops.activated(x, act), dict(scale=4, act=act)
    yield "leaky_relu", "leaky_relu", lambda x: np.where(x < 0, np.float32(0.1) * x, x), dict(alpha=0.1)
    yield "elu", "elu", ops.elu, {}
    yield "gelu", "gelu", ops.gelu, {}
    yield "gelu tanh", "gelu", lambda x: ops.gelu(x, 1), dict(approximate=1)
    yield "erf", "erf", ops.erf, {}
    yield "hard_swish", "hard_swish", ops.hard_swish, dict(scale=3)
    yield "observe", "observe", lambda x: x, dict(min=-1.0, max=1.0)
    for name, function in (("floor", np.floor), ("ceil", np.ceil), ("sign", np.sign)):
        yield name, name, function, {}
    yield "cast", "cast", lambda x: x, {}
    yield "round", "round", lambda x: x, {}  # straight through, as the next
    yield "fake_quant", "fake_quant", lambda x: np.clip(x, -1, 1.55), dict(min=-1.0, max=1.55)


def unary_cases():
    for label, op, function, options in unary_table():
        yield label, unary(op, function, **options)


BROADCASTS = [((3, 4), (3, 4)), ((2, 3, 4), (4,)), ((2, 1, 4), (3, 1)), ((), (2, 3)), ((5,), ())]


def binary(name, function, shapes, positive=False, same=False, **attributes):
    def build(g):
        arrays = [g.rng.normal(0, 1.5, s) for s in shapes]
        a, b = (g.input(s, array=abs(x) + 0.3 if positive else x) for s, x in zip(shapes, arrays))
        return g.op(name, function, a, a if same else b, **attributes)
    return build


def binary_table():
    """(op, function, are operands positive?)"""
    return [("add", np.add, False), ("sub", np.subtract, False), ("mul", np.multiply, False), ("div", np.divide, True),
            ("minimum", np.minimum, False), ("maximum", np.maximum, False), ("pow", np.power, True),
            ("squared_difference", lambda a, b: (a - b) ** 2, False), ("floor_mod", np.mod, True),
            ("floor_div", np.floor_divide, True), ("atan2", np.arctan2, False), ("prelu", lambda x, a: np.where(x < 0, a * x, x), False)]


def binary_cases():
    for name, function, positive in binary_table():
        for shapes in BROADCASTS:
            if name == "prelu" and len(shapes[1]) > len(shapes[0]):
                continue
            yield f"{name} {shapes[0]} {shapes[1]}", binary(name, function, shapes, positive)
    for name, function in (("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide)):
        yield (f"{name} relu6", binary(name, lambda a, b, f=function: ops.activated(f(a, b), "relu6"), BROADCASTS[1],
                                       name == "div", act="relu6"))
    yield "square", lambda g: (lambda x: g.op("mul", np.multiply, x, x))(g.input((3, 4)))
    yield "pow of 0", lambda g: g.op("pow", np.power, g.input((4,), array=[0, 0, 0, 1.5]), g.input((4,), array=[0, 1, 2, 0], fixed=True))
    yield "select", select
    yield "fake_quant spelled out", spelled_out


def select(g):
    a, b, c = g.input((2, 3)), g.input((3,)), g.input((2, 1))
    less = g.op("less", np.less, a, c, kind="bool")
    return g.op("select", np.where, less, a, b)


def spelled_out(g):
    """A learned upper bound: PACT's clip."""
    x, bound = g.input((4, 6)), g.input((), array=np.float32(0.9))
    return g.op("maximum", np.maximum, g.op("minimum", np.minimum, x, bound), g.constant(0))


def product_cases():
    for name, (x, w), attributes in [
            ("plain", ((2, 5, 6, 3), (4, 3, 3, 3)), dict(pad=[1, 1, 1, 1])),
            ("1x1", ((2, 4, 3, 5), (6, 1, 1, 5)), {}),
            ("1x1 stride", ((2, 5, 6, 3), (4, 1, 1, 3)), dict(stride=[2, 2])),
            ("stride", ((2, 7, 8, 3), (4, 3, 3, 3)), dict(stride=[2, 2], pad=[0, 0, 1, 1])),
            ("left over", ((1, 8, 9, 2), (3, 2, 3, 2)), dict(stride=[3, 4])),
            ("uneven", ((1, 6, 5, 2), (3, 3, 2, 2)), dict(stride=[1, 2], dilation=[2, 1], pad=[2, 0, 1, 1])),
            ("wide pad", ((1, 4, 4, 2), (3, 2, 2, 2)), dict(stride=[2, 1], pad=[3, 2, 2, 3])),
            ("phases", ((2, 9, 8, 3), (4, 5, 3, 3)), dict(stride=[2, 3], pad=[1, 2, 2, 0])),
            ("stride past taps", ((1, 9, 9, 2), (3, 2, 1, 2)), dict(stride=[3, 4], pad=[1, 0, 0, 2])),
            ("strides of millions", ((1, 4, 4, 2), (3, 3, 2, 2)), dict(stride=[9999991, 16777216], pad=[1, 1, 1, 1])),
            ("dilated stride", ((1, 9, 8, 2), (3, 2, 3, 2)), dict(stride=[2, 1], dilation=[3, 2], pad=[2, 1, 1, 2])),
            ("groups", ((2, 5, 5, 6), (4, 3, 3, 3)), dict(groups=2, pad=[1, 1, 1, 1])),
            ("relu", ((1, 5, 5, 3), (4, 3, 3, 3)), dict(pad=[1, 1, 1, 1], act="relu"))]:
        def build(g, x=x, w=w, attributes=attributes):
            return g.op("conv2d", lambda x, w, b: ops.conv2d(x, w, b, **attributes), g.input(x), g.input(w, 0.4),
                        g.input((w[0],)), **attributes)
        yield f"conv2d {name}", build
    for name, (x, w), attributes in [
            ("plain", ((2, 5, 6, 3), (1, 3, 3, 3)), dict(pad=[1, 1, 1, 1])),
            ("stride", ((2, 7, 6, 4), (1, 3, 3, 4)), dict(stride=[2, 2], pad=[0, 1, 1, 0])),
            ("strides of millions", ((1, 4, 5, 3), (1, 3, 2, 3)), dict(stride=[16777216, 3], pad=[1, 1, 0, 1])),
            ("multiplier", ((2, 6, 5, 2), (1, 3, 2, 6)), dict(dilation=[2, 1], pad=[1, 0, 2, 1])),
            ("relu6", ((1, 5, 5, 3), (1, 5, 5, 3)), dict(pad=[2, 2, 2, 2], act="relu6"))]:
        def build(g, x=x, w=w, attributes=attributes):
            return g.op("depthwise_conv2d", lambda x, w, b: ops.depthwise(x, w, b, **attributes), g.input(x),
                        g.input(w), g.input((w[3],)), **attributes)
        yield f"depthwise_conv2d {name}", build
    for name, (x, w, out), attributes in [
            ("plain", ((2, 3, 4, 3), (2, 3, 3, 3), (5, 6)), {}),
            ("stride", ((1, 3, 4, 3), (2, 3, 2, 3), (6, 8)), dict(stride=[2, 2], pad=[1, 0, 0, 0])),
            ("longer", ((1, 3, 3, 2), (3, 2, 2, 2), (8, 7)), dict(stride=[2, 3], pad=[0, 1, 0, 0])),
            ("1x1", ((1, 3, 3, 2), (3, 1, 1, 2), (3, 3)), {}),
            ("cut off whole", ((1, 1, 3, 2), (3, 1, 2, 2), (2, 4)), dict(pad=[1, 0, 0, 0]))]:
        def build(g, x=x, w=w, out=out, attributes=attributes):
            return g.op("transpose_conv2d", lambda x, w, b: ops.transpose_conv2d(x, w, b, out=out, **attributes),
                        g.input(x), g.input(w), g.input((w[0],)), **attributes)
        yield f"transpose_conv2d {name}", build
    for x in ((5,), (3, 5), (2, 3, 5)):
        yield f"fully_connected {x}", lambda g, x=x: g.op(
            "fully_connected", lambda x, w, b: ops.activated(x @ w.T + b, "relu"), g.input(x), g.input((4, 5)),
            g.input((4,)), act="relu")
    for a, b in [((3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((2, 3, 4), (4, 5))]:
        for adj in ((0, 0), (1, 0), (0, 1), (1, 1)):
            def build(g, a=a, b=b, adj=adj):
                shapes = [s[:-2] + (s[-1], s[-2]) if t else s for s, t in zip((a, b), adj)]
                return g.op("batch_matmul", lambda a, b: (np.swapaxes(a, -1, -2) if adj[0] else a) @
                            (np.swapaxes(b, -1, -2) if adj[1] else b), g.input(shapes[0]), g.input(shapes[1]),
                            adj_a=adj[0], adj_b=adj[1])
            yield f"batch_matmul {a} {b} {adj}", build


def window_cases():
    for kernel, stride, pad in [((2, 2), (2, 2), (0, 0, 0, 0)), ((3, 3), (2, 2), (1, 1, 1, 1)),
                                ((3, 2), (1, 1), (1, 0, 1, 1)), ((6, 6), (1, 1), (0, 0, 0, 0)),
                                ((2, 2), (3, 3), (0, 0, 0, 0))]:
        for name, function in (("avg_pool2d", ops.avg_pool), ("max_pool2d", ops.max_pool)):
            yield f"{name} {kernel} {stride} {pad}", lambda g, k=kernel, s=stride, p=pad, n=name, f=function: g.op(
                n, lambda x: f(x, k, s, p), g.input((2, 6, 6, 3)), kernel=list(k), stride=list(s), pad=list(p))
    for out in ((8, 6), (3, 5), (4, 3)):
        for attributes in ({}, dict(half_pixel=1), dict(align_corners=1)):
            yield f"resize_bilinear {out} {attributes}", lambda g, out=out, a=attributes: g.op(
                "resize_bilinear", lambda x: ops.bilinear(x, out, **a),
                g.input((2, 4, 3, 2)), **a)
    yield "resize_nearest", lambda g: g.op("resize_nearest", lambda x: x.repeat(2, 1).repeat(3, 2), g.input((2, 3, 2, 2)))


def row_cases():
    for axes, keep in (([0], 0), ([1, 2], 1), ([0, 1, 2], 0), ([2], 1)):
        for name, function in (("sum", np.sum), ("mean", np.mean), ("reduce_max", np.max), ("reduce_min", np.min)):
            yield f"{name} {axes} {keep}", lambda g, n=name, f=function, a=axes, k=keep: g.op(
                n, lambda x: f(x, axis=tuple(a), keepdims=bool(k)), g.input((2, 3, 4)), axes=a, keep_dims=k)
        yield f"reduce_prod {axes} {keep}", lambda g, a=axes, k=keep: g.op(
            "reduce_prod", lambda x: np.prod(x, axis=tuple(a), keepdims=bool(k)), g.input((2, 3, 4)), axes=a, keep_dims=k)
    for zeros in ([0], [1, 4], [0, 5, 2]):
        yield f"reduce_prod of zeros {zeros}", lambda g, zeros=zeros: with_zeros(g, zeros)
    yield "cumsum", lambda g: g.op("cumsum", lambda x: np.cumsum(x, 1), g.input((2, 5, 3)), axis=1)
    yield "softmax", lambda g: g.op("softmax", lambda x: ops.softmax(x, beta=0.5), g.input((3, 6), 2), beta=0.5)
    yield "softmax mask", lambda g: g.op("softmax", lambda x, m: ops.softmax(x, m, 0.5), g.input((2, 3, 6), 2),
                                         g.input((3, 6)), beta=0.5)
    yield "log_softmax", lambda g: g.op("log_softmax", ops.log_softmax, g.input((3, 6), 2))
    epsilon = float(np.float32(1e-3))
    yield "layer_norm", lambda g: g.op("layer_norm", lambda x, c, b: ops.layer_norm(x, c, b, epsilon), g.input((4, 8)),
                                       g.input((8,)), g.input((8,)), epsilon=epsilon)
    yield "layer_norm plain", lambda g: g.op("layer_norm", lambda x: ops.layer_norm(x, None, None, epsilon),
                                             g.input((2, 3, 8)), epsilon=epsilon)
    yield "l2_normalize", lambda g: g.op("l2_normalize", ops.l2_normalize, g.input((4, 8)))
    yield "l2_normalize epsilon", lambda g: g.op("l2_normalize", lambda x: ops.l2_normalize(x, 2.75), g.input((6, 8)),
                                                 epsilon=2.75)


def with_zeros(g, zeros):
    """In the first of two rows."""
    x = g.rng.normal(0, 1.5, (2, 6))
    x[0, zeros] = 0
    return g.op("reduce_prod", lambda x: np.prod(x, axis=1), g.input(x.shape, array=x), axes=[1])


def move_cases():
    yield "reshape", lambda g: g.op("reshape", lambda x: x.reshape(4, 6), g.input((2, 3, 4)))
    yield "transpose", lambda g: g.op("transpose", lambda x: x.transpose(2, 0, 1), g.input((2, 3, 4)), perm=[2, 0, 1])
    yield "concat", lambda g: g.op("concat", lambda *x: np.concatenate(x, 1), *(g.input((2, n, 3)) for n in (1, 4, 2)),
                                   axis=1)
    yield "slice", lambda g: g.op("slice", lambda x: x[1:4, 2:5], g.input((5, 6)), begin=[1, 2], step=[1, 1])
    yield "slice steps", lambda g: g.op("slice", lambda x: x[1:6:2, 5:0:-2, 0:1], g.input((7, 6, 2)), begin=[1, 5, 0],
                                        step=[2, -2, 5])
    yield "pad", lambda g: g.op("pad", lambda x: np.pad(x, ((1, 2), (0, 3)), constant_values=2), g.input((2, 3)),
                                before=[1, 0], after=[2, 3], value=2.0)
    for mirror in ("reflect", "symmetric"):
        yield f"mirror_pad {mirror}", lambda g, m=mirror: g.op(
            "mirror_pad", lambda x: np.pad(x, ((2, 1), (0, 0), (1, 2)), mode=m), g.input((3, 2, 4)), before=[2, 0, 1],
            after=[1, 0, 2], mirror=m)
    yield "broadcast", lambda g: g.op("broadcast", lambda x: np.broadcast_to(x, (4, 2, 3)), g.input((2, 1)))
    yield "tile", lambda g: g.op("tile", lambda x: np.tile(x, (2, 1, 3)), g.input((2, 3, 2)))
    yield "reverse", lambda g: g.op("reverse", lambda x: x[::-1, :, ::-1], g.input((3, 2, 4)), axes=[0, 2])
    yield "gather", gather(0, 0)
    yield "gather columns", gather(1, 0)
    yield "gather from end", gather(1, 1)
    yield "gather of a batch", gather_of_batch
    yield "gather_nd", gather_nd
    for shape, k in (((3, 7), 3), ((9,), 1), ((2, 3, 5), 5)):
        yield f"top_k {shape} {k}", lambda g, shape=shape, k=k: g.op(
            "top_k", lambda x: -np.sort(-x, -1)[..., :k], g.input(shape), further=[(shape[:-1] + (k,), "i32")], k=k)
    for combine in ("add", "replace"):
        for base in (False, True):
            for length in (1, 2):
                yield f"scatter_nd {combine} {base} {length}", scatter_nd(combine, base, length)
    for begin in ((0, 1, 2), (2, -5, 1), (9, 0, 9)):
        yield f"dynamic_update_slice {begin}", update_slice(begin)
    yield "space_to_batch", lambda g: g.op(
        "space_to_batch", lambda x: ops.space_to_batch(x, (2, 3), (1, 0, 0, 2)), g.input((2, 3, 4, 2)), block=[2, 3], pad=[1, 0, 0, 2])
    yield "batch_to_space", lambda g: g.op(
        "batch_to_space", lambda x: ops.batch_to_space(x, (2, 3), (1, 0, 0, 1)), g.input((12, 2, 3, 2)), block=[2, 3], crops=[1, 0, 0, 1])
    yield "depth_to_space", lambda g: g.op("depth_to_space", lambda x: ops.depth_to_space(x, 2, 2), g.input((2, 2, 3, 8)), block=[2, 2])
    yield "space_to_depth", lambda g: g.op("space_to_depth", lambda x: ops.space_to_depth(x, 2, 2), g.input((2, 4, 6, 2)), block=[2, 2])


def gather(axis, from_end):
    indices = np.array([[2, 0, 2], [1, 2, 9]])

    def build(g):
        x, i = g.input((3, 4, 2)), g.input((2, 3), array=indices - 3 * from_end if from_end else indices, kind="i32")
        n = (3, 4, 2)[axis]

        def pick(x, i):
            return np.take(x, np.clip(np.where(i < 0, i + n, i) if from_end else i, 0, n - 1), axis)
        return g.op("gather", pick, x, i, axis=axis, from_end=from_end)
    return build


def gather_nd(g):
    x, i = g.input((3, 4, 2)), g.input((5, 2), array=[[0, 1], [2, 3], [0, 1], [1, 0], [2, 2]], kind="i32")
    return g.op("gather_nd", lambda x, i: x[i[:, 0], i[:, 1]], x, i)


def gather_of_batch(g):
    x, i = g.input((2, 4, 3)), g.input((2, 5), array=[[0, 3, 3, -1, 2], [9, 1, 0, 1, 1]], kind="i32")
    return g.op("gather", lambda x, i: np.take_along_axis(x, np.clip(i, 0, 3)[..., None], 1), x, i, axis=1, batch_dims=1)


def scatter_nd(combine, base, length):
    """Two updates meet, one is outside."""
    tuples = np.array([[0, 1], [2, 3], [0, 1], [1, 0], [3, 2], [2, -1]])[:, :length]
    shape = (3, 4, 2)

    def scattered(i, u, x=np.zeros(shape)):
        y = np.array(x)
        for at, update in zip(i, u):
            if all(0 <= k < n for k, n in zip(at, shape)):
                y[tuple(at)] = update + (y[tuple(at)] if combine == "add" else 0)
        return y

    def build(g):
        operands = [g.input(tuples.shape, array=tuples, kind="i32"), g.input((len(tuples),) + shape[length:])]
        return g.op("scatter_nd", scattered, *operands, *([g.input(shape)] if base else []), combine=combine)
    return build


def update_slice(begin):
    def updated(x, u, b):
        y, at = np.array(x), [int(np.clip(k, 0, n - m)) for k, n, m in zip(b, x.shape, u.shape)]
        y[tuple(slice(k, k + m) for k, m in zip(at, u.shape))] = u
        return y
    return lambda g: g.op("dynamic_update_slice", updated, g.input((3, 4, 5)), g.input((2, 3, 2)),
                          g.input((3,), array=np.array(begin), kind="i32"))


def recurrent(g, name, steps, batch, units, axis=0, reverse=0, variant=0):
    """All results count.  variant: of an lstm a bound on the cell state, a gru that resets before its product, an rnn of rectifiers."""
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[name]
    shape = (steps, batch) if axis == 0 else (batch, steps)
    operands = [g.input(shape + (gates * units,)), g.input((gates * units, units), 0.5), g.input((batch, units))]
    attributes = dict(time_axis=axis, reversed=reverse)
    if name == "lstm":
        operands.append(g.input((batch, units)))
        attributes |= dict(cell_clip=1.25) if variant else {}
    elif name == "gru" and not variant:
        operands.append(g.input((units,)))
    elif name == "rnn":
        attributes |= dict(rectified=variant)
    clip = float(np.float32(attributes.get("cell_clip", 0)))
    results = [(lambda *v, k=k: ops.recurrent(name, *v, axis=axis, reverse=reverse, clip=clip, rectified=variant)[k])
               for k in range(3 if name == "lstm" else 2)]
    y, *last = g.ops(name, results, *operands, **attributes)
    total = g.op("sum", lambda v: v.sum(axis), y, axes=[axis])
    for v in last:
        total = g.op("add", np.add, total, g.op("mul", np.multiply, v, g.input((batch, units), fixed=True)))
    return g.op("concat", lambda *v: np.concatenate(v, 1), total, g.op("reshape", lambda v: v.reshape(batch, -1), y), axis=1)


def recurrent_cases():
    for name in ("lstm", "gru", "rnn"):
        for axis, reverse, variant in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 1)):
            yield f"{name} {axis} {reverse} {variant}", lambda g, n=name, a=axis, r=reverse, v=variant: recurrent(g, n, 4, 3, 5, a, r, v)


def frozen_norm(g, shape, axis):
    """Statistics are those of training, kept."""
    gamma, beta, mean = (g.rng.normal(0, 1, shape[axis]) for _ in range(3))
    numbers = [np.float32(p) for p in (gamma, beta, mean, g.rng.uniform(0.2, 2, shape[axis]))]
    epsilon = float(np.float32(1e-3))
    return g.op("batch_norm", lambda x, *p: ops.batch_norm(x, *p, axis, epsilon), g.input(shape), *map(g.constant, numbers),
                axis=axis, epsilon=epsilon)


def norm_cases():
    yield "batch_norm", lambda g: frozen_norm(g, (2, 3, 3, 4), 3)
    yield "batch_norm of rows of channels", lambda g: frozen_norm(g, (2, 4, 3), 1)
    yield "batch norm in training", lambda g: networks.batch_norm(g, g.input((4, 3, 3, 2)))


def round_to_grid(g, x=None):
    """Straight through: what rounding adds to a number of steps stays what it is."""
    x, low, high, scale = x or g.input((4, 5, 6), 1.5), *(g.input((1,), array=[n]) for n in (-1.1, 1.9, 0.23))
    steps = np.clip(*(g.values[v.number] for v in (x, low, high))) / g.values[scale.number]
    added = np.rint(steps) - steps
    return g.op("round_to_grid", lambda x, low, high, scale: np.clip(x, low, high) + scale * added, x, low, high, scale)


def all_cases():
    for group in (unary_cases, binary_cases, product_cases, window_cases, row_cases, move_cases, recurrent_cases, networks.network_cases, norm_cases):
        yield from group()
    yield "round_to_grid", round_to_grid
    for act in ("relu", "relu_n1_to_1"):
        yield f"round_to_grid behind {act}", lambda g, act=act: round_to_grid(g, networks.relu(g, g.input((4, 5, 6), 1.5), act))
