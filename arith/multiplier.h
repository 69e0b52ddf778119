/* multiplier.h: a real number as mantissa * 2^(shift - 31), mantissa in [2^30, 2^31); shift > 0: to the left. */
#ifndef QCC_ARITH_MULTIPLIER_H
#define QCC_ARITH_MULTIPLIER_H

#include <stdint.h>

typedef struct arith_multiplier {
    int32_t mantissa;
    int shift;
} arith_multiplier;

arith_multiplier arith_multiplier_of(double real); /* frexp, rounded to 31 bits */
/* The same of a mean of `count` numbers: the ratio of the scales, divided by count with as many bits as there are. */
arith_multiplier arith_multiplier_of_mean(double ratio, int64_t count);
int32_t arith_mul_fixed_twice(int32_t x, arith_multiplier);
int32_t arith_mul_fixed_once(int32_t x, arith_multiplier);
int32_t arith_mul_fixed_once_i64(int64_t x, arith_multiplier); /* the same for 64-bit sums */
int32_t arith_mul_fixed_i64(int64_t x, arith_multiplier);      /* 64-bit sums: 16 bits of the mantissa, rounded once */

#endif
