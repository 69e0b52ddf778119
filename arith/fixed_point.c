/* fixed_point.c: exponential, logarithm, reciprocal and inverse square root in fixed point.
 *
 * Each is a short polynomial or a few Newton steps whose every operation rounds; the constants and the order of
 * operations are part of the definition, because the results have to be those of TFLite's reference kernels to the last
 * bit. */
#include "arith/fixed_point.h"

static int32_t add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static int32_t sub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }

static int32_t saturated(int64_t x) { return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x; }

static int leading_zeros(uint32_t x) { return x ? __builtin_clz(x) : 32; }

int32_t arith_fixed_product(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN)
        return INT32_MAX;
    const int64_t product = (int64_t)a * b;
    const int64_t nudge = product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30);
    return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

int32_t arith_fixed_shift_right(int32_t x, int by)
{
    if (by > 31)
        return 0;
    const int32_t mask = (int32_t)(((int64_t)1 << by) - 1);
    const int32_t remainder = x & mask, threshold = (mask >> 1) + (x < 0);
    return (x >> by) + (remainder > threshold);
}

int32_t arith_fixed_shift_left(int32_t x, int by)
{
    return by > 31 ? (x > 0 ? INT32_MAX : x < 0 ? INT32_MIN : 0) : saturated((int64_t)x * ((int64_t)1 << by));
}

/* e to the x for x in [-1/4, 0): Taylor's series about -1/8, in Q0. */
static int32_t exp_near_zero(int32_t a)
{
    const int32_t exp_minus_eighth = 1895147668, third = 715827883;
    const int32_t x = add(a, 1 << 28);
    const int32_t x2 = arith_fixed_product(x, x), x3 = arith_fixed_product(x2, x), x4 = arith_fixed_product(x2, x2);
    const int32_t tail = add(arith_fixed_product(add(arith_fixed_shift_right(x4, 2), x3), third), x2);
    return add(exp_minus_eighth, arith_fixed_product(exp_minus_eighth, add(x, arith_fixed_shift_right(tail, 1))));
}

int32_t arith_fixed_exp_q5(int32_t x)
{
    /* e to the -1/4, -1/2, -1, -2, -4, -8, -16, for the bits of -x above a quarter. */
    static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (x == 0)
        return INT32_MAX;
    const int32_t fraction = (x & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t rest = sub(fraction, x);                  /* a multiple of 1/4 */
    int32_t result = exp_near_zero(arith_fixed_shift_left(fraction, 5));
    for (int i = 0; i < 7; i++)
        if (rest & (int32_t)(1u << (24 + i)))
            result = arith_fixed_product(result, powers[i]);
    return result;
}

int32_t arith_fixed_reciprocal_1_plus(int32_t a)
{
    const int32_t q2_48_over_17 = 1515870810, q2_minus_32_over_17 = -1010580540, q2_one = 1 << 29;
    const int64_t sum = (int64_t)a + INT32_MAX;
    const int32_t half_denominator = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
    int32_t x = add(q2_48_over_17, arith_fixed_product(half_denominator, q2_minus_32_over_17));
    for (int i = 0; i < 3; i++) {
        const int32_t error = sub(q2_one, arith_fixed_product(half_denominator, x));
        x = add(x, arith_fixed_shift_left(arith_fixed_product(x, error), 2));
    }
    return arith_fixed_shift_left(x, 1);
}

int32_t arith_fixed_reciprocal(int32_t x, int integer_bits, int *out_exponent)
{
    const int zeros = leading_zeros((uint32_t)x);
    *out_exponent = integer_bits - zeros;
    return arith_fixed_reciprocal_1_plus((int32_t)(((uint32_t)x << (zeros & 31)) - ((uint32_t)1 << 31)));
}

/* log x = log 2 * k + log r, r near 2^-1/4 in Q0.  Of two ways to split off k, a quarter apart, the one with the
 * smaller r is taken; log r is a quotient of polynomials in r - 2^-1/4. */
int32_t arith_fixed_log_q12(int32_t x)
{
    enum { IN_BITS = 12, OUT_BITS = 5, SUM_BITS = OUT_BITS + 1 };
    const int32_t log_2 = 1488522236, fourth_root_half = 1805811301, sqrt_half = 1518500250;
    const int32_t alpha_n = 117049297, alpha_d = 127690142, alpha_i = 1057819769, alpha_f = 638450708;
    const int32_t quarter = arith_fixed_shift_right(536870912, SUM_BITS);

    const int a_zeros = leading_zeros((uint32_t)x);
    const int32_t r_a =
        arith_fixed_shift_left(arith_fixed_product(arith_fixed_shift_left(x, a_zeros - 1), sqrt_half), 1);
    const int32_t k_a = saturated((int64_t)arith_fixed_shift_left(IN_BITS - a_zeros, 31 - SUM_BITS) + quarter);

    const int b_headroom = leading_zeros((uint32_t)arith_fixed_product(x, sqrt_half)) - 1;
    const int32_t r_b = arith_fixed_shift_left(x, b_headroom);
    const int32_t k_b = saturated((int64_t)arith_fixed_shift_left(IN_BITS - b_headroom, 31 - SUM_BITS) - quarter);

    const int32_t r = r_a < r_b ? r_a : r_b, k = k_a > k_b ? k_a : k_b;
    const int64_t half_sum = (int64_t)r + fourth_root_half;
    const int32_t p = (int32_t)((half_sum + (half_sum >= 0 ? 1 : -1)) / 2);
    int32_t q = sub(r, fourth_root_half);
    q = add(q, q);
    const int32_t square = arith_fixed_product(q, q);
    const int32_t numerator =
        add(arith_fixed_product(q, r), arith_fixed_product(arith_fixed_product(q, square), alpha_n));
    const int32_t inner = add(add(alpha_i, q), arith_fixed_product(alpha_d, square));
    const int32_t denominator_minus_1 = add(arith_fixed_product(p, inner), arith_fixed_product(alpha_f, q));
    const int32_t quotient = arith_fixed_product(arith_fixed_shift_right(numerator, SUM_BITS),
                                                 arith_fixed_reciprocal_1_plus(denominator_minus_1));
    return arith_fixed_shift_left(add(arith_fixed_product(k, log_2), quotient), SUM_BITS - OUT_BITS);
}

arith_multiplier arith_fixed_inverse_sqrt(int32_t x)
{
    if (x <= 1)
        return (arith_multiplier){INT32_MAX, 0};
    int shift = 11;
    while (x >= 1 << 29) {
        x /= 4;
        shift++;
    }
    const int pairs = (leading_zeros((uint32_t)x) - 1) / 2 - 1;
    shift -= pairs;
    x <<= 2 * pairs; /* in [2^27, 2^29) */
    /* y = y * (3 - x y²) / 2, five times from 1, in Q3. */
    const int32_t half_three = (1 << 28) + (1 << 27), half_x = arith_fixed_shift_right(x >> 1, 1);
    int32_t y = 1 << 28;
    for (int i = 0; i < 5; i++) {
        const int32_t y3 = arith_fixed_shift_left(arith_fixed_product(arith_fixed_product(y, y), y), 6);
        y = arith_fixed_shift_left(sub(arith_fixed_product(half_three, y), arith_fixed_product(half_x, y3)), 3);
    }
    y = arith_fixed_product(y, 1518500250); /* times the square root of a half */
    if (shift < 0) {
        y = (int32_t)((uint32_t)y << -shift);
        shift = 0;
    }
    return (arith_multiplier){y, -shift};
}
