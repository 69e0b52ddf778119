#!/usr/bin/env python3
"""What quantizing models of real numbers costs: qcc beside other quantizers, on the same samples, by the same measures.

    bench/accuracy.py --qcc build/compiler/qcc --models ../shared/models/ptq --protocol ../shared/peers/ptq [NAME…]
    bench/accuracy.py … --methods ort_minmax,ort_percentile --quoted ../shared/ACCURACY.md --json results.jsonl

The folder of the protocol has ptq_peers.py, which says which samples a model is calibrated with and which it is measured with, how they
become its inputs, and how other quantizers are called; lists/ with the pictures' names, and data/ with what is not a picture.  Models whose
samples are not there are left out, and named.  A model comes as NAME.tflite, NAME.onnx or NAME.ort.

SQNR is 10 log10(sum of f^2 / sum of (f - q)^2) over all results of all samples, f being the same model of real numbers, as qcc compiles it with
--quantize=none; of other quantizers it is what runs them without quantization.  Agreement is how often the largest result is the same.
--quoted reads a table of other measurements (| model | method | top-1 | float | agreement | SQNR |): the best there becomes a column.
Needs numpy and pillow; other quantizers what they need."""
import argparse
import importlib
import json
import os
import re
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "tools"))
import qcc_model  # noqa: E402


def parse_arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("names", nargs="*", help="models (default: all that there are)")
    a.add_argument("--qcc", required=True)
    a.add_argument("--models", required=True)
    a.add_argument("--protocol", required=True)
    a.add_argument("--data", help="samples that are not pictures (default: data/ of the protocol)")
    a.add_argument("--efforts", default="0,1")
    a.add_argument("--methods", default="", help="of ptq_peers.py, to be measured beside qcc: ort_minmax, ort_percentile, nncf_mixed, …")
    a.add_argument("--quoted", help="Markdown with a table of other measurements")
    a.add_argument("--json", help="append a line for each measurement")
    return a.parse_args()


def quoted(path):
    """Name -> (SQNR, agreement, method) of the best SQNR in the tables of a file."""
    best = {}
    for line in open(path, encoding="utf-8") if path else []:
        cells = [c.strip().strip("*") for c in line.strip().strip("|").split("|")]
        number = r"-?\d+(\.\d+)?"
        if len(cells) < 6 or not re.fullmatch(number, cells[5]) or not re.fullmatch(r"([01](\.\d+)?)?", cells[4]) or "NOT quantized" in line:
            continue
        if cells[0] not in best or float(cells[5]) > best[cells[0]][0]:
            best[cells[0]] = (float(cells[5]), cells[4], cells[1])
    return best


class Model:
    """One model with its samples."""

    def __init__(self, name, arguments, peers):
        self.name, self.peers = name, peers
        stem = os.path.join(arguments.models, name)
        self.file = next(stem + e for e in (".tflite", ".ort", ".onnx") if os.path.exists(stem + e))
        folder = arguments.protocol
        where = argparse.Namespace(set="shared", shared=os.path.dirname(os.path.abspath(arguments.models)), held=None,
                                   lists=os.path.join(folder, "lists"), gen=arguments.data or os.path.join(folder, "data"))
        self.calibrate, self.evaluate, self.labels = peers.inputs(name, where)

    def results(self, compiled):
        shape = compiled.inputs[0][1]
        return np.stack([np.concatenate([o.reshape(-1).astype(np.float32) for o in compiled.run([self.peers.fit(x, shape)])])
                         for x in self.evaluate])

    def measure(self, real, results):
        """SQNR, agreement ("" where there are no classes) and the share that is right, if there are labels."""
        m = self.peers.metrics(real, results, self.labels, self.peers.M[self.name])
        return m["sqnr"], m.get("agree", ""), m.get("top1", "")


def save_samples(model, shape, path):
    np.save(path, np.concatenate([model.peers.fit(x, shape).reshape((1, *shape)) for x in model.calibrate]).reshape(-1, *shape[1:])
            if shape and shape[0] == 1 else np.stack([model.peers.fit(x, shape) for x in model.calibrate]))


def measure_qcc(model, arguments, emit):
    real = qcc_model.Compiled(arguments.qcc, model.file, "--quantize=none")
    reference = model.results(real)
    emit("real", None, *model.measure(reference, reference))
    with tempfile.TemporaryDirectory() as folder:
        samples = os.path.join(folder, "samples.npy")
        save_samples(model, real.inputs[0][1], samples)
        for effort in arguments.efforts.split(","):
            begin = time.time()
            compiled = qcc_model.Compiled(arguments.qcc, model.file, "--calib=" + samples, "--effort=" + effort)
            seconds = time.time() - begin
            emit("qcc " + effort, seconds, *model.measure(reference, model.results(compiled)))


def measure_other(model, arguments, method, emit):
    peers = model.peers
    stem = os.path.join(arguments.models, model.name)
    tflite = method.split("_")[0] in ("tfl", "aeq")
    file = stem + (".tflite" if tflite else ".onnx")
    if not os.path.exists(file):
        return
    begin = time.time()
    if tflite:
        content = open(file, "rb").read()
        made = peers.METHODS[method](content, model.calibrate)
        seconds = time.time() - begin
        emit(method, seconds, *model.measure(peers.run_tfl(content, model.evaluate), peers.run_tfl(made, model.evaluate)))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "quantized.onnx")
        peers.METHODS[method](file, made, model.calibrate)
        seconds = time.time() - begin
        emit(method, seconds, *model.measure(peers.run_onnx(file, model.evaluate), peers.run_onnx(made, model.evaluate)))


def measure_model(name, arguments, peers):
    """Method -> (seconds, SQNR, agreement, top-1)."""
    found = {}

    def emit(method, seconds, *numbers):
        found[method] = (seconds, *numbers)
        print(f"# {name} {method}: {numbers} {'' if seconds is None else round(seconds, 1)}", file=sys.stderr, flush=True)
        if arguments.json:
            with open(arguments.json, "a", encoding="utf-8") as f:
                f.write(json.dumps({"model": name, "method": method, "seconds": seconds, "sqnr": numbers[0], "agree": numbers[1],
                                    "top1": numbers[2]}) + "\n")

    model = Model(name, arguments, peers)
    measure_qcc(model, arguments, emit)
    for method in filter(None, arguments.methods.split(",")):
        try:
            measure_other(model, arguments, method, emit)
        except Exception as e:  # what another quantizer fails with is its result
            print(f"# {name} {method}: {type(e).__name__}: {str(e)[:100]}", file=sys.stderr)
    return found


def cell(numbers):
    if numbers is None:
        return "–"
    seconds, sqnr, agree, _ = numbers
    return f"{sqnr:.2f} dB" + (f", {agree:.3f}" if agree != "" else "") + (f", {seconds:.0f} s" if seconds is not None else "")


def main():
    arguments = parse_arguments()
    sys.path.insert(0, arguments.protocol)
    peers = importlib.import_module("ptq_peers")
    best = quoted(arguments.quoted)
    there = {os.path.splitext(f)[0] for f in os.listdir(arguments.models)}
    names = arguments.names or [n for n in peers.M if n in there]
    columns = ["qcc " + e for e in arguments.efforts.split(",")] + [m for m in arguments.methods.split(",") if m]
    print("| model | " + " | ".join(columns) + (" | best quoted | last effort against it |" if best else " |"))
    print("|---" * (len(columns) + 1 + 2 * bool(best)) + "|")
    for name in names:
        try:
            found = measure_model(name, arguments, peers)
        except FileNotFoundError as e:
            print(f"# {name}: left out: {e}", file=sys.stderr)
            continue
        row = [cell(found.get(c)) for c in columns]
        if best:
            b = best.get(name)
            last = found["qcc " + arguments.efforts.split(",")[-1]][1]
            row += [f"{b[0]:.2f} dB, {b[1]}, {b[2]}" if b else "–", f"{last - b[0]:+.2f} dB" if b else "–"]
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
