/* hard_swish.c: the spelled-out form of hard-swish becomes the op.
 *
 *     %1 = add %0, 3 {act = relu6}        %3 = hard_swish %0
 *     %2 = mul %0, %1
 *     %3 = div %2, 6                      … or mul by 1/6, or the sixth of %1 first
 *
 *     %1 = mul %0, 1/6                    %3 = hard_swish %0
 *     %2 = add %1, 1/2 {act = relu_0_to_1}
 *     %3 = mul %0, %2
 *
 * Only of reals that stand for no integers; what else uses a value in between keeps it. */
#include <math.h>

#include "passes/common/qdq.h"

/* v times a factor, which is in `out`; v itself times 1. */
static ir_value *unscaled(ir_value *v, double *out)
{
    const ir_op *op = v->def;
    *out = 1;
    for (int i = 0; op && (op->code == IR_MUL || op->code == IR_DIV) && i < 2; i++) {
        const ir_value *c = op->operands[i].value;
        if (!ir_is_const(c) || !pass_is_number(c) || c->type.dtype != IR_F32 || qdq_act(op) != IR_ACT_NONE ||
            (op->code == IR_DIV && i == 0) || op->results[0]->as)
            continue;
        *out = op->code == IR_MUL ? ir_const_real(c, 0) : 1 / ir_const_real(c, 0);
        return op->operands[!i].value;
    }
    return v;
}

/* Is v relu6(x + 3), times *out, or times a sixth as the clamp of x / 6 + 1/2 to 0…1? */
static bool is_shifted(ir_value *v, const ir_value *x, double *out)
{
    const ir_op *op = v->def;
    if (op && op->code == IR_ADD && qdq_act(op) == IR_ACT_RELU_0_TO_1)
        *out = 1.0 / 6;
    else
        op = unscaled(v, out)->def;
    const bool sixth = op == v->def && op && qdq_act(op) == IR_ACT_RELU_0_TO_1;
    if (!op || op->code != IR_ADD || op->results[0]->as || (!sixth && qdq_act(op) != IR_ACT_RELU6))
        return false;
    for (int i = 0; i < 2; i++) {
        const ir_value *c = op->operands[!i].value;
        double scale;
        if (unscaled(op->operands[i].value, &scale) == x && fabs(scale * (sixth ? 6 : 1) - 1) < 1e-6 &&
            pass_is_number(c) && c->type.dtype == IR_F32 && ir_const_real(c, 0) == (sixth ? 0.5 : 3))
            return true;
    }
    return false;
}

/* What hard-swish is taken of, if v is one. */
static ir_value *operand_of(ir_value *v)
{
    double whole, part;
    const ir_value *product = unscaled(v, &whole);
    const ir_op *op = product->def;
    if (!op || op->code != IR_MUL || qdq_act(op) != IR_ACT_NONE || (product != v && product->as))
        return NULL;
    for (int i = 0; i < 2; i++) {
        ir_value *x = op->operands[i].value;
        if (x->type.dtype == IR_F32 && is_shifted(op->operands[!i].value, x, &part) &&
            fabs(whole * part * 6 - 1) < 1e-6 && ir_type_equal(&x->type, &v->type))
            return x;
    }
    return NULL;
}

pass_result pass_hard_swish(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        ir_value *x = op->code == IR_MUL || op->code == IR_DIV ? operand_of(op->results[0]) : NULL;
        if (!x)
            continue;
        ir_value *y = pass_op1(g, IR_HARD_SWISH, op, op, 1, &x, x->type, NULL);
        pass_inherit_choice(y->def, op);
        pass_takes_over(y, op->results[0]);
        ir_op_erase(op);
        result = PASS_CHANGED;
    }
    return result;
}
