/* goal.h: which layers stay in float, so that the model on integers is as near to the real one as asked for.
 *
 * Each layer's price is what its integers alone do to the model's outputs.  The dearest ones stay in float, as few as will
 * do. */
#ifndef QCC_GOAL_H
#define QCC_GOAL_H

#include "compiler/quantize/weights/correct.h"

typedef struct goal {
    double min_sqnr;    /* of the outputs, in dB; 0: any */
    double max_drop;    /* of the share of samples whose largest output is their class; negative: any */
    const long *labels; /* class of each sample; NULL: not known, and max_drop is negative */
    /* What is done to a graph before it is compiled; its context. */
    bool (*correct)(const void *context, ir_graph *, diag *);
    const void *context;
} goal;

/* Marks layers (keep_float, why_float) of a graph at the start of PHASE(integer), which is to be compiled with the options,
 * ranges included, and says in a warning which.  False with a diagnostic. */
bool goal_reach(const goal *, ir_graph *, const driver_options *, const correct_samples *, unsigned threads, diag *);

#endif
