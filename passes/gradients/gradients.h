/* gradients.h: reverse-mode differentiation of a float graph.
 *
 *     input %x, %w                        … and behind the ops that are there
 *     %1 = fully_connected %x, %w         %5 = … gradient of %loss by %1
 *     …                                   %6 = batch_matmul %5, %x {adj_a = 1}      gradient by %w
 *     %loss:f32<> = mean …
 *
 * It adds ops of the same IR and changes none: what the caller wants to see becomes outputs (ir_output_add), what nobody
 * uses goes with dce, and the graph is compiled like any other.  rules.def says what the gradient of every op is;
 * docs/gradients.md derives them. */
#ifndef QCC_GRADIENTS_H
#define QCC_GRADIENTS_H

#include <stddef.h>

#include "ir/ir.h"

/* Extends the graph by the gradients of the scalar real value `loss` (shape [] or [1]) by each of wrt[0…count): inputs,
 * constants or results of ops, all f32.  out_grads[i] has wrt[i]'s type; where the loss does not depend on it, it is a
 * constant of zeros.
 *
 * It belongs in front of the phase `integer` of the pipeline: quantized ops have no gradients.  False after one
 * diagnostic that names the op without a rule; the graph is then good for nothing but being freed. */
bool pass_gradients(ir_graph *, ir_value *loss, ir_value *const wrt[], size_t count, ir_value *out_grads[], diag *);

#endif
