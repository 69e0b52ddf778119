/* ops_normalize.c: softmax, log_softmax and l2_normalize of 8-bit rows in fixed point, see ops.h.  The arithmetic is
 * ir/fixed_point.c's, which is compiled into this library too; tables by difference come from the compiler. */
#include "runtime/ops.h"

#include <math.h>

#include "arith/fixed_point.h"

static int32_t clamp_byte(int64_t v) { return v < 0 ? 0 : v > 255 ? 255 : (int32_t)v; }

static int32_t scaled(const qcc_op_normalize *c, int32_t x, int32_t mantissa, int32_t shift)
{
    if (c->twice) {
        int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
        int32_t moved = left > 31 ? 0 : (int32_t)((uint32_t)x << left);
        return arith_fixed_shift_right(arith_fixed_product(moved, mantissa), right);
    }
    int total = 31 - shift;
    return total > 62 ? 0 : (int32_t)(((int64_t)x * mantissa + ((int64_t)1 << (total - 1))) >> total);
}

static int32_t largest(const uint8_t *x, int64_t n)
{
    int32_t max = 0;
    for (int64_t i = 0; i < n; i++)
        max = max < x[i] ? x[i] : max;
    return max;
}

static int32_t sum_of_exponentials(const qcc_op_normalize *c, const uint8_t *x, int64_t n, int32_t max)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint32_t)arith_fixed_shift_right(c->exponentials[max - x[i]], 12);
    return (int32_t)sum;
}

/* How a row's exponentials become its shares, in units of 2^-bits. */
typedef struct share {
    int32_t scale, max;
    int shift;
} share;

static share share_of(const qcc_op_normalize *c, const uint8_t *x, int64_t n, int bits)
{
    share s = {.max = largest(x, n)};
    int over_unit;
    s.scale = arith_fixed_reciprocal(sum_of_exponentials(c, x, n, s.max), 12, &over_unit);
    s.shift = over_unit + 31 - bits < 0 ? 0 : over_unit + 31 - bits;
    return s;
}

static int32_t share_at(const qcc_op_normalize *c, const share *s, uint8_t x)
{
    return arith_fixed_shift_right(arith_fixed_product(s->scale, c->exponentials[s->max - x]), s->shift);
}

void qcc_op_softmax(const qcc_op_normalize *c, const uint8_t *x, uint8_t *y, int64_t rows, int64_t columns)
{
    for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
        const share s = share_of(c, x, columns, 8);
        for (int64_t i = 0; i < columns; i++)
            y[i] = (uint8_t)clamp_byte(share_at(c, &s, x[i]));
    }
}

void qcc_op_softmax_wide(const qcc_op_normalize *c, const uint8_t *x, int16_t *y, int64_t rows, int64_t columns)
{
    for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
        const share s = share_of(c, x, columns, 16);
        for (int64_t i = 0; i < columns; i++) {
            const int32_t q = share_at(c, &s, x[i]);
            y[i] = (int16_t)((q < 0 ? 0 : q > 65535 ? 65535 : q) - 32768);
        }
    }
}

void qcc_op_log_softmax(const qcc_op_normalize *c, const uint8_t *x, uint8_t *y, int64_t rows, int64_t columns)
{
    for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
        const int32_t max = largest(x, columns), log_sum = arith_fixed_log_q12(sum_of_exponentials(c, x, columns, max));
        const int32_t least = (int32_t)((uint32_t)log_sum + (uint32_t)INT32_MIN);
        const int32_t by_range = scaled(c, least, c->from_q5_mantissa, c->from_q5_shift);
        const int32_t limit = c->difference_min - 1 > by_range ? c->difference_min - 1 : by_range;
        for (int64_t i = 0; i < columns; i++) {
            const int32_t difference = x[i] - max;
            const int32_t q5 = (int32_t)((uint32_t)c->differences[-difference] - (uint32_t)log_sum);
            y[i] = difference <= limit ? 0 : (uint8_t)clamp_byte((int64_t)arith_fixed_shift_right(q5, 22) + 255);
        }
    }
}

void qcc_op_l2_normalize(const qcc_op_normalize *c, const uint8_t *x, uint8_t *y, int64_t rows, int64_t columns)
{
    for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
        uint32_t sum = 0;
        for (int64_t i = 0; i < columns; i++)
            sum += (uint32_t)((x[i] - c->zero_x) * (x[i] - c->zero_x));
        arith_multiplier inverse = arith_fixed_inverse_sqrt(sum > INT32_MAX ? INT32_MAX : (int32_t)sum);
        inverse.shift += c->was_signed ? 7 : 0;
        for (int64_t i = 0; i < columns; i++) {
            const int32_t centred = x[i] - c->zero_x;
            y[i] = (uint8_t)clamp_byte(
                (int64_t)scaled(c, c->was_signed ? centred : 128 * centred, inverse.mantissa, inverse.shift) + 128);
        }
    }
}
