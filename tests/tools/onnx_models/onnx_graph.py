"""onnx_graph.py: building small ONNX graphs, running them, and putting fake quantization around their ops."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tflite_reference import made_input

OPSET = 19
LEVELS = {"disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
          "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED}


class Graph:
    """A graph under construction."""

    def __init__(self, seed, opset=OPSET):
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def op(self, kind, *inputs, outputs=1, domain="", **attributes):
        names = [f"{kind[:4].lower()}{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0], domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, what="c"):
        name = f"{what}{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64), "i")

    def real(self, value):
        return self.constant(np.float32(value), "r")

    def normal(self, *shape, deviation=None):
        deviation = deviation or (2.0 / max(1, np.prod(shape[1:]))) ** 0.5
        return self.constant((self.random.standard_normal(shape) * deviation).astype(np.float32), "w")

    def conv(self, x, inside, channels, kernel=3, stride=1, groups=1, bias=True, **attributes):
        w = self.normal(channels, inside // groups, kernel, kernel)
        b = [self.normal(channels, deviation=0.1)] if bias else []
        return self.op("Conv", x, w, *b, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups,
                       **attributes)

    def output(self, name):
        self.outputs.append(name)

    def model(self):
        return typed(self.untyped())

    def untyped(self):
        empty = [onnx.ValueInfoProto(name=name) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "graph", self.inputs, empty, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def session(model, level="disabled", save=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if save:
        options.optimized_model_filepath = save
        options.add_session_config_entry("session.save_model_format", "ORT")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def typed(model):
    """The outputs with the types that ONNX Runtime infers."""
    kinds = {"tensor(float)": TensorProto.FLOAT, "tensor(uint8)": TensorProto.UINT8, "tensor(int8)": TensorProto.INT8,
             "tensor(int64)": TensorProto.INT64, "tensor(int32)": TensorProto.INT32, "tensor(bool)": TensorProto.BOOL,
             "tensor(int16)": TensorProto.INT16, "tensor(float16)": TensorProto.FLOAT16, "tensor(double)": TensorProto.DOUBLE}
    infos = [helper.make_tensor_value_info(o.name, kinds[o.type], o.shape) for o in session(model).get_outputs()]
    del model.graph.output[:]
    model.graph.output.extend(infos)
    return model


def made_inputs(model):
    """For those without a value in the model; extents that are open are 1."""
    given = {t.name for t in model.graph.initializer}
    return {i.name: made_input(helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type),
                               [d.dim_value or 1 for d in i.type.tensor_type.shape.dim], 1 + k, 16)
            for k, i in enumerate(i for i in model.graph.input if i.name not in given)}


# ---- Fake quantization ----

class Quantizer:
    """Puts quantize and dequantize around every op of a float model, but for `keep` (kinds of ops that stay real).

    act: type of activations; symmetric: their zero points are 0; channels: a scale for each channel of the weights; weights:
    their type, uint8 with zero points that are not 128."""

    def __init__(self, model, act="uint8", channels=False, weights="int8", symmetric=False, keep=(), open_ends=False):
        self.model, self.act, self.channels, self.weights = model, np.dtype(act), channels, np.dtype(weights)
        self.symmetric, self.keep, self.open_ends = symmetric, keep, open_ends
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.nodes, self.made, self.scales, self.weight_scales = [], [], {}, {}
        self.ranges = self.measure()

    def measure(self):
        probe = onnx.ModelProto()
        probe.CopyFrom(self.model)
        have = {o.name for o in probe.graph.output}
        probe.graph.output.extend(onnx.ValueInfoProto(name=n) for node in probe.graph.node for n in node.output if n not in have)
        run = session(probe)
        feeds = made_inputs(self.model)
        values = dict(zip([o.name for o in run.get_outputs()], run.run(None, feeds)))
        values.update(feeds)
        return {n: (min(0, float(v.min())), max(1e-3, float(v.max()))) for n, v in values.items() if v.dtype == np.float32}

    def add(self, values, name):
        self.made.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def parameters(self, name):
        low, high = self.ranges[name]
        info = np.iinfo(self.act)
        if name.startswith("soft"):  # what ONNX Runtime's quantizer gives it
            return np.float32(1 / 256), np.array(info.min, self.act)
        if self.symmetric:
            scale, zero = max(-low, high) / info.max, 0
        else:
            scale = (high - low) / (info.max - info.min)
            zero = int(np.clip(round(info.min - low / scale), info.min, info.max))
        return np.float32(scale), np.array(zero, self.act)

    def around(self, name):
        """Quantize and dequantize behind the value; the name of what consumers read."""
        scale, zero = self.parameters(name)
        self.scales[name + "_real"] = scale
        s, z = self.add(scale, name + "_scale"), self.add(zero, name + "_zero")
        self.nodes.append(helper.make_node("QuantizeLinear", [name, s, z], [name + "_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [name + "_q", s, z], [name + "_real"]))
        return name + "_real"

    def weight(self, name, axis):
        w, info = self.constants[name], np.iinfo(self.weights)
        other = tuple(d for d in range(w.ndim) if d != axis) if self.channels else None
        if self.weights == np.uint8:
            low, high = np.minimum(0, w.min(axis=other)), np.maximum(0, w.max(axis=other))
            scale = ((high - low) / 255).astype(np.float32)
            zero = np.round(-low / scale).astype(np.uint8)
        else:
            scale = (np.abs(w).max(axis=other) / info.max).astype(np.float32)
            zero = np.zeros_like(scale, self.weights)
        spread = lambda v: np.asarray(v).reshape([-1 if d == axis else 1 for d in range(w.ndim)]) if self.channels else v
        q = np.clip(np.round(w / spread(scale)) + spread(zero).astype(np.int32), info.min, info.max).astype(self.weights)
        attributes = {"axis": axis} if self.channels else {}
        self.nodes.append(helper.make_node("DequantizeLinear", [self.add(q, name + "_q"), self.add(scale, name + "_scale"),
                                                                self.add(zero, name + "_zero")], [name + "_real"], **attributes))
        self.weight_scales[name + "_real"] = scale
        return name + "_real"

    def bias(self, name, x, w):
        scale = np.asarray(np.float32(self.scales[x] * self.weight_scales[w]), np.float32)
        q = np.round(self.constants[name] / scale).astype(np.int32)
        self.nodes.append(helper.make_node("DequantizeLinear", [self.add(q, name + "_q"), self.add(scale, name + "_scale")],
                                           [name + "_real"], **({"axis": 0} if scale.ndim else {})))
        return name + "_real"

    def run(self):
        graph = self.model.graph
        users = {}
        for node in graph.node:
            for name in node.input:
                users.setdefault(name, []).append(node)
        renamed = {i.name: self.around(i.name) for i in graph.input if i.name in self.ranges}
        ends = {o.name for o in graph.output}
        for node in graph.node:
            inputs = [renamed.get(name, name) for name in node.input]
            if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") and node.input[1] in self.constants:
                trans = any(a.name == "transB" and a.i for a in node.attribute)
                axis = 0 if node.op_type == "Conv" or trans else 1
                inputs[1] = self.weight(node.input[1], axis)
                if len(inputs) > 2:
                    inputs[2] = self.bias(node.input[2], inputs[0], inputs[1])
            elif node.op_type not in ("Clip", "Resize"):
                inputs = [self.weight_tensor(name) if name in self.constants and self.constants[name].dtype == np.float32 else name
                          for name in inputs]
            self.nodes.append(helper.make_node(node.op_type, inputs, node.output, name=node.name, domain=node.domain,
                                               **{a.name: helper.get_attribute_value(a) for a in node.attribute}))
            for name in node.output:
                clamped = [u for u in users.get(name, []) if u.op_type in ("Relu", "Clip")]
                if name not in self.ranges or node.op_type in self.keep or (clamped and len(users[name]) == 1) or \
                        (name in ends and self.open_ends):
                    continue
                renamed[name] = self.around(name)
        outputs = [onnx.ValueInfoProto(name=renamed.get(o.name, o.name)) for o in graph.output]
        made = helper.make_graph(self.nodes, "graph", graph.input, outputs,
                                 [*self.made, *[t for t in graph.initializer if any(t.name in n.input for n in self.nodes)]])
        return typed(helper.make_model(made, opset_imports=self.model.opset_import, ir_version=9))

    def weight_tensor(self, name):
        """A constant operand of an elementwise op, per tensor."""
        v = self.constants[name]
        low, high = min(0, float(v.min())), max(1e-3, float(v.max()))
        info = np.iinfo(self.act)
        scale = np.float32((high - low) / (info.max - info.min))
        zero = np.array(round(info.min - low / scale), self.act)
        q = np.clip(np.round(v / scale) + int(zero), info.min, info.max).astype(self.act)
        self.nodes.append(helper.make_node("DequantizeLinear", [self.add(q, name + "_q"), self.add(scale, name + "_scale"),
                                                                self.add(zero, name + "_zero")], [name + "_real"]))
        return name + "_real"
