/* ranges.h: ranges of values, and by them their grids, while a model is trained.
 *
 *     moving average   low, high = those of the batches, in a moving average (rate 0.9)
 *     range            the smallest and the largest number that there was
 *     lsq              k times what they were at the start, k being trained by the gradient of the step size:
 *                      dL/dk = (dL/dscale scale + dL/dlow low + dL/dhigh high) / k; steps that are not in proportion are
 *                      those that LSQ makes of the scale itself (docs/gradients.md)
 *     pact             trained by the gradient of the clip at either end, and of half the decay times its square: with
 *                      nothing cut off a range shrinks until what it cuts off weighs as much
 *
 * Where the grid of one value is that of others (what moves data, operands of a concat), its own gradient alone counts. */
#ifndef QCC_TUNE_RANGES_H
#define QCC_TUNE_RANGES_H

#include "compiler/tune/learned/optimizer.h"
#include "compiler/tune/simulate.h"

typedef enum range_kind { RANGES_MOVING_AVERAGE, RANGES_WHOLE, RANGES_LSQ, RANGES_PACT } range_kind;

typedef struct range_options {
    range_kind kind;
    double rate;  /* of the moving average */
    double decay; /* of pact */
} range_options;

/* Of one value. */
typedef struct tuned_range {
    double low_sum, high_sum, weight; /* of the moving average */
    float start[2], now[2];           /* low and high, before training and at present */
    float numbers[2];                 /* what is trained: k; or low and high */
    float gradient[2], first[2], second[2];
} tuned_range;

typedef struct ranges {
    const range_options *options;
    const simulation *of;
    pass_range *by_id;
    bool symmetric, in_proportion;
    tuned_range *items; /* parallel to of->ranges */
} ranges;

/* Starts from the ranges that the values have. */
void ranges_open(ranges *, const range_options *, const simulation *, pass_range by_id[], bool symmetric, arena *);
/* Are ends and steps trained, so that the loss's gradient by them is wanted: simulated_range.grid's inputs? */
bool ranges_are_trained(const range_options *);
/* What a run has shown: its outputs.  Sets the ranges. */
void ranges_see(ranges *, void *const outputs[]);
/* Of range i: the gradients by low, high and scale, and the inputs that the run had. */
void ranges_take_gradient(ranges *, int i, const float gradient[3], void *const inputs[]);
/* One block for each range, with this share of the rate, and steps in proportion to the range or not; returns their number. */
int ranges_blocks(ranges *, bool in_proportion, float share, optimizer_block blocks[]);
/* Sets the ranges to what the blocks have become. */
void ranges_settle(ranges *);
/* Sets the ranges to what `items` say, which have been replaced; false: they are none. */
bool ranges_restore(ranges *);

#endif
