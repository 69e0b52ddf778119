"""tflite_control.py: small TFLite models with control flow: branches that the inputs choose, loops whose passes can be counted."""

import numpy as np

from tflite_writer import Model


def add_subgraph(m, inner):
    """The subgraph's number; what it names becomes the model's."""
    codes, buffers = len(m.model.operatorCodes), len(m.model.buffers)
    for op in inner.graph.operators:
        op.opcodeIndex += codes
    for t in inner.graph.tensors:
        t.buffer = t.buffer + buffers - 1 if t.buffer else 0
    m.model.operatorCodes += inner.model.operatorCodes
    m.model.buffers += inner.model.buffers[1:]
    m.model.subgraphs.append(inner.graph)
    return len(m.model.subgraphs) - 1


def branch(kind, size=4, options=None, constant=None, **fields):
    """One that puts `kind` to its operand, and the operand itself."""
    inner = Model(kind)
    x, y = inner.input("x", "float32", [2, 4]), inner.tensor("y", "float32", [2, size])
    more = [] if constant is None else [inner.const("c", constant)]
    inner.op(kind, [x, *more], [y], options, **fields)
    inner.output(y, x)
    return inner


def if_model(then, other, condition=None, results=(4, 4)):
    """condition: what it is, or None for an input."""
    m = Model()
    x = m.input("x", "float32", [2, 4])
    flag = m.input("flag", "bool", []) if condition is None else m.const("flag", np.array(condition))
    outs = [m.tensor(f"y{k}", "float32", [2, size]) for k, size in enumerate(results)]
    m.op("IF", [flag, x], outs, "IfOptions", thenSubgraphIndex=1, elseSubgraphIndex=2)
    m.output(*outs)
    for inner in (then, other):
        add_subgraph(m, inner)
    return m


def chosen():
    """Both branches and select; what both hand through is no select."""
    return if_model(branch("TANH"), branch("ABS"))


def known():
    """The branch alone, whatever the other one has."""
    return if_model(branch("TANH"), branch("RFFT2D"), condition=True)


def counting(limit):
    """i < limit"""
    cond = Model("cond")
    i, _, _ = state(cond)
    y = cond.tensor("go", "bool", [])
    cond.op("LESS", [i, cond.const("limit", np.array(limit, np.int32))], [y], "LessOptions")
    cond.output(y)
    return cond


def state(m):
    """What the loops here carry: a counter, h, and the list of all h."""
    return (m.input("i", "int32", []), m.input("h", "float32", [1, 4]),
            m.input("list", "float32", [3, 1, 4], signature=[-1, 1, 4]))


def recurrent_body(frames):
    """h = tanh(W frame[i] + h), list[i] = h: written by slices and a concatenation, as converters lower lists of tensors."""
    body, random = Model("body"), np.random.default_rng(3)
    i, h, whole = state(body)
    f32 = lambda name, *shape, **more: body.tensor(name, "float32", shape, **more)
    int32 = lambda name, *shape: body.tensor(name, "int32", shape)
    one, axis = body.const("one", np.array(1, np.int32)), body.const("axis", np.array(0, np.int32))
    zeros = body.const("zeros", np.array([0, 0, 0], np.int32))
    x, product, total, new, row = *[f32(name, 1, 4) for name in ("x", "product", "total", "new")], f32("row", 1, 1, 4)
    more, place, vector = int32("more"), int32("place", 1), int32("vector", 3)
    body.op("GATHER", [body.const("frames", frames), i], [x], "GatherOptions", axis=0)
    weights = body.const("w", random.standard_normal((4, 4)).astype(np.float32))
    body.op("FULLY_CONNECTED", [x, weights, None], [product], "FullyConnectedOptions")
    body.op("ADD", [product, h], [total], "AddOptions")
    body.op("TANH", [total], [new])
    body.op("ADD", [i, one], [more], "AddOptions")
    body.op("EXPAND_DIMS", [new, axis], [row], "ExpandDimsOptions")
    body.op("EXPAND_DIMS", [more, axis], [place], "ExpandDimsOptions")
    rest = body.const("rest", np.array([0, 0], np.int32))
    all_of_it = body.const("all", np.array([-1, -1, -1], np.int32))
    body.op("CONCATENATION", [place, rest], [vector], "ConcatenationOptions", axis=0)
    before, behind, head = f32("before", 0, 1, 4, signature=[-1, 1, 4]), f32("behind", 0, 1, 4, signature=[-1, 1, 4]), int32("head", 1)
    size, ones = int32("size", 3), body.const("ones", np.array([1, 4], np.int32))
    body.op("EXPAND_DIMS", [i, axis], [head], "ExpandDimsOptions")
    body.op("CONCATENATION", [head, ones], [size], "ConcatenationOptions", axis=0)
    body.op("SLICE", [whole, zeros, size], [before], "SliceOptions")
    body.op("SLICE", [whole, vector, all_of_it], [behind], "SliceOptions")
    out = f32("out", 3, 1, 4, signature=[-1, 1, 4])
    body.op("CONCATENATION", [before, row, behind], [out], "ConcatenationOptions", axis=0)
    body.output(more, new, out)
    return body


def while_model(cond, body, start=0):
    m = Model()
    h = m.input("h", "float32", [1, 4])
    i, empty = m.const("i", np.array(start, np.int32)), m.const("list", np.zeros((3, 1, 4), np.float32))
    outs = [m.tensor("n", "int32", []), m.tensor("last", "float32", [1, 4]), m.tensor("all", "float32", [3, 1, 4])]
    m.op("WHILE", [i, h, empty], outs, "WhileOptions", condSubgraphIndex=1, bodySubgraphIndex=2)
    m.output(*outs)
    for inner in (cond, body):
        add_subgraph(m, inner)
    return m


FRAMES = np.random.default_rng(2).standard_normal((3, 1, 4)).astype(np.float32)


def repeated():
    """A recurrent layer of three steps."""
    return while_model(counting(3), recurrent_body(FRAMES))


def started():
    """The counter does not begin at a constant."""
    m = repeated()
    m.graph.tensors[1].buffer = 0
    m.graph.inputs.append(1)
    return m


def still():
    """A body that changes nothing: it never ends."""
    body = Model("body")
    body.output(*state(body))
    return while_model(counting(3), body)


def own_subgraph(field, number):
    m = repeated()
    setattr(m.graph.operators[0].builtinOptions, field, number)
    return m


def sets_variable():
    """A branch with a state."""
    other = Model("other")
    x, handle = other.input("x", "float32", [2, 4]), other.tensor("handle", "resource", [])
    other.op("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName="s")
    other.op("ASSIGN_VARIABLE", [handle, x], [], "AssignVariableOptions")
    other.output(x, x)
    return if_model(branch("TANH"), other)


def changed_branch(number):
    m = chosen()
    m.graph.operators[0].builtinOptions.elseSubgraphIndex = number
    return m


def fewer_results():
    m = repeated()
    m.graph.operators[0].outputs.pop()
    m.graph.outputs.pop()
    return m


RUN = {"if_chosen": chosen, "while_counted": repeated}
IMPORTED = {**RUN, "if_known": known}
REFUSED = {
    "if_shapes": lambda: if_model(branch("SUM", 1, "ReducerOptions", np.array([1], np.int32), keepDims=True), branch("TANH")),
    "if_variable": sets_variable,
    "if_missing": lambda: changed_branch(9),
    "while_count": started,
    "while_endless": still,
    "while_itself": lambda: own_subgraph("bodySubgraphIndex", 0),
    "while_results": fewer_results,
}
