/* plan.h: what the passes that decide about int8 share: which ops have integer forms, and where scales came from. */
#ifndef QCC_PASS_PLAN_H
#define QCC_PASS_PLAN_H

#include "passes/common/util.h"

typedef enum plan_kind {
    PLAN_NONE,     /* no integer form */
    PLAN_PRODUCT,  /* convolution or matrix product: operand and weights need scales; without one the result is real */
    PLAN_COMPUTES, /* operands and the result need scales */
    PLAN_MOVES     /* data is moved or compared: integers where the neighbours are */
} plan_kind;

plan_kind plan_kind_of(const ir_op *);

/* Is the graph a fake-quantized one: does any value say what integers it stands for? */
bool plan_has_scales(const ir_graph *);
/* The sum that adds a constant a channel, as a bias, to the result of product `op`, and is all that reads it; NULL:
 * none.  Integer products take it in. */
ir_op *plan_sum_of(const ir_op *op);
/* The product that `op` is, or whose bias it adds as plan_sum_of says; NULL: neither. */
ir_op *plan_product_of(ir_op *op);
/* Is the operand data that its op moves?  Indices are none. */
bool plan_is_moved_by(const ir_operand *);
/* Of a product. */
double plan_multiply_adds(const ir_op *);
/* Gives a real value without scales the ones of `as`, unless they make no sense. */
bool plan_set_scale(ir_value *, ir_dtype, const ir_quant *as, ir_origin from);
/* Has the product on integers a form with a real result? */
bool plan_gives_reals(ir_opcode);
/* Values that ops read which are kept in float, maybe when they have been moved: by id; none without calibration, nor
 * for other formats, which have no product of integers with a real result. */
const bool *plan_kept_readers(const ir_graph *, const pass_options *, arena *);
/* Does the op, on integers, make reals of which those on integers read the grid, and everybody else the reals?  So do products
 * in calibrated graphs, where one of `kept`, as plan_kept_readers, is theirs. */
bool plan_stays_real(ir_op *, const bool kept[]);
/* Is the grid of the real or quantized value v none that the file rounds it to?  Then it may have another one, or
 * none. */
bool plan_is_free(const ir_value *v);
/* Where a scale came from that spreads from v, and on to others. */
ir_origin plan_from(ir_graph *, const ir_value *, const char *remark);
/* The reals of a quantized constant. */
ir_value *plan_real_constant(ir_graph *, const ir_value *);
/* The integers that a real constant stands for (`as`). */
ir_value *plan_integer_constant(ir_graph *, const ir_value *);
/* A constant matrix of bytes [K, N] as [N, K]; scales along its columns become those along its rows. */
ir_value *plan_transposed_matrix(ir_graph *, const ir_value *);
/* "name", or its number when it has none. */
const char *plan_name(ir_graph *, const ir_value *);

#endif
