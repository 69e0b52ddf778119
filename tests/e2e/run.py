"""Protects qcc-run: the same numbers from the interpreter, from code compiled in memory and from a shared library; arrays in
and out; comparison; benchmark and profile."""
import json
import os
import random

from common import (ADD, DIGITS, QCC, QCC_RUN, Case, default_targets, main, native, npy, read_npy, run, runs_here, segments_end, targets,
                    write_temporary)


class Run(Case):
    def test_three_ways_agree(self):
        library, want = self.folder / "digits.so", self.folder / "want.npy"
        self.fine(QCC, DIGITS, "-o", library, "--target=native")
        for seed in (1, 2, 3):
            self.fine(QCC_RUN, "--interp", f"--random={seed}", DIGITS, "-o", want)
            for arguments in ([library], [DIGITS], [DIGITS, "--threads=2"], [DIGITS, "-O0"], [DIGITS, "--target=generic"]):
                self.fine(QCC_RUN, f"--random={seed}", *arguments, "--compare", want)

    def test_target(self):
        """A model file is compiled for this machine, unless another target is asked for."""
        def target(*options):
            self.fine(QCC_RUN, DIGITS, f"--report={self.folder / 'r.json'}", "--bench=0", *options)
            return json.loads((self.folder / "r.json").read_text())["target"]
        self.assertEqual(target(), native())
        self.assertEqual(target("--target=native"), native())
        self.assertEqual(target("--target=generic"), "generic")
        self.assertEqual(target("--target=generic,native"), native())
        self.fine(QCC, DIGITS, "-o", self.folder / "d.o", f"--report={self.folder / 'd.json'}")
        facts = json.loads((self.folder / "d.json").read_text())
        self.assertEqual(facts["targets"], default_targets())
        self.assertNotIn("target", facts)

    def test_several_targets(self):
        """One library for all: it runs the best that the machine can, the report tells which there are; every target computes
        the same bytes."""
        library, alone, want = self.folder / "digits.so", self.folder / "alone.so", self.folder / "want.npy"
        everything = ",".join(reversed(targets()))
        self.fine(QCC, DIGITS, "-o", library, f"--target={everything},native,{everything}", f"--report={self.folder / 'd.json'}")
        self.assertEqual(json.loads((self.folder / "d.json").read_text())["targets"], targets())
        self.assertEqual(json.loads(self.fine(QCC_RUN, library, "--bench=0"))["target"], native())
        self.assertEqual(self.fine(QCC_RUN, library).decode().splitlines()[0], f"target: {native()} of {','.join(targets())}")
        self.assertEqual(self.fine(QCC_RUN, DIGITS).decode().splitlines()[0], f"target: {native()}")
        self.fine(QCC_RUN, library, "-o", want)
        for one in filter(runs_here, targets()):
            self.fine(QCC, DIGITS, "-o", alone, f"--target={one}")
            self.fine(QCC_RUN, alone, "--compare", want)
        self.fine(QCC_RUN, DIGITS, f"--target={everything}", "--compare", want)
        for machine in targets()[:-1] if "QCC_EMULATE" in os.environ else []:  # each is named after its target
            here = {"QCC_EMULATE": machine}
            self.fine(QCC_RUN, library, "--compare", want, environment=here)
            self.assertEqual(self.fine(QCC_RUN, library, environment=here).decode().split()[1], machine)

    def test_shared_weights(self):
        """Targets that read weights of the same width hold them once, also where each alone would have them in another order."""
        weights, model = self.folder / "w.bin", self.folder / "m.qir"
        model.write_text(f"""graph "g" {{
  input %0:u8<1x7x7x128; 0.05, 128> "x"
  const %1:i8<256x1x1x128; 0.01, 0> = dense<0x{random.Random(1).randbytes(256 * 128).hex()}>
  const %2:i32<256> = splat 0
  %3:u8<1x7x7x256; 0.1, 3> "y" = conv2d %0, %1, %2
  output %3 "y"
}}
""")

        def size(names):
            self.fine(QCC, model, "-o", self.folder / "m.o", f"--target={names}", f"--weights={weights}")
            return weights.stat().st_size
        for names in ("avx512vbmi,avx512vnni", "avx512vnni,generic", "avx512vbmi,avx512vnni,generic"):
            self.assertEqual(size(names), size("avx512vnni"))
        self.assertLess(size(",".join(targets())), 4 * size("avx512vnni"))

    def test_target_lists(self):
        for names, unknown in (("generic,pdp11", "pdp11"), ("pdp11,vax", "pdp11"), ("generic,", ""), ("", ""), ("generic, native", " native")):
            for program in (QCC, QCC_RUN):
                more = ["-o", self.folder / "m.o"] if program == QCC else []
                self.assertIn(f"unknown target '{unknown}'", self.refused(2, program, self.add, *more, f"--target={names}"))

    def test_another_machines_code(self):
        """Refused in one line, whether compiled now or before."""
        target = ",".join(default_targets())
        here = {"QCC_EMULATE": "avx2"} if "QCC_EMULATE" in os.environ else {}
        if not here and runs_here(target):
            self.skipTest("the CPU has the instructions of the default target")
        library = self.folder / "digits.so"
        self.fine(QCC, DIGITS, "-o", library)
        self.assertIn("the CPU lacks instructions", self.refused(1, QCC_RUN, library, environment=here))
        self.assertIn(f"target {target}", self.refused(1, QCC_RUN, DIGITS, f"--target={target}", environment=here))

    def test_arrays(self):
        a, b, y = (self.folder / n for n in ("a.npy", "b.npy", "y.npy"))
        a.write_bytes(npy("<f4", (1, 5), [1, 2, 3, 4, 5]))
        b.write_bytes(npy("<f4", (1, 5), [10, 20, 30, 40, 50]))
        for inputs in (["-i", a, b], ["-i", a, "-i", b], [f"--input={a}", f"--input={b}"]):
            self.fine(QCC_RUN, *inputs, self.add, "-o", y)
            self.assertEqual(read_npy(y), ([11, 22, 33, 44, 55], {"descr": "<f4", "fortran_order": False, "shape": (1, 5)}))

    def test_compare(self):
        want = self.folder / "want.npy"
        zero = self.folder / "zero.npy"
        zero.write_bytes(npy("<f4", (1, 5), [0] * 5))
        want.write_bytes(npy("<f4", (1, 5), [0, 0, 0, 0.25, 0]))
        code, out, _ = run(QCC_RUN, "-i", zero, zero, self.add, "--compare", want)
        self.assertEqual(code, 1)
        self.assertIn(b"max 0.25, mean 0.05", out)
        self.fine(QCC_RUN, "-i", zero, zero, self.add, "--compare", want, "--tolerance=0.25")

    def test_report(self):
        """Times of layers, and distributions of weights and of the values that this input makes."""
        report, page = self.folder / "r.json", self.folder / "r.html"
        self.fine(QCC_RUN, DIGITS, f"--report={report}", "--bench=0.01")
        facts = json.loads(report.read_text())
        self.assertGreater(facts["seconds"], 0)
        self.assertTrue(facts["memory"])
        products = [op for op in facts["ops"] if op["op"] == "conv2d"]
        for op in products:
            weights, result = op["operands"][1], op["results"][0]
            for value in (weights, result):
                histogram = value["histogram"]
                self.assertEqual(sum(histogram["counts"]), histogram["elements"])
            self.assertGreaterEqual(op["seconds"], 0)
            self.assertLessEqual(result["difference"]["max"], 1)  # compiled from integers, with their own arithmetic
        self.fine(QCC_RUN, DIGITS, f"--report={page}", "--bench=0.01")
        self.assertIn("</svg>", page.read_text())
        library = self.folder / "digits.so"
        self.fine(QCC, DIGITS, "-o", library)
        self.refused(1, QCC_RUN, library, f"--report={report}")
        self.refused(2, QCC_RUN, DIGITS, "--report=r.txt")

    def test_bench_and_profile(self):
        bench = json.loads(self.fine(QCC_RUN, DIGITS, "--bench=0.01", "--threads=2"))
        self.assertEqual(sorted(bench), ["deviation_ms", "iterations", "mean_ms", "median_ms", "min_ms", "p99_ms", "target", "threads",
                                         "version"])
        self.assertTrue(bench["min_ms"] <= bench["mean_ms"] and bench["deviation_ms"] >= 0)
        self.assertEqual(bench["version"], self.fine(QCC_RUN, "--version").decode().split()[1])
        self.assertTrue(bench["min_ms"] <= bench["median_ms"] <= bench["p99_ms"] and bench["threads"] == 2)
        self.assertEqual(bench["target"], native())
        lines = self.fine(QCC_RUN, DIGITS, "--profile", "--bench=0.01").decode().splitlines()
        self.assertTrue(any("conv2d" in line for line in lines))
        names = [line.split()[0] for line in lines[1:-2]]
        self.assertIn("sum", names)
        self.assertRegex(lines[-2], r"^total .* 1 thread, target \w+; peak of a core: .*$")
        self.assertRegex(lines[-1], r"^memory: workspace \S+ KiB, inputs 64 B, outputs 10 B$")

    def test_profile_of_long_names(self):
        """Their ends are what tells them apart."""
        model = write_temporary("long.qir", ADD.replace('"sum"', '"' + 20 * "block/" + 'batchnorm/sub1"'))
        names = [line.split()[0] for line in self.fine(QCC_RUN, model, "--random=1", "--profile", "--bench=0.01").decode().splitlines()[1:-2]]
        self.assertTrue(any(len(name) == 48 and name.startswith("..") and name.endswith("/batchnorm/sub1") for name in names), names)

    def test_profile_as_json(self):
        """Of a model file, and of a library, which has no graph: one object, with --bench too."""
        library = self.folder / "digits.so"
        self.fine(QCC, DIGITS, "-o", library, "--target=native")
        seen = []
        for model, more in ((DIGITS, []), (library, []), (library, ["--bench=0.01"])):
            facts = json.loads(self.fine(QCC_RUN, model, "--profile", "--json", *more, *([] if more else ["--bench=0"])))
            self.assertEqual((facts["target"], facts["threads"]), (native(), 1))
            times = [step["seconds"] for step in facts["steps"]]
            self.assertEqual(times, sorted(times, reverse=True))
            self.assertAlmostEqual(facts["seconds"], sum(times), places=6)
            self.assertAlmostEqual(sum(step["share"] for step in facts["steps"]), 1, places=6)
            self.assertEqual(sorted(step["position"] for step in facts["steps"]), list(range(len(times))))
            self.assertEqual({step["part"] == "product" for step in facts["steps"] if step["macs"]}, {True})
            self.assertTrue(all((step["peak"] is None) == (not step["macs"]) for step in facts["steps"] if step["seconds"]))
            self.assertEqual(facts["memory"]["inputs_bytes"], 64)
            self.assertGreater(facts["bench"]["iterations"], 0)
            self.assertEqual(facts["bench"]["target"], native())
            seen.append(sorted((step["position"], step["op"], step["macs"], step["int8"]) for step in facts["steps"]))
        self.assertEqual(seen[0], seen[1])
        self.assertNotIn("bench", json.loads(self.fine(QCC_RUN, library, "--profile", "--json")))
        self.assertIn("--json goes with --profile", self.refused(2, QCC_RUN, DIGITS, "--json"))

    def test_steps_that_prepare(self):
        """A product of two computed matrices packs one of them first, a convolution with padding copies its image, weights with a zero
        point need the sums of rows."""
        model = self.folder / "m.qir"
        model.write_text('graph "m" {\n  input %0:f32<1x24x40> "a"\n  input %1:f32<1x40x48> "b"\n'
                         '  %2:f32<1x24x48> "y" = batch_matmul %0, %1\n  output %2 "y"\n}\n')
        self.assertEqual(self.parts(model), ["pack", "product"])
        model.write_text('graph "m" {\n  input %0:u8<1x6x6x8; 0.1, 128> "x"\n'
                         f'  const %1:u8<8x3x3x8; 0.1, 100> = [{", ".join(str(i * 7 % 256) for i in range(576))}]\n'
                         '  %2:u8<1x6x6x8; 4, 128> "y" = conv2d %0, %1 {pad = [1, 1, 1, 1]}\n  output %2 "y"\n}\n')
        self.assertEqual(self.parts(model), ["pad", "sums", "product"])
        self.assertEqual(self.parts(self.add), ["all"])
        table = self.fine(QCC_RUN, model, "--profile", "--bench=0").decode().splitlines()
        start = next(i for i, line in enumerate(table) if line.startswith("name "))
        self.assertEqual([line.split()[2] for line in table[start:start + 4]], ["part", "pad", "sums", "product"])

    def parts(self, model):
        """In the order in which the steps run."""
        facts = json.loads(self.fine(QCC_RUN, model, "--profile", "--json", "--bench=0"))
        return [step["part"] for step in sorted(facts["steps"], key=lambda step: step["position"])]

    def test_more_threads_than_cpus(self):
        """Timed, but with a word about it."""
        cpus = len(os.sched_getaffinity(0))
        for threads, want in ((1, ""), (cpus + 1, f"qcc-run: warning: {cpus + 1} threads share {cpus} CPU")):
            code, out, err = run(QCC_RUN, DIGITS, "--bench=0", f"--threads={threads}")
            self.assertEqual((code, json.loads(out)["threads"]), (0, threads))
            self.assertEqual(err[:len(want)] if want else err, want)

    def test_what_is_shown(self):
        """The largest and the smallest element, where they are, and which class that is."""
        x = self.folder / "x.npy"
        x.write_bytes(npy("|i1", (1, 7), [-128, -1, 0, 5, 4, 3, -128]))
        self.assertEqual(self.fine(QCC_RUN, "-i", x, self.scale).decode().splitlines()[1:], [
            "y: i8 1x7, scale 0.25, zero -5: -128 -13 -11 -1 -3 -5 -128",
            "  largest -1 (1) at 3, smallest -128 (-30.75) at 0; class 3"])
        grid = self.folder / "grid.qir"
        grid.write_text('graph "g" {\n  input %0:f32<1x2x3> "x"\n  %1:f32<1x2x3> "y" = neg %0\n  output %1 "y"\n}\n')
        nan = float("nan")
        x.write_bytes(npy("<f4", (1, 2, 3), [nan, 1, 2, 3, -4, 5]))
        self.assertEqual(self.fine(QCC_RUN, "-i", x, grid).decode().splitlines()[-1], "  largest 4 at 1,1, smallest -5 at 1,2")
        x.write_bytes(npy("<f4", (1, 2, 3), [nan] * 6))
        self.assertRegex(self.fine(QCC_RUN, "-i", x, grid).decode().splitlines()[-1], "^y: ")

    def test_an_object_is_told_from_a_library(self):
        """And a part of one, which would end the process where it lacks a page; and a type of element from another."""
        self.fine(QCC, self.add, "-o", self.folder / "m.o")
        self.assertIn("m.o: error: an object, which a program links; what can be run is a shared library, made by qcc MODEL -o MODEL.so",
                      self.refused(1, QCC_RUN, self.folder / "m.o"))
        self.fine(QCC, self.add, "-o", self.folder / "m.so")
        library, cut = (self.folder / "m.so").read_bytes(), self.folder / "cut.so"
        for size in (64, 200, 4096, segments_end(library) - 1):
            cut.write_bytes(library[:size])
            self.assertIn("cut.so: error: not a shared library that can be loaded: it ends before its segments do", self.refused(1, QCC_RUN, cut))
        other = self.folder / "other.npy"
        other.write_bytes(npy("<i4", (1, 5), [0] * 5))
        self.assertIn("elements are i32, those of output 0 (sum) are f32", self.refused(1, QCC_RUN, self.add, "--compare", other))

    def test_refusals(self):
        short = self.folder / "short.npy"
        short.write_bytes(npy("<f4", (1, 4), [0] * 4))
        wrong = self.folder / "wrong.npy"
        wrong.write_bytes(npy("|i1", (1, 5), [0] * 5))
        text = self.folder / "text.npy"
        text.write_text("hello")
        for bad in (short, wrong, text, self.folder / "absent.npy"):
            self.refused(1, QCC_RUN, "-i", bad, self.add)
        self.refused(1, QCC_RUN, "--interp", QCC_RUN)
        self.refused(1, QCC_RUN, QCC_RUN)
        self.refused(2, QCC_RUN)
        self.refused(2, QCC_RUN, self.add, "--threads=0")
        self.refused(2, QCC_RUN, self.add, "--bench=soon")
        self.refused(2, QCC_RUN, self.add, "--interp", "--profile")


if __name__ == "__main__":
    main()
