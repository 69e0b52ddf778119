/* ref_dynamic.c: dynamic_quantize: scale and zero point follow from the values at hand.
 *
 *     f32<2x3> [[-1, 0, 2], [0, 0, 0]]  ──outer = 1──▶  u8<2x3>, scales f32<2>, zero points u8<2>
 *
 * Real zero is always exact.  A row of zeros has scale 1.  Values that are not numbers, and those that a scale of 0 or
 * infinity makes so, become the smallest integer. */
#include "ir/ref/ref_quant.h"

bool ir_check_dynamic_quantize(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type;
    const int64_t outer = ir_int(op, IR_ATTR_OUTER);
    if (outer < 0 || outer > x->rank)
        return ir_refuse(op, d, "%lld outer dimensions of %d", (long long)outer, x->rank);
    int64_t count = 1;
    for (int i = 0; i < outer; i++)
        count *= x->dims[i];
    for (int i = 0; i < 3; i++)
        if (ir_type_elements(&op->results[i]->type) != (i ? count : ir_type_elements(x)))
            return ir_refuse(op, d, "result %d has %lld elements", i,
                             (long long)ir_type_elements(&op->results[i]->type));
    return true;
}

/* zero + the quotient that 8-bit minimum and maximum would have, within the type: the end with the smaller error
 * counts. */
static int32_t nudged_zero(double low, double high, double scale)
{
    const double from_low = -128 - low / scale, from_high = 127 - high / scale;
    const double low_error = 128 + fabs(low / scale), high_error = 127 + fabs(high / scale);
    return (int32_t)ir_truncated(round(low_error < high_error ? from_low : from_high), -128, 127);
}

/* `zero` is that of the stored bytes. */
static ir_dynamic affine(ir_enum_METHOD method, float low, float high)
{
    ir_dynamic p = {method, 1.0f, method == IR_METHOD_AFFINE_EVEN ? 1.0f : 0.0f,
                    method == IR_METHOD_AFFINE_EVEN ? 0 : 128};
    if (low == high)
        return p;
    if (method == IR_METHOD_AFFINE_EVEN) {
        p.scale = p.factor = (high - low) / 255.0f;
        p.zero = ir_round_even_f32(0.0f - low / p.scale, 0, 0, 255);
        return p;
    }
    const double scale = ((double)high - low) / 255.0;
    p.scale = (float)scale;
    p.factor = 1.0f / p.scale;
    p.zero = nudged_zero(low, high, scale) + 128;
    return p;
}

ir_dynamic ir_dynamic_of(ir_enum_METHOD method, const void *x, int64_t first, int64_t count)
{
    float low = 0, high = 0;
    for (int64_t i = 0; i < count; i++) {
        const float v = ir_f32_at(x, first + i);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    if (method != IR_METHOD_SYMMETRIC_AWAY)
        return affine(method, low, high);
    const float range = -low > high ? -low : high;
    if (range == 0)
        return (ir_dynamic){method, 1.0f, 0.0f, 128};
    return (ir_dynamic){method, range / 127.0f, 127.0f / range, 128};
}

uint8_t ir_dynamic_apply(const ir_dynamic *p, float x)
{
    if (p->method == IR_METHOD_AFFINE_EVEN)
        return (uint8_t)ir_round_even_f32(x / p->factor, p->zero, 0, 255);
    const float low = p->method == IR_METHOD_AFFINE_AWAY ? -128.0f : -127.0f;
    const float v = roundf((float)(p->zero - 128) + x * p->factor);
    return (uint8_t)(128 + (!(v > low) ? (int32_t)low : v >= 127.0f ? 127 : (int32_t)v));
}

bool ir_ref_dynamic_quantize(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const ir_enum_METHOD method = (ir_enum_METHOD)ir_int(op, IR_ATTR_METHOD);
    const int64_t groups = ir_type_elements(&op->results[1]->type);
    const int64_t length = groups ? ir_type_elements(&op->operands[0].value->type) / groups : 0;
    (void)d;
    for (int64_t g = 0; g < groups; g++) {
        const ir_dynamic p = ir_dynamic_of(method, operands[0], g * length, length);
        for (int64_t i = 0; i < length; i++)
            ((uint8_t *)results[0])[g * length + i] = ir_dynamic_apply(&p, ir_f32_at(operands[0], g * length + i));
        ir_f32_put(results[1], g, p.scale);
        ((uint8_t *)results[2])[g] = (uint8_t)p.zero;
    }
    return true;
}
