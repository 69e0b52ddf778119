"""Protects the Python package: the numbers of qcc-run, no copies of arrays that lie as the model wants them, memory of its own for
each model, and an exception with the reason, never a crash, for what is wrong."""
import functools
import os
import sys
import threading
import tracemalloc
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import ADD, COUNTER, DIGITS, LINK_ARGS, QCC, QCC_RUN, ROOT, SCALE, Case, main, segments_end  # noqa: E402

try:
    import numpy
    sys.path.insert(0, os.environ.get("PYTHON_PACKAGE", str(ROOT / "python")))  # the source, or where it was installed
    import qcc
except ImportError as problem:
    print(f"skipped: {problem}")
    sys.exit(77)

LARGE = """graph "large" {
  input %0:f32<1x1048576> "x"
  %1:f32<1x1048576> "y" = relu %0 {act = relu}
  output %1 "y"
}
"""
BYTES = 4 << 20

compiled = functools.cache(qcc.compile)


class Arrays(Case):
    def test_digits(self):
        """Three lines, and the numbers of qcc-run."""
        model = compiled(DIGITS)
        self.assertEqual((model.inputs[0].dtype, model.inputs[0].shape), (numpy.int8, (1, 8, 8, 1)))
        images, want = self.folder / "x.npy", self.folder / "y.npy"
        x = numpy.random.default_rng(1).integers(-128, 128, (1, 8, 8, 1), numpy.int8)
        y = model(x)
        numpy.save(images, x)
        self.fine(QCC_RUN, DIGITS, "-i", images, "-o", want)
        numpy.testing.assert_array_equal(y, numpy.load(want))

    def test_ways_to_give_inputs(self):
        model = compiled(ADD.encode())  # the bytes of a model
        a, b = numpy.float32([[1, 2, 3, 4, 5]]), numpy.float32([[10, 20, 30, 40, 50]])
        strided = numpy.zeros((1, 10), numpy.float32)
        strided[:, ::2] = b
        for y in (model(a, b), model({"a": a, "b": b}), model(b=b, a=a), model({"b": b}, a=a), model(a, strided[:, ::2]),
                  model([[1, 2, 3, 4, 5]], b)):
            numpy.testing.assert_array_equal(y, a + b)
            self.assertEqual((y.dtype, y.shape), (numpy.float32, (1, 5)))

    def test_no_copies(self):
        """A call on arrays that lie right needs next to no memory; results are where they were wanted."""
        model = compiled(LARGE.encode())
        x, out = numpy.full((1, BYTES // 4), -1, numpy.float32), numpy.full((1, BYTES // 4), 7, numpy.float32)
        x[0, ::2] = 3
        model(x, out=out)
        tracemalloc.start()
        self.assertIs(model(x, out=out), out)
        again = model(x, out=[out])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertIs(again, out)
        self.assertLess(peak, BYTES / 8)
        numpy.testing.assert_array_equal(out, numpy.maximum(x, 0))

    def test_addresses(self):
        """The model reads and writes the arrays themselves; what does not lie as it wants is copied."""
        model, seen = compiled(ADD.encode()), []
        library_run = model._library.qcc_run

        def run(model, inputs, outputs, *more):
            seen.extend([inputs[0], inputs[1], outputs[0]])
            return library_run(model, inputs, outputs, *more)
        a, b, strided = numpy.ones((1, 5), numpy.float32), numpy.ones((3, 5), numpy.float32), numpy.ones((1, 10), numpy.float32)[:, ::2]
        with unittest.mock.patch.object(model._library, "qcc_run", run):
            made = model(a, b[1:2])
            out = model(a, strided, out=b[:1])
        self.assertEqual(seen[:4] + seen[5:], [array.ctypes.data for array in (a, b[1:2], made, a, b)])
        self.assertNotEqual(seen[4], strided.ctypes.data)
        self.assertEqual(out.ctypes.data, b.ctypes.data)

    def test_scales(self):
        model = compiled(SCALE.encode())
        given, made = model.inputs[0], model.outputs[0]
        self.assertEqual((given.scale, given.zero_point, made.scale, made.zero_point), (0.5, 3, 0.25, -5))
        real = numpy.float32([[-3, -0.5, 0, 0.5, 1, 2, 1000]])
        q = given.quantize(real)
        numpy.testing.assert_array_equal(q, numpy.int8([[-3, 2, 3, 4, 5, 7, 127]]))
        numpy.testing.assert_array_equal(made.real(model(q))[:, :6], real[:, :6])

    def test_shapes(self):
        """A call takes the shape that the arrays have, and computes what a model of that shape alone does."""
        images = ROOT / "tests" / "data" / "onnx" / "cnn_qdq_u8s8.ort"
        model = qcc.compile(images, input_shape={"image": ([1, 3], 3, [12, 20], 12)})
        self.assertEqual([shape.inputs[0].shape for shape in model.shapes], [(n, 3, h, 12) for n in (1, 3) for h in (12, 20)])
        self.assertEqual((model.inputs, model.outputs), (model.shapes[0].inputs, model.shapes[0].outputs))
        for shape in model.shapes:
            x = numpy.random.default_rng(1).standard_normal(shape.inputs[0].shape).astype(numpy.float32)
            alone = qcc.compile(images, input_shape={"image": x.shape})
            self.assertEqual(alone.outputs, shape.outputs)
            out = [numpy.empty(tensor.shape, tensor.dtype) for tensor in shape.outputs]
            for made in (model(x), model.stream()(image=x.tolist(), out=out)):
                for y, wanted in zip(made, alone(x)):
                    numpy.testing.assert_array_equal(y, wanted)
        with self.assertRaisesRegex(ValueError, r"compiled for image \(1, 3, 16, 12\), but for image \(1, 3, 12, 12\); .*\(3, 3, 20, 12\)$"):
            model(numpy.zeros((1, 3, 16, 12), numpy.float32))
        with self.assertRaisesRegex(ValueError, "output '.*' has the shape"):
            model(x[:1], out=out)
        with self.assertRaisesRegex(TypeError, "takes float32, not float64"):
            model(numpy.zeros((1, 3, 16, 12)))
        self.assertEqual({step.shape[0] for step in model.profile(x, seconds=0.01) if step.macs}, {"3"})
        self.assertIn("first of 4 shapes", repr(model))

    def test_batches(self):
        """Of a file, and of a library."""
        model = qcc.compile(DIGITS, batch=[1, 5])
        x = numpy.random.default_rng(1).integers(-128, 128, (5, 8, 8, 1), numpy.int8)
        model.save(self.folder / "digits.so")
        for one in (model, qcc.load(self.folder / "digits.so")):
            numpy.testing.assert_array_equal(one(x), numpy.concatenate([one(x[i:i + 1]) for i in range(5)]))

    def test_state(self):
        model = qcc.compile(COUNTER.encode())
        x = numpy.float32([[1, 2, 3, 4]])
        other = model.stream()
        for i in range(1, 4):
            numpy.testing.assert_array_equal(model(x), i * x)
        numpy.testing.assert_array_equal(other(x), x)
        model.reset()
        numpy.testing.assert_array_equal(model(x), x)

    def test_threads(self):
        """Of one call, and calls of several."""
        model = compiled(LARGE.encode()).stream(threads=2)
        x = numpy.random.default_rng(2).standard_normal((1, BYTES // 4), numpy.float32)
        want, results = numpy.maximum(x, 0), [None] * 4

        def work(i):
            results[i] = (model if i % 2 else model.stream(threads=1))(x)
        workers = [threading.Thread(target=work, args=[i]) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        model.threads = 1
        for y in results + [model(x)]:
            numpy.testing.assert_array_equal(y, want)


class Files(Case):
    def test_load(self):
        """Several models in one process, one file after the other under the same name, and weights beside the library."""
        path, weights = self.folder / "m.so", self.folder / "w.bin"
        self.fine(QCC, self.add, "-o", path, "--target=native")
        add = qcc.load(path)
        self.fine(QCC, self.scale, "-o", path, "--target=native")
        scale = qcc.load(path)
        self.assertEqual((len(add.inputs), len(scale.inputs)), (2, 1))
        add.save(self.folder / "add.so")
        self.assertEqual(qcc.load(self.folder / "add.so").inputs, add.inputs)
        self.fine(QCC, DIGITS, "-o", path, "--target=native", f"--weights={weights}")
        x = numpy.zeros((1, 8, 8, 1), numpy.int8)
        numpy.testing.assert_array_equal(qcc.load(path, weights=weights)(x), compiled(DIGITS)(x))
        with self.assertRaisesRegex(qcc.Error, "weights"):
            qcc.load(path)(x)
        with self.assertRaisesRegex(qcc.Error, "weights"):
            qcc.load(path, weights=DIGITS)

    def test_profile(self):
        """Of a model whose file is gone, on inputs of its own or made-up ones."""
        model = compiled(DIGITS)
        for inputs in ([], [numpy.zeros((1, 8, 8, 1), numpy.int8)]):
            layers = model.profile(*inputs, seconds=0.01)
            self.assertEqual({(l.op, l.int8) for l in layers if l.macs},
                             {("conv2d", True), ("depthwise_conv2d", True), ("fully_connected", True)})
            self.assertEqual(layers, sorted(layers, key=lambda l: (-l.seconds, l.position)))
            self.assertTrue(all(l.seconds >= 0 and isinstance(l, qcc.Step) for l in layers))
        with self.assertRaises(ValueError):
            model.profile(numpy.zeros((2, 8, 8, 1), numpy.int8))

    def test_options(self):
        self.assertEqual(qcc.compile(DIGITS, batch=3, target="generic").inputs[0].shape, (3, 8, 8, 1))
        model = qcc.compile(DIGITS, input_shape={"picture": (2, 8, 8, 1)}, target=("generic", "avx2"), infer_scales=True, debug=False)
        self.assertEqual(model.outputs[0].shape, (2, 10))

    def test_quantize(self):
        """From an iterator of samples."""
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        lines = self.fine(sys.executable, DIGITS.parent / "digits.py", environment=environment).decode().splitlines()
        self.assertEqual([int(line.split()[0]) > 290 for line in lines], [True, True])
        samples = ({"a": numpy.float32([[1, 2, 3, 4, i]]), "b": numpy.float32([[i, 0, 0, 0, 1]])} for i in range(5))
        both = qcc.quantize(ADD.encode(), samples, quantized_ops="add")
        self.assertLess(numpy.abs(both([[1, 2, 3, 4, 4]], [[1, 0, 0, 0, 1]]) - [[2, 2, 3, 4, 5]]).max(), 0.05)

    def test_remarks(self):
        """What qcc says of a model that it compiles all the same is a warning, at the line that called the package."""
        speaking = self.folder / "qcc"
        speaking.write_text(f'#!/bin/sh\necho "add.qir: warning: large" >&2\nexec {QCC} "$@"\n')
        speaking.chmod(0o755)
        samples = [{"a": numpy.ones((1, 5), numpy.float32), "b": numpy.ones((1, 5), numpy.float32)}]
        with unittest.mock.patch.dict("os.environ", {"QCC": str(speaking)}):
            for call in (lambda: qcc.compile(ADD.encode()), lambda: qcc.describe(self.add), lambda: qcc.quantize(self.add, samples)):
                with self.assertWarnsRegex(qcc.Remark, "warning: large") as told:
                    call()
                self.assertEqual(told.filename, __file__)

    def test_describe(self):
        """Of a file, of bytes, of what can't be compiled; nothing is written anywhere."""
        digits = qcc.describe(DIGITS, batch=2)
        self.assertEqual((digits["format"], digits["supported"], digits["refusals"]), ("TFLite", True, []))
        self.assertEqual(digits["inputs"][0]["shape"], [2, 8, 8, 1])
        self.assertGreater(digits["macs"], 10000)
        self.assertEqual(qcc.describe(ADD.encode())["inputs"][1]["name"], "b")
        refused = qcc.describe(ROOT / "tests" / "data" / "refused" / "hybrid.tflite")
        self.assertFalse(refused["supported"])
        self.assertIn("error: ", refused["refusals"][0])
        for wrong in (self.folder / "absent.tflite", b"no model"):
            with self.subTest(wrong), self.assertRaises(qcc.Error):
                qcc.describe(wrong)


class Failures(Case):
    def test_wrong_arrays(self):
        model, scale = compiled(ADD.encode()), compiled(SCALE.encode())
        a = numpy.zeros((1, 5), numpy.float32)
        fixed = a.copy()
        fixed.flags.writeable = False
        for error, text, call in (
                (ValueError, r"'b' has the shape \(1, 5\), not \(5,\)", lambda: model(a, a[0])),
                (ValueError, r"'a' has the shape", lambda: model(numpy.zeros((2, 5), numpy.float32), a)),
                (TypeError, r"'a' takes float32, not float64: \.astype\('float32'\)", lambda: model(a.astype(float), a)),
                (TypeError, "takes float32, not >f4", lambda: model(a.astype(">f4"), a)),
                (TypeError, r"'x' takes int8, not float32: \.quantize", lambda: scale(numpy.zeros((1, 7), numpy.float32))),
                (TypeError, "'x' takes int8", lambda: scale([[0, 1, 2, 3, 4, 5, 300]])),
                (TypeError, "'x' takes int8", lambda: scale([[0, 1, 2, 3, 4, 5, 0.5]])),
                (TypeError, "'x' takes int8", lambda: scale("cat.jpg")),
                (TypeError, "1 inputs given, the model takes 2", lambda: model(a)),
                (TypeError, "takes the inputs a, b, not a, c", lambda: model({"a": a, "c": a})),
                (TypeError, "takes the inputs a, b, not a", lambda: model({"a": a})),
                (TypeError, "and some without names", lambda: model(a, b=a)),
                (TypeError, "2 arrays for 1 outputs", lambda: model(a, a, out=[a, a])),
                (TypeError, "not into list", lambda: model(a, a, out=[[1, 2, 3, 4, 5]])),
                (TypeError, "is float32, not float64", lambda: model(a, a, out=numpy.zeros((1, 5)))),
                (ValueError, r"'sum' has the shape", lambda: model(a, a, out=numpy.zeros((5, 1), numpy.float32))),
                (ValueError, "contiguous and writable", lambda: model(a, a, out=numpy.zeros((1, 10), numpy.float32)[:, ::2])),
                (ValueError, "contiguous and writable", lambda: model(a, a, out=fixed)),
                (ValueError, "where another array is", lambda: model(a, a, out=a)),
                (ValueError, "threads", lambda: qcc.compile(ADD.encode(), threads=0))):
            with self.subTest(text), self.assertRaisesRegex(error, text):
                call()

    def test_diagnostics(self):
        """The line that the program prints."""
        broken, text = self.folder / "broken.tflite", self.folder / "text.so"
        broken.write_bytes(DIGITS.read_bytes()[:5000])
        text.write_text("no library")
        for text, call in (
                ("broken.tflite: .*error: ", lambda: qcc.compile(broken)),
                ("absent.tflite: error: No such file", lambda: qcc.compile(self.folder / "absent.tflite")),
                ("--frobnicate", lambda: qcc.compile(DIGITS, frobnicate=True)),
                ("pdp11", lambda: qcc.compile(DIGITS, target="pdp11")),
                ("--target", lambda: qcc.compile(DIGITS, target=True)),
                ("text.so: not a shared library that can be loaded", lambda: qcc.load(text)),
                ("absent.so: No such file", lambda: qcc.load(self.folder / "absent.so")),
                ("not a shared library made by qcc", lambda: qcc.load(numpy.linalg._umath_linalg.__file__)),
                ("^sample 0: error: a sample is .*, the model's input 'x'", lambda: qcc.quantize(LARGE.encode(), [numpy.zeros(3, numpy.float32)])),
                ("no samples for input 'b'", lambda: qcc.quantize(ADD.encode(), [{"a": numpy.zeros((1, 5), numpy.float32)}]))):
            with self.subTest(text), self.assertRaisesRegex(qcc.Error, text):
                call()
        compiled(DIGITS).save(self.folder / "m.so")
        library, cut = (self.folder / "m.so").read_bytes(), self.folder / "cut.so"
        for size in (0, 63, 64, 200, 4096, segments_end(library) - 1):
            cut.write_bytes(library[:size])
            with self.subTest(size), self.assertRaisesRegex(qcc.Error, "cut.so: not a shared library that can be loaded"):
                qcc.load(cut)
        with self.assertRaisesRegex(ValueError, "no samples"):
            qcc.quantize(ADD.encode(), [])
        with self.assertRaisesRegex(ValueError, "sample 1 is not of the inputs"):
            qcc.quantize(ADD.encode(), [{"a": [[1, 2, 3, 4, 5]]}, {"b": [[1, 2, 3, 4, 5]]}])

    def test_no_program(self):
        for variable, text in (("/nonexistent/qcc", "can't be run: No such file"), ("", "no program qcc in the PATH")):
            with unittest.mock.patch.dict("os.environ", {"QCC": variable, "PATH": "/nonexistent"}), \
                    self.assertRaisesRegex(qcc.Error, text):
                qcc.compile(DIGITS)

    def test_version(self):
        self.assertEqual(self.fine(QCC, "--version").decode().split()[1], qcc.__version__)


if __name__ == "__main__":
    if LINK_ARGS:
        print("skipped: Python can't load a library with sanitizers")
        sys.exit(77)
    main()
