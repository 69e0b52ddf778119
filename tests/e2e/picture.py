"""Protects the way from a picture to a name: pictures as inputs of qcc-run, presets, names of classes; the example in C; and what the
header tells a program."""
import re

from common import COUNTER, DIGITS, QCC, QCC_EVAL, QCC_RUN, main, native, read_npy, run
from eval import png
from link import Program

EXAMPLE = DIGITS.parent
NAMES = EXAMPLE / "names.txt"
# a picture of 14 x 14 as it comes
SHOW = """graph "show" {
  input %0:f32<1x14x14x3> "picture"
  %1:f32<1x14x14x3> "same" = neg %0
  output %1 "same"
}
"""
MACROS = r"""
#include <stdlib.h>
#include "scale.h"
#include "counter.h"

_Static_assert(SCALE_INPUT_0_ZERO_POINT == 3 && SCALE_INPUT_0_DTYPE == QCC_I8, "grid");
_Static_assert(SCALE_INPUT_0_RANK == 2 && SCALE_INPUT_0_DIM_0 == 1 && SCALE_INPUT_0_DIM_1 == SCALE_INPUT_0_ELEMENTS, "shape");
_Static_assert(sizeof(SCALE_OUTPUT_0_TYPE[SCALE_OUTPUT_0_ELEMENTS]) == SCALE_OUTPUT_0_BYTES, "bytes");
_Static_assert(SCALE_STATE_BYTES == 0 && COUNTER_STATE_BYTES >= 16 && COUNTER_STATE_BYTES <= COUNTER_WORKSPACE_BYTES, "state");
_Static_assert(COUNTER_INPUT_0_DTYPE == QCC_F32, "real numbers");

int main(void)
{
    COUNTER_INPUT_0_TYPE x[COUNTER_INPUT_0_ELEMENTS] = {1, 2, 3, 4}, y[COUNTER_OUTPUT_0_ELEMENTS];
    const void *in[] = {x};
    void *out[] = {y}, *w = aligned_alloc(64, (COUNTER_WORKSPACE_BYTES + 63) / 64 * 64);
    for (size_t i = 0; i < COUNTER_WORKSPACE_BYTES; i++)
        ((unsigned char *)w)[i] = 0x7f;
    qcc_reset(&counter, w);
    if (qcc_run(&counter, in, out, w, NULL) || qcc_run(&counter, in, out, w, NULL))
        return 1;
    const int good = y[0] == 2 && y[3] == 8;
    const int scales = SCALE_INPUT_0_SCALE == 0.5f && COUNTER_INPUT_0_SCALE == 0.0f; /* no constant expression in C11 */
    free(w);
    return good && scales ? 0 : 2;
}
"""


class Pictures(Program):
    def setUp(self):
        super().setUp()
        self.show = self.folder / "show.qir"
        self.show.write_text(SHOW)
        self.square, self.wide = self.folder / "square.png", self.folder / "wide.JPG.png"
        self.square.write_bytes(png(40, 40, [(x * y * 3 + x) % 256 for y in range(40) for x in range(40)]))
        self.wide.write_bytes(png(56, 28, [(x * 7 + y * 5) % 256 for y in range(28) for x in range(56)]))

    def seen(self, picture, *options):
        """What the model gets."""
        out = self.folder / "out.npy"
        self.fine(QCC_RUN, self.show, "-i", picture, "-o", out, "--interp", *options)
        return [-x for x in read_npy(out)[0]]

    def test_presets(self):
        for preset, same in (("imagenet", ["--resize=16", "--crop=14", "--mean=123.675,116.28,103.53", "--std=58.395,57.12,57.375"]),
                             ("tf", ["--resize=16", "--crop=14", "--mean=127.5", "--std=127.5"]), ("raw", ["--resize=14"])):
            self.assertEqual(self.seen(self.square, f"--preprocess={preset}"), self.seen(self.square, *same))
        self.assertEqual(self.seen(self.square, "--preprocess=tf", "--mean=0", "--std=255"),
                         self.seen(self.square, "--resize=16", "--crop=14", "--mean=0", "--std=255"))

    def test_proportions(self):
        """The middle of a wide picture, not all of it made narrow."""
        self.assertEqual(self.seen(self.wide), self.seen(self.wide, "--crop=28", "--resize=14"))
        self.assertNotEqual(self.seen(self.wide), self.seen(self.wide, "--resize=14x14"))

    def test_names(self):
        out = self.fine(QCC_RUN, DIGITS, "-i", EXAMPLE / "seven.png", f"--labels={NAMES}", "--top=2").decode().splitlines()
        self.assertEqual(out[0], f"target: {native()}")
        self.assertRegex(out[1], r"seven.png: the middle in the proportions of the input, scaled to 8x8, grey, bytes as they are$")
        self.assertEqual(out[2:4], ["scores: 2 best of 10 classes", "    0.9961  class 7: seven"])
        self.assertEqual(len(out), 5)
        self.assertEqual(len(self.fine(QCC_RUN, DIGITS, "--top=30").splitlines()), 12)
        background = self.folder / "nine.txt"
        background.write_text("".join(f"name {i}\r\n" for i in range(1, 10)) + "\n\n")
        out = self.fine(QCC_RUN, DIGITS, "-i", EXAMPLE / "seven.png", f"--labels={background}", "--label-offset=1").decode()
        self.assertIn("class 7: name 7\n", out)
        self.assertRegex(out, r"class 0\n")
        for options, text in (([f"--labels={background}"], "9 names, and no output with as many scores: there are 10; --label-offset=N"),
                              (["--labels=absent.txt"], "absent.txt: error: No such file")):
            self.assertIn(text, run(QCC_RUN, DIGITS, *options)[2])
        self.assertIn("no output has a score for each class", run(QCC_RUN, self.show, "--top=1")[2])
        self.refused(2, QCC_RUN, DIGITS, "--label-offset=1")
        self.refused(2, QCC_RUN, DIGITS, "--preprocess=caffe")

    def test_eval_says_what_it_did(self):
        data, labels = self.folder / "data", self.folder / "labels.txt"
        data.mkdir()
        (data / "seven.png").write_bytes((EXAMPLE / "seven.png").read_bytes())
        labels.write_text("7\n")
        out = self.fine(QCC_EVAL, DIGITS, f"--data={data}", f"--labels={labels}", "--preprocess=raw", "--mean=0", "--std=255").decode()
        self.assertIn("pictures: the middle in the proportions of the input, scaled to 8x8, grey, minus 0, divided by 255\n", out)
        self.assertIn("top-1 100.00 %", out)

    def test_not_a_picture(self):
        bad = self.folder / "bad.png"
        bad.write_text("no picture")
        self.refused(1, QCC_RUN, self.show, "-i", bad)
        self.refused(1, QCC_RUN, self.add, "-i", self.square)


class Programs(Program):
    def test_classify(self):
        """The example: a picture and a program of a page."""
        code = self.object(DIGITS, "digits.o")
        program = self.link((EXAMPLE / "classify.c").read_text(), [code, "-lpng"])
        self.assertEqual(self.fine(program, EXAMPLE / "seven.png", NAMES), b"0.996 seven\n")
        self.assertEqual(run(program)[0], 1)

    def test_macros_and_state(self):
        counter = self.folder / "counter.qir"
        counter.write_text(COUNTER)
        objects = [self.object(self.scale, "scale.o"), self.object(counter, "counter.o")]
        self.fine(self.link(MACROS, objects))
        self.assertIn("call qcc_reset(&counter, workspace)", " ".join((self.folder / "counter.h").read_text().split()))

    def test_no_folders(self):
        """Where the model was is in nothing that is made of it."""
        place = self.folder / "secret"
        place.mkdir()
        model = place / "digits.tflite"
        model.write_bytes(DIGITS.read_bytes())
        out = self.folder / "out"
        out.mkdir()
        for name in ("m.o", "m.so", "m.s", "m.ll", "m.qir"):
            self.fine(QCC, model, "-o", out / name, "-g", f"--report={out / 'r.json'}", f"--dot={out / 'd.dot'}", "--target=generic")
        self.fine(QCC, model, "-o", out / "m.o", f"--report={out / 'r.html'}", "--target=generic")
        for path in sorted(out.iterdir()):
            self.assertIsNone(re.search(b"secret", path.read_bytes()), path.name)
        self.assertGreater(len(list(out.iterdir())), 8)


if __name__ == "__main__":
    main()
