#!/usr/bin/env python3
"""Measures models of others, and keeps the table of docs/gallery.md.

    bench/gallery.py [--what=cost,agreement,speed] [--compiler=build/compiler/qcc] [--expected=DIR] [--page=docs/gallery.md] MODEL ...

cost        seconds and memory of `qcc MODEL --target=native -o m.o`, size of the object, workspace, what is int8
agreement   five made-up inputs, qcc's results beside the framework's: of .tflite files LiteRT's, of .ort and .onnx files
            ONNX Runtime's without optimizations, of .nb files stored ones (DIR/NAME.json, DIR/NAME.outK.bin: one input)
speed       median time of a run on one core, in turns with what else runs the same file: LiteRT with XNNPACK, OpenVINO, ONNX Runtime;
            for a machine that does nothing else.  --objects=DIR keeps the shared libraries: --what=objects makes those that
            are not there, and takes no turn of such a machine for it.

A row is a model, known by its file's name.  Columns that are not measured keep what the page has; rows of models that are not
given, too.  --missing leaves out models whose row has what is asked for, so that a run which was ended goes on.
Needs NumPy, and ai-edge-litert, openvino or onnxruntime for what is compared with them."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests" / "tools"), str(ROOT / "bench")]
COLUMNS_OF = {
    "cost": ("multiply-adds, int8", "object, workspace", "compiling"),
    "agreement": ("as the framework", "tflite rounding"),
    "speed": ("qcc", "best other", "times as fast"),
}
COLUMNS = ("model", *(column for columns in COLUMNS_OF.values() for column in columns))
SAMPLES = 5
# Of the times: slices of each contender, and seconds over all of them.
SLICES, SECONDS, MOST_RUNS = 5, 1.0, 2000
OTHERS = {".tflite": {"tflite": "LiteRT", "openvino": "OpenVINO"}, ".onnx": {"onnx": "ONNX Runtime", "openvino": "OpenVINO"},
          ".ort": {"onnx": "ONNX Runtime"}}
# Between a number and its unit: a narrow column does not part them.
JOINED = "\N{NO-BREAK SPACE}"
START, END = "<!-- table -->", "<!-- end of the table -->"


# ---- What the framework computes ----

class LiteRT:
    """A new interpreter for each run of a model with state: resetting leaves resource variables as they are."""
    def __init__(self, path, kernels, state=False):
        from tflite_reference import Reference
        self.made = lambda: Reference(str(path), kernels)
        self.reference, self.state = self.made(), state

    def __call__(self, inputs):
        if self.state:
            self.reference = self.made()
        return [numpy.array(y) for y in self.reference.run(inputs)]


class OnnxRuntime:
    def __init__(self, path):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [x.name for x in self.session.get_inputs()]

    def __call__(self, inputs):
        return self.session.run(None, dict(zip(self.names, inputs)))


def framework(path, state=False):
    """None: none that runs here."""
    if path.suffix == ".tflite":
        return LiteRT(path, "opt", state)
    return OnnxRuntime(path) if path.suffix in (".ort", ".onnx") else None


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
    """(equal, farthest) as texts, of [(results, wanted)]; equal is empty where the outputs are real numbers and differ."""
    all_of = [difference(t, g, w) for got, want in pairs for t, g, w in zip(model.outputs, got, want)]
    steps = [d for _, _, d, whole in all_of if whole]
    reals = [d for _, _, d, whole in all_of if not whole]
    texts = [f"{int(max(steps))}{JOINED}step{'' if max(steps) == 1 else 's'}"] if steps else []
    texts += [f"{max(reals):.0e}" if max(reals) else "0"] if reals else []
    same, count = (sum(one[i] for one in all_of if one[3] or not steps) for i in range(2))
    return "all" if same == count else f"{100 * same / count:.1f}{JOINED}%" if steps else "", ", ".join(texts)


def verdict(equal, farthest):
    return f"the{JOINED}same" if equal == "all" else ", ".join(filter(None, (equal, farthest)))


def run_all(model, inputs):
    results = []
    for x in inputs:
        model.reset()
        y = model(*x)
        results.append(list(y) if isinstance(y, tuple) else [y])
    return results


def agreement(path, facts, int8):
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
    row = {"as the framework": verdict(equal, farthest)}
    if path.suffix == ".tflite" and int8:
        reference = LiteRT(path, "ref", state)
        equal, farthest = compared(model, list(zip(run_all(qcc.compile(path, rounding="tflite"), inputs[:3]), [reference(x) for x in inputs[:3]])))
        row["tflite rounding"] = verdict(equal, farthest)
    return row


# ---- Cost ----

def size(count, unit=1024, units=("B", "KB", "MB", "GB")):
    for name in units:
        if count < unit or name == units[-1]:
            return (f"{count:.3g}" if count < 1000 else f"{count:.0f}") + JOINED + name
        count /= unit


def duration(seconds):
    return size(seconds * 1e6, 1000, ("µs", "ms", "s"))


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
    share = f", {100 * said['macs_int8'] / macs:.0f}{JOINED}%" if macs else ""
    return {"multiply-adds, int8": size(macs, 1000, ("", "K", "M", "G")).strip() + share,
            "object, workspace": f"{size(bytes_of_object)} + {size(said['workspace_bytes'])}",
            "compiling": f"{seconds:.2g}{JOINED}s, {size(kilobytes * 1024)}"}


# ---- Speed ----

def shared_library(path, arguments, facts):
    """The model as DIR/NAME.so, made where it is not there."""
    from qcc._programs import options
    made = arguments.objects / (path.name + ".so")
    if not made.exists():
        subprocess.run([arguments.compiler, str(path), "--target=native", "-o", str(made), "--no-header", *options(options_of(path, facts))],
                       check=True, capture_output=True)
    return made


def time_all(contenders):
    """Takes slices of runs in turns, of each that loaded; who fails has no slices."""
    running = [one for one in contenders if one.ready]
    for one in running:
        least = min(one.ask(2), default=0) / 1e9
        one.count = max(1, min(MOST_RUNS, int(SECONDS / SLICES / max(least, 1e-6))))
    for _ in range(SLICES):
        for one in running:
            one.slices.append(one.ask(one.count))
    for one in contenders:
        one.close()


def speed(path, library):
    """Medians, each through its Python binding."""
    from compare import Contender
    machine = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}
    ours = Contender("qcc", "qcc", str(library), 1, {})
    others = [Contender(name, kind, str(path), 1, machine) for kind, name in OTHERS.get(path.suffix, {}).items()]
    time_all([ours, *others])
    medians = {one.name: statistics.median(time for times in one.slices for time in times) / 1e9
               for one in (ours, *others) if all(one.slices) and one.slices}
    mine = medians.pop("qcc")
    row = {"qcc": duration(mine), "best other": "–", "times as fast": "–"}
    if medians:
        best = min(medians, key=medians.get)
        row.update({"best other": f"{duration(medians[best])}, {best.replace(' ', JOINED)}", "times as fast": f"{medians[best] / mine:.2g}"})
    return row


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


def measure(path, arguments, row):
    """What is asked for, as columns."""
    facts = facts_of(path, arguments.expected)
    found = {"model": path.name}
    if "cost" in arguments.what:
        found.update(cost(path, arguments.compiler, facts))
    if "agreement" in arguments.what:
        share = found.get(COLUMNS[1], row.get(COLUMNS[1], ""))
        found.update(agreement(path, facts, int8="%" in share and not share.endswith(f" 0{JOINED}%")))
    if "objects" in arguments.what or "speed" in arguments.what:
        library = shared_library(path, arguments, facts)
        if "speed" in arguments.what:
            found.update(speed(path, library))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", type=lambda text: text.split(","), default=["cost", "agreement"])
    parser.add_argument("--compiler", default=str(ROOT / "build" / "compiler" / "qcc"))
    parser.add_argument("--expected", help="folder of stored results")
    parser.add_argument("--objects", type=Path, help="folder of shared libraries, for speed")
    parser.add_argument("--missing", action="store_true", help="only models whose row lacks what is asked for")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "gallery.md")
    parser.add_argument("models", nargs="+", type=Path)
    arguments = parser.parse_args()
    if {"objects", "speed"} & set(arguments.what) and not arguments.objects:
        parser.error("speed needs --objects=DIR")
    runner = str(Path(arguments.compiler).parents[1] / "tools" / "qcc-run")
    os.environ.update(QCC=arguments.compiler, QCC_RUN=runner)
    wanted = [column for what in arguments.what for column in COLUMNS_OF.get(what, ())[:1]]
    for path in arguments.models:
        row = read_rows(arguments.page).get(path.name, {})
        if arguments.missing and wanted and all(row.get(column) for column in wanted):
            continue
        try:
            found = measure(path, arguments, row)
        except Exception as problem:  # one model that a framework does not take is no reason to lose the others
            print(f"{path.name}: {type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}", file=sys.stderr)
            continue
        write_rows(arguments.page, {**read_rows(arguments.page), path.name: {**row, **found}})
        print(", ".join(f"{k} {v}" for k, v in found.items()), flush=True)


if __name__ == "__main__":
    main()
