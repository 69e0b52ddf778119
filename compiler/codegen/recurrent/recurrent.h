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
    bool int8;                /* floats with int8 recurrent weights, which multiply a row quantized in each step */

    /* While the code of a step is made: */
    cg_kernel *k;
    void *context;
    LLVMValueRef sequence;             /* number, i64 */
    LLVMValueRef row;                  /* of the step in operand and y */
    LLVMValueRef h, c, y, c_next;      /* the state's rows: before the step, and of its results */
    LLVMValueRef factor, factor_scale; /* what weights multiply: its floats, or its bytes and their scale */
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
/* sums += the block's int8 weights (argument `packed`) times a row of `depth` bytes, which may be read 3 bytes further. */
void recurrent_multiply_bytes(recurrent *, int packed, LLVMValueRef row, int64_t depth, LLVMValueRef first, int count,
                              LLVMValueRef sums[]);

/* Layers of floats, whose recurrent weights are floats or int8: */

/* The weights of `gates` gates from the first on, with what else their products need. */
cg_arg recurrent_weights(cg_module *, recurrent *, int first_gate, int gates);
/* Scratch memory for the bytes that int8 weights multiply, of all sequences; 0 for floats. */
size_t recurrent_factor_bytes(const ir_op *);
/* The row of floats is what recurrent_multiply multiplies from here on.  scratch: the argument with the memory of
 * recurrent_factor_bytes, if there is any, from `offset` on. */
void recurrent_factor(recurrent *, LLVMValueRef row, int scratch, int64_t offset);
/* sums[gate * count + vector] += the block's weights (argument `packed`) times the factor. */
void recurrent_multiply(recurrent *, int packed, LLVMValueRef first, int count, LLVMValueRef sums[]);
/* `count` vectors of floats from unit `first` on, of which the last one is masked. */
void recurrent_load_f32(recurrent *, LLVMValueRef row, LLVMValueRef first, int count, LLVMValueRef mask,
                        LLVMValueRef out[]);
/* Bytes of a row in scratch memory. */
static inline int64_t recurrent_padded(int64_t bytes) { return (int64_t)cg_scratch_part((size_t)bytes); }

/* Where the numbers of a gate lie for vector `v` of the block at unit `first`, in elements. */
LLVMValueRef recurrent_constant_at(recurrent *, LLVMValueRef first, int gate, int v);
/* Where the number of a gate and unit lies, in elements. */
static inline int64_t recurrent_constant_index(const recurrent *r, int gate, int64_t unit)
{
    return (unit / r->lanes * r->gates + gate) * r->lanes + unit % r->lanes;
}

#endif
