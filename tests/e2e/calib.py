"""Protects calibration: a model of real numbers and samples become integers that say nearly the same, whatever form the samples come in,
however many threads work; and what is wrong with samples is said, with the file and the shapes."""
import json
import math
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time

from common import QCC, QCC_EVAL, QCC_RUN, QCC_TUNE, ROOT, Case, main, npy, read_npy, run

sys.path.insert(0, str(ROOT / "examples" / "digits"))
import train  # noqa: E402

PIXELS, SAMPLES = 8 * 8 * 3, 12


def floats(values):
    """A constant of the text form."""
    return "dense<0x" + struct.pack(f"<{len(values)}f", *values).hex() + ">"


def normals(seed):
    """Draws constants, of n normal numbers of a deviation each."""
    r = random.Random(seed)
    return lambda n, scale: floats([r.gauss(0, scale) for _ in range(n)])


def network(seed=5):
    """Two convolutions, an average and a fully connected layer."""
    draw = normals(seed)
    return f"""graph "net" {{
  input %0:f32<1x8x8x3> "picture"
  const %1:f32<8x3x3x3> = {draw(216, 0.3)}
  const %2:f32<8> = {draw(8, 0.2)}
  %3:f32<1x8x8x8> "first" = conv2d %0, %1, %2 {{stride = [1, 1], pad = [1, 1, 1, 1], act = relu6}}
  const %4:f32<16x1x1x8> = {draw(128, 0.4)}
  const %5:f32<16> = {draw(16, 0.2)}
  %6:f32<1x8x8x16> "second" = conv2d %3, %4, %5 {{stride = [1, 1], pad = [0, 0, 0, 0], act = relu}}
  %7:f32<1x1x1x16> "average" = avg_pool2d %6 {{kernel = [8, 8]}}
  %8:f32<1x16> = reshape %7
  const %9:f32<10x16> = {draw(160, 0.5)}
  const %10:f32<10> = {draw(10, 0.2)}
  %11:f32<1x10> "scores" = fully_connected %8, %9, %10
  output %11 "scores"
}}
"""


def residual(seed=7):
    """A stem that a convolution and a sum read; what is averaged is the sum."""
    draw = normals(seed)
    return f"""graph "residual" {{
  input %0:f32<1x8x8x3> "picture"
  const %1:f32<8x3x3x3> = {draw(216, 0.3)}
  const %2:f32<8> = {draw(8, 0.2)}
  %3:f32<1x8x8x8> "stem" = conv2d %0, %1, %2 {{pad = [1, 1, 1, 1], act = relu}}
  const %4:f32<8x3x3x8> = {draw(576, 0.2)}
  %5:f32<1x8x8x8> "branch" = conv2d %3, %4 {{pad = [1, 1, 1, 1]}}
  %6:f32<1x8x8x8> "biased" = add %5, %2
  %7:f32<1x8x8x8> "sum" = add %6, %3 {{act = relu}}
  %8:f32<1x8x8x8> "behind" = conv2d %7, %4 {{pad = [1, 1, 1, 1]}}
  %9:f32<1x8x8x8> "second" = add %8, %7
  %10:f32<1x8> "average" = mean %9 {{axes = [1, 2]}}
  const %11:f32<10x8> = {draw(80, 0.5)}
  %12:f32<1x10> "scores" = fully_connected %10, %11
  output %12 "scores"
}}
"""


SUM = """graph "sum" {
  input %0:f32<1x5> "a"
  input %1:f32<1x5> "b"
  %2:f32<1x5> "product" = mul %0, %1
  %3:f32<1x5> "result" = add %2, %1
  %4:f32<1x5> "twice" = add %3, %3
  output %4 "twice"
}
"""

# half of what came before, and a layer of its own
def stateful():
    weights = floats([0.25 if i % 5 == 0 else -0.5 * (i % 3) for i in range(16)])
    return f"""graph "stateful" {{
  variable "past":f32<1x4>
  input %0:f32<1x4> "x"
  %1:f32<1x4> "before" = read_variable {{variable = "past"}}
  %2:f32<1x8> "both" = concat %1, %0 {{axis = 1}}
  const %3:f32<4x8> = {floats([0.25 if i % 9 == 0 else -0.125 * (i % 3) for i in range(32)])}
  %4:f32<1x4> "hidden" = fully_connected %2, %3 {{act = relu}}
  const %5:f32<4x4> = {weights}
  %6:f32<1x4> "y" = fully_connected %4, %5
  write_variable %0 {{variable = "past"}}
  output %6 "y"
}}
"""


def squeezed():
    """For the example's digits: two convolutions, the second with squeeze-and-excitation, of random weights."""
    edge = "pad = [1, 1, 1, 1]"
    return ('graph "squeezed" {\n  input %picture:f32<1x8x8x1> "picture"\n'
            + train.layer("conv1", "conv2d", "%picture", (1, 8, 8, 16), (16, 3, 3, 1), 9, edge, "relu6")
            + '  %pool:f32<1x4x4x16> "pool" = max_pool2d %conv1 {kernel = [2, 2], stride = [2, 2]}\n'
            + train.layer("conv2", "conv2d", "%pool", (1, 4, 4, 32), (32, 3, 3, 16), 144, edge, "relu6")
            + '  %squeezed:f32<1x1x1x32> "squeezed" = mean %conv2 {axes = [1, 2], keep_dims = 1}\n'
            + train.layer("squeeze", "conv2d", "%squeezed", (1, 1, 1, 8), (8, 1, 1, 32), 32, "", "relu")
            + train.layer("excite", "conv2d", "%squeeze", (1, 1, 1, 32), (32, 1, 1, 8), 8)
            + '  %gate:f32<1x1x1x32> "gate" = logistic %excite\n  %scaled:f32<1x4x4x32> "scaled" = mul %conv2, %gate\n'
            + '  %mean:f32<1x32> "mean" = mean %scaled {axes = [1, 2]}\n'
            + train.layer("fc", "fully_connected", "%mean", (1, 10), (10, 32), 32)
            + '  %scores:f32<1x10> "scores" = softmax %fc\n  output %scores "scores"\n}\n')


class Calibration(Case):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "net.qir"
        self.model.write_text(network(), encoding="utf-8")
        r = random.Random(1)
        self.rows = [[r.uniform(-1, 1) for _ in range(PIXELS)] for _ in range(SAMPLES)]
        self.all = self.array("all.npy", (SAMPLES, 8, 8, 3), [v for row in self.rows for v in row])

    def array(self, name, shape, values):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(npy("<f4", shape, values))
        return path

    def text(self, *options, model=None):
        """The graph on integers."""
        return self.fine(QCC, model or self.model, "--emit=ir", "-o", "-", *options).decode()

    def wrong(self, expected, *options, model=None):
        error = self.refused(1, QCC, model or self.model, "--emit=ir", "-o", self.folder / "x.qir", *options)
        for part in expected:
            self.assertIn(part, error)
        self.assertFalse((self.folder / "x.qir").exists())

    def test_integers_between_layers(self):
        text = self.text(f"--calib={self.all}")
        self.assertNotIn("f32<1x8x8x8>", text)
        x = self.array("x.npy", (1, 8, 8, 3), self.rows[0])
        outputs = [self.folder / "real.npy", self.folder / "integer.npy"]
        self.fine(QCC_RUN, self.model, "-i", x, "-o", outputs[0])
        self.fine(QCC_RUN, self.model, "-i", x, "-o", outputs[1], f"--calib={self.all}")
        real, integer = (read_npy(path)[0] for path in outputs)
        difference = max(abs(a - b) for a, b in zip(real, integer))
        self.assertTrue(0 < difference < 0.03 * max(map(abs, real)))

    def test_report_of_ranges(self):
        """What was seen of a value, the range that was chosen, and what that cuts off."""
        report = self.folder / "r.json"
        for options, least, most in ((["--algo=minmax"], 0, 0), (["--algo=hist", "--hist-percent=98%"], 0.005, 0.03)):
            self.fine(QCC, self.model, "-o", self.folder / "m.o", f"--calib={self.all}", "--effort=0", f"--report={report}", *options)
            values = [v for op in json.loads(report.read_text())["ops"] for v in op["operands"] + op["results"] if v]
            seen = {v["name"]: v["observed"] for v in values if "observed" in v}
            self.assertLessEqual({"picture", "first"}, set(seen))
            for name, o in seen.items():
                self.assertEqual(sum(o["counts"]), o["elements"], name)
                self.assertIn(o["algorithm"], options[0])
                self.assertTrue(o["low"] <= o["range_low"] <= o["range_high"] <= o["high"], (name, o))
            self.assertTrue(least <= seen["first"]["clipped"] <= most, seen["first"])
            self.assertEqual(seen["picture"]["elements"], SAMPLES * PIXELS)
        page = self.folder / "r.html"
        self.fine(QCC, self.model, "-o", self.folder / "m.o", f"--calib={self.all}", f"--report={page}")
        self.assertIn('class="threshold"', page.read_text(encoding="utf-8"))

    def test_algorithms_compared(self):
        """--effort=3: no worse over its samples than the algorithms that it tries; named in the report; the same for any number of threads."""
        def sqnr(*options):
            result = self.fine(QCC_EVAL, self.model, f"--calib={self.all}", f"--data={self.all}", f"--compare={self.model}", "--json", *options)
            return json.loads(result)["sqnr_db"]
        best = max(sqnr("--effort=2", f"--algo={algo}") for algo in ("auto", "minmax", "avg", "hist", "mse", "kl"))
        self.assertAlmostEqual(sqnr("--effort=3"), best, places=3)
        text = self.text(f"--calib={self.all}", "--effort=3", "--jobs=1")
        self.assertEqual(self.text(f"--calib={self.all}", "--effort=3", "--jobs=3"), text)
        self.assertRegex(text, f'"(auto|minmax|avg|hist|mse|kl) of {SAMPLES} samples')

    def test_algorithm_auto(self):
        """The default; a range that it cuts is said so, saved so, and the same for any number of threads."""
        scales = self.folder / "scales.txt"
        text = self.text(f"--calib={self.all}", f"--save-scales={scales}", "--jobs=1")
        self.assertEqual(self.text(f"--calib={self.all}", "--algo=auto", "--jobs=3"), text)
        widest = self.folder / "widest.txt"
        self.text(f"--calib={self.all}", "--algo=minmax", f"--save-scales={widest}")
        parts = re.findall(rf'"auto of {SAMPLES} samples, ([0-9.]+) of minmax"', text)
        self.assertTrue(all(0.1 < float(part) < 1 for part in parts), parts)
        self.assertEqual(scales.read_text() != widest.read_text(), len(parts) > 0)
        self.assertEqual(run(QCC, self.model, "-o", self.folder / "m.o", f"--scales={self.all}", "--algo=auto")[0], 2)

    def test_forms_of_samples(self):
        expected = self.text(f"--calib={self.all}")
        for i, row in enumerate(self.rows):
            self.array(f"files/{i:02}.npy", (1, 8, 8, 3) if i % 2 else (8, 8, 3), row)
        listed = self.folder / "files" / "list.txt"
        listed.write_text("# all\n" + "".join(f"{i:02}.npy\t{i % 10}\n" for i in range(SAMPLES)) + "\n")
        for source in (self.folder / "files", listed, f"picture:{self.all}"):
            self.assertEqual(self.text(f"--calib={source}"), expected, source)

    def test_raw_numbers(self):
        """Samples without a header, class numbers behind them: for calibration and evaluation."""
        raw, labels = self.folder / "all.bin", self.folder / "labels.txt"
        raw.write_bytes(self.all.read_bytes()[-4 * SAMPLES * PIXELS:] + struct.pack(f"<{SAMPLES}q", *(i % 10 for i in range(SAMPLES))))
        option = "--raw=f32:8x8x3,i64"
        self.assertEqual(self.text(f"--calib={raw}", option), self.text(f"--calib={self.all}"))
        labels.write_text("".join(f"{i % 10}\n" for i in range(SAMPLES)))
        expected = self.fine(QCC_EVAL, self.model, f"--data={self.all}", f"--labels={labels}", "--json", "--limit=7")
        self.assertEqual(self.fine(QCC_EVAL, self.model, f"--data={raw}", option, "--json", "--limit=7"), expected)
        self.wrong(["all.bin", "are not a number of samples f32<8x8x3>"], f"--calib={raw}", "--raw=f32:8x8x3")
        for value in ("f32", "f32:", "f32:8x", "f33:8", "f32:8,f32", "f32:8x8,", "f32:0x3"):
            self.assertEqual(run(QCC, self.model, "-o", "x.o", f"--calib={raw}", f"--raw={value}")[0], 2, value)

    def test_channels_first(self):
        """Samples with the channels at the other end than the model's are turned, with and without a header, for both programs."""
        turned = [row[3 * p + c] for row in self.rows for c in range(3) for p in range(64)]
        labels = [i % 10 for i in range(SAMPLES)]
        raw, text = self.folder / "first.bin", self.folder / "labels.txt"
        raw.write_bytes(struct.pack(f"<{len(turned)}f", *turned) + struct.pack(f"<{SAMPLES}q", *labels))
        text.write_text("".join(f"{i}\n" for i in labels))
        expected = self.text(f"--calib={self.all}")
        for i in range(SAMPLES):
            self.array(f"turned/{i:02}.npy", (3, 8, 8), turned[PIXELS * i:PIXELS * (i + 1)])
        self.assertEqual(self.text(f"--calib={raw}", "--raw=f32:3x8x8,i64"), expected)
        self.assertEqual(self.text(f"--calib={self.folder}/turned"), expected)
        scores = self.fine(QCC_EVAL, self.model, f"--data={self.all}", f"--labels={text}", f"--compare={self.model}", f"--calib={self.all}")
        self.assertEqual(self.fine(QCC_EVAL, self.model, f"--data={raw}", "--raw=f32:3x8x8,i64", f"--compare={self.model}", f"--calib={raw}"),
                         scores)

    def test_threads_and_batches(self):
        expected = self.text(f"--calib={self.all}", "--jobs=1")
        self.assertEqual(self.text(f"--calib={self.all}", "--jobs=3", "--calib-batch=5"), expected)

    def test_threads_round_alike(self):
        self.assertEqual(*(self.text(f"--calib={self.all}", "--effort=2", f"--jobs={jobs}") for jobs in (1, 3)))

    def test_steps(self):
        """Each step of the effort is named among the passes, dumped at its place, and left out when asked: all of them are effort 1."""
        steps = ["equalize", "cut_ranges", "round_weights", "correct_biases"]
        calib, dumps = f"--calib={self.all}", self.folder / "dumps"
        listed = self.fine(QCC, "--list-passes").decode()
        self.fine(QCC, self.model, calib, "-o", self.folder / "net.o", f"--dump-dir={dumps}")
        names = [path.stem.split("-", 1)[1] for path in sorted(dumps.iterdir())]
        self.assertEqual([path.stem.split("-")[0] for path in sorted(dumps.iterdir())], [f"{k:02}" for k in range(len(names))])
        at = names.index("equalize")
        self.assertEqual(names[at:at + len(steps)], steps)
        graphs = [path.read_text() for path in sorted(dumps.iterdir())][at:at + len(steps)]
        self.assertNotEqual(graphs[2], graphs[1], "weights were rounded")
        self.assertNotEqual(graphs[3], graphs[2], "biases were corrected")
        plain, whole = self.text(calib, "--effort=0"), self.text(calib)
        self.assertNotEqual(plain, whole)
        self.assertEqual(self.text(calib, f"--skip={','.join(steps)}"), plain)
        self.assertEqual(self.text(calib, *(f"--skip={step}" for step in [*steps, "picture_bytes"])), plain)
        for step in ("round_weights", "correct_biases"):
            self.assertNotIn(self.text(calib, f"--skip={step}"), (plain, whole), step)
        for step in [*steps, "picture_bytes"]:
            self.assertIn(f"\n{step} ", listed)
            if step != "picture_bytes": # pictures alone have such channels
                shown = run(QCC, self.model, calib, f"--print-ir-after={step}", "-o", self.folder / "net.o")
                self.assertEqual((shown[0], shown[2].count(f"// after {step}")), (0, 1), step)
        self.assertIn("'rounding' is none of", self.refused(2, QCC, self.model, calib, "--skip=rounding", "-o", self.folder / "x.o"))

    def test_which_samples(self):
        few = self.array("few.npy", (3, 8, 8, 3), [v for row in self.rows[:3] for v in row])
        self.assertEqual(self.text(f"--calib={self.all}", "--calib-samples=3"), self.text(f"--calib={few}"))
        seeded = self.text(f"--calib={self.all}", "--calib-samples=3", "--seed=3")
        self.assertEqual(seeded, self.text(f"--calib={self.all}", "--calib-samples=3", "--seed=3"))
        self.assertNotEqual(seeded, self.text(f"--calib={self.all}", "--calib-samples=3"))

    def test_several_inputs(self):
        model = self.folder / "sum.qir"
        model.write_text(SUM, encoding="utf-8")
        a = self.array("inputs/a.npy", (4, 5), [i / 7 - 1 for i in range(20)])
        b = self.array("inputs/b.npy", (4, 5), [2 - i / 5 for i in range(20)])
        expected = self.text(f"--calib=a:{a}", f"--calib=b:{b}", model=model)
        self.assertIn("from calibrated", expected)
        self.assertEqual(self.text(f"--calib={self.folder}/inputs", model=model), expected)
        for name, numbers in (("a", [i / 7 - 1 for i in range(20)]), ("b", [2 - i / 5 for i in range(20)])):
            lines = [f"each/{name}{row}.npy\n" for row in range(4)]
            for row, line in enumerate(lines):
                self.array(line.strip(), (1, 5), numbers[5 * row:5 * row + 5])
            (self.folder / f"{name}.txt").write_text("# rows\n" + "".join(lines))
        self.assertEqual(self.text(f"--calib=b:{self.folder}/b.txt", f"--calib=a:{self.folder}/a.txt", model=model), expected)
        self.wrong(["no input 'c': the model has 'a', 'b'"], f"--calib=a:{a}", f"--calib=c:{b}", model=model)
        self.wrong(["no samples for input 'b'"], f"--calib=a:{a}", model=model)
        self.wrong(["'b' has its samples already"], f"--calib=b:{b}", f"--calib=b:{b}", model=model)
        short = self.array("short.npy", (3, 5), [0] * 15)
        self.wrong(["3 samples for input 'b', 4 for 'a'"], f"--calib=a:{a}", f"--calib=b:{short}", model=model)
        os.remove(b)
        self.wrong(["nothing called as its input 'b'"], f"--calib={self.folder}/inputs", model=model)

    def test_state(self):
        """Reading it is an op without operands."""
        model, samples, one = self.folder / "stateful.qir", self.folder / "rows.npy", self.folder / "one.npy"
        model.write_text(stateful())
        samples.write_bytes(npy("<f4", (8, 4), [(i * 7 % 11 - 5) / 4 for i in range(32)]))
        one.write_bytes(npy("<f4", (1, 4), [1, -1, 0.5, 0.75]))
        real, integer = self.folder / "real.npy", self.folder / "integer.npy"
        self.fine(QCC_RUN, model, "-i", one, "-o", real, "--target=generic")
        for effort in range(3):
            self.fine(QCC_RUN, model, "-i", one, "-o", integer, "--target=generic", f"--calib={samples}", f"--effort={effort}")
            for want, got in zip(read_npy(real)[0], read_npy(integer)[0]):
                self.assertAlmostEqual(want, got, delta=0.03)

    def test_what_is_wrong_with_samples(self):
        self.wrong(["nowhere: error: No such file"], "--calib=nowhere")
        (self.folder / "empty").mkdir()
        self.wrong(["empty: error: no samples"], f"--calib={self.folder}/empty")
        odd = self.array("odd.npy", (2, 5, 3), [0] * 30)
        self.wrong(["odd.npy", "f32<2x5x3>", "f32<1x8x8x3>"], f"--calib={odd}")
        self.array("mixed/0.npy", (8, 8, 3), self.rows[0])
        self.array("mixed/1.npy", (8, 8, 2), [0] * 128)
        self.wrong(["mixed/1.npy", "f32<8x8x2>", "f32<1x8x8x3>"], f"--calib={self.folder}/mixed")
        binary = self.folder / "binary"
        binary.write_bytes(b"\x00\x01\x02")
        self.wrong(["binary: error: neither a picture"], f"--calib={binary}")
        cut = self.folder / "cut.npy"
        cut.write_bytes(self.all.read_bytes()[:-4])
        self.wrong(["cut.npy: error: the file is cut off"], f"--calib={cut}")

    def test_numbers_that_are_none(self):
        rows = [v for row in self.rows for v in row]
        rows[5 * PIXELS + 7] = math.nan
        self.wrong(["bad.npy, row 5: element 7 of input 'picture' is not a number"], f"--calib={self.array('bad.npy', (SAMPLES, 8, 8, 3), rows)}", "--jobs=3")
        model = self.folder / "sum.qir"
        model.write_text(SUM, encoding="utf-8")
        a = [1.0] * 40
        a[12] = a[33] = 3e38 # infinite times 2
        inputs = (self.array("a.npy", (8, 5), a), self.array("b.npy", (8, 5), [2.0] * 40))
        self.wrong(["a.npy, row 2: element 2 of the value 'product' becomes infinite"], f"--calib=a:{inputs[0]}", f"--calib=b:{inputs[1]}",
                   "--jobs=3", model=model)

    def save(self, name, *options):
        path = self.folder / name
        self.text(f"--save-stats={path}", "--effort=0", *options)
        return path

    def test_statistics(self):
        """Parts of the samples, merged in any order, are all of them; no samples are needed then."""
        expected = self.text(f"--calib={self.all}", "--effort=0")
        whole = self.save("whole.json", f"--calib={self.all}")
        parts = []
        for i in range(3):
            rows = [v for row in self.rows[4 * i:4 * i + 4] for v in row]
            samples = self.array(f"part{i}.npy", (4, 8, 8, 3), [30 ** i * v for v in rows]) # histograms of different widths
            parts.append(self.save(f"part{i}.json", f"--calib={samples}"))
        self.assertEqual(self.text(f"--load-stats={whole}"), expected)
        merged = self.save("merged.json", *(f"--load-stats={part}" for part in parts)).read_text()
        for order in ((2, 1, 0), (1, 0, 2)):
            self.assertEqual(self.save("again.json", *(f"--load-stats={parts[i]}" for i in order)).read_text(), merged)
        last = self.folder / "part2.npy"
        mixed = self.save("mixed.json", *(f"--load-stats={part}" for part in parts[:2]), f"--calib={last}").read_text()
        self.assertEqual(mixed, merged)
        self.assertEqual(json.loads(merged)["samples"], SAMPLES)
        self.assertEqual([v["count"] for v in json.loads(whole.read_text())["values"]][0], SAMPLES * PIXELS)

    def test_algorithms(self):
        """Each gives ranges, other names mean the same, and all of them are documented."""
        stats = self.save("s.json", f"--calib={self.all}", "--calib-batch=4")
        code, _, error = run(QCC, self.model, "--emit=ir", "-o", "-", f"--load-stats={stats}", "--algo=best")
        self.assertEqual(code, 2)
        names = re.search(r"there are (.*) \(see", error).group(1).split()
        self.assertIn("moving-average", names)
        names.remove("auto")  # which needs samples, see above
        documented = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
        texts = {name: self.text(f"--load-stats={stats}", f"--algo={name}") for name in names}
        for name, text in texts.items():
            self.assertIn(f'from calibrated "{name} of {SAMPLES} samples"', text)
            self.assertIn(f"| `{name}` |", documented)
        self.assertEqual(len(set(re.sub(r'"[\w-]+ of', "", text) for text in texts.values())), len(names))
        self.assertEqual(self.text(f"--load-stats={stats}"), texts["minmax"])
        for name, other in (("kl", "KL"), ("absmax", "abs_max"), ("hist", "HistQuantizer"), ("minmax", "MinMaxObserver")):
            self.assertEqual(self.text(f"--load-stats={stats}", f"--algo={other}"), texts[name])
        self.assertEqual(self.text(f"--load-stats={stats}", "--algo=hist", "--hist-percent=99.999%"), texts["hist"])
        self.assertNotEqual(self.text(f"--load-stats={stats}", "--algo=hist", "--hist-percent=0.9"), texts["hist"])
        symmetric = self.text(f"--load-stats={stats}", "--activation-scales=symmetric")
        self.assertNotEqual(symmetric, texts["minmax"])

    def test_scales_of_weights(self):
        """Per channel and per tensor, the largest magnitude and the least squared error, as computed here again."""
        r = random.Random(3)
        rows = [[r.gauss(0, 1) for _ in range(40)] for _ in range(3)]
        rows[0][7], rows[1] = 6.5, [2 * v for v in rows[1]]
        rows = [list(struct.unpack("40f", struct.pack("40f", *row))) for row in rows]
        model, all_weights = self.folder / "fc.qir", [v for row in rows for v in row]
        model.write_text(f'graph "fc" {{\n  input %0:f32<1x40> "x"\n  const %1:f32<3x40> "w" = {floats(all_weights)}\n'
                         '  %2:f32<1x3> "y" = fully_connected %0, %1\n  output %2 "y"\n}\n')
        calib = f"--calib={self.array('x.npy', (4, 40), [r.uniform(-1, 1) for _ in range(160)])}"
        def error(weights, scale):
            return sum((v - scale * max(min(round(v / scale), 127), -127)) ** 2 for v in weights)
        def least(weights):
            most = max(map(abs, weights)) / 127
            return min((most * share / 100 for share in range(100, 49, -1)), key=lambda scale: error(weights, scale))
        for options, expected in (
                ([], [max(map(abs, row)) / 127 for row in rows]), (["--weight-algo=channel_wise_abs_max"], [max(map(abs, row)) / 127 for row in rows]),
                (["--weight-algo=mse"], [least(row) for row in rows]), (["--weight-scales=tensor"], [max(map(abs, all_weights)) / 127]),
                (["--weight-scales=per_tensor", "--weight-algo=MSEChannelWiseWeightObserver"], [least(all_weights)])):
            text = self.text(calib, *options, model=model)
            line = next(line for line in text.splitlines() if '"w"' in line)
            got = [float(v) for v in re.search(r"<3x40; (?:axis 0: \[)?(.*?)\]?, 0>", line).group(1).split(", ")]
            self.assertEqual(len(got), len(expected), line)
            for a, b in zip(got, expected):
                self.assertAlmostEqual(a / b, 1, places=6, msg=line)
        for option in ("--weight-algo=best", "--weight-scales=row"):
            self.assertEqual(run(QCC, model, "--emit=ir", "-o", "-", calib, option)[0], 2)

    def test_options_without_samples(self):
        """What would have no effect is refused."""
        for option in ("--mean=127.5", "--std=2", "--resize=8", "--crop=8", "--layout=nhwc", "--bgr", "--raw=f32:8x8x3", "--weight-algo=mse",
                       "--weight-scales=tensor"):
            for program in ((QCC, self.model, "--emit=ir", "-o", "-"), (QCC_RUN, self.model)):
                code, _, error = run(*program, option)
                self.assertEqual(code, 2, option)
                self.assertIn("--calib", error)

    def test_layers_kept_in_float(self):
        """Groups, patterns and kinds of ops, with ranges from samples."""
        def real(*options):
            report = self.folder / "r.json"
            self.fine(QCC, self.model, "-o", self.folder / "m.o", f"--report={report}", f"--calib={self.all}", *options)
            return [op["op"] for op in json.loads(report.read_text())["ops"] if op["arithmetic"] == "float" and op["op"] != "reshape"]
        self.assertEqual(real(), [])
        self.assertEqual(real("--keep-float=first,last"), ["conv2d", "fully_connected"])
        self.assertEqual(real("--keep-float=se*,sc*"), ["conv2d", "avg_pool2d", "fully_connected"])
        self.assertEqual(real("--quantized-ops=conv")[-1], "fully_connected")
        self.assertNotIn("conv2d", real("--quantized-ops=conv"))
        self.wrong(["no layers of the group 'se'"], f"--calib={self.all}", "--keep-float=se")

    def test_sums_kept_in_float(self):
        """They are real, and so is what pools them for the last product; what is in between is on integers, and the code is what the
        graph says.  That is nearer to the real model."""
        model, report = self.folder / "residual.qir", self.folder / "r.json"
        model.write_text(residual(), encoding="utf-8")
        x = self.array("x.npy", (1, 8, 8, 3), self.rows[0])
        def scores(*options):
            self.fine(QCC_RUN, model, "-i", x, "-o", self.folder / "y.npy", *options)
            return read_npy(self.folder / "y.npy")[0]
        real, errors = scores(), []
        for kept in ("last", "sums,last"):
            options = f"--calib={self.all}", "--effort=0", f"--keep-float={kept}"
            compiled, interpreted = scores(*options), scores("--interp", *options)
            self.assertLess(max(abs(a - b) for a, b in zip(compiled, interpreted)), 1e-5)
            errors.append(sum((a - b) ** 2 for a, b in zip(compiled, real)))
        self.assertLess(errors[1], errors[0])
        self.fine(QCC, model, "-o", self.folder / "m.o", f"--report={report}", *options)
        ops = json.loads(report.read_text())["ops"]
        self.assertEqual([(op["name"], op["arithmetic"], op["why"]) for op in ops if op["op"] in ("mean", "fully_connected")],
                         [("average", "float", "between ops in float"), ("scores", "float", "kept in float by --keep-float")])
        self.assertEqual([op["arithmetic"] for op in ops if op["op"] == "conv2d"], ["int8"] * 3)
        text = self.text(*options, model=model)
        for name in ("stem", "sum", "second"):
            self.assertRegex(text, f'f32<1x8x8x8> "{name}')
        self.assertEqual(set(re.findall(r'u8<1x8x8x8[^>]*> "(\w+)', text)), {"stem", "sum"})

    def test_accuracy_asked_for(self):
        """Layers stay in float until it holds, the dearest ones, and it is said which."""
        report = self.folder / "r.json"
        def evaluate(*options):
            return json.loads(self.fine(QCC_EVAL, self.model, f"--calib={self.all}", f"--data={self.all}", f"--compare={self.model}", "--json",
                                        *options))
        plain = evaluate("--effort=0")["sqnr_db"]
        self.wrong(["with every layer on integers, and what is asked for only with none"], f"--calib={self.all}", "--min-sqnr=150")
        # A price is what the layer's integers alone do, all others being real.
        _, _, error = run(QCC, self.model, f"--calib={self.all}", "--effort=0", "--weight-bits=4", "--min-sqnr=30", "-o", self.folder / "m.o")
        prices = re.findall(r"'(\w+)' \(([\d.]+) dB alone\)", error)
        self.assertTrue(prices, error)
        for name, price in prices:
            others = ",".join(layer for layer in ("first", "second", "average", "scores") if layer != name)
            alone = evaluate("--effort=0", "--weight-bits=4", f"--keep-float={others}", "--limit=16")["sqnr_db"]
            self.assertAlmostEqual(float(price), alone, delta=0.3, msg=name)
        # A range that cuts off nearly everything; classes as the real model has them, of pictures of one colour.
        scales, samples = self.folder / "scales.txt", self.folder / "samples.txt"
        scales.write_text("0 0.000001 first\n")
        r, classes, real = random.Random(2), [], self.folder / "real.so"
        self.fine(QCC, self.model, "--target=native", "-o", real)
        for i in range(SAMPLES):
            x = self.array(f"each/{i:02}.npy", (1, 8, 8, 3), [r.uniform(-4, 4) for _ in range(3)] * 64)
            self.fine(QCC_RUN, real, "-i", x, "-o", self.folder / "y.npy")
            y = read_npy(self.folder / "y.npy")[0]
            classes.append(max(range(10), key=lambda k: y[k]))
        samples.write_text("".join(f"each/{i:02}.npy\t{k}\n" for i, k in enumerate(classes)))
        self.assertGreater(len(set(classes)), 2)
        rounded = evaluate("--effort=2")["sqnr_db"]  # what is measured is what is compiled, weights being rounded, too
        self.assertNotEqual(rounded, plain)
        self.assertEqual(evaluate("--effort=2", f"--min-sqnr={rounded - 0.05}")["sqnr_db"], rounded)
        command = (QCC, self.model, f"--calib={samples}", f"--scales={scales}", "--min-sqnr=30", "--max-drop=0.0%", f"--report={report}", "-o", self.folder / "m.o")
        code, _, error = run(*command)
        self.assertEqual(code, 0, error)
        self.assertRegex(error, r"warning: .*% right with every layer on integers; .* 100.00 % right with 1 of \d in float, "
                                r"which are [1-9]\d?\.\d % of the multiply-adds and take \d+\.\d+ times the time by estimate, "
                                r"\d+\.\d+ times on this machine: 'second")
        ops = json.loads(report.read_text())["ops"]
        real = [op for op in ops if op["arithmetic"] == "float"]
        self.assertEqual([op["name"].split(",")[0] for op in real], ["second"])
        self.assertIn("its integers alone leave", real[0]["why"])
        self.wrong(["all.npy, row 0 has no class"], f"--calib={self.all}", "--max-drop=1%")
        for option in ("--min-sqnr=25", "--max-drop=1%", "--max-slowdown=5%", f"--calib={self.all} --max-slowdown=0", f"--calib={self.all} --max-slowdown=x%", f"--calib={self.all} --min-sqnr=0", f"--calib={self.all} --max-drop=2"):
            self.assertEqual(run(QCC, self.model, "--emit=ir", "-o", "-", *option.split())[0], 2, option)

    def test_time_allowed(self):
        """What gains most stays in float within the time, by an estimate; with an accuracy asked for, as few as reach it."""
        coarse = (f"--calib={self.all}", "--weight-bits=4", "--effort=0")
        def compiled(*options, warns=True):
            """The dB before and after, the layers in float and the estimate of the slowdown, as the warning says them."""
            code, _, error = run(QCC, self.model, *coarse, *options, "-o", self.folder / "m.o", f"--report={self.folder / 'r.json'}")
            self.assertEqual(code, 0, error)
            found = re.search(r"warning: ([\d.]+) dB with every layer on integers; ([\d.]+) dB with (\d) of \d in float.* take ([\d.]+) times the time by estimate", error)
            self.assertEqual(found is not None, warns, error)
            return [float(x) for x in found.groups()] if found else error
        before, most, layers, slowdown = compiled("--max-slowdown=300%")
        self.assertGreater(most, before + 3)
        self.assertLessEqual(slowdown, 4)
        ops = json.loads((self.folder / "r.json").read_text())["ops"]
        self.assertEqual(sum("--max-slowdown; its integers alone leave" in op["why"] for op in ops if op["arithmetic"] == "float"), layers)
        # Sums have no integers between real products; they are taken nevertheless where they gain.
        model = self.folder / "residual.qir"
        model.write_text(residual(), encoding="utf-8")
        self.fine(QCC, model, f"--calib={self.all}", "--effort=0", "--max-slowdown=30%", "-o", self.folder / "m.o", f"--report={self.folder / 'r.json'}")
        sums, = (op for op in json.loads((self.folder / "r.json").read_text())["ops"] if op["name"] == "sum" and "add" in op["fused"])
        self.assertEqual([(r["name"], r["type"]) for r in sums["results"]], [("sum", "f32")])
        # Less time, less of it; and none that does not fit.
        _, some, _, slowdown = compiled("--max-slowdown=0.4")
        self.assertTrue(before < some <= most, some)
        self.assertLessEqual(slowdown, 1.4)
        self.assertIn("no layer in float gains within --max-slowdown=0.001%", compiled("--max-slowdown=0.001%", warns=False))
        # As few as do, and an error where they don't.
        asked = round((before + some) / 2, 1)
        _, reached, _, less = compiled("--max-slowdown=300%", f"--min-sqnr={asked}")
        self.assertTrue(asked <= reached <= most, reached)
        self.assertLessEqual(less, 4)
        self.assertNotIn("warning", compiled("--max-slowdown=300%", f"--min-sqnr={before - 1}", warns=False))
        self.wrong(["dB at most with --max-slowdown=40%: less than asked for"], *coarse, "--max-slowdown=40%", "--min-sqnr=90")
        # The choice is that of another machine: the object is the same for whatever target it is run while being chosen.
        self.assertEqual(self.text(*coarse, "--max-slowdown=0.4"), self.text(*coarse, "--max-slowdown=0.4", "--jobs=1"))

    def test_16_bits(self):
        """Products multiply int16 by int8; all else is real."""
        text = self.text(f"--calib={self.all}", "--activation-bits=16")
        self.assertRegex(text, r":i16<[^>]*> [^\n]*= quantize %")
        self.assertRegex(text, r":f32<[^>]*>[^\n]*= conv2d ")
        self.assertNotRegex(text, r":u8<")
        words = re.findall(r"%(\d+):i16<", text)
        self.assertTrue(any(re.search(rf"= conv2d %{w}, ", text) for w in words))
        self.assertRegex(text, r"const %\d+:i8<[^\n]*axis")
        def evaluate(*options):
            return json.loads(self.fine(QCC_EVAL, self.model, f"--calib={self.all}", f"--data={self.all}", f"--compare={self.model}", "--json",
                                        "--effort=0", *options))["sqnr_db"]
        exact = evaluate("--activation-bits=16")
        self.assertGreater(exact, evaluate())
        self.assertAlmostEqual(exact, evaluate("--activation-bits=16", "--interp"), delta=0.2)

    def test_few_bits(self):
        """Values have as many integers as so many bits, and the compiled code those of the interpreter; no option is left unsaid."""
        def values(*options):
            text = self.text(f"--calib={self.all}", *options)
            return text, re.findall(r"%\d+:u8<[^;]*; [^,>]*, \d+([^>]*)>", text)
        for bits, options in ((4, ()), (2, ("--algo=mse", "--effort=0")), (3, ("--activation-scales=symmetric", "--weight-bits=3"))):
            text, grids = values(f"--activation-bits={bits}", *options)
            self.assertTrue(grids)
            for grid in grids:
                low, high = map(int, re.fullmatch(r", (\d+) to (\d+)", grid).groups())
                self.assertLessEqual(high - low, 2 ** bits - 1)
            for where in ("", "--interp"):
                out = self.fine(QCC_EVAL, self.model, f"--calib={self.all}", f"--data={self.all}", f"--compare={self.model}", "--json",
                                f"--activation-bits={bits}", *options, *filter(None, [where]))
                if where:
                    self.assertAlmostEqual(json.loads(out)["sqnr_db"], sqnr, places=3)
                sqnr = json.loads(out)["sqnr_db"]
        report = self.folder / "few.json"
        self.fine(QCC, self.model, f"--calib={self.all}", "--activation-bits=4", f"--report={report}", "--emit=ir", "-o", self.folder / "few.qir")
        results = [v for op in json.loads(report.read_text())["ops"] for v in op["results"] if v["type"] == "u8"]
        self.assertEqual({(v["least"], v["most"]) for v in results}, {(0, 15)})
        self.assertEqual(self.text(f"--calib={self.all}", "--activation-bits=8"), self.text(f"--calib={self.all}"))
        written = self.folder / "few.tflite"
        self.fine(QCC, self.model, f"--calib={self.all}", "--activation-bits=4", "-o", written)
        out = self.fine(QCC_EVAL, written, f"--data={self.all}", f"--compare={self.model}", "--json", "--interp")
        self.assertGreater(json.loads(out)["sqnr_db"], 20)  # the last product, real above, has 16 integers here
        ends = re.findall(r"const (%\d+):i8<; [^>]*> .*= \[-113\]", self.fine(QCC, written, "--emit=ir", "-O0", "-o", "-").decode())
        self.assertGreater(len(ends), 4)
        for option in ("1", "9", "15", "17", "x"):
            self.assertEqual(run(QCC, self.model, "--emit=ir", "-o", "-", f"--calib={self.all}", f"--activation-bits={option}")[0], 2, option)

    def test_real_model_as_text(self):
        """What --quantize=none has written, with sums in its products, becomes the integers that the model itself does."""
        model, real, results = self.folder / "residual.qir", self.folder / "real.qir", []
        model.write_text(residual(), encoding="utf-8")
        self.fine(QCC, model, "--quantize=none", "-o", real)
        self.assertRegex(real.read_text(encoding="utf-8"), r"= conv2d %\d+, %\d+, %\d+, %\d+")
        for model in (model, real):
            results.append(self.folder / f"{model.stem}.npy")
            self.fine(QCC_RUN, model, f"--calib={self.all}", "--random=3", "-o", results[-1])
        self.assertEqual(results[0].read_bytes(), results[1].read_bytes())

    def test_ranges_as_text(self):
        scales, options = self.folder / "scales.txt", (f"--calib={self.all}", "--effort=0")
        expected = self.text(f"--save-scales={scales}", *options)
        lines = scales.read_text().splitlines()
        self.assertEqual(lines[0], "# low high value")
        self.assertIn("first", [line.split(" ", 2)[2] for line in lines[1:]])
        def grids(text):
            return re.sub(r' from calibrated "[^"]*"', "", text)
        self.assertEqual(grids(self.text(f"--scales={scales}")), grids(expected))
        first = next(line for line in lines if line.endswith(" first"))
        scales.write_text("\n# edited\r\n\t0 2.55\tfirst\n")
        edited = self.text(f"--scales={scales}", *options)
        self.assertIn(f'; 0.01, 0> "first" from calibrated "--scales={scales}"', edited.replace(", 128>", ", 0>"))
        self.assertEqual(edited.count("from calibrated"), expected.count("from calibrated"))
        self.assertNotIn("2.55", first)
        for text, error in (("0 x first", "not of the form"), ("1 0 first", "no range"), ("0 inf first", "no range"), ("0 1", "not of the form"),
                            ("0 1 other", "no value 'other'")):
            scales.write_text("# x\n" + text + "\n")
            self.wrong(["scales.txt", error], f"--scales={scales}", *options)

    def test_statistics_of_others_are_refused(self):
        stats = self.save("s.json", f"--calib={self.all}")
        other = self.folder / "other.qir"
        other.write_text(network(6), encoding="utf-8")
        self.wrong(["s.json", "of another model"], f"--load-stats={stats}", model=other)
        good = json.loads(stats.read_text())
        for change in (lambda j: j["values"][0].update(count=7), lambda j: j["values"][0]["bins"].insert(0, 5000), lambda j: j["values"].pop(),
                       lambda j: j["values"][1].update(low=1e39), lambda j: j["values"][1].update(exponent=400), lambda j: j.update(graph="1"),
                       lambda j: j["values"][0].update(name="x"), lambda j: j.pop("samples"), lambda j: j.update(qcc_statistics=2),
                       lambda j: j["values"][0].update(runs=[[1, 2]]), lambda j: j["values"][0].update(bins=[0, 1])):
            damaged = json.loads(json.dumps(good))
            change(damaged)
            stats.write_text(json.dumps(damaged))
            self.wrong(["s.json: error: "], f"--load-stats={stats}")
        for text in ("", "{}", "[1]", '{"qcc_statistics": 1', "\xff"):
            stats.write_text(text, encoding="latin-1")
            self.wrong(["s.json: error: no statistics that --save-stats wrote"], f"--load-stats={stats}")

    def test_interrupted(self):
        """SIGINT leaves what was seen until then, and no object."""
        count = 200000
        self.array("one.npy", (8, 8, 3), self.rows[0])
        many = self.folder / "many.txt"
        many.write_text("one.npy\n" * count)
        stats, output = self.folder / "s.json", self.folder / "m.o"
        for wait in (0.5, 1, 2, 4): # it has to come after the start and before the end
            with subprocess.Popen([QCC, self.model, f"--calib={many}", f"--save-stats={stats}", "-o", output, "--jobs=2"],
                                  stderr=subprocess.PIPE) as qcc:
                time.sleep(wait)
                qcc.send_signal(signal.SIGINT)
                _, error = qcc.communicate()
            self.assertFalse(output.exists() and qcc.returncode != 0)
            if qcc.returncode == 1:
                self.assertIn(f"of {count} samples, which are counted in {stats}".encode(), error)
                self.assertLess(json.loads(stats.read_text())["samples"], count)
                self.text(f"--load-stats={stats}")
                return
        self.skipTest("SIGINT never came while samples were counted")

    def test_evaluation_against_reals(self):
        labels = self.folder / "labels.txt"
        labels.write_text("".join(f"{i % 10}\n" for i in range(SAMPLES)))
        got = json.loads(self.fine(QCC_EVAL, self.model, f"--calib={self.all}", f"--data={self.all}", f"--labels={labels}",
                                   f"--compare={self.model}", "--json"))
        self.assertGreater(got["sqnr_db"], 30) # the other one stays real, or they would be equal
        self.assertGreater(got["agreement"], 0.9)

    def test_layers_against_reals(self):
        """Layers by name, the same scores with and without them, and no labels where nothing is asked about classes."""
        options = (f"--calib={self.all}", "--effort=0", f"--data={self.all}", f"--compare={self.model}", "--limit=5")
        plain = json.loads(self.fine(QCC_EVAL, self.model, *options, "--json"))
        self.assertEqual(sorted(plain), ["agreement", "samples", "sqnr_db"])
        got = json.loads(self.fine(QCC_EVAL, self.model, *options, "--json", "--layers"))
        layers = got.pop("layers")
        self.assertEqual(got, plain)
        self.assertEqual([(layer["name"], layer["op"]) for layer in layers],
                         [("first", "conv2d"), ("second", "conv2d"), ("average", "mean"), ("scores", "fully_connected")])
        for layer in layers:
            self.assertTrue(25 < layer["sqnr_db"] < 80 and 0.5 < layer["agreement"] <= 1, layer)
        self.assertAlmostEqual(layers[-1]["sqnr_db"], plain["sqnr_db"], places=5)
        equalized = json.loads(self.fine(QCC_EVAL, self.model, *options, "--effort=1", "--json", "--layers"))
        self.assertEqual([layer["name"] for layer in equalized["layers"]], ["first", "scores"])  # the others' channels have factors
        text = self.fine(QCC_EVAL, self.model, *options, "--layers").decode()
        self.assertRegex(text, r"second +conv2d +[0-9.]+ +[0-9.]+ %")
        same = json.loads(self.fine(QCC_EVAL, self.model, f"--data={self.all}", f"--compare={self.model}", "--json", "--layers"))
        self.assertTrue(all(layer["sqnr_db"] is None and layer["agreement"] == 1 for layer in same["layers"]))
        for wrong in (("--layers",), ("--layers", f"--compare={self.model}", "--interp")):
            self.assertEqual(run(QCC_EVAL, self.model, f"--data={self.all}", *wrong)[0], 2)

    def test_workflows(self):
        """What users of other quantizers do, with their words, on a trained network: its accuracy stays."""
        digits = ROOT / "examples" / "digits"
        model, samples = digits / "digits_float.tflite", f"--calib={digits / 'calibration.npy'}"
        evaluate = (f"--data={digits / 'held_out.npy'}", f"--labels={digits / 'held_out.txt'}", f"--compare={model}", "--json")
        for name, options in (("KL", ["--algo=KL"]), ("direct", ["--algo=direct"]), ("chosen types", ["--quantized-ops=conv2d,depthwise_conv2d"]),
                              ("batches", ["--algo=avg", "--calib-batch=10", "--calib-samples=80"]),
                              ("percentile", ["--algo=HistQuantizer", "--hist-percent=0.9999", "--keep-float=last"])):
            with self.subTest(name):
                got = json.loads(self.fine(QCC_EVAL, model, samples, *options, *evaluate))
                self.assertEqual(got["samples"], 300)
                self.assertGreaterEqual(got["top1"], got["other_top1"] - 0.02)
                saved = self.folder / "saved.tflite"
                self.fine(QCC, model, samples, *options, "-o", saved)
                again = json.loads(self.fine(QCC_EVAL, saved, *evaluate))
                self.assertGreaterEqual(again["top1"], got["other_top1"] - 0.02)

    def test_workflow_without_squeeze(self):
        """Percentiles, squeeze-and-excitation left in float, on a network with such blocks that the example's script trains; saved and
        evaluated."""
        digits = ROOT / "examples" / "digits"
        real, saved, report = (self.folder / name for name in ("real.tflite", "saved.tflite", "r.json"))
        self.model.write_text(squeezed(), encoding="ascii")
        self.fine(QCC_TUNE, self.model, f"--data={digits / 'train.npy'}", f"--labels={digits / 'train.txt'}", "--quantize=none", "--seed=7",
                  "--epochs=6", "--lr=0.05", "--validation=0", "-o", real)
        evaluate = (f"--data={digits / 'held_out.npy'}", f"--labels={digits / 'held_out.txt'}", f"--compare={real}", "--json")
        options = (f"--calib={digits / 'calibration.npy'}", "--algo=hist", "--hist-percent=0.9999", "--keep-float=se")
        got = json.loads(self.fine(QCC_EVAL, real, *options, *evaluate))
        self.assertGreater(got["other_top1"], 0.9)
        self.assertGreaterEqual(got["top1"], got["other_top1"] - 0.02)
        self.fine(QCC, real, *options, "-o", saved)
        self.assertGreaterEqual(json.loads(self.fine(QCC_EVAL, saved, *evaluate))["top1"], got["other_top1"] - 0.02)
        self.fine(QCC, real, *options, "-o", self.folder / "m.o", f"--report={report}")
        kept = [op["name"] for op in json.loads(report.read_text())["ops"] if "--keep-float" in (op["why"] or "")]
        self.assertEqual(sorted(set(kept)), ["excite", "gate", "scaled", "squeeze", "squeezed"])

    def test_readme(self):
        """The command that README.md has for this: integers as accurate as the real numbers were."""
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        lines = readme.replace("\\\n", " ").replace("&&\n", "&& ").splitlines()
        command = next(line for line in lines if "--calib=examples" in line and line.startswith("build/compiler/qcc"))
        compile_it, evaluate = (part.split()[1:] for part in command.split(" && "))
        output = self.folder / "digits.o"
        compile_it[compile_it.index("-o") + 1] = output
        self.fine(QCC, *compile_it, cwd=ROOT)
        self.assertGreater(output.stat().st_size, 0)
        got = json.loads(self.fine(QCC_EVAL, *evaluate, "--json", cwd=ROOT))
        self.assertEqual(got["samples"], 300)
        self.assertGreater(got["other_top1"], 0.96)
        self.assertGreaterEqual(got["top1"], got["other_top1"] - 0.01)
        self.assertGreater(got["sqnr_db"], 20)

    def test_objects(self):
        outputs = [self.folder / "a.o", self.folder / "b.o"]
        for path in outputs:
            self.fine(QCC, self.model, f"--calib={self.all}", "-o", path, "--name=net", "--target=avx2")
        self.assertEqual(outputs[0].read_bytes(), outputs[1].read_bytes())
        code, _, _ = run(QCC, self.model, f"--calib={self.all}", "--quantize=none", "-o", outputs[0])
        self.assertEqual(code, 2)


if __name__ == "__main__":
    main()
