/* fixed_point.h: functions of real numbers in 32-bit integers, exactly as TFLite's reference kernels compute them.
 *
 * Qn is a fixed-point format with n integer bits and 31 - n fractional ones; the value 1.0 of Q0 is 2^31 - 1.  A
 * product of Qa and Qb is Q(a+b): the doubled high word, ties away from zero. */
#ifndef QCC_ARITH_FIXED_POINT_H
#define QCC_ARITH_FIXED_POINT_H

#include "arith/multiplier.h"

int32_t arith_fixed_product(int32_t a, int32_t b);  /* saturates the one case that overflows */
int32_t arith_fixed_shift_right(int32_t x, int by); /* by 0…31, ties away from zero */
int32_t arith_fixed_shift_left(int32_t x, int by);  /* saturates */
int32_t arith_fixed_exp_q5(int32_t x);              /* e to the x, x <= 0 in Q5; Q0 */
int32_t arith_fixed_reciprocal_1_plus(int32_t x);   /* 1 / (1 + x), x in [0, 1) in Q0; Q0 */
/* 1 / x for x > 0 in Q(integer_bits), as a Q0 in [1/2, 1] and an exponent: 1 / x = result * 2^-exponent. */
int32_t arith_fixed_reciprocal(int32_t x, int integer_bits, int *out_exponent);
int32_t arith_fixed_log_q12(int32_t x); /* natural logarithm of x >= 1 in Q12; Q5 */
/* The same in 16 bits, where Qn has 15 - n fractional ones and 1.0 of Q0 is 2^15 - 1 (fixed_point16.c); n up to 6. */
int16_t arith_fixed16_logistic(int16_t x, int integer_bits); /* Q0 */
int16_t arith_fixed16_tanh(int16_t x, int integer_bits);     /* Q0 */
arith_multiplier arith_fixed_inverse_sqrt(int32_t x);        /* 1 / sqrt(x), x >= 0; 0 counts as 1 */

#endif
