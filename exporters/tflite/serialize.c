/* serialize.c: operators and tensors as the bytes of a file.
 *
 *     Model{operator_codes, subgraphs = [{tensors, inputs, outputs, operators}, …], buffers, signature_defs}
 *
 * Buffer 0 is empty: that of all tensors that are computed.  Constants of equal bytes have one buffer each all the same: what
 * can be shared has been made one value long before. */
#include <stdlib.h>
#include <string.h>

#include "exporters/flatbuffer.h"
#include "exporters/tflite/write.h"

enum { ROOM_FOR_ALL_BUT_CONSTANTS = 1 << 28, BUFFER_ALIGN = 16, OLD_BUILTINS = 127 };

enum { MOST_PARTS = 2 };

/* One subgraph. */
typedef struct part {
    const export_model *m;
    const char **names; /* of tensors: all different */
    int32_t *buffers;   /* of tensors; 0: none */
    int32_t *codes;     /* of operators, in order: which operator code */
} part;

typedef struct file {
    flat_writer w;
    const export_model *m;
    part parts[MOST_PARTS];
    int part_count;
    int32_t buffer_count;
    int32_t code_count;
    const export_operator **code_of; /* an operator of each code */
} file;

/* ---- Names ---- */

typedef struct named {
    const char *name;
    int32_t index;
} named;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : x->index - y->index;
}

/* Readers look tensors up by name, so each has one of its own. */
static void choose_names(part *p, arena *a)
{
    const int32_t count = p->m->tensor_count;
    named *all = ARENA_ARRAY(a, named, count + 1);
    p->names = ARENA_ARRAY(a, const char *, count + 1);
    for (int32_t i = 0; i < count; i++) {
        const char *name = p->m->tensors[i].name;
        all[i] = (named){name && *name ? name : arena_format(a, "tensor_%d", i), i};
    }
    qsort(all, (size_t)count, sizeof *all, by_name);
    for (int32_t i = 0; i < count; i++) {
        const bool again = i > 0 && strcmp(all[i].name, all[i - 1].name) == 0;
        p->names[all[i].index] = again ? arena_format(a, "%s;%d", all[i].name, all[i].index) : all[i].name;
    }
}

/* ---- What tensors and operators refer to ---- */

/* Returns how many bytes they take. */
static int64_t choose_buffers(file *f, part *p, arena *a)
{
    int64_t bytes = 0;
    p->buffers = ARENA_ARRAY(a, int32_t, p->m->tensor_count + 1);
    for (int32_t i = 0; i < p->m->tensor_count; i++)
        if (p->m->tensors[i].data) {
            bytes += (int64_t)ir_type_bytes(&p->m->tensors[i].type) + BUFFER_ALIGN;
            p->buffers[i] = f->buffer_count++;
        }
    return bytes;
}

static void choose_codes(file *f, part *p, arena *a)
{
    int32_t at = 0;
    p->codes = ARENA_ARRAY(a, int32_t, p->m->operator_count + 1);
    for (const export_operator *o = p->m->first; o; o = o->next) {
        int32_t code = 0;
        while (code < f->code_count &&
               (f->code_of[code]->builtin != o->builtin || f->code_of[code]->version != o->version))
            code++;
        if (code == f->code_count)
            f->code_of[f->code_count++] = o;
        p->codes[at++] = code;
    }
}

static bool choose_all(file *f, arena *a)
{
    int64_t bytes = 0;
    uint32_t operators = 0;
    for (const export_model *m = f->m; m; m = m->initial) {
        f->parts[f->part_count++].m = m;
        operators += m->operator_count;
    }
    f->buffer_count = 1;
    f->code_of = ARENA_ARRAY(a, const export_operator *, operators + 1);
    for (int k = 0; k < f->part_count; k++) {
        choose_names(&f->parts[k], a);
        choose_codes(f, &f->parts[k], a);
        bytes += choose_buffers(f, &f->parts[k], a);
    }
    const ir_loc loc = ir_graph_loc(f->m->graph);
    return bytes < IR_MAX_BYTES - ROOM_FOR_ALL_BUT_CONSTANTS ||
           diag_error(f->m->diag, &loc, "the constants take more than a TFLite file can hold");
}

/* ---- Tables ---- */

static size_t put_codes(file *f)
{
    const size_t vector = flat_vector(&f->w, (size_t)f->code_count, 4, 4, NULL);
    for (int32_t i = 0; i < f->code_count; i++) {
        const int builtin = f->code_of[i]->builtin;
        flat_table t = {0};
        flat_number(&t, OPCODE_OLD_BUILTIN, 1, (uint64_t)(builtin < OLD_BUILTINS ? builtin : OLD_BUILTINS), 0);
        flat_number(&t, OPCODE_VERSION, 4, (uint64_t)f->code_of[i]->version, 1);
        flat_number(&t, OPCODE_BUILTIN, 4, (uint64_t)builtin, 0);
        flat_lead(&f->w, flat_element(vector, (size_t)i), flat_put(&f->w, &t));
    }
    return vector;
}

static size_t put_ints(file *f, int count, const int32_t values[])
{
    return flat_vector(&f->w, (size_t)count, 4, 4, values);
}

static size_t put_quantization(file *f, const ir_quant *q)
{
    flat_table t = {0};
    flat_offset(&t, QUANT_SCALE);
    flat_offset(&t, QUANT_ZERO_POINT);
    flat_number(&t, QUANT_DIMENSION, 4, (uint64_t)(q->axis > 0 ? q->axis : 0), 0);
    const size_t table = flat_put(&f->w, &t);
    flat_lead(&f->w, flat_place_of(&t, QUANT_SCALE), flat_vector(&f->w, (size_t)q->count, 4, 4, q->scale));
    const size_t zeros = flat_vector(&f->w, (size_t)q->count, 8, 8, NULL);
    for (int32_t i = 0; f->w.bytes && i < q->count; i++) {
        const int64_t zero = q->zero[i];
        memcpy(f->w.bytes + zeros + 4 + 8 * (size_t)i, &zero, sizeof zero);
    }
    flat_lead(&f->w, flat_place_of(&t, QUANT_ZERO_POINT), zeros);
    return table;
}

static size_t put_shape(file *f, const ir_type *type)
{
    int32_t dims[IR_MAX_RANK] = {0};
    for (int i = 0; i < type->rank; i++)
        dims[i] = (int32_t)type->dims[i];
    return put_ints(f, type->rank, dims);
}

int export_type_number(ir_dtype t)
{
    static const struct {
        int number;
        ir_dtype dtype;
    } types[] = {
#define TFLITE_TYPE(NAME, number, text, dtype) {number, dtype},
#include "frontends/tflite/types.def"
#undef TFLITE_TYPE
    };
    int i = 0;
    while (types[i].dtype != t)
        i++;
    return types[i].number;
}

static size_t put_tensor(file *f, const part *p, int32_t index)
{
    const export_tensor *e = &p->m->tensors[index];
    flat_table t = {0};
    flat_offset(&t, TENSOR_SHAPE);
    flat_number(&t, TENSOR_TYPE, 1, (uint64_t)(e->is_handle ? TYPE_RESOURCE : export_type_number(e->type.dtype)),
                TYPE_F32);
    flat_number(&t, TENSOR_BUFFER, 4, (uint64_t)p->buffers[index], 0);
    flat_offset(&t, TENSOR_NAME);
    flat_number(&t, TENSOR_IS_VARIABLE, 1, e->is_variable, 0);
    if (e->quant)
        flat_offset(&t, TENSOR_QUANTIZATION);
    const size_t table = flat_put(&f->w, &t);
    flat_lead(&f->w, flat_place_of(&t, TENSOR_SHAPE), put_shape(f, &e->type));
    flat_lead(&f->w, flat_place_of(&t, TENSOR_NAME), flat_string(&f->w, p->names[index]));
    if (e->quant)
        flat_lead(&f->w, flat_place_of(&t, TENSOR_QUANTIZATION), put_quantization(f, e->quant));
    return table;
}

static size_t put_tensors(file *f, const part *p)
{
    const size_t vector = flat_vector(&f->w, (size_t)p->m->tensor_count, 4, 4, NULL);
    for (int32_t i = 0; i < p->m->tensor_count; i++)
        flat_lead(&f->w, flat_element(vector, (size_t)i), put_tensor(f, p, i));
    return vector;
}

static size_t put_options(file *f, const export_operator *o)
{
    flat_table t = {0};
    for (int i = 0; i < o->field_count; i++) {
        const export_field *field = &o->fields[i];
        if (field->bytes)
            flat_number(&t, field->index, field->bytes, field->value, field->otherwise);
        else
            flat_offset(&t, field->index);
    }
    const size_t table = flat_put(&f->w, &t);
    for (int i = 0; i < o->field_count; i++)
        if (!o->fields[i].bytes)
            flat_lead(&f->w, flat_place_of(&t, o->fields[i].index),
                      o->fields[i].text ? flat_string(&f->w, o->fields[i].text)
                                        : put_ints(f, o->fields[i].count, o->fields[i].list));
    return table;
}

static const unsigned char option_members[BUILTINS] = {
#define TFLITE_OP(NAME, number, newest, options, min, max, outputs, importer, code) [number] = OPTIONS_##options,
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, min, max, outputs, importer)
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM
};

static size_t put_operator(file *f, const export_operator *o, int32_t code)
{
    const unsigned member = option_members[o->builtin];
    flat_table t = {0};
    flat_number(&t, OPERATOR_OPCODE_INDEX, 4, (uint64_t)code, 0);
    flat_offset(&t, OPERATOR_INPUTS);
    flat_offset(&t, OPERATOR_OUTPUTS);
    flat_number(&t, OPERATOR_OPTIONS_TYPE, 1, member, OPTIONS_NONE);
    if (member != OPTIONS_NONE)
        flat_offset(&t, OPERATOR_OPTIONS);
    if (o->intermediate_count)
        flat_offset(&t, OPERATOR_INTERMEDIATES);
    const size_t table = flat_put(&f->w, &t);
    flat_lead(&f->w, flat_place_of(&t, OPERATOR_INPUTS), put_ints(f, o->input_count, o->inputs));
    flat_lead(&f->w, flat_place_of(&t, OPERATOR_OUTPUTS), put_ints(f, o->output_count, o->outputs));
    if (member != OPTIONS_NONE)
        flat_lead(&f->w, flat_place_of(&t, OPERATOR_OPTIONS), put_options(f, o));
    if (o->intermediate_count)
        flat_lead(&f->w, flat_place_of(&t, OPERATOR_INTERMEDIATES),
                  put_ints(f, o->intermediate_count, o->intermediates));
    return table;
}

static size_t put_operators(file *f, const part *p)
{
    const size_t vector = flat_vector(&f->w, p->m->operator_count, 4, 4, NULL);
    size_t i = 0;
    for (const export_operator *o = p->m->first; o; o = o->next, i++)
        flat_lead(&f->w, flat_element(vector, i), put_operator(f, o, p->codes[i]));
    return vector;
}

/* The tensors of the graph's inputs or outputs. */
static size_t put_ends(file *f, int32_t count, ir_value *const values[])
{
    const size_t vector = flat_vector(&f->w, (size_t)count, 4, 4, NULL);
    for (int32_t i = 0; f->w.bytes && i < count; i++)
        memcpy(f->w.bytes + flat_element(vector, (size_t)i), &f->m->tensor_of[values[i]->id], 4);
    return vector;
}

/* The first one has the graph's inputs and outputs, the one that runs once has none. */
static size_t put_subgraph(file *f, const part *p)
{
    const ir_graph *g = p->m->graph;
    const bool main = p->m == f->m;
    flat_table t = {0};
    flat_offset(&t, SUBGRAPH_TENSORS);
    flat_offset(&t, SUBGRAPH_INPUTS);
    flat_offset(&t, SUBGRAPH_OUTPUTS);
    flat_offset(&t, SUBGRAPH_OPERATORS);
    flat_offset(&t, SUBGRAPH_NAME);
    const size_t table = flat_put(&f->w, &t);
    flat_lead(&f->w, flat_place_of(&t, SUBGRAPH_TENSORS), put_tensors(f, p));
    flat_lead(&f->w, flat_place_of(&t, SUBGRAPH_INPUTS), put_ends(f, main ? g->input_count : 0, g->inputs));
    flat_lead(&f->w, flat_place_of(&t, SUBGRAPH_OUTPUTS), put_ends(f, main ? g->output_count : 0, g->outputs));
    flat_lead(&f->w, flat_place_of(&t, SUBGRAPH_OPERATORS), put_operators(f, p));
    flat_lead(&f->w, flat_place_of(&t, SUBGRAPH_NAME), flat_string(&f->w, main ? "main" : "initial"));
    return table;
}

static size_t put_subgraphs(file *f)
{
    const size_t vector = flat_vector(&f->w, (size_t)f->part_count, 4, 4, NULL);
    for (int k = 0; k < f->part_count; k++)
        flat_lead(&f->w, flat_element(vector, (size_t)k), put_subgraph(f, &f->parts[k]));
    return vector;
}

static void put_buffers_of(file *f, const part *p, size_t vector)
{
    for (int32_t i = 0; i < p->m->tensor_count; i++) {
        const export_tensor *e = &p->m->tensors[i];
        flat_table t = {0};
        if (!e->data)
            continue;
        flat_offset(&t, BUFFER_DATA);
        flat_lead(&f->w, flat_element(vector, (size_t)p->buffers[i]), flat_put(&f->w, &t));
        flat_lead(&f->w, flat_place_of(&t, BUFFER_DATA),
                  flat_vector(&f->w, ir_type_bytes(&e->type), 1, BUFFER_ALIGN, e->data));
    }
}

static size_t put_buffers(file *f)
{
    const size_t vector = flat_vector(&f->w, (size_t)f->buffer_count, 4, 4, NULL);
    flat_table empty = {0};
    flat_lead(&f->w, flat_element(vector, 0), flat_put(&f->w, &empty));
    for (int k = 0; k < f->part_count; k++)
        put_buffers_of(f, &f->parts[k], vector);
    return vector;
}

static size_t put_names(file *f, int32_t count, ir_value *const values[], const char *const names[])
{
    const size_t vector = flat_vector(&f->w, (size_t)count, 4, 4, NULL);
    for (int32_t i = 0; i < count; i++) {
        flat_table t = {0};
        flat_offset(&t, TENSOR_MAP_NAME);
        flat_number(&t, TENSOR_MAP_INDEX, 4, (uint64_t)f->m->tensor_of[values[i]->id], 0);
        flat_lead(&f->w, flat_element(vector, (size_t)i), flat_put(&f->w, &t));
        flat_lead(&f->w, flat_place_of(&t, TENSOR_MAP_NAME), flat_string(&f->w, names[i]));
    }
    return vector;
}

static size_t put_signature(file *f)
{
    const ir_graph *g = f->m->graph;
    const size_t vector = flat_vector(&f->w, 1, 4, 4, NULL);
    flat_table t = {0};
    flat_offset(&t, SIGNATURE_INPUTS);
    flat_offset(&t, SIGNATURE_OUTPUTS);
    flat_offset(&t, SIGNATURE_KEY);
    flat_lead(&f->w, flat_element(vector, 0), flat_put(&f->w, &t));
    flat_lead(&f->w, flat_place_of(&t, SIGNATURE_INPUTS), put_names(f, g->input_count, g->inputs, g->input_names));
    flat_lead(&f->w, flat_place_of(&t, SIGNATURE_OUTPUTS), put_names(f, g->output_count, g->outputs, g->output_names));
    flat_lead(&f->w, flat_place_of(&t, SIGNATURE_KEY), flat_string(&f->w, "serving_default"));
    return vector;
}

static void put_file(file *f)
{
    flat_table t = {0};
    flat_begin(&f->w, "TFL3");
    flat_number(&t, MODEL_VERSION, 4, TFLITE_SCHEMA_VERSION, 0);
    flat_offset(&t, MODEL_OPERATOR_CODES);
    flat_offset(&t, MODEL_SUBGRAPHS);
    flat_offset(&t, MODEL_BUFFERS);
    flat_offset(&t, MODEL_SIGNATURE_DEFS);
    flat_lead(&f->w, 0, flat_put(&f->w, &t));
    flat_lead(&f->w, flat_place_of(&t, MODEL_OPERATOR_CODES), put_codes(f));
    flat_lead(&f->w, flat_place_of(&t, MODEL_SUBGRAPHS), put_subgraphs(f));
    flat_lead(&f->w, flat_place_of(&t, MODEL_SIGNATURE_DEFS), put_signature(f));
    flat_lead(&f->w, flat_place_of(&t, MODEL_BUFFERS), put_buffers(f));
}

bool export_serialize(const export_model *m, uint8_t **out_bytes, size_t *out_size)
{
    file f = {.m = m};
    if (!choose_all(&f, m->memory))
        return false;
    put_file(&f);
    *out_size = f.w.size;
    *out_bytes = arena_alloc(m->memory, f.w.size);
    f.w = (flat_writer){.bytes = *out_bytes};
    put_file(&f);
    return true;
}
