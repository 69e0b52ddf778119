/* excess.h: weights whose products, summed two by two, would not fit 16 bits.
 *
 * Machines without a dot product of four bytes have vpmaddubsw: products of unsigned x and signed w, whose sums of neighbours saturate
 * at 16 bits.  They fit whatever x is when the pair's weights of one sign add up to at most 128 (255 * 128 = 32640).  Where a pair does
 * not, its first weight leaves the packed weights (prepack.h), where 0 takes its place, and is multiplied apart, in 32 bits:
 *
 *     packed   step ▸ w0 w1 w2 w3            w1, w3 and those of w0, w2 that may stay
 *     excess   entry ▸ [16 columns][2 x i16]  w0 and w2 that may not, of one step and one block of 16 columns that has any
 *
 * Real models: 0.4 to 11 % of the steps of 8 columns with weights per tensor, 20 to 70 % per channel. */
#ifndef QCC_CG_EXCESS_H
#define QCC_CG_EXCESS_H

#include "compiler/codegen/matmul/prepack.h"

typedef struct cg_excess {
    int64_t blocks, count;   /* blocks of 16 columns in all groups; entries */
    int32_t *first;          /* [blocks + 1] entries of block b: first[b] … first[b + 1] */
    int32_t *offset;         /* [count] byte offset of the step in a row of x */
    int16_t *weights;        /* [count][16][2] */
} cg_excess;

/* Takes it out of `packed`, which cg_prepack made of the same steps and columns; changes nothing and returns false when more than `share`
 * of all steps of blocks have any. */
bool cg_excess_take(arena *, const cg_steps *, void *packed, int64_t groups, int64_t columns, int panel_blocks, double share,
                    cg_excess *out);

#endif
