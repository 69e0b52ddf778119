"""Protects the man pages: every option of --help is in the page, with its words, and the page has no others."""
import os
import re
from pathlib import Path

from common import QCC, QCC_EVAL, QCC_OPT, QCC_RUN, QCC_TUNE, Case, main


class Man(Case):
    def test_pages_tell_the_truth(self):
        pages = Path(os.environ["MAN_PAGES"])
        for program in (QCC, QCC_RUN, QCC_EVAL, QCC_OPT, QCC_TUNE):
            page = re.sub(r"\\f.|\\", "", (pages / (Path(program).name + ".1")).read_text())
            listed = set(re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)", self.fine(program, "--help").decode(), re.M))
            described = set(re.findall(r"^\.TP\n\.B (?:-\w, )?--([a-z0-9-]+)", page, re.M))
            self.assertGreater(len(listed), 10)
            self.assertEqual(listed, described)
            mentioned = set(re.findall(r"--([a-z][a-z0-9-]+)", page)) - {"cflags", "libs"}
            self.assertLessEqual(mentioned, listed)


if __name__ == "__main__":
    main()
