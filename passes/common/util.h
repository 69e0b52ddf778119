/* util.h: what several passes need. */
#ifndef QCC_PASS_UTIL_H
#define QCC_PASS_UTIL_H

#include "passes/pass.h"

#define PHASE(name, doc)
#define PASS(name, flags, doc) pass_fn pass_##name;
#define STEP(name, doc)
#include "passes/passes.def"
#undef STEP
#undef PHASE
#undef PASS

/* The results of an op for these operands; false when it is not defined on its types. */
bool pass_evaluate(const ir_op *, const void *const operands[], void *const results[]);
/* A constant of real numbers that stand for no integers; NULL is none. */
bool pass_is_real_constant(const ir_value *);
/* A constant of one element. */
bool pass_is_number(const ir_value *);
/* A constant, or one that is about to be rounded. */
bool pass_is_known(const ir_value *);
/* The result of an op, element by element, for `points` of them: operands are rows of so many, or one constant number
 * each; at most PASS_ROW_OPERANDS of them. */
enum { PASS_ROW_OPERANDS = 4 };
bool pass_evaluate_row(const ir_op *, int64_t points, const void *const operands[], void *result);
/* What a diagnostic that nobody reads leaves to say: out of memory is not 'not defined', and does not come back. */
void pass_ignore(const diag *);
/* A new op with one result of the given type, in front of `before` (NULL: at the end), with the location of `like`. */
ir_value *pass_op1(ir_graph *, ir_opcode, ir_op *before, const ir_op *like, int operand_count,
                   ir_value *const operands[], ir_type, const ir_quant *);
/* The same parameters with `shift` added to each zero point. */
const ir_quant *pass_quant_shifted(ir_graph *, const ir_quant *, int32_t shift);
/* A constant with the other 8-bit type whose integers, and zero points, are 128 larger (to u8) or smaller (to i8). */
ir_value *pass_const_flipped(ir_graph *, const ir_value *);
/* Which dimension of the weights of a multiply-accumulate op is the output channel; -1: another op. */
int pass_channel_axis(const ir_op *);
/* Is operand `index` of `op` a weight operand: int8, exempt from the unsigned form? */
bool pass_is_weight(const ir_op *, int index);
/* A recurrent layer on reals, whose weights, operand 1, may be int8. */
bool pass_is_recurrent(const ir_op *);
/* `to` takes over what `from` did: the options' wish to have that in float goes with it. */
void pass_inherit_choice(ir_op *to, const ir_op *from);
/* The one op that uses v; NULL when there is another use, or v is a graph output. */
ir_op *pass_single_user(const ir_value *);
/* Which of an op's first two operands, as far as they are candidates, is computed later, so that the other is finished by
 * then: 1, 0, or -1 for none. */
int pass_later_operand(const ir_op *, bool first, bool second);
/* v takes over all uses of `from`, its name, and the integers that it stands for. */
void pass_takes_over(ir_value *v, ir_value *from);
/* Are the weights of a product and its bias, if there is one, constants? */
bool pass_has_constant_weights(const ir_op *);

/* Of an op with a rounding: does it pass the smallest integer of its type on, or never get it?  lite_f32 makes the
 * next one of it; real numbers have none. */
bool pass_keeps_smallest(const ir_op *);

#endif
