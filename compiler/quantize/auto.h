/* auto.h: the algorithm whose ranges cost least at the outputs, --algo=auto. */
#ifndef QCC_AUTO_H
#define QCC_AUTO_H

#include "compiler/quantize/statistics/threshold.h"
#include "compiler/quantize/weights/correct.h"

/* Makes of `copy`, a copy of the graph, what is compiled with the ranges of an algorithm: these, channels equalized, weights
 * rounded, biases corrected, as is asked for. */
typedef bool auto_prepare(const void *context, threshold_algo, ir_graph *copy, pass_calibration *out, diag *);

/* Runs the graph, one at the start of PHASE(integer), in real numbers and, for each algorithm that may be worth it, as prepared;
 * the choice is that with the least squared error of all outputs over the first samples, of equal ones the first.  The same for
 * any number of threads.  False with a diagnostic. */
bool auto_choose(const ir_graph *graph, const driver_options *, auto_prepare *, const void *context,
                 const correct_samples *, unsigned threads, threshold_algo *out, diag *);

#endif
