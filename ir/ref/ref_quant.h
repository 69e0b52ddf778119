/* ref_quant.h: the arithmetic of quantized ops, one struct a formula, for each ROUNDING; derived in
 * docs/quantization.md.
 *
 * Everything here works on centred integers (q - zero), so that values and zero points may be moved together by 128
 * without changing any result. */
#ifndef QCC_IR_REF_QUANT_H
#define QCC_IR_REF_QUANT_H

#include "ir/ref/ref.h"

/* ---- An integer times a real number, plus a zero point, clamped ---- */

typedef struct ir_requant {
    ir_enum_ROUNDING rounding;
    float scale;                 /* EVEN_F32, LITE_F32 … */
    float bias;                  /* … a real bias in units of the result */
    float gate;                  /* … EVEN_F32: the gate's slope on numbers in these units; 0: none */
    arith_multiplier multiplier; /* the fixed roundings */
    int32_t zero, min, max;
} ir_requant;

static inline ir_requant ir_requant_make(ir_enum_ROUNDING rounding, double real, int32_t zero, int32_t min, int32_t max)
{
    ir_requant r = {rounding, (float)real, 0, 0, {0, 0}, zero, min, max};
    if (!ir_rounding_is_real(rounding))
        r.multiplier = arith_multiplier_of(real);
    return r;
}

static inline int32_t ir_mul_fixed(ir_enum_ROUNDING rounding, int32_t x, arith_multiplier m)
{
    return rounding == IR_ROUNDING_FIXED_ONCE ? arith_mul_fixed_once(x, m) : arith_mul_fixed_twice(x, m);
}

/* EVEN_F32, LITE_F32: in units of the result, before it is rounded. */
static inline float ir_requant_real(const ir_requant *r, int32_t x)
{
    const float y = r->bias != 0 ? fmaf((float)x, r->scale, r->bias) : (float)x * r->scale;
    return r->gate != 0 ? y * fminf(fmaxf(fmaf(y, r->gate, 0.5f), 0), 1) : y;
}

static inline int32_t ir_requant_apply(const ir_requant *r, int32_t x)
{
    if (!ir_rounding_is_real(r->rounding))
        return ir_clamp_i32((int64_t)ir_mul_fixed(r->rounding, x, r->multiplier) + r->zero, r->min, r->max);
    const float y = ir_requant_real(r, x);
    return ir_round_even_f32(r->rounding == IR_ROUNDING_LITE_F32 ? roundf(y) : y, r->zero, r->min, r->max);
}

/* The same for a 64-bit sum; fixed_twice uses the multiplier's upper 16 bits, as TFLite's 64-bit form does. */
static inline int32_t ir_requant_apply_i64(const ir_requant *r, int64_t x)
{
    if (r->rounding == IR_ROUNDING_EVEN_F32)
        return ir_round_even_f32((float)x * r->scale, r->zero, r->min, r->max);
    const int32_t scaled = r->rounding == IR_ROUNDING_FIXED_ONCE ? arith_mul_fixed_once_i64(x, r->multiplier)
                                                                 : arith_mul_fixed_i64(x, r->multiplier);
    return ir_clamp_i32((int64_t)scaled + r->zero, r->min, r->max);
}

/* ---- a ± b of two quantized values ---- */

typedef struct ir_add_quant {
    ir_enum_ROUNDING rounding;
    int32_t zero1, zero2, zero, min, max;
    float scale1, scale2; /* EVEN_F32: s1/sy, ±s2/sy */
    int left_shift; /* the fixed roundings: both operands on a common scale, 2^left_shift finer than twice the larger */
    bool subtract;
    arith_multiplier multiplier1, multiplier2, multiplier;
} ir_add_quant;

typedef struct ir_quant_point {
    float scale;
    int32_t zero;
    ir_unused unused;
} ir_quant_point;

static inline ir_quant_point ir_point_of(const ir_value *v)
{
    return (ir_quant_point){ir_scale_of(v), ir_zero_of(v), v->quant ? v->quant->unused : (ir_unused){0, 0}};
}

static inline bool ir_same_point(ir_quant_point a, ir_quant_point b)
{
    return a.scale == b.scale && a.zero == b.zero && ir_unused_equal(a.unused, b.unused);
}

/* Do minimum and maximum compare integers as they are stored?  The fixed roundings do, whatever the scales are. */
static inline bool ir_compares_stored(ir_enum_ROUNDING rounding, ir_quant_point a, ir_quant_point b, ir_quant_point y)
{
    const bool fits =
        !ir_unused_any(y.unused) || (ir_unused_equal(a.unused, y.unused) && ir_unused_equal(b.unused, y.unused));
    return (fits && !ir_rounding_is_real(rounding)) || (ir_same_point(a, b) && ir_same_point(a, y));
}

/* `type` is that of operands and result; min and max come from the activation. */
ir_add_quant ir_add_quant_make(ir_enum_ROUNDING, ir_dtype type, bool subtract, ir_quant_point a, ir_quant_point b,
                               ir_quant_point y, int32_t min, int32_t max);

/* The sum that an add or sub of two quantized values is. */
ir_add_quant ir_add_quant_of(const ir_op *, int32_t min, int32_t max);

static inline int32_t ir_add_quant_apply(const ir_add_quant *p, int32_t a, int32_t b)
{
    a -= p->zero1;
    b -= p->zero2;
    if (p->rounding == IR_ROUNDING_EVEN_F32)
        return ir_round_even_f32(fmaf((float)a, p->scale1, (float)b * p->scale2), p->zero, p->min, p->max);
    const int32_t a_common = ir_mul_fixed(p->rounding, (int32_t)((uint32_t)a << p->left_shift), p->multiplier1);
    const int32_t b_common = ir_mul_fixed(p->rounding, (int32_t)((uint32_t)b << p->left_shift), p->multiplier2);
    const uint32_t sum =
        p->subtract ? (uint32_t)a_common - (uint32_t)b_common : (uint32_t)a_common + (uint32_t)b_common;
    return ir_clamp_i32((int64_t)ir_mul_fixed(p->rounding, (int32_t)sum, p->multiplier) + p->zero, p->min, p->max);
}

/* ---- Activations of real values ---- */

static inline float ir_clamp_f32(float x, float min, float max) /* NaN passes */
{
    x = x < min ? min : x;
    return max < x ? max : x;
}

/* ---- Real values to integers, as the op quantize has them ---- */

typedef struct ir_grid {
    bool even; /* ties; else away from zero */
    float scale;
    int32_t zero, min, max;
} ir_grid;

/* Of result 0, on the grid of its first channel. */
ir_grid ir_grid_of(const ir_op *);

static inline int32_t ir_grid_apply(const ir_grid *g, float x)
{
    const float y = x / g->scale;
    return ir_round_even_f32(g->even ? y : roundf(y), g->zero, g->min, g->max);
}

/* ---- Quantization at run time (ref_dynamic.c) ---- */

typedef struct ir_dynamic {
    ir_enum_METHOD method;
    float scale;
    float factor; /* affine_even: divisor of values; otherwise what they are multiplied with */
    int32_t zero; /* of the unsigned integer */
} ir_dynamic;

/* Parameters for `count` floats, from element `first`. */
ir_dynamic ir_dynamic_of(ir_enum_METHOD, const void *x, int64_t first, int64_t count);
uint8_t ir_dynamic_apply(const ir_dynamic *, float x);

/* ---- The end of a multiply-accumulate op: accumulator -> result ---- */

typedef struct ir_mac_end {
    int64_t channels;      /* result's last dimension: accumulators come in runs along it */
    ir_dtype type;         /* of the result */
    bool real;             /* accumulators are floats */
    int32_t *bias;         /* of channels integers, or NULL */
    int64_t *bias64;       /* for 64-bit accumulators, or NULL */
    float *bias_f32;       /* of real accumulators; of integer ones: added to the real sum */
    ir_requant *requant;   /* a channel each; integer results */
    float *to_real;        /* a channel each: integer accumulator, f32 result; with row_scale the weights' part of it */
    const void *row_scale; /* floats, operand quantized at run time; or NULL */
    int64_t rows_per_scale;
    ir_grid grid;   /* integer results of real accumulators */
    float min, max; /* activation, real sums */
    float add_min, add_max;
    const void *residual; /* same shape as the result, or NULL */
    bool residual_first;
    bool adds_real;      /* the residual to the product, which is not rounded by itself: in units of the result */
    float residual_unit; /* … and one of its integers in them */
    ir_add_quant add;
    void *result;
} ir_mac_end;

bool ir_mac_check(const ir_op *, int64_t channels, int weight_axis, diag *); /* quantization of x, w, b, r, result */
bool ir_mac_end_init(ir_mac_end *, const ir_op *, const void *const operands[], void *result, diag *);
/* Operand 0 of an integer op, less its zero point, static or not; malloc'd, NULL: out of memory. */
int16_t *ir_mac_centred_operand(const ir_op *, const void *const operands[]);
void ir_mac_end_free(ir_mac_end *);
/* Accumulators of channels first…first+count-1 of result row `row` (elements row * channels + first …). */
void ir_mac_end_i32(const ir_mac_end *, int64_t row, int64_t first, int64_t count, const int32_t acc[]);
void ir_mac_end_i64(const ir_mac_end *, int64_t row, int64_t first, int64_t count, const int64_t acc[]);
void ir_mac_end_f32(const ir_mac_end *, int64_t row, int64_t first, int64_t count, const float acc[]);

#endif
