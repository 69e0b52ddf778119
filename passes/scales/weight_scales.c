/* weight_scales.c: scales of constant weights, per output channel, now that fusion is over.
 *
 *     const %1:f32<2x1x1x2> = [1, -2, 0.517, 0.25]
 *     %2 = conv2d %0, %1                          const %1:f32<2x1x1x2> as i8<axis 0: [2 / 127, 0.517 / 127], 0>
 *                                                                            from absmax = …
 *
 * Where the weights of a channel are on the grid that the file gave them, that grid stays, so the integers are those
 * of the file: around 0 where they fit, otherwise with a zero point, one for all channels if that is possible.
 * Weights that say nothing may be on a grid all the same, which common_step.c finds: the file has folded their fake
 * ops.  Elsewhere: the largest magnitude / 127, or what of it has the least squared error (--weight-algo=mse); with
 * --weight-bits fewer than 127, also where weights are on a grid of more; with
 * --weight-scales=tensor one scale for all channels, where neither the file nor the weights say any.  A channel
 * without weights gets a scale in which its bias fits; so does one whose bias is too large for its weights.
 *
 * Not in graphs without scaled activations.  Where the file quantizes by quantize and dequantize, not fake_quant or
 * observe, weights have the file's grid, multiplied by what has been folded into them, or none, and the product is
 * real:
 *
 *     const %1:f32<3x2> as i8<axis 0: […], 0>      stays so: the scales are those of the operand's channels
 *     const %1:f32<3x2> as i8<0.1, 0>              const %1:f32<3x2>, where it isn't on that grid any more */
#include <float.h>
#include <math.h>

#include "passes/common/plan.h"
#include "passes/common/scales.h"
#include "passes/common/simulated.h"

#define ON_GRID 1e-3     /* of a step: what rounding of float products leaves */
#define MOST_BIAS 0x1p30 /* in units of the accumulator */
#define LEAST_SHARE 50   /* of the largest scale, in percent: what finer steps may cut off */

typedef struct channel {
    double low, high; /* the smallest and the largest weight, or 0 */
    float scale;
    int32_t zero;
    bool kept; /* all weights are multiples of the scale, and among the integers */
} channel;

typedef struct weights {
    const ir_value *value;
    int64_t count, inner; /* channels; element i belongs to channel i / inner % count */
    int axis;             /* -1: per tensor */
    channel *channels;
    bool given; /* the file says which grid */
    bool ours;  /* another one may be chosen */
    bool mse;   /* by the squared error */
    int most;   /* the largest integer, if another grid is chosen */
    arena *scratch;
} weights;

/* ---- The file's grid ---- */

/* The file's scale of a channel; 0: none that can be kept channel by channel. */
static float given_scale(const weights *w, int64_t c)
{
    const ir_quant *as = w->value->as;
    if (!as || (as->axis >= 0 && as->axis != w->axis))
        return 0;
    return as->scale[as->axis < 0 ? 0 : c];
}

static bool is_multiple(double x, double scale) { return fabs(x / scale - nearbyint(x / scale)) <= ON_GRID; }

/* In lanes, because the next number of one has to wait for its last one.  NaN is none. */
static void see(channel *c, const double x[], int64_t count)
{
    enum { LANES = 4 };
    double low[LANES] = {c->low}, high[LANES] = {c->high};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++) {
            low[k] = x[i + k] < low[k] ? x[i + k] : low[k];
            high[k] = x[i + k] > high[k] ? x[i + k] : high[k];
        }
    for (; i < count; i++) {
        low[0] = x[i] < low[0] ? x[i] : low[0];
        high[0] = x[i] > high[0] ? x[i] : high[0];
    }
    for (int k = 0; k < LANES; k++) {
        c->low = low[k] < c->low ? low[k] : c->low;
        c->high = high[k] > c->high ? high[k] : c->high;
    }
    for (i = 0; i < count && c->kept; i++)
        c->kept = is_multiple(x[i], (double)c->scale);
}

static weights measure(const ir_op *op, const ir_value *v, bool ours, const pass_context *context)
{
    const pass_calibration *how = context->options->calibration;
    weights w = {v, .count = 1, .inner = 1, .axis = scales_weight_axis(op), .given = v->as != NULL, .ours = ours};
    arena *a = w.scratch = context->scratch;
    w.mse = how && how->weights_mse;
    w.most = scales_most_weight(ours ? how : NULL);
    if (how && how->weights_per_tensor && ours && !w.given)
        w.axis = -1;
    if (w.axis >= 0)
        w.count = v->type.dims[w.axis];
    scales_runs r = scales_runs_of(&v->type, w.axis);
    w.inner = r.inner;
    w.channels = ARENA_ARRAY(a, channel, w.count);
    for (int64_t c = 0; c < w.count; c++) {
        w.channels[c].scale = given_scale(&w, c);
        w.channels[c].kept = w.channels[c].scale >= FLT_MIN;
    }
    while (scales_next_run(&r)) {
        double x[SCALES_RUN];
        ir_const_reals(v, r.first, r.count, x);
        see(&w.channels[r.channel], x, r.count);
    }
    return w;
}

/* ---- Grids that nobody says ---- */

static double most_of(const channel *c) { return fmax(c->high, -c->low); }

/* A step that all weights of a channel are multiples of. */
static void find_step(const weights *w, int64_t i)
{
    channel *c = &w->channels[i];
    const int64_t all = ir_type_elements(&w->value->type), block = w->count * w->inner;
    const scales_series series = w->count > 1 ? (scales_series){w->value, i * w->inner, w->inner, block, all / w->count}
                                              : (scales_series){w->value, 0, all, all, all};
    const double step = (double)scales_common_step(&series, most_of(c));
    c->kept = step >= FLT_MIN && (c->high - c->low) / step < 255.5 &&
              (w->most == INT8_MAX || most_of(c) / step < w->most + 0.5);
    if (!c->kept)
        return;
    const double steps = nearbyint(most_of(c) / step);
    /* No coarser than it has to be: the bias counts in it. */
    c->scale = (float)(steps > w->most ? step : step / floor(w->most / steps));
}

/* The zero point with which the integers from low to high are bytes, 0 if possible; false: there is none. */
static bool find_zero(double low, double high, double scale, int32_t *out)
{
    const double min = nearbyint(low / scale), max = nearbyint(high / scale);
    *out = min < INT8_MIN || max > INT8_MAX ? (int32_t)fmax(fmin(INT8_MIN - min, INT8_MAX), INT8_MIN) : 0;
    return max - min <= 255;
}

/* One step and one zero point for all channels, as the file or folding has left them. */
static const ir_quant *common_grid(ir_graph *g, const weights *w)
{
    const ir_value *v = w->value;
    const int64_t count = ir_type_elements(&v->type);
    channel all = {.low = 0};
    double step = (double)w->channels[0].scale;
    int32_t zero;
    if (!w->given && w->most < INT8_MAX) /* channels differ: each has its few integers to itself */
        return NULL;
    for (int64_t c = 0; c < w->count; c++) {
        if (w->given && (!w->channels[c].kept || (double)w->channels[c].scale != step))
            return NULL;
        all.low = fmin(all.low, w->channels[c].low);
        all.high = fmax(all.high, w->channels[c].high);
    }
    if (!w->given)
        step = (double)scales_common_step(&(scales_series){v, 0, count, count, count}, most_of(&all));
    return step >= FLT_MIN && find_zero(all.low, all.high, step, &zero) ? ir_quant_tensor(g, (float)step, zero) : NULL;
}

/* ---- Choice ---- */

/* A step in which the bias is an integer with room for the sum beside it; 0: any. */
static double least_scale(const ir_op *op, const weights *w, int64_t c)
{
    const bool has_bias = !pass_is_recurrent(op) && (w->axis >= 0 || (ir_op_info_of(op->code)->flags & IR_MAC));
    const ir_value *x = op->operands[0].value, *b = has_bias ? ir_operand_value(op, 2) : NULL;
    if (!w->ours || !x->as || x->as->axis >= 0 || !b || !ir_is_const(b) || b->type.dtype != IR_F32 ||
        ir_type_elements(&b->type) <= c)
        return 0;
    double most = fabs(ir_const_real(b, c));
    for (int64_t i = 0; w->axis < 0 && i < ir_type_elements(&b->type); i++)
        most = fmax(most, fabs(ir_const_real(b, i)));
    return most / ((double)x->as->scale[0] * MOST_BIAS);
}

static double squared_error(const double *x, int64_t count, double scale, int most)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double q = fmin(fmax(nearbyint(x[i] / scale), -most), most), error = x[i] - q * scale;
        sum += error * error;
    }
    return sum;
}

/* The scale among the largest one's hundredths, down to LEAST_SHARE of it, with the least squared error. */
static double least_error(const weights *w, int64_t c, double largest)
{
    const int64_t all = ir_type_elements(&w->value->type), count = all / w->count;
    double *x = ARENA_ARRAY(w->scratch, double, count), best = largest, least = INFINITY;
    for (int64_t at = c * w->inner, n = 0; at < all; at += w->count * w->inner)
        for (int64_t i = 0; i < w->inner; i++)
            x[n++] = ir_const_real(w->value, at + i);
    for (int share = 100; share >= LEAST_SHARE; share--) {
        const double error = squared_error(x, count, largest * share / 100, w->most);
        if (error < least) {
            least = error;
            best = largest * share / 100;
        }
    }
    return best;
}

/* A grid that neither the file nor the weights say. */
static void set_free(const weights *w, int64_t i)
{
    channel *c = &w->channels[i];
    const double largest = most_of(c) / w->most;
    c->scale = (float)(w->mse && largest >= FLT_MIN ? least_error(w, i, largest) : largest);
    c->zero = 0;
    c->kept = false;
}

/* Each channel by itself.  Returns how many have other integers than the file. */
static int64_t choose(const ir_op *op, const weights *w)
{
    double largest = 0;
    int64_t changed = 0;
    for (int64_t i = 0; i < w->count; i++) {
        channel *c = &w->channels[i];
        if (!w->given)
            find_step(w, i);
        if (!c->kept || !find_zero(c->low, c->high, (double)c->scale, &c->zero))
            set_free(w, i);
        largest = fmax(largest, (double)c->scale);
    }
    for (int64_t i = 0; i < w->count; i++) {
        channel *c = &w->channels[i];
        const double least = least_scale(op, w, i);
        if (c->scale < FLT_MIN)
            *c = (channel){.scale = largest > 0 ? (float)largest : 1, .kept = true};
        if ((double)c->scale < least)
            *c = (channel){.scale = (float)(least * 1.001)};
        changed += !c->kept;
    }
    return changed;
}

static bool needs_zeros(const weights *w)
{
    for (int64_t c = 0; c < w->count; c++)
        if (w->channels[c].zero != 0)
            return true;
    return false;
}

static bool is_wide_enough(const ir_op *op, const weights *w, double step)
{
    for (int64_t c = 0; c < w->count; c++)
        if (step < least_scale(op, w, c))
            return false;
    return true;
}

static const ir_quant *per_channel(ir_graph *g, const weights *w, arena *a)
{
    float *scale = ARENA_ARRAY(a, float, w->count);
    int32_t *zero = ARENA_ARRAY(a, int32_t, w->count);
    bool one = w->axis < 0 || (w->given && w->value->as->axis < 0);
    for (int64_t c = 0; c < w->count; c++) {
        scale[c] = w->channels[c].scale;
        zero[c] = w->channels[c].zero;
        one = one && scale[c] == scale[0] && zero[c] == zero[0];
    }
    return one ? ir_quant_tensor(g, scale[0], zero[0]) : ir_quant_new(g, w->axis, (int32_t)w->count, scale, zero);
}

ir_value scales_of_weights(ir_graph *g, const ir_op *op, const ir_value *v, bool ours, const pass_context *context)
{
    weights w = measure(op, v, ours, context);
    ir_value to = {0};
    const ir_quant *common = common_grid(g, &w);
    const int64_t changed = choose(op, &w);
    const bool shared = (changed > 0 || needs_zeros(&w)) && common && is_wide_enough(op, &w, (double)common->scale[0]);
    const ir_origin chosen = {w.mse ? IR_SCALE_MSE : IR_SCALE_ABSMAX, NULL, NULL};
    ir_origin from = chosen;
    if (shared || changed == 0)
        from = w.given ? v->scale_from : (ir_origin){IR_SCALE_FOUND, NULL, NULL};
    else if (changed < w.count)
        from.note = arena_format(g->arena, "%lld of %lld channels", (long long)changed, (long long)w.count);
    if (ours || from.source != chosen.source)
        scales_set(&to, IR_I8, shared ? common : per_channel(g, &w, context->scratch), from);
    return to;
}

/* ---- The pass ---- */

static bool scale_weights(ir_graph *g, ir_op *op, bool simulated, pass_context *c)
{
    const int index = scales_weight_index(op);
    ir_value *w = index < 0 ? NULL : ir_operand_value(op, index);
    if (!w || !ir_is_const(w) || w->type.dtype != IR_F32 || op->results[0]->type.dtype != IR_F32 ||
        w->as_dtype == IR_I16 || !(w->as || simulated) || ir_type_elements(&w->type) == 0)
        return false;
    if (!simulated && w->as->axis >= 0 && w->as->axis != scales_weight_axis(op))
        return false;
    const ir_value to = scales_of_weights(g, op, w, simulated, c);
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
    const bool *simulated = simulated_ops(g, c->options, c->scratch);
    for (ir_op *op = g->first; op; op = op->next)
        if (scale_weights(g, op, simulated[op->id], c))
            result = PASS_CHANGED;
    return result;
}
