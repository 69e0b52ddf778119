"""Protects: out of memory, wherever it happens, is a diagnostic and exit 1, with no file written, and never a crash or a result that
something is missing from.  Allocations fail one after the other, alone and with all that follow."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import QCC, ROOT, Case, main, run  # noqa: E402

SHIM = os.environ["FAIL_MALLOC"]
DATA = ROOT / "tests" / "data"
MODELS = (DATA / "conv_int8.tflite", DATA / "onnx" / "cnn_qdq_u8s8.ort", DATA / "onnx" / "external.onnx",
          DATA / "nb" / "int8.nb", DATA / "paddle" / "qat_linear.pdmodel", None)


class Memory(Case):
    def attempt(self, at, ever, model, output, *options):
        """Exit status of a compilation whose allocation `at` fails; what has to hold if one did."""
        environment = {"LD_PRELOAD": SHIM, "FAIL_AT": str(at), **({"FAIL_EVER": "1"} if ever else {})}
        code, out, err = run(QCC, model, "-o", output, *options, environment=environment)
        place = f"allocation {at} of {os.path.basename(model)}{' and all behind' if ever else ''}: {err}"
        self.assertIn(code, (0, 1), place)
        self.assertEqual(out, b"", place)
        if code == 1:
            self.assertRegex(err, "out of memory|Cannot allocate memory", place)
            self.assertEqual(sorted(p.name for p in self.folder.iterdir()), self.before, place)
        else:
            self.assertEqual(output.read_bytes(), self.expected, place)
            for path in (output, output.with_suffix(".h")):
                path.unlink(missing_ok=True)
        return code

    def scan(self, model, output, options, step):
        self.fine(QCC, model, "-o", output, *options)
        self.expected = output.read_bytes()
        for path in (output, output.with_suffix(".h")):
            path.unlink(missing_ok=True)
        self.before = sorted(p.name for p in self.folder.iterdir())
        for ever in (False, True):
            at, fine, failed = 1, 0, 0
            while fine < 10:  # some failures are survived: stdio, for instance, does without a buffer
                code = self.attempt(at, ever, model, output, *options)
                fine, failed = (0, failed + 1) if code else (fine + 1, failed)
                at += step(at)
            self.assertGreater(failed, 5)

    def test_passes(self):
        """Every allocation of importers and passes."""
        for model in MODELS:
            self.scan(model or self.scale, self.folder / "m.qir", [], lambda at: 1)

    def test_code(self):
        """Some of code generation."""
        for model in (MODELS[0], None):
            self.scan(model or self.scale, self.folder / "m.o", ["--target=generic"], lambda at: 1 + at // 12)


if __name__ == "__main__":
    if "-fsanitize" in os.environ.get("LINK_ARGS", ""):
        print("skipped: a sanitizer has its own allocator")
        sys.exit(77)
    main()
