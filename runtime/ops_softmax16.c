/* ops_softmax16.c: softmax of 16-bit rows, see ops.h: in floats, or by TFLite's interpolated tables, which the compiler
 * makes.  Rows are read anew instead of kept: nothing is allocated. */
#include "runtime/ops.h"

#include <math.h>

#include "arith/fixed_point.h"

enum { ONCE_BITS = 31 };

static int32_t largest(const int16_t *x, int64_t n)
{
    int32_t max = INT16_MIN;
    for (int64_t i = 0; i < n; i++)
        max = max < x[i] ? x[i] : max;
    return max;
}

static int32_t clamped(int64_t v, int32_t min, int32_t max) { return v < min ? min : v > max ? max : (int32_t)v; }

/* Linear between nodes 128 integers apart. */
static int32_t between(const int16_t table[513], int32_t x)
{
    const int index = 256 + (x >> 7);
    return (int16_t)(table[index] + (((int16_t)(table[index + 1] - table[index]) * (x & 127) + 64) >> 7));
}

static int32_t scaled(const qcc_op_softmax_table16 *c, int32_t x)
{
    if (c->twice) {
        const int left = c->shift > 0 ? c->shift : 0, right = c->shift > 0 ? 0 : -c->shift;
        return arith_fixed_shift_right(arith_fixed_product((int32_t)((uint32_t)x << (left & 31)), c->mantissa), right);
    }
    const int total = ONCE_BITS - c->shift;
    return total > 62
               ? 0
               : clamped(((int64_t)x * c->mantissa + ((int64_t)1 << (total - 1))) >> total, INT32_MIN, INT32_MAX);
}

static int32_t exponential(const qcc_op_softmax_table16 *c, int32_t difference)
{
    return between(c->exponential, clamped((int64_t)scaled(c, difference) + INT16_MAX, INT16_MIN, INT16_MAX));
}

void qcc_op_softmax16_fixed(const qcc_op_softmax_table16 *c, const int16_t *x, int16_t *y, int64_t rows,
                            int64_t columns)
{
    for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
        const int32_t max = largest(x, columns);
        uint32_t sum = 0;
        for (int64_t i = 0; i < columns; i++)
            sum += (uint32_t)exponential(c, x[i] - max);
        const int zeros = sum ? __builtin_clz(sum) : 31;
        const int64_t one_to_two = (((int64_t)(int32_t)sum << (zeros ? zeros - 1 : 0)) + (1 << 13)) >> 14;
        const int32_t reciprocal =
            between(c->reciprocal, clamped(one_to_two - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX));
        const int shift = 31 - zeros > 0 ? 31 - zeros : 1;
        for (int64_t i = 0; i < columns; i++)
            y[i] = (int16_t)clamped(((int64_t)exponential(c, x[i] - max) * reciprocal + ((int64_t)1 << (shift - 1))) >>
                                        shift,
                                    0, INT16_MAX);
    }
}

static int16_t rounded(const qcc_op_softmax_real16 *c, float v)
{
    if (!(v > (float)(INT16_MIN - c->zero_y)))
        return INT16_MIN;
    return v >= (float)(INT16_MAX - c->zero_y) ? INT16_MAX : (int16_t)(lrintf(v) + c->zero_y);
}

void qcc_op_softmax16_real(const qcc_op_softmax_real16 *c, const int16_t *x, int16_t *y, int64_t rows, int64_t columns)
{
    for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
        const float max = (float)(largest(x, columns) - c->zero_x) * c->scale_x;
        float sum = 0;
        for (int64_t i = 0; i < columns; i++)
            sum += expf(((float)(x[i] - c->zero_x) * c->scale_x - max) * c->beta);
        for (int64_t i = 0; i < columns; i++) {
            const float part = expf(((float)(x[i] - c->zero_x) * c->scale_x - max) * c->beta) / sum;
            y[i] = rounded(c, part * c->inverse_scale_y);
        }
    }
}
