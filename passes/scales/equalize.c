/* equalize.c: channels of real values are divided by factors, which the weights around them take in, where rounding to
 * the grid of the whole value then costs less (channel_factors.h).
 *
 *     %2 = conv2d %0, w, b {act = relu}        %2 = conv2d %0, w / f, b / f {act = relu}      rows of w
 *     %3 = conv2d %2, v                        %3 = conv2d %2, v * f                          columns of v
 *
 *     %2: channels up to 8 and up to 0.1       %2: channels up to 8 and up to 8
 *
 *     %4 = hard_swish %2                       %4 = mul %2, (add (mul %2, f / 6), 1/2 {act = relu_0_to_1})
 *     %6 = add (mul (hard_swish %5), 2), 1     %6 = add (mul (hard_swish %5), 2 / f), 1 / f          a number for each channel
 *
 * No result changes but by the rounding of floats.  Also concats whose operands differ in magnitude, and what is behind
 * a layer norm, whose gamma and beta are divided.  The ranges of calibration are those of the new values. */
#include <math.h>

#include "passes/common/gate.h"
#include "passes/common/norm.h"
#include "passes/common/plan.h"
#include "passes/scales/channel_factors.h"

static bool is_known(const pass_calibration *c, const ir_value *v)
{
    return v->id < c->count && c->ranges[v->id].known && c->channels[v->id].count > 0;
}

/* An end of a range: that of all channels before, and after. */
static float moved(float end, float before, float after)
{
    return end == before || before == 0 ? after : (float)((double)end * (double)after / (double)before);
}

static void move_range(const channel_factors *f, const pass_calibration *c, const ir_value *v)
{
    const pass_channels *channels = &c->channels[v->id];
    pass_range *range = &c->ranges[v->id];
    float low = INFINITY, high = -INFINITY, new_low = INFINITY, new_high = -INFINITY;
    bool same = true;
    if (f->classes.count[v->id] != channels->count)
        return;
    for (int64_t i = 0; i < channels->count; i++) {
        const float factor = channel_factor(f, v, i);
        same = same && factor == 1;
        low = fminf(low, channels->low[i]);
        high = fmaxf(high, channels->high[i]);
        new_low = fminf(new_low, channels->low[i] / factor);
        new_high = fmaxf(new_high, channels->high[i] / factor);
    }
    range->low = moved(range->low, low, new_low);
    range->high = fmaxf(moved(range->high, high, new_high), range->low);
    range->observed = same ? range->observed : NULL; /* it is of other numbers */
}

/* A number, or one for each channel of v, divided by v's factors, and times those of `from` (NULL: 1). */
static void divide(ir_graph *g, const channel_factors *f, ir_op *op, int operand, const ir_value *v,
                   const ir_value *from)
{
    const ir_value *old = ir_operand_value(op, operand);
    if (!old)
        return;
    const int64_t count = f->classes.count[v->id];
    const bool number = pass_is_number(old);
    float *to = ARENA_ARRAY(g->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)ir_const_real(old, number ? 0 : i) * (from ? channel_factor(f, from, i) : 1) /
                channel_factor(f, v, i);
    ir_value *constant = ir_const_new(g, number ? ir_type_make(IR_F32, 1, &count) : old->type, NULL, to);
    constant->name = old->name;
    ir_set_operand(op, operand, constant);
}

static void scale_weights(ir_graph *g, const channel_factors *f, ir_op *op)
{
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value, *r = op->results[0];
    const int64_t count = ir_type_elements(&w->type);
    float *to = ARENA_ARRAY(g->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++) {
        const channel_pair pair = channel_of_weight(op, i);
        to[i] = (float)ir_const_real(w, i) * channel_factor(f, x, pair.in) / channel_factor(f, r, pair.out);
    }
    ir_value *constant = ir_const_new(g, w->type, NULL, to);
    constant->name = w->name;
    ir_set_operand(op, 1, constant);
}

static bool is_divided(const channel_factors *f, const ir_value *v)
{
    for (int64_t i = 0; v && i < f->classes.count[v->id]; i++)
        if (channel_factor(f, v, i) != 1)
            return true;
    return false;
}

/* Of x / f as the product gives it now: x / 6. */
static ir_value *slopes_for(ir_graph *g, const channel_factors *f, const ir_value *v)
{
    const int64_t count = f->classes.count[v->id];
    float *to = ARENA_ARRAY(g->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        to[i] = channel_factor(f, v, i) / 6;
    return ir_const_new(g, ir_type_make(IR_F32, 1, &count), NULL, to);
}

static const ir_norm *divided_norm(ir_graph *g, const channel_factors *f, const ir_op *op)
{
    const ir_value *r = op->results[0];
    if (!op->norm || f->classes.count[r->id] != op->norm->channels)
        return op->norm;
    float *to = ARENA_ARRAY(g->arena, float, op->norm->channels);
    for (int64_t i = 0; i < op->norm->channels; i++)
        to[i] = 1 / channel_factor(f, r, i);
    return norm_multiplied(g, op->norm, to);
}

static void apply(ir_graph *g, const channel_factors *f, ir_op *op)
{
    ir_value *r = op->results[0];
    const int scale = channel_scale_operand(op, f->classes.gates);
    if (channel_takes_factors(op) && (is_divided(f, op->operands[0].value) || is_divided(f, r))) {
        scale_weights(g, f, op);
        divide(g, f, op, 2, r, NULL);
        op->norm = divided_norm(g, f, op);
    } else if (op->code == IR_LAYER_NORM && is_divided(f, r)) {
        divide(g, f, op, 1, r, NULL);
        divide(g, f, op, 2, r, NULL);
    } else if (op->code == IR_HARD_SWISH && is_divided(f, r)) {
        gate_spell(g, op, slopes_for(g, f, r));
    } else if (scale >= 0 && (is_divided(f, r) || is_divided(f, op->operands[!scale].value))) {
        divide(g, f, op, scale, r, op->operands[!scale].value);
    } else if ((op->code == IR_ADD || op->code == IR_SUB) && is_divided(f, r)) {
        for (int i = 0; i < 2; i++)
            if (ir_is_const(op->operands[i].value))
                divide(g, f, op, i, r, NULL);
    }
}

/* By its old name a value would be compared with what it was. */
static void change(ir_graph *g, const channel_factors *f, const pass_calibration *c, ir_value *v)
{
    if (v->name && *v->name)
        v->name = arena_format(g->arena, "%s, equalized", v->name);
    if (is_known(c, v))
        move_range(f, c, v);
}

pass_result pass_equalize(ir_graph *g, pass_context *context)
{
    const pass_calibration *c = context->options->calibration;
    if (!c || !c->channels || context->options->quantize == PASS_QUANTIZE_NONE)
        return PASS_UNCHANGED;
    const channel_factors f = channel_factors_choose(g, c, gate_is_possible(context->options), context->scratch);
    if (!f.factor)
        return PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (is_divided(&f, op->results[i]))
                change(g, &f, c, op->results[i]);
        if (ir_op_info_of(op->code)->results == 1)
            apply(g, &f, op);
    }
    return PASS_CHANGED;
}
