"""Protects qcc --describe: what it says of models that can be compiled, of those that can't, which exit 0, too, and of damaged ones."""
import json

from common import DIGITS, QCC, ROOT, Case, main, run

REFUSED = ROOT / "tests/data/refused"
STRANGE = [f"Strange{i}" for i in range(24)] * 2  # operators that no format has


def number(field, value):
    """Protocol Buffers: a number below 128, or a text or message below 16384."""
    return bytes([field << 3, value])


def part(field, content):
    content = content.encode() if isinstance(content, str) else content
    return bytes([field << 3 | 2, len(content) & 127 | 128, len(content) >> 7]) + content


def onnx_model():
    def value(field, name, kind, *extents):
        shape = b"".join(part(1, number(1, e) if isinstance(e, int) else part(2, e)) for e in extents)
        return part(field, part(1, name) + part(2, part(1, number(1, kind) + part(2, shape))))
    nodes = b"".join(part(1, part(1, "x") + part(2, f"t{i}") + part(4, kind)) for i, kind in enumerate(STRANGE))
    graph = nodes + value(11, "x", 1, 2, 3) + value(11, "text", 8, 4) + value(12, "t0", 1)
    return number(1, 8) + part(7, graph) + part(8, number(2, 17))


def paddle_program():
    def operator(kind, inputs, outputs, more=b""):
        lists = [(1, parameter, name) for parameter, name in inputs] + [(2, parameter, name) for parameter, name in outputs]
        return part(4, b"".join(part(field, part(1, parameter) + part(2, name)) for field, parameter, name in lists) + part(3, kind) + more)
    column = part(4, part(1, "col") + number(2, 0) + number(3, 0))
    tensor = part(2, number(1, 7) + part(3, part(1, number(1, 5) + number(2, 2) + number(2, 3))))
    ops = [operator("feed", [("X", "feed")], [("Out", "x")], column)]
    ops += [operator(kind, [("X", "x")], [("Out", f"t{i}")]) for i, kind in enumerate(STRANGE)]
    ops.append(operator("fetch", [("X", "t0")], [("Out", "fetch")], column))
    return part(1, number(1, 0) + number(2, 0) + part(3, part(1, "x") + tensor) + b"".join(ops))


def paddle3_program():
    """One of PaddlePaddle 3, whose operators but for its input and outputs are not known; a sum over axes that are computed."""
    program = json.loads((ROOT / "tests/data/refused/pir_computed.json").read_text())
    ops = program["program"]["regions"][0]["blocks"][0]["ops"]
    x = next(op for op in ops if op["#"] == "1.data")["O"][0]
    made = [{"#": "1." + kind, "A": [], "I": [{"%": x["%"]}], "O": [{**x, "%": 1000 + i}]} for i, kind in enumerate(STRANGE)]
    at = next(i for i, op in enumerate(ops) if op["#"] == "1.fetch")
    ops[at:at] = made
    return json.dumps(program).encode()


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

    def test_all_that_is_refused(self):
        """Of every reader that has no file of its own for that among the refused ones: 20 reasons, and that there are more."""
        for name, content, places in (("m.onnx", onnx_model(), 49), ("m.pdmodel", paddle_program(), 48), ("m.json", paddle3_program(), 49)):
            with self.subTest(name):
                model = self.folder / name
                model.write_bytes(content)
                found = self.described(model)
                self.assertEqual({o["name"]: o["refused"] for o in found["operators"] if "Strange" in o["name"]}, dict.fromkeys(STRANGE, 2))
                self.assertEqual(len(found["refusals"]), 21)
                self.assertIn(f"refused at {places} places, for more than the above 20 reasons", found["refusals"][20])
                code, _, told = run(QCC, model, "-o", self.folder / "m.o")
                self.assertEqual(code, 1)
                self.assertEqual([line.split("; so at")[0] for line in told.splitlines()], found["refusals"])

    def test_inputs_of_strange_types(self):
        """They have names, and the rest is told of."""
        model = self.folder / "m.onnx"
        model.write_bytes(onnx_model())
        for path, types in ((model, {"x": "f32", "text": None}), (REFUSED / "tensor_type_string.tflite", {"a": None, "b": "f32"})):
            self.assertEqual({v["name"]: v.get("type") for v in self.described(path)["inputs"]}, types)

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
        for arguments in (["--describe"], ["--describe", self.add, "--batch={1,2}"], ["--describe", self.add, "-o", "m.o"], ["--json", self.add, "-o", "m.o"]):
            code, out, _ = run(QCC, *arguments, cwd=self.folder)
            self.assertEqual((code, out), (2, b""))


if __name__ == "__main__":
    main()
