/* residual.h: the add that was fused behind a requantization: intermediate 8-bit value + residual -> result.  The
 * arithmetic is that of the op `add` with the same rounding; see docs/quantization.md. */
#ifndef QCC_CG_RESIDUAL_H
#define QCC_CG_RESIDUAL_H

#include "compiler/codegen/build/requant.h"

typedef struct cg_residual {
    ir_enum_ROUNDING rounding;
    bool first;                                /* the residual is the add's first operand */
    bool to_real;                              /* the intermediate value is not rounded (ir_mac_adds_real) */
    int32_t mid_zero, zero;                    /* of the intermediate value, of the residual */
    float mid_factor, factor;                  /* EVEN_F32: scale / result scale */
    cg_requant mid_fixed, fixed, result_fixed; /* the fixed roundings: per tensor, without bounds but the last */
    int32_t result_zero, min, max;
    int64_t batch_stride, row_stride, pixel_stride; /* of the residual, elements; rank 4 */
} cg_residual;

cg_residual cg_residual_of(cg_module *, const ir_op *, const ir_value *r);
/* The same without the strides, for a residual of any shape. */
cg_residual cg_residual_arithmetic(cg_module *, const ir_op *, const ir_value *r);
const char *cg_residual_key(const cg_module *, const cg_residual *);
/* Constant that the kernel needs as an argument. */
LLVMValueRef cg_residual_constant(cg_module *, const cg_residual *);
/* mid, r: i32 vectors of raw 8-bit values; the result lies within the bounds. */
LLVMValueRef cg_residual_apply(cg_kernel *, const cg_residual *, LLVMValueRef params, LLVMValueRef mid, LLVMValueRef r);

#endif
