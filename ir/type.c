/* type.c: types, quantization parameters, places: sizes and comparison, without overflow. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ir/ir.h"

int64_t ir_type_elements(const ir_type *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

size_t ir_type_bytes(const ir_type *t) { return (size_t)ir_type_elements(t) * ir_dtype_bytes(t->dtype); }

bool ir_type_equal(const ir_type *a, const ir_type *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool ir_type_valid(const ir_type *t)
{
    if ((int)t->dtype <= IR_DTYPE_NONE || t->dtype >= IR_DTYPE_COUNT || t->rank < 0 || t->rank > IR_MAX_RANK)
        return false;
    /* The product without the zeros must fit as well, so that partial products (strides) never overflow. */
    int64_t limit = IR_MAX_BYTES / (int64_t)ir_dtype_bytes(t->dtype), n = 1;
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0 || (t->dims[i] > 0 && n > limit / t->dims[i]))
            return false;
        if (t->dims[i] > 0)
            n *= t->dims[i];
    }
    return true;
}

ir_type ir_type_make(ir_dtype dtype, int rank, const int64_t dims[])
{
    assert(rank >= 0 && rank <= IR_MAX_RANK);
    ir_type t = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++)
        t.dims[i] = dims[i];
    return t;
}

const char *ir_type_text(const ir_type *t, char text[IR_TYPE_TEXT_BYTES])
{
    int at = snprintf(text, IR_TYPE_TEXT_BYTES, "%s<", ir_dtype_text(t->dtype));
    for (int i = 0; i < t->rank; i++) /* 8 dimensions of up to 20 digits fit */
        at += snprintf(text + at, (size_t)(IR_TYPE_TEXT_BYTES - at), "%s%" PRId64, i ? "x" : "", t->dims[i]);
    snprintf(text + at, (size_t)(IR_TYPE_TEXT_BYTES - at), ">");
    return text;
}

bool ir_quant_scales_differ(const ir_quant *q)
{
    for (int32_t i = 1; i < q->count; i++)
        if (q->scale[i] != q->scale[0])
            return true;
    return false;
}

bool ir_quant_equal(const ir_quant *a, const ir_quant *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->axis != b->axis || a->count != b->count || !ir_unused_equal(a->unused, b->unused))
        return false;
    size_t n = (size_t)a->count;
    return memcmp(a->scale, b->scale, n * sizeof *a->scale) == 0 && memcmp(a->zero, b->zero, n * sizeof *a->zero) == 0;
}

bool ir_place_is_dense(const ir_place *p, const ir_type *t)
{
    int64_t stride = 1;
    if (ir_type_elements(t) == 0)
        return true; /* it lies nowhere */
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->dims[i] > 1 && p->stride[i] != stride)
            return false;
        stride *= t->dims[i];
    }
    return true;
}
