/* split_add.c: the sum out of a real product that adds a residual, as a graph that qcc has written has it.
 *
 *     %3 = conv2d %0, %1, %b, %r {act = relu, add_act = relu6}     %2 = conv2d %0, %1, %b {act = relu}
 *                                                                  %3 = add %2, %r {act = relu6}
 *
 * What makes integers of real ops knows products and sums, and finds scales for each; fuse_add puts together again what
 * has stayed real. */
#include "passes/common/util.h"

static bool is_split(const ir_op *op)
{
    const bool product = op->code == IR_CONV2D || op->code == IR_DEPTHWISE_CONV2D || op->code == IR_FULLY_CONNECTED;
    const ir_value *residual = product ? ir_operand_value(op, 3) : NULL;
    if (!residual || ir_is_const(residual) || ir_operand_value(op, 4))
        return false;
    return pass_has_constant_weights(op) && op->operands[0].value->type.dtype == IR_F32 &&
           op->operands[1].value->type.dtype == IR_F32 && residual->type.dtype == IR_F32 &&
           op->results[0]->type.dtype == IR_F32;
}

static void split(ir_graph *g, ir_op *op)
{
    const bool first = ir_int(op, IR_ATTR_ADD_FIRST) != 0;
    const int64_t act = ir_int(op, IR_ATTR_ADD_ACT);
    ir_value *r = op->results[0], *bias = ir_operand_value(op, 2), *residual = op->operands[3].value;
    ir_value *operands[] = {op->operands[0].value, op->operands[1].value, bias};
    ir_op *product = ir_op_new(g, op->code, op, bias ? 3 : 2, operands);
    ir_attrs_copy(product, op);
    ir_set_int(product, IR_ATTR_ADD_ACT, IR_ACT_NONE);
    ir_set_int(product, IR_ATTR_ADD_FIRST, 0);
    product->loc = op->loc;
    product->keep_float = op->keep_float;
    product->why_float = op->why_float;
    ir_result_set(product, 0, r->type, NULL);
    ir_value *of = product->results[0];
    ir_value *sum =
        pass_op1(g, IR_ADD, op, op, 2, (ir_value *[]){first ? residual : of, first ? of : residual}, r->type, NULL);
    ir_set_int(sum->def, IR_ATTR_ACT, act);
    sum->def->name = op->name;
    pass_takes_over(sum, r);
    ir_op_erase(op);
}

pass_result pass_split_add(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (!is_split(op))
            continue;
        split(g, op);
        result = PASS_CHANGED;
    }
    return result;
}
