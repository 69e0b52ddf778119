#!/usr/bin/env python3
"""Models in ONNX Runtime's format against outputs that ONNX Runtime itself computed.

    ort_expected.py QCC_RUN [--only=TEXT] [--compiled]      --only: models whose name has it; exit 77 where there are none

Protects: the importer's operators, layouts and quantization (docs/onnx.md).

The models and outputs lie in ../shared/models, beside the tree; without them the test is skipped.  Inputs are made from a
hash of their index.  Real outputs must agree to 1e-3 of their largest magnitude (or of 0.01, if that is more); models with quantized values inside to
LOOSE of it, since one step of difference early in a network is several at its end."""
import glob
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIGHT, LOOSE = 1e-3, 0.15
REFUSED = ('lstm', 'dynquant', 'silero_vad_op18')  # recurrent layers, dynamic quantization, control flow
SLOW = ('ppocrv3', 'super_resolution', 'vittrack', 'mobilenet_v2', 'edgetpu')  # left to --only when interpreted


def models_dir():
    for base in (os.path.join(ROOT, '..', 'shared'), os.path.join(ROOT, '..', '..', 'shared')):
        if os.path.isdir(os.path.join(base, 'models', 'ort')):
            return os.path.join(base, 'models')
    return None


def make(spec):
    count = int(np.prod(spec['shape'], dtype=np.int64))
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + (spec['seed'] or 0) * 0x85EBCA77 + 1) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    kind = spec['dtype']
    if spec.get('const') is not None:
        v = np.full(count, spec['const'])
    elif kind == 'float32':
        v = (x >> np.uint64(8)).astype(np.float64) / 8388608 - 1
    elif kind == 'uint8':
        v = x >> np.uint64(24)
    elif kind == 'int8':
        v = (x >> np.uint64(24)).astype(np.int64) - 128
    elif kind == 'bool':
        v = x >> np.uint64(31)
    else:
        v = x % np.uint64(spec['bound'] or 2)
    return v.astype(kind).reshape(spec['shape'])


def run(qcc_run, model, expected, compiled):
    with open(expected) as f:
        facts = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        command = [qcc_run, model] + ([] if compiled else ['--interp'])
        inputs = []
        for i, spec in enumerate(facts['inputs']):
            inputs.append(os.path.join(folder, f'in{i}.npy'))
            np.save(inputs[-1], make(spec))
            if any(not d.isdigit() for d in map(str, spec['declared'][1:])):
                command.append('--input-shape=%s:%s' % (spec['name'], 'x'.join(map(str, spec['shape']))))
        outputs = [os.path.join(folder, f'out{i}.npy') for i in range(len(facts['outputs']))]
        command += ['--input'] + inputs + ['--output'] + outputs
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return None, done.stderr.strip() or f'exit {done.returncode}'
        worst = 0.0
        for path, spec in zip(outputs, facts['outputs']):
            got = np.load(path).reshape(-1)[::spec.get('stride') or 1].astype(np.float64)
            want = np.fromfile(os.path.join(os.path.dirname(expected), spec['file']), spec['dtype']).astype(np.float64)
            if got.size != want.size:
                return None, f'{got.size} elements, expected {want.size}'
            scale = max(1e-2, np.abs(want).max()) if spec['dtype'] == 'float32' else 1.0
            worst = max(worst, float(np.abs(got - want).max() / scale))
        return worst, ''


def main():
    base = models_dir()
    if not base:
        return 77
    only = [a[7:] for a in sys.argv[2:] if a.startswith('--only=')]
    compiled = '--compiled' in sys.argv
    bad = 0
    for model in sorted(glob.glob(os.path.join(base, 'ort', '**', '*.ort'), recursive=True)):
        name = os.path.relpath(model, os.path.join(base, 'ort'))[:-4]
        if only and not any(o in name for o in only):
            continue
        if not only and not compiled and any(s in name for s in SLOW):
            continue
        worst, problem = run(sys.argv[1], model, os.path.join(base, 'expected', 'ort', name + '.json'), compiled)
        if any(r in name for r in REFUSED):
            good = worst is None and 'not supported' in problem
        else:
            good = worst is not None and worst <= (LOOSE if 'int8' in name or 'qdq' in name else TIGHT)
        bad += not good
        print('ok  ' if good else 'BAD ', name, problem if worst is None else '%.3g' % worst, flush=True)
    for model in sorted(glob.glob(os.path.join(base, 'reject', 'ort', '*.ort'))) if not only else []:
        done = subprocess.run([sys.argv[1], model, '--interp', '--random=1'], capture_output=True, text=True)
        good = done.returncode > 0 and 'error' in done.stderr
        bad += not good
        print('ok  ' if good else 'BAD ', os.path.basename(model), done.stderr.strip(), flush=True)
    return 1 if bad else 0


sys.exit(main())
