"""Protects the options that choose what is computed on integers: what each leaves in float, on fake-quantized, QDQ and
integer models, what the report says about it, and that a wrong one is one diagnostic and no file."""
import json
import os

from common import QCC, QCC_RUN, Case, main, read_npy, run

# x -> conv "first" -> conv "second" -> softmax, as three kinds of files have it
WEIGHTS = "[10, -20, 30, 40]"
FAKE = """graph "fake" {
  input %0:f32<1x2x2x2> "x" as u8<0.05, 128> from fake_quant "node 0"
  const %1:f32<2x1x1x2> "w" as i8<0.01, 0> from quantize "weights" = [0.1, -0.2, 0.3, 0.4]
  %2:f32<1x2x2x2> "first" as u8<0.02, 0> from fake_quant "node 2" = conv2d %0, %1 {act = relu} loc("f", 0, 1, "CONV_2D")
  %3:f32<1x2x2x2> "second" as u8<0.02, 100> from fake_quant "node 4" = conv2d %2, %1 loc("f", 0, 3, "CONV_2D")
  %4:f32<1x2x2x2> "probabilities" = softmax %3 loc("f", 0, 5, "SOFTMAX")
  output %4
}
"""
QDQ = f"""graph "qdq" {{
  input %0:f32<1x2x2x2> "x"
  const %1:i8<2x1x1x2; 0.01, 0> "w" = {WEIGHTS}
  %2:f32<2x1x1x2> = dequantize %1
  %3:u8<1x2x2x2; 0.05, 128> = quantize %0
  %4:f32<1x2x2x2> = dequantize %3
  %5:f32<1x2x2x2> "first" = conv2d %4, %2 {{act = relu}} loc("f", 0, 1, "Conv")
  %6:u8<1x2x2x2; 0.02, 0> = quantize %5
  %7:f32<1x2x2x2> = dequantize %6
  %8:f32<1x2x2x2> "second" = conv2d %7, %2 loc("f", 0, 3, "Conv")
  %9:u8<1x2x2x2; 0.02, 100> = quantize %8
  %10:f32<1x2x2x2> = dequantize %9
  %11:f32<1x2x2x2> "probabilities" = softmax %10 loc("f", 0, 5, "Softmax")
  output %11
}}
"""
INTEGER = f"""graph "integer" {{
  input %0:f32<1x2x2x2> "x"
  const %1:i8<2x1x1x2; 0.01, 0> "w" = {WEIGHTS}
  %3:u8<1x2x2x2; 0.05, 128> = quantize %0
  %5:u8<1x2x2x2; 0.02, 0> "first" = conv2d %3, %1 {{act = relu}} loc("f", 0, 1, "CONV_2D")
  %8:u8<1x2x2x2; 0.02, 100> "second" = conv2d %5, %1 loc("f", 0, 3, "CONV_2D")
  %10:f32<1x2x2x2> = dequantize %8
  %11:f32<1x2x2x2> "probabilities" = softmax %10 loc("f", 0, 5, "SOFTMAX")
  output %11
}}
"""


# What an explicit file leaves real: a mean, a softmax in front of a product, weights without a scale.
EXPLICIT = """graph "explicit" {
  input %0:f32<1x2x2x4> "x"
  const %1:i8<4x4; 0.01, 0> "w" = splat 50
  const %2:f32<4x4> "real" = splat 0.3
  %3:u8<1x2x2x4; 0.05, 128> = quantize %0
  %4:f32<1x2x2x4> = dequantize %3
  %5:f32<4x4> = dequantize %1
  %6:f32<1x4> "mean" = mean %4 {axes = [1, 2]}
  %7:f32<1x4> "first" = fully_connected %6, %5
  %8:f32<1x2x2x4> "probabilities" = softmax %4
  %9:f32<4x4> = reshape %8
  %10:f32<4x4> "second" = fully_connected %9, %5
  %11:f32<4x4> = reshape %4
  %12:f32<4x4> "third" = fully_connected %11, %2
  output %7
  output %10
  output %12
}
"""


class Choices(Case):
    def models(self):
        for name, text in (("fake", FAKE), ("qdq", QDQ), ("integer", INTEGER)):
            path = self.folder / f"{name}.qir"
            path.write_text(text, encoding="utf-8")
            yield path

    def report(self, model, *options):
        report = self.folder / "r.json"
        self.fine(QCC, model, "-o", self.folder / "m.o", f"--report={report}", *options)
        return json.loads(report.read_text())

    def layers(self, model, *options):
        """Arithmetic and reason of each convolution."""
        return [(op["arithmetic"], op["why"]) for op in self.report(model, *options)["ops"] if op["op"] == "conv2d"]

    def output(self, model, *options):
        out = self.folder / "y.npy"
        self.fine(QCC_RUN, "--interp", model, "--random=1", "-o", out, *options)
        return read_npy(out)[0]

    def test_everything_by_default(self):
        for model in self.models():
            for option in ("--quantize=auto", "--quantize=static", "--quantized-ops=conv2d", "--quantized-ops=conv,fc"):
                self.assertEqual([a for a, _ in self.layers(model, option)], ["int8", "int8"], option)

    def test_keep_float(self):
        for model in self.models():
            for option in ("--keep-float=first", "--keep-float=1"):
                first, second = self.layers(model, option)
                self.assertEqual(first, ("float", "kept in float by --keep-float"), option)
                self.assertEqual(second[0], "int8", option)
            self.assertEqual([a for a, _ in self.layers(model, "--keep-float=first,3")], ["float", "float"])
            self.assertEqual([a for a, _ in self.layers(model, "--keep-float=first", "--keep-float=second")], ["float", "float"])

    def test_quantized_ops(self):
        for model in self.models():
            self.assertEqual(self.layers(model, "--quantized-ops=fc,add"), [("float", "not among --quantized-ops")] * 2)

    def test_infer_scales(self):
        model = self.folder / "explicit.qir"
        model.write_text(EXPLICIT, encoding="utf-8")
        report = self.report(model)
        self.assertEqual(report["ops_inferred"], 0)
        self.assertEqual({op["name"]: op["arithmetic"] for op in report["ops"] if op["op"] in ("mean", "softmax", "fully_connected")},
                         {name: "float" for name in ("mean", "first", "probabilities", "second", "third")})
        report = self.report(model, "--infer-scales")
        self.assertEqual(report["ops_float"], 0)
        sources = {op["name"]: (op["results"][0].get("scale_from"), op["results"][0].get("scale_note")) for op in report["ops"]}
        self.assertEqual(sources["mean"][0], "propagated")
        self.assertEqual(sources["probabilities"], ("known", "softmax"))
        third = next(op for op in report["ops"] if op["name"] == "third")
        self.assertEqual(third["operands"][1]["scale_from"], "found")
        self.assertGreaterEqual(report["ops_inferred"], 3)

    def test_none(self):
        for model in self.models():
            self.assertEqual(self.layers(model, "--quantize=none"), [("float", "--quantize=none")] * 2)

    def test_values_agree(self):
        for model in self.models():
            reference = self.output(model)
            for option in ("--keep-float=first", "--keep-float=second", "--quantize=none", "--quantized-ops=conv2d"):
                away = max(abs(a - b) for a, b in zip(reference, self.output(model, option)))
                self.assertLess(away, 0.02, option)  # about a quantum of the layers, which softmax makes smaller


class Refusals(Case):
    def refused_without_files(self, model, *options):
        before = sorted(os.listdir(self.folder))
        error = self.refused(1, QCC, model, "-o", self.folder / "m.o", *options)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return error

    def test_unknown_names(self):
        self.assertIn("'absent'", self.refused_without_files(self.add, "--keep-float=sum,absent"))
        self.assertIn("'absent'", self.refused_without_files(self.add, "--quantized-ops=add,absent"))

    def test_missing_scales(self):
        model = self.folder / "m.qir"
        for text in (FAKE, QDQ, INTEGER):
            model.write_text(text, encoding="utf-8")
            error = self.refused_without_files(model, "--quantized-ops=conv2d,softmax")
            self.assertIn("f: subgraph 0, node 5 (S", error)
            self.assertIn("no scale for result", error)
        self.assertIn("no scale for operand", self.refused_without_files(self.add, "--quantized-ops=add"))

    def test_static_needs_scales(self):
        self.assertIn("gives no scales", self.refused_without_files(self.add, "--quantize=static"))

    def test_not_there_yet(self):
        for option in ("--quantize=dynamic, static", "--activation-bits=9", "--effort=9", "--quantize=int4"):
            code, _, _ = run(QCC, self.add, "-o", self.folder / "m.o", option)
            self.assertEqual(code, 2)
        self.assertFalse((self.folder / "m.o").exists())


if __name__ == "__main__":
    main()
