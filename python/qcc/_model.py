"""A compiled model: arrays in, arrays out."""
import ctypes
import json
import os
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy

from ._library import DTYPES, Library
from ._programs import Error, run

_ALIGNMENT = 64


@dataclass(frozen=True)
class Tensor:
    """An input or output: real numbers are scale * (q - zero_point); scale 0 where the elements are real themselves."""
    name: str
    dtype: numpy.dtype
    shape: tuple
    scale: float
    zero_point: int

    def quantize(self, real):
        """The integers that stand for these real numbers, of this tensor's type and shape."""
        if self.scale == 0:
            return numpy.ascontiguousarray(real, self.dtype)
        limits = numpy.iinfo(self.dtype)
        steps = numpy.rint(numpy.asarray(real, numpy.float32) / numpy.float32(self.scale)) + self.zero_point
        return numpy.clip(steps, limits.min, limits.max).astype(self.dtype)

    def real(self, array):
        """The real numbers that such integers stand for."""
        if self.scale == 0:
            return numpy.asarray(array)
        return numpy.float32(self.scale) * (numpy.asarray(array, numpy.float32) - numpy.float32(self.zero_point))


@dataclass(frozen=True)
class Shape:
    """What the inputs and outputs are for one of the shapes that a model was compiled for."""
    inputs: tuple
    outputs: tuple

    def __str__(self):
        return ", ".join(f"{tensor.name} {tensor.shape}" for tensor in self.inputs)


@dataclass(frozen=True)
class Step:
    """A step of a compiled model, as Model.profile measures it."""
    name: str
    op: str
    part: str  # of its op: "product", what an operand of it needs first, "pad", "pack", "sums" of rows, or "results"; "all"
    position: int  # in the order in which they run
    shape: str
    seconds: float
    share: float  # of the whole run
    macs: int
    int8: bool
    peak: Optional[float]  # fraction of what the cores could do


def _tensors(count, info_of):
    tensors = []
    for i in range(count):
        info = info_of(i).contents
        name = info.name.decode(errors="replace")
        if info.dtype not in DTYPES:
            raise Error(f"'{name}' has elements of a kind that NumPy is not told of, {info.dtype}")
        tensors.append(Tensor(name, numpy.dtype(DTYPES[info.dtype]), tuple(info.dims[:info.rank]), info.scale, info.zero_point))
    return tuple(tensors)


def _shape(library, model):
    return Shape(_tensors(library.qcc_model_input_count(model), lambda i: library.qcc_model_input(model, i)),
                 _tensors(library.qcc_model_output_count(model), lambda i: library.qcc_model_output(model, i)))


def _aligned(size):
    room = numpy.zeros(size + 2 * _ALIGNMENT, numpy.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start:start + size + 1]  # NumPy promises no address for an empty array


def _converted(tensor, value):
    """A list or a number as an array of the tensor's type, if that changes none of its numbers but for the rounding of reals."""
    array = numpy.asarray(value)
    exact = array.astype(tensor.dtype, casting="unsafe") if array.dtype.kind in "bifu" else None
    if exact is None or (tensor.dtype.kind != "f" and (exact != array).any()):
        raise TypeError(f"input '{tensor.name}' takes {tensor.dtype}, which not all of these values are")
    return exact


def _typed(tensor, value):
    """The array itself, or one of a list or number; of whatever shape."""
    array = value if isinstance(value, numpy.ndarray) else _converted(tensor, value)
    if array.dtype != tensor.dtype:
        real = tensor.scale > 0 and array.dtype.kind == "f"
        raise TypeError(f"input '{tensor.name}' takes {tensor.dtype}, not {array.dtype}: "
                        + (".quantize(array) of this one of the model's inputs gives that" if real else f".astype('{tensor.dtype}') gives that"))
    return array


def _writable(tensor, array):
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"output '{tensor.name}' goes into a NumPy array, not into {type(array).__name__}")
    if array.dtype != tensor.dtype:
        raise TypeError(f"output '{tensor.name}' is {tensor.dtype}, not {array.dtype}")
    if array.shape != tensor.shape:
        raise ValueError(f"output '{tensor.name}' has the shape {tensor.shape}, not {array.shape}")
    if not (array.flags.c_contiguous and array.flags.writeable):
        raise ValueError(f"output '{tensor.name}' goes into an array that is contiguous and writable")


def _readable(array):
    """The array itself where it can be read as it lies."""
    return numpy.ascontiguousarray(array).reshape(array.shape)


def _pointers(arrays):
    return (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))


class Model:
    """A model with memory of its own: one stream of a model with state.  Calls from several threads wait for one another; `stream`
    gives one more that does not."""

    def __init__(self, library, threads=1):
        self._library = library
        model = library.model
        self._models = [library.qcc_model_shape(model, i) for i in range(library.qcc_model_shape_count(model))]
        self.shapes = tuple(_shape(library, one) for one in self._models)
        self.inputs, self.outputs = self.shapes[0].inputs, self.shapes[0].outputs
        self._workspace = _aligned(library.qcc_model_workspace_bytes(model))
        self._lock = threading.Lock()
        self._pool, self._release_pool = None, lambda: None
        self.threads = threads
        self.reset()

    @property
    def target(self):
        """The machine whose code runs here."""
        name = self._library.qcc_model_target(self._library.model)
        return name.decode() if name else None

    @property
    def threads(self):
        """How many threads share the work of a call."""
        return self._threads

    @threads.setter
    def threads(self, count):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"threads: {count!r} is not a number of at least 1")
        pool = self._library.qcc_pool_create(count) if count > 1 else None
        if count > 1 and not pool:
            raise Error(f"no {count} threads to be had")
        with self._lock:
            self._release_pool()
            self._threads, self._pool = count, pool
            destroy, library = self._library.qcc_pool_destroy, self._library  # which has to outlive the pool
            self._release_pool = weakref.finalize(self, lambda: destroy(pool) if library and pool else None)

    def __call__(self, *inputs, out=None, **named):
        """Arrays in the model's order, or one dictionary, or keywords -> the output, or a tuple of them.  Arrays that are contiguous
        are read and written where they are; `out`, an array or as many as there are outputs, takes the results.  Of a model of several
        shapes the one runs that the arrays have."""
        read, index = self._read(inputs, named)
        written = self._places(out, read, self.shapes[index].outputs)
        with self._lock:
            self._library.check(self._library.qcc_run(self._models[index], _pointers(read), _pointers(written),
                                                      self._workspace.ctypes.data, self._pool))
        return written[0] if len(written) == 1 else tuple(written)

    def _read(self, inputs, named):
        """The arrays, as the model reads them, and which of its shapes they have."""
        arrays = [_typed(tensor, value) for tensor, value in zip(self.inputs, self._arrange(inputs, named))]
        for i, shape in enumerate(self.shapes):
            if all(tensor.shape == array.shape for tensor, array in zip(shape.inputs, arrays)):
                return [_readable(array) for array in arrays], i
        if len(self.shapes) == 1:
            tensor, array = next((t, a) for t, a in zip(self.inputs, arrays) if t.shape != a.shape)
            raise ValueError(f"input '{tensor.name}' has the shape {tensor.shape}, not {array.shape}")
        given = ", ".join(f"{tensor.name} {array.shape}" for tensor, array in zip(self.inputs, arrays))
        raise ValueError(f"the model was not compiled for {given}, but for {'; '.join(map(str, self.shapes))}")

    def _arrange(self, inputs, named):
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            inputs, named = (), {**inputs[0], **named}
        if not named:
            if len(inputs) != len(self.inputs):
                raise TypeError(f"{len(inputs)} inputs given, the model takes {len(self.inputs)}")
            return inputs
        names = [tensor.name for tensor in self.inputs]
        if inputs or set(named) != set(names):
            raise TypeError(f"the model takes the inputs {', '.join(names)}, not {', '.join(map(str, named))}"
                            f"{' and some without names' if inputs else ''}")
        return [named[name] for name in names]

    @staticmethod
    def _places(out, read, outputs):
        if out is None:
            return [numpy.empty(tensor.shape, tensor.dtype) for tensor in outputs]
        places = [out] if isinstance(out, numpy.ndarray) else list(out)
        if len(places) != len(outputs):
            raise TypeError(f"{len(places)} arrays for {len(outputs)} outputs")
        for i, (tensor, array) in enumerate(zip(outputs, places)):
            _writable(tensor, array)
            if any(numpy.may_share_memory(array, other) for other in read + places[:i]):
                raise ValueError(f"output '{tensor.name}' would go where another array is")
        return places

    def reset(self):
        """Sets the state of a model that has one to its start."""
        with self._lock:
            self._library.qcc_reset(self._library.model, self._workspace.ctypes.data)

    def stream(self, threads=None):
        """One more of this model, with memory, state and threads of its own."""
        return Model(self._library, threads or self.threads)

    def profile(self, *inputs, seconds=1.0, threads=None, **named):
        """The steps, slowest first, each with its median time over runs for about so many seconds; qcc-run measures it, on these
        inputs or on made-up ones of the first shape."""
        with tempfile.TemporaryDirectory(prefix="qcc.") as folder:
            library = Path(folder, "model.so")
            self.save(library)
            line = ["--profile", "--json", f"--bench={seconds}", f"--threads={threads or self.threads}"]
            if inputs or named:
                for i, array in enumerate(self._read(inputs, named)[0]):
                    path = Path(folder, f"{i}.npy")
                    numpy.save(path, array)
                    line.append(f"--input={path}")
            found = json.loads(run("qcc-run", library, *line))
        return [Step(**step) for step in found["steps"]]

    def save(self, path):
        """Writes the shared library to a file, for qcc.load or dlopen."""
        self._library.copy(path)

    def __repr__(self):
        def text(tensors):
            return ", ".join(f"{t.name}: {t.dtype}{list(t.shape)}" for t in tensors)
        more = f", first of {len(self.shapes)} shapes" if len(self.shapes) > 1 else ""
        return f"<qcc.Model {text(self.inputs)} -> {text(self.outputs)}{more}, {self.target}>"


def load(path, threads=1, weights=None):
    """The model in a shared library that `qcc model -o model.so` made; `weights` is the file of --weights=FILE, if it was given."""
    return Model(Library(os.fspath(path), os.fspath(path), weights), threads)
