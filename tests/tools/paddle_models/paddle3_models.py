"""paddle3_models.py: programs that PaddlePaddle 3 saves (.json), and what it makes of random inputs.

    paddle3_models.py FOLDER               a folder for each model of MODELS: m.json, m.pdiparams, inN.npy, outN.npy; exit 77 with a reason
                                           where there is no PaddlePaddle 3
    paddle3_models.py --data FOLDER        tests/data/paddle/functions.json: the model `functions`, without what nobody reads, to be small
"""
import json
import os
import sys
import zlib  # noqa: F401: in front of paddle, whose own copy would be taken otherwise

try:
    import numpy as np
    import paddle
    import paddle.nn.functional as F
    from paddle.quantization import PTQ, QAT, QuantConfig
    from paddle.quantization.observers import AbsmaxObserver
    from paddle.quantization.quanters import FakeQuanterWithAbsMaxObserver
    from paddle.vision.models import mobilenet_v3_small
    if int(paddle.__version__.split(".")[0]) < 3:
        raise ImportError(f"PaddlePaddle {paddle.__version__} saves no .json")
except ImportError as missing:
    print(missing)
    sys.exit(77)

nn = paddle.nn


class LeNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2D(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2D(2, 2), nn.Conv2D(6, 16, 5), nn.BatchNorm2D(16),
                                      nn.ReLU(), nn.MaxPool2D(2, 2))
        self.classifier = nn.Sequential(nn.Linear(400, 120), nn.Linear(120, 84), nn.Dropout(0.2), nn.Linear(84, 10), nn.Softmax())

    def forward(self, x):
        return self.classifier(paddle.flatten(self.features(x), 1))


class Layers(nn.Layer):
    """Operators that have parameters, on [1, 3, 8, 8] and indices [1, 3]."""

    def __init__(self):
        super().__init__()
        self.conv, self.deconv = nn.Conv2D(3, 8, 3, padding=1), nn.Conv2DTranspose(8, 8, 2, stride=2)
        self.prelu, self.group, self.instance = nn.PReLU(8), nn.GroupNorm(2, 8), nn.InstanceNorm2D(8)
        self.norm, self.table = nn.LayerNorm(16), nn.Embedding(10, 4)

    def forward(self, x, ids):
        y = self.instance(self.group(self.prelu(self.conv(x))))
        y = F.interpolate(self.deconv(y), size=[16, 16], mode="bilinear")
        y = F.interpolate(y, scale_factor=0.5, mode="nearest")
        y = F.adaptive_avg_pool2d(F.avg_pool2d(F.pad(y, [1, 1, 1, 1]), 2, 2), 4)
        return self.norm(y.reshape([-1, 16])), self.table(ids), F.one_hot(ids, 10)


class Functions(nn.Layer):
    """Operators that have none, on [1, 8, 4, 4]."""

    def forward(self, x):
        a, b = paddle.split(x, 2, axis=1)
        d, e, f = paddle.split(paddle.concat([b, a], axis=1), [2, 2, 4], axis=1)
        y = paddle.clip(paddle.concat([d, e, f], 1)[:, 1:5] * 2.0 + 1.0, -1, 1.5)
        s, most = paddle.sum(y, axis=1), paddle.max(y, axis=[1])
        z = paddle.unsqueeze(paddle.squeeze(paddle.mean(y, axis=[2, 3], keepdim=True), [2, 3]), [1])
        z = paddle.stack([paddle.tile(paddle.transpose(z, [0, 2, 1]), [1, 1, 3])] * 2, axis=0)
        s = F.gelu(s) + F.silu(most) + F.softplus(s) - F.elu(s) * F.leaky_relu(s) + F.hardswish(s) + F.hardsigmoid(s) + F.mish(s)
        s = s + paddle.pow(s, 2.0) / 3.0
        values, places = paddle.topk(s, 2, axis=-1)
        w = paddle.where(s > 0.5, s, most)
        shaped = paddle.expand(paddle.reshape(w, [paddle.shape(w)[0], 16]), [3, -1])
        picked = paddle.gather(w, paddle.to_tensor([1, 0]), axis=1)
        return (z, values, places, paddle.argmax(s, axis=1), paddle.cumsum(w, axis=1), paddle.flip(w, [1]), w[:, ::2], shaped, picked,
                paddle.cast(w > 0, "float32"), F.softmax(w, -1), paddle.bmm(w, w), paddle.mean(x), F.pixel_shuffle(x, 2),
                paddle.unbind(w, 1)[2])


class Boxes(nn.Layer):
    """What makes boxes, on [1, 21, 3, 4], image sizes [1, 2] and deltas [5, 6, 4]."""

    def forward(self, x, sizes, deltas):
        ops = paddle.vision.ops
        boxes, scores = ops.yolo_box(x, sizes, [10, 13, 16, 30, 33, 23], 2, 0.3, 32)
        priors, variances = ops.prior_box(x, F.interpolate(x, scale_factor=10), [4.0], [9.0], [2.0], flip=True)
        known = paddle.reshape(priors, [-1, 4])[:6]
        return boxes, scores, priors, ops.box_coder(known, [0.1, 0.1, 0.2, 0.2], deltas, "decode_center_size", axis=0)


class Recurrent(nn.Layer):
    """Layers that carry a state, on [2, 5, 8]."""

    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTM(8, 6, num_layers=2, direction="bidirect"), nn.GRU(8, 6), nn.SimpleRNN(8, 6)

    def forward(self, x):
        (a, (h, c)), (b, g), (d, _) = self.lstm(x), self.gru(x), self.rnn(x)
        return a, h, c, b, g, d


class Chosen(nn.Layer):
    """Branches, on [2, 3, 4, 4] and [1]: what the first input decides, and what is decided here; one within the other."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 3, 1)

    def forward(self, x, n):
        if paddle.mean(x) > 0.0:
            y = self.conv(x)
            z = y + 1.0
        else:
            y = x - 1.0
            if paddle.max(n) > 4:
                z = paddle.exp(x)
            else:
                z = paddle.abs(x)
        if paddle.full([1], 3) > 2:
            y = y * 2.0
        return F.relu(y), z


class Repeated(nn.Layer):
    """Loops whose passes can be counted, on [2, 4]."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        i, first, second = paddle.full([1], 0, "int64"), x, x + 1.0
        while i < 3:
            first, second = second, F.relu(self.linear(first)) + 1.0
            k = paddle.full([1], 4, "int64")
            while k > i:
                first, k = first * 0.5, k - 1
            i = i + 1
        return first, second, i


class Lists(nn.Layer):
    """One value of a list, on [2, 4, 3]."""

    def forward(self, x):
        parts = paddle.split(x, 4, axis=1)
        return parts[1] + parts[3]


class Layered(nn.Layer):
    """What is quantized, on [1, 3, 8, 8]."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.deep = nn.Conv2D(3, 8, 3, padding=1), nn.BatchNorm2D(8), nn.Conv2D(8, 8, 3, groups=8)
        self.pool, self.linear = nn.AdaptiveAvgPool2D(1), nn.Linear(8, 5)

    def forward(self, x):
        y = F.relu(self.deep(F.relu(self.norm(self.conv(x)))))
        return self.linear(paddle.flatten(self.pool(y), 1))


def trained():
    """With fake quantization, as training for it leaves it."""
    quanter = FakeQuanterWithAbsMaxObserver(moving_rate=0.9)
    model = QAT(QuantConfig(activation=quanter, weight=quanter)).quantize(Layered())
    for _ in range(3):
        model(paddle.randn([4, 3, 8, 8]))
    return model


def observed():
    """With scales that were observed after training: what comes of that does not run as a program in PaddlePaddle 3.3, which takes a
    scale of one number for one of each channel, but as a layer."""
    layer, observer = Layered(), AbsmaxObserver(quant_bits=8)
    layer.eval()
    quantization = PTQ(QuantConfig(activation=observer, weight=observer))
    model = quantization.quantize(layer)
    for _ in range(3):
        model(paddle.randn([4, 3, 8, 8]))
    return quantization.convert(model)


MODELS = {
    "trained": (trained, {"x": ([1, 3, 8, 8], "float32")}),
    "observed": (observed, {"x": ([1, 3, 8, 8], "float32")}),
    "recurrent": (Recurrent, {"x": ([2, 5, 8], "float32")}),
    "chosen": (Chosen, {"x": ([2, 3, 4, 4], "float32"), "n": ([1], "int64")}),
    "repeated": (Repeated, {"x": ([2, 4], "float32")}),
    "lists": (Lists, {"x": ([2, 4, 3], "float32")}),
    "lenet": (LeNet, {"x": ([None, 1, 28, 28], "float32")}),
    "mobilenet_v3": (mobilenet_v3_small, {"x": ([None, 3, 64, 64], "float32")}),
    "layers": (Layers, {"x": ([1, 3, 8, 8], "float32"), "ids": ([1, 3], "int64")}),
    "boxes": (Boxes, {"x": ([1, 21, 3, 4], "float32"), "sizes": ([1, 2], "int32"), "deltas": ([5, 6, 4], "float32")}),
    "functions": (Functions, {"x": ([1, 8, 4, 4], "float32")}),
}


def save(name, folder):
    make, inputs = MODELS[name]
    model = make()
    model.eval()
    spec = [paddle.static.InputSpec(shape, dtype, key) for key, (shape, dtype) in inputs.items()]
    paddle.jit.save(model, os.path.join(folder, "m"), input_spec=spec)
    return inputs, model


def run(name, folder, inputs, layer):
    """What the saved program gives, or, of `observed`, the layer."""
    model = layer if name == "observed" else paddle.jit.load(os.path.join(folder, "m"))
    arrays, random = [], np.random.default_rng(3)
    for shape, dtype in inputs.values():
        extents = [max(extent or 1, 1) for extent in shape]
        arrays.append(random.standard_normal(extents).astype(np.float32) if dtype == "float32" else random.integers(0, 9, extents).astype(dtype))
    results = model(*map(paddle.to_tensor, arrays))
    for prefix, values in (("in", arrays), ("out", results if isinstance(results, (list, tuple)) else [results])):
        for index, value in enumerate(values):
            np.save(os.path.join(folder, f"{prefix}{index}.npy"), np.asarray(value))


def write_data(folder):
    save("functions", folder)
    path = os.path.join(folder, "m.json")
    with open(path, encoding="utf-8") as file:
        program = json.load(file)
    os.remove(path)
    for op in program["program"]["regions"][0]["blocks"][0]["ops"]:
        op["A"] = [a for a in op["A"] if not (isinstance(a, dict) and a["N"] in ("struct_name", "place"))]
        op.pop("OA", None)
        for result in op["O"]:
            if result["TT"]["#"] == "0.t_dtensor":
                del result["TT"]["D"][2:]
    with open(os.path.join(folder, "functions.json"), "w", encoding="utf-8") as file:
        json.dump(program, file, separators=(",", ":"))
        file.write("\n")


def main():
    paddle.seed(7)
    if sys.argv[1] == "--data":
        write_data(sys.argv[2])
        return 0
    for name in MODELS:
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder)
        run(name, folder, *save(name, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
