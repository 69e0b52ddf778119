/* ref_lut16.h: TFLite's interpolated tables for functions of 16-bit values (fixed roundings). */
#ifndef QCC_IR_REF_LUT16_H
#define QCC_IR_REF_LUT16_H

#include "ir/ref/ref_quant.h"

enum { IR_LUT16_STEPS = 512 };
typedef struct ir_lut16 {
    int16_t at[IR_LUT16_STEPS + 1];
} ir_lut16; /* 128 integers apart, from -32768 */

typedef float ir_lut16_function(float x, const void *context);
void ir_lut16_fill(ir_lut16 *, ir_quant_point x, ir_quant_point y, ir_lut16_function *, const void *context);
int16_t ir_lut16_at(const ir_lut16 *, int32_t x);

/* Logistic and tanh share a table of the sigmoid at multiples of 1/24, of 256 entries. */
typedef struct ir_sigmoid16 {
    bool tanh;
    int32_t multiplier;
    int shift;
    uint16_t table[256];
} ir_sigmoid16;
void ir_sigmoid16_init(ir_sigmoid16 *, bool tanh, float scale);
int16_t ir_sigmoid16_at(const ir_sigmoid16 *, int32_t x);

typedef struct ir_softmax16 {
    ir_lut16 exponential, reciprocal;
    arith_multiplier difference;
    ir_enum_ROUNDING rounding;
} ir_softmax16;
void ir_softmax16_init(ir_softmax16 *, ir_enum_ROUNDING, float scale, float beta);
void ir_softmax16_row(const ir_softmax16 *, int32_t row[], int64_t n);

#endif
