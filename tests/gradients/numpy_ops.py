"""numpy_ops.py: ops on numpy arrays in double, as ir/ops.def describes them."""
import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])


def activated(y, act="none"):
    low, high = {"none": (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6), "relu_n1_to_1": (-1, 1),
                 "relu_0_to_1": (0, 1)}[act]
    return np.clip(y, low, high)


def windows(x, kernel, stride, dilation, pad, fill):
    """[taps, n, oh, ow, c]: for every tap the pixel that each window has there."""
    n, h, w, c = x.shape
    padded = np.full((n, h + pad[0] + pad[2], w + pad[1] + pad[3], c), fill, x.dtype)
    padded[:, pad[0]:pad[0] + h, pad[1]:pad[1] + w] = x
    reach = [(kernel[i] - 1) * dilation[i] + 1 for i in range(2)]
    out = [(padded.shape[1 + i] - reach[i]) // stride[i] + 1 for i in range(2)]
    taps = []
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            y0, x0 = ky * dilation[0], kx * dilation[1]
            taps.append(padded[:, y0:y0 + (out[0] - 1) * stride[0] + 1:stride[0],
                               x0:x0 + (out[1] - 1) * stride[1] + 1:stride[1]])
    return np.stack(taps)


def conv2d(x, w, b=None, stride=(1, 1), dilation=(1, 1), pad=(0, 0, 0, 0), groups=1, act="none"):
    o, kh, kw, depth = w.shape
    taps = windows(x, (kh, kw), stride, dilation, pad, 0.0)
    parts = []
    for g in range(groups):
        wg = w[g * o // groups:(g + 1) * o // groups].reshape(o // groups, kh * kw, depth)
        parts.append(np.einsum("tnhwc,otc->nhwo", taps[..., g * depth:(g + 1) * depth], wg))
    y = np.concatenate(parts, -1)
    return activated(y if b is None else y + b, act)


def depthwise(x, w, b=None, stride=(1, 1), dilation=(1, 1), pad=(0, 0, 0, 0), act="none"):
    _, kh, kw, channels = w.shape
    taps = windows(np.repeat(x, channels // x.shape[3], 3), (kh, kw), stride, dilation, pad, 0.0)
    y = np.einsum("tnhwc,tc->nhwc", taps, w.reshape(kh * kw, channels))
    return activated(y if b is None else y + b, act)


def transpose_conv2d(x, w, b=None, stride=(1, 1), pad=(0, 0, 0, 0), out=None):
    n, h, width, _ = x.shape
    o, kh, kw, _ = w.shape
    whole = np.zeros((n, (h - 1) * stride[0] + kh + pad[0] + out[0], (width - 1) * stride[1] + kw + pad[1] + out[1], o))
    for ky in range(kh):
        for kx in range(kw):
            whole[:, ky:ky + (h - 1) * stride[0] + 1:stride[0], kx:kx + (width - 1) * stride[1] + 1:stride[1]] += (
                np.einsum("nhwi,oi->nhwo", x, w[:, ky, kx]))
    y = whole[:, pad[0]:pad[0] + out[0], pad[1]:pad[1] + out[1]]
    return y if b is None else y + b


def max_pool(x, kernel, stride, pad, act="none"):
    return activated(windows(x, kernel, stride, (1, 1), pad, -np.inf).max(0), act)


def avg_pool(x, kernel, stride, pad, act="none"):
    taps = windows(x, kernel, stride, (1, 1), pad, 0.0)
    inside = windows(np.ones_like(x), kernel, stride, (1, 1), pad, 0.0).sum(0)
    return activated(taps.sum(0) / np.maximum(inside, 1), act)


def softmax(x, mask=None, beta=1.0):
    v = x * beta if mask is None else x * beta + mask
    e = np.exp(v - v.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    v = x - x.max(-1, keepdims=True)
    return v - np.log(np.exp(v).sum(-1, keepdims=True))


def layer_norm(x, gamma=None, beta=None, epsilon=0.0):
    t = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    t = t if gamma is None else t * gamma
    return t if beta is None else t + beta


def batch_norm(x, gamma, beta, mean, variance, axis, epsilon):
    gamma, beta, mean, variance = (p.reshape([-1 if k == axis else 1 for k in range(x.ndim)]) for p in (gamma, beta, mean, variance))
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def l2_normalize(x, epsilon=0.0):
    return x / np.maximum(np.sqrt((x * x).sum(-1, keepdims=True)), epsilon)


def gelu(x, approximate=0):
    if approximate:
        return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    return x / 2 * (1 + erf(x / math.sqrt(2)))


def hard_swish(x):
    return x * np.clip(x + 3, 0, 6) / 6


def elu(x):
    return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)


def ratio_of(extent, out, align, ratio):
    """How far apart pixels of the result are in the image."""
    return (extent - 1) / (out - 1) if align and out > 1 else ratio or extent / out


def bilinear(x, out, half_pixel=0, align_corners=0, ratio=(0, 0)):
    def taps(n, m, by):
        rows = np.zeros((m, n))
        for i in range(m):
            at = min(max((i + 0.5) * by - 0.5 if half_pixel else i * by, 0.0), n - 1)
            low = int(at)
            rows[i, low] += 1 - (at - low)
            rows[i, min(low + 1, n - 1)] += at - low
        return rows
    a, b = (taps(n, m, ratio_of(n, m, align_corners, r)) for n, m, r in zip(x.shape[1:3], out, ratio))
    return np.einsum("ay,nyxc,bx->nabc", a, x, b)


def nearest(x, out, half_pixel=0, align_corners=0, ratio=(0, 0)):
    def pixels(n, m, by):
        """In float, as the definition has it: a pixel in the middle between two is one or the other."""
        at = (np.arange(m, dtype=np.float32) + np.float32(0.5 * half_pixel)) * np.float32(by)
        return np.clip(np.floor(at + np.float32(0.5)) if align_corners else np.floor(at), 0, n - 1).astype(int)
    a, b = (pixels(n, m, ratio_of(n, m, align_corners, r)) for n, m, r in zip(x.shape[1:3], out, ratio))
    return x[:, a][:, :, b]


def depth_to_space(x, up, across):
    n, h, w, c = x.shape
    parts = x.reshape(n, h, w, up, across, c // up // across).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(n, h * up, w * across, c // up // across)


def space_to_depth(x, up, across):
    n, h, w, c = x.shape
    return x.reshape(n, h // up, up, w // across, across, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // up, w // across, up * across * c)


def space_to_batch(x, block, pad):
    x = np.pad(x, ((0, 0), (pad[0], pad[2]), (pad[1], pad[3]), (0, 0)))
    n, h, w, c = x.shape
    up, across = block
    return x.reshape(n, h // up, up, w // across, across, c).transpose(2, 4, 0, 1, 3, 5).reshape(up * across * n, h // up, w // across, c)


def batch_to_space(x, block, crops):
    n, h, w, c = x.shape
    up, across = block
    n //= up * across
    x = x.reshape(up, across, n, h, w, c).transpose(2, 3, 0, 4, 1, 5).reshape(n, h * up, w * across, c)
    return x[:, crops[0]:h * up - crops[2], crops[1]:w * across - crops[3]]


def logistic(x):
    return 1 / (1 + np.exp(-x))


def recurrent(kind, x, r, h, other=None, axis=0, reverse=0, clip=0, rectified=0):
    """Every state, the last one, and of an lstm the last cell state.  other: the cell state of an lstm, the bias of a gru."""
    x = np.swapaxes(x, 0, 1) if axis else x
    units, c, y = h.shape[1], other, np.zeros(x.shape[:2] + h.shape[1:])
    for t in range(len(x))[::-1 if reverse else 1]:
        if kind == "lstm":
            i, f, g, o = np.split(x[t] + h @ r.T, 4, 1)
            c = logistic(f) * c + logistic(i) * np.tanh(g)
            c = np.clip(c, -clip, clip) if clip else c
            h = logistic(o) * np.tanh(c)
        elif kind == "gru":
            z, reset = (logistic(v) for v in np.split(x[t][:, :2 * units] + h @ r[:2 * units].T, 2, 1))
            past = (reset * h) @ r[2 * units:].T if other is None else reset * (h @ r[2 * units:].T + other)
            n = np.tanh(x[t][:, 2 * units:] + past)
            h = (1 - z) * n + z * h
        else:
            h = np.maximum(x[t] + h @ r.T, 0) if rectified else np.tanh(x[t] + h @ r.T)
        y[t] = h
    return np.swapaxes(y, 0, 1) if axis else y, h, c
