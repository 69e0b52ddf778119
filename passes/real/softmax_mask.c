/* softmax_mask.c: the scale and the mask in front of a softmax become parts of it.
 *
 *     %2 = div %0, 8                       %4 = softmax %0, %1 {beta = 0.125}
 *     %3 = add %2, %1:f32<1x1x1x128>
 *     %4 = softmax %3
 *
 * The factor is one positive number, the mask real, broadcast, and as long as a row.  Only of reals, and only where
 * nothing else uses the values in between. */
#include <math.h>

#include "passes/common/util.h"

/* The op that makes v for `user` alone. */
static ir_op *made_for(const ir_value *v, const ir_op *user)
{
    const bool plain = v->def && v->type.dtype == IR_F32 && v->def->results[0] == v && pass_single_user(v) == user &&
                       v->def->operand_count == 2 && ir_has_attr(v->def, IR_ATTR_ACT) &&
                       ir_int(v->def, IR_ATTR_ACT) == IR_ACT_NONE;
    return plain ? v->def : NULL;
}

static bool fits(const ir_value *mask, const ir_type *x)
{
    const ir_type *t = &mask->type;
    if (t->dtype != IR_F32 || t->rank < 1 || t->rank > x->rank || t->dims[t->rank - 1] != x->dims[x->rank - 1])
        return false;
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] != 1 && t->dims[d] != x->dims[d + x->rank - t->rank])
            return false;
    return true;
}

/* softmax(a + mask): the op that has both, in place of `op`; NULL when it is something else. */
static ir_op *take_mask(ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    ir_op *sum = made_for(x, op);
    if (!sum || sum->code != IR_ADD || ir_operand_value(op, 1) || ir_float(op, IR_ATTR_BETA) != 1)
        return NULL; /* with another beta the mask would be scaled, too */
    for (int i = 1; i >= 0; i--) {
        ir_value *rows = sum->operands[!i].value, *mask = sum->operands[i].value;
        if (rows == mask || ir_is_const(rows) || !ir_type_equal(&rows->type, &x->type) || !fits(mask, &x->type))
            continue;
        ir_value *operands[2] = {rows, mask};
        ir_value *y = pass_op1(op->graph, IR_SOFTMAX, op, op, 2, operands, op->results[0]->type, NULL);
        pass_takes_over(y, op->results[0]);
        ir_op_erase(op);
        ir_op_erase(sum);
        return y->def;
    }
    return NULL;
}

/* softmax(a * c) */
static bool take_factor(ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    const ir_op *scaled = made_for(x, op);
    if (!scaled || (scaled->code != IR_MUL && scaled->code != IR_DIV))
        return false;
    for (int i = 1; i >= (scaled->code == IR_DIV); i--) {
        const ir_value *number = scaled->operands[i].value;
        ir_value *rows = scaled->operands[!i].value;
        if (!ir_is_const(number) || ir_type_elements(&number->type) != 1 || ir_is_const(rows) ||
            !ir_type_equal(&rows->type, &x->type))
            continue;
        const double c = ir_const_real(number, 0), factor = scaled->code == IR_MUL ? c : 1 / c;
        if (!(factor > 1e-30 && factor < 1e30))
            return false;
        ir_set_float(op, IR_ATTR_BETA, (float)(factor * (double)ir_float(op, IR_ATTR_BETA)));
        ir_set_operand(op, 0, rows);
        return true;
    }
    return false;
}

pass_result pass_softmax_mask(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code != IR_SOFTMAX || op->operands[0].value->type.dtype != IR_F32 ||
            op->results[0]->type.dtype != IR_F32)
            continue;
        ir_op *masked = take_mask(op);
        if (masked || take_factor(op))
            result = PASS_CHANGED;
        if (masked)
            take_factor(masked);
    }
    return result;
}
