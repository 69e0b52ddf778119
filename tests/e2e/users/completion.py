"""Protects what bash completes for the programs: their options, and the words that an option takes."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import QCC, QCC_RUN, Case, main, targets  # noqa: E402

SCRIPT = """
source "$1"
COMP_WORDS=("${@:3}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"_$2"
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(Case):
    def complete(self, program, *words):
        name = Path(program).name
        done = subprocess.run(["bash", "--norc", "-c", SCRIPT, "bash", Path(os.environ["COMPLETIONS"], name), name, name, *words],
                              capture_output=True, cwd=self.folder, check=False, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_options(self):
        self.assertEqual(self.complete(QCC, "--list-"), ["--list-passes", "--list-targets", "--list-kernels", "--list-operators", "--list-ops"])
        self.assertEqual(self.complete(QCC, "--emi"), ["--emit="])
        self.assertEqual(self.complete(QCC, "--threads"), [])
        self.assertEqual(self.complete(QCC_RUN, "m.tflite", "--thr"), ["--threads="])

    def test_values(self):
        """However the shell cuts the word."""
        for words in (["--rounding=t"], ["--rounding", "=", "t"]):
            self.assertEqual(self.complete(QCC, *words), ["tflite"])
        self.assertEqual(self.complete(QCC, "--target", "="), targets() + ["native"])
        self.assertEqual(self.complete(QCC, "--target=avx2,gen"), ["avx2,generic"])
        self.assertEqual(self.complete(QCC, "--emit="), ["obj", "shared", "asm", "llvm", "ir", "tflite"])
        self.assertEqual(self.complete(QCC_RUN, "--preprocess="), ["imagenet", "tf", "raw"])

    def test_files(self):
        self.assertEqual(self.complete(QCC, "ad"), ["add.qir"])
        self.assertEqual(self.complete(QCC, "-o", "sca"), ["scale.qir"])
        self.assertEqual(self.complete(QCC, "--header=sca"), ["scale.qir"])


if __name__ == "__main__":
    if not shutil.which("bash"):
        print("skipped: no bash")
        sys.exit(77)
    main()
