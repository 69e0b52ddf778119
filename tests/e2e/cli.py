"""Protects qcc's command line: exit codes, one diagnostic a failure, or one for each thing that is refused, files that appear whole
or not at all."""
import json
import os
import pty
import re
import stat
import subprocess

from common import (DIGITS, QCC, QCC_EVAL, QCC_OPT, QCC_RUN, ROOT, Case, default_targets, main, native, run, runs_here, targets)


class Usage(Case):
    def test_help_and_version(self):
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT):
            self.assertIn(b"--help", self.fine(program, "--help"))
            self.assertRegex(self.fine(program, "--version").decode(), r"^qcc\S* \d+\.\d+\.\d+\nLLVM \d+\.\d+\.\d+\n"
                             rf"targets: {' '.join(targets())} \(native here: {native()}\)\n$")

    def test_bad_usage(self):
        for arguments in (
            [], [self.add, "-o"], [self.add, "-o", "-"], ["-"], [self.add, "-o", "x.unknown"], ["--frobnicate", self.add, "-o", "x.o"],
            [self.add, self.add, "-o", "x.o"], [self.add, "-o", "x.o", "--target=pdp11"], [self.add, "-o", "x.o", "-O7"],
            [self.add, "-o", "x.o", "--name=7up"], [self.add, "-o", "x.o", "--name=int"], [self.add, "-o", "x.o", "--name=qcc_run"], [self.add, "-o", "x.o", "--emit=exe"],
            [self.add, "-o", "x.o", "--rounding=up"], [self.add, "-o", "x.o", "--batch=0"], [self.add, "-o", "x.o", "--batch=1e9"],
            [self.add, "-o", "x.o", "--print-ir-after=nothing"], [self.add, "-o", "x.o", "--input-shape=1x2"],
            [self.add, "-o", "x.o", "--quantize=dynamic", "--calib=x"], [self.add, "-o", "x.o", "--calib=x", "--quantize=none"], [self.add, "-o", "x.o", "--effort=3"],
            [self.add, "-o", "x.o", "--quantize=int4"], [self.add, "-o", "x.o", "--algo=kl"],
            [self.add, "-o", "x.o", "--report=r.txt"], [self.add, "-o", "-", "--emit=shared"],
        ):
            self.refused(2, QCC, *arguments, cwd=self.folder)
        self.assertEqual(sorted(os.listdir(self.folder)), ["add.qir", "scale.qir"])

    def test_what_was_meant(self):
        """An option that there is not: the one that is spelled nearly so, or the program that has it."""
        for program, option, want in (
                (QCC, "--no-haeder", "--no-haeder is not a valid option; did you mean --no-header? (see"),
                (QCC, "--keep_float=a", "; did you mean --keep-float?"), (QCC_RUN, "--toleranze=1", "; did you mean --tolerance?"),
                (QCC_EVAL, "--label=x", None), (QCC, "--threads=2", "--threads=2 is not a valid option of qcc, but of qcc-run"),
                (QCC_RUN, "--header=x", "is not a valid option of qcc-run, but of qcc"), (QCC_RUN, "--profile=1", "--profile=1 is not a valid option: --profile takes no value (see"),
                (QCC, "--frobnicate", "--frobnicate is not a valid option (see"),
                (QCC, "--" + "x" * 3000, None), (QCC, "-Z", "-Z is not a valid option (see")):
            code, _, err = run(program, self.add, option)
            self.assertNotEqual(code, 0)
            self.assertIn(want or option[:20], err)

    def test_missing_model_first(self):
        """It is not an option that is missing when there is no model."""
        for program, options in ((QCC, []), (QCC, ["-o", "x.unknown"]), (QCC_RUN, ["--interp", "--profile"]), (QCC_EVAL, [])):
            self.assertEqual(self.refused(1, program, "absent.tflite", *options), "absent.tflite: error: No such file or directory\n")

    def test_default_output(self):
        """Called as the model, in the folder at hand."""
        here = self.folder / "here"
        here.mkdir()
        for options, name in (([], "digits.o"), (["--emit=asm"], "digits.s"), (["--emit=shared"], "digits.so")):
            self.fine(QCC, DIGITS, *options, cwd=here)
            self.assertTrue((here / name).exists())
        self.assertEqual(sorted(os.listdir(here)), ["digits.h", "digits.o", "digits.s", "digits.so"])
        self.assertIn("-o - does not say what to write: --emit=KIND is missing", self.refused(2, QCC, self.add, "-o", "-"))
        before = self.add.read_bytes()
        self.refused(1, QCC, "add.qir", "--emit=ir", cwd=self.folder)  # would be the model itself
        self.assertEqual(self.add.read_bytes(), before)

    def test_code_for_other_machines(self):
        """Said on a terminal where nobody asked for it, and where this machine can't run it; never in a pipe."""
        text = f"the code is for {','.join(default_targets())}, which this machine can't run: this CPU lacks"
        here = any(runs_here(target) for target in default_targets())
        for options, want in (([], not here), (["--target=" + ",".join(default_targets())], False), (["--target=native"], False)):
            self.assertEqual(text in self.on_terminal("-o", self.folder / "m.o", *options), want)
            self.assertEqual(run(QCC, self.add, "-o", self.folder / "m.o", *options), (0, b"", ""))

    def on_terminal(self, *options):
        """What a terminal sees of a compilation."""
        reader, writer = pty.openpty()
        code = subprocess.run([QCC, self.add, *options], stderr=writer, check=False).returncode
        os.close(writer)
        text = os.read(reader, 1 << 16).decode()
        os.close(reader)
        self.assertEqual(code, 0)
        return text

    def test_progress_on_a_terminal(self):
        """What is being done, and at the end an empty line; nothing in a pipe (test_code_for_other_machines)."""
        text = self.on_terminal("--target=native", "-o", self.folder / "m.so")
        self.assertEqual(re.findall(r"\r([a-z ]*) \.\.\.\x1b\[K", text), ["reading", "optimizing", "generating code", "linking"])
        self.assertTrue(text.endswith("\r\x1b[K"))

    def test_lists(self):
        self.assertIn(b"memory_plan", self.fine(QCC, "--list-passes"))
        self.assertIn(b"conv2d", self.fine(QCC, "--list-ops"))
        targets = self.fine(QCC, "--list-targets").decode()
        self.assertRegex(targets, r"(?m)^generic +any x86-64$")
        self.assertEqual(len(re.findall(r"(?m)^\w+ +\S.*$", targets)), len(targets.splitlines()))


class Refusals(Case):
    """All that is refused is told at once, in a line each and one that counts; and nothing is written."""

    def lines(self, program, model, *arguments):
        code, out, err = run(program, ROOT / "tests/data/refused" / model, *arguments, cwd=self.folder)
        self.assertEqual((code, out), (1, b""), err)
        return err.splitlines()

    def test_several(self):
        for name, count in (("several.tflite", 4), ("ort_several.ort", 6), ("nb_several.nb", 4)):
            for program, arguments in ((QCC, ["-o", "m.o"]), (QCC_RUN, []), (QCC_OPT, [])):
                lines = self.lines(program, name, *arguments)
                self.assertEqual(len(lines), count, lines)
                for line in lines[:-1]:
                    self.assertRegex(line, rf"{name}: (subgraph \d+, node \d+ \(\w+\): )?error: ")
                self.assertRegex(lines[-1], rf"{name}: error: refused at {count} places, for {count - 1} reasons$")
                self.assertEqual(sum(line.endswith("; so at 1 more") for line in lines), 1)
        self.assertEqual(sorted(os.listdir(self.folder)), ["add.qir", "scale.qir"])

    def test_damage_ends_at_once(self):
        damaged = self.folder / "damaged.ort"
        whole = (ROOT / "tests/data/refused/ort_several.ort").read_bytes()
        damaged.write_bytes(whole[:len(whole) // 2])
        self.refused(1, QCC, damaged, "-o", self.folder / "m.o")


class Outputs(Case):
    def test_kinds(self):
        for name, start in (("m.o", b"\x7fELF"), ("m.s", b""), ("m.ll", b""), ("m.qir", b"graph")):
            self.fine(QCC, self.add, "-o", self.folder / name)
            self.assertTrue((self.folder / name).read_bytes().startswith(start))
        self.assertTrue((self.folder / "m.h").exists())
        self.assertIn("memory", self.fine(QCC, self.add, "--emit=llvm", "-o", "-").decode())

    def test_emit_wins_over_extension(self):
        self.fine(QCC, self.add, "--emit=ir", "-o", self.folder / "m.o")
        self.assertTrue((self.folder / "m.o").read_bytes().startswith(b"graph"))

    def test_stdin(self):
        self.fine(QCC, "-", "-o", self.folder / "m.o", stdin=self.add.read_bytes())
        self.fine(QCC, "-", "-o", self.folder / "d.o", stdin=DIGITS.read_bytes())

    def test_text_form_is_stable(self):
        first, second = self.folder / "a.qir", self.folder / "b.qir"
        self.fine(QCC, DIGITS, "-O0", "-o", first)
        self.fine(QCC, first, "-O0", "-o", second)
        self.assertEqual(first.read_bytes(), second.read_bytes())

    def test_same_input_same_object(self):
        for name in ("1/m.o", "2/m.o"):
            (self.folder / name).parent.mkdir()
            self.fine(QCC, DIGITS, "-o", self.folder / name)
        self.assertEqual((self.folder / "1/m.o").read_bytes(), (self.folder / "2/m.o").read_bytes())

    def test_header_options(self):
        self.fine(QCC, self.add, "-o", self.folder / "m.o", "--no-header")
        self.assertFalse((self.folder / "m.h").exists())
        self.fine(QCC, self.add, "-o", self.folder / "m.o", "--header=" + str(self.folder / "other.h"), "--name=sum_model")
        text = (self.folder / "other.h").read_text()
        for expected in ("extern const qcc_model sum_model;", "#define SUM_MODEL_INPUT_1_BYTES 20",
                         "#define SUM_MODEL_OUTPUT_0_BYTES 20", "SUM_MODEL_WORKSPACE_BYTES", "1x5"):
            self.assertIn(expected, text)

    def test_name_from_output(self):
        self.fine(QCC, self.add, "-o", self.folder / "7 up-side.v2.o")
        self.assertIn("extern const qcc_model _7_up_side_v2;", (self.folder / "7 up-side.v2.h").read_text())
        self.fine(QCC, self.add, "-o", self.folder / "int.o")
        self.assertIn("extern const qcc_model int_;", (self.folder / "int.h").read_text())

    def test_kernels_of_several_targets(self):
        """A kernel that one of the targets lacks the instructions for: the graph names both, and both are emitted."""
        source, report, out = (self.folder / n for n in ("d.qir", "d.json", "d.o"))
        source.write_text('graph "d" {\n  input %0:u8<1x6x6x64; 0.05, 128>\n  const %1:i8<1x3x3x64; 0.02, 0> = splat 3\n'
                          '  %2:u8<1x4x4x64; 0.1, 128> = depthwise_conv2d %0, %1\n  output %2\n}\n')
        self.fine(QCC, source, "-o", out, "--target=avx2,generic", f"--report={report}")
        self.assertEqual(json.loads(report.read_text())["ops"][0]["kernels"], ["depthwise_rows", "depthwise"])

    def test_kernel_forced(self):
        report, out = self.folder / "f.json", self.folder / "f.o"
        kernels = lambda: {k for op in json.loads(report.read_text())["ops"] if op["op"] == "conv2d" for k in op["kernels"]}
        self.fine(QCC, DIGITS, "-o", out, f"--report={report}")
        self.assertEqual(kernels(), {"conv"})
        self.fine(QCC, DIGITS, "-o", out, "--quantize=none", "--kernel=conv_direct", f"--report={report}")
        self.assertEqual(kernels(), {"conv_direct"})
        error = self.refused(1, QCC, DIGITS, "-o", out, "--kernel=lstm")
        self.assertIn("digits.tflite: error: no op that kernel 'lstm' can do", error)
        self.assertIn("there is no kernel 'fast' (see --list-kernels)", self.refused(2, QCC, DIGITS, "-o", out, "--kernel=fast"))
        self.assertIn(b"depthwise_rows, depthwise,", self.fine(QCC, "--list-kernels"))

    def test_modes_follow_umask(self):
        self.fine(QCC, self.add, "-o", self.folder / "m.o")
        self.fine(QCC, self.add, "-o", self.folder / "m.so")
        self.assertFalse(stat.S_IMODE((self.folder / "m.o").stat().st_mode) & 0o111)
        self.assertTrue(stat.S_IMODE((self.folder / "m.so").stat().st_mode) & 0o100)

    def test_report_and_dot(self):
        report, page, dot = (self.folder / n for n in ("r.json", "r.html", "g.dot"))
        for model in (DIGITS, self.scale):
            self.fine(QCC, model, "-o", self.folder / "m.o", f"--report={report}", f"--dot={dot}")
            self.check_dot(dot.read_text(), json.loads(report.read_text()))
        facts = json.loads(report.read_text())
        self.assertEqual(facts["ops_float"], 0)
        self.assertTrue(all(op["why"] and op["arithmetic"] == "int8" and len(op["kernels"]) == 1 for op in facts["ops"]))
        self.fine(QCC, DIGITS, "-o", self.folder / "d.o", f"--report={page}", f"--report={report}")
        self.assertIn("conv2d", {op["op"] for op in json.loads(report.read_text())["ops"]})  # facts, of before, has none
        text = page.read_text()
        self.assertTrue(text.startswith("<!DOCTYPE html>") and "conv2d" in text and "<small>conv</small>" in text and "http" not in text)
        self.fine(QCC, ROOT / "tests" / "data" / "hybrid.tflite", "-o", self.folder / "h.o", f"--report={report}")
        products = [op for op in json.loads(report.read_text())["ops"] if op["macs"]]
        self.assertTrue(products and all(op["why"] == "int8, quantized at run time" for op in products))

    def check_dot(self, text, facts):
        """A box an op: what it is, the end of its layer's name, in the colours that the report has, which are explained."""
        colours = {}
        for kind in ("int8", "float", "mixed", "data"):
            colours[kind] = re.search(rf'  {kind} \[label="{kind}.*?", color="(#\w+)", fillcolor="#\w+"\]', text).group(1)
        self.assertEqual(len(set(colours.values())), 4)
        boxes = re.findall(r'  op\d+ \[label="(\w+)(?:\\n(.*?))?(?:\\n.*?)?", tooltip="(.+?)", color="(#\w+)"', text)
        self.assertEqual([(op["op"], op["why"], colours[op["arithmetic"]]) for op in facts["ops"]],
                         [(op, why, colour) for op, _, why, colour in boxes])
        for op, (_, name, _, _) in zip(facts["ops"], boxes):
            self.assertTrue(op["name"].endswith(name.lstrip("…")) and len(name) <= 41, name)

    def test_names_in_reports(self):
        """Any bytes may be a name; JSON is UTF-8."""
        model, report, dot = (self.folder / name for name in ("names.qir", "r.json", "g.dot"))
        for name, want in ((b"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\u00e9\u20ac\U0001f600"), (b"a\xff", "a?"), (b"\xc0\x80", "??"),
                           (b"\xed\xa0\x80", "???"), (b"\xf4\x90\x80\x80", "????"), (b"\xe2\x82", "??")):
            model.write_bytes(b'graph "g" {\n  input %0:f32<2> "x"\n  %1:f32<2> "' + name + b'" = sin %0\n  output %1 "y"\n}\n')
            self.fine(QCC, model, "-o", self.folder / "m.o", f"--report={report}", f"--dot={dot}")
            self.assertEqual(json.loads(report.read_text(encoding="utf-8"))["ops"][0]["name"], want)
            self.assertIn(f'label="sin\\n{want}"', dot.read_text(encoding="utf-8"))

    def test_looking_inside(self):
        _, _, err = run(QCC, self.scale, "-o", self.folder / "m.o", "--print-ir-after-all", "--verify-each", "--time-passes")
        self.assertIn("graph", err)
        self.fine(QCC, self.scale, "-o", self.folder / "m.o", f"--dump-dir={self.folder / 'dump'}")
        self.assertTrue(os.listdir(self.folder / "dump"))


class Failures(Case):
    def test_nothing_is_left(self):
        bad = self.folder / "bad.tflite"
        bad.write_bytes(b"this is no model at all")
        cut = self.folder / "cut.tflite"
        cut.write_bytes(DIGITS.read_bytes()[:5000])
        before = sorted(os.listdir(self.folder))
        for model in (bad, cut, self.folder / "absent.tflite", self.folder):
            self.refused(1, QCC, model, "-o", self.folder / "m.o")
        self.refused(1, QCC, self.add, "-o", self.folder / "no/such/folder/m.o")
        self.refused(1, QCC, self.add, "-o", self.folder / "m.o", "--header=" + str(self.folder / "no/such/m.h"))
        self.refused(1, QCC, self.add, "-o", self.folder / "m.o", "--report=" + str(self.folder / "no/such/r.json"))
        self.refused(1, QCC, self.add, "-o", self.folder / "m.so", environment={"PATH": "/nonexistent", "CC": "absent"})
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_old_output_stays(self):
        output = self.folder / "m.o"
        output.write_text("precious")
        broken = self.folder / "broken.qir"
        broken.write_text('graph "x" {\n  %1:f32<2> = frobnicate %0\n}\n')
        error = self.refused(1, QCC, broken, "-o", output)
        self.assertIn("broken.qir: line 2", error)
        self.assertEqual(output.read_text(), "precious")

    def test_empty_inputs(self):
        self.refused(1, QCC, "/dev/null", "-o", self.folder / "m.o")
        self.refused(1, QCC, "-", "-o", self.folder / "m.o", stdin=b"")


if __name__ == "__main__":
    main()
