"""Protects the pages and man pages: their commands run, their programs build, the options that they name exist, their links lead
somewhere.  A command is played here, in a folder with the files that the page speaks of, or stands in ELSEWHERE with who plays it."""
import os
import re
import shutil
import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import QCC, QCC_EVAL, QCC_OPT, QCC_RUN, QCC_TUNE, ROOT, Case, main, run, runs_here, write_compiler  # noqa: E402
from page_files import write_files  # noqa: E402

BUILD = Path(os.environ.get("BUILD_ROOT", "."))
EXAMPLE = ROOT / "examples" / "digits"
MAN = Path(os.environ["MAN_PAGES"])
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "python" / "README.md", *(ROOT / "docs").rglob("*.md")])
DEVELOPMENT = ("CONTRIBUTING.md", "ARCHITECTURE.md", "fidelity.md", "reliability.md", "performance.md", "accuracy.md")  # and docs/developing
ELSEWHERE = (  # commands that this test does not play, and who does
    (r"meson test|meson setup build\b|ninja -C build$|\.ci/run", "who runs this test"),
    (r"apt-get .*meson test", "who runs this test"),
    (r"apt-get .*dpkg-dev|dpkg-buildpackage", ".ci/run, build_packages"),
    (r"python3 -m venv", "python_install.py"),
    (r"qcc-tune (?!digits_float)", "tune.py"),
    (r"qcc-run trained\.qir --reference", "faithful.py"),
    (r"CC=clang meson setup build-fuzz|ninja -C build-fuzz|tests/fuzz/fuzz\.sh|build-fuzz/", ".ci/run, run_fuzzers"),
    (r"git worktree add", "nobody: an older commit"),
    (r"build/tests/random/random-graphs --types", "random-types-*"),
    (r"QCC=\.\./before", "files.py, with the programs of the present"),
    (r"LD_PRELOAD=build/tests/emulate", "every test of a target that the machine lacks"),
)
PLAYED_SO = (  # what of a command is another here
    (r"^apt-get .* && ninja -C build && ", ""),
    (r"--count=\d+", "--count=2"),
    (r"\.\./before/build", "build"),
    (r"meson devenv -C build -w \. ", f"meson devenv -C {BUILD} -w {ROOT} "),
)
# Objects of the default target run as the machine that they are for; what asks for the CPU's own target sees the CPU.
EMULATED = os.environ.pop("QCC_EMULATE", None)
OF_DEFAULT_TARGET = r"\./program|qcc-run ocr\.so"
NEEDS = (  # where it can't be played
    (r"--target=avx2 ", lambda: runs_here("avx2")),
    (r"meson devenv", lambda: run("python3", "-c", "import numpy")[0] == 0),
)


def blocks(page, language):
    """What is fenced in a page, whatever it is indented by."""
    return [textwrap.dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```$", page.read_text(), re.M | re.S)]


def to_play(block):
    """The commands of a block that are played here; one goes on in the next line that ends inside quotes, with && or with a backslash."""
    played, text = [], ""
    for line in block.splitlines():
        text += line
        if text.count("'") % 2:
            text += "\n"
            continue
        if text.endswith("&&"):
            text += " "
            continue
        if text.endswith("\\"):
            text = text[:-1]
            continue
        if not any(re.match(pattern, text) for pattern, _ in ELSEWHERE):
            if all(possible() for pattern, possible in NEEDS if re.search(pattern, text)):
                for pattern, instead in PLAYED_SO:
                    text = re.sub(pattern, instead, text)
                played.append(text)
        text = ""
    return played


def man_examples(name):
    """The commands of a man page, without the marks of its language."""
    page = (MAN / f"{name}.1").read_text()
    block = re.search(r"^\.SH EXAMPLES\n\.nf\n(.*?)^\.fi$", page, re.M | re.S).group(1)
    return block.replace("\\e\n", "").replace("\\-", "-").splitlines()


class Pages(Case):
    def setUp(self):
        super().setUp()
        write_files(self.folder)
        (self.folder / "build").mkdir()
        for name in ("compiler", "tools", "tests", "runtime"):
            (self.folder / "build" / name).symlink_to(BUILD / name)
        for name in ("examples", "runtime", "tests"):
            (self.folder / name).symlink_to(ROOT / name)
        programs = self.folder / "bin"
        programs.mkdir()
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT, QCC_TUNE):
            (programs / Path(program).name).symlink_to(program)
        write_compiler(programs / "cc")
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"),
                            "LD_LIBRARY_PATH": str(BUILD / "runtime")}

    def play(self, command):
        machine = {"QCC_EMULATE": EMULATED} if EMULATED and re.search(OF_DEFAULT_TARGET, command) else {}
        return self.fine("sh", "-e", "-c", command, cwd=self.folder, environment=self.environment | machine)

    def play_page(self, name, least):
        """All commands of it in their order, of which there are at least so many; returns what they print."""
        commands = [command for block in blocks(ROOT / name, "sh") for command in to_play(block)]
        self.assertGreaterEqual(len(commands), least)
        return [self.play(command).decode(errors="replace") for command in commands]

    def test_readme(self):
        (self.folder / "names.txt").write_text("red\ngreen\nblue\n")
        program = blocks(ROOT / "README.md", "c")[0]
        self.assertEqual(program.count("    …\n"), 1)
        (self.folder / "program.c").write_text(program.replace("    …\n", "    return EXIT_SUCCESS;\n"))
        said = self.play_page("README.md", 10)
        self.assertIn("of 300", said[0])
        self.assertIn("class", "".join(said))
        self.play("./program")

    def test_start(self):
        (self.folder / "program.c").write_text(blocks(ROOT / "docs" / "start.md", "c")[0])
        shutil.copy(ROOT / "tests" / "data" / "onnx" / "opset17.onnx", self.folder / "model.onnx")
        said = self.play_page("docs/start.md", 11)
        self.assertIn("seven", said[1])

    def test_shapes(self):
        self.play_page("docs/shapes.md", 6)
        include, body = blocks(ROOT / "docs" / "shapes.md", "c")[0].split("\n\n", 1)
        (self.folder / "program.c").write_text(
            f"#include <stdlib.h>\n#include <qcc.h>\n{include}\nint main(void)\n{{\nstatic float x[3 * 32 * 640], y[3];\n"
            f"const void *inputs[] = {{x}};\nvoid *outputs[] = {{y}};\n{body}\nreturn !wide;\n}}\n")
        self.play("cc -Wall -Wextra -Werror program.c ocr.o $(pkg-config --cflags --libs qcc) -o program && ./program")

    def test_others(self):
        """Whatever page has commands that no test above has played."""
        shutil.copy(ROOT / "tests" / "codegen" / "gemm" / "matmul" / "fc_u8.qir", self.folder / "FILE.qir")
        for page in PAGES:
            name = str(page.relative_to(ROOT))
            if name in ("README.md", "docs/start.md", "docs/shapes.md"):
                continue
            real = name in ("docs/calibration.md", "docs/export.md")  # where the model is one of real numbers
            shutil.copy(EXAMPLE / ("digits_float.tflite" if real else "digits.tflite"), self.folder / "model.tflite")
            shutil.copy(EXAMPLE / "digits.onnx", self.folder / "model.onnx")
            with self.subTest(name):
                self.play_page(name, 0)

    def test_man_pages(self):
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT, QCC_TUNE):
            commands = man_examples(Path(program).name)
            self.assertGreater(len(commands), 1)
            for command in to_play("\n".join(commands)):
                with self.subTest(command):
                    self.play(command)

    def test_options(self):
        """Those of the tables, too, and of single words in the text; pages of development name those of other programs."""
        known = {"--cflags", "--libs"}
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT, QCC_TUNE):
            known |= set(re.findall(r"--[a-z0-9-]+", self.fine(program, "--help").decode()))
        for page in PAGES:
            if page.name in DEVELOPMENT or page.parent.name == "developing":
                continue
            text = re.sub(r"^.*(?:meson|pip |tests/|bench/).*$", "", page.read_text(), flags=re.M)
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))
            self.assertLessEqual(named, known, page.name)

    def test_speed(self):
        """The README's table is that of the page that says how it was measured."""
        lines = [line for line in (ROOT / "README.md").read_text().splitlines() if re.match(r"\| [\w, -]+ \| [\d.]+ \(", line)]
        self.assertGreater(len(lines), 4)
        self.assertLessEqual(set(lines), set((ROOT / "docs" / "performance.md").read_text().splitlines()))

    def test_files_of_the_source(self):
        """A path in a page is there; capitals, as in NAME.c, stand for any."""
        folders = "|".join(sorted(folder.name for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith((".", "build"))))
        for page in PAGES:
            for path in re.findall(rf"`((?:{folders})/[\w./*-]*)`", page.read_text()):
                if not re.search(r"[A-Z]{4}", path):
                    self.assertTrue(list(ROOT.glob(path.rstrip("/"))), f"{page.name}: {path}")

    def test_links(self):
        """To files, and to headings of pages."""
        for page in PAGES:
            for link in re.findall(r"\]\(([^):]+)\)", page.read_text()):
                path, _, heading = link.partition("#")
                target = page.parent / path if path else page
                self.assertTrue(target.exists(), f"{page.name}: {link}")
                if heading:
                    headings = [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", target.read_text(), re.M)]
                    self.assertIn(heading, headings, f"{page.name}: {link}")


if __name__ == "__main__":
    main()
