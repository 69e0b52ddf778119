"""nb_kernels.py: what Paddle computes for the programs of nb_models.py: each operator by Paddle's own kernels (pip package
paddlepaddle); integer kernels, which only Paddle Lite has, by the few lines of `LITE`."""
import os

os.environ["FLAGS_enable_pir_api"] = "0"
os.environ["GLOG_minloglevel"] = "3"
import numpy as np  # noqa: E402


def away(x):
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def lite_quantize(x, scale):
    return np.clip(away((x / np.float32(scale)).astype(np.float32)), -127, 127).astype(np.int8)


def lite_calib(op, values):
    x = values[op.inputs["Input"][0]]
    s = np.float32(op.attributes["scale"])
    return {"Out": lite_quantize(x, s) if x.dtype == np.float32 else (x.astype(np.float32) * s)}


def lite_finish(op, sums, weights, bias, result, act):
    a = op.attributes
    ws = np.asarray(a[weights], np.float64).reshape(1, -1, *([1] * (sums.ndim - 2)))
    y = sums * (np.float64(np.float32(a["Input0_scale"][0])) * np.float32(ws))
    if bias is not None:
        y = y + bias.reshape(1, -1, *([1] * (sums.ndim - 2)))
    if act == "relu":
        y = np.maximum(y, 0)
    if act == "relu6":
        y = np.clip(y, 0, a["fuse_brelu_threshold"])
    if act == "hard_swish":
        y = y * np.clip(y + 3, 0, 6) / 6
    y = y.astype(np.float32)
    int8 = any(word in a["__@kernel_type_attr@__"] for word in ("int8_out", "int8out"))
    return lite_quantize(y, np.float32(a[result][0])) if int8 else y


def lite_conv(op, values):
    x, w = (values[op.inputs[k][0]].astype(np.int64) for k in ("Input", "Filter"))
    a = op.attributes
    (ph, pw), (sh, sw), groups = a["paddings"], a["strides"], a["groups"]
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    n, c, h, wd = x.shape
    o, depth, kh, kw = w.shape
    oh, ow = (h - kh) // sh + 1, (wd - kw) // sw + 1
    y = np.zeros((n, o, oh, ow), np.int64)
    for channel in range(o):
        first = channel // (o // groups) * depth
        for i in range(oh):
            for j in range(ow):
                y[:, channel, i, j] = (x[:, first:first + depth, i * sh:i * sh + kh, j * sw:j * sw + kw] * w[channel]).sum((1, 2, 3))
    bias = values[op.inputs["Bias"][0]] if op.inputs.get("Bias") else None
    return {"Output": lite_finish(op, y, "Filter0_scale", bias, "Output0_scale", a.get("act_type", ""))}


def lite_fc(op, values):
    x, w = (values[op.inputs[k][0]].astype(np.int64) for k in ("Input", "W"))
    bias = values[op.inputs["Bias"][0]] if op.inputs.get("Bias") else None
    return {"Out": lite_finish(op, x.reshape(x.shape[0], -1) @ w, "W0_scale", bias, "Output0_scale", op.attributes.get("activation_type", ""))}


def lite_add(op, values):
    x, y = (values[op.inputs[k][0]] for k in ("X", "Y"))
    return {"Out": np.maximum(x + y, 0)}


def lite_float_fc(op, values):
    y = values[op.inputs["Input"][0]].reshape(len(values[op.inputs["Input"][0]]), -1) @ values[op.inputs["W"][0]]
    return {"Out": y + values[op.inputs["Bias"][0]] if op.inputs.get("Bias") else y}


def without_bias(op, values):
    """Paddle's own kernel has no bias."""
    import copy
    bare = copy.copy(op)
    bare.inputs = {k: v for k, v in op.inputs.items() if k != "Bias"}
    y = run_paddle(bare, values)["Output"][0]
    return {"Output": y + values[op.inputs["Bias"][0]].reshape(1, -1, 1, 1)}


def pad2d(op, values):
    top, bottom, left, right = op.attributes["paddings"]
    widths = ((0, 0), (0, 0), (top, bottom), (left, right))
    x = values[op.inputs["X"][0]]
    if op.attributes["mode"] == "reflect":
        return {"Out": np.pad(x, widths, mode="reflect")}
    return {"Out": np.pad(x, widths, constant_values=np.float32(op.attributes["pad_value"]))}


def hard_swish(op, values):
    """As its attributes say, which Paddle's newer kernel does not look at."""
    x, a = values[op.inputs["X"][0]], op.attributes
    return {"Out": (x * np.clip(x + np.float32(a["offset"]), 0, a["threshold"]) / np.float32(a["scale"])).astype(np.float32)}


def scale(op, values):
    """As Paddle Lite, which lets it have an activation with a number."""
    x, a = values[op.inputs["X"][0]], op.attributes
    y = x * np.float32(a["scale"]) + np.float32(a["bias"]) if a["bias_after_scale"] else (x + np.float32(a["bias"])) * np.float32(a["scale"])
    alpha, act = np.float32(a.get("alpha", 0)), a.get("activation_type", "")
    return {"Out": np.clip(y, 0, alpha) if act == "relu6" else np.where(y > 0, y, y * alpha) if act == "leaky_relu" else y}


def swish(op, values):
    """So with beta."""
    x = values[op.inputs["X"][0]]
    return {"Out": (x / (1 + np.exp(-np.float32(op.attributes["beta"]) * x))).astype(np.float32)}


def one_hot(op, values):
    x = values[op.inputs["X"][0]][..., None]
    assert op.attributes["allow_out_of_range"]  # Paddle Lite's; Paddle has none
    return {"Out": (x == np.arange(op.attributes["depth"])).astype(np.float32)}


def nms(op, values):
    """As many rows as there can be; those that Paddle does not make are -1."""
    made = run_paddle(op, values)
    counted = "RoisNum" if op.kind == "matrix_nms" else "NmsRoisNum"
    out, index, count = (made[k][0] for k in ("Out", "Index", counted))
    rows = op.attributes["keep_top_k"] * len(count)
    return {"Out": np.concatenate([out, np.full((rows - len(out), 6), -1, np.float32)]),
            "Index": np.concatenate([index, np.full((rows - len(index), 1), -1, np.int32)]), counted: count}


def lite_elementwise(op, values):
    a = op.attributes
    x, y = (values[op.inputs[k][0]].astype(np.float32) * np.float32(a[k + "0_scale"][0]) for k in ("X", "Y"))
    z = np.maximum(x + y, 0) if a.get("act_type") == "relu" else x + y
    return {"Out": lite_quantize(z, a["Out0_scale"][0]) if "int8_out" in a["__@kernel_type_attr@__"] else z}


LITE = {"elementwise_add": lite_elementwise, "fusion_elementwise_add_activation": lite_elementwise, "calib": lite_calib, "conv2d": lite_conv, "depthwise_conv2d": lite_conv, "fc": lite_fc}


def is_lite(op):
    return op.kind == "calib" or op.attributes.get("enable_int8")


def paddle_reads(kind, attribute):
    """Whether this Paddle's operator has the attribute."""
    import paddle
    return any(p.name == attribute for p in paddle.base.framework.OpProtoHolder.instance().get_op_proto(kind).attrs)


def run_paddle(op, values):
    """One operator by Paddle's kernel, in a program of its own."""
    import paddle
    from paddle.base import core
    paddle.enable_static()
    proto = {p.name: p for p in paddle.base.framework.OpProtoHolder.instance().get_op_proto(op.kind).attrs}
    attributes = {k: (str(v) if isinstance(v, str) else v) for k, v in op.attributes.items() if k in proto}
    program, scope = paddle.static.Program(), core.Scope()
    with paddle.static.program_guard(program):
        block = program.global_block()
        feed, inputs, outputs = {}, {}, {}
        for parameter, names in op.inputs.items():
            inputs[parameter] = []
            for name in names:
                x = values[name]
                unique = f"in_{parameter}_{name}"
                inputs[parameter].append(block.create_var(name=unique, shape=x.shape, dtype=str(x.dtype), persistable=False))
                feed[unique] = x
        for parameter, names in op.outputs.items():
            outputs[parameter] = [block.create_var(name=f"out_{parameter}_{name}") for name in names]
        for parameter in ("Mean", "Variance"):
            if op.kind == "batch_norm":  # wants them to be the same variables
                outputs[parameter + "Out"] = inputs[parameter]
                op.outputs.pop(parameter + "Out", None)
        block.append_op(type=op.kind, inputs={k: v for k, v in inputs.items() if v}, outputs=outputs, attrs=attributes)
        executor = paddle.static.Executor(paddle.CPUPlace())
        names = [f"out_{p}_{n}" for p, all_names in op.outputs.items() for n in all_names]
        results = executor.run(program, feed=feed, fetch_list=names, scope=scope)
    flat = iter(results)
    return {p: [np.array(next(flat)) for _ in all_names] for p, all_names in op.outputs.items()}


def run(program, feeds):
    values = {**program.params}
    columns = sorted((op.attributes["col"], op.outputs["Out"][0]) for op in program.ops if op.kind == "feed")
    outputs = []
    for (_, name), x in zip(columns, feeds):
        values[name] = x
    for op in program.ops:
        if op.kind == "feed":
            continue
        if op.kind == "fetch":
            x = np.asarray(values[op.inputs["X"][0]])
            outputs.append(x.reshape(1) if x.ndim == 0 else x)
            continue
        own = {"fc": lite_float_fc, "scale": scale, "fusion_elementwise_add_activation": lite_add, "pad2d": pad2d, "hard_swish": hard_swish, "swish": swish, "multiclass_nms3": nms, "matrix_nms": nms}.get(op.kind)
        if op.attributes.get("allow_out_of_range"):
            own = one_hot
        if is_lite(op):
            own = LITE[op.kind]
        elif op.inputs.get("Bias") and "conv2d" in op.kind:
            own = without_bias
        made = (own or run_paddle)(op, values)
        for parameter, names in op.outputs.items():
            for name, x in zip(names, made[parameter] if isinstance(made[parameter], list) else [made[parameter]]):
                values[name] = x
    return outputs
