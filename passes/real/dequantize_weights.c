/* dequantize_weights.c: integer constants become real ones that say which integers they were, so that the passes over
 * float ops see them.
 *
 *     const %1:i8<2; 0.5, 0> = [10, -3]                  const %2:f32<2> as i8<0.5, 0> from quantize = [5, -1.5]
 *     %2:f32<2> as i8<0.5, 0> … = dequantize %1
 *
 * Only where a pass has gathered the scale; other dequantized constants are folded later, and carry none. */
#include "ir/ref/interp.h"
#include "passes/common/scales.h"

static ir_value *real_constant(ir_graph *g, const ir_op *op)
{
    const ir_value *r = op->results[0];
    const void *from = op->operands[0].value->data;
    void *to = arena_alloc(g->arena, ir_type_bytes(&r->type));
    if (!pass_evaluate(op, &from, &to))
        return NULL;
    ir_value *v = ir_const_new(g, r->type, NULL, to);
    v->name = r->name ? r->name : op->operands[0].value->name;
    scales_copy(v, r);
    return v;
}

pass_result pass_dequantize_weights(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (!scales_is_dequantize(op) || !ir_is_const(op->operands[0].value) || !op->results[0]->as)
            continue;
        ir_value *v = real_constant(g, op);
        if (!v)
            continue;
        ir_replace_uses(op->results[0], v);
        ir_op_erase(op);
        result = PASS_CHANGED;
    }
    return result;
}
