/* quant_math_test.c protects the integer arithmetic under every quantized op: multipliers, ties, saturation, bounds,
 * f16, and the fixed-point functions.  Expected values are computed here in another way (one wide product, libm). */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "arith/fixed_point.h"
#include "ir/ref/interp.h"
#include "tests/unit/test.h"

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint32_t random_u32(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static void multipliers(void)
{
    const arith_multiplier one = arith_multiplier_of(1.0), zero = arith_multiplier_of(0.0),
                           tiny = arith_multiplier_of(ldexp(1, -40));
    CHECK(one.mantissa == 1 << 30 && one.shift == 1);
    CHECK(zero.mantissa == 0 && zero.shift == 0);
    CHECK(tiny.mantissa == 0 && tiny.shift == 0);
    /* Just below a power of two: the mantissa rounds up to 2^31 and is halved. */
    const arith_multiplier below = arith_multiplier_of(1.0 - ldexp(1, -40));
    CHECK(below.mantissa == 1 << 30 && below.shift == 1);
    const arith_multiplier third = arith_multiplier_of(1.0 / 3);
    CHECK(third.mantissa == 1431655765 && third.shift == -1);
    const arith_multiplier huge = arith_multiplier_of(ldexp(1, 60));
    CHECK(huge.mantissa == INT32_MAX && huge.shift == 30);
    CHECK(arith_multiplier_of(NAN).mantissa == 0 && arith_multiplier_of(INFINITY).mantissa == 0);
}

/* sum * mantissa / 2^(31 - shift), in exact arithmetic. */
static int32_t twice_exactly(int32_t x, arith_multiplier m)
{
    const int left = m.shift > 0 ? m.shift : 0, right = m.shift > 0 ? 0 : -m.shift;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * m.mantissa;
    const int64_t high = (int64_t)((product + ((int64_t)1 << 30)) >> 31); /* ties up */
    if (right == 0)
        return (int32_t)high;
    const int64_t half = (int64_t)1 << (right - 1); /* ties away from zero */
    return (int32_t)(high >= 0 ? (high + half) >> right : -((-high + half) >> right));
}

static void fixed_roundings(void)
{
    const arith_multiplier half = arith_multiplier_of(0.5), quarter = arith_multiplier_of(0.25);
    CHECK(arith_mul_fixed_twice(1, half) == 1 && arith_mul_fixed_twice(-1, half) == 0);
    CHECK(arith_mul_fixed_twice(3, half) == 2 && arith_mul_fixed_twice(-3, half) == -1);
    CHECK(arith_mul_fixed_twice(5, quarter) ==
          2); /* 1.25 -> 2.5 / 2 -> 3 / 2: the second rounding meets a tie of its own */
    CHECK(arith_mul_fixed_once(5, quarter) == 1);
    CHECK(arith_mul_fixed_once(1, half) == 1 && arith_mul_fixed_once(-1, half) == 0);
    for (int i = 0; i < 200000; i++) {
        const arith_multiplier m = {(int32_t)(random_u32() >> 2 | 1u << 30), (int)(random_u32() % 40) - 31};
        const int32_t x = (int32_t)random_u32() >> random_u32() % 32;
        CHECK(arith_mul_fixed_twice(x, m) == twice_exactly(x, m));
        const int64_t exact = ((int64_t)x * m.mantissa + ((int64_t)1 << (30 - m.shift))) >> (31 - m.shift);
        const int32_t once = exact > INT32_MAX ? INT32_MAX : exact < INT32_MIN ? INT32_MIN : (int32_t)exact;
        CHECK(arith_mul_fixed_once(x, m) == once);
    }
    CHECK(arith_fixed_product(INT32_MIN, INT32_MIN) == INT32_MAX);
}

static void bounds(void)
{
    int32_t min, max;
    ir_act_bounds(IR_ACT_NONE, IR_I8, 0.1f, 0, (ir_unused){0, 0}, &min, &max);
    CHECK(min == -128 && max == 127);
    ir_act_bounds(IR_ACT_RELU, IR_I8, 0.1f, -5, (ir_unused){0, 0}, &min, &max);
    CHECK(min == -5 && max == 127);
    ir_act_bounds(IR_ACT_RELU6, IR_U8, 0.5f, 3, (ir_unused){0, 0}, &min, &max);
    CHECK(min == 3 && max == 15);
    ir_act_bounds(IR_ACT_RELU6, IR_U8, 4.0f, 0, (ir_unused){0, 0}, &min, &max); /* 1.5: away from zero */
    CHECK(min == 0 && max == 2);
    ir_act_bounds(IR_ACT_RELU6, IR_U8, 1e-30f, 200, (ir_unused){0, 0}, &min,
                  &max); /* the quotient exceeds every integer */
    CHECK(min == 200 && max == 255);
    ir_act_bounds(IR_ACT_RELU_N1_TO_1, IR_I16, 1.0f / 4096, 0, (ir_unused){0, 0}, &min, &max);
    CHECK(min == -4096 && max == 4096);
}

static void half_floats(void)
{
    CHECK(ir_f16_to_f32(0x3c00) == 1.0f && ir_f16_to_f32(0xc000) == -2.0f);
    CHECK(ir_f16_to_f32(0x7bff) == 65504.0f);
    CHECK(ir_f16_to_f32(0x0001) == ldexpf(1, -24) && ir_f16_to_f32(0x03ff) == ldexpf(1023, -24));
    CHECK(isinf(ir_f16_to_f32(0x7c00)) && isnan(ir_f16_to_f32(0x7e00)));
    CHECK(ir_f16_to_f32(0x8000) == 0 && signbit(ir_f16_to_f32(0x8000)));
    for (uint32_t half = 0; half < 0x10000; half++)
        CHECK((half & 0x7fff) > 0x7c00 || ir_f32_to_f16(ir_f16_to_f32((uint16_t)half)) == half);
    CHECK(ir_f32_to_f16(65519.99f) == 0x7bff && ir_f32_to_f16(65520.0f) == 0x7c00 && ir_f32_to_f16(-1e30f) == 0xfc00);
    CHECK(ir_f32_to_f16(2049) == ir_f32_to_f16(2048) && ir_f32_to_f16(2051) == ir_f32_to_f16(2052)); /* ties to even */
    CHECK(ir_f32_to_f16(0x1p-25f) == 0 && ir_f32_to_f16(0x1.8p-24f) == 2 && ir_f32_to_f16(NAN) == 0x7e00);
}

static void fixed_functions(void)
{
    for (int32_t x = 0; x > -(20 << 26); x -= 123457) {
        const double e = exp(x / 67108864.0);
        CHECK(fabs(arith_fixed_exp_q5(x) / 2147483648.0 - e) < 1e-6);
    }
    for (int64_t x = 1; x < INT32_MAX; x = x * 5 / 4 + 1) {
        int exponent;
        const double inverse = arith_fixed_reciprocal((int32_t)x, 31, &exponent) / 2147483648.0;
        CHECK(fabs(ldexp(inverse, -exponent) * (double)x - 1) < 1e-8);
        const arith_multiplier root = arith_fixed_inverse_sqrt((int32_t)x);
        CHECK(fabs(ldexp(root.mantissa, root.shift - 31) * sqrt((double)x) - 1) < 1e-5);
    }
    for (int64_t x = 1 << 19; x < INT32_MAX; x = x * 9 / 8)
        CHECK(fabs(arith_fixed_log_q12((int32_t)x) / 67108864.0 - log(x / 524288.0)) < 1e-5);
}

/* What no integer is near saturates. */
static void conversions(void)
{
    CHECK(ir_truncated(1.9, -8, 8) == 1 && ir_truncated(-1.9, -8, 8) == -1);
    CHECK(ir_truncated(8.5, -8, 8) == 8 && ir_truncated(-1e300, -8, 8) == -8);
    CHECK(ir_truncated(INFINITY, -8, 8) == 8 && ir_truncated(-INFINITY, -8, 8) == -8 && ir_truncated(NAN, -8, 8) == 0);
    CHECK(ir_truncated_to(IR_I64, 0x1p63) == INT64_MAX && ir_truncated_to(IR_I64, -0x1p63) == INT64_MIN);
    CHECK(ir_truncated_to(IR_I64, 0x1.fffffffffffffp62) == INT64_MAX - 1023);
    CHECK(ir_truncated_to(IR_U32, 0x1p32) == UINT32_MAX && ir_truncated_to(IR_U32, -1) == 0);
    CHECK(ir_truncated_to(IR_I32, 2147483647.5) == INT32_MAX && ir_truncated_to(IR_I32, -3e9) == INT32_MIN);
    CHECK(ir_truncated_to(IR_U16, 65535.9) == 65535 && ir_truncated_to(IR_I16, -32768.9) == -32768);
    CHECK(ir_truncated_to(IR_U8, NAN) == 0 && ir_truncated_to(IR_U8, 1e9) == 255 &&
          ir_truncated_to(IR_I8, 127.5) == 127);
}

int main(void)
{
    multipliers();
    fixed_roundings();
    bounds();
    half_floats();
    conversions();
    fixed_functions();
    return test_end();
}
