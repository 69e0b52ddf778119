/* paddle.c: a Paddle Lite model (.nb, meta version 2) to IR.
 *
 *     u16 meta version, char[16] library version, u64 size of the program, the program (a FlatBuffer)
 *     u16 parameters' version 0, u16 n, n bytes
 *     u16 size of the header, header: u16 count of parameters, u32 size of the largest
 *     each parameter: u32 total size, u32 offset, the parameter (a FlatBuffer)
 *
 * total size counts from behind itself, offset from behind total size.  The program's first block has the variables and
 * the operators; operators `feed` and `fetch` say which variables are inputs and outputs. */
#include <string.h>

#include "frontends/node_attributes.h"
#include "frontends/paddle_import.h"

enum { HEADER_BYTES = 26, META_VERSION = 2 };

static const paddle_op_entry known_ops[] = {
#define PADDLE_OP(NAME, importer, code, attributes) {#NAME, importer, NULL, IR_##code, attributes},
#define PADDLE_NO(NAME, reason) {#NAME, NULL, reason, IR_RESHAPE, NULL},
#define PADDLE_ALL(attributes)
#include "frontends/paddle_ops.def"
#undef PADDLE_OP
#undef PADDLE_NO
#undef PADDLE_ALL
};

static const char all_may_have[] =
#define PADDLE_OP(NAME, importer, code, attributes)
#define PADDLE_NO(NAME, reason)
#define PADDLE_ALL(attributes) attributes
#include "frontends/paddle_ops.def"
#undef PADDLE_OP
#undef PADDLE_NO
#undef PADDLE_ALL
    ;

static const paddle_op_entry *entry_of(const char *name)
{
    for (size_t i = 0; i < sizeof known_ops / sizeof *known_ops; i++)
        if (strcmp(known_ops[i].name, name) == 0)
            return &known_ops[i];
    return NULL;
}

ir_dtype paddle_dtype(int64_t type)
{
    switch (type) {
    case 0: return IR_BOOL;
    case 1: return IR_I16;
    case 2: return IR_I32;
    case 3: return IR_I64;
    case 4: return IR_F16;
    case 5: return IR_F32;
    case 6: return IR_F64;
    case 20: return IR_U8;
    case 21: return IR_I8;
    default: return IR_DTYPE_NONE;
    }
}

/* ---- Variables ---- */

static paddle_variable **slot_of(paddle_model *m, const char *text, size_t length)
{
    uint32_t i = (uint32_t)ir_hash_bytes(text, length, 0) & (m->slots - 1);
    while (m->variables[i] && (strncmp(m->variables[i]->text, text, length) != 0 || m->variables[i]->text[length]))
        i = (i + 1) & (m->slots - 1);
    return &m->variables[i];
}

static void grow(paddle_model *m)
{
    paddle_variable **old = m->variables;
    uint32_t slots = m->slots;
    m->slots = slots ? slots * 2 : 256;
    m->variables = ARENA_ARRAY(m->graph->arena, paddle_variable *, m->slots);
    for (uint32_t i = 0; i < slots; i++)
        if (old[i])
            *slot_of(m, old[i]->text, strlen(old[i]->text)) = old[i];
}

paddle_variable *paddle_variable_of(paddle_model *m, const char *text, size_t length)
{
    const char *end = length ? memchr(text, 0, length) : NULL; /* a name ends at its first zero byte */
    length = end ? (size_t)(end - text) : length;
    if (m->variable_count * 2 >= m->slots)
        grow(m);
    paddle_variable **slot = slot_of(m, length ? text : "", length);
    if (!*slot) {
        *slot = ARENA_NEW(m->graph->arena, paddle_variable);
        (*slot)->text = arena_string(m->graph->arena, length ? text : "", length);
        m->variable_count++;
    }
    return *slot;
}

static bool read_variables(paddle_model *m, fb_table block)
{
    const ir_loc loc = model_loc(m);
    fb_vector vars = fb_vec(block, BLOCK_VARS, 4);
    for (uint32_t i = 0; i < vars.count && fb_ok(&m->reader); i++) {
        fb_table t = fb_vec_table(vars, i);
        uint32_t length = 0;
        const char *name = fb_string(t, VAR_NAME, &length);
        if (fb_ok(&m->reader))
            paddle_variable_of(m, name, length)->desc = t;
    }
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

/* ---- Parameters ---- */

static bool read_parameter(paddle_model *m, const uint8_t *bytes, size_t size, uint32_t index)
{
    const ir_loc loc = model_loc(m);
    fb_reader reader;
    fb_open(&reader, bytes, size);
    fb_table root = fb_root(&reader), t = fb_sub(root, PARAM_VARIABLE);
    uint32_t length = 0;
    const char *name = fb_string(root, PARAM_NAME, &length);
    int kind = fb_u8(root, PARAM_VARIABLE_TYPE, 0), number = fb_i32(t, PARAM_DATA_TYPE, 0);
    fb_vector dims = fb_vec(t, PARAM_DIM, 8), data = fb_bytes(t, PARAM_DATA);
    ir_type type = {.dtype = paddle_dtype(number), .rank = (int)(dims.count <= IR_MAX_RANK ? dims.count : 0)};
    for (int i = 0; i < type.rank; i++)
        type.dims[i] = fb_vec_i64(dims, (uint32_t)i);
    if (!fb_ok(&reader))
        return diag_error(m->diag, &loc, "malformed parameter %u: %s (byte %zu)", index, reader.error,
                          (size_t)(bytes - m->bytes) + reader.error_at);
    paddle_variable *v = paddle_variable_of(m, name, length);
    if (kind != PARAM_IS_TENSOR || type.dtype == IR_DTYPE_NONE)
        return diag_error(m->diag, &loc, "parameter %u, '%s', is no tensor, or has type %d, which is not supported", index,
                          v->text, number);
    if (dims.count > IR_MAX_RANK || !ir_type_valid(&type))
        return diag_error(m->diag, &loc, "parameter %u, '%s', has impossible dimensions", index, v->text);
    if (ir_type_bytes(&type) != data.count)
        return diag_error(m->diag, &loc, "parameter %u, '%s', has %u bytes of data, expected %zu", index, v->text, data.count,
                          ir_type_bytes(&type));
    if (v->forms[LAYOUT_PLAIN])
        return diag_error(m->diag, &loc, "parameter %u, '%s', is there twice", index, v->text);
    v->forms[LAYOUT_PLAIN] = model_constant(m, &loc, v->text, type, NULL, data.count ? data.data : (const uint8_t *)"");
    return v->forms[LAYOUT_PLAIN] != NULL;
}

static bool read_parameters(paddle_model *m, size_t at)
{
    const ir_loc loc = model_loc(m);
    const uint8_t *b = m->bytes;
    if (m->size - at < 4 || fb_load_u16(b + at) != 0)
        return diag_error(m->diag, &loc, "the parameters are missing, or of an unknown version");
    size_t skip = fb_load_u16(b + at + 2);
    at += 4;
    if (m->size - at < skip || m->size - at - skip < 2)
        return diag_error(m->diag, &loc, "the file ends within the parameters' header");
    at += skip;
    size_t header = fb_load_u16(b + at);
    at += 2;
    if (header < 6 || m->size - at < header)
        return diag_error(m->diag, &loc, "the parameters' header has %zu bytes", header);
    uint32_t count = fb_load_u16(b + at);
    at += header;
    for (uint32_t i = 0; i < count; i++) {
        if (m->size - at < 8)
            return diag_error(m->diag, &loc, "the file ends before parameter %u of %u", i, count);
        size_t total = fb_load_u32(b + at), offset = fb_load_u32(b + at + 4);
        at += 4;
        if (m->size - at < total || offset < 4 || offset > total)
            return diag_error(m->diag, &loc, "parameter %u does not lie within the file", i);
        if (!read_parameter(m, b + at + offset, total - offset, i))
            return false;
        at += total;
    }
    return true;
}

/* ---- Inputs and outputs ---- */

/* The type that the file, --batch and --input-shape say. */
static bool input_type(paddle_node *n, const paddle_variable *v, ir_type *out)
{
    fb_table tensor = fb_sub(fb_sub(fb_sub(v->desc, VAR_TYPE), VAR_TYPE_LOD_TENSOR), LOD_TENSOR_TENSOR);
    fb_vector dims = fb_vec(tensor, TENSOR_DIMS, 8);
    *out = (ir_type){.dtype = paddle_dtype(fb_i32(tensor, TENSOR_DATA_TYPE, 0)), .rank = (int)dims.count};
    if (!fb_present(tensor) || dims.count < 1 || dims.count > IR_MAX_RANK || out->dtype == IR_DTYPE_NONE)
        return node_error(n, "input '%s' is no tensor of a supported type", v->text);
    for (int i = 0; i < out->rank; i++)
        out->dims[i] = fb_vec_i64(dims, (uint32_t)i);
    return model_input_type(n->model, v->text, NULL, NULL, out);
}

static bool column(paddle_node *n, int64_t *out)
{
    *out = paddle_int(n, "col", 0);
    return (*out >= 0 && *out < PADDLE_MAX_OPERANDS) || node_error(n, "column %lld is out of range", (long long)*out);
}

static paddle_variable *single(paddle_node *n, const paddle_list *lists, uint32_t count, const char *parameter)
{
    uint32_t length;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(lists[i].parameter, parameter) == 0 && lists[i].names.count == 1) {
            const char *name = fb_vec_string(lists[i].names, 0, &length);
            return fb_ok(&n->model->reader) ? paddle_variable_of(n->model, name, length) : NULL;
        }
    node_error(n, "parameter %s needs one variable", parameter);
    return NULL;
}

/* The inputs themselves are made when all columns are known: they stand in the order of their columns. */
bool paddle_import_feed(paddle_node *n)
{
    paddle_model *m = n->model;
    paddle_variable *v = single(n, n->outputs, n->output_count, "Out");
    int64_t col;
    if (!v || !column(n, &col))
        return false;
    if (!m->inputs[col])
        return node_error(n, "column %lld has no input", (long long)col);
    v->forms[LAYOUT_PLAIN] = m->inputs[col];
    v->forms[LAYOUT_LAST] = NULL;
    v->unit = 0;
    return true;
}

bool paddle_import_fetch(paddle_node *n)
{
    paddle_model *m = n->model;
    paddle_variable *v = single(n, n->inputs, n->input_count, "X");
    int64_t col;
    if (!v || !column(n, &col))
        return false;
    if (m->outputs[col])
        return node_error(n, "column %lld is fetched twice", (long long)col);
    m->output_names[col] = v->text;
    if (m->output_count <= col)
        m->output_count = (int)col + 1;
    return (m->outputs[col] = paddle_plain(n, "X")) != NULL;
}

/* ---- Operators ---- */

static bool read_lists(paddle_node *n, fb_vector from, paddle_list **out, uint32_t *out_count)
{
    paddle_model *m = n->model;
    if (from.count > PADDLE_MAX_OPERANDS)
        return node_error(n, "more than %d parameters", PADDLE_MAX_OPERANDS);
    *out = ARENA_ARRAY(m->graph->arena, paddle_list, from.count);
    *out_count = from.count;
    for (uint32_t i = 0; i < from.count; i++) {
        fb_table t = fb_vec_table(from, i);
        (*out)[i].parameter = model_string(m, t, ARGUMENT_PARAMETER, "");
        (*out)[i].names = fb_vec(t, ARGUMENT_NAMES, 4);
        if (fb_ok(&m->reader) && (*out)[i].names.count > PADDLE_MAX_OPERANDS)
            return node_error(n, "more than %d variables for one parameter", PADDLE_MAX_OPERANDS);
    }
    return fb_ok(&m->reader) || model_malformed(m, &n->loc);
}

static bool read_attributes(paddle_node *n, fb_vector from)
{
    paddle_model *m = n->model;
    if (from.count > PADDLE_MAX_OPERANDS)
        return node_error(n, "more than %d attributes", PADDLE_MAX_OPERANDS);
    n->attributes = arena_alloc(m->graph->arena, (from.count + 1) * sizeof *n->attributes);
    n->attribute_count = from.count;
    for (uint32_t i = 0; i < from.count; i++) {
        n->attributes[i].table = fb_vec_table(from, i);
        n->attributes[i].name = model_string(m, n->attributes[i].table, ATTR_NAME, "");
        const fb_vector floats = fb_vec(n->attributes[i].table, ATTR_FLOATS, 4);
        float *several = ARENA_ARRAY(m->graph->arena, float, floats.count + 1);
        for (uint32_t k = 0; k < floats.count; k++)
            several[k] = fb_vec_f32(floats, k);
        if (!node_check_reals(n, n->attributes[i].name, fb_f32(n->attributes[i].table, ATTR_F, 0), floats.count, several))
            return false;
    }
    return fb_ok(&m->reader) || model_malformed(m, &n->loc);
}

static bool open_node(paddle_model *m, uint32_t index, paddle_node *n)
{
    *n = (paddle_node){.model = m};
    n->loc = (ir_loc){.file = m->file, .subgraph = 0, .node = (int32_t)index};
    fb_table t = fb_vec_table(m->ops, index);
    n->loc.kind = model_string(m, t, OP_TYPE, "");
    fb_vector inputs = fb_vec(t, OP_INPUTS, 4), outputs = fb_vec(t, OP_OUTPUTS, 4), attrs = fb_vec(t, OP_ATTRS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &n->loc);
    n->entry = entry_of(n->loc.kind);
    if (!n->entry)
        return node_error(n, "this operator is not known");
    if (!n->entry->import)
        return node_error(n, "%s", n->entry->reason);
    n->declared = n->entry->attributes;
    n->declared_by_all = all_may_have;
    return read_lists(n, inputs, &n->inputs, &n->input_count) && read_lists(n, outputs, &n->outputs, &n->output_count) &&
           read_attributes(n, attrs);
}

/* Gives every feed its input, in the order of columns. */
static bool make_inputs(paddle_model *m, paddle_node *nodes)
{
    const ir_loc loc = model_loc(m);
    int32_t *feed = ARENA_ARRAY(m->graph->arena, int32_t, PADDLE_MAX_OPERANDS);
    for (uint32_t i = 0; i < m->ops.count; i++) {
        int64_t col;
        if (nodes[i].entry->import != paddle_import_feed)
            continue;
        if (!column(&nodes[i], &col))
            return false;
        if (feed[col])
            return node_error(&nodes[i], "column %lld is fed twice", (long long)col);
        feed[col] = (int32_t)i + 1;
    }
    for (int col = 0; col < PADDLE_MAX_OPERANDS; col++) {
        paddle_node *n = feed[col] ? &nodes[feed[col] - 1] : NULL;
        paddle_variable *v = n ? single(n, n->outputs, n->output_count, "Out") : NULL;
        ir_type type;
        if (!n)
            continue;
        if (!v && !m->diag->failed)
            return model_malformed(m, &n->loc);
        if (!v || !input_type(n, v, &type))
            return false;
        m->inputs[col] = ir_input_new(m->graph, type, NULL, v->text);
    }
    if (!model_input_shapes_used(m))
        return false;
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

/* Writers record the shape of some run: where it is none that the operators take, it is not they who are wrong. */
static void say_recorded_shapes(paddle_model *m)
{
    for (int i = 0; m->misfit && m->options->input_shape_count == 0 && i < m->graph->input_count; i++) {
        const ir_value *v = m->graph->inputs[i];
        diag_add(m->diag, "; input '%s' is ", m->graph->input_names[i]);
        for (int d = 0; d < v->type.rank; d++)
            diag_add(m->diag, d ? "x%lld" : "%lld", (long long)v->type.dims[d]);
        diag_add(m->diag, " in the file, --input-shape can set another");
    }
}

static bool import_operator(paddle_node *n)
{
    const bool real = !n->model->integers;
    return node_attributes_known(n, paddle_attribute_allowed) && (!real || paddle_observe_inputs(n)) && n->entry->import(n) &&
           (!real || paddle_observe_outputs(n)) && node_attributes_typed(n);
}

static bool import_operators(paddle_model *m)
{
    paddle_node *nodes = ARENA_ARRAY(m->graph->arena, paddle_node, m->ops.count);
    for (uint32_t i = 0; i < m->ops.count; i++)
        if (!open_node(m, i, &nodes[i]))
            return false;
    if (!make_inputs(m, nodes))
        return false;
    for (uint32_t i = 0; i < m->ops.count; i++)
        m->integers = m->integers || nodes[i].entry->import == paddle_op_calib || paddle_int(&nodes[i], "enable_int8", 0);
    for (uint32_t i = 0; i < m->ops.count; i++) {
        const bool imported = import_operator(&nodes[i]);
        if (!fb_ok(&m->reader) && !m->diag->failed) /* defaults read after an error mean nothing, whatever came of them */
            return model_malformed(m, &nodes[i].loc);
        if (!imported || !fb_ok(&m->reader)) {
            say_recorded_shapes(m);
            return false;
        }
    }
    return true;
}

static bool import_model(paddle_model *m)
{
    const ir_loc loc = model_loc(m);
    unsigned version = m->size >= 2 ? fb_load_u16(m->bytes) : 0;
    if (version != META_VERSION)
        return diag_error(m->diag, &loc, "meta version %u of Paddle Lite's format, expected %d", version, META_VERSION);
    if (m->size < HEADER_BYTES || fb_load_u64(m->bytes + 18) > m->size - HEADER_BYTES)
        return diag_error(m->diag, &loc, "the file ends within the program");
    size_t program = (size_t)fb_load_u64(m->bytes + 18);
    fb_open(&m->reader, m->bytes + HEADER_BYTES, program);
    m->reader_at = HEADER_BYTES;
    fb_vector blocks = fb_vec(fb_root(&m->reader), PROGRAM_BLOCKS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (blocks.count != 1)
        return diag_error(m->diag, &loc, "the program has %u blocks: control flow is not supported", blocks.count);
    fb_table block = fb_vec_table(blocks, 0);
    m->ops = fb_vec(block, BLOCK_OPS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (m->ops.count > PADDLE_MAX_NODES)
        return diag_error(m->diag, &loc, "the program has %u operators, more than %d", m->ops.count, PADDLE_MAX_NODES);
    m->inputs = ARENA_ARRAY(m->graph->arena, ir_value *, PADDLE_MAX_OPERANDS);
    m->outputs = ARENA_ARRAY(m->graph->arena, ir_value *, PADDLE_MAX_OPERANDS);
    m->output_names = ARENA_ARRAY(m->graph->arena, const char *, PADDLE_MAX_OPERANDS);
    if (!read_variables(m, block) || !read_parameters(m, HEADER_BYTES + program) || !import_operators(m))
        return false;
    if (!m->output_count)
        return diag_error(m->diag, &loc, "the model has no outputs");
    for (int i = 0; i < m->output_count; i++)
        if (m->outputs[i])
            ir_output_add(m->graph, m->outputs[i], m->output_names[i]);
    return true;
}

ir_graph *frontend_import_paddle(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options,
                                 diag *d)
{
    static const frontend_folding folding = {1 << 12, 1 << 12, .dequantized = -1, .moves = true};
    paddle_model m = {.bytes = bytes, .size = size};
    return model_open(&m, bytes, size, file, options, &folding, d) ? model_close(&m, import_model(&m)) : NULL;
}
