/* ort.c: an ONNX graph, read from either of its boxes, to IR: names, initializers, inputs, nodes in an order that
 * works, outputs.
 *
 * Nodes need not be sorted in the file: each is imported after the nodes that make its operands. */
#include <string.h>

#include "frontends/onnx/import.h"
#include "ir/ref/interp.h"

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

ort_name *ort_find_name(ort_model *m, const char *text)
{
    const size_t length = strlen(text);
    if (!length)
        return NULL;
    if (m->name_count * 2 >= m->name_slots)
        grow_names(m);
    for (uint32_t at = hash_text(text, length);; at++) {
        ort_name **slot = &m->names[at & (m->name_slots - 1)];
        if (!*slot) {
            *slot = ARENA_NEW(m->graph->arena, ort_name);
            (*slot)->text = text;
            (*slot)->producer = -1;
            m->name_count++;
            return *slot;
        }
        if (strcmp((*slot)->text, text) == 0)
            return *slot;
    }
}

/* ---- Tensors ---- */

enum { ONNX_FLOAT16 = 10, ONNX_DOUBLE = 11, ONNX_BFLOAT16 = 16 };

/* Bytes of an element in the file, of types that are computed as f32; else 0. */
static size_t other_real_bytes(int64_t type)
{
    return type == ONNX_FLOAT16 || type == ONNX_BFLOAT16 ? 2 : type == ONNX_DOUBLE ? 8 : 0;
}

/* What the outside sees of values that are computed as f32; NONE: no such difference. */
static ir_dtype outer_dtype(int64_t type)
{
    return type == ONNX_FLOAT16 ? IR_F16 : type == ONNX_DOUBLE ? IR_F64 : IR_DTYPE_NONE;
}

/* f32 has all of half precision's values, and of double precision's 24 bits. */
ir_dtype ort_dtype(int64_t type)
{
    static const ir_dtype dtypes[] = {
        [1] = IR_F32, [2] = IR_U8,   [3] = IR_I8,   [4] = IR_U16,  [5] = IR_I16,  [6] = IR_I32,
        [7] = IR_I64, [9] = IR_BOOL, [10] = IR_F32, [11] = IR_F32, [12] = IR_U32, [16] = IR_F32};
    return type > 0 && type < (int64_t)(sizeof dtypes / sizeof *dtypes) ? dtypes[type] : IR_DTYPE_NONE;
}

/* Once for each model: it is less than the file asks for. */
static void remark_double(ort_model *m, int64_t type)
{
    const ir_loc loc = model_loc(m);
    if (type == ONNX_DOUBLE && !m->has_double)
        diag_warn(m->diag, &loc, "values of double precision are computed in float32");
    m->has_double |= type == ONNX_DOUBLE;
}

static float real_of(const onnx_tensor *t, int64_t i)
{
    double wide;
    float brain;
    if (t->type == ONNX_DOUBLE) {
        memcpy(&wide, t->data + 8 * i, sizeof wide);
        return (float)wide;
    }
    const uint16_t bits = (uint16_t)(t->data[2 * i] | t->data[2 * i + 1] << 8);
    if (t->type == ONNX_FLOAT16)
        return ir_f16_to_f32(bits);
    memcpy(&brain, &(uint32_t){(uint32_t)bits << 16}, sizeof brain);
    return brain;
}

/* Real numbers of another type as f32; NULL after a diagnostic. */
static const void *as_f32(ort_model *m, const ir_loc *loc, const onnx_tensor *t, int64_t count)
{
    if (!model_charge(m, loc, 4 * count))
        return NULL;
    float *out = ARENA_ARRAY(m->graph->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        out[i] = real_of(t, i);
    return out;
}

ir_value *ort_tensor_constant(ort_model *m, const ir_loc *loc, const onnx_tensor *t)
{
    ir_type type = {.dtype = ort_dtype(t->type)};
    if (!type.dtype || t->rank > IR_MAX_RANK) {
        diag_error(m->diag, loc, "constant '%s' of type %lld with %u dimensions is not supported", t->name,
                   (long long)t->type, t->rank);
        return NULL;
    }
    type.rank = (int)t->rank;
    memcpy(type.dims, t->dims, t->rank * sizeof *t->dims);
    const size_t other = other_real_bytes(t->type), each = other ? other : ir_dtype_bytes(type.dtype);
    if (!ir_type_valid(&type) || (size_t)ir_type_elements(&type) * each != t->size) {
        diag_error(m->diag, loc, "constant '%s' has %zu bytes of data, which its shape does not fit", t->name, t->size);
        return NULL;
    }
    remark_double(m, t->type);
    const void *data = !t->size ? "" : other ? as_f32(m, loc, t, ir_type_elements(&type)) : t->data;
    return data ? model_constant(m, loc, t->name, type, NULL, data) : NULL;
}

bool ort_read_names(ort_model *m, const onnx_graph *graph)
{
    const ir_loc loc = model_loc(m);
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        ort_name *name = ort_find_name(m, graph->initializers[i].name);
        if (!name || name->initializer || name->producer >= 0 || name->is_input)
            return diag_final(m->diag, &loc, "initializer %u has no name, or that of another one", i);
        name->initializer = &graph->initializers[i];
    }
    for (uint32_t i = 0; i < graph->info_count; i++) {
        ort_name *name = ort_find_name(m, graph->infos[i].name);
        if (name)
            name->info = &graph->infos[i];
    }
    return true;
}

/* ---- Inputs ---- */

static bool refuse_brain(ort_model *m, const char *what, const char *name)
{
    const ir_loc loc = model_loc(m);
    return diag_error(m->diag, &loc,
                      "%s '%s' is of bfloat16, which no compiled model has: convert the model so that inputs and "
                      "outputs stay float32 (keep_io_types); what lies between is computed in float32",
                      what, name);
}

/* A node that stands for what the model's inputs and outputs need. */
static ort_node border(ort_model *m)
{
    static const ort_op_entry none = {.domain = "", .name = "border"};
    return (ort_node){.model = m, .entry = &none, .loc = model_loc(m)};
}

/* x, of real numbers, in another type; NULL after a diagnostic. */
static ir_value *as_type(ort_model *m, ir_value *x, ir_dtype dtype)
{
    ort_node n = border(m);
    return node_done_quant(&n, node_emit1(&n, IR_CAST, x), dtype, NULL);
}

/* The input's value as the graph computes on it. */
static ir_value *make_input(ort_model *m, const ort_name *name, ir_type type)
{
    const ir_dtype outer = outer_dtype(name->info->type);
    remark_double(m, name->info->type);
    if (!outer)
        return model_input(m, name->text, NULL, type, NULL);
    type.dtype = outer;
    ir_value *x = model_input(m, name->text, NULL, type, NULL);
    return x ? as_type(m, x, IR_F32) : NULL;
}

static bool input_type(ort_model *m, const ort_name *name, ir_type *out)
{
    const ir_loc loc = model_loc(m);
    const onnx_info *info = name->info;
    if (!info || !info->is_tensor)
        return diag_error(m->diag, &loc, "input '%s' is not a tensor", name->text);
    *out = (ir_type){.dtype = ort_dtype(info->type)};
    if (info->type == ONNX_BFLOAT16)
        return refuse_brain(m, "input", name->text);
    if (!out->dtype || !info->has_shape || info->rank > IR_MAX_RANK)
        return diag_error(m->diag, &loc, "input '%s' has an element type that is not supported, or no shape",
                          name->text);
    out->rank = (int)info->rank;
    memcpy(out->dims, info->dims, info->rank * sizeof *info->dims);
    return true;
}

static bool make_inputs(ort_model *m)
{
    const ir_loc loc = model_loc(m);
    const frontend_names *in = &m->top->inputs;
    if (in->count > ORT_MAX_OPERANDS)
        return diag_error(m->diag, &loc, "more than %d inputs", ORT_MAX_OPERANDS);
    for (uint32_t i = 0; i < in->count; i++) {
        ort_name *name = ort_find_name(m, in->text[i]);
        ir_type type;
        if (name && name->initializer)
            continue; /* a default that the caller could replace stays what it is */
        if (!name || name->is_input)
            return diag_error(m->diag, &loc, "input %u has no name, or that of another one", i);
        const bool known = input_type(m, name, &type)
                               ? model_input_type(m, name->text, NULL, name->info->dim_names, &type)
                               : model_input_unknown(m, name->text);
        if (!known && !model_goes_on(m))
            return false;
        name->is_input = true;
        name->forms[LAYOUT_PLAIN] = known ? make_input(m, name, type) : m->unknown;
        if (!name->forms[LAYOUT_PLAIN])
            return false;
    }
    return model_input_options_used(m);
}

/* ---- Nodes ---- */

static const ort_op_entry ops[] = {
#define ORT_OP(domain, NAME, min, max, importer, code, oldest, newest, attributes)                                     \
    {domain, NAME, importer, NULL, (ir_opcode)(code), min, max, oldest, newest, attributes},
#define ORT_NO(domain, NAME, reason) {domain, NAME, NULL, reason, (ir_opcode)0, 0, -1, 0, 0, ""},
#include "frontends/onnx/ops.def"
#undef ORT_OP
#undef ORT_NO
};

bool frontend_onnx_support(int index, frontend_support *out)
{
    if (index >= (int)(sizeof ops / sizeof *ops))
        return false;
    const ort_op_entry *e = &ops[index];
    *out = (frontend_support){.format = "onnx",
                              .domain = e->domain,
                              .name = e->name,
                              .supported = e->import != NULL,
                              .reason = e->reason,
                              .counted = "operator set",
                              .oldest = e->oldest,
                              .newest = e->newest,
                              .attributes = e->attributes};
    return true;
}

static const ort_op_entry *find_op(const char *domain, const char *name)
{
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].name, name) == 0 && strcmp(ops[i].domain, domain) == 0)
            return &ops[i];
    return NULL;
}

static ort_name **read_operands(ort_model *m, const frontend_names *from, uint32_t most, int *out_count)
{
    *out_count = (int)(from->count > most ? most + 1 : from->count);
    ort_name **names = ARENA_ARRAY(m->graph->arena, ort_name *, *out_count + 1);
    for (int i = 0; i < *out_count; i++)
        names[i] = ort_find_name(m, from->text[i]);
    return names;
}

static void want(int count, ort_name *const names[])
{
    for (int i = 0; i < count; i++)
        if (names[i])
            names[i]->wanted = true;
}

/* The operator set that brought the node's form of the operator.  Where the file says only which set the form is of,
 * it is the newest form up to that; the table covers all forms between the oldest and the newest, so that an importer
 * may take the set itself for it. */
static int form_of(const onnx_node *from, const ort_op_entry *entry)
{
    return from->since ? from->since : from->opset < entry->newest ? from->opset : entry->newest;
}

static bool read_node(ort_model *m, ort_node *n, int32_t scope, int32_t index, const onnx_node *from)
{
    *n = (ort_node){.model = m, .loc = {.file = m->file, .subgraph = scope, .node = index, .kind = from->type}};
    n->attribute_count = from->attribute_count;
    n->attributes = from->attributes;
    n->inputs = read_operands(m, &from->inputs, ORT_MAX_OPERANDS, &n->input_count);
    n->outputs = read_operands(m, &from->outputs, ORT_MAX_OPERANDS, &n->output_count);
    n->captured = read_operands(m, &from->captured, INT32_MAX - 1, &n->captured_count);
    n->inputs_read = ARENA_ARRAY(m->graph->arena, bool, n->input_count + 1);
    want(n->input_count, n->inputs);
    want(n->captured_count, n->captured);
    n->entry = find_op(from->domain, from->type);
    n->since = n->entry ? form_of(from, n->entry) : 0;
    n->declared = n->entry ? n->entry->attributes : NULL;
    if (n->input_count > ORT_MAX_OPERANDS || n->output_count > ORT_MAX_OPERANDS)
        return node_malformed(n, "more than %d operands or results", ORT_MAX_OPERANDS);
    for (int i = 0; i < n->output_count; i++) {
        ort_name *out = n->outputs[i];
        if (out && (out->producer >= 0 || out->is_input || out->initializer))
            return node_malformed(n, "result %d, '%s', already has a value", i, out->text);
        if (out) {
            out->producer = index;
            out->scope = scope;
        }
    }
    return true;
}

/* What can be said of a node whatever its operands are. */
static bool check_node(ort_node *n, const onnx_node *from)
{
    const ort_op_entry *e = n->entry;
    if (!e || !e->import)
        return node_error(n, "the operator %s%s%s is not supported%s%s", from->domain, *from->domain ? "." : "",
                          from->type, e ? ": " : "", e ? e->reason : "");
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const frontend_value *v = n->attributes[i].value;
        if (!node_check_reals(n, n->attributes[i].name, v->f, v->floats ? v->count : 0, v->floats))
            return false;
    }
    if (n->input_count < e->min_inputs || n->output_count < 1 || (e->max_inputs >= 0 && n->input_count > e->max_inputs))
        return node_error(n, "%d operands and %d results do not fit the operator", n->input_count, n->output_count);
    return node_version_known(n, n->since, e->oldest, e->newest, "operator set") &&
           node_attributes_known(n, ort_attribute_allowed);
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

static bool is_unknown(const ort_model *m, const ort_name *name)
{
    return name && (name->forms[LAYOUT_PLAIN] == m->unknown || name->forms[LAYOUT_LAST] == m->unknown);
}

static bool reads_unknown(const ort_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        if (is_unknown(n->model, n->inputs[i]))
            return true;
    for (int i = 0; i < n->captured_count; i++)
        if (is_unknown(n->model, n->captured[i]))
            return true;
    return false;
}

/* The node's ops, or the diagnostic. */
static bool make_ops(ort_node *n)
{
    n->model->left_out = false;
    if (n->entry->import(n))
        return everything_served(n);
    return n->model->diag->failed || n->model->left_out ? false : node_error(n, "cannot be imported");
}

/* Whether the import goes on, with or without the node's ops. */
static bool import_node(ort_node *n, const onnx_node *from)
{
    ort_model *m = n->model;
    const bool sound = check_node(n, from), unknown = reads_unknown(n);
    const bool made = sound && !unknown && make_ops(n);
    model_note_node(m, n->loc.kind);
    if (made)
        return true;
    if (m->diag->failed && !model_goes_on(m))
        return false;
    for (int i = 0; i < n->output_count; i++)
        if (n->outputs[i])
            n->outputs[i]->forms[LAYOUT_PLAIN] = m->unknown;
    return true;
}

static bool is_missing(const ort_name *name, int32_t scope)
{
    return name && name->producer >= 0 && name->scope == scope && !name->forms[LAYOUT_PLAIN] &&
           !name->forms[LAYOUT_LAST];
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

static void want_results(ort_model *m, const onnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->outputs.count; i++)
        want(1, (ort_name *[]){ort_find_name(m, graph->outputs.text[i])});
}

bool ort_import_nodes(ort_model *m, const onnx_graph *graph, int32_t scope)
{
    const ir_loc loc = model_loc(m);
    const uint32_t count = graph->node_count;
    if (count > ONNX_MAX_NODES - m->node_count)
        return diag_final(m->diag, &loc, "more than %d nodes", ONNX_MAX_NODES);
    m->node_count += count;
    enum { NEW, WAITING, DONE };
    arena *a = m->graph->arena;
    ort_node *nodes = ARENA_ARRAY(a, ort_node, count + 1);
    int *cursors = ARENA_ARRAY(a, int, count + 1);
    uint8_t *state = ARENA_ARRAY(a, uint8_t, count + 1);
    int32_t *stack = ARENA_ARRAY(a, int32_t, count + 1);
    want_results(m, graph);
    for (uint32_t i = 0; i < count; i++)
        if (!read_node(m, &nodes[i], scope, (int32_t)i, &graph->nodes[i]))
            return false;
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
                return node_malformed(&nodes[top], "operand %d depends on the node's own result, or was not computed",
                                      cursors[top]);
            if (!import_node(&nodes[top], &graph->nodes[top]))
                return false;
            state[top] = DONE;
            depth--;
        }
    }
    return true;
}

/* ---- The model ---- */

/* An output as the file declares it; NULL after a diagnostic. */
static ir_value *make_output(ort_model *m, const ort_name *name, ir_value *v)
{
    const int64_t type = name->info ? name->info->type : 0;
    if (type == ONNX_BFLOAT16) {
        refuse_brain(m, "output", name->text);
        return NULL;
    }
    remark_double(m, type);
    return outer_dtype(type) && v != m->unknown && v->type.dtype == IR_F32 ? as_type(m, v, outer_dtype(type)) : v;
}

static bool make_outputs(ort_model *m)
{
    const ir_loc loc = model_loc(m);
    const frontend_names *outputs = &m->top->outputs;
    if (!outputs->count || outputs->count > ORT_MAX_OPERANDS)
        return diag_error(m->diag, &loc, "%u outputs", outputs->count);
    for (uint32_t i = 0; i < outputs->count; i++) {
        ort_name *name = ort_find_name(m, outputs->text[i]);
        bool read;
        ort_node n = border(m);
        n.inputs = &name;
        n.inputs_read = &read;
        n.input_count = 1;
        ir_value *out = ort_plain(&n, 0);
        out = out ? make_output(m, name, out) : NULL;
        if (!out && !model_goes_on(m))
            return false;
        if (out)
            model_note_output(m, name->text, out);
        if (out && out != m->unknown)
            ir_output_add(m->graph, out, name->text);
    }
    return true;
}

static bool import_model(ort_model *m)
{
    const ir_loc loc = model_loc(m);
    if (!m->top)
        return false;
    if (m->top->sparse_count)
        return diag_error(m->diag, &loc, "sparse constants are not supported");
    return ort_read_names(m, m->top) && make_inputs(m) && ort_import_nodes(m, m->top, 0) && make_outputs(m);
}

static ir_graph *import(const onnx_graph *(*read)(frontend_model *), const uint8_t *bytes, size_t size,
                        const char *file, const frontend_options *options, diag *d)
{
    /* One number may be a parameter; passes make integer ops of other dequantized constants, whose scales they see. */
    static const frontend_folding folding = {.elements = 1 << 12, .reals = 1 << 12, .dequantized = 1, .moves = true};
    ort_model m = {0};
    if (!model_open(&m, bytes, size, file, options, &folding, d))
        return NULL;
    m.top = read(&m.common);
    return model_close(&m, import_model(&m));
}

ir_graph *frontend_import_ort(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                              diag *d)
{
    return import(ort_file_read, bytes, size, file, options, d);
}

ir_graph *frontend_import_onnx(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                               diag *d)
{
    return import(onnx_file_read, bytes, size, file, options, d);
}
