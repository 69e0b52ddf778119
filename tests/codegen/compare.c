/* compare.c: see compare.h. */
#include "tests/codegen/compare.h"

#include <math.h>
#include <string.h>

#include "ir/ref/ref.h"

static double largest(const ir_value *v, const void *data)
{
    double largest_yet = 0;

    for (int64_t i = 0; v->type.dtype == IR_F32 && i < ir_type_elements(&v->type); i++)
        if (isfinite(ir_f32_at(data, i)))
            largest_yet = fmax(largest_yet, fabs((double)ir_f32_at(data, i)));
    return largest_yet;
}

static bool same_float(float a, float b, double allowed)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return a == b || fabs((double)a - b) <= allowed;
}

/* Of the types that are data only: any NaN is as good as another. */
static bool both_nan(ir_dtype t, const void *a, const void *b)
{
    uint16_t half[2];
    double wide[2];

    if (t == IR_F16) {
        memcpy(&half[0], a, 2);
        memcpy(&half[1], b, 2);
        return (half[0] & 0x7fff) > 0x7c00 && (half[1] & 0x7fff) > 0x7c00;
    }
    if (t != IR_F64)
        return false;
    memcpy(&wide[0], a, 8);
    memcpy(&wide[1], b, 8);
    return isnan(wide[0]) && isnan(wide[1]);
}

int64_t compare_values(const ir_value *v, const void *got, const void *want, const compare_limits *l)
{
    const size_t bytes = ir_dtype_bytes(v->type.dtype);
    const double magnitude = l->sums ? largest(v, want) : 0;

    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        const char *x = (const char *)got + (size_t)i * bytes, *y = (const char *)want + (size_t)i * bytes;
        if (!memcmp(x, y, bytes) || both_nan(v->type.dtype, x, y))
            continue;
        if (v->type.dtype != IR_F32)
            return i;
        if (l->bound && isinf(l->bound[i]))
            continue;
        const float a = ir_f32_at(got, i), b = ir_f32_at(want, i);
        if (l->bits ? !(isnan(a) && isnan(b))
                    : !same_float(
                          a, b, l->bound ? (double)l->bound[i] : l->tolerance * (1 + fmax(fabs((double)b), magnitude))))
            return i;
    }
    return -1;
}

double compare_element(const ir_value *v, const void *data, int64_t index)
{
    double wide;

    switch (v->type.dtype) {
    case IR_F32: return (double)ir_f32_at(data, index);
    case IR_F16: return (double)ir_f16_to_f32((uint16_t)ir_i16_at(data, index));
    case IR_F64: memcpy(&wide, (const char *)data + 8 * index, 8); return wide;
    default: return (double)ir_int_at(v->type.dtype, data, index);
    }
}
