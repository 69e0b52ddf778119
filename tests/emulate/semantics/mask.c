/* mask.c: mask.def, and what an expression can't say. */
#include "operand.h"
#include "semantics.h"
#include "shapes.h"

/* Between mask registers, general registers and memory. */
static void move(const instruction *in, state *s, unsigned bytes)
{
    const uint64_t bits = operand_scalar(in, s, 1) & low_bits(8 * bytes);

    if (in->o[0].kind == OPERAND_MASK)
        s->k[in->o[0].number] = bits;
    else
        operand_write_scalar(in, s, bits, bytes);
}
RUN(KMOVB) { move(in, s, 1); }
RUN(KMOVW) { move(in, s, 2); }
RUN(KMOVD) { move(in, s, 4); }
RUN(KMOVQ) { move(in, s, 8); }

#define FROM_MASK(NAME, T)                                                                                             \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        const uint64_t bits = s->k[in->o[1].number];                                                                   \
        vector d;                                                                                                      \
        EACH(T) d.T[i] = bits >> i & 1 ? -1 : 0;                                                                       \
        operand_write_whole(in, s, &d, in->bytes);                                                                     \
    }
FROM_MASK(VPMOVM2B, i8)
FROM_MASK(VPMOVM2W, i16)
FROM_MASK(VPMOVM2D, i32)
FROM_MASK(VPMOVM2Q, i64)

#define TO_MASK(NAME, T)                                                                                               \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        const vector *x = &s->z[in->o[1].number];                                                                      \
        uint64_t bits = 0;                                                                                             \
        EACH(T) bits |= (uint64_t)(x->T[i] < 0) << i;                                                                  \
        s->k[in->o[0].number] = bits & low_bits(in->bytes / WIDTH(T));                                                 \
    }
TO_MASK(VPMOVB2M, i8)
TO_MASK(VPMOVW2M, i16)
TO_MASK(VPMOVD2M, i32)
TO_MASK(VPMOVQ2M, i64)

#include "mask.def"

#include "rows.h"

static const semantics_row rows[] = {
#include "mask.def"
};
const semantics_table semantics_mask = {rows, sizeof rows / sizeof *rows};
