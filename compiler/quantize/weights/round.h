/* round.h: rounding of weights, layer by layer, from the samples.
 *
 * Which of the two integers beside a weight it becomes is chosen so that the result of the product varies least from
 * that of real numbers, for operands as the samples have them; their mean is not looked at, for that is what the bias
 * is corrected by (correct.h). */
#ifndef QCC_ROUND_H
#define QCC_ROUND_H

#include "compiler/quantize/weights/correct.h"

enum { ROUND_SHORT = 128, ROUND_ALL = INT32_MAX };

/* Changes the weights of products of `graph` that will be integers, and gives them their grid; of those alone that
 * multiply at most `longest` numbers for a result.  As correct_biases.
 *
 * Short ones (ROUND_SHORT: depthwise convolutions, those of few channels) cost next to nothing, and gain most: the
 * fewer weights a result has, the less their errors make up for each other. */
bool round_weights(ir_graph *graph, const driver_options *, const correct_samples *, int32_t longest, unsigned threads,
                   diag *);

#endif
