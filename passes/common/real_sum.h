/* real_sum.h: a sum of a product and a value that is there already, which the product's integer form adds before it rounds
 * (a residual, operand r of ops.def, without a mid_scale).
 *
 *     %2 = conv2d %0, w, b
 *     %3 = add %2, %1 {act = relu}        none of %2's integers: %3's alone */
#ifndef QCC_PASS_REAL_SUM_H
#define QCC_PASS_REAL_SUM_H

#include "passes/common/util.h"

/* Of a float graph: which operand of the sum is the product that takes it in, a bias behind it included; -1: none is.  Where
 * both could it is the later one, so that the other is there by then.  Only where gate_is_possible. */
int real_sum_product(const ir_op *sum);
/* The sum that takes v, the result of a product or its bias's sum, in so; NULL. */
ir_op *real_sum_of(const ir_value *v);

#endif
