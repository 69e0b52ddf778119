/* attr.c: attributes of ops, and elements of constants. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/private.h"
#include "ir/ref/interp.h"

/* ---- Access ---- */

static int attr_index(const ir_op *op, ir_attr_id id)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    for (int i = 0; i < info->attr_count; i++)
        if (info->attrs[i] == id)
            return i;
    return -1;
}

static ir_attr *attr_of(const ir_op *op, ir_attr_id id)
{
    int i = attr_index(op, id);
    assert(i >= 0);
    return &op->attrs[i];
}

#ifndef NDEBUG /* used by assert alone */
static bool is_kind(ir_attr_id id, ir_attr_kind kind) { return ir_attr_info_of(id)->kind == kind; }
static bool is_int(ir_attr_id id) { return is_kind(id, IR_KIND_INT) || ir_attr_info_of(id)->kind > IR_KIND_STR; }
#endif

bool ir_has_attr(const ir_op *op, ir_attr_id id) { return attr_index(op, id) >= 0; }

int64_t ir_int(const ir_op *op, ir_attr_id id)
{
    assert(is_int(id));
    return attr_of(op, id)->i;
}

float ir_float(const ir_op *op, ir_attr_id id)
{
    assert(is_kind(id, IR_KIND_FLOAT));
    return attr_of(op, id)->f;
}

const char *ir_str(const ir_op *op, ir_attr_id id)
{
    assert(is_kind(id, IR_KIND_STR));
    return attr_of(op, id)->s;
}

int32_t ir_ints(const ir_op *op, ir_attr_id id, const int64_t **out)
{
    assert(is_kind(id, IR_KIND_INTS));
    *out = attr_of(op, id)->ints.v;
    return attr_of(op, id)->ints.n;
}

int64_t ir_ints_at(const ir_op *op, ir_attr_id id, int index)
{
    assert(is_kind(id, IR_KIND_INTS));
    const ir_attr *a = attr_of(op, id);
    assert(index >= 0 && index < a->ints.n);
    return a->ints.v[index];
}

int32_t ir_floats(const ir_op *op, ir_attr_id id, const float **out)
{
    assert(is_kind(id, IR_KIND_FLOATS));
    *out = attr_of(op, id)->floats.v;
    return attr_of(op, id)->floats.n;
}

void ir_set_int(ir_op *op, ir_attr_id id, int64_t value)
{
    assert(is_int(id));
    attr_of(op, id)->i = value;
}

void ir_set_float(ir_op *op, ir_attr_id id, float value)
{
    assert(is_kind(id, IR_KIND_FLOAT));
    attr_of(op, id)->f = value;
}

void ir_set_str(ir_op *op, ir_attr_id id, const char *text)
{
    assert(is_kind(id, IR_KIND_STR));
    attr_of(op, id)->s = arena_string(op->graph->arena, text, strlen(text));
}

void ir_set_ints(ir_op *op, ir_attr_id id, int32_t count, const int64_t values[])
{
    assert(is_kind(id, IR_KIND_INTS));
    const int64_t *copy = arena_copy(op->graph->arena, values, (size_t)count * sizeof *values);
    attr_of(op, id)->ints.v = copy;
    attr_of(op, id)->ints.n = count;
}

void ir_set_floats(ir_op *op, ir_attr_id id, int32_t count, const float values[])
{
    assert(is_kind(id, IR_KIND_FLOATS));
    const float *copy = arena_copy(op->graph->arena, values, (size_t)count * sizeof *values);
    attr_of(op, id)->floats.v = copy;
    attr_of(op, id)->floats.n = count;
}

/* ---- Defaults: the texts of attrs.def, which are ours and therefore well-formed ---- */

static int32_t list_length(const char *text)
{
    int32_t n = *text != '\0';
    for (; *text; text++)
        n += *text == ',';
    return n;
}

static void default_ints(arena *a, const char *text, ir_attr *out)
{
    int32_t n = list_length(text);
    int64_t *v = ARENA_ARRAY(a, int64_t, n);
    for (int32_t i = 0; i < n; i++) {
        char *end;
        v[i] = strtoll(text, &end, 10);
        text = end + (*end == ',');
    }
    out->ints.v = v;
    out->ints.n = n;
}

static void default_floats(arena *a, const char *text, ir_attr *out)
{
    int32_t n = list_length(text);
    float *v = ARENA_ARRAY(a, float, n);
    for (int32_t i = 0; i < n; i++) {
        char *end;
        v[i] = strtof(text, &end);
        text = end + (*end == ',');
    }
    out->floats.v = v;
    out->floats.n = n;
}

void ir_attr_set_default(arena *a, ir_attr_id id, ir_attr *out)
{
    const ir_attr_info *info = ir_attr_info_of(id);
    switch (info->kind) {
    case IR_KIND_INT: out->i = strtoll(info->def, NULL, 10); break;
    case IR_KIND_FLOAT: out->f = strtof(info->def, NULL); break;
    case IR_KIND_INTS: default_ints(a, info->def, out); break;
    case IR_KIND_FLOATS: default_floats(a, info->def, out); break;
    case IR_KIND_STR: out->s = info->def; break;
    default:
        out->i = 0;
        ir_enum_from_text(info->kind, info->def, strlen(info->def), &out->i);
        break;
    }
}

bool ir_attr_equal(ir_attr_id id, const ir_attr *a, const ir_attr *b)
{
    switch (ir_attr_info_of(id)->kind) {
    case IR_KIND_FLOAT: return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case IR_KIND_INTS:
        return a->ints.n == b->ints.n && memcmp(a->ints.v, b->ints.v, (size_t)a->ints.n * sizeof *a->ints.v) == 0;
    case IR_KIND_FLOATS:
        return a->floats.n == b->floats.n &&
               memcmp(a->floats.v, b->floats.v, (size_t)a->floats.n * sizeof *a->floats.v) == 0;
    case IR_KIND_STR: return strcmp(a->s, b->s) == 0;
    default: return a->i == b->i;
    }
}

/* ---- Elements of constants ---- */

#define READ(T)                                                                                                        \
    T x;                                                                                                               \
    memcpy(&x, (const char *)v->data + index * (int64_t)sizeof x, sizeof x)

int64_t ir_const_int(const ir_value *v, int64_t index)
{
    assert(v->data && index >= 0 && index < ir_type_elements(&v->type));
    switch (v->type.dtype) {
    case IR_I8: {
        READ(int8_t);
        return x;
    }
    case IR_U8:
    case IR_BOOL: {
        READ(uint8_t);
        return x;
    }
    case IR_I16: {
        READ(int16_t);
        return x;
    }
    case IR_U16: {
        READ(uint16_t);
        return x;
    }
    case IR_I32: {
        READ(int32_t);
        return x;
    }
    case IR_U32: {
        READ(uint32_t);
        return x;
    }
    case IR_I64: {
        READ(int64_t);
        return x;
    }
    default: assert(!"not an integer type"); return 0;
    }
}

/* Which of the scales is that of element `index`. */
static int32_t channel_of(const ir_value *v, int64_t index)
{
    const ir_quant *q = v->quant;
    if (q->axis < 0 || q->count == 1)
        return 0;
    for (int i = v->type.rank - 1; i > q->axis; i--)
        index /= v->type.dims[i];
    return (int32_t)(index % v->type.dims[q->axis]);
}

double ir_const_real(const ir_value *v, int64_t index)
{
    assert(v->data && index >= 0 && index < ir_type_elements(&v->type));
    switch (v->type.dtype) {
    case IR_F32: {
        READ(float);
        return x;
    }
    case IR_F64: {
        READ(double);
        return x;
    }
    case IR_F16: {
        READ(uint16_t);
        return ir_f16_to_f32(x);
    }
    default: break;
    }
    double q = (double)ir_const_int(v, index);
    if (!v->quant)
        return q;
    int32_t c = channel_of(v, index);
    return (q - v->quant->zero[c]) * v->quant->scale[c];
}

void ir_const_reals(const ir_value *v, int64_t first, int64_t count, double to[])
{
    assert(v->data && first >= 0 && count >= 0 && first + count <= ir_type_elements(&v->type));
    if (v->type.dtype != IR_F32) {
        for (int64_t i = 0; i < count; i++)
            to[i] = ir_const_real(v, first + i);
        return;
    }
    const char *from = (const char *)v->data + first * (int64_t)sizeof(float);
    for (int64_t i = 0; i < count; i++) {
        float x;
        memcpy(&x, from + i * (int64_t)sizeof x, sizeof x);
        to[i] = (double)x;
    }
}

int64_t ir_first_nan(const ir_type *type, const void *data)
{
    const ir_value v = {.type = *type, .data = data};
    for (int64_t i = 0; ir_dtype_is_float(type->dtype) && i < ir_type_elements(type); i++)
        if (isnan(ir_const_real(&v, i)))
            return i;
    return -1;
}
