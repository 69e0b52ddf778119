/* flip.h: products of bytes whose sums of two always fit 16 bits: |w| times x - 128, or times 127 - x where w is
 * negative.
 *
 *     w x = |w| (x - 128) + 128 |w|        w >= 0        127 * -128 * 2 >= -32768
 *     w x = |w| (127 - x) - 127 |w|        w <  0        127 *  127 * 2 <=  32767
 *
 * As signed bytes both are x ^ 0x80 and x ^ 0x7f.  What a kernel makes of w for all rows of a tile, |w| and that
 * constant, may be there instead, side by side: as much again in memory, a tenth less to do (docs/performance.md,
 * "Without VNNI").
 *
 *     [step][block][64 bytes w]      ->      [step][block][64 bytes |w|][64 bytes flip] */
#ifndef QCC_CG_FLIP_H
#define QCC_CG_FLIP_H

#include "compiler/codegen/matmul/gemm.h"

/* The bias of column c of groups * columns ones, with what the products lack. */
void cg_flip_bias(const cg_gemm *, const int8_t weights[], int64_t column_size, int32_t bias[]);

/* Whether it pays to lay |w| and flip apart. */
bool cg_flip_gains(const cg_module *, const cg_gemm *, const schedule_tiles *);

/* `bytes` of packed weights (prepack.h), apart: twice as many. */
void *cg_flip_apart(arena *, const void *packed, size_t bytes);

#endif
