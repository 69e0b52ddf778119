/* onnx_file.c: an ONNX model, in Protocol Buffers, as the graph of onnx_graph.h. */
#define FRONTEND_COMMON
#include <string.h>

#include "frontends/onnx/onnx_file.h"

enum { NEWEST_OPSET = 28 }; /* up to which ops.def knows the forms of all its operators */

/* Fields by their number in the schema. */
enum { MODEL_GRAPH = 7, MODEL_OPSET_IMPORT = 8, MODEL_FUNCTIONS = 25 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION };
enum {
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE_INFO = 13,
    GRAPH_SPARSE_INITIALIZER = 15
};
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE, NODE_ATTRIBUTE, NODE_DOC, NODE_DOMAIN, NODE_OVERLOAD };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F,
    ATTRIBUTE_I,
    ATTRIBUTE_S,
    ATTRIBUTE_T,
    ATTRIBUTE_G,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_INTS,
    ATTRIBUTE_STRINGS,
    ATTRIBUTE_TYPE = 20,
    ATTRIBUTE_REFERENCE
};
enum { FUNCTION_NODE = 7 };
enum { VALUE_INFO_NAME = 1, VALUE_INFO_TYPE };
enum { TYPE_TENSOR_TYPE = 1 };
enum { TENSOR_TYPE_ELEMENT = 1, TENSOR_TYPE_SHAPE };
enum { SHAPE_DIM = 1 };
enum { DIMENSION_EXTENT = 1, DIMENSION_NAME };

/* ---- Texts ---- */

frontend_names onnx_texts(onnx_file *o, pb_message message, uint32_t number)
{
    const size_t count = pb_count(message, number);
    frontend_names names = {0, ARENA_ARRAY(o->model->graph->arena, const char *, count + 1)};
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == number)
            names.text[names.count++] = pb_text(&f, o->model->graph->arena);
    return names;
}

/* ---- Types of inputs ---- */

static void read_dimension(onnx_file *o, pb_message message, int64_t *extent, const char **name)
{
    *extent = -1;
    *name = NULL;
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == DIMENSION_EXTENT) {
            const int64_t value = pb_int(&f);
            *extent = value < 0 ? -1 : value;
        } else if (f.number == DIMENSION_NAME) {
            *name = pb_text(&f, o->model->graph->arena);
        }
}

static void read_shape(onnx_file *o, pb_message message, onnx_info *out)
{
    const size_t count = pb_count(message, SHAPE_DIM);
    int64_t *dims = ARENA_ARRAY(o->model->graph->arena, int64_t, count + 1);
    out->dim_names = ARENA_ARRAY(o->model->graph->arena, const char *, count + 1);
    out->dims = dims;
    out->rank = 0;
    out->has_shape = true;
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == SHAPE_DIM) {
            read_dimension(o, pb_sub(&f), &dims[out->rank], &out->dim_names[out->rank]);
            out->rank++;
        }
}

static void read_tensor_type(onnx_file *o, pb_message message, onnx_info *out)
{
    out->is_tensor = true;
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == TENSOR_TYPE_ELEMENT)
            out->type = pb_int(&f);
        else if (f.number == TENSOR_TYPE_SHAPE)
            read_shape(o, pb_sub(&f), out);
}

static void read_info(onnx_file *o, pb_message message, onnx_info *out)
{
    *out = (onnx_info){.name = ""};
    for (pb_field f; pb_next(&message, &f);) {
        if (f.number == VALUE_INFO_NAME)
            out->name = pb_text(&f, o->model->graph->arena);
        if (f.number != VALUE_INFO_TYPE)
            continue;
        pb_message type = pb_sub(&f);
        for (pb_field kind; pb_next(&type, &kind);)
            if (kind.number == TYPE_TENSOR_TYPE)
                read_tensor_type(o, pb_sub(&kind), out);
    }
}

/* ---- Nodes ---- */

/* Nodes, and the constants among them, of a graph whose functions are written out. */
typedef struct contents {
    onnx_node *nodes;
    onnx_tensor *tensors;
    uint32_t node_count, node_room, tensor_count, tensor_room;
} contents;

static void *grown(onnx_file *o, void *items, uint32_t count, uint32_t *room, size_t bytes)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 16;
    void *more = arena_alloc(o->model->graph->arena, *room * bytes);
    if (count)
        memcpy(more, items, count * bytes);
    return more;
}

static const onnx_graph *read_graph(onnx_file *, pb_message, const onnx_call *, int depth);

static void read_value(onnx_file *o, pb_message message, const pb_field *f, frontend_value *v)
{
    switch (f->number) {
    case ATTRIBUTE_F: v->f = pb_float(f); break;
    case ATTRIBUTE_I: v->i = pb_int(f); break;
    case ATTRIBUTE_S:
        v->s = pb_text(f, o->model->graph->arena);
        v->count = (uint32_t)f->size;
        break;
    case ATTRIBUTE_FLOATS:
        if (!v->floats)
            v->floats = pb_float_list(message, ATTRIBUTE_FLOATS, o->model->graph->arena, &v->count);
        break;
    case ATTRIBUTE_INTS:
        if (!v->ints)
            v->ints = pb_int_list(message, ATTRIBUTE_INTS, o->model->graph->arena, &v->count);
        break;
    case ATTRIBUTE_STRINGS:
        if (!v->strings) {
            const frontend_names names = onnx_texts(o, message, ATTRIBUTE_STRINGS);
            v->strings = names.text;
            v->count = names.count;
        }
        break;
    default: break;
    }
}

/* What its type says that is not there is empty, or 0. */
static void complete(onnx_file *o, frontend_value *v)
{
    if (v->type == TYPE_STRING && !v->s)
        v->s = "";
    if (v->type == TYPE_FLOATS && !v->floats)
        v->floats = ARENA_NEW(o->model->graph->arena, float);
    if (v->type == TYPE_INTS && !v->ints)
        v->ints = ARENA_NEW(o->model->graph->arena, int64_t);
}

bool onnx_attribute(onnx_file *o, pb_message message, const onnx_call *call, int depth, frontend_attribute *out)
{
    frontend_value *v = ARENA_NEW(o->model->graph->arena, frontend_value);
    const pb_message whole = message;
    const char *reference = "";
    bool good = true;
    *out = (frontend_attribute){.name = "", .value = v};
    for (pb_field f; good && pb_next(&message, &f);)
        switch (f.number) {
        case ATTRIBUTE_NAME: out->name = pb_text(&f, o->model->graph->arena); break;
        case ATTRIBUTE_TYPE: v->type = (int32_t)pb_int(&f); break;
        case ATTRIBUTE_REFERENCE: reference = pb_text(&f, o->model->graph->arena); break;
        case ATTRIBUTE_T: {
            onnx_tensor *t = ARENA_NEW(o->model->graph->arena, onnx_tensor);
            v->tensor = t;
            good = onnx_tensor_read(o, pb_sub(&f), t);
            break;
        }
        case ATTRIBUTE_G: good = (v->graph = read_graph(o, pb_sub(&f), call, depth + 1)) != NULL; break;
        default: read_value(o, whole, &f, v);
        }
    complete(o, v);
    if (*reference)
        out->value = onnx_referred(o, call, reference, depth, &good);
    return good;
}

static void add_names(frontend_names *to, const frontend_names *from)
{
    for (uint32_t i = 0; to->text && i < from->count; i++)
        to->text[to->count + i] = from->text[i];
    to->count += from->count;
}

/* The names that a node's graphs read, be they the graph's own: the importer waits for those that are not. */
static void add_captured(const onnx_node *n, frontend_names *to)
{
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const onnx_graph *g = n->attributes[i].value->graph;
        for (uint32_t k = 0; g && k < g->node_count; k++) {
            add_names(to, &g->nodes[k].inputs);
            add_names(to, &g->nodes[k].captured);
        }
        if (g)
            add_names(to, &g->outputs);
    }
}

static frontend_names captured(onnx_file *o, const onnx_node *n)
{
    frontend_names count = {0, NULL}, names;
    add_captured(n, &count);
    names = (frontend_names){0, ARENA_ARRAY(o->model->graph->arena, const char *, count.count + 1)};
    add_captured(n, &names);
    return names;
}

static void rename(onnx_file *o, const onnx_call *call, frontend_names *names)
{
    for (uint32_t i = 0; call && i < names->count; i++)
        names->text[i] = onnx_name_in(o, call, names->text[i]);
}

static bool read_nodes(onnx_file *, pb_message, uint32_t number, const onnx_call *, int depth, contents *);

static int32_t opset_of(const onnx_file *o, const onnx_node *n, const onnx_call *call)
{
    if (*n->domain && strcmp(n->domain, "ai.onnx") != 0)
        return 1;
    return call && call->function->opset ? call->function->opset : o->opset;
}

static bool add_node(onnx_file *o, onnx_node *n, const char *overload, int depth, contents *to)
{
    const onnx_function *f = onnx_function_of(o, n->domain, n->type, overload);
    if (f) {
        const onnx_call call = {f, n, ++o->calls};
        return onnx_call_charge(o, f, depth) && read_nodes(o, f->message, FUNCTION_NODE, &call, depth + 1, to);
    }
    to->tensors = grown(o, to->tensors, to->tensor_count, &to->tensor_room, sizeof *to->tensors);
    if (onnx_tensor_of_node(o, n, &to->tensors[to->tensor_count])) {
        to->tensor_count++;
        return true;
    }
    to->nodes = grown(o, to->nodes, to->node_count, &to->node_room, sizeof *to->nodes);
    to->nodes[to->node_count++] = *n;
    return true;
}

static bool read_node(onnx_file *o, pb_message message, const onnx_call *call, int depth, contents *to)
{
    frontend_model *m = o->model;
    const pb_message whole = message;
    const char *overload = "";
    onnx_node n = {.domain = "", .type = ""};
    n.attributes = ARENA_ARRAY(m->graph->arena, frontend_attribute, pb_count(message, NODE_ATTRIBUTE) + 1);
    n.inputs = onnx_texts(o, whole, NODE_INPUT);
    n.outputs = onnx_texts(o, whole, NODE_OUTPUT);
    for (pb_field f; pb_next(&message, &f);)
        switch (f.number) {
        case NODE_OP_TYPE: n.type = pb_text(&f, o->model->graph->arena); break;
        case NODE_DOMAIN: n.domain = pb_text(&f, o->model->graph->arena); break;
        case NODE_OVERLOAD: overload = pb_text(&f, o->model->graph->arena); break;
        case NODE_ATTRIBUTE: {
            frontend_attribute *a = &n.attributes[n.attribute_count];
            if (!onnx_attribute(o, pb_sub(&f), call, depth, a))
                return false;
            n.attribute_count += a->value != NULL; /* one that refers to what the call leaves out is absent */
            break;
        }
        default: break;
        }
    n.opset = opset_of(o, &n, call);
    n.captured = captured(o, &n);
    rename(o, call, &n.inputs);
    rename(o, call, &n.outputs);
    return add_node(o, &n, overload, depth, to);
}

static bool read_nodes(onnx_file *o, pb_message message, uint32_t number, const onnx_call *call, int depth,
                       contents *to)
{
    const ir_loc loc = model_loc(o->model);
    for (pb_field f; pb_next(&message, &f);) {
        if (f.number != number)
            continue;
        if (++o->nodes_read > ONNX_MAX_NODES)
            return diag_error(o->model->diag, &loc, "more than %d nodes", ONNX_MAX_NODES);
        if (!read_node(o, pb_sub(&f), call, depth, to))
            return false;
    }
    return true;
}

/* ---- Graphs ---- */

static bool read_tensors(onnx_file *o, pb_message message, contents *to)
{
    for (pb_field f; pb_next(&message, &f);) {
        if (f.number != GRAPH_INITIALIZER)
            continue;
        to->tensors = grown(o, to->tensors, to->tensor_count, &to->tensor_room, sizeof *to->tensors);
        if (!onnx_tensor_read(o, pb_sub(&f), &to->tensors[to->tensor_count++]))
            return false;
    }
    return true;
}

/* Of inputs or outputs. */
static frontend_names info_names(onnx_file *o, pb_message message, uint32_t number)
{
    frontend_names names = {0, ARENA_ARRAY(o->model->graph->arena, const char *, pb_count(message, number) + 1)};
    for (pb_field f; pb_next(&message, &f);) {
        onnx_info info;
        if (f.number != number)
            continue;
        read_info(o, pb_sub(&f), &info);
        names.text[names.count++] = info.name;
    }
    return names;
}

static void read_infos(onnx_file *o, pb_message message, onnx_graph *g)
{
    const size_t count = pb_count(message, GRAPH_INPUT) + pb_count(message, GRAPH_OUTPUT);
    g->infos = ARENA_ARRAY(o->model->graph->arena, onnx_info, count + 1);
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == GRAPH_INPUT || f.number == GRAPH_OUTPUT)
            read_info(o, pb_sub(&f), &g->infos[g->info_count++]);
}

static const onnx_graph *read_graph(onnx_file *o, pb_message message, const onnx_call *call, int depth)
{
    frontend_model *m = o->model;
    const ir_loc loc = model_loc(m);
    onnx_graph *g = ARENA_NEW(m->graph->arena, onnx_graph);
    contents all = {0};
    if (depth > ONNX_MAX_DEPTH) {
        diag_error(m->diag, &loc, "graphs are nested more than %d deep", ONNX_MAX_DEPTH);
        return NULL;
    }
    if (!read_tensors(o, message, &all))
        return NULL;
    for (uint32_t i = 0; call && i < all.tensor_count; i++)
        all.tensors[i].name = onnx_name_in(o, call, all.tensors[i].name);
    if (!read_nodes(o, message, GRAPH_NODE, call, depth, &all))
        return NULL;
    read_infos(o, message, g);
    g->inputs = info_names(o, message, GRAPH_INPUT);
    g->outputs = info_names(o, message, GRAPH_OUTPUT);
    rename(o, call, &g->inputs);
    rename(o, call, &g->outputs);
    g->initializer_count = all.tensor_count;
    g->initializers = all.tensors;
    g->node_count = all.node_count;
    g->nodes = all.nodes;
    g->sparse_count = (uint32_t)pb_count(message, GRAPH_SPARSE_INITIALIZER);
    return g;
}

/* ---- The model ---- */

int32_t onnx_opset(onnx_file *o, pb_message message, uint32_t number)
{
    int64_t found = 0;
    for (pb_field f; pb_next(&message, &f);) {
        const char *domain = "";
        int64_t version = 0;
        if (f.number != number)
            continue;
        pb_message set = pb_sub(&f);
        for (pb_field part; pb_next(&set, &part);)
            if (part.number == OPSET_DOMAIN)
                domain = pb_text(&part, o->model->graph->arena);
            else if (part.number == OPSET_VERSION)
                version = pb_int(&part);
        if (!*domain || strcmp(domain, "ai.onnx") == 0)
            found = version;
    }
    return (int32_t)(found < 0 || found > INT32_MAX ? INT32_MAX : found);
}

static const onnx_graph *read_model(onnx_file *o, pb_message message)
{
    frontend_model *m = o->model;
    const ir_loc loc = model_loc(m);
    const onnx_graph *graph = NULL;
    if (o->opset > NEWEST_OPSET) {
        diag_error(m->diag, &loc, "the model is of operator set %d, supported are those up to %d: convert it", o->opset,
                   NEWEST_OPSET);
        return NULL;
    }
    for (pb_field f; pb_next(&message, &f);) {
        if (f.number != MODEL_GRAPH)
            continue;
        if (graph)
            fb_fail(&m->reader, f.at, "the model has two graphs");
        graph = read_graph(o, pb_sub(&f), NULL, 0);
        if (!graph)
            return NULL;
    }
    if (fb_ok(&m->reader) && !graph)
        diag_error(m->diag, &loc, "the file has no graph");
    return graph;
}

const onnx_graph *onnx_file_read(frontend_model *m)
{
    const ir_loc loc = model_loc(m);
    const pb_message message = pb_root(&m->reader);
    onnx_file o = {.model = m};
    o.opset = onnx_opset(&o, message, MODEL_OPSET_IMPORT);
    o.opset = o.opset ? o.opset : 1; /* before operator sets had numbers */
    onnx_functions_read(&o, message, MODEL_FUNCTIONS);
    const onnx_graph *graph = read_model(&o, message);
    if (fb_ok(&m->reader))
        return graph;
    if (!m->diag->failed)
        model_malformed(m, &loc);
    return NULL;
}
