"""paddle_file.py: writes a program of nb_file.py as PaddlePaddle itself saves it.

    write(program, "m.pdmodel", "m.pdiparams")      # all parameters in one file, in the order of their names
    write(program, "folder/__model__", None)        # each in a file of its own, beside it

    paddle_file.py MODEL.nb FOLDER                  # FOLDER/MODEL.pdmodel and its parameters

Needs numpy."""
import os
import struct
import sys

import numpy as np

import nb_file
from nb_file import BOOLEAN, BOOLEANS, FLOAT, FLOATS, INT, INTS, LOD_TENSOR, LONG, LONGS, STRING, STRINGS

FIELDS = {INT: 3, FLOAT: 4, STRING: 5, INTS: 6, FLOATS: 7, STRINGS: 8, BOOLEAN: 10, BOOLEANS: 11, LONG: 13, LONGS: 15}


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(int(value))


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def part(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def attribute(name, value):
    kind = nb_file.attribute_type(value)
    one = real if kind in (FLOAT, FLOATS) else part if kind in (STRING, STRINGS) else number
    values = value if kind in (INTS, FLOATS, STRINGS, BOOLEANS, LONGS) else [value]
    return part(4, part(1, name) + number(2, kind) + b"".join(one(FIELDS[kind], v) for v in values))


def lists(field, of):
    return b"".join(part(field, part(1, parameter) + b"".join(part(2, n) for n in names)) for parameter, names in of.items())


def operator(op):
    return part(4, lists(1, op.inputs) + lists(2, op.outputs) + part(3, op.kind) +
                b"".join(attribute(n, v) for n, v in op.attributes.items()))


def tensor(dtype, dims):
    return number(1, nb_file.TYPES[dtype]) + b"".join(number(2, d) for d in dims)


def variable(name, kind, dtype, dims, persistable):
    described = part(3, part(1, tensor(dtype, dims))) if dtype else b""
    return part(3, part(1, name) + part(2, number(1, kind) + described) + number(3, persistable))


def program(p):
    variables = []
    for name, (kind, dtype, dims) in p.variables.items():
        if name in p.params:
            kind, dtype, dims = LOD_TENSOR, str(p.params[name].dtype), p.params[name].shape
        variables.append(variable(name, kind, dtype, dims, name in p.params or kind != LOD_TENSOR))
    variables += [variable(n, LOD_TENSOR, str(a.dtype), a.shape, True) for n, a in p.params.items() if n not in p.variables]
    return part(1, number(1, 0) + number(2, -1) + b"".join(variables) + b"".join(operator(op) for op in p.ops)) + part(4, number(1, 0))


def parameter(array):
    described = tensor(str(array.dtype), array.shape)
    return struct.pack("<IQII", 0, 0, 0, len(described)) + described + np.ascontiguousarray(array).tobytes()


def write(p, model, parameters, held=None):
    """held: what the files have instead of the arrays whose types and shapes the program says."""
    with open(model, "wb") as f:
        f.write(program(p))
    for name in sorted(p.params):
        path = parameters or os.path.join(os.path.dirname(model), name)
        with open(path, "ab" if parameters and name != min(p.params) else "wb") as f:
            f.write(parameter((held or {}).get(name, p.params[name])))


def main():
    with open(sys.argv[1], "rb") as f:
        read = nb_file.read(f.read())
    stem = os.path.join(sys.argv[2], os.path.splitext(os.path.basename(sys.argv[1]))[0])
    write(read, stem + ".pdmodel", stem + ".pdiparams")


if __name__ == "__main__":
    main()
