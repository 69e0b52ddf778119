"""Trains a small convolutional network on the handwritten digits that come with scikit-learn, quantizes it to int8, and
writes what this example needs:

    digits.tflite         the quantized model
    images.h              the held-out pictures and their classes, as C arrays

and what it takes to let qcc quantize it:

    digits_float.tflite   the model as it was trained
    calibration.npy       100 of the pictures that it was trained on
    held_out.npy, .txt    the held-out pictures, and their classes, a line each

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu scikit-learn && venv/bin/python train.py
"""
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT = 300

tf.keras.utils.set_random_seed(7)
images, classes = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype(np.float32) / 16  # 0..16 -> 0..1
train_x, test_x, train_y, test_y = train_test_split(images, classes, test_size=HELD_OUT, random_state=7, stratify=classes)

layers = tf.keras.layers
inputs = layers.Input((8, 8, 1), batch_size=1)
x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
x = layers.BatchNormalization()(x)
x = skip = layers.ReLU(6)(x)
x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
x = layers.BatchNormalization()(x)
x = layers.ReLU(6)(x)
x = layers.Conv2D(16, 1, use_bias=False)(x)
x = layers.BatchNormalization()(x)
x = layers.Add()([x, skip])
x = layers.MaxPooling2D(2)(x)
x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
x = layers.BatchNormalization()(x)
x = layers.ReLU(6)(x)
x = layers.GlobalAveragePooling2D(keepdims=True)(x)
x = layers.Flatten()(x)
outputs = layers.Dense(10, activation="softmax")(x)
one = tf.keras.Model(inputs, outputs)

# The same layers for batches of any size, for training.
many_inputs = layers.Input((8, 8, 1))
many = tf.keras.models.clone_model(one, input_tensors=many_inputs)
many.compile(optimizer=tf.keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
many.fit(train_x, train_y, epochs=60, batch_size=64, verbose=2, validation_data=(test_x, test_y))
one.set_weights(many.get_weights())

converter = tf.lite.TFLiteConverter.from_keras_model(one)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
converter.representative_dataset = lambda: ([sample[None]] for sample in train_x)
model = converter.convert()
with open("digits.tflite", "wb") as file:
    file.write(model)

interpreter = tf.lite.Interpreter(model_content=model)
interpreter.allocate_tensors()
entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
scale, zero = entry["quantization"]
quantized = np.clip(np.round(test_x / scale) + zero, -128, 127).astype(np.int8)
right = 0
for sample, wanted in zip(quantized, test_y):
    interpreter.set_tensor(entry["index"], sample[None])
    interpreter.invoke()
    right += int(np.argmax(interpreter.get_tensor(result["index"])) == wanted)
print(f"{len(model)} bytes, {right} of {HELD_OUT} right")

with open("images.h", "w", encoding="ascii") as file:
    file.write("/* Held-out pictures of digits.tflite, made by train.py: 8x8 pixels, quantized as the model's input. */\n")
    file.write("#include <stdint.h>\n\n")
    file.write(f"enum {{ IMAGE_COUNT = {HELD_OUT}, IMAGE_BYTES = 64 }};\n\nstatic const int8_t images[IMAGE_COUNT][IMAGE_BYTES] = {{\n")
    for sample in quantized:
        file.write("    {" + ",".join(str(v) for v in sample.ravel()) + "},\n")
    file.write("};\n\nstatic const uint8_t classes[IMAGE_COUNT] = {\n")
    for i in range(0, HELD_OUT, 40):
        file.write("    " + ",".join(str(v) for v in test_y[i : i + 40]) + ",\n")
    file.write("};\n")

with open("digits_float.tflite", "wb") as file:
    file.write(tf.lite.TFLiteConverter.from_keras_model(one).convert())
np.save("calibration.npy", train_x[:100].astype(np.float16))  # sixteenths: half floats are exact
np.save("held_out.npy", test_x.astype(np.float16))
with open("held_out.txt", "w", encoding="ascii") as file:
    file.writelines(f"{wanted}\n" for wanted in test_y)
