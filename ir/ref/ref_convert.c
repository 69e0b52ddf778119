/* ref_convert.c: quantize, dequantize, fake_quant, cast.  requantize is in ref_unary.c. */
#include "ir/ref/ref_quant.h"

/* Per-axis parameters: element i has parameter (i / inner) % count. */
typedef struct parameters {
    const ir_quant *quant;
    int64_t inner;
} parameters;

static parameters parameters_of(const ir_value *v)
{
    parameters p = {v->quant, 1};
    if (v->quant && v->quant->axis >= 0)
        for (int d = v->quant->axis + 1; d < v->type.rank; d++)
            p.inner *= v->type.dims[d];
    return p;
}

static int64_t parameter_at(const parameters *p, int64_t i)
{
    return p->quant->axis < 0 ? 0 : i / p->inner % p->quant->count;
}

static bool check_parameters(const ir_op *op, const ir_value *v, diag *d)
{
    const ir_quant *q = v->quant;
    if (!q)
        return ir_refuse(op, d, "a value of type %s has no quantization", ir_dtype_text(v->type.dtype));
    if (q->axis < 0 ? q->count != 1 : q->axis >= v->type.rank || q->count != v->type.dims[q->axis])
        return ir_refuse(op, d, "%d scales along axis %d do not fit", (int)q->count, q->axis);
    return true;
}

static bool check_shapes(const ir_op *op, diag *d) { return ir_check_same_shape(op, d); }

bool ir_check_quantize(const ir_op *op, diag *d)
{
    const ir_quant *q = op->results[0]->quant;
    if (!check_shapes(op, d) || !check_parameters(op, op->results[0], d))
        return false;
    for (int32_t i = 0; i < q->count; i++)
        if (!(q->scale[i] > 0))
            return ir_refuse(op, d, "scale %d is %g", (int)i, (double)q->scale[i]);
    return true;
}

bool ir_check_dequantize(const ir_op *op, diag *d)
{
    const ir_value *x = op->operands[0].value;
    return check_shapes(op, d) && (x->type.dtype == IR_F16 || check_parameters(op, x, d));
}

ir_grid ir_grid_of(const ir_op *op)
{
    const ir_value *y = op->results[0];
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    ir_grid g = {.even = rounding == IR_ROUNDING_EVEN_F32, .scale = y->quant->scale[0], .zero = y->quant->zero[0]};
    ir_quant_range(y->type.dtype, y->quant, &g.min, &g.max);
    ir_rounding_bounds(rounding, y->type.dtype, &g.min, &g.max);
    return g;
}

bool ir_ref_quantize(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_value *y = op->results[0];
    const parameters p = parameters_of(y);
    const int64_t n = ir_type_elements(&y->type);
    ir_grid g = n ? ir_grid_of(op) : (ir_grid){0};
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = parameter_at(&p, i);
        g.scale = p.quant->scale[c];
        g.zero = p.quant->zero[c];
        ir_int_put(y->type.dtype, results[0], i, ir_grid_apply(&g, ir_f32_at(operands[0], i)));
    }
    return true;
}

bool ir_ref_dequantize(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_value *x = op->operands[0].value;
    const parameters p = parameters_of(x);
    const int64_t n = ir_type_elements(&x->type);
    for (int64_t i = 0; i < n; i++) {
        if (x->type.dtype == IR_F16) {
            ir_f32_put(results[0], i, ir_f16_to_f32((uint16_t)ir_i16_at(operands[0], i)));
            continue;
        }
        const int64_t c = parameter_at(&p, i);
        const int64_t q = ir_int_at(x->type.dtype, operands[0], i);
        ir_f32_put(results[0], i, (float)((double)p.quant->scale[c] * (double)(q - p.quant->zero[c])));
    }
    return true;
}

/* ---- fake_quant ---- */

bool ir_check_fake_quant(const ir_op *op, diag *d)
{
    const int64_t bits = ir_int(op, IR_ATTR_BITS);
    if (bits < 2 || bits > 16)
        return ir_refuse(op, d, "%lld bits, expected 2 to 16", (long long)bits);
    if (!(ir_float(op, IR_ATTR_MIN) <= 0) || !(ir_float(op, IR_ATTR_MAX) >= 0) ||
        !(ir_float(op, IR_ATTR_MIN) < ir_float(op, IR_ATTR_MAX)))
        return ir_refuse(op, d, "range %g to %g is empty or does not contain 0", (double)ir_float(op, IR_ATTR_MIN),
                         (double)ir_float(op, IR_ATTR_MAX));
    if (!isfinite(ir_float(op, IR_ATTR_MAX) - ir_float(op, IR_ATTR_MIN)))
        return ir_refuse(op, d, "range %g to %g is not finite", (double)ir_float(op, IR_ATTR_MIN),
                         (double)ir_float(op, IR_ATTR_MAX));
    if (ir_int(op, IR_ATTR_TIES) != IR_TIES_UP && !(ir_float(op, IR_ATTR_MAX) > 0))
        return ir_refuse(op, d, "ties counted from 0 need a range above it");
    return ir_check_same_shape(op, d);
}

ir_fake_grid ir_fake_grid_of(const ir_op *op)
{
    const float min = ir_float(op, IR_ATTR_MIN), max = ir_float(op, IR_ATTR_MAX);
    ir_fake_grid g = {.low = ir_int(op, IR_ATTR_NARROW) ? 1.0f : 0.0f,
                      .high = (float)((1 << ir_int(op, IR_ATTR_BITS)) - 1),
                      .top = max};
    g.scale = (max - min) / (g.high - g.low);
    const float from_min = g.low - min / g.scale;
    g.zero = from_min < g.low ? g.low : from_min > g.high ? g.high : roundf(from_min);
    g.inverse = 1.0f / g.scale;
    if (ir_int(op, IR_ATTR_TIES) != IR_TIES_UP && g.zero < g.high) {
        g.scale = max / (g.high - g.zero);
        g.inverse = (g.high - g.zero) * (1.0f / max); /* in this order, which is Paddle's */
    }
    return g;
}

bool ir_ref_fake_quant(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_enum_TIES ties = (ir_enum_TIES)ir_int(op, IR_ATTR_TIES);
    const ir_fake_grid g = ir_fake_grid_of(op);
    const float lowest = g.low - g.zero, highest = g.high - g.zero, nudged_min = lowest * g.scale;
    const int64_t n = ir_type_elements(&op->results[0]->type);
    for (int64_t i = 0; i < n; i++) {
        const float x = ir_f32_at(operands[0], i);
        if (ties == IR_TIES_UP) {
            const float above = ir_clamp_f32(x, nudged_min, highest * g.scale) - nudged_min;
            ir_f32_put(results[0], i, roundf(above * g.inverse) * g.scale + nudged_min);
            continue;
        }
        const float q = ties == IR_TIES_EVEN ? nearbyintf(x * g.inverse) : roundf(x * g.inverse);
        ir_f32_put(results[0], i, ir_clamp_f32(q, lowest, highest) * g.top / highest);
    }
    return true;
}

/* ---- cast ---- */

static double real_at(ir_dtype type, const void *data, int64_t i)
{
    double v;
    switch (type) {
    case IR_F32: return ir_f32_at(data, i);
    case IR_F16: return ir_f16_to_f32((uint16_t)ir_i16_at(data, i));
    case IR_F64: memcpy(&v, (const char *)data + 8 * i, 8); return v;
    default: return (double)ir_int_at(type, data, i);
    }
}

static void put_real(ir_dtype type, void *data, int64_t i, double v)
{
    if (type == IR_F32)
        ir_f32_put(data, i, (float)v);
    else if (type == IR_F16)
        ir_i16_put(data, i, (int16_t)ir_f32_to_f16((float)v));
    else
        memcpy((char *)data + 8 * i, &v, 8);
}

bool ir_ref_cast(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_dtype from = op->operands[0].value->type.dtype, to = op->results[0]->type.dtype;
    const int64_t n = ir_type_elements(&op->results[0]->type);
    for (int64_t i = 0; i < n; i++) {
        if (ir_dtype_is_float(to))
            put_real(to, results[0], i, real_at(from, operands[0], i));
        else if (!ir_dtype_is_float(from))
            ir_int_put(to, results[0], i, ir_int_at(from, operands[0], i));
        else if (to == IR_BOOL)
            ir_int_put(to, results[0], i, real_at(from, operands[0], i) != 0);
        else
            ir_int_put(to, results[0], i, ir_truncated_to(to, real_at(from, operands[0], i)));
    }
    return true;
}
