"""random_cases.py: a function for each op that draws shapes and attributes from g.rng, and builds the op in g.

Drawn are what frameworks and the IR's rules allow: extents of 1, odd numbers of channels, strides above the kernel, dilation, padding
wider than the image, every form of broadcasting, any axes, indices outside, what is cut off whole.
"""
import math

import cases
import numpy as np
import numpy_ops as ops

MOST_ELEMENTS = 240


def shape(g, least=0, most=4, extent=5):
    """Of least to most dimensions, a third of which are 1."""
    dims = [1 if g.rng.random() < 0.3 else int(g.rng.integers(2, extent + 1)) for _ in range(g.rng.integers(least, most + 1))]
    while math.prod(dims) > MOST_ELEMENTS:
        dims[int(np.argmax(dims))] //= 2
    return tuple(dims)


def number(g, low, high):
    """low to high, both included."""
    return int(g.rng.integers(low, high + 1))


def numbers(g, count, low, high):
    return [number(g, low, high) for _ in range(count)]


def chance(g, of=0.5):
    return bool(g.rng.random() < of)


def one_of(g, *things):
    return things[number(g, 0, len(things) - 1)]


def stretched(g, whole):
    """A shape that broadcasts to it."""
    kept = whole[number(g, 0, len(whole)):] if chance(g) else whole
    return tuple(1 if chance(g, 0.25) else n for n in kept)


def axes_of(g, rank):
    return [d for d in range(rank) if chance(g)]


def act_of(g):
    return dict(act=one_of(g, "relu", "relu6", "relu_n1_to_1", "relu_0_to_1")) if chance(g, 0.3) else {}


# ---- Numbers ----

def unary_draws():
    for label, op, function, options in cases.unary_table():
        yield label, lambda g, op=op, f=function, o=options: cases.unary(op, f, shape(g), **o)(g)


def binary_draws():
    for op, function, positive in cases.binary_table():
        def build(g, op=op, function=function, positive=positive):
            whole = shape(g)
            shapes = [stretched(g, whole), stretched(g, whole)]
            if op == "prelu":
                shapes[0] = whole
            act = act_of(g) if op in ("add", "sub", "mul", "div") else {}
            if chance(g, 0.15):  # of a value and itself
                return cases.binary(op, lambda a, b: ops.activated(function(a, b), **act), [whole, whole], positive, True, **act)(g)
            return cases.binary(op, lambda a, b: ops.activated(function(a, b), **act), shapes, positive, **act)(g)
        yield op, build
    yield "select", select


def select(g):
    whole = shape(g)
    a, b, c, d = (g.input(stretched(g, whole)) for _ in range(4))
    return g.op("select", np.where, g.op("less", np.less, c, d, kind="bool"), a, b)


# ---- Products and windows ----

def window(g, dilated=True, padded=3):
    """Kernel, and attributes of a window that has a place at least once in an image, with that image's extents."""
    kernel, stride, pad = numbers(g, 2, 1, 4), numbers(g, 2, 1, 5), numbers(g, 4, 0, padded) if chance(g, 0.7) else [0] * 4
    dilation = numbers(g, 2, 1, 3) if dilated and chance(g, 0.4) else [1, 1]
    least = [max(1, (k - 1) * d + 1 - pad[i] - pad[i + 2]) for i, (k, d) in enumerate(zip(kernel, dilation))]
    image = [n + number(g, 0, 4) for n in least]
    return kernel, image, dict(stride=stride, pad=pad) | (dict(dilation=dilation) if dilated else {})


def with_residual(g, name, function, x, w, out_shape, attributes):
    """With or without bias, residual and activations."""
    channels = out_shape[-1]
    operands = [x, w]
    if chance(g, 0.3) and name != "transpose_conv2d":
        act = {"add_act": a for a in act_of(g).values()}
        operands += [g.input((channels,)), g.input(out_shape)]
        return g.op(name, lambda x, w, b, r: ops.activated(function(x, w) + b + r, act.get("add_act", "none")), *operands, **attributes, **act)
    act = act_of(g)
    operands += [g.input((channels,))] if chance(g, 0.7) else []
    return g.op(name, lambda x, w, *b: ops.activated(function(x, w) + sum(b), **act), *operands, **attributes, **act)


def conv2d(g):
    kernel, image, attributes = window(g)
    groups = one_of(g, 1, 1, 2, 3)
    each, out = number(g, 1, 3), number(g, 1, 3)
    x = g.input((number(g, 1, 3), *image, groups * each))
    w = g.input((groups * out, *kernel, each), 0.5)
    attributes["groups"] = groups

    def function(x, w):
        return ops.conv2d(x, w, **attributes)
    return with_residual(g, "conv2d", function, x, w, function(np.zeros(x.shape), np.zeros(w.shape)).shape, attributes)


def depthwise_conv2d(g):
    kernel, image, attributes = window(g)
    channels = number(g, 1, 4)
    x = g.input((number(g, 1, 3), *image, channels))
    w = g.input((1, *kernel, channels * one_of(g, 1, 1, 2, 3)), 0.5)

    def function(x, w):
        return ops.depthwise(x, w, **attributes)
    return with_residual(g, "depthwise_conv2d", function, x, w, function(np.zeros(x.shape), np.zeros(w.shape)).shape, attributes)


def transpose_conv2d(g):
    kernel, stride, pad = numbers(g, 2, 1, 4), numbers(g, 2, 1, 4), numbers(g, 4, 0, 3) if chance(g) else [0] * 4
    x = g.input((number(g, 1, 2), *numbers(g, 2, 1, 4), number(g, 1, 3)))
    w = g.input((number(g, 1, 3), *kernel, x.shape[3]), 0.5)
    whole = [(x.shape[1 + i] - 1) * stride[i] + kernel[i] for i in range(2)]
    out = tuple(max(1, n - pad[i] - pad[i + 2]) + number(g, 0, 2) * chance(g, 0.3) for i, n in enumerate(whole))
    attributes = dict(stride=stride, pad=pad)
    return with_residual(g, "transpose_conv2d", lambda x, w: ops.transpose_conv2d(x, w, out=out, **attributes), x, w,
                         (x.shape[0], *out, w.shape[0]), attributes)


def pool(name, function):
    def build(g):
        kernel, stride = numbers(g, 2, 1, 4), numbers(g, 2, 1, 5)
        pad = [number(g, 0, k - 1 + 2 * (name == "avg_pool2d")) if chance(g, 0.7) else 0 for k in 2 * kernel]
        image = [max(1, k - pad[i] - pad[i + 2]) + number(g, 0, 4) for i, k in enumerate(kernel)]
        act = act_of(g)
        return g.op(name, lambda x: function(x, kernel, stride, pad, **act), g.input((number(g, 1, 2), *image, number(g, 1, 3)), 3.0),
                    kernel=kernel, stride=stride, pad=pad, **act)
    return build


def fully_connected(g):
    x = g.input(shape(g, 1, 4))
    w = g.input((number(g, 1, 5), x.shape[-1]))
    return with_residual(g, "fully_connected", lambda x, w: x @ w.T, x, w, (*x.shape[:-1], w.shape[0]), {})


def batch_matmul(g):
    whole, (m, k, n) = shape(g, 0, 2, 3), numbers(g, 3, 1, 4)
    adj_a, adj_b = number(g, 0, 1), number(g, 0, 1)
    a = g.input(stretched(g, whole) + ((k, m) if adj_a else (m, k)))
    b = g.input(stretched(g, whole) + ((n, k) if adj_b else (k, n)))
    return g.op("batch_matmul", lambda a, b: (np.swapaxes(a, -1, -2) if adj_a else a) @ (np.swapaxes(b, -1, -2) if adj_b else b), a, b,
                adj_a=adj_a, adj_b=adj_b)


def resize(name, function):
    def build(g):
        out = numbers(g, 2, 1, 8)
        attributes = one_of(g, {}, dict(half_pixel=1), dict(align_corners=1))
        if chance(g, 0.3) and not attributes.get("align_corners"):
            attributes["ratio"] = [one_of(g, 0, 0.5, 0.75, 1.25, 2.5) for _ in range(2)]
        return g.op(name, lambda x: function(x, out, **attributes), g.input((number(g, 1, 2), *numbers(g, 2, 1, 5), number(g, 1, 3))), **attributes)
    return build


def product_draws():
    for function in (conv2d, depthwise_conv2d, transpose_conv2d, fully_connected, batch_matmul):
        yield function.__name__, function
    yield "avg_pool2d", pool("avg_pool2d", ops.avg_pool)
    yield "max_pool2d", pool("max_pool2d", ops.max_pool)
    yield "resize_bilinear", resize("resize_bilinear", ops.bilinear)
    yield "resize_nearest", resize("resize_nearest", ops.nearest)


# ---- Rows ----

def reduction(name, function):
    def build(g):
        x = g.input(shape(g))
        axes, keep = axes_of(g, len(x.shape)), number(g, 0, 1)
        return g.op(name, lambda x: function(x, axis=tuple(axes), keepdims=bool(keep)), x, axes=axes, keep_dims=keep)
    return build


def cumsum(g):
    x = g.input(shape(g, 1))
    axis = number(g, 0, len(x.shape) - 1)
    return g.op("cumsum", lambda x: np.cumsum(x, axis), x, axis=axis)


def softmax(g):
    x, beta = g.input(shape(g, 1), 2), one_of(g, 0.5, 1.0, 1.75)
    masks = [g.input(stretched(g, x.shape[:-1]) + x.shape[-1:])] if chance(g, 0.5) else []
    return g.op("softmax", lambda x, *m: ops.softmax(x, *m, beta=beta), x, *masks, beta=beta)


def layer_norm(g):
    epsilon = float(np.float32(one_of(g, 1e-3, 0.1)))
    x = g.input(shape(g, 1))
    more = [g.input(x.shape[-1:]) for _ in range(number(g, 0, 2))]
    return g.op("layer_norm", lambda x, *more: ops.layer_norm(x, *more, epsilon=epsilon), x, *more, epsilon=epsilon)


def l2_normalize(g):
    epsilon = one_of(g, 0.0, 1.5, 2.75)
    return g.op("l2_normalize", lambda x: ops.l2_normalize(x, epsilon), g.input(shape(g, 1)), epsilon=epsilon)


def batch_norm(g):
    x = shape(g, 2)
    return cases.frozen_norm(g, x, number(g, 1, len(x) - 1))


def row_draws():
    for name, function in (("sum", np.sum), ("mean", np.mean), ("reduce_max", np.max), ("reduce_min", np.min), ("reduce_prod", np.prod)):
        yield name, reduction(name, function)
    yield "log_softmax", lambda g: g.op("log_softmax", ops.log_softmax, g.input(shape(g, 1), 2))
    for function in (cumsum, softmax, layer_norm, l2_normalize):
        yield function.__name__, function


# ---- Moving data ----

def reshape(g):
    x = g.input(shape(g))
    rest, to = math.prod(x.shape), []
    for n in (2, 3, 5):
        if rest % n == 0 and chance(g):
            to.append(n)
            rest //= n
    to.insert(number(g, 0, len(to)), rest)
    return g.op("reshape", lambda x: x.reshape(to), x)


def transpose(g):
    x = g.input(shape(g))
    perm = [int(p) for p in g.rng.permutation(len(x.shape))]
    return g.op("transpose", lambda x: x.transpose(perm), x, perm=perm)


def concat(g):
    whole = shape(g, 1)
    axis = number(g, 0, len(whole) - 1)
    parts = [g.input(whole[:axis] + (number(g, 1, 3),) + whole[axis + 1:]) for _ in range(number(g, 1, 4))]
    parts += [parts[0]] if chance(g, 0.2) else []
    return g.op("concat", lambda *x: np.concatenate(x, axis), *parts, axis=axis)


def slice_of(g):
    x = g.input(shape(g, 1))
    begin, step, picked = [], [], []
    for n in x.shape:
        by = number(g, 1, 4) * one_of(g, 1, 1, -1)
        first = number(g, 0, n - 1)
        room = (first if by < 0 else n - 1 - first) // abs(by) + 1
        begin.append(first)
        step.append(by)
        picked.append([first + by * i for i in range(number(g, 1, room))])
    return g.op("slice", lambda x: x[np.ix_(*picked)], x, begin=begin, step=step)


def pad(g):
    x = g.input(shape(g))
    before, after = numbers(g, len(x.shape), 0, 2), numbers(g, len(x.shape), 0, 2)
    return g.op("pad", lambda x: np.pad(x, list(zip(before, after)), constant_values=-0.5) if before else x, x, before=before, after=after,
                value=-0.5)


def mirror_pad(g):
    x, mirror = g.input(shape(g, 1, 3, 4)), one_of(g, "reflect", "symmetric")
    most = [n - (mirror == "reflect") for n in x.shape]
    before, after = ([number(g, 0, n) for n in most] for _ in range(2))
    return g.op("mirror_pad", lambda x: np.pad(x, list(zip(before, after)), mode=mirror), x, before=before, after=after, mirror=mirror)


def broadcast(g):
    whole = shape(g)
    return g.op("broadcast", lambda x: np.broadcast_to(x, whole), g.input(stretched(g, whole)))


def tile(g):
    x = g.input(shape(g, 0, 3, 3))
    times = numbers(g, len(x.shape), 1, 3)
    return g.op("tile", lambda x: np.tile(x, times) if times else x, x)


def reverse(g):
    x = g.input(shape(g, 1))
    axes = axes_of(g, len(x.shape))
    return g.op("reverse", lambda x: np.flip(x, axes), x, axes=axes)


def blocks(name, function):
    """function(image, blocks up, blocks across); an image of depth_to_space has channels for them."""
    def build(g):
        up, across = numbers(g, 2, 1, 3)
        n, h, w, c = number(g, 1, 2), number(g, 1, 3), number(g, 1, 3), number(g, 1, 3)
        x = g.input((n, h, w, c * up * across) if name == "depth_to_space" else (n, h * up, w * across, c))
        return g.op(name, lambda x: function(x, up, across), x, block=[up, across])
    return build


def space_to_batch(g):
    block, extents = numbers(g, 2, 1, 3), numbers(g, 2, 1, 4)
    pad = numbers(g, 2, 0, 2)
    pad += [-(extents[i] + pad[i]) % block[i] + block[i] * number(g, 0, 1) for i in range(2)]
    return g.op("space_to_batch", lambda x: ops.space_to_batch(x, block, pad), g.input((number(g, 1, 2), *extents, number(g, 1, 3))),
                block=block, pad=pad)


def batch_to_space(g):
    block, extents = numbers(g, 2, 1, 3), numbers(g, 2, 1, 3)
    crops = [number(g, 0, block[i % 2] * extents[i % 2] // 2) for i in range(4)]
    for i in range(2):
        crops[i] -= crops[i] > 0 and crops[i] + crops[i + 2] == block[i] * extents[i]
    x = g.input((number(g, 1, 2) * block[0] * block[1], *extents, number(g, 1, 3)))
    return g.op("batch_to_space", lambda x: ops.batch_to_space(x, block, crops), x, block=block, crops=crops)


def move_draws():
    for function in (reshape, transpose, concat, pad, mirror_pad, broadcast, tile, reverse, space_to_batch, batch_to_space):
        yield function.__name__, function
    yield "slice", slice_of
    yield "depth_to_space", blocks("depth_to_space", ops.depth_to_space)
    yield "space_to_depth", blocks("space_to_depth", ops.space_to_depth)


# ---- Indices ----

def clamped(indices, extent, from_end):
    return np.clip(np.where(indices < 0, indices + extent, indices) if from_end else indices, 0, extent - 1)


def gather(g):
    batch = number(g, 0, 2) * chance(g, 0.4)
    shared = tuple(numbers(g, batch, 1, 3))
    outer = () if batch else shape(g, 0, 2, 3)
    n, inner, from_end = number(g, 1, 5), shape(g, 0, 2, 3), number(g, 0, 1)
    x = g.input(shared + outer + (n,) + inner)
    where = shared + shape(g, 0, 2, 3)
    i = g.input(where, array=g.rng.integers(-n - 1, n + 2, where), kind="i32")
    axis = len(shared + outer)

    def pick(x, i):
        at = clamped(i, n, from_end)
        if not batch:
            return np.take(x, at, axis)
        rows = x.reshape((-1, n) + inner)
        picked = np.stack([row[k] for row, k in zip(rows, at.reshape((len(rows),) + where[batch:]))])
        return picked.reshape(where + inner)
    return g.op("gather", pick, x, i, axis=axis, batch_dims=batch, from_end=from_end)


def gather_nd(g):
    x, from_end = g.input(shape(g, 1)), number(g, 0, 1)
    length = number(g, 1, len(x.shape))
    where = shape(g, 0, 2, 4) + (length,)
    i = g.input(where, array=g.rng.integers(-3, 6, where), kind="i32")
    return g.op("gather_nd", lambda x, i: x[tuple(clamped(i[..., d], x.shape[d], from_end) for d in range(length))], x, i, from_end=from_end)


def scatter_nd(g):
    whole, combine, based = shape(g, 1), one_of(g, "add", "replace"), chance(g)
    length = number(g, 1, len(whole))
    where = shape(g, 0, 2, 4)
    i = g.input(where + (length,), array=g.rng.integers(-1, 4, where + (length,)), kind="i32")
    updates = g.input(where + whole[length:])

    def scattered(i, u, x=np.zeros(whole)):
        y = np.array(x)
        for at in np.ndindex(where):
            place = tuple(i[at])
            if all(0 <= k < n for k, n in zip(place, whole)):
                y[place] = u[at] + (y[place] if combine == "add" else 0)
        return y
    return g.op("scatter_nd", scattered, i, updates, *([g.input(whole)] if based else []), combine=combine)


def dynamic_update_slice(g):
    x = g.input(shape(g, 1))
    update = g.input(tuple(number(g, 1, n) for n in x.shape))
    begin = g.input((len(x.shape),), array=g.rng.integers(-1, 6, len(x.shape)), kind="i32")

    def updated(x, u, b):
        y, at = np.array(x), [int(np.clip(k, 0, n - m)) for k, n, m in zip(b, x.shape, u.shape)]
        y[tuple(slice(k, k + m) for k, m in zip(at, u.shape))] = u
        return y
    return g.op("dynamic_update_slice", updated, x, update, begin)


def top_k(g):
    x = g.input(shape(g, 1))
    k = number(g, 1, x.shape[-1])
    return g.op("top_k", lambda x: -np.sort(-x, -1)[..., :k], x, further=[(x.shape[:-1] + (k,), "i32")], k=k)


def recurrent_draws():
    for name in ("lstm", "gru", "rnn"):
        def build(g, name=name):
            return cases.recurrent(g, name, *numbers(g, 3, 1, 4), axis=number(g, 0, 1), reverse=number(g, 0, 1), variant=number(g, 0, 1))
        yield name, build


def draws():
    for group in (unary_draws, binary_draws, product_draws, row_draws, move_draws, recurrent_draws):
        yield from group()
    for function in (gather, gather_nd, scatter_nd, dynamic_update_slice, top_k, batch_norm):
        yield function.__name__, function
    yield "round_to_grid", lambda g: cases.round_to_grid(g, g.input(shape(g), 1.5))
