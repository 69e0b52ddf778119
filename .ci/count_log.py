"""count_log.py: counts of a test log of meson, "passed failed skipped" in one line.

    count_log.py BUILD LOG SKIPPED

A line "reason<tab>BUILD: test" for each skipped test is added to the file SKIPPED; the reason is what the test prints behind
"skipped: ".
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


def main(build, log, skipped_file):
    results = results_of(log)
    skipped = [r for r in results if r["result"] == "SKIP"]
    good = sum(r["result"] in ("OK", "EXPECTEDFAIL") for r in results)
    with open(skipped_file, "a", encoding="utf-8") as out:
        for r in skipped:
            out.write(f"{reason_of(r)}\t{build}: {r['name']}\n")
    print(good, len(results) - good - len(skipped), len(skipped))


if __name__ == "__main__":
    main(*sys.argv[1:])
