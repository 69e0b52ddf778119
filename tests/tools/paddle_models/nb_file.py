"""nb_file.py: reads and writes Paddle Lite's .nb files (meta version 2), for tests that need a model nobody published.

    p = Program()
    p.input("x", "float32", [1, 3, 8, 8])
    p.param("w", weights)                                           # a numpy array
    p.op("conv2d", {"Input": ["x"], "Filter": ["w"]}, {"Output": ["y"]}, strides=[1, 1], paddings=[0, 0], groups=1)
    p.output("y")
    p.save("conv.nb")

    q = read(open("conv.nb", "rb").read())                         # the same again

A variable's name may be written by several ops, as Paddle Lite's memory reuse does.  Attributes: bool, int, float, str, and
lists of int, float, str; Long and Longs for 64 bits.  Needs numpy and flatbuffers.

    file        u16 2, char[16] library version, u64 size, ProgramDesc;
                u16 0, u16 n, n bytes; u16 6, u16 count, u32 largest; parameters
    parameter   u32 size of what follows, u32 4, ParamDesc
"""
import struct

from flat_tables import numbers, offsets, table

try:
    import flatbuffers
    import numpy as np
    MISSING = None
except ImportError as error:
    MISSING = str(error)

TYPES = {"bool": 0, "int16": 1, "int32": 2, "int64": 3, "float16": 4, "float32": 5, "float64": 6, "uint8": 20, "int8": 21}
NAMES = {number: name for name, number in TYPES.items()}
INT, FLOAT, STRING, INTS, FLOATS, STRINGS, BOOLEAN, BOOLEANS, BLOCK, LONG, BLOCKS, LONGS = range(12)
SLOTS = {INT: 2, FLOAT: 3, STRING: 4, INTS: 5, FLOATS: 6, STRINGS: 7, BOOLEAN: 8, BOOLEANS: 9, BLOCK: 10, LONG: 11, BLOCKS: 12,
         LONGS: 13}
LOD_TENSOR, FEED_LIST, FETCH_LIST = 7, 9, 10


def available():
    """None, or the reason why models can't be written here."""
    return MISSING


class Long(int):
    pass


class Longs(list):
    pass


class Op:
    def __init__(self, kind, inputs, outputs, attributes):
        self.kind, self.inputs, self.outputs, self.attributes = kind, inputs, outputs, attributes

    def same(self, other):
        return self.__dict__ == other.__dict__


class Program:
    """variables: name -> (kind, dtype or None, dims); ops; params: name -> array."""

    def __init__(self, library="v2.13-rc"):
        self.library, self.variables, self.ops, self.params = library, {}, [], {}
        self.inputs = self.outputs = 0

    def variable(self, name, dtype=None, dims=(), kind=LOD_TENSOR):
        self.variables.setdefault(name, (kind, dtype, [int(d) for d in dims]))
        return name

    def input(self, name, dtype, dims):
        self.variable("feed", kind=FEED_LIST)
        self.variable(name, dtype, dims)
        self.op("feed", {"X": ["feed"]}, {"Out": [name]}, col=self.inputs)
        self.inputs += 1
        return name

    def output(self, name):
        self.variable("fetch", kind=FETCH_LIST)
        self.op("fetch", {"X": [name]}, {"Out": ["fetch"]}, col=self.outputs)
        self.outputs += 1

    def param(self, name, array):
        array = np.asarray(array)
        self.params[name] = array
        self.variable(name, str(array.dtype), array.shape)
        return name

    def op(self, kind, inputs, outputs, precision="float", **attributes):
        """precision: what the kernel's name says, for example float or int8; None for no name."""
        for names in outputs.values():
            for name in names:
                self.variable(name, "float32")
        if precision is not None and kind not in ("feed", "fetch"):
            attributes.setdefault("__@kernel_type_attr@__", f"{kind}/{attributes.pop('alias', 'def')}/4/{1 if precision == 'float' else 2}/1")
        self.ops.append(Op(kind, inputs, outputs, attributes))

    def bytes(self):
        program = write_program(self)
        out = [struct.pack("<H16sQ", 2, self.library.encode("latin-1"), len(program)), program]
        params = [write_param(name, array) for name, array in self.params.items()]
        out.append(struct.pack("<HHHHI", 0, 0, 6, len(params), max((len(p) + 4 for p in params), default=0)))
        for p in params:
            out.append(struct.pack("<II", len(p) + 4, 4) + p)
        return b"".join(out)

    def save(self, path):
        with open(path, "wb") as f:
            f.write(self.bytes())


# ---- Writing ----

def attribute_type(value):
    if isinstance(value, (bool, np.bool_)):
        return BOOLEAN
    if isinstance(value, Long):
        return LONG
    if isinstance(value, (int, np.integer)):
        return INT
    if isinstance(value, (float, np.floating)):
        return FLOAT
    if isinstance(value, str):
        return STRING
    if isinstance(value, Longs):
        return LONGS
    if any(isinstance(v, (float, np.floating)) for v in value):
        return FLOATS
    return STRINGS if any(isinstance(v, str) for v in value) else BOOLEANS if value and all(isinstance(v, bool) for v in value) else INTS


def write_attribute(b, name, value):
    kind = attribute_type(value)
    text = b.CreateString(name)
    if kind in (INT, FLOAT, BOOLEAN, LONG):
        field = (SLOTS[kind], {INT: "i", FLOAT: "f", BOOLEAN: "b", LONG: "q"}[kind], value)
    elif kind == STRING:
        field = (SLOTS[kind], "o", b.CreateString(value))
    elif kind == STRINGS:
        field = (SLOTS[kind], "o", offsets(b, [b.CreateString(v) for v in value]))
    else:
        code, size = {INTS: ("i", 4), FLOATS: ("f", 4), LONGS: ("q", 8), BOOLEANS: ("b", 1)}[kind]
        field = (SLOTS[kind], "o", numbers(b, [float(v) if code == "f" else v for v in value], code, size))
    return table(b, [(0, "o", text), (1, "i", kind), field])


def write_lists(b, lists):
    made = []
    for parameter, names in lists.items():
        arguments = offsets(b, [b.CreateString(n) for n in names])
        made.append(table(b, [(0, "o", b.CreateString(parameter)), (1, "o", arguments)]))
    return offsets(b, made)


def write_op(b, op):
    inputs, outputs = write_lists(b, op.inputs), write_lists(b, op.outputs)
    attributes = offsets(b, [write_attribute(b, n, v) for n, v in op.attributes.items()])
    return table(b, [(0, "o", b.CreateString(op.kind)), (1, "o", inputs), (2, "o", outputs), (3, "o", attributes)])


def write_variable(b, name, kind, dtype, dims):
    fields = [(0, "i", kind)]
    if dtype is not None:
        tensor = table(b, [(0, "i", TYPES[dtype]), (1, "o", numbers(b, dims, "q", 8))])
        fields.append((2, "o", table(b, [(0, "o", tensor)])))
    return table(b, [(0, "o", b.CreateString(name)), (1, "o", table(b, fields))])


def write_program(p):
    b = flatbuffers.Builder(1024)
    ops = offsets(b, [write_op(b, op) for op in p.ops])
    variables = offsets(b, [write_variable(b, name, *v) for name, v in p.variables.items()])
    block = table(b, [(0, "i", 0), (1, "i", -1), (2, "o", variables), (3, "o", ops)])
    b.Finish(table(b, [(0, "o", offsets(b, [block]))]))
    return bytes(b.Output())


def write_param(name, array):
    b = flatbuffers.Builder(array.nbytes + 256)
    data = b.CreateByteVector(np.ascontiguousarray(array).tobytes())
    dims = numbers(b, [int(d) for d in array.shape], "q", 8)
    tensor = table(b, [(2, "o", dims), (3, "i", TYPES[str(array.dtype)]), (4, "o", data)])
    b.Finish(table(b, [(1, "o", b.CreateString(name)), (2, "B", 1), (3, "o", tensor)]))
    return bytes(b.Output())


# ---- Reading ----

class Table:
    def __init__(self, data, at):
        self.data, self.at = data, at
        self.vtable = at - struct.unpack_from("<i", data, at)[0]

    @staticmethod
    def root(data):
        return Table(data, struct.unpack_from("<I", data, 0)[0])

    def field(self, slot):
        size = struct.unpack_from("<H", self.data, self.vtable)[0]
        offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * slot)[0] if 4 + 2 * slot < size else 0
        return self.at + offset if offset else None

    def number(self, slot, code, default=0):
        at = self.field(slot)
        return default if at is None else struct.unpack_from("<" + code, self.data, at)[0]

    def follow(self, slot):
        at = self.field(slot)
        return None if at is None else at + struct.unpack_from("<I", self.data, at)[0]

    def table(self, slot):
        at = self.follow(slot)
        return None if at is None else Table(self.data, at)

    def text(self, slot):
        at = self.follow(slot)
        return "" if at is None else text_at(self.data, at)

    def list(self, slot, code):
        at = self.follow(slot)
        if at is None:
            return []
        count = struct.unpack_from("<I", self.data, at)[0]
        return list(struct.unpack_from(f"<{count}{code}", self.data, at + 4))

    def places(self, slot):
        at = self.follow(slot)
        count = struct.unpack_from("<I", self.data, at)[0] if at is not None else 0
        return [at + 4 + 4 * i + struct.unpack_from("<I", self.data, at + 4 + 4 * i)[0] for i in range(count)]

    def tables(self, slot):
        return [Table(self.data, at) for at in self.places(slot)]

    def texts(self, slot):
        return [text_at(self.data, at) for at in self.places(slot)]


def text_at(data, at):
    size = struct.unpack_from("<I", data, at)[0]
    return data[at + 4:at + 4 + size].decode("utf-8", "replace")


def read_attribute(t):
    kind = t.number(1, "i")
    slot = SLOTS[kind]
    if kind in (INT, BLOCK):
        return t.number(slot, "i")
    if kind in (FLOAT, BOOLEAN):
        return t.number(slot, "f", 0.0) if kind == FLOAT else bool(t.number(slot, "B"))
    if kind == LONG:
        return Long(t.number(slot, "q"))
    if kind == STRING:
        return t.text(slot)
    if kind == STRINGS:
        return t.texts(slot)
    if kind == LONGS:
        return Longs(t.list(slot, "q"))
    if kind == BOOLEANS:
        return [bool(v) for v in t.list(slot, "B")]
    return t.list(slot, "f" if kind == FLOATS else "i")


def read(data):
    version, library, size = struct.unpack_from("<H16sQ", data, 0)
    assert version == 2, f"meta version {version}"
    p = Program(library.split(b"\0")[0].decode("latin-1"))
    block = Table.root(data[26:26 + size]).tables(0)[0]
    for v in block.tables(2):
        kind = v.table(1)
        tensor = kind.table(2).table(0) if kind.table(2) else None
        dtype = NAMES.get(tensor.number(0, "i")) if tensor else None
        p.variables[v.text(0)] = (kind.number(0, "i"), dtype, tensor.list(1, "q") if tensor else [])
    for t in block.tables(3):
        lists = [{a.text(0): a.texts(1) for a in t.tables(slot)} for slot in (1, 2)]
        p.ops.append(Op(t.text(0), *lists, {a.text(0): read_attribute(a) for a in t.tables(3)}))
    at = 26 + size
    skip = struct.unpack_from("<H", data, at + 2)[0]
    header, count = struct.unpack_from("<HH", data, at + 4 + skip)
    at += 6 + skip + header
    for _ in range(count):
        total, offset = struct.unpack_from("<II", data, at)
        root = Table.root(data[at + 4 + offset:at + 4 + total])
        tensor = root.table(3)
        array = np.frombuffer(bytes(tensor.list(4, "B")), NAMES[tensor.number(3, "i")]).reshape(tensor.list(2, "q"))
        p.params[root.text(1)] = array
        at += 4 + total
    return p


def same(a, b):
    """Do two programs say the same?"""
    return (a.variables == b.variables and len(a.ops) == len(b.ops) and all(x.same(y) for x, y in zip(a.ops, b.ops)) and
            list(a.params) == list(b.params) and
            all(a.params[n].dtype == b.params[n].dtype and a.params[n].shape == b.params[n].shape and
                a.params[n].tobytes() == b.params[n].tobytes() for n in a.params))
