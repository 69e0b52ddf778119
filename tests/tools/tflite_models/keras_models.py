"""keras_models.py: recurrent networks of Keras as TensorFlow's converter writes them, and what Keras makes of random inputs.

    keras_models.py FOLDER       NAME.tflite, NAME.in.npy, NAME.out.npy for each of NETS, and lists.tflite, which has lists of tensors;
                                 exit 77 with a reason where there is no TensorFlow

Keras 3 exports a layer as a loop, or written out; Keras 2 (the package tf_keras, where it is there) an LSTM as one operator.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
try:
    import numpy as np
    import tensorflow as tf
except ImportError as missing:
    print(missing)
    sys.exit(77)
try:
    import tf_keras
except ImportError:
    tf_keras = None


def net(keras, *layers, shape=(6, 5), batch=1):
    x = given = keras.Input(shape, batch_size=batch)
    for layer in layers:
        x = layer(x)
    return keras.Model(given, x)


def layers_of(keras):
    L = keras.layers
    return {
        "lstm": lambda: net(keras, L.LSTM(7, return_sequences=True), L.Dense(3)),
        "lstm_unrolled": lambda: net(keras, L.LSTM(7, unroll=True), L.Dense(3)),
        "lstm_stacked": lambda: net(keras, L.LSTM(7, return_sequences=True), L.LSTM(5), batch=2),
        "lstm_both": lambda: net(keras, L.Bidirectional(L.LSTM(4, return_sequences=True)), L.Dense(3)),
        "gru": lambda: net(keras, L.GRU(7), L.Dense(3)),
        "gru_unrolled": lambda: net(keras, L.Bidirectional(L.GRU(4, unroll=True))),
        "gru_before": lambda: net(keras, L.GRU(7, reset_after=False)),
        "rnn": lambda: net(keras, L.SimpleRNN(7)),
    }


NETS = {name: (tf.keras, make) for name, make in layers_of(tf.keras).items()}
if tf_keras:
    NETS.update((f"old_{name}", (tf_keras, make)) for name, make in layers_of(tf_keras).items() if name.startswith("lstm"))


def write_lists(folder):
    converter = tf.lite.TFLiteConverter.from_keras_model(layers_of(tf.keras)["gru"]())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    converter._experimental_lower_tensor_list_ops = False
    with open(os.path.join(folder, "lists.tflite"), "wb") as file:
        file.write(converter.convert())


def main(folder):
    for name, (keras, make) in NETS.items():
        keras.utils.set_random_seed(5)
        model = make()
        x = np.random.default_rng(4).standard_normal(model.input_shape).astype(np.float32)
        with open(os.path.join(folder, f"{name}.tflite"), "wb") as file:
            file.write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        np.save(os.path.join(folder, f"{name}.in.npy"), x)
        np.save(os.path.join(folder, f"{name}.out.npy"), model(x).numpy())
    write_lists(folder)


if __name__ == "__main__":
    main(sys.argv[1])
