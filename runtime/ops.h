/* ops.h: rare operations that compiled code calls instead of having them emitted.  No memory is allocated: what is
 * needed beyond the results comes from the memory plan.  Structures here are constants that the compiler lays out. */
#ifndef QCC_OPS_H
#define QCC_OPS_H

#include <stdint.h>

/* ---- ops_normalize.c: rows of 8-bit values in the arithmetic of TFLite's reference kernels ---- */

typedef struct qcc_op_normalize {
    int32_t exponentials[256]; /* of -difference in Q0, 0 where the difference is too large */
    int32_t differences[256];  /* -difference in Q5 */
    int32_t twice;             /* 1: products round twice */
    int32_t from_q5_mantissa, from_q5_shift;
    int32_t difference_min; /* smaller (more negative) differences count as minus infinity */
    int32_t zero_x;
    int32_t was_signed; /* l2_normalize: the values are signed ones in unsigned form */
} qcc_op_normalize;

void qcc_op_softmax(const qcc_op_normalize *, const uint8_t *x, uint8_t *y, int64_t rows, int64_t columns);
void qcc_op_softmax_wide(const qcc_op_normalize *, const uint8_t *x, int16_t *y, int64_t rows, int64_t columns);
void qcc_op_log_softmax(const qcc_op_normalize *, const uint8_t *x, uint8_t *y, int64_t rows, int64_t columns);
void qcc_op_l2_normalize(const qcc_op_normalize *, const uint8_t *x, uint8_t *y, int64_t rows, int64_t columns);

/* ---- ops_elementary.c: functions of one number, where compiled code has none of its own ---- */

float qcc_op_log(float);
float qcc_op_sin(float);
float qcc_op_cos(float);

/* ---- ops_softmax16.c: rows of 16-bit values ---- */

typedef struct qcc_op_softmax_table16 { /* TFLite's: nodes 128 integers apart, from -32768 */
    int16_t exponential[513], reciprocal[513];
    int32_t mantissa, shift; /* of differences, to the exponential's operand */
    int32_t twice;           /* 1: products round twice */
} qcc_op_softmax_table16;

typedef struct qcc_op_softmax_real16 {
    float scale_x, beta, inverse_scale_y;
    int32_t zero_x, zero_y;
} qcc_op_softmax_real16;

void qcc_op_softmax16_fixed(const qcc_op_softmax_table16 *, const int16_t *x, int16_t *y, int64_t rows,
                            int64_t columns);
void qcc_op_softmax16_real(const qcc_op_softmax_real16 *, const int16_t *x, int16_t *y, int64_t rows, int64_t columns);

/* ---- ops_top_k.c ---- */

/* type: qcc_dtype of x; positions are i16 or i32 by position_bytes. */
void qcc_op_top_k(const void *x, void *values, void *positions, int64_t rows, int64_t columns, int64_t k, int64_t type,
                  int64_t position_bytes);

#endif
