/* fuse_dynamic.c: what follows an integer product of an operand that was quantized at run time becomes part of it.
 *
 *     %i:i32 = fully_connected %q, %w, none, none, none, %z     (or conv2d, depthwise_conv2d)
 *     %f:f32 = cast %i
 *     %p:f32 = mul %s, const c                                  one number, or one for each channel
 *     %m:f32 = mul %f, %p                                       %m:f32 = fully_connected %q, %w * c, const b, none, %s,
 * %z %y:f32 = add %m, const b
 *
 * Exact: the product computes float(i) * (s * c) + b with the same roundings.  Not when something else uses the
 * integers, the floats or the product without its bias, nor when c is negative or not finite, which no scale is. */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/util.h"

static bool is_one(const ir_value *v) { return ir_type_elements(&v->type) == 1; }

static bool is_integer_product(const ir_op *op)
{
    return op && ir_mac_is_dynamic(op) && op->results[0]->type.dtype == IR_I32 && op->operands[1].value->data;
}

/* One real constant for all channels, or one for each, along the last dimension. */
static bool is_per_channel(const ir_value *c, int64_t channels)
{
    const int64_t count = ir_type_elements(&c->type);
    return ir_is_const(c) && c->type.dtype == IR_F32 &&
           (count == 1 || (count == channels && c->type.dims[c->type.rank - 1] == channels));
}

static bool are_scales(const ir_value *c)
{
    for (int64_t i = 0; i < ir_type_elements(&c->type); i++)
        if (!(ir_const_real(c, i) >= 0) || !isfinite(ir_const_real(c, i)))
            return false;
    return true;
}

/* Splits a product of scales into the operand's and the constant of the weights. */
static bool split_scales(const ir_value *p, int64_t channels, ir_value **out_scale, ir_value **out_constant)
{
    const ir_op *mul = p->def;
    if (!mul || mul->code != IR_MUL || ir_int(mul, IR_ATTR_ACT) != IR_ACT_NONE || p->type.dtype != IR_F32)
        return false;
    for (int i = 0; i < 2; i++) {
        ir_value *s = mul->operands[i].value, *c = mul->operands[1 - i].value;
        if (is_one(s) && is_per_channel(c, channels) && are_scales(c)) {
            *out_scale = s;
            *out_constant = c;
            return true;
        }
    }
    return false;
}

/* The same integers with the scales c, zero points as they are. */
static ir_value *scaled_weights(ir_graph *g, const ir_op *op, const ir_value *c, int64_t channels)
{
    const ir_value *w = op->operands[1].value;
    const ir_quant *q = w->quant;
    const bool all = is_one(c) && q->axis < 0;
    const int32_t count = all ? 1 : (int32_t)channels;
    float *scale = ARENA_ARRAY(g->arena, float, count);
    int32_t *zero = ARENA_ARRAY(g->arena, int32_t, count);
    for (int32_t i = 0; i < count; i++) {
        scale[i] = q->scale[q->axis < 0 ? 0 : i] * (float)ir_const_real(c, is_one(c) ? 0 : i);
        zero[i] = q->zero[q->axis < 0 ? 0 : i];
    }
    const int axis = op->code == IR_DEPTHWISE_CONV2D ? 3 : 0;
    ir_value *to = ir_const_new(g, w->type, ir_quant_new(g, all ? -1 : axis, count, scale, zero), w->data);
    to->name = w->name;
    return to;
}

static bool have_unit_scale(const ir_quant *q)
{
    for (int32_t i = 0; i < q->count; i++)
        if (q->scale[i] != 1)
            return false;
    return true;
}

static bool fuse_scales(ir_graph *g, ir_op *mul)
{
    ir_value *y = mul->results[0], *scale, *constant;
    for (int i = 0; i < 2; i++) {
        ir_value *f = mul->operands[i].value, *p = mul->operands[1 - i].value;
        ir_op *cast = f->def, *op = cast && cast->code == IR_CAST ? cast->operands[0].value->def : NULL;
        if (!is_integer_product(op) || pass_single_user(f) != mul || pass_single_user(cast->operands[0].value) != cast)
            continue;
        const ir_value *r = op->results[0];
        const int64_t channels = r->type.rank ? r->type.dims[r->type.rank - 1] : 0;
        if (!channels || !split_scales(p, channels, &scale, &constant) || !ir_type_equal(&f->type, &y->type) ||
            !have_unit_scale(op->operands[1].value->quant))
            continue;
        ir_set_operand(op, 1, scaled_weights(g, op, constant, channels));
        ir_set_operand(op, IR_MAC_SCALE, scale);
        ir_set_int(op, IR_ATTR_ACT, ir_int(mul, IR_ATTR_ACT));
        ir_set_operand(cast, 0, NULL);
        ir_result_set(op, 0, y->type, NULL);
        op->results[0]->name = y->name;
        pass_inherit_choice(op, mul);
        ir_op_move_before(op, mul); /* the scale is defined somewhere before */
        ir_replace_uses(y, op->results[0]);
        ir_op_erase(mul);
        ir_op_erase(cast);
        return true;
    }
    return false;
}

static bool fuse_bias(ir_graph *g, ir_op *add)
{
    ir_value *y = add->results[0];
    for (int i = 0; i < 2; i++) {
        ir_value *r = add->operands[i].value, *c = add->operands[1 - i].value;
        ir_op *op = r->def;
        if (!op || !ir_mac_is_dynamic(op) || r->type.dtype != IR_F32 || pass_single_user(r) != add ||
            ir_operand_value(op, 2) || ir_operand_value(op, 3) || ir_int(op, IR_ATTR_ACT) != IR_ACT_NONE ||
            !ir_type_equal(&r->type, &y->type))
            continue;
        const int64_t channels = r->type.dims[r->type.rank - 1];
        if (!is_per_channel(c, channels))
            continue;
        float *bias = ARENA_ARRAY(g->arena, float, channels);
        for (int64_t k = 0; k < channels; k++)
            bias[k] = (float)ir_const_real(c, is_one(c) ? 0 : k);
        ir_set_operand(op, 2, ir_const_new(g, ir_type_make(IR_F32, 1, &channels), NULL, bias));
        ir_set_int(op, IR_ATTR_ACT, ir_int(add, IR_ATTR_ACT));
        r->name = y->name ? y->name : r->name;
        pass_inherit_choice(op, add);
        ir_replace_uses(y, r);
        ir_op_erase(add);
        return true;
    }
    return false;
}

pass_result pass_fuse_dynamic(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if ((op->code == IR_MUL && fuse_scales(g, op)) || (op->code == IR_ADD && fuse_bias(g, op)))
            result = PASS_CHANGED;
    }
    return result;
}
