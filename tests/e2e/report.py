"""Protects the report: its page says first whether the model is int8, what is not and why, how much memory and how long; it is
whole without anything from elsewhere, the same each time, and in a browser nothing is cut off and its table sorts and filters."""
import html
import json
import re
import shutil
import subprocess
import unittest
from html.parser import HTMLParser

from common import ADD, DIGITS, QCC, QCC_RUN, ROOT, Case, main

FLOAT = DIGITS.parent / "digits_float.tflite"
DATA = ROOT / "tests" / "data"
BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
VOID = {"meta", "input", "br", "link", "img", "wbr"}
# What a page of its own does: it plays the user in frames as wide as a desk's and a phone's, and says what it saw.
PLAY = """<!DOCTYPE html><pre id="seen"></pre><script>
const look = (name, width, d) => {
  const seen = {name, width, view: d.documentElement.clientWidth}, table = d.querySelector("table.ops");
  const rows = () => [...table.tBodies[0].rows].filter(r => !r.hidden);
  const set = (id, value, event) => { const e = d.getElementById(id); e.value = value; e.dispatchEvent(new Event(event)); };
  seen.scroll = d.documentElement.scrollWidth;
  seen.wide = [...d.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > seen.view + 1).map(e => e.tagName + "." + e.className);
  // Names of ops that stand in two lines.
  seen.broken = rows().flatMap(row => [...row.cells[2].childNodes].filter(n => n.nodeType === 3)).filter(node => {
    const range = d.createRange();
    return [...node.data.matchAll(/\S+/g)].some(word => {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      return range.getClientRects().length > 1;
    });
  }).map(node => node.data);
  seen.answers = d.querySelector(".tiles").getBoundingClientRect().bottom;
  const heads = [...table.tHead.rows[0].cells], last = heads[heads.length - 1];
  last.querySelector("button").click();
  seen.slowest = rows()[0].id;
  last.querySelector("button").click();
  seen.times = rows().map(r => Number(r.cells[r.cells.length - 1].dataset.v));
  set("order", "1", "change");
  seen.names = rows().map(r => r.cells[1].textContent.trim().toLowerCase());
  set("words", "CONV2D relu6", "input");
  seen.words = rows().length;
  set("kind", "float", "change");
  seen.float = rows().length;
  seen.shown = d.getElementById("shown").textContent;
  return seen;
};
const frames = NAMES.flatMap(name => [1400, 400].map(width => {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:900px;border:0`;
  frame.src = name;
  document.body.append(frame);
  return [name, width, frame];
}));
onload = () => {
  document.getElementById("seen").textContent = JSON.stringify(frames.map(([name, width, frame]) => look(name, width, frame.contentDocument)));
};
</script>"""


class Checked(HTMLParser):
    """Elements that close what they open; ids; what links lead to; text that is seen."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if "href" in attrs else []
        assert "src" not in attrs, attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data


class Report(Case):
    def page(self, model, *options, program=QCC):
        path = self.folder / "report.html"
        out = ["-o", self.folder / "m.o"] if program == QCC else ["--bench=0"]
        self.fine(program, model, *out, f"--report={path}", *options)
        text = path.read_text(encoding="utf-8")
        checked = Checked(text)
        self.assertEqual(len(set(checked.ids)), len(checked.ids))
        self.assertLessEqual({link[1:] for link in checked.links}, set(checked.ids))
        self.assertNotRegex(text, r"https?:|//[a-z]|url\(|@import")
        return text, checked.text

    def facts(self, model, *options, program=QCC):
        path = self.folder / "report.json"
        out = ["-o", self.folder / "m.o"] if program == QCC else ["--bench=0"]
        self.fine(program, model, *out, f"--report={path}", *options)
        return json.loads(path.read_text())

    def test_answers(self):
        """The headline of each kind of model, with the reasons and the next step."""
        _, text = self.page(DIGITS)
        self.assertIn("All of it is int8", text)
        self.assertNotIn("--calib", text)
        _, text = self.page(FLOAT)
        self.assertIn("Nothing is int8: the model computes on real numbers", text)
        self.assertIn("qcc digits_float.tflite --calib=SAMPLES -o m.o", text)
        self.assertIn("the file gives no quantization for it", text)
        for options in (["--quantize=none"], ["--quantize=none", "--keep-float=first"]):
            _, text = self.page(DIGITS, *options)
            self.assertIn("No multiply-add is int8", text)
            self.assertIn("what the options ask for", text)
            self.assertNotIn("--calib", text)
        _, text = self.page(DIGITS, "--keep-float=last")
        self.assertRegex(text, r"\d % of the multiply-adds are int8")
        self.assertRegex(text, r"float, 1 op with 320 multiply-adds: kept in float by --keep-float")

    def test_measured_or_estimated(self):
        for program, says in ((QCC, "only estimated: generic"), (QCC_RUN, "measured: generic, 1 thread")):
            text, seen = self.page(DIGITS, "--target=generic", program=program)
            facts = self.facts(DIGITS, "--target=generic", program=program)
            by = "seconds" if program == QCC_RUN else "estimated_seconds"
            self.assertIn(says, seen)
            self.assertEqual(facts["slowest_by"], by)
            times = [facts["ops"][i][by] for i in facts["slowest"]]
            self.assertEqual(times, sorted(times, reverse=True))
            self.assertEqual(times[0], max(op.get(by, 0) for op in facts["ops"]))
            self.assertEqual(len(times), min(10, sum(op.get(by, 0) > 0 for op in facts["ops"])))
            self.assertAlmostEqual(facts[by], sum(op.get(by, 0) for op in facts["ops"]))
            self.assertEqual(text.count('<tr id="op'), len(facts["ops"]))

    def test_estimates(self):
        """What has more work takes longer; views take nothing; wider machines less."""
        ops = self.facts(DIGITS, "--target=avx2")["ops"]
        products = [op for op in ops if op["op"] == "conv2d"]
        self.assertEqual(sorted(products, key=lambda op: op["macs"]), sorted(products, key=lambda op: op["estimated_seconds"]))
        shared = self.facts(DATA / "onnx" / "cnn_qdq_u8s8.ort", "--target=avx2")["ops"]
        self.assertEqual({op["estimated_seconds"] for op in shared if op["op"] == "reshape"}, {0})
        times = [self.facts(DIGITS, f"--target={t}")["estimated_seconds"] for t in ("avx512vnni", "avx2", "generic")]
        self.assertEqual(times, sorted(times))
        self.assertEqual(self.facts(DIGITS, "--target=generic,avx2")["estimated_for"], "avx2")

    def test_reasons(self):
        facts = self.facts(FLOAT)
        self.assertEqual(sum(r["ops"] for r in facts["not_int8"]), facts["ops_float"] + facts["ops_mixed"])
        self.assertEqual(sum(r["macs"] for r in facts["not_int8"]), facts["macs_float"])
        work = [(r["macs"], r["ops"]) for r in facts["not_int8"]]
        self.assertEqual(work, sorted(work, reverse=True))
        self.assertEqual(self.facts(DIGITS)["not_int8"], [])

    def test_the_workspace_is_told_whole(self):
        """Values, kernels' scratch and state; none past the end, and one at it."""
        for model in (DIGITS, FLOAT, DATA / "state.tflite"):
            facts = self.facts(model)
            self.assertEqual(max(m["offset"] + m["bytes"] + 63 & ~63 for m in facts["memory"]), facts["workspace_bytes"] + 63 & ~63)
        self.assertIn("scratch", {m["kind"] for m in self.facts(DIGITS)["memory"]})
        self.assertIn("state", {m["kind"] for m in self.facts(DATA / "state.tflite")["memory"]})

    def test_names_are_escaped(self):
        model = self.folder / "a.qir"
        model.write_text(ADD.replace('"sum" = add', '"<b>&\'" = add'), encoding="utf-8")
        text, seen = self.page(model)
        self.assertNotIn("<b>&'", text)
        self.assertIn("<b>&'", seen)
        self.assertIn(html.escape("<b>&"), text)

    def test_the_same_each_time(self):
        first = self.page(DIGITS, "--target=avx2,generic")
        self.assertEqual(self.page(DIGITS, "--target=avx2,generic"), first)

    def test_nothing_to_do(self):
        """A model without ops, one that only moves plain integers, and IR, which has no memory plan."""
        model = self.folder / "n.qir"
        model.write_text('graph "n" {\n  input %0:i32<4> "x"\n  %1:i32<2x2> "y" = reshape %0\n  output %1 "y"\n}\n')
        _, text = self.page(model)
        self.assertIn("No op computes", text)
        model.write_text('graph "n" {\n  input %0:f32<4> "x"\n  output %0 "y"\n}\n')
        self.page(model)
        self.fine(QCC, DIGITS, "--emit=ir", "-o", self.folder / "m.qir", f"--report={self.folder / 'i.html'}")
        Checked((self.folder / "i.html").read_text())

    @unittest.skipUnless(BROWSER, "no chromium here to look at the report with")
    def test_in_a_browser(self):
        wanted = {}
        for name, program, model in (("int8.html", QCC_RUN, DIGITS), ("float.html", QCC, FLOAT)):
            self.page(model, program=program)
            (self.folder / "report.html").rename(self.folder / name)
            facts = self.facts(model, program=program)
            wanted[name] = len(facts["ops"]), program == QCC and f"op{facts['slowest'][0]}"
        play = self.folder / "play.html"
        play.write_text("<!DOCTYPE html><body>" + PLAY.replace("NAMES", json.dumps(list(wanted))))
        done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
                               f"--user-data-dir={self.folder / 'profile'}", "--virtual-time-budget=5000", "--window-size=1500,1000", "--dump-dom",
                               play.as_uri()], capture_output=True, timeout=120, check=False)
        found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout.decode(), re.S)
        self.assertTrue(found, done.stderr.decode()[-2000:])
        for seen in json.loads(html.unescape(found.group(1))):
            count, slowest = wanted[seen["name"]]
            self.assertLessEqual(seen["scroll"], seen["width"])
            self.assertEqual(seen["wide"], [])
            self.assertEqual(seen["broken"], [])
            self.assertLess(seen["answers"], 900, "the answers are on the first screen")
            self.assertEqual(len(seen["times"]), count)
            self.assertEqual(seen["times"], sorted(seen["times"]))
            self.assertEqual(seen["names"], sorted(seen["names"]))
            self.assertIn(slowest, (False, seen["slowest"]))
            self.assertTrue(0 < seen["words"] < count)
            self.assertEqual(seen["float"], seen["words"] if seen["name"] == "float.html" else 0)
            self.assertEqual(seen["shown"], f"{seen['float']} of {count} ops")


if __name__ == "__main__":
    main()
