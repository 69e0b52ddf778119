/* dynamic.h: quantizing a row of floats by what is in it, within a kernel. */
#ifndef QCC_CG_DYNAMIC_H
#define QCC_CG_DYNAMIC_H

#include "compiler/codegen/build/loops.h"
#include "ir/ir.h"

typedef struct cg_dynamic_row {
    LLVMValueRef scale, zero; /* f32; i32, of the stored bytes */
} cg_dynamic_row;

/* to[0…length-1] = the unsigned bytes of `length` floats, as ir/ref/products/ref_dynamic.c has them. */
cg_dynamic_row cg_quantize_row(cg_kernel *, ir_enum_METHOD, int64_t length, LLVMValueRef from, LLVMValueRef to);

#endif
