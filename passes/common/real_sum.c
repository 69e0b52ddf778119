/* real_sum.c: finding residual sums that are rounded once, see real_sum.h. */
#include "passes/common/real_sum.h"

#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"
#include "passes/common/util.h"

static bool has_form(const ir_op *product)
{
    const ir_opcode code = product->code;
    const bool matrix = code == IR_BATCH_MATMUL && !ir_int(product, IR_ATTR_ADJ_A);
    return (code == IR_CONV2D || code == IR_FULLY_CONNECTED || matrix) && qdq_is_product(product) &&
           pass_is_known(product->operands[1].value) && !ir_operand_value(product, 4) && !product->keep_float &&
           qdq_act(product) == IR_ACT_NONE;
}

static bool is_plain(const ir_value *v) { return v->type.dtype == IR_F32 && !v->as && !ir_value_is_output(v); }

/* The product behind `v`, maybe through the sum with its bias. */
static const ir_op *product_of(const ir_value *v)
{
    const ir_op *op = v->def;
    for (int i = 0; op && op->code == IR_ADD && i < 2; i++) {
        ir_op *product = op->operands[i].value->def;
        if (product && plan_kind_of(product) == PLAN_PRODUCT && plan_sum_of(product) == op)
            return qdq_act(op) == IR_ACT_NONE && !op->keep_float && is_plain(product->results[0]) ? product : NULL;
    }
    return op && plan_kind_of(op) == PLAN_PRODUCT && !plan_sum_of(v->def) ? op : NULL;
}

static bool can_take(const ir_op *sum, int index)
{
    const ir_value *v = sum->operands[index].value, *r = sum->operands[1 - index].value;
    const ir_op *product = product_of(v);
    return product && has_form(product) && is_plain(v) && pass_single_user(v) == sum && !ir_is_const(r) &&
           ir_type_equal(&r->type, &v->type) && ir_type_equal(&sum->results[0]->type, &v->type);
}

int real_sum_product(const ir_op *sum)
{
    if (sum->code != IR_ADD || sum->keep_float || sum->results[0]->type.dtype != IR_F32)
        return -1;
    return pass_later_operand(sum, can_take(sum, 0), can_take(sum, 1));
}

ir_op *real_sum_of(const ir_value *v)
{
    ir_op *sum = pass_single_user(v);
    const int index = sum ? real_sum_product(sum) : -1;
    return index >= 0 && sum->operands[index].value == v ? sum : NULL;
}
