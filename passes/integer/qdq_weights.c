/* qdq_weights.c: constants of fake-quantized graphs become integers that a dequantize reads, before constants are
 * folded (which would turn them into floats for good).
 *
 *     %1:i8<…; 0.5, 0> = quantize const %0:f32              const %1:i8<…; 0.5, 0> = …
 *     %2:f32<3x2> = transpose (dequantize const %1:i8<2x3; axis 0: […], 0>)
 *                                                           %2 = dequantize const %1:i8<3x2; axis 1: […], 0>
 *
 * Also reshape instead of transpose.  A reshape that breaks up the dimension of the scales stays. */
#include "ir/ref/interp.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"

/* Result of an op on constants, as a constant with the given quantization; NULL: not defined. */
static ir_value *evaluate(ir_graph *g, const ir_op *op, const void *x, const ir_quant *quant)
{
    const ir_value *r = op->results[0];
    void *to = arena_alloc(g->arena, ir_type_bytes(&r->type));
    if (!pass_evaluate(op, &x, &to))
        return NULL;
    return ir_const_new(g, r->type, quant, to);
}

static bool move_constant(ir_graph *g, ir_op *op)
{
    const ir_value *v = op->operands[0].value;
    if (!v->def || v->def->code != IR_DEQUANTIZE || !ir_is_const(v->def->operands[0].value))
        return false;
    const ir_value *w = v->def->operands[0].value;
    if (!w->quant || (w->type.dtype != IR_I8 && w->type.dtype != IR_U8 && w->type.dtype != IR_I32))
        return false;
    const ir_quant *quant = scales_moved(g, op, w->quant);
    if (!quant)
        return false;
    ir_value *plain = ir_const_new(g, w->type, NULL, w->data);
    ir_type type = op->results[0]->type;
    type.dtype = w->type.dtype;
    ir_value *moved = pass_op1(g, op->code, op, op, 1, &plain, type, NULL);
    if (op->code == IR_TRANSPOSE)
        moved->def->attrs[0] = op->attrs[0];
    ir_value *to = evaluate(g, moved->def, w->data, quant);
    ir_op_erase(moved->def);
    if (!to)
        return false;
    to->name = w->name;
    to->scale_from = w->scale_from;
    ir_value *real = pass_op1(g, IR_DEQUANTIZE, op, op, 1, &to, op->results[0]->type, NULL);
    real->name = op->results[0]->name;
    ir_replace_uses(op->results[0], real);
    ir_op_erase(op);
    return true;
}

static bool quantize_constant(ir_graph *g, ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    ir_value *r = op->results[0], *to = ir_is_const(x) ? evaluate(g, op, x->data, r->quant) : NULL;
    if (!to)
        return false;
    to->name = r->name ? r->name : x->name;
    to->scale_from = r->scale_from;
    ir_replace_uses(r, to);
    ir_op_erase(op);
    return true;
}

pass_result pass_qdq_weights(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        bool moves = op->code == IR_TRANSPOSE || op->code == IR_RESHAPE;
        if (moves ? move_constant(g, op) : op->code == IR_QUANTIZE && quantize_constant(g, op))
            result = PASS_CHANGED;
    }
    return result;
}
