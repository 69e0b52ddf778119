/* vector.h: vectors of any lane count over the LLVM builder.  Every load and store states its alignment; 1 is always
 * right. */
#ifndef QCC_CG_VECTOR_H
#define QCC_CG_VECTOR_H

#include "compiler/codegen/build/loops.h"

enum { CG_MAX_LANES = 256 };

LLVMTypeRef cg_vector(LLVMTypeRef element, unsigned lanes);
bool cg_is_vector(LLVMValueRef);
unsigned cg_lanes(LLVMValueRef); /* 1 of a scalar */
unsigned cg_vector_bytes(LLVMTypeRef vector);
LLVMValueRef cg_splat(cg_kernel *, LLVMValueRef scalar, unsigned lanes);
LLVMValueRef cg_splat_i32(cg_kernel *, int32_t, unsigned lanes);
LLVMValueRef cg_splat_f32(cg_kernel *, float, unsigned lanes);
LLVMValueRef cg_bitcast(cg_kernel *, LLVMValueRef, LLVMTypeRef);

LLVMValueRef cg_shuffle(cg_kernel *, LLVMValueRef a, LLVMValueRef b, const int lanes[],
                        unsigned count); /* -1: undefined */
/* `count` lanes of v from `first` on, with step; lanes past the end of v are undefined. */
LLVMValueRef cg_take(cg_kernel *, LLVMValueRef v, unsigned first, unsigned step, unsigned count);
LLVMValueRef cg_join(cg_kernel *, LLVMValueRef low, LLVMValueRef high);
/* Applies `unit`, which takes vectors of exactly `width` lanes, to v with any lane count. */
LLVMValueRef cg_by_width(cg_kernel *, LLVMValueRef v, unsigned width, const void *context,
                         LLVMValueRef (*unit)(cg_kernel *, LLVMValueRef, const void *));

LLVMValueRef cg_lane_mask(cg_kernel *, LLVMValueRef count_i64, unsigned lanes); /* <lanes x i1>: lane < count */
LLVMValueRef cg_intrinsic(cg_kernel *, const char *name, LLVMTypeRef overloads[], unsigned overload_count,
                          LLVMValueRef args[], unsigned count);
void cg_prefetch(cg_kernel *, LLVMValueRef pointer, int locality); /* 3: L1, 2: L2 */

#endif
