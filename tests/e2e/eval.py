"""Protects qcc-eval: counting, decoding of JPEG and PNG, preprocessing, comparison of two models."""
import json
import re
import struct
import zlib

from common import DIGITS, QCC_EVAL, Case, main, npy

COUNT = 300


def held_out():
    """Pictures and classes of examples/digits/images.h."""
    text = (DIGITS.parent / "images.h").read_text()
    rows = [[int(v) for v in row.split(",")] for row in re.findall(r"^    \{(.*)\},$", text, re.M)]
    classes = [int(v) for v in re.findall(r"\d+", text[text.index("classes[IMAGE_COUNT] = {"):])]
    return rows, classes


def png(width, height, grey):
    """A greyscale PNG."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(grey[y * width:(y + 1) * width]) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Eval(Case):
    def setUp(self):
        super().setUp()
        self.rows, self.classes = held_out()
        self.data = self.folder / "data.npy"
        self.data.write_bytes(npy("|i1", (COUNT, 8, 8, 1), [v for row in self.rows for v in row]))
        self.labels = self.folder / "labels.txt"
        self.labels.write_text("".join(f"{c}\n" for c in self.classes))

    def evaluate(self, *arguments):
        return json.loads(self.fine(QCC_EVAL, DIGITS, "--json", "--interp", *arguments))

    def test_one_array(self):
        got = self.evaluate(f"--data={self.data}", f"--labels={self.labels}")
        self.assertEqual(got["samples"], COUNT)
        self.assertTrue(0.96 < got["top1"] <= got["top5"] <= 1)

    def test_wrong_labels_are_counted(self):
        self.labels.write_text("".join(f"{(c + 1) % 10}\n" for c in self.classes))
        self.assertLess(self.evaluate(f"--data={self.data}", f"--labels={self.labels}")["top1"], 0.04)

    def test_pictures_give_what_arrays_give(self):
        folder = self.folder / "png"
        folder.mkdir()
        lines = ["file\tname\tclass\n"]
        for i in range(40):
            (folder / f"{i:03}.png").write_bytes(png(8, 8, [v + 128 for v in self.rows[i]]))
            lines.append(f"{i:03}.png\tdigit\t{self.classes[i]}\n")
        self.labels.write_text("".join(lines))
        pictures = self.evaluate(f"--data={folder}", f"--labels={self.labels}", "--label-column=class")
        self.labels.write_text("".join(f"{c}\n" for c in self.classes))
        arrays = self.evaluate(f"--data={self.data}", f"--labels={self.labels}", "--limit=40")
        self.assertEqual(pictures, arrays)

    def test_mean_and_std(self):
        folder = self.folder / "png"
        folder.mkdir()
        for i in range(20):
            (folder / f"{i:03}.png").write_bytes(png(8, 8, [v + 128 for v in self.rows[i]]))
        one_number = [f"--data={folder}", f"--labels={self.labels}", "--limit=20"]
        self.assertEqual(self.evaluate(*one_number, "--mean=0", "--std=255"), self.evaluate(*one_number))

    def test_compiled_is_interpreted(self):
        common = ["--json", f"--data={self.data}", f"--labels={self.labels}", "--limit=60"]
        compiled, interpreted = (json.loads(self.fine(QCC_EVAL, DIGITS, *common, *how)) for how in ([], ["--interp"]))
        for figure in ("samples", "top1", "top5"):
            self.assertEqual(compiled[figure], interpreted[figure])

    def test_compare_with_itself(self):
        got = self.evaluate(f"--data={self.data}", f"--labels={self.labels}", "--limit=20", f"--compare={DIGITS}")
        self.assertEqual((got["agreement"], got["sqnr_db"], got["top1"]), (1, None, got["other_top1"]))

    def test_refusals(self):
        common = [f"--data={self.data}", f"--labels={self.labels}"]
        self.refused(2, QCC_EVAL, DIGITS)
        self.refused(2, QCC_EVAL, DIGITS, *common, "--crop=x")
        self.refused(2, QCC_EVAL, DIGITS, *common, "--std=0")
        self.refused(1, QCC_EVAL, DIGITS, "--interp", f"--data={self.folder / 'absent'}", f"--labels={self.labels}")
        self.refused(1, QCC_EVAL, DIGITS, "--interp", *common, "--label-column=class")
        self.labels.write_text("cat\n" * 3)
        self.refused(1, QCC_EVAL, DIGITS, "--interp", *common)


if __name__ == "__main__":
    main()
