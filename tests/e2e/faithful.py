"""Protects the step from fake-quantized graphs to integers, for each frontend: every int8 layer is within one step of its
fake-quantized value, on the file's own operands, and every product that has scales is computed on integers.  The file's graph,
run in float by the interpreter, is the reference; that one is held to the frameworks elsewhere (tests/ops, docs/fidelity.md).
Of a model that qcc-tune has trained the graph that it was trained as (--save-simulated) is the reference."""
import json
import random
import re

from common import ADD, QCC_OPT, QCC_RUN, QCC_TUNE, ROOT, Case, main
from tune_norms import SAMPLES, dense

DATA = ROOT / "tests" / "data"
PRODUCTS = ("conv2d", "depthwise_conv2d", "transpose_conv2d", "fully_connected", "batch_matmul")
INPUTS = (1, 2, 3)  # seeds


class Layers(Case):
    def layers(self, model, seed, *options):
        report = self.folder / "r.json"
        self.fine(QCC_RUN, model, f"--random={seed}", f"--report={report}", "--bench=0", *options)
        return json.loads(report.read_text())["ops"]

    def compared(self, model, *options):
        """How many results were, all of them within a step."""
        count = 0
        for seed in INPUTS:
            for op in self.layers(model, seed, *options):
                where = f"{model.name}: {op['op']} {op['name']}"
                if op["op"] in PRODUCTS:
                    self.assertEqual(op["arithmetic"], "int8", f"{where}: {op['why']}")
                for value in op["results"]:
                    difference = value.get("difference", {})
                    if difference.get("unit") == "step" and "alone_max" in difference:
                        self.assertLessEqual(difference["alone_max"], 1, where)
                        count += 1
        return count


class Faithful(Layers):
    def check(self, models):
        self.assertTrue(models)
        for model in models:
            self.assertGreater(self.compared(model), 0, f"{model.name}: no layer could be compared")

    def test_tflite(self):
        self.check([DATA / "fake_quant.tflite"])

    def test_onnx(self):
        self.check(sorted((DATA / "onnx").glob("cnn_qdq_[us]8*.ort")) + [DATA / "onnx" / "attention_qdq.ort"])

    def test_paddle(self):
        self.check([DATA / "nb" / f"qat_{name}.nb" for name in ("fake", "network")])

    def test_fewer_bits(self):
        """What training with fewer bits leaves: the same graphs, whose fake ops say so."""
        for model in (DATA / "fake_quant.tflite", *(DATA / "nb" / f"qat_{name}.nb" for name in ("fake", "network"))):
            text = self.fine(QCC_OPT, "--passes=dce", model).decode()
            for bits in (2, 4, 7):
                fewer, count = re.subn(r"(= fake_quant %\d+ {[^}]*)", rf"\1, bits = {bits}", text)
                self.assertGreater(count, 2)
                path = self.folder / f"{model.stem}-{bits}.qir"
                path.write_text(fewer, encoding="utf-8")
                self.check([path])


def network(norms):
    """Two blocks as ResNets and MobileNets have them, of random weights; with batch norms that have seen nothing yet, or with biases."""
    rng, lines = random.Random(5), []

    def constant(name, kind, numbers):
        lines.append(f'const %{name}:f32<{kind}> "{name}" = {numbers if isinstance(numbers, str) else dense(numbers)}')

    def product(name, x, op, shape, taps, act):
        channels = int(shape.split("x")[-1 if "depthwise" in op else 0])
        count = channels * taps
        constant(f"{name}w", shape, [rng.uniform(-1, 1) * (6 / taps) ** 0.5 for _ in range(count)])
        pad = f"pad = {[int('3x3' in shape)] * 4}"
        if not norms:
            constant(f"{name}b", channels, [rng.uniform(-0.2, 0.2) for _ in range(channels)])
            lines.append(f'%{name}:f32<1x8x8x{channels}> "{name}" = {op} %{x}, %{name}w, %{name}b {{{pad}, act = {act}}}')
            return name
        constant(f"{name}one", channels, "splat 1")
        constant(f"{name}zero", channels, "splat 0")
        lines.append(f'%{name}z:f32<1x8x8x{channels}> = {op} %{x}, %{name}w {{{pad}}}')
        lines.append(f'%{name}n:f32<1x8x8x{channels}> "{name}" = batch_norm %{name}z, %{name}one, %{name}zero, %{name}zero, %{name}one '
                     "{axis = 3, epsilon = 1e-05}")
        if act == "none":
            return name + "n"
        lines.append(f"%{name}:f32<1x8x8x{channels}> = relu %{name}n {{act = {act}}}")
        return name

    x = product("stem", "x", "conv2d", "8x3x3x1", 9, "relu")
    y = product("deep", x, "depthwise_conv2d", "1x3x3x8", 9, "relu6")
    y = product("point", y, "conv2d", "8x1x1x8", 8, "none")
    lines.append(f'%sum:f32<1x8x8x8> "sum" = add %{x}, %{y} {{act = relu}}')
    product("last", "sum", "conv2d", "12x3x3x8", 72, "relu")
    lines.append('%mean:f32<1x12> "mean" = mean %last {axes = [1, 2]}')
    constant("w", "10x12", [rng.uniform(-0.5, 0.5) for _ in range(120)])
    constant("b", 10, "splat 0")
    lines += ['%scores:f32<1x10> "scores" = fully_connected %mean, %w, %b', '%classes:f32<1x10> "classes" = softmax %scores']
    return 'graph "trained" {\n  input %x:f32<1x8x8x1> "x"\n  ' + "\n  ".join(lines) + '\n  output %classes "classes"\n}\n'


class Trained(Layers):
    """What qcc-tune trains is what it compiles, layer by layer."""
    def check(self, norms, *options, labels=True):
        model, trained, simulated = (self.folder / f"{name}.qir" for name in ("model", "trained", "simulated"))
        model.write_text(network(norms), encoding="utf-8")
        self.fine(QCC_TUNE, model, *(SAMPLES if labels else SAMPLES[:1]), "--epochs=2", "--lr=0.02", "--validation=0", "--limit=128", "-o", trained,
                  f"--save-simulated={simulated}", *options)
        against = f"--reference={simulated}"
        # The input, stem, deep, last, mean, and the sum, which has taken point in; scores are real.
        self.assertGreaterEqual(self.compared(trained, against), 6 * len(INPUTS), options)
        scores, = (op for op in self.layers(trained, 1, against) if op["name"] == "scores")
        self.assertLess(scores["results"][0]["difference"]["alone_max"], 1e-5)  # of the largest: a sum of floats in another order

    def test_biases(self):
        self.check(False, "--activation-quantize=moving-average")
        self.check(False, "--activation-quantize=lsq", "--activation-scales=symmetric")
        self.check(False, "--effort=2", labels=False)

    def test_few_bits(self):
        for options in (("--activation-quantize=lsq", "--activation-scales=symmetric"), ("--weight-preprocess=pact", "--pact=0.01")):
            self.check(False, "--activation-bits=4", "--weight-bits=4", *options)

    def test_norms(self):
        self.check(True, "--batch-norms=reestimate")
        self.check(True, "--batch-norms=reestimate", "--activation-bits=4", "--weight-bits=4", "--pact=0.001")
        self.check(True, "--batch-norms=train", "--activation-quantize=lsq")
        self.check(True, "--batch-norms=frozen", "--activation-quantize=range")

    def test_refused(self):
        model, other, report = self.folder / "model.qir", self.folder / "other.qir", self.folder / "r.json"
        model.write_text(network(False), encoding="utf-8")
        other.write_text(ADD, encoding="utf-8")
        error = self.refused(1, QCC_RUN, model, f"--report={report}", f"--reference={other}")
        self.assertIn("other.qir: error: its inputs are not those of the model that is compared with it", error)
        self.assertFalse(report.exists())
        self.assertIn("--reference is what --report compares with", self.refused(2, QCC_RUN, model, f"--reference={other}"))
        error = self.refused(2, QCC_TUNE, model, *SAMPLES, "--quantize=none", f"--save-simulated={other}", "-o", self.folder / "m.qir")
        self.assertIn("simulates no integers", error)


if __name__ == "__main__":
    main()
