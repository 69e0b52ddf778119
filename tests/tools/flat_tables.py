"""flat_tables.py: tables of FlatBuffers by the numbers of their fields, for the writers of model files."""


def offsets(b, items):
    b.StartVector(4, len(items), 4)
    for item in reversed(items):
        b.PrependUOffsetTRelative(item)
    return b.EndVector()


def numbers(b, values, code, size):
    b.StartVector(size, len(values), size)
    for v in reversed(values):
        {"i": b.PrependInt32, "q": b.PrependInt64, "f": b.PrependFloat32, "b": b.PrependBool}[code](v)
    return b.EndVector()


def table(b, fields):
    """fields: (slot, kind, value): o an offset, i q f b numbers, B an unsigned byte."""
    b.StartObject(max((slot for slot, _, _ in fields), default=-1) + 1)
    for slot, kind, value in fields:
        {"o": b.PrependUOffsetTRelativeSlot, "i": b.PrependInt32Slot, "q": b.PrependInt64Slot, "f": b.PrependFloat32Slot,
         "b": b.PrependBoolSlot, "B": b.PrependUint8Slot}[kind](slot, value, 0)
    return b.EndObject()
