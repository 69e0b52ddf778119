/* fuse_scale.c: in float graphs, a per-channel constant that is added to, or multiplied with, the result of a
 * convolution or matrix product becomes part of its bias and weights.
 *
 *     %2 = conv2d %0, const w                     %3 = conv2d %0, const w * m, const m * 0 + c
 *     %3 = add (mul %2, const m), const c
 *
 * This changes the rounding of floats a little, never that of integers: quantized ops are left alone.
 *
 * Scales that values carry (`as`): the weights' are multiplied, too, channel by channel; a negative factor flips the
 * sign of the integers, so they lose a zero point.  A product that the file rounds before it is scaled or shifted
 * stays. */
#include <math.h>

#include "passes/common/norm.h"
#include "passes/common/scales.h"

static bool is_float_const(const ir_value *v) { return v && ir_is_const(v) && v->type.dtype == IR_F32; }

/* The product that `user` scales or shifts: float, constant weights and bias, no activation, no other use. */
static ir_op *float_product(const ir_value *v, const ir_op *user)
{
    ir_op *op = v->def;
    if (!op || pass_channel_axis(op) < 0 || pass_single_user(v) != user || v->type.dtype != IR_F32)
        return NULL;
    if (ir_int(op, IR_ATTR_ACT) != IR_ACT_NONE || ir_operand_value(op, 3) || !is_float_const(op->operands[1].value))
        return NULL;
    const ir_value *b = ir_operand_value(op, 2);
    return !b || is_float_const(b) ? op : NULL;
}

/* Is c one number a channel (or one for all), along the last dimension? */
static bool is_per_channel(const ir_value *c, int64_t channels)
{
    if (!is_float_const(c))
        return false;
    int64_t count = ir_type_elements(&c->type);
    return count == 1 || (count == channels && c->type.dims[c->type.rank - 1] == channels);
}

static float element(const ir_value *c, int64_t channel)
{
    return (float)ir_const_real(c, ir_type_elements(&c->type) == 1 ? 0 : channel);
}

static void set_bias(ir_graph *g, ir_op *op, int64_t channels, const float *bias)
{
    ir_set_operand(op, 2, ir_const_new(g, ir_type_make(IR_F32, 1, &channels), NULL, bias));
}

static void add_to_bias(ir_graph *g, ir_op *op, int64_t channels, const ir_value *c, float sign)
{
    float *bias = ARENA_ARRAY(g->arena, float, channels);
    const ir_value *old = ir_operand_value(op, 2);
    for (int64_t i = 0; i < channels; i++)
        bias[i] = (old ? (float)ir_const_real(old, i) : 0) + sign * element(c, i);
    set_bias(g, op, channels, bias);
}

/* The grid of the products of w and c: that of w with its steps multiplied, centred unless all go by one positive
 * number. */
static void multiply_scales(ir_graph *g, const ir_value *w, ir_value *to, int axis, int64_t channels, const ir_value *c)
{
    const ir_quant *as = w->as;
    if (!as || (as->axis >= 0 && as->axis != axis))
        return;
    const bool one = as->axis < 0 && ir_type_elements(&c->type) == 1;
    const int64_t count = one ? 1 : channels;
    float *scale = ARENA_ARRAY(g->arena, float, count);
    int32_t *zero = ARENA_ARRAY(g->arena, int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        scale[i] = as->scale[as->axis < 0 ? 0 : i] * fabsf(element(c, i));
        if (!isfinite(scale[i]))
            return;
    }
    if (one && element(c, 0) > 0)
        zero[0] = as->zero[0];
    scales_set(to, as->zero[0] == zero[0] ? w->as_dtype : IR_I8,
               ir_quant_new(g, one ? -1 : axis, (int32_t)count, scale, zero), w->scale_from);
}

static void multiply_weights(ir_graph *g, ir_op *op, int64_t channels, const ir_value *c)
{
    const ir_value *w = op->operands[1].value, *old = ir_operand_value(op, 2);
    int64_t count = ir_type_elements(&w->type), inner = pass_channel_axis(op) == 0 ? count / channels : 1;
    float *scaled = ARENA_ARRAY(g->arena, float, count);
    for (int64_t i = 0; i < count; i++)
        scaled[i] = (float)ir_const_real(w, i) * element(c, i / inner % channels);
    ir_value *to = ir_const_new(g, w->type, NULL, scaled);
    to->name = w->name;
    multiply_scales(g, w, to, pass_channel_axis(op), channels, c);
    ir_set_operand(op, 1, to);
    if (!old)
        return;
    float *bias = ARENA_ARRAY(g->arena, float, channels);
    for (int64_t i = 0; i < channels; i++)
        bias[i] = (float)ir_const_real(old, i) * element(c, i);
    set_bias(g, op, channels, bias);
}

/* What is normalised in front of the constant is so behind it, unless that is a batch norm's own. */
static const ir_norm *norm_behind(ir_graph *g, const ir_op *op, const ir_op *user, int64_t channels, const ir_value *c)
{
    if (user->norm || !op->norm)
        return user->norm;
    float *numbers = ARENA_ARRAY(g->arena, float, channels);
    for (int64_t i = 0; i < channels; i++)
        numbers[i] = user->code == IR_SUB ? -element(c, i) : element(c, i);
    return user->code == IR_MUL ? norm_multiplied(g, op->norm, numbers) : norm_shifted(g, op->norm, numbers);
}

static bool fuse(ir_graph *g, ir_op *user)
{
    ir_value *a = user->operands[0].value, *b = user->operands[1].value, *y = user->results[0];
    ir_op *op = float_product(a, user);
    ir_value *c = b;
    if (!op && user->code != IR_SUB) {
        op = float_product(b, user);
        c = a;
    }
    if (!op || !ir_type_equal(&op->results[0]->type, &y->type) || scales_is_fixed(op->results[0]))
        return false;
    int64_t channels = y->type.rank ? y->type.dims[y->type.rank - 1] : 0;
    if (channels == 0 || !is_per_channel(c, channels))
        return false;
    if (user->code == IR_MUL)
        multiply_weights(g, op, channels, c);
    else
        add_to_bias(g, op, channels, c, user->code == IR_SUB ? -1.0f : 1.0f);
    op->norm = norm_behind(g, op, user, channels, c);
    ir_set_int(op, IR_ATTR_ACT, ir_int(user, IR_ATTR_ACT));
    ir_value *r = op->results[0];
    r->name = y->name ? y->name : r->name;
    pass_inherit_choice(op, user);
    scales_copy(r, y);
    ir_replace_uses(y, r);
    ir_op_erase(user);
    return true;
}

pass_result pass_fuse_scale(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if ((op->code == IR_ADD || op->code == IR_SUB || op->code == IR_MUL) && fuse(g, op))
            result = PASS_CHANGED;
    }
    return result;
}
