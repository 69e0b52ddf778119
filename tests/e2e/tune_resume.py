"""Protects qcc-tune's checkpoints: interrupted at any step, killed, resumed once or several times, training ends with the bytes that it
would have had; a checkpoint of something else, or a damaged one, is refused, and what was there before stays.

The steps are drawn: SEED in the environment says otherwise than the seed that is printed. """
import os
import random
import re
import signal
import socket
import subprocess

from common import QCC_TUNE, TUNE_RESEAL, main
from tune import DIGITS, SAMPLES, TuneCase, network

SEED = int(os.environ.get("SEED", "1"))
STEP = re.compile(r"step (\d+) of (\d+): ")
WAYS = {
    "adam": ["--lr=0.02"],
    "sgd": ["--optimizer=sgd", "--lr=0.05", "--momentum=0.9", "--warmup=9", "--clip=1", "--weight-decay=0.01"],
    "lsq": ["--activation-quantize=lsq", "--range-lr=0.05"],
    "lsq by sgd": ["--activation-quantize=lsq", "--optimizer=sgd", "--range-lr=0.001"],
    "pact": ["--pact=0.001", "--range-lr=0.02"],
    "moving average": ["--activation-quantize=moving-average", "--moving-rate=0.8"],
    "range": ["--activation-quantize=range"],
    "augmentation": ["--augment=flip,shift:1"],
    "few bits": ["--weight-bits=4", "--weight-scales=tensor", "--activation-bits=4"],
    "weights cut off": ["--weight-preprocess=pact:0.01", "--weight-bits=4"],
    "real": ["--quantize=none"],
    "taught": ["--augment=mix,flip", "--effort=0"],
    "taught, weights rounded": ["--effort=2"],
}
EPOCHS = ["--epochs=2", "--batch=8", "--validate-every=1"]  # each step is reported


def samples_of(way):
    return SAMPLES[:1] if way.startswith("taught") else SAMPLES


class Resume(TuneCase):
    def setUp(self):
        super().setUp()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored, and programs inherit that

    def command(self, output, samples, *arguments):
        return [QCC_TUNE, self.model, *samples, f"--checkpoint={self.folder / 'state'}", *EPOCHS, *arguments, "-o", self.folder / output]

    def interrupt(self, command, at, how=signal.SIGINT):
        """Sends the signal when the step is reported, or a later one; returns the step that it stopped at."""
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # has room for a few lines: so far ahead can the program be
        with subprocess.Popen(command, stderr=theirs) as process, ours, ours.makefile(encoding="utf-8") as reports:
            theirs.close()
            lines = []
            for line in reports:
                lines.append(line)
                found = STEP.match(line)
                if found and int(found[1]) >= at:
                    process.send_signal(how)
                    break
            lines += reports.readlines()
        self.assertEqual(process.returncode, 1 if how == signal.SIGINT else -how, lines)
        if how != signal.SIGINT:
            return at
        found = re.search(r"interrupted after step (\d+) of \d+; --resume goes on from ", lines[-1])
        self.assertTrue(found, lines)
        return int(found[1])

    def whole(self, way):
        lines = self.tune("whole.qir", *EPOCHS, *WAYS[way], samples=samples_of(way))
        return (self.folder / "whole.qir").read_bytes(), int(lines[-1][1])

    def test_interrupted_at_any_step(self):
        rng = random.Random(SEED)
        for way, arguments in WAYS.items():
            with self.subTest(way):
                expected, steps = self.whole(way)
                command, stops = self.command("resumed.qir", samples_of(way), *arguments), []
                for at in sorted(rng.sample(range(steps * 3 // 4), 2)):
                    stops.append(self.interrupt(command + ["--resume"] * bool(stops), at))
                    self.assertFalse((self.folder / "resumed.qir").exists())
                print(f"{way}: {steps} steps, interrupted after {stops} (SEED={SEED})", flush=True)
                self.fine(*command, "--resume")
                self.assertEqual((self.folder / "resumed.qir").read_bytes(), expected)
                (self.folder / "resumed.qir").unlink()

    def test_finished(self):
        """What has come to its end gives the same once more."""
        command = self.command("out.qir", SAMPLES, "--pact=0.001")
        self.fine(*command)
        expected = (self.folder / "out.qir").read_bytes()
        (self.folder / "out.qir").unlink()
        self.fine(*command, "--resume")
        self.assertEqual((self.folder / "out.qir").read_bytes(), expected)

    def test_killed(self):
        """What the last validation has written goes on."""
        expected, steps = self.whole("adam")
        command = self.command("resumed.qir", SAMPLES, *WAYS["adam"])
        at = random.Random(SEED).randrange(1, steps // 2)
        self.interrupt(command, at, signal.SIGKILL)
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith("state")], ["state"])
        self.fine(*command, "--resume")
        self.assertEqual((self.folder / "resumed.qir").read_bytes(), expected)

    def test_threads_and_memory_may_change(self):
        expected, steps = self.whole("sgd")
        command = self.command("resumed.qir", SAMPLES, *WAYS["sgd"])
        self.interrupt(command + ["--threads=1"], steps // 3)
        self.fine(*command, "--resume", "--threads=2", "--memory=1M")
        self.assertEqual((self.folder / "resumed.qir").read_bytes(), expected)

    def refused_state(self, reason, command):
        before = (self.folder / "state").read_bytes()
        self.assertIn(reason, self.refused(1, *command, "--resume"))
        self.assertEqual((self.folder / "state").read_bytes(), before)
        self.assertFalse((self.folder / "out.qir").exists())

    def test_of_something_else(self):
        command = self.command("out.qir", SAMPLES)
        self.fine(*command)
        (self.folder / "out.qir").unlink()
        other = "another model, other samples, or other options"
        for option in ("--seed=5", "--lr=0.5", "--optimizer=sgd", "--epochs=5", "--batch=9", "--validate-every=6", "--pact=0.1", "--weight-bits=5", "--activation-bits=5", "--weight-preprocess=pact",
                       "--activation-quantize=lsq", "--weight-scales=tensor", "--activation-scales=symmetric", "--algo=kl", "--effort=0",
                       "--calib-samples=20", "--keep-float=conv1", "--quantized-ops=conv2d", "--quantize=none", "--augment=flip",
                       "--validation=0.2", "--limit=250", "--moving-rate=0.5", "--weight-decay=0.1"):
            with self.subTest(option):
                self.refused_state(other, command + [option])
        with self.subTest("samples"):
            moved = self.folder / "samples.npy"
            contents = bytearray((DIGITS / "held_out.npy").read_bytes())
            moved.write_bytes(contents)
            there = self.command("out.qir", [f"--data={moved}", SAMPLES[1]])
            self.fine(*there)
            (self.folder / "out.qir").unlink()
            contents[200:] = contents[-1:199:-1]
            moved.write_bytes(contents)
            self.refused_state(other, there)
        with self.subTest("model"):
            self.fine(*command)
            (self.folder / "out.qir").unlink()
            self.write_model(network(seed=4))
            self.refused_state(other, command)

    def test_damaged(self):
        rng = random.Random(SEED)
        state, command = self.folder / "state", self.command("out.qir", SAMPLES)
        self.fine(*command)
        (self.folder / "out.qir").unlink()
        good = state.read_bytes()
        for contents, reason in ((b"", "no checkpoint"), (good[:20], "no checkpoint"), (b"x" + good[1:], "no checkpoint"), (good[:-1], "damaged"),
                                 (good + b"\0", "damaged"), (good * 2, "damaged"), (rng.randbytes(100), "no checkpoint"),
                                 *((flipped(good, rng), "damaged") for _ in range(3))):
            state.write_bytes(contents)
            self.refused_state(reason, command)
        state.unlink()
        self.refused(1, *command, "--resume")
        state.mkdir()
        self.refused(1, *command, "--resume")

    def test_impossible(self):
        """Whole, of this model, and yet nothing that training comes to."""
        state, command = self.folder / "state", self.command("out.qir", SAMPLES)
        self.fine(*command)
        (self.folder / "out.qir").unlink()
        good, not_a_number = state.read_bytes(), "ffffffff"
        for offset, number in ((STEP_AT, "ff" * 8), (STEP_AT, "ff" * 7 + "7f"), (STEP_AT, "00" * 7 + "80"), (BEST_STEP_AT, "ff" * 7 + "7f"),
                               (BEST_RANGES_AT, not_a_number), (len(good) - 8 - 4, not_a_number), (len(good) // 2 & ~3, not_a_number)):
            with self.subTest((offset, number)):
                state.write_bytes(good)
                self.fine(TUNE_RESEAL, state, str(offset), number)
                self.refused_state("no state that training comes to", command)


STEP_AT, BEST_STEP_AT, BEST_RANGES_AT = 32, 56, 64  # header; step, two numbers of the best, its step, its ranges


def flipped(contents, rng):
    contents = bytearray(contents)
    contents[rng.randrange(12, len(contents))] ^= 1 << rng.randrange(8)
    return contents


if __name__ == "__main__":
    main()
