/* proto.c: a program as PaddlePaddle itself saves it (__model__, .pdmodel: Protocol Buffers) as the program of
 * program.h, and its parameters, which lie in other files: all in one, in the order of their names, or one in each.
 *
 *     parameter: u32 0, u64 levels, for each: u64 n, n bytes; u32 0, u32 n, n bytes TensorDesc; data */
#include <stdlib.h>
#include <string.h>

#include "frontends/paddle/import.h"
#include "frontends/protobuf.h"

/* Fields by their number in the schema. */
enum { PROGRAM_BLOCKS = 1 };
enum { BLOCK_VARS = 3, BLOCK_OPS };
enum { VAR_NAME = 1, VAR_TYPE, VAR_PERSISTABLE };
enum { VAR_TYPE_KIND = 1, VAR_TYPE_LOD_TENSOR = 3 };
enum { KIND_LOD_TENSOR = 7 };
enum { LOD_TENSOR_TENSOR = 1 };
enum { TENSOR_DATA_TYPE = 1, TENSOR_DIMS };
enum { OP_INPUTS = 1, OP_OUTPUTS, OP_TYPE, OP_ATTRS };
enum { ARGUMENT_PARAMETER = 1, ARGUMENT_NAMES };
/* clang-format off */
enum {
    ATTR_NAME = 1, ATTR_TYPE, ATTR_I, ATTR_F, ATTR_S, ATTR_INTS, ATTR_FLOATS, ATTR_STRINGS, ATTR_B = 10, ATTR_BOOLS,
    ATTR_L = 13, ATTR_LONGS = 15, ATTR_FLOAT64 = 19
};
/* clang-format on */
enum { TYPE_FLOAT64 = 15 };

/* ---- Variables ---- */

static void read_tensor_desc(paddle_model *m, pb_message message, paddle_desc *out)
{
    out->is_tensor = true;
    out->dims = pb_int_list(message, TENSOR_DIMS, m->graph->arena, &out->rank);
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == TENSOR_DATA_TYPE)
            out->type = (int32_t)pb_int(&f);
}

static void read_var_type(paddle_model *m, pb_message message, paddle_desc *out)
{
    int64_t kind = -1;
    for (pb_field f; pb_next(&message, &f);) {
        if (f.number == VAR_TYPE_KIND)
            kind = pb_int(&f);
        if (f.number != VAR_TYPE_LOD_TENSOR)
            continue;
        pb_message lod = pb_sub(&f);
        for (pb_field part; pb_next(&lod, &part);)
            if (part.number == LOD_TENSOR_TENSOR)
                read_tensor_desc(m, pb_sub(&part), out);
    }
    out->is_tensor &= kind == KIND_LOD_TENSOR;
}

static void read_variable(paddle_model *m, pb_message message, paddle_desc *out)
{
    *out = (paddle_desc){.name = ""};
    for (pb_field f; pb_next(&message, &f);)
        switch (f.number) {
        case VAR_NAME: out->name = pb_text(&f, m->graph->arena); break;
        case VAR_TYPE: read_var_type(m, pb_sub(&f), out); break;
        case VAR_PERSISTABLE: out->persistable = pb_int(&f) != 0; break;
        default: break;
        }
}

/* ---- Operators ---- */

static paddle_list read_list(paddle_model *m, pb_message message)
{
    paddle_list list = {"", {0, ARENA_ARRAY(m->graph->arena, const char *, pb_count(message, ARGUMENT_NAMES) + 1)}};
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == ARGUMENT_PARAMETER)
            list.parameter = pb_text(&f, m->graph->arena);
        else if (f.number == ARGUMENT_NAMES)
            list.names.text[list.names.count++] = pb_text(&f, m->graph->arena);
    return list;
}

/* The one value, whose field its type says. */
static void read_value(paddle_model *m, pb_message message, frontend_value *v)
{
    const uint32_t field = v->type == TYPE_LONG ? ATTR_L : v->type == TYPE_BOOLEAN ? ATTR_B : ATTR_I;
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == field)
            v->i = v->type == TYPE_INT ? (int32_t)pb_int(&f) : pb_int(&f);
        else if (f.number == ATTR_F)
            v->f = pb_float(&f);
        else if (f.number == ATTR_FLOAT64 && v->type == TYPE_FLOAT64 && f.wire == PB_FIXED64)
            v->f = (float)fb_load_f64(pb_fixed(&f));
        else if (f.number == ATTR_S && v->type == TYPE_STRING) {
            v->s = pb_text(&f, m->graph->arena);
            v->count = (uint32_t)f.size;
        }
}

static void read_attribute(paddle_model *m, pb_message message, frontend_attribute *out)
{
    const pb_message whole = message;
    frontend_value *v = ARENA_NEW(m->graph->arena, frontend_value);
    *out = (frontend_attribute){.name = "", .value = v};
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == ATTR_NAME)
            out->name = pb_text(&f, m->graph->arena);
        else if (f.number == ATTR_TYPE)
            v->type = (int32_t)pb_int(&f);
    v->s = "";
    read_value(m, whole, v);
    switch (v->type) {
    case TYPE_INTS: v->ints = pb_int_list(whole, ATTR_INTS, m->graph->arena, &v->count); break;
    case TYPE_LONGS: v->ints = pb_int_list(whole, ATTR_LONGS, m->graph->arena, &v->count); break;
    case TYPE_FLOATS: v->floats = pb_float_list(whole, ATTR_FLOATS, m->graph->arena, &v->count); break;
    case TYPE_STRINGS: v->count = (uint32_t)pb_count(whole, ATTR_STRINGS); break;
    case TYPE_BOOLEANS: v->count = (uint32_t)pb_count(whole, ATTR_BOOLS); break;
    case TYPE_FLOAT64: v->type = TYPE_FLOAT; break; /* what newer versions make of it */
    default: break;
    }
}

static void read_op(paddle_model *m, pb_message message, paddle_op *out)
{
    arena *a = m->graph->arena;
    *out = (paddle_op){.type = "",
                       .inputs = ARENA_ARRAY(a, paddle_list, pb_count(message, OP_INPUTS) + 1),
                       .outputs = ARENA_ARRAY(a, paddle_list, pb_count(message, OP_OUTPUTS) + 1),
                       .attributes = ARENA_ARRAY(a, frontend_attribute, pb_count(message, OP_ATTRS) + 1)};
    for (pb_field f; pb_next(&message, &f);)
        switch (f.number) {
        case OP_TYPE: out->type = pb_text(&f, m->graph->arena); break;
        case OP_INPUTS: out->inputs[out->input_count++] = read_list(m, pb_sub(&f)); break;
        case OP_OUTPUTS: out->outputs[out->output_count++] = read_list(m, pb_sub(&f)); break;
        case OP_ATTRS: read_attribute(m, pb_sub(&f), &out->attributes[out->attribute_count++]); break;
        default: break;
        }
}

static void read_block(paddle_model *m, pb_message message)
{
    paddle_program *p = &m->program;
    p->variables = ARENA_ARRAY(m->graph->arena, paddle_desc, pb_count(message, BLOCK_VARS) + 1);
    p->main.ops = ARENA_ARRAY(m->graph->arena, paddle_op, pb_count(message, BLOCK_OPS) + 1);
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == BLOCK_VARS)
            read_variable(m, pb_sub(&f), &p->variables[p->variable_count++]);
        else if (f.number == BLOCK_OPS)
            read_op(m, pb_sub(&f), &p->main.ops[p->main.op_count++]);
}

bool paddle_proto_program(paddle_model *m)
{
    const ir_loc loc = model_loc(m);
    pb_message message = pb_root(&m->reader);
    const size_t blocks = pb_count(message, PROGRAM_BLOCKS);
    if (fb_ok(&m->reader) && blocks != 1)
        return diag_error(m->diag, &loc, "the program has %zu blocks: control flow is not supported", blocks);
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == PROGRAM_BLOCKS)
            read_block(m, pb_sub(&f));
    return fb_ok(&m->reader) || model_malformed(m, &loc);
}

/* ---- Parameters ---- */

/* A file of parameters that is read from its beginning on. */
typedef struct stream {
    paddle_model *model;
    const char *file;
    const uint8_t *bytes;
    size_t size, at;
} stream;

static bool cut(const stream *s, const paddle_desc *p)
{
    const ir_loc loc = model_loc(s->model);
    return diag_error(
        s->model->diag, &loc,
        "parameter '%s': the file '%.80s' ends at byte %zu within it, or has other contents than the program says",
        p->name, s->file, s->size);
}

/* `bytes` more of it; NULL: there are less. */
static const uint8_t *take(stream *s, uint64_t bytes)
{
    if (bytes > s->size - s->at)
        return NULL;
    s->at += (size_t)bytes;
    return s->bytes + s->at - (size_t)bytes;
}

static bool skip_levels(stream *s)
{
    const uint8_t *head = take(s, 12);
    if (!head || fb_load_u32(head) != 0)
        return false;
    for (uint64_t level = 0, levels = fb_load_u64(head + 4); level < levels; level++) {
        const uint8_t *bytes = take(s, 8);
        if (!bytes || !take(s, fb_load_u64(bytes)))
            return false;
    }
    return true;
}

static size_t bytes_of(const paddle_desc *p)
{
    ir_type type = {.dtype = paddle_dtype(p->type), .rank = (int)p->rank};
    if (p->rank > IR_MAX_RANK || !type.dtype)
        return SIZE_MAX;
    memcpy(type.dims, p->dims, p->rank * sizeof *p->dims);
    return ir_type_valid(&type) ? ir_type_bytes(&type) : SIZE_MAX;
}

static uint32_t skip_ones(const paddle_desc *p, uint32_t i)
{
    while (i < p->rank && p->dims[i] == 1)
        i++;
    return i;
}

/* The same extents but for those of 1? */
static bool same_but_ones(const paddle_desc *p, const paddle_desc *q)
{
    uint32_t i = skip_ones(p, 0), j = skip_ones(q, 0);
    for (; i < p->rank && j < q->rank && p->dims[i] == q->dims[j]; i = skip_ones(p, i + 1), j = skip_ones(q, j + 1))
        ;
    return i == p->rank && j == q->rank;
}

/* Can a file hold p where the program says `declared`?  Programs leave extents open; and quantizers make integers of
 * weights, and other shapes of lists of scales ([] and [1, 6] for [1] and [6]), and do not say so in the program. */
static bool can_be(const paddle_desc *p, const paddle_desc *declared)
{
    const bool integers = paddle_dtype(declared->type) == IR_F32 && paddle_dtype(p->type) == IR_I8;
    if (p->type != declared->type && !integers)
        return false;
    for (uint32_t i = 0; p->rank == declared->rank && i < p->rank; i++)
        if (declared->dims[i] >= 0 && p->dims[i] != declared->dims[i])
            return false;
    return p->rank == declared->rank || same_but_ones(p, declared);
}

/* The tensor says its type again; where the program's is another, it is the one that counts. */
static bool read_tensor(stream *s, const paddle_desc *declared, uint32_t index)
{
    paddle_model *m = s->model;
    paddle_desc p = {.name = declared->name};
    const uint8_t *head = skip_levels(s) ? take(s, 8) : NULL, *desc = head ? take(s, fb_load_u32(head + 4)) : NULL;
    if (!desc || fb_load_u32(head) != 0)
        return cut(s, declared);
    fb_reader reader;
    fb_open(&reader, desc, fb_load_u32(head + 4));
    read_tensor_desc(m, pb_root(&reader), &p);
    const bool fits = fb_ok(&reader) && can_be(&p, declared);
    if (fits && p.rank != declared->rank)
        p.rank = declared->rank, p.dims = declared->dims;
    const size_t size = bytes_of(&p);
    const uint8_t *data = fits && size != SIZE_MAX ? take(s, size) : NULL;
    return data ? paddle_parameter(m, index, &p, data, size) : cut(s, declared);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const paddle_desc *const *)a)->name, (*(const paddle_desc *const *)b)->name);
}

static const paddle_desc **sorted_parameters(paddle_model *m, uint32_t *out_count)
{
    const paddle_desc **sorted = ARENA_ARRAY(m->graph->arena, const paddle_desc *, m->program.variable_count + 1);
    *out_count = 0;
    for (uint32_t i = 0; i < m->program.variable_count; i++)
        if (m->program.variables[i].persistable && m->program.variables[i].is_tensor)
            sorted[(*out_count)++] = &m->program.variables[i];
    qsort(sorted, *out_count, sizeof *sorted, by_name);
    return sorted;
}

/* The file that has all parameters: m.pdiparams beside m.pdmodel, __params__ or params; false: there is none. */
static bool find_combined(paddle_model *m, stream *s)
{
    const ir_loc loc = model_loc(m);
    const char *slash = strrchr(m->file, '/'), *name = slash ? slash + 1 : m->file, *dot = strrchr(name, '.');
    s->file = m->options->params;
    if (s->file)
        return *s->file && (s->bytes = model_file(m, &loc, s->file, &s->size)) != NULL;
    const char *tries[] = {
        arena_format(m->graph->arena, "%.*s.pdiparams", (int)(dot ? dot - name : (long)strlen(name)), name),
        "__params__", "params"};
    for (size_t i = 0; m->options->open && i < sizeof tries / sizeof *tries; i++) {
        diag quiet = {0};
        if (!m->options->open(m->options->open_context, tries[i], &loc, &s->size, &quiet)) {
            if (quiet.out_of_memory) /* it may be there all the same */
                return diag_out_of_memory(m->diag, &loc);
            continue;
        }
        s->file = tries[i];
        return (s->bytes = model_file(m, &loc, tries[i], &s->size)) != NULL;
    }
    return false;
}

bool paddle_proto_parameters(paddle_model *m)
{
    const ir_loc loc = model_loc(m);
    uint32_t count;
    const paddle_desc **sorted = sorted_parameters(m, &count);
    stream s = {.model = m};
    const bool combined = count && find_combined(m, &s);
    if (m->diag->failed)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!combined) {
            s = (stream){.model = m, .file = sorted[i]->name};
            s.bytes = model_file(m, &loc, s.file, &s.size);
            if (!s.bytes)
                return false;
        }
        if (!read_tensor(&s, sorted[i], i))
            return false;
        if (s.at != s.size && (!combined || i + 1 == count))
            return diag_error(m->diag, &loc,
                              "the file '%.80s' goes on behind its last parameter, '%s': the program has others",
                              s.file, sorted[i]->name);
    }
    return true;
}
