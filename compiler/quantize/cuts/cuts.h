/* cuts.h: how much of the range that was seen of a value its grid is to have, by what that does to the outputs.
 *
 *     relu_7: 0…6, of which hardly anything is beyond 2        grid 0…6: 21 dB of the outputs, 0…2.1: 26 dB   ◀── that one
 *
 * The error of a grid at the outputs is found without running the model on it: to first order it is the product of what
 * the grid changes of the value and the outputs' gradient by the value.  The gradient is that of a sum of all outputs,
 * each with a sign drawn anew for every sample, so that the mean of its squares is that of the outputs' errors. */
#ifndef QCC_CUTS_H
#define QCC_CUTS_H

#include "compiler/quantize/weights/correct.h"

typedef struct cut_share {
    float low, high; /* what is left of each end; 1: it stays */
} cut_share;

/* By id of a value of a graph at the start of PHASE(integer), as many as the options' calibration has ranges, whose scales are
 * not known better.  Where an op has no gradient, or products take more than `most`
 * multiply-adds, all ends stay.  So they do where the errors of all values together are so large that a first order says
 * nothing; where it says little, unless the cuts gain in fact (cut_trial.h; up to a quarter of `most`).  The same for any
 * number of threads.  False with a diagnostic. */
bool cuts_find(const ir_graph *, const driver_options *, const correct_samples *, double most, unsigned threads,
               cut_share shares[], diag *);
/* That part of a range. */
void cuts_apply(cut_share, pass_range *);

#endif
