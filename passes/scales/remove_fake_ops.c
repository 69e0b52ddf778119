/* remove_fake_ops.c: fake ops go where the value in front of them carries their grid; constants are rounded to it.
 *
 *     %1:f32<4> as u8<0.1, 0> from fake_quant "node 3" = relu …   %1:f32<4> as u8<0.1, 0> … = relu …
 *     %2 = fake_quant %1 {min = 0, max = 25.5}                     %3 = conv2d %1, …
 *     %3 = conv2d %2, …
 *
 *     %3:f32<4> = dequantize (quantize %1:f32<4> as …)             %1
 *
 * What simulates more than 8 bits stays, and so does a quantize whose integers somebody reads. */
#include "ir/ref/interp.h"
#include "passes/common/scales.h"

/* The constant, rounded as the file says; NULL when the interpreter does not define that. */
static ir_value *rounded_constant(ir_graph *g, const ir_op *fake)
{
    const ir_value *c = fake->operands[0].value;
    const void *from = c->data;
    void *to = arena_alloc(g->arena, ir_type_bytes(&c->type));
    if (!pass_evaluate(fake, &from, &to))
        return NULL;
    ir_value *v = ir_const_new(g, c->type, NULL, to);
    v->name = c->name;
    scales_copy(v, c);
    return v;
}

static bool carries(ir_graph *g, const ir_value *v, const ir_op *fake)
{
    ir_dtype dtype;
    const ir_quant *quant = scales_of_fake(g, fake, &dtype);
    return quant && v->as && v->as_dtype == dtype && ir_quant_equal(v->as, quant);
}

static bool remove_fake(ir_graph *g, ir_op *op)
{
    ir_value *v = op->operands[0].value;
    if (ir_is_const(v))
        v = v->as ? rounded_constant(g, op) : NULL;
    else if (!carries(g, v, op))
        v = NULL;
    if (!v)
        return false;
    ir_replace_uses(op->results[0], v);
    ir_op_erase(op);
    return true;
}

/* All users of q are dequantizes. */
static bool only_read_back(const ir_value *q)
{
    int count = 0;
    for (const ir_operand *slot = q->uses; slot; slot = slot->next_use, count++)
        if (!scales_is_dequantize(slot->user))
            return false;
    return count == ir_use_count(q);
}

static bool remove_pair(ir_op *op)
{
    const ir_value *q = scales_is_dequantize(op) ? op->operands[0].value : NULL;
    if (!q || !q->def || !scales_is_quantize(q->def) || !only_read_back(q))
        return false;
    ir_op *quantize = q->def;
    ir_value *v = quantize->operands[0].value;
    if (!v->as || v->as_dtype != q->type.dtype || !ir_quant_equal(v->as, q->quant))
        return false;
    ir_replace_uses(op->results[0], v);
    ir_op_erase(op);
    if (ir_use_count(q) == 0)
        ir_op_erase(quantize);
    return true;
}

pass_result pass_remove_fake_ops(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code == IR_FAKE_QUANT ? remove_fake(g, op) : remove_pair(op))
            result = PASS_CHANGED;
    }
    return result;
}
