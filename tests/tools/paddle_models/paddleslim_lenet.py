"""paddleslim_lenet.py: trains a LeNet on scikit-learn's handwritten digits with PaddlePaddle, and quantizes it with PaddleSlim.

    paddleslim_lenet.py FOLDER      exit 77 with a reason where PaddlePaddle, PaddleSlim or scikit-learn are not here

FOLDER/pictures.npy, classes.npy   the held-out pictures, 1x28x28 each, and their classes
FOLDER/EXPORT/m.pdmodel, .pdiparams   for each export that PaddleSlim could make
FOLDER/EXPORT/best.npy             the class that PaddlePaddle's run of the export decides on, of each picture
FOLDER/EXPORT/names.txt, tNNNN.bin, in0.bin   all that it computes of the first picture, as eval_ops reads it
FOLDER/failed.txt                  a line for each export that fails within PaddleSlim: its name, and the reason

The exports: quantization-aware training with PaddleSlim's default configuration (qat), the same with PACT on activations (pact),
quantization after training with thresholds of Kullback-Leibler divergence by layers (kl), and of the program (kl_program).  Nothing of
PaddleSlim or PaddlePaddle is changed.  About a minute on one core; seeds are fixed."""
import os
import sys
import zlib  # noqa: F401: in front of paddle, whose own copy would be taken otherwise

try:
    import numpy as np
    import paddle
    import paddleslim
    from paddleslim.dygraph.quant import PTQ, QAT
    from sklearn.datasets import load_digits
except ImportError as missing:
    print(missing)
    sys.exit(77)

HELD_OUT = 297
CALIBRATION = 64  # pictures
INPUT = "x"


class LeNet(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        nn = paddle.nn
        self.features = nn.Sequential(
            nn.Conv2D(1, 6, 3, padding=1), nn.BatchNorm2D(6), nn.ReLU(), nn.MaxPool2D(2, 2),
            nn.Conv2D(6, 16, 5), nn.BatchNorm2D(16), nn.ReLU6(), nn.MaxPool2D(2, 2))
        self.classifier = nn.Sequential(nn.Linear(400, 120), nn.LeakyReLU(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
                                        nn.Softmax())

    def forward(self, x):
        return self.classifier(paddle.flatten(self.features(x), 1))


class Pictures(paddle.io.Dataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __getitem__(self, index):
        return (self.images[index],)

    def __len__(self):
        return len(self.images)


def digits():
    """Pictures of 28x28, 0 to 1, each pixel of the 8x8 thrice; (train, classes, held out, classes)"""
    images, classes = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8).repeat(3, axis=2).repeat(3, axis=3).astype(np.float32) / 16
    images = np.pad(images, [(0, 0), (0, 0), (2, 2), (2, 2)])
    order = np.random.default_rng(7).permutation(len(images))
    images, classes = images[order], classes[order].astype(np.int64)
    return images[HELD_OUT:], classes[HELD_OUT:], images[:HELD_OUT], classes[:HELD_OUT]


def train(model, images, classes, epochs, rate):
    model.train()
    optimizer = paddle.optimizer.Adam(rate, parameters=model.parameters())
    order = np.random.default_rng(1)
    for _ in range(epochs):
        for batch in np.array_split(order.permutation(len(images)), len(images) // 50):
            probabilities = model(paddle.to_tensor(images[batch]))
            loss = paddle.nn.functional.nll_loss(paddle.log(probabilities + 1e-7), paddle.to_tensor(classes[batch]))
            loss.backward()
            optimizer.step()
            optimizer.clear_grad()
    model.eval()


def spec():
    return [paddle.static.InputSpec([None, 1, 28, 28], "float32", INPUT)]


# ---- Exports: each leaves m.pdmodel and m.pdiparams in the folder ----

def trained_copy(weights):
    model = LeNet()
    model.set_state_dict(weights)
    model.eval()
    return model


def aware(weights, images, classes, folder, config=None):
    quantizer = QAT(config=config)
    model = quantizer.quantize(trained_copy(weights))
    train(model, images, classes, 2, 2e-4)
    quantizer.save_quantized_model(model, os.path.join(folder, "m"), input_spec=spec())


def pact(weights, images, classes, folder):
    aware(weights, images, classes, folder, {"activation_preprocess_type": "PACT"})


def kl(weights, images, _, folder):
    quantizer = PTQ()
    model = quantizer.quantize(trained_copy(weights))
    for image in images[:CALIBRATION:4]:
        model(paddle.to_tensor(image[None]))
    quantizer.save_quantized_model(model, os.path.join(folder, "m"), input_spec=spec())


def kl_program(weights, images, _, folder):
    paddle.jit.save(trained_copy(weights), os.path.join(folder, "real"), input_spec=spec())
    paddle.enable_static()
    entry = paddle.static.data(INPUT, [None, 1, 28, 28])
    loader = paddle.io.DataLoader(Pictures(images[:CALIBRATION]), feed_list=[entry], places=paddle.CPUPlace(),
                                  return_list=False, batch_size=4)
    paddleslim.quant.quant_post_static(
        paddle.static.Executor(paddle.CPUPlace()), folder, folder, model_filename="real.pdmodel", params_filename="real.pdiparams",
        save_model_filename="m.pdmodel", save_params_filename="m.pdiparams", data_loader=loader, algo="KL")


# ---- What PaddlePaddle makes of an export ----

def run_export(folder, pictures):
    paddle.enable_static()
    executor, scope = paddle.static.Executor(paddle.CPUPlace()), paddle.static.Scope()
    with paddle.static.scope_guard(scope):
        program, (feed,), (fetched,) = paddle.static.load_inference_model(os.path.join(folder, "m"), executor)
        best = executor.run(program, feed={feed: pictures}, fetch_list=[fetched])[0].argmax(1)
        np.save(os.path.join(folder, "best.npy"), best)
        dump(program, lambda names: executor.run(program, feed={feed: pictures[:1]}, fetch_list=names), folder)
    pictures[:1].tofile(os.path.join(folder, "in0.bin"))
    paddle.disable_static()
    return best


def dump(program, run, folder):
    block = program.global_block()
    # what quantize_linear makes are numbers of steps, where qcc keeps the values that they stand for
    written = [name for op in block.ops if op.type not in ("feed", "fetch", "quantize_linear") for name in op.output_arg_names]
    names = [name for name in dict.fromkeys(written) if written.count(name) == 1 and not block.var(name).persistable and
             block.var(name).shape and block.var(name).dtype == paddle.float32 and 0 not in block.var(name).shape]
    values = dict(zip(names, run(names)))
    with open(os.path.join(folder, "names.txt"), "w", encoding="utf-8") as out:
        for index, (name, value) in enumerate(values.items()):
            out.write(f"{index}\t{name}\t{'x'.join(map(str, value.shape))}\n")
            np.ascontiguousarray(value).tofile(os.path.join(folder, f"t{index:04d}.bin"))


def main():
    folder = sys.argv[1]
    paddle.seed(7)
    images, classes, pictures, right = digits()
    np.save(os.path.join(folder, "pictures.npy"), pictures)
    np.save(os.path.join(folder, "classes.npy"), right)
    model = LeNet()
    train(model, images, classes, 6, 2e-3)
    weights = model.state_dict()
    failed = open(os.path.join(folder, "failed.txt"), "w", encoding="utf-8")
    for export in (aware, pact, kl, kl_program):
        name = "qat" if export is aware else export.__name__
        path = os.path.join(folder, name)
        os.makedirs(path)
        try:
            export(weights, images, classes, path)
        except Exception as error:  # PaddleSlim's, of any kind
            failed.write(f"{name}: {(str(error).strip() or repr(error)).splitlines()[-1]}\n")
            paddle.disable_static()
            continue
        best = run_export(path, pictures)
        print(f"{name}: {(best == right).sum()} of {len(right)} right", flush=True)
    failed.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
