"""Protects the ways in that the README promises to who has an .onnx file and a picture: to the name of what is on it with three
commands of the installed programs, with three lines of Python, and with four lines of CMake.  All are played as it has them."""
import os
import re
import shutil
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import DIGITS, LIBRARY, QCC, QCC_RUN, ROOT, Case, main, run  # noqa: E402

EXAMPLE = DIGITS.parent
BUILD = Path(os.environ.get("BUILD_ROOT", "."))
# reads the 64 bytes of a picture, prints the class of it
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <qcc.h>
#include "digits.h"

int main(void)
{
    static float input[DIGITS_INPUT_0_ELEMENTS], scores[DIGITS_OUTPUT_0_ELEMENTS];
    const void *inputs[] = {input};
    void *outputs[] = {scores}, *workspace = aligned_alloc(64, (DIGITS_WORKSPACE_BYTES + 63) / 64 * 64);
    int best = 0;
    for (int i = 0; i < DIGITS_INPUT_0_ELEMENTS; i++)
        input[i] = (float)getchar();
    qcc_reset(&digits, workspace);
    if (qcc_run(&digits, inputs, outputs, workspace, NULL) != QCC_OK)
        return 1;
    for (int i = 1; i < DIGITS_OUTPUT_0_ELEMENTS; i++)
        if (scores[i] > scores[best])
            best = i;
    printf("%d\n", best);
    free(workspace);
    return 0;
}
"""
# reads a picture, and leaves it as x
PYTHON = """
import numpy
from PIL import Image
x = numpy.asarray(Image.open("cat.jpg").convert("L"), numpy.float32)[None, None]
{lines}
print(int(y.argmax()))
"""


def block(page, language, holding):
    """The one fenced block of a page that holds a text."""
    found = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
             if holding in text]
    assert len(found) == 1, (page, holding)
    return found[0]


class Newcomer(Case):
    def setUp(self):
        super().setUp()
        for name, file in (("model.onnx", "digits.onnx"), ("cat.jpg", "seven.png"), ("names.txt", "names.txt")):
            shutil.copy(EXAMPLE / file, self.folder / name)  # which files are pictures is seen by their contents

    def test_command(self):
        """The README's own; what the model was trained with is its owner's to say."""
        commands = block("README.md", "sh", "--labels=names.txt")
        self.assertEqual(len(commands.splitlines()), 3)
        commands, changed = re.subn(r"--preprocess=\w+", "--preprocess=raw", commands)
        self.assertEqual(changed, 1)
        programs = self.folder / "bin"
        programs.mkdir()
        for program in (QCC, QCC_RUN):
            (programs / Path(program).name).symlink_to(program)
        out = self.fine("sh", "-e", "-c", commands, cwd=self.folder, environment={"PATH": f"{programs}:{os.environ['PATH']}"}).decode()
        self.assertIn("model.onnx: ONNX, can be compiled", out)
        self.assertRegex(out, r"scores: 5 best of 10 classes\n +0\.99\d+  class 7: seven\n")
        for name in ("model.o", "model.h", "model.html"):
            self.assertTrue((self.folder / name).is_file(), name)

    def test_python(self):
        if run(sys.executable, "-c", "import numpy, PIL")[0] != 0:
            self.skipTest("this Python has no NumPy or no Pillow")
        lines = block("README.md", "python", 'qcc.compile("model.onnx")')
        self.assertEqual(lines, block("docs/python.md", "python", 'qcc.compile("model.onnx")'))
        self.assertEqual(len(lines.splitlines()), 3)
        environment = {"PYTHONPATH": str(ROOT / "python")}
        self.assertEqual(self.fine(sys.executable, "-c", PYTHON.format(lines=lines), cwd=self.folder, environment=environment), b"7\n")

    @unittest.skipUnless(shutil.which("cmake") and shutil.which("make"), "no cmake or no make")
    def test_cmake(self):
        lines = block("README.md", "cmake", "qcc_add_model")
        self.assertEqual(lines, block("docs/building.md", "cmake", "qcc_add_model"))
        self.assertEqual(len(lines.splitlines()), 4)
        (self.folder / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(program C)\n"
                                                    + lines.replace("digits.tflite", "model.onnx"))
        (self.folder / "program.c").write_text(PROGRAM)
        build = self.folder / "build"
        self.fine("cmake", "-S", self.folder, "-B", build, f"-Dqcc_DIR={BUILD / 'packaging' / 'cmake'}", f"-DQCC_EXECUTABLE={QCC}",
                  f"-DQCC_LIBRARY={LIBRARY}", f"-DQCC_INCLUDE_DIR={ROOT / 'runtime'}")
        self.fine("cmake", "--build", build)
        pixels = self.fine(sys.executable, "-c", DECODED, self.folder / "cat.jpg")
        self.assertEqual(self.fine(build / "program", stdin=pixels), b"7\n")


# The bytes of a grey PNG of 8 bits, by the standard library alone.
DECODED = """
import struct, sys, zlib
data, at, packed = open(sys.argv[1], "rb").read(), 8, b""
while at < len(data):
    size, kind = struct.unpack_from(">I4s", data, at)
    packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
    at += size + 12
rows = zlib.decompress(packed)
assert data[24:26] == bytes([8, 0]) and all(rows[i * 9] == 0 for i in range(8))
sys.stdout.buffer.write(b"".join(rows[i * 9 + 1:i * 9 + 9] for i in range(8)))
"""


if __name__ == "__main__":
    main()
