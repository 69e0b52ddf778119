"""speech.py: models that PyPI's packages silero-vad and openwakeword carry, against ONNX Runtime.

Protects: a voice detector whose sampling rate an input says, with --input-value; its other exports; melspectrogram, embedding and wake
words.  Chunks follow each other, and what a model carries from one to the next is given back to it: to 1e-4 of the largest number, or
of 1.

    speech.py --qcc=PATH --qcc-run=PATH       (exit 77 without onnxruntime, and where Python finds neither package)
"""
import argparse
import glob
import importlib.util
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

CHUNKS, TOLERANCE = 8, 1e-4
CARRIED = {"state": "stateN", "h": "hn", "c": "cn"}  # inputs, and the results that are the next ones


def shapes(**extents):
    return [f"--input-shape={name}:{extent}" for name, extent in extents.items()]


DETECTORS = {  # file: (options, samples of a chunk, sampling rate)
    "silero_vad.onnx": [(shapes(input="1x576", state="2x1x128"), 576, 16000), (shapes(input="1x288", state="2x1x128"), 288, 8000)],
    "silero_vad_half.onnx": [(shapes(sequence=576, batch=1), 576, 16000)],
    "silero_vad_16k_op15.onnx": [(shapes(sequence=576, batch=1), 576, 16000)],
    "silero_vad_op18_ifless.onnx": [(shapes(sequence=576, batch=1), 576, 16000)],
    "silero_vad_openvino_16k.onnx": [([], 576, 16000)],
}


def data_of(package, *folder):
    """Files of a package, which is not imported: it may need others."""
    spec = importlib.util.find_spec(package)
    roots = list(spec.submodule_search_locations or []) if spec else []
    return [path for root in roots for path in sorted(glob.glob(os.path.join(root, *folder, "*.onnx")))]


class Model:
    def __init__(self, programs, folder, path, options, known):
        self.programs, self.known, self.folder = programs, known, folder
        self.theirs = onnxruntime.InferenceSession(path)
        self.library = os.path.join(self.folder, "m.so")
        values = [f"--input-value={name}:{value}" for name, value in known.items()]
        subprocess.run([programs.qcc, path, *options, *values, "-o", self.library], check=True)

    def ours(self, feeds):
        command = [self.programs.qcc_run, self.library]
        for name, value in feeds.items():
            np.save(os.path.join(self.folder, f"{name}.npy"), value)
            command += ["-i", os.path.join(self.folder, f"{name}.npy")]
        results = [os.path.join(self.folder, f"out{i}.npy") for i in range(len(self.theirs.get_outputs()))]
        subprocess.run(command + [word for path in results for word in ("-o", path)], check=True)
        return [np.load(path) for path in results]

    def worst(self, feeds_of):
        """Of all chunks, what is carried of ours being ours."""
        names, results = [i.name for i in self.theirs.get_inputs()], [o.name for o in self.theirs.get_outputs()]
        kept, worst = [{}, {}], 0
        for chunk in range(CHUNKS):
            feeds = feeds_of(chunk)
            given = [{name: mine.get(name, feeds[name]) for name in names} for mine in kept]
            both = [self.theirs.run(None, given[0]), self.ours({k: v for k, v in given[1].items() if k not in self.known})]
            for a, b in zip(*both):
                worst = max(worst, np.abs(a - b).max() / max(1, np.abs(a).max()))
            kept = [{name: made[results.index(next_one)] for name, next_one in CARRIED.items() if next_one in results and name in names}
                    for made in both]
        return worst


def voice(samples, rate):
    random = np.random.default_rng(1)

    def feeds(chunk):
        time = np.arange(chunk * samples, (chunk + 1) * samples)
        sound = np.sin(time * 0.05 * (1 + chunk % 3)) * random.uniform(0, 0.8) + random.standard_normal(samples) * 0.05
        return {"input": sound.astype(np.float32)[None], "sr": np.array(rate), "state": np.zeros((2, 1, 128), np.float32)}
    return feeds


def noise(path, shape_of, low, high):
    random = np.random.default_rng(2)
    inputs = onnxruntime.InferenceSession(path).get_inputs()
    return lambda chunk: {i.name: random.uniform(low, high, shape_of(i)).astype(np.float32) for i in inputs}


def trials(detectors, words):
    """(file, options, inputs that are known, feeds of a chunk)"""
    for path in detectors:
        for options, samples, rate in DETECTORS.get(os.path.basename(path), []):
            known = {"sr": rate} if os.path.basename(path) == "silero_vad.onnx" else {}
            yield path, options, known, voice(samples, rate)
    for path in words:
        name = os.path.basename(path)
        if name == "melspectrogram.onnx":
            yield path, shapes(samples=1760), {}, noise(path, lambda i: (1, 1760), -3000, 3000)
        elif name != "silero_vad.onnx":
            yield path, [], {}, noise(path, lambda i: [d if isinstance(d, int) else 1 for d in i.shape], -10, 30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qcc", default=os.environ.get("QCC"))
    parser.add_argument("--qcc-run", default=os.environ.get("QCC_RUN"))
    programs = parser.parse_args()
    detectors, words = data_of("silero_vad", "data"), data_of("openwakeword", "resources", "models")
    if not detectors and not words:
        print("skipped: neither silero_vad nor openwakeword is installed")
        return 77
    bad = 0
    for path, options, known, feeds in trials(detectors, words):
        with tempfile.TemporaryDirectory() as folder:
            worst = Model(programs, folder, path, options, known).worst(feeds)
        bad += not worst <= TOLERANCE
        print(f"{os.path.basename(path)} {' '.join(options)}: {worst:.2g}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
