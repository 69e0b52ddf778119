/* quantizer.c: see quantizer.h. */
#include "compiler/codegen/build/quantizer.h"

#include <math.h>

#include "compiler/codegen/build/elementary.h"
#include "ir/ref/ref_quant.h"

static bool is_even(const cg_quantizer *q) { return q->rounding == IR_ROUNDING_EVEN_F32; }

/* ---- Which numbers give the same integers ---- */

/* Without the zero point and without bounds, as the op has it … */
static float divided(const cg_quantizer *q, float x)
{
    return is_even(q) ? nearbyintf(x / q->scale) : roundf(x / q->scale);
}

/* … and as code has it, which is the same, or is not NaN. */
static float multiplied(const cg_quantizer *q, float x)
{
    const float product = x * q->rest, y = q->rest == 0 ? x * q->factor : fmaf(x, q->factor, product);
    return is_even(q) ? nearbyintf(y) : truncf(y + copysignf(0x1.fffffep-2f, y));
}

/* The smallest float that becomes `integer`; false: it is not where it should be. */
static bool step_to(const cg_quantizer *q, float integer, float *out)
{
    enum { FAR = 8 };
    float x = (float)(((double)integer - 0.5) * q->scale);
    int moved = 0;
    while (moved < FAR && !(divided(q, x) >= integer)) {
        x = nextafterf(x, INFINITY);
        moved++;
    }
    while (moved < FAR && divided(q, nextafterf(x, -INFINITY)) >= integer) {
        x = nextafterf(x, -INFINITY);
        moved++;
    }
    *out = x;
    return moved < FAR && isfinite(x) && divided(q, x) == integer;
}

static bool find_factors(cg_quantizer *q)
{
    const double inverse = 1 / (double)q->scale;
    const int32_t min = q->end.min - q->end.zero, max = q->end.max - q->end.zero;
    q->factor = (float)inverse;
    q->rest = (float)(inverse - q->factor);
    for (int32_t i = min + 1; i <= max; i++) {
        float first;
        if (!step_to(q, (float)i, &first))
            return false;
        const float last = nextafterf(first, -INFINITY);
        if (multiplied(q, first) != (float)i || multiplied(q, last) != (float)(i - 1))
            return false;
        if (i == min + 1)
            q->low = last;
        if (i == max)
            q->high = first;
    }
    return max > min;
}

/* The activation's bounds as integers, since rounding never changes an order.  NaN, which passes the activation, becomes
 * the smallest integer whatever its lower bound is. */
static void take_activation(cg_quantizer *q, const ir_grid *grid, ir_enum_ACT act)
{
    float low, high;
    ir_act_bounds_f32(act, &low, &high);
    const int32_t max = ir_grid_apply(grid, high);
    q->end.max = max < q->end.max ? max : q->end.max;
    q->least = ir_grid_apply(grid, low) > q->end.min ? low : -INFINITY;
}

cg_quantizer cg_quantizer_of(const ir_op *op, ir_enum_ACT act)
{
    const ir_grid grid = ir_grid_of(op);
    cg_quantizer q = {
        .end = {.dtype = op->results[0]->type.dtype, .zero = grid.zero, .min = grid.min, .max = grid.max},
        .rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING),
        .scale = grid.scale,
    };
    take_activation(&q, &grid, act);
    return q;
}

const char *cg_quantizer_key(const cg_module *m, const cg_quantizer *q)
{
    return arena_format(m->arena, "%a %d %d..%d %d %a", (double)q->scale, q->end.zero, q->end.min, q->end.max,
                        (int)q->rounding, (double)q->least);
}

unsigned cg_quantizer_lanes(const cg_module *m, const cg_quantizer *q)
{
    const unsigned bytes = m->target->vector_bytes;
    return cg_quant_packs(&q->end, bytes) ? bytes : 0;
}

/* ---- Code ---- */

static LLVMValueRef splat(cg_kernel *k, LLVMValueRef like, float v)
{
    return cg_is_vector(like) ? cg_splat_f32(k, v, cg_lanes(like)) : cg_f32(k, v);
}

/* Not before: kernels are shared, and 16 bits have many steps. */
static void solve(const cg_module *m, cg_quantizer *q)
{
    if (!q->is_solved)
        q->multiplies = target_has(m->target, TARGET_FMA) && find_factors(q);
    q->is_solved = true;
}

/* In units of the scale, at most the largest; NaN and what is too small: with `whole` at least the smallest, else no
 * integer above it. */
static LLVMValueRef in_units(cg_kernel *k, cg_quantizer *q, LLVMValueRef x, bool whole)
{
    solve(k->m, q);
    x = cg_clamp_f32(k, x, q->least, INFINITY);
    if (!q->multiplies) { /* the clamp comes behind the quotient, where it is exact for every float */
        x = LLVMBuildFDiv(k->b, x, splat(k, x, q->scale), "");
        x = cg_max(k, x, splat(k, x, (float)(q->end.min - q->end.zero)));
        return cg_min(k, x, splat(k, x, (float)(q->end.max - q->end.zero)));
    }
    if (whole)
        x = cg_max(k, x, splat(k, x, q->low));
    x = cg_min(k, splat(k, x, q->high), x);
    LLVMValueRef factor = splat(k, x, q->factor);
    if (q->rest == 0) /* a power of two */
        return LLVMBuildFMul(k->b, x, factor, "");
    return cg_fma(k, x, factor, LLVMBuildFMul(k->b, x, splat(k, x, q->rest), ""));
}

static LLVMValueRef rounded(cg_kernel *k, cg_quantizer *q, LLVMValueRef x, bool whole)
{
    if (is_even(q)) /* what is no number, or too large for it, becomes the smallest i32 */
        return cg_round_to_i32(k, in_units(k, q, x, whole));
    return cg_math_round_away_i32(k, in_units(k, q, x, true), q->end.min < q->end.zero);
}

LLVMValueRef cg_quantize_centred(cg_kernel *k, cg_quantizer *q, LLVMValueRef x) { return rounded(k, q, x, false); }

LLVMValueRef cg_quantize(cg_kernel *k, cg_quantizer *q, LLVMValueRef x)
{
    const bool packs = cg_is_vector(x) && cg_quant_packs(&q->end, cg_lanes(x));
    LLVMValueRef y = rounded(k, q, x, !packs);
    LLVMTypeRef element = cg_type_of(k, q->end.dtype);
    if (packs) {
        const cg_quant_end end = {q->end.dtype, q->end.zero, q->end.min, UINT8_MAX};
        return cg_quant_finish(k, &end, y);
    }
    y = LLVMBuildAdd(k->b, y, cg_is_vector(y) ? cg_splat_i32(k, q->end.zero, cg_lanes(y)) : cg_i32(k, q->end.zero), "");
    return LLVMBuildTrunc(k->b, y, cg_is_vector(y) ? cg_vector(element, cg_lanes(y)) : element, "");
}
