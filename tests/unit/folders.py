"""Protects what folders may know of one another (docs/ARCHITECTURE.md): what is said of a machine, or of LLVM, in one place alone can be
changed there, and a target added, without looking anywhere else; that they stay small; and that no file of cases is forgotten."""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Names that have one home: pattern, folders that may have it.
HOMES = [
    (r"llvm\.x86\b", ["compiler/codegen/isa"]),
    (r"#include <llvm-c/", ["compiler/codegen", "tests/codegen"]),
    (r'(strcmp|target_find|target_set_of)\([^"\n]*"(avx|generic)', ["compiler/target", "tests"]),  # decisions by a target's name
    (r"\b__builtin_cpu_supports\b|\b__get_cpuid\b", ["runtime", "tests"]),
]

# Folders of this project that a folder includes headers from.
INCLUDES = {
    "arith": ["arith"],
    "ir": ["arith", "ir"],
    "frontends": ["ir", "frontends"],
    "exporters": ["exporters", "frontends/tflite/ops.def", "frontends/tflite/schema.h", "frontends/tflite/types.def", "frontends/tflite/window.h",
                  "ir"],
    "passes": ["ir", "passes"],
    "runtime": ["arith", "runtime"],
    "compiler/target": ["compiler/target", "runtime"],
    "compiler/schedule": ["compiler/schedule", "compiler/target"],
    "compiler/codegen": ["compiler/codegen", "compiler/schedule", "compiler/target", "arith", "ir", "runtime"],
    "compiler/run": ["compiler/driver.h", "compiler/options.h", "compiler/output/output.h", "compiler/shapes.h", "compiler/codegen", "compiler/target",
                     "compiler/run", "ir", "runtime"],
    "compiler/quantize": ["compiler/codegen/object/cost.h", "compiler/driver.h", "compiler/interrupt.h", "compiler/options.h", "compiler/shapes.h", "compiler/weight_options.h", "compiler/run",
                          "compiler/quantize", "ir", "passes", "runtime"],
    "compiler/tune": ["compiler/driver.h", "compiler/interrupt.h", "compiler/options.h", "compiler/output/output.h", "compiler/quantize", "compiler/run",
                      "compiler/tune", "ir", "passes", "runtime"],
}


def sources(folder="."):
    """The C files of a folder, as (path from the root, text)."""
    tops = ("arith", "compiler", "exporters", "frontends", "ir", "passes", "runtime", "tests", "tools") if folder == "." else (folder,)
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".c", ".h", ".def"):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def within(path, folders):
    """Is it in one of the folders, or one of those that are files?"""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


class Folders(unittest.TestCase):
    def test_homes(self):
        for pattern, homes in HOMES:
            places = [path for path, text in sources() if re.search(pattern, text)]
            self.assertTrue(places, f"{pattern}: nowhere any more")
            self.assertEqual([path for path in places if not within(path, homes)], [], pattern)

    def test_includes(self):
        for folder, known in INCLUDES.items():
            for path, text in sources(folder):
                for header in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE):
                    self.assertTrue("/" not in header or within(header, known), f"{path} includes {header}")

    def test_sizes(self):
        """About 25 files a folder and 500 lines a file of C, as CONTRIBUTING.md has it; beyond these, it is time to split."""
        count = {}
        for top in ("arith", "bench", "compiler", "docs", "examples", "exporters", "frontends", "ir", "packaging", "passes", "python", "runtime",
                    "tests", "tools"):
            for path in (ROOT / top).rglob("*"):
                if path.is_file() and path.suffix != ".pyc" and ROOT / "tests" / "data" not in path.parents:
                    count.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path.name)
        self.assertEqual({folder: len(names) for folder, names in count.items() if len(names) > 28}, {})
        self.assertEqual([path for path, text in sources() if text.count("\n") > 800], [])

    def test_cases(self):
        """Each file of cases is named by a meson.build."""
        named = set(re.findall(r"[\w/.-]+", "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("meson.build"))))
        named = {Path(name).name.removesuffix(".qir") for name in named}
        cases = [path for path in (ROOT / "tests").rglob("*.qir") if ROOT / "tests" / "data" not in path.parents]
        self.assertEqual([path for path in cases if path.stem not in named], [])


if __name__ == "__main__":
    unittest.main()
