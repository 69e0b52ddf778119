"""Protects the pages that a user begins with: their commands run, their program builds, and the options that they name exist."""
import os
import re
import shutil
import textwrap
from pathlib import Path

from common import CC, DIGITS, QCC, QCC_EVAL, QCC_OPT, QCC_RUN, ROOT, Case, main
from eval import held_out, png

PAGES = ("start", "questions", "coming-from", "python", "building")
PLAYED = ("start", "questions")
BUILD = Path(os.environ.get("BUILD_ROOT", "."))
DATA = ROOT / "tests" / "data"


def blocks(page, language):
    """What is fenced in a page, whatever it is indented by."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    return [textwrap.dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.M | re.S)]


class Pages(Case):
    def prepare(self):
        """The files that the pages speak of."""
        example = DIGITS.parent
        for name, source in (("model.tflite", DIGITS), ("float.tflite", example / "digits_float.tflite"), ("cat.png", example / "seven.png"),
                             ("names.txt", example / "names.txt"), ("model.onnx", DATA / "onnx" / "opset17.onnx"),
                             ("model.pdmodel", DATA / "paddle" / "qat_linear.pdmodel"),
                             ("model.pdiparams", DATA / "paddle" / "qat_linear.pdiparams")):
            shutil.copy(source, self.folder / name)
        rows, classes = held_out()
        (self.folder / "pictures").mkdir()
        for i in range(30):
            (self.folder / "pictures" / f"{i:02}.png").write_bytes(png(8, 8, [v + 128 for v in rows[i]]))
        (self.folder / "classes.txt").write_text("".join(f"{c}\n" for c in classes[:30]))

    def test_commands(self):
        self.prepare()
        (self.folder / "program.c").write_text(blocks("start", "c")[0])
        programs = self.folder / "bin"
        programs.mkdir()
        for program in (QCC, QCC_RUN, QCC_EVAL):
            (programs / Path(program).name).symlink_to(program)
        (programs / "cc").write_text(f"#!/bin/sh\nexec {' '.join(CC)} \"$@\"\n")
        (programs / "cc").chmod(0o755)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"),
                       "LD_LIBRARY_PATH": str(BUILD / "runtime")}
        played = 0
        for page in PLAYED:
            for block in blocks(page, "sh"):
                self.fine("sh", "-e", "-c", block, cwd=self.folder, environment=environment)
                played += len(block.splitlines())
        self.assertGreater(played, 12)
        self.assertIn(b"seven", self.fine("sh", "-c", blocks("start", "sh")[1], cwd=self.folder, environment=environment))

    def test_options(self):
        """Those of the tables, too."""
        known = {"--cflags", "--libs", "--no-index", "--no-deps"}
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT):
            known |= set(re.findall(r"--[a-z0-9-]+", self.fine(program, "--help").decode()))
        for page in PAGES:
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", (ROOT / "docs" / f"{page}.md").read_text()))
            self.assertLessEqual(named, known, page)

    def test_links(self):
        for page in PAGES:
            path = ROOT / "docs" / f"{page}.md"
            for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
                self.assertTrue((path.parent / link).exists(), f"{page}: {link}")


if __name__ == "__main__":
    main()
