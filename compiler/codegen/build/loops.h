/* loops.h: structured control flow and vectors over the LLVM builder.
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
void cg_loop_hint_vectorize(cg_kernel *, cg_loop *, bool);  /* metadata on the back edge; default: LLVM's own choice */
void cg_loop_hint_no_unroll(cg_kernel *, cg_loop *);

typedef struct cg_if { LLVMBasicBlockRef then_end, other, done; } cg_if;
cg_if cg_if_begin(cg_kernel *, LLVMValueRef condition);
void cg_if_else(cg_kernel *, cg_if *);
void cg_if_end(cg_kernel *, cg_if *);
LLVMValueRef cg_if_merge(cg_kernel *, const cg_if *, LLVMValueRef then_value, LLVMValueRef else_value); /* after end */

/* ---- Scalars and addresses ---- */
LLVMValueRef cg_i64(const cg_kernel *, int64_t);
LLVMValueRef cg_i32(const cg_kernel *, int32_t);
LLVMValueRef cg_i8(const cg_kernel *, int);
LLVMValueRef cg_f32(const cg_kernel *, float);
LLVMTypeRef cg_type_of(const cg_kernel *, ir_dtype);                     /* BOOL is i8 in memory */
LLVMValueRef cg_at(cg_kernel *, LLVMValueRef pointer, LLVMValueRef byte_offset);
LLVMValueRef cg_at_const(cg_kernel *, LLVMValueRef pointer, int64_t byte_offset);
LLVMValueRef cg_add(cg_kernel *, LLVMValueRef, LLVMValueRef);            /* i64, no signed wrap */
LLVMValueRef cg_mul_const(cg_kernel *, LLVMValueRef, int64_t);
/* Signed integers or floats, any width.  Of floats as minps and maxps: the second of equals, and where either is NaN. */
LLVMValueRef cg_min(cg_kernel *, LLVMValueRef, LLVMValueRef);
LLVMValueRef cg_max(cg_kernel *, LLVMValueRef, LLVMValueRef);
/* Floats, scalar or vector, within bounds, of which infinite ones cost nothing; NaN passes. */
LLVMValueRef cg_clamp_f32(cg_kernel *, LLVMValueRef, double low, double high);
LLVMValueRef cg_act_f32(cg_kernel *, ir_enum_ACT, LLVMValueRef);
LLVMValueRef cg_load(cg_kernel *, LLVMTypeRef, LLVMValueRef pointer, unsigned align);
void cg_store(cg_kernel *, LLVMValueRef value, LLVMValueRef pointer, unsigned align);

/* ---- Vectors ---- */
LLVMTypeRef cg_vector(LLVMTypeRef element, unsigned lanes);
LLVMValueRef cg_splat(cg_kernel *, LLVMValueRef scalar, unsigned lanes);
LLVMValueRef cg_splat_i32(cg_kernel *, int32_t, unsigned lanes);
LLVMValueRef cg_splat_f32(cg_kernel *, float, unsigned lanes);
LLVMValueRef cg_lane_mask(cg_kernel *, LLVMValueRef count_i64, unsigned lanes);            /* <lanes x i1>: lane < count */
LLVMValueRef cg_load_masked(cg_kernel *, LLVMTypeRef vector, LLVMValueRef pointer, LLVMValueRef mask); /* others 0; touches no masked byte */
void cg_store_masked(cg_kernel *, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef mask);
LLVMValueRef cg_shuffle(cg_kernel *, LLVMValueRef a, LLVMValueRef b, const int lanes[], unsigned count); /* -1: undefined */
LLVMValueRef cg_intrinsic(cg_kernel *, const char *name, LLVMTypeRef overloads[], unsigned overload_count,
                          LLVMValueRef args[], unsigned count);
LLVMValueRef cg_fma(cg_kernel *, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);          /* a * b + c, one rounding */
LLVMValueRef cg_bitcast(cg_kernel *, LLVMValueRef, LLVMTypeRef);

/* acc<N x i32> + sum of 4 products each: a<4N x i8> unsigned, w<4N x i8> signed.  vpdpbusd with VNNI, N = 4, 8 or 16. */
LLVMValueRef cg_dot4(cg_kernel *, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes);
/* float -> i32, ties to even, any lane count; out of range is INT_MIN as cvtps2dq has it. */
LLVMValueRef cg_round_to_i32(cg_kernel *, LLVMValueRef float_vector);
/* table[byte] for each of 64 bytes (or any lane count); table is a pointer to 256 bytes.  2 x vpermi2b with VBMI. */
typedef struct cg_table { LLVMValueRef pointer, part[4]; } cg_table;
cg_table cg_table_load(cg_kernel *, LLVMValueRef pointer);               /* once, outside the loop */
LLVMValueRef cg_table_lookup(cg_kernel *, const cg_table *, LLVMValueRef bytes);
void cg_prefetch(cg_kernel *, LLVMValueRef pointer, int locality);       /* 3: L1, 2: L2 */

#endif
