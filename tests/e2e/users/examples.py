"""Protects the examples: the commands of their page run, on integers, and find what is in the picture, the sound, the line."""
import functools
import json
import os
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import QCC, ROOT, Case, main, run, write_compiler  # noqa: E402

EXAMPLES = ROOT / "examples"
BUILD = Path(os.environ.get("BUILD_ROOT", "."))
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")


@functools.cache
def commands(name):
    """Those of a heading of the page, a text for each block."""
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", page, re.M | re.S).group(1)
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


def overlap(a, b):
    """Intersection over union of boxes (left, top, width, height)."""
    sides = [max(0, min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i])) for i in range(2)]
    both = sides[0] * sides[1]
    return both / (a[2] * a[3] + b[2] * b[3] - both)


class Examples(Case):
    def setUp(self):
        super().setUp()
        self.place = self.folder / "examples"
        shutil.copytree(EXAMPLES, self.place)
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "qcc").symlink_to(QCC)
        write_compiler(programs / "cc", *FLAGS)
        (programs / "python3").write_text(f"#!/bin/sh\nexec {sys.executable} \"$@\"\n")
        (programs / "python3").chmod(0o755)
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"),
                            "LD_LIBRARY_PATH": str(BUILD / "runtime"), "PYTHONPATH": str(ROOT / "python")}

    def played(self, name, block=0):
        """What the commands print."""
        return self.fine("sh", "-e", "-c", commands(name)[block], cwd=self.place, environment=self.environment).decode()

    def lines(self, name, file):
        return [line.split() for line in (EXAMPLES / name / file).read_text(encoding="utf-8").splitlines()]

    def on_integers(self, name):
        """All that multiplies, once it is calibrated; and the model is small enough to lie beside its program."""
        folder, report = EXAMPLES / name, self.folder / "report.json"
        self.fine(QCC, folder / f"{name}.tflite", f"--calib={folder / 'calibration.npy'}", "--target=generic", "-o", self.folder / "m.o",
                  f"--report={report}")
        facts = json.loads(report.read_text())
        self.assertGreater(facts["macs"], 10000)
        self.assertEqual(facts["macs_int8"], facts["macs"])
        self.assertLess((folder / f"{name}.tflite").stat().st_size, 200000)

    def test_digits(self):
        self.assertEqual(self.played("digits"), "0.996 seven\n")

    def test_python(self):
        if run(sys.executable, "-c", "import numpy, PIL")[0] != 0:
            self.skipTest("this Python has no NumPy or no Pillow")
        self.assertEqual(self.played("digits", 1), "0.996 seven\n")

    def test_detect(self):
        self.on_integers("detect")
        found = [line.split(",")[0].split() for line in self.played("detect").splitlines()]
        wanted = self.lines("detect", "scene.txt")
        self.assertEqual(sorted(box[0] for box in found), sorted(box[0] for box in wanted))
        for name, *box in wanted:
            best = max(overlap([float(v) for v in other], [float(v) for v in box]) for kind, *other in found if kind == name)
            self.assertGreater(best, 0.5, name)
        self.assertNotEqual((self.place / "detect" / "boxes.png").read_bytes(), (EXAMPLES / "detect" / "scene.png").read_bytes())

    def test_keyword(self):
        """Each word once, in a tenth of a second of its end; some of them lie across the border of two pieces."""
        self.on_integers("keyword")
        found, wanted = [line.split() for line in self.played("keyword").splitlines()], self.lines("keyword", "sound.txt")
        self.assertEqual([word for word, _ in found], [word for word, _ in wanted])
        for (word, heard), (_, end) in zip(found, wanted):
            self.assertLess(abs(float(heard) - float(end)), 0.1, word)
        self.assertRegex((self.place / "keyword" / "keyword.h").read_text(), r"#define KEYWORD_STATE_BYTES [1-9]")

    def test_line(self):
        self.on_integers("line")
        self.assertEqual([self.played("line").split()], self.lines("line", "line.txt"))

    def test_wrong_files(self):
        """One line, and no crash, for what is no picture or sound."""
        for name, program in (("digits", "classify"), ("detect", "detect"), ("keyword", "spot"), ("line", "read_line")):
            self.played(name)
            for arguments in ([], ["README.md"], ["README.md", "README.md"]):
                code, out, err = run(self.place / name / program, *arguments, cwd=self.place, environment=self.environment)
                self.assertEqual((code, out, len(err.splitlines())), (1, b"", 1), f"{name} {arguments}")


if __name__ == "__main__":
    main()
