/* onnx_tensor.c: tensors of ONNX files.  Their elements are in one of three places:
 *
 *     raw_data                     bytes as they are in memory, which constants alias
 *     float_data, int32_data, …    numbers in a list whose type serves several: int32_data has 8-bit integers, booleans
 *                                  and the bits of half precision, too
 *     external_data                another file */
#define FRONTEND_COMMON
#include <string.h>

#include "frontends/onnx/onnx_file.h"

enum {
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE,
    TENSOR_SEGMENT,
    TENSOR_FLOAT_DATA,
    TENSOR_INT32_DATA,
    TENSOR_STRING_DATA,
    TENSOR_INT64_DATA,
    TENSOR_NAME,
    TENSOR_RAW_DATA,
    TENSOR_DOUBLE_DATA,
    TENSOR_UINT64_DATA,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_LOCATION
};
enum { LOCATION_EXTERNAL = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE };

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7 };

/* How the elements of a type are listed. */
typedef struct listing {
    uint32_t field; /* 0: not at all */
    uint8_t bytes;  /* of an element */
    bool is_signed;
} listing;

static listing listing_of(int64_t type)
{
    static const listing listings[] = {
        [ONNX_FLOAT] = {TENSOR_FLOAT_DATA, 4, true}, [2] = {TENSOR_INT32_DATA, 1, false},
        [3] = {TENSOR_INT32_DATA, 1, true},          [4] = {TENSOR_INT32_DATA, 2, false},
        [5] = {TENSOR_INT32_DATA, 2, true},          [6] = {TENSOR_INT32_DATA, 4, true},
        [ONNX_INT64] = {TENSOR_INT64_DATA, 8, true}, [9] = {TENSOR_INT32_DATA, 1, false},
        [10] = {TENSOR_INT32_DATA, 2, false},        [11] = {TENSOR_DOUBLE_DATA, 8, true},
        [12] = {TENSOR_UINT64_DATA, 4, false},       [13] = {TENSOR_UINT64_DATA, 8, false},
        [16] = {TENSOR_INT32_DATA, 2, false},
    };
    return type > 0 && type < (int64_t)(sizeof listings / sizeof *listings) ? listings[type] : (listing){0};
}

static size_t count_of(const pb_field *f, const listing *l)
{
    const bool fixed = l->field == TENSOR_FLOAT_DATA || l->field == TENSOR_DOUBLE_DATA;
    return fixed ? pb_fixed_count(f, l->bytes) : pb_int_count(f);
}

/* The low bytes of numbers, which must be all there is to them. */
static void narrow(fb_reader *r, const pb_field *f, const listing *l, const int64_t values[], size_t count,
                   uint8_t *out)
{
    const unsigned spare = 64 - 8 * l->bytes;
    for (size_t i = 0; i < count; i++) {
        const uint64_t value = (uint64_t)values[i], low = value << spare >> spare;
        const bool negative = l->is_signed && spare && low >> (8 * l->bytes - 1);
        if (value != (negative ? low | ~(uint64_t)0 << (8 * l->bytes) : low))
            fb_fail(r, f->at, "a number of a tensor does not fit the tensor's type");
        for (unsigned b = 0; b < l->bytes; b++)
            out[i * l->bytes + b] = (uint8_t)(value >> 8 * b);
    }
}

/* A list of numbers as bytes, at `out`. */
static void copy_list(onnx_file *o, const pb_field *f, const listing *l, uint8_t *out)
{
    const size_t count = count_of(f, l);
    if (l->field == TENSOR_FLOAT_DATA || l->field == TENSOR_DOUBLE_DATA) {
        memcpy(out, pb_fixed(f), count * l->bytes);
        return;
    }
    int64_t *values = ARENA_ARRAY(o->model->graph->arena, int64_t, count + 1);
    pb_ints(f, values);
    narrow(f->reader, f, l, values, count, out);
}

static bool read_listed(onnx_file *o, pb_message message, onnx_tensor *t)
{
    frontend_model *m = o->model;
    const ir_loc loc = model_loc(m);
    const listing l = listing_of(t->type);
    pb_message again = message;
    size_t count = 0;
    if (!l.field)
        return true; /* of a type that is not supported, which matters if somebody wants it */
    for (pb_field f; pb_next(&message, &f);)
        count += f.number == l.field ? count_of(&f, &l) : 0;
    if (!model_charge(m, &loc, (int64_t)(count * l.bytes)))
        return false;
    uint8_t *data = arena_alloc(m->graph->arena, count * l.bytes + 1);
    t->data = data;
    t->size = count * l.bytes;
    for (pb_field f; pb_next(&again, &f);)
        if (f.number == l.field) {
            copy_list(o, &f, &l, data);
            data += count_of(&f, &l) * l.bytes;
        }
    return true;
}

/* ---- In another file ---- */

typedef struct external_place {
    const char *location, *offset, *length;
} external_place;

static void read_entry(onnx_file *o, pb_message message, external_place *to)
{
    const char *key = "", *value = "";
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == ENTRY_KEY)
            key = pb_text(&f, o->model->graph->arena);
        else if (f.number == ENTRY_VALUE)
            value = pb_text(&f, o->model->graph->arena);
    const char **where = strcmp(key, "location") == 0 ? &to->location
                         : strcmp(key, "offset") == 0 ? &to->offset
                         : strcmp(key, "length") == 0 ? &to->length
                                                      : NULL; /* checksum, and what writers keep for themselves */
    if (where)
        *where = value;
}

/* A decimal number of bytes within `most`; false: it is none. */
static bool bytes_of(const char *text, size_t most, size_t *out)
{
    *out = 0;
    for (const char *c = text; *c; c++) {
        const size_t digit = (size_t)(*c - '0');
        if (*c < '0' || *c > '9' || *out > most / 10 || digit > most - *out * 10)
            return false;
        *out = *out * 10 + digit;
    }
    return *text;
}

static bool read_external(onnx_file *o, pb_message message, onnx_tensor *t)
{
    frontend_model *m = o->model;
    const ir_loc loc = model_loc(m);
    external_place e = {"", NULL, NULL};
    size_t size, offset = 0;
    for (pb_field f; pb_next(&message, &f);)
        if (f.number == TENSOR_EXTERNAL_DATA)
            read_entry(o, pb_sub(&f), &e);
    const uint8_t *bytes = model_file(m, &loc, e.location, &size);
    if (!bytes)
        return false;
    if (e.offset && !bytes_of(e.offset, size, &offset))
        return diag_error(m->diag, &loc, "constant '%s' begins at byte '%.20s' of the file '%.80s', which has %zu",
                          t->name, e.offset, e.location, size);
    t->data = bytes + offset;
    t->size = size - offset;
    return !e.length || bytes_of(e.length, size - offset, &t->size) ||
           diag_error(m->diag, &loc, "constant '%s' has '%.20s' bytes from byte %zu of the file '%.80s', which has %zu",
                      t->name, e.length, offset, e.location, size);
}

bool onnx_tensor_read(onnx_file *o, pb_message message, onnx_tensor *out)
{
    const pb_message whole = message;
    bool raw = false, external = false;
    *out = (onnx_tensor){.name = ""};
    out->dims = pb_int_list(whole, TENSOR_DIMS, o->model->graph->arena, &out->rank);
    for (pb_field f; pb_next(&message, &f);)
        switch (f.number) {
        case TENSOR_DATA_TYPE: out->type = pb_int(&f); break;
        case TENSOR_NAME: out->name = pb_text(&f, o->model->graph->arena); break;
        case TENSOR_LOCATION: external = pb_int(&f) == LOCATION_EXTERNAL; break;
        case TENSOR_RAW_DATA:
            raw = true;
            out->data = pb_bytes(&f);
            out->size = f.size;
            break;
        default: break;
        }
    return external ? read_external(o, whole, out) : raw || read_listed(o, whole, out);
}

/* ---- Nodes ---- */

/* A list, or one number. */
static void numbers(const char *name, int64_t type, const void *data, size_t bytes, uint32_t rank, const int64_t *count,
                    onnx_tensor *out)
{
    *out = (onnx_tensor){.name = name, .type = type, .rank = rank, .dims = count, .data = data, .size = bytes};
}

bool onnx_tensor_of_node(onnx_file *o, const onnx_node *n, onnx_tensor *out)
{
    if (strcmp(n->type, "Constant") != 0 || *n->domain || n->attribute_count != 1 || n->outputs.count != 1 ||
        n->inputs.count)
        return false;
    const char *what = n->attributes[0].name, *name = n->outputs.text[0];
    const frontend_value *v = n->attributes[0].value;
    int64_t *count = ARENA_NEW(o->model->graph->arena, int64_t);
    *count = v->count;
    if (strcmp(what, "value") == 0 && v->type == TYPE_TENSOR && v->tensor) {
        *out = *v->tensor;
        out->name = name;
    } else if (strcmp(what, "value_float") == 0 && v->type == TYPE_FLOAT) {
        numbers(name, ONNX_FLOAT, &v->f, sizeof v->f, 0, count, out);
    } else if (strcmp(what, "value_floats") == 0 && v->type == TYPE_FLOATS) {
        numbers(name, ONNX_FLOAT, v->floats, v->count * sizeof *v->floats, 1, count, out);
    } else if (strcmp(what, "value_int") == 0 && v->type == TYPE_INT) {
        numbers(name, ONNX_INT64, &v->i, sizeof v->i, 0, count, out);
    } else if (strcmp(what, "value_ints") == 0 && v->type == TYPE_INTS) {
        numbers(name, ONNX_INT64, v->ints, v->count * sizeof *v->ints, 1, count, out);
    } else {
        return false;
    }
    return true;
}
