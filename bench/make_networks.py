#!/usr/bin/env python3
"""Makes the benchmark networks in ONNX and in ONNX Runtime's format, float and fake-quantized to int8.

    bench/make_networks.py --out DIR [--only mobilenet_v1,vgg16] [--activations u8|s8] [--expanded]

For each network STEM of NETWORKS, 1x3x224x224 to 1000 logits, the files are

    STEM_fp32.onnx  STEM_fp32.ort    float, convolution + BatchNormalization as exporters of training frameworks leave them
    STEM_qdq.onnx   STEM_qdq.ort     QuantizeLinear/DequantizeLinear around every op, batch norms folded into the weights

The weights are seeded random numbers (He's variance), the statistics of the batch norms those of a batch of noise, so
activations have the spread they have in a trained network; speed does not depend on the values, and closeness of two
runs of the same graph can be told.  --expanded spells hard-swish as x * HardSigmoid(x).
Needs numpy, onnx and onnxruntime."""

import argparse
import os
import tempfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, CLASSES, OPSET = 224, 1000, 17
EPSILON = 1e-5


class Graph:
    """A graph under construction.  form: "statistics" computes the batch norms' means and variances as outputs, "norms"
    has BatchNormalization nodes, "folded" has them in the convolutions' weights."""

    def __init__(self, seed, form, statistics, expanded):
        self.random, self.form, self.statistics, self.expanded = numpy.random.default_rng(seed), form, statistics, expanded
        self.nodes, self.constants, self.outputs, self.norms = [], [], [], 0
        self.channels = 3

    def node(self, kind, inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values, what):
        name = f"{what}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values), name))
        return name

    def normal(self, shape, deviation):
        return (self.random.standard_normal(shape, numpy.float32) * numpy.float32(deviation)).astype(numpy.float32)

    def conv(self, x, channels, kernel, stride=1, groups=1, act=None, norm=True, in_channels=None):
        depth = (in_channels or self.channels) // groups
        weights = self.normal((channels, depth, kernel, kernel), (2.0 / (depth * kernel * kernel)) ** 0.5)
        bias = None if norm else self.normal(channels, 0.05)
        shift, factor = self.normal(channels, 0.2), (1 + self.normal(channels, 0.1))
        self.channels = channels
        if norm and self.form == "folded":
            mean, variance = self.statistics[self.norms]
            scale = factor / numpy.sqrt(variance + EPSILON)
            weights, bias = weights * scale[:, None, None, None], shift - mean * scale
        inputs = [x, self.constant(weights, "weight")] + ([self.constant(bias, "bias")] if bias is not None else [])
        y = self.node("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups,
                      dilations=[1, 1])
        if norm and self.form != "folded":
            y = self.norm(y, factor, shift)
        self.norms += norm
        return self.activation(y, act)

    def norm(self, x, factor, shift):
        if self.form == "norms":
            mean, variance = self.statistics[self.norms]
            return self.node("BatchNormalization", [x] + [self.constant(v, "norm") for v in (factor, shift, mean, variance)],
                             epsilon=EPSILON)
        mean = self.node("ReduceMean", [x], axes=[0, 2, 3], keepdims=1)
        centred = self.node("Sub", [x, mean])
        variance = self.node("ReduceMean", [self.node("Mul", [centred, centred])], axes=[0, 2, 3], keepdims=1)
        self.outputs += [mean, variance]
        root = self.node("Sqrt", [self.node("Add", [variance, self.constant(numpy.float32(EPSILON), "epsilon")])])
        scaled = self.node("Mul", [self.node("Div", [centred, root]), self.constant(factor[:, None, None], "factor")])
        return self.node("Add", [scaled, self.constant(shift[:, None, None], "shift")])

    def activation(self, x, act):
        if act is None:
            return x
        if act == "relu6":
            return self.node("Clip", [x] + [self.constant(numpy.float32(v), "bound") for v in (0, 6)])
        if act == "hard_sigmoid":
            return self.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
        if act == "hard_swish":
            if self.expanded:
                return self.node("Mul", [x, self.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])
            return self.node("HardSwish", [x])
        return self.node("Relu", [x])

    def dense(self, x, inputs, outputs, act=None):
        weights = self.normal((outputs, inputs), (2.0 / inputs) ** 0.5)
        y = self.node("Gemm", [x, self.constant(weights, "weight"), self.constant(self.normal(outputs, 0.05), "bias")], transB=1)
        return self.activation(y, act)

    def pooled(self, x):
        return self.node("Flatten", [self.node("GlobalAveragePool", [x])], axis=1)


def mobilenet_v1(g):
    x = g.conv("image", 32, 3, stride=2, act="relu")
    for channels, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]:
        x = g.conv(x, g.channels, 3, stride, groups=g.channels, act="relu")
        x = g.conv(x, channels, 1, act="relu")
    return g.dense(g.pooled(x), 1024, CLASSES)


def mobilenet_v2(g):
    x = g.conv("image", 32, 3, stride=2, act="relu6")
    for expand, channels, count, first in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                           (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(count):
            stride, inside, start = first if i == 0 else 1, g.channels, x
            if expand > 1:
                x = g.conv(x, inside * expand, 1, act="relu6")
            x = g.conv(x, g.channels, 3, stride, groups=g.channels, act="relu6")
            x = g.conv(x, channels, 1)
            if stride == 1 and inside == channels:
                x = g.node("Add", [start, x])
    x = g.conv(x, 1280, 1, act="relu6")
    return g.dense(g.pooled(x), 1280, CLASSES)


def squeeze_excite(g, x, inner):
    channels = g.channels
    s = g.node("GlobalAveragePool", [x])
    s = g.conv(s, inner, 1, act="relu", norm=False)
    s = g.conv(s, channels, 1, act="hard_sigmoid", norm=False)
    return g.node("Mul", [s, x])


def mobilenet_v3_large(g):
    swish, relu = "hard_swish", "relu"
    x = g.conv("image", 16, 3, stride=2, act=swish)
    for kernel, wide, channels, squeeze, act, stride in [
            (3, 16, 16, 0, relu, 1), (3, 64, 24, 0, relu, 2), (3, 72, 24, 0, relu, 1), (5, 72, 40, 24, relu, 2),
            (5, 120, 40, 32, relu, 1), (5, 120, 40, 32, relu, 1), (3, 240, 80, 0, swish, 2), (3, 200, 80, 0, swish, 1),
            (3, 184, 80, 0, swish, 1), (3, 184, 80, 0, swish, 1), (3, 480, 112, 120, swish, 1), (3, 672, 112, 168, swish, 1),
            (5, 672, 160, 168, swish, 2), (5, 960, 160, 240, swish, 1), (5, 960, 160, 240, swish, 1)]:
        inside, start = g.channels, x
        if wide != inside:
            x = g.conv(x, wide, 1, act=act)
        x = g.conv(x, wide, kernel, stride, groups=wide, act=act)
        if squeeze:
            x = squeeze_excite(g, x, squeeze)
        x = g.conv(x, channels, 1)
        if stride == 1 and inside == channels:
            x = g.node("Add", [x, start])
    x = g.conv(x, 960, 1, act=swish)
    return g.dense(g.dense(g.pooled(x), 960, 1280, act=swish), 1280, CLASSES)


def resnet(g, counts):
    x = g.conv("image", 64, 7, stride=2, act="relu")
    x = g.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, count in enumerate(counts):
        for i in range(count):
            inner, stride, start, inside = 64 << stage, 2 if stage and i == 0 else 1, x, g.channels
            x = g.conv(x, inner, 1, act="relu")
            x = g.conv(x, inner, 3, stride, act="relu")
            x = g.conv(x, 4 * inner, 1)
            if i == 0:
                start = g.conv(start, 4 * inner, 1, stride, in_channels=inside)
            x = g.activation(g.node("Add", [x, start]), "relu")
    return g.dense(g.pooled(x), 2048, CLASSES)


def vgg(g, counts):
    x = "image"
    for count, channels in zip(counts, (64, 128, 256, 512, 512)):
        for _ in range(count):
            x = g.conv(x, channels, 3, act="relu", norm=False)
        x = g.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = g.node("Flatten", [x], axis=1)
    return g.dense(g.dense(g.dense(x, 25088, 4096, act="relu"), 4096, 4096, act="relu"), 4096, CLASSES)


NETWORKS = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3l": mobilenet_v3_large,
    "resnet50": lambda g: resnet(g, (3, 4, 6, 3)),
    "resnet101": lambda g: resnet(g, (3, 4, 23, 3)),
    "vgg16": lambda g: vgg(g, (2, 2, 3, 3, 3)),
    "vgg19": lambda g: vgg(g, (2, 2, 4, 4, 4)),
}


def build(name, form, statistics, expanded, batch=1):
    g = Graph(sum(name.encode()), form, statistics, expanded)
    result = NETWORKS[name](g)
    assert g.nodes[-1].output[0] == result
    g.nodes[-1].output[0] = "logits"
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, CLASSES])]
    outputs += [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in g.outputs]
    graph = helper.make_graph(g.nodes, name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
                              outputs, g.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def images(batch, seed):
    """Noise with a spread and a coarse structure like that of a normalized picture."""
    random = numpy.random.default_rng(seed)
    coarse = random.standard_normal((batch, 3, 14, 14), numpy.float32).repeat(16, 2).repeat(16, 3)
    return (0.8 * coarse + 0.5 * random.standard_normal((batch, 3, SIZE, SIZE), numpy.float32)).astype(numpy.float32)


def session_of(path, saved=None):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if saved:
        options.optimized_model_filepath = saved
        options.add_session_config_entry("session.save_model_format", "ORT")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def measure_statistics(name, expanded, scratch):
    """[(mean, variance)] of the batch norms, in the order of the graph."""
    path = os.path.join(scratch, "statistics.onnx")
    onnx.save(build(name, "statistics", [], expanded, batch=4), path)
    session = session_of(path)
    found = [v.reshape(-1) for v in session.run([o.name for o in session.get_outputs()][1:], {"image": images(4, 1)})]
    return list(zip(found[0::2], found[1::2]))


def quantize(source, target, activations):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [{"image": images(1, 100 + i)} for i in range(4)]

        def get_next(self):
            return self.left.pop() if self.left else None

    kinds = sorted({node.op_type for node in onnx.load(source).graph.node})
    quantize_static(source, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
                    activation_type=QuantType.QUInt8 if activations == "u8" else QuantType.QInt8, op_types_to_quantize=kinds)


def make(name, out, activations, expanded):
    def path(kind):
        return os.path.join(out, f"{name}_{kind}")

    with tempfile.TemporaryDirectory(dir=out) as scratch:
        statistics = measure_statistics(name, expanded, scratch)
        onnx.save(build(name, "norms", statistics, expanded), path("fp32.onnx"))
        folded = os.path.join(scratch, "folded.onnx")
        onnx.save(build(name, "folded", statistics, expanded), folded)
        quantize(folded, path("qdq.onnx"), activations)
    image, results = images(1, 7), {}
    for kind in ("fp32", "qdq"):
        session_of(path(kind + ".onnx"), saved=path(kind + ".ort"))
        results[kind] = session_of(path(kind + ".onnx")).run(None, {"image": image})[0].reshape(-1).astype(numpy.float64)
    a, b = results["fp32"], results["qdq"]
    cosine = a @ b / numpy.sqrt((a @ a) * (b @ b))
    print(f"{name}: {os.path.getsize(path('fp32.ort')) / 1e6:.1f} MB float, {os.path.getsize(path('qdq.ort')) / 1e6:.1f} MB int8, "
          f"logits {a.std():.2f}, cosine of int8 and float {cosine:.5f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, metavar="DIR", help="where the files go (about 2.5 GB for all)")
    parser.add_argument("--only", metavar="A,B", help="these networks: " + ", ".join(NETWORKS))
    parser.add_argument("--activations", choices=("u8", "s8"), default="u8")
    parser.add_argument("--expanded", action="store_true", help="hard-swish as x * HardSigmoid(x)")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(NETWORKS)
    unknown = [n for n in names if n not in NETWORKS]
    if unknown:
        parser.error(f"unknown network {unknown[0]}")
    os.makedirs(arguments.out, exist_ok=True)
    for name in names:
        make(name, arguments.out, arguments.activations, arguments.expanded)


if __name__ == "__main__":
    main()
