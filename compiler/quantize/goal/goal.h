/* goal.h: which layers stay in float, so that the model on integers is as near to the real one as asked for, or as it gets
 * in so much more time.
 *
 * Each layer's price is what its integers alone do to the model's outputs.  With an accuracy to be reached the dearest ones
 * stay in float, as few as will do; with a limit on the time, those that save most for what they take. */
#ifndef QCC_GOAL_H
#define QCC_GOAL_H

#include "compiler/quantize/weights/correct.h"

typedef struct goal {
    double min_sqnr;     /* of the outputs, in dB; 0: any */
    double max_drop;     /* of the share of samples whose largest output is their class; negative: any */
    double max_slowdown; /* share of its time that the model may take more, by estimate; negative: any */
    const long *labels;  /* class of each sample; NULL: not known, and max_drop is negative */
    /* What is done to a graph before it is compiled; its context. */
    bool (*correct)(const void *context, ir_graph *, diag *);
    const void *context;
    /* Called when so many of the layers have a price, with the seconds that took; NULL: nobody wants to know. */
    void (*progress)(void *context, int done, int layers, double seconds);
    void *progress_context;
} goal;

/* Marks layers (keep_float, why_float) of a graph at the start of PHASE(integer), which is to be compiled with the options,
 * ranges included, and says in a warning which.  With a limit on the time, which ones follows from the samples and from
 * arithmetic alone, not from the machine's clock.  False with a diagnostic. */
bool goal_reach(const goal *, ir_graph *, const driver_options *, const correct_samples *, unsigned threads, diag *);

#endif
