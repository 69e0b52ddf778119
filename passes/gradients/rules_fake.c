/* rules_fake.c: simulated quantization.  Rounding counts as the identity (Bengio et al., Estimating or Propagating
 * Gradients Through Stochastic Neurons, 2013): the gradient passes where the value lies in the range, and is 0 outside.
 *
 * Ranges that are learned are operands of round_to_grid; or of the ops that spell it out, whose rules give their gradients:
 *
 *     x ──minimum hi──maximum lo──div scale──round──mul scale──▶
 */
#include "ir/ref/interp.h"
#include "passes/gradients/rule.h"

bool gradient_of_fake_quant(gradient *s)
{
    const ir_fake_grid g = ir_fake_grid_of(s->op);
    ir_value *x = gradient_operand(s, 0);
    const bool up = ir_int(s->op, IR_ATTR_TIES) == IR_TIES_UP;
    const float unit = up ? g.scale : g.top / (g.high - g.zero);
    ir_value *low = gradient_number(s, (double)((g.low - g.zero) * unit));
    ir_value *high = gradient_number(s, (double)((g.high - g.zero) * unit));
    gradient_give(s, 0, gradient_within(s, x, s->by_result, low, high));
    return true;
}

bool gradient_of_round_to_grid(gradient *s)
{
    enum { X, LOW, HIGH, SCALE };
    ir_value *x = gradient_operand(s, X), *low = gradient_operand(s, LOW), *high = gradient_operand(s, HIGH);
    if (gradient_wants(s, X))
        gradient_give(s, X, gradient_within(s, x, s->by_result, low, high));
    if (!gradient_wants(s, LOW) && !gradient_wants(s, HIGH) && !gradient_wants(s, SCALE))
        return true;
    for (int i = LOW; i <= SCALE; i++)
        if (ir_type_elements(gradient_operand_type(s, i)) != 1)
            return gradient_refuse(s, "by a grid that is not one for all");
    if (ir_type_elements(&x->type) != ir_type_elements(&s->by_result->type))
        return gradient_refuse(s, "by the grid of a value that is broadcast");
    const ir_type number = ir_type_make(IR_F32, 0, NULL);
    ir_value *by = gradient_reshape(s, s->by_result, x->type.rank, x->type.dims);
    ir_op *op = gradient_new(s, IR_GRID_GRADIENT, 5, (ir_value *[]){x, by, low, high, gradient_operand(s, SCALE)});
    for (int i = LOW; i <= SCALE; i++) {
        ir_result_set(op, i - LOW, number, NULL);
        gradient_give(s, i, op->results[i - LOW]);
    }
    return true;
}
