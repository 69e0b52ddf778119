"""Protects qcc-tune: a network learns, what is written computes as it did in training; the bytes do not depend on threads, nor
on memory; what can't be trained, or what options can't mean, is refused."""
import json
import os
import random
import re
import struct
import subprocess
import sys
from pathlib import Path

from common import QCC, QCC_EVAL, QCC_TUNE, ROOT, Case, main, npy

DIGITS = ROOT / "examples" / "digits"
SAMPLES = ["--data=" + str(DIGITS / "held_out.npy"), "--labels=" + str(DIGITS / "held_out.txt")]
LINE = re.compile(r"step (\d+) of (\d+): (?:loss (\S+), \w+ (\S+) %; )?validation: loss (\S+), \w+ (\S+) %(, the best so far)?")


def constant(rng, size, spread):
    return "dense<0x" + struct.pack(f"<{size}f", *(rng.uniform(-spread, spread) for _ in range(size))).hex() + ">"


def network(seed=3):
    """For the digits, 8x8: it has learned nothing yet."""
    rng = random.Random(seed)
    return f"""graph "digits" {{
  input %0:f32<1x8x8x1> "x"
  const %1:f32<16x3x3x1> "w1" = {constant(rng, 144, 0.6)}
  const %2:f32<16> "b1" = splat 0.01
  %3:f32<1x8x8x16> "conv1" = conv2d %0, %1, %2 {{pad = [1, 1, 1, 1], act = relu}}
  const %4:f32<1x3x3x16> "w2" = {constant(rng, 144, 0.6)}
  const %5:f32<16> "b2" = splat 0.01
  %6:f32<1x4x4x16> "depthwise" = depthwise_conv2d %3, %4, %5 {{stride = [2, 2], pad = [0, 0, 1, 1], act = relu6}}
  %7:f32<1x256> = reshape %6
  const %8:f32<10x256> "w3" = {constant(rng, 2560, 0.1)}
  const %9:f32<10> "b3" = splat 0
  %10:f32<1x10> "scores" = fully_connected %7, %8, %9
  %11:f32<1x10> "classes" = softmax %10
  output %11 "classes"
}}
"""


class TuneCase(Case):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "digits.tflite"
        self.write_model(network())

    def write_model(self, contents):
        text = self.folder / "text.qir"
        text.write_text(contents, encoding="utf-8")
        self.fine(QCC, text, "--quantize=none", "-o", self.model)

    def tune(self, output, *arguments, samples=SAMPLES):
        """Returns a line's numbers for each validation: step, of, loss and share of those trained with, and of those kept."""
        done = subprocess.run([QCC_TUNE, self.model, *samples, "-o", self.folder / output, *arguments], capture_output=True,
                              check=False, text=True, timeout=200)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [match.groups() for match in map(LINE.fullmatch, done.stderr.splitlines()) if match]

    def top1(self, model, *arguments):
        out = self.fine(QCC_EVAL, model, *SAMPLES, *arguments).decode()
        return float(re.search(r"top-1 ([\d.]+)", out).group(1))


class Tune(TuneCase):
    def test_learns(self):
        lines = self.tune("learned.qir", "--epochs=12", "--lr=0.3")
        self.assertEqual(lines[0][0], "0")
        self.assertEqual(lines[-1][0], lines[-1][1])
        self.assertLess(float(lines[-1][2]), 0.1 * float(lines[1][2]))
        self.assertGreater(float(lines[-1][5]), 75)
        self.assertLess(self.top1(self.model), 25)
        self.assertGreater(self.top1(self.folder / "learned.qir"), 85)

    def test_what_is_trained_is_what_is_compiled(self):
        """Classes of the kept state are those that the integers give: over all samples, nearly all of which it was trained on."""
        lines = self.tune("all.qir", "--epochs=8", "--lr=0.05", "--validation=0.98", "--batch=3", "--seed=2")
        best = max((line for line in lines if line[6]), key=lambda line: int(line[0]))
        self.assertAlmostEqual(self.top1(self.folder / "all.qir"), float(best[5]), delta=3)

    def test_ranges_are_learned(self):
        for arguments in (["--activation-quantize=lsq", "--range-lr=0.2"], ["--activation-quantize=range"]):
            with self.subTest(arguments):
                lines = self.tune("ranges.qir", "--epochs=6", "--lr=0.1", *arguments)
                self.assertLess(float(lines[-1][2]), 0.5 * float(lines[1][2]))
                self.assertGreater(self.top1(self.folder / "ranges.qir"), 60)

    def test_clips_are_learned(self):
        """A network that has learned, on 3 bits: ranges end where cutting off weighs as much as steps, which is narrower than what there was."""
        self.model = DIGITS / "digits_float.tflite"
        for kind, least in ((["--activation-scales=affine"], 90), (["--activation-scales=symmetric"], 75)):
            scales = []
            for name, arguments in (("plain.qir", []), ("clipped.qir", ["--pact=0.01"])):
                lines = self.tune(name, "--epochs=4", "--activation-bits=3", "--weight-bits=4", "--seed=1", "--validation=0", *kind, *arguments)
                scales.append([float(s) for s in re.findall(r":u8<[\dx]+; ([\d.e-]+), \d+, \d+ to \d+>", (self.folder / name).read_text(encoding="utf-8"))])
            self.assertGreater(self.top1(self.folder / "clipped.qir"), least, lines)
            self.assertLess(sum(scales[1]), 0.95 * sum(scales[0]))

    def test_teaches_itself(self):
        """Without labels the model on integers learns what the real one says."""
        lines = self.tune("taught.qir", "--epochs=2", samples=SAMPLES[:1])
        self.assertLess(float(lines[-1][4]), 0.1)
        out = self.fine(QCC_EVAL, self.folder / "taught.qir", *SAMPLES[:1], f"--compare={self.model}").decode()
        self.assertGreater(float(re.search(r"same class for ([\d.]+)", out).group(1)), 80)

    def test_rounded_weights_stay(self):
        """With --effort=2 ranges and biases alone are trained: weights are rounded from the samples before."""
        text = [self.folder / "before.qir", self.folder / "after.qir"]
        self.fine(QCC, self.model, SAMPLES[0].replace("data", "calib"), "--effort=2", "--calib-samples=100", "--seed=0", "-o", text[0])
        self.tune("after.qir", SAMPLES[0].replace("data", "calib"), "--effort=2", "--calib-samples=100", "--epochs=2", samples=SAMPLES[:1])
        weights = [re.findall(r"const %\d+:i8<([\dx]+).*= (.*)", t.read_text(encoding="utf-8")) for t in text]
        self.assertEqual(len(weights[0]), 3)
        self.assertEqual(weights[0], weights[1])
        self.assertNotEqual(text[0].read_bytes(), text[1].read_bytes())

    def test_kept_in_float(self):
        """What calibration keeps in float for the accuracy, in the time allowed, is trained in real numbers and stays so."""
        self.model = DIGITS / "digits_float.tflite"
        for asked, bits, why in (("--max-slowdown=60%", 2, "--max-slowdown;"), ("--min-sqnr=22", 3, "the accuracy asked for;")):
            report = self.folder / "report.json"
            lines = self.tune("kept.qir", asked, f"--report={report}", "--effort=1", f"--weight-bits={bits}", "--epochs=2", "--validation=0.98", "--batch=3")
            kept = [op for op in json.loads(report.read_text())["ops"] if why in op["why"]]
            self.assertTrue(kept, asked)
            self.assertTrue(all(op["arithmetic"] == "float" for op in kept), kept)
            best = max((line for line in lines if line[6]), key=lambda line: int(line[0]))
            self.assertAlmostEqual(self.top1(self.folder / "kept.qir"), float(best[5]), delta=3)

    def test_few_bits(self):
        """What 3 bits cost comes back."""
        self.tune("learned.tflite", "--epochs=12", "--lr=0.3", "--weight-bits=3")
        integers = re.findall(r"const %\d+:i8<[^=]*= dense<0x([0-9a-f]*)>", (self.fine(
            QCC, self.folder / "learned.tflite", "--emit=ir", "-o", "-")).decode())
        values = {v - 256 if v > 127 else v for each in integers for v in bytes.fromhex(each)}
        self.assertLessEqual(values, set(range(-3, 4)))
        self.assertGreater(len(values), 5)
        self.assertGreater(self.top1(self.folder / "learned.tflite"), 75)

    def test_few_bits_of_values(self):
        """What is trained with 3 bits is what is compiled."""
        lines = self.tune("few.qir", "--epochs=10", "--lr=0.05", "--activation-bits=3", "--weight-bits=4", "--validation=0.98", "--batch=3")
        self.assertIn("0 to 7>", (self.folder / "few.qir").read_text(encoding="utf-8"))
        best = max((line for line in lines if line[6]), key=lambda line: int(line[0]))
        self.assertAlmostEqual(self.top1(self.folder / "few.qir"), float(best[5]), delta=5)

    def test_weights_are_cut_off(self):
        """A threshold for each channel is learned; what is compiled are weights that have been cut off there."""
        arguments = ["--epochs=8", "--lr=0.05", "--weight-bits=4", "--validate-every=20", "--seed=3"]
        lines = self.tune("plain.qir", *arguments)
        cut = self.tune("cut.qir", *arguments, "--weight-preprocess=pact:0.1", "--range-lr=0.02")
        self.assertEqual(lines[0], cut[0])
        self.assertNotEqual(lines[-1], cut[-1])
        self.assertGreater(float(cut[-1][5]), 60)
        largest = [max(float(s) for line in (self.folder / name).read_text(encoding="utf-8").splitlines() if re.match(r"  const %\d+:i8", line)
                       for s in re.findall(r"[\d.]+(?:e-\d+)?", line.split(">")[0].split("[")[1])) for name in ("plain.qir", "cut.qir")]
        self.assertLess(largest[1], 0.9 * largest[0])

    def test_mixed_samples(self):
        """The model of real numbers says what two samples together are."""
        lines = self.tune("mixed.qir", "--epochs=2", "--augment=mix,flip", samples=SAMPLES[:1])
        self.assertLess(float(lines[-1][4]), 0.1)

    def config(self, **keys):
        path = self.folder / "config.json"
        path.write_text(json.dumps(keys), encoding="utf-8")
        return f"--config={path}"

    def test_calibrated_with_copies(self):
        """Copies that are mirrored or not, so many that each sample comes in both forms: ranges are those of a file with both.  The
        bytes are the same for any number of threads."""
        rng = random.Random(5)
        values = [rng.gauss(0, 1) * (1 + i % 8) for i in range(6 * 64)]  # larger on the right
        mirrored = [values[i - i % 8 + 7 - i % 8] for i in range(len(values))]
        (self.folder / "once.npy").write_bytes(npy("<f4", (6, 8, 8, 1), values))
        (self.folder / "both.npy").write_bytes(npy("<f4", (12, 8, 8, 1), values + mirrored))
        still = ("--epochs=1", "--batch=6", "--lr=1e-30", "--range-lr=1e-30", "--validation=0", "--effort=0", "--algo=minmax")
        def made(*arguments):
            self.tune("made.qir", *still, *arguments, samples=[f"--data={self.folder / 'once.npy'}"])
            return (self.folder / "made.qir").read_text(encoding="utf-8")
        both = made(f"--calib={self.folder / 'both.npy'}")
        self.assertEqual(made("--augment=flip", "--calib-copies=20"), both)
        self.assertNotEqual(made("--augment=flip"), both)
        changed = ("--augment=flip,shift:1,mix", "--calib-copies=3", "--effort=2")
        self.assertEqual(made(*changed, "--threads=1"), made(*changed, "--threads=2"))

    def test_configuration(self):
        """Keys are options: the same bytes."""
        self.tune("keys.qir", "--epochs=1", self.config(
            weight_quantize_type="abs_max", activation_quantize_type="moving_average_abs_max", weight_preprocess_type="PACT", fuse_conv_bn=True,
            activation_preprocess_type="PACT", weight_bits=7, activation_bits=5, moving_rate=0.8, window_size=10000,
            quantizable_layer_type=["Conv2D", "Linear"], not_quant_pattern=["skip_quant", "depthw"], dtype="int8", for_tensorrt=False,
            is_full_quantize=False, onnx_format=True))
        self.tune("options.qir", "--epochs=1", "--weight-scales=tensor", "--pact=0.0001", "--weight-bits=7", "--activation-bits=5", "--moving-rate=0.8",
                  "--quantized-ops=conv2d,depthwise_conv2d,fc", "--keep-float=*depthw*", "--weight-preprocess=pact:0.0001")
        self.assertEqual((self.folder / "keys.qir").read_bytes(), (self.folder / "options.qir").read_bytes())

    def test_configuration_refused(self):
        output = ["-o", self.folder / "out.qir"]
        for keys, reason in (({"weight_bit": 8}, "'weight_bit' is no key"), ({"weight_preprocess_type": "LSQ"}, "is neither null nor PACT"), ({"fuse_conv_bn": 0}, "is neither true nor false"),
                             ({"activation_quantize_type": "abs_max"}, "known before"), ({"activation_bits": 16}, "next to nothing"), ({"activation_bits": 1}, "2"),
                             ({"weight_bits": "8"}, "is no number"), ({"moving_rate": 1}, "not less than 1"), ({"dtype": "int4"}, "is not int8"),
                             ({"quantize_op_types": ["conv2d", 3]}, "is no name"), ({"for_tensorrt": True}, "is not false"),
                             ({"not_quant_pattern": ["x"] * 65}, "too long"), ({"window_size": 0}, "steps")):
            with self.subTest(keys):
                self.assertIn(reason, self.refused(2, QCC_TUNE, self.model, *SAMPLES, *output, self.config(**keys)))
        path = self.folder / "config.json"
        for text, reason in (("[]", "no object"), ("{", "line 1"), ('{"dtype": "int8", "dtype": "int8"}', "duplicate")):
            path.write_text(text, encoding="utf-8")
            self.assertIn(reason, self.refused(2, QCC_TUNE, self.model, *SAMPLES, *output, f"--config={path}"))
        self.assertIn("config", self.refused(2, QCC_TUNE, self.model, *SAMPLES, *output, f"--config={self.folder}/none.json"))
        self.assertIn("second", self.refused(2, QCC_TUNE, self.model, *SAMPLES, *output, self.config(), self.config()))

    def test_examples_digits(self):
        """The model of examples/digits is trained from nothing: here for a shorter time."""
        path = {"PATH": os.pathsep.join(str(Path(program).parent) for program in (QCC, QCC_TUNE)) + os.pathsep + os.environ["PATH"]}
        folders = self.folder / "one", self.folder / "two"
        for threads, folder in enumerate(folders, 1):
            folder.mkdir()
            self.fine(sys.executable, DIGITS / "train.py", folder, f"--threads={threads}", "--epochs=15", environment=path)
        for name in ("digits.tflite", "digits_float.tflite"):
            self.assertEqual(*((folder / name).read_bytes() for folder in folders))
            right = [float(re.search(r"top-1 ([\d.]+)", self.fine(QCC_EVAL, model, *SAMPLES).decode()).group(1))
                     for model in (folders[0] / name, DIGITS / name)]
            self.assertGreaterEqual(right[0], 94)
            self.assertGreaterEqual(right[1], 98.6)

    def test_equal_biases_are_trained_apart(self):
        """Those of layers that begin with the same numbers."""
        self.model = self.folder / "text.qir"
        self.tune("real.qir", "--epochs=1", "--quantize=none", "--lr=0.1")
        biases = re.findall(r"const %\d+:f32<16> .*", (self.folder / "real.qir").read_text(encoding="utf-8"))
        self.assertEqual(len(biases), 2)

    def test_threads_do_not_matter(self):
        arguments = ["--epochs=1", "--optimizer=sgd", "--lr=0.01", "--clip=1", "--warmup=2", "--augment=flip,shift:1", "--weight-decay=0.01"]
        self.tune("one.qir", "--threads=1", *arguments)
        self.tune("two.qir", "--threads=2", *arguments)
        self.assertEqual((self.folder / "one.qir").read_bytes(), (self.folder / "two.qir").read_bytes())

    def test_memory(self):
        """What is computed anew instead of kept changes no byte."""
        arguments = ["--epochs=1", "--lr=0.05"]
        refused = subprocess.run([QCC_TUNE, self.model, *SAMPLES, "-o", self.folder / "x.qir", *arguments, "--memory=1K"], capture_output=True,
                                 check=False, text=True)
        self.assertEqual(refused.returncode, 1)
        least = int(re.search(r"--memory: a step of 32 samples takes at least (\d+) bytes", refused.stderr).group(1))
        self.tune("all.qir", *arguments)
        for memory in (least, least + 100000):
            self.tune("least.qir", *arguments, f"--memory={memory}")
            self.assertEqual((self.folder / "all.qir").read_bytes(), (self.folder / "least.qir").read_bytes())

    def test_refused(self):
        output = ["-o", self.folder / "out.qir"]
        for arguments in (["--lerning-rate=1"], ["--optimizer=lbfgs"], ["--augment=turn"], ["--augment=shift:0"], ["--validation=1"],
                          ["--lr=0"], ["--lr=-1"], ["--momentum=1"], ["--resume"], ["--loss=squared-error"],
                          ["--range-lr=0"], ["--augment=mix"], ["--quantize=dynamic"], ["--quantize=none", "--pact=1"], ["--quantize=none", "--effort=1"],
                          ["--quantize=none", "--weight-bits=4"], ["--weight-bits=1"], ["--weight-bits=9"], ["--weight-bits=4", "--weight-algo=mse"],
                          ["--weight-preprocess=clip"], ["--weight-preprocess=pact:-1"], ["--weight-preprocess=pact", "--effort=2"],
                          ["--quantize=none", "--weight-preprocess=pact"], ["--activation-bits=16"], ["--quantize=none", "--activation-bits=4"],
                          ["--calib-copies=2"], ["--calib-copies=-1"], ["--quantize=none", "--augment=flip", "--calib-copies=2"], ["--min-sqnr=0"],
                          ["--quantize=none", "--min-sqnr=30"], ["--quantize=none", "--max-slowdown=5%"], ["--max-slowdown=-5%"]):
            with self.subTest(arguments):
                self.refused(2, QCC_TUNE, self.model, *SAMPLES, *output, *arguments)
        self.refused(2, QCC_TUNE, self.model, *output)
        self.refused(2, QCC_TUNE, self.model, *SAMPLES[:1], "--quantize=none", *output)
        self.refused(1, QCC_TUNE, self.folder / "none.qir", *SAMPLES, *output)
        for arguments, reason in ((["--batch=1000"], "fill no batch"), (["--label-offset=5"], "the model has 10"),
                                  (["--lr=3e38", "--schedule=constant"], "any more"),
                                  (["--checkpoint=" + str(self.model)], "")):
            with self.subTest(arguments):
                done = subprocess.run([QCC_TUNE, self.model, *SAMPLES, *output, *arguments], capture_output=True, check=False, text=True)
                self.assertEqual(done.returncode, 1)
                self.assertIn(reason, done.stderr.splitlines()[-1])
        self.assertFalse((self.folder / "out.qir").exists())
        self.assertEqual(self.model.read_bytes()[4:8], b"TFL3")

    def test_what_is_written(self):
        """An object with its header, a model of another format, and a report that says where ranges are from."""
        report = self.folder / "report.json"
        self.tune("digits.o", "--epochs=1", f"--report={report}")
        self.assertTrue((self.folder / "digits.h").exists())
        self.assertRegex(report.read_text(encoding="utf-8"), "training, step")
        self.tune("integers.tflite", "--epochs=1")
        self.assertGreater(self.top1(self.folder / "integers.tflite"), 1)


if __name__ == "__main__":
    main()
