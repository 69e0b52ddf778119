/* matmul.h: a product whose second matrix is computed at run time; batch_matmul, or fully_connected. */
#ifndef QCC_MATMUL_H
#define QCC_MATMUL_H

#include "compiler/codegen/codegen.h"

bool cg_emit_product(cg_module *, const ir_op *);
size_t cg_product_scratch(const ir_op *);

#endif
