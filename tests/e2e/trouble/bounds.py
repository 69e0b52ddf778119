"""Protects what a file may cost: what is no model is refused from its first bytes; constants, objects and workspaces are in
proportion to the file; and time grows with the size of a graph."""
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import QCC, QCC_OPT, QCC_RUN, Case, main, run  # noqa: E402

MEMORY_KB = 1 << 20
# A guard against time that grows with the square, not a measurement: some ten times what the slowest build needed.
CPU_SECONDS = 20


def graph_of_pairs(count):
    lines = ['graph "g" {']
    lines += [f'  input %{i}:f32<4> "i{i}"' for i in range(count)]
    lines += [f'  %{count + i}:f32<4> "r{i}" = relu %{i} {{act = relu}}' for i in range(count)]
    lines += [f'  output %{count + i} "o{i}"' for i in range(count)]
    return "\n".join(lines) + "\n}\n"


def graph_of_long_lives(count):
    """A chain of sums, each of which is used once more, the last one first."""
    lines = ['graph "g" {', '  input %0:f32<4> "x"']
    lines += [f"  %{i + 1}:f32<4> = add %{i}, %0" for i in range(count)]
    lines += [f"  %{count + i + 1}:f32<4> = mul %{count + i}, %{count - i - 1}" for i in range(count)]
    return "\n".join([*lines, f'  output %{2 * count} "y"']) + "\n}\n"


def graph_of_variables(count):
    lines = ['graph "g" {', '  input %0:f32<4> "x"']
    for i in range(count):
        lines += [f'  %{2 * i + 1}:f32<4> = read_variable {{variable = "v{i}"}}', f"  %{2 * i + 2}:f32<4> = add %{2 * i + 1}, %{2 * i}",
                  f'  write_variable %{2 * i + 2} {{variable = "v{i}"}}']
    return "\n".join([*lines, f'  output %{2 * count} "y"']) + "\n}\n"


def graph_of_one_concat(count):
    lines = ['graph "g" {', *(f'  input %{i}:f32<1x4> "i{i}"' for i in range(count))]
    operands = ", ".join(f"%{i}" for i in range(count))
    return "\n".join([*lines, f"  %{count}:f32<{count}x4> = concat {operands} {{axis = 0}}", f'  output %{count} "y"']) + "\n}\n"


# 2 GB.
LARGE_WORKSPACE = """graph "g" {
  input %0:f32<1x1> "x"
  %1:f32<16384x16384> = broadcast %0
  %2:f32<32768x16384> = concat %1, %1 {axis = 0}
  %3:f32<> = reduce_max %2 {axes = [0, 1]}
  output %3 "y"
}
"""


def window(size):
    """One output channel: the weights become 16 times as large when they are packed."""
    half = size // 2
    return f"""graph "g" {{
  input %0:i8<1x1x1x1; 0.1, 0> "x"
  const %1:i8<1x{size}x{size}x1; 0.1, 0> = splat 1
  %2:i8<1x1x1x1; 0.1, 0> = conv2d %0, %1 {{pad = [{half}, {half}, {half - 1}, {half - 1}]}}
  output %2 "y"
}}
"""


def splats(count):
    """Constants of 16 MB each."""
    lines = [f"  const %{i}:i8<1x{1 << 24}> = splat {i}" for i in range(count)]
    return "\n".join(['graph "g" {', *lines, '  %99:i8<1x1> = slice %0 {begin = [0, 0], step = [1, 1]}', '  output %99 "y"', "}"])


def tiles(count):
    """A constant that each op makes eight times as large, summed."""
    sizes = [8 ** i for i in range(count + 1)]
    lines = [f"  %{i}:f32<{sizes[i]}x16384> = tile %{i - 1}" for i in range(1, count + 1)]
    return "\n".join(['graph "g" {', "  const %0:f32<1x16384> = splat 1", *lines,
                      f"  %{count + 1}:f32<> = reduce_max %{count} {{axes = [0, 1]}}", f'  output %{count + 1} "y"', "}"])


class Bounds(Case):
    def compile(self, text, *options, output="m.o"):
        model = self.folder / "m.qir"
        model.write_text(text)
        return run(QCC, model, "-o", self.folder / output, *options)

    def refused(self, result, pattern):
        status, _, err = result
        self.assertEqual((status, err.count("\n")), (1, 1), err)
        self.assertRegex(err, pattern)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["add.qir", "m.qir", "scale.qir"])

    def test_constants(self):
        """Whether a pass or the code generator makes them, or the text asks for them."""
        pattern = r"m\.qir: line 4: error: .*--max-size"
        self.refused(self.compile(window(4000)), pattern)
        self.refused(self.compile(window(1000), "--max-size=10M"), pattern)
        self.refused(self.compile(window(1000), "--max-size=500K"), r"m\.qir: line 3: error: .*--max-size")
        self.refused(self.compile(splats(2), "--max-size=20M"), r"m\.qir: line 3: error: .*--max-size")
        self.refused(self.compile(splats(9)), r"m\.qir: line \d+: error: .*--max-size")
        status, _, err = self.compile(window(1000), "--max-size=64M", "-O0")
        self.assertEqual((status, err), (0, ""))

    def test_text_of_constants(self):
        """Spelt out, they are several times as large."""
        self.refused(self.compile(window(1000), "--max-size=32M", output="m.s"), r"m\.qir: line 4: error: .*--max-size")

    def test_folding(self):
        """What would be too large stays an op."""
        status, _, err = self.compile(tiles(4), output="m.out.qir")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("= tile ", (self.folder / "m.out.qir").read_text())
        status, _, err = self.compile(tiles(3), "--max-size=8G", output="m.out.qir")
        self.assertNotIn("= tile ", (self.folder / "m.out.qir").read_text())

    def test_workspace(self):
        pattern = r"m\.qir: line 4: error: the model needs a workspace of \d+ bytes.*--max-size"
        self.refused(self.compile(LARGE_WORKSPACE), pattern)
        model = self.folder / "m.qir"
        self.refused(run(QCC_RUN, model, "--target=generic"), pattern)
        self.refused(run(QCC_OPT, model, "--lower"), pattern)
        status, _, err = self.compile(LARGE_WORKSPACE, "--max-size=4G", f"--report={self.folder / 'r.json'}")
        self.assertEqual(status, 0, err)
        self.assertRegex(err, r"^\S*m\.qir: warning: .* workspace of \d+ bytes, which is large for a file of this size\n$")
        self.assertIn("large", json.loads((self.folder / "r.json").read_text())["workspace_remark"])
        self.compile(LARGE_WORKSPACE, "--max-size=4G", f"--report={self.folder / 'r.html'}")
        self.assertIn("is large for a file of this size", (self.folder / "r.html").read_text())

    def test_option(self):
        for size in ("", "0", "x", "1X", "1MM", "-1", "99999999999T", "1.5G"):
            self.assertEqual(self.compile(tiles(1), f"--max-size={size}")[0], 2, size)

    def refused_from_its_head(self, model, stdin):
        process = subprocess.Popen([QCC, model, "-o", self.folder / "m.o"], stdin=stdin, stderr=subprocess.PIPE)
        err = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        self.assertEqual(process.returncode, 1)
        self.assertIn("the format is not recognised", err)
        self.assertLess(usage.ru_maxrss, MEMORY_KB)

    def test_large_file(self):
        """3 GB, of which the disk holds nothing."""
        for name, head in (("zeros", b""), ("text", b"word "), ("nb", b"\0\0")):
            path = self.folder / name
            path.write_bytes(head)
            os.truncate(path, 3 << 30)
            self.refused_from_its_head(path, subprocess.DEVNULL)

    def test_endless_pipe(self):
        with open("/dev/zero", "rb") as zeros:
            self.refused_from_its_head("-", zeros)
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
            self.refused_from_its_head("-", endless.stdout)
            endless.stdout.close()

    def check_time(self, program, text, *options):
        model = self.folder / "large.qir"
        model.write_text(text)
        limit = (CPU_SECONDS, CPU_SECONDS)
        done = subprocess.run([program, model, *options], capture_output=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limit))
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_many_inputs_and_outputs(self):
        self.check_time(QCC_OPT, graph_of_pairs(20000), "--lower", "--quiet")

    def test_long_lives(self):
        self.check_time(QCC_OPT, graph_of_long_lives(40000), "--lower", "--quiet")

    def test_many_variables(self):
        self.check_time(QCC_OPT, graph_of_variables(20000), "--lower", "--quiet")

    def test_many_operands(self):
        self.check_time(QCC_OPT, graph_of_one_concat(60000), "--lower", "--quiet")


if __name__ == "__main__":
    main()
