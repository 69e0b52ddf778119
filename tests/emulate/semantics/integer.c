/* integer.c: integer.def, and what an expression can't say. */
#include "operand.h"
#include "semantics.h"

/* Predicates of vpcmp. */
#define HOLDS(a, b, predicate)                                                                                         \
    ((((predicate)&3) == 0   ? (a) == (b)                                                                              \
      : ((predicate)&3) == 1 ? (a) < (b)                                                                               \
      : ((predicate)&3) == 2 ? (a) <= (b)                                                                              \
                             : 0) != (((predicate)&4) != 0))

static inline int32_t clamp_32(int64_t v)
{
    return (int32_t)(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
}

static unsigned differences(const uint8_t *x, const uint8_t *y)
{
    unsigned sum = 0;

    for (int j = 0; j < 8; j++)
        sum += x[j] > y[j] ? (unsigned)(x[j] - y[j]) : (unsigned)(y[j] - x[j]);
    return sum;
}

#include "shapes.h"

/* The sources are widened to 16 bits, even and odd bytes apart: products and sums of two fit vpmaddwd. */
RUN(VPDPBUSD)
{
    vector x_room, y_room, d = s->z[in->o[0].number];
    const vector *x = operand_vector(in, s, 1, 0, &x_room), *y = operand_vector(in, s, 2, 4, &y_room);
    const __m256i low = _mm256_set1_epi16(0xff);

    HALVES
    {
        const __m256i u = x->half[h], w = y->half[h];
        const __m256i even = _mm256_madd_epi16(_mm256_and_si256(u, low), _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
        const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(w, 8));
        d.half[h] = _mm256_add_epi32(d.half[h], _mm256_add_epi32(even, odd));
    }
    operand_write(in, s, &d, 4, in->bytes);
}

RUN(VPDPWSSD)
{
    vector room, d = s->z[in->o[0].number];
    const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, 4, &room);

    HALVES d.half[h] = _mm256_add_epi32(d.half[h], _mm256_madd_epi16(x->half[h], y->half[h]));
    operand_write(in, s, &d, 4, in->bytes);
}

/* Their saturation is one, of the whole sum. */
RUN(VPDPBUSDS)
{
    vector room, d = s->z[in->o[0].number];
    const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, 4, &room);

    EACH(i32)
    {
        int64_t sum = d.i32[i];
        for (unsigned j = 4 * i; j < 4 * i + 4; j++)
            sum += x->u8[j] * y->i8[j];
        d.i32[i] = clamp_32(sum);
    }
    operand_write(in, s, &d, 4, in->bytes);
}

RUN(VPDPWSSDS)
{
    vector room, d = s->z[in->o[0].number];
    const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, 4, &room);

    EACH(i32)
    d.i32[i] = clamp_32((int64_t)d.i32[i] + (int64_t)x->i16[2 * i] * y->i16[2 * i] +
                        (int64_t)x->i16[2 * i + 1] * y->i16[2 * i + 1]);
    operand_write(in, s, &d, 4, in->bytes);
}

/* Bit abc of the immediate is the result where the destination has a, the sources b and c. */
static void ternary_logic(const instruction *in, state *s, unsigned lane)
{
    vector room, d;
    const vector *a = &s->z[in->o[0].number], *b = operand_vector(in, s, 1, 0, &room);
    const vector *c = operand_vector(in, s, 2, lane, &room);
    const unsigned table = operand_immediate(in, 3);

    for (int i = 0; i < 8; i++)
        d.u64[i] = 0;
    for (unsigned row = 0; row < 8; row++) {
        if (!(table >> row & 1))
            continue;
        const uint64_t not_a = row & 4 ? 0 : ~0ull, not_b = row & 2 ? 0 : ~0ull, not_c = row & 1 ? 0 : ~0ull;
        for (int i = 0; i < 8; i++)
            d.u64[i] |= (a->u64[i] ^ not_a) & (b->u64[i] ^ not_b) & (c->u64[i] ^ not_c);
    }
    operand_write(in, s, &d, lane, in->bytes);
}
RUN(VPTERNLOGD) { ternary_logic(in, s, 4); }
RUN(VPTERNLOGQ) { ternary_logic(in, s, 8); }

#include "integer.def"

#include "rows.h"

static const semantics_row rows[] = {
#include "integer.def"
};
const semantics_table semantics_integer = {rows, sizeof rows / sizeof *rows};
