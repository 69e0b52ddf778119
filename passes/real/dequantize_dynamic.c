/* dequantize_dynamic.c: products of operands that are quantized at run time become float products, where the options
 * want them so (`choose`).
 *
 *     %1:u8<…>, %2:f32<…>, %3:u8<…> = dynamic_quantize %0          %4:f32<…> = conv2d %0, const %6:f32<…>, const %b
 *     %4:f32<…> = conv2d %1, const %5:i8<…>, const %b, none, %2, %3
 *
 * Behind fuse_dynamic, which gives such products their real result.  Sums that stay integers stay. */
#include "ir/ref/interp.h"
#include "passes/common/plan.h"

static bool to_float(ir_graph *g, ir_op *op)
{
    if (!op->keep_float || !(ir_op_info_of(op->code)->flags & IR_MAC) || !ir_mac_is_dynamic(op))
        return false;
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    if (op->results[0]->type.dtype != IR_F32 || !x->def || x->def->code != IR_DYNAMIC_QUANTIZE || !ir_is_const(w) ||
        ir_operand_value(op, 3))
        return false;
    ir_value *r = op->results[0], *real = x->def->operands[0].value, *bias = ir_operand_value(op, 2);
    ir_value *operands[3] = {real, plan_real_constant(g, w), bias};
    ir_value *y = pass_op1(g, op->code, op, op, bias ? 3 : 2, operands, r->type, NULL);
    ir_attrs_copy(y->def, op);
    y->def->name = op->name;
    y->name = r->name;
    ir_replace_uses(r, y);
    ir_op_erase(op);
    return true;
}

pass_result pass_dequantize_dynamic(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (to_float(g, op))
            result = PASS_CHANGED;
    }
    return result;
}
