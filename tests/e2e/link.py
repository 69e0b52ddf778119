"""Protects the promise of the object: C programs link any number of models with the library and nothing else, embedded
or with weights in a file, and get what the interpreter computes, for any number of threads."""
import os
import re

from common import (CC, DIGITS, LIBRARY, LINK_ARGS, QCC, QCC_RUN, ROOT, Case, default_targets, main, native, npy, read_npy,
                    run, runs_here, targets)

RUNTIME = ROOT / "runtime"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{RUNTIME}"]

TWO_MODELS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "add.h"
#include "scale.h"

int main(void)
{
    float a[5] = {1, 2, 3, 4, 5}, b[5] = {0.5f, 0, -1, 8, 1e9f}, sum[5];
    int8_t x[7] = {-128, -1, 0, 3, 4, 100, 127}, y[7];
    const void *in1[] = {a, b}, *in2[] = {x};
    void *out1[] = {sum}, *out2[] = {y}, *w = aligned_alloc(64, 1 << 20);
    if (ADD_WORKSPACE_BYTES > 1 << 20 || SCALE_WORKSPACE_BYTES > 1 << 20 || ADD_INPUT_COUNT != 2)
        return 1;
    if (qcc_run(&add, in1, out1, w, NULL) || qcc_run(&scale, in2, out2, w, NULL))
        return 2;
    for (int i = 0; i < 5; i++)
        if (sum[i] != a[i] + b[i])
            return 3;
    for (int i = 0; i < 7; i++) {
        int want = (x[i] - 3) * 2 - 5;
        want = want < -128 ? -128 : want > 127 ? 127 : want;
        if (y[i] != want)
            return 4;
    }
    const qcc_tensor_info *info = qcc_model_input(&scale, 0);
    if (info->dtype != QCC_I8 || info->rank != 2 || info->dims[1] != 7 || info->scale != 0.5f || info->zero_point != 3)
        return 5;
    free(w);
    return strcmp(info->name, "x") ? 6 : 0;
}
"""

EXTERNAL = r"""
#include <stdio.h>
#include <stdlib.h>
#include "digits.h"

int main(int argc, char **argv)
{
    static int8_t x[DIGITS_INPUT_0_BYTES], y[DIGITS_OUTPUT_0_BYTES];
    const void *in[] = {x};
    void *out[] = {y}, *w = aligned_alloc(64, (DIGITS_WORKSPACE_BYTES + 64) / 64 * 64);
    unsigned char *weights = aligned_alloc(64, (DIGITS_WEIGHTS_BYTES + 64) / 64 * 64);
    FILE *f = fopen(argv[argc - 1], "rb");
    if (qcc_run(&digits, in, out, w, NULL) != QCC_NO_WEIGHTS)
        return 1;
    if (!f || fread(weights, 1, DIGITS_WEIGHTS_BYTES, f) != DIGITS_WEIGHTS_BYTES)
        return 2;
    if (qcc_set_weights(&digits, weights, DIGITS_WEIGHTS_BYTES - 1) != QCC_BAD_WEIGHTS || digits_weights)
        return 4;
    if (argc == 3) { /* those of another compilation */
        int code = qcc_set_weights(&digits, weights, DIGITS_WEIGHTS_BYTES) == QCC_BAD_WEIGHTS ? 0 : 5;
        fclose(f);
        free(weights);
        free(w);
        return code;
    }
    if (qcc_set_weights(&digits, weights, DIGITS_WEIGHTS_BYTES) != QCC_OK || digits_weights != weights)
        return 6;
    if (qcc_run(&digits, in, out, w, NULL) != QCC_OK)
        return 3;
    for (int i = 0; i < (int)DIGITS_OUTPUT_0_BYTES; i++)
        printf("%d ", y[i]);
    fclose(f);
    free(weights);
    free(w);
    return 0;
}
"""


CHOICE = r"""
#include <stdio.h>
#include <stdlib.h>
#include "digits.h"

int main(void)
{
    static int8_t x[DIGITS_INPUT_0_BYTES], y[DIGITS_OUTPUT_0_BYTES];
    const void *in[] = {x};
    void *out[] = {y}, *w = aligned_alloc(64, (DIGITS_WORKSPACE_BYTES + 64) / 64 * 64);
    const char *target = qcc_model_target(&digits);
    const qcc_status status = qcc_run(&digits, in, out, w, NULL);
    printf("%s %s\n", DIGITS_TARGETS, target ? target : "none");
    free(w);
    return status == (target ? QCC_OK : QCC_UNSUPPORTED_CPU) ? 0 : 1;
}
"""


NAMED = r"""
#include <stdio.h>
#include <stdlib.h>
#include "NAME.h"

int main(void)
{
    float a[5] = {1, 2, 3, 4, 5}, sum[5];
    const void *in[] = {a, a};
    void *out[] = {sum}, *w = aligned_alloc(64, UPPER__WORKSPACE_BYTES + 64);
    const int good = qcc_run(&NAME_, in, out, w, NULL) == QCC_OK && sum[4] == 10;
    free(w);
    return good ? 0 : 1;
}
"""


class Program(Case):
    target = "generic"

    def object(self, model, name, *options):
        self.fine(QCC, model, "-o", self.folder / name, f"--target={self.target}", *options)
        return self.folder / name

    def link(self, source, objects, extra=()):
        program = self.folder / "program"
        path = self.folder / "program.c"
        path.write_text(source)
        code, out, err = run(*CC, *FLAGS, f"-I{self.folder}", *extra, path, *objects, LIBRARY, "-pthread", "-lm", *LINK_ARGS,
                             "-o", program)
        self.assertEqual(code, 0, err)
        return program


class Names(Program):
    def test_names(self):
        """No macro of the standard headers is a model's name; files named like parts of C link under another one."""
        headers = ("assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic "
                   "stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype").split()
        source = self.folder / "headers.c"
        source.write_text("".join(f"#include <{h}.h>\n" for h in headers))
        lines = self.fine(*CC, "-std=c11", "-dM", "-E", source).decode().splitlines()
        macros = {re.match(r"#define (\w+)", line).group(1) for line in lines}
        code, accepted, _ = run(os.environ["NAMES_TEST"], "accepted", stdin="\n".join(sorted(macros)).encode())
        self.assertEqual((code, accepted), (0, b""))
        for name in ("malloc", "class", "linux", "stdin", "read"):
            program = NAMED.replace("NAME", name).replace("UPPER", name.upper())
            self.fine(self.link(program, [self.object(self.add, f"{name}.o")], ["-std=gnu11"]))


class Linked:
    """The tests, for one target."""

    def setUp(self):
        super().setUp()
        if not runs_here(self.target):
            self.skipTest(f"the CPU lacks the instructions of {self.target}")

    def test_two_models(self):
        self.fine(self.link(TWO_MODELS, [self.object(self.add, "add.o"), self.object(self.scale, "scale.o")]))

    def test_digits(self):
        program = self.link((DIGITS.parent / "digits.c").read_text(), [self.object(DIGITS, "digits.o")], [f"-I{DIGITS.parent}"])
        alone = self.fine(program)
        self.assertGreaterEqual(int(re.match(rb"(\d+) of 300", alone).group(1)), 290)
        self.assertEqual(self.fine(program, "3"), alone)
        chosen = next(target for target in targets() if target in self.target.split(",") and runs_here(target))
        self.assertIn(f" by the code for {chosen} of ", alone.decode())

    def test_external_weights(self):
        weights = self.folder / "digits.bin"
        program = self.link(EXTERNAL, [self.object(DIGITS, "digits.o", f"--weights={weights}")])
        got = self.fine(program, weights)
        changed = bytearray(weights.read_bytes())
        changed[8] ^= 1
        (self.folder / "other.bin").write_bytes(changed)
        self.fine(program, "other", self.folder / "other.bin")
        zeros = self.folder / "x.npy"
        zeros.write_bytes(npy("|i1", (1, 8, 8, 1), [0] * 64))
        self.fine(QCC_RUN, "--interp", DIGITS, "-i", zeros, "-o", self.folder / "y.npy")
        self.assertEqual([int(v) for v in got.split()], read_npy(self.folder / "y.npy")[0])

    def test_object_needs_nothing_but_the_library(self):
        names = self.fine("nm", "--defined-only", "--extern-only", self.object(DIGITS, "digits.o")).decode().split("\n")
        self.assertEqual([n.split()[-1] for n in names if n], ["digits"])

    def test_object_asks_for_the_library_alone(self):
        """What C has beside it: the compiler's own calls, not functions of libm, which a program may not link."""
        undefined = self.fine("nm", "--undefined-only", "--format=just-symbols", self.object(DIGITS, "digits.o")).decode().split()
        self.assertEqual([name for name in undefined if not name.startswith("qcc_") and name not in ("memcpy", "memmove", "memset")], [])

    def test_object_has_marks_of_jump_targets(self):
        self.fine(QCC, DIGITS, "-o", self.folder / "digits.o")
        notes = self.fine("readelf", "--notes", "--wide", self.folder / "digits.o").decode()
        self.assertIn("IBT, SHSTK", notes)


class LinkedDefault(Linked, Program):
    target = ",".join(default_targets())


class LinkedNative(Linked, Program):
    target = native()


class LinkedGeneric(Linked, Program):
    target = "generic"


class LinkedSeveral(Linked, Program):
    """Worst first: the order says nothing."""
    target = ",".join(reversed(targets()))

    def test_readme(self):
        """The list that README.md compiles the example for: all of it are targets, and any machine runs one."""
        names = re.search(r"digits\.tflite --target=(\S+)", (ROOT / "README.md").read_text(encoding="utf-8")).group(1).split(",")
        self.assertEqual([name for name in targets() if name in names], names)
        self.assertEqual(names[-1], targets()[-1])

    def test_choice(self):
        """The program runs the best that this machine can, and the header says what there is."""
        program = self.link(CHOICE, [self.object(DIGITS, "digits.o")])
        self.assertEqual(self.fine(program).decode().split(), [",".join(targets()), native()])

    def test_no_choice(self):
        """Without code for this machine nothing runs."""
        lacking = [target for target in targets() if not runs_here(target)]
        if not lacking:
            self.skipTest("the CPU has the instructions of every target")
        program = self.link(CHOICE, [self.object(DIGITS, "digits.o", "--target=" + ",".join(lacking))])
        self.assertEqual(self.fine(program).decode().split(), [",".join(lacking), "none"])


if __name__ == "__main__":
    main()
