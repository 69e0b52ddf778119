#!/usr/bin/env python3
"""Paddle Lite models (.nb) against outputs that were computed independently.

    nb_expected.py QCC_RUN [--only=TEXT]      exit 77 where the model set is not

Protects: the importer's operators, layouts, variables and quantization (docs/paddle.md).

The models and outputs lie in ../shared/models, beside the tree; without them the test is skipped.  Inputs are made from a
hash of their index.  Outputs must agree to TIGHT of their largest magnitude: the importer follows Paddle Lite's rounding
(ties away from zero, -127…127, real biases), so quantized models have the same integers everywhere, and what is left are
sums of floats in another order."""
import glob
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print('skipped: no numpy')
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIGHT = 1e-4
# Forty layers of 8-bit integers in front of a recurrent one, with values that are ties to within a float's precision: its input
# changed by 1e-6 moves its output as far.  (Run operator by operator
# with Paddle's own kernels, it agrees to 4e-5.)  READS is what counts.
LOOSE = {'ppocr_rec_v2_slim_lstm_int8': 0.15}
READS = {'ppocr_rec_v2_slim_lstm_int8': '纯臻营养护发素'}
REFUSED = {}


def models_dir():
    for up in ('..', '../..', '../../..'):
        path = os.path.join(ROOT, up, 'shared', 'models')
        if os.path.isdir(os.path.join(path, 'nb')):
            return path
    return None


def make(spec):
    count = int(np.prod(spec['shape'], dtype=np.int64))
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + (spec.get('seed') or 0) * 0x85EBCA77 + 1) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    if spec.get('const') is not None or spec.get('seed') is None:
        return np.full(spec['shape'], spec.get('const', 1), np.float32)
    return ((x >> np.uint64(8)).astype(np.float64) / 8388608 - 1).astype(np.float32).reshape(spec['shape'])


def run(qcc_run, model, expected):
    """The largest difference of any output, relative to its largest magnitude; or a message."""
    with open(expected) as f:
        spec = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        command = [qcc_run, model]
        for i in spec['inputs']:
            np.save(os.path.join(folder, f"in{len(command)}.npy"), make(i))
            command += ['--input-shape', f"{i['name']}:{'x'.join(map(str, i['shape']))}", '--input',
                        os.path.join(folder, f"in{len(command)}.npy")]
        outputs = [os.path.join(folder, f'out{k}.npy') for k in range(len(spec['outputs']))]
        result = subprocess.run(command + ['--output', *outputs], capture_output=True, text=True, check=False)
        if result.returncode:
            return result.stderr.strip() or f'exit code {result.returncode}'
        worst = 0
        for o, path in zip(spec['outputs'], outputs):
            got = np.load(path)
            if list(got.shape) != o['shape']:
                return f"shape {got.shape}, expected {o['shape']}"
            want = np.fromfile(os.path.join(os.path.dirname(expected), o['file']), dtype=o['dtype'])
            difference = np.abs(got.reshape(-1)[::o['stride']].astype(np.float64) - want)
            worst = max(worst, float(difference.max() / max(np.abs(want).max(), 1e-2)))
        return worst


def text_of(qcc_run, model, data):
    """What a model reads on the left of the test picture: the best class of each step, without repetitions and blanks."""
    from PIL import Image
    with open(os.path.join(data, 'ppocr_keys_v1.txt'), encoding='utf-8') as f:
        keys = [''] + f.read().split('\n')
    image = np.asarray(Image.open(os.path.join(data, 'ocr_rec_test_1280x32.jpg')).convert('RGB'))[:, :320, ::-1]
    with tempfile.TemporaryDirectory() as folder:
        x, y = os.path.join(folder, 'x.npy'), os.path.join(folder, 'y.npy')
        np.save(x, ((image / 255 - 0.5) / 0.5).astype(np.float32).transpose(2, 0, 1)[None].copy())
        subprocess.run([qcc_run, model, '--input-shape', 'x:1x3x32x320', '--input', x, '--output', y], check=True)
        best = np.load(y)[0].argmax(-1)
    return ''.join(keys[c] for c, before in zip(best, [0, *best[:-1]]) if c != before)


def main():
    folder = models_dir()
    if not folder:
        print('skipped: the model set is not here')
        return 77
    only = next((a[7:] for a in sys.argv[2:] if a.startswith('--only=')), None)
    failures = 0
    for model in sorted(glob.glob(os.path.join(folder, 'nb', '*.nb'))):
        name = os.path.basename(model)[:-3]
        if (only or '') not in name:
            continue
        got = run(sys.argv[1], model, os.path.join(folder, 'expected', 'nb', name + '.json'))
        if isinstance(got, str):
            good = name in REFUSED and REFUSED[name] in got
        else:
            good = name not in REFUSED and got <= LOOSE.get(name, TIGHT)
        print(('ok  ' if good else 'FAIL'), name, got if isinstance(got, str) else f'{got:.3g}', flush=True)
        failures += not good
        try:
            text = text_of(sys.argv[1], model, os.path.join(folder, 'data', 'paddle')) if name in READS else ''
        except ImportError:
            continue
        if text != READS.get(name, ''):
            print('FAIL', name, 'reads', text)
            failures += 1
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
