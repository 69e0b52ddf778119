"""onnx_cases.py: the tests of operators that ONNX's package carries: models, inputs, expected outputs.

Needs numpy and onnx; convert() also onnxruntime.  A test passes its parameters (axes, shapes, weights) as inputs;
with_constants() makes constants of them."""

import os
import warnings
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


@dataclass
class Case:
    name: str
    model: onnx.ModelProto
    inputs: list  # arrays; other things for tests of sequences and optional values
    outputs: list
    constants: int = 0  # inputs that became constants, from the end
    path: str = ""
    refusal: str = ""
    problems: list = field(default_factory=list)

    def has_tensors_only(self):
        return all(isinstance(v, np.ndarray) for v in [*self.inputs, *self.outputs])


def fed(model):
    """The inputs that have no value in the model."""
    given = {t.name for t in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in given]


def with_constants(case, count):
    """The model with its last `count` inputs as constants."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    infos = fed(model)
    for info, value in list(zip(infos, case.inputs))[len(infos) - count:]:
        model.graph.initializer.append(numpy_helper.from_array(value, info.name))
        model.graph.input.remove(info)
    return model


def array_of(value):
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if value is None or isinstance(value, list) else np.asarray(value)


def read_set(folder, kind, infos):
    for k, _ in enumerate(infos):
        tensor = onnx.TensorProto()
        with open(os.path.join(folder, f"{kind}_{k}.pb"), "rb") as f:
            tensor.ParseFromString(f.read())
        yield numpy_helper.to_array(tensor)


def load_cases(only="", kinds=KINDS):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tests of infinities make some
        tests = [test for kind in kinds for test in loader.load_model_tests(kind=kind) if only in test.name]
    for test in tests:
        if test.model is not None:
            inputs, outputs = test.data_sets[0]
            yield Case(test.name, test.model, [array_of(v) for v in inputs], [array_of(v) for v in outputs])
        elif test.model_dir and os.path.exists(os.path.join(test.model_dir, "test_data_set_0")):
            model = onnx.load(os.path.join(test.model_dir, "model.onnx"))
            folder = os.path.join(test.model_dir, "test_data_set_0")
            if all(v.type.HasField("tensor_type") for v in [*fed(model), *model.graph.output]):
                yield Case(test.name, model, list(read_set(folder, "input", fed(model))),
                           list(read_set(folder, "output", model.graph.output)))


def convert(case, folder, constants):
    """Writes the model in ONNX Runtime's format, without optimizing it; what it can't load is written as it is."""
    from onnx_graph import session
    import ort_writer
    case.constants, case.refusal = constants, ""
    case.path = os.path.join(folder, f"{case.name}.{constants}.ort")
    if not case.has_tensors_only():
        case.refusal = "inputs or outputs that are no tensors"
        return
    model = with_constants(case, constants)
    try:
        session(model, save=case.path)
    except Exception:  # its exceptions have no class of their own in common
        with open(case.path, "wb") as f:
            f.write(ort_writer.write(model))
