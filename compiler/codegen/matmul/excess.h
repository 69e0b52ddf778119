/* excess.h: weights whose products, summed two by two, or four by four, would not fit 16 bits.
 *
 * Machines without a dot product of four bytes have vpmaddubsw: products of unsigned x and signed w, whose sums of
 * neighbours saturate at 16 bits.  Two such sums, of two steps, may be added before they become sums of 32 bits: three
 * multiplications for eight weights, not four.  That is exact whatever x is when the positive ones of the weights that
 * meet add up to at most 128, and the negative ones, too (255 * 128 = 32640).  What is beyond leaves the packed weights
 * (prepack.h) and is multiplied apart, in 32 bits:
 *
 *     one step at once a0 a1 a2 a3                  a0 a1 fit, a2 a3 fit, in each column
 *     two              a0 a1 a2 a3, b0 b1 b2 b3     a0 a1 b0 b1 fit, a2 a3 b2 b3 fit
 *     entry            [16 columns][2 x i16]        the rest of w0 and w2, or of w1 and w3, of a step, of a block of 16
 *
 * docs/performance.md, "Without VNNI", has how often there is any, and what it costs. */
#ifndef QCC_CG_EXCESS_H
#define QCC_CG_EXCESS_H

#include "compiler/codegen/matmul/prepack.h"

typedef struct cg_excess {
    int at_once;           /* steps */
    int64_t blocks, count; /* blocks of 16 columns in all groups; entries */
    /* [2 * blocks + 1] entries of block b: of w0 and w2 from first[2 b] on, of w1 and w3 from first[2 b + 1] on */
    int32_t *first;
    int32_t *offset;  /* [count] byte offset of the step in a row of x */
    int16_t *weights; /* [count][16][2] */
} cg_excess;

/* What there is, `at_once` steps at once (1 or 2), in `packed`, which cg_prepack made of these steps and columns.
 * cg_excess_take moves it out of there; before that `count` is known and `first`. */
cg_excess cg_excess_find(arena *, const cg_steps *, const void *packed, int64_t groups, int64_t columns,
                         int panel_blocks, int at_once);
void cg_excess_take(arena *, const cg_steps *, void *packed, int64_t columns, int panel_blocks, cg_excess *);

#endif
