#!/usr/bin/env python3
"""object_hashes.py QCC [-o FILE | --against FILE] [--models DIR] [-- QCC-OPTION…]: what every model compiles to.

Writes a line for each model: the hash of its object, or the diagnostic that refuses it.  A refactoring leaves all lines as
they were; what a mend changes is what --against prints (exit 1 if there is anything), a model in a line:

    object_hashes.py old/compiler/qcc -o before.txt
    object_hashes.py new/compiler/qcc --against before.txt

With --emit=llvm behind the -- it compares code alone, with --emit=ir what the passes leave, weights included: in a tenth of the
time, and where all objects change, because their layout does, the two say which change beyond that.

Objects depend on LLVM, and on the compiler that built qcc, which chooses the order in which the arguments of a call are evaluated,
that is, in which emitters make instructions: compare those of one version, and of one compiler.  DIR is ../shared/models beside the source; its absence is exit 77."""
import argparse
import hashlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "models"
# Models whose files leave an extent open.
SHAPES = {"ppocr_cls_v2_slim_int8.nb": ["--input-shape=x:1x3x48x192"],
          "ppocr_cls_v4_fp32.nb": ["--input-shape=x:1x3x48x192"]}


def outcome(qcc, model, options):
    """The hash of the object that qcc makes of a model, or its diagnostic."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.o"
        done = subprocess.run([qcc, model, "-o", target, "--no-header", "--name=model", *SHAPES.get(model.name, []), *options],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return hashlib.sha256(target.read_bytes()).hexdigest()[:24]
        lines = done.stderr.replace(str(model), model.name).strip().splitlines() or [f"status {done.returncode}"]
        return "refused: " + lines[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("qcc")
    parser.add_argument("-o", "--output", type=Path, help="where the lines go (default: stdout)")
    parser.add_argument("--against", type=Path, help="print only what differs from these lines")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--jobs", type=int, default=2)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1:]
    if not arguments.models.is_dir():
        print(f"no models in {arguments.models}")
        return 77

    models = sorted(p for p in arguments.models.rglob("*") if p.suffix in (".tflite", ".ort", ".nb") and p.is_file())
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = pool.map(lambda model: outcome(arguments.qcc, model, options), models)
        lines = {str(model.relative_to(arguments.models)): text for model, text in zip(models, outcomes)}
    if arguments.against:
        before = dict(line.split("\t", 1) for line in arguments.against.read_text(encoding="utf-8").splitlines())
        changed = [name for name in sorted(lines.keys() | before.keys()) if lines.get(name) != before.get(name)]
        for name in changed:
            print(f"{name}: {before.get(name, 'absent')} -> {lines.get(name, 'absent')}")
        print(f"{len(lines)} models, {len(changed)} changed")
        return 1 if changed else 0
    text = "".join(f"{name}\t{what}\n" for name, what in lines.items())
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
