#!/usr/bin/env python3
"""Measures models of others, and keeps the table of docs/gallery.md.

    bench/gallery.py [--what=agreement,cost,speed] [--compiler=build/compiler/qcc] [--expected=DIR] [--page=docs/gallery.md] MODEL ...

agreement   five made-up inputs (three of slow models), qcc's results beside the framework's: of .tflite files LiteRT's, of .ort and .onnx files
            ONNX Runtime's without optimizations, of .nb files stored ones (DIR/NAME.json, DIR/NAME.outK.bin: one input)
cost        seconds and memory of `qcc MODEL --target=native -o m.o`, size of the object, workspace, what is int8
speed       least time of a run, one thread, in turns with the framework (LiteRT with XNNPACK, ONNX Runtime): for a machine that
            does nothing else

A row is a model, known by its file's name.  Columns that are not measured keep what the page has; rows of models that are not
given, too.  Needs NumPy, and ai-edge-litert or onnxruntime for what is compared with them."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "tools")]
COLUMNS = ("model", "multiply-adds", "int8", "equal", "farthest", "with `--rounding=tflite`", "object", "workspace", "compiling", "memory of that",
           "qcc", "framework", "times as fast")
SAMPLES, SLICES, SLICE_SECONDS = 5, 5, 0.3
START, END = "<!-- table -->", "<!-- end of the table -->"


# ---- What the framework computes ----

class LiteRT:
    """A new interpreter for each run of a model with state: resetting leaves resource variables as they are."""
    def __init__(self, path, kernels="xnnpack", state=False):
        from tflite_reference import Reference
        self.made = lambda: Reference(str(path), kernels)
        self.reference, self.state = self.made(), state

    def __call__(self, inputs):
        if self.state:
            self.reference = self.made()
        return [numpy.array(y) for y in self.reference.run(inputs)]


class OnnxRuntime:
    def __init__(self, path, optimized=False):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        if not optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [x.name for x in self.session.get_inputs()]

    def __call__(self, inputs):
        return self.session.run(None, dict(zip(self.names, inputs)))


def framework(path, fast=False, state=False):
    """None: none that runs here."""
    if path.suffix == ".tflite":
        return LiteRT(path, "xnnpack" if fast else "opt", state)
    return OnnxRuntime(path, fast) if path.suffix in (".ort", ".onnx") else None


def facts_of(path, folder):
    """What DIR/NAME.json says of a model: inputs with their shapes and bounds, files of results; {}: nothing."""
    found = [file for file in Path(folder).rglob(path.stem + ".json") if file.parent.name == path.parent.name] if folder else []
    return {**json.loads(found[0].read_text()), "folder": found[0].parent} if found else {}


def stored(facts):
    """[(every how many elements, array)]"""
    return [(o["stride"], numpy.fromfile(facts["folder"] / o["file"], o["dtype"])) for o in facts.get("outputs", []) if "file" in o]


def options_of(path, facts):
    """What the file leaves open, and its stored results were made with."""
    return {"input_shape": {i["name"]: tuple(i["shape"]) for i in facts["inputs"]}} if path.suffix == ".nb" and facts else {}


# ---- Agreement ----

def made_inputs(model, sample, facts):
    """Of DIR/NAME.json, where it is: bounds of integers, and inputs that are one number."""
    from tflite_reference import made_input
    said = facts.get("inputs", [{}] * len(model.inputs))
    return [numpy.full(t.shape, i["const"], t.dtype) if "const" in i else made_input(t.dtype, t.shape, 1 + k + 100 * sample, i.get("bound"))
            for k, (t, i) in enumerate(zip(model.inputs, said))]


def difference(tensor, got, want):
    """Equal elements, all of them, the largest difference (steps; of real numbers against the largest magnitude), whether steps."""
    got, want = got.ravel(), numpy.asarray(want).ravel()
    if tensor.dtype.kind == "f":
        apart = numpy.nan_to_num(numpy.abs(got.astype(float) - want)).max(initial=0)
        return (got == want).sum(), got.size, apart / max(numpy.abs(want).max(initial=0), 1e-30), False
    return (got == want).sum(), got.size, numpy.abs(got.astype(int) - want.astype(int)).max(initial=0), True


def compared(model, pairs):
    """(equal, farthest) as texts, of [(results, wanted)]."""
    all_of = [difference(t, g, w) for got, want in pairs for t, g, w in zip(model.outputs, got, want)]
    steps = [d for _, _, d, whole in all_of if whole]
    reals = [d for _, _, d, whole in all_of if not whole]
    texts = [f"{int(max(steps))} step{'' if max(steps) == 1 else 's'}"] if steps else []
    texts += [f"{max(reals):.0e}" if max(reals) else "0"] if reals else []
    same, count = (sum(one[i] for one in all_of if one[3] or not steps) for i in range(2))
    return "all" if same == count else f"{100 * same / count:.1f} %" if steps else "–", ", ".join(texts)


def run_all(model, inputs):
    results = []
    for x in inputs:
        model.reset()
        y = model(*x)
        results.append(list(y) if isinstance(y, tuple) else [y])
    return results


def agreement(path, facts, integers):
    import qcc
    model = qcc.compile(path, **options_of(path, facts))
    state = bool(qcc.describe(path, **options_of(path, facts))["state_bytes"])
    other = framework(path, state=state)
    inputs = [made_inputs(model, i, facts) for i in range(SAMPLES if other else 1)]
    got = run_all(model, inputs)
    if other:
        equal, farthest = compared(model, list(zip(got, [other(x) for x in inputs])))
    else:
        want = stored(facts)
        if not want:
            return {}
        equal, farthest = compared(model, [([g.ravel()[::stride] for g, (stride, _) in zip(got[0], want)], [w for _, w in want])])
    row = {"equal": equal, "farthest": farthest}
    if path.suffix == ".tflite" and integers:
        reference = LiteRT(path, "ref", state)
        equal, farthest = compared(model, list(zip(run_all(qcc.compile(path, rounding="tflite"), inputs[:3]), [reference(x) for x in inputs[:3]])))
        row["with `--rounding=tflite`"] = "the same" if equal == "all" else f"{equal}, {farthest}"
    return row


# ---- Cost and speed ----

def size(count, unit=1024, units=("B", "KB", "MB", "GB")):
    for name in units:
        if count < unit or name == units[-1]:
            return f"{count:.3g} {name}" if count < 1000 else f"{count:.0f} {name}"
        count /= unit


# Runs a program, and prints its processor seconds and the most memory that it took, in KB.  A process of its own, because what starts
# a program counts as its memory, too.
USED = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(code)
"""


def cost(path, compiler, facts):
    from qcc._programs import options
    with tempfile.TemporaryDirectory() as folder:
        line = [compiler, str(path), "--target=native", "-o", f"{folder}/m.o", "--no-header", f"--report={folder}/r.json",
                *options(options_of(path, facts))]
        done = subprocess.run([sys.executable, "-S", "-c", USED, *line], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError("is refused")
        seconds, kilobytes = json.loads(done.stdout)
        said = json.loads(Path(folder, "r.json").read_text())
        bytes_of_object = os.path.getsize(f"{folder}/m.o")
    macs = said["macs"]
    return {"multiply-adds": size(macs, 1000, ("", "K", "M", "G")).strip(), "int8": f"{100 * said['macs_int8'] / macs:.0f} %" if macs else "–",
            "object": size(bytes_of_object), "workspace": size(said["workspace_bytes"]), "compiling": f"{seconds:.2g} s",
            "memory of that": size(kilobytes * 1024)}


def least(call):
    """Seconds of the quickest of some runs."""
    best, end = float("inf"), time.monotonic() + SLICE_SECONDS
    while time.monotonic() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def timed(path, runner, facts):
    """In turns, a slice each; qcc's by its own --bench, which has no Python around it."""
    import qcc
    model, other = qcc.compile(path, **options_of(path, facts)), framework(path, fast=True)
    inputs = made_inputs(model, 0, facts)
    ours = theirs = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/m.so")
        for _ in range(SLICES):
            said = subprocess.run([runner, f"{folder}/m.so", f"--bench={SLICE_SECONDS}"], capture_output=True, check=True).stdout
            ours = min(ours, json.loads(said)["min_ms"] / 1000)
            theirs = min(theirs, least(lambda: other(inputs))) if other else theirs

    def text(seconds):
        return f"{seconds * 1e3:.3g} ms"
    return {"qcc": text(ours), "framework": text(theirs) if other else "–", "times as fast": f"{theirs / ours:.2f}" if other else "–"}


# ---- The page ----

def read_rows(page):
    text = page.read_text(encoding="utf-8")
    rows = {}
    for line in text[text.index(START):text.index(END)].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(COLUMNS) and cells[0] not in ("model", "---"):
            rows[cells[0]] = dict(zip(COLUMNS, cells))
    return rows


def write_rows(page, rows):
    text = page.read_text(encoding="utf-8")
    lines = [COLUMNS, ("---",) * len(COLUMNS), *([row.get(c, "") for c in COLUMNS] for _, row in sorted(rows.items()))]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    page.write_text(re.sub(f"{START}.*{END}", lambda _: f"{START}\n\n{table}\n\n{END}", text, flags=re.S), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", default="agreement,cost")
    parser.add_argument("--compiler", default=str(ROOT / "build" / "compiler" / "qcc"))
    parser.add_argument("--expected", help="folder of stored results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "gallery.md")
    parser.add_argument("models", nargs="+", type=Path)
    arguments = parser.parse_args()
    runner = str(Path(arguments.compiler).parents[1] / "tools" / "qcc-run")
    os.environ.update(QCC=arguments.compiler, QCC_RUN=runner)
    what = arguments.what.split(",")
    for path in arguments.models:
        facts = facts_of(path, arguments.expected)
        found = {"model": f"{path.name}"}
        try:
            if "cost" in what:
                found.update(cost(path, arguments.compiler, facts))
            if "agreement" in what:
                found.update(agreement(path, facts, found.get("int8") not in ("0 %", "–")))
            if "speed" in what:
                found.update(timed(path, runner, facts))
        except Exception as problem:  # one model that a framework does not take is no reason to lose the others
            print(f"{path.name}: {type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}", file=sys.stderr)
            continue
        rows = read_rows(arguments.page)
        rows[path.name] = {**rows.get(path.name, {}), **found}
        write_rows(arguments.page, rows)
        print(", ".join(f"{k} {v}" for k, v in found.items()), flush=True)


if __name__ == "__main__":
    main()
