"""tflite_cases.py: single-operator .tflite models over the types, shapes and parameters that matter for the arithmetic.

cases(seed) yields (name, model bytes).  Numbers are drawn from a seeded generator; scales are chosen so that results use
most of their range and some saturate.
"""

import numpy as np
import tflite_sequence_cases
from tflite_case import ACTS, INTEGER, Case, hybrid_weights, window
from tflite_writer import NONE, RELU6, SAME, UINT8, VALID


def mac_constants(c, dtype, out_shape, w_shape, axis, channels, taps, per_channel, x_params):
    """Weights, bias and the result's parameters for a multiply-accumulate op."""
    rng = c.rng
    if dtype == "float32":
        w = c.m.const("w", rng.standard_normal(w_shape).astype(np.float32))
        b = c.m.const("b", rng.standard_normal(channels).astype(np.float32))
        return w, b, None
    if dtype == "uint8":
        w_scale, w_zero = np.array([rng.uniform(0.002, 0.02)], np.float32), int(rng.integers(60, 190))
        w_values = rng.integers(1, 256, w_shape).astype(np.uint8)
    else:
        n = channels if per_channel else 1
        w_scale, w_zero = rng.uniform(0.002, 0.02, n).astype(np.float32), 0
        w_values = rng.integers(-127, 128, w_shape).astype(np.int8)
    w = c.m.const("w", w_values, scale=w_scale, zero=w_zero, axis=axis)
    b_scale = (w_scale * np.float32(x_params[0])).astype(np.float32)
    b_type = np.int64 if dtype == "int16" else np.int32
    b = c.m.const("b", rng.integers(-3000, 3000, channels).astype(b_type), scale=b_scale, axis=0)
    spread = x_params[0] * float(np.mean(w_scale)) * 73 * np.sqrt(taps) * (9000 if dtype == "int16" else 74)
    if dtype == "int16":
        return w, b, (float(spread / 9000), 0)
    return w, b, (float(spread / 60), int(rng.integers(-20, 21)) + (128 if dtype == "uint8" else 0))


def pair(v):
    return v if isinstance(v, tuple) else (v, v)


def conv(seed, dtype, act="none", padding=SAME, stride=1, dilation=1, kernel=3, channels=(5, 7), per_channel=True,
         extent=(9, 11), bias=True):
    c = Case(seed)
    (h, w), (kh, kw), (sh, sw) = extent, pair(kernel), pair(stride)
    x, xp = c.input("x", dtype, [2, h, w, channels[0]])
    shape = [2, window(padding, h, kh, sh, dilation), window(padding, w, kw, sw, dilation), channels[1]]
    wt, b, yp = mac_constants(c, dtype, shape, [channels[1], kh, kw, channels[0]], 0, channels[1],
                              kh * kw * channels[0], per_channel, xp)
    y = c.output(dtype, shape, yp)
    c.m.op("CONV_2D", [x, wt] + ([b] if bias else []), [y], "Conv2DOptions", version=3, padding=padding,
           strideW=sw, strideH=sh, dilationWFactor=dilation, dilationHFactor=dilation,
           fusedActivationFunction=ACTS[act])
    return c.done()


def dilated_line(seed, dtype, dilation=3, length=11, kernel=3, channels=(6, 9)):
    """A causal 1-D convolution as Keras writes it: the steps of each residue are an image of one line."""
    c = Case(seed)
    x, xp = c.input("x", dtype, [2, 1, length, channels[0]])
    before = (kernel - 1) * dilation
    after = -(length + before) % dilation
    lines, steps = 2 * dilation, (before + length + after) // dilation
    block, wide = c.ints("block", [1, dilation]), {} if xp is None else {"scale": xp[0], "zero": xp[1]}
    apart = c.m.tensor("apart", dtype, [lines, 1, steps, channels[0]], **wide)
    borders = c.ints("padding", [[0, 0], [before, after]])
    c.m.op("SPACE_TO_BATCH_ND", [x, block, borders], [apart], "SpaceToBatchNDOptions")
    w, b, yp = mac_constants(c, dtype, None, [channels[1], 1, kernel, channels[0]], 0, channels[1], kernel * channels[0],
                             True, xp)
    narrow = {} if yp is None else {"scale": yp[0], "zero": yp[1]}
    z = c.m.tensor("z", dtype, [lines, 1, steps - kernel + 1, channels[1]], **narrow)
    c.m.op("CONV_2D", [apart, w, b], [z], "Conv2DOptions", version=3, padding=VALID, strideW=1, strideH=1)
    y = c.output(dtype, [2, 1, length, channels[1]], yp)
    c.m.op("BATCH_TO_SPACE_ND", [z, block, c.ints("crops", [[0, 0], [0, after]])], [y], "BatchToSpaceNDOptions")
    return c.done()


def depthwise(seed, dtype, act="none", padding=SAME, stride=1, dilation=1, channels=6, multiplier=1, per_channel=True):
    c = Case(seed)
    x, xp = c.input("x", dtype, [1, 10, 9, channels])
    n = channels * multiplier
    shape = [1, window(padding, 10, 3, stride, dilation), window(padding, 9, 3, stride, dilation), n]
    wt, b, yp = mac_constants(c, dtype, shape, [1, 3, 3, n], 3, n, 9, per_channel, xp)
    y = c.output(dtype, shape, yp)
    c.m.op("DEPTHWISE_CONV_2D", [x, wt, b], [y], "DepthwiseConv2DOptions", version=3, padding=padding, strideW=stride,
           strideH=stride, depthMultiplier=multiplier, dilationWFactor=dilation, dilationHFactor=dilation,
           fusedActivationFunction=ACTS[act])
    return c.done()


def fully_connected(seed, dtype, act="none", per_channel=False, bias=True, keep=False):
    c = Case(seed)
    x, xp = c.input("x", dtype, [3, 4, 33] if keep else [3, 33])
    shape = [3, 4, 17] if keep else [3, 17]
    wt, b, yp = mac_constants(c, dtype, shape, [17, 33], 0, 17, 33, per_channel, xp)
    y = c.output(dtype, shape, yp)
    c.m.op("FULLY_CONNECTED", [x, wt, b if bias else None], [y], "FullyConnectedOptions", version=4, keepNumDims=keep,
           fusedActivationFunction=ACTS[act])
    return c.done()


def transpose_conv(seed, dtype, padding=SAME, stride=2, per_channel=True, bias=True, k=3, beyond=0):
    """beyond: pixels of the result behind those that the last window reaches."""
    c = Case(seed)
    x, xp = c.input("x", dtype, [1, 5, 6, 4])
    h, w = (5 * stride, 6 * stride) if padding == SAME else ((5 - 1) * stride + k + beyond, (6 - 1) * stride + k + beyond)
    shape = [1, h, w, 5]
    wt, b, yp = mac_constants(c, dtype, shape, [5, k, k, 4], 0, 5, 4 * 9 // 4, per_channel, xp)
    y = c.output(dtype, shape, yp)
    c.m.op("TRANSPOSE_CONV", [c.ints("shape", shape), wt, x] + ([b] if bias else []), [y], "TransposeConvOptions",
           version=3 if bias else 2, padding=padding, strideW=stride, strideH=stride)
    return c.done()


def volume(seed, act=NONE, padding=SAME, stride=(1, 1, 1), dilation=(1, 1, 1), kernel=(2, 3, 3), bias=True, transposed=False):
    """A convolution over three dimensions, or a transposed one, whose result's windows are the image's pixels."""
    c = Case(seed)
    rng, (channels, filters), image = c.rng, (3, 4), [2, 4, 5, 6]
    x = c.m.input("x", "float32", image + [channels])
    b = c.m.const("b", rng.standard_normal(filters).astype(np.float32)) if bias else None
    if transposed:
        out = [e * s if padding == SAME else (e - 1) * s + (k - 1) * d + 1
               for e, k, s, d in zip(image[1:], kernel, stride, dilation)]
    else:
        out = [window(padding, e, k, s, d) for e, k, s, d in zip(image[1:], kernel, stride, dilation)]
    shape = [2, *out, filters]
    depths = [filters, channels] if transposed else [channels, filters]
    w = c.m.const("w", rng.standard_normal([*kernel, *depths]).astype(np.float32))
    operands = [c.ints("shape", shape), w, x] if transposed else [x, w]
    c.m.op("CONV_3D_TRANSPOSE" if transposed else "CONV_3D", operands + ([b] if bias else []), [c.output("float32", shape)],
           "Conv3DOptions", padding=padding, fusedActivationFunction=act, strideD=stride[0], strideH=stride[1], strideW=stride[2],
           dilationDFactor=dilation[0], dilationHFactor=dilation[1], dilationWFactor=dilation[2])
    return c.done()


def batch_matmul(seed, dtype, adj=(False, False), sums=False, scales=True):
    """sums: an int32 result, in which the zero points of the operands, if they have any, do not count."""
    c = Case(seed)
    a_shape, b_shape = ([2, 7, 13], [2, 13, 5])
    if adj[0]:
        a_shape = [2, 13, 7]
    if adj[1]:
        b_shape = [2, 5, 13]
    if not scales:
        a, b, ap = c.m.input("a", dtype, a_shape), c.m.input("b", dtype, b_shape), None
    else:
        a, ap = c.input("a", dtype, a_shape)
        b, bp = c.input("b", dtype, b_shape)
    yp = None if ap is None else (ap[0] * bp[0] * 74 * 74 * 4 / 60 if dtype != "int16" else ap[0] * bp[0] * 20000, 0 if dtype == "int16" else 3)
    y = c.output("int32" if sums else dtype, [2, 7, 5], yp)
    c.m.op("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions", version=4, adjX=adj[0], adjY=adj[1])
    return c.done()


def hybrid_conv(seed, act="none", padding=SAME, stride=1, dilation=1, kernel=3, channels=(6, 8), groups=1, per_channel=True):
    """Float activations, int8 weights: quantized at run time."""
    c = Case(seed)
    x, _ = c.input("x", "float32", [2, 9, 11, channels[0]])
    wt = hybrid_weights(c, [channels[1], kernel, kernel, channels[0] // groups], 0, channels[1], per_channel)
    b = c.m.const("b", c.rng.standard_normal(channels[1]).astype(np.float32))
    y = c.output("float32", [2, window(padding, 9, kernel, stride, dilation), window(padding, 11, kernel, stride, dilation),
                             channels[1]])
    c.m.op("CONV_2D", [x, wt, b], [y], "Conv2DOptions", version=5, padding=padding, strideW=stride, strideH=stride,
           dilationWFactor=dilation, dilationHFactor=dilation, fusedActivationFunction=ACTS[act])
    return c.done()


def hybrid_depthwise(seed, act="none", padding=SAME, stride=1, multiplier=1):
    c = Case(seed)
    x, _ = c.input("x", "float32", [2, 10, 9, 6])
    n = 6 * multiplier
    wt = hybrid_weights(c, [1, 3, 3, n], 3, n, True)
    b = c.m.const("b", c.rng.standard_normal(n).astype(np.float32))
    y = c.output("float32", [2, window(padding, 10, 3, stride), window(padding, 9, 3, stride), n])
    c.m.op("DEPTHWISE_CONV_2D", [x, wt, b], [y], "DepthwiseConv2DOptions", version=6, padding=padding, strideW=stride,
           strideH=stride, depthMultiplier=multiplier, dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=ACTS[act])
    return c.done()


def hybrid_fully_connected(seed, act="none", per_channel=False, bias=True, keep=False, asymmetric=False, unsigned=False):
    """unsigned: the file says uint8 of weights that hold int8, as old ones do."""
    c = Case(seed)
    x, _ = c.input("x", "float32", [3, 4, 33] if keep else [3, 33])
    wt = hybrid_weights(c, [17, 33], 0, 17, per_channel)
    if unsigned:
        c.m.graph.tensors[wt].type = UINT8
    b = c.m.const("b", c.rng.standard_normal(17).astype(np.float32)) if bias else None
    y = c.output("float32", [3, 4, 17] if keep else [3, 17])
    c.m.op("FULLY_CONNECTED", [x, wt, b], [y], "FullyConnectedOptions", version=12 if per_channel else 9, keepNumDims=keep,
           asymmetricQuantizeInputs=asymmetric, fusedActivationFunction=ACTS[act])
    return c.done()


def hybrid_transpose_conv(seed, padding=SAME, stride=2, per_channel=True, k=3, beyond=0):
    """beyond: see transpose_conv."""
    c = Case(seed)
    x, _ = c.input("x", "float32", [2, 5, 6, 4])
    h, w = (5 * stride, 6 * stride) if padding == SAME else (4 * stride + k + beyond, 5 * stride + k + beyond)
    wt = hybrid_weights(c, [5, k, k, 4], 0, 5, per_channel)
    b = c.m.const("b", c.rng.standard_normal(5).astype(np.float32))
    c.m.op("TRANSPOSE_CONV", [c.ints("shape", [2, h, w, 5]), wt, x, b], [c.output("float32", [2, h, w, 5])], "TransposeConvOptions",
           version=3, padding=padding, strideW=stride, strideH=stride)
    return c.done()


def hybrid_batch_matmul(seed, a_shape=(2, 7, 13), b_shape=(2, 13, 5), adj=(False, False), asymmetric=False):
    c = Case(seed)
    a, _ = c.input("a", "float32", list(a_shape))
    b = hybrid_weights(c, list(b_shape), 0, 1, False)
    lead = list(np.broadcast_shapes(a_shape[:-2], b_shape[:-2]))
    y = c.output("float32", lead + [a_shape[-1 if adj[0] else -2], b_shape[-2 if adj[1] else -1]])
    c.m.op("BATCH_MATMUL", [a, b], [y], "BatchMatMulOptions", version=4, adjX=adj[0], adjY=adj[1],
           asymmetricQuantizeInputs=asymmetric)
    return c.done()


def int4(seed, code, per_channel=True):
    """Weights of 4 bits with operands of 8: they are 8-bit ones that were packed."""
    c = Case(seed)
    flat, depth = code == "FULLY_CONNECTED", code == "DEPTHWISE_CONV_2D"
    x, xp = c.input("x", "int8", [3, 17] if flat else [1, 6, 7, 5])
    shape, out = {"FULLY_CONNECTED": ([5, 17], [3, 5]), "CONV_2D": ([5, 3, 3, 5], [1, 6, 7, 5]),
                  "DEPTHWISE_CONV_2D": ([1, 3, 3, 5], [1, 6, 7, 5])}[code]
    scale = c.rng.uniform(0.02, 0.2, 5 if per_channel else 1).astype(np.float32)
    wt = c.m.tensor("w", "int4", shape, data=c.rng.integers(-8, 8, shape), scale=scale, zero=0, axis=3 if depth else 0)
    b = c.m.const("b", c.rng.integers(-300, 300, 5).astype(np.int32), scale=scale * np.float32(xp[0]), axis=0)
    y = c.output("int8", out, (xp[0] * 2, 5))
    window_fields = {} if flat else dict(padding=SAME, strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
    options = {"FULLY_CONNECTED": "FullyConnectedOptions", "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}
    c.m.op(code, [x, wt, b], [y], options[code], version=6, **window_fields, **(dict(depthMultiplier=1) if depth else {}))
    return c.done()


def with_epsilon(seed, code, dtype, scale=7.9e-15):
    """A constant whose scale is far below that of the other operand and the result."""
    c = Case(seed)
    x, xp = c.input("x", dtype, [2, 30])
    e = c.m.const("epsilon", np.array(INTEGER[dtype][1], dtype), scale=scale, zero=0)
    y = c.output(dtype, [2, 30], xp)
    fields = {"potScaleInt16": False} if dtype == "int16" and code != "MUL" else {}
    c.m.op(code, [x, e], [y], BINARY_OPTIONS[code], version=2, **fields)
    return c.done()


def pool_bytes(seed, code, dtype):
    c = Case(seed)
    x, y = c.m.input("x", dtype, [1, 9, 9, 5]), c.m.tensor("y", dtype, [1, 5, 5, 5])
    c.m.output(y)
    c.m.op(code, [x], [y], "Pool2DOptions", padding=SAME, strideW=2, strideH=2, filterWidth=3, filterHeight=3)
    return c.done()


BINARY_OPTIONS = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
                  "MINIMUM": "MaximumMinimumOptions", "MAXIMUM": "MaximumMinimumOptions",
                  "SQUARED_DIFFERENCE": "SquaredDifferenceOptions", "POW": "PowOptions", "FLOOR_DIV": "FloorDivOptions",
                  "FLOOR_MOD": "FloorModOptions", "EQUAL": "EqualOptions", "NOT_EQUAL": "NotEqualOptions",
                  "LESS": "LessOptions", "LESS_EQUAL": "LessEqualOptions", "GREATER": "GreaterOptions",
                  "GREATER_EQUAL": "GreaterEqualOptions", "PRELU": None,
                  "BITWISE_XOR": "BitwiseXorOptions", "RIGHT_SHIFT": "RightShiftOptions"}


def bitwise(seed, code, dtype):
    """The second operand reaches below 0 and past the width."""
    c = Case(seed)
    a = c.m.input("a", dtype, [3, 50])
    most = 8 * np.dtype(dtype).itemsize + 3
    b = c.m.const("b", c.rng.integers(0 if dtype == "uint8" else -3, most, 50).astype(dtype))
    y = c.m.tensor("y", dtype, [3, 50])
    c.m.output(y)
    c.m.op(code, [a, b], [y], BINARY_OPTIONS[code])
    return c.done()


def binary(seed, code, dtype, act="none", shapes=([2, 5, 6, 7], [2, 5, 6, 7]), out_dtype=None, same=False, exponents=None):
    """exponents: of the scales of a, b and the result, powers of two, of 16 bits."""
    c = Case(seed)
    powers = [(2.0 ** e, 0) for e in exponents] if exponents else [None] * 3
    a, ap = c.input("a", dtype, shapes[0], powers[0])
    b, bp = c.input("b", dtype, shapes[1], ap if same else powers[1])
    if code == "DIV" and bp:
        bp = (bp[0], 0)  # the divisor must not be the real value 0
        c.m.graph.tensors[b].quantization.zeroPoint = [0]
    if dtype == "int32" and code in ("DIV", "FLOOR_DIV", "FLOOR_MOD"):  # integer divisors are constant
        c.m.graph.inputs.pop()
        b = c.m.const("divisors", c.rng.choice([-7, -3, 2, 5, 11], shapes[1]).astype(np.int32))
    if code == "PRELU" and len(shapes[1]) == 3:  # the slopes are constant
        c.m.graph.inputs.pop()
        values = c.rng.standard_normal(shapes[1]).astype(np.float32)
        if bp:
            values = np.clip(c.rng.integers(INTEGER[dtype][0], INTEGER[dtype][1] + 1, shapes[1]), *INTEGER[dtype]).astype(dtype)
            b = c.m.const("slopes", values, scale=bp[0], zero=bp[1])
        else:
            b = c.m.const("slopes", values)
    shape = list(np.broadcast_shapes(*shapes))
    yp = None
    if exponents:
        yp = powers[2]
    elif ap is not None and same:
        yp = ap
    elif ap is not None and dtype == "int16":
        yp = ({"MUL": ap[0] * bp[0] * 20000, "SQUARED_DIFFERENCE": (ap[0] + bp[0]) ** 2 * 9000}.get(code, ap[0] + bp[0]), 0)
    elif ap is not None:
        scale = {"MUL": ap[0] * bp[0] * 60, "SQUARED_DIFFERENCE": (ap[0] + bp[0]) ** 2 * 40, "DIV": ap[0] / bp[0] / 20,
                 "PRELU": max(ap[0], ap[0] * bp[0] * 60)}.get(code, max(ap[0], bp[0]) * 1.3)
        yp = (scale, int(c.rng.integers(-30, 30)) + (128 if dtype == "uint8" else 0))
    y = c.output(out_dtype or dtype, shape, yp)
    fields = {"fusedActivationFunction": ACTS[act]} if code in ("ADD", "SUB", "MUL", "DIV") else {}
    if dtype == "int16" and code in ("ADD", "SUB"):
        fields["potScaleInt16"] = exponents is not None
    c.m.op(code, [a, b], [y], BINARY_OPTIONS[code], version=1 if code in ("PRELU", "POW") else 2, **fields)
    return c.done()


FIXED_RESULTS = {"LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
                 "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}}


def unary(seed, code, dtype, options=None, out=None, x_params=None, positive=False, **fields):
    c = Case(seed)
    params = x_params
    if dtype in INTEGER and params is None:
        params = c.params(dtype, 0.02, 0.06)
        if positive:
            params = (params[0], INTEGER[dtype][0])
    x, xp = c.input("x", dtype, [1, 16, 16], params)
    yp = None
    if dtype in INTEGER:
        if code in FIXED_RESULTS:
            yp = FIXED_RESULTS[code][dtype]
        elif out == "same":
            yp = xp
        else:
            yp = out or (xp[0] * 0.8, xp[1] + 3 if dtype != "int16" else 0)
    y = c.output(dtype, [1, 16, 16], yp)
    c.m.op(code, [x], [y], options, version=1, **fields)
    return c.done()


def softmax(seed, code, dtype, shape=(3, 21), beta=1.0, to=None, to_params=None):
    c = Case(seed)
    x, xp = c.input("x", dtype, list(shape), None if dtype == "float32" else c.params(dtype, 0.02, 0.15))
    fixed = {"SOFTMAX": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
             "LOG_SOFTMAX": {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)},
             "L2_NORMALIZATION": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128)}}
    y = c.output(to or dtype, list(shape), to_params or fixed[code].get(to or dtype))
    if code == "SOFTMAX":
        c.m.op(code, [x], [y], "SoftmaxOptions", version=2, beta=beta)
    else:
        c.m.op(code, [x], [y], "LogSoftmaxOptions" if code == "LOG_SOFTMAX" else "L2NormOptions", version=2)
    return c.done()


def pool(seed, code, dtype, padding=SAME, act="none", kernel=3, stride=2):
    c = Case(seed)
    x, xp = c.input("x", dtype, [1, 9, 10, 5])
    y = c.output(dtype, [1, window(padding, 9, kernel, stride), window(padding, 10, kernel, stride), 5], xp)
    c.m.op(code, [x], [y], "Pool2DOptions", version=2, padding=padding, strideW=stride, strideH=stride,
           filterWidth=kernel, filterHeight=kernel, fusedActivationFunction=ACTS[act])
    return c.done()


def reduction(seed, code, dtype, axes=(1, 2), keep=True, same=False):
    c = Case(seed)
    shape = [2, 7, 6, 5]
    x, xp = c.input("x", dtype, shape)
    yp = None
    if xp is not None:
        yp = xp if same else (xp[0] * (0.5 if code == "MEAN" else 4), xp[1] if dtype == "int16" else xp[1] + 5)
    y = c.output(dtype, [1 if i in axes else d for i, d in enumerate(shape)] if keep else
                 [d for i, d in enumerate(shape) if i not in axes], yp)
    c.m.op(code, [x, c.ints("axes", list(axes))], [y], "ReducerOptions", version=2, keepDims=keep)
    return c.done()


def resize(seed, code, dtype, sizes, align, half):
    c = Case(seed)
    h, w, oh, ow = sizes
    x, xp = c.input("x", dtype, [2, h, w, 3])
    y = c.output(dtype, [2, oh, ow, 3], xp)
    c.m.op(code, [x, c.ints("size", [oh, ow])], [y],
           "ResizeBilinearOptions" if code == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions", version=3,
           alignCorners=align, halfPixelCenters=half)
    return c.done()


def convert(seed, source, target, shape=(5, 50), same_scale=False):
    """QUANTIZE (float or quantized to quantized) or DEQUANTIZE."""
    c = Case(seed)
    x, xp = c.input("x", source, list(shape), (1 / 128, 3) if source == "float32" else None)
    if target in INTEGER:
        yp = (1 / 100, 5 if target != "int16" else 0) if source == "float32" else \
            (xp[0] if same_scale else xp[0] * float(c.rng.uniform(0.3, 3)), 0 if target == "int16" else int(c.rng.integers(0, 60)))
        if target == "int16" and source == "float32":
            yp = (1 / 30000, 0)
        y = c.output(target, list(shape), yp)
        c.m.op("QUANTIZE", [x], [y], "QuantizeOptions", version=2)
    else:
        y = c.output(target, list(shape))
        c.m.op("DEQUANTIZE", [x], [y], "DequantizeOptions", version=3)
    return c.done()


def move(seed, code, dtype, shape, out_shape, extra=(), options=None, inputs_first=True, version=2, **fields):
    """An op on one tensor and constant parameters that moves elements."""
    c = Case(seed)
    x, xp = c.input("x", dtype, list(shape))
    y = c.output(dtype, list(out_shape), xp)
    parameters = [c.ints(f"p{i}", p) for i, p in enumerate(extra)]
    c.m.op(code, [x] + parameters if inputs_first else parameters + [x], [y], options, version=version, **fields)
    return c.done()


def concat(seed, dtype, axis=3, requantize=False):
    c = Case(seed)
    shapes = [[1, 3, 4, n] if axis == 3 else [1, n, 4, 5] for n in (2, 5, 3)]
    tensors, yp = [], None if dtype == "float32" else c.params(dtype)
    for i, s in enumerate(shapes):
        own = None if yp is None else (yp[0] * (0.5 + 0.3 * i), yp[1] + i) if requantize else yp
        tensors.append(c.input(f"x{i}", dtype, s, own)[0])
    total = list(shapes[0])
    total[axis] = sum(s[axis] for s in shapes)
    y = c.output(dtype, total, yp)
    c.m.op("CONCATENATION", tensors, [y], "ConcatenationOptions", version=2, axis=axis)
    return c.done()


def arg(seed, code, dtype):
    c = Case(seed)
    x, _ = c.input("x", dtype, [3, 5, 9])
    y = c.output("int32", [3, 9])
    c.m.op(code, [x, c.ints("axis", [1])], [y], "ArgMaxOptions" if code == "ARG_MAX" else "ArgMinOptions", version=2,
           outputType=2)
    return c.done()


def diagonal(seed, dtype, shape, set_in=False):
    """A matrix of a diagonal, or the diagonal of matrices of this shape set."""
    c = Case(seed)
    length = min(shape[-2:])
    if set_in:
        x, xp = c.input("x", dtype, shape)
        d, _ = c.input("d", dtype, shape[:-2] + [length], xp)
        c.m.op("MATRIX_SET_DIAG", [x, d], [c.output(dtype, shape, xp)], "MatrixSetDiagOptions")
    else:
        x, xp = c.input("x", dtype, shape[:-1])
        c.m.op("MATRIX_DIAG", [x], [c.output(dtype, shape, xp)], "MatrixDiagOptions")
    return c.done()


def detection(seed, regular, dtype="float32", classes=5, boxes=60, max_classes=1):
    c = Case(seed)
    p = {"uint8": (0.03, 128)}.get(dtype)
    b, _ = c.input("boxes", dtype, [1, boxes, 4], p)
    s, _ = c.input("scores", dtype, [1, boxes, classes + 1], (1 / 256, 0) if p else None)
    grid = c.rng.uniform(0, 1, [boxes, 4]).astype(np.float32)
    grid[:, 2:] = 0.1 + grid[:, 2:] * 0.3
    if p:
        a = c.m.const("anchors", (grid * 128).astype(np.uint8), scale=1 / 128, zero=0)
    else:
        a = c.m.const("anchors", grid)
    rows = 10
    outs = [c.output("float32", shape, name=f"out{i}") for i, shape in
            enumerate([[1, rows * max_classes, 4], [1, rows * max_classes], [1, rows * max_classes], [1]])]
    c.m.op("TFLite_Detection_PostProcess", [b, s, a], outs, custom={
        "max_detections": rows, "max_classes_per_detection": max_classes, "detections_per_class": 7,
        "use_regular_nms": bool(regular), "nms_score_threshold": 0.2, "nms_iou_threshold": 0.4, "num_classes": classes,
        "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0})
    return c.done()


def cases(seed=1):
    quantized, real = ("int8", "uint8", "int16"), "float32"
    every = quantized + (real,)

    def named(name, make, *a, **k):
        return name, make(seed + len(name), *a, **k)

    for t in every:
        for act in ("none", "relu6"):
            yield named(f"conv_{t}_{act}", conv, t, act)
        yield named(f"conv_{t}_valid_stride2", conv, t, "relu", VALID, 2)
        yield named(f"conv_{t}_1x1", conv, t, kernel=1, channels=(19, 23))
        yield named(f"conv_{t}_dilated", conv, t, dilation=2)
        yield named(f"conv_{t}_no_bias", conv, t, bias=False)
        yield named(f"conv_{t}_line", conv, t, kernel=(1, 3), extent=(1, 12))
        yield named(f"conv_{t}_line_of_many", conv, t, padding=VALID, kernel=(2, 3), stride=(3, 1), extent=(3, 12))
        yield named(f"conv_{t}_whole", conv, t, padding=VALID, kernel=(3, 4), stride=(3, 4), extent=(3, 4), channels=(16, 17))
        yield named(f"conv_{t}_dilated_line", dilated_line, t)
        for m in (1, 2):
            yield named(f"depthwise_{t}_multiplier{m}", depthwise, t, "relu", multiplier=m)
        yield named(f"depthwise_{t}_stride2", depthwise, t, "none", VALID, 2)
        yield named(f"depthwise_{t}_dilated", depthwise, t, "n1to1", dilation=2)
        for act in ("none", "relu"):
            yield named(f"fully_connected_{t}_{act}", fully_connected, t, act)
        yield named(f"fully_connected_{t}_no_bias", fully_connected, t, bias=False, keep=True)
        for p in (SAME, VALID):
            yield named(f"transpose_conv_{t}_padding{p}", transpose_conv, t, p)
        yield named(f"transpose_conv_{t}_no_bias", transpose_conv, t, bias=False)
        for p in (SAME, VALID):
            yield named(f"transpose_conv_{t}_small_window{p}", transpose_conv, t, p, stride=3, k=2)
        yield named(f"transpose_conv_{t}_one_pixel", transpose_conv, t, stride=4, k=1, bias=False)
        yield named(f"transpose_conv_{t}_output_padding", transpose_conv, t, VALID, beyond=1)
    yield named("conv_int8_per_tensor", conv, "int8", per_channel=False)
    yield named("depthwise_int8_per_tensor", depthwise, "int8", per_channel=False)
    yield named("fully_connected_int8_per_channel", fully_connected, "int8", per_channel=True)
    yield named("hybrid_conv", hybrid_conv)
    yield named("hybrid_conv_stride2_relu6", hybrid_conv, "relu6", VALID, 2)
    yield named("hybrid_conv_dilated", hybrid_conv, dilation=2)
    yield named("hybrid_conv_groups", hybrid_conv, groups=2)
    yield named("hybrid_conv_1x1", hybrid_conv, "relu", kernel=1, channels=(19, 23))
    yield named("hybrid_conv_per_tensor", hybrid_conv, per_channel=False)
    for code in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for t in ("int8", "uint8"):
            yield named(f"{code}_{t}_no_scale", pool_bytes, code, t)
    for code in ("ADD", "SUB", "MUL"):
        for t in ("int8", "int16"):
            yield named(f"{code}_{t}_epsilon", with_epsilon, code, t)
    for code in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"):
        for per_channel in (False, True):
            yield named(f"int4_{code}_{'channels' if per_channel else 'one_scale'}", int4, code, per_channel)
    for per_channel in (False, True):
        yield named(f"hybrid_transpose_conv_{'channels' if per_channel else 'one_scale'}", hybrid_transpose_conv, per_channel=per_channel)
    yield named("hybrid_transpose_conv_small_window", hybrid_transpose_conv, VALID, 3, k=2, beyond=1)
    yield named("hybrid_transpose_conv_dense", hybrid_transpose_conv, VALID, 1)
    yield named("hybrid_depthwise", hybrid_depthwise, "relu")
    yield named("hybrid_depthwise_multiplier2", hybrid_depthwise, multiplier=2)
    yield named("hybrid_depthwise_stride2", hybrid_depthwise, "none", VALID, 2)
    for affine in (False, True):
        way = "asymmetric" if affine else "symmetric"
        yield named(f"hybrid_fully_connected_{way}", hybrid_fully_connected, asymmetric=affine)
        yield named(f"hybrid_fully_connected_{way}_uint8", hybrid_fully_connected, asymmetric=affine, unsigned=True)
        yield named(f"hybrid_fully_connected_{way}_keep", hybrid_fully_connected, keep=True, bias=False, asymmetric=affine)
        yield named(f"hybrid_fully_connected_{way}_per_channel", hybrid_fully_connected, "relu", True, asymmetric=affine)
        for a, b, adj in (((2, 7, 13), (2, 13, 5), (False, False)), ((2, 13, 7), (2, 5, 13), (True, True)),
                          ((4, 7, 13), (13, 5), (False, False)), ((1, 7, 13), (3, 5, 13), (False, True))):
            yield named(f"hybrid_batch_matmul_{way}_{len(a)}{a[0]}_{len(b)}{b[0]}_{adj[0]:d}{adj[1]:d}", hybrid_batch_matmul,
                        a, b, adj, affine)
    for t in ("int8", "int16", real):
        for adj in ((False, False), (True, False), (False, True)):
            yield named(f"batch_matmul_{t}_{adj[0]:d}{adj[1]:d}", batch_matmul, t, adj)
            if t == "int8":
                yield named(f"batch_matmul_sums_{adj[0]:d}{adj[1]:d}", batch_matmul, t, adj, sums=True)
                yield named(f"batch_matmul_sums_{adj[0]:d}{adj[1]:d}_no_scales", batch_matmul, t, adj, sums=True, scales=False)

    for name, transposed in (("CONV_3D", False), ("CONV_3D_TRANSPOSE", True)):
        for p in (SAME, VALID):
            yield named(f"{name}_float32_padding{p}", volume, RELU6, p, (1, 2, 2), transposed=transposed)
            yield named(f"{name}_float32_padding{p}_dilated", volume, NONE, p, dilation=(2, 1, 2), bias=False, transposed=transposed)
        yield named(f"{name}_float32_dense", volume, kernel=(3, 1, 2), stride=(2, 1, 3), transposed=transposed)

    stretched = ([2, 5, 6, 7], [1, 1, 1, 7])
    for t in every:
        for code in ("ADD", "SUB", "MUL"):
            yield named(f"{code}_{t}", binary, code, t)
            if t != "int16":
                yield named(f"{code}_{t}_relu", binary, code, t, "relu")
            if t == "int16" and code != "MUL":
                for exponents in ((-11, -12, -11), (-14, -9, -9), (-10, -10, -10), (-8, -19, -8)):
                    yield named(f"{code}_int16_powers{exponents[0]}{exponents[1]}", binary, code, t, exponents=exponents)
                yield named(f"{code}_int16_powers_relu", binary, code, t, "relu6", exponents=(-12, -11, -11))
            yield named(f"{code}_{t}_broadcast", binary, code, t, shapes=stretched)
            yield named(f"{code}_{t}_scalar", binary, code, t, shapes=([2, 3, 4, 5], [1]))
        for code in ("MINIMUM", "MAXIMUM"):
            yield named(f"{code}_{t}", binary, code, t, same=True)
            if t in INTEGER:
                yield named(f"{code}_{t}_scales", binary, code, t)
        for code in ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"):
            if t != "int16":
                yield named(f"{code}_{t}", binary, code, t, out_dtype="bool", same=code.endswith("EQUAL"))
                yield named(f"{code}_{t}_scales", binary, code, t, out_dtype="bool")
    for t in ("uint8", real, "int32"):
        yield named(f"DIV_{t}", binary, "DIV", t)
    for t in ("int8", real, "int32"):
        yield named(f"SQUARED_DIFFERENCE_{t}", binary, "SQUARED_DIFFERENCE", t)
    for t in ("int8", "uint8", real):
        yield named(f"PRELU_{t}", binary, "PRELU", t, shapes=([1, 5, 6, 7], [1, 1, 7]))
    for code in ("FLOOR_DIV", "FLOOR_MOD", "POW"):
        for t in ("int32", real):
            if not (code == "POW" and t == real):
                yield named(f"{code}_{t}", binary, code, t)

    for t in ("int8", "uint8", "int16", "int32"):
        yield named(f"BITWISE_XOR_{t}", bitwise, "BITWISE_XOR", t)
        yield named(f"RIGHT_SHIFT_{t}", bitwise, "RIGHT_SHIFT", t)

    for t in every:
        for code in ("LOGISTIC", "TANH"):
            yield named(f"{code}_{t}", unary, code, t, x_params=(8 / 32768, 0) if t == "int16" else None)
        if t != "int16":
            for code in ("RELU", "RELU6", "RELU_N1_TO_1"):
                yield named(f"{code}_{t}", unary, code, t)
            yield named(f"HARD_SWISH_{t}", unary, "HARD_SWISH", t, "HardSwishOptions")
        yield named(f"LEAKY_RELU_{t}", unary, "LEAKY_RELU", t, "LeakyReluOptions", alpha=0.17)
    for t in ("int8", real):
        yield named(f"ELU_{t}", unary, "ELU", t)
        yield named(f"EXP_{t}", unary, "EXP", t, out=(0.05, -128))
        yield named(f"GELU_{t}", unary, "GELU", t, "GeluOptions", approximate=False)
        yield named(f"GELU_{t}_approximate", unary, "GELU", t, "GeluOptions", approximate=True)
        yield named(f"RSQRT_{t}", unary, "RSQRT", t, positive=True, out=(0.02, -128))
        yield named(f"LOG_{t}", unary, "LOG", t, positive=True, out=(0.03, 40))
        yield named(f"ABS_{t}", unary, "ABS", t)
    for scale, fine in ((1e-4, "narrow"), (3e-4, "wide")): # of the operand, which reaches to 32768 of them
        largest = 32768 * scale
        yield named(f"EXP_int16_{fine}", unary, "EXP", "int16", x_params=(scale, 0), out=(float(np.exp(largest)) / 32768, 0))
        yield named(f"LOG_int16_{fine}", unary, "LOG", "int16", x_params=(scale, 0), out=(scale, 0))
        yield named(f"GELU_int16_{fine}", unary, "GELU", "int16", "GeluOptions", x_params=(scale, 0), out=(scale, 0), approximate=False)
        yield named(f"TANH_int16_{fine}", unary, "TANH", "int16", x_params=(scale, 0))
        yield named(f"LOGISTIC_int16_{fine}", unary, "LOGISTIC", "int16", x_params=(scale, 0))
    for code in ("SQRT", "SIN", "COS", "CEIL", "FLOOR", "ROUND", "NEG", "SIGN"):
        yield named(f"{code}_float32", unary, code, real)

    for t in every:
        for beta in (1.0, 0.7):
            yield named(f"SOFTMAX_{t}_{beta}", softmax, "SOFTMAX", t, beta=beta)
        yield named(f"SOFTMAX_{t}_image", softmax, "SOFTMAX", t, shape=(2, 3, 4, 1001))
        if t == "int8":
            for beta in (1.0, 0.3):
                yield named(f"SOFTMAX_to_int16_{beta}", softmax, "SOFTMAX", t, beta=beta, to="int16")
            for shape in ((3, 21), (2, 1001)):
                yield named(f"SOFTMAX_to_all_int16_{shape[1]}", softmax, "SOFTMAX", t, shape, to="int16", to_params=(1 / 65536, -32768))
        if t != "int16":
            yield named(f"LOG_SOFTMAX_{t}", softmax, "LOG_SOFTMAX", t)
            yield named(f"L2_NORMALIZATION_{t}", softmax, "L2_NORMALIZATION", t)
        for code in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            for p in (SAME, VALID):
                yield named(f"{code}_{t}_padding{p}", pool, code, t, p)
            yield named(f"{code}_{t}_relu", pool, code, t, SAME, "relu", 2, 1)
            yield named(f"{code}_{t}_global", pool, code, t, VALID, "none", 9, 1)
        for code in ("MEAN", "SUM"):
            for same in (True, False):
                yield named(f"{code}_{t}_{'same' if same else 'scaled'}", reduction, code, t, same=same)
            yield named(f"{code}_{t}_last", reduction, code, t, axes=(3,), keep=False)
            yield named(f"{code}_{t}_outer", reduction, code, t, axes=(0, 1))
        for code in ("REDUCE_MAX", "REDUCE_MIN"):
            yield named(f"{code}_{t}", reduction, code, t, same=True)
        for code in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
            for sizes in ((5, 7, 10, 14), (5, 7, 13, 9), (8, 8, 3, 5)):
                for align, half in ((False, False), (True, False), (False, True)):
                    yield named(f"{code}_{t}_{sizes[2]}x{sizes[3]}_{align:d}{half:d}", resize, code, t, sizes, align, half)
    yield named("REDUCE_PROD_float32", reduction, "REDUCE_PROD", real)

    for a, b in ((real, "int8"), (real, "uint8"), (real, "int16"), ("int8", real), ("uint8", real), ("int16", real),
                 ("int8", "int8"), ("uint8", "uint8"), ("int8", "uint8"), ("uint8", "int8"), ("int16", "int8"),
                 ("int8", "int16"), ("int16", "int16")):
        yield named(f"convert_{a}_{b}", convert, a, b)
        if a != real and b != real:
            yield named(f"convert_{a}_{b}_same_scale", convert, a, b, same_scale=True)

    for t in ("int8", "uint8", "int16", real, "int32"):
        s = [2, 4, 6, 12]
        yield named(f"RESHAPE_{t}", move, "RESHAPE", t, s, [8, 72], [[8, 72]], "ReshapeOptions", version=1)
        yield named(f"TRANSPOSE_{t}", move, "TRANSPOSE", t, s, [12, 2, 6, 4], [[3, 0, 2, 1]], "TransposeOptions")
        yield named(f"SLICE_{t}", move, "SLICE", t, s, [1, 3, 2, 9], [[1, 1, 2, 3], [1, 3, 2, 9]], "SliceOptions")
        yield named(f"STRIDED_SLICE_{t}", move, "STRIDED_SLICE", t, s, [2, 2, 6, 5],
                    [[0, 3, 0, 1], [2, -5, 6, 11], [1, -2, 1, 2]], "StridedSliceOptions")
        yield named(f"PAD_{t}", move, "PAD", t, s, [2, 6, 9, 13], [[[0, 0], [1, 1], [2, 1], [0, 1]]], "PadOptions")
        yield named(f"MIRROR_PAD_{t}", move, "MIRROR_PAD", t, s, [2, 7, 9, 12], [[[0, 0], [2, 1], [0, 3], [0, 0]]],
                    "MirrorPadOptions", mode=0) if t in ("int8", "uint8", real) else (f"TILE_{t}", move(
                        seed, "TILE", t, s, [4, 4, 18, 12], [[2, 1, 3, 1]], "TileOptions"))
        yield named(f"DEPTH_TO_SPACE_{t}", move, "DEPTH_TO_SPACE", t, s, [2, 8, 12, 3], (), "DepthToSpaceOptions",
                    blockSize=2, version=1)
        if t != "int16":
            yield named(f"SPACE_TO_DEPTH_{t}", move, "SPACE_TO_DEPTH", t, s, [2, 2, 3, 48], (), "SpaceToDepthOptions",
                        blockSize=2)
            yield named(f"SPACE_TO_BATCH_{t}", move, "SPACE_TO_BATCH_ND", t, s, [8, 3, 4, 12],
                        [[2, 2], [[1, 1], [0, 2]]], "SpaceToBatchNDOptions")
            yield named(f"BATCH_TO_SPACE_{t}", move, "BATCH_TO_SPACE_ND", t, [8, 3, 4, 2], [2, 5, 6, 2],
                        [[2, 2], [[1, 0], [0, 2]]], "BatchToSpaceNDOptions")
            yield named(f"REVERSE_{t}", move, "REVERSE_V2", t, s, s, [[1]], "ReverseV2Options")
        yield named(f"GATHER_{t}", move, "GATHER", t, s, [2, 3, 6, 12], [[3, 0, 2]], "GatherOptions", axis=1)
        yield named(f"GATHER_ND_{t}", move, "GATHER_ND", t, s, [3, 6, 12], [[[0, 3], [1, 0], [1, 2]]], "GatherNdOptions")
        if t != "int32":
            yield named(f"concat_{t}", concat, t)
            yield named(f"concat_{t}_axis1", concat, t, axis=1)
    yield named("concat_uint8_requantize", concat, "uint8", requantize=True)
    for t in ("int8", "uint8", "int16", real, "int32", "int64"):
        yield named(f"diagonal_{t}", diagonal, t, [2, 3, 5, 5])
        for shape in ([4, 4], [2, 3, 5], [2, 2, 5, 3]):
            yield named(f"diagonal_set_{t}_{len(shape)}", diagonal, t, shape, set_in=True)
    for t in ("int8", "uint8", real, "int32"):
        for code in ("ARG_MAX", "ARG_MIN"):
            yield named(f"{code}_{t}", arg, code, t)
    for regular in (False, True):
        for t in (real, "uint8"):
            yield named(f"detection_{t}_{'regular' if regular else 'fast'}", detection, regular, t)
    yield named("detection_float32_two_classes", detection, False, max_classes=2)
    yield from tflite_sequence_cases.cases(seed)
