"""Trains a small network that reads lines of handwritten digits, composed of those that come with scikit-learn, and writes what this
example needs:

    line.tflite           the model as it was trained, on real numbers
    calibration.npy       48 lines by which qcc makes integers of it
    line.png, line.txt    a line of digits that it was not trained on and reads, and what it says

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu scikit-learn pillow && venv/bin/python train.py

The model takes a grey picture, 8 high and 64 wide, white on black, of bytes as they are.  For each of 32 steps from left to right it
gives 11 scores: of nothing ("blank"), and of each digit."""
import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HEIGHT, WIDTH, STEPS, BLANK = 8, 64, 32, 0
random = np.random.default_rng(7)
tf.keras.utils.set_random_seed(7)
images, classes = load_digits(return_X_y=True)
glyphs = np.minimum(images.reshape(-1, 8, 8) * 16, 255)  # 0..16 -> 0..255
known, held_out, known_classes, held_out_classes = train_test_split(glyphs, classes, test_size=300, random_state=7, stratify=classes)


def line(glyphs, classes):
    """A picture, the class of each step, and the text.  Digits have the columns that they need, and one to four between them."""
    picture, steps, text, at = np.zeros((HEIGHT, WIDTH)), np.full(STEPS, BLANK), "", random.integers(1, 8)
    for _ in range(random.integers(3, 8)):
        i = random.integers(len(classes))
        used = glyphs[i][:, glyphs[i].max(0) > 60]
        if at + used.shape[1] > WIDTH:
            break
        picture[:, at:at + used.shape[1]] = used
        wide = used.shape[1]
        steps[(at + wide // 4) // 2:(at + wide - wide // 4) // 2] = classes[i] + 1  # its middle
        text += str(classes[i])
        at += used.shape[1] + random.integers(1, 5)
    return np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8), steps, text


def build(batch=None):
    layers = tf.keras.layers
    inputs = x = layers.Input((HEIGHT, WIDTH, 1), batch_size=batch)
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(24, 3, 2, padding="same", activation="relu")(x)  # 4 x 32
    x = layers.Conv2D(32, 3, (2, 1), padding="same", activation="relu")(x)
    x = layers.Conv2D(48, (2, 5), padding="same", activation="relu")(x)
    x = layers.AveragePooling2D((2, 1))(x)
    return tf.keras.Model(inputs, layers.Conv2D(11, (1, 3), padding="same")(x))


lines = [line(known, known_classes) for _ in range(6000)]
pictures = np.stack([one[0] for one in lines])[..., None]
steps = np.stack([one[1] for one in lines])[:, None]
model = build()
model.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(4e-3, 12 * 94)),
              tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(pictures, steps, batch_size=64, epochs=12, verbose=2)

one = build(1)
one.set_weights(model.get_weights())
with open("line.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(one).convert())
np.save("calibration.npy", pictures[:48])


def read(scores):
    """What read_line.c does: the best class of each step, once where it is repeated, without blanks."""
    best = scores.argmax(-1)
    return "".join(str(c - 1) for i, c in enumerate(best) if c != BLANK and (i == 0 or best[i - 1] != c))


tests = [line(held_out, held_out_classes) for _ in range(300)]
found = [read(s[0]) for s in model.predict(np.stack([t[0] for t in tests])[..., None], verbose=0)]
print(f"{sum(f == t[2] for f, t in zip(found, tests))} of 300 lines right")
picture, _, text = next(t for f, t in zip(found, tests) if f == t[2] and len(f) == 7)
Image.fromarray(picture).save("line.png")
with open("line.txt", "w", encoding="ascii") as file:
    file.write(text + "\n")
