"""Neural networks compiled to machine code, as functions of NumPy arrays.

    import qcc
    model = qcc.compile("model.onnx")
    y = model(x)

compile and quantize run the program qcc; load takes a shared library that it made.  docs/python.md has the rest."""
from ._compile import compile, quantize
from ._model import Model, Step, Tensor, load
from ._programs import Error, Remark
from ._version import VERSION as __version__

__all__ = ["compile", "quantize", "load", "Model", "Tensor", "Step", "Error", "Remark", "__version__"]
