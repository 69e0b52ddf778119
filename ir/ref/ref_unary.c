/* ref_unary.c: functions of one element, and requantize.
 *
 *     real:       y = f(x)
 *     8 bits:     a table over the 256 bytes, filled by the same function of the centred integer
 *     16 bits:    that function, element by element
 *     integers:   abs, neg, sign, with wrap-around */
#include <float.h>

#include "arith/fixed_point.h"
#include "ir/ref/ref_lut16.h"

typedef struct unary {
    ir_opcode code;
    ir_enum_ROUNDING rounding;
    float alpha;
    bool approximate;
    float act_min, act_max;
    float scale_x, scale_y, inverse_y;
    int32_t zero_x, zero, min, max;
    ir_requant positive, negative; /* ops that are linear on either side of 0 */
    arith_multiplier rsqrt;
    int16_t swish_output, swish_relu; /* hard_swish, fixed: 16-bit multipliers */
    int swish_output_shift, swish_relu_shift;
} unary;

/* ---- Real values ---- */

static float gelu(float x, bool approximate)
{
    if (approximate)
        return 0.5f * x * (1.0f + tanhf(0.797884560802865355f * (x + 0.044715f * x * x * x)));
    return 0.5f * x * erfcf(x * -0.70710678118654752440f);
}

static float logistic(float x)
{
    return x > 16.619047164916992188f ? 1.0f : x < -9.0f ? expf(x) : 1.0f / (1.0f + expf(-x));
}

static float real_unary(const unary *u, float x)
{
    switch (u->code) {
    case IR_ABS: return fabsf(x);
    case IR_NEG: return -x;
    case IR_EXP: return expf(x);
    case IR_LOG: return logf(x);
    case IR_SQRT: return sqrtf(x);
    case IR_RSQRT: return 1.0f / sqrtf(x);
    case IR_SIN: return sinf(x);
    case IR_COS: return cosf(x);
    case IR_TANH: return tanhf(x);
    case IR_LOGISTIC: return logistic(x);
    case IR_RELU: return ir_clamp_f32(x, u->act_min, u->act_max);
    case IR_LEAKY_RELU: return x < 0 ? x * u->alpha : x;
    case IR_ELU: return x < 0 ? expm1f(x) : x;
    case IR_GELU: return gelu(x, u->approximate);
    case IR_ERF: return erff(x);
    case IR_HARD_SWISH: return x * fminf(6.0f, fmaxf(0.0f, x + 3.0f)) / 6.0f;
    case IR_CEIL: return ceilf(x);
    case IR_FLOOR: return floorf(x);
    case IR_ROUND: return rintf(x);
    case IR_SIGN: return x > 0 ? 1.0f : x < 0 ? -1.0f : x != x ? x : 0.0f;
    default: return x;
    }
}

/* ---- Quantized values: from the centred integer to the result's integer ---- */

static int32_t put_even(const unary *u, float y)
{
    return ir_round_even_f32(y * u->inverse_y, u->zero, u->min, u->max);
}

/* As TFLite fills its tables: the zero point is added in float and the sum truncated. */
static int32_t put_table(const unary *u, float y)
{
    const float q = roundf(y * u->inverse_y) + (float)u->zero;
    return q > (float)u->min ? q < (float)u->max ? (int32_t)q : u->max : u->min;
}

static int32_t put_lite(const unary *u, float y)
{
    return ir_round_even_f32(roundf(y / u->scale_y), u->zero, u->min, u->max);
}

static int32_t rsqrt_fixed(const unary *u, int32_t c)
{
    enum { KEEP = 20 }; /* bits that keep 1 / sqrt an integer */
    if (c <= 0)
        return u->max;
    arith_multiplier inverse = arith_fixed_inverse_sqrt(c), rest = u->rsqrt;
    inverse.shift += KEEP;
    rest.shift -= KEEP;
    const int32_t root = ir_mul_fixed(u->rounding, 1, inverse);
    return ir_clamp_i32((int64_t)ir_mul_fixed(u->rounding, root, rest) + u->zero, u->min, u->max);
}

static int16_t product_i16(int32_t a, int32_t b)
{
    if (a == INT16_MIN && b == INT16_MIN)
        return INT16_MAX;
    const int32_t product = a * b, nudge = product >= 0 ? 1 << 14 : 1 - (1 << 14);
    return (int16_t)((product + nudge) / (1 << 15));
}

static int16_t shift_left_i16(int32_t x, int by)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << (by > 31 ? 31 : by));
    return (int16_t)(wide > INT16_MAX ? INT16_MAX : wide < INT16_MIN ? INT16_MIN : wide);
}

/* x / 2^by, ties away from zero.  Past 15 bits the kernel's 16-bit mask is all ones, and what is not negative becomes
 * 1. */
static int32_t shift_right_i16(int32_t x, int by) { return by <= 15 ? arith_fixed_shift_right(x, by) : x < 0 ? -1 : 1; }

/* x * relu6(x + 3) / 6 with x and (x + 3) / 6 as 16-bit fractions. */
static int32_t hard_swish_fixed(const unary *u, int32_t c)
{
    const int32_t x = (int16_t)(c * 128); /* 8-bit operands fit */
    const int16_t on_result_scale = product_i16(x, u->swish_output);
    int32_t gate = x;
    if (u->swish_relu_shift > 0)
        gate = shift_left_i16(gate, u->swish_relu_shift - 1);
    gate = product_i16(gate, u->swish_relu);
    if (u->swish_relu_shift > 0)
        gate = shift_left_i16(gate, 1);
    else
        gate = shift_right_i16(gate, -u->swish_relu_shift);
    gate = (gate + (1 << 15)) >> 1;
    const int32_t y = gate * on_result_scale / (1 << 15);
    const int32_t scaled = u->swish_output_shift > 0 ? shift_left_i16(y, u->swish_output_shift)
                                                     : shift_right_i16(y, -u->swish_output_shift);
    return ir_clamp_i32((int64_t)scaled + u->zero, u->min, u->max);
}

static int32_t table_or_even(const unary *u, float y)
{
    return u->rounding == IR_ROUNDING_EVEN_F32 ? put_even(u, y) : put_table(u, y);
}

static int32_t requantize_away(const unary *u, int32_t c)
{
    const float scale = u->scale_x * u->inverse_y, y = (float)(c + u->zero_x) * scale + (float)-u->zero_x * scale;
    return ir_round_even_f32(roundf(y), u->zero, u->min, u->max);
}

static int32_t quantized_unary(const unary *u, int32_t c)
{
    if (u->rounding == IR_ROUNDING_LITE_F32)
        return put_lite(u, real_unary(u, u->scale_x * (float)c));
    const bool even = u->rounding == IR_ROUNDING_EVEN_F32;
    const float x = u->scale_x * (float)c;
    switch (u->code) {
    case IR_REQUANTIZE:
        return u->rounding == IR_ROUNDING_AWAY_F32 ? requantize_away(u, c) : ir_requant_apply(&u->positive, c);
    case IR_RELU: return ir_requant_apply(&u->positive, c);
    case IR_ABS: return ir_requant_apply(&u->positive, c < 0 ? -c : c);
    case IR_NEG: return ir_requant_apply(&u->positive, -c);
    case IR_LEAKY_RELU:
        if (c >= 0)
            return ir_requant_apply(&u->positive, c);
        if (!even && u->alpha < 0) /* fixed multiplication is not odd: the negation comes last */
            return ir_clamp_i32((int64_t)u->zero - ir_mul_fixed(u->rounding, c, u->negative.multiplier), u->min,
                                u->max);
        return ir_requant_apply(&u->negative, c);
    case IR_LOG: return x <= 0 ? u->min : table_or_even(u, logf(x));
    case IR_SQRT:
        if (even || x <= 0)
            return put_even(u, x > 0 ? sqrtf(x) : 0);
        return ir_clamp_i32(ir_truncated((double)(sqrtf(x) / u->scale_y), 0, 65536) + u->zero, u->min, u->max);
    case IR_RSQRT: return !even ? rsqrt_fixed(u, c) : x <= 0 ? u->max : put_even(u, 1.0f / sqrtf(x));
    case IR_HARD_SWISH: return even || u->max > UINT8_MAX ? put_even(u, real_unary(u, x)) : hard_swish_fixed(u, c);
    case IR_LOGISTIC: return table_or_even(u, 1.0f / (1.0f + expf(-x)));
    default: return table_or_even(u, real_unary(u, x));
    }
}

/* ---- Parameters ---- */

static int16_t upper_half(int32_t mantissa)
{
    return (int16_t)(mantissa >= INT32_MAX - (1 << 15) ? INT16_MAX : (mantissa + (1 << 15)) >> 16);
}

static void init_hard_swish(unary *u)
{
    const float fine = u->scale_x * (1.0f / 128.0f); /* 7 more bits below the operand's units */
    const arith_multiplier output = arith_multiplier_of(fine / u->scale_y),
                           relu = arith_multiplier_of(fine / (3.0f / 32768.0f));
    u->swish_output = upper_half(output.mantissa);
    u->swish_output_shift = output.shift;
    u->swish_relu = upper_half(relu.mantissa);
    u->swish_relu_shift = relu.shift;
}

static void init_linear(unary *u)
{
    const bool even = u->rounding == IR_ROUNDING_EVEN_F32;
    double positive = even || u->code == IR_REQUANTIZE ? (double)u->scale_x / u->scale_y : u->scale_x / u->scale_y;
    double negative = even ? (double)u->scale_x * u->alpha / u->scale_y : u->scale_x * u->alpha / u->scale_y;
    if (!even)
        negative = fabs(negative);
    u->positive = ir_requant_make(u->rounding, positive, u->zero, u->min, u->max);
    u->negative = ir_requant_make(u->rounding, negative, u->zero, u->min, u->max);
}

static unary unary_of(const ir_op *op)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    unary u = {.code = op->code, .scale_x = ir_scale_of(x), .scale_y = ir_scale_of(y), .zero = ir_zero_of(y)};
    u.zero_x = ir_zero_of(x);
    if (ir_has_attr(op, IR_ATTR_ROUNDING))
        u.rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    if (op->code == IR_LEAKY_RELU)
        u.alpha = ir_float(op, IR_ATTR_ALPHA);
    if (op->code == IR_GELU)
        u.approximate = ir_int(op, IR_ATTR_APPROXIMATE) != 0;
    const ir_enum_ACT act = op->code == IR_RELU ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE;
    ir_act_bounds_f32(act, &u.act_min, &u.act_max);
    if (!y->quant)
        return u;
    u.inverse_y = 1.0f / u.scale_y;
    ir_result_bounds(y, act, &u.min, &u.max);
    ir_rounding_bounds(u.rounding, y->type.dtype, &u.min, &u.max);
    init_linear(&u);
    if (u.rounding != IR_ROUNDING_EVEN_F32) {
        init_hard_swish(&u);
        u.rsqrt = arith_multiplier_of(1.0 / (sqrtf(u.scale_x) * u.scale_y));
    }
    return u;
}

/* ---- Elements ---- */

bool ir_check_unary(const ir_op *op, diag *d)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    const ir_dtype t = x->type.dtype;
    if (!ir_check_same_shape(op, d))
        return false;
    const bool plain = op->code == IR_ABS || op->code == IR_NEG || op->code == IR_SIGN;
    if (ir_dtype_is_float(t) || t == IR_BOOL || (plain && !x->quant && !y->quant))
        return true;
    return ir_check_quantized(op, x, "operand", d) && ir_check_quantized(op, y, "result", d);
}

static void plain_integers(const ir_op *op, const void *from, void *to, int64_t n)
{
    const ir_dtype t = op->operands[0].value->type.dtype;
    for (int64_t i = 0; i < n; i++) {
        const int64_t x = ir_int_at(t, from, i);
        const int64_t negated = (int64_t)(0 - (uint64_t)x);
        ir_int_put(t, to, i, op->code == IR_SIGN ? (x > 0) - (x < 0) : op->code == IR_NEG || x < 0 ? negated : x);
    }
}

static void quantized_8bit(const unary *u, const ir_op *op, const uint8_t *from, void *to, int64_t n)
{
    const ir_value *x = op->operands[0].value;
    const ir_dtype result = op->results[0]->type.dtype;
    int32_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = quantized_unary(u, (x->type.dtype == IR_I8 ? (int8_t)(uint8_t)i : i) - ir_zero_of(x));
    for (int64_t i = 0; i < n; i++)
        ir_int_put(result, to, i, table[from[i]]);
}

/* 16 bits, fixed roundings: interpolated tables. */
static float node_value(float x, const void *context)
{
    const unary *u = context;
    if (u->code == IR_LOG && x <= 0)
        return (float)(u->min - u->zero) * u->scale_y;
    if (u->code == IR_RSQRT && x <= 0)
        return (float)u->max * u->scale_y;
    return real_unary(u, x);
}

static bool interpolated(ir_opcode code)
{
    return code == IR_EXP || code == IR_LOG || code == IR_RSQRT || code == IR_GELU || code == IR_LOGISTIC ||
           code == IR_TANH;
}

static void quantized_16bit(const unary *u, const ir_op *op, const void *from, void *to, int64_t n)
{
    const ir_value *x = op->operands[0].value;
    if (u->code == IR_LOGISTIC || u->code == IR_TANH) {
        ir_sigmoid16 sigmoid;
        ir_sigmoid16_init(&sigmoid, u->code == IR_TANH, u->scale_x);
        for (int64_t i = 0; i < n; i++)
            ir_i16_put(to, i, ir_sigmoid16_at(&sigmoid, ir_i16_at(from, i)));
    } else {
        ir_lut16 table;
        ir_lut16_fill(&table, ir_point_of(x), ir_point_of(op->results[0]), node_value, u);
        for (int64_t i = 0; i < n; i++)
            ir_i16_put(to, i, ir_lut16_at(&table, ir_i16_at(from, i)));
    }
}

bool ir_ref_unary(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    const unary u = unary_of(op);
    const int64_t n = ir_type_elements(&y->type);
    if (x->type.dtype == IR_F32)
        for (int64_t i = 0; i < n; i++)
            ir_f32_put(results[0], i, real_unary(&u, ir_f32_at(operands[0], i)));
    else if (!y->quant)
        plain_integers(op, operands[0], results[0], n);
    else if (x->type.dtype == IR_I8 || x->type.dtype == IR_U8)
        quantized_8bit(&u, op, operands[0], results[0], n);
    else if (x->type.dtype == IR_I16 && u.rounding != IR_ROUNDING_EVEN_F32 && interpolated(op->code))
        quantized_16bit(&u, op, operands[0], results[0], n);
    else
        for (int64_t i = 0; i < n; i++) {
            const int64_t c = ir_int_at(x->type.dtype, operands[0], i) - ir_zero_of(x);
            ir_int_put(y->type.dtype, results[0], i, quantized_unary(&u, ir_clamp_i32(c, INT32_MIN + 1, INT32_MAX)));
        }
    return true;
}

bool ir_ref_table(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const uint8_t in = op->operands[0].value->type.dtype == IR_I8 ? 0x80 : 0,
                  out = op->results[0]->type.dtype == IR_I8 ? 0x80 : 0;
    for (int64_t i = 0; i < ir_type_elements(&op->results[0]->type); i++) {
        const uint8_t x = ((const uint8_t *)operands[0])[i] ^ in;
        ((uint8_t *)results[0])[i] = (uint8_t)ir_ints_at(op, IR_ATTR_ENTRIES, x) ^ out;
    }
    return true;
}

bool ir_ref_logical_not(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    for (int64_t i = 0; i < ir_type_elements(&op->results[0]->type); i++)
        ((uint8_t *)results[0])[i] = !((const uint8_t *)operands[0])[i];
    return true;
}
