"""count_log.py: counts of a test log of meson, "passed failed skipped" in one line.

    count_log.py BUILD LOG SKIPPED [EMULATED]

A line "reason<tab>BUILD: test" for each skipped test is added to the file SKIPPED; the reason is what the test prints behind
"skipped: ".  A test that was skipped here and ran emulated, by the log EMULATED, is counted there.
"""

import json
import re
import sys


def results_of(log):
    with open(log, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def reason_of(result):
    found = re.findall(r"^skipped: (.+)$", result.get("stdout", "") + "\n" + result.get("stderr", ""), re.M)
    return found[-1] if found else "the test gives no reason"


def main(build, log, skipped_file, emulated_log=None):
    results = results_of(log)
    ran_emulated = {r["name"] for r in results_of(emulated_log) if r["result"] != "SKIP"} if emulated_log else set()
    skipped = [r for r in results if r["result"] == "SKIP"]
    left_out = [r for r in skipped if r["name"] in ran_emulated]
    skipped = [r for r in skipped if r["name"] not in ran_emulated]
    good = sum(r["result"] in ("OK", "EXPECTEDFAIL") for r in results)
    with open(skipped_file, "a", encoding="utf-8") as out:
        for r in skipped:
            out.write(f"{reason_of(r)}\t{build}: {r['name']}\n")
    if left_out:
        print(f"{len(left_out)} tests of this build were run emulated, and counted there", file=sys.stderr)
    print(good, len(results) - good - len(skipped) - len(left_out), len(skipped))


if __name__ == "__main__":
    main(*sys.argv[1:])
