/* eltwise.h: element-wise ops as a body over vectors, put into the loops that shapes, strides and broadcasting need.
 *
 *     shapes  [1,56,56,64] + [64]  ──collapse──▶  rows 3136 (strides 64, 0) x run 64 (strides 1, 1)
 *     kernel  for row in begin…end: for x in run, step lanes: out[x] = body(a[x], b[x]); the rest masked
 *
 * Dimensions that all operands step through evenly are one; work units are rows, or blocks of a single run. */
#ifndef QCC_ELTWISE_H
#define QCC_ELTWISE_H

#include "compiler/codegen/isa/isa.h"

enum { CG_ELTWISE_INPUTS = 4 };

typedef struct cg_eltwise cg_eltwise;

/* Vectors of e->width elements of the operands' types in memory (BOOL is i8: 0 or 1) -> the result's elements. */
typedef LLVMValueRef cg_eltwise_body(cg_kernel *, const cg_eltwise *, LLVMValueRef in[]);

struct cg_eltwise {
    const ir_op *op;
    int inputs;
    const ir_value *in[CG_ELTWISE_INPUTS], *out;
    cg_eltwise_body *body;
    const void *context;   /* the emitter's own */
    const char *key;       /* what body depends on beyond op and types */
    LLVMValueRef constant; /* or NULL: an argument beside the operands, such as a table */
    bool wants_table;      /* constant is a table of 256 bytes: `table` is loaded at the kernel's start */
    unsigned lanes;        /* where runs are as long; 0: chosen from the types */
    bool is_int8;
    /* while the kernel is emitted */
    LLVMValueRef constant_pointer;
    cg_table table;
    unsigned width; /* of the vectors that body gets now: lanes, or 1 */
};

/* The operands and result 0 of the op. */
cg_eltwise cg_eltwise_of(const ir_op *, cg_eltwise_body *);
bool cg_eltwise_emit(cg_module *, cg_eltwise *);

/* ---- Constants of the present width ---- */
LLVMValueRef cg_elt_f32(cg_kernel *, const cg_eltwise *, float);
LLVMValueRef cg_elt_i32(cg_kernel *, const cg_eltwise *, int32_t);
LLVMValueRef cg_elt_int(cg_kernel *, const cg_eltwise *, ir_dtype, int64_t);
LLVMTypeRef cg_elt_type(cg_kernel *, const cg_eltwise *, ir_dtype);

/* f16 -> f32. */
LLVMValueRef cg_elt_half(cg_kernel *, const cg_eltwise *, LLVMValueRef);
LLVMValueRef cg_elt_to_half(cg_kernel *, const cg_eltwise *, LLVMValueRef); /* and back */

#endif
