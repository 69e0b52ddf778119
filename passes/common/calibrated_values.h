/* calibrated_values.h: which real values of a float graph get integers of their own, once their ranges are known.
 *
 *     const bool *wanted = calibrated_values(g, options, arena);
 *     if (wanted[v->id]) …            an observer, or a grid */
#ifndef QCC_PASS_CALIBRATED_VALUES_H
#define QCC_PASS_CALIBRATED_VALUES_H

#include "passes/pass.h"

/* By id of a value, constants included: a grid of its own makes it, or what reads it, computable on integers.  The
 * graph is one at the start of PHASE(scales): optimized, fused, without integers. */
const bool *calibrated_values(const ir_graph *, const pass_options *, arena *);

/* By id of a value: the one that it is a function of, element by element; NULL: it is none. */
const ir_value *const *calibrated_sources(const ir_graph *, const pass_options *, arena *);

/* Narrows the ranges of values that only such functions read to what makes a difference to their results. */
void calibrated_narrow(const ir_graph *, const ir_value *const sources[], pass_range ranges[], uint32_t count, arena *);

/* By id of a value: no integers are to stand for it, because a logarithm makes of one step far more than one step, and
 * so for what it is computed of, back to where a product of it is clamped, or to the model's input: the spectrum of a
 * sound. */
const bool *calibrated_precise(const ir_graph *, const ir_value *const sources[], const pass_range ranges[],
                               uint32_t count, arena *);

#endif
