/* elementary.h: elementary functions over float scalars or vectors of any lane count, as straight-line code (sin and
 * cos have a branch for large operands).
 *
 * Errors are about 2 units in the last place over the whole range, with the special values of C's functions
 * (infinities, NaN, signed zeros where they matter).  Coefficients are minimax fits over the reduced ranges that
 * elementary.c states. */
#ifndef QCC_ELEMENTARY_H
#define QCC_ELEMENTARY_H

#include "compiler/codegen/isa/isa.h"

LLVMValueRef cg_math_exp(cg_kernel *, LLVMValueRef);
/* e^x * 2^exponent for x from `least` (at most 0, within the normal range) to 0; 0 for smaller x and, unless it passes,
 * for NaN. The operations are those of ir_softmax_exp, on every target. */
LLVMValueRef cg_math_exp_below_0(cg_kernel *, LLVMValueRef, float least, int exponent, bool nan_passes);
LLVMValueRef cg_math_expm1(cg_kernel *, LLVMValueRef); /* e to the x - 1, exact near 0 */
LLVMValueRef cg_math_log(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_sqrt(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_rsqrt(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_sin(cg_kernel *, LLVMValueRef); /* of numbers beyond 2^20 pi / 2: a call for each */
LLVMValueRef cg_math_cos(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_tanh(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_logistic(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_erf(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_gelu(cg_kernel *, LLVMValueRef, bool approximate);
LLVMValueRef cg_math_pow(cg_kernel *, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_math_atan2(cg_kernel *, LLVMValueRef y, LLVMValueRef x);

/* A function of the runtime library, float -> float, of a scalar. */
LLVMValueRef cg_math_call(cg_kernel *, const char *function, LLVMValueRef);

LLVMValueRef cg_math_abs(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_floor(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_ceil(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_trunc(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_round_even(cg_kernel *, LLVMValueRef);
LLVMValueRef cg_math_round_away(cg_kernel *, LLVMValueRef); /* ties away from zero, as C's roundf */
/* The same to i32, of numbers within ±2^22.  Without any_sign, negative ones may come out as anything up to 0. */
LLVMValueRef cg_math_round_away_i32(cg_kernel *, LLVMValueRef, bool any_sign);

#endif
