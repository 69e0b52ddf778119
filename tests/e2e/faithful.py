"""Protects the step from fake-quantized graphs to integers, for each frontend: every int8 layer is within one step of its
fake-quantized value, on the file's own operands, and every product that has scales is computed on integers.  The file's graph,
run in float by the interpreter, is the reference; that one is held to the frameworks elsewhere (tests/ops, docs/fidelity.md)."""
import json
import re

from common import QCC_OPT, QCC_RUN, ROOT, Case, main

DATA = ROOT / "tests" / "data"
PRODUCTS = ("conv2d", "depthwise_conv2d", "transpose_conv2d", "fully_connected", "batch_matmul")
INPUTS = (1, 2, 3)  # seeds


class Faithful(Case):
    def layers(self, model, seed):
        report = self.folder / "r.json"
        self.fine(QCC_RUN, model, f"--random={seed}", f"--report={report}", "--bench=0")
        return json.loads(report.read_text())["ops"]

    def check(self, models):
        self.assertTrue(models)
        for model in models:
            compared = 0
            for seed in INPUTS:
                for op in self.layers(model, seed):
                    where = f"{model.name}: {op['op']} {op['name']}"
                    if op["op"] in PRODUCTS:
                        self.assertEqual(op["arithmetic"], "int8", f"{where}: {op['why']}")
                    for value in op["results"]:
                        difference = value.get("difference", {})
                        if difference.get("unit") == "step" and "alone_max" in difference:
                            self.assertLessEqual(difference["alone_max"], 1, where)
                            compared += 1
            self.assertGreater(compared, 0, f"{model.name}: no layer could be compared")

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


if __name__ == "__main__":
    main()
