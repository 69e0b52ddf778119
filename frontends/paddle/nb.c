/* nb.c: a Paddle Lite model (.nb, meta version 2) as the program of program.h, and its parameters.
 *
 *     u16 meta version, char[16] library version, u64 size of the program, the program (a FlatBuffer)
 *     u16 parameters' version 0, u16 n, n bytes
 *     u16 size of the header, header: u16 count of parameters, u32 size of the largest
 *     each parameter: u32 total size, u32 offset, the parameter (a FlatBuffer)
 *
 * total size counts from behind itself, offset from behind total size. */
#include "frontends/paddle/import.h"

enum { HEADER_BYTES = 26, META_VERSION = 2 };

/* Fields by their index in the schema. */
enum { PROGRAM_BLOCKS };
enum { BLOCK_INDEX, BLOCK_PARENT, BLOCK_VARS, BLOCK_OPS };
enum { VAR_NAME, VAR_TYPE };
enum { VAR_TYPE_KIND, VAR_TYPE_SELECTED_ROWS, VAR_TYPE_LOD_TENSOR };
enum { LOD_TENSOR_TENSOR };
enum { TENSOR_DATA_TYPE, TENSOR_DIMS };
enum { OP_TYPE, OP_INPUTS, OP_OUTPUTS, OP_ATTRS };
enum { ARGUMENT_PARAMETER, ARGUMENT_NAMES };
/* clang-format off */
enum {
    ATTR_NAME, ATTR_TYPE, ATTR_I, ATTR_F, ATTR_S, ATTR_INTS, ATTR_FLOATS, ATTR_STRINGS, ATTR_B, ATTR_BOOLS, ATTR_BLOCK,
    ATTR_L, ATTR_BLOCKS, ATTR_LONGS
};
/* clang-format on */
enum { PARAM_VERSION, PARAM_NAME, PARAM_VARIABLE_TYPE, PARAM_VARIABLE };
enum { PARAM_IS_TENSOR = 1 };
enum { PARAM_LOD_LEVEL, PARAM_LOD, PARAM_DIM, PARAM_DATA_TYPE, PARAM_DATA };

/* ---- The program ---- */

static void read_variable(paddle_model *m, fb_table t, paddle_desc *out)
{
    const fb_table tensor = fb_sub(fb_sub(fb_sub(t, VAR_TYPE), VAR_TYPE_LOD_TENSOR), LOD_TENSOR_TENSOR);
    *out = (paddle_desc){.name = model_string(m, t, VAR_NAME, ""),
                         .is_tensor = fb_present(tensor),
                         .type = fb_i32(tensor, TENSOR_DATA_TYPE, 0)};
    out->dims = model_ints(m, tensor, TENSOR_DIMS, 8, &out->rank);
}

static paddle_list *read_lists(paddle_model *m, fb_table t, unsigned field, uint32_t *out_count)
{
    const fb_vector from = fb_vec(t, field, 4);
    paddle_list *lists = ARENA_ARRAY(m->graph->arena, paddle_list, from.count + 1);
    *out_count = from.count;
    for (uint32_t i = 0; i < from.count && fb_ok(&m->reader); i++) {
        const fb_table list = fb_vec_table(from, i);
        lists[i] = (paddle_list){model_string(m, list, ARGUMENT_PARAMETER, ""), model_names(m, list, ARGUMENT_NAMES)};
    }
    return lists;
}

static void read_attribute(paddle_model *m, fb_table t, frontend_attribute *out)
{
    frontend_value *v = ARENA_NEW(m->graph->arena, frontend_value);
    *out = (frontend_attribute){.name = model_string(m, t, ATTR_NAME, ""), .value = v};
    v->type = fb_i32(t, ATTR_TYPE, 0);
    v->f = fb_f32(t, ATTR_F, 0);
    switch (v->type) {
    case TYPE_INT: v->i = fb_i32(t, ATTR_I, 0); break;
    case TYPE_LONG: v->i = fb_i64(t, ATTR_L, 0); break;
    case TYPE_BOOLEAN: v->i = fb_bool(t, ATTR_B, false); break;
    case TYPE_STRING: {
        const char *text = fb_string(t, ATTR_S, &v->count);
        v->s = text ? arena_string(m->graph->arena, text, v->count) : "";
        break;
    }
    case TYPE_INTS: v->ints = model_ints(m, t, ATTR_INTS, 4, &v->count); break;
    case TYPE_LONGS: v->ints = model_ints(m, t, ATTR_LONGS, 8, &v->count); break;
    case TYPE_FLOATS: v->floats = model_floats(m, t, ATTR_FLOATS, &v->count); break;
    case TYPE_STRINGS: v->count = model_names(m, t, ATTR_STRINGS).count; break;
    case TYPE_BOOLEANS: v->count = fb_vec(t, ATTR_BOOLS, 1).count; break;
    default: break;
    }
}

static void read_op(paddle_model *m, fb_table t, paddle_op *out)
{
    const fb_vector attributes = fb_vec(t, OP_ATTRS, 4);
    *out = (paddle_op){.type = model_string(m, t, OP_TYPE, ""), .attribute_count = attributes.count};
    out->inputs = read_lists(m, t, OP_INPUTS, &out->input_count);
    out->outputs = read_lists(m, t, OP_OUTPUTS, &out->output_count);
    out->attributes = ARENA_ARRAY(m->graph->arena, frontend_attribute, attributes.count + 1);
    for (uint32_t i = 0; i < attributes.count && fb_ok(&m->reader); i++)
        read_attribute(m, fb_vec_table(attributes, i), &out->attributes[i]);
}

static bool read_block(paddle_model *m, fb_table block)
{
    ir_loc loc = model_loc(m);
    paddle_program *p = &m->program;
    const fb_vector vars = fb_vec(block, BLOCK_VARS, 4), ops = fb_vec(block, BLOCK_OPS, 4);
    *p = (paddle_program){vars.count,
                          ARENA_ARRAY(m->graph->arena, paddle_desc, vars.count + 1),
                          {.op_count = ops.count, .ops = ARENA_ARRAY(m->graph->arena, paddle_op, ops.count + 1)}};
    for (uint32_t i = 0; i < vars.count && fb_ok(&m->reader); i++)
        read_variable(m, fb_vec_table(vars, i), &p->variables[i]);
    for (uint32_t i = 0; i < ops.count && fb_ok(&m->reader); i++) {
        read_op(m, fb_vec_table(ops, i), &p->main.ops[i]);
        loc = (ir_loc){.file = m->file, .subgraph = 0, .node = (int32_t)i, .kind = p->main.ops[i].type};
    }
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

bool paddle_nb_program(paddle_model *m)
{
    const ir_loc loc = model_loc(m);
    const unsigned version = m->size >= 2 ? fb_load_u16(m->bytes) : 0;
    if (version != META_VERSION)
        return diag_error(m->diag, &loc, "meta version %u of Paddle Lite's format, expected %d", version, META_VERSION);
    if (m->size < HEADER_BYTES || fb_load_u64(m->bytes + 18) > m->size - HEADER_BYTES)
        return diag_error(m->diag, &loc, "the file ends within the program");
    m->parameters_at = HEADER_BYTES + (size_t)fb_load_u64(m->bytes + 18);
    fb_open(&m->reader, m->bytes + HEADER_BYTES, m->parameters_at - HEADER_BYTES);
    m->reader_at = HEADER_BYTES;
    const fb_vector blocks = fb_vec(fb_root(&m->reader), PROGRAM_BLOCKS, 4);
    if (!fb_ok(&m->reader))
        return model_malformed(m, &loc);
    if (blocks.count != 1)
        return diag_error(m->diag, &loc, "the program has %u blocks: control flow is not supported", blocks.count);
    return read_block(m, fb_vec_table(blocks, 0));
}

/* ---- Parameters ---- */

static bool read_parameter(paddle_model *m, const uint8_t *bytes, size_t size, uint32_t index)
{
    const ir_loc loc = model_loc(m);
    const fb_reader whole = m->reader;
    fb_open(&m->reader, bytes, size);
    const fb_table root = fb_root(&m->reader), t = fb_sub(root, PARAM_VARIABLE);
    const fb_vector data = fb_bytes(t, PARAM_DATA);
    paddle_desc p = {.name = model_string(m, root, PARAM_NAME, ""),
                     .is_tensor = fb_u8(root, PARAM_VARIABLE_TYPE, 0) == PARAM_IS_TENSOR,
                     .type = fb_i32(t, PARAM_DATA_TYPE, 0)};
    p.dims = model_ints(m, t, PARAM_DIM, 8, &p.rank);
    const fb_reader reader = m->reader;
    m->reader = whole;
    if (!fb_ok(&reader))
        return diag_error(m->diag, &loc, "malformed parameter %u: %s (byte %zu)", index, reader.error,
                          (size_t)(bytes - m->bytes) + reader.error_at);
    return paddle_parameter(m, index, &p, data.data, data.count);
}

bool paddle_nb_parameters(paddle_model *m)
{
    size_t at = m->parameters_at;
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
