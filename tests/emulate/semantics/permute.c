/* permute.c: permute.def, and what an expression can't say. */
#include <string.h>

#include "operand.h"
#include "semantics.h"

#include "shapes.h"

#define PER_16(T) (16 / WIDTH(T))
#define FIXED (in->o[2].kind == OPERAND_IMMEDIATE)
/* Which quarter of its source quarter q of the result is: of four quarters two bits of the immediate each, of two one. */
#define SHUFFLED_QUARTER(q, quarters) ((quarters) == 4 ? imm >> 2 * (q)&3 : imm >> (q)&1)

/* Active lanes side by side; the others stay, or become zero, in memory they stay. */
static void compress(const instruction *in, state *s, unsigned lane)
{
    const vector *x = &s->z[in->o[1].number];
    const uint64_t active = active_lanes(in, s);
    const bool to_memory = in->o[0].kind == OPERAND_MEMORY;
    vector d = {{0}};
    unsigned used = 0;

    if (!to_memory && !in->zeroing)
        d = s->z[in->o[0].number];
    for (unsigned i = 0; i < in->bytes / lane; i++)
        if (active >> i & 1)
            memcpy(d.u8 + lane * used++, x->u8 + lane * i, lane);
    if (to_memory)
        memcpy(operand_address(s, &in->o[0]), &d, lane * used);
    else
        operand_write_whole(in, s, &d, in->bytes);
}
RUN(VPCOMPRESSD) { compress(in, s, 4); }
RUN(VPCOMPRESSQ) { compress(in, s, 8); }

/* Consecutive lanes of the source to the active ones. */
static void expand(const instruction *in, state *s, unsigned lane)
{
    const uint64_t active = active_lanes(in, s);
    const uint8_t *from = in->o[1].kind == OPERAND_MEMORY ? operand_address(s, &in->o[1]) : s->z[in->o[1].number].u8;
    vector d = {{0}};

    for (unsigned i = 0; i < in->bytes / lane; i++)
        if (active >> i & 1) {
            memcpy(d.u8 + lane * i, from, lane);
            from += lane;
        }
    operand_write(in, s, &d, lane, in->bytes);
}
RUN(VPEXPANDD) { expand(in, s, 4); }
RUN(VPEXPANDQ) { expand(in, s, 8); }

#include "permute.def"

#include "rows.h"

static const semantics_row rows[] = {
#include "permute.def"
};
const semantics_table semantics_permute = {rows, sizeof rows / sizeof *rows};
