/* round_rows.h: numbers become integers so that what they are multiplied with makes least of the difference.
 *
 * For u, and the covariance C of what the numbers are multiplied with, integers q for which (u - q)' C (u - q), the
 * variance of the difference of the products, is small: from the last to the first, each number is rounded after it has
 * taken up what the ones before it have left over, and then single integers are changed as long as that gains. */
#ifndef QCC_ROUND_ROWS_H
#define QCC_ROUND_ROWS_H

#include <stdbool.h>
#include <stdint.h>

/* One covariance for many rows. */
typedef struct round_block {
    int64_t n;
    int64_t *order;     /* of the numbers, that of the rounding being from the last to the first */
    double *covariance; /* n x n, in that order, and not singular any more */
    double *root;       /* n x n: upper triangle U, U' U being the covariance */
} round_block;

/* Takes a symmetric n x n matrix.  False: out of memory. */
bool round_block_init(round_block *, int64_t n, const double *covariance);
void round_block_free(round_block *);

/* u and q: n numbers, `stride` apart; q in -most…most.  scratch: 3 n numbers. */
void round_row(const round_block *, const float *u, int64_t stride, double scale, int most, float *q, double *scratch);

#endif
