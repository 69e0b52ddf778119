"""Protects qcc --describe: what it says of models that can be compiled, of those that can't, which exit 0, too, and of damaged ones."""
import json

from common import DIGITS, QCC, ROOT, Case, main, run

REFUSED = ROOT / "tests/data/refused"


class Describe(Case):
    def described(self, model, *arguments):
        return json.loads(self.fine(QCC, "--describe", "--json", model, *arguments))

    def test_what_can_be_compiled(self):
        found = self.described(DIGITS)
        self.assertEqual((found["format"], found["supported"], found["refusals"]), ("TFLite", True, []))
        self.assertEqual([v["type"] for v in found["inputs"]], ["i8"])
        self.assertGreater(found["inputs"][0]["scale"], 0)
        self.assertTrue(all("refused" not in o for o in found["operators"]))
        self.assertIn("CONV_2D", [o["name"] for o in found["operators"]])
        report = self.folder / "m.json"
        self.fine(QCC, DIGITS, "-o", self.folder / "m.o", "--report=" + str(report))
        told = json.loads(report.read_text())
        for key in ("macs", "weights_bytes", "workspace_bytes", "state_bytes"):
            self.assertEqual(found[key], told[key], key)

    def test_text(self):
        text = self.fine(QCC, "--describe", DIGITS).decode()
        for expected in ("TFLite, can be compiled", "inputs\n", "outputs\n", "operators\n", "multiply-adds", "workspace, bytes"):
            self.assertIn(expected, text)
        text = self.fine(QCC, "--describe", REFUSED / "several.tflite").decode()
        for expected in ("TFLite, can't be compiled", "not supported at 2: the fused activation SIGN_BIT is not supported", "refusals\n"):
            self.assertIn(expected, text)

    def test_remarks(self):
        suppression = self.described(ROOT / "tests/data/onnx/suppression_float.ort")["operators"]
        self.assertEqual({o["name"]: o["remark"] for o in suppression if "remark" in o},
                         {"NonMaxSuppression": "the result has always 18 rows, and those left over are -1"})

    def test_what_is_refused(self):
        found = self.described(REFUSED / "ort_several.ort")
        self.assertFalse(found["supported"])
        self.assertEqual(len(found["refusals"]), 5)
        operators = {o["name"]: (o["count"], o.get("refused", 0)) for o in found["operators"]}
        self.assertEqual(operators, {"NoSuchOperator": (2, 2), "LayerNormalization": (1, 1), "Add": (1, 0), "Relu": (1, 0), "If": (1, 0),
                                     "Softmax": (1, 1), "Reshape": (1, 1)})
        x, y = found["inputs"]
        self.assertEqual((x["shape"], x["open"]), ([1, 1, 6, 6], []))
        self.assertEqual(y["shape"], [1, None, None, 6])
        self.assertEqual([o["option"] for o in y["open"]], ["--input-shape=rows:N", "--input-shape=columns:N"])

    def test_shapes_are_taken(self):
        found = self.described(REFUSED / "ort_several.ort", "--input-shape=rows:4", "--input-shape=columns:6")
        self.assertEqual(found["inputs"][1]["shape"], [1, 4, 6, 6])
        self.assertEqual(len(found["refusals"]), 4)

    def test_textual_ir(self):
        found = self.described(self.add)
        self.assertEqual((found["format"], found["operators"]), ("textual IR", [{"name": "add", "count": 1}]))

    def test_damage(self):
        damaged = self.folder / "damaged.ort"
        damaged.write_bytes((REFUSED / "ort_several.ort").read_bytes()[:900])
        self.refused(1, QCC, "--describe", damaged)
        self.refused(1, QCC, "--describe", self.folder / "nothing.tflite")
        damaged.write_bytes(b"\0" * 100)
        self.refused(1, QCC, "--describe", damaged)

    def test_usage(self):
        for arguments in (["--describe"], ["--describe", self.add, "-o", "m.o"], ["--json", self.add, "-o", "m.o"]):
            code, out, _ = run(QCC, *arguments, cwd=self.folder)
            self.assertEqual((code, out), (2, b""))


if __name__ == "__main__":
    main()
