/* normalize.h: what softmax and l2_normalize share: rows along the last dimension. */
#ifndef QCC_CG_NORMALIZE_H
#define QCC_CG_NORMALIZE_H

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"

typedef struct row_kernel {
    cg_kernel *k;
    const ir_op *op;
    int64_t columns;
    unsigned lanes;
    int64_t x_bytes, y_bytes; /* of an element */
    LLVMValueRef row, x, y;   /* its number, and where it is */
    void *context;
} row_kernel;

/* Emits a kernel whose units are rows; `body` makes the code for one.  constants: arguments behind x and y. */
typedef void row_fn(row_kernel *);
bool row_kernel_emit(cg_module *, const ir_op *, const char *key, row_fn *, unsigned lanes, void *context,
                     int constant_count, const cg_arg constants[]);

/* Folds vectors of a row: whole ones, then a masked rest (mask NULL: all lanes).  `acc` holds `count` carried values.
 */
typedef void fold_fn(row_kernel *, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[]);
void row_fold(row_kernel *, fold_fn *, int count, LLVMValueRef acc[]);
/* The same without a carried value, for stores. */
typedef void each_fn(row_kernel *, LLVMValueRef first, LLVMValueRef mask);
void row_each(row_kernel *, each_fn *);

LLVMValueRef row_load(row_kernel *, LLVMTypeRef vector, LLVMValueRef first, LLVMValueRef mask);
void row_store(row_kernel *, LLVMValueRef value, LLVMValueRef first, LLVMValueRef mask);
LLVMValueRef row_reduce(row_kernel *, LLVMValueRef v, char what); /* '+' or '>' (the largest, unsigned if integer) */

/* A C helper of the runtime library over rows (runtime/ops.h), with one constant. */
bool row_helper_emit(cg_module *, const ir_op *, const char *function, const void *constant, size_t size);

#endif
