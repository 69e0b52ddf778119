/* eltwise_ops.h: the families of element-wise ops, by the types they work on; eltwise_ops.c chooses. */
#ifndef QCC_ELTWISE_OPS_H
#define QCC_ELTWISE_OPS_H

#include "compiler/codegen/codegen.h"

bool cg_eltwise_float(cg_module *, const ir_op *);     /* f32 operands */
bool cg_eltwise_int(cg_module *, const ir_op *);       /* plain integers, booleans */
bool cg_eltwise_quantized(cg_module *, const ir_op *); /* binary ops on 8- and 16-bit quantized values */
bool cg_eltwise_compare_quantized(cg_module *, const ir_op *);
bool cg_eltwise_requantize(cg_module *, const ir_op *);  /* of 32-bit values */
bool cg_eltwise_to_real(cg_module *, const ir_op *);   /* dequantize */
bool cg_eltwise_from_real(cg_module *, const ir_op *); /* quantize */
bool cg_emit_lookup(cg_module *, const ir_op *);       /* unary functions of 8- and 16-bit quantized values */

#endif
