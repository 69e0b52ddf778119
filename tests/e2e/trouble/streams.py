"""Protects the meaning of exit code 0: all that was asked for arrived.  Every program, with standard streams that are full,
closed, or closed at the other end."""
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import DIGITS, QCC, QCC_EVAL, QCC_OPT, QCC_RUN, Case, main, npy  # noqa: E402

FULL = "/dev/full"


def finish(arguments, shell_redirection):
    """Runs with streams redirected as a shell does it; returns (exit code, stderr)."""
    done = subprocess.run(["sh", "-c", f'exec "$@" {shell_redirection}', "sh", *map(str, arguments)], capture_output=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=200)
    return done.returncode, done.stderr.decode()


@unittest.skipUnless(os.path.exists(FULL), "no /dev/full here")
class Streams(Case):
    def printing(self):
        """Commands that print on stdout, each in another way."""
        (self.folder / "data").mkdir()
        for name in "ab":
            (self.folder / "data" / f"{name}.npy").write_bytes(npy("<f4", (1, 5), [1, 2, 3, 4, 5]))
        (self.folder / "labels.txt").write_text("4\n4\n")
        one = self.folder / "one.qir"
        one.write_text('graph "one" {\n  input %0:f32<1x5> "x"\n  %1:f32<1x5> "y" = relu %0\n  output %1 "y"\n}\n')
        evaluate = [QCC_EVAL, one, "--interp", f"--data={self.folder}/data", f"--labels={self.folder}/labels.txt"]
        yield from ([program, option] for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT) for option in ("--help", "--version"))
        yield from ([program, option] for program in (QCC, QCC_OPT) for option in ("--list-ops", "--list-passes"))
        yield from ([QCC, DIGITS, "-o", "-", f"--emit={kind}"] for kind in ("obj", "asm", "llvm", "ir"))
        yield [QCC, self.add, "-o", self.folder / "m.o", "--dot=-"]
        yield [QCC_OPT, DIGITS]
        yield from ([QCC_RUN, DIGITS, "--target=generic", *more] for more in ([], ["--bench=0.01"], ["--profile", "--bench=0.01"]))
        yield [QCC_RUN, DIGITS, "--interp", "-o", "-"]
        yield evaluate
        yield [*evaluate, "--json"]

    def test_stdout(self):
        for arguments in self.printing():
            for redirection in (f">{FULL}", ">&-"):
                with self.subTest(arguments=arguments, redirection=redirection):
                    code, err = finish(arguments, redirection)
                    self.assertEqual(code, 1, err)
                    self.assertEqual(len(err.strip().splitlines()), 1, err)
            code, err = finish(arguments, ">/dev/null")
            self.assertEqual((code, err), (0, ""), arguments)

    def test_closed_stdout_is_no_failure_when_nothing_is_printed(self):
        for redirection in (">&-", "<&- >&-", "<&- >&- 2>&-"):
            for name in ("m.o", "m.so", "m.qir"):
                output = self.folder / name
                self.assertEqual(finish([QCC, DIGITS, "-o", output], redirection), (0, ""))
                whole = output.read_bytes()
                self.fine(QCC, DIGITS, "-o", output)
                self.assertEqual(whole == output.read_bytes(), True, name)
            self.assertEqual(finish([QCC_RUN, DIGITS, "--interp", "-o", self.folder / "y.npy"], redirection), (0, ""))

    def test_printing_on_stderr(self):
        for option in ("--print-ir-after-all", "--print-ir-before=dce", "--time-passes"):
            for program, output in ((QCC, self.folder / "m.o"), (QCC_OPT, self.folder / "m.qir")):
                for redirection in (f"2>{FULL}", "2>&-"):
                    code, _ = finish([program, DIGITS, "-o", output, option], redirection)
                    self.assertEqual(code, 1, (program, option, redirection))

    def test_stdout_and_stderr_full(self):
        for arguments in ([QCC, "--help"], [QCC_OPT, DIGITS, "--print-ir-after-all"]):
            self.assertEqual(finish(arguments, f">{FULL} 2>{FULL}")[0], 1)

    def test_usage_stays_usage(self):
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT):
            self.assertEqual(finish([program, "--frobnicate"], f">{FULL} 2>{FULL}")[0], 2)

    def test_stdin_closed(self):
        code, err = finish([QCC, "-", "-o", self.folder / "m.o"], "<&-")
        self.assertEqual(code, 1)
        self.assertIn("<stdin>", err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["add.qir", "scale.qir"])

    def test_json_is_whole(self):
        self.assertIn("median_ms", json.loads(self.fine(QCC_RUN, DIGITS, "--target=generic", "--bench=0.01")))


if __name__ == "__main__":
    main()
