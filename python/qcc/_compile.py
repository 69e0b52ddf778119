"""Model files -> Model, by the program qcc."""
import json
import os
import re
import tempfile
from pathlib import Path

import numpy

from ._library import Library
from ._model import Model
from ._programs import Error, options, run


def _in_memory(model):
    return isinstance(model, (bytes, bytearray, memoryview))


def _qcc(model, *arguments):
    """What qcc prints for a model file, or the bytes of one, which it reads from stdin."""
    return run("qcc", "-", *arguments, stdin=bytes(model)) if _in_memory(model) else run("qcc", model, *arguments)


def _compile(model, threads, keywords, more=()):
    with tempfile.TemporaryDirectory(prefix="qcc.") as folder:
        library = os.path.join(folder, "model.so")
        _qcc(model, "-o", library, "--no-header", *options({"target": "native", **keywords}), *more)
        return Model(Library(library, "the model" if _in_memory(model) else os.fspath(model)), threads)


def compile(model, threads=1, **keywords):
    """Compiles a model file, or the bytes of one, for this machine.

    Keywords are the options of qcc, with underscores: target="avx2,generic", batch=4, input_shape={"x": (1, 224, 224, 3)},
    keep_float=["first", "last"], infer_scales=True, rounding="tflite".  Model.save writes the result to a file.  Raises Error with qcc's
    diagnostic."""
    return _compile(model, threads, keywords)


def describe(model, **keywords):
    """What a model file, or the bytes of one, asks for, whether or not qcc can compile it: a dictionary with `supported`, `inputs`,
    `outputs`, `operators`, `refusals`, …, as docs/describe.md has it.  Keywords are the options of qcc: batch=1,
    input_shape={"x": (1, 224, 224, 3)}.  Raises Error for a file that is no model, or is damaged."""
    return json.loads(_qcc(model, "--describe", "--json", *options(keywords)))


def _write_samples(samples, folder):
    """A .npy file for each sample, in a folder for each input; returns the options that name the folders."""
    paths = {}
    for i, sample in enumerate(samples):
        arrays = sample if isinstance(sample, dict) else {None: sample}
        if i == 0:
            paths = {name: Path(folder, str(k)) for k, name in enumerate(arrays)}
            for path in paths.values():
                path.mkdir()
        if arrays.keys() != paths.keys():
            raise ValueError(f"sample {i} is not of the inputs that sample 0 is of")
        for name, array in arrays.items():
            numpy.save(paths[name] / f"{i:09}.npy", numpy.ascontiguousarray(array))
    if not paths:
        raise ValueError("there are no samples")
    return [f"--calib={path}" if name is None else f"--calib={name}:{path}" for name, path in paths.items()]


def quantize(model, samples, threads=1, **keywords):
    """Makes a model of real numbers one of 8-bit integers, with the help of samples of what it will see, and compiles it.

    samples: any iterable of arrays, each an input of the model, with or without the batch's dimension of 1; for a model with several
    inputs, of dictionaries by the inputs' names.  Keywords are those of compile, and the options of the calibration: algo="mse",
    effort=0, activation_scales="symmetric", …"""
    with tempfile.TemporaryDirectory(prefix="qcc.") as folder:
        more = _write_samples(samples, folder)
        try:
            return _compile(model, threads, keywords, more)
        except Error as problem:  # whose files are the caller's samples
            raise Error(re.sub(rf"{re.escape(folder)}/\d+/0*(\d+)\.npy", r"sample \1", str(problem))) from None
