/* fixed16.c: see fixed16.h; ir/fixed_point16.c says what is computed. */
#include "compiler/codegen/build/fixed16.h"

enum { ONE = INT16_MAX, HALF = 1 << 14, Q2_ONE = 1 << 13 };
enum { Q2_48_OVER_17 = 23130, Q2_MINUS_32_OVER_17 = -15420 };
enum { EXP_MINUS_EIGHTH = 28918, THIRD = 10923 };

static unsigned lanes_of(LLVMValueRef v) { return LLVMGetVectorSize(LLVMTypeOf(v)); }
static LLVMValueRef splat(cg_kernel *k, LLVMValueRef like, int32_t v) { return cg_splat_i32(k, v, lanes_of(like)); }
static LLVMValueRef add(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildAdd(k->b, a, b, ""); }
static LLVMValueRef subtract(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildSub(k->b, a, b, ""); }
static LLVMValueRef add_const(cg_kernel *k, LLVMValueRef a, int32_t v) { return add(k, a, splat(k, a, v)); }

LLVMValueRef cg_saturate16(cg_kernel *k, LLVMValueRef x)
{
    return cg_max(k, cg_min(k, x, splat(k, x, INT16_MAX)), splat(k, x, INT16_MIN));
}

/* Both are -32768 nowhere below. */
static LLVMValueRef product(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildAShr(k->b, add_const(k, LLVMBuildMul(k->b, a, b, ""), 1 << 14), splat(k, a, 15), "");
}

static LLVMValueRef product_const(cg_kernel *k, LLVMValueRef a, int32_t b) { return product(k, a, splat(k, a, b)); }

static LLVMValueRef shift_left(cg_kernel *k, LLVMValueRef x, int by)
{
    return cg_saturate16(k, LLVMBuildShl(k->b, x, splat(k, x, by), ""));
}

LLVMValueRef cg_fixed16_shift_right(cg_kernel *k, LLVMValueRef x, int by)
{
    if (by == 0)
        return x;
    const int32_t mask = (int32_t)((1u << by) - 1);
    LLVMValueRef sign = LLVMBuildAShr(k->b, x, splat(k, x, 31), "");
    LLVMValueRef threshold = subtract(k, splat(k, x, mask >> 1), sign);
    LLVMValueRef up = LLVMBuildICmp(k->b, LLVMIntSGT, LLVMBuildAnd(k->b, x, splat(k, x, mask), ""), threshold, "");
    return add(k, LLVMBuildAShr(k->b, x, splat(k, x, by), ""), LLVMBuildZExt(k->b, up, LLVMTypeOf(x), ""));
}

static LLVMValueRef exp_near_zero(cg_kernel *k, LLVMValueRef a)
{
    LLVMValueRef x = add_const(k, a, 1 << 12), x2 = product(k, x, x), x3 = product(k, x2, x), x4 = product(k, x2, x2);
    LLVMValueRef tail = add(k, product_const(k, add(k, cg_fixed16_shift_right(k, x4, 2), x3), THIRD), x2);
    x = add(k, x, cg_fixed16_shift_right(k, tail, 1));
    return cg_saturate16(k, add_const(k, product_const(k, x, EXP_MINUS_EIGHTH), EXP_MINUS_EIGHTH));
}

static LLVMValueRef exp_negative(cg_kernel *k, LLVMValueRef x, int integer_bits)
{
    static const int32_t powers[] = {25520, 19875, 12055, 4435, 600, 11, 0};
    const int fraction_bits = 15 - integer_bits, quarter = 1 << (fraction_bits - 2);
    LLVMValueRef zeros = LLVMConstNull(LLVMTypeOf(x));
    LLVMValueRef fraction = add_const(k, LLVMBuildAnd(k->b, x, splat(k, x, quarter - 1), ""), -quarter);
    LLVMValueRef rest = subtract(k, fraction, x);
    LLVMValueRef result = exp_near_zero(k, shift_left(k, fraction, integer_bits));
    for (int i = 0; i < 7 && i - 2 < integer_bits; i++) {
        LLVMValueRef bit = LLVMBuildAnd(k->b, rest, splat(k, x, 1 << (fraction_bits + i - 2)), "");
        LLVMValueRef has = LLVMBuildICmp(k->b, LLVMIntNE, bit, zeros, "");
        result = LLVMBuildSelect(k->b, has, product_const(k, result, powers[i]), result, "");
    }
    if (integer_bits > 5) {
        LLVMValueRef tiny = LLVMBuildICmp(k->b, LLVMIntSLT, x, splat(k, x, -(1 << (20 - integer_bits))), "");
        result = LLVMBuildSelect(k->b, tiny, zeros, result, "");
    }
    return LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntEQ, x, zeros, ""), splat(k, x, ONE), result, "");
}

static LLVMValueRef twice_reciprocal_1_plus(cg_kernel *k, LLVMValueRef a)
{
    LLVMValueRef half = LLVMBuildLShr(k->b, add_const(k, a, ONE + 1), splat(k, a, 1), "");
    LLVMValueRef x = add_const(k, product_const(k, half, Q2_MINUS_32_OVER_17), Q2_48_OVER_17);
    for (int i = 0; i < 3; i++) {
        LLVMValueRef error = subtract(k, splat(k, a, Q2_ONE), product(k, half, x));
        x = add(k, x, shift_left(k, product(k, x, error), 2));
    }
    return x;
}

static LLVMValueRef negative_magnitude(cg_kernel *k, LLVMValueRef x) { return cg_min(k, x, LLVMBuildNeg(k->b, x, "")); }

/* x > 0 ? y : x < 0 ? below : at_zero */
static LLVMValueRef by_sign(cg_kernel *k, LLVMValueRef x, LLVMValueRef y, LLVMValueRef below, int32_t at_zero)
{
    LLVMValueRef zeros = LLVMConstNull(LLVMTypeOf(x));
    y = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntSGT, x, zeros, ""), y, below, "");
    return LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntEQ, x, zeros, ""), splat(k, x, at_zero), y, "");
}

LLVMValueRef cg_fixed16_logistic(cg_kernel *k, LLVMValueRef x, int integer_bits)
{
    LLVMValueRef e = exp_negative(k, negative_magnitude(k, x), integer_bits);
    LLVMValueRef y = shift_left(k, twice_reciprocal_1_plus(k, e), 1);
    return by_sign(k, x, y, subtract(k, splat(k, x, ONE), y), HALF);
}

LLVMValueRef cg_fixed16_tanh(cg_kernel *k, LLVMValueRef x, int integer_bits)
{
    LLVMValueRef e = exp_negative(k, negative_magnitude(k, x), integer_bits + 1);
    LLVMValueRef y = shift_left(k, add_const(k, twice_reciprocal_1_plus(k, e), -Q2_ONE), 2);
    return by_sign(k, x, y, LLVMBuildNeg(k->b, y, ""), 0);
}
