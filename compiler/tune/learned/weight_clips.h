/* weight_clips.h: PACT on weights: what is beyond a threshold, which is trained, is cut off before weights get their scales.
 *
 *     given = min(max(w, -a), a)         a: a threshold for each output channel, or one for all of a layer
 *     dL/da = sum of dL/dgiven where w > a  -  sum of dL/dgiven where w < -a  +  decay a
 *     dL/dw = dL/dgiven where -a <= w <= a, elsewhere 0
 *
 * Integers are made of what is given, in training and of the model that it leaves.  A threshold begins with the largest
 * magnitude of its channel, where nothing is cut off.  Only weights of products on integers have any. */
#ifndef QCC_TUNE_WEIGHT_CLIPS_H
#define QCC_TUNE_WEIGHT_CLIPS_H

#include "compiler/tune/learned/optimizer.h"
#include "compiler/tune/simulate.h"

typedef struct weight_clip_options {
    bool pact;
    bool decay_given;
    double decay;
} weight_clip_options;

/* Of one parameter; its value has `given` for data. */
typedef struct weight_clip {
    int parameter;
    int64_t channels, inner; /* element i is of channel i / inner % channels */
    float *given;
    float *thresholds, *gradient, *first, *second; /* by channel */
    float size;                                    /* of the thresholds at the start: root of the mean square */
} weight_clip;

typedef struct weight_clips {
    const weight_clip_options *options;
    const simulation *of;
    weight_clip *items;
    int count;
} weight_clips;

/* None without `pact`.  `per_tensor`: one threshold for all of a layer. */
void weight_clips_open(weight_clips *, const weight_clip_options *, simulation *, bool per_tensor, arena *);
/* Where `gradient` is that by the given weights of parameter `parameter`, it becomes that by its own, and the thresholds
 * get theirs.  Nothing where the parameter has no thresholds. */
void weight_clips_take_gradient(weight_clips *, int parameter, float gradient[]);
/* One block for each parameter with thresholds, with this share of the rate, and steps in proportion to them or not;
 * returns their number. */
int weight_clips_blocks(weight_clips *, bool in_proportion, float share, optimizer_block blocks[]);
/* Gives weights by what they and the thresholds have become. */
void weight_clips_settle(weight_clips *);

#endif
