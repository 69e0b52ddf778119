/* copy.h: runs of bytes moved and filled inside kernels, and the copy of an image into a padded one. */
#ifndef QCC_COPY_H
#define QCC_COPY_H

#include "compiler/codegen/matmul/gemm.h"

/* `bytes` bytes, known at compile time; touches nothing else. */
void cg_copy_run(cg_kernel *, LLVMValueRef from, LLVMValueRef to, int64_t bytes);
void cg_fill_run(cg_kernel *, LLVMValueRef to, int64_t bytes, LLVMValueRef byte);

/* out[y][x] = in[y - top][x - left] where that exists, `fill` elsewhere, for every image.  Units are lines of `to`. */
typedef struct cg_pad_copy {
    const ir_op *op;
    cg_gemm_rows from, to;
    int64_t images, in_h, in_w, out_h, out_w, top, left;
    int64_t pixel_bytes;
    int fill; /* a byte; with `fills`, one from memory, fill_step bytes between those of two images */
    cg_arg fills;
    int64_t fill_step;
} cg_pad_copy;

void cg_pad_copy_emit(cg_module *, const cg_pad_copy *);

#endif
