/* compare.h: of several ways to make a graph one of integers, the one that comes out nearest to the real model. */
#ifndef QCC_COMPARE_H
#define QCC_COMPARE_H

#include "compiler/quantize/weights/correct.h"

/* Makes of `copy`, a copy of the graph, what is compiled with the ranges that it gives: channels equalized, weights
 * rounded, biases corrected, as way `way` has it. */
typedef bool compare_prepare(const void *context, int way, ir_graph *copy, pass_calibration *out, diag *);

/* Runs the graph, one at the start of PHASE(integer), in real numbers and, for each of `ways`, as prepared; the choice is
 * that with the least squared error of all outputs over the first samples, of equal ones the first.  The same for any
 * number of threads.  False with a diagnostic. */
bool compare_ways(const ir_graph *graph, const driver_options *, compare_prepare *, const void *context, int ways,
                  const correct_samples *, unsigned threads, int *out, diag *);

#endif
