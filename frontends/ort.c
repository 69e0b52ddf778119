/* ort.c: a model in ONNX Runtime's format to IR: names, initializers, inputs, nodes in an order that works, outputs.
 *
 * Nodes need not be sorted in the file: each is imported after the nodes that make its operands. */
#include <string.h>

#include "frontends/ort_import.h"

/* ---- Names ---- */

static uint32_t hash_text(const char *text, size_t length) { return (uint32_t)ir_hash_bytes(text, length, 1); }

static void grow_names(ort_model *m)
{
    ort_name **old = m->names;
    uint32_t slots = m->name_slots;
    m->name_slots = slots ? slots * 2 : 256;
    m->names = ARENA_ARRAY(m->graph->arena, ort_name *, m->name_slots);
    for (uint32_t i = 0; i < slots; i++) {
        if (!old[i])
            continue;
        uint32_t at = hash_text(old[i]->text, strlen(old[i]->text));
        while (m->names[at & (m->name_slots - 1)])
            at++;
        m->names[at & (m->name_slots - 1)] = old[i];
    }
}

/* The entry of a name, made when it is new; NULL for the empty name, which stands for an absent operand. */
static ort_name *find_name(ort_model *m, const char *text, uint32_t length)
{
    if (!text || !length)
        return NULL;
    const char *zero = memchr(text, 0, length);
    if (zero)
        length = (uint32_t)(zero - text);
    if (m->name_count * 2 >= m->name_slots)
        grow_names(m);
    for (uint32_t at = hash_text(text, length);; at++) {
        ort_name **slot = &m->names[at & (m->name_slots - 1)];
        if (!*slot) {
            *slot = ARENA_NEW(m->graph->arena, ort_name);
            (*slot)->text = arena_string(m->graph->arena, text, length);
            (*slot)->producer = -1;
            m->name_count++;
            return *slot;
        }
        if (strlen((*slot)->text) == length && memcmp((*slot)->text, text, length) == 0)
            return *slot;
    }
}

static ort_name *vector_name(ort_model *m, fb_vector v, uint32_t index)
{
    uint32_t length;
    const char *text = fb_vec_string(v, index, &length);
    return find_name(m, text, length);
}

static ort_name *field_name(ort_model *m, fb_table t, unsigned field)
{
    uint32_t length;
    const char *text = fb_string(t, field, &length);
    return find_name(m, text, length);
}

/* ---- Tensors ---- */

ir_dtype ort_dtype(int64_t type)
{
    static const ir_dtype dtypes[] = {
        [1] = IR_F32, [2] = IR_U8,   [3] = IR_I8,   [4] = IR_U16,  [5] = IR_I16, [6] = IR_I32,
        [7] = IR_I64, [9] = IR_BOOL, [10] = IR_F16, [11] = IR_F64, [12] = IR_U32};
    return type > 0 && type < (int64_t)(sizeof dtypes / sizeof *dtypes) ? dtypes[type] : IR_DTYPE_NONE;
}

ir_value *ort_tensor_constant(ort_model *m, const ir_loc *loc, fb_table t)
{
    fb_vector dims = fb_vec(t, TENSOR_DIMS, 8), raw = fb_bytes(t, TENSOR_RAW_DATA);
    ir_type type = {.dtype = ort_dtype(fb_i32(t, TENSOR_DATA_TYPE, 0))};
    const char *name = model_string(m, t, TENSOR_NAME, "");
    if (!fb_ok(&m->reader)) {
        model_malformed(m, loc);
        return NULL;
    }
    if (!type.dtype || dims.count > IR_MAX_RANK) {
        diag_error(m->diag, loc, "constant '%s' of type %d with %u dimensions is not supported", name,
                   fb_i32(t, TENSOR_DATA_TYPE, 0), dims.count);
        return NULL;
    }
    type.rank = (int)dims.count;
    for (uint32_t i = 0; i < dims.count; i++)
        type.dims[i] = fb_vec_i64(dims, i);
    if (!ir_type_valid(&type) || ir_type_bytes(&type) != raw.count) {
        diag_error(m->diag, loc, "constant '%s' has %u bytes of data, which its shape does not fit", name, raw.count);
        return NULL;
    }
    return model_constant(m, loc, name, type, NULL, raw.count ? (const void *)raw.data : "");
}

static bool read_names(ort_model *m, fb_table graph)
{
    const ir_loc loc = model_loc(m);
    fb_vector tensors = fb_vec(graph, GRAPH_INITIALIZERS, 4), infos = fb_vec(graph, GRAPH_NODE_ARGS, 4);
    for (uint32_t i = 0; i < tensors.count; i++) {
        fb_table t = fb_vec_table(tensors, i);
        ort_name *name = field_name(m, t, TENSOR_NAME);
        if (!fb_ok(&m->reader))
            return model_malformed(m, &loc);
        if (!name || fb_present(name->initializer) || name->producer >= 0 || name->is_input)
            return diag_error(m->diag, &loc, "initializer %u has no name, or that of another one", i);
        name->initializer = t;
    }
    for (uint32_t i = 0; i < infos.count && fb_ok(&m->reader); i++) {
        fb_table t = fb_vec_table(infos, i);
        ort_name *name = field_name(m, t, VALUE_INFO_NAME);
        if (name)
            name->info = t;
    }
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

/* ---- Inputs ---- */

/* Extents that the file leaves open are -1. */
static bool input_type(ort_model *m, const ort_name *name, ir_type *out)
{
    const ir_loc loc = model_loc(m);
    fb_table info = fb_sub(name->info, VALUE_INFO_TYPE);
    if (fb_u8(info, TYPE_INFO_KIND, 0) != TYPE_IS_TENSOR)
        return diag_error(m->diag, &loc, "input '%s' is not a tensor", name->text);
    fb_table tensor = fb_sub(info, TYPE_INFO_VALUE);
    fb_vector dims = fb_vec(fb_sub(tensor, TENSOR_TYPE_SHAPE), SHAPE_DIMS, 4);
    *out = (ir_type){.dtype = ort_dtype(fb_i32(tensor, TENSOR_TYPE_ELEMENT, 0))};
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (!out->dtype || !fb_present(fb_sub(tensor, TENSOR_TYPE_SHAPE)) || dims.count > IR_MAX_RANK)
        return diag_error(m->diag, &loc, "input '%s' has an element type that is not supported, or no shape",
                          name->text);
    out->rank = (int)dims.count;
    for (uint32_t i = 0; i < dims.count; i++) {
        fb_table value = fb_sub(fb_vec_table(dims, i), DIMENSION_VALUE);
        bool fixed = fb_i8(value, DIMENSION_KIND, 0) == DIMENSION_IS_FIXED && fb_i64(value, DIMENSION_EXTENT, -1) >= 0;
        out->dims[i] = fixed ? fb_i64(value, DIMENSION_EXTENT, 0) : -1;
    }
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

static bool make_inputs(ort_model *m)
{
    const ir_loc loc = model_loc(m);
    fb_vector in = fb_vec(m->table, GRAPH_INPUTS, 4);
    if (in.count > ORT_MAX_OPERANDS)
        return diag_error(m->diag, &loc, "more than %d inputs", ORT_MAX_OPERANDS);
    for (uint32_t i = 0; i < in.count; i++) {
        ort_name *name = vector_name(m, in, i);
        ir_type type;
        if (!fb_ok(&m->reader))
            return model_malformed(m, &loc);
        if (name && fb_present(name->initializer))
            continue; /* a default that the caller could replace stays what it is */
        if (!name || name->is_input)
            return diag_error(m->diag, &loc, "input %u has no name, or that of another one", i);
        if (!input_type(m, name, &type) || !model_input_type(m, name->text, NULL, &type))
            return false;
        name->is_input = true;
        name->forms[LAYOUT_PLAIN] = ir_input_new(m->graph, type, NULL, name->text);
    }
    return model_input_shapes_used(m);
}

/* ---- Nodes ---- */

static const ort_op_entry ops[] = {
#define ORT_OP(domain, NAME, min, max, importer, code, oldest, newest, attributes)                                     \
    {domain, NAME, importer, NULL, (ir_opcode)(code), min, max, oldest, newest, attributes},
#define ORT_NO(domain, NAME, reason) {domain, NAME, NULL, reason, (ir_opcode)0, 0, -1, 0, 0, ""},
#include "frontends/ort_ops.def"
#undef ORT_OP
#undef ORT_NO
};

static const ort_op_entry *find_op(const char *domain, const char *name)
{
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].name, name) == 0 && strcmp(ops[i].domain, domain) == 0)
            return &ops[i];
    return NULL;
}

static ort_name **read_operands(ort_model *m, fb_table t, unsigned field, int *out_count)
{
    fb_vector v = fb_vec(t, field, 4);
    *out_count = v.count > ORT_MAX_OPERANDS ? ORT_MAX_OPERANDS + 1 : (int)v.count;
    ort_name **names = ARENA_ARRAY(m->graph->arena, ort_name *, *out_count + 1);
    for (int i = 0; i < *out_count && fb_ok(&m->reader); i++)
        names[i] = vector_name(m, v, (uint32_t)i);
    return names;
}

static void want(int count, ort_name *const names[])
{
    for (int i = 0; i < count; i++)
        if (names[i])
            names[i]->wanted = true;
}

static bool read_node(ort_model *m, ort_node *n, int32_t scope, int32_t index, fb_table t)
{
    *n = (ort_node){.model = m, .table = t, .loc = {.file = m->file, .subgraph = scope, .node = index}};
    const char *type = model_string(m, t, NODE_OP_TYPE, ""), *domain = model_string(m, t, NODE_DOMAIN, "");
    n->loc.kind = type;
    n->since = fb_i32(t, NODE_SINCE_VERSION, 1);
    fb_vector attributes = fb_vec(t, NODE_ATTRIBUTES, 4);
    n->attribute_count = attributes.count;
    n->attributes = ARENA_ARRAY(m->graph->arena, frontend_attribute, attributes.count + 1);
    for (uint32_t i = 0; i < attributes.count && fb_ok(&m->reader); i++) {
        n->attributes[i].table = fb_vec_table(attributes, i);
        n->attributes[i].name = model_string(m, n->attributes[i].table, ATTRIBUTE_NAME, "");
        if (!node_check_reals(n, n->attributes[i].name, fb_f32(n->attributes[i].table, ATTRIBUTE_F, 0),
                              fb_vec(n->attributes[i].table, ATTRIBUTE_FLOATS, 4)))
            return false;
    }
    n->inputs = read_operands(m, t, NODE_INPUTS, &n->input_count);
    n->outputs = read_operands(m, t, NODE_OUTPUTS, &n->output_count);
    n->captured = read_operands(m, t, NODE_CAPTURED, &n->captured_count);
    n->inputs_read = ARENA_ARRAY(m->graph->arena, bool, n->input_count + 1);
    want(n->input_count, n->inputs);
    want(n->captured_count, n->captured);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &n->loc);
    n->entry = find_op(domain, type);
    if (!n->entry || !n->entry->import)
        return node_error(n, "the operator %s%s%s is not supported%s%s", domain, *domain ? "." : "", type,
                         n->entry ? ": " : "", n->entry ? n->entry->reason : "");
    n->declared = n->entry->attributes;
    if (n->input_count < n->entry->min_inputs || n->output_count < 1 || n->output_count > ORT_MAX_OPERANDS ||
        n->input_count > (n->entry->max_inputs < 0 ? ORT_MAX_OPERANDS : n->entry->max_inputs))
        return node_error(n, "%d operands and %d results do not fit the operator", n->input_count, n->output_count);
    for (int i = 0; i < n->output_count; i++) {
        ort_name *out = n->outputs[i];
        if (out && (out->producer >= 0 || out->is_input || fb_present(out->initializer)))
            return node_error(n, "result %d, '%s', already has a value", i, out->text);
        if (out) {
            out->producer = index;
            out->scope = scope;
        }
    }
    return true;
}

/* What the importer left alone, it does not know. */
static bool everything_served(ort_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        if (n->inputs[i] && !n->inputs_read[i])
            return node_error(n, "operand %d, '%.60s', is not supported: export the model without it", i,
                              n->inputs[i]->text);
    for (int i = 0; i < n->output_count; i++)
        if (ort_wanted(n, i) && !n->outputs[i]->forms[LAYOUT_PLAIN] && !n->outputs[i]->forms[LAYOUT_LAST])
            return node_error(n, "result %d, '%.60s', is not supported: nothing may read it", i, n->outputs[i]->text);
    return node_attributes_read(n);
}

static bool import_node(ort_node *n)
{
    ort_model *m = n->model;
    if (!node_version_known(n, n->since, n->entry->oldest, n->entry->newest, "operator set") ||
        !node_attributes_known(n, ort_attribute_allowed))
        return false;
    if (!n->entry->import(n))
        return m->diag->failed ? false : node_error(n, "cannot be imported");
    if (!fb_ok(&m->reader))
        return model_malformed(m, &n->loc);
    return everything_served(n);
}

static bool is_missing(const ort_name *name, int32_t scope)
{
    return name && name->producer >= 0 && name->scope == scope && !name->forms[LAYOUT_PLAIN] && !name->forms[LAYOUT_LAST];
}

/* The next node of the same graph that must come before this one; -1: none. */
static int32_t needed(const ort_node *n, int *cursor)
{
    for (; *cursor < n->input_count + n->captured_count; ++*cursor) {
        int k = *cursor - n->input_count;
        const ort_name *name = k < 0 ? n->inputs[*cursor] : n->captured[k];
        if (is_missing(name, n->loc.subgraph))
            return name->producer;
    }
    return -1;
}

static bool want_results(ort_model *m, fb_table graph)
{
    const ir_loc loc = model_loc(m);
    fb_vector results = fb_vec(graph, GRAPH_OUTPUTS, 4);
    for (uint32_t i = 0; i < results.count && fb_ok(&m->reader); i++)
        want(1, (ort_name *[]){vector_name(m, results, i)});
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

static bool import_nodes(ort_model *m, fb_table graph, int32_t scope)
{
    const ir_loc loc = model_loc(m);
    fb_vector v = fb_vec(graph, GRAPH_NODES, 4);
    if (v.count > ORT_MAX_NODES - m->node_count)
        return diag_error(m->diag, &loc, "more than %d nodes", ORT_MAX_NODES);
    m->node_count += v.count;
    enum { NEW, WAITING, DONE };
    arena *a = m->graph->arena;
    ort_node *nodes = ARENA_ARRAY(a, ort_node, v.count + 1);
    int *cursors = ARENA_ARRAY(a, int, v.count + 1);
    uint8_t *state = ARENA_ARRAY(a, uint8_t, v.count + 1);
    int32_t *stack = ARENA_ARRAY(a, int32_t, v.count + 1);
    uint32_t count = v.count;
    if (!want_results(m, graph))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fb_table t = fb_vec_table(v, i);
        if (!fb_ok(&m->reader))
            return model_malformed(m, &loc);
        if (!read_node(m, &nodes[i], scope, (int32_t)i, t))
            return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        int depth = 0;
        if (state[i] == NEW)
            stack[depth++] = (int32_t)i;
        while (depth) {
            int32_t top = stack[depth - 1], before;
            state[top] = WAITING;
            before = needed(&nodes[top], &cursors[top]);
            if (before >= 0 && state[before] == NEW) {
                stack[depth++] = before;
                continue;
            }
            if (before >= 0)
                return node_error(&nodes[top], "operand %d depends on the node's own result, or was not computed",
                                 cursors[top]);
            if (!import_node(&nodes[top]))
                return false;
            state[top] = DONE;
            depth--;
        }
    }
    return true;
}

/* ---- Graphs within graphs ---- */

static bool take_results(ort_node *n, fb_vector results)
{
    for (int i = 0; i < n->output_count; i++) {
        ort_name *inner = vector_name(n->model, results, (uint32_t)i);
        bool read;
        ort_node reader = {.model = n->model,
                           .entry = n->entry,
                           .loc = n->loc,
                           .inputs = &inner,
                           .inputs_read = &read,
                           .input_count = 1};
        node_layout layout = ort_layout_of(&reader, 0);
        ir_value *v = fb_ok(&n->model->reader) ? ort_in(&reader, 0, layout) : NULL;
        if (!v)
            return fb_ok(&n->model->reader) ? false : model_malformed(n->model, &n->loc);
        if (!ort_put(n, i, v, layout))
            return false;
    }
    return true;
}

static void forget(ort_name *name)
{
    if (!name || name->is_input)
        return;
    name->forms[LAYOUT_PLAIN] = name->forms[LAYOUT_LAST] = NULL;
    name->initializer = (fb_table){0};
    name->producer = -1;
    name->wanted = false;
}

/* Names of a graph within say nothing outside of it. */
static void forget_names(ort_model *m, fb_table graph)
{
    fb_vector tensors = fb_vec(graph, GRAPH_INITIALIZERS, 4), nodes = fb_vec(graph, GRAPH_NODES, 4);
    for (uint32_t i = 0; i < tensors.count; i++)
        forget(field_name(m, fb_vec_table(tensors, i), TENSOR_NAME));
    for (uint32_t i = 0; i < nodes.count; i++) {
        fb_vector results = fb_vec(fb_vec_table(nodes, i), NODE_OUTPUTS, 4);
        for (uint32_t k = 0; k < results.count; k++)
            forget(vector_name(m, results, k));
    }
}

bool ort_import_branch(ort_node *n, fb_table graph)
{
    ort_model *m = n->model;
    fb_vector inputs = fb_vec(graph, GRAPH_INPUTS, 4), results = fb_vec(graph, GRAPH_OUTPUTS, 4);
    if (!fb_present(graph) || inputs.count || results.count != (uint32_t)n->output_count)
        return node_error(n, "a branch with %u inputs and %u results for a node with %d", inputs.count, results.count,
                          n->output_count);
    if (m->depth == ORT_MAX_DEPTH)
        return node_error(n, "graphs are nested more than %d deep", ORT_MAX_DEPTH);
    m->depth++;
    bool good = read_names(m, graph) && import_nodes(m, graph, ++m->scopes) && take_results(n, results);
    if (good)
        forget_names(m, graph);
    m->depth--;
    return good;
}

static bool make_outputs(ort_model *m)
{
    const ir_loc loc = model_loc(m);
    fb_vector v = fb_vec(m->table, GRAPH_OUTPUTS, 4);
    if (!v.count || v.count > ORT_MAX_OPERANDS)
        return diag_error(m->diag, &loc, "%u outputs", v.count);
    for (uint32_t i = 0; i < v.count; i++) {
        ort_name *name = vector_name(m, v, i);
        if (!fb_ok(&m->reader))
            return model_malformed(m, &loc);
        static const ort_op_entry none = {.domain = "", .name = "output"};
        bool read;
        ort_node n = {.model = m, .entry = &none, .loc = loc, .inputs = &name, .inputs_read = &read, .input_count = 1};
        ir_value *out = ort_plain(&n, 0);
        if (!out)
            return false;
        ir_output_add(m->graph, out, name->text);
    }
    return true;
}

static bool import_model(ort_model *m)
{
    const ir_loc loc = model_loc(m);
    fb_table model = fb_sub(fb_root(&m->reader), SESSION_MODEL);
    m->table = fb_sub(model, MODEL_GRAPH);
    fb_vector sparse = fb_vec(m->table, GRAPH_SPARSE_INITIALIZERS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (!fb_present(m->table))
        return diag_error(m->diag, &loc, "the file has no graph");
    if (sparse.count)
        return diag_error(m->diag, &loc, "sparse constants are not supported");
    return read_names(m, m->table) && make_inputs(m) && import_nodes(m, m->table, 0) && make_outputs(m);
}

ir_graph *frontend_import_ort(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                              diag *d)
{
    /* One number may be a parameter; passes make integer ops of other dequantized constants, whose scales they see. */
    static const frontend_folding folding = {.elements = 1 << 12, .reals = 1 << 12, .dequantized = 1, .moves = true};
    ort_model m = {0};
    return model_open(&m, bytes, size, file, options, &folding, d) ? model_close(&m, import_model(&m)) : NULL;
}
