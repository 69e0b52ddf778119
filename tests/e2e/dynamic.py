"""Protects --quantize=dynamic: products by constant weights have int8 weights and operands quantized at run time, without samples; how far
that is from the real numbers, and that it is no further than what ONNX Runtime's quantize_dynamic makes of the same graph, recurrent layers
among them; what stays real, and why; which options go with it."""
import importlib.util
import json
import math
import random
import sys

from calib import floats
from common import QCC, QCC_EVAL, QCC_RUN, ROOT, Case, main, npy, read_npy, run

sys.path.insert(0, str(ROOT / "tests" / "tools"))
import tflite_reference  # noqa: E402

ROWS, WIDTH, HIDDEN, CLASSES = 6, 64, 72, 48
ASKED = "--quantized-ops=fc,matmul,lstm,gru,rnn"  # whether that pays or not


def draw(seed, count, scale=0.3):
    r = random.Random(seed)
    return [r.gauss(0, scale) * (1 + i * 5 % 7) for i in range(count)]


def layers():
    """A convolution, two fully connected layers, and a recurrent one with its products in front of it."""
    return f"""graph "layers" {{
  input %0:f32<1x{ROWS}x1x{WIDTH}> "x"
  const %1:f32<{WIDTH}x1x1x{WIDTH}> = {floats(draw(1, WIDTH * WIDTH, 0.05))}
  %2:f32<1x{ROWS}x1x{WIDTH}> "convolution" = conv2d %0, %1 {{act = relu}}
  %3:f32<1x{ROWS}x{WIDTH}> = reshape %2
  const %4:f32<{HIDDEN}x{WIDTH}> = {floats(draw(2, WIDTH * HIDDEN, 0.02))}
  const %5:f32<{HIDDEN}> = {floats(draw(3, HIDDEN, 0.1))}
  %6:f32<1x{ROWS}x{HIDDEN}> "products" = fully_connected %3, %4, %5
  const %7:f32<{HIDDEN}x{HIDDEN}> = {floats(draw(4, HIDDEN * HIDDEN, 0.02))}
  const %8:f32<1x{HIDDEN}> = splat 0
  %9:f32<1x{ROWS}x{HIDDEN}> "states", %10:f32<1x{HIDDEN}> = rnn %6, %7, %8 {{time_axis = 1}}
  const %11:f32<{CLASSES}x{HIDDEN}> = {floats(draw(5, HIDDEN * CLASSES))}
  %12:f32<1x{ROWS}x{CLASSES}> "scores" = fully_connected %9, %11
  output %12 "y"
}}
"""


def sqnr(real, other):
    noise = sum((a - b) ** 2 for a, b in zip(real, other))
    return 10 * math.log10(sum(a * a for a in real) / noise) if noise else math.inf


class Dynamic(Case):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "layers.qir"
        self.model.write_text(layers(), encoding="utf-8")
        self.x = self.folder / "x.npy"
        self.x.write_bytes(npy("<f4", (1, ROWS, 1, WIDTH), draw(6, ROWS * WIDTH, 1)))

    def output(self, *options, model=None, x=None):
        out = self.folder / "y.npy"
        self.fine(QCC_RUN, model or self.model, "-i", x or self.x, "-o", out, *options)
        return read_npy(out)[0]

    def text(self, *options):
        return self.fine(QCC, self.model, "--emit=ir", "-o", "-", *options).decode()

    def test_close_to_real(self):
        real = self.output()
        self.assertGreater(sqnr(real, self.output("--quantize=dynamic")), 30)
        self.assertGreater(sqnr(real, self.output("--quantize=dynamic", "--quantized-ops=conv2d,fc,rnn")), 30)

    def test_compiled_is_interpreted(self):
        for options in ((), ("--quantized-ops=conv2d",), ("--weight-scales=tensor", "--weight-algo=mse")):
            compiled, interpreted = (self.output("--quantize=dynamic", *options, *how) for how in ((), ("--interp",)))
            # float sums of the layers that stay real are added in another order, which may move a value to the next integer
            self.assertGreater(sqnr(interpreted, compiled), 50, options)

    def test_report(self):
        report = self.folder / "r.json"
        self.fine(QCC, self.model, "-o", self.folder / "m.o", "--quantize=dynamic", "--keep-float=scores", f"--report={report}")
        ops = [(op["op"], op["arithmetic"], op["why"]) for op in json.loads(report.read_text())["ops"]]
        self.assertIn(("fully_connected", "int8", "int8, quantized at run time"), ops)
        self.assertIn(("fully_connected", "float", "kept in float by --keep-float"), ops)
        self.assertTrue(any(op == "conv2d" and "--quantized-ops asks for it" in why for op, _, why in ops))
        self.assertIn(("rnn", "int8", "int8, the state quantized at run time"), ops)

    def test_small(self):
        """Where it takes longer than it saves, layers stay real; what else reads the operand can change that, and so does asking for it."""
        wide, narrow = (f"const %{i}:f32<{rows}x8> = splat 0.5" for i, rows in ((1, 512), (3, 16)))
        two = """graph "two" {{
  input %0:f32<4x8> "x"
  {}
  {}
  %4:f32<4x16> "narrow" = fully_connected %0, %3
  {}
  output %4
  {}
}}
"""
        both = two.format(wide, narrow, '%2:f32<4x512> "wide" = fully_connected %0, %1', "output %2")
        for text, options, count in ((both, (), 2), (two.format("", narrow, "", ""), (ASKED,), 1), (two.format("", narrow, "", ""), (), 0)):
            self.model.write_text(text, encoding="utf-8")
            code, out, err = run(QCC, self.model, "--emit=ir", "-o", "-", "--quantize=dynamic", *options)
            self.assertEqual(code, 0)
            self.assertEqual(out.decode().count(":i8<"), count, text)
            self.assertEqual("such small products (1 of them)" in err, count == 0)
        report = self.folder / "r.json"
        self.fine(QCC, self.model, "-o", self.folder / "m.o", "--quantize=dynamic", f"--report={report}")
        self.assertIn("integers save less", json.loads(report.read_text())["ops"][0]["why"])

    def test_options(self):
        self.assertNotEqual(self.text("--quantize=dynamic"), self.text("--quantize=dynamic", "--weight-scales=tensor"))
        self.assertNotEqual(self.text("--quantize=dynamic"), self.text("--quantize=dynamic", "--weight-algo=mse"))
        out = self.folder / "m.o"
        self.refused(2, QCC, self.model, "-o", out, "--quantize=dynamic", f"--calib={self.x}")
        self.refused(2, QCC, self.model, "-o", out, "--quantize=dynamic", "--effort=1")
        self.refused(2, QCC, self.model, "-o", out, "--weight-algo=mse")
        error = self.refused(1, QCC, self.model, "-o", out, "--quantize=dynamic", "--keep-float=products,scores,states")
        self.assertIn("no product by constant weights", error)
        self.assertFalse(out.exists())

    def test_evaluated(self):
        """The model that it is compared with is the real one."""
        result = json.loads(self.fine(QCC_EVAL, self.model, "--quantize=dynamic", f"--data={self.x}", f"--compare={self.model}", "--json"))
        self.assertTrue(30 < result["sqnr_db"] < 100, result)

    def test_exported(self):
        """LiteRT runs the hybrid layers of what is written as qcc does."""
        lines = [line for line in layers().splitlines() if "rnn" not in line and "%7:" not in line and "%8:" not in line]
        self.model.write_text("\n".join(lines).replace("connected %9", "connected %6"), encoding="utf-8")
        written = self.folder / "written.tflite"
        for options in ((), ("--quantized-ops=conv2d,fc",)):
            self.fine(QCC, self.model, "--quantize=dynamic", "-o", written, *options)
            ours = self.output("--quantize=dynamic", *options)
            self.assertGreater(sqnr(ours, self.output(model=written)), 50)
            if not tflite_reference.available():
                theirs = tflite_reference.Reference(written.read_bytes()).run([tflite_reference.np.load(self.x)])[0]
                self.assertGreater(sqnr(ours, theirs.reshape(-1).tolist()), 50)

    def test_recurrent_kept(self):
        """What is to stay real does, with its products in front of it or without."""
        text = self.text("--quantize=dynamic", "--quantized-ops=fc")
        self.assertIn(f"f32<{HIDDEN}x{HIDDEN}>", text)
        text = self.text("--quantize=dynamic")
        self.assertIn(f"i8<{HIDDEN}x{HIDDEN}; axis 0", text)

    def needs_onnxruntime(self):
        for name in ("numpy", "onnx", "onnxruntime"):
            if not importlib.util.find_spec(name):
                self.skipTest(f"{name} is not installed")

    def test_against_onnxruntime(self):
        self.needs_onnxruntime()
        real, theirs, ours = compared_with_onnxruntime(self, products)
        self.assertGreater(sqnr(real, ours), sqnr(real, theirs) - 0.5)

    def test_lstm_against_onnxruntime(self):
        """DynamicQuantizeLSTM has one range for the states of all sequences."""
        self.needs_onnxruntime()
        real, theirs, ours = compared_with_onnxruntime(self, lambda: recurrent("LSTM", 4))
        self.assertGreater(sqnr(real, ours), sqnr(real, theirs) - 0.5)

    def test_gru_and_rnn(self):
        """ONNX Runtime leaves these real: they are near its results."""
        self.needs_onnxruntime()
        for kind, gates, attributes in (("GRU", 3, {"linear_before_reset": 1}), ("GRU", 3, {}), ("RNN", 1, {}), ("RNN", 1, {"activations": ["Relu"]})):
            real, theirs, ours = compared_with_onnxruntime(self, lambda k=kind, g=gates, a=attributes: recurrent(k, g, **a))
            self.assertEqual(real, theirs)
            self.assertGreater(sqnr(real, ours), 32, (kind, attributes))
            self.assertLess(sqnr(real, ours), 80, (kind, attributes))


def constant(name, shape, seed, scale=0.05):
    import numpy as np
    import onnx
    return onnx.numpy_helper.from_array(np.array(draw(seed, math.prod(shape), scale), np.float32).reshape(shape), name)


def onnx_graph(nodes, shape, result, constants):
    import onnx
    info = onnx.helper.make_tensor_value_info
    return onnx.helper.make_graph(nodes, "graph", [info("x", 1, shape)], [info("y", 1, result)], constants), shape


def products():
    """Two matrix products, the first with a bias."""
    from onnx.helper import make_node as node
    nodes = [node("MatMul", ["x", "w1"], ["a"]), node("Add", ["a", "b1"], ["b"]), node("Tanh", ["b"], ["c"]), node("MatMul", ["c", "w2"], ["y"])]
    constants = [constant("w1", (WIDTH, HIDDEN), 1), constant("b1", (HIDDEN,), 2), constant("w2", (HIDDEN, CLASSES), 3)]
    return onnx_graph(nodes, [ROWS, WIDTH], [ROWS, CLASSES], constants)


def recurrent(kind, gates, steps=9, batch=3, units=37, width=24, **attributes):
    """One recurrent layer; its units are no multiple of a vector."""
    from onnx.helper import make_node as node
    constants = [constant("w", (1, gates * units, width), 1), constant("r", (1, gates * units, units), 2, 0.02),
                 constant("b", (1, 2 * gates * units), 3)]
    nodes = [node(kind, ["x", "w", "r", "b"], ["y"], hidden_size=units, **attributes)]
    return onnx_graph(nodes, [steps, batch, width], [steps, 1, batch, units], constants)


def compared_with_onnxruntime(case, make):
    """Results in float, by quantize_dynamic (a scale for each channel of the weights), and by qcc, of one graph."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    graph, shape = make()
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
    paths = [case.folder / "real.onnx", case.folder / "quantized.onnx"]
    onnx.save(model, paths[0])
    quantize_dynamic(paths[0], paths[1], weight_type=QuantType.QInt8, per_channel=True)
    x = np.array(draw(7, math.prod(shape), 1), np.float32).reshape(shape)
    np.save(case.x, x)
    real, theirs = (onnxruntime.InferenceSession(path).run(None, {"x": x})[0].reshape(-1).tolist() for path in map(str, paths))
    return real, theirs, case.output("--quantize=dynamic", ASKED, model=paths[0])


if __name__ == "__main__":
    main()
