/* oracle_lanes.c: bit by bit, in loops and in long double: another way than that of the emulator's tables. */
#include "oracle_lanes.h"

#include <math.h>

static long double real(uint64_t bits, unsigned width)
{
    const vector v = {.u64 = {bits}};

    return width == 4 ? (long double)v.f32[0] : (long double)v.f64[0];
}

static uint64_t of_real(long double value, unsigned width)
{
    vector v = {.u64 = {0}};

    if (width == 4)
        v.f32[0] = (float)value;
    else
        v.f64[0] = (double)value;
    return v.u64[0];
}

/* ---- Integers, one lane ---- */

uint64_t lane_multiply(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;

    for (int bit = 63; bit >= 0; bit--)
        sum = sum + sum + (b >> bit & 1 ? a : 0);
    return sum;
}

/* Bit i of the result is bit i + by of a; beyond the ends it is `beyond`, or comes round. */
static uint64_t moved(uint64_t a, int64_t by, int width, bool round, bool beyond)
{
    uint64_t bits = 0;

    for (int i = 0; i < 8 * width; i++) {
        const int64_t from = round ? (int64_t)((uint64_t)(i + by) % (uint64_t)(8 * width)) : i + by;
        const bool inside = from >= 0 && from < 8 * width;
        bits |= (uint64_t)(inside ? a >> from & 1 : beyond) << i;
    }
    return bits;
}

uint64_t lane_shifted(const sample *s, uint64_t a, uint64_t count, unsigned width)
{
    const int64_t by = count > 64 ? 64 : (int64_t)count;
    const bool negative = a >> (8 * width - 1) & 1;

    if (named(s, "vpro"))
        return moved(a, contains(s, "vprol") ? 64 * 8 - (int64_t)(count % 64) : (int64_t)(count % 64), (int)width, true,
                     false);
    return moved(a, contains(s, "vpsll") ? -by : by, (int)width, false, contains(s, "vpsra") && negative);
}

uint64_t lane_leading_zeros(uint64_t a, unsigned width)
{
    uint64_t n = 0;

    while (n < 8 * width && !(a >> (8 * width - 1 - n) & 1))
        n++;
    return n;
}

uint64_t lane_logic(uint64_t a, uint64_t b, uint64_t c, unsigned table, unsigned width)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 8 * width; i++)
        bits |= (uint64_t)(table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i;
    return bits;
}

/* vpdp…: products of bytes or words, into 32 bits. */
uint64_t lane_dot(const sample *s, unsigned i)
{
    const unsigned width = contains(s, "busd") ? 1 : 2;
    int64_t sum = with_sign(get(&s->own, 4, i), 4);

    for (unsigned j = 0; j < 4 / width; j++) {
        const uint64_t a = get(&s->x, width, i * 4 / width + j);
        sum += (width == 1 ? (int64_t)a : with_sign(a, 2)) * with_sign(get(&s->y, width, i * 4 / width + j), width);
    }
    if (s->name[strlen(s->name) - 1] == 's')
        sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
    return (uint64_t)sum;
}

uint64_t lane_least(const sample *s, uint64_t a, uint64_t b)
{
    const uint64_t bias = named(s, "vpmins") || named(s, "vpmaxs") ? 1ull << 63 : 0;
    const bool first = (a ^ bias) < (b ^ bias);

    return first == !!contains(s, "vpmin") ? a : b;
}

/* ---- Floats, one lane ---- */

static uint64_t quiet(uint64_t bits, unsigned width) { return bits | 1ull << (width == 4 ? 22 : 51); }

uint64_t lane_rounded(const sample *s, uint64_t bits, unsigned width)
{
    const long double v = real(bits, width), unit = exp2l(-(long double)(s->imm >> 4));
    long double r;

    if (isnan(v))
        return quiet(bits, width);
    if (isinf(v) || v == 0)
        return bits;
    switch (s->imm & 4 ? 0 : s->imm & 3) {
    case 0: r = rintl(v / unit); break;
    case 1: r = floorl(v / unit); break;
    case 2: r = ceill(v / unit); break;
    default: r = truncl(v / unit); break;
    }
    return of_real(copysignl(r * unit, v), width);
}

uint64_t lane_scaled(uint64_t a, uint64_t b, unsigned width)
{
    const long double v = real(a, width), by = real(b, width);

    if (isnan(v) && quiet(a, width) == a && isinf(by))
        return of_real(by > 0 ? INFINITY : 0, width);
    if (isnan(v))
        return quiet(a, width);
    if (isnan(by))
        return quiet(b, width);
    if ((isinf(v) && by == -INFINITY) || (v == 0 && by == INFINITY))
        return width == 4 ? 0xffc00000 : 0xfff8000000000000;
    return of_real(v * exp2l(floorl(by)), width);
}

bool lane_compared(uint64_t a_bits, uint64_t b_bits, unsigned width, unsigned predicate)
{
    const long double a = real(a_bits, width), b = real(b_bits, width);
    const bool unordered = isnan(a) || isnan(b), negated = predicate & 4;
    bool holds;

    switch (predicate & 3) {
    case 0: holds = a == b; break;
    case 1: holds = a < b; break;
    case 2: holds = a <= b; break;
    default: holds = unordered; break;
    }
    /* From 8 on what NaN makes of it is turned round, and 3 and 7 don't look at the operands. */
    if ((predicate & 15) < 8)
        return holds != negated;
    if ((predicate & 3) == 3)
        return negated;
    return unordered ? !negated : holds != negated;
}

/* What a real number becomes; width and sign of the integer. */
static uint64_t to_integer(long double v, bool truncate, unsigned width, bool is_signed)
{
    const long double whole = truncate ? truncl(v) : rintl(v), top = exp2l(8 * width - (is_signed ? 1 : 0));

    if (isnan(v) || whole >= top || whole < (is_signed ? -top : 0))
        return is_signed ? 1ull << (8 * width - 1) : width == 8 ? ~0ull : (1ull << 8 * width) - 1;
    return whole < 0 ? (uint64_t)(int64_t)whole : (uint64_t)whole;
}

static uint64_t half_to_float(uint64_t h)
{
    const unsigned exponent = h >> 10 & 31;
    const long double fraction = (long double)(h & 1023) / 1024, sign = h >> 15 ? -1 : 1;

    if (exponent == 31)
        return (h >> 15) << 31 | 0x7f800000 | (h & 1023) << 13 | (h & 1023 ? 1u << 22 : 0);
    return of_real(
        copysignl(exponent ? (1 + fraction) * exp2l((long double)exponent - 15) : fraction * exp2l(-14), sign), 4);
}

static uint64_t float_to_half(uint64_t bits)
{
    const uint64_t sign = bits >> 31 << 15;
    const long double v = fabsl(real(bits, 4));
    int exponent = 0;

    if (isnan(v))
        return sign | 0x7e00 | (bits >> 13 & 1023);
    frexpl(v, &exponent);
    const int least_bit = exponent - 11 < -24 ? -24 : exponent - 11;
    const long double r = rintl(v / exp2l(least_bit)) * exp2l(least_bit);
    if (r >= 65520 || isinf(v))
        return sign | 0x7c00;
    if (r < exp2l(-14))
        return sign | (uint64_t)(r * exp2l(24));
    frexpl(r, &exponent);
    return sign | (uint64_t)(exponent + 14) << 10 | ((uint64_t)(r * exp2l(11 - exponent)) & 1023);
}

/* ---- Conversions ---- */

/* A type is the letters of its name: w, u, q of integers, p, s of reals. */
uint64_t lane_converted(const sample *s, uint64_t bits, unsigned from, unsigned to)
{
    const char *arrow = strrchr(s->name, '2');
    const bool truncate = named(s, "vcvtt");
    const bool unsigned_from = named(s, "vcvtu") && !truncate, unsigned_to = arrow && arrow[1] == 'u';
    const bool from_real = !named(s, "vcvtdq") && !named(s, "vcvtudq") && !named(s, "vcvtqq") && !named(s, "vcvtuqq") &&
                           !named(s, "vcvtsi") && !named(s, "vcvtusi");
    const bool to_real = arrow && (arrow[1] == 'p' || (arrow[1] == 's' && arrow[2] != 'i'));

    if (named(s, "vcvtph2ps"))
        return half_to_float(bits);
    if (named(s, "vcvtps2ph"))
        return float_to_half(bits);
    if (!from_real)
        return of_real(unsigned_from ? (long double)bits : (long double)with_sign(bits, from), to);
    if (!to_real)
        return to_integer(real(bits, from), truncate, to, !unsigned_to);
    if (isnan(real(bits, from)))
        return from == 4 ? (bits >> 31) << 63 | 0x7ff8000000000000 | (bits & 0x7fffff) << 29
                         : (bits >> 63) << 31 | 0x7fc00000 | (bits >> 29 & 0x7fffff);
    return of_real(real(bits, from), to);
}

/* vpmov…: sign or zero extension, truncation with or without saturation. */
uint64_t lane_resized(const sample *s, uint64_t bits, unsigned from, unsigned to)
{
    const int64_t v = with_sign(bits, from), top = to < 8 ? (int64_t)1 << (8 * to - 1) : 0;

    if (named(s, "vpmovsx"))
        return (uint64_t)v;
    if (named(s, "vpmovus"))
        return bits >> 8 * to ? (1ull << 8 * to) - 1 : bits;
    if (named(s, "vpmovs"))
        return (uint64_t)(v >= top ? top - 1 : v < -top ? -top : v);
    return bits;
}
