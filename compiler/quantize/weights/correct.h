/* correct.h: bias correction.
 *
 * Rounding shifts the mean of what a product computes; the bias takes that back, channel by channel, so that over the
 * samples the mean is that of real numbers.  Layers are corrected in order, each reading what the corrected ones
 * before it give.  In 32-bit biases the correction costs nothing at run time. */
#ifndef QCC_CORRECT_H
#define QCC_CORRECT_H

#include "compiler/driver.h"

/* Fills the inputs of the graph with a sample; false with a diagnostic.  Calls come from one thread. */
typedef struct correct_samples {
    bool (*fill)(void *context, int sample, void *const inputs[], diag *);
    void *context;
    int count;
} correct_samples;

double correct_multiply_adds(const ir_graph *); /* of its products */
/* How many of them are run where 100 would do and a few will: so many that the real model takes `budget` multiply-adds for
 * all together, but `least`.  Of n samples these are the ones at i * count / n. */
int correct_samples_within(const correct_samples *, const ir_graph *, double budget, int least);

/* Changes the biases of `graph`, one at the start of PHASE(integer), which is to be compiled with the options, ranges
 * included.  Runs at most as many of the samples as a bounded memory holds.  False with a diagnostic. */
bool correct_biases(ir_graph *graph, const driver_options *, const correct_samples *, unsigned threads, diag *);
/* The means being those of `real`: what the graph was before its weights were rounded. */
bool correct_biases_to(const ir_graph *real, ir_graph *graph, const driver_options *, const correct_samples *,
                       unsigned threads, diag *);

#endif
