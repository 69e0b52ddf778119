"""networks.py: small networks whose gradients gradients.py checks, as those of single ops."""
import numpy as np
import numpy_ops as ops


def product(g, name, function, x, w, bias, attributes):
    operands = [x, w] + ([g.input(w.shape[3:] if name == "depthwise_conv2d" else w.shape[:1], 0.1)] if bias else [])
    return g.op(name, lambda *v: function(*v, **attributes), *operands, **attributes)


def conv(g, x, out, kernel=3, stride=1, act="none", bias=True):
    attributes = dict(stride=[stride] * 2, pad=[(kernel - 1) // 2] * 4, act=act)
    w = g.input((out, kernel, kernel, x.shape[3]), (kernel * kernel * x.shape[3]) ** -0.5)
    return product(g, "conv2d", ops.conv2d, x, w, bias, attributes)


def depthwise(g, x, stride=1, kernel=3, bias=True):
    attributes = dict(stride=[stride] * 2, pad=[kernel // 2] * 4)
    w = g.input((1, kernel, kernel, x.shape[3]), 1 / kernel)
    return product(g, "depthwise_conv2d", ops.depthwise, x, w, bias, attributes)


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


def relu(g, v, act="relu"):
    return g.op("relu", lambda v: ops.activated(v, act), v, act=act)


def residual(g, x, channels, stride=1):
    """What goes past two convolutions goes through one of its own where it changes its shape."""
    y = relu(g, batch_norm(g, conv(g, x, channels, stride=stride, bias=False)))
    y = batch_norm(g, conv(g, y, channels, bias=False))
    past = x if x.shape == y.shape else conv(g, x, channels, 1, stride)
    return g.op("add", lambda a, b: ops.activated(a + b, "relu"), y, past, act="relu")


def classified(g, x, classes=5):
    pooled = g.op("mean", lambda v: v.mean((1, 2)), x, axes=[1, 2])
    return cross_entropy(g, connected(g, pooled, classes))


def resnet8(g):
    """MLPerf Tiny's: a convolution, and three blocks, each of twice as many channels on half the pixels; here of a quarter of the channels."""
    x = relu(g, batch_norm(g, conv(g, g.input((2, 8, 8, 3)), 4, bias=False)))
    for channels, stride in ((4, 1), (8, 2), (16, 2)):
        x = residual(g, x, channels, stride)
    return classified(g, x)


def mobilenet_v1(g):
    """Its first layer, and two separable ones, the second of which strides."""
    x = relu(g, batch_norm(g, conv(g, g.input((2, 9, 9, 3)), 4, stride=2, bias=False)), "relu6")
    for channels, stride in ((6, 1), (8, 2)):
        x = relu(g, batch_norm(g, depthwise(g, x, stride, bias=False)), "relu6")
        x = relu(g, batch_norm(g, conv(g, x, channels, 1, bias=False)), "relu6")
    return classified(g, x)


def inverted_residual(g, x, channels, expanded, stride=1):
    y = relu(g, batch_norm(g, conv(g, x, expanded, 1, bias=False)), "relu6")
    y = relu(g, batch_norm(g, depthwise(g, y, stride, bias=False)), "relu6")
    y = batch_norm(g, conv(g, y, channels, 1, bias=False))
    return g.op("add", np.add, x, y) if x.shape == y.shape else y


def mobilenet_v2(g):
    x = inverted_residual(g, g.input((2, 6, 6, 3)), 3, 12)
    return classified(g, inverted_residual(g, x, 5, 9, 2))


def hard_swish(g, v):
    return g.op("hard_swish", ops.hard_swish, v)


def excited(g, y, inner):
    """Channels times what a small network on their means says of them, by a hard sigmoid."""
    extent = y.shape[1:3]
    s = g.op("avg_pool2d", lambda v: ops.avg_pool(v, extent, (1, 1), (0, 0, 0, 0)), y, kernel=list(extent))
    s = conv(g, conv(g, s, inner, 1, act="relu"), y.shape[3], 1)
    s = relu(g, g.op("add", np.add, s, g.constant(3)), "relu6")
    return g.op("mul", np.multiply, y, g.op("mul", np.multiply, s, g.constant(0.16666667)))


def mobilenet_v3(g):
    """Hard-swish, squeeze and excitation; taps of 5x5, and a residual."""
    x = g.input((2, 6, 6, 4))
    y = hard_swish(g, batch_norm(g, conv(g, x, 8, 1, bias=False)))
    y = excited(g, hard_swish(g, batch_norm(g, depthwise(g, y, kernel=5, bias=False))), 4)
    x = g.op("add", np.add, x, batch_norm(g, conv(g, y, 4, 1, bias=False)))
    y = excited(g, hard_swish(g, depthwise(g, x, 2)), 2)
    return classified(g, y)


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
    for build in (perceptron, lenet, resnet8, mobilenet_v1, mobilenet_v2, mobilenet_v3, transformer):
        yield f"network {build.__name__}", build
