"""edges.py: NaN, infinities and huge numbers in single operators, against TFLite's reference kernels and ONNX Runtime.

Protects: the rule of docs/quantization.md ("NaN, infinities and huge numbers") is the frameworks', interpreted and compiled.
NaN and infinities have to be the same, and integers; other numbers agree to RELATIVE and ABSOLUTE.  OTHERS are the operators
for which a framework has another result, which docs/fidelity.md lists; they fail when they agree.

    edges.py QCC_RUN [PATTERN]        (a framework that is missing is left out; without both: exit 77)
"""
import fnmatch
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "onnx_models"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "tflite_models"))
import tflite_reference  # noqa: E402
import tflite_writer  # noqa: E402

try:
    import numpy as np
    import onnx_graph
    from onnx import TensorProto
except ImportError:
    onnx_graph = None

RELATIVE, ABSOLUTE = 1e-5, 1e-6
WAYS = {"interpreted": ["--interp"], "compiled": ["--target=generic", "-O0"]}
ROUNDINGS = {"TFLite": "tflite", "ONNX": "fp32"}
COLUMNS = 8
FINITE = "bounds of an activation that are not asked for are those of floats there: infinities become them"
CASTS = "NaN, and what lies outside the type, become what the machine's instruction makes of them"
OTHERS = {
    **{f"TFLite {name}": FINITE for name in ("ADD NONE", "ADD RELU", "MAX_POOL_2D", "AVERAGE_POOL_2D")},
    **{f"TFLite {name}": "NaN as first operand gives the second" for name in ("MAXIMUM", "MINIMUM")},
    **{f"TFLite {name}": "starts from the limits of floats" for name in ("REDUCE_MAX", "REDUCE_MIN")},
    **{f"TFLite {name}": "NaN counts nowhere, not as the first element either" for name in ("ARG_MAX", "ARG_MIN")},
    **{f"TFLite CAST {to}": "NaN becomes the largest integer" for to in ("int32", "int64", "int8", "uint8", "int16")},
    **{f"TFLite QUANTIZE {to}": CASTS for to in ("int8", "uint8", "int16")},
    "ONNX Clip below": FINITE,
    "ONNX HardSwish": "takes the sixth before the product; hard_swish, as TFLite has it, behind, and is infinite from 5.7e37 on",
    **{f"ONNX Cast {to}": CASTS for to in ("INT32", "INT64", "INT8", "UINT8", "INT16")},
    **{f"ONNX {name}": "depends on where NaN is" for name in ("ReduceMax", "ReduceMin", "MaxPool")},
}


def special_rows():
    """Rows of COLUMNS numbers: small ones, with one that is special at the start or elsewhere; and nothing but such."""
    special = [np.nan, -np.nan, np.inf, -np.inf, 3e38, -3e38, 1e20, -1e20, 3e9, -3e9, 2147483648.0, 9.3e18,
               0.5, 1.5, 2.5, -0.5, 1e-40, -0.0, 127.5, -128.5, 255.5, 32767.5]
    rows = np.tile(np.array([1, -2, 0.25, 3, -0.25, 5, 7, -7], np.float32), (2 * len(special) + 4, 1))
    for i, number in enumerate(special):
        rows[2 * i, 1 + i % (COLUMNS - 1)] = rows[2 * i + 1, 0] = number
    rows[-4, :2] = rows[-4, -1] = np.nan
    rows[-3], rows[-2], rows[-1] = np.nan, -np.inf, np.inf
    return rows


# ---- TFLite: (name, operator, options, type of the result, what the result's columns become, constants, fields) ----

def tflite_cases():
    options = {"ABS": "AbsOptions", "NEG": "NegOptions", "EXP": "ExpOptions", "COS": "CosOptions", "SIGN": "SignOptions",
               "HARD_SWISH": "HardSwishOptions", "SOFTMAX": "SoftmaxOptions", "LOG_SOFTMAX": "LogSoftmaxOptions",
               "L2_NORMALIZATION": "L2NormOptions", "LEAKY_RELU": "LeakyReluOptions"}
    fields = {"SOFTMAX": {"beta": 1.0}, "LEAKY_RELU": {"alpha": 0.125}}
    for code in ("RELU RELU6 RELU_N1_TO_1 ABS NEG FLOOR CEIL ROUND SIGN EXP LOG SQRT RSQRT SIN COS TANH LOGISTIC ELU "
                 "HARD_SWISH LEAKY_RELU SOFTMAX LOG_SOFTMAX L2_NORMALIZATION").split():
        yield code, code, options.get(code), "float32", COLUMNS, (), fields.get(code, {})
    for code in ("MAXIMUM", "MINIMUM"):
        yield code, code, "MaximumMinimumOptions", "float32", COLUMNS, [np.full(COLUMNS, 2, np.float32)], {}
    for act in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
        yield f"ADD {act}", "ADD", "AddOptions", "float32", COLUMNS, [np.full(COLUMNS, 2, np.float32)], {
            "fusedActivationFunction": getattr(tflite_writer, act)}
    axis = [np.array([1], np.int32)]
    for code in ("REDUCE_MAX", "REDUCE_MIN", "MEAN"):
        yield code, code, "ReducerOptions", "float32", 1, axis, {"keepDims": True}
    for code, table in (("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")):
        yield code, code, table, "int32", 0, axis, {"outputType": 2}
    for out, number in (("int32", 2), ("int64", 4), ("int8", 9), ("uint8", 3), ("int16", 7), ("bool", 6)):
        yield f"CAST {out}", "CAST", "CastOptions", out, COLUMNS, (), {"inDataType": 0, "outDataType": number}
    for out in ("int8", "uint8", "int16"):
        yield f"QUANTIZE {out}", "QUANTIZE", "QuantizeOptions", out, COLUMNS, (), {}


def tflite_model(x, code, options, out, columns, constants, fields):
    m = tflite_writer.Model()
    operands = [m.input("x", "float32", x.shape)] + [m.const(f"c{i}", c) for i, c in enumerate(constants)]
    scaled = {"scale": 0.5, "zero": {"int8": -3, "uint8": 120}.get(out, 0)} if code == "QUANTIZE" else {}
    y = m.tensor("y", out, (len(x), columns) if columns else (len(x),), **scaled)
    m.output(y)
    m.op(code, operands, [y], options, **fields)
    return m.bytes()


def tflite_pool(x, code):
    """Windows of 1x3 along the rows."""
    m = tflite_writer.Model()
    images = m.input("x", "float32", (len(x), 1, COLUMNS, 1))
    y = m.tensor("y", "float32", (len(x), 1, COLUMNS - 2, 1))
    m.output(y)
    m.op(code, [images], [y], "Pool2DOptions", padding=tflite_writer.VALID, strideH=1, strideW=1, filterHeight=1,
         filterWidth=3)
    return m.bytes()


def tflite_all(x):
    for name, *case in tflite_cases():
        yield name, tflite_model(x, *case), x
    for code in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        yield code, tflite_pool(x, code), x.reshape(len(x), 1, COLUMNS, 1)


# ---- ONNX: (name, operator, constants, attributes) ----

def onnx_cases():
    for kind in "Relu Abs Neg Floor Ceil Round Sign Exp Log Sqrt Reciprocal Sin Cos Tanh Sigmoid Elu Erf HardSwish".split():
        yield kind, kind, (), {}
    yield "LeakyRelu", "LeakyRelu", (), {"alpha": 0.125}
    yield "Clip 0 6", "Clip", (np.float32(0), np.float32(6)), {}
    yield "Clip below", "Clip", (np.float32(-1),), {}
    for kind in ("Max", "Min"):
        yield kind, kind, (np.full(COLUMNS, 2, np.float32),), {}
    for kind in ("Softmax", "LogSoftmax"):
        yield kind, kind, (), {"axis": -1}
    for kind in ("ReduceMax", "ReduceMin", "ReduceMean"):
        yield kind, kind, (), {"axes": [1]}
    for kind in ("ArgMax", "ArgMin"):
        yield kind, kind, (), {"axis": 1}
    for out in ("INT32", "INT64", "INT8", "UINT8", "INT16", "BOOL"):
        yield f"Cast {out}", "Cast", (), {"to": out}
    for kind in (np.int8, np.uint8):
        yield f"QuantizeLinear {kind.__name__}", "QuantizeLinear", (np.float32(0.5), kind(100)), {}


def onnx_model(x, kind, constants, attributes):
    g = onnx_graph.Graph(1, opset=17)
    attributes = {k: getattr(TensorProto, v) if k == "to" else v for k, v in attributes.items()}
    g.output(g.op(kind, g.input("x", list(x.shape)), *(g.constant(c) for c in constants), **attributes))
    return g.model()


def onnx_pool(x, kind):
    g = onnx_graph.Graph(1, opset=17)
    g.output(g.op(kind, g.input("x", list(x.shape)), kernel_shape=[1, 3]))
    return g.model()


def onnx_all(x):
    for name, *case in onnx_cases():
        yield name, onnx_model(x, *case), x
    for kind in ("MaxPool", "AveragePool"):
        images = x.reshape(len(x), 1, 1, COLUMNS)
        yield kind, onnx_pool(images, kind), images


# ---- Comparison ----

def differences(got, want):
    if got.shape != want.shape or got.dtype != want.dtype:
        return [f"{got.dtype} {got.shape}, expected {want.dtype} {want.shape}"]
    got, want = got.ravel(), want.ravel()
    with np.errstate(all="ignore"):
        same = (got == want) | ((got != got) & (want != want))
        if want.dtype.kind == "f":
            gap = np.abs(got.astype(float) - want)
            same |= np.isfinite(got) & np.isfinite(want) & (gap <= RELATIVE * np.abs(want.astype(float)) + ABSOLUTE)
    return [f"element {i}: {got[i]}, expected {want[i]}" for i in np.flatnonzero(~same)]


def check(qcc_run, rounding, folder, path, x, want):
    """Problems by way."""
    source, result = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
    np.save(source, x)
    for way, options in WAYS.items():
        command = [qcc_run, path, f"--rounding={rounding}", *options, "-i", source, "-o", result]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            yield way, [done.stderr.strip()]
        else:
            yield way, differences(np.load(result), want)


def tflite_result(model, given):
    """Of the reference kernel; of the optimized one where there is no other."""
    try:
        return tflite_reference.Reference(model).run([given])[0]
    except ValueError:
        return tflite_reference.Reference(model, "opt").run([given])[0]


def cases(folder):
    """(name, file, input, the framework's result)"""
    x = special_rows()
    if not tflite_reference.available() and not tflite_writer.available():
        path = os.path.join(folder, "m.tflite")
        for name, model, given in tflite_all(x):
            with open(path, "wb") as f:
                f.write(model)
            yield f"TFLite {name}", path, given, tflite_result(model, given)
    if onnx_graph:
        path = os.path.join(folder, "m.ort")
        for name, model, given in onnx_all(x):
            session = onnx_graph.session(model, save=path)
            yield f"ONNX {name}", path, given, session.run(None, {"x": given})[0]


def main():
    qcc_run, pattern = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "*"
    if tflite_reference.available() and not onnx_graph:
        print("skipped: neither TFLite nor ONNX Runtime")
        return 77
    count = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, path, x, want in cases(folder):
            if not fnmatch.fnmatch(name, pattern):
                continue
            count += 1
            for way, problems in check(qcc_run, ROUNDINGS[name.split()[0]], folder, path, x, want):
                if bool(problems) != (name in OTHERS):
                    wrong += 1
                    print(f"{name}, {way}: {len(problems)} differ: " + "; ".join(problems[:6]) if problems else
                          f"{name}, {way}: agrees, but is listed: {OTHERS[name]}")
    print(f"{count} operators, {wrong} wrong, {len(OTHERS)} listed as others")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
