/* rules_fake.c: simulated quantization.  Rounding counts as the identity (Bengio et al., Estimating or Propagating
 * Gradients Through Stochastic Neurons, 2013): the gradient passes where the value lies in the range, and is 0 outside.
 *
 * Ranges that are learned are operands of the ops that spell a fake quantization out, whose rules give their gradients:
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
    ir_value *by = gradient_where(s, IR_GREATER_EQUAL, x, (double)((g.low - g.zero) * unit), s->by_result, NULL);
    gradient_give(s, 0, gradient_where(s, IR_LESS_EQUAL, x, (double)((g.high - g.zero) * unit), by, NULL));
    return true;
}
