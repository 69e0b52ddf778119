"""input_value.py: inputs that --input-value makes constants.

Protects: the compiled model has no such input, and gives what ONNX Runtime gives where the input has that value; the branch of an If
that is not taken may be whatever it likes; numbers of each type, one for all elements or one each; what is no such number, or no such
input, is refused by one diagnostic; --describe and the header know of it.

    QCC=… QCC_RUN=… input_value.py             (exit 77 without onnx and onnxruntime)
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto as T, helper
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


def rates(path):
    """y is of two different shapes, by the rate; a sum of factors of several types."""
    info = helper.make_tensor_value_info
    branches = {name: helper.make_graph([helper.make_node("MatMul", ["x", weights], [name])], name, [], [info(name, T.FLOAT, None)],
                                        [helper.make_tensor(weights, T.FLOAT, [4, columns], np.arange(4.0 * columns) / 8)])
                for name, weights, columns in (("fast", "w16", 3), ("slow", "w8", 2))}
    constant = helper.make_tensor("limit", T.INT64, [], [16000])
    nodes = [helper.make_node("Equal", ["rate", "limit"], ["is_fast"]),
             helper.make_node("If", ["is_fast"], ["y"], then_branch=branches["fast"], else_branch=branches["slow"]),
             helper.make_node("Cast", ["bytes"], ["real"], to=T.FLOAT), helper.make_node("Cast", ["flag"], ["one"], to=T.FLOAT),
             helper.make_node("Mul", ["real", "scale"], ["scaled"]), helper.make_node("Add", ["scaled", "one"], ["added"]),
             helper.make_node("Add", ["added", "x"], ["z"])]
    inputs = [info("x", T.FLOAT, [2, 4]), info("rate", T.INT64, []), info("bytes", T.UINT8, [4]), info("scale", T.FLOAT, [2, 1]),
              info("flag", T.BOOL, [1])]
    graph = helper.make_graph(nodes, "rates", inputs, [info("y", T.FLOAT, [2, None]), info("z", T.FLOAT, [2, 4])], [constant])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


FEEDS = {"rate": np.array(16000), "bytes": np.array([1, 2, 3, 255], np.uint8), "scale": np.full((2, 1), -2.5, np.float32), "flag": np.array([True])}
OPTIONS = {"rate": "rate:16000", "bytes": "bytes:1,2,3,255", "scale": "scale:-2.5", "flag": "flag:1"}
REFUSED = {"rate:2.5": "'2.5' is not one number of type i64 for input 'rate'", "rate:1,2": "'1,2' is not one number", "bytes:256": "'256' is not",
           "bytes:1,2": "or 4 of them", "scale:nan": "'nan' is not", "scale:": "not of the form NAME:16000", "flag:2": "'2' is not",
           "none:1": "the model has no such input", "rate:99999999999999999999": "is not one number", "16000": "not of the form NAME:16000"}


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def options(names):
    return [f"--input-value={OPTIONS[name]}" for name in names]


def agrees(qcc_run, path, x, fixed, ways):
    want = onnxruntime.InferenceSession(path).run(None, {"x": x, **FEEDS})
    folder = os.path.dirname(path)
    given = [x, *(FEEDS[name] for name in FEEDS if name not in fixed)]
    command = [qcc_run, path, *options(fixed), *ways]
    for i, value in enumerate(given):
        np.save(f"{folder}/in{i}.npy", value)
        command += ["-i", f"{folder}/in{i}.npy"]
    done = run([*command, "-o", f"{folder}/y.npy", "-o", f"{folder}/z.npy"])
    assert done.returncode == 0, done.stderr
    for name, expected in zip("yz", want):
        assert np.allclose(np.load(f"{folder}/{name}.npy"), expected, rtol=1e-6, atol=1e-6), (name, fixed, ways)


def main(qcc, qcc_run):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.onnx")
        rates(path)
        x = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
        for fixed in (["rate"], ["rate", "bytes", "flag"], list(OPTIONS)):
            for ways in (["--interp"], []):
                agrees(qcc_run, path, x, fixed, ways)
        refused = run([qcc, path, "-o", f"{folder}/m.o"])
        assert refused.returncode == 1 and "--input-value" in refused.stderr, refused.stderr
        for value, said in REFUSED.items():
            done = run([qcc, path, "--input-value=rate:16000", f"--input-value={value}", "-o", f"{folder}/m.o"])
            assert done.returncode and said in done.stderr and not os.path.exists(f"{folder}/m.o"), (value, done.stderr)
        told = run([qcc, "--describe", path, *options(OPTIONS)])
        assert told.returncode == 0 and "rate" not in told.stdout and "x" in told.stdout, told
        assert run([qcc, path, *options(OPTIONS), "-o", f"{folder}/m.o"]).returncode == 0
        with open(f"{folder}/m.h", encoding="utf-8") as header:
            assert "rate" not in header.read()
    print("as ONNX Runtime")


if __name__ == "__main__":
    main(os.environ["QCC"], os.environ["QCC_RUN"])
