"""Protects the table of --emit=tflite (exporters/tflite/ops.def), row by row: each op that it has a writer for is written, LiteRT's reference
kernels take the file, and compute what the interpreter does from it and from the graph itself; XNNPACK computes the same, and OpenVINO reads
what it has operators for, where these are installed; each other op is refused with the reason
that stands there, and leaves no file.  A row without a case here is a failure."""
import json
import re
import sys

try:
    import openvino
except ImportError:
    openvino = None

from calib import floats
from common import QCC, QCC_RUN, ROOT, Case, main, run

sys.path.insert(0, str(ROOT / "tests" / "tools"))
import tflite_reference  # noqa: E402

TABLE = (ROOT / "exporters" / "tflite" / "ops.def").read_text(encoding="utf-8")
WRITTEN = dict(re.findall(r"^EXPORT\((\w+), (\w+),", TABLE, re.M))
REFUSED = dict(re.findall(r'^EXPORT_NO\((\w+), "(.*)"\)', TABLE, re.M))

F, I, B, T = "f32<2x3>", "i32<2x3>", "i8<2x3; 0.0078125, 0>", "bool<2x3>"
IMAGE, BYTES = "f32<1x4x4x4>", "i8<1x4x4x4; 0.05, 3>"
TOLERANCE = 1e-5  # of the largest number: functions are approximated, sums added in another order


SEQUENCE = "f32<3x1x{}>"


def kept(value, form, name):
    return f'{value}:{form} = read_variable {{variable = "{name}"}}'


def numbers(count, most=1.0):
    return floats([(((i * 37) % 19) / 9.5 - 1) * most for i in range(count)])


def weights(count):
    return str([(i * 37) % 255 - 127 for i in range(count)])


def unary(*types):
    return [([t], "OP %0", [t]) for t in types]


def binary(result=None, *types):
    return [([t, t], "OP %0, %1", [t if result is None else result]) for t in types]


# Of each op: types of the inputs, the op, types of its results, and constants, of which %9 and below are free.
CASES = {
    "CONV2D": [([IMAGE], "OP %0, %9 {stride = [2, 1], pad = [1, 1, 1, 1]}", ["f32<1x2x4x5>"], f"const %9:f32<5x3x3x4> = {numbers(180)}"),
               ([BYTES], "OP %0, %9, %8 {act = relu}", ["i8<1x4x4x2; 0.9, -10>"],
                f"const %9:i8<2x1x1x4; axis 0: [0.1, 0.2], 0> = {weights(8)}\n  const %8:i32<2> = [100, -20]")],
    "DEPTHWISE_CONV2D": [([IMAGE], "OP %0, %9", ["f32<1x3x3x4>"], f"const %9:f32<1x2x2x4> = {numbers(16)}"),
                         ([BYTES], "OP %0, %9", ["i8<1x3x3x4; 0.9, 1>"],
                          f"const %9:i8<1x2x2x4; axis 3: [0.1, 0.2, 0.05, 0.1], 0> = {weights(16)}")],
    "TRANSPOSE_CONV2D": [([IMAGE], "OP %0, %9 {stride = [2, 2]}", ["f32<1x9x9x2>"], f"const %9:f32<2x3x3x4> = {numbers(72)}")],
    "FULLY_CONNECTED": [([F], "OP %0, %9 {act = relu6}", ["f32<2x4>"], f"const %9:f32<4x3> = {numbers(12)}"),
                        ([B], "OP %0, %9", ["i8<2x4; 0.02, 5>"], f"const %9:i8<4x3; axis 0: [0.1, 0.2, 0.05, 0.1], 0> = {weights(12)}")],
    "BATCH_MATMUL": [(["f32<2x3x4>", "f32<2x4x2>"], "OP %0, %1", ["f32<2x3x2>"]),
                     (["i8<2x3x4; 0.1, 3>", "i8<2x4x2; 0.2, -4>"], "OP %0, %1", ["i8<2x3x2; 0.9, 0>"])],
    "QUANTIZE": [([F], "OP %0", [B])],
    "DEQUANTIZE": [([B], "OP %0", [F])],
    "REQUANTIZE": [([B], "OP %0", ["i8<2x3; 0.01, 5>"])],
    "DYNAMIC_QUANTIZE": [([F], "OP %0 {method = affine_away, outer = 1}", ["u8<2x3>", "f32<2>", "u8<2>"],
                          f"const %9:i8<4x3; axis 0: [0.1, 0.2, 0.05, 0.1], 0> = {weights(12)}",
                          "%20:f32<2x4> = fully_connected %10, %9, none, none, %11, %12")],
    "FAKE_QUANT": [([F], "OP %0 {min = -1, max = 1, bits = 9}", [F])],
    "ABS": unary(F, I, B), "NEG": unary(F, I), "EXP": unary(F), "SIN": unary(F), "COS": unary(F),
    "LOG": [([F], "OP %10", [F], "%10:f32<2x3> = exp %0")], "SQRT": [([F], "OP %10", [F], "%10:f32<2x3> = abs %0")],
    "RSQRT": [([F], "OP %10", [F], "%10:f32<2x3> = exp %0")],
    "TANH": unary(F) + [([B], "OP %0", [B])], "LOGISTIC": unary(F) + [([B], "OP %0", ["i8<2x3; 0.00390625, -128>"])],
    "RELU": [([t], f"OP %0 {{act = {act}}}", [t]) for t in (F, B) for act in ("relu", "relu6")], "LEAKY_RELU": [([t], "OP %0 {alpha = 0.1}", [t]) for t in (F, B)],
    "ELU": unary(F), "GELU": unary(F), "HARD_SWISH": unary(F, B),
    "TABLE": [([B], "OP %0 {entries = " + str([(i * 7) % 256 for i in range(256)]) + "}", [B])],
    "CEIL": unary(F), "FLOOR": unary(F), "ROUND": unary(F), "SIGN": unary(F), "LOGICAL_NOT": unary(T),
    "CAST": [([F], "OP %0", [I]), ([I], "OP %0", [F])],
    "ADD": binary(None, F, I, B), "SUB": binary(None, F, I, B), "MUL": binary(None, F, I, B),
    "DIV": [([F], "OP %0, %9", [F], f"const %9:f32<2x3> = {floats([1, 2, 3, -4, 5, 6])}")],
    "MINIMUM": binary(None, F, I, B), "MAXIMUM": binary(None, F, I, B),
    "POW": [([F], "OP %10, %9", [F], f"const %9:f32<2x3> = {floats([1, 2, 3, -1, 0.5, 0])}\n  %10:f32<2x3> = exp %0")],
    "SQUARED_DIFFERENCE": binary(None, F, I),
    "FLOOR_DIV": [([t], "OP %0, %9", [t], f"const %9:{t} = {c}") for t, c in ((F, floats([1, 2, 3, -4, 5, 6])), (I, [1, 2, 3, -4, 5, 6]))],
    "FLOOR_MOD": [([t], "OP %0, %9", [t], f"const %9:{t} = {c}") for t, c in ((F, floats([1, 2, 3, -4, 5, 6])), (I, [1, 2, 3, -4, 5, 6]))],
    "ATAN2": binary(None, F), "PRELU": [([F], "OP %0, %9", [F], f"const %9:f32<3> = {numbers(3)}")],
    **{code: binary(T, F, I) for code in ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")},
    "BITWISE_XOR": binary(None, I), "LOGICAL_AND": binary(None, T), "LOGICAL_OR": binary(None, T),
    "SELECT": [([T, t, t], "OP %0, %1, %2", [t]) for t in (F, I, B)],
    "MAX_POOL2D": [([t], "OP %0 {kernel = [2, 2], stride = [2, 2]}", [t.replace("4x4x4", "2x2x4")]) for t in (IMAGE, BYTES)],
    "AVG_POOL2D": [([t], "OP %0 {kernel = [2, 2], stride = [2, 2]}", [t.replace("4x4x4", "2x2x4")]) for t in (IMAGE, BYTES)],
    **{code: [([F], "OP %0 {axes = [1]}", ["f32<2>"])] for code in ("SUM", "REDUCE_PROD")},
    **{code: [([t], "OP %0 {axes = [1]}", [t.replace("2x3", "2")]) for t in (F, B)] for code in ("MEAN", "REDUCE_MAX", "REDUCE_MIN")},
    **{code: [([T], "OP %0 {axes = [1]}", ["bool<2>"])] for code in ("REDUCE_ANY", "REDUCE_ALL")},
    **{code: [([t], "OP %0 {axis = 1}", ["i32<2>"]) for t in (F, B)] for code in ("ARG_MAX", "ARG_MIN")},
    "TOP_K": [([t], "OP %0 {k = 2}", [t.replace("2x3", "2x2"), "i32<2x2>"]) for t in (F, I)],
    "CUMSUM": [([t], "OP %0 {axis = 1}", [t]) for t in (F, I)],
    "SOFTMAX": [([F], "OP %0 {beta = 0.5}", [F]), ([B], "OP %0", ["i8<2x3; 0.00390625, -128>"])],
    "LOG_SOFTMAX": [([F], "OP %0", [F]), ([B], "OP %0", ["i8<2x3; 0.0625, 127>"])],
    "LAYER_NORM": [([F], "OP %0, %9, %9 {epsilon = 0.001}", [F], f"const %9:f32<3> = {numbers(3)}")],
    "L2_NORMALIZE": [([t], "OP %0 {epsilon = 0.000001}", [t]) for t in (F, B)],
    "RESHAPE": [([t], "OP %0", [t.replace("2x3", "3x2")]) for t in (F, I, B, T)],
    "TRANSPOSE": [([t], "OP %0 {perm = [1, 0]}", [t.replace("2x3", "3x2")]) for t in (F, I, B, T)],
    "CONCAT": [([t, t], "OP %0, %1 {axis = 0}", [t.replace("2x3", "4x3")]) for t in (F, I, B)],
    "SLICE": [([t], "OP %0 {begin = [0, 1], step = [1, 1]}", [t.replace("2x3", "1x2")]) for t in (F, I, B, T)],
    "PAD": [([t], "OP %0 {before = [1, 0], after = [0, 2], value = 2}", [t.replace("2x3", "3x5")]) for t in (F, I)] +
           [([B], "OP %0 {before = [1, 0], after = [0, 2]}", [B.replace("2x3", "3x5")])],
    "MIRROR_PAD": [([t], "OP %0 {before = [1, 0], after = [0, 2], mirror = reflect}", [t.replace("2x3", "3x5")]) for t in (F, I, B)],
    "BROADCAST": [(["f32<1x3>"], "OP %0", [F]), (["i8<1x3; 0.0078125, 0>"], "OP %0", [B])],
    "TILE": [([t], "OP %0", [t.replace("2x3", "4x3")]) for t in (F, I, B)],
    "REVERSE": [([t], "OP %0 {axes = [1]}", [t]) for t in (F, I, B)],
    "GATHER": [([t], "OP %0, %9 {axis = 1}", [t.replace("2x3", "2x2")], "const %9:i32<2> = [2, 0]") for t in (F, I, B)],
    "GATHER_ND": [([t], "OP %0, %9", [t.replace("2x3", "2")], "const %9:i32<2x2> = [1, 2, 0, 0]") for t in (F, I, B)],
    "SCATTER_ND": [([F], "OP %9, %0", ["f32<4x3>"], "const %9:i32<2x1> = [3, 1]")],
    "ONE_HOT": [([I], "OP %0, %9, %8 {axis = 2}", ["f32<2x3x4>"], "const %9:f32<> = [2]\n  const %8:f32<> = [-1]")],
    "DYNAMIC_UPDATE_SLICE": [([F, "f32<1x2>"], "OP %0, %1, %9", [F], "const %9:i32<2> = [1, 1]")],
    **{code: [([t], "OP %0 {block = [2, 2]}", [t.replace("4x4x4", shape)]) for t in (IMAGE, BYTES)]
       for code, shape in (("DEPTH_TO_SPACE", "8x8x1"), ("SPACE_TO_DEPTH", "2x2x16"))},
    "SPACE_TO_BATCH": [([t], "OP %0 {block = [2, 2]}", [t.replace("1x4x4x4", "4x2x2x4")]) for t in (IMAGE, BYTES)],
    "BATCH_TO_SPACE": [([t.replace("1x4x4x4", "4x2x2x4")], "OP %0 {block = [2, 2]}", [t]) for t in (IMAGE, BYTES)],
    **{code: [([t], "OP %0 {half_pixel = 1}", [t.replace("4x4x4", "8x8x4")]) for t in (IMAGE, BYTES)]
       for code in ("RESIZE_NEAREST", "RESIZE_BILINEAR")},
    # States that are given, last states that are wanted, the product of another op's; a layer whose states are variables.
    "LSTM": [([SEQUENCE.format(8), "f32<1x2>", "f32<1x2>"], f"OP %0, %9, %1, %2 {{reversed = {turned}}}",
              [SEQUENCE.format(2), "f32<1x2>", "f32<1x2>"], f"const %9:f32<8x2> = {numbers(16)}") for turned in (0, 1)] +
            [([SEQUENCE.format(4)], "OP %7, %9, %6, %5 {cell_clip = 0.2}", [SEQUENCE.format(2), "f32<1x2>", "f32<1x2>"],
              f"const %9:f32<8x2> = {numbers(16)}\n  {kept('%6', 'f32<1x2>', 'h')}\n  {kept('%5', 'f32<1x2>', 'c')}\n  "
              f"const %4:f32<8x4> = {numbers(32)}\n  const %8:f32<8> = {numbers(8)}\n  %7:f32<3x1x8> = fully_connected %0, %4, %8",
              'write_variable %11 {variable = "h"}\n  write_variable %12 {variable = "c"}\n  %20:f32<3x1x2> = abs %10')],
    "RNN": [([SEQUENCE.format(2), "f32<1x2>"], f"OP %0, %9, %1 {{rectified = {rectified}}}", [SEQUENCE.format(2), "f32<1x2>"],
             f"const %9:f32<2x2> = {numbers(4)}") for rectified in (0, 1)] +
           [(["f32<2x3x4>"], "OP %7, %9, %6 {time_axis = 1, reversed = 1}", ["f32<2x3x2>", "f32<2x2>"],
             f"const %9:f32<2x2> = {numbers(4)}\n  {kept('%6', 'f32<2x2>', 'h')}\n  const %4:f32<2x4> = {numbers(8)}\n  "
             "%7:f32<2x3x2> = fully_connected %0, %4", 'write_variable %11 {variable = "h"}\n  %20:f32<2x3x2> = abs %10')],
    "LSTM_QUANT": [(["i8<1x3x2; 0.5, 3>"], "OP %0, %9, %8, %7, %6, %5 {time_axis = 1}",
                    ["i8<1x3x1; 0.0078125, 0>", "i8<1x1; 0.0078125, 0>", "i16<1x1; 0.00024414062, 0>"],
                    "const %9:i8<4x2; 0.5, 0> = [1, -2, 3, 4, -1, 2, -3, -4]\n  const %8:i8<4x1; 0.5, 0> = [2, -2, 3, 1]\n"
                    f"  const %7:i32<4> = [4, 8, -4, -8]\n  {kept('%6', 'i8<1x1; 0.0078125, 0>', 'h')}\n"
                    f"  {kept('%5', 'i16<1x1; 0.00024414062, 0>', 'c')}",
                    'write_variable %11 {variable = "h"}\n  write_variable %12 {variable = "c"}\n'
                    '  %20:i8<1x3x1; 0.0078125, 0> = reshape %10')],
    "READ_VARIABLE": [([F], 'OP {variable = "v"}', [F], "", f'%20:{F} = add %10, %0\n  write_variable %20 {{variable = "v"}}')],
    "WRITE_VARIABLE": [([F], 'OP %0 {variable = "v"}', [], "", f"{kept('%21', F, 'v')}\n  %20:{F} = add %21, %0")],
}
# Results that end before their type does: MAXIMUM and MINIMUM stand behind the operator.
ENDING = {
    "QUANTIZE": ([F], "OP %0", ["i8<2x3; 0.125, 0, -8 to 7>"]), "REQUANTIZE": ([B], "OP %0", ["i8<2x3; 0.01, -125, -128 to -98>"]),
    "ADD": ([B, B], "OP %0, %1 {act = relu}", ["i8<2x3; 0.0625, 0, -7 to 7>"]),
    "CONV2D": ([BYTES], "OP %0, %9", ["i8<1x4x4x2; 3, -1, -2 to 1>"], f"const %9:i8<2x1x1x4; axis 0: [0.1, 0.2], 0> = {weights(8)}"),
    "SOFTMAX": ([B], "OP %0", ["i8<2x3; 0.0625, -128, -128 to -113>"]),
}
BOXES = (["f32<1x8x4>", "f32<1x2x8>"], ["f32<4x6>", "i32<4x1>", "i32<1>"])
REFUSALS = {
    "CONV2D_WEIGHTS_GRADIENT": (["f32<1x4x4x2>", "f32<1x2x2x3>"], "OP %0, %1", ["f32<3x3x2x3>"]),
    "DEPTHWISE_WEIGHTS_GRADIENT": (["f32<1x4x4x2>", "f32<1x2x2x2>"], "OP %0, %1", ["f32<1x3x3x2>"]),
    "ROUND_TO_GRID": (["f32<2x3>", "f32<1>", "f32<1>", "f32<1>"], "OP %0, %1, %2, %3", ["f32<2x3>"]),
    "GRID_GRADIENT": (["f32<2x3>", "f32<2x3>", "f32<1>", "f32<1>", "f32<1>"], "OP %0, %1, %2, %3, %4", ["f32<>"] * 3),
    "CLAMP_GRADIENT": (["f32<2x3>", "f32<2x3>", "f32<1>", "f32<1>"], "OP %0, %1, %2, %3", ["f32<2x3>"]),
    "MAX_POOL2D_GRADIENT": (["f32<1x4x4x2>", "f32<1x2x2x2>"], "OP %0, %1 {kernel = [2, 2], stride = [2, 2]}", ["f32<1x4x4x2>"]),
    "ERF": ([F], "OP %0", [F]), "ROUND_TO_GRID": ([F, "f32<1>", "f32<1>", "f32<1>"], "OP %0, %1, %2, %3", [F]),
    **{code: ([I, I], "OP %0, %1", [I]) for code in ("BITWISE_AND", "BITWISE_OR", "SHIFT_LEFT", "SHIFT_RIGHT")},
    "GRU": ([SEQUENCE.format(6), "f32<1x2>"], "OP %0, %9, %1", [SEQUENCE.format(2), "f32<1x2>"], f"const %9:f32<6x2> = {numbers(12)}"),
    "DETECTION_POSTPROCESS": (["f32<1x8x4>", "f32<1x8x3>", "f32<8x4>"], "OP %0, %1, %2 {max_detections = 5, max_classes = 1, per_class = 100, "
                              "num_classes = 2, regular_nms = 0, score_threshold = 0.1, iou_threshold = 0.5, scales = [10, 10, 5, 5]}",
                              ["f32<1x5x4>", "f32<1x5>", "f32<1x5>", "f32<1>"]),
    "CLASS_NMS": (BOXES[0], "OP %0, %1 {max_detections = 4, background = 0, candidates = 8, score_threshold = 0, iou_threshold = 0.5}", BOXES[1]),
    "MATRIX_NMS": (BOXES[0], "OP %0, %1 {max_detections = 4, background = 0, candidates = 8, score_threshold = 0, post_threshold = 0.1}", BOXES[1]),
}
OTHERWISE = {"DYNAMIC_QUANTIZE": {"FULLY_CONNECTED"}, "PAD": {"PAD", "PADV2"}, "RELU": {"RELU", "RELU6"}}  # than by the operator of the table
# What OpenVINO has no operator for.
NOT_OPENVINO = ("FAKE_QUANT", "ATAN2", "BITWISE_XOR", "DYNAMIC_UPDATE_SLICE", "LSTM", "RNN", "LSTM_QUANT", "READ_VARIABLE", "WRITE_VARIABLE")
UNSEEN = ("OBSERVE", "BATCH_NORM")  # passes that always run take these out of the graph


def graph(code, case):
    """One op in a graph; its results are outputs, or what reads them is."""
    inputs, op, results, constants, behind = [*case, "", ""][:5]
    lines = [f'input %{i}:{t} "x{i}"' for i, t in enumerate(inputs)] + [constants] * bool(constants)
    names = [f"%{10 + i}" if behind else f"%{30 + i}" for i in range(len(results))]
    lines.append(", ".join(f"{n}:{t}" for n, t in zip(names, results)) + " = " * bool(results) + op.replace("OP", code.lower(), 1))
    if behind:
        lines.append(behind)
        names = ["%20"]
    lines += [f'output {n} "y{i}"' for i, n in enumerate(names)]
    return 'graph "one" {\n  ' + "\n  ".join(lines) + "\n}\n"


class ExportedOps(Case):
    core = openvino.Core() if openvino else None

    def setUp(self):
        super().setUp()
        self.model, self.file = self.folder / "one.qir", self.folder / "one.tflite"

    def test_each_has_a_case(self):
        self.assertEqual(sorted(CASES), sorted(WRITTEN))

    def test_refused(self):
        self.assertEqual(sorted([*REFUSALS, *UNSEEN]), sorted(REFUSED))
        for code, case in REFUSALS.items():
            with self.subTest(code):
                self.model.write_text(graph(code, case), encoding="utf-8")
                status, out, err = run(QCC, self.model, "--emit=tflite", "-O0", "-o", self.file)
                self.assertEqual((status, out), (1, b""), err)
                self.assertIn(f"error: {code.lower()} can't be written as TFLite: {REFUSED[code]}", err)
                self.assertFalse(self.file.exists())

    def test_written(self):
        for code, cases in CASES.items():
            for case in cases:
                with self.subTest(code, types=case[0]):
                    self.check(code, case)

    def test_functions_of_a_byte(self):
        """A table of every byte, in OpenVINO as well, which casts what integers stand for; a grid whose steps are no usual reals, in LiteRT."""
        if tflite_reference.available():
            self.skipTest(tflite_reference.available())
        np = tflite_reference.np
        entries = [(i * 7 + 3) % 256 for i in range(256)]
        for dtype, grid in (("i8", "0.05, 3"), ("u8", "0.05, 131"), ("i8", "0.0073, -128"), ("u8", "1e-30, 0"), ("i8", "1e-35, 127")):
            bytes_of = np.uint8 if dtype == "u8" else np.int8
            with self.subTest(dtype, grid=grid):
                case = ([f"{dtype}<1x256; {grid}>"], f"OP %0 {{entries = {entries}}}", [f"{dtype}<1x256; 0.02, 5>"])
                self.model.write_text(graph("TABLE", case), encoding="utf-8")
                self.fine(QCC, self.model, "--emit=tflite", "-O0", "-o", self.file)
                x = np.arange(256, dtype=np.uint8).view(bytes_of).reshape(1, 256)
                expected = np.array(entries, np.uint8).view(bytes_of).tolist()
                for kernels in ("ref", "opt", "xnnpack"):
                    y = tflite_reference.Reference(self.file.read_bytes(), kernels).run([x])[0]
                    self.assertEqual(y.reshape(-1).tolist(), expected, kernels)
                if openvino and grid != "1e-35, 127":
                    y = self.core.compile_model(self.core.read_model(self.file), "CPU")([x])[0]
                    self.assertEqual(y.reshape(-1).tolist(), expected, "OpenVINO")

    def test_ends(self):
        for code, case in ENDING.items():
            with self.subTest(code):
                self.check(code, case)

    def check(self, code, case):
        self.model.write_text(graph(code, case), encoding="utf-8")
        self.fine(QCC, self.model, "--emit=tflite", "-O0", "-o", self.file)
        if tflite_reference.available():
            return
        reference = tflite_reference.of_any_kernels(self.file.read_bytes())
        arrays = reference.made_inputs()
        inputs = [self.folder / f"in{k}.npy" for k in range(len(arrays))]
        for where, array in zip(inputs, arrays):
            tflite_reference.np.save(where, array)
        theirs = reference.run(arrays)
        operators = {details["op_name"] for details in reference.it._get_ops_details()}  # pylint: disable=protected-access
        self.assertTrue(operators & OTHERWISE.get(code, {WRITTEN[code]}), operators)
        self.loads_elsewhere(code, arrays, theirs)
        for model in (self.model, self.file):
            for a, b in zip(self.interpreted(model, len(theirs), inputs), theirs):
                if b.dtype.kind == "f":
                    self.assertLessEqual(abs(a.reshape(-1) - b.reshape(-1)).max(), TOLERANCE * (1 + abs(b).max()), model)
                else:
                    self.assertEqual(a.reshape(-1).tolist(), b.reshape(-1).tolist(), model)

    def loads_elsewhere(self, code, arrays, theirs):
        """XNNPACK rounds once where the reference kernels do it twice."""
        for a, b in zip(tflite_reference.Reference(self.file.read_bytes(), "xnnpack").run(arrays), theirs):
            self.assertLessEqual(abs(a.astype(float) - b).max(), 1e-4 * (1 + abs(b).max()) if b.dtype.kind == "f" else 1)
        if openvino and code not in NOT_OPENVINO:
            self.core.read_model(self.file)

    def interpreted(self, model, count, inputs):
        paths = [self.folder / f"out{k}.npy" for k in range(count)]
        self.fine(QCC_RUN, model, "--interp", "--rounding=tflite", *[a for p in inputs for a in ("-i", p)], *[a for p in paths for a in ("-o", p)])
        return [tflite_reference.np.load(path) for path in paths]


if __name__ == "__main__":
    main()
