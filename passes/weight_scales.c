/* weight_scales.c: scales of constant weights, per output channel, now that fusion is over.
 *
 *     const %1:f32<2x1x1x2> = [1, -2, 0.5, 0.25]
 *     %2 = conv2d %0, %1                          const %1:f32<2x1x1x2> as i8<axis 0: [2 / 127, 0.5 / 127], 0>
 *                                                                            from "weights, absmax" = …
 *
 * Where the weights of a channel are on the grid that the file gave them, as 8-bit integers around 0, that grid stays, so the
 * integers are those of the file; so does a grid per tensor with a zero point.  Weights that say nothing may be on a grid all
 * the same, which common_step.c finds: the file has folded their fake ops.  Elsewhere: the largest magnitude / 127.
 * A channel without weights gets a scale in which its bias fits; so does one whose bias is too large for its weights.
 *
 * Not in graphs without scaled activations; and where the file quantizes by quantize and dequantize, not fake_quant or
 * observe, not for weights without a scale: those products are meant to be real. */
#include <float.h>
#include <math.h>

#include "passes/plan.h"
#include "passes/scales.h"

#define ON_GRID 1e-3       /* of a step: what rounding of float products leaves */
#define MOST_BIAS 0x1p30   /* in units of the accumulator */

typedef struct weights {
    const ir_value *value;
    int64_t channels, inner; /* element i belongs to channel i / inner % channels */
    int axis;                /* -1: per tensor */
    float *scale;            /* [channels] */
    int64_t recomputed;      /* channels whose weights are not multiples of their scale */
} weights;

static weights weights_of(const ir_op *op, const ir_value *w, arena *a)
{
    weights r = {.value = w, .channels = 1, .inner = 1, .axis = scales_weight_axis(op)};
    if (r.axis >= 0)
        r.channels = w->type.dims[r.axis];
    for (int d = r.axis + 1; r.axis >= 0 && d < w->type.rank; d++)
        r.inner *= w->type.dims[d];
    r.scale = ARENA_ARRAY(a, float, r.channels);
    return r;
}

static int64_t channel_of(const weights *w, int64_t i) { return w->channels > 1 ? i / w->inner % w->channels : 0; }

/* The file's scale of a channel; 0: none that can be kept channel by channel. */
static float given_scale(const weights *w, int64_t channel)
{
    const ir_quant *as = w->value->as;
    if (!as || (as->axis >= 0 && as->axis != w->axis))
        return 0;
    return as->scale[as->axis < 0 ? 0 : channel];
}

static bool is_on_grid(double x, double scale, int32_t min, int32_t max)
{
    const double q = x / scale, i = nearbyint(q);
    return fabs(q - i) <= ON_GRID && i >= min && i <= max;
}

/* The largest magnitude of each channel, and whether its weights are on their grid. */
static void measure(const weights *w, double *most, bool *kept)
{
    for (int64_t c = 0; c < w->channels; c++)
        kept[c] = given_scale(w, c) >= FLT_MIN;
    for (int64_t i = 0; i < ir_type_elements(&w->value->type); i++) {
        const int64_t c = channel_of(w, i);
        const double x = ir_const_real(w->value, i);
        most[c] = fmax(most[c], fabs(x));
        kept[c] = kept[c] && is_on_grid(x, (double)given_scale(w, c), INT8_MIN, INT8_MAX);
    }
}

/* A step in which the bias is an integer with room for the sum beside it; 0: any. */
static double least_scale(const ir_op *op, int64_t channel)
{
    const ir_value *x = op->operands[0].value, *b = scales_weight_axis(op) < 0 ? NULL : ir_operand_value(op, 2);
    if (!x->as || x->as->axis >= 0 || !b || !ir_is_const(b) || b->type.dtype != IR_F32 ||
        ir_type_elements(&b->type) <= channel)
        return 0;
    return fabs(ir_const_real(b, channel)) / ((double)x->as->scale[0] * MOST_BIAS);
}

/* A step that all weights of a channel are multiples of, though the file does not say so; 0: none. */
static float found_scale(const weights *w, int64_t channel, double most)
{
    const int64_t all = ir_type_elements(&w->value->type), block = w->channels * w->inner;
    const scales_series series = w->channels > 1
        ? (scales_series){w->value, channel * w->inner, w->inner, block, all / w->channels}
        : (scales_series){w->value, 0, all, all, all};
    const double step = w->value->as ? 0 : (double)scales_common_step(&series);
    if (step < FLT_MIN || nearbyint(most / step) > 127)
        return 0;
    return (float)(step / floor(127 / nearbyint(most / step))); /* no coarser than it has to be: the bias counts in it */
}

static void choose(const ir_op *op, weights *w, arena *a)
{
    double *most = ARENA_ARRAY(a, double, w->channels), largest = 0;
    bool *kept = ARENA_ARRAY(a, bool, w->channels);
    measure(w, most, kept);
    for (int64_t c = 0; c < w->channels; c++) {
        w->scale[c] = kept[c] ? given_scale(w, c) : found_scale(w, c, most[c]);
        kept[c] = w->scale[c] > 0;
        if (!kept[c] && most[c] >= FLT_MIN * 127)
            w->scale[c] = (float)(most[c] / 127);
        largest = fmax(largest, (double)w->scale[c]);
    }
    for (int64_t c = 0; c < w->channels; c++) {
        const double least = least_scale(op, c);
        if (w->scale[c] == 0)
            w->scale[c] = largest > 0 ? (float)largest : 1;
        else if (!kept[c])
            w->recomputed++;
        if ((double)w->scale[c] < least) {
            w->recomputed += kept[c];
            w->scale[c] = (float)(least * 1.001);
        }
    }
}

/* One step for all that nobody says, with integers to more than 127 on one side of 0. */
static const ir_quant *found_shifted(ir_graph *g, const ir_value *w)
{
    const int64_t count = ir_type_elements(&w->type);
    const double step = (double)scales_common_step(&(scales_series){w, 0, count, count, count});
    double min = 0, max = 0;
    for (int64_t i = 0; step >= FLT_MIN && i < count; i++) {
        const double q = nearbyint(ir_const_real(w, i) / step);
        min = fmin(min, q);
        max = fmax(max, q);
    }
    return step >= FLT_MIN && max - min <= 255 ? ir_quant_tensor(g, (float)step, (int32_t)(-128 - min)) : NULL;
}

/* One scale and a zero point for all: kept as it is when all weights are among its integers. */
static const ir_quant *shifted_grid(ir_graph *g, const ir_value *w)
{
    const ir_quant *as = w->as;
    if (!as)
        return found_shifted(g, w);
    if (as->axis >= 0 || w->as_dtype != IR_U8 || as->scale[0] < FLT_MIN)
        return NULL;
    for (int64_t i = 0; i < ir_type_elements(&w->type); i++) {
        if (!is_on_grid(ir_const_real(w, i), (double)as->scale[0], -as->zero[0], 255 - as->zero[0]))
            return NULL;
    }
    return ir_quant_tensor(g, as->scale[0], as->zero[0] - 128);
}

static bool same_scales(const weights *w)
{
    for (int64_t c = 1; c < w->channels; c++)
        if (w->scale[c] != w->scale[0])
            return false;
    return true;
}

/* The weights' new `as` and its origin, in a value without meaning. */
static ir_value settle(ir_graph *g, const ir_op *op, const ir_value *w, arena *a)
{
    weights r = weights_of(op, w, a);
    ir_value to = {0};
    choose(op, &r, a);
    const ir_quant *shifted = r.recomputed > 0 ? shifted_grid(g, w) : NULL;
    for (int64_t i = 0; shifted && i < r.channels; i++)
        shifted = (double)shifted->scale[0] < least_scale(op, i) ? NULL : shifted;
    if (shifted) {
        scales_set(&to, IR_I8, shifted, w->as ? w->scale_from : SCALES_FOUND);
        return to;
    }
    const bool one = w->as && w->as->axis < 0 && r.recomputed == 0 && same_scales(&r);
    int32_t *zero = ARENA_ARRAY(a, int32_t, r.channels);
    const char *from = SCALES_ABSMAX;
    if (r.recomputed == 0)
        from = w->as ? w->scale_from : SCALES_FOUND;
    else if (r.recomputed < r.channels)
        from = arena_format(g->arena, SCALES_ABSMAX " in %lld of %lld channels", (long long)r.recomputed,
                            (long long)r.channels);
    scales_set(&to, IR_I8,
               one || r.axis < 0 ? ir_quant_tensor(g, r.scale[0], 0)
                                 : ir_quant_new(g, r.axis, (int32_t)r.channels, r.scale, zero),
               from);
    return to;
}

static bool scale_weights(ir_graph *g, ir_op *op, bool simulated, pass_context *c)
{
    const int index = scales_weight_index(op);
    ir_value *w = index < 0 ? NULL : ir_operand_value(op, index);
    if (!w || !ir_is_const(w) || w->type.dtype != IR_F32 || op->results[0]->type.dtype != IR_F32 ||
        w->as_dtype == IR_I16 || !(w->as || simulated) || ir_type_elements(&w->type) == 0)
        return false;
    const ir_value to = settle(g, op, w, c->scratch);
    if (scales_equal(&to, w))
        return false;
    if (ir_use_count(w) > 1) { /* others may count other channels */
        ir_value *own = ir_const_new(g, w->type, NULL, w->data);
        own->name = w->name;
        ir_set_operand(op, index, own);
        w = own;
    }
    scales_copy(w, &to);
    return true;
}

pass_result pass_weight_scales(ir_graph *g, pass_context *c)
{
    pass_result result = PASS_UNCHANGED;
    if (!plan_has_scales(g))
        return result;
    const bool simulated = scales_simulated(g);
    for (ir_op *op = g->first; op; op = op->next)
        if (scale_weights(g, op, simulated, c))
            result = PASS_CHANGED;
    return result;
}
