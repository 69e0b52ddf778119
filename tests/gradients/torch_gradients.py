"""torch_gradients.py: the gradients that pass_gradients adds, against those of torch's autograd, in double.

Protects: that a rule and the function that gradients.py takes differences of are not wrong alike: what an op is, and its slope where there
is more than one (of equal elements, at the borders of clamps), is here what torch says.

    torch_gradients.py GRADIENT_GRAPH QCC_RUN [PATTERN]           exit 77 without torch or numpy
"""
import fnmatch
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

import torch_cases  # noqa: E402
from graph import Graph  # noqa: E402
from harness import Failed, gradients_of, is_near, scale_of  # noqa: E402

ROUNDS = 2  # of other numbers, and where a case draws them other shapes


class TorchGraph(Graph):
    """Values are tensors, and remember how they were computed."""

    def input(self, *arguments, **named):
        v = super().input(*arguments, **named)
        _, _, fixed = self.inputs[-1]
        self.values[v.number] = torch.tensor(self.values[v.number], requires_grad=not fixed)
        return v

    def constant(self, *arguments):
        v = super().constant(*arguments)
        self.values[v.number] = torch.tensor(self.values[v.number])
        return v

    def gradients(self):
        wanted = [self.values[v.number] for v, _, fixed in self.inputs if not fixed]
        found = torch.autograd.grad(self.values[self.output.number], wanted, allow_unused=True)
        return [np.zeros(v.shape) if by is None else by.numpy() for v, by in zip(wanted, found)]


def check(name, graph, folder, programs):
    try:
        found, expected = gradients_of(graph, "interpreted", folder, programs)[1:], graph.gradients()
    except Failed as e:
        return [f"{name}: {e}"]
    wrong, least = [], scale_of(found)
    for i, (got, want) in enumerate(zip(found, expected)):
        bad = np.argwhere(~is_near(got, want, 1, max(abs(want).max(initial=0), least)))
        if len(bad):
            at = tuple(bad[0])
            wrong.append(f"{name}, input {i}, {len(bad)} of {got.size} elements, {at}: {got[at]:.6g}, torch has {want[at]:.6g}")
    return wrong


def main():
    programs, pattern = sys.argv[1:3], sys.argv[3] if len(sys.argv) > 3 else "*"
    wrong, count = [], 0
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for k, (name, build) in enumerate(torch_cases.all_cases()):
                if not fnmatch.fnmatch(name, pattern):
                    continue
                graph = TorchGraph(np.random.default_rng([number, k]))
                graph.loss(build(graph))
                wrong += check(name, graph, folder, programs)
                count += 1
    print("\n".join(wrong))
    print(f"{count} cases, {len(wrong)} wrong")
    sys.exit(bool(wrong) or not count)


main()
