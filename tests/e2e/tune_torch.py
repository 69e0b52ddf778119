"""Protects --batch-norms=train: steps of stochastic gradient descent on a network with batch norms, in real numbers, come to the same
weights and biases as torch's in double, the norms folded by a moving average of the batches' statistics."""
import ast
import re
import sys

try:
    import numpy as np
    import torch
    from torch.nn import functional
except ImportError:
    print("skipped: Python has no torch")
    sys.exit(77)

import tune_norms
from common import QCC_TUNE, Case, main

STEPS, RATE, LAYERS, EPSILON, KEPT = 4, 0.2, 3, 1e-5, 0.9


def constants(text):
    """By name, in double."""
    found = {}
    for name, extents, value in re.findall(r"const (%\w+):f32<([\dx]+)>.*? = (.*)", text):
        shape = [int(n) for n in extents.split("x")]
        if value.startswith("dense"):
            numbers = np.frombuffer(bytes.fromhex(value[len("dense<0x"):-1]), "<f4")
        else:
            numbers = np.full(shape, float(value.split()[1])) if value.startswith("splat") else np.array(ast.literal_eval(value))
        found[name] = numbers.reshape(shape).astype(np.float64)
    return found


class Network:
    """tune_norms.network in torch."""

    def __init__(self, given):
        def learned(array):
            return torch.tensor(array, requires_grad=True)

        self.weights = [learned(given[f"%w{i}"].transpose(0, 3, 1, 2)) for i in range(LAYERS)]
        self.gamma = [learned(given["%one"]) for _ in range(LAYERS)]
        self.beta = [learned(given["%zero"]) for _ in range(LAYERS)]
        self.last = [learned(given["%w"]), learned(given["%b"])]
        self.sums = [np.stack([given["%zero"], given["%one"]]) for _ in range(LAYERS)]
        self.weight = 1.0

    def step(self, x, labels):
        for i in range(LAYERS):
            z = functional.conv2d(x, self.weights[i], padding=1)
            seen = torch.stack([z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)]).detach().numpy()
            self.sums[i] = KEPT * self.sums[i] + seen
            x = functional.relu(functional.batch_norm(z, None, None, self.gamma[i], self.beta[i], training=True, eps=EPSILON))
        functional.cross_entropy(x.mean((2, 3)) @ self.last[0].T + self.last[1], labels).backward()
        self.weight = KEPT * self.weight + 1
        with torch.no_grad():
            for p in self.weights + self.gamma + self.beta + self.last:
                p -= RATE * p.grad
                p.grad = None

    def folded(self, i):
        mean, variance = self.sums[i] / self.weight
        k = self.gamma[i].detach().numpy() / np.sqrt(variance + EPSILON)
        return self.weights[i].detach().numpy().transpose(0, 2, 3, 1) * k[:, None, None, None], self.beta[i].detach().numpy() - k * mean


class TuneTorch(Case):
    def test_steps(self):
        model, output = self.folder / "given.qir", self.folder / "trained.qir"
        tune_norms.LAYERS = LAYERS
        model.write_text(tune_norms.network(True), encoding="utf-8")
        self.fine(QCC_TUNE, model, *tune_norms.SAMPLES, "--quantize=none", "--batch-norms=train", "--optimizer=sgd", "--momentum=0",
                  "--schedule=constant", f"--lr={RATE}", "--batch=300", "--validation=0", f"--epochs={STEPS}", "-o", output)
        given, text = constants(model.read_text(encoding="utf-8")), output.read_text(encoding="utf-8")
        trained = constants(text)
        pictures = torch.tensor(np.array(tune_norms.pictures(), np.float64).reshape(-1, 1, 8, 8))
        labels = torch.tensor([int(n) for n in (tune_norms.DIGITS / "held_out.txt").read_text(encoding="ascii").split()])
        network = Network(given)
        for _ in range(STEPS):
            network.step(pictures, labels)
        expected = [network.folded(i) for i in range(LAYERS)] + [[p.detach().numpy() for p in network.last]]
        names = re.findall(r"= (?:conv2d|fully_connected) %\w+, (%\d+), (%\d+)", text)
        self.assertEqual(len(names), len(expected))
        for pair, wanted in zip(names, expected):
            for name, numbers in zip(pair, wanted):
                self.assertLess(abs(trained[name] - numbers).max(), 1e-4 * abs(numbers).max(), name)  # sums of floats, over four steps


if __name__ == "__main__":
    main()
