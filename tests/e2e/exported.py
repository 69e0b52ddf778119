"""Protects --emit=tflite: what is written is the graph, for qcc, which reads it again, and for LiteRT, XNNPACK and OpenVINO, where they
are installed; what TFLite has no operator for is named, and no file is left.

    exported.py --all      all models of single operators, not a sample of them (minutes)
"""
import importlib.util
import json
import sys

from calib import PIXELS, SAMPLES, floats, network
from common import DIGITS, QCC, QCC_RUN, ROOT, Case, main, npy, read_npy, run

sys.path.insert(0, str(ROOT / "tests" / "tools"))
sys.path.insert(0, str(ROOT / "tests" / "tools" / "tflite_models"))
sys.path.insert(0, str(ROOT / "tests" / "ops"))
import tflite_reference  # noqa: E402

DATA = ROOT / "tests" / "data"
ALL = "--all" in sys.argv
EACH = 1 if ALL else 32  # of the models of single operators, one of so many
ALWAYS = ("conv_int16_none", "depthwise_int16_none", "fully_connected_int16", "concat_uint8_requantize", "MAXIMUM_int8_scales")
NOT_WRITTEN = ("detection", "SUM_int16",  # LiteRT's sums of 16 bits differ from one run to the next
               "CONV_3D", "hybrid_transpose_conv", "AudioSpectrogram", "Mfcc")  # written as other operators, whose sums are in another order
REFUSED = {  # and why
    "detection.tflite": "custom operators are not written",
    "slices_at_run_time.tflite": "can't be written as TFLite",
}
STATES = ("lstm.tflite", "lstm_int8.tflite", "state.tflite")
OTHERS = ["onnx/cnn_float.ort", "onnx/attention_qdq.ort", "onnx/cnn_qoperator.ort", "onnx/language_float.ort", "nb/convolutions.nb",
          "nb/movement.nb", "nb/normalisation.nb", "nb/int8_bounded.nb", "onnx/opset7.onnx", "onnx/opset21.onnx", "onnx/external.onnx",
          "paddle/qat_linear.pdmodel", "paddle/functions.json"]

def numbers(count):
    return floats([((i * 37) % 19) / 16 - 0.5 for i in range(count)])


# What is written as several operators: padding of all kinds, a cut result, functions of a byte, integers that end as reals.
FORMS = f"""graph "forms" {{
  input %0:f32<1x7x6x4> "x"
  const %1:f32<5x3x2x4> = {numbers(120)}
  %2:f32<1x4x6x5> "uneven" = conv2d %0, %1 {{stride = [2, 1], pad = [2, 1, 0, 0], act = relu_0_to_1}}
  %3:f32<1x5x7x4> "largest" = max_pool2d %0 {{kernel = [3, 2], stride = [2, 1], pad = [2, 1, 2, 1]}}
  const %4:f32<3x3x3x4> = {numbers(108)}
  %5:f32<1x12x11x3> "wide" = transpose_conv2d %0, %4 {{stride = [2, 2], pad = [2, 0, 1, 2]}}
  const %6:f32<4> = {numbers(4)}
  %7:f32<1x7x6x4> "rows" = layer_norm %0, %6, %6 {{epsilon = 0.001}}
  const %8:f32<1x1x1x4> = {numbers(4)}
  %9:f32<1x7x6x4> "weights" = softmax %0, %8 {{beta = 0.5}}
  %10:i8<1x7x6x4; 0.01, 3> "bytes" = quantize %0
  %11:i8<1x7x6x4; 0.02, -5> "function" = erf %10
  %12:i8<1x7x6x4; 0.02, -5> "other grid" = tanh %10
  const %13:i8<2x4; axis 0: [0.1, 0.2], 0> = [1, 2, 3, 4, -5, 6, -7, 8]
  const %14:i32<2> = [10, -20]
  %15:f32<1x7x6x2> "reals" = fully_connected %10, %13, %14
  %16:f32<1x6x7x4> "turned" = transpose %0 {{perm = [0, 2, 1, 3]}}
  %17:f32<1x3x2x4> "backwards" = slice %16 {{begin = [0, 5, 4, 0], step = [1, -2, -3, 1]}}
  output %2 "uneven"
  output %3 "largest"
  output %5 "wide"
  output %7 "rows"
  output %9 "weights"
  output %11 "function"
  output %12 "other grid"
  output %15 "reals"
  output %17 "backwards"
}}
"""
ASKED = ("--quantize=dynamic", "--quantized-ops=fc,lstm,rnn")


def recurrent(op, gates):
    """A layer of eight units over six channels, whose state starts anew in each run, and its last states."""
    states = ["%4", "%5"][:1 + (op == "lstm")]
    last = [f'%{11 + k}:f32<2x8> "last {k}"' for k in range(len(states))]
    return f"""graph "recurrent" {{
  input %0:f32<2x5x6> "x"
  const %1:f32<{8 * gates}x6> = {numbers(48 * gates)}
  const %2:f32<{8 * gates}x8> = {numbers(64 * gates)}
  const %3:f32<{8 * gates}> = {numbers(8 * gates)}
  const %4:f32<2x8> = splat 0.25
  const %5:f32<2x8> = splat 0
  %6:f32<2x5x{8 * gates}> "product" = fully_connected %0, %1, %3
  {", ".join(['%10:f32<2x5x8> "layer"', *last])} = {op} %6, %2, {", ".join(states)} {{time_axis = 1}}
  output %10 "y"
""" + "".join(f'  output %{11 + k} "last {k}"\n' for k in range(len(last))) + "}\n"


REFUSALS = """graph "refusals" {
  input %0:f32<1x4> "x"
  %1:f32<1x4> "a" = erf %0
  %2:f32<1x4> "b" = erf %1
  const %3:i32<2> = [0, -1]
  %4:f32<1x2> "c" = gather %2, %3 {axis = 1, from_end = 1}
  output %4 "y"
}
"""


class Exported(Case):
    def written(self, model, *options):
        path = self.folder / "written.tflite"
        self.fine(QCC, model, "--emit=tflite", "-o", path, *options)
        return path

    def interpreted(self, model, count, inputs=(), options=()):
        paths = [self.folder / f"out{k}.npy" for k in range(count)]
        arguments = [a for path in inputs for a in ("-i", path)] + [a for path in paths for a in ("-o", path)]
        self.fine(QCC_RUN, model, "--interp", "--rounding=tflite", *arguments, *options)
        return [read_npy(path)[0] for path in paths]

    def same(self, model, written, tolerance=0.0, options=()):
        count = len(json.loads(self.fine(QCC, written, "--describe", "--json"))["outputs"])
        expected, is_ = (self.interpreted(m, count, options=options) for m in (model, written))
        for k, (a, b) in enumerate(zip(expected, is_)):
            worst = max([abs(x - y) for x, y in zip(a, b) if x == x or y == y], default=0)
            self.assertEqual(len(a), len(b))
            self.assertLessEqual(worst, tolerance * max(map(abs, a), default=1), f"{model}, output {k}")

    def test_round_trip(self):
        """Models of TFLite come back as they were."""
        for model in sorted(DATA.glob("*.tflite")) + [DIGITS]:
            if model.name in REFUSED:
                self.assertIn(REFUSED[model.name], self.not_written(model))
                continue
            with self.subTest(model.name):
                self.same(model, self.written(model))

    def not_written(self, model):
        path = self.folder / "refused.tflite"
        code, out, err = run(QCC, model, "--emit=tflite", "-o", path)
        self.assertEqual((code, out), (1, b""), err)
        self.assertFalse(path.exists())
        return err

    def test_refusals(self):
        """Each kind once, with its place; what is written so far is no file."""
        model = self.folder / "refusals.qir"
        model.write_text(REFUSALS, encoding="utf-8")
        lines = self.not_written(model).splitlines()
        self.assertEqual(len(lines), 4, lines)
        for line, place in zip(lines, (3, 4)):
            self.assertIn(f"line {place}: error: erf can't be written as TFLite: TFLite has no such operator", line)
        self.assertIn("gather can't be written as TFLite: its indices count from the end", lines[2])
        self.assertIn("refused at 3 places", lines[3])

    def test_states(self):
        """From run to run states are what they were in the model."""
        if tflite_reference.available():
            self.skipTest(tflite_reference.available())
        for name in STATES:
            with self.subTest(name):
                written = self.written(DATA / name)
                theirs = [tflite_reference.Reference((DATA / name).read_bytes()), tflite_reference.Reference(written.read_bytes())]
                for step in range(3):
                    arrays = theirs[0].made_inputs(step=step)
                    a, b = (t.run(arrays) for t in theirs)
                    for x, y in zip(a, b):
                        worst = abs(x.astype(float) - y).max()
                        self.assertLessEqual(worst, 0 if x.dtype.kind == "i" else 1e-6, "sums in another order, where a gate is coupled")
                self.same(DATA / name, written, options=("--steps=3",))

    def test_recurrent_layers(self):
        """With int8 weights operand and state are quantized while the operator runs; without, and where the layer stays real, neither is."""
        for op, gates in (("lstm", 4), ("rnn", 1)):
            model = self.folder / f"{op}.qir"
            model.write_text(recurrent(op, gates), encoding="utf-8")
            for options, integer in (((), False), (ASKED, True), ((*ASKED, "--keep-float=layer"), False)):
                path = self.written(model, *options)
                text = self.fine(QCC, path, "--emit=ir", "-O0", "-o", "-").decode()
                weights = [line for line in text.splitlines() if f"<{gates * 8}x8" in line and "const" in line]
                self.assertEqual({":i8<" in line for line in weights}, {integer}, text)
                self.runs_elsewhere(path)

    def test_forms(self):
        """What several operators spell; float sums are added in another order there."""
        model = self.folder / "forms.qir"
        model.write_text(FORMS, encoding="utf-8")
        self.same(model, self.written(model, "-O0"), tolerance=1e-5)
        self.runs_elsewhere(self.written(model, "-O0"))

    def test_other_formats(self):
        for name in OTHERS:
            with self.subTest(name):
                self.runs_elsewhere(self.written(DATA / name))

    def calibrated(self, *options):
        model, data = self.folder / "net.qir", self.folder / "all.npy"
        model.write_text(network(), encoding="utf-8")
        values = [((i * 7919) % 2003) / 1001.5 - 1 for i in range(SAMPLES * PIXELS)]
        data.write_bytes(npy("<f4", (SAMPLES, 8, 8, 3), values))
        return self.written(model, f"--calib={data}", *options)

    def test_calibrated(self):
        """A float net becomes int8 throughout; the same bytes for any number of threads; written again it computes the same."""
        path = self.calibrated("--jobs=1")
        first = path.read_bytes()
        self.assertEqual(self.calibrated("--jobs=3").read_bytes(), first)
        text = self.fine(QCC, path, "--emit=ir", "-O0", "-o", "-").decode()
        self.assertEqual(sorted(line.split(" = ")[1].split()[0] for line in text.splitlines() if line.startswith("  %")),
                         ["conv2d", "conv2d", "dequantize", "fully_connected", "mean", "quantize", "reshape"])
        again = self.folder / "again.tflite"
        self.fine(QCC, path, "--emit=tflite", "-o", again)
        self.same(path, again)
        self.runs_elsewhere(path)

    def test_name_and_reports(self):
        """By extension; reports are written beside, headers have nothing to say."""
        out = self.folder / "by_name.tflite"
        self.fine(QCC, DIGITS, "-o", out, f"--report={self.folder}/r.json")
        self.assertEqual(out.read_bytes()[4:8], b"TFL3")
        self.assertTrue((self.folder / "r.json").exists())
        self.assertFalse((self.folder / "by_name.h").exists())
        self.refused(2, QCC, DIGITS, "-o", out, "--header=x.h")
        self.refused(2, QCC, DIGITS, "-o", out, "--batch={1,2}")

    # ---- Other programs ----

    def runs_elsewhere(self, path):
        """LiteRT's reference kernels give the interpreter's bytes; XNNPACK and OpenVINO take the file."""
        if tflite_reference.available():
            return
        content = path.read_bytes()
        reference = tflite_reference.of_any_kernels(content)
        arrays = reference.made_inputs()
        inputs = [self.folder / f"in{k}.npy" for k in range(len(arrays))]
        for where, array in zip(inputs, arrays):
            tflite_reference.np.save(where, array)
        results = reference.run(arrays)
        for ours, theirs in zip(self.interpreted(path, len(results), inputs), results):
            if theirs.dtype.kind == "f":
                self.assertLess(max([abs(a - float(b)) for a, b in zip(ours, theirs.flat)], default=0), 2e-4 * (1 + abs(theirs).max()))
            else:
                self.assertEqual(ours, theirs.reshape(-1).tolist(), path)
        tflite_reference.Reference(content, "xnnpack").run(arrays)

    def test_openvino(self):
        if not importlib.util.find_spec("openvino") or tflite_reference.available():
            self.skipTest("OpenVINO is not installed")
        import openvino
        for path in (self.written(DIGITS), self.calibrated(), self.written(ROOT / "examples" / "digits" / "digits_float.tflite")):
            core = openvino.Core()
            model = core.compile_model(core.read_model(path), "CPU")
            reference = tflite_reference.Reference(path.read_bytes())
            arrays = reference.made_inputs()
            theirs, expected = model(arrays)[0], reference.run(arrays)[0]
            worst = abs(theirs.astype(float).reshape(expected.shape) - expected).max()
            self.assertLess(worst, 0.1 * (abs(expected.astype(float)).max() + 1), "it rounds in reals")

    def test_single_operators(self):
        """LiteRT's reference kernels make of what is written the same bytes as of the model itself."""
        if tflite_reference.available():
            self.skipTest(tflite_reference.available())
        import tflite_cases
        for k, (name, content) in enumerate(tflite_cases.cases(1)):
            if (k % EACH == 0 or name in ALWAYS) and not name.startswith(NOT_WRITTEN):
                with self.subTest(name):
                    self.same_bytes(content)

    def same_bytes(self, content):
        model = self.folder / "case.tflite"
        model.write_bytes(content)
        try:
            reference = tflite_reference.Reference(content)
        except (RuntimeError, ValueError):
            return  # not even the model is one that LiteRT takes
        arrays = reference.made_inputs()
        try:
            expected = reference.run(arrays)
        except RuntimeError:
            return
        written = tflite_reference.Reference(self.written(model).read_bytes())
        for a, b in zip(expected, written.run(arrays)):
            self.assertEqual(a.tobytes(), b.tobytes())


if __name__ == "__main__":
    sys.argv = [a for a in sys.argv if a != "--all"]
    main()
