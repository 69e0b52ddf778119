/* shape.h: result types that follow from an op's operands and attributes. */
#ifndef QCC_IR_SHAPE_H
#define QCC_IR_SHAPE_H

#include "ir/ir.h"

/* The type that result `result` of a well-formed op must have.  What the op leaves free (the shape of reshape, slice,
 * broadcast, tile, resize, …; the element type of cast, quantize, …) is taken from the result's present type, which
 * has to be set by ir_result_set before.  False with a diagnostic when operands and attributes do not fit together. */
bool ir_infer_shape(const ir_op *, int result, ir_type *out, diag *);

/* Are the attributes within their ranges?  (verify.c; for frontends, which must know before they ask for a shape.) */
bool ir_verify_attrs(const ir_op *, diag *);

#endif
