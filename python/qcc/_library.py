"""A shared library that qcc made, by ctypes.  It has the runtime inside: no other library takes part.  The declarations are those
of qcc.h."""
import _ctypes
import ctypes
import os
import shutil
import struct
import tempfile
import weakref

import numpy

from ._programs import Error

OK = 0
DTYPES = {1: numpy.float32, 2: numpy.int8, 3: numpy.uint8, 4: numpy.int16, 5: numpy.int32, 6: numpy.int64, 7: numpy.bool_,
          8: numpy.float16, 9: numpy.float64, 10: numpy.uint16, 11: numpy.uint32}
_MAX_RANK = 8


class TensorInfo(ctypes.Structure):
    """qcc_tensor_info"""
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_uint32), ("dims", ctypes.c_int64 * _MAX_RANK),
                ("bytes", ctypes.c_size_t), ("scale", ctypes.c_float), ("zero_point", ctypes.c_int32)]


_FUNCTIONS = {  # name: result, arguments after the first, which is the model where there is one
    "qcc_model_input_count": (ctypes.c_uint, [ctypes.c_void_p]),
    "qcc_model_output_count": (ctypes.c_uint, [ctypes.c_void_p]),
    "qcc_model_input": (ctypes.POINTER(TensorInfo), [ctypes.c_void_p, ctypes.c_uint]),
    "qcc_model_output": (ctypes.POINTER(TensorInfo), [ctypes.c_void_p, ctypes.c_uint]),
    "qcc_model_shape_count": (ctypes.c_uint, [ctypes.c_void_p]),
    "qcc_model_shape": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_uint]),
    "qcc_model_workspace_bytes": (ctypes.c_size_t, [ctypes.c_void_p]),
    "qcc_model_target": (ctypes.c_char_p, [ctypes.c_void_p]),
    "qcc_run": (ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p,
                               ctypes.c_void_p]),
    "qcc_reset": (None, [ctypes.c_void_p, ctypes.c_void_p]),
    "qcc_pool_create": (ctypes.c_void_p, [ctypes.c_uint]),
    "qcc_pool_destroy": (None, [ctypes.c_void_p]),
    "qcc_set_weights": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]),
    "qcc_status_text": (ctypes.c_char_p, [ctypes.c_int]),
}


def _is_whole(file):
    """Whether the segments of a 64-bit ELF file end inside it, so that no page which the loader maps is missing; other files are the
    loader's to refuse."""
    header, size, loaded = file.read(64), file.seek(0, os.SEEK_END), 1
    if len(header) < 64 or header[:5] != b"\x7fELF\2":
        return True
    start, each, count = struct.unpack_from("<Q14xHH", header, 32)
    file.seek(min(start, size))
    table = file.read(each * count)
    if each < 56 or len(table) < each * count:
        return False
    segments = [struct.unpack_from("<I4xQ16xQ", table, i * each) for i in range(count)]
    return all(offset + length <= size for kind, offset, length in segments if kind == loaded)


def _load(path):
    """The library, under a name that no other has had: the loader would take a file of the same name for the one that it has."""
    with tempfile.TemporaryDirectory(prefix="qcc.") as folder:
        name = os.path.join(folder, "model.so")
        os.symlink(os.path.abspath(path), name)
        try:
            return ctypes.CDLL(name)
        except OSError as problem:
            raise Error(f"{path}: not a shared library that can be loaded: {str(problem).replace(name + ': ', '')}") from None


class Library:
    """The functions of qcc.h as attributes, and the model as `model`; unloaded when nobody refers to it any more.  The file may
    lose its name meanwhile; `name` is what diagnostics call it."""

    def __init__(self, path, name, weights=None):
        self.name = name
        try:
            self._file = open(path, "rb")
        except OSError as problem:
            raise Error(f"{path}: {problem.strerror}") from None
        weakref.finalize(self, self._file.close)
        if not _is_whole(self._file):
            raise Error(f"{path}: not a shared library that can be loaded: it ends before its segments do")
        functions = _load(path)
        weakref.finalize(self, _ctypes.dlclose, functions._handle)
        try:
            self.model = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(functions, "qcc_default_model")))
            for name, (result, arguments) in _FUNCTIONS.items():
                function = getattr(functions, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except (AttributeError, ValueError):
            raise Error(f"{path}: not a shared library made by qcc") from None
        if weights is not None:
            self._map(weights)

    def _map(self, path):
        """The weights of a model that was compiled with --weights=FILE, where pages of the file are."""
        try:
            self._weights = numpy.memmap(path, numpy.uint8, "r")
        except (OSError, ValueError) as problem:
            raise Error(f"{path}: {problem}") from problem
        self.check(self.qcc_set_weights(self.model, self._weights.ctypes.data, self._weights.size))

    def copy(self, path):
        """Writes the library's bytes to another file."""
        with open(f"/proc/self/fd/{self._file.fileno()}", "rb") as file, open(path, "wb") as to:
            shutil.copyfileobj(file, to)

    def check(self, status):
        """Raises an Error unless the status is fine."""
        if status != OK:
            raise Error(f"{self.name}: {self.qcc_status_text(status).decode()}")
