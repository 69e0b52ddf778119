"""From a picture to a name, in three lines of qcc: classify.py PICTURE.png NAMES.txt

    meson devenv -C build -w . python3 examples/digits/classify.py examples/digits/seven.png examples/digits/names.txt"""
import sys
from pathlib import Path

import numpy
from PIL import Image

import qcc

picture, names = sys.argv[1:]
model = qcc.compile(Path(__file__).with_name("digits.tflite"))
_, height, width, _ = model.inputs[0].shape
pixels = numpy.asarray(Image.open(picture).convert("L").resize((width, height)), numpy.float32)
scores = model(model.inputs[0].quantize(pixels[None, :, :, None] / 255))
best = int(scores.argmax())
print(f"{model.outputs[0].real(scores)[0, best]:.3f} {Path(names).read_text(encoding='utf-8').splitlines()[best]}")
