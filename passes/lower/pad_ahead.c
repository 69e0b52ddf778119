/* pad_ahead.c: the padding of a convolution becomes an op of its own, so that what makes the image makes it inside the padded one.
 *
 *     %2:u8<1x8x8x16; …> = quantize %1                  %2:u8<1x8x8x16; …> = quantize %1
 *     %3:… = conv2d %2, %w {pad = [1, 1, 1, 1]}         %4:u8<1x10x10x16; …> = pad %2 {before = …, after = …}
 *                                                       %3:… = conv2d %4, %w
 *
 * The memory plan lays %2 into %4, of which the pad writes the border alone; a convolution that pads copies the whole image.  For
 * what is computed on reals and then quantized.  Not for few channels, which a product copies in any case. */
#include "ir/ref/interp.h"
#include "passes/common/util.h"

enum { FEW = 4 }; /* bytes of a step */

static bool pads(const ir_op *op)
{
    int64_t all = 0;
    for (int side = 0; side < 4; side++)
        all += ir_ints_at(op, IR_ATTR_PAD, side);
    return all > 0;
}

static bool is_quantized_result(const ir_value *x)
{
    return x->type.dtype == IR_U8 && x->quant && x->quant->axis < 0 && !ir_value_is_output(x) && x->def &&
           x->def->code == IR_QUANTIZE && x->def->operands[0].value->def;
}

static bool fits(const ir_op *op)
{
    return op->code == IR_CONV2D && is_quantized_result(op->operands[0].value) && !ir_mac_is_dynamic(op) && pads(op) &&
           op->operands[1].value->type.dims[3] >= FEW;
}

/* From the sides of an image in the order of the attribute pad. */
static void extents(const ir_op *op, int first, int64_t out[4])
{
    const int64_t along[4] = {0, ir_ints_at(op, IR_ATTR_PAD, first), ir_ints_at(op, IR_ATTR_PAD, first + 1), 0};
    for (int d = 0; d < 4; d++)
        out[d] = along[d];
}

static bool is_equal(const ir_op *pad, ir_attr_id attr, const int64_t extents[4])
{
    for (int d = 0; d < 4; d++)
        if (ir_ints_at(pad, attr, d) != extents[d])
            return false;
    return true;
}

/* x padded so; NULL: not yet. */
static ir_value *padded_before(const ir_value *x, const int64_t before[4], const int64_t after[4])
{
    for (const ir_operand *use = x->uses; use; use = use->next_use)
        if (use->user->code == IR_PAD && ir_float(use->user, IR_ATTR_VALUE) == 0 &&
            is_equal(use->user, IR_ATTR_BEFORE, before) && is_equal(use->user, IR_ATTR_AFTER, after))
            return use->user->results[0];
    return NULL;
}

static ir_value *padded(ir_graph *g, ir_op *op, const int64_t before[4], const int64_t after[4])
{
    ir_value *x = op->operands[0].value;
    ir_type type = x->type;
    for (int d = 0; d < 4; d++)
        type.dims[d] += before[d] + after[d];
    ir_value *v = pass_op1(g, IR_PAD, op, op, 1, &x, type, x->quant);
    ir_set_ints(v->def, IR_ATTR_BEFORE, 4, before);
    ir_set_ints(v->def, IR_ATTR_AFTER, 4, after);
    v->def->name = op->name ? op->name : op->results[0]->name; /* a part of the layer */
    v->scale_from = x->scale_from;
    return v;
}

pass_result pass_pad_ahead(ir_graph *g, pass_context *c)
{
    static const int64_t none[4] = {0};
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first; op; op = op->next) {
        if (!fits(op))
            continue;
        int64_t before[4], after[4];
        extents(op, 0, before);
        extents(op, 2, after);
        ir_value *v = padded_before(op->operands[0].value, before, after);
        ir_set_operand(op, 0, v ? v : padded(g, op, before, after));
        ir_set_ints(op, IR_ATTR_PAD, 4, none);
        result = PASS_CHANGED;
    }
    return result;
}
