#!/usr/bin/env python3
"""Makes BERT/ERNIE encoders in ONNX and in ONNX Runtime's format, float and fake-quantized to int8.

    bench/make_bert.py --out DIR [--only bert_base,bert_two] [--operators]

For each network STEM of NETWORKS (token and segment numbers and a mask, batch x 128, to the logits of a classifier; the batch is open,
and 1 unless `qcc --batch=N` says otherwise) the files are

    STEM_fp32.onnx  STEM_fp32.ort    float, as exporters of training frameworks leave it: layer norm and gelu spelled out
    STEM_qdq.onnx   STEM_qdq.ort     QuantizeLinear/DequantizeLinear around what ONNX Runtime's quantizer is told to
                                     quantize: Gemm, MatMul (of attention, too), the sums of the residuals.  Not the
                                     softmax's operand: a range with the mask's -10000 in it leaves nothing of the scores

Hidden size 768, 12 heads, feed-forward 3072, 1000 tokens; 12 layers make BERT-base's encoder.  The weights are seeded
random numbers of deviation 0.02, those of attention 0.04 so that it attends to something; layer norms keep the spread
of the activations as in a trained network.  What the quantized graph's logits have in common with the float graph's is
printed: the cosine of both.  --operators writes LayerNormalization and Gelu (opset 20) instead of their spelled-out
forms.  Needs numpy, onnx and onnxruntime."""

import argparse
import logging
import math
import os
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

NETWORKS = {"bert_base": 12, "bert_two": 2}  # layers
HIDDEN, HEADS, INNER, SEQUENCE, TOKENS, CLASSES = 768, 12, 3072, 128, 1000, 8
SEED, CALIBRATION = 77, 4
EPSILON = 1e-12


class Graph:
    def __init__(self, operators):
        self.random, self.operators = numpy.random.default_rng(SEED), operators
        self.nodes, self.constants, self.floats = [], [], []
        self.shape_heads = self.constant(numpy.array([-1, SEQUENCE, HEADS, HIDDEN // HEADS], numpy.int64), "shape")
        self.shape_rows = self.constant(numpy.array([-1, HIDDEN], numpy.int64), "shape")
        self.shape_texts = self.constant(numpy.array([-1, SEQUENCE, HIDDEN], numpy.int64), "shape")

    def node(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def real(self, kind, inputs, name, **attributes):
        """A node that stays in float."""
        self.floats.append(name)
        return self.node(kind, inputs, name, **attributes)

    def constant(self, values, what):
        name = f"{what}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values), name))
        return name

    def number(self, value):
        return self.constant(numpy.array(value, numpy.float32), "number")

    def normal(self, shape, deviation, mean=0.0):
        return (mean + self.random.standard_normal(shape, numpy.float32) * numpy.float32(deviation)).astype(numpy.float32)

    def linear(self, x, inputs, outputs, name, deviation=0.02):
        weights = self.constant(self.normal((inputs, outputs), deviation), name + "_weight")
        return self.node("Gemm", [x, weights, self.constant(self.normal(outputs, 0.02), name + "_bias")], name)

    def layer_norm(self, x, name):
        scale, shift = self.normal(HIDDEN, 0.1, 1.0), self.normal(HIDDEN, 0.05)
        scale, shift = self.constant(scale, name + "_scale"), self.constant(shift, name + "_shift")
        if self.operators:
            return self.real("LayerNormalization", [x, scale, shift], name, axis=-1, epsilon=EPSILON)
        mean = self.real("ReduceMean", [x], name + "_mean", axes=[-1], keepdims=1)
        centred = self.real("Sub", [x, mean], name + "_centred")
        squares = self.real("Pow", [centred, self.number(2)], name + "_squares")
        variance = self.real("ReduceMean", [squares], name + "_variance", axes=[-1], keepdims=1)
        deviation = self.real("Sqrt", [self.real("Add", [variance, self.number(EPSILON)], name + "_kept")], name + "_deviation")
        y = self.real("Div", [centred, deviation], name + "_normal")
        return self.real("Add", [self.real("Mul", [y, scale], name + "_scaled"), shift], name)

    def gelu(self, x, name):
        if self.operators:
            return self.real("Gelu", [x], name)
        y = self.real("Erf", [self.real("Div", [x, self.number(math.sqrt(2))], name + "_divided")], name + "_erf")
        y = self.real("Mul", [x, self.real("Add", [y, self.number(1)], name + "_one")], name + "_whole")
        return self.real("Mul", [y, self.number(0.5)], name)

    def heads(self, x, name, perm):
        x = self.node("Reshape", [self.linear(x, HIDDEN, HIDDEN, name, 0.04), self.shape_heads], name + "_heads")
        return self.node("Transpose", [x], name + "_turned", perm=perm)

    def attention(self, x, mask, name):
        q = self.heads(x, name + "_query", [0, 2, 1, 3])
        k = self.heads(x, name + "_key", [0, 2, 3, 1])
        v = self.heads(x, name + "_value", [0, 2, 1, 3])
        scores = self.node("MatMul", [q, k], name + "_scores")
        scores = self.real("Div", [scores, self.number(math.sqrt(HIDDEN // HEADS))], name + "_scaled")
        weights = self.node("Softmax", [self.real("Add", [scores, mask], name + "_masked")], name + "_softmax", axis=-1)
        y = self.node("Transpose", [self.node("MatMul", [weights, v], name + "_sum")], name + "_back", perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", [y, self.shape_rows], name + "_rows"), HIDDEN, HIDDEN, name + "_out", 0.04)

    def layer(self, x, mask, name):
        y = self.node("Add", [self.attention(x, mask, name), x], name + "_residual")
        x = self.layer_norm(y, name + "_norm")
        y = self.gelu(self.linear(x, HIDDEN, INNER, name + "_inner"), name + "_gelu")
        y = self.node("Add", [self.linear(y, INNER, HIDDEN, name + "_outer"), x], name + "_residual2")
        return self.layer_norm(y, name + "_norm2")

    def embedding(self):
        words = self.constant(self.normal((TOKENS, HIDDEN), 0.02), "words")
        segments = self.constant(self.normal((2, HIDDEN), 0.02), "segments")
        places = self.constant(self.normal((SEQUENCE, HIDDEN), 0.02), "places")
        x = self.real("Add", [self.node("Gather", [words, "input_ids"], "word_rows"),
                              self.node("Gather", [segments, "token_type_ids"], "segment_rows")], "embedding_kinds")
        x = self.real("Add", [x, places], "embedding_places")
        return self.node("Reshape", [self.layer_norm(x, "embedding_norm"), self.shape_rows], "embedding")

    def encoder(self, layers):
        axes = self.constant(numpy.array([1, 2], numpy.int64), "axes")
        mask = self.real("Sub", [self.number(1), self.real("Unsqueeze", ["attention_mask", axes], "mask_rows")], "mask_hidden")
        mask = self.real("Mul", [mask, self.number(-10000)], "mask")
        x = self.embedding()
        for i in range(layers):
            x = self.layer(x, mask, f"layer{i}")
        first = self.constant(numpy.array([0], numpy.int64), "first")
        x = self.node("Gather", [self.node("Reshape", [x, self.shape_texts], "texts"), first], "first_tokens", axis=1)
        x = self.linear(self.node("Reshape", [x, self.shape_rows], "first_rows"), HIDDEN, HIDDEN, "pooler")
        return self.linear(self.node("Tanh", [x], "pooled"), HIDDEN, CLASSES, "logits")

    def model(self, layers):
        result = self.encoder(layers)
        inputs = [helper.make_tensor_value_info(name, kind, ["batch", SEQUENCE]) for name, kind in (
            ("input_ids", TensorProto.INT64), ("token_type_ids", TensorProto.INT64), ("attention_mask", TensorProto.FLOAT))]
        outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["batch", CLASSES])]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20 if self.operators else 13)], ir_version=9)
        onnx.checker.check_model(model)
        return model


def feed(number):
    random = numpy.random.default_rng(1000 + number)
    length, first = int(random.integers(SEQUENCE // 4, SEQUENCE + 1)), int(random.integers(8, SEQUENCE // 4))
    place = numpy.arange(SEQUENCE)[None]
    return {"input_ids": numpy.where(place < length, random.integers(1, TOKENS, (1, SEQUENCE)), 0).astype(numpy.int64),
            "token_type_ids": ((place >= first) & (place < length)).astype(numpy.int64),
            "attention_mask": (place < length).astype(numpy.float32)}


class Feeds(CalibrationDataReader):
    def __init__(self):
        self.rest = iter([feed(i) for i in range(CALIBRATION)])

    def get_next(self):
        return next(self.rest, None)


def session(path, save=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if save:
        options.optimized_model_filepath = save
        options.add_session_config_entry("session.save_model_format", "ORT")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def agreement(float_path, quantized_path):
    """The least cosine of the logits over inputs that the calibration has not seen."""
    sessions, least = [session(float_path), session(quantized_path)], 1.0
    for i in range(CALIBRATION, 2 * CALIBRATION):
        a, b = (s.run(None, feed(i))[0].ravel().astype(numpy.float64) for s in sessions)
        least = min(least, float(a @ b / math.sqrt((a @ a) * (b @ b))))
    return least


def make(stem, directory, operators):
    graph = Graph(operators)
    plain, quantized = (os.path.join(directory, f"{stem}_{kind}.onnx") for kind in ("fp32", "qdq"))
    onnx.save(graph.model(NETWORKS[stem]), plain)
    quantize_static(plain, quantized, Feeds(), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=False,
                    op_types_to_quantize=["Gemm", "MatMul", "Add"], nodes_to_exclude=graph.floats,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    extra_options={"WeightSymmetric": True, "ActivationSymmetric": False})
    for path in (plain, quantized):
        session(path, path.replace(".onnx", ".ort"))
    print(f"{stem}: cosine of the logits, int8 and float: {agreement(plain, quantized):.5f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="build/models", metavar="DIR", help="where the files go (about 1 GB for all)")
    parser.add_argument("--only", metavar="A,B", help="these networks: " + ", ".join(NETWORKS))
    parser.add_argument("--operators", action="store_true", help="LayerNormalization and Gelu as operators")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch
        for stem in options.only.split(",") if options.only else NETWORKS:
            make(stem, options.out, options.operators)


if __name__ == "__main__":
    main()
