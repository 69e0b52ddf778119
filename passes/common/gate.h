/* gate.h: hard-swish behind a product, which the product's integer form takes in as its gate: operand g of ops.def. */
#ifndef QCC_PASS_GATE_H
#define QCC_PASS_GATE_H

#include "passes/common/util.h"

/* The two forms of a float graph, v being the product's result:
 *
 *     %2 = hard_swish v              %1 = mul v, slopes      a number, or one for each channel
 *                                    %2 = add %1, 1/2 {act = relu_0_to_1}
 *                                    %3 = mul v, %2 */
enum { GATE_OPS = 3 };
typedef struct gate {
    ir_op *ops[GATE_OPS];
    int count;
    const ir_value *slopes; /* NULL: 1/6 */
} gate;

/* The gate behind a convolution or matrix product of reals that has no activation, and whose result nobody else reads. */
bool gate_of(const ir_op *product, gate *out);
/* The product that `op` is a part of the gate of; NULL. */
ir_op *gate_product(const ir_op *op);
/* What the gate makes of the product's result. */
static inline ir_value *gate_result(const gate *g) { return g->ops[g->count - 1]->results[0]; }
/* Does what these options make of the graph have gates, and sums that are rounded with a product (real_sum.h)?  Other
 * formats and roundings in integers have none. */
bool gate_is_possible(const pass_options *);
/* A hard_swish in its second form, with these slopes. */
void gate_spell(ir_graph *, ir_op *hard_swish, ir_value *slopes);

#endif
