"""Protects the installation of the Python package: pip builds and installs it in a new virtual environment, offline, and there a
model takes three lines, and the package's tests pass."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import DIGITS, LINK_ARGS, ROOT, Case, main, run  # noqa: E402

try:
    import numpy
except ImportError as problem:
    print(f"skipped: {problem}")
    sys.exit(77)

THREE_LINES = """
import qcc, numpy
model = qcc.compile({model!r})
print(model(numpy.zeros((1, 8, 8, 1), numpy.int8)).shape, qcc.__file__)
"""


class Install(Case):
    def test_new_environment(self):
        """pip is the one outside: to put one into the new environment takes longer than all the rest."""
        pip = [sys.executable, "-m", "pip"]
        if run(*pip, "--version")[0] != 0:
            self.skipTest("this Python has no pip")
        venv = self.folder / "venv"
        self.fine(sys.executable, "-m", "venv", "--without-pip", venv)
        python = venv / "bin" / "python"
        self.fine(*pip, "--python", python, "install", "--no-index", "--no-deps", "--disable-pip-version-check", ROOT / "python")
        numpy_folder = os.path.dirname(os.path.dirname(numpy.__file__))  # a dependency that pip would fetch
        out = self.fine(python, "-c", THREE_LINES.format(model=str(DIGITS)), cwd=self.folder,
                        environment={"PYTHONPATH": numpy_folder}).decode()
        self.assertIn("(1, 10)", out)
        self.assertIn(str(venv), out)
        self.assertIn(b"Requires: numpy", self.fine(*pip, "--python", python, "show", "qcc"))
        installed = next(venv.glob("lib/python*/site-packages"))
        self.fine(python, Path(__file__).with_name("python_package.py"), environment={"PYTHONPATH": numpy_folder, "PYTHON_PACKAGE": str(installed)})


if __name__ == "__main__":
    if LINK_ARGS:
        print("skipped: Python can't load a library with sanitizers")
        sys.exit(77)
    main()
