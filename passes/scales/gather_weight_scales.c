/* gather_weight_scales.c: constants that feed products say which integers their fake ops make of them.
 *
 *     const %1:f32<4x1x1x3> = …                       const %1:f32<…> as i8<0.01, 0> from fake_quant "node 2" = …
 *     %2 = fake_quant %1 {min = -1.27, max = 1.27}    %2 = fake_quant %1 {min = -1.27, max = 1.27}
 *     %3 = conv2d %0, %2                              %3 = conv2d %0, %2
 *
 *     %2:f32<…> = dequantize const %1:i8<…>           %2:f32<…> as i8<…> from quantize "node 2" = dequantize …
 *
 * Also through transposes and reshapes of the constant.  Weights are centred, that is as i8 with zero point 0, when all
 * of them fit; otherwise as u8 with the zero point of the file.  Up to 8 bits are integers of 8 bits; weights of more
 * bits become `as i16`, which no product takes: they stay real. */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/scales.h"

/* The op that makes the weights v out of a constant, behind data movement; NULL: none. */
static ir_op *source_of(const ir_value *v)
{
    while (v->def && (v->def->code == IR_TRANSPOSE || v->def->code == IR_RESHAPE))
        v = v->def->operands[0].value;
    const ir_value *c = v->def ? ir_operand_value(v->def, 0) : NULL;
    return c && ir_is_const(c) ? v->def : NULL;
}

/* The largest |q - zero| that any element rounds to. */
static double most_centred(const ir_value *c, const scales_grid *to)
{
    double most = 0;
    for (int64_t i = 0; i < ir_type_elements(&c->type); i++) {
        const double q = round(ir_const_real(c, i) / (double)to->scale);
        most = fmax(most, fabs(fmin(fmax(q, to->low - to->zero), to->high - to->zero)));
    }
    return most;
}

/* A value of its own for the fake op, when the constant is used otherwise, too. */
static ir_value *own_constant(ir_graph *g, ir_op *fake)
{
    ir_value *c = fake->operands[0].value;
    if (ir_use_count(c) == 1)
        return c;
    ir_value *copy = ir_const_new(g, c->type, c->quant, c->data);
    copy->name = c->name;
    ir_set_operand(fake, 0, copy);
    return copy;
}

static bool gather_fake(ir_graph *g, ir_op *fake)
{
    scales_grid to;
    if (fake->operands[0].value->as || !scales_grid_of(fake, &to))
        return false;
    ir_value *c = own_constant(g, fake);
    const double most = most_centred(c, &to);
    const bool centred = most <= 127, bytes = to.high <= 255;
    const ir_dtype dtype = centred ? IR_I8 : bytes ? IR_U8 : IR_I16;
    scales_set(c, dtype, ir_quant_tensor(g, to.scale, dtype == IR_U8 ? to.zero : 0), scales_origin(g, fake));
    return true;
}

static bool gather(ir_graph *g, ir_op *source)
{
    if (source->code == IR_FAKE_QUANT)
        return gather_fake(g, source);
    ir_value *r = source->results[0];
    if (!scales_is_dequantize(source) || r->as)
        return false;
    const ir_value *x = source->operands[0].value;
    scales_set(r, x->type.dtype, x->quant, scales_origin_of(g, x, source));
    return true;
}

pass_result pass_gather_weight_scales(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first; op; op = op->next) {
        const int index = scales_weight_index(op);
        const ir_value *w = index < 0 ? NULL : ir_operand_value(op, index);
        ir_op *source = w && w->type.dtype == IR_F32 ? source_of(w) : NULL;
        if (source && gather(g, source))
            result = PASS_CHANGED;
    }
    return result;
}
