"""Protects --batch-norms of qcc-tune: a deep network learns from random weights with them and not without; statistics are those of the
samples; what was validated is what is compiled; the bytes depend neither on threads nor on an interruption."""
import ast
import random
import re
import signal
import statistics
import struct
import subprocess
import time

from common import QCC, QCC_EVAL, QCC_TUNE, ROOT, Case, main

DIGITS = ROOT / "examples" / "digits"
SAMPLES = [f"--data={DIGITS / 'held_out.npy'}", f"--labels={DIGITS / 'held_out.txt'}"]
LINE = re.compile(r"step (\d+) of (\d+): (?:loss (\S+), \w+ (\S+) %; )?validation: loss (\S+), \w+ (\S+) %(, the best so far)?")
CHANNELS, LAYERS = 12, 8


def dense(numbers):
    return "dense<0x" + struct.pack(f"<{len(numbers)}f", *numbers).hex() + ">"


def layer(rng, number, x, norms):
    """A convolution of random weights, without or with a batch norm that has seen nothing yet."""
    inputs = CHANNELS if number else 1
    most = (6 / (9 * inputs)) ** 0.5
    weights = dense([rng.uniform(-most, most) for _ in range(9 * inputs * CHANNELS)])
    kind, pad = f"f32<1x8x8x{CHANNELS}>", "pad = [1, 1, 1, 1]"
    text = f'  const %w{number}:f32<{CHANNELS}x3x3x{inputs}> "w{number}" = {weights}\n'
    if not norms:
        return text + (f'  const %b{number}:f32<{CHANNELS}> "b{number}" = splat 0\n'
                       f'  %y{number}:{kind} "y{number}" = conv2d {x}, %w{number}, %b{number} {{{pad}, act = relu}}\n')
    return text + (f'  %z{number}:{kind} = conv2d {x}, %w{number} {{{pad}}}\n'
                   f'  %n{number}:{kind} "y{number}" = batch_norm %z{number}, %one, %zero, %zero, %one {{axis = 3, epsilon = 1e-05}}\n'
                   f'  %y{number}:{kind} = relu %n{number} {{act = relu}}\n')


def network(norms):
    rng = random.Random(3)
    constants = f"  const %one:f32<{CHANNELS}> = splat 1\n  const %zero:f32<{CHANNELS}> = splat 0\n" if norms else ""
    layers = "".join(layer(rng, i, f"%y{i - 1}" if i else "%x", norms) for i in range(LAYERS))
    return f"""graph "digits" {{
  input %x:f32<1x8x8x1> "x"
{constants}{layers}  %mean:f32<1x{CHANNELS}> "mean" = mean %y{LAYERS - 1} {{axes = [1, 2]}}
  const %w:f32<10x{CHANNELS}> "w" = {dense([rng.uniform(-0.5, 0.5) for _ in range(10 * CHANNELS)])}
  const %b:f32<10> "b" = splat 0
  %scores:f32<1x10> "scores" = fully_connected %mean, %w, %b
  %classes:f32<1x10> "classes" = softmax %scores
  output %classes "classes"
}}
"""


def pictures():
    """The samples: lists of 64 numbers, which the file has in 16 bits each."""
    contents = (DIGITS / "held_out.npy").read_bytes()
    start = 10 + struct.unpack("<H", contents[8:10])[0]
    header = ast.literal_eval(contents[10:start].decode())
    count = header["shape"][0]
    numbers = struct.unpack(f"<{64 * count}e", contents[start:])
    return [numbers[64 * i:64 * i + 64] for i in range(count)]


class TuneNorms(Case):
    def setUp(self):
        super().setUp()
        self.models = {norms: self.folder / f"norms{norms}.qir" for norms in (False, True)}
        for norms, path in self.models.items():
            path.write_text(network(norms), encoding="utf-8")

    def tune(self, output, *arguments, norms=True):
        """The lines of validations, as in tune.py."""
        done = subprocess.run([QCC_TUNE, self.models[norms], *SAMPLES, "-o", self.folder / output, *arguments], capture_output=True,
                              check=False, text=True, timeout=200)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [match.groups() for match in map(LINE.fullmatch, done.stderr.splitlines()) if match]

    def top1(self, model):
        return float(re.search(r"top-1 ([\d.]+)", self.fine(QCC_EVAL, model, *SAMPLES).decode()).group(1))

    def test_deep_networks_learn(self):
        """In real numbers, and on integers from the first step; what is written has the norms folded."""
        arguments = ["--epochs=8", "--lr=0.1"]
        without = self.tune("without.qir", "--quantize=none", *arguments, norms=False)
        self.assertGreater(float(without[-1][2]), 1.5)
        for quantize in ("none", "static"):
            lines = self.tune("trained.qir", f"--quantize={quantize}", "--batch-norms=train", *arguments)
            self.assertLess(float(lines[-1][2]), 0.5)
            self.assertGreater(self.top1(self.folder / "trained.qir"), 85)
            self.assertNotIn("batch_norm", (self.folder / "trained.qir").read_text(encoding="utf-8"))

    def test_what_is_trained_is_what_is_compiled(self):
        """As in tune.py: classes of the kept state are those that the integers give."""
        for kind, rate in (("train", 0.1), ("reestimate", 0.002)):
            lines = self.tune("all.qir", "--epochs=12", f"--lr={rate}", "--validation=0.95", "--batch=5", "--seed=2", f"--batch-norms={kind}")
            best = max((line for line in lines if line[6]), key=lambda line: int(line[0]))
            self.assertGreater(int(best[0]), 0)
            self.assertAlmostEqual(self.top1(self.folder / "all.qir"), float(best[5]), delta=5, msg=kind)

    def test_statistics_are_those_of_the_samples(self):
        """What the first convolution gives has mean 0 and deviation 1 in each channel, as its norm says, whatever the file's statistics."""
        self.tune("stats.qir", "--quantize=none", "--batch-norms=reestimate", "--epochs=12", "--batch=300", "--validation=0", "--lr=1e-12",
                  "--moving-rate=0.1")
        text = (self.folder / "stats.qir").read_text(encoding="utf-8")
        weights, bias = re.search(r' "y0" = conv2d %\d+, (%\d+), (%\d+)', text).groups()
        weights, bias = (struct.unpack(f"<{n}f", bytes.fromhex(re.search(rf"const {v}:.* = dense<0x(\w+)>", text).group(1)))
                         if n > 16 else ast.literal_eval(re.search(rf"const {v}:.* = (\[.*\])", text).group(1))
                         for v, n in ((weights, 9 * CHANNELS), (bias, CHANNELS)))
        images = pictures()
        for c in range(0, CHANNELS, 5):
            taps, found = weights[9 * c:9 * c + 9], []
            for p in images:
                for y in range(8):
                    for x in range(8):
                        found.append(bias[c] + sum(taps[3 * i + k] * p[8 * (y + i - 1) + x + k - 1] for i in range(3) for k in range(3)
                                                   if 0 <= y + i - 1 < 8 and 0 <= x + k - 1 < 8))
            self.assertAlmostEqual(statistics.fmean(found), 0, delta=2e-3)
            self.assertAlmostEqual(statistics.pstdev(found), 1, delta=2e-3)

    def test_threads_do_not_matter(self):
        for kind in ("train", "reestimate"):
            arguments = [f"--batch-norms={kind}", "--epochs=1", "--lr=0.01", "--activation-quantize=lsq"]
            self.tune("one.qir", "--threads=1", *arguments)
            self.tune("two.qir", "--threads=2", *arguments)
            self.assertEqual((self.folder / "one.qir").read_bytes(), (self.folder / "two.qir").read_bytes())

    def test_interrupted_and_resumed(self):
        for kind in ("train", "reestimate"):
            arguments = [f"--batch-norms={kind}", "--epochs=4", "--batch=8", "--validate-every=7", "--lr=0.01"]
            state = self.folder / f"{kind}.state"
            command = [QCC_TUNE, self.models[True], *SAMPLES, f"--checkpoint={state}", *arguments, "-o", self.folder / "resumed.qir"]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
                lines = [process.stderr.readline(), process.stderr.readline()]
                time.sleep(0.05)
                process.send_signal(signal.SIGINT)
                lines += process.stderr.readlines()
            self.assertEqual(process.returncode, 1, lines)
            self.assertIn("interrupted", lines[-1])
            self.tune("resumed.qir", f"--checkpoint={state}", "--resume", *arguments)
            self.tune("whole.qir", *arguments)
            self.assertEqual((self.folder / "resumed.qir").read_bytes(), (self.folder / "whole.qir").read_bytes())

    def test_onnx(self):
        """A norm of a file of another format is one all the same."""
        rng = random.Random(1)
        samples = self.folder / "samples.npy"
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (20, 3, 12, 12), }".ljust(117) + b"\n"
        numbers = struct.pack("<8640f", *(rng.gauss(0, 1) for _ in range(8640)))
        samples.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers)
        self.fine(QCC_TUNE, ROOT / "tests" / "data" / "onnx" / "opset7.onnx", f"--data={samples}", "--batch=4", "--epochs=1",
                  "--batch-norms=train", "-o", self.folder / "out.qir")

    def test_refused(self):
        output = ["-o", self.folder / "out.qir"]
        for arguments in (["--batch-norms=thawed"], ["--batch-norms=train", "--effort=2"]):
            with self.subTest(arguments):
                self.refused(2, QCC_TUNE, self.models[True], *SAMPLES, *output, *arguments)
        for kind in ("train", "reestimate"):
            self.assertIn("no batch norm behind a convolution", self.refused(1, QCC_TUNE, self.models[False], *SAMPLES, *output, f"--batch-norms={kind}"))
        self.fine(QCC, self.models[True], "--quantize=none", "-o", self.folder / "folded.tflite")
        self.assertIn("no batch norm", self.refused(1, QCC_TUNE, self.folder / "folded.tflite", *SAMPLES, *output, "--batch-norms=train"))


if __name__ == "__main__":
    main()
