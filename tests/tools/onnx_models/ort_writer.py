"""ort_writer.py: an ONNX model in ONNX Runtime's format, without ONNX Runtime: as it is, whatever is wrong with it.

    data = write(model)                       # bytes; nodes are of the forms that the model's operator sets have
    data = write(model, version=lambda node: 99)

Needs onnx and flatbuffers."""

import flatbuffers
import onnx
from onnx import AttributeProto, numpy_helper

from flat_tables import numbers, offsets, table


def written_tensor(b, tensor, name=None):
    raw = numpy_helper.to_array(tensor).tobytes()
    name, dims, data = b.CreateString(name or tensor.name), numbers(b, tensor.dims, "q", 8), b.CreateByteVector(raw)
    return table(b, [(0, "o", name), (2, "o", dims), (3, "i", tensor.data_type), (4, "o", data)])


def written_attribute(b, a, version):
    kinds = {AttributeProto.FLOAT: lambda: (3, "f", a.f), AttributeProto.INT: lambda: (4, "q", a.i),
             AttributeProto.STRING: lambda: (5, "o", b.CreateString(a.s)),
             AttributeProto.TENSOR: lambda: (6, "o", written_tensor(b, a.t)),
             AttributeProto.GRAPH: lambda: (7, "o", written_graph(b, a.g, version)),
             AttributeProto.FLOATS: lambda: (8, "o", numbers(b, a.floats, "f", 4)),
             AttributeProto.INTS: lambda: (9, "o", numbers(b, a.ints, "q", 8)),
             AttributeProto.STRINGS: lambda: (10, "o", offsets(b, [b.CreateString(s) for s in a.strings]))}
    value, name = kinds.get(a.type, lambda: (1, "o", b.CreateString("")))(), b.CreateString(a.name)
    return table(b, [(0, "o", name), (2, "i", a.type), value])


def written_value(b, info):
    tensor, dims = info.type.tensor_type, []
    for d in tensor.shape.dim:
        fixed = d.HasField("dim_value")
        value = table(b, [(0, "B", 1), (1, "q", d.dim_value)] if fixed else [(0, "B", 2), (2, "o", b.CreateString(d.dim_param))])
        dims.append(table(b, [(0, "o", value)]))
    shape = table(b, [(0, "o", offsets(b, dims))])
    kind = table(b, [(1, "B", 1), (2, "o", table(b, [(0, "i", tensor.elem_type), (1, "o", shape)]))])
    name = b.CreateString(info.name)
    return table(b, [(0, "o", name), (2, "o", kind)])


def names(b, texts):
    return offsets(b, [b.CreateString(t) for t in texts])


def captured(node):
    """Names of the graph around that the node's own graphs read."""
    return [name for a in node.attribute if a.type == AttributeProto.GRAPH for inner in a.g.node
            for name in [*inner.input, *captured(inner)]
            if name not in {o for n in a.g.node for o in n.output} | {t.name for t in a.g.initializer}]


def written_node(b, index, node, version):
    attributes = offsets(b, [written_attribute(b, a, version) for a in node.attribute])
    texts = [(slot, "o", b.CreateString(t)) for slot, t in ((0, node.name), (2, node.domain), (5, node.op_type))]
    lists = [(8, "o", names(b, node.input)), (9, "o", names(b, node.output)), (10, "o", attributes),
             (12, "o", names(b, captured(node)))]
    return table(b, [*texts, (3, "i", version(node)), (4, "i", index), *lists])


def written_graph(b, graph, version):
    infos = {i.name: i for i in [*graph.input, *graph.value_info, *graph.output]}
    fields = [(0, offsets(b, [written_tensor(b, t) for t in graph.initializer])),
              (1, offsets(b, [written_value(b, i) for i in infos.values()])),
              (2, offsets(b, [written_node(b, k, n, version) for k, n in enumerate(graph.node)])),
              (5, names(b, [i.name for i in graph.input])), (6, names(b, [o.name for o in graph.output]))]
    return table(b, [(slot, "o", value) for slot, value in fields])


def form_of(node, model):
    """The operator set that brought the form which a node of the model has."""
    try:
        newest = next(o.version for o in model.opset_import if o.domain == node.domain)
        return onnx.defs.get_schema(node.op_type, newest, node.domain).since_version
    except onnx.defs.SchemaError:  # ONNX Runtime's own
        return 1


def write(model, version=None):
    b = flatbuffers.Builder()
    graph = written_graph(b, model.graph, version or (lambda node: form_of(node, model)))
    session = table(b, [(0, "o", b.CreateString("1")), (1, "o", table(b, [(7, "o", graph)]))])
    b.Finish(session, file_identifier=b"ORTM")
    return bytes(b.Output())
