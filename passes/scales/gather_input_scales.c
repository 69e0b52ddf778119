/* gather_input_scales.c: activations say which integers the file rounds them to; a fake op beats an observation.
 *
 *     %1:f32<4> = conv2d …                          %1:f32<4> as u8<0.1, 0> from fake_quant "node 3" = conv2d …
 *     %2 = fake_quant %1 {min = 0, max = 25.5}      %2 = fake_quant %1 {min = 0, max = 25.5}
 *
 *     %1:f32<4> = relu …                            %1:f32<4> as u8<0.1, 0> from quantize "node 3" = relu …
 *     %2:u8<4; 0.1, 0> = quantize %1                %2:u8<4; 0.1, 0> = quantize %1
 *     %3:f32<4> = dequantize %2                     %3:f32<4> as u8<0.1, 0> … = dequantize %2
 *
 * A value carries one grid, and all who read it get that one.  Where the file rounds to different grids, or one reader
 * takes the value as it is, the value carries none, and each fake op becomes the pair that spells it, so that each
 * reader gets exactly the grid that the file gave it, rounded once:
 *
 *     %1:f32<4> = conv2d …                          %1:f32<4> = conv2d …
 *     %2 = fake_quant %1 {min = 0, max = 25.5}      %2:u8<4; 0.1, 0> = quantize %1
 *     %3 = add %1, …                                %4:f32<4> as u8<0.1, 0> … = dequantize %2
 *                                                   %3 = add %1, …
 *
 * An observed value is meant to be integers for everybody: readers of the raw value do not count there. */
#include "passes/common/scales.h"

typedef struct fake {
    ir_dtype dtype;
    ir_enum_ROUNDING rounding;
    const ir_quant *quant;
    ir_origin from;
} fake;

/* Does `op` round its operand to a grid of 8-bit integers? */
static bool rounds(ir_graph *g, const ir_op *op, fake *out)
{
    *out = (fake){0};
    if (op->code == IR_FAKE_QUANT) {
        out->quant = scales_of_fake(g, op, &out->dtype);
        out->rounding = scales_rounding_of_fake(op);
    } else if (scales_is_quantize(op)) {
        out->dtype = op->results[0]->type.dtype;
        out->rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
        out->quant = op->results[0]->quant;
    }
    if (out->quant)
        out->from = op->code == IR_QUANTIZE ? scales_origin_of(g, op->results[0], op) : scales_origin(g, op);
    return out->quant != NULL;
}

/* Is v a fake op's own result?  Its grid belongs to the value in front of the op. */
static bool is_rounded(ir_graph *g, const ir_value *v)
{
    fake ignored;
    return v->def && v->def->code == IR_FAKE_QUANT && rounds(g, v->def, &ignored);
}

/* The grid of all who read v, if it is one. */
static bool common_grid(ir_graph *g, const ir_value *v, fake *out)
{
    int rounded = 0;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use) {
        fake next;
        if (!rounds(g, slot->user, &next))
            continue;
        if (rounded++ == 0)
            *out = next;
        else if (next.dtype != out->dtype || next.rounding != out->rounding || !ir_quant_equal(next.quant, out->quant))
            return false;
    }
    const bool others = rounded < ir_use_count(v);
    return rounded > 0 && (!others || (v->as && !scales_is_fixed(v)));
}

/* fake_quant -> quantize, dequantize */
static void spell_out(ir_graph *g, ir_op *op, const fake *f)
{
    ir_value *x = op->operands[0].value, *r = op->results[0];
    ir_type type = x->type;
    type.dtype = f->dtype;
    ir_value *q = pass_op1(g, IR_QUANTIZE, op, op, 1, &x, type, f->quant);
    ir_set_int(q->def, IR_ATTR_ROUNDING, f->rounding);
    q->scale_from = f->from;
    ir_value *real = pass_op1(g, IR_DEQUANTIZE, op, op, 1, &q, r->type, NULL);
    real->name = r->name;
    scales_set(real, f->dtype, f->quant, f->from);
    ir_replace_uses(r, real);
    ir_op_erase(op);
}

/* All fake ops that read v, once. */
static bool gather(ir_graph *g, ir_value *v)
{
    fake grid;
    if (v->type.dtype != IR_F32)
        return false;
    const bool carried = scales_is_fixed(v) || is_rounded(g, v);
    if (!carried && common_grid(g, v, &grid)) {
        scales_set(v, grid.dtype, grid.quant, grid.from);
        v->as_rounding = grid.rounding;
        return true;
    }
    bool changed = false;
    for (ir_operand *slot = v->uses, *next; slot; slot = next) {
        next = slot->next_use;
        const bool again = carried && v->as && rounds(g, slot->user, &grid) && grid.dtype == v->as_dtype &&
                           ir_quant_equal(grid.quant, v->as);
        if (again || slot->user->code != IR_FAKE_QUANT || !rounds(g, slot->user, &grid))
            continue;
        spell_out(g, slot->user, &grid);
        changed = true;
    }
    return changed;
}

/* A constant is rounded by each of its fake ops alone. */
static bool gather_constant(ir_graph *g, ir_op *op)
{
    fake grid;
    ir_value *c = op->operands[0].value;
    if (c->as || !rounds(g, op, &grid))
        return false;
    ir_value *own = ir_const_new(g, c->type, c->quant, c->data);
    own->name = c->name;
    scales_set(own, grid.dtype, grid.quant, grid.from);
    ir_set_operand(op, 0, own);
    return true;
}

/* What integers are read as. */
static bool gather_dequantize(ir_graph *g, const ir_op *op)
{
    if (!scales_is_dequantize(op))
        return false;
    ir_value *r = op->results[0];
    const ir_value *x = op->operands[0].value;
    if (r->as || x->quant->axis >= 0)
        return false;
    scales_set(r, x->type.dtype, x->quant, scales_origin_of(g, x, op));
    return true;
}

pass_result pass_gather_input_scales(ir_graph *g, pass_context *c)
{
    (void)c;
    bool changed = false;
    for (int32_t i = 0; i < g->input_count; i++)
        changed |= gather(g, g->inputs[i]);
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        changed |= gather_dequantize(g, op);
        if (op->code == IR_FAKE_QUANT && ir_is_const(op->operands[0].value))
            changed |= gather_constant(g, op);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            changed |= gather(g, op->results[i]);
        next = op->next;
    }
    return changed ? PASS_CHANGED : PASS_UNCHANGED;
}
