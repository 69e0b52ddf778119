/* calibrated_grid.h: the grid that the range of a value over samples becomes. */
#ifndef QCC_PASS_CALIBRATED_GRID_H
#define QCC_PASS_CALIBRATED_GRID_H

#include "passes/pass.h"

typedef struct calibrated_grid {
    ir_dtype dtype;
    double scale;            /* of real numbers a step; > 0 */
    int32_t zero, low, high; /* integers: which stands for 0, and the ends of those that are used */
    ir_unused unused;
} calibrated_grid;

/* An affine grid has all integers over the range and 0, and a zero point which makes 0 exact; its scale is the smallest with
 * which neither end is cut off then.  (So pictures in -1…1, which have 255 steps themselves and no 0, are not all half a
 * step off.)  A symmetric one has zero point 0 and ends at the larger magnitude.  Of fewer bits than 8 it is the same with
 * fewer steps, and integers that are not used.  Of 16 bits all are symmetric.  The range is finite; of nothing but zeros,
 * or what counts as that, the scale is 1. */
calibrated_grid calibrated_grid_of(const pass_calibration *, const pass_range *);

#endif
