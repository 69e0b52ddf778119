/* simulated.h: in which parts of a graph training has simulated integers.
 *
 *     %1 = fake_quant %0 {…}                  %2:f32 as … from quantize = dequantize %1
 *     %2 = conv2d %1, %w                      %3 = softmax %2
 *     %3 = softmax %2                         %4 = batch_matmul %3, %v
 *     %4 = batch_matmul %3, %v
 *
 *     all of it simulates integers            %3 and %4 are real: the file rounds where it has a quantize
 *
 * On the left the graph stands for one of integers, and what the file does not say of a value follows: from its
 * neighbours, from the range of the op, for weights from their magnitudes.  On the right nothing may be rounded that
 * the file doesn't round.  One file can have parts of both kinds: a part ends where the file rounds, that is at values
 * whose scale is from a quantize or dequantize, and at integers. */
#ifndef QCC_PASS_SIMULATED_H
#define QCC_PASS_SIMULATED_H

#include "passes/pass.h"

/* By id of an op: is it in a part that simulates integers?  With --infer-scales all are. */
const bool *simulated_ops(const ir_graph *, const pass_options *, arena *);
/* Is the grid of v, real or quantized, one that the file simulates or observes? */
bool simulated_value(const ir_value *);

#endif
