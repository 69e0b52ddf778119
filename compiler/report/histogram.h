/* histogram.h: how the numbers of a tensor are distributed. */
#ifndef QCC_HISTOGRAM_H
#define QCC_HISTOGRAM_H

#include "ir/ir.h"

enum { HISTOGRAM_BINS = 64 };

/* Bins of equal width from `low` to `high`: of quantized values the whole range of the integers that they have, so that
 * one sees how much of it is used; of real ones their smallest and largest.  Numbers that are not finite are counted
 * nowhere. */
typedef struct histogram {
    double low, high;
    uint64_t counts[HISTOGRAM_BINS];
    uint64_t elements, at_low, at_high; /* quantized: how many are the smallest and the largest integer */
} histogram;

/* False for values that have none: booleans, plain integers, nothing at all. */
bool histogram_make(const ir_value *, const void *data, histogram *out);

#endif
