/* ort_file.c: a model in ONNX Runtime's format, a FlatBuffer, as the graph of onnx_graph.h. */
#define FRONTEND_COMMON
#include "frontends/onnx/onnx_graph.h"

/* Fields by their index in the schema. */
enum { SESSION_VERSION, SESSION_MODEL };
enum { MODEL_GRAPH = 7 };
enum {
    GRAPH_INITIALIZERS,
    GRAPH_NODE_ARGS,
    GRAPH_NODES,
    GRAPH_MAX_NODE_INDEX,
    GRAPH_NODE_EDGES,
    GRAPH_INPUTS,
    GRAPH_OUTPUTS,
    GRAPH_SPARSE_INITIALIZERS
};
enum {
    NODE_NAME,
    NODE_DOC,
    NODE_DOMAIN,
    NODE_SINCE_VERSION,
    NODE_INDEX,
    NODE_OP_TYPE,
    NODE_TYPE,
    NODE_PROVIDER,
    NODE_INPUTS,
    NODE_OUTPUTS,
    NODE_ATTRIBUTES,
    NODE_INPUT_COUNTS,
    NODE_CAPTURED
};
enum { TENSOR_NAME, TENSOR_DOC, TENSOR_DIMS, TENSOR_DATA_TYPE, TENSOR_RAW_DATA };
enum {
    ATTRIBUTE_NAME,
    ATTRIBUTE_DOC,
    ATTRIBUTE_TYPE,
    ATTRIBUTE_F,
    ATTRIBUTE_I,
    ATTRIBUTE_S,
    ATTRIBUTE_T,
    ATTRIBUTE_G,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_INTS,
    ATTRIBUTE_STRINGS
};
enum { VALUE_INFO_NAME, VALUE_INFO_DOC, VALUE_INFO_TYPE };
enum { TYPE_INFO_DENOTATION, TYPE_INFO_KIND, TYPE_INFO_VALUE };
enum { TYPE_IS_TENSOR = 1 };
enum { TENSOR_TYPE_ELEMENT, TENSOR_TYPE_SHAPE };
enum { SHAPE_DIMS };
enum { DIMENSION_VALUE };
enum { DIMENSION_KIND, DIMENSION_EXTENT, DIMENSION_NAME };
enum { DIMENSION_IS_FIXED = 1, DIMENSION_IS_NAMED };

static void read_tensor(frontend_model *m, fb_table t, onnx_tensor *out)
{
    const fb_vector raw = fb_bytes(t, TENSOR_RAW_DATA);
    *out = (onnx_tensor){.name = model_string(m, t, TENSOR_NAME, ""),
                         .type = fb_i32(t, TENSOR_DATA_TYPE, 0),
                         .data = raw.data,
                         .size = raw.count};
    out->dims = model_ints(m, t, TENSOR_DIMS, 8, &out->rank);
}

static void read_info(frontend_model *m, fb_table t, onnx_info *out)
{
    const fb_table info = fb_sub(t, VALUE_INFO_TYPE);
    *out = (onnx_info){.name = model_string(m, t, VALUE_INFO_NAME, ""),
                       .is_tensor = fb_u8(info, TYPE_INFO_KIND, 0) == TYPE_IS_TENSOR};
    if (!out->is_tensor)
        return;
    const fb_table tensor = fb_sub(info, TYPE_INFO_VALUE), shape = fb_sub(tensor, TENSOR_TYPE_SHAPE);
    const fb_vector v = fb_vec(shape, SHAPE_DIMS, 4);
    int64_t *dims = ARENA_ARRAY(m->graph->arena, int64_t, v.count + 1);
    out->dim_names = ARENA_ARRAY(m->graph->arena, const char *, v.count + 1);
    out->has_shape = fb_present(shape);
    out->type = fb_i32(tensor, TENSOR_TYPE_ELEMENT, 0);
    out->rank = v.count;
    out->dims = dims;
    for (uint32_t i = 0; i < v.count; i++) {
        const fb_table value = fb_sub(fb_vec_table(v, i), DIMENSION_VALUE);
        const int kind = fb_i8(value, DIMENSION_KIND, 0);
        const int64_t extent = kind == DIMENSION_IS_FIXED ? fb_i64(value, DIMENSION_EXTENT, -1) : -1;
        dims[i] = extent < 0 ? -1 : extent;
        out->dim_names[i] = kind == DIMENSION_IS_NAMED ? model_string(m, value, DIMENSION_NAME, NULL) : NULL;
    }
}

static const onnx_graph *read_graph(frontend_model *m, fb_table t, int depth);

static bool read_attribute(frontend_model *m, fb_table t, int depth, frontend_attribute *out)
{
    frontend_value *v = ARENA_NEW(m->graph->arena, frontend_value);
    *out = (frontend_attribute){.name = model_string(m, t, ATTRIBUTE_NAME, ""), .value = v};
    v->type = fb_i32(t, ATTRIBUTE_TYPE, 0);
    v->f = fb_f32(t, ATTRIBUTE_F, 0);
    v->i = fb_i64(t, ATTRIBUTE_I, 0);
    switch (v->type) {
    case TYPE_STRING: {
        const char *text = fb_string(t, ATTRIBUTE_S, &v->count);
        v->s = text ? arena_string(m->graph->arena, text, v->count) : "";
        break;
    }
    case TYPE_FLOATS: v->floats = model_floats(m, t, ATTRIBUTE_FLOATS, &v->count); break;
    case TYPE_INTS: v->ints = model_ints(m, t, ATTRIBUTE_INTS, 8, &v->count); break;
    case TYPE_STRINGS: {
        const frontend_names names = model_names(m, t, ATTRIBUTE_STRINGS);
        v->strings = names.text;
        v->count = names.count;
        break;
    }
    case TYPE_TENSOR: {
        onnx_tensor *tensor = ARENA_NEW(m->graph->arena, onnx_tensor);
        const fb_table from = fb_sub(t, ATTRIBUTE_T);
        read_tensor(m, from, tensor);
        v->tensor = fb_present(from) ? tensor : NULL;
        break;
    }
    case TYPE_GRAPH: return (v->graph = read_graph(m, fb_sub(t, ATTRIBUTE_G), depth + 1)) != NULL;
    default: break;
    }
    return true;
}

static bool read_node(frontend_model *m, fb_table t, int depth, onnx_node *out)
{
    const fb_vector attributes = fb_vec(t, NODE_ATTRIBUTES, 4);
    *out = (onnx_node){.domain = model_string(m, t, NODE_DOMAIN, ""),
                       .type = model_string(m, t, NODE_OP_TYPE, ""),
                       .since = fb_i32(t, NODE_SINCE_VERSION, 1),
                       .inputs = model_names(m, t, NODE_INPUTS),
                       .outputs = model_names(m, t, NODE_OUTPUTS),
                       .captured = model_names(m, t, NODE_CAPTURED),
                       .attribute_count = attributes.count,
                       .attributes = ARENA_ARRAY(m->graph->arena, frontend_attribute, attributes.count + 1)};
    for (uint32_t i = 0; i < attributes.count && fb_ok(&m->reader); i++)
        if (!read_attribute(m, fb_vec_table(attributes, i), depth, &out->attributes[i]))
            return false;
    return true;
}

static const onnx_graph *read_graph(frontend_model *m, fb_table t, int depth)
{
    ir_loc loc = model_loc(m);
    onnx_graph *g = ARENA_NEW(m->graph->arena, onnx_graph);
    if (depth > ONNX_MAX_DEPTH) {
        diag_error(m->diag, &loc, "graphs are nested more than %d deep", ONNX_MAX_DEPTH);
        return NULL;
    }
    const fb_vector tensors = fb_vec(t, GRAPH_INITIALIZERS, 4), infos = fb_vec(t, GRAPH_NODE_ARGS, 4),
                    nodes = fb_vec(t, GRAPH_NODES, 4);
    *g = (onnx_graph){tensors.count,
                      infos.count,
                      nodes.count,
                      fb_vec(t, GRAPH_SPARSE_INITIALIZERS, 4).count,
                      ARENA_ARRAY(m->graph->arena, onnx_tensor, tensors.count + 1),
                      ARENA_ARRAY(m->graph->arena, onnx_info, infos.count + 1),
                      ARENA_ARRAY(m->graph->arena, onnx_node, nodes.count + 1),
                      model_names(m, t, GRAPH_INPUTS),
                      model_names(m, t, GRAPH_OUTPUTS)};
    for (uint32_t i = 0; i < tensors.count && fb_ok(&m->reader); i++)
        read_tensor(m, fb_vec_table(tensors, i), &g->initializers[i]);
    for (uint32_t i = 0; i < infos.count && fb_ok(&m->reader); i++)
        read_info(m, fb_vec_table(infos, i), &g->infos[i]);
    for (uint32_t i = 0; i < nodes.count && fb_ok(&m->reader); i++) {
        loc.node = (int32_t)i;
        if (!read_node(m, fb_vec_table(nodes, i), depth, &g->nodes[i]))
            return NULL;
    }
    if (fb_ok(&m->reader))
        return g;
    model_malformed(m, &loc);
    return NULL;
}

const onnx_graph *ort_file_read(frontend_model *m)
{
    const ir_loc loc = model_loc(m);
    const fb_table graph = fb_sub(fb_sub(fb_root(&m->reader), SESSION_MODEL), MODEL_GRAPH);
    if (fb_ok(&m->reader) && fb_present(graph))
        return read_graph(m, graph, 0);
    if (fb_ok(&m->reader))
        diag_error(m->diag, &loc, "the file has no graph");
    else
        model_malformed(m, &loc);
    return NULL;
}
