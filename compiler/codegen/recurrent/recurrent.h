/* recurrent.h: what the kernels of recurrent layers share: the loops over sequences and their steps, blocks of units,
 * and the order of packed weights.
 *
 * A unit of work is a sequence of the batch.  The state h of a step is the row of the result y that the step before
 * wrote, or the operand; the cell state c (if the layer has one) lives in its result.
 *
 * Units come in blocks of one or two vectors, gate by gate, so that all gates of a unit meet in registers:
 *
 *     weights   block ▸ step of K ▸ gate ▸ vector ▸ [lanes][4 bytes: one float, or 4 int8 of neighbouring k]
 *     constants for each unit and gate: vector of units ▸ gate ▸ [lanes]
 *
 * The last vector may have fewer units than lanes: their weights are 0, and they are neither read nor written. */
#ifndef QCC_RECURRENT_H
#define QCC_RECURRENT_H

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"

enum { RECURRENT_BLOCKS = 2, RECURRENT_GATES = 4 };
enum { RECURRENT_H0, RECURRENT_C0, RECURRENT_Y, RECURRENT_H, RECURRENT_C, RECURRENT_MORE }; /* arguments */

typedef struct recurrent {
    const ir_op *op;
    int64_t steps, batch, units;
    int gates;
    bool time_first, reversed;
    unsigned lanes;
    int64_t h_bytes, c_bytes; /* of an element; c_bytes 0: no cell state */

    /* While the code of a step is made: */
    cg_kernel *k;
    void *context;
    LLVMValueRef sequence;        /* number, i64 */
    LLVMValueRef row;             /* of the step in operand and y */
    LLVMValueRef h, c, y, c_next; /* the state's rows: before the step, and of its results */
} recurrent;

/* Shapes from the op, whose values must all be dense; false with a diagnostic. */
void recurrent_init(cg_module *, const ir_op *, int gates, recurrent *out);
void recurrent_key(cg_key *, const recurrent *);
/* The kernel's loops; `step` makes the code of one step. */
typedef void recurrent_step(recurrent *);
void recurrent_emit(recurrent *, cg_kernel *, recurrent_step *);
/* Calls body for each block of units: `count` vectors from unit `first` on.  mask: of the last vector, NULL: whole. */
typedef void recurrent_body(recurrent *, LLVMValueRef first, int count, LLVMValueRef mask);
void recurrent_blocks(recurrent *, recurrent_body *);

int64_t recurrent_vectors(const recurrent *); /* of units */
/* weights [gates * units][depth], of int8 or float; k_width: 4 or 1 elements of K a step. */
const void *recurrent_pack(const recurrent *, arena *, const void *weights, int64_t depth, int k_width,
                           size_t *out_bytes);
/* Address of the weights of the block at unit `first`. */
LLVMValueRef recurrent_weights_at(recurrent *, LLVMValueRef packed, LLVMValueRef first, int64_t k_steps);
/* sums[gate * count + vector] += the block's weights (argument `packed`, of floats) times the row of units floats. */
void recurrent_multiply_f32(recurrent *, int packed, LLVMValueRef row, LLVMValueRef first, int count,
                            LLVMValueRef sums[]);
/* `count` vectors of floats from unit `first` on, of which the last one is masked. */
void recurrent_load_f32(recurrent *, LLVMValueRef row, LLVMValueRef first, int count, LLVMValueRef mask,
                        LLVMValueRef out[]);
/* Where the number of a gate and unit lies, in elements. */
static inline int64_t recurrent_constant_index(const recurrent *r, int gate, int64_t unit)
{
    return (unit / r->lanes * r->gates + gate) * r->lanes + unit % r->lanes;
}

#endif
