/* boxes.h: what suppressions of boxes share: the order of scores, and overlap. */
#ifndef QCC_ARITH_BOXES_H
#define QCC_ARITH_BOXES_H

#include <stdint.h>
#include <string.h>

static inline float qcc_op_float_at(const void *data, int64_t i)
{
    float x;
    memcpy(&x, (const char *)data + 4 * i, 4);
    return x;
}

/* Merge sort of `keys`, descending and stable.  The score of a key is scores[key], or scores[through[key]]; it is not NaN.
 * spare: [count]. */
void qcc_op_rank(const void *scores, const int64_t *through, int64_t *keys, int64_t *spare, int64_t count);

/* The best of `boxes` scores above a threshold, at most so many: their numbers in `order`, best first; how many.
 * order, spare: [boxes]. */
int64_t qcc_op_best(const void *scores, int64_t boxes, float above, int64_t most, int64_t *order, int64_t *spare);

/* Intersection over union, in float, of boxes number `first` and `second` of [N, 4] (left, top, right, bottom).
 *   pixels       1: extents include the last pixel
 *   empty_stays  1: a box without area overlaps none; 0: its overlap with itself is not a number */
float qcc_op_overlap(const void *boxes, int64_t first, int64_t second, int32_t pixels, int32_t empty_stays);

/* Bytes of an array that is followed by another one of such a multiple. */
static inline int64_t qcc_op_rounded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

#endif
