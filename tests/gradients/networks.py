"""networks.py: small networks whose gradients gradients.py checks, as those of single ops."""
import numpy as np
import numpy_ops as ops


def conv(g, x, out, kernel=3, stride=1, act="none"):
    low = (kernel - 1) // 2
    attributes = dict(stride=[stride] * 2, pad=[low] * 4, act=act)
    w = g.input((out, kernel, kernel, x.shape[3]), (kernel * kernel * x.shape[3]) ** -0.5)
    return g.op("conv2d", lambda x, w, b: ops.conv2d(x, w, b, **attributes), x, w, g.input((out,), 0.1), **attributes)


def depthwise(g, x, stride=1, act="none"):
    attributes = dict(stride=[stride] * 2, pad=[1] * 4, act=act)
    w = g.input((1, 3, 3, x.shape[3]), 0.33)
    return g.op("depthwise_conv2d", lambda x, w, b: ops.depthwise(x, w, b, **attributes), x, w,
                g.input((x.shape[3],), 0.1), **attributes)


def connected(g, x, out, act="none"):
    w = g.input((out, x.shape[-1]), x.shape[-1] ** -0.5)
    return g.op("fully_connected", lambda x, w, b: ops.activated(x @ w.T + b, act), x, w, g.input((out,), 0.1), act=act)


def batch_norm(g, x):
    """In training: with the batch's own mean and variance."""
    c = x.shape[3]
    axes, each = [0, 1, 2], (0, 1, 2)
    mean = g.op("mean", lambda v: v.mean(each, keepdims=True), x, axes=axes, keep_dims=1)
    centred = g.op("sub", np.subtract, x, mean)
    squares = g.op("mul", np.multiply, centred, centred)
    variance = g.op("mean", lambda v: v.mean(each, keepdims=True), squares, axes=axes, keep_dims=1)
    inverse = g.op("rsqrt", lambda v: 1 / np.sqrt(v), g.op("add", np.add, variance, g.constant(1e-3)))
    scaled = g.op("mul", np.multiply, g.op("mul", np.multiply, centred, inverse), g.input((c,)))
    return g.op("add", np.add, scaled, g.input((c,)))


def flat(g, x):
    return g.op("reshape", lambda v: v.reshape(v.shape[0], -1), x)


def cross_entropy(g, logits):
    """-log of the share of the class that labels, as rows of one 1, name: a row each."""
    n, classes = logits.shape
    labels = g.input((n, classes), array=np.eye(classes)[g.rng.integers(0, classes, n)], fixed=True)
    picked = g.op("mul", np.multiply, g.op("log_softmax", ops.log_softmax, logits), labels)
    return g.op("neg", np.negative, g.op("sum", lambda v: v.sum(1), picked, axes=[1]))


def spelled_cross_entropy(g, logits):
    """The same by exp, sum and log."""
    n, classes = logits.shape
    labels = g.input((n, classes), array=np.eye(classes)[g.rng.integers(0, classes, n)], fixed=True)
    norm = g.op("log", np.log, g.op("sum", lambda v: v.sum(1), g.op("exp", np.exp, logits), axes=[1]))
    own = g.op("sum", lambda v: v.sum(1), g.op("mul", np.multiply, logits, labels), axes=[1])
    return g.op("sub", np.subtract, norm, own)


def perceptron(g):
    return spelled_cross_entropy(g, connected(g, connected(g, g.input((4, 10)), 8, "relu"), 5))


def lenet(g):
    def pooled(v):
        return g.op("max_pool2d", lambda v: ops.max_pool(v, (2, 2), (2, 2), (0, 0, 0, 0)), v, kernel=[2, 2], stride=[2, 2])
    x = pooled(conv(g, g.input((2, 12, 12, 1)), 4, 5, act="relu"))
    x = flat(g, pooled(conv(g, x, 6, 3, act="relu")))
    return cross_entropy(g, connected(g, connected(g, x, 16, "relu"), 10))


def residual_block(g):
    x = g.input((2, 6, 6, 4))
    y = batch_norm(g, conv(g, x, 8, stride=2))
    y = batch_norm(g, conv(g, g.op("relu", lambda v: ops.activated(v, "relu"), y, act="relu"), 8))
    y = g.op("add", lambda a, b: ops.activated(a + b, "relu"), y, conv(g, x, 8, 1, 2), act="relu")
    pooled = g.op("mean", lambda v: v.mean((1, 2)), y, axes=[1, 2])
    return cross_entropy(g, connected(g, pooled, 5))


def inverted_residual(g):
    x = g.input((2, 5, 5, 4))
    y = depthwise(g, conv(g, x, 12, 1, act="relu6"), act="relu6")
    return g.op("add", np.add, x, conv(g, y, 4, 1))


def squeezed(g):
    """MobileNetV3: hard-swish, and squeeze and excitation by a hard sigmoid."""
    x = g.input((2, 6, 6, 4))
    y = g.op("hard_swish", ops.hard_swish, conv(g, x, 8, 1))
    y = g.op("hard_swish", ops.hard_swish, depthwise(g, y, 2))
    s = g.op("avg_pool2d", lambda v: ops.avg_pool(v, (3, 3), (1, 1), (0, 0, 0, 0)), y, kernel=[3, 3])
    s = conv(g, conv(g, s, 4, 1, act="relu"), 8, 1)
    s = g.op("relu", lambda v: ops.activated(v, "relu6"), g.op("add", np.add, s, g.constant(3)), act="relu6")
    y = g.op("mul", np.multiply, y, g.op("mul", np.multiply, s, g.constant(0.16666667)))
    return conv(g, y, 4, 1)


def transformer(g):
    n, length, width, heads = 2, 5, 8, 2
    x = g.input((n, length, width))
    epsilon = float(np.float32(1e-5))

    def norm(v):
        return g.op("layer_norm", lambda v, a, b: ops.layer_norm(v, a, b, epsilon), v, g.input((width,)),
                    g.input((width,)), epsilon=epsilon)

    def split(v):
        v = g.op("reshape", lambda v: v.reshape(n, length, heads, width // heads), v)
        return g.op("transpose", lambda v: v.transpose(0, 2, 1, 3), v, perm=[0, 2, 1, 3])
    h = norm(x)
    q, k, v = (split(connected(g, h, width)) for _ in range(3))
    weights = g.op("batch_matmul", lambda a, b: a @ np.swapaxes(b, -1, -2), q, k, adj_b=1)
    weights = g.op("softmax", lambda w: ops.softmax(w, beta=0.5), weights, beta=0.5)
    y = g.op("transpose", lambda v: v.transpose(0, 2, 1, 3), g.op("batch_matmul", np.matmul, weights, v),
             perm=[0, 2, 1, 3])
    y = g.op("reshape", lambda v: v.reshape(n, length, width), y)
    x = g.op("add", np.add, x, connected(g, y, width))
    h = g.op("gelu", ops.gelu, connected(g, norm(x), 16))
    return g.op("add", np.add, x, connected(g, h, width))


def network_cases():
    for build in (perceptron, lenet, residual_block, inverted_residual, squeezed, transformer):
        yield f"network {build.__name__}", build
