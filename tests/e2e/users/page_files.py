"""The files that the commands of the pages speak of: models of all formats, pictures, samples, under the names that the pages give them."""
import shutil
import struct

from common import DIGITS, ROOT, npy, write_temporary
from eval import held_out, png

EXAMPLE = DIGITS.parent
DATA = ROOT / "tests" / "data"


def _varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def _field(number, content):
    """A field of a protobuf message: a text or a message, or a whole number."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    content = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def onnx_model(operators, name, shape):
    """An .onnx file whose operators follow one another on real numbers; a dimension of the input that is a text is open, and called that."""
    dims = b"".join(_field(1, _field(2, d) if isinstance(d, str) else _field(1, d)) for d in shape)
    names = [name, *(f"{operator.lower()}_{i}" for i, operator in enumerate(operators[:-1])), "scores"]
    nodes = b"".join(_field(1, _field(1, names[i]) + _field(2, names[i + 1]) + _field(4, operator)) for i, operator in enumerate(operators))
    given = _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))
    graph = nodes + _field(2, "graph") + _field(11, given) + _field(12, _field(1, "scores"))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def _pictures(folder, rows, classes, start):
    """30 of them in a folder, with the names of their classes: one column, and beside the names of files."""
    folder.mkdir()
    for i in range(30):
        (folder / f"{i:02}.png").write_bytes(png(8, 8, [v + 128 for v in rows[start + i]]))
    return classes[start:start + 30]


def write_files(folder):
    for name, source in (("model.tflite", DIGITS), ("mobilenet.tflite", DIGITS), ("classifier.tflite", DIGITS),
                         ("mobilenet_quant.tflite", DIGITS), ("float.tflite", EXAMPLE / "digits_float.tflite"),
                         ("seven.png", EXAMPLE / "seven.png"), ("cat.png", EXAMPLE / "seven.png"), ("cat.jpg", EXAMPLE / "seven.png"),
                         ("names.txt", EXAMPLE / "names.txt"), ("digits.npy", EXAMPLE / "held_out.npy"),
                         ("digits_float.tflite", EXAMPLE / "digits_float.tflite"), ("train.npy", EXAMPLE / "held_out.npy"),
                         ("train.txt", EXAMPLE / "held_out.txt"),
                         ("m.ort", DATA / "onnx" / "cnn_qdq_u8s8.ort"), ("model.pdmodel", DATA / "paddle" / "qat_linear.pdmodel"),
                         ("model.pdiparams", DATA / "paddle" / "qat_linear.pdiparams")):
        shutil.copy(source, folder / name)
    colours = onnx_model(["Relu", "GlobalAveragePool", "Flatten"], "pixels", (1, 3, 224, 224))
    for name, contents in (("model.onnx", colours), ("resnet.tflite", colours), ("resnet_float.tflite", colours),  # known by their contents
                           ("ocr.onnx", onnx_model(["Relu", "GlobalAveragePool"], "x", (1, 3, 32, "width"))),
                           ("m.onnx", onnx_model(["Relu"], "sound", (1, "frames", 8))),
                           ("image.npy", npy("|i1", (1, 8, 8, 1), [i * 3 - 96 for i in range(64)])),
                           ("line320.npy", npy("<f4", (1, 3, 32, 320), [i % 7 for i in range(3 * 32 * 320)])),
                           ("picture.npy", PICTURE)):
        (folder / name).write_bytes(contents)
    shutil.copy(write_temporary("model.qir", GRAPH), folder / "model.qir")
    rows, classes = held_out()
    seen = _pictures(folder / "pictures", rows, classes, 0)
    others = _pictures(folder / "others", rows, classes, 30)
    for name, start in (("first", 60), ("second", 90)):
        _pictures(folder / name, rows, classes, start)
    (folder / "classes.txt").write_text("".join(f"{c}\n" for c in seen))
    (folder / "labels.txt").write_text("".join(f"{c}\n" for c in others))
    (folder / "labels.tsv").write_text("file\tclass\n" + "".join(f"{i:02}.png\t{c % 3}\n" for i, c in enumerate(seen)))


GRAPH = """graph "model" {
  input %0:f32<1x4> "x"
  %1:f32<1x4> = neg %0
  %2:f32<1x4> "y" = add %0, %1
  output %2 "y"
}
"""
PICTURE = npy("<f4", (1, 3, 20, 20), [i * 37 % 255 / 64 - 2 for i in range(1200)])
