/* loops.h: structured control flow, scalars and addresses over the LLVM builder.
 *
 *     cg_loop row = cg_loop_begin(k, k->begin, k->end, 1);
 *     LLVMValueRef sum = cg_loop_carry(k, &row, zero);            // all carries directly after begin
 *     …
 *     cg_loop_update(k, &row, 0, next_sum);                       // by slot, before end
 *     cg_loop_end(k, &row);                                       // `sum` is now the final value
 *
 * Indices are i64.  Every load and store states its alignment; 1 is always right. */
#ifndef QCC_LOOPS_H
#define QCC_LOOPS_H

#include "compiler/codegen/codegen.h"

enum { CG_MAX_CARRIES = 72 };

typedef struct cg_loop {
    LLVMValueRef index;
    LLVMValueRef limit;
    int64_t step;
    LLVMBasicBlockRef head, exit;
    int carries;
    LLVMValueRef phi[CG_MAX_CARRIES], next[CG_MAX_CARRIES];
    LLVMValueRef latch; /* the back edge, once ended */
    int vectorize;      /* hints: -1 none, 0 no, 1 yes */
    bool no_unroll;
} cg_loop;

cg_loop cg_loop_begin(cg_kernel *, LLVMValueRef from, LLVMValueRef to, int64_t step); /* none when from >= to */
LLVMValueRef cg_loop_carry(cg_kernel *, cg_loop *, LLVMValueRef initial);
void cg_loop_update(cg_kernel *, cg_loop *, int slot, LLVMValueRef value);
void cg_loop_end(cg_kernel *, cg_loop *);
void cg_loop_hint_vectorize(cg_kernel *, cg_loop *, bool); /* metadata on the back edge; default: LLVM's own choice */
void cg_loop_hint_no_unroll(cg_kernel *, cg_loop *);

typedef struct cg_if {
    LLVMBasicBlockRef then_end, other, done;
} cg_if;
cg_if cg_if_begin(cg_kernel *, LLVMValueRef condition);
void cg_if_else(cg_kernel *, cg_if *);
void cg_if_end(cg_kernel *, cg_if *);
LLVMValueRef cg_if_merge(cg_kernel *, const cg_if *, LLVMValueRef then_value, LLVMValueRef else_value); /* after end */

/* ---- Scalars and addresses ---- */
LLVMValueRef cg_i64(const cg_kernel *, int64_t);
LLVMValueRef cg_i32(const cg_kernel *, int32_t);
LLVMValueRef cg_i8(const cg_kernel *, int);
LLVMValueRef cg_f32(const cg_kernel *, float);
LLVMTypeRef cg_type_of(const cg_kernel *, ir_dtype); /* BOOL is i8 in memory */
LLVMValueRef cg_at(cg_kernel *, LLVMValueRef pointer, LLVMValueRef byte_offset);
LLVMValueRef cg_at_const(cg_kernel *, LLVMValueRef pointer, int64_t byte_offset);
LLVMValueRef cg_add(cg_kernel *, LLVMValueRef, LLVMValueRef); /* i64, no signed wrap */
LLVMValueRef cg_mul_const(cg_kernel *, LLVMValueRef, int64_t);
/* Signed integers or floats, any width.  Of floats as minps and maxps: the second of equals, and where either is NaN.
 */
LLVMValueRef cg_min(cg_kernel *, LLVMValueRef, LLVMValueRef);
LLVMValueRef cg_max(cg_kernel *, LLVMValueRef, LLVMValueRef);
/* Floats, scalar or vector, within bounds, of which infinite ones cost nothing; NaN passes. */
LLVMValueRef cg_clamp_f32(cg_kernel *, LLVMValueRef, double low, double high);
LLVMValueRef cg_act_f32(cg_kernel *, ir_enum_ACT, LLVMValueRef);
LLVMValueRef cg_load(cg_kernel *, LLVMTypeRef, LLVMValueRef pointer, unsigned align);
void cg_store(cg_kernel *, LLVMValueRef value, LLVMValueRef pointer, unsigned align);

#endif
