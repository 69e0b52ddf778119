/* fixed_point16.c: logistic and tanh of 16-bit fixed-point numbers, exactly as TFLite's integer recurrent kernels
 * compute them: e to the -|x| by a short polynomial and factors for the bits above a quarter, then three Newton steps
 * of a reciprocal.  Every operation rounds to 16 bits.
 *
 * Values are int16 held in int32; the compiler's twin is compiler/codegen/build/fixed16.c. */
#include "arith/fixed_point.h"

enum { ONE = INT16_MAX, HALF = 1 << 14, Q2_ONE = 1 << 13 };
enum { Q2_48_OVER_17 = 23130, Q2_MINUS_32_OVER_17 = -15420 };

static int32_t product(int32_t a, int32_t b)
{
    return a == INT16_MIN && b == INT16_MIN ? INT16_MAX : (a * b + (1 << 14)) >> 15;
}

static int32_t saturated(int64_t x) { return x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : (int32_t)x; }
static int32_t shift_left(int32_t x, int by) { return saturated((int64_t)x * (1 << by)); }

/* e to the x for x in [-1/4, 0), in Q0: Taylor's series about -1/8. */
static int32_t exp_near_zero(int32_t a)
{
    enum { EXP_MINUS_EIGHTH = 28918, THIRD = 10923 };
    const int32_t x = a + (1 << 12), x2 = product(x, x), x3 = product(x2, x), x4 = product(x2, x2);
    const int32_t tail = product(arith_fixed_shift_right(x4, 2) + x3, THIRD) + x2;
    return saturated(EXP_MINUS_EIGHTH + product(EXP_MINUS_EIGHTH, x + arith_fixed_shift_right(tail, 1)));
}

/* e to the x, x <= 0 with so many integer bits, 2 to 7. */
static int32_t exp_negative(int32_t x, int integer_bits)
{
    static const int32_t powers[] = {25520, 19875, 12055, 4435, 600, 11, 0}; /* of e: -1/4, -1/2, -1, … -16 */
    const int fraction_bits = 15 - integer_bits, quarter = 1 << (fraction_bits - 2);
    if (x == 0)
        return ONE;
    if (integer_bits > 5 && x < -(1 << (20 - integer_bits))) /* below -32 */
        return 0;
    const int32_t fraction = (x & (quarter - 1)) - quarter, rest = fraction - x;
    int32_t result = exp_near_zero(shift_left(fraction, integer_bits));
    for (int i = 0; i < 7 && i - 2 < integer_bits; i++)
        if (rest & 1 << (fraction_bits + i - 2))
            result = product(result, powers[i]);
    return result;
}

/* 2 / (1 + a) for a in [0, 1] of Q0, in Q2. */
static int32_t twice_reciprocal_1_plus(int32_t a)
{
    const int32_t half = (a + ONE + 1) / 2;
    int32_t x = Q2_48_OVER_17 + product(half, Q2_MINUS_32_OVER_17);
    for (int i = 0; i < 3; i++)
        x += shift_left(product(x, Q2_ONE - product(half, x)), 2);
    return x;
}

int16_t arith_fixed16_logistic(int16_t x, int integer_bits)
{
    if (x == 0)
        return HALF;
    const int32_t y = shift_left(twice_reciprocal_1_plus(exp_negative(x > 0 ? -x : x, integer_bits)), 1);
    return (int16_t)(x > 0 ? y : ONE - y);
}

/* tanh(x) = (1 - e^-2x) / (1 + e^-2x); doubling is one more integer bit. */
int16_t arith_fixed16_tanh(int16_t x, int integer_bits)
{
    if (x == 0)
        return 0;
    const int32_t y = shift_left(twice_reciprocal_1_plus(exp_negative(x > 0 ? -x : x, integer_bits + 1)) - Q2_ONE, 2);
    return (int16_t)(x > 0 ? y : -y);
}
