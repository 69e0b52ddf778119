"""nb_refused.py: models that must be refused, tests/data/refused/nb_*.nb, with their diagnostics in tests/frontends/refused.txt:
REFUSED, as in nb_models.py, and `damaged`, which are no programs."""
import numpy as np

import nb_file
from nb_models import conv, noise

REFUSED = {}


def refused(f):
    REFUSED[f.__name__] = f
    return f


def one(p, kind, inputs, outputs, extents=(1, 4, 6, 6), **attributes):
    """A model of one operator on an input x."""
    if extents:
        p.input("x", "float32", extents)
    p.op(kind, inputs, outputs, **attributes)
    p.output(next(iter(outputs.values()))[0])


def bad_conv(p, **more):
    p.input("x", "float32", [1, 4, 6, 6])
    p.op("calib", {"Input": ["x"]}, {"Out": ["q"]}, scale=more.pop("calib", 0.1), **{"__@kernel_type_attr@__": "calib/fp32_to_int8/4/2/1"})
    settings = {"enable_int8": True, "Input0_scale": [0.1], "Filter0_scale": [0.1, 0.2], "Output0_scale": [0.3],
                "__@kernel_type_attr@__": "conv2d/int8_out/4/2/1"}
    conv(p, "c", "q", np.ones(more.pop("filters", (2, 4, 1, 1)), np.int8), np.zeros(more.pop("biases", 2), np.float32), out="y", **{**settings, **more})
    p.output("y")


for name, more in (("scale_zero", {"calib": 0.0}), ("scale_infinite", {"Output0_scale": [float("inf")]}), ("scale_count", {"Filter0_scale": [0.1] * 3}),
                   ("weight_scale", {"Filter0_scale": [0.1, -1.0]}), ("bias_count", {"biases": 3}), ("groups", {"groups": 3}),
                   ("strides", {"strides": [0, 1]}), ("paddings", {"paddings": [1, 2, 3]}), ("no_scale", {"Input0_scale": []}),
                   ("activation", {"act_type": "swoosh"}), ("bound", {"act_type": "relu6", "fuse_brelu_threshold": 5.0})):
    REFUSED["conv_" + name] = lambda p, more=more: bad_conv(p, **dict(more))

for name, kind, attributes in (
        ("unknown", "no_such_operator", {}), ("loop", "while", {}), ("softmax_axis", "softmax", {"axis": 4}), ("reshape", "reshape2", {"shape": [5, -1]}),
        ("transpose", "transpose2", {"axis": [0, 1, 1, 2]}), ("dynamic_range", "fake_quantize_abs_max", {"bit_length": 8}),
        ("bits", "fake_quantize_dequantize_abs_max", {"bit_length": 17}), ("pool_type", "pool2d", {"pooling_type": "median", "ksize": [2, 2]}),
        ("pool_window", "pool2d", {"pooling_type": "max", "ksize": [9, 9]}), ("slice_empty", "slice", {"axes": [1], "starts": [2], "ends": [2]}),
        ("expand", "expand_v2", {"shape": [1, 5, 6, 6]}), ("pad", "pad2d", {"paddings": [1, -1, 0, 0]}), ("cast", "cast", {"out_dtype": 99}),
        ("pixels", "pixel_shuffle", {"upscale_factor": 3}), ("decimals", "round", {"decimals": 2}), ("training", "dropout", {"is_test": False}),
        ("statistics", "batch_norm", {"is_test": False}), ("last_channels", "pool2d", {"data_format": "NHWC", "pooling_type": "max", "ksize": [2, 2]}),
        ("reduced_type", "reduce_sum", {"dim": [1], "out_dtype": 3}),
        ("dropped_axis", "strided_slice", {"axes": [1], "starts": [0], "ends": [1], "strides": [1], "decrease_axis": [1]}), ("top_k", "top_k_v2", {"k": 7, "axis": -1}), ("stride", "strided_slice", {"axes": [1], "starts": [0], "ends": [4], "strides": [-1]})):
    parameter = "Input" if kind in ("slice", "strided_slice") else "X"
    REFUSED[name] = lambda p, kind=kind, parameter=parameter, attributes=attributes: one(p, kind, {parameter: ["x"]}, {"Out": ["y"]}, **attributes)


@refused
def several(p):
    """Two operators that are not known, one that is refused although what it reads is not known, one beside them; a variable that gets
    a value again."""
    p.input("x", "float32", [1, 4, 6, 6])
    for out in ("a", "b"):
        p.op("no_such_operator", {"X": ["x"]}, {"Out": [out]})
    p.op("pool2d", {"X": ["a"]}, {"Out": ["c"]}, data_format="NHWC", pooling_type="max", ksize=[2, 2])
    p.op("relu", {"X": ["c"]}, {"Out": ["d"]})
    p.op("relu", {"X": ["x"]}, {"Out": ["a"]})
    p.op("softmax", {"X": ["a"]}, {"Out": ["e"]}, axis=4)
    p.output("d")
    p.output("e")


@refused
def threshold_negative(p):
    p.param("s", np.array([-1], np.float32))
    one(p, "fake_quantize_dequantize_moving_average_abs_max", {"X": ["x"], "InScale": ["s"]}, {"Out": ["y"]}, bit_length=8)


@refused
def linear_largest(p):
    p.param("s", np.array([1], np.float32))
    one(p, "quantize_linear", {"X": ["x"], "Scale": ["s"]}, {"Y": ["y"]}, bit_length=8, quant_axis=-1, qmin=-101, qmax=100)


@refused
def gather_outside(p):
    p.param("at", np.array([1, -5], np.int64))
    one(p, "gather", {"X": ["x"], "Index": ["at"]}, {"Out": ["y"]}, axis=1)


@refused
def lookup_negative(p):
    p.param("ids", np.array([1, -1], np.int64))
    one(p, "lookup_table_v2", {"W": ["x"], "Ids": ["ids"]}, {"Out": ["y"]}, extents=(4, 3), padding_idx=nb_file.Long(-1))


@refused
def attribute_unknown(p):
    """What a fusion of Paddle Lite leaves."""
    one(p, "elementwise_add", {"X": ["x"], "Y": ["x"]}, {"Out": ["y"]}, axis=-1, fuse_scale=True, scale=2.0)


@refused
def attribute_type(p):
    one(p, "softmax", {"X": ["x"]}, {"Out": ["y"]}, axis=1.0)


@refused
def in_training(p):
    p.param("s", np.array([1], np.float32))
    one(p, "fake_quantize_dequantize_moving_average_abs_max", {"X": ["x"], "InScale": ["s"]}, {"Out": ["y"]}, bit_length=8, is_test=False)


@refused
def extent_zero(p):
    one(p, "relu", {"X": ["x"]}, {"Out": ["y"]}, extents=(0, 3, 0, 8))


@refused
def threshold_nan(p):
    p.param("s", np.array([np.nan], np.float32))
    one(p, "fake_quantize_dequantize_moving_average_abs_max", {"X": ["x"], "InScale": ["s"]}, {"Out": ["y"]}, bit_length=8)


@refused
def scale_infinite(p):
    p.param("w", np.ones((2, 4, 1, 1), np.float32))
    p.param("s", np.array([3], np.float32))
    one(p, "fake_dequantize_max_abs", {"X": ["w"], "Scale": ["s"]}, {"Out": ["y"]}, max_range=1e-39)


@refused
def factor_infinite(p):
    p.param("s", np.array([3], np.float32))
    one(p, "fake_dequantize_max_abs", {"X": ["x"], "Scale": ["s"]}, {"Out": ["y"]}, max_range=1e-39)


@refused
def weights_nan(p):
    w = noise(1, (2, 4, 1, 1))
    w[1, 2] = np.nan
    p.param("w", w)
    one(p, "fake_channel_wise_quantize_dequantize_abs_max", {"X": ["w"]}, {"Out": ["y"]}, bit_length=8, quant_axis=0)


@refused
def weights_infinite(p):
    w = noise(1, (2, 4, 1, 1))
    w[0, 3] = -np.inf
    p.param("w", w)
    p.param("s", np.ones(2, np.float32))
    one(p, "quantize_linear", {"X": ["w"], "Scale": ["s"]}, {"Y": ["y"]}, quant_axis=0)


@refused
def observed_nan(p):
    one(p, "relu", {"X": ["x"]}, {"Out": ["y"]}, out_threshold=float("nan"))


@refused
def threshold_count(p):
    p.param("w", noise(1, (2, 4, 1, 1)))
    p.param("s", np.ones(3, np.float32))
    one(p, "dequantize_linear", {"X": ["w"], "Scale": ["s"]}, {"Y": ["y"]}, quant_axis=0)


@refused
def not_whole(p):
    p.param("w", noise(1, (2, 4, 1, 1)))
    p.param("s", np.ones(2, np.float32))
    one(p, "dequantize_linear", {"X": ["w"], "Scale": ["s"]}, {"Y": ["y"]}, quant_axis=0)


@refused
def missing_operand(p):
    one(p, "elementwise_add", {"X": ["x"]}, {"Out": ["y"]})


@refused
def not_computed(p):
    one(p, "relu", {"X": ["z"]}, {"Out": ["y"]})


@refused
def nms_open(p):
    p.input("b", "float32", [1, 8, 4])
    p.input("s", "float32", [1, 2, 8])
    one(p, "multiclass_nms3", {"BBoxes": ["b"], "Scores": ["s"]}, {"Out": ["y"]}, extents=None, keep_top_k=-1)


@refused
def fed_twice(p):
    p.input("x", "float32", [1, 2])
    p.inputs = 0
    p.input("y", "float32", [1, 2])
    p.output("y")


@refused
def yolo_classes(p):
    p.input("sizes", "int32", [1, 2])
    one(p, "yolo_box", {"X": ["x"], "ImgSize": ["sizes"]}, {"Boxes": ["y"], "Scores": ["s"]}, extents=(1, 21, 3, 4), anchors=[10, 13], class_num=2)


@refused
def box_encoded(p):
    p.param("prior", noise(1, (5, 4)))
    one(p, "box_coder", {"PriorBox": ["prior"], "TargetBox": ["x"]}, {"OutputBox": ["y"]}, extents=(3, 2, 4), code_type="encode_center_size")


@refused
def nms_sigma(p):
    p.input("b", "float32", [1, 8, 4])
    p.input("s", "float32", [1, 2, 8])
    one(p, "matrix_nms", {"BBoxes": ["b"], "Scores": ["s"]}, {"Out": ["y"]}, extents=None, keep_top_k=9, use_gaussian=True, gaussian_sigma=0.0)


@refused
def prior_sizes(p):
    p.input("image", "float32", [1, 3, 40, 40])
    one(p, "prior_box", {"Input": ["x"], "Image": ["image"]}, {"Boxes": ["y"], "Variances": ["v"]}, min_sizes=[4.0, 8.0], max_sizes=[8.0],
        aspect_ratios=[2.0], variances=[0.1, 0.1, 0.2, 0.2])


@refused
def transposed_size(p):
    p.param("w", noise(1, (4, 2, 3, 3)))
    one(p, "conv2d_transpose", {"Input": ["x"], "Filter": ["w"]}, {"Output": ["y"]}, strides=[2, 2], paddings=[0, 0], dilations=[1, 1], groups=1,
        output_size=[40, 40])


@refused
def product_nan(p):
    w = noise(1, (4, 4))
    w[1, 2] = np.nan
    p.param("w", w)
    one(p, "matmul", {"X": ["x"], "Y": ["w"]}, {"Out": ["y"]}, extents=(2, 4), transpose_X=False, transpose_Y=False, alpha=1.0)


@refused
def attribute_nan(p):
    one(p, "scale", {"X": ["x"]}, {"Out": ["y"]}, scale=2.0, bias=float("nan"), bias_after_scale=True)


@refused
def fill_nan(p):
    one(p, "fill_constant", {}, {"Out": ["y"]}, shape=[2, 3], dtype=5, value=0.0, str_value="nan")


@refused
def fill_huge(p):
    one(p, "fill_constant", {}, {"Out": ["y"]}, shape=[2, 3], dtype=2, value=3e9)


@refused
def no_output(p):
    one(p, "relu", {"X": ["x"]}, {"Out": ["y"]})
    p.ops.pop()


@refused
def open_extent(p):
    one(p, "relu", {"X": ["x"]}, {"Out": ["y"]}, extents=(-1, 3, -1, 8))


@refused
def huge(p):
    one(p, "relu", {"X": ["x"]}, {"Out": ["y"]}, extents=(1, 1 << 40, 1 << 40, 8))


def damaged():
    """Files that are no programs."""
    def small():
        p = nb_file.Program()
        p.param("w", noise(1, (2, 3)))
        one(p, "elementwise_add", {"X": ["x"], "Y": ["w"]}, {"Out": ["y"]}, extents=(2, 3))
        return p
    whole = small().bytes()
    param = nb_file.write_param("w", small().params["w"])
    at = len(whole) - len(param) - 8
    def words(*parts):
        return b"".join(v.to_bytes(n, "little") for v, n in parts)
    yield "meta", b"\x01\0" + whole[2:]
    yield "program_size", whole[:18] + words((1 << 40, 8)) + whole[26:]
    yield "parameters_cut", whole[:-20]
    yield "parameters_gone", whole[:at - 12]
    yield "header", whole[:at - 8] + words((2, 2)) + whole[at - 6:]
    yield "parameter_size", whole[:at] + words((1 << 30, 4)) + whole[at + 4:]
    yield "parameter_offset", whole[:at + 4] + words((2, 4)) + whole[at + 8:]
    yield "twice", whole[:at - 6] + words((2, 2)) + whole[at - 4:] + whole[at:]
    yield "short_data", whole[:at] + words((len(nb_file.write_param("w", small().params["w"])) + 4, 4), (4, 4)) + param.replace(words((24, 4)), words((20, 4)))
