/* ref_move.h: what the moving ops of the interpreter share.  Elements are moved by width, whatever they mean. */
#ifndef QCC_REF_MOVE_H
#define QCC_REF_MOVE_H

#include "ir/ref/ref.h"

/* A box of elements, walked in row-major order.  Steps are in elements, may be 0 or negative. */
typedef struct ir_walk {
    int rank;
    int64_t dims[2 * IR_MAX_RANK];
    int64_t to_step[2 * IR_MAX_RANK], from_step[2 * IR_MAX_RANK];
} ir_walk;

/* Moves every element of the box; `to` and `from` point at its first element. */
void ir_move(const ir_walk *, size_t width, void *to, const void *from);

/* Steps of a dense row-major tensor. */
void ir_dense_steps(const ir_type *, int64_t steps[IR_MAX_RANK]);

/* The bytes of one element that holds the real value, quantized when `quant` is given (round half away from zero,
 * saturated). */
void ir_element_of(ir_dtype, const ir_quant *quant, float real, unsigned char out[8]);

/* `count` equal elements. */
void ir_fill(void *to, int64_t count, size_t width, const unsigned char element[8]);

static inline const ir_type *ir_operand_type(const ir_op *op, int i) { return &op->operands[i].value->type; }
static inline const ir_type *ir_result_type(const ir_op *op, int i) { return &op->results[i]->type; }

#endif
