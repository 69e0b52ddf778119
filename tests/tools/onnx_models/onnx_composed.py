"""onnx_composed.py: small ONNX models of operators that the importer writes out as several ops."""

import numpy as np
from onnx import TensorProto

from onnx_graph import Graph


def element_indices(seed=31):
    """Indices that are known and that are not, from both ends, of fewer rows than what they index; scatters that meet a place twice."""
    g = Graph(seed)
    x, given = g.input("x", [3, 4, 5]), g.input("given", [2, 4, 3], TensorProto.INT64)
    at = g.op("Sub", g.op("Mod", given, g.ints(10)), g.ints(5))
    g.output(g.op("GatherElements", x, at, axis=2))
    middle = g.op("Max", g.op("Min", at, g.ints(3)), g.ints(-4))
    g.output(g.op("GatherElements", x, middle, axis=1))
    g.output(g.op("GatherElements", x, g.constant(np.array([[[-1, 0], [1, -3]]])), axis=0))
    updates = g.op("GatherElements", x, at, axis=-1)
    for reduction in ("add", "mul", "min", "max"):
        g.output(g.op("ScatterElements", x, middle, updates, axis=1, reduction=reduction))
    g.output(g.op("ScatterElements", x, g.constant(np.array([[[4, -4, 2]], [[0, 1, 3]]])), g.normal(2, 1, 3), axis=2))
    pairs = g.op("Slice", middle, g.ints(0), g.ints(2), g.ints(2))
    pairs = g.op("Max", g.op("Min", pairs, g.ints(2)), g.ints(-3))
    for reduction in ("add", "mul", "min", "max"):
        g.output(g.op("ScatterND", x, pairs, g.normal(2, 4, 5), reduction=reduction))
    g.output(g.op("ScatterND", x, g.constant(np.array([[-1, 2], [0, 3]])), g.normal(2, 5)))
    g.output(g.op("OneHot", at, g.constant(np.int64(4)), g.constant(np.array([-1, 2], np.float32)), axis=1))
    g.output(g.op("Hardmax", x, axis=1))
    for upper, k in ((0, 1), (1, -1), (1, 0)):
        g.output(g.op("Trilu", x, g.constant(np.int64(k)), upper=upper))
    g.output(g.op("Trilu", x, g.op("Gather", g.op("Reshape", at, g.ints(-1)), g.constant(np.int64(1)))))
    return g.model()


def bits(seed=35):
    g = Graph(seed, 21)
    i, j, b = g.input("i", [3, 4, 5], TensorProto.INT64), g.input("j", [4, 5], TensorProto.INT64), g.input("b", [3, 7], TensorProto.UINT8)
    for code in ("And", "Or", "Xor"):
        g.output(g.op("Bitwise" + code, i, j))
        g.output(g.op("Bitwise" + code, b, g.constant(np.array([0, 1, 255, 170, 85, 7, 128], np.uint8))))
    for x in (i, b, g.op("Cast", j, to=TensorProto.INT16)):
        g.output(g.op("BitwiseNot", x))
    for direction in ("LEFT", "RIGHT"):
        g.output(g.op("BitShift", b, g.constant(np.array([0, 1, 2, 4, 6, 7, 5], np.uint8)), direction=direction))
    return g.model()


def suppression(seed=36):
    """Boxes that are left over have -1: what ONNX Runtime finds gets such rows behind it, and is cut where ours ends."""
    g = Graph(seed, 13)
    corners, scores = g.input("corners", [2, 12, 4]), g.input("scores", [2, 3, 12])
    middles = g.op("Concat", g.op("Slice", corners, g.ints(0), g.ints(2), g.ints(2)),
                   g.op("Exp", g.op("Slice", corners, g.ints(2), g.ints(4), g.ints(2))), axis=2)
    empty = g.op("Mul", corners, g.constant(np.array([1, 0, 0, 0] * 6 + [1, 1, 1, 1] * 6, np.float32).reshape(12, 4)))
    for boxes, most, parameters, form in ((corners, 3, [0.3, 0.1], 0), (middles, 5, [0.2], 1), (corners, 40, [0, -0.5], 0), (middles, 12, [], 1),
                                          (empty, 12, [0.5, -9], 0)):
        found = g.op("NonMaxSuppression", boxes, scores, g.constant(np.array([most])),
                     *(g.constant(np.array([p], np.float32)) for p in parameters), center_point_box=form)
        rows = 6 * min(most, 12)
        padded = g.op("Concat", found, g.constant(np.full((rows, 3), -1)), axis=0)
        g.output(g.op("Slice", padded, g.ints(0), g.ints(rows), g.ints(0)))
    return g.model()


def running(seed=32):
    """Sums along a dimension from either end, with an element's own place or without; the last of the largest; remainders."""
    g = Graph(seed)
    x, i = g.input("x", [3, 4, 5]), g.input("i", [3, 4], TensorProto.INT32)
    for exclusive in (0, 1):
        for reverse in (0, 1):
            g.output(g.op("CumSum", x, g.constant(np.int64(1)), exclusive=exclusive, reverse=reverse))
    g.output(g.op("CumSum", i, g.constant(np.int64(-1)), exclusive=1))
    rounded = g.op("Round", x)
    g.output(g.op("ArgMax", rounded, axis=1, select_last_index=1))
    g.output(g.op("ArgMin", rounded, axis=2, keepdims=0, select_last_index=1))
    g.output(g.op("Mod", g.op("Mul", x, g.real(8)), g.real(1.5), fmod=1))
    for fmod in (0, 1):
        g.output(g.op("Mod", i, g.constant(np.array([3, -4, 7, -1], np.int32)), fmod=fmod))
    return g.model()


def attend(seed=33):
    """ONNX's Attention: heads that share keys, a past, masks of both kinds that hide whole rows, a cap, scores as a result."""
    g = Graph(seed, 23)
    q, kv, past = g.input("q", [2, 3, 16]), g.input("kv", [2, 3, 8]), g.input("past", [2, 2, 2, 4])
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    g.output(g.op("Attention", q, kv, kv, **heads, scale=0.7))
    for y in g.op("Attention", q, kv, kv, "", past, past, outputs=3, is_causal=1, **heads):
        g.output(y)
    hidden = np.random.default_rng(seed).random((1, 4, 3, 3)) < 0.6
    hidden[0, 1, 2] = False
    g.output(g.op("Attention", q, kv, kv, g.constant(hidden), softcap=2.0, **heads))
    four = g.op("Transpose", g.op("Reshape", q, g.ints(2, 3, 2, 8)), perm=[0, 2, 1, 3])
    for y in g.op("Attention", four, four, four, g.input("added", [1, 2, 3, 3]), outputs=4, qk_matmul_output_mode=2)[::3]:
        g.output(y)
    return g.model()


def einsum(seed=34):
    """Products of two operands and of three, sums and permutations of one, dimensions without a name."""
    g = Graph(seed)
    a, b, v = g.input("a", [2, 3, 4, 5]), g.input("b", [2, 6, 4, 5]), g.input("v", [5])
    for equation, *operands in (("bihd,bjhd->bhij", a, b), ("bihd, bjhd", a, b), ("...d,d->...", a, v), ("bihd->bdi", a),
                                ("bihd,d,bjhd->jbi", a, v, b), ("b...d,...d->b...", a, g.normal(1, 4, 5)), ("ab,cb", g.normal(3, 5), g.normal(2, 5)),
                                ("i,j->ij", v, v), ("...ij->...ji", a), ("bihd,bjhd->i", a, b)):
        g.output(g.op("Einsum", *operands, equation=equation))
    return g.model()


def rotary(seed=35):
    """Pairs side by side and from two halves, of whole heads and of a part, by places and by tables of each place."""
    g = Graph(seed, 23)
    x, four = g.input("x", [2, 3, 16]), g.input("four", [2, 2, 3, 8])
    places = g.constant(np.array([[0, 4, 2], [1, 3, 5]]))
    table = [g.normal(6, 4, deviation=1) for _ in range(2)]
    g.output(g.op("RotaryEmbedding", x, *table, places, num_heads=2))
    g.output(g.op("RotaryEmbedding", four, *table, places, interleaved=1))
    g.output(g.op("RotaryEmbedding", four, *[g.normal(6, 2, deviation=1) for _ in range(2)], places, rotary_embedding_dim=4, num_heads=2))
    g.output(g.op("RotaryEmbedding", four, *[g.normal(2, 3, 4, deviation=1) for _ in range(2)]))
    g.output(g.op("RotaryEmbedding", x, places, *table, domain="com.microsoft", interleaved=1))
    return g.model()


def functions(seed=36):
    """Functions of one value, and normalisations."""
    g = Graph(seed, 22)
    x = g.input("x", [2, 6, 4, 5])
    for kind in ("Tan", "Atan", "Shrink", "IsNaN"):
        g.output(g.op(kind, x))
    small = g.op("Clip", x, g.real(-1), g.real(1))
    g.output(g.op("Asin", small))
    g.output(g.op("Acos", small))
    for kind in ("Sinh", "Cosh", "Asinh"):
        for scale in (1e-4, 1, 30, 3e10):
            if kind == "Asinh" or scale < 1e9:
                g.output(g.op(kind, g.op("Mul", x, g.real(scale))))
    for scale in (1e-4, 1):
        g.output(g.op("Atanh", g.op("Mul", x, g.real(scale))))
        g.output(g.op("Acosh", g.op("Add", g.op("Mul", x, g.real(scale)), g.real(1 + scale))))
    infinite = g.op("Div", x, g.op("Relu", x))
    g.output(g.op("IsInf", infinite))
    g.output(g.op("IsInf", infinite, detect_negative=0))
    g.output(g.op("CastLike", x, g.constant(np.int32(0))))
    for p in (1, 2):
        g.output(g.op("LpNormalization", g.op("Relu", g.op("Sub", x, g.real(0.5))), axis=3, p=p))
    g.output(g.op("LRN", x, size=3, alpha=0.3, beta=0.6))
    g.output(g.op("LRN", x, size=5))
    g.output(g.op("MeanVarianceNormalization", x))
    g.output(g.op("GroupNormalization", x, g.normal(6), g.normal(6), num_groups=3))
    return g.model()


def pads(seed=38):
    """Pads that copy, mirror more than once, take away."""
    g = Graph(seed, 21)
    x = g.input("x", [2, 3, 5, 4])
    for mode in ("edge", "wrap", "reflect", "constant"):
        g.output(g.op("Pad", x, g.ints(0, 1, 2, 3, 1, 0, 4, 1), mode=mode) if mode != "reflect" else
                 g.op("Pad", x, g.ints(0, 1, 2, 3, 0, 0, 4, 1), mode=mode))
        g.output(g.op("Pad", x, g.ints(0, -1, -2, 1, 0, 0, 1, -1), mode=mode))
    g.output(g.op("Pad", g.op("Relu", g.op("MaxPool", x, kernel_shape=[2, 2])), g.ints(1, 1, 2, 3), "", g.ints(2, -1), mode="edge"))
    return g.model()


def pools(seed=37):
    """Pools over three dimensions, with taps apart, with windows that reach past the padding; and of norms."""
    g = Graph(seed, 21)
    x, volume = g.input("x", [1, 3, 7, 8]), g.input("volume", [1, 2, 5, 6, 7])
    g.output(g.op("MaxPool", x, kernel_shape=[2, 3], dilations=[2, 1], pads=[1, 1, 0, 1], strides=[1, 2]))
    g.output(g.op("MaxPool", volume, kernel_shape=[2, 3, 3], strides=[2, 2, 1], ceil_mode=1))
    for counted in (0, 1):
        g.output(g.op("AveragePool", x, kernel_shape=[3, 2], dilations=[2, 2], pads=[1, 1, 2, 1], count_include_pad=counted))
        g.output(g.op("AveragePool", volume, kernel_shape=[3, 2, 3], pads=[1, 0, 1, 1, 1, 0], strides=[2, 1, 2], count_include_pad=counted))
    g.output(g.op("LpPool", x, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], p=2))
    g.output(g.op("LpPool", x, kernel_shape=[2, 2], auto_pad="SAME_UPPER", p=1))
    g.output(g.op("LpPool", x, kernel_shape=[2, 2], dilations=[1, 2], p=3))
    g.output(g.op("GlobalLpPool", x, p=2))
    return g.model()


def one_node(kind, shape, *operands, **attributes):
    g = Graph(1, 26)
    g.output(g.op(kind, g.input("x", shape), *[g.constant(o) for o in operands], **attributes))
    return g.untyped()


MODELS = {"element_indices_float": element_indices, "running_float": running, "attend_float": attend, "einsum_float": einsum,
          "rotary_float": rotary, "functions_float": functions, "windows_float": pools, "pads_float": pads,
          "bits": bits, "suppression_float": suppression}

REFUSED = {
    "ort_gather_elements_outside": lambda: one_node("GatherElements", [2, 3], np.array([[0, 1], [2, 0]]), axis=0),
    "ort_gather_elements_larger": lambda: one_node("GatherElements", [2, 3], np.zeros((2, 4), np.int64), axis=0),
    "ort_scatter_outside": lambda: one_node("ScatterND", [2, 3], np.array([[2]]), np.ones((1, 3), np.float32)),
    "ort_einsum_diagonal": lambda: one_node("Einsum", [3, 3], equation="ii->i"),
    "ort_einsum_extents": lambda: one_node("Einsum", [2, 3], np.ones((4, 5), np.float32), equation="ab,bc->ac"),
    "ort_einsum_syntax": lambda: one_node("Einsum", [2, 3], equation="a,b->ab"),
    "ort_attention_heads": lambda: one_node("Attention", [1, 3, 8], *[np.ones((1, 3, 6), np.float32)] * 2, q_num_heads=2, kv_num_heads=3),
    "ort_rotary_tables": lambda: one_node("RotaryEmbedding", [1, 3, 8], *[np.ones((1, 3, 3), np.float32)] * 2, num_heads=1),
    "ort_pool_taps": lambda: one_node("LpPool", [1, 1, 99, 99], kernel_shape=[65, 2]),
    "ort_suppression_none": lambda: one_node("NonMaxSuppression", [1, 3, 4], np.ones((1, 2, 3), np.float32), np.array([0])),
    "ort_suppression_extents": lambda: one_node("NonMaxSuppression", [1, 3, 4], np.ones((1, 2, 4), np.float32), np.array([2])),
    "ort_suppression_overlap": lambda: one_node("NonMaxSuppression", [1, 3, 4], np.ones((1, 2, 3), np.float32), np.array([2]), np.float32([1.5])),
    "ort_cumsum_axis": lambda: one_node("CumProd", [2, 3], np.array(2)),
}
