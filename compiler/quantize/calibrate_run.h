/* calibrate_run.h: a graph is run over samples, and its values are observed. */
#ifndef QCC_CALIBRATE_RUN_H
#define QCC_CALIBRATE_RUN_H

#include "compiler/quantize/calibrate_inputs.h"
#include "compiler/quantize/statistics/stats.h"

/* Compiles a copy of the graph, real numbers and all values of `to` as outputs, and counts into `to`, which is empty.
 * Memory does not depend on how many there are, results not on how many threads work.  On SIGINT it ends early:
 * *out_interrupted, and `to` has what was seen until then. */
bool calibrate_run(const calibrate_options *, const driver_options *, const ir_graph *, const calibrate_inputs *,
                   stats *to, bool *out_interrupted, diag *);

/* Threads to work with: those of --jobs, otherwise as many as there are CPUs, and at most so many. */
unsigned calibrate_threads(const driver_options *, int most);

#endif
