"""onnx_control.py: small ONNX models with control flow: branches that the inputs choose, loops whose passes can be counted."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from onnx_graph import Graph


class Body(Graph):
    """A graph within another: it sees the names around it, and its own begin with a prefix."""

    def __init__(self, prefix, seed=1, opset=19):
        super().__init__(seed, opset)
        self.prefix = prefix

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{self.prefix}_{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, what="c"):
        name = f"{self.prefix}_{what}{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def graph(self):
        outputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in self.outputs]
        return helper.make_graph(self.nodes, self.prefix, self.inputs, outputs, self.constants)

    def result(self, name, kind=TensorProto.FLOAT):
        self.outputs.append((name, kind))


def lstm_step(g, x, state, size, bias=True):
    """A cell spelled out, as exporters leave it: the state holds h and c; the new state."""
    h, c = (g.op("Gather", state, g.constant(np.int64(k)), axis=0) for k in range(2))
    gates = g.op("Add", g.op("Gemm", x, g.normal(4 * size, size), transB=1),
                 g.op("Gemm", h, g.normal(4 * size, size), *([g.normal(4 * size)] if bias else []), transB=1))
    i, f, n, o = g.op("Split", gates, outputs=4, axis=1, num_outputs=4)
    c = g.op("Add", g.op("Mul", g.op("Sigmoid", f), c), g.op("Mul", g.op("Sigmoid", i), g.op("Tanh", n)))
    h = g.op("Mul", g.op("Sigmoid", o), g.op("Tanh", c))
    return h, g.op("Concat", g.op("Unsqueeze", h, g.ints(0)), g.op("Unsqueeze", c, g.ints(0)), axis=0)


def detector(prefix, seed, x, state, window, rate_step):
    """A branch like those of a voice detector of two sampling rates: a filter bank, a convolution, a recurrent cell."""
    g = Body(prefix, seed)
    padded = g.op("Pad", x, g.ints(0, 0, 0, window // 2), mode="reflect")
    bank = g.op("Conv", g.op("Unsqueeze", padded, g.ints(1)), g.normal(16, 1, window), strides=[rate_step])
    half = g.op("Div", g.op("Shape", bank, start=1, end=2), g.ints(2))  # folded: the branch slices by its own shapes
    real = g.op("Slice", bank, g.ints(0), half, g.ints(1))
    other = g.op("Slice", bank, half, g.constant(np.array([2 ** 63 - 1])), g.ints(1))
    power = g.op("Sqrt", g.op("Add", g.op("Mul", real, real), g.op("Mul", other, other)))
    seen = g.op("Relu", g.op("Conv", power, g.normal(8, 8, 3), g.normal(8), pads=[1, 1]))
    h, new = lstm_step(g, g.op("ReduceMean", seen, g.ints(2), keepdims=0), state, 8)
    g.result(g.op("Sigmoid", g.op("Gemm", h, g.normal(8, 1))))
    g.result(new)
    return g.graph()


def chosen_branches(seed=41):
    """Conditions that only the run knows, each way once; branches of one's own layout; a nested one; an outer value as result."""
    g = Graph(seed, 18)
    x, rate, state = g.input("x", [1, 64]), g.input("rate", [], TensorProto.INT64), g.input("state", [2, 1, 8])
    image = g.input("image", [1, 4, 6, 6])
    low = g.op("Less", rate, g.constant(np.int64(8)))
    for flag in (low, g.op("Not", low)):
        for out in g.op("If", flag, outputs=2, then_branch=detector(f"{flag}_16k", seed + 1, x, state, 16, 8),
                        else_branch=detector(f"{flag}_8k", seed + 2, x, state, 8, 4)):
            g.output(out)
    inner = [Body("deep_then", 3), Body("deep_else", 4)]
    inner[0].result(inner[0].op("Conv", image, inner[0].normal(4, 4, 1, 1)))
    inner[1].result(inner[1].op("Transpose", inner[1].op("Transpose", image, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2]))
    outer = Body("outer", 5)
    nested = outer.op("If", g.op("Greater", rate, g.constant(np.int64(3))), then_branch=inner[0].graph(), else_branch=inner[1].graph())
    outer.result(outer.op("Tanh", nested))
    alone = Body("alone", 6)
    alone.result(alone.op("Relu", image))
    g.output(g.op("If", g.op("Reshape", low, g.ints(1)), then_branch=outer.graph(), else_branch=alone.graph()))
    return g.model()


def counter(body, prefix):
    """The inputs of a Loop's body that every one has."""
    return body.input(f"{prefix}_i", [], TensorProto.INT64), body.input(f"{prefix}_go", [], TensorProto.BOOL)


def counted_loops(seed=42):
    """A count and no condition, a condition that a counter ends, values that grow, results of each pass."""
    g = Graph(seed, 18)
    x, frames = g.input("x", [3, 8]), g.input("frames", [5, 3, 8])
    body = Body("rows", seed + 1)
    i, go = counter(body, "rows")
    h = body.input("rows_h", [3, 8])
    frame = body.op("Gather", frames, i, axis=0)
    new = body.op("Tanh", body.op("Add", body.op("MatMul", h, body.normal(8, 8)), frame))
    body.result(body.op("Identity", go), TensorProto.BOOL)
    body.result(new)
    body.result(body.op("ReduceMax", new, body.ints(1), keepdims=0))
    for out in g.op("Loop", g.constant(np.int64(5)), "", x, outputs=2, body=body.graph()):
        g.output(out)
    body = Body("grow", seed + 2)
    i, go = counter(body, "grow")
    rows, n = body.input("grow_rows", [None, 8]), body.input("grow_n", [], TensorProto.INT64)
    more = body.op("Add", n, body.constant(np.int64(1)))
    body.result(body.op("Less", more, body.constant(np.int64(4))), TensorProto.BOOL)
    body.result(body.op("Concat", rows, body.op("Neg", x), axis=0))
    body.result(more, TensorProto.INT64)
    for out in g.op("Loop", "", g.constant(np.array(True)), x, g.constant(np.int64(1)), outputs=2, body=body.graph()):
        g.output(out)
    return g.model()


def counted_scans(seed=43):
    """Sequences along several dimensions, backwards, too; lists likewise; a cell over all steps; no state at all."""
    g = Graph(seed, 18)
    xs, ys, state = g.input("xs", [1, 6, 8]), g.input("ys", [6, 1, 8]), g.input("state", [2, 1, 8])
    cell = Body("cell", seed + 1)
    before, x, y = cell.input("cell_state", [2, 1, 8]), cell.input("cell_x", [1, 8]), cell.input("cell_y", [1, 8])
    h, after = lstm_step(cell, cell.op("Sub", x, y), before, 8)
    for result in (after, h, cell.op("Identity", y)):
        cell.result(result)
    for out in g.op("Scan", state, xs, ys, outputs=3, body=cell.graph(), num_scan_inputs=2, scan_input_axes=[1, 0],
                    scan_input_directions=[0, 1], scan_output_axes=[0, -1], scan_output_directions=[1, 0]):
        g.output(out)
    rows = Body("rows", seed + 2)
    row = rows.input("row", [1, 8])
    rows.result(rows.op("Softmax", row))
    g.output(g.op("Scan", ys, body=rows.graph(), num_scan_inputs=1))
    return g.model()


# ---- What is refused ----

def branch(prefix, x, kind, *operands, **attributes):
    g = Body(prefix)
    g.result(g.op(kind, x, *[g.constant(o) for o in operands], **attributes))
    return g.graph()


def different_shapes():
    """Results of two shapes, and the inputs decide."""
    g = Graph(1, 18)
    x, flag = g.input("x", [2, 4]), g.input("flag", [], TensorProto.BOOL)
    g.output(g.op("If", flag, then_branch=branch("yes", x, "Relu"), else_branch=branch("no", x, "ReduceSum", np.array([1]))))
    return g.untyped()


def uncounted_loop(by_condition):
    """A loop whose count is an input, or that ends when its values say so."""
    g = Graph(1, 18)
    x, n = g.input("x", [2, 4]), g.input("n", [], TensorProto.INT64)
    body = Body("body")
    _, go = counter(body, "body")
    v = body.input("body_v", [2, 4])
    twice = body.op("Add", v, v)
    largest = body.op("ReduceMax", twice, keepdims=0)
    body.result(body.op("Less", largest, body.real(100)) if by_condition else go, TensorProto.BOOL)
    body.result(twice)
    g.output(g.op("Loop", g.constant(np.int64(9)) if by_condition else n, "", x, body=body.graph()))
    return g.untyped()


def endless_loop():
    """Nothing ends it but the limit on nodes."""
    g = Graph(1, 18)
    x, body = g.input("x", [2, 4]), Body("body")
    _, go = counter(body, "body")
    body.result(go, TensorProto.BOOL)
    body.result(body.input("body_v", [2, 4]))
    g.output(g.op("Loop", g.constant(np.int64(2 ** 62)), "", x, body=body.graph()))
    return g.untyped()


def loop_without_passes():
    """A list of nothing has no shape."""
    g = Graph(1, 18)
    x, body = g.input("x", [2, 4]), Body("body")
    _, go = counter(body, "body")
    body.result(go, TensorProto.BOOL)
    body.result(body.op("Relu", x))
    g.output(g.op("Loop", g.constant(np.int64(0)), "", body=body.graph()))
    return g.untyped()


def uneven_sequences():
    g = Graph(1, 18)
    body = Body("body")
    a, b = body.input("a", [4]), body.input("b", [4])
    body.result(body.op("Add", a, b))
    g.output(g.op("Scan", g.input("x", [2, 4]), g.input("y", [3, 4]), body=body.graph(), num_scan_inputs=2))
    return g.untyped()


MODELS = {"chosen_branches_float": chosen_branches, "counted_loops_float": counted_loops, "counted_scans_float": counted_scans}
REFUSED = {"ort_if_shapes": different_shapes, "ort_loop_count": lambda: uncounted_loop(False),
           "ort_loop_condition": lambda: uncounted_loop(True), "ort_loop_endless": endless_loop,
           "ort_loop_no_passes": loop_without_passes, "ort_scan_uneven": uneven_sequences}
