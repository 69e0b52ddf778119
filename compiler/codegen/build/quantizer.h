/* quantizer.h: real numbers to integers of 8 or 16 bits, exactly as the op quantize has them (ir/ref/ref_convert.c): the
 * correctly rounded quotient by the scale, rounded to an integer, within the bounds; NaN becomes the smallest.
 *
 *     exactly   round(x / scale)
 *     here      round(fma(x, f, x * r))       f + r: 1 / scale in two floats
 *
 * Either is a step function that never falls, so that they are equal everywhere if they are at both sides of each step: that is
 * tried for all of the type's integers when code is made.  Where it fails (scales beyond a float's normal range) or there is no
 * fma, code divides. */
#ifndef QCC_QUANTIZER_H
#define QCC_QUANTIZER_H

#include "compiler/codegen/build/quantvec.h"

typedef struct cg_quantizer {
    cg_quant_end end;
    ir_enum_ROUNDING rounding;
    float scale;
    /* Once code is made: by factor and rest, within low…high, which already give the smallest and the largest integer. */
    bool is_solved, multiplies;
    float factor, rest;
    float low, high;
    float least; /* what an activation asks for in front, where that is more than the bounds do; else -INFINITY */
} cg_quantizer;

/* For result 0 of an op that has a rounding, behind an activation: of that value's type and grid, which is one for all of it. */
cg_quantizer cg_quantizer_of(const ir_op *, ir_enum_ACT);
/* What a kernel's key must contain of it. */
const char *cg_quantizer_key(const cg_module *, const cg_quantizer *);

/* How many floats are best made integers at a time: those that a pack of bytes takes; 0: it makes no difference. */
unsigned cg_quantizer_lanes(const cg_module *, const cg_quantizer *);

/* Lanes of floats -> lanes of the type. */
LLVMValueRef cg_quantize(cg_kernel *, cg_quantizer *, LLVMValueRef);
/* The same without the zero point, as i32, for saturating packs (end.zero and end.min are still to be applied): none is
 * above the largest; what lies below the smallest may come out as anything below it. */
LLVMValueRef cg_quantize_centred(cg_kernel *, cg_quantizer *, LLVMValueRef);

#endif
