"""Trains a small network that spots three "words" in sound, which it makes itself: a tone that rises, one that falls, and one that comes
twice.  Writes what this example needs:

    keyword.tflite         the model as it was trained, on real numbers
    calibration.npy        32 pieces of sound by which qcc makes integers of it
    sound.wav, sound.txt   sound that it was not trained on, and the words in it: what, and the second at which it ends

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu && venv/bin/python train.py

The model takes sound as it comes, 8000 samples of -128..127 a second, 2048 at a time, and gives for each 64 of them the scores of
"nothing" and of the three words.  What a word needs of earlier pieces, 824 samples, is its state."""
import wave

import numpy as np
import tensorflow as tf

WORDS = ("nothing", "up", "down", "twice")
PIECE, HOP, RATE = 2048, 64, 8000
FIELD = 888           # samples that a score depends on
PAST = FIELD - HOP
random = np.random.default_rng(7)
tf.keras.utils.set_random_seed(7)


def tone(start, end, length):
    """A tone from one frequency to another, in Hz, that swells and fades."""
    phase = 2 * np.pi * np.cumsum(np.linspace(start, end, length)) / RATE + random.uniform(0, 6)
    return np.sin(phase) * np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 40)


def word(kind):
    low, high, length = random.uniform(500, 700), random.uniform(1500, 1900), random.integers(600, 760)
    if kind == 3:
        beep = tone(high, high, length // 3)
        return np.concatenate([beep, np.zeros(length // 3), beep])
    return tone(low, high, length) if kind == 1 else tone(high, low, length)


def sound(pieces, chance=0.75):
    """Samples with the past of the first piece in front; what each score is to be, -1 where either will do; and the words."""
    length = PAST + pieces * PIECE
    samples, classes, words, at = random.normal(0, random.uniform(0.5, 5), length), np.zeros(pieces * PIECE // HOP, int), [], 0
    while True:
        at += random.integers(200, 1500)
        kind = random.integers(1, 4) if random.uniform() < chance else 0
        pitch = random.uniform(400, 2000)
        it = word(kind) if kind else tone(pitch, pitch, random.integers(150, 900))
        if at + len(it) > length:
            return np.clip(np.rint(samples), -128, 127).astype(np.int8), classes, words
        samples[at:at + len(it)] += it * random.uniform(25, 90)
        if kind:
            for i in range(len(classes)):  # the score reads FIELD samples from i * HOP on
                share = (min(at + len(it), i * HOP + FIELD) - max(at, i * HOP)) / len(it)
                classes[i] = kind if share > 0.95 else -1 if share > 0.5 else classes[i]
            words.append((WORDS[kind], (at + len(it) - PAST) / RATE))
        at += len(it)


layers = tf.keras.layers
stack = tf.keras.Sequential([
    layers.Input((1, PAST + PIECE, 1)),
    layers.Rescaling(1 / 128),
    layers.Conv2D(20, (1, 64), (1, 8), activation="relu"),
    layers.AveragePooling2D((1, 8)),
    layers.Conv2D(24, (1, 7), activation="relu"),
    layers.Conv2D(4, (1, 7))])


class Spotter(tf.Module):
    """The same layers, their weights being constants, behind the past, which is a variable."""

    def __init__(self):
        self.past = tf.Variable(tf.zeros((1, 1, PAST, 1)), name="past")
        self.weights = [value.numpy() for value in stack.weights]

    @tf.function(input_signature=[tf.TensorSpec((1, 1, PIECE, 1), tf.float32, "sound")])
    def hear(self, piece):
        w1, b1, w2, b2, w3, b3 = self.weights
        heard = tf.concat([self.past, piece], 2)
        self.past.assign(heard[:, :, PIECE:])
        x = tf.nn.relu(tf.nn.conv2d(heard, w1 / 128, (1, 8), "VALID") + b1)
        x = tf.nn.relu(tf.nn.conv2d(tf.nn.avg_pool2d(x, (1, 8), (1, 8), "VALID"), w2, 1, "VALID") + b2)
        return tf.nn.conv2d(x, w3, 1, "VALID") + b3


data = [sound(1) for _ in range(5000)]
samples, classes = np.stack([d[0] for d in data])[:, None, :, None].astype(np.float32), np.stack([d[1] for d in data])[:, None]
stack.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(4e-3, 12 * 79)),
                      tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1))
stack.fit(samples, classes, batch_size=64, epochs=12, verbose=2)

spotter = Spotter()
converter = tf.lite.TFLiteConverter.from_concrete_functions([spotter.hear.get_concrete_function()], spotter)
converter.experimental_enable_resource_variables = True
with open("keyword.tflite", "wb") as file:
    file.write(converter.convert())
np.save("calibration.npy", samples[:32, :, PAST:].astype(np.int8))
samples, _, words = sound(12)
with wave.open("sound.wav", "wb") as file:  # 8-bit WAV is unsigned
    file.setparams((1, 1, RATE, 0, "NONE", ""))
    file.writeframes((samples[PAST:].astype(int) + 128).astype(np.uint8).tobytes())
with open("sound.txt", "w", encoding="ascii") as file:
    file.writelines(f"{name} {end:.2f}\n" for name, end in words if end > 0.12)
