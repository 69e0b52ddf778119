"""tflite_reference.py: what TFLite itself computes, as .npy files.

    tflite_reference.py MODEL.tflite [--kernels=ref|opt|xnnpack] [--seed=N] [-i x.npy ...] [--steps=N]
                        [-o y.npy ...] [--inputs-to=DIR] [--dump=DIR]

Without -i, inputs are made by the rule of the model set (input k of step s has seed N + k + 1000 s; N is 1 unless
given).  --dump writes every tensor after the last run, as DIR/tTTTT.npy by tensor index, and DIR/ops.json.
As a module: Reference(path, kernels).run(inputs) -> outputs, and .tensor(i) for intermediate values.
"""

import argparse
import json
import os
import sys

try:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    MISSING = None
except ImportError as error:
    MISSING = str(error)


def available():
    """None, or the reason why the reference can't run here."""
    return MISSING


def hash32(count, seed):
    """The model set's generator: h(i) = fmix32(i * 0x9E3779B9 + seed * 0x85EBCA77 + 1), mod 2^32."""
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + np.uint64((seed * 0x85EBCA77 + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x85EBCA6B)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(13)
    x = (x * np.uint64(0xC2B2AE35)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return x


def made_input(dtype, shape, seed, bound=None):
    """float in [-1, 1); integers over the whole range; int32 and int64 below `bound` (default 16)."""
    dtype, shape = np.dtype(dtype), [int(d) for d in shape]
    h = hash32(int(np.prod(shape, dtype=np.int64)), seed)
    if dtype.kind == "f":
        v = ((h >> np.uint64(8)).astype(np.float64) / 8388608 - 1)
    elif dtype == np.uint8:
        v = h >> np.uint64(24)
    elif dtype == np.int8:
        v = (h >> np.uint64(24)).astype(np.int64) - 128
    elif dtype == np.int16:
        v = (h >> np.uint64(16)).astype(np.int64) - 32768
    elif dtype == np.bool_:
        v = h >> np.uint64(31)
    else:
        v = h % np.uint64(bound or 16)
    return v.astype(dtype).reshape(shape)


class Reference:
    """kernels: "ref" (reference kernels), "opt" (optimised ones without delegate), "xnnpack"."""

    def __init__(self, path, kernels="ref", keep=False, threads=1):
        resolver = {"ref": OpResolverType.BUILTIN_REF, "opt": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                    "xnnpack": OpResolverType.BUILTIN}[kernels]
        content = path if isinstance(path, bytes) else None
        if content is None:
            with open(path, "rb") as f:
                content = f.read()
        try:
            self.it = self.load(content, resolver, keep, threads)
        except (RuntimeError, ValueError) as refusal:
            try:
                import tflite_repair
                self.it = self.load(tflite_repair.repaired(content), resolver, keep, threads)
            except (ImportError, RuntimeError, ValueError, TypeError, AttributeError):
                raise refusal

    @staticmethod
    def load(content, resolver, keep, threads):
        it = Interpreter(model_content=content, num_threads=threads, experimental_op_resolver_type=resolver,
                         experimental_preserve_all_tensors=keep)
        it.allocate_tensors()
        return it

    def inputs(self):
        return self.it.get_input_details()

    def outputs(self):
        return self.it.get_output_details()

    def made_inputs(self, seed=1, step=0, bounds=None):
        return [made_input(d["dtype"], d["shape"], seed + k + 1000 * step, (bounds or {}).get(k))
                for k, d in enumerate(self.inputs())]

    def run(self, arrays):
        for d, a in zip(self.inputs(), arrays):
            self.it.set_tensor(d["index"], np.ascontiguousarray(a).reshape(d["shape"]))
        self.it.invoke()
        return self.results()

    def results(self):
        """Copies of the outputs of the last run."""
        return [self.it.get_tensor(d["index"]) for d in self.outputs()]

    def tensor(self, index):
        """A copy, or None where the runtime holds no data (optional, dead or resource tensors)."""
        try:
            return self.it.get_tensor(index)
        except ValueError:
            return None

    def ops(self):
        """[{index, op_name, inputs, outputs}], in order of the file unless a delegate took ops."""
        return self.it._get_ops_details()

    def tensors(self):
        return {d["index"]: d for d in self.it.get_tensor_details()}


def of_any_kernels(content):
    """With the reference kernels; of ELU, CEIL, ROUND and others there is but one kernel, which these lack."""
    try:
        return Reference(content)
    except ValueError:
        return Reference(content, "opt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--kernels", choices=["ref", "opt", "xnnpack"], default="ref")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("-i", dest="inputs", nargs="*")
    parser.add_argument("-o", dest="outputs", nargs="*")
    parser.add_argument("--inputs-to", metavar="DIR", help="write the made inputs there as inK.npy")
    parser.add_argument("--dump", metavar="DIR")
    a = parser.parse_args()
    if MISSING:
        print(f"skipped: {MISSING}")
        return 77
    ref = Reference(a.model, a.kernels, keep=a.dump is not None)
    for step in range(a.steps):
        arrays = [np.load(p) for p in a.inputs] if a.inputs else ref.made_inputs(a.seed, step)
        results = ref.run(arrays)
    if a.inputs_to:
        os.makedirs(a.inputs_to, exist_ok=True)
        for k, x in enumerate(arrays):
            np.save(os.path.join(a.inputs_to, f"in{k}.npy"), x)
    for path, y in zip(a.outputs or [], results):
        np.save(path, y)
    if a.dump:
        os.makedirs(a.dump, exist_ok=True)
        for index in ref.tensors():
            t = ref.tensor(index)
            if t is not None:
                np.save(os.path.join(a.dump, f"t{index:04d}.npy"), t)
        with open(os.path.join(a.dump, "ops.json"), "w") as f:
            json.dump([{"index": int(o["index"]), "op": o["op_name"], "inputs": [int(i) for i in o["inputs"]],
                        "outputs": [int(i) for i in o["outputs"]]} for o in ref.ops()], f, indent=1)
    if not a.outputs:
        for d, y in zip(ref.outputs(), results):
            print(d["name"], y.dtype, list(y.shape), y.reshape(-1)[:8])
    return 0


if __name__ == "__main__":
    sys.exit(main())
