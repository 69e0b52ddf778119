"""What the end-to-end tests share: where the programs are, how to run them, a few models in text form."""
import functools
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QCC, QCC_RUN, QCC_EVAL, QCC_OPT, QCC_TUNE, TUNE_RESEAL, LIBRARY = (
    os.environ.get(name, "") for name in ("QCC", "QCC_RUN", "QCC_EVAL", "QCC_OPT", "QCC_TUNE", "TUNE_RESEAL", "QCC_LIBRARY"))
CC = shlex.split(os.environ.get("CC", "cc"))
LINK_ARGS = shlex.split(os.environ.get("LINK_ARGS", ""))
DIGITS = ROOT / "examples" / "digits" / "digits.tflite"

# y = a + b, real-valued
ADD = """graph "add" {
  input %0:f32<1x5> "a"
  input %1:f32<1x5> "b"
  %2:f32<1x5> "sum" = add %0, %1
  output %2 "sum"
}
"""
# y = 2 * requantize(x), quantized, so that the unsigned form is passed through
SCALE = """graph "scale" {
  input %0:i8<1x7; 0.5, 3> "x"
  %1:i8<1x7; 0.25, -5> "y" = requantize %0
  output %1 "y"
}
"""
# the sum of all that came before, which is the state
COUNTER = """graph "counter" {
  variable "sum":f32<1x4>
  input %0:f32<1x4> "x"
  %1:f32<1x4> = read_variable {variable = "sum"}
  %2:f32<1x4> "new" = add %0, %1
  write_variable %2 {variable = "sum"}
  output %2 "new"
}
"""


def run(*arguments, stdin=None, cwd=None, environment=None):
    """Runs a program; returns (exit code, stdout, stderr)."""
    done = subprocess.run([str(a) for a in arguments], input=stdin, capture_output=True, cwd=cwd, check=False,
                          env={**os.environ, **(environment or {})}, timeout=200)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


@functools.cache
def runs_here(target):
    """Whether this machine has the instructions of the target."""
    code, _, _ = run(QCC_RUN, "--random=1", f"--target={target}", write_temporary("probe.qir", ADD))
    return code == 0


@functools.cache
def targets():
    """All, best first."""
    code, out, _ = run(QCC, "--list-targets")
    assert code == 0
    return [line.split()[0] for line in out.decode().splitlines()]


def native():
    """The best target of this machine."""
    return next(target for target in targets() if runs_here(target))


@functools.cache
def default_targets():
    """What qcc compiles for unless told otherwise, best first."""
    _, out, _ = run(QCC, "--help")
    return re.search(r"--target=.*?default:\s+([\w,]+)", out.decode(), re.DOTALL).group(1).split(",")


_folder = tempfile.TemporaryDirectory()


def write_temporary(name, text):
    path = Path(_folder.name) / name
    path.write_text(text, encoding="utf-8")
    return path


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.add = self.folder / "add.qir"
        self.add.write_text(ADD, encoding="utf-8")
        self.scale = self.folder / "scale.qir"
        self.scale.write_text(SCALE, encoding="utf-8")

    def tearDown(self):
        self.temporary.cleanup()

    def fine(self, *arguments, **named):
        code, out, err = run(*arguments, **named)
        self.assertEqual(code, 0, f"{arguments}: {err}")
        return out

    def refused(self, expected_code, *arguments, **named):
        """One line on stderr, and nothing else."""
        code, out, err = run(*arguments, **named)
        self.assertEqual(code, expected_code, f"{arguments}: {err}")
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        self.assertEqual(out, b"")
        return err


def write_compiler(path, *flags):
    """A program of the name cc that is the compiler of this build; that one's own search for a compiler must not come back to it."""
    path.write_text(f"#!/bin/sh\nPATH={shlex.quote(os.environ['PATH'])} exec {shlex.join([*CC, *flags])} \"$@\"\n")
    path.chmod(0o755)


def segments_end(library):
    """Where the loadable segments of an ELF64 file end; what debuggers read comes behind."""
    first, size, count = (struct.unpack_from(form, library, at)[0] for form, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
    rows = [struct.unpack_from("<IIQQQQ", library, first + i * size) for i in range(count)]  # type, flags, offset, addresses, bytes
    return max(row[2] + row[5] for row in rows if row[0] == 1)


def npy(dtype, shape, values):
    """Bytes of a .npy file; dtype as NumPy spells it, e.g. '<f4'."""
    letter = {"<f4": "f", "|i1": "b", "|u1": "B", "<i4": "i"}[dtype]
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{letter}", *values)


def read_npy(path):
    """Values of a .npy file as a flat list, and its dictionary."""
    data = Path(path).read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length].decode(), {"__builtins__": {}})  # our own output
    letter = {"<f4": "f", "|i1": "b", "|u1": "B", "<i4": "i", "<i8": "q", "<i2": "h"}[header["descr"]]
    body = data[10 + length:]
    return list(struct.unpack(f"<{len(body) // struct.calcsize(letter)}{letter}", body)), header


def main():
    if not QCC:
        sys.exit("run by meson, which says where the programs are")
    result = unittest.main(exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    for reason in sorted({reason for _, reason in result.skipped}):
        print(f"skipped: {reason}")
    sys.exit(77 if result.testsRun == len(result.skipped) else 0)
