/* float.c: float.def, and what an expression can't say.  Zeros, infinities and NaNs are those of the CPU's manual. */
#include <math.h>

#include "operand.h"
#include "semantics.h"

/* Which of the four outcomes of a comparison satisfy a predicate; from 16 on the same, with other exceptions. */
static bool holds(double a, double b, unsigned predicate)
{
    enum { L = 1, E = 2, G = 4, U = 8 };
    static const uint8_t outcomes[16] = {E,     L,     L | E,     U, L | G | U, E | G | U, G | U, L | E | G,
                                         E | U, L | U, L | E | U, 0, L | G,     E | G,     G,     L | E | G | U};
    const unsigned outcome = isnan(a) || isnan(b) ? U : a < b ? L : a > b ? G : E;

    return outcomes[predicate & 15] & outcome;
}

static double quiet(double a) { return a + a; }

static double rounded(double a, unsigned imm)
{
    if (imm & 4)
        return rint(a); /* as mxcsr says */
    switch (imm & 3) {
    case 0: return _mm_cvtsd_f64(_mm_round_pd(_mm_set_sd(a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    case 1: return floor(a);
    case 2: return ceil(a);
    default: return trunc(a);
    }
}

/* vrndscale: to a multiple of 2^-(imm / 16). */
static double round_scaled(double a, unsigned imm)
{
    const int shift = (int)(imm >> 4);

    if (isnan(a))
        return quiet(a);
    if (isinf(a) || fabs(a) >= 0x1p52)
        return a;
    return copysign(ldexp(rounded(ldexp(a, shift), imm), -shift), a);
}

static float round_scaled_32(float a, unsigned imm) { return isnan(a) ? a + a : (float)round_scaled(a, imm); }

static bool is_quiet_32(float a) { return isnan(a) && ((vector){.f32 = {a}}.u32[0] & 1u << 22); }
static bool is_quiet(double a) { return isnan(a) && ((vector){.f64 = {a}}.u64[0] & 1ull << 51); }

/* vscalef: a times 2^floor(b); of a quiet NaN an infinite b leaves nothing (the manual's table of special cases). */
static double scale(double a, double b)
{
    if (is_quiet(a) && isinf(b))
        return b > 0 ? INFINITY : 0;
    if (isnan(a) || isnan(b))
        return a + b;
    if (isinf(b))
        return a * (b > 0 ? INFINITY : 0);
    return ldexp(a, (int)fmax(-5000, fmin(5000, floor(b))));
}

static float scale_32(float a, float b)
{
    if (is_quiet_32(a) && isinf(b))
        return b > 0 ? INFINITY : 0;
    if (isnan(a))
        return a + a;
    if (isnan(b) || isinf(b))
        return (float)scale(a, b);
    return ldexpf(a, (int)fmaxf(-5000, fminf(5000, floorf(b))));
}

#include "shapes.h"

RUN(VCMPSS)
{
    vector room;
    const float a = s->z[in->o[1].number].f32[0], b = operand_vector(in, s, 2, 4, &room)->f32[0];

    operand_write_mask(in, s, holds(a, b, operand_immediate(in, 3)), 1);
}

RUN(VCMPSD)
{
    vector room;
    const double a = s->z[in->o[1].number].f64[0], b = operand_vector(in, s, 2, 8, &room)->f64[0];

    operand_write_mask(in, s, holds(a, b, operand_immediate(in, 3)), 1);
}

static void compare_to_flags(state *s, double a, double b)
{
    const bool unordered = isnan(a) || isnan(b);

    operand_write_flags(s, unordered || a == b, unordered, unordered || a < b);
}

RUN(VUCOMISS)
{
    vector room;

    compare_to_flags(s, s->z[in->o[0].number].f32[0], operand_vector(in, s, 1, 0, &room)->f32[0]);
}

RUN(VUCOMISD)
{
    vector room;

    compare_to_flags(s, s->z[in->o[0].number].f64[0], operand_vector(in, s, 1, 0, &room)->f64[0]);
}

#include "float.def"

#include "rows.h"

static const semantics_row rows[] = {
#include "float.def"
};
const semantics_table semantics_float = {rows, sizeof rows / sizeof *rows};
