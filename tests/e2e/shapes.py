"""Protects objects of several shapes (docs/shapes.md): each shape computes what an object of its own does, weights are there once, and
what is not on the list is refused."""
import random

from common import CC, DIGITS, LIBRARY, LINK_ARGS, QCC, QCC_EVAL, QCC_RUN, ROOT, Case, main, native, npy, read_npy

RUNTIME = ROOT / "runtime"
CNN = ROOT / "tests" / "data" / "onnx" / "cnn_qdq_u8s8.ort"
STATE = ROOT / "tests" / "data" / "state.tflite"

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "digits.h"

static int run_all(void *w)
{
    static int8_t x[DIGITS_SHAPE_1_INPUT_0_BYTES], y[DIGITS_SHAPE_1_OUTPUT_0_BYTES], one[DIGITS_OUTPUT_0_BYTES];
    const int64_t *const whatever[] = {NULL};
    int64_t dims[8];
    const int64_t *const shapes[] = {dims};
    for (size_t i = 0; i < sizeof x; i++)
        x[i] = (int8_t)(i * 37 % 251 - 100);
    memcpy(dims, qcc_model_input(&digits, 0)->dims, sizeof dims);
    if (qcc_model_with_shapes(&digits, shapes) != qcc_model_with_shapes(&digits, whatever))
        return 2;
    dims[0] = 5;
    const qcc_model *five = qcc_model_with_shapes(&digits, shapes);
    dims[0] = 4;
    if (!five || five != qcc_model_shape(&digits, 1) || qcc_model_with_shapes(&digits, shapes))
        return 3;
    if (qcc_model_workspace_bytes(five) > DIGITS_WORKSPACE_BYTES || strcmp(qcc_model_target(five), qcc_model_target(&digits)))
        return 4;
    void *out[] = {y};
    if (qcc_run(five, (const void *[]){x}, out, w, NULL))
        return 5;
    for (int i = 0; i < 5; i++) { /* the first shape is what the model is itself */
        void *out_one[] = {one};
        if (qcc_run(&digits, (const void *[]){x + i * DIGITS_INPUT_0_BYTES}, out_one, w, NULL))
            return 6;
        if (memcmp(one, y + i * DIGITS_OUTPUT_0_BYTES, sizeof one))
            return 7;
    }
    return 0;
}

int main(int argc, char **argv)
{
    void *w = aligned_alloc(64, (DIGITS_WORKSPACE_BYTES + 64) / 64 * 64);
    if (DIGITS_SHAPE_COUNT != 2 || qcc_model_shape_count(&digits) != 2 || DIGITS_SHAPE_1_INPUT_0_BYTES != 5 * DIGITS_INPUT_0_BYTES)
        return 1;
#ifdef DIGITS_WEIGHTS_BYTES
    unsigned char *weights = aligned_alloc(64, (DIGITS_WEIGHTS_BYTES + 64) / 64 * 64);
    FILE *f = fopen(argv[argc - 1], "rb");
    if (!f || fread(weights, 1, DIGITS_WEIGHTS_BYTES, f) != DIGITS_WEIGHTS_BYTES || fclose(f) ||
        qcc_set_weights(qcc_model_shape(&digits, 1), weights, DIGITS_WEIGHTS_BYTES))
        return 8;
#else
    (void)argc, (void)argv;
#endif
    const int code = run_all(w);
    free(w);
#ifdef DIGITS_WEIGHTS_BYTES
    free(weights);
#endif
    return code;
}
"""


class Shapes(Case):
    def array(self, shape):
        count, path = 1, self.folder / f"x{'x'.join(map(str, shape))}.npy"
        for extent in shape:
            count *= extent
        path.write_bytes(npy("<f4", shape, [random.Random(i).uniform(-1, 1) for i in range(count)]))
        return path

    def test_each_shape_as_alone(self):
        target = f"--target={native()}"
        many = self.folder / "many.so"
        self.fine(QCC, CNN, "--input-shape=image:{1,3}x3x{12,20}x12", target, "-o", many)
        for shape in ((1, 3, 20, 12), (3, 3, 12, 12)):
            text = "--input-shape=image:" + "x".join(map(str, shape))
            x, alone, chosen, asked, now = self.array(shape), *(self.folder / f"y{k}.npy" for k in range(4))
            self.fine(QCC_RUN, CNN, text, "-i", x, "-o", alone)
            self.fine(QCC_RUN, many, "-i", x, "-o", chosen)
            self.assertEqual(read_npy(chosen), read_npy(alone))
            self.fine(QCC_RUN, many, text, "-i", x, "-o", asked)
            self.assertEqual(read_npy(asked), read_npy(alone))
        self.fine(QCC_RUN, CNN, "--input-shape=image:{1,3}x3x12x12", "-i", x, "-o", now)
        self.assertEqual(read_npy(now), read_npy(alone))

    def test_what_is_not_there(self):
        many = self.folder / "many.so"
        self.fine(QCC, CNN, "--input-shape=image:1x3x{12,20}x12", "-O0", f"--target={native()}", "-o", many)
        for arguments in (["-i", self.array((1, 3, 16, 12))], ["-i", self.array((3, 3, 12, 12))], ["--batch=2"],
                          ["--input-shape=image:1x3x13x12"], ["--input-shape=picture:1x3x12x12"], ["--batch={1,2}"]):
            wanted = "one shape at a time" if "--batch={1,2}" in arguments else "but for image 1x3x12x12, or image 1x3x20x12"
            self.assertIn(wanted, self.refused(1, QCC_RUN, many, *arguments))

    def test_weights_once(self):
        sizes = {}
        for batches in ("1", "7", "{1,7}"):
            weights = self.folder / "w.bin"
            self.fine(QCC, DIGITS, f"--batch={batches}", "-O0", "--target=avx2,generic", f"--weights={weights}", "-o", self.folder / "d.o")
            sizes[batches] = weights.stat().st_size
        self.assertLessEqual(sizes["{1,7}"], max(sizes["1"], sizes["7"]) * 1.02)

    def test_quantized_from_samples(self):
        """Ranges of one shape are taken by each; they are what an object of that shape alone makes of them."""
        floats, scales, many, y = CNN.with_name("cnn_float.ort"), self.folder / "s.txt", self.folder / "many.so", self.folder / "y.npy"
        samples, lists = f"--calib={self.array((1, 3, 20, 20))}", "--input-shape=image:1x3x{20,24}x20"
        self.assertIn("--scales=FILE", self.refused(2, QCC, floats, lists, samples, "-o", many))
        self.fine(QCC, floats, samples, f"--save-scales={scales}", "-o", self.folder / "one.o")
        self.fine(QCC, floats, lists, f"--scales={scales}", f"--target={native()}", "-o", many)
        x, results = self.array((1, 3, 24, 20)), []
        for model, options in ((many, []), (floats, ["--input-shape=image:1x3x24x20", f"--scales={scales}"]), (floats, ["--input-shape=image:1x3x24x20"])):
            self.fine(QCC_RUN, model, *options, "-i", x, "-o", y)
            results.append(read_npy(y))
        self.assertEqual(results[0], results[1])
        self.assertNotEqual(results[0], results[2])

    def test_programs(self):
        program = self.folder / "p.c"
        program.write_text(PROGRAM, encoding="utf-8")
        for weights in ([], [f"--weights={self.folder / 'w.bin'}", "-O0"]):
            self.fine(QCC, DIGITS, "--batch={1,5}", f"--target={native()},generic", *weights, "-o", self.folder / "digits.o")
            self.fine(*CC, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{RUNTIME}", f"-I{self.folder}", program,
                      self.folder / "digits.o", LIBRARY, "-lm", "-lpthread", *LINK_ARGS, "-o", self.folder / "p")
            self.fine(self.folder / "p", self.folder / "w.bin")

    def test_batches_of_text(self):
        """A graph in text form for a batch is that of the file that it was written from."""
        for model in (DIGITS, DIGITS.with_name("digits_float.tflite"), DIGITS.with_name("digits.onnx")):
            text = self.folder / "one.qir"
            self.fine(QCC, model, "-O0", "--emit=ir", "-o", text)
            wanted, given = (self.fine(QCC, source, "-O0", "--batch=6", "--emit=ir", "-o", "-") for source in (model, text))
            self.assertEqual(given, wanted)
        for op in ("fully_connected %x, %w", "mul %x, %c", "mean %x {axes = [1]}", "reshape %x", "concat %x, %x {axis = 1}",
                   "slice %x {begin = [0, 1], step = [1, 1]}", "gather %x, %k {axis = 1}"):
            self.fine(QCC, self.with_op(op), "--batch=3", "--emit=ir", "-o", "-")
        for op, why in (("transpose %x {perm = [1, 0]}", "not its result's first dimension"), ("mean %x {axes = [0, 1]}", "one number"),
                        ("mean %x {axes = [0], keep_dims = 1}", "not its result's first"), ("concat %x, %c {axis = 0}", "not its result's first"),
                        ("batch_matmul %x, %x {adj_a = 1}", "not its result's"), ("cumsum %x {axis = 0}", "each sample by itself"),
                        ("reverse %x {axes = [0]}", "each sample by itself"), ("slice %x {begin = [0, 1], step = [2, 1]}", "elements 0 to 4 of 3"),
                        ("concat %x, %c {axis = 1}", "")):
            with self.subTest(op):
                self.assertIn(why, self.refused(1, QCC, self.with_op(op), "--batch=3", "--emit=ir", "-o", "-"))
        self.assertIn("has not 1 for its first", self.refused(1, QCC, self.with_op("abs %x", rows=2), "--batch=3", "-o", self.folder / "x.o"))
        self.assertIn("too large", self.refused(1, QCC, self.with_op("abs %x", columns=1 << 20), "--batch=65536", "-o", self.folder / "x.o"))
        self.assertIn("but by --batch", self.refused(1, QCC, self.with_op("abs %x"), "--input-shape=x:3x4", "-o", self.folder / "x.o"))

    RESULTS = {"fully_connected": "1x5", "mean %x {axes = [1]}": "1", "mean %x {axes = [0, 1]}": "", "reshape": "2x2", "concat %x, %x": "1x8",
               "concat %x, %c {axis = 0}": "2x4", "concat %x, %c {axis = 1}": "1x8", "slice %x {begin = [0, 1], step = [1": "1x2", "slice": "1x3", "gather": "1x2",
               "transpose": "4x1", "batch_matmul": "4x4"}

    def with_op(self, op, rows=1, columns=4):
        """x goes through one op."""
        result = next((shape for start, shape in self.RESULTS.items() if op.startswith(start)), f"{rows}x{columns}")
        path = self.folder / "op.qir"
        path.write_text(f"""graph "op" {{
  input %x:f32<{rows}x{columns}> "x"
  const %w:f32<5x4> = splat 2
  const %c:f32<1x4> = splat 3
  const %k:i32<2> = [0, 2]
  %y:f32<{result}> = {op}
  output %y "y"
}}
""", encoding="utf-8")
        return path

    def test_refused(self):
        o = self.folder / "x.o"
        for arguments in (["--batch={1,1}"], ["--batch={1,2}", "--input-shape=image:{1,1}x3x12x12"],
                          ["--input-shape=image:{1,2}x{3,4}x12x12"], ["--batch={1,2,3,4,5,6,7,8,9}", "--input-shape=image:1x3x{1,2,3,4,5,6,7,8}x1"]):
            self.refused(1, QCC, CNN, *arguments, "-o", o)
        self.assertIn("state", self.refused(1, QCC, STATE, "--input-shape=x:{1,2}x2", "-o", o))
        self.refused(1, QCC_RUN, CNN, "--batch={1,2}", "--interp")
        for arguments in (["--batch={1,0}"], ["--batch={1"], ["--batch={}"], ["--batch={1,2}x3"], ["--batch={1,,2}"], ["--input-shape=image:1x{}"],
                          ["--input-shape=image:{1,2"], ["--batch={1,2}", "--emit=ir"], ["--batch={1,2}", f"--report={o}.html"],
                          ["--batch={1,2}", "--calib=x.npy"]):
            self.refused(2, QCC, CNN, *arguments, "-o", o)
        for arguments in (["--batch=1", "--batch=2"], [f"--input-shape=image:1x3x{height}x12" for height in (12, 20)]):
            self.assertIn("in quotes", self.refused(2, QCC, CNN, *arguments, "-o", o))  # as shells expand {1,2}
        self.assertIn("one shape", self.refused(2, QCC, CNN, "--describe", "--batch={1,2}"))
        self.refused(2, QCC_EVAL, CNN, "--batch={1,2}", "--data=x", "--labels=y")


if __name__ == "__main__":
    main()
