/* ref_binary.c: arithmetic of two elements, with broadcasting.
 *
 *     real:      f(a, b), clamped by act; sums and products may then be quantized
 *     quantized: f(a - z1, b - z2), by the op's formula and rounding, + zero, clamped by act
 *     integers:  f(a, b), wrapping, clamped by act */
#include "arith/fixed_point.h"
#include "ir/ref/ref_quant.h"

/* ---- Real values ---- */

static float floor_mod_f32(float a, float b)
{
    const float m = fmodf(a, b);
    return m != 0 && (b < 0) != (m < 0) ? m + b : m;
}

/* Integers, where there is a grid for them. */
static void put_real(void *out, int64_t i, float v, const ir_value *y, const ir_grid *grid)
{
    if (grid)
        ir_int_put(y->type.dtype, out, i, ir_grid_apply(grid, v));
    else
        ir_f32_put(out, i, v);
}

#define EACH(expression)                                                                                               \
    for (int64_t i = 0; i < r->length; i++) {                                                                          \
        const float a = ir_f32_at(x, r->first[0] + i * r->step[0]);                                                    \
        const float b = ir_f32_at(y, r->first[1] + i * r->step[1]);                                                    \
        put_real(out, r->out_first + i, ir_clamp_f32((expression), min, max), op->results[0], grid);                   \
    }                                                                                                                  \
    break

static void real_run(const ir_op *op, const ir_grid *grid, const ir_rows *r, const void *x, const void *y, void *out,
                     float min, float max)
{
    switch (op->code) {
    case IR_ADD: EACH(a + b);
    case IR_SUB: EACH(a - b);
    case IR_MUL: EACH(a * b);
    case IR_DIV: EACH(a / b);
    case IR_MINIMUM: EACH(a < b || isnan(a) ? a : b);
    case IR_MAXIMUM: EACH(a > b || isnan(a) ? a : b);
    case IR_POW: EACH(powf(a, b));
    case IR_SQUARED_DIFFERENCE: EACH((a - b) * (a - b));
    case IR_FLOOR_DIV: EACH((float)floor((double)a / (double)b));
    case IR_FLOOR_MOD: EACH(floor_mod_f32(a, b));
    case IR_ATAN2: EACH(atan2f(a, b));
    case IR_PRELU: EACH(a < 0 ? a * b : a);
    default: break;
    }
}

/* ---- Plain integers ---- */

static int64_t wrapping_power(int64_t base, int64_t exponent)
{
    uint64_t result = 1, factor = (uint64_t)base;
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
    for (; exponent; exponent >>= 1, factor *= factor)
        if (exponent & 1)
            result *= factor;
    return (int64_t)result;
}

static int64_t divide(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b; }

static int64_t remainder_of(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }

/* Of numbers of any type, as 64 bits; b past a type's width is past these, or leaves what wraps to nothing. */
static int64_t shifted_left(int64_t a, int64_t b) { return b >= 0 && b < 64 ? (int64_t)((uint64_t)a << b) : 0; }

static int64_t shifted_right(int64_t a, int64_t b)
{
    const int64_t places = b >= 0 && b < 63 ? b : 63;
    return a < 0 ? ~(~a >> places) : a >> places;
}

static int64_t plain(ir_opcode code, int64_t a, int64_t b)
{
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (code) {
    case IR_ADD: return (int64_t)(ua + ub);
    case IR_SUB: return (int64_t)(ua - ub);
    case IR_MUL: return (int64_t)(ua * ub);
    case IR_DIV: return divide(a, b);
    case IR_MINIMUM: return a < b ? a : b;
    case IR_MAXIMUM: return a > b ? a : b;
    case IR_POW: return wrapping_power(a, b);
    case IR_SQUARED_DIFFERENCE: return (int64_t)((ua - ub) * (ua - ub));
    case IR_FLOOR_DIV: return divide(a, b) - (remainder_of(a, b) != 0 && (a < 0) != (b < 0));
    case IR_FLOOR_MOD: return remainder_of(a, b) + (remainder_of(a, b) != 0 && (a < 0) != (b < 0) ? b : 0);
    case IR_BITWISE_AND: return a & b;
    case IR_BITWISE_OR: return a | b;
    case IR_BITWISE_XOR: return a ^ b;
    case IR_SHIFT_LEFT: return shifted_left(a, b);
    case IR_SHIFT_RIGHT: return shifted_right(a, b);
    default: return 0;
    }
}

/* What the type's wrap-around leaves of x. */
static int64_t wrapped(ir_dtype type, int64_t x)
{
    int64_t out = 0;
    ir_int_put(type, &out, 0, x);
    return ir_int_at(type, &out, 0);
}

static void plain_run(ir_opcode code, ir_dtype type, const ir_rows *r, const void *x, const void *y, void *out,
                      int64_t min, int64_t max)
{
    for (int64_t i = 0; i < r->length; i++) {
        const int64_t a = ir_int_at(type, x, r->first[0] + i * r->step[0]);
        const int64_t b = ir_int_at(type, y, r->first[1] + i * r->step[1]);
        const int64_t v = wrapped(type, plain(code, a, b));
        ir_int_put(type, out, r->out_first + i, v < min ? min : v > max ? max : v);
    }
}

/* ---- Quantized values ---- */

typedef struct quantized {
    ir_opcode code;
    ir_enum_ROUNDING rounding;
    bool stored; /* minimum, maximum: of the integers as they are stored */
    int32_t zero1, zero2, zero, min, max;
    float scale1, scale2, inverse_y;
    ir_add_quant add;
    ir_requant product;       /* mul, prelu's negative side, div (even), squared_difference (fixed) */
    ir_requant first, second; /* either operand alone to the result: prelu's positive side, minimum, maximum */
    arith_multiplier ratio, common1, common2;
} quantized;

static ir_enum_ACT act_of(const ir_op *op)
{
    return ir_has_attr(op, IR_ATTR_ACT) ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE;
}

static quantized quantized_of(const ir_op *op)
{
    const ir_value *yv = op->results[0];
    const ir_quant_point a = ir_point_of(op->operands[0].value), b = ir_point_of(op->operands[1].value),
                         y = ir_point_of(yv);
    quantized q = {.code = op->code,
                   .zero1 = a.zero,
                   .zero2 = b.zero,
                   .zero = y.zero,
                   .scale1 = a.scale,
                   .scale2 = b.scale,
                   .inverse_y = 1.0f / y.scale};
    if (ir_has_attr(op, IR_ATTR_ROUNDING))
        q.rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    const bool even = q.rounding == IR_ROUNDING_EVEN_F32;
    q.stored = ir_compares_stored(q.rounding, a, b, y);
    ir_result_bounds(yv, act_of(op), &q.min, &q.max);
    if (op->code == IR_ADD || op->code == IR_SUB)
        q.add = ir_add_quant_of(op, q.min, q.max);
    q.product =
        ir_requant_make(q.rounding, ir_product_ratio(op, even, a.scale, b.scale, y.scale), y.zero, q.min, q.max);
    q.first = ir_requant_make(q.rounding, even ? (double)a.scale / y.scale : a.scale / y.scale, y.zero, q.min, q.max);
    q.second = ir_requant_make(q.rounding, even ? (double)b.scale / y.scale : b.scale / y.scale, y.zero, q.min, q.max);
    const double twice_larger = 2.0 * (a.scale > b.scale ? a.scale : b.scale);
    q.common1 = arith_multiplier_of(a.scale / twice_larger);
    q.common2 = arith_multiplier_of(b.scale / twice_larger);
    return q;
}

static int32_t squared_difference(const quantized *q, int32_t a, int32_t b)
{
    if (q->rounding == IR_ROUNDING_EVEN_F32) {
        const float difference = fmaf((float)a, q->scale1, -((float)b * q->scale2));
        return ir_round_even_f32(difference * difference * q->inverse_y, q->zero, q->min, q->max);
    }
    const int32_t difference = (int32_t)((uint32_t)ir_mul_fixed(q->rounding, (int32_t)((uint32_t)a << 7), q->common1) -
                                         (uint32_t)ir_mul_fixed(q->rounding, (int32_t)((uint32_t)b << 7), q->common2));
    return ir_requant_apply(&q->product, (int32_t)((uint32_t)difference * (uint32_t)difference));
}

static int32_t quotient(const quantized *q, int32_t a, int32_t b)
{
    if (b == 0)
        return ir_clamp_i32(q->zero, q->min, q->max);
    if (q->rounding == IR_ROUNDING_EVEN_F32)
        return ir_round_even_f32((float)a / (float)b * q->product.scale, q->zero, q->min, q->max);
    if (b < 0) {
        a = -a;
        b = -b;
    }
    int exponent;
    const int32_t inverse = arith_fixed_reciprocal(b, 31, &exponent);
    const int headroom = (a == 0 || a == -1 ? 32 : __builtin_clz((uint32_t)(a < 0 ? ~a : a))) - 1;
    const int32_t scaled = arith_fixed_product((int32_t)((uint32_t)a << headroom), inverse);
    const arith_multiplier rest = {q->product.multiplier.mantissa, q->product.multiplier.shift - exponent - headroom};
    return ir_clamp_i32((int64_t)ir_mul_fixed(q->rounding, scaled, rest) + q->zero, q->min, q->max);
}

static int32_t smaller_or_larger(const quantized *q, int32_t a, int32_t b)
{
    if (q->stored)
        a = ir_clamp_i32((int64_t)a + q->zero1, q->min, q->max),
        b = ir_clamp_i32((int64_t)b + q->zero2, q->min, q->max);
    else
        a = ir_requant_apply(&q->first, a), b = ir_requant_apply(&q->second, b);
    return (a < b) == (q->code == IR_MINIMUM) ? a : b;
}

static int32_t apply(const quantized *q, int32_t a, int32_t b)
{
    if (q->code == IR_ADD || q->code == IR_SUB)
        return ir_add_quant_apply(&q->add, a, b);
    a -= q->zero1;
    b -= q->zero2;
    switch (q->code) {
    case IR_MUL: return ir_requant_apply(&q->product, (int32_t)((uint32_t)a * (uint32_t)b));
    case IR_DIV: return quotient(q, a, b);
    case IR_SQUARED_DIFFERENCE: return squared_difference(q, a, b);
    case IR_PRELU:
        return a >= 0 ? ir_requant_apply(&q->first, a)
                      : ir_requant_apply(&q->product, (int32_t)((uint32_t)a * (uint32_t)b));
    default: return smaller_or_larger(q, a, b);
    }
}

static void quantized_run(const quantized *q, const ir_op *op, const ir_rows *r, const void *x, const void *y,
                          void *out)
{
    enum { CHUNK = 256 };
    const ir_dtype tx = op->operands[0].value->type.dtype, ty = op->operands[1].value->type.dtype;
    const ir_dtype result = op->results[0]->type.dtype;
    int32_t a[CHUNK], b[CHUNK];
    for (int64_t done = 0; done < r->length; done += CHUNK) {
        const int64_t n = r->length - done < CHUNK ? r->length - done : CHUNK;
        ir_ints_load_i32(tx, x, r->first[0] + done * r->step[0], r->step[0] ? n : 1, 0, a);
        ir_ints_load_i32(ty, y, r->first[1] + done * r->step[1], r->step[1] ? n : 1, 0, b);
        for (int64_t i = 0; i < n; i++)
            ir_int_put(result, out, r->out_first + done + i, apply(q, a[r->step[0] ? i : 0], b[r->step[1] ? i : 0]));
    }
}

/* ---- All of them ---- */

bool ir_check_binary(const ir_op *op, diag *d)
{
    const ir_value *a = op->operands[0].value, *b = op->operands[1].value, *y = op->results[0];
    const ir_dtype t = a->type.dtype;
    if (!ir_check_broadcast_shapes(op, 2, d))
        return false;
    if (t == IR_F32 && y->type.dtype != IR_F32)
        return ir_check_quantized(op, y, "result", d);
    if (t != IR_I8 && t != IR_U8 && t != IR_I16)
        return true;
    if (!a->quant && !b->quant && !y->quant)
        return op->code != IR_PRELU || ir_refuse(op, d, "integers without quantization");
    if (ir_op_info_of(op->code)->flags & IR_UNSCALED)
        return ir_refuse(op, d, "not supported for quantized values");
    return ir_check_quantized(op, a, "first operand", d) && ir_check_quantized(op, b, "second operand", d) &&
           ir_check_quantized(op, y, "result", d);
}

static void plain_bounds(ir_enum_ACT act, int64_t *min, int64_t *max)
{
    float low, high;
    ir_act_bounds_f32(act, &low, &high);
    *min = ir_truncated((double)low, INT64_MIN, INT64_MAX);
    *max = ir_truncated((double)high, INT64_MIN, INT64_MAX);
}

bool ir_ref_binary(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_dtype t = op->operands[0].value->type.dtype;
    const bool has_quant = op->results[0]->quant && (t == IR_I8 || t == IR_U8 || t == IR_I16);
    const bool to_grid = t == IR_F32 && op->results[0]->quant;
    const quantized q = has_quant ? quantized_of(op) : (quantized){0};
    const ir_grid grid = to_grid ? ir_grid_of(op) : (ir_grid){0};
    float low, high;
    int64_t min, max;
    ir_act_bounds_f32(act_of(op), &low, &high);
    plain_bounds(act_of(op), &min, &max);
    for (ir_rows r = ir_rows_of(op, 2); !r.done; ir_rows_next(&r)) {
        if (t == IR_F32)
            real_run(op, to_grid ? &grid : NULL, &r, operands[0], operands[1], results[0], low, high);
        else if (has_quant)
            quantized_run(&q, op, &r, operands[0], operands[1], results[0]);
        else
            plain_run(op->code, t, &r, operands[0], operands[1], results[0], min, max);
    }
    return true;
}
