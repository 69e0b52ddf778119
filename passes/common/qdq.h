/* qdq.h: what the passes over fake-quantized graphs (dequantize -> float op -> quantize) share. */
#ifndef QCC_PASS_QDQ_H
#define QCC_PASS_QDQ_H

#include "passes/common/util.h"

/* An 8-bit value with one usable scale. */
bool qdq_is_byte(const ir_value *);
/* The 8-bit value whose real numbers v is: the operand of the dequantize that defines v; NULL when there is none. */
ir_value *qdq_source(const ir_value *v);
/* The same of a 16-bit value with zero point 0, which products by 8-bit weights can read. */
ir_value *qdq_word_source(const ir_value *v);
/* Is this a quantize to 8 bits that rounds as ONNX or Paddle Lite does, and may spell an op on integers?  Others are to
 * be computed as the file has them. */
bool qdq_is_target(const ir_op *);
/* Is v used, and by quantizes only? */
bool qdq_only_quantized(const ir_value *v);
/* How an op rounds that takes this quantize in, or stands in front of another op: where ties go away from zero, that
 * is a matter of conversions alone. */
ir_enum_ROUNDING qdq_rounding(const ir_op *);
/* `like` with other operands and another result, in front of `before`; NULL when that op is not defined on its types.
 * An attribute `rounding` becomes that of `before` if that is a quantize, else even_f32; `act` becomes what is given. */
ir_value *qdq_clone(const ir_op *like, ir_op *before, ir_value *const operands[], ir_dtype, const ir_quant *,
                    ir_enum_ACT act);
/* x with the element type `dtype`, by a requantize that flips the highest bit; x itself when it has it already. */
ir_value *qdq_as_dtype(ir_value *x, ir_dtype dtype, ir_op *before);
/* Erases v's op when nobody uses it. */
void qdq_drop(ir_value *v);
/* A convolution or matrix product of reals? */
bool qdq_is_product(const ir_op *);
/* Integer form of the convolution or matrix product `op`, or of the product that the sum `op` adds a constant to as a
 * bias, in front of `before`; NULL when there is none.  The result has the type and quantization of y (real without
 * one) and is clamped by `act`. */
ir_value *qdq_product(ir_graph *, const ir_op *op, ir_op *before, const ir_value *y, ir_enum_ACT act);
/* The average `op` of the 8-bit value x, with the quantization of q's result; NULL when it has no integer form. */
ir_value *qdq_average(ir_graph *, const ir_op *op, ir_op *q, ir_value *x, ir_enum_ACT act);
/* Other ops with an integer form, where all operands and the result have scales. */
bool qdq_computes(const ir_op *);
/* Does the integer form take this operand as it is: gamma and beta of layer_norm, the mask of softmax? */
bool qdq_stays_real(const ir_op *, int operand);
/* Does the op move, or compare, the elements of operand 0 whatever they mean? */
bool qdq_moves(const ir_op *);
/* The activation of an op; IR_ACT_NONE without the attribute. */
ir_enum_ACT qdq_act(const ir_op *);

#endif
