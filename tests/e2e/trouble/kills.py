"""Protects what a killed compiler leaves: all outputs or none of them, what was there before otherwise, and no other file,
neither beside the outputs nor where the linker works.  Signals at random times, and at the times that matter."""
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import DIGITS, QCC, QCC_RUN, Case, main  # noqa: E402
from filesystem import FILTERS, NO_EXCHANGE, NO_UNNAMED, Filter, contents  # noqa: E402

SEED = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT, signal.SIGKILL)
PATIENCE = 60  # seconds for what a machine under load does in milliseconds


def until(condition):
    """Waits for what happens in another process."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def children_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class KillsCase(Case):
    def setUp(self):
        super().setUp()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):  # under nohup, or behind a shell's &, the compilers would
            if signal.getsignal(number) == signal.SIG_IGN:  # ignore them, as they should
                signal.signal(number, signal.SIG_DFL)
        self.out, self.work = self.folder / "out", self.folder / "tmp"
        self.out.mkdir()
        self.work.mkdir()

    def start(self, model, output, more=(), before=None, **environment):
        return subprocess.Popen([QCC, model, "-o", output, f"--report={self.out / 'm.json'}", "--name=m", *more],
                                stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(self.work), **environment},
                                preexec_fn=before, start_new_session=True)

    def compile(self, model, output):
        process = self.start(model, output)
        self.assertEqual(process.wait(), 0)
        return contents(self.out)

    def clean(self):
        for path in self.out.iterdir():
            path.unlink()


class RandomTimes(KillsCase):
    def kill_often(self, output, fresh, before, rounds, random_of):
        """Each round kills a compilation whose outputs are absent, or those of another model."""
        output = self.out / output
        self.clean()
        begin = time.monotonic()
        new = self.compile(DIGITS, output)
        takes = time.monotonic() - begin
        self.clean()
        old = {} if fresh else self.compile(self.add, output)
        for _ in range(rounds):
            number, group, delay = random_of.choice(SIGNALS), random_of.random() < 0.3, random_of.random() * 1.2 * takes
            process = self.start(DIGITS, output, before=before)
            time.sleep(delay)
            (os.killpg if group else os.kill)(process.pid, number)
            code = process.wait()
            place = f"seed {SEED}: {output.name}, {number.name}, group {group}, after {delay:.4f} s of {takes:.4f}, exit {code}"
            if number == signal.SIGKILL:  # then the process apart finishes by itself
                until(lambda: set(contents(self.out)) in (set(old), set(new)) and not os.listdir(self.work))
            self.assertEqual(os.listdir(self.work), [], place)
            found = contents(self.out)
            self.assertIn(found, (new,) if code == 0 else (old, new), (place, list(found)))
            if found == new:
                self.clean()
                old = {} if fresh else self.compile(self.add, output)

    def test_signals(self):
        random_of = random.Random(SEED)
        print("seed", SEED)
        for output, rounds in (("m.o", 24), ("m.so", 16)):
            for fresh in (True, False):
                self.kill_often(output, fresh, None, rounds, random_of)

    @unittest.skipUnless(FILTERS, "system call numbers are of x86-64")
    def test_file_systems_without_unnamed_files(self):
        random_of = random.Random(SEED)
        for rules in ([NO_UNNAMED], [NO_UNNAMED, NO_EXCHANGE]):
            self.kill_often("m.o", False, Filter(rules), 12, random_of)

    def test_runner(self):
        """qcc-run's arrays."""
        random_of = random.Random(SEED)
        arrays = self.out / "y.npy"
        begin = time.monotonic()
        self.fine(QCC_RUN, DIGITS, "--interp", "--random=2", "-o", arrays)
        takes, new = time.monotonic() - begin, contents(self.out)
        self.fine(QCC_RUN, DIGITS, "--interp", "--random=1", "-o", arrays)
        old = contents(self.out)
        for _ in range(12):
            process = subprocess.Popen([QCC_RUN, DIGITS, "--interp", "--random=2", "-o", arrays])
            time.sleep(random_of.random() * 1.2 * takes)
            process.send_signal(signal.SIGTERM)
            process.wait()
            self.assertIn(contents(self.out), (old, new))


class KnownTimes(KillsCase):
    def test_while_names_are_given(self):
        """Holding the lock on the folder keeps qcc at the very moment."""
        for output in ("m.o", "m.so"):
            self.clean()
            new = self.compile(DIGITS, self.out / output)
            for number in SIGNALS:
                for group in (False, True):
                    self.compile(self.add, self.out / output)
                    with_lock = os.open(self.out, os.O_RDONLY)
                    fcntl.flock(with_lock, fcntl.LOCK_EX)
                    process = self.start(DIGITS, self.out / output)
                    waiting = until(lambda: self.waits_for_lock(process.pid))
                    (os.killpg if group else os.kill)(process.pid, number)
                    os.close(with_lock)
                    self.assertTrue(waiting)
                    self.assertEqual(process.wait(), -number)
                    self.assertTrue(until(lambda: contents(self.out) == new), (output, number, list(contents(self.out))))
                    self.assertEqual(os.listdir(self.work), [])

    def waits_for_lock(self, pid):
        """A child that has opened the folder, not just found it (O_PATH)."""
        for child in children_of(pid):
            try:
                names = list(Path(f"/proc/{child}/fd").iterdir())
            except OSError:  # another child, which has ended
                continue
            for fd in names:
                try:
                    flags = int(Path(f"/proc/{child}/fdinfo/{fd.name}").read_text().split()[3], 8)
                    if os.readlink(fd) == str(self.out.resolve()) and not flags & os.O_PATH:
                        return True
                except OSError:  # closed meanwhile
                    continue
        return False

    def test_while_linking(self):
        """A linker that takes for ever, with a child and a file of its own."""
        linker = self.folder / "cc"
        linker.write_text(f'#!/bin/sh\necho > "$TMPDIR/own"\nsleep 1000 &\necho $! $$ > "{self.folder}/pids.new"\n'
                          f'mv "{self.folder}/pids.new" "{self.folder}/pids"\nwait\n')
        linker.chmod(0o755)
        pids = self.folder / "pids"
        old = self.compile(self.add, self.out / "m.so")
        for number in SIGNALS:
            for group in (False, True):
                process = self.start(DIGITS, self.out / "m.so", CC=str(linker))
                self.assertTrue(until(pids.exists))
                (os.killpg if group else os.kill)(process.pid, number)
                self.assertEqual(process.wait(), -number)
                if number == signal.SIGKILL:
                    until(lambda: not os.listdir(self.work))
                self.assertEqual(os.listdir(self.work), [], number)
                self.assertEqual(contents(self.out), old)
                for pid in pids.read_text().split():
                    self.assertTrue(until(lambda: not Path(f"/proc/{pid}").exists()), "the linker runs on")
                pids.unlink()

    def test_what_is_ignored_stays_ignored(self):
        """nohup, and the linker that a terminal's end must not stop."""
        linker = self.folder / "cc"
        linker.write_text(f'#!/bin/sh\ntouch "{self.folder}/here"\nsleep 1\nexec cc "$@"\n')
        linker.chmod(0o755)
        process = self.start(DIGITS, self.out / "m.so", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), CC=str(linker))
        self.assertTrue(until((self.folder / "here").exists))
        os.killpg(process.pid, signal.SIGHUP)
        self.assertEqual(process.wait(), 0)
        self.assertEqual(sorted(os.listdir(self.out)), ["m.h", "m.json", "m.so"])


if __name__ == "__main__":
    main()
