/* observer.h: what has been seen of one value over samples: how many numbers, the smallest and largest, a histogram,
 * and what batches had.
 *
 *     observer o;
 *     if (observer_init(&o)) {
 *         observer_ends batch = OBSERVER_NO_ENDS;
 *         observer_see(&o, values, count, &batch)  for each sample of a batch
 *         observer_end_batch(&o, batch)            for each batch, in order
 *         observer_merge(&o, &other)               of other threads, other machines: the same in any order
 *     }
 *     observer_free(&o);
 *
 * The histogram has bins of equal width, a power of two, on both sides of 0; x is counted in bin floor(x / width):
 *
 *     bin            -2048 … -2   -1  |   0     1   …  2047        bins[bin + OBSERVER_BINS]
 *     from    -2^exponent …  -2w  -w  |   0     w   …              w = 2^exponent / 2048
 *
 * When a number lies outside, the width doubles as often as it takes and bins are joined by pairs.  So counts do not
 * depend on the order in which numbers come: they are those that a histogram of the last width would have had from
 * the start. */
#ifndef QCC_OBSERVER_H
#define QCC_OBSERVER_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { OBSERVER_BINS = 2048, OBSERVER_LEAST_EXPONENT = -148 };

/* A run's batches: their means, plain and moving.  A moving one is Paddle's: sum = 0.9 sum + x, divided by 0.9 weight
 * + 1. */
typedef struct observer_run {
    int64_t batches;
    double low_sum, high_sum, absmax_sum;
    double low_moving, high_moving, absmax_moving, weight;
} observer_run;

typedef struct observer {
    uint64_t count, zeros; /* numbers, and how many of them are 0; these are in bin 0, too */
    float low, high;       /* INFINITY and -INFINITY without numbers */
    int exponent;          /* all numbers are in -2^exponent … 2^exponent, without the upper end */
    uint64_t *bins;        /* 2 * OBSERVER_BINS */
    observer_run *runs;    /* one for each run that was merged, in an order that does not depend on that of merging */
    int run_count;
} observer;

bool observer_init(observer *); /* false: out of memory */
void observer_free(observer *);

typedef struct observer_ends {
    float low, high;
} observer_ends;
#define OBSERVER_NO_ENDS ((observer_ends){INFINITY, -INFINITY})

/* Counts numbers, and moves *batch apart so that they lie between its ends.  Returns the position of the first that
 * is not finite, and counts none then; -1: all are. */
int64_t observer_see(observer *, const float values[], int64_t count, observer_ends *batch);
/* The next batch of the run, before it is merged with others, has been seen. */
bool observer_end_batch(observer *, observer_ends); /* false: out of memory */
bool observer_merge(observer *, const observer *);  /* false: out of memory */

/* The width of a bin, and the real number at which bin `index` of bins[] begins. */
double observer_width(const observer *);
double observer_bin_start(const observer *, int index);

/* Means over the batches of all runs. */
typedef struct observer_means {
    double low, high, absmax;
} observer_means;
observer_means observer_average(const observer *);
observer_means observer_moving_average(const observer *);

#endif
