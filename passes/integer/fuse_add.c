/* fuse_add.c: a residual add moves into the convolution, depthwise convolution or matrix product that feeds it.
 *
 *     %2:u8<…; 0.1, 3> = conv2d %0, %1, %b {act = relu}        %3:u8<…; 0.2, 5> = conv2d %0, %1, %b, %r {act = relu,
 *     %3:u8<…; 0.2, 5> = add %2, %r {act = relu6}                  mid_scale = 0.1, mid_zero = 3, add_act = relu6}
 *
 * The fused op computes exactly what the two did: the product, requantized and clamped to the 8-bit value that %2 was,
 * and then the sum.  Real sums likewise, also of products of integers. */
#include "passes/common/util.h"

static bool is_producer(const ir_op *op)
{
    return op && (op->code == IR_CONV2D || op->code == IR_DEPTHWISE_CONV2D || op->code == IR_FULLY_CONNECTED) &&
           !ir_operand_value(op, 3);
}

static bool same_form(const ir_value *a, const ir_value *b)
{
    return ir_type_equal(&a->type, &b->type) && (a->quant == NULL) == (b->quant == NULL);
}

/* Those whose code adds: weights and biases that are computed do not go with a residual, but in windows over reals. */
static bool has_code(const ir_op *op)
{
    const ir_dtype x = op->operands[0].value->type.dtype;
    return x != IR_I16 && (pass_has_constant_weights(op) || (x == IR_F32 && op->code != IR_FULLY_CONNECTED));
}

/* Can operand `index` of the add take the add in? */
static bool can_fuse(const ir_op *add, int index)
{
    const ir_value *mid = add->operands[index].value, *r = add->operands[1 - index].value, *y = add->results[0];
    const ir_op *op = mid->def;
    if (!is_producer(op) || !has_code(op) || pass_single_user(mid) != add || ir_is_const(r))
        return false;
    if (!same_form(mid, y) || !same_form(r, y))
        return false;
    if (y->type.dtype == IR_F32)
        return true;
    const ir_value *bias = ir_operand_value(op, 2);
    if (bias && bias->type.dtype == IR_F32)
        return false;
    bool bytes = y->type.dtype == IR_I8 || y->type.dtype == IR_U8;
    return bytes && y->quant && y->quant->axis < 0 && mid->quant->axis < 0 && r->quant->axis < 0 &&
           ir_int(op, IR_ATTR_ROUNDING) == ir_int(add, IR_ATTR_ROUNDING);
}

static void fuse(ir_op *add, int index)
{
    ir_value *mid = add->operands[index].value, *r = add->operands[1 - index].value, *y = add->results[0];
    ir_op *op = mid->def;
    if (op->operand_count == 2)
        ir_set_operand(op, 2, NULL);
    ir_set_operand(op, 3, r);
    if (mid->quant) {
        ir_set_float(op, IR_ATTR_MID_SCALE, mid->quant->scale[0]);
        ir_set_int(op, IR_ATTR_MID_ZERO, mid->quant->zero[0]);
        const int64_t unused[] = {mid->quant->unused.below, mid->quant->unused.above};
        ir_set_ints(op, IR_ATTR_MID_UNUSED, 2, unused);
    }
    ir_set_int(op, IR_ATTR_ADD_ACT, ir_int(add, IR_ATTR_ACT));
    ir_set_int(op, IR_ATTR_ADD_FIRST, index == 1);
    ir_set_operand(add, index, NULL);
    ir_result_set(op, 0, y->type, y->quant);
    y->name = y->name ? y->name : mid->name;
    ir_op_move_before(op, add); /* the residual is defined somewhere before the add */
    pass_takes_over(mid, y);
    ir_op_erase(add);
}

pass_result pass_fuse_add(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        int index = op->code == IR_ADD ? pass_later_operand(op, can_fuse(op, 0), can_fuse(op, 1)) : -1;
        if (index < 0)
            continue;
        fuse(op, index);
        result = PASS_CHANGED;
    }
    return result;
}
