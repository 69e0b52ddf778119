/* compare.c: see compare.h. */
#include "tests/codegen/compare.h"

#include <math.h>
#include <string.h>

#include "ir/ref.h"

static double largest(const ir_value *v, const void *data)
{
    double largest_yet = 0;

    for (int64_t i = 0; v->type.dtype == IR_F32 && i < ir_type_elements(&v->type); i++)
        largest_yet = fmax(largest_yet, fabs((double)ir_f32_at(data, i)));
    return largest_yet;
}

static bool same_float(float a, float b, double allowed)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs((double)a - b) <= allowed;
}

int64_t compare_values(const ir_value *v, const void *got, const void *want, const compare_limits *l)
{
    const size_t bytes = ir_dtype_bytes(v->type.dtype);
    const double magnitude = l->sums ? largest(v, want) : 0;

    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        if (!memcmp((const char *)got + (size_t)i * bytes, (const char *)want + (size_t)i * bytes, bytes))
            continue;
        if (v->type.dtype != IR_F32)
            return i;
        const float a = ir_f32_at(got, i), b = ir_f32_at(want, i);
        if (!same_float(a, b, l->bound ? (double)l->bound[i] : l->tolerance * (1 + fmax(fabs((double)b), magnitude))))
            return i;
    }
    return -1;
}

double compare_element(const ir_value *v, const void *data, int64_t index)
{
    return v->type.dtype == IR_F32 ? (double)ir_f32_at(data, index) : (double)ir_int_at(v->type.dtype, data, index);
}
