"""forms.py: operators in the forms that only the importer sees, against TFLite: masks and negative bounds of slices, axes of
every sign, batch dimensions, blocks, paddings, shapes that are computed.

    forms.py QCC_RUN [--rounds=N] [--seed=N] [PATTERN]

Protects: what the importer makes of parameters.  Models are drawn at random; each is run by TFLite's kernels and by the
interpreter, and the results must be equal (float sums: to 1e-5).  Exit 77 where TFLite is not installed.
"""

import argparse
import fnmatch
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    np = None  # the reference isn't there either, which main() reports

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "tflite_models"))
import tflite_reference  # noqa: E402
import tflite_writer  # noqa: E402
from tflite_writer import Model, RELU, SAME, VALID  # noqa: E402


class Form:
    """A model under construction.  Results have no shape in the file: TFLite computes them, and so does the importer."""

    def __init__(self, seed):
        self.m = Model()
        self.r = np.random.default_rng(seed)

    def shape(self, rank=None, low=1, high=5):
        return [int(d) for d in self.r.integers(low, high + 1, rank if rank is not None else self.r.integers(1, 5))]

    def pick(self, *choices):
        return choices[int(self.r.integers(len(choices)))]

    def axis(self, rank):
        return int(self.r.integers(-rank, rank))

    def x(self, shape, dtype="float32"):
        return self.m.input(f"x{len(self.m.graph.inputs)}", dtype, shape)

    def ints(self, values):
        return self.m.const(f"c{len(self.m.graph.tensors)}", np.array(values, np.int32))

    def floats(self, values):
        return self.m.const(f"c{len(self.m.graph.tensors)}", np.array(values, np.float32))

    def op(self, code, inputs, options=None, outputs=1, dtype="float32", **fields):
        made = [self.m.tensor(f"y{len(self.m.graph.tensors) + i}", dtype, []) for i in range(outputs)]
        self.m.op(code, inputs, made, options, **fields)
        return made

    def done(self, outputs):
        self.m.output(*outputs)
        return self.m


def strided_slice(f):
    shape = f.shape(int(f.r.integers(1, 5)))
    count = int(f.r.integers(1, len(shape) + 1))
    begin, end, stride, masks = [], [], [], dict(beginMask=0, endMask=0, shrinkAxisMask=0)
    for i in range(count):
        d = shape[i]
        stride.append(int(f.pick(1, 1, 2, -1, -2, 3)))
        begin.append(int(f.r.integers(-d, d)))
        end.append(int(f.r.integers(-d - 2, d + 3)))
        if f.r.random() < 0.2:
            masks["shrinkAxisMask"] |= 1 << i
            stride[i] = 1
            end[i] = begin[i] + 1
        else:
            masks["beginMask"] |= int(f.r.random() < 0.3) << i
            masks["endMask"] |= int(f.r.random() < 0.3) << i
    return f.done(f.op("STRIDED_SLICE", [f.x(shape), f.ints(begin), f.ints(end), f.ints(stride)], "StridedSliceOptions", **masks))


def strided_slice_axes(f):
    """New dimensions and an ellipsis; TFLite has them for up to 5 dimensions in all."""
    shape = f.shape(3)
    form = f.pick(([0, 1, 0], [0, 3, 0], 1, 0), ([1, 0, 0], [3, 0, 2], 0, 2), ([0, 0, 1], [0, 0, 2], 4, 1), ([0, 0], [0, 2], 1, 0))
    begin, end, new_axis, ellipsis = form
    return f.done(f.op("STRIDED_SLICE", [f.x(shape), f.ints(begin), f.ints(end), f.ints([1] * len(begin))], "StridedSliceOptions",
                       newAxisMask=new_axis, ellipsisMask=ellipsis))


def slice_open(f):
    shape = f.shape()
    begin = [int(f.r.integers(0, d)) for d in shape]
    size = [f.pick(-1, int(f.r.integers(1, d - b + 1))) for d, b in zip(shape, begin)]
    return f.done(f.op("SLICE", [f.x(shape), f.ints(begin), f.ints(size)], "SliceOptions"))


def split(f):
    shape, parts = f.shape(), int(f.r.integers(1, 4))
    axis = f.axis(len(shape))
    shape[axis] = parts * int(f.r.integers(1, 4))
    return f.done(f.op("SPLIT", [f.ints(axis), f.x(shape)], "SplitOptions", parts, numSplits=parts))


def split_v(f):
    shape, sizes = f.shape(), [int(s) for s in f.r.integers(1, 4, f.r.integers(1, 4))]
    axis = f.axis(len(shape))
    shape[axis] = sum(sizes)
    sizes[int(f.r.integers(len(sizes)))] = -1
    return f.done(f.op("SPLIT_V", [f.x(shape), f.ints(sizes), f.ints(axis)], "SplitVOptions", len(sizes), numSplits=len(sizes)))


def unpack(f):
    shape = f.shape()
    axis = f.axis(len(shape))
    return f.done(f.op("UNPACK", [f.x(shape)], "UnpackOptions", shape[axis], num=shape[axis], axis=axis))


def pack(f):
    shape = f.shape(int(f.r.integers(0, 4)))
    count = int(f.r.integers(1, 4))
    return f.done(f.op("PACK", [f.x(shape) for _ in range(count)], "PackOptions", valuesCount=count, axis=f.axis(len(shape) + 1)))


def concatenation(f):
    shape = f.shape()
    axis, inputs = f.axis(len(shape)), []
    for _ in range(int(f.r.integers(1, 4))):
        one = list(shape)
        one[axis] = int(f.r.integers(1, 4))
        inputs.append(f.x(one))
    return f.done(f.op("CONCATENATION", inputs, "ConcatenationOptions", axis=axis))


def squeeze(f):
    shape = [int(f.pick(1, 1, 3)) for _ in range(4)]
    dims = [i - f.pick(0, 4) for i, d in enumerate(shape) if d == 1 and f.r.random() < 0.6]
    return f.done(f.op("SQUEEZE", [f.x(shape)], "SqueezeOptions", squeezeDims=dims))


def expand_dims(f):
    shape = f.shape()
    return f.done(f.op("EXPAND_DIMS", [f.x(shape), f.ints(f.axis(len(shape) + 1))], "ExpandDimsOptions"))


def reshape(f):
    shape = f.shape(4)
    new = [shape[0] * shape[1], shape[2], shape[3]]
    new[int(f.r.integers(3))] = -1
    return f.done(f.op("RESHAPE", [f.x(shape), f.ints(new)], "ReshapeOptions"))


def reshape_to_scalar(f):
    """Old files write the shape of a scalar as [0]."""
    return f.done(f.op("RESHAPE", [f.x([1] * int(f.r.integers(0, 4)))], "ReshapeOptions", newShape=[0]))


def reshape_computed(f):
    """[batch, -1] from SHAPE, STRIDED_SLICE and PACK; and sizes by arithmetic."""
    x = f.x(f.shape(3))
    shape, = f.op("SHAPE", [x], "ShapeOptions", dtype="int32", outType=2)
    first, = f.op("STRIDED_SLICE", [shape, f.ints([0]), f.ints([1]), f.ints([1])], "StridedSliceOptions", dtype="int32", shrinkAxisMask=1)
    last, = f.op("STRIDED_SLICE", [shape, f.ints([-1]), f.ints([0]), f.ints([1])], "StridedSliceOptions", dtype="int32", endMask=1,
                 shrinkAxisMask=1)
    product, = f.op("MUL", [first, last], "MulOptions", dtype="int32")
    new, = f.op("PACK", [f.ints(-1), product], "PackOptions", dtype="int32", valuesCount=2, axis=0)
    return f.done(f.op("RESHAPE", [x, new], "ReshapeOptions"))


def reduction(f):
    shape = f.shape()
    axes = sorted({f.axis(len(shape)) for _ in range(int(f.r.integers(1, 4)))})
    code = f.pick("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
    return f.done(f.op(code, [f.x(shape), f.ints(axes)], "ReducerOptions", keepDims=bool(f.pick(0, 1))))


def arg_max(f):
    shape = f.shape()
    code = f.pick("ARG_MAX", "ARG_MIN")
    return f.done(f.op(code, [f.x(shape), f.ints(f.axis(len(shape)))], "ArgMaxOptions" if code == "ARG_MAX" else "ArgMinOptions",
                       dtype="int32", outputType=2))


def top_k(f):
    shape = f.shape()
    y = [f.m.tensor("values", "float32", []), f.m.tensor("indices", "int32", [])]
    f.m.op("TOPK_V2", [f.x(shape), f.ints(int(f.r.integers(1, shape[-1] + 1)))], y, "TopKV2Options")
    return f.done(y)


def cumsum(f):
    shape = f.shape()
    return f.done(f.op("CUMSUM", [f.x(shape), f.ints(f.axis(len(shape)))], "CumsumOptions", exclusive=bool(f.pick(0, 1)),
                       reverse=bool(f.pick(0, 1))))


def transpose(f):
    shape = f.shape(int(f.r.integers(2, 6)))
    return f.done(f.op("TRANSPOSE", [f.x(shape), f.ints(f.r.permutation(len(shape)))], "TransposeOptions"))


def reverse(f):
    shape = f.shape()
    return f.done(f.op("REVERSE_V2", [f.x(shape), f.ints([f.axis(len(shape)) % len(shape)])], "ReverseV2Options"))


def pad(f):
    shape = f.shape(int(f.r.integers(1, 5)))
    inputs = [f.x(shape), f.ints(f.r.integers(0, 3, (len(shape), 2)))]
    if f.pick(0, 1):
        return f.done(f.op("PADV2", inputs + [f.floats(-1.5)], "PadV2Options"))
    return f.done(f.op("PAD", inputs, "PadOptions"))


def mirror_pad(f):
    shape, mode = f.shape(3, low=2), int(f.pick(0, 1))
    borders = [[int(f.r.integers(0, d + mode)) for _ in range(2)] for d in shape]
    return f.done(f.op("MIRROR_PAD", [f.x(shape), f.ints(borders)], "MirrorPadOptions", mode=mode))


def tile(f):
    shape = f.shape()
    return f.done(f.op("TILE", [f.x(shape), f.ints(f.r.integers(1, 4, len(shape)))], "TileOptions"))


def broadcast_to(f):
    shape = f.shape(3)
    small = [d if f.r.random() < 0.5 else 1 for d in shape][int(f.r.integers(0, 3)):]
    return f.done(f.op("BROADCAST_TO", [f.x(small), f.ints(shape)], "BroadcastToOptions"))


def fill(f):
    x = f.x([2, 3])
    filled, = f.op("FILL", [f.ints([2, 3]), f.floats(0.25)], "FillOptions")
    return f.done(f.op("ADD", [x, filled], "AddOptions"))


def range_add(f):
    x = f.x([4])
    numbers, = f.op("RANGE", [f.floats(1.0), f.floats(-1.0), f.floats(-0.5)], "RangeOptions")
    return f.done(f.op("ADD", [x, numbers], "AddOptions", fusedActivationFunction=RELU))


def gather(f):
    shape = f.shape(int(f.r.integers(1, 4)))
    axis = f.axis(len(shape))
    batch = int(f.r.integers(0, axis % len(shape) + 1))
    index_shape = shape[:batch] + f.shape(int(f.r.integers(0, 3)))
    indices = f.r.integers(0, shape[axis], index_shape)
    return f.done(f.op("GATHER", [f.x(shape), f.ints(indices)], "GatherOptions", axis=axis, batchDims=batch))


def at_run_time(f, shape, extents):
    """Indices of dimensions with these extents, whatever the input is."""
    return f.op("FLOOR_MOD", [f.x(shape, "int32"), f.ints(extents)], "FloorModOptions", dtype="int32")[0]


def gather_at_run_time(f):
    shape = f.shape(int(f.r.integers(1, 4)))
    axis = f.axis(len(shape))
    indices = at_run_time(f, f.shape(int(f.r.integers(1, 3))), shape[axis])
    return f.done(f.op("GATHER", [f.x(shape), indices], "GatherOptions", axis=axis))


def gather_nd_at_run_time(f):
    shape = f.shape(3)
    length = int(f.r.integers(1, 4))
    return f.done(f.op("GATHER_ND", [f.x(shape), at_run_time(f, [4, length], shape[:length])], "GatherNdOptions"))


def slice_at_run_time(f):
    """The place is computed, the size is constant: all of a dimension, one element or several."""
    shape = f.shape(int(f.r.integers(1, 4)))
    size = [int(f.pick(d, 1, int(f.r.integers(1, d + 1)))) for d in shape]
    begin = at_run_time(f, [len(shape)], [d - s + 1 for d, s in zip(shape, size)])
    return f.done(f.op("SLICE", [f.x(shape), begin, f.ints(size)]))


def element_at_run_time(f):
    """x[:, i] as TensorFlow writes it, i from the end where it is negative."""
    shape = f.shape(int(f.r.integers(1, 5)))
    entries = int(f.r.integers(1, len(shape) + 1))
    named = shape[len(shape) - entries:] if f.pick(0, 1) else shape[:entries]
    ellipsis = int(named != shape[:entries])
    begin = f.op("SUB", [at_run_time(f, [entries + ellipsis], [1] * ellipsis + [2 * d for d in named]),
                         f.ints([0] * ellipsis + named)], "SubOptions", dtype="int32")
    end = f.op("ADD", [begin[0], f.ints(1)], "AddOptions", dtype="int32")
    whole = int(f.r.integers(1 << entries)) << ellipsis
    return f.done(f.op("STRIDED_SLICE", [f.x(shape), begin[0], end[0], f.ints([1] * (entries + ellipsis))], "StridedSliceOptions",
                       beginMask=whole, endMask=whole, ellipsisMask=ellipsis, shrinkAxisMask=((1 << entries) - 1 << ellipsis) & ~whole))


def embedding_at_run_time(f):
    return f.done(f.op("EMBEDDING_LOOKUP", [at_run_time(f, [6], 5), f.x([5, 3])]))


def update_slice(f):
    """Its place is any number: it is moved until it fits."""
    shape = f.shape(int(f.r.integers(1, 4)))
    update = [int(f.r.integers(1, d + 1)) for d in shape]
    return f.done(f.op("DYNAMIC_UPDATE_SLICE", [f.x(shape), f.x(update), f.x([len(shape)], "int32")]))


def gather_nd(f):
    shape = f.shape(3)
    length = int(f.r.integers(1, 4))
    indices = np.stack([f.r.integers(0, d, (2, 2)) for d in shape[:length]], -1)
    return f.done(f.op("GATHER_ND", [f.x(shape), f.ints(indices)], "GatherNdOptions"))


def scatter_nd(f):
    indices = f.r.integers(0, 4, (3, 1))
    return f.done(f.op("SCATTER_ND", [f.ints(indices), f.x([3, 2]), f.ints([4, 2])], "ScatterNdOptions"))


def scatter_nd_at_run_time(f):
    return f.done(f.op("SCATTER_ND", [at_run_time(f, [3, 2], [4, 5]), f.x([3, 2]), f.ints([4, 5, 2])], "ScatterNdOptions"))


def one_hot(f):
    x = f.x([2, 3], "int32")
    return f.done(f.op("ONE_HOT", [x, f.ints(16), f.floats(2.0), f.floats(-1.0)], "OneHotOptions", axis=int(f.pick(-1, 0, 1, 2))))


def select(f):
    shape = f.shape(3)
    if f.pick(0, 1):
        return f.done(f.op("SELECT", [f.x(f.pick(shape, shape[:1]), "bool"), f.x(shape), f.x(shape)], "SelectOptions"))
    return f.done(f.op("SELECT_V2", [f.x([1, shape[1], 1], "bool"), f.x(shape), f.x(shape[1:])], "SelectV2Options"))


def embedding(f):
    return f.done(f.op("EMBEDDING_LOOKUP", [f.x([3], "int32"), f.m.const("table", f.r.random((16, 4)).astype(np.float32))]))


def embedding_hybrid(f):
    """Rows of an int8 table as floats: one scale, or one for each row."""
    shape, scale = [16] + f.shape(int(f.r.integers(1, 3))), f.pick(0.03, list(f.r.uniform(0.001, 0.02, 16)))
    table = f.m.const("table", f.r.integers(-128, 128, shape).astype(np.int8), scale=scale, axis=0)
    return f.done(f.op("EMBEDDING_LOOKUP", [f.x([3], "int32"), table]))


def blocks(f):
    n, c, b = int(f.r.integers(1, 3)), int(f.r.integers(1, 4)), [2, int(f.pick(1, 3))]
    h, w = 2 * int(f.r.integers(1, 4)), b[1] * int(f.r.integers(1, 3))
    if f.pick(0, 1):
        borders = [[1, 1], [0, b[1]]]
        return f.done(f.op("SPACE_TO_BATCH_ND", [f.x([n, h, w, c]), f.ints(b), f.ints(borders)], "SpaceToBatchNDOptions"))
    return f.done(f.op("BATCH_TO_SPACE_ND", [f.x([n * b[0] * b[1], h, w, c]), f.ints(b), f.ints([[1, 0], [0, 1]])],
                       "BatchToSpaceNDOptions"))


def blocks_flat(f):
    if f.pick(0, 1):
        return f.done(f.op("SPACE_TO_BATCH_ND", [f.x([2, 5, 3]), f.ints([2]), f.ints([[1, 0]])], "SpaceToBatchNDOptions"))
    return f.done(f.op("BATCH_TO_SPACE_ND", [f.x([4, 3, 3]), f.ints([2]), f.ints([[1, 0]])], "BatchToSpaceNDOptions"))


def convolution(f):
    k, s, d = [int(v) for v in f.r.integers(1, 4, 2)], [int(v) for v in f.r.integers(1, 4, 2)], [int(v) for v in f.r.integers(1, 3, 2)]
    groups, depth = int(f.pick(1, 1, 2)), int(f.r.integers(1, 4))
    x = f.x([int(f.pick(1, 2)), int(f.r.integers(6, 10)), int(f.r.integers(6, 10)), depth * groups])
    w = f.m.const("w", f.r.standard_normal((2 * groups, *k, depth)).astype(np.float32))
    return f.done(f.op("CONV_2D", [x, w, f.floats(f.r.random(2 * groups))], "Conv2DOptions", padding=int(f.pick(SAME, VALID)),
                       strideH=s[0], strideW=s[1], dilationHFactor=d[0], dilationWFactor=d[1]))


def depthwise(f):
    k, s, times = [int(v) for v in f.r.integers(1, 4, 2)], int(f.r.integers(1, 4)), int(f.pick(1, 2, 3))
    c = int(f.r.integers(1, 5))
    d = int(f.pick(1, 2)) if s == 1 else 1
    x = f.x([1, int(f.r.integers(6, 10)), int(f.r.integers(6, 10)), c])
    w = f.m.const("w", f.r.standard_normal((1, *k, c * times)).astype(np.float32))
    return f.done(f.op("DEPTHWISE_CONV_2D", [x, w, f.floats(f.r.random(c * times))], "DepthwiseConv2DOptions",
                       padding=int(f.pick(SAME, VALID)), strideH=s, strideW=s, depthMultiplier=times, dilationHFactor=d,
                       dilationWFactor=d))


def transposed(f):
    k, s, padding = [int(v) for v in f.r.integers(1, 5, 2)], int(f.r.integers(1, 4)), int(f.pick(SAME, VALID))
    h, w, c = int(f.r.integers(1, 5)), int(f.r.integers(1, 5)), int(f.r.integers(1, 4))
    beyond = [int(v) for v in f.r.integers(0, 3, 2)]
    out = [h * s, w * s] if padding == SAME else [(h - 1) * s + k[0] + beyond[0], (w - 1) * s + k[1] + beyond[1]]
    weights = f.m.const("w", f.r.standard_normal((2, *k, c)).astype(np.float32))
    bias = [f.floats(f.r.standard_normal(2))] if f.pick(0, 1) else []
    return f.done(f.op("TRANSPOSE_CONV", [f.ints([1, *out, 2]), weights, f.x([1, h, w, c]), *bias], "TransposeConvOptions",
                       padding=padding, strideH=s, strideW=s, version=3))


def pool(f):
    code = f.pick("AVERAGE_POOL_2D", "MAX_POOL_2D")
    k, s = [int(v) for v in f.r.integers(1, 4, 2)], [int(v) for v in f.r.integers(1, 4, 2)]
    return f.done(f.op(code, [f.x([1, int(f.r.integers(4, 9)), int(f.r.integers(4, 9)), 3])], "Pool2DOptions",
                       padding=int(f.pick(SAME, VALID)), strideH=s[0], strideW=s[1], filterHeight=k[0], filterWidth=k[1]))


def resize(f):
    bilinear, x = f.pick(0, 1), f.x([1, int(f.r.integers(1, 6)), int(f.r.integers(1, 6)), 2])
    align, half = f.pick((False, False), (True, False), (False, True))
    return f.done(f.op("RESIZE_BILINEAR" if bilinear else "RESIZE_NEAREST_NEIGHBOR", [x, f.ints(f.shape(2, high=9))],
                       "ResizeBilinearOptions" if bilinear else "ResizeNearestNeighborOptions", alignCorners=align,
                       halfPixelCenters=half))


def fully_connected(f):
    keep = bool(f.pick(0, 1))
    x = f.x([2, 3, 4])
    w = f.m.const("w", f.r.standard_normal((5, 4 if keep else int(f.pick(4, 12)))).astype(np.float32))
    return f.done(f.op("FULLY_CONNECTED", [x, w] + ([None] if f.pick(0, 1) else []), "FullyConnectedOptions", keepNumDims=keep))


def batch_matmul(f):
    adj_x, adj_y = bool(f.pick(0, 1)), bool(f.pick(0, 1))
    a, b = [2, 3], [3, 4]
    return f.done(f.op("BATCH_MATMUL", [f.x([f.pick(1, 2), 2] + (a[::-1] if adj_x else a)), f.x([2] + (b[::-1] if adj_y else b))],
                       "BatchMatMulOptions", adjX=adj_x, adjY=adj_y))


def sums(f):
    shape = f.shape(2)
    total, = f.op("ADD_N", [f.x(shape) for _ in range(int(f.r.integers(2, 5)))])
    squared, = f.op("SQUARE", [total])
    zeros, = f.op("ZEROS_LIKE", [squared])
    return f.done(f.op("SUB", [zeros, squared], "SubOptions"))


def between_conversions(f):
    """Floats between integers, with fake quantization in front of them or not: what no QUANTIZE rounds is real."""
    x = f.x([1, 4, 4, 3])
    if f.pick(0, 1):
        x, = f.op("RELU", f.op("FAKE_QUANT", [x], "FakeQuantOptions", min=-1.0, max=1.0, numBits=8))
    q = f.m.tensor("q", "int8", [1, 4, 4, 3], scale=0.02, zero=-5)
    f.m.op("QUANTIZE", [x], [q], "QuantizeOptions")
    x, = f.op("DEQUANTIZE", [q], "DequantizeOptions")
    kind = f.pick("MEAN", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "SOFTMAX", "LOGISTIC", "TANH", "RELU6")
    if kind == "MEAN":
        y = f.op(kind, [x, f.ints([1, 2])], "ReducerOptions", keepDims=True)
    elif kind == "AVERAGE_POOL_2D":
        y = f.op(kind, [x], "Pool2DOptions", padding=VALID, strideH=2, strideW=2, filterHeight=2, filterWidth=2)
    elif kind == "RESIZE_BILINEAR":
        y = f.op(kind, [x, f.ints([7, 8])], "ResizeBilinearOptions", halfPixelCenters=True)
    else:
        y = f.op(kind, [x], "SoftmaxOptions" if kind == "SOFTMAX" else None, **({"beta": 1.0} if kind == "SOFTMAX" else {}))
    scale = f.pick(0.01, list(f.r.uniform(0.001, 0.02, 4)))
    w = f.m.const("w", f.r.integers(-127, 128, (4, 3)).astype(np.int8), scale=scale, axis=0)
    w_real = f.m.tensor("w_real", "float32", [4, 3])
    f.m.op("DEQUANTIZE", [w], [w_real], "DequantizeOptions")
    return f.done(y + f.op("FULLY_CONNECTED", [*y, w_real, None], "FullyConnectedOptions", keepNumDims=True))


FORMS = [strided_slice, strided_slice_axes, slice_open, split, split_v, unpack, pack, concatenation, squeeze, expand_dims, reshape,
         reshape_to_scalar, reshape_computed, reduction, arg_max, top_k, cumsum, transpose, reverse, pad, mirror_pad, tile, broadcast_to, fill,
         range_add, gather, gather_nd, gather_at_run_time, gather_nd_at_run_time, slice_at_run_time, element_at_run_time,
         embedding_at_run_time, update_slice, scatter_nd,
         scatter_nd_at_run_time, one_hot, select, embedding, embedding_hybrid, blocks, blocks_flat, convolution, depthwise, transposed, pool,
         resize, fully_connected, batch_matmul, sums, between_conversions]


def run_ours(program, path, inputs, count, folder):
    command = [program, path, "--interp"]
    for i, x in enumerate(inputs):
        np.save(os.path.join(folder, f"x{i}.npy"), x)
        command += ["-i", os.path.join(folder, f"x{i}.npy")]
    for i in range(count):
        command += ["-o", os.path.join(folder, f"y{i}.npy")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return None, result.stderr.strip()
    return [np.load(os.path.join(folder, f"y{i}.npy")) for i in range(count)], None


def difference(ours, theirs):
    """None, or what differs."""
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"output {i} is {a.dtype}{list(a.shape)}, TFLite's {b.dtype}{list(b.shape)}"
        if a.size and not np.allclose(a, b, rtol=1e-5, atol=1e-5):
            return f"output {i} differs by up to {np.abs(a.astype(float) - b.astype(float)).max():.3g}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("pattern", nargs="?", default="*")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    missing = tflite_writer.available() or tflite_reference.available()
    if missing:
        print(f"skipped: {missing}")
        return 77
    failures = ran = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.tflite")
        for form in (form for form in FORMS if fnmatch.fnmatch(form.__name__, arguments.pattern)):
            for round_number in range(arguments.rounds):
                model = form(Form(arguments.seed * 1000 + round_number))
                model.save(path)
                try:
                    reference = tflite_reference.Reference(path, "opt")
                    inputs = reference.made_inputs(1)
                    theirs = reference.run(inputs)
                except (RuntimeError, ValueError):
                    refused += 1  # TFLite has no such form
                    continue
                ours, error = run_ours(arguments.program, path, inputs, len(theirs), folder)
                error = error or difference(ours, theirs)
                ran += 1
                if error:
                    failures += 1
                    print(f"{form.__name__}, round {round_number}: {error}")
    print(f"{ran} models, {failures} differ, {refused} not run by TFLite")
    return 1 if failures or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
