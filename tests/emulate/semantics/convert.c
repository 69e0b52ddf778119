/* convert.c: convert.def, and what an expression can't say.  What does not fit an integer becomes its "indefinite"
 * value. */
#include <math.h>

#include "operand.h"
#include "semantics.h"

/* v is whole. */
static int32_t to_i32(double v) { return v >= INT32_MIN && v <= INT32_MAX ? (int32_t)v : INT32_MIN; }
static int64_t to_i64(double v) { return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN; }
static uint32_t to_u32(double v) { return v >= 0 && v <= UINT32_MAX ? (uint32_t)v : UINT32_MAX; }
static uint64_t to_u64(double v) { return v >= 0 && v < 0x1p64 ? (uint64_t)v : UINT64_MAX; }

#include "shapes.h"

static uint16_t to_half(float v, unsigned imm)
{
    switch (imm & 4 ? 4 : imm & 3) {
    case 0: return _cvtss_sh(v, 0);
    case 1: return _cvtss_sh(v, 1);
    case 2: return _cvtss_sh(v, 2);
    case 3: return _cvtss_sh(v, 3);
    default: return _cvtss_sh(v, 4); /* as mxcsr says */
    }
}

RUN(VCVTPS2PH)
{
    vector room, d = {{0}};
    const vector *x = operand_vector(in, s, 1, 0, &room);

    for (unsigned i = 0; i < 16; i++)
        d.u16[i] = to_half(x->f32[i], operand_immediate(in, 2));
    operand_write(in, s, &d, 2, in->bytes / 2);
}

/* A general register, or memory, of 4 or 8 bytes, with its sign. */
static int64_t signed_scalar(const instruction *in, const state *s, int i)
{
    const uint64_t v = operand_scalar(in, s, i);

    return in->o[i].bytes == 8 ? (int64_t)v : (int32_t)v;
}

/* Lane 0 of the first source becomes an integer. */
#define FROM_INTEGER(NAME, T, value)                                                                                   \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector d = s->z[in->o[1].number];                                                                              \
        d.T[0] = (TYPE(T))(value);                                                                                     \
        operand_write_whole(in, s, &d, 16);                                                                            \
    }
FROM_INTEGER(VCVTSI2SS, f32, signed_scalar(in, s, 2))
FROM_INTEGER(VCVTSI2SD, f64, signed_scalar(in, s, 2))
FROM_INTEGER(VCVTUSI2SS, f32, operand_scalar(in, s, 2))
FROM_INTEGER(VCVTUSI2SD, f64, operand_scalar(in, s, 2))

#define BETWEEN(NAME, D, S)                                                                                            \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d = s->z[in->o[1].number];                                                                        \
        const TYPE(S) b = operand_vector(in, s, 2, WIDTH(S), &room)->S[0];                                             \
        d.D[0] = active_lanes(in, s) & 1 ? (TYPE(D))b : in->zeroing ? 0 : s->z[in->o[0].number].D[0];                  \
        operand_write_whole(in, s, &d, 16);                                                                            \
    }
BETWEEN(VCVTSS2SD, f64, f32)
BETWEEN(VCVTSD2SS, f32, f64)

#define TO_INTEGER(NAME, S, round, sign)                                                                               \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room;                                                                                                   \
        const double v = round(operand_vector(in, s, 1, 0, &room)->S[0]);                                              \
        const bool wide = in->o[0].bytes == 8;                                                                         \
        operand_write_scalar(in, s, wide ? (uint64_t)to_##sign##64(v) : (uint64_t)to_##sign##32(v), in->o[0].bytes);   \
    }
TO_INTEGER(VCVTSS2SI, f32, rint, i)
TO_INTEGER(VCVTTSS2SI, f32, trunc, i)
TO_INTEGER(VCVTSD2SI, f64, rint, i)
TO_INTEGER(VCVTTSD2SI, f64, trunc, i)
TO_INTEGER(VCVTSS2USI, f32, rint, u)
TO_INTEGER(VCVTTSS2USI, f32, trunc, u)
TO_INTEGER(VCVTSD2USI, f64, rint, u)
TO_INTEGER(VCVTTSD2USI, f64, trunc, u)

#include "convert.def"

#include "rows.h"

static const semantics_row rows[] = {
#include "convert.def"
};
const semantics_table semantics_convert = {rows, sizeof rows / sizeof *rows};
