"""Trains a small detector on pictures of discs, squares and triangles that it draws itself, and writes what this example needs:

    detect.tflite         the model as it was trained, on real numbers
    calibration.npy       32 pictures by which qcc makes integers of it
    scene.png, scene.txt  a picture that it was not trained on, and what is on it: class, left, top, width, height

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu pillow && venv/bin/python train.py

The model takes a grey picture of 48x48 bytes as they are.  For each of 6x6 cells it gives 8 numbers: how sure it is that the middle of
a shape is there, where in the cell that is (x, y), how much of the picture the shape takes (width, height), all 0..1, and a score of each
class, of which the largest counts."""
import numpy as np
import tensorflow as tf
from PIL import Image

SIZE, CELLS, CLASSES = 48, 6, ("disc", "square", "triangle")
CELL = SIZE // CELLS
random = np.random.default_rng(7)
tf.keras.utils.set_random_seed(7)


def shape(kind, size):
    """A mask."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    if kind == 0:
        return (x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25
    return np.ones((size, size), bool) if kind == 1 else np.abs(x - 0.5) <= y / 2


def scene():
    """A picture, the numbers that the model is to give, and what is on it."""
    picture = random.uniform(20, 120) + random.normal(0, random.uniform(2, 10), (SIZE, SIZE))
    wanted, boxes = np.zeros((CELLS, CELLS, 8), np.float32), []
    for _ in range(random.integers(1, 5)):
        kind, size = random.integers(3), random.integers(9, 20)
        left, top = random.integers(0, SIZE - size, 2)
        if any(left < l + s + 2 and l < left + size + 2 and top < t + s + 2 and t < top + size + 2 for _, l, t, s in boxes):
            continue
        picture[top:top + size, left:left + size][shape(kind, size)] += random.uniform(60, 130)
        x, y = (left + size / 2) / CELL, (top + size / 2) / CELL
        wanted[int(y), int(x), :5] = 1, x % 1, y % 1, size / SIZE, size / SIZE
        wanted[int(y), int(x), 5 + kind] = 1
        boxes.append((kind, left, top, size))
    return np.clip(picture, 0, 255).astype(np.uint8), wanted, boxes


def loss(wanted, found):
    """Boxes and classes count where there is a shape."""
    there = wanted[..., :1]
    sure = tf.keras.losses.binary_crossentropy(there, found[..., :1])
    kinds = tf.nn.softmax_cross_entropy_with_logits(wanted[..., 5:], found[..., 5:])[..., None]
    return tf.reduce_mean(tf.reduce_sum(sure, (1, 2)) + tf.reduce_sum(
        there * (kinds + 20 * tf.square(wanted[..., 1:5] - found[..., 1:5]) * [1., 1., 4., 4.]), (1, 2, 3)))


def build(batch=None):
    layers = tf.keras.layers
    inputs = x = layers.Input((SIZE, SIZE, 1), batch_size=batch)
    x = layers.Rescaling(1 / 255)(x)
    for channels, stride in ((12, 2), (24, 2), (32, 2), (32, 1), (32, 1)):
        x = layers.Conv2D(channels, 3, stride, padding="same", activation="relu")(x)
    place = layers.Conv2D(5, 1, activation="sigmoid")(x)
    kinds = layers.Conv2D(3, 1)(x)
    return tf.keras.Model(inputs, layers.Concatenate()([place, kinds]))


scenes = [scene() for _ in range(6000)]
pictures, wanted = np.stack([s[0] for s in scenes])[..., None], np.stack([s[1] for s in scenes])
model = build()
model.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(3e-3, 16 * 94)), loss)
model.fit(pictures, wanted, batch_size=64, epochs=16, verbose=2)

one = build(1)
one.set_weights(model.get_weights())
with open("detect.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(one).convert())
np.save("calibration.npy", pictures[:32])
picture, _, boxes = next(s for s in iter(scene, None) if len({kind for kind, *_ in s[2]}) == 3)
Image.fromarray(picture).save("scene.png")
with open("scene.txt", "w", encoding="ascii") as file:
    file.writelines(f"{CLASSES[kind]} {left} {top} {size} {size}\n" for kind, left, top, size in boxes)
