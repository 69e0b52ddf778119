"""Protects what is in files: outputs appear whole and together, a failure leaves every file as it was, no output is another or
what is read, and no other file is left, also where the file system is full, read-only, old-fashioned, or used by many at once."""
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import ADD, DIGITS, QCC, QCC_OPT, QCC_RUN, SCALE, Case, main, npy, run  # noqa: E402
from filesystem import EPERM, FILTERS, NO_EXCHANGE, NO_LINKS, NO_UNNAMED, Filter, contents  # noqa: E402

IS_ROOT = os.geteuid() == 0
NOBODY = 65534
# Three models, told apart by their headers and by the sizes of their inputs.
OTHERS = {f"m{n}": ADD.replace("1x5", f"1x{n}") for n in (7, 11, 13)}


def bytes_of_input(header):
    return int(re.search(rb"INPUT_0_BYTES (\d+)", header).group(1))


class FilesCase(Case):
    def unchanged(self, code, *arguments, **named):
        before = contents(self.folder)
        err = self.refused(code, *arguments, cwd=self.folder, **named)
        self.assertEqual(contents(self.folder), before, arguments)
        return err


class SameFile(FilesCase):
    def setUp(self):
        super().setUp()
        (self.folder / "sub").mkdir()
        (self.folder / "there").symlink_to("sub")
        self.fine(QCC, self.add, "-o", self.folder / "m.o")
        os.link(self.folder / "m.o", self.folder / "hard.o")
        (self.folder / "soft.o").symlink_to("m.o")
        (self.folder / "dangling.o").symlink_to("sub/new.o")
        os.mkfifo(self.folder / "fifo")

    def test_two_outputs(self):
        for one, other in (("m.o", "m.o"), ("m.o", "./m.o"), ("m.o", "sub/../m.o"), ("m.o", "soft.o"), ("m.o", "hard.o"),
                           ("m.o", str(self.folder / "m.o")), ("new.o", "there/../new.o"), ("sub/new.o", "there/new.o"),
                           ("dangling.o", "sub/new.o"), ("fifo", "./fifo"), ("-", "-"), ("-", "/dev/stdout")):
            for option in ("--header", "--dot", "--weights"):
                for first, second in ((one, other), (other, one)):
                    with self.subTest(first=first, second=second, option=option):
                        err = self.unchanged(1, QCC, "add.qir", "--emit=obj", "-o", first, f"{option}={second}")
                        self.assertIn("same file as another output", err)

    def test_default_header(self):
        for arguments in (["-o", "m.h", "--emit=obj"], ["-o", "m.o", "--dot=m.h"], ["-o", "m.o", "--dot=./m.h"]):
            self.assertIn("same file as another output", self.unchanged(1, QCC, "add.qir", *arguments))

    def test_what_is_read(self):
        shutil.copy(self.folder / "add.qir", self.folder / "net.h")
        for arguments in (["add.qir", "-o", "add.qir"], ["add.qir", "-o", "./add.qir", "--emit=obj"],
                          ["add.qir", "-o", "x.o", "--header=add.qir"], ["add.qir", "-o", "x.o", "--dot=there/../add.qir"],
                          ["add.qir", "-o", "x.o", "--weights=add.qir"], ["net.h", "-o", "net.o"]):
            self.assertIn("which is read", self.unchanged(1, QCC, *arguments))
        os.link(self.folder / "add.qir", self.folder / "hard.qir")
        self.assertIn("which is read", self.unchanged(1, QCC, "add.qir", "-o", "hard.qir"))
        with (self.folder / "add.qir").open("rb") as model:
            done = subprocess.run([QCC, "-", "-o", self.folder / "add.qir"], stdin=model, capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual((self.folder / "add.qir").read_text(), ADD)

    def test_other_programs(self):
        array = self.folder / "x.npy"
        array.write_bytes(npy("<f4", (1, 5), [1, 2, 3, 4, 5]))
        shutil.copy(array, self.folder / "y.npy")
        for arguments in (["-i", "x.npy", "y.npy", "-o", "x.npy"], ["-i", "x.npy", "y.npy", "-o", "./y.npy"],
                          ["--compare", "x.npy", "-o", "x.npy"], ["-o", "add.qir"], ["-o", "z.npy", "./z.npy"], ["-o", "-", "-o", "-"]):
            self.assertIn("same file", self.unchanged(1, QCC_RUN, "add.qir", "--interp", *arguments))
        self.assertIn("same file", self.unchanged(1, QCC_OPT, "add.qir", "-o", "add.qir"))
        self.assertIn("same file", self.unchanged(1, QCC_OPT, "add.qir", "--dot=-"))

    def test_dumps(self):
        (self.folder / "dump").mkdir()
        shutil.copy(self.add, self.folder / "dump" / "00-input.qir")
        self.assertIn("which is read", self.unchanged(1, QCC, "dump/00-input.qir", "-o", "x.o", "--dump-dir=dump"))
        (self.folder / "dump" / "00-input.qir").unlink()
        (self.folder / "dump" / "00-input.qir").symlink_to("../add.qir")
        self.assertIn("which is read", self.unchanged(1, QCC, "add.qir", "-o", "x.o", "--dump-dir=dump"))
        self.refused(1, QCC, "add.qir", "-o", "x.o", "--dot=other/00-input.qir", "--dump-dir=other", cwd=self.folder)
        self.assertFalse((self.folder / "x.o").exists())

    def test_null_device_takes_all(self):
        self.fine(QCC, self.add, "--emit=obj", "-o", "/dev/null", "--dot=/dev/null", "--header=/dev/null")


class Failures(FilesCase):
    """What can fail, late or early, with good outputs of an earlier compilation in place."""

    def setUp(self):
        super().setUp()
        self.fine(QCC, self.add, "-o", self.folder / "m.o", f"--dot={self.folder / 'm.dot'}", f"--report={self.folder / 'm.json'}")
        self.fine(QCC, self.add, "-o", self.folder / "m.so")
        for name in ("d.json", "d.h", "d.dot", "d.bin", "d.o", "d.so"):
            (self.folder / name).mkdir()
        (self.folder / "loop.o").symlink_to("loop.o")

    def test_outputs_that_are_folders(self):
        for output in ("m.o", "m.so", "new.o"):
            for option in ("--report=d.json", "--header=d.h", "--dot=d.dot", "--weights=d.bin", "--report=m.o/r.json"):
                self.assertIn("error", self.unchanged(1, QCC, "scale.qir", "-o", output, option))
        for output in ("d.o", "d.so", "loop.o", "m.o/x.o", "no/m.o", "new/", "x" * 300 + ".o", "/".join(["y" * 200] * 30)):
            self.unchanged(1, QCC, "scale.qir", "--emit=obj", "-o", output)

    def test_models_that_fail_late(self):
        bad = self.folder / "bad.qir"
        bad.write_text(SCALE.replace("requantize", "frobnicate"))
        for more in ([], ["--report=m.json", "--dot=m.dot"]):
            self.unchanged(1, QCC, "bad.qir", "-o", "m.o", *more)
        self.unchanged(1, QCC, "scale.qir", "-o", "m.so", environment={"PATH": "/nonexistent", "CC": "absent"})
        self.refused_link("m.so")

    def refused_link(self, output):
        """The linker's own words may come first."""
        before = contents(self.folder)
        linker = self.folder.parent / (self.folder.name + "-cc")
        linker.write_text("#!/bin/sh\necho no good >&2\nexit 3\n")
        linker.chmod(0o755)
        try:
            code, _, err = run(QCC, self.scale, "-o", self.folder / output, environment={"CC": str(linker)})
        finally:
            linker.unlink()
        self.assertEqual(code, 1)
        self.assertIn("exit status 3", err.splitlines()[-1])
        self.assertEqual(contents(self.folder), before)

    def test_linker_leaves_nothing(self):
        work = self.folder / "tmp"
        work.mkdir()
        self.fine(QCC, self.scale, "-o", self.folder / "m.so", environment={"TMPDIR": str(work)})
        self.assertEqual(os.listdir(work), [])
        code, _, _ = run(QCC, self.scale, "-o", self.folder / "m.so", environment={"TMPDIR": str(work / "absent")})
        self.assertEqual(code, 1)

    def test_runner(self):
        self.fine(QCC_RUN, self.add, "--interp", "-o", self.folder / "y.npy")
        (self.folder / "d.npy").mkdir()
        self.unchanged(1, QCC_RUN, "scale.qir", "--interp", "-o", "y.npy", "y2.npy")
        self.unchanged(1, QCC_RUN, "add.qir", "--interp", "--random=7", "-o", "y.npy", "--compare", "absent.npy")
        self.unchanged(1, QCC_RUN, "add.qir", "--target=generic", "--random=7", "-o", "y.npy", "--report=d.json")

    def test_read_only(self):
        """A file that must not be written is not replaced either; a folder that takes no files is found out at once."""
        def as_nobody():
            if IS_ROOT:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
        self.folder.chmod(0o777)
        shutil.copy(QCC, self.folder / "qcc")  # where nobody can reach it
        precious = self.folder / "precious.o"
        precious.write_text("precious")
        precious.chmod(0o444)
        (self.folder / "closed").mkdir()
        (self.folder / "closed").chmod(0o555)
        for output in ("precious.o", "closed/m.o"):
            before = contents(self.folder)
            done = subprocess.run(["./qcc", "add.qir", "-o", output], capture_output=True, check=False, cwd=self.folder,
                                  preexec_fn=as_nobody)
            self.assertEqual(done.returncode, 1, output)
            self.assertIn(b"Permission denied", done.stderr)
            self.assertEqual(contents(self.folder), before)
        (self.folder / "closed").chmod(0o755)


class Kinds(FilesCase):
    """Outputs that are no plain files."""

    def test_links_are_followed(self):
        (self.folder / "sub").mkdir()
        for target in ("sub/real.o", str(self.folder / "sub" / "real.o")):
            link = self.folder / "link.o"
            link.symlink_to(target)
            for model in (self.add, self.scale):  # first a new file, then one that is there
                self.fine(QCC, model, "-o", link)
                self.assertTrue(link.is_symlink())
                self.assertTrue((self.folder / "sub" / "real.o").read_bytes().startswith(b"\x7fELF"))
            self.assertEqual(sorted(os.listdir(self.folder / "sub")), ["real.o"])
            link.unlink()
            (self.folder / "sub" / "real.o").unlink()

    def test_other_names_keep_the_old_file(self):
        old = self.folder / "m.o"
        old.write_text("old")
        os.link(old, self.folder / "kept.o")
        self.fine(QCC, self.add, "-o", old)
        self.assertEqual((self.folder / "kept.o").read_text(), "old")
        self.assertEqual(sorted(os.listdir(self.folder)), ["add.qir", "kept.o", "m.h", "m.o", "scale.qir"])

    def test_fifo(self):
        fifo = self.folder / "pipe.o"
        os.mkfifo(fifo)
        got = []
        reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
        reader.start()
        self.fine(QCC, self.add, "-o", fifo)
        reader.join()
        self.assertTrue(got[0].startswith(b"\x7fELF"))
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))
        self.assertEqual(sorted(os.listdir(self.folder)), ["add.qir", "pipe.o", "scale.qir"])  # a header has no place

    def test_null(self):
        self.fine(QCC, self.add, "--emit=obj", "-o", "/dev/null")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_names_of_stdout(self):
        """Whatever it is, it gets the bytes; it is not replaced, nor does a header come beside it."""
        want = self.fine(QCC, self.add, "--emit=obj", "--name=m", "-o", "-")
        for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            if not os.path.islink(name) and os.geteuid() == 0:
                self.skipTest(f"{name} is no link here, and might be overwritten")
            self.assertEqual(self.fine(QCC, self.add, "--emit=obj", "--name=m", "-o", name), want)
            with (self.folder / "out").open("wb") as out:
                subprocess.run([QCC, self.add, "--emit=obj", "--name=m", "-o", name], stdout=out, check=True)
            self.assertEqual((self.folder / "out").read_bytes(), want)
        self.assertEqual(sorted(os.listdir(self.folder)), ["add.qir", "out", "scale.qir"])

    def test_failure_prints_nothing(self):
        (self.folder / "d.json").mkdir()
        self.unchanged(1, QCC, "add.qir", "--emit=obj", "-o", "-", "--report=d.json")
        self.unchanged(1, QCC_RUN, "add.qir", "--interp", "-o", "-", "--compare", "absent.npy")

    def test_long_names(self):
        output = self.folder / ("n" * 253 + ".o")  # as long as a name can be
        self.fine(QCC, self.add, "-o", output)
        self.fine(QCC, self.scale, "-o", output)
        self.assertEqual(len(os.listdir(self.folder)), 4)

    def test_modes(self):
        for mask, kind, mode in ((0o022, "o", 0o644), (0o077, "o", 0o600), (0o022, "so", 0o755), (0o027, "so", 0o750)):
            for _ in range(2):
                subprocess.run([QCC, self.add, "-o", self.folder / f"m.{kind}"], check=True, preexec_fn=lambda: os.umask(mask))
                self.assertEqual(stat.S_IMODE((self.folder / f"m.{kind}").stat().st_mode), mode)

    def test_quiet_writes_what_is_asked_for(self):
        self.fine(QCC_OPT, self.add, "-q", "-o", self.folder / "out.qir")
        self.assertTrue((self.folder / "out.qir").exists())

    def test_header_goes_with_code(self):
        self.unchanged(2, QCC, "add.qir", "-o", "m.qir", "--header=m.h")


class NoRoom(FilesCase):
    def test_file_size(self):
        """RLIMIT_FSIZE from nothing to enough: either all files or none, and the old ones stay."""
        self.fine(QCC, self.add, "-o", self.folder / "m.o", f"--report={self.folder / 'm.json'}")
        outcomes = set()
        for kilobytes in (0, 1, 2, 4, 8, 16, 32, 64, 256, 1024):
            def limit():
                resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, 1024 * kilobytes))
            for output in ("m.o", "m.so", "new.o", "new.so", "m.s"):
                before = contents(self.folder)
                done = subprocess.run([QCC, DIGITS, "-o", output, "--report=m.json", "--weights=m.bin"][:-1 if output == "m.s" else None],
                                      capture_output=True, check=False, cwd=self.folder, preexec_fn=limit, timeout=200)
                after = contents(self.folder)
                outcomes.add(done.returncode)
                self.assertIn(done.returncode, (0, 1), (kilobytes, output, done.stderr))
                if done.returncode:
                    self.assertEqual(after, before, (kilobytes, output))
                    self.assertTrue(done.stderr)
                else:
                    self.assertTrue(output in after)
                for name in set(after) - set(before):
                    (self.folder / name).unlink()
        self.assertEqual(outcomes, {0, 1})

    def test_full_disk(self):
        """A small file system of its own; needs the right to mount one."""
        mount = self.folder / "disk"
        mount.mkdir()
        script = """mount -t tmpfs -o size="$1"k none disk || exit 99
            cp add.qir disk/m.o && cp add.qir disk/m.h || exit 99
            TMPDIR=disk "$2" "$3" -o "disk/$4" --report=disk/m.json 2>err; code=$?
            if [ $code = 1 ]; then
                cmp add.qir disk/m.o && cmp add.qir disk/m.h && [ "$(ls -A disk | tr '\\n' ' ')" = "m.h m.o " ] || { ls -lA disk; exit 98; }
            fi
            exit $code"""
        unshare = ["unshare", "-m"] if IS_ROOT else ["unshare", "-rm"]
        outcomes = set()
        # contents in the folder, and in memory: there the disk is full only when the first names are taken already
        for before in (None, Filter([NO_UNNAMED])) if FILTERS else (None,):
            for kilobytes, output in ((8, "m.o"), (24, "m.o"), (40, "m.o"), (60, "m.o"), (1024, "m.o"), (60, "m.so"), (160, "m.so"), (500, "m.so")):
                done = subprocess.run([*unshare, "sh", "-c", script, "sh", str(kilobytes), QCC, DIGITS, output], capture_output=True,
                                      check=False, cwd=self.folder, timeout=200, preexec_fn=before)
                if done.returncode == 99 or b"unshare" in done.stderr:
                    self.skipTest("no right to mount a file system")
                outcomes.add(done.returncode)
                self.assertIn(done.returncode, (0, 1), (kilobytes, output, done.stdout))
        self.assertEqual(outcomes, {0, 1})


class ManyAtOnce(FilesCase):
    def test_same_output(self):
        """Compilations of different models to one name: at the end, and at any time, a whole object; its own header in the end."""
        for name, text in OTHERS.items():
            (self.folder / f"{name}.qir").write_text(text)
        sizes = {}
        for name in OTHERS:
            self.fine(QCC, self.folder / f"{name}.qir", "-o", self.folder / f"{name}.o", "--name=m")
            sizes[(self.folder / f"{name}.o").read_bytes()] = bytes_of_input((self.folder / f"{name}.h").read_bytes())
        self.assertEqual(len(sizes), len(OTHERS))
        before = set(os.listdir(self.folder))
        for _ in range(8):
            running = [subprocess.Popen([QCC, self.folder / f"{name}.qir", "-o", self.folder / "m.o"]) for name in OTHERS for _ in "ab"]
            while any(process.poll() is None for process in running):
                if (self.folder / "m.o").exists():
                    self.assertIn((self.folder / "m.o").read_bytes(), sizes)
            self.assertEqual([process.wait() for process in running], [0] * len(running))
            self.assertEqual(sizes[(self.folder / "m.o").read_bytes()], bytes_of_input((self.folder / "m.h").read_bytes()))
            self.assertEqual(set(os.listdir(self.folder)) - before, {"m.o", "m.h"})

    def test_locked_by_a_build(self):
        """A build may hold the lock on the folder that it compiles into."""
        if not shutil.which("flock"):
            self.skipTest("no flock program")
        for model in (self.add, self.scale):
            self.fine("flock", self.folder, QCC, model, "-o", self.folder / "m.o")


@unittest.skipUnless(FILTERS, "system call numbers are of x86-64")
class OtherFileSystems(FilesCase):
    def compile(self, rules, *arguments):
        done = subprocess.run([QCC, *map(str, arguments)], capture_output=True, check=False, cwd=self.folder, timeout=200,
                              preexec_fn=Filter(rules))
        if done.returncode == 99:
            self.skipTest("no system call filters here")
        return done.returncode, done.stderr

    def test_all_and_nothing(self):
        for rules in ([NO_UNNAMED], [NO_EXCHANGE], [NO_UNNAMED, NO_EXCHANGE], [NO_UNNAMED, NO_LINKS], [NO_LINKS],
                      [NO_UNNAMED, NO_EXCHANGE, NO_LINKS]):
            with self.subTest(rules=rules):
                for name in ("m.o", "m.so"):
                    for model in ("add.qir", "scale.qir"):
                        self.fine(QCC, model, "-o", "want" + name[1:], "--name=m", "--no-header", cwd=self.folder)
                        code, err = self.compile(rules, model, "-o", name, "--report=m.json")
                        self.assertEqual((code, err), (0, b""))
                        self.assertEqual((self.folder / name).read_bytes(), (self.folder / ("want" + name[1:])).read_bytes())
                        self.assertEqual(stat.S_IMODE((self.folder / name).stat().st_mode) & 0o111, 0o111 if name == "m.so" else 0)
                names = set(os.listdir(self.folder))
                self.assertEqual(names, {"add.qir", "scale.qir", "m.o", "m.so", "m.h", "m.json", "want.o", "want.so"})
                for name in names - {"add.qir", "scale.qir"}:
                    (self.folder / name).unlink()

    def test_late_failure(self):
        """The last of several names can't be had: renaming fails only when it is tried."""
        self.fine(QCC, self.add, "-o", self.folder / "m.o")
        deny = (Filter.RENAMEAT2, None, 0, EPERM)
        for rules in ([deny, (264, None, 0, EPERM)], [NO_UNNAMED, deny, (264, None, 0, EPERM)], [NO_UNNAMED, NO_LINKS, deny, (264, None, 0, EPERM)]):
            before = contents(self.folder)
            code, err = self.compile(rules, "scale.qir", "-o", "m.o", "--report=new.json", "--dot=new.dot")
            self.assertEqual(code, 1, err)
            self.assertIn(b"Operation not permitted", err)
            self.assertEqual(contents(self.folder), before)


if __name__ == "__main__":
    main()
