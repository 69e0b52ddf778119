"""tflite_sequence_cases.py: single-operator .tflite models of sequences and tables; see tflite_cases.py."""

import numpy as np
from tflite_case import INTEGER, Case, hybrid_weights


def embedding(seed, dtype="int8", per_row=False, columns=(3, 5)):
    """Rows of a table of integers as floats; uint8 stands for the int8 that old files have there."""
    c = Case(seed)
    i = c.m.input("i", "int32", [7])
    shape = [16, *columns]
    scale = c.rng.uniform(0.002, 0.02, 16 if per_row else 1).astype(np.float32)
    if dtype == "int8":
        table = hybrid_weights(c, shape, 0, 16, per_row)
    else:
        low, high = (-8, 8) if dtype == "int4" else (0, 256)
        table = c.m.tensor("w", dtype, shape, data=c.rng.integers(low, high, shape).astype(np.uint8), scale=scale, zero=0, axis=0)
    c.m.op("EMBEDDING_LOOKUP", [i, table], [c.output("float32", [7, *columns])])
    return c.done()


def gather_int4(seed):
    """Rows of a table of 4 bits, real numbers afterwards."""
    c = Case(seed)
    i, form = c.m.input("i", "int32", [7]), dict(scale=0.03, zero=0)
    table = c.m.tensor("w", "int4", [16, 6], data=c.rng.integers(-8, 8, [16, 6]), **form)
    rows = c.m.tensor("rows", "int4", [7, 6], **form)
    c.m.op("GATHER", [table, i], [rows], "GatherOptions", version=8, axis=0)
    c.m.op("DEQUANTIZE", [rows], [c.output("float32", [7, 6])], version=6)
    return c.done()


def reverse_sequence(seed, dtype, batch=0, time=1, lengths="int32", known=True):
    """known: lengths are constant, one of them 0 and one that of the whole; otherwise an input, below 16."""
    c = Case(seed)
    shape = [5] * 4
    shape[batch], shape[time] = 4, 15
    x, params = c.input("x", dtype, shape)
    counts = c.ints("lengths", [0, 15, 1, 7], lengths) if known else c.m.input("lengths", lengths, [4])
    c.m.op("REVERSE_SEQUENCE", [x, counts], [c.output(dtype, shape, params)], "ReverseSequenceOptions", batchDim=batch, seqDim=time)
    return c.done()


def lstm(seed, dtype, shape=(2, 7, 19), units=13, time_major=False, clip=0.0, cell_bits=3, coupled=False, hybrid=False):
    """shape: batch, steps, operand's channels.  The states' variables start at 0.  hybrid: floats, but for int8 weights."""
    c = Case(seed)
    rng, m, (batch, steps, inputs) = c.rng, c.m, shape
    real = dtype == "float32"
    x, x_params = c.input("x", dtype, (steps, batch, inputs) if time_major else shape)
    h_params = (float(rng.uniform(0.003, 0.008)), int(rng.integers(-40, 40)))
    operands = [x]
    weight_scales = rng.uniform(0.001, 0.006, 8) if hybrid or not real else None
    for k in range(8):
        columns = inputs if k < 4 else units
        values = rng.standard_normal((units, columns)) * (2 if clip else 1)
        if k % 4 == 0 and coupled:
            operands.append(None)
        elif real and not hybrid:
            operands.append(m.const(f"w{k}", (values / np.sqrt(columns)).astype(np.float32)))
        else:
            operands.append(m.const(f"w{k}", rng.integers(-127, 128, values.shape).astype(np.int8), scale=weight_scales[k]))
    operands += [None] * 3
    for k in range(4):
        if k == 0 and coupled:
            operands.append(None)
        elif real:
            operands.append(m.const(f"b{k}", rng.standard_normal(units).astype(np.float32)))
        else:
            scale = float(weight_scales[k]) * x_params[0]
            operands.append(m.const(f"b{k}", (rng.standard_normal(units) / scale).astype(np.int32), scale=scale))
    operands += [None] * 2
    state = {} if real else dict(scale=h_params[0], zero=h_params[1])
    operands.append(m.tensor("h", dtype, (batch, units), variable=True, **state))
    operands.append(m.tensor("c", "float32" if real else "int16", (batch, units), variable=True,
                             **({} if real else dict(scale=2.0 ** (cell_bits - 15), zero=0))))
    operands += [None] * 4
    y = c.output(dtype, (steps, batch, units) if time_major else (batch, steps, units), None if real else h_params)
    o = m.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, [y], "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4,
             cellClip=clip, projClip=0.0, timeMajor=time_major, asymmetricQuantizeInputs=False)
    if not real:
        o.intermediates = [m.tensor(f"gate{k}", "float32", [0]) for k in range(4)]
        o.intermediates.append(m.tensor("hidden", "int8", [0], scale=h_params[0], zero=h_params[1]))
    return c.done()


def rnn(seed, shape=(2, 7, 19), units=13, time_major=False, rectified=False, hybrid=False):
    c = Case(seed)
    rng, m, (batch, steps, inputs) = c.rng, c.m, shape
    x, _ = c.input("x", "float32", (steps, batch, inputs) if time_major else shape)
    operands = [x]
    for name, columns in (("w", inputs), ("r", units)):
        if hybrid:
            operands.append(m.const(name, rng.integers(-127, 128, (units, columns)).astype(np.int8), scale=float(rng.uniform(0.001, 0.006))))
        else:
            operands.append(m.const(name, (rng.standard_normal((units, columns)) / np.sqrt(2 * columns)).astype(np.float32)))
    operands += [m.const("b", rng.standard_normal(units).astype(np.float32)), m.tensor("h", "float32", (batch, units), variable=True)]
    y = c.output("float32", (steps, batch, units) if time_major else (batch, steps, units))
    m.op("UNIDIRECTIONAL_SEQUENCE_RNN", operands, [y], "SequenceRNNOptions", fusedActivationFunction=1 if rectified else 4, timeMajor=time_major)
    return c.done()


def spectrogram(seed, samples=1600, channels=1, window=400, stride=160, squared=True):
    c = Case(seed)
    x = c.m.input("x", "float32", [samples, channels])
    length = 1 << (window - 1).bit_length()
    y = c.output("float32", [channels, 1 + (samples - window) // stride, length // 2 + 1])
    c.m.op("AudioSpectrogram", [x], [y], custom={"window_size": window, "stride": stride, "magnitude_squared": squared})
    return c.done()


def mfcc(seed, shape=(1, 7, 257), rate=16000, high=4000, low=20, channels=40, coefficients=13):
    """Of the squares of an input, since powers are not negative."""
    c = Case(seed)
    x, powers = c.m.input("x", "float32", shape), c.m.tensor("powers", "float32", shape)
    c.m.op("SQUARE", [x], [powers], "SquareOptions")
    c.m.op("Mfcc", [powers, c.ints("rate", [rate])], [c.output("float32", [*shape[:2], coefficients])], custom={
        "upper_frequency_limit": high, "lower_frequency_limit": low, "filterbank_channel_count": channels,
        "dct_coefficient_count": coefficients})
    return c.done()


def cases(seed):
    def named(name, make, *a, **k):
        return name, make(seed + len(name), *a, **k)

    for per_row in (False, True):
        yield named(f"hybrid_embedding_rows{per_row:d}", embedding, per_row=per_row)
        yield named(f"hybrid_embedding_uint8_rows{per_row:d}", embedding, "uint8", per_row)
        yield named(f"hybrid_embedding_int4_rows{per_row:d}", embedding, "int4", per_row, (3, 4))
    yield named("gather_int4", gather_int4)
    for t in ("float32", "int32", "int64", "uint8", "int16"):
        yield named(f"REVERSE_SEQUENCE_{t}", reverse_sequence, t)
        yield named(f"REVERSE_SEQUENCE_{t}_time_first", reverse_sequence, t, 2, 0)
    for lengths in ("int32", "int64"):
        yield named(f"REVERSE_SEQUENCE_float32_{lengths}_input", reverse_sequence, "float32", 1, 3, lengths, False)
    for t in ("int8", "float32"):
        yield named(f"lstm_{t}", lstm, t)
        yield named(f"lstm_{t}_time_major", lstm, t, time_major=True)
        yield named(f"lstm_{t}_clip", lstm, t, clip=0.3)
        yield named(f"lstm_{t}_one_step", lstm, t, shape=(1, 1, 64), units=32)
        yield named(f"lstm_{t}_long", lstm, t, shape=(1, 40, 31), units=48)
    for bits in range(7):
        yield named(f"lstm_int8_cell{bits}", lstm, "int8", cell_bits=bits)
    yield named("lstm_float32_coupled", lstm, "float32", coupled=True)
    for hybrid in (False, True):
        kind = "hybrid" if hybrid else "float32"
        yield named(f"rnn_{kind}", rnn, hybrid=hybrid)
        yield named(f"rnn_{kind}_time_major", rnn, time_major=True, hybrid=hybrid)
        yield named(f"rnn_{kind}_rectified", rnn, (1, 5, 31), 32, rectified=True, hybrid=hybrid)
    yield named("lstm_hybrid", lstm, "float32", hybrid=True)
    yield named("lstm_hybrid_time_major", lstm, "float32", (2, 5, 64), 32, True, hybrid=True)
    yield named("lstm_hybrid_clip", lstm, "float32", (1, 20, 31), 48, clip=0.3, hybrid=True)
    yield named("AudioSpectrogram", spectrogram)
    yield named("AudioSpectrogram_roots_of_two", spectrogram, channels=2, squared=False)
    yield named("AudioSpectrogram_second", spectrogram, 16000, 1, 640, 320)
    yield named("AudioSpectrogram_odd", spectrogram, 90, 2, 31, 7)
    yield named("AudioSpectrogram_shortest", spectrogram, 9, 1, 2, 1)
    yield named("Mfcc", mfcc)
    yield named("Mfcc_all", mfcc, (2, 3, 129), 8000, 4000, 0, 20, 20)
    yield named("Mfcc_narrow", mfcc, channels=80)
