"""Protects what a file may cost: what is no model is refused from its first bytes, and time grows with the size of a graph."""
import os
import resource
import subprocess

from common import QCC, Case, main

MEMORY_KB = 1 << 20
# A guard against hanging, not a measurement: some twenty times what the slowest machine needed.
CPU_SECONDS = 200


def graph_of_pairs(count):
    lines = ['graph "g" {']
    lines += [f'  input %{i}:f32<4> "i{i}"' for i in range(count)]
    lines += [f'  %{count + i}:f32<4> "r{i}" = relu %{i}' for i in range(count)]
    lines += [f'  output %{count + i} "o{i}"' for i in range(count)]
    return "\n".join(lines) + "\n}\n"


class Bounds(Case):
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

    def test_many_inputs_and_outputs(self):
        model = self.folder / "pairs.qir"
        model.write_text(graph_of_pairs(5000))
        limit = (CPU_SECONDS, CPU_SECONDS)
        done = subprocess.run([QCC, model, "-o", self.folder / "out.qir"], capture_output=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limit))
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    main()
