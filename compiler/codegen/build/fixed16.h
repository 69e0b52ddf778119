/* fixed16.h: functions of 16-bit fixed-point numbers, in i32 lanes; the twin of ir/fixed_point16.c, bit for bit. */
#ifndef QCC_FIXED16_H
#define QCC_FIXED16_H

#include "compiler/codegen/isa/isa.h"

LLVMValueRef cg_fixed16_logistic(cg_kernel *, LLVMValueRef x, int integer_bits); /* of Q(integer_bits); Q0 */
LLVMValueRef cg_fixed16_tanh(cg_kernel *, LLVMValueRef x, int integer_bits);
LLVMValueRef cg_fixed16_shift_right(cg_kernel *, LLVMValueRef x, int by); /* of 32 bits, ties away from zero */
LLVMValueRef cg_saturate16(cg_kernel *, LLVMValueRef x);

#endif
