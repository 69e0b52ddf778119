"""model_set.py: the models, their inputs and the images that the end-to-end tests use, where they are present."""

import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import tflite_reference  # noqa: E402

# The models that qcc has to compile: whole folders, and of the audio ones those by these names.
FOLDERS = ["imagenet", "inat", "cifar10", "mnist", "vww", "vision"]
AUDIO = ["arm_*", "mlperf_*", "moonshine_*", "silabs_*", "tflm_micro_speech*", "tflm_hello_world*", "tflm_dtln_lstm*"]


# Others that it compiles too: streaming models and some of other domains.
MORE = ["audio/mww_*", "audio/lyra_*", "audio/dtln_1_fp32", "audio/dtln_1_hybrid", "audio/torchaudio_*", "text/*", "transformer/*"]


def root():
    """The folder of the model set, or None."""
    here = os.path.dirname(os.path.abspath(__file__))
    for path in (os.environ.get("QCC_MODELS"), os.path.join(here, "..", "..", "..", "shared", "models"),
                 os.path.join(here, "..", "..", "..", "..", "shared", "models")):
        if path and os.path.exists(os.path.join(path, "MANIFEST.md")):
            return os.path.abspath(path)
    return None


def networks():
    found = []
    for folder in FOLDERS:
        found += glob.glob(os.path.join(root(), "tflite", folder, "*.tflite"))
    for pattern in AUDIO:
        found += glob.glob(os.path.join(root(), "tflite", "audio", pattern + ".tflite"))
    return sorted(found)


def more_networks():
    return sorted(sum([glob.glob(os.path.join(root(), "tflite", pattern + ".tflite")) for pattern in MORE], []))


def single_ops():
    return sorted(glob.glob(os.path.join(root(), "ops", "tflite", "*.tflite")))


def expected(path):
    """The description of the model's reference run, or None."""
    relative = os.path.relpath(path, root())
    file = os.path.join(root(), "expected", os.path.splitext(relative)[0] + ".json")
    if not os.path.exists(file):
        return None
    with open(file) as f:
        return json.load(f)


def bounds(path):
    """Upper bounds of integer inputs, {input: bound}."""
    e = expected(path)
    return {k: i["bound"] for k, i in enumerate(e["inputs"]) if i.get("bound")} if e else {}


def image_normalisation(path):
    """How a classifier wants its images, as the set's accuracies were measured: "pm1", "01", "torch"."""
    name = os.path.basename(path)
    return "torch" if "torch" in name else "01" if "tinymaix" in name else "pm1"


def image_files(count):
    import csv
    folder = os.path.join(root(), "images", "imagenet")
    with open(os.path.join(folder, "labels.tsv")) as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    return folder, rows[:: max(1, len(rows) // count)][:count]


def image_input(path, detail, normalisation):
    """An image as the model's input: centre 224 x 224, bilinear to the model's size, quantized as the model says."""
    import numpy as np
    from PIL import Image
    image = Image.open(path).convert("RGB")
    w, h = image.size
    image = image.crop(((w - 224) // 2, (h - 224) // 2, (w - 224) // 2 + 224, (h - 224) // 2 + 224))
    shape = [int(d) for d in detail["shape"]]
    planar = shape[1] == 3 and shape[3] != 3
    height, width = (shape[2], shape[3]) if planar else (shape[1], shape[2])
    x = np.asarray(image.resize((width, height), Image.BILINEAR), np.float32)
    if detail["dtype"] == np.uint8:
        y = x.astype(np.uint8)
    else:
        if normalisation == "pm1":
            x = (x - 127.5) / 127.5
        elif normalisation == "01":
            x = x / 255
        else:
            x = (x / 255 - np.array([0.485, 0.456, 0.406], np.float32)) / np.array([0.229, 0.224, 0.225], np.float32)
        y = x
        if detail["dtype"] == np.int8:
            scale, zero = detail["quantization"]
            y = np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)
    if planar:
        y = y.transpose(2, 0, 1)
    return np.ascontiguousarray(y[None])
