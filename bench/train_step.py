#!/usr/bin/env python3
"""What a step of training takes, beside PyTorch on the same CPU: ResNet-20 and MobileNetV1 0.25, as tables in Markdown.

    train_step.py QCC-TUNE --models=DIR [--rounds=3] [--threads=2] [--batch=32]

DIR has resnet20_cifar.tflite and mbv1_025_128.tflite; samples are random.  Contenders take turns, a few steps each, so that what
else the machine does disturbs all of them; each figure is the median, and the least, of all steps in milliseconds.  PyTorch trains
the same layers, with batch norms in the convolutions as the files have them: cross entropy, Adam, tensors in its usual order
of channels and channels last.  Of qcc-tune a step is what lies between two of its lines, so batches, weights and ranges are in it."""
import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    torch = None

WARM = 3
MODELS = {"resnet20_cifar": (32, 10, 20), "mbv1_025_128": (128, 1001, 10)}  # extent, classes, steps of a turn
TUNED = {"real": ["--quantize=none"], "moving average": ["--effort=0", "--activation-quantize=moving-average"],
         "lsq": ["--effort=0", "--activation-quantize=lsq"]}


def resnet20():
    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
            self.beside = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x):
            return F.relu(self.second(F.relu(self.first(x))) + self.beside(x))
    blocks = [Block(*row) for row in [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2]
    return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def mobilenet():
    layers, inputs = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6()], 8
    for outputs, stride in [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)] + [(128, 1)] * 5 + [(256, 2), (256, 1)]:
        layers += [nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs), nn.ReLU6(), nn.Conv2d(inputs, outputs, 1), nn.ReLU6()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 1001))


def torch_steps(name, last, options):
    extent, classes, steps = MODELS[name]
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    order = torch.channels_last if last else torch.contiguous_format
    model = (resnet20() if name == "resnet20_cifar" else mobilenet()).to(memory_format=order)
    x = torch.randn(options.batch, 3, extent, extent).to(memory_format=order)
    y = torch.randint(0, classes, (options.batch,))
    adam, times = torch.optim.Adam(model.parameters(), 1e-4), []
    for _ in range(WARM + steps):
        begin = time.perf_counter()
        adam.zero_grad()
        F.cross_entropy(model(x), y).backward()
        adam.step()
        times.append(time.perf_counter() - begin)
    return times[WARM:]


def qcc_steps(name, arguments, options, folder):
    command = [options.tune, f"{options.models}/{name}.tflite", f"--data={folder}/{name}.npy", f"--labels={folder}/{name}.txt",
               f"--batch={options.batch}", f"--threads={options.threads}", f"--epochs={(WARM + MODELS[name][2]) // 2 + 1}", "--lr=0.00001",
               "--validation=0", "--validate-every=1", "--no-header", "-o", f"{folder}/{name}.qir", *arguments]
    if "--quantize=none" not in arguments:
        command.append(f"--calib={folder}/{name}.npy")
    times = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("step "):
                times.append(time.perf_counter())
    if process.returncode:
        raise SystemExit(" ".join(command))
    return [b - a for a, b in zip(times, times[1:])][WARM:]


def write_samples(options, folder):
    """Two batches of each model's."""
    rng = np.random.default_rng(0)
    for name, (extent, classes, _) in MODELS.items():
        np.save(f"{folder}/{name}.npy", rng.normal(0, 0.5, (2 * options.batch, extent, extent, 3)).astype(np.float32))
        Path(f"{folder}/{name}.txt").write_text("\n".join(map(str, rng.integers(0, classes, 2 * options.batch))) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tune")
    parser.add_argument("--models", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        write_samples(options, folder)
        for _ in range(options.rounds):
            for name in MODELS:
                for kind, arguments in TUNED.items():
                    times.setdefault((name, "qcc-tune, " + kind), []).extend(qcc_steps(name, arguments, options, folder))
                for kind, last in (("PyTorch", False), ("PyTorch, channels last", True)) if torch else ():
                    times.setdefault((name, kind), []).extend(torch_steps(name, last, options))
    print("| model | | median, ms | least, ms | steps |\n|---|---|---|---|---|")
    for (name, kind), all_of in times.items():
        print(f"| {name} | {kind} | {1e3 * statistics.median(all_of):.1f} | {1e3 * min(all_of):.1f} | {len(all_of)} |")


main()
