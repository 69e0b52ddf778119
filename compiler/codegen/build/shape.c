/* shape.c: extents, strides and keys of the values that kernels work on. */
#include "compiler/codegen/build/shape.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

cg_shape cg_shape_of(const ir_value *v)
{
    cg_shape s = {.dtype = v->type.dtype, .bytes = (int64_t)ir_dtype_bytes(v->type.dtype), .rank = v->type.rank};
    s.elements = ir_type_elements(&v->type);
    bool planned = v->place.space != IR_SPACE_NONE && v->place.space != IR_SPACE_CONST;
    int64_t dense = 1;
    for (int i = s.rank - 1; i >= 0; i--) {
        s.dims[i] = v->type.dims[i];
        s.stride[i] = planned ? v->place.stride[i] : dense;
        dense *= s.dims[i];
    }
    return s;
}

/* Dimensions from `first` to before `last` as one: its extent and stride. */
static void collapse(const cg_shape *s, int first, int last, int64_t *out_count, int64_t *out_stride)
{
    int64_t count = 1, stride = 0;
    for (int i = last - 1; i >= first; i--) {
        if (s->dims[i] == 1)
            continue;
        if (count == 1)
            stride = s->stride[i];
        assert(s->stride[i] == stride * count);
        count *= s->dims[i];
    }
    *out_count = count;
    *out_stride = stride;
}

cg_split cg_split_of(const cg_shape *s, int axis)
{
    cg_split out = {.axis = s->dims[axis], .axis_stride = s->stride[axis]};
    collapse(s, 0, axis, &out.outer, &out.outer_stride);
    collapse(s, axis + 1, s->rank, &out.inner, &out.inner_stride);
    return out;
}

bool cg_shape_dense(const cg_shape *s)
{
    int64_t expected = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        if (s->dims[i] != 1 && s->stride[i] != expected)
            return false;
        expected *= s->dims[i];
    }
    return true;
}

/* A text that leaves no more room becomes its hash. */
static int fold(cg_key *k)
{
    const XXH128_hash_t h = XXH3_128bits(k->text, (size_t)k->length);
    return snprintf(k->text, sizeof k->text, "#%016llx%016llx", (unsigned long long)h.high64,
                    (unsigned long long)h.low64);
}

void cg_key_add(cg_key *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(k->text + k->length, sizeof k->text - (size_t)k->length, format, args);
    va_end(args);
    if (n < (int)sizeof k->text - k->length) {
        k->length += n;
        return;
    }
    k->length = fold(k);
    va_start(args, format);
    k->length += vsnprintf(k->text + k->length, sizeof k->text - (size_t)k->length, format, args);
    va_end(args);
    assert(k->length < (int)sizeof k->text);
}

void cg_key_shape(cg_key *k, const cg_shape *s)
{
    cg_key_add(k, " %s", ir_dtype_text(s->dtype));
    for (int i = 0; i < s->rank; i++)
        cg_key_add(k, "%c%lld:%lld", i ? ',' : '[', (long long)s->dims[i], (long long)s->stride[i]);
    cg_key_add(k, "%s", s->rank ? "]" : "[]");
}

LLVMTypeRef cg_bits_type(const cg_module *m, int64_t bytes)
{
    switch (bytes) {
    case 1: return m->i8;
    case 2: return m->i16;
    case 4: return m->i32;
    default: assert(bytes == 8); return m->i64;
    }
}
