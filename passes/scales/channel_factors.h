/* channel_factors.h: by how much channels are to be divided, so that rounding the whole costs least.
 *
 * One grid holds all channels of a value, with steps as wide as the widest channel needs. Divided by a factor each,
 * narrow channels use more of the integers; the weights that read them take the factors back, and the wider those
 * differ within a row, the more its own rounding costs.  Both costs are estimated, at the results of the products that
 * read the values, for factors r^a / w^b: r the magnitude of a channel, w that of the weights that read it. */
#ifndef QCC_PASS_CHANNEL_FACTORS_H
#define QCC_PASS_CHANNEL_FACTORS_H

#include "passes/scales/channel_classes.h"

typedef struct channel_factors {
    channel_classes classes;
    float *factor; /* by class; NULL: nothing gains by any */
} channel_factors;

channel_factors channel_factors_choose(const ir_graph *, const pass_calibration *, bool gates, arena *);
float channel_factor(const channel_factors *, const ir_value *, int64_t channel);

#endif
