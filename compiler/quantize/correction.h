/* correction.h: what samples say of weights and biases, once there are ranges. */
#ifndef QCC_CORRECTION_H
#define QCC_CORRECTION_H

#include "compiler/quantize/weights/correct.h"

typedef struct correction {
    int effort;
    int32_t longest;           /* products whose weights are rounded: as round_weights */
    bool biases;               /* are corrected */
    const pass_debug *shown;   /* of the two steps */
    driver_options calibrated; /* ranges included */
    correct_samples samples;
    unsigned threads;
} correction;

/* With `longest` as the effort has it; `skipped` are steps that are left out. */
correction correction_make(int effort, const bool skipped[PASS_STEPS], const driver_options *, const pass_calibration *,
                           const correct_samples *, unsigned threads);
/* Rounds weights and corrects biases of the graph, one at the start of PHASE(integer), or a copy of which some layers stay
 * in float.  `context` is a correction.  False with a diagnostic. */
bool correction_apply(const void *context, ir_graph *, diag *);
/* No more than the effort below unless that gains: both are made with three quarters of the samples, and the one is
 * kept (`longest`) that is nearer to the real model over the others. */
bool correction_choose(correction *, const ir_graph *, diag *);

#endif
