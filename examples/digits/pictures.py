"""Writes the pictures of this example: the handwritten digits that come with scikit-learn (Alpaydin and Kaynak's, of the UCI Machine
Learning Repository), 8x8 pixels from 0 to 1 in sixteenths.

    train.npy, .txt       1497 pictures, and their classes, a line each: what digits.tflite was trained with
    calibration.npy       100 of them
    held_out.npy, .txt    the other 300, which no training has seen
    images.h              the same as C arrays, quantized as the input of digits.tflite

    python3 -m venv venv && venv/bin/pip install scikit-learn && venv/bin/python pictures.py
"""
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT = 300

images, classes = load_digits(return_X_y=True)
images = (images.reshape(-1, 8, 8, 1) / 16).astype(np.float16)  # sixteenths: half floats are exact
train_x, test_x, train_y, test_y = train_test_split(images, classes, test_size=HELD_OUT, random_state=7, stratify=classes)
np.save("train.npy", train_x)
np.save("calibration.npy", train_x[:100])
np.save("held_out.npy", test_x)
for name, rows in (("train.txt", train_y), ("held_out.txt", test_y)):
    with open(name, "w", encoding="ascii") as file:
        file.writelines(f"{row}\n" for row in rows)

scale = np.float32(1 / 255)
quantized = np.round(test_x.astype(np.float32) / scale).astype(np.int32) - 128
with open("images.h", "w", encoding="ascii") as file:
    file.write("/* Held-out pictures of digits.tflite, made by pictures.py: 8x8 pixels, quantized as the model's input. */\n")
    file.write("#include <stdint.h>\n\n")
    file.write(f"enum {{ IMAGE_COUNT = {HELD_OUT}, IMAGE_BYTES = 64 }};\n\nstatic const int8_t images[IMAGE_COUNT][IMAGE_BYTES] = {{\n")
    for sample in quantized:
        file.write("    {" + ",".join(str(v) for v in sample.ravel()) + "},\n")
    file.write("};\n\nstatic const uint8_t classes[IMAGE_COUNT] = {\n")
    for i in range(0, HELD_OUT, 40):
        file.write("    " + ",".join(str(v) for v in test_y[i : i + 40]) + ",\n")
    file.write("};\n")
