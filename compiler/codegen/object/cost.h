/* cost.h: about how long an op takes, where nobody has measured it. */
#ifndef QCC_COST_H
#define QCC_COST_H

#include "compiler/target/target.h"
#include "ir/ir.h"

/* Of an op as it stands, lowered or not; 0: it is no product. */
int64_t cg_multiply_adds(const ir_op *);
/* Seconds on one core of the target at 3 GHz, of an op with a kernel: good for an order of magnitude, for which ops take the
 * most, and for how much one graph takes beside another.  Arithmetic alone: the same on every machine.  0: views. */
double cg_op_cost(const ir_op *, const target_info *);
/* The sum of these. */
double cg_graph_cost(const ir_graph *, const target_info *);

#endif
