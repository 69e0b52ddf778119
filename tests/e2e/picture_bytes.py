"""Protects what calibration makes of pictures whose channels were normalized each for itself: a convolution that reads the bytes they
were, exactly, also at its border; and that pictures which one grid holds, other samples, and other wishes stay as they are."""
import random
import re
import struct

from common import QCC, QCC_EVAL, QCC_TUNE, Case, main, npy

SAMPLES, SIDE = 12, 8
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
ADDED = re.compile(r"%\d+:(?:f32<[^>]*>(?: as [^=]*)?|u8<[^>]*; 1, 0>[^=]*) = (pad|mul|add) ") # the last one makes the bytes


def constant(rng, size):
    return "dense<0x" + struct.pack(f"<{size}f", *(rng.uniform(-1, 1) for _ in range(size))).hex() + ">"


def network(first, pad="1, 1, 1, 1", side=SIDE):
    """A convolution of pictures whose channels come first, or last."""
    rng = random.Random(5)
    shape = f"1x3x{SIDE}x{SIDE}" if first else f"1x{SIDE}x{SIDE}x3"
    turned = f'  %1:f32<1x{SIDE}x{SIDE}x3> = transpose %0 {{perm = [0, 2, 3, 1]}}\n' if first else ""
    return f"""graph "pictures" {{
  input %0:f32<{shape}> "pictures"
{turned}  const %2:f32<4x3x3x3> "w" = {constant(rng, 108)}
  const %3:f32<4> "b" = {constant(rng, 4)}
  %4:f32<1x{side}x{side}x4> "conv" = conv2d {'%1' if first else '%0'}, %2, %3 {{pad = [{pad}]}}
  output %4 "conv"
}}
"""


class PictureBytes(Case):
    def setUp(self):
        super().setUp()
        rng = random.Random(7)
        self.bytes = [rng.randrange(256) for _ in range(SAMPLES * SIDE * SIDE * 3)]

    def model(self, *arguments, **keywords):
        path = self.folder / "model.qir"
        path.write_text(network(*arguments, **keywords), encoding="utf-8")
        return path

    def samples(self, first, mean=MEAN, std=STD, noise=0.0):
        rng = random.Random(9)
        values = [(b - mean[i % 3]) / std[i % 3] + noise * rng.random() for i, b in enumerate(self.bytes)]
        plane, picture = SIDE * SIDE, SIDE * SIDE * 3
        if first:
            values = [values[s * picture + p * 3 + c] for s in range(SAMPLES) for c in range(3) for p in range(plane)]
        path = self.folder / "samples.npy"
        path.write_bytes(npy("<f4", (SAMPLES, 3, SIDE, SIDE) if first else (SAMPLES, SIDE, SIDE, 3), values))
        return path

    def text(self, model, samples, *arguments):
        return self.fine(QCC, model, f"--calib={samples}", "--emit=ir", "-o", "-", *arguments).decode()

    def added(self, text):
        return ADDED.findall(text)

    def sqnr(self, model, samples, *arguments):
        out = self.fine(QCC_EVAL, model, f"--calib={samples}", f"--data={samples}", f"--compare={model}", *arguments).decode()
        return float(re.search(r"signal to noise ([\d.]+) dB", out).group(1))

    def test_bytes_are_exact(self):
        for first in (False, True):
            with self.subTest(first):
                model, samples = self.model(first), self.samples(first)
                text = self.text(model, samples)
                self.assertEqual(self.added(text), ["pad", "mul", "add"])
                self.assertRegex(text, r"u8<1x10x10x3; 1, 0> from calibrated \"bytes of pictures\" = add")

    def test_less_is_lost(self):
        """At the output, beside what weights lose; effort 0 has the one grid for all channels."""
        model, samples = self.model(False), self.samples(False)
        self.assertGreater(self.sqnr(model, samples), self.sqnr(model, samples, "--effort=0") + 1)

    def test_without_a_border(self):
        text = self.text(self.model(False, "0, 0, 0, 0", 6), self.samples(False))
        self.assertEqual(self.added(text), ["mul", "add"])

    def test_unseen_bytes(self):
        """The range is that of all bytes, not of those that were seen."""
        self.bytes = [30 + b % 180 for b in self.bytes]
        self.assertRegex(self.text(self.model(False), self.samples(False)), r"u8<1x10x10x3; 1, 0> ")

    def test_what_stays(self):
        model = self.model(False)
        for samples in (lambda: self.samples(False, (127.5,) * 3, (127.5,) * 3), lambda: self.samples(False, noise=0.01)):
            self.assertEqual(self.added(self.text(model, samples())), [])
        samples = self.samples(False)
        for arguments in (["--effort=0"], ["--activation-scales=symmetric"], ["--rounding=tflite"],
                          [f"--save-scales={self.folder}/scales.json"]):
            with self.subTest(arguments):
                self.assertEqual(self.added(self.text(model, samples, *arguments)), [])
        self.bytes = [b // 16 for b in self.bytes]
        self.assertEqual(self.added(self.text(model, self.samples(False))), [])

    def test_trained(self):
        """Training takes the same convolution, for many samples at once, and leaves its grid as it is."""
        samples = self.samples(True)
        output, model = self.folder / "trained.qir", self.folder / "model.tflite"
        self.fine(QCC, self.model(True), "--quantize=none", "-o", model)
        self.fine(QCC_TUNE, model, f"--data={samples}", "--epochs=2", "--batch=4", "--validation=0", "-o", output)
        self.assertRegex(output.read_text(encoding="utf-8"), r"u8<1x10x10x3; 1, 0> ")


if __name__ == "__main__":
    main()
