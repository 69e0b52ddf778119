/* requant.c: int32 accumulators -> 8- or 16-bit results.
 *
 *     even_f32     float(acc) * scale[c] + bias[c], by the gate where there is one, clamped to min - zero … max - zero,
 *                  rounded to even, + zero
 *     lite_f32     the same, rounded half away from zero
 *     fixed_twice  (acc << left) * mantissa / 2^31 rounded half up, / 2^right rounded half away from zero, clamped, +
 * zero fixed_once   acc * mantissa / 2^(31 - shift) rounded half up, clamped, + zero
 *
 * The clamp stands before the addition of the zero point everywhere: equal results, and nothing can overflow. */
#include <math.h>
#include <string.h>

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/requant.h"
#include "ir/ref/interp.h"

/* Kernels read parameters in whole vectors of up to 64 channels. */
static size_t padded_channels(int channels) { return ((size_t)channels + 63) / 64 * 64; }

cg_requant cg_requant_make_for(cg_module *m, ir_enum_ROUNDING rounding, int channels, const double multipliers[],
                               ir_dtype dtype, float scale, int32_t zero, ir_unused unused, ir_enum_ACT act)
{
    cg_requant q = {.rounding = rounding,
                    .channels = channels,
                    .zero = zero,
                    .dtype = dtype,
                    .per_tensor = true,
                    .below_one = ir_rounding_is_real(rounding)};
    ir_act_bounds(act, dtype, scale, zero, unused, &q.min, &q.max);
    ir_rounding_bounds(rounding, dtype, &q.min, &q.max);
    for (int c = 1; c < channels; c++)
        q.per_tensor &= multipliers[c] == multipliers[0];
    const size_t padded = padded_channels(channels);
    q.size = padded * (ir_rounding_is_real(rounding) ? 4 : 8);
    unsigned char *bytes = arena_alloc(m->arena, q.size);
    for (size_t c = 0; c < padded; c++) {
        const double real = (int)c < channels ? multipliers[c] : q.per_tensor && channels > 0 ? multipliers[0] : 0.0;
        if (ir_rounding_is_real(rounding)) {
            const float f = (float)real;
            memcpy(bytes + 4 * c, &f, 4);
            q.below_one &= f < 1.0f && f > -1.0f;
        } else {
            const arith_multiplier fixed = arith_multiplier_of(real);
            const int32_t shift = fixed.shift;
            memcpy(bytes + 4 * c, &fixed.mantissa, 4);
            memcpy(bytes + 4 * (padded + c), &shift, 4);
        }
    }
    q.bytes = bytes;
    return q;
}

cg_requant cg_requant_make(cg_module *m, ir_enum_ROUNDING rounding, int channels, const double multipliers[],
                           const ir_value *result, ir_enum_ACT act)
{
    const float scale = result->quant ? result->quant->scale[0] : 1.0f;
    const int32_t zero = result->quant ? result->quant->zero[0] : 0;
    const ir_unused unused = result->quant ? result->quant->unused : (ir_unused){0, 0};
    return cg_requant_make_for(m, rounding, channels, multipliers, result->type.dtype, scale, zero, unused, act);
}

void cg_requant_add_bias(cg_module *m, cg_requant *q, const float bias[])
{
    const size_t padded = padded_channels(q->channels);
    for (int c = 0; c < q->channels; c++)
        q->has_bias |= bias[c] != 0;
    if (!q->has_bias)
        return;
    unsigned char *bytes = arena_alloc(m->arena, 8 * padded);
    memcpy(bytes, q->bytes, 4 * padded);
    memcpy(bytes + 4 * padded, bias, 4 * (size_t)q->channels);
    if (q->per_tensor) /* the scale is read as one number, the biases never are */
        for (size_t c = 1; c < padded; c++)
            memcpy(bytes + 4 * c, bytes, 4);
    for (int c = 0; c < q->channels; c++) {
        float scale;
        memcpy(&scale, bytes + 4 * c, 4);
        q->below_one &= fabsf(scale) < 0.5f && fabsf(bias[c]) < 0x1p30f;
    }
    q->bytes = bytes;
    q->size = 8 * padded;
}

void cg_requant_add_gate(cg_module *m, cg_requant *q, const float bias[], const float gate[])
{
    const size_t padded = padded_channels(q->channels);
    cg_requant_add_bias(m, q, bias);
    if (q->channels == 0 || gate[0] == 0)
        return;
    unsigned char *bytes =
        arena_alloc(m->arena, 12 * padded); /* zeros: no bias, and no gate of channels there are not */
    memcpy(bytes, q->bytes, q->size);
    memcpy(bytes + 8 * padded, gate, 4 * (size_t)q->channels);
    if (q->per_tensor)
        for (size_t c = 1; c < padded; c++)
            memcpy(bytes + 4 * c, bytes, 4);
    q->has_bias = q->has_gate = true;
    q->bytes = bytes;
    q->size = 12 * padded;
}

const char *cg_requant_key(const cg_module *m, const cg_requant *q)
{
    return arena_format(m->arena, "%s.%d.%d.%d.%s%s%s%s%s.%zu", ir_enum_text(IR_KIND_ENUM_ROUNDING, q->rounding),
                        q->zero, q->min, q->max, ir_dtype_text(q->dtype), q->per_tensor ? ".t" : "",
                        q->below_one ? ".l" : "", q->has_bias ? ".b" : "", q->has_gate ? ".g" : "",
                        ir_rounding_is_real(q->rounding) && !q->has_bias ? (size_t)0 : padded_channels(q->channels));
}

/* `lanes` parameters of 4 bytes from array number `array`, channels first….  */
static LLVMValueRef load_parameters(cg_kernel *k, const cg_requant *q, LLVMValueRef params, LLVMValueRef first,
                                    LLVMTypeRef element, unsigned lanes, int array)
{
    LLVMValueRef at = cg_at_const(k, params, (int64_t)(4 * padded_channels(q->channels)) * array);
    if (q->per_tensor && !(q->has_bias && array))
        return cg_splat(k, cg_load(k, element, at, 4), lanes);
    return cg_load(k, cg_vector(element, lanes), cg_at(k, at, cg_mul_const(k, first, 4)), 4);
}

cg_requant_factors cg_requant_load(cg_kernel *k, const cg_requant *q, LLVMValueRef params, LLVMValueRef first,
                                   unsigned lanes)
{
    return (cg_requant_factors){load_parameters(k, q, params, first, k->m->f32, lanes, 0),
                                q->has_bias ? load_parameters(k, q, params, first, k->m->f32, lanes, 1) : NULL,
                                q->has_gate ? load_parameters(k, q, params, first, k->m->f32, lanes, 2) : NULL};
}

/* x * min(max(x * slope + 1/2, 0), 1) */
static LLVMValueRef gated(cg_kernel *k, LLVMValueRef x, LLVMValueRef slope)
{
    const unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(x));
    LLVMValueRef share = cg_fma(k, x, slope, cg_splat_f32(k, 0.5f, lanes));
    return LLVMBuildFMul(k->b, x, cg_clamp_f32(k, share, 0, 1), "");
}

LLVMValueRef cg_requant_real(cg_kernel *k, const cg_requant_factors *f, LLVMValueRef acc)
{
    LLVMValueRef real = LLVMBuildSIToFP(k->b, acc, cg_vector(k->m->f32, LLVMGetVectorSize(LLVMTypeOf(acc))), "");
    real = f->bias ? cg_fma(k, real, f->scale, f->bias) : LLVMBuildFMul(k->b, real, f->scale, "");
    return f->gate ? gated(k, real, f->gate) : real;
}

LLVMValueRef cg_requant_round(cg_kernel *k, const cg_requant *q, LLVMValueRef x)
{
    /* Where negative results are clamped to zero, their sign does not matter. */
    return q->rounding == IR_ROUNDING_LITE_F32 ? cg_math_round_away_i32(k, x, q->min < q->zero) : cg_round_to_i32(k, x);
}

static LLVMValueRef apply_real(cg_kernel *k, const cg_requant *q, LLVMValueRef params, LLVMValueRef first,
                               LLVMValueRef acc, unsigned lanes)
{
    const cg_requant_factors f = cg_requant_load(k, q, params, first, lanes);
    LLVMValueRef real = cg_requant_real(k, &f, acc);
    real = cg_max(k, real, cg_splat_f32(k, (float)(q->min - q->zero), lanes));
    real = cg_min(k, real, cg_splat_f32(k, (float)(q->max - q->zero), lanes));
    return LLVMBuildAdd(k->b, cg_requant_round(k, q, real), cg_splat_i32(k, q->zero, lanes), "");
}

static LLVMValueRef splat_i64(cg_kernel *k, int64_t value, unsigned lanes)
{
    return cg_splat(k, cg_i64(k, value), lanes);
}

/* x * mantissa in 64 bits: LLVM sees the sign extensions and uses the 32 x 32 -> 64 multiply. */
static LLVMValueRef wide_product(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, unsigned lanes)
{
    LLVMTypeRef wide = cg_vector(k->m->i64, lanes);
    return LLVMBuildMul(k->b, LLVMBuildSExt(k->b, a, wide, ""), LLVMBuildSExt(k->b, b, wide, ""), "");
}

static LLVMValueRef apply_fixed_twice(cg_kernel *k, const cg_requant *q, LLVMValueRef mantissa, LLVMValueRef shift,
                                      LLVMValueRef acc, unsigned lanes)
{
    LLVMBuilderRef b = k->b;
    LLVMTypeRef narrow = cg_vector(k->m->i32, lanes);
    LLVMValueRef zeros = cg_splat_i32(k, 0, lanes), one = cg_splat_i32(k, 1, lanes);
    LLVMValueRef left = cg_max(k, shift, zeros);
    LLVMValueRef right = cg_max(k, LLVMBuildSub(b, zeros, shift, ""), zeros);
    /* (p + nudge(p)) / 2^31 truncated, as the reference writes it, is the floor of (p + 2^30) / 2^31. */
    LLVMValueRef product = wide_product(k, LLVMBuildShl(b, acc, left, ""), mantissa, lanes);
    product = LLVMBuildAdd(b, product, splat_i64(k, (int64_t)1 << 30, lanes), "");
    LLVMValueRef high = LLVMBuildTrunc(b, LLVMBuildAShr(b, product, splat_i64(k, 31, lanes), ""), narrow, "");
    LLVMValueRef mask = LLVMBuildSub(b, LLVMBuildShl(b, one, right, ""), one, "");
    LLVMValueRef threshold =
        LLVMBuildSub(b, LLVMBuildLShr(b, mask, one, ""), LLVMBuildAShr(b, high, cg_splat_i32(k, 31, lanes), ""), "");
    LLVMValueRef up = LLVMBuildICmp(b, LLVMIntSGT, LLVMBuildAnd(b, high, mask, ""), threshold, "");
    LLVMValueRef v = LLVMBuildAdd(b, LLVMBuildAShr(b, high, right, ""), LLVMBuildZExt(b, up, narrow, ""), "");
    v = cg_max(k, v, cg_splat_i32(k, q->min - q->zero, lanes));
    v = cg_min(k, v, cg_splat_i32(k, q->max - q->zero, lanes));
    return LLVMBuildAdd(b, v, cg_splat_i32(k, q->zero, lanes), "");
}

static LLVMValueRef apply_fixed_once(cg_kernel *k, const cg_requant *q, LLVMValueRef mantissa, LLVMValueRef shift,
                                     LLVMValueRef acc, unsigned lanes)
{
    LLVMBuilderRef b = k->b;
    LLVMTypeRef wide = cg_vector(k->m->i64, lanes);
    LLVMValueRef total = LLVMBuildSub(b, splat_i64(k, 31, lanes), LLVMBuildSExt(b, shift, wide, ""), "");
    LLVMValueRef half = LLVMBuildShl(b, splat_i64(k, 1, lanes), LLVMBuildSub(b, total, splat_i64(k, 1, lanes), ""), "");
    LLVMValueRef v = LLVMBuildAShr(b, LLVMBuildAdd(b, wide_product(k, acc, mantissa, lanes), half, ""), total, "");
    v = cg_max(k, v, splat_i64(k, q->min - q->zero, lanes));
    v = cg_min(k, v, splat_i64(k, q->max - q->zero, lanes));
    v = LLVMBuildTrunc(b, v, cg_vector(k->m->i32, lanes), "");
    return LLVMBuildAdd(b, v, cg_splat_i32(k, q->zero, lanes), "");
}

LLVMValueRef cg_requant_apply(cg_kernel *k, const cg_requant *q, LLVMValueRef params, LLVMValueRef first,
                              LLVMValueRef acc)
{
    const unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(acc));
    if (ir_rounding_is_real(q->rounding))
        return apply_real(k, q, params, first, acc, lanes);
    LLVMValueRef mantissa = load_parameters(k, q, params, first, k->m->i32, lanes, 0);
    LLVMValueRef shift = load_parameters(k, q, params, first, k->m->i32, lanes, 1);
    return q->rounding == IR_ROUNDING_FIXED_TWICE ? apply_fixed_twice(k, q, mantissa, shift, acc, lanes)
                                                  : apply_fixed_once(k, q, mantissa, shift, acc, lanes);
}

/* acc, within 48 bits, * the mantissa's upper 16 bits / 2^(15 - shift), rounded half up. */
static LLVMValueRef apply_fixed_i64(cg_kernel *k, const cg_requant *q, LLVMValueRef mantissa, LLVMValueRef shift,
                                    LLVMValueRef acc, unsigned lanes)
{
    LLVMBuilderRef b = k->b;
    LLVMTypeRef wide = cg_vector(k->m->i64, lanes);
    LLVMValueRef largest = cg_splat_i32(k, 0x7fff0000, lanes), one = splat_i64(k, 1, lanes),
                 zeros = splat_i64(k, 0, lanes);
    LLVMValueRef upper = LLVMBuildAdd(b, cg_min(k, mantissa, largest), cg_splat_i32(k, 1 << 15, lanes), "");
    upper = cg_min(k, LLVMBuildAShr(b, upper, cg_splat_i32(k, 16, lanes), ""), cg_splat_i32(k, 0x7fff, lanes));
    LLVMValueRef total = LLVMBuildSub(b, splat_i64(k, 15, lanes), LLVMBuildSExt(b, shift, wide, ""), "");
    LLVMValueRef huge = LLVMBuildICmp(b, LLVMIntSLT, total, one, "");
    total = cg_max(k, total, one);
    LLVMValueRef x = cg_min(k, cg_max(k, acc, splat_i64(k, -((int64_t)1 << 47), lanes)),
                            splat_i64(k, ((int64_t)1 << 47) - 1, lanes));
    LLVMValueRef v = LLVMBuildMul(b, x, LLVMBuildSExt(b, upper, wide, ""), "");
    v = LLVMBuildAdd(b, v, LLVMBuildShl(b, one, LLVMBuildSub(b, total, one, ""), ""), "");
    v = LLVMBuildAShr(b, v, total, "");
    LLVMValueRef sign = LLVMBuildSub(b, LLVMBuildZExt(b, LLVMBuildICmp(b, LLVMIntSGT, acc, zeros, ""), wide, ""),
                                     LLVMBuildZExt(b, LLVMBuildICmp(b, LLVMIntSLT, acc, zeros, ""), wide, ""), "");
    v = LLVMBuildSelect(b, huge, LLVMBuildMul(b, sign, splat_i64(k, INT32_MAX, lanes), ""), v, "");
    v = cg_min(k, cg_max(k, v, splat_i64(k, (int64_t)q->min - q->zero, lanes)),
               splat_i64(k, (int64_t)q->max - q->zero, lanes));
    return LLVMBuildAdd(b, LLVMBuildTrunc(b, v, cg_vector(k->m->i32, lanes), ""), cg_splat_i32(k, q->zero, lanes), "");
}

/* acc * mantissa / 2^(31 - shift), rounded half up, of a 64-bit sum: in two halves, so that no product overflows.  A
 * multiplier of 2^7 and more takes sums as 32-bit ones. */
static LLVMValueRef apply_once_i64(cg_kernel *k, const cg_requant *q, LLVMValueRef mantissa, LLVMValueRef shift,
                                   LLVMValueRef acc, unsigned lanes)
{
    LLVMBuilderRef b = k->b;
    LLVMTypeRef wide = cg_vector(k->m->i64, lanes), narrow = cg_vector(k->m->i32, lanes);
    LLVMValueRef one = splat_i64(k, 1, lanes), part = splat_i64(k, 24, lanes);
    LLVMValueRef m = LLVMBuildSExt(b, mantissa, wide, "");
    LLVMValueRef total = LLVMBuildSub(b, splat_i64(k, 31, lanes), LLVMBuildSExt(b, shift, wide, ""), "");
    LLVMValueRef half = LLVMBuildShl(b, one, LLVMBuildSub(b, total, one, ""), "");
    LLVMValueRef x =
        cg_min(k, cg_max(k, acc, splat_i64(k, -((int64_t)1 << 55), lanes)), splat_i64(k, (int64_t)1 << 55, lanes));
    LLVMValueRef low = LLVMBuildMul(b, LLVMBuildAnd(b, x, splat_i64(k, 0xffffff, lanes), ""), m, "");
    low = LLVMBuildAShr(b, LLVMBuildAdd(b, low, half, ""), part, "");
    LLVMValueRef v = LLVMBuildAdd(b, LLVMBuildMul(b, LLVMBuildAShr(b, x, part, ""), m, ""), low, "");
    v = LLVMBuildAShr(b, v, cg_max(k, LLVMBuildSub(b, total, part, ""), splat_i64(k, 0, lanes)), "");
    v = cg_min(k, cg_max(k, v, splat_i64(k, (int64_t)q->min - q->zero, lanes)),
               splat_i64(k, (int64_t)q->max - q->zero, lanes));
    v = LLVMBuildAdd(b, LLVMBuildTrunc(b, v, narrow, ""), cg_splat_i32(k, q->zero, lanes), "");
    LLVMValueRef sum = cg_min(k, cg_max(k, acc, splat_i64(k, INT32_MIN, lanes)), splat_i64(k, INT32_MAX, lanes));
    LLVMValueRef large = apply_fixed_once(k, q, mantissa, shift, LLVMBuildTrunc(b, sum, narrow, ""), lanes);
    return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, total, part, ""), large, v, "");
}

LLVMValueRef cg_requant_apply_i64(cg_kernel *k, const cg_requant *q, LLVMValueRef params, LLVMValueRef first,
                                  LLVMValueRef acc)
{
    const unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(acc));
    if (ir_rounding_is_real(q->rounding))
        return apply_real(k, q, params, first, acc, lanes);
    LLVMValueRef mantissa = load_parameters(k, q, params, first, k->m->i32, lanes, 0);
    LLVMValueRef shift = load_parameters(k, q, params, first, k->m->i32, lanes, 1);
    return q->rounding == IR_ROUNDING_FIXED_TWICE ? apply_fixed_i64(k, q, mantissa, shift, acc, lanes)
                                                  : apply_once_i64(k, q, mantissa, shift, acc, lanes);
}

LLVMValueRef cg_narrow_to_bytes(cg_kernel *k, LLVMValueRef v)
{
    return LLVMBuildTrunc(k->b, v, cg_vector(k->m->i8, LLVMGetVectorSize(LLVMTypeOf(v))), "");
}
