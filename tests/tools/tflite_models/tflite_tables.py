"""tflite_tables.py: models of tables and sequences for make_models.py, each as small as its kind allows."""

import numpy as np

from tflite_writer import Model


def embedding(zero=0, kind=np.int8, low=0):
    """Rows of int8 tables as floats, with one scale and with one for each row."""
    m = Model()
    i = m.input("rows", "int32", [2])
    table = (np.arange(6) + low).astype(kind).reshape(3, 2)
    one = m.const("one scale", table, scale=0.25, zero=zero)
    each = m.const("scale of each row", table, scale=[0.25, 0.5, 0.125], zero=[zero] * 3, axis=0)
    for w in (one, each):
        y = m.tensor(f"y{w}", "float32", [2, 2])
        m.op("EMBEDDING_LOOKUP", [i, w], [y])
        m.output(y)
    return m


def embedding_uint8():
    """Tables that an old file calls uint8: int8, like those beside them."""
    return embedding(kind=np.uint8, low=253)


def tables_int4(columns=4, axis=0):
    """Rows of a table of 4 bits: as floats, and as they are."""
    m, form = Model(), dict(scale=0.25, zero=0)
    i = m.input("rows", "int32", [2])
    table = m.tensor("table", "int4", [3, columns], data=np.arange(3 * columns) % 16 - 8, **form)
    y = m.tensor("y", "float32", [2, columns])
    m.op("EMBEDDING_LOOKUP", [i, table], [y])
    shape = [2, columns] if axis == 0 else [3, 2]
    picked, z = m.tensor("picked", "int4", shape, **form), m.tensor("z", "float32", shape)
    m.op("GATHER", [table, i], [picked], "GatherOptions", axis=axis)
    m.op("DEQUANTIZE", [picked], [z])
    m.output(y, z)
    return m


def embedding_int4_bytes():
    """Half a byte an element in the table, a whole one in the result."""
    m, form = Model(), dict(scale=0.25, zero=0)
    i = m.input("rows", "int32", [2])
    table = m.tensor("table", "int4", [3, 4], data=np.arange(12) - 8, **form)
    y = m.tensor("y", "int8", [2, 4], **form)
    m.op("EMBEDDING_LOOKUP", [i, table], [y])
    m.output(y)
    return m


def sequences(lengths=(0, 3), batch=0, time=2, dtype=np.int32):
    """Reversed as far as the lengths say, which are known for one, and an input of the other."""
    m = Model()
    x = m.input("x", "float32", [2, 1, 3])
    at_run_time = m.input("lengths", "int64", [2])
    for name, counts in (("y", m.const("known", np.array(lengths, dtype))), ("z", at_run_time)):
        y = m.tensor(name, "float32", [2, 1, 3])
        m.op("REVERSE_SEQUENCE", [x, counts], [y], "ReverseSequenceOptions", batchDim=batch, seqDim=time)
        m.output(y)
    return m


IMPORTED = {make.__name__: make for make in (embedding, embedding_uint8, tables_int4, sequences)}
REFUSED = {
    "embedding_zero": lambda: embedding(zero=3),
    "embedding_int4_odd": lambda: tables_int4(columns=3),
    "gather_int4_columns": lambda: tables_int4(axis=1),
    "embedding_int4_bytes": embedding_int4_bytes,
    "sequences_long": lambda: sequences((0, 4)),
    "sequences_same": lambda: sequences(time=0),
    "sequences_count": lambda: sequences((1, 2, 3)),
    "sequences_type": lambda: sequences(dtype=np.int16),
}
