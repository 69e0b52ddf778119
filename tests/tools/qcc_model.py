"""qcc_model.py: models compiled for this machine, in Python, through the C interface.

    m = Compiled(qcc, "model.tflite", "--rounding=tflite")
    outputs = m.run([array])
"""

import ctypes
import os
import subprocess
import tempfile

import numpy as np

TYPES = {1: np.float32, 2: np.int8, 3: np.uint8, 4: np.int16, 5: np.int32, 6: np.int64, 7: np.bool_}


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_uint32),
                ("dims", ctypes.c_int64 * 8), ("bytes", ctypes.c_size_t), ("scale", ctypes.c_float),
                ("zero_point", ctypes.c_int32)]


class Compiled:
    def __init__(self, qcc, model, *options):
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "model.so")
            done = subprocess.run([qcc, model, "-o", library, "--no-header", "--target=native", *options], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr.strip())
            self.lib = ctypes.CDLL(library)
        self.model = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(self.lib, "qcc_default_model")))
        for name in ("qcc_model_input", "qcc_model_output"):
            getattr(self.lib, name).restype = ctypes.POINTER(TensorInfo)
        self.lib.qcc_model_workspace_bytes.restype = ctypes.c_size_t
        self.lib.qcc_status_text.restype = ctypes.c_char_p
        self.inputs = self.tensors("input")
        self.outputs = self.tensors("output")
        size = self.lib.qcc_model_workspace_bytes(self.model)
        self.memory = np.zeros(size + 64, np.uint8)
        start = -self.memory.ctypes.data % 64
        self.workspace = ctypes.c_void_p(self.memory.ctypes.data + start)
        self.lib.qcc_reset(self.model, self.workspace)

    def tensors(self, which):
        count = getattr(self.lib, f"qcc_model_{which}_count")(self.model)
        infos = [getattr(self.lib, f"qcc_model_{which}")(self.model, k).contents for k in range(count)]
        return [(TYPES[i.dtype], tuple(i.dims[:i.rank])) for i in infos]

    def run(self, arrays):
        ins = [np.ascontiguousarray(a, dtype=dtype) for a, (dtype, _) in zip(arrays, self.inputs)]
        outs = [np.empty(shape, dtype) for dtype, shape in self.outputs]
        pointers = [(ctypes.c_void_p * len(p))(*[a.ctypes.data for a in p]) for p in (ins, outs)]
        status = self.lib.qcc_run(self.model, pointers[0], pointers[1], self.workspace, None)
        if status:
            raise RuntimeError(self.lib.qcc_status_text(status).decode())
        return outs
