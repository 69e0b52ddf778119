"""Classifies pictures of handwritten digits with a model that is compiled, and one that is first made of integers.

    meson devenv -C build -w . python3 examples/digits/digits.py"""
from pathlib import Path

import numpy

import qcc

HERE = Path(__file__).resolve().parent
images = numpy.load(HERE / "held_out.npy").astype(numpy.float32)
classes = [int(line.split()[-1]) for line in (HERE / "held_out.txt").read_text().splitlines()]

for model in (qcc.compile(HERE / "digits.tflite"),
              qcc.quantize(HERE / "digits_float.tflite", numpy.load(HERE / "calibration.npy"))):
    right = sum(int(model(model.inputs[0].quantize(image[None])).argmax()) == digit for image, digit in zip(images, classes))
    print(f"{right} of {len(classes)} right, {100 * right / len(classes):.1f} %, by the code for {model.target}")
