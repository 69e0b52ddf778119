/* cut_trial.h: whether cutting ranges gains in fact, where its estimate (cuts.h) is in doubt. */
#ifndef QCC_CUT_TRIAL_H
#define QCC_CUT_TRIAL_H

#include "compiler/quantize/cuts/cuts.h"
#include "compiler/quantize/left_out.h"

/* Makes the graph one of integers both ways, with the ranges of the options and with what `shares` leave of them, weights of
 * short rows rounded and biases corrected by the others of the samples; runs it over those left out.  out_gains: these
 * are nearer to the real model with the shares.  The same for any number of threads.  False with a diagnostic. */
bool cut_trial(const ir_graph *, const driver_options *, const left_out *, const cut_share shares[], unsigned threads,
               bool *out_gains, diag *);

#endif
