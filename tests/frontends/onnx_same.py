#!/usr/bin/env python3
"""onnx_same.py: a graph gives the same object whichever of ONNX's boxes it lies in.

    onnx_same.py QCC IMPORT DATA        (needs onnx and onnxruntime: exit 77 without)
    onnx_same.py QCC --published        (77 also where the model set is not)

Protects: the two readers say the same of the same graph.  Each .ort of the folder becomes an .onnx, node by node; each .onnx
becomes an .ort, by ONNX Runtime with its optimizations disabled, which makes initializers of constant nodes, as the reader does.
So do networks of several kinds, made anew as files of the operator sets 7 to 21 (onnx_opsets.py).

--published: the same of each .ort of the model set, whose graph is exported again as an .onnx by the package onnx, and from that as an
.ort by ONNX Runtime, and of the .onnx that ONNX Runtime's package comes with."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "onnx_models"))
try:
    import onnx
    import onnxruntime
    import onnx_opsets
    import ort_onnx
    import ort_writer
    from onnx_graph import session
    from ort_expected import models_dir
except ImportError as missing:
    print(missing)
    sys.exit(77)
if ort_onnx.available():
    print(ort_onnx.available())
    sys.exit(77)


def output(command):
    """What it prints, or the end of its diagnostic."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (True, done.stdout) if not done.returncode else (False, (done.stdout + done.stderr).split("error: ")[-1])


def imported(program, path):
    """But for places: they name the file, and nodes have been sorted."""
    good, text = output([program, "-p", path])
    return good, re.sub(r" loc\(.*\)$", "", text, flags=re.M) if good else text


def open_dimensions(qcc, path):
    """What --describe says that has to be set, all to a number that most networks take."""
    inputs = json.loads(output([qcc, "--describe", "--json", path])[1])["inputs"]
    return sorted({o["option"].replace("N", "64") for i in inputs for o in i.get("open", []) if o["dimension"]})


def compiled(qcc, path, *options):
    good, text = output([qcc, path, "--target=avx2", "--name=m", "-o", path + ".o", *options])
    if not good:
        return good, text
    with open(path + ".o", "rb") as f:
        return True, f.read()


def with_initializers(model):
    """Constant nodes as initializers, as the reader takes them."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for node in [n for n in made.graph.node if n.op_type == "Constant"]:
        made.graph.initializer.add().CopyFrom(node.attribute[0].t)
        made.graph.initializer[-1].name = node.output[0]
        made.graph.node.remove(node)
    return made


def write_as_ort(model, path):
    """By ONNX Runtime, unless it makes another graph of it, such as one with a DequantizeLinear for each reader."""
    session(model, save=path)
    kinds = [[n.op_type for n in m.graph.node if n.op_type != "Constant"] for m in (model, ort_onnx.load(path))]
    if kinds[0] != kinds[1]:
        with open(path, "wb") as f:
            f.write(ort_writer.write(with_initializers(model)))


def pairs(data, folder):
    """(name, the model as .ort, the same as .onnx)"""
    for name in sorted(os.listdir(data)):
        path, ort, proto = os.path.join(data, name), os.path.join(folder, name + ".ort"), os.path.join(folder, name + ".onnx")
        if name.endswith(".ort"):
            shutil.copy(path, ort)
            onnx.save(ort_onnx.load(path), proto)
        elif name.endswith(".onnx") and not onnx.load(path).functions:  # ONNX Runtime gives their values other names
            write_as_ort(onnx.load(path), ort)
            shutil.copy(path, proto)
        elif name.endswith(".bin"):  # weights of one of them
            shutil.copy(path, folder)
            continue
        else:
            continue
        yield name, ort, proto
    for name, model in onnx_opsets.models():
        ort, proto = os.path.join(folder, name + ".ort"), os.path.join(folder, name + ".onnx")
        onnx.save(model, proto)
        write_as_ort(model, ort)
        yield name + ".onnx", ort, proto


def published(models, folder):
    """(name, a model's graph as .ort, the same as .onnx)"""
    datasets = os.path.join(os.path.dirname(onnxruntime.__file__), "datasets")
    for path in sorted(glob.glob(os.path.join(models, "ort", "**", "*.ort"), recursive=True) + glob.glob(os.path.join(datasets, "*.onnx"))):
        name, ort, proto = os.path.basename(path), os.path.join(folder, "m.ort"), os.path.join(folder, "m.onnx")
        model = ort_onnx.load(path) if path.endswith(".ort") else onnx.load(path)
        onnx.save(model, proto)
        write_as_ort(model, ort)
        yield name, ort, proto


def check_published(qcc):
    models = models_dir()
    if not models:
        print("skipped: the model set is not here")
        return 77
    bad = count = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, ort, proto in published(models, folder):
            count += 1
            shapes = open_dimensions(qcc, proto)
            results = [compiled(qcc, path, *shapes) for path in (ort, proto)]
            refused += not results[0][0]
            if results[0] != results[1]:
                bad += 1
                print(f"BAD {name}: " + "; ".join("differs" if good else text for good, text in results))
            elif not results[0][0]:
                print(f"refused alike: {name}: {results[0][1].strip()}")
    print(f"{count} models, {refused} are refused, {bad} differ")
    return 1 if bad or not count else 0


def main():
    if sys.argv[2] == "--published":
        return check_published(sys.argv[1])
    qcc, program, data = sys.argv[1:]
    bad = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, *both in pairs(data, folder):
            count += 1
            results = [compiled(qcc, path) if name.endswith(".onnx") else imported(program, path) for path in both]
            if results[0] != results[1] or not results[0][0]:
                bad += 1
                print(f"BAD {name}: " + "; ".join("differs" if good else text for good, text in results))
    print(f"{count} models, {bad} differ")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
