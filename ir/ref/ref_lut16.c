/* ref_lut16.c: functions of 16-bit values by interpolation between 512 nodes (256 for the sigmoid).
 *
 * Nodes are not samples: each is moved by half of what linear interpolation misses in the middle of the interval to
 * its right, which halves the largest error. */
#include "ir/ref/ref_lut16.h"

static int16_t clamp_i16(double x) { return (int16_t)ir_truncated(x, INT16_MIN, INT16_MAX); }

/* Every operation rounds to REAL, as in the kernels that this has to match: float tables for element-wise ops, double
 * for softmax. */
#define FILL(REAL, ROUND, FUNCTION)                                                                                    \
    const REAL x_min = x_scale * (REAL)(INT16_MIN - x_zero), x_max = x_scale * (REAL)(INT16_MAX - x_zero);             \
    const REAL y_min = y_scale * (REAL)(INT16_MIN - y_zero), y_max = y_scale * (REAL)(INT16_MAX - y_zero);             \
    const REAL step = (x_max - x_min) / IR_LUT16_STEPS, half_step = step / 2, inverse = (REAL)65536 / (y_max - y_min); \
    for (int i = 0; i < IR_LUT16_STEPS; i++) {                                                                         \
        const REAL here = FUNCTION(x_min + (REAL)i * step), middle = FUNCTION(x_min + (REAL)i * step + half_step);     \
        const REAL next = FUNCTION(x_min + (REAL)(i + 1) * step);                                                      \
        const REAL sample = ROUND(here * inverse);                                                                     \
        const REAL chord = ROUND((next * inverse + sample) / 2), bias = ROUND((chord - ROUND(middle * inverse)) / 2);  \
        table->at[i] = clamp_i16((double)(sample - bias));                                                             \
    }                                                                                                                  \
    table->at[IR_LUT16_STEPS] = clamp_i16((double)ROUND(FUNCTION(x_max) * inverse))

void ir_lut16_fill(ir_lut16 *table, ir_quant_point x, ir_quant_point y, ir_lut16_function *f, const void *context)
{
    const float x_scale = x.scale, y_scale = y.scale;
    const int32_t x_zero = x.zero, y_zero = y.zero;
#define AT(v) f((v), context)
    FILL(float, roundf, AT);
#undef AT
}

static double reciprocal_1_plus(double x) { return 1.0 / (1.0 + x); }

static void fill_double(ir_lut16 *table, double x_scale, int32_t x_zero, double y_scale, double (*f)(double))
{
    const int32_t y_zero = 0;
    FILL(double, round, f);
}

int16_t ir_lut16_at(const ir_lut16 *table, int32_t x)
{
    const int index = 256 + (x >> 7);
    const int32_t base = table->at[index], slope = (int16_t)(table->at[index + 1] - base);
    return (int16_t)(base + ((slope * (x & 127) + 64) >> 7));
}

/* ---- Sigmoid ---- */

static double sigmoid_unit(double x) { return 65536.0 / (1.0 + exp(-x / 24.0)); }

void ir_sigmoid16_init(ir_sigmoid16 *s, bool tanh, float scale)
{
    for (int i = 0; i < 256; i++) {
        const double missed = sigmoid_unit(i + 0.5) - (sigmoid_unit(i) + sigmoid_unit(i + 1)) / 2;
        s->table[i] = (uint16_t)(i == 255 ? 65535 : floor(sigmoid_unit(i) + missed / 2 + 0.5));
    }
    s->tanh = tanh;
    /* Powers of two need no rounding: 2^-12, and 2^-11 for tanh. */
    const double log = log2((double)scale), whole = round(log);
    const int shift = whole < -1000 ? -1000 : whole > 1000 ? 1000 : 12 + (int)whole;
    if (fabs(log - whole) < 1e-3 && (shift == 0 || (tanh && shift == 1))) {
        s->multiplier = 3 << shift;
        s->shift = 0;
        return;
    }
    double multiplier = scale * 4096.0 * 3.0;
    s->shift = 0;
    while (multiplier <= 32767.0 / 2.0 && s->shift <= 30) {
        s->shift++;
        multiplier *= 2.0;
    }
    s->multiplier = (int32_t)ir_truncated(multiplier, 0, INT32_MAX);
}

int16_t ir_sigmoid16_at(const ir_sigmoid16 *s, int32_t x)
{
    const int bits = s->tanh ? 8 : 9; /* tanh(x) = 2 sigmoid(2x) - 1 */
    const int64_t scaled = ((int64_t)x * s->multiplier + (s->shift > 0 ? (int64_t)1 << (s->shift - 1) : 0)) >> s->shift;
    const int64_t magnitude = scaled < 0 ? -scaled : scaled, node = magnitude >> bits;
    int64_t y;
    if (node >= 255) {
        y = s->tanh ? (int64_t)0xffff << 8 : (int64_t)0x7fff << 10;
    } else {
        const int64_t here = s->table[node], next = s->table[node + 1];
        y = (here << bits) + (magnitude & ((1 << bits) - 1)) * (next - here);
    }
    if (s->tanh)
        return (int16_t)((scaled >= 0 ? y - (1 << 23) + 128 : -y + (1 << 23) + 127) >> 8);
    return (int16_t)((scaled >= 0 ? y + 512 : (1 << 25) - y + 511) >> 10);
}

/* ---- Softmax: exponentials of differences down to -10, in Q0.15 ---- */

void ir_softmax16_init(ir_softmax16 *s, ir_enum_ROUNDING rounding, float scale, float beta)
{
    fill_double(&s->exponential, 10.0 / 65535, INT16_MAX, 2.0 / 65535, exp);
    fill_double(&s->reciprocal, 1.0 / 65535, INT16_MIN, 2.0 / 65535, reciprocal_1_plus);
    s->difference = arith_multiplier_of((double)(scale * beta) / (10.0 / 65535.0));
    s->rounding = rounding;
}

void ir_softmax16_row(const ir_softmax16 *s, int32_t row[], int64_t n)
{
    int32_t max = INT16_MIN;
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        max = max < row[i] ? row[i] : max;
    for (int64_t i = 0; i < n; i++) {
        const int64_t x = (int64_t)ir_mul_fixed(s->rounding, row[i] - max, s->difference) + INT16_MAX;
        row[i] = ir_lut16_at(&s->exponential, ir_clamp_i32(x, INT16_MIN, INT16_MAX));
        sum += (uint32_t)row[i];
    }
    const int zeros = sum ? __builtin_clz(sum) : 31;
    const int64_t one_to_two =
        (((int64_t)(int32_t)sum << (zeros ? zeros - 1 : 0)) + (1 << 13)) >> 14; /* in units of 2^-16 */
    const int32_t reciprocal =
        ir_lut16_at(&s->reciprocal, ir_clamp_i32(one_to_two - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX));
    const int shift = 31 - zeros > 0 ? 31 - zeros : 1;
    for (int64_t i = 0; i < n; i++)
        row[i] = ir_clamp_i32(((int64_t)row[i] * reciprocal + ((int64_t)1 << (shift - 1))) >> shift, 0, INT16_MAX);
}
