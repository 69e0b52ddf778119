/* multiplier.c: multiplication by a real number in integers.  The derivation of the two fixed roundings is in
 * docs/quantization.md; both equal what TFLite's kernels compute, for every input. */
#include "arith/multiplier.h"

#include <math.h>

#include "arith/fixed_point.h"

arith_multiplier arith_multiplier_of(double real)
{
    arith_multiplier m = {0, 0};
    if (real == 0.0 || !isfinite(real))
        return m;
    const double fraction = frexp(real, &m.shift); /* in [0.5, 1) */
    int64_t mantissa = (int64_t)round(fraction * 2147483648.0);
    if (mantissa == (int64_t)1 << 31) {
        mantissa /= 2;
        m.shift++;
    }
    if (m.shift < -31) { /* every 32-bit product rounds to 0 */
        m.shift = 0;
        mantissa = 0;
    }
    if (m.shift > 30) { /* the largest that both roundings can shift by */
        m.shift = 30;
        mantissa = mantissa < 0 ? -INT32_MAX : INT32_MAX;
    }
    m.mantissa = (int32_t)mantissa;
    return m;
}

arith_multiplier arith_multiplier_of_mean(double ratio, int64_t count)
{
    arith_multiplier m = arith_multiplier_of(ratio);
    int shift = 63 - __builtin_clzll((unsigned long long)count);
    shift = shift > 32 ? 32 : shift;
    shift = shift > 31 + m.shift ? 31 + m.shift : shift;
    m.mantissa = (int32_t)((m.mantissa * ((int64_t)1 << shift)) / count);
    m.shift -= shift;
    return m;
}

static int32_t shift_left_wrapping(int32_t x, int by) { return (int32_t)((uint32_t)x << by); }

int32_t arith_mul_fixed_twice(int32_t x, arith_multiplier m)
{
    const int left = m.shift > 0 ? m.shift : 0, right = m.shift > 0 ? 0 : -m.shift;
    return arith_fixed_shift_right(arith_fixed_product(shift_left_wrapping(x, left & 31), m.mantissa), right);
}

int32_t arith_mul_fixed_once(int32_t x, arith_multiplier m)
{
    const int total = 31 - m.shift; /* 1..62 as arith_multiplier_of makes them */
    if (total > 62)
        return 0;
    const int64_t rounded = ((int64_t)x * m.mantissa + ((int64_t)1 << (total - 1))) >> total;
    return rounded > INT32_MAX ? INT32_MAX : rounded < INT32_MIN ? INT32_MIN : (int32_t)rounded;
}

/* The product has up to 95 bits: its lower part is rounded first, which changes nothing since only the floor counts. */
int32_t arith_mul_fixed_once_i64(int64_t x, arith_multiplier m)
{
    const int total = 31 - m.shift; /* 1..62 */
    const int64_t limit = (int64_t)1 << 55;
    x = x < -limit ? -limit : x > limit ? limit : x;
    if (total < 24) /* a multiplier of 2^7 and more */
        return arith_mul_fixed_once(x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : (int32_t)x, m);
    const int64_t low = (x & 0xffffff) * m.mantissa + ((int64_t)1 << (total - 1));
    const int64_t rounded = ((x >> 24) * m.mantissa + (low >> 24)) >> (total - 24);
    return rounded > INT32_MAX ? INT32_MAX : rounded < INT32_MIN ? INT32_MIN : (int32_t)rounded;
}

int32_t arith_mul_fixed_i64(int64_t x, arith_multiplier m)
{
    const int32_t upper = m.mantissa < 0x7fff0000 ? (m.mantissa + (1 << 15)) >> 16 : 0x7fff;
    const int total = 15 - m.shift;
    if (total < 1) /* a multiplier of 2^14 and more */
        return x > 0 ? INT32_MAX : x < 0 ? INT32_MIN : 0;
    const int64_t limit = (int64_t)1 << 47;
    x = x < -limit ? -limit : x > limit - 1 ? limit - 1 : x;
    const int64_t rounded = (x * upper + ((int64_t)1 << (total - 1))) >> total;
    return rounded > INT32_MAX ? INT32_MAX : rounded < INT32_MIN ? INT32_MIN : (int32_t)rounded;
}
