/* quantvec.h: the arithmetic of ir/ref/quant_math.c on vectors, for multipliers that are known when code is made. */
#ifndef QCC_QUANTVEC_H
#define QCC_QUANTVEC_H

#include "compiler/codegen/isa/isa.h"
#include "ir/ref/interp.h"

/* i32 lanes -> i32 lanes, as arith_mul_fixed_twice or arith_mul_fixed_once. */
LLVMValueRef cg_quant_mul_fixed(cg_kernel *, ir_enum_ROUNDING, LLVMValueRef, arith_multiplier);

/* What becomes of an integer result: + zero, clamped to min … max, narrowed to the type. */
typedef struct cg_quant_end {
    ir_dtype dtype;
    int32_t zero, min, max;
} cg_quant_end;

cg_quant_end cg_quant_end_of(const ir_value *result, ir_enum_ACT);
/* Are so many lanes narrowed by packs, which saturate? */
static inline bool cg_quant_packs(const cg_quant_end *end, unsigned lanes)
{
    return end->dtype == IR_U8 && lanes == 64;
}
/* i32 lanes of at most 2^30 in magnitude, or saturated to the type's range without zero -> lanes of the type. */
LLVMValueRef cg_quant_finish(cg_kernel *, const cg_quant_end *, LLVMValueRef);

#endif
