/* wide.h: products of 16-bit activations and 8-bit weights, summed in 64 bits. */
#ifndef QCC_WIDE_H
#define QCC_WIDE_H

#include "compiler/codegen/matmul/gemm.h"

/* g has rows, columns, groups and operands of a conv2d, fully_connected or transpose_conv2d; finishes and emits it. */
bool cg_wide_emit(cg_module *, cg_gemm *, const cg_steps *, int64_t column_size);

#endif
