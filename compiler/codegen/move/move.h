/* move.h: moving elements between values, described and not written.
 *
 * Every op that only moves data is a list of pieces; a piece copies (or fills) a box of elements:
 *
 *     for i0 < count[0]: for i1 < count[1]: …  to[to_offset + Σ i*to_stride] = from[from_offset + Σ i*from_stride]
 *
 * move.c orders and merges the dimensions, turns contiguous runs into memcpy, transposes in square blocks, drops pieces
 * whose bytes already lie where they belong, and makes one step of up to 12 pieces. */
#ifndef QCC_CG_MOVE_H
#define QCC_CG_MOVE_H

#include "compiler/codegen/build/shape.h"

enum { CG_BOX_RANK = 2 * IR_MAX_RANK };

typedef struct cg_piece {
    const ir_value *from; /* NULL: fill */
    uint64_t fill;        /* bits of the filled element */
    int rank;
    int64_t count[CG_BOX_RANK];
    int64_t from_stride[CG_BOX_RANK]; /* elements, may be 0 or negative */
    int64_t to_stride[CG_BOX_RANK];   /* elements, positive */
    int64_t from_offset, to_offset;   /* elements */
} cg_piece;

void cg_piece_dim(cg_piece *, int64_t count, int64_t from_stride, int64_t to_stride); /* adds a dimension */

/* Steps that carry out the pieces, which may not depend on one another unless `ordered`: then they are done one behind
 * the other by one thread. */
bool cg_move(cg_module *, const ir_op *, const ir_value *to, int count, const cg_piece pieces[], bool ordered);

/* The same as code in a kernel of one's own, from addresses known at run time; the piece's offsets are not used. */
void cg_move_box(cg_kernel *, const cg_piece *, int64_t bytes, LLVMValueRef to, LLVMValueRef from);

/* Bits of the real number `value` as an element of v (quantized with its parameters, or converted). */
uint64_t cg_element_bits(const ir_value *v, double value);

#endif
