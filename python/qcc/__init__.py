"""Neural networks compiled to machine code, as functions of NumPy arrays.

    import qcc
    model = qcc.compile("model.onnx")
    y = model(x)

compile, quantize and describe run the program qcc; load takes a shared library that it made.  docs/python.md has the rest."""
from ._compile import compile, describe, quantize
from ._model import Model, Shape, Step, Tensor, load
from ._programs import Error, Remark
from ._version import VERSION as __version__

__all__ = ["compile", "quantize", "describe", "load", "Model", "Shape", "Tensor", "Step", "Error", "Remark", "__version__"]
