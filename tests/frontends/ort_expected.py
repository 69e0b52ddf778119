#!/usr/bin/env python3
"""Models of ONNX, in its own format and in ONNX Runtime's, against outputs that ONNX Runtime itself computed.

    ort_expected.py QCC_RUN [--compiled] [--set=committed|networks] [--only=TEXT]

--set: those of tests/data/onnx or those of the model set (default: both); --only: models whose name has it.  Exit 77 where the
model set is asked for and not here.

Protects: the importer's operators, layouts and quantization (docs/onnx.md).

Models and outputs lie in tests/data/onnx (tests/tools/onnx_models/make_onnx_models.py), and more in ../shared/models, beside the tree,
where that is present.  Inputs are made from a hash of their index.  Outputs of models with quantized values inside must be equal, real ones agree to TOLERANCE of their
largest magnitude (or of 0.01, if that is more).  STEPPED are fake-quantized models that ONNX Runtime computed in floats: a
step of difference early in a network is several at its end (bert_toy_dynquant has floats between its integers); tests/fidelity/onnx_fidelity.py compares them op by op."""
import array
import ast
import glob
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOLERANCE = 1e-4
COMMITTED = os.path.join(ROOT, 'tests', 'data', 'onnx')
STEPPED = {'cnn_qdq_open': TOLERANCE, 'mobilenet_edgetpu_slice_qdq_int8.basic': 0.04, 'mobilenet_v2_qdq_int8.basic': 0.06,
           'bert_toy_dynquant_int8.basic': 1e-6, 'sixteen_bits_qdq': TOLERANCE,
           'stored_lstm_float': 0.02,  # which rounds x and h to 8 bits; we don't
           'halves_float': 2e-3}  # which rounds to 11 bits after each operator; we don't
RUN = ('loop_if_4031_v5', 'matmulnbits_add_v6', 'scan9_v4')  # of the set's folder of models that may be refused
UNKNOWN = ('roialign10_v4',)  # which is supported, too, but came without results: regions_float is compared
SLOW = ('ppocrv3', 'super_resolution', 'vittrack', 'mobilenet_v2', 'edgetpu')  # left to --only when interpreted


def models_dir():
    for base in (os.path.join(ROOT, '..', 'shared'), os.path.join(ROOT, '..', '..', 'shared')):
        if os.path.isdir(os.path.join(base, 'models', 'ort')):
            return os.path.join(base, 'models')
    return None


# dtype: (array type code, .npy name)
TYPES = {'float32': ('f', '<f4'), 'uint8': ('B', '|u1'), 'int8': ('b', '|i1'), 'bool': ('B', '|b1'), 'int32': ('i', '<i4'),
         'int64': ('q', '<i8'), 'int16': ('h', '<i2'), 'float64': ('d', '<f8'), 'float16': ('e', '<f2')}


def bytes_of(kind, values):
    """Python's arrays have no halves, which are in one of floats."""
    return values.tobytes() if kind != 'float16' else struct.pack(f'<{len(values)}e', *values)


def make(spec):
    kind, seed = spec['dtype'], (spec['seed'] or 0) * 0x85EBCA77 + 1
    code, count = TYPES[kind][0].replace('e', 'f'), math.prod(spec['shape'])
    if spec.get('const') is not None:
        constant = spec['const']
        flat = sum(constant, []) if isinstance(constant, list) and constant and isinstance(constant[0], list) else constant
        return array.array(code, flat if isinstance(flat, list) else [flat] * count)
    values = array.array(code)
    for i in range(count):
        x = (i * 0x9E3779B9 + seed) & 0xFFFFFFFF
        x ^= x >> 16
        x = x * 0x85EBCA6B & 0xFFFFFFFF
        x ^= x >> 13
        x = x * 0xC2B2AE35 & 0xFFFFFFFF
        x ^= x >> 16
        values.append((x >> 8) / 8388608 - 1 if kind.startswith('float') else x >> 24 if kind == 'uint8' else
                      (x >> 24) - 128 if kind == 'int8' else x >> 31 if kind == 'bool' else x % (spec['bound'] or 2))
    return values


def save(path, values, spec):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (
        TYPES[spec['dtype']][1], ''.join('%d, ' % d for d in spec['shape']))
    header += ' ' * (-(len(header) + 11) % 64) + '\n'
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode() + bytes_of(spec['dtype'], values))


def load(path):
    with open(path, 'rb') as f:
        data = f.read()
    start = 10 + struct.unpack_from('<H', data, 8)[0]
    descr = ast.literal_eval(data[10:start].decode())['descr']
    code = next(code for code, name in TYPES.values() if name == descr)
    if code == 'e':
        return array.array('f', struct.unpack(f'<{(len(data) - start) // 2}e', data[start:]))
    return array.array(code, data[start:])


def expected_values(expected, spec):
    if 'values' in spec:
        return array.array(TYPES[spec['dtype']][0].replace('e', 'f'), spec['values'])
    with open(os.path.join(os.path.dirname(expected), spec['file']), 'rb') as f:
        return array.array(TYPES[spec['dtype']][0], f.read())


def run(qcc_run, model, expected, compiled):
    with open(expected) as f:
        facts = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        command = [qcc_run, model] + ([] if compiled else ['--interp'])
        inputs = []
        for i, spec in enumerate(facts['inputs']):
            inputs.append(os.path.join(folder, f'in{i}.npy'))
            save(inputs[-1], make(spec), spec)
            if any(not d.isdigit() for d in map(str, spec['declared'][1:])):
                command.append('--input-shape=%s:%s' % (spec['name'], 'x'.join(map(str, spec['shape']))))
        outputs = [os.path.join(folder, f'out{i}.npy') for i in range(len(facts['outputs']))]
        command += ['--input'] + inputs + ['--output'] + outputs
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return None, done.stderr.strip() or f'exit {done.returncode}'
        worst = 0.0
        for path, spec in zip(outputs, facts['outputs']):
            got = load(path)[::spec.get('stride') or 1]
            want = expected_values(expected, spec)
            if len(got) != len(want):
                return None, f'{len(got)} elements, expected {len(want)}'
            scale = max(1e-2, *map(abs, want)) if spec['dtype'].startswith('float') else 1.0
            gaps = [abs(a - b) for a, b in zip(got, want)]
            worst = max(worst, max(gaps) / scale if all(g == g for g in gaps) else math.inf)
        return worst, ''


def main():
    base = models_dir()
    only = [a[7:] for a in sys.argv[2:] if a.startswith('--only=')]
    chosen = next((a[6:] for a in sys.argv[2:] if a.startswith('--set=')), None)
    compiled = '--compiled' in sys.argv
    bad = 0
    if chosen == 'networks' and not base:
        print('skipped: the model set is not here')
        return 77
    folders = [(COMMITTED, COMMITTED)] if chosen != 'networks' else []
    if chosen == 'committed':
        base = None
    if base:
        folders.append((os.path.join(base, 'ort'), os.path.join(base, 'expected', 'ort')))
    models = [(os.path.splitext(os.path.relpath(m, f))[0], m, e) for f, e in folders
              for kind in ('ort', 'onnx') for m in glob.glob(os.path.join(f, '**', '*.' + kind), recursive=True)]
    for name, model, expected in sorted(models):
        if only and not any(o in name for o in only):
            continue
        if not only and not compiled and any(s in name for s in SLOW):
            continue
        worst, problem = run(sys.argv[1], model, os.path.join(expected, name + '.json'), compiled)
        good = worst is not None and worst <= (0 if 'int8' in name or 'qdq' in name else TOLERANCE)
        good = good or (worst is not None and worst <= STEPPED.get(name, 0))
        bad += not good
        print('ok  ' if good else 'BAD ', name, problem if worst is None else '%.3g' % worst, flush=True)
    for model in sorted(glob.glob(os.path.join(base, 'reject', 'ort', '*.ort'))) if base and not only else []:
        name = os.path.splitext(os.path.basename(model))[0]
        if name in UNKNOWN:
            continue
        if name in RUN:
            worst, problem = run(sys.argv[1], model, os.path.join(base, 'expected', 'reject', 'ort', name + '.json'), compiled)
            good = worst is not None and worst <= TOLERANCE
        else:
            done = subprocess.run([sys.argv[1], model, '--interp', '--random=1'], capture_output=True, text=True)
            good, problem = done.returncode > 0 and 'error' in done.stderr, done.stderr.strip()
        bad += not good
        print('ok  ' if good else 'BAD ', name, problem, flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
