/* fuse_quantize.c: a quantize moves into the float op in front of it, whose result then is integers.
 *
 *     %2:f32<…> = depthwise_conv2d %0, %1, %b {act = relu6}      %2:u8<…; 0.0235, 0> = depthwise_conv2d %0, %1, %b {act = relu6}
 *     %3:u8<…; 0.0235, 0> = quantize %2
 *
 * Products by constant weights, sums, differences and products of elements; not where something else reads the real result.
 * The op's rounding, which real results have no use for, becomes that of the quantize: the integers are the same. */
#include "passes/common/qdq.h"

static bool is_real(const ir_value *v) { return v && v->type.dtype == IR_F32; }

static bool is_taker(const ir_op *op)
{
    if (!op)
        return false;
    switch (op->code) {
    case IR_CONV2D:
    case IR_DEPTHWISE_CONV2D:
    case IR_FULLY_CONNECTED: return is_real(op->operands[0].value) && pass_has_constant_weights(op);
    case IR_ADD:
    case IR_SUB:
    case IR_MUL: return is_real(op->operands[0].value);
    default: return false;
    }
}

static bool can_fuse(const ir_op *quantize)
{
    const ir_value *x = quantize->operands[0].value, *y = quantize->results[0];
    return is_taker(x->def) && is_real(x) && pass_single_user(x) == quantize && qdq_is_byte(y) && y->quant->axis < 0;
}

static void fuse(ir_op *quantize)
{
    ir_value *x = quantize->operands[0].value, *y = quantize->results[0];
    ir_op *op = x->def;
    ir_set_int(op, IR_ATTR_ROUNDING, ir_int(quantize, IR_ATTR_ROUNDING));
    ir_set_operand(quantize, 0, NULL);
    ir_result_set(op, 0, y->type, y->quant);
    y->name = y->name ? y->name : x->name;
    pass_takes_over(x, y);
    ir_op_erase(quantize);
}

pass_result pass_fuse_quantize(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code != IR_QUANTIZE || !can_fuse(op))
            continue;
        fuse(op);
        result = PASS_CHANGED;
    }
    return result;
}
