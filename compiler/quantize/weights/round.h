/* round.h: rounding of weights, layer by layer, from the samples.
 *
 * Which of the two integers beside a weight it becomes is chosen so that the result of the product varies least from
 * that of real numbers, for operands as the samples have them; their mean is not looked at, for that is what the bias
 * is corrected by (correct.h). */
#ifndef QCC_ROUND_H
#define QCC_ROUND_H

#include "compiler/quantize/weights/correct.h"

/* Changes the weights of products of `graph` that will be integers, and gives them their grid.  As correct_biases. */
bool round_weights(ir_graph *graph, const driver_options *, const correct_samples *, unsigned threads, diag *);

#endif
