/* ops_quant.c: conversions and fake quantization.
 *
 * An operator that quantizes without dequantizing leaves whole numbers, x / unit, in a real variable.  What such a
 * variable holds here is the real value, fake-quantized, and beside it the unit; products carry the unit on, and the
 * operator that dequantizes takes it away:
 *
 *     q = fake_quantize_…(x)                    v0 = fake_quant x {min = -T, max = T}, unit T / 127
 *     y = conv2d(q, w)                          v1 = conv2d v0, dequantize (const w: i8, scales S / 127), unit T / 127
 *     z = fake_…_dequantize_…(y, S, T)          v1
 *
 * Constants become integers of 8 bits behind a dequantize, so that their scales stay to be seen.  Ranges that a float
 * model carries in attributes (out_threshold, X0_scale) become observe. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontends/paddle/import.h"

enum { MAX_SCALES = 1 << 16 };
#define SMALLEST_THRESHOLD 1e-30f

/* fp32_to_int8 and int8_to_fp32 around kernels that compute on integers. */
bool paddle_op_calib(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "Input", 0);
    ir_value *x = paddle_in(n, "Input", 0, layout);
    const char *kernel = paddle_text(n, "__@kernel_type_attr@__", "");
    float scale = paddle_float(n, "scale", 0);
    if (!x)
        return false;
    if (strstr(kernel, "fp32_to_int8") && x->type.dtype == IR_F32)
        return paddle_put(n, "Out", paddle_quantized(n, x, scale), layout);
    if (strstr(kernel, "int8_to_fp32") && x->type.dtype == IR_I8) {
        x = paddle_quantized(n, x, scale);
        return paddle_put(n, "Out", x ? node_done_quant(n, node_emit(n, IR_DEQUANTIZE, 1, &x), IR_F32, NULL) : NULL,
                          layout);
    }
    return node_error(n, "the conversion '%s' of %s values is not supported", kernel, ir_dtype_text(x->type.dtype));
}

/* ---- Attributes and operands ---- */

/* Largest integer of the quantization: 127 for 8 bits. */
static bool largest(paddle_node *n, int64_t bits, float *out)
{
    *out = bits >= 2 && bits <= 16 ? (float)((1 << (bits - 1)) - 1) : 0;
    return *out > 0 || node_error(n, "quantization to %lld bits is not supported", (long long)bits);
}

/* The thresholds that operand `index` of a parameter holds. */
static bool thresholds(paddle_node *n, const char *parameter, int index, const float **out, int64_t *out_count)
{
    ir_value *v = paddle_in(n, parameter, index, LAYOUT_PLAIN);
    if (!v)
        return false;
    int64_t count = ir_type_elements(&v->type);
    if (!ir_is_const(v) || v->type.dtype != IR_F32 || count < 1 || count > MAX_SCALES)
        return node_error(n, "operand %s must be constant real numbers", parameter);
    float *t = ARENA_ARRAY(n->model->graph->arena, float, count);
    for (int64_t i = 0; i < count; i++) {
        t[i] = (float)ir_const_real(v, i);
        if (!(t[i] >= 0) || !isfinite(t[i]))
            return node_error(n, "number %lld of operand %s, %g, is no threshold", (long long)i, parameter,
                              (double)t[i]);
    }
    *out = t;
    *out_count = count;
    return true;
}

/* ---- Constants ---- */

typedef struct channels {
    int64_t outer, count, inner;
} channels; /* of a constant, along an axis; count 1: per tensor */

static bool channels_of(paddle_node *n, const ir_value *w, int64_t axis, int64_t count, channels *out)
{
    int at;
    *out = (channels){1, 1, ir_type_elements(&w->type)};
    if (count == 1)
        return true;
    if (!node_axis(n, axis, w->type.rank, &at))
        return false;
    if (w->type.dims[at] != count || count < 1)
        return node_error(n, "%lld thresholds for %lld channels", (long long)count, (long long)w->type.dims[at]);
    *out = (channels){1, count, 1};
    for (int i = 0; i < w->type.rank; i++) {
        out->outer *= i < at ? w->type.dims[i] : 1;
        out->inner *= i > at ? w->type.dims[i] : 1;
    }
    return true;
}

static int64_t channel_at(const channels *c, int64_t element) { return c->inner ? element / c->inner % c->count : 0; }

/* Paddle's rule for a threshold that is all but zero. */
static float inverse(float threshold)
{
    return threshold <= SMALLEST_THRESHOLD ? 1 / (threshold + 1e-6f) : 1 / threshold;
}

static float whole(float x, float threshold, float most, bool even)
{
    float bounded = x < -threshold ? -threshold : x > threshold ? threshold : x;
    if (!even)
        return roundf(most * inverse(threshold) * bounded);
    float y = rintf(most * inverse(threshold) * x);
    return y < -most - 1 ? -most - 1 : y > most ? most : y;
}

/* Numbers that can become integers: neither NaN nor infinite. */
static bool all_finite(paddle_node *n, const ir_value *w)
{
    for (int64_t i = 0; i < ir_type_elements(&w->type); i++)
        if (!isfinite(ir_const_real(w, i)))
            return node_error(n, "constant number %lld is NaN or infinite, and can't be quantized", (long long)i);
    return true;
}

/* Largest magnitudes, a channel each. */
static float *magnitudes(paddle_node *n, const ir_value *w, const channels *c)
{
    float *t = ARENA_ARRAY(n->model->graph->arena, float, c->count);
    for (int64_t i = 0; i < ir_type_elements(&w->type); i++) {
        float m = fabsf((float)ir_const_real(w, i)), *to = &t[channel_at(c, i)];
        *to = m > *to ? m : *to;
    }
    return t;
}

/* Whole numbers -127…127 as int8 with scales threshold / most, behind a dequantize. */
static ir_value *integers(paddle_node *n, const ir_value *like, const int8_t q[], const float t[], const channels *c,
                          int64_t axis, float most)
{
    ir_graph *g = n->model->graph;
    float *scale = ARENA_ARRAY(g->arena, float, c->count);
    for (int64_t i = 0; i < c->count; i++)
        scale[i] = t[i] > 0 ? t[i] / most : 1;
    ir_type type = like->type;
    type.dtype = IR_I8;
    int at = (int)(axis < 0 ? axis + type.rank : axis);
    const ir_quant *quant =
        ir_quant_new(g, c->count == 1 ? -1 : at, (int32_t)c->count, scale, ARENA_ARRAY(g->arena, int32_t, c->count));
    if (!node_quant_fits(n, &type, quant))
        return NULL;
    ir_value *w = ir_const_new(g, type, quant, q);
    w->name = like->name;
    return node_done_quant(n, node_emit(n, IR_DEQUANTIZE, 1, &w), IR_F32, NULL);
}

static int8_t *new_bytes(paddle_node *n, const ir_value *w)
{
    const ir_loc loc = n->loc;
    int64_t count = ir_type_elements(&w->type);
    return model_charge(n->model, &loc, count) ? arena_alloc(n->model->graph->arena, (size_t)count + 1) : NULL;
}

/* ---- Quantize, and quantize with dequantize ---- */

typedef struct fake {
    const float *threshold; /* NULL: the largest magnitude of the values */
    int64_t count, axis;    /* thresholds, along the dimension */
    float most;
    int64_t bits;
    bool even, dequantizes, per_channel;
} fake;

/* A constant: whole numbers, or what they stand for; and the thresholds. */
static bool quantize_constant(paddle_node *n, const char *out, ir_value *w, fake f)
{
    channels c;
    if (w->type.dtype != IR_F32)
        return node_error(n, "constants of type %s are not supported", ir_dtype_text(w->type.dtype));
    if (f.bits > 8)
        return node_error(n, "constants quantized to %lld bits are not supported", (long long)f.bits);
    if (!all_finite(n, w))
        return false;
    if (f.per_channel && !f.threshold && (f.axis < 0 || f.axis >= w->type.rank))
        return node_error(n, "quant_axis %lld is outside the operand's %d dimensions", (long long)f.axis, w->type.rank);
    if (!channels_of(n, w, f.axis, f.threshold ? f.count : f.per_channel ? w->type.dims[f.axis] : 1, &c))
        return false;
    int8_t *q = new_bytes(n, w);
    if (!q)
        return false;
    const float *t = f.threshold ? f.threshold : magnitudes(n, w, &c);
    for (int64_t i = 0; i < ir_type_elements(&w->type); i++)
        q[i] = (int8_t)whole((float)ir_const_real(w, i), t[channel_at(&c, i)], f.most, f.even);
    if (!f.threshold && paddle_result_count(n, "OutScale") &&
        !paddle_put(n, "OutScale", node_reals(n, 1, &c.count, t), LAYOUT_PLAIN))
        return false;
    if (f.dequantizes)
        return paddle_put(n, out, integers(n, w, q, t, &c, f.axis, f.most), LAYOUT_PLAIN);
    ir_type type = w->type;
    type.dtype = IR_I8;
    ir_value *whole_numbers = ir_const_new(n->model->graph, type, ir_quant_tensor(n->model->graph, 1, 0), q);
    return paddle_put(n, out, node_done_quant(n, node_emit(n, IR_CAST, 1, &whole_numbers), IR_F32, NULL), LAYOUT_PLAIN);
}

/* With a threshold that is all but zero nothing is left of x.  With ties to even whole numbers are not bounded by it. */
static bool put_zeros(paddle_node *n, const char *out, const ir_value *x, const fake *f, node_layout layout)
{
    if (f->even && (f->threshold[0] > 0 || !f->dequantizes))
        return node_error(n, "the threshold %g is too small", (double)f->threshold[0]);
    ir_value *zero = node_real(n, 0);
    return zero && paddle_put(n, out, node_typed(n, node_emit1(n, IR_BROADCAST, zero), x->type, NULL), layout);
}

static bool quantize(paddle_node *n, const char *out, fake f)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    if (!x)
        return false;
    if (ir_is_const(x))
        return quantize_constant(n, out, paddle_plain(n, "X"), f);
    if (!f.threshold)
        return node_error(n, "the range is that of the values at run time: only constants can have such scales");
    if (f.count != 1)
        return node_error(n, "%lld thresholds of an activation, expected 1", (long long)f.count);
    if (x->type.dtype != IR_F32)
        return node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
    if (f.threshold[0] <= SMALLEST_THRESHOLD)
        return put_zeros(n, out, x, &f, layout);
    /* Where ties go to even, Paddle does not bound x by the threshold, and has -128, too. */
    ir_op *op = node_emit(n, IR_FAKE_QUANT, 1, &x);
    ir_set_float(op, IR_ATTR_MIN, f.even ? -f.threshold[0] * ((f.most + 1) / f.most) : -f.threshold[0]);
    ir_set_float(op, IR_ATTR_MAX, f.threshold[0]);
    ir_set_int(op, IR_ATTR_NARROW, !f.even);
    ir_set_int(op, IR_ATTR_BITS, f.bits);
    ir_set_int(op, IR_ATTR_TIES, f.even ? IR_TIES_EVEN : IR_TIES_AWAY);
    if (!paddle_put(n, out, node_done(n, op), layout))
        return false;
    return f.dequantizes || paddle_set_unit(n, out, f.threshold[0] / f.most);
}

static bool read_fake(paddle_node *n, fake *f)
{
    const int64_t kind = paddle_int(n, "round_type", 1);
    *f = (fake){
        .even = kind == 0, .axis = paddle_int(n, "quant_axis", 0), .count = 1, .bits = paddle_int(n, "bit_length", 8)};
    if (kind != 0 && kind != 1)
        return node_error(n, "round_type %lld is not supported", (long long)kind);
    return largest(n, f->bits, &f->most);
}

/* fake_quantize_… and fake_quantize_dequantize_… with a threshold from training. */
bool paddle_op_fake_quant(paddle_node *n)
{
    fake f;
    if (!read_fake(n, &f) || !thresholds(n, "InScale", 0, &f.threshold, &f.count))
        return false;
    if (!paddle_int(n, "is_test", 1))
        return node_error(
            n, "the threshold is that of a model in training, which follows the values at run time (is_test)");
    f.dequantizes = strstr(n->entry->name, "dequantize") != NULL;
    if (paddle_result_count(n, "OutScale") && !paddle_put(n, "OutScale", paddle_plain(n, "InScale"), LAYOUT_PLAIN))
        return false;
    return quantize(n, "Out", f);
}

/* fake_…_abs_max: the threshold is the largest magnitude. */
bool paddle_op_fake_abs_max(paddle_node *n)
{
    fake f;
    if (!read_fake(n, &f))
        return false;
    f.dequantizes = strstr(n->entry->name, "dequantize") != NULL;
    f.per_channel = strstr(n->entry->name, "channel_wise") != NULL;
    return quantize(n, "Out", f);
}

/* quantize_linear and dequantize_linear: qmax is the largest integer; without it, as in older files, bit_length says it. */
static bool linear_bits(paddle_node *n, int64_t *bits, float *most)
{
    const int64_t qmax = paddle_int(n, "qmax", 0);
    *bits = paddle_int(n, "bit_length", 8);
    for (int64_t b = 2; b <= 16; b++)
        *bits = qmax == (1 << (b - 1)) - 1 ? b : *bits;
    if (!largest(n, *bits, most))
        return false;
    return !qmax || *most == (float)qmax ||
           node_error(n, "the largest integer %lld (qmax) is not supported", (long long)qmax);
}

bool paddle_op_quantize_linear(paddle_node *n)
{
    fake f;
    if (!read_fake(n, &f) || !linear_bits(n, &f.bits, &f.most) || !thresholds(n, "Scale", 0, &f.threshold, &f.count))
        return false;
    if (paddle_int(n, "only_observer", 0)) {
        node_layout layout = paddle_layout_of(n, "X", 0);
        ir_value *x = paddle_in(n, "X", 0, layout);
        return paddle_put(n, "Y", x ? paddle_observed(n, x, f.threshold[0]) : NULL, layout);
    }
    f.even = paddle_int(n, "round_type", 0) == 0;
    return quantize(n, "Y", f);
}

/* ---- Dequantize ---- */

/* A constant of whole numbers, int8 or real. */
static ir_value *dequantized_constant(paddle_node *n, const ir_value *w, const float t[], int64_t count, int64_t axis,
                                      float most)
{
    channels c;
    int8_t *q = channels_of(n, w, axis, count, &c) ? new_bytes(n, w) : NULL;
    for (int64_t i = 0; q && i < ir_type_elements(&w->type); i++) {
        double v = w->type.dtype == IR_F32 ? ir_const_real(w, i) : (double)ir_const_int(w, i);
        if (!(v >= -128 && v <= 127) || v != nearbyint(v)) {
            node_error(n, "constant number %lld, %g, is no integer of 8 bits", (long long)i, v);
            return NULL;
        }
        q[i] = (int8_t)v;
    }
    return q ? integers(n, w, q, t, &c, axis, most) : NULL;
}

/* The product that computes v alone from constant whole numbers, so that their scales can move into it. */
static ir_op *whole_product(const ir_value *v, int64_t count)
{
    ir_op *op = v->def;
    if (!op || ir_use_count(v) != 0 ||
        (op->code != IR_CONV2D && op->code != IR_DEPTHWISE_CONV2D && op->code != IR_FULLY_CONNECTED))
        return NULL;
    const ir_value *w = op->operands[1].value;
    bool fits = ir_is_const(w) && w->type.dtype == IR_F32 && !ir_operand_value(op, 2) &&
                ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE &&
                (count == 1 || w->type.dims[op->code == IR_DEPTHWISE_CONV2D ? 3 : 0] == count);
    for (int64_t i = 0; fits && i < ir_type_elements(&w->type); i++) {
        double x = ir_const_real(w, i);
        fits = x >= -128 && x <= 127 && x == nearbyint(x);
    }
    return fits ? op : NULL;
}

/* v times a factor for each channel, or for all. */
static ir_value *scaled(paddle_node *n, ir_value *v, const float factor[], int64_t count, node_layout layout)
{
    ir_op *op = whole_product(v, count);
    if (op) {
        ir_value *w =
            dequantized_constant(n, op->operands[1].value, factor, count, op->code == IR_DEPTHWISE_CONV2D ? 3 : 0, 1);
        if (!w)
            return NULL;
        ir_op_move_before(w->def, op);
        ir_set_operand(op, 1, w);
        paddle_forget(n, "X"); /* which held the product without the scales */
        return v;
    }
    if (count == 1)
        return factor[0] == 1 ? v : node_binary(n, IR_MUL, v, node_real(n, factor[0]));
    int64_t dims[IR_MAX_RANK];
    int at = v->type.rank < 2 ? 0 : layout == LAYOUT_LAST ? v->type.rank - 1 : 1;
    for (int i = 0; i < v->type.rank; i++)
        dims[i] = i == at ? count : 1;
    if (!v->type.rank || v->type.dims[at] != count) {
        node_error(n, "%lld thresholds for %lld channels", (long long)count,
                   (long long)(v->type.rank ? v->type.dims[at] : 1));
        return NULL;
    }
    return node_binary(n, IR_MUL, v, node_reals(n, v->type.rank, dims, factor));
}

/* t: thresholds of channels, or one, whose largest integer is `most`; rest: what else to multiply by. */
static bool dequantize(paddle_node *n, const char *out, const float t[], int64_t count, int64_t axis, float most,
                       float rest)
{
    float unit;
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in_units(n, "X", 0, layout, &unit);
    if (!x)
        return false;
    if (ir_is_const(x) && unit == 0) {
        if (rest != 1)
            return node_error(n, "two thresholds for a constant");
        ir_value *w = paddle_plain(n, "X");
        return paddle_put(n, out, w ? dequantized_constant(n, w, t, count, axis, most) : NULL, LAYOUT_PLAIN);
    }
    if (x->type.dtype != IR_F32)
        return node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
    if (count > 1 && axis != 1 && !(axis == 0 && x->type.rank == 1))
        return node_error(n, "thresholds along dimension %lld of an activation are not supported", (long long)axis);
    float *factor = ARENA_ARRAY(n->model->graph->arena, float, count);
    for (int64_t i = 0; i < count; i++) {
        factor[i] = (float)((double)t[i] / most * rest / (unit > 0 ? unit : 1));
        if (!isfinite(factor[i]))
            return node_error(n, "threshold %g by the largest integer %g is too large", (double)t[i], (double)most);
        if (fabsf(factor[i] - 1) < 1e-5f)
            factor[i] = 1;
    }
    return paddle_put(n, out, scaled(n, x, factor, count, layout), layout);
}

bool paddle_op_fake_dequant(paddle_node *n)
{
    const float *t;
    int64_t count;
    float most = paddle_float(n, "max_range", 127);
    if (!thresholds(n, "Scale", 0, &t, &count))
        return false;
    if (count != 1 || !(most > 0))
        return node_error(n, "one threshold is needed, and max_range above zero");
    return dequantize(n, "Out", t, 1, 0, most, 1);
}

/* One list of thresholds: of a constant's channels; two: of the channels of a product, and of its operand. */
bool paddle_op_fake_channel_dequant(paddle_node *n)
{
    const float *t, *second;
    int64_t count, seconds, bits[2] = {8, 8};
    int lists = paddle_count(n, "Scales"), bit_count;
    float most, rest = 1;
    if (lists < 1 || lists > 2)
        return node_error(n, "%d lists of thresholds", lists);
    if (!thresholds(n, "Scales", 0, &t, &count) || !paddle_ints(n, "quant_bits", 2, bits, &bit_count) ||
        !largest(n, bits[0], &most))
        return false;
    if (lists == 2) {
        if (!thresholds(n, "Scales", 1, &second, &seconds) || !largest(n, bit_count > 1 ? bits[1] : 8, &rest))
            return false;
        rest = second[0] / rest;
    }
    int64_t axis = lists == 2 ? paddle_int(n, "x_num_col_dims", 1) : paddle_int(n, "quant_axis", 0);
    return dequantize(n, "Out", t, count, axis, most, rest);
}

bool paddle_op_dequantize_linear(paddle_node *n)
{
    const float *t = NULL;
    int64_t count = 0;
    int64_t bits;
    float most;
    if (!thresholds(n, "Scale", 0, &t, &count) || !linear_bits(n, &bits, &most))
        return false;
    if (paddle_int(n, "only_observer", 0)) {
        node_layout layout = paddle_layout_of(n, "X", 0);
        return paddle_put(n, "Y", paddle_in(n, "X", 0, layout), layout);
    }
    return dequantize(n, "Y", t, count, paddle_int(n, "quant_axis", 0), most, 1);
}

/* ---- Ranges ---- */

ir_value *paddle_observed(paddle_node *n, ir_value *v, float threshold)
{
    if (!isfinite(threshold)) {
        node_error(n, "the range %g of an observed value is no number", (double)threshold);
        return NULL;
    }
    if (threshold <= 0 || v->type.dtype != IR_F32 || ir_is_const(v))
        return v;
    ir_op *op = node_emit(n, IR_OBSERVE, 1, &v);
    ir_set_float(op, IR_ATTR_MIN, -threshold);
    ir_set_float(op, IR_ATTR_MAX, threshold);
    return node_done(n, op);
}

/* The range of the average of magnitudes that training kept. */
bool paddle_op_moving_scale(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    const float *sum, *weight;
    int64_t sums, weights;
    if (!x)
        return false;
    if (paddle_count(n, "InAccum") && paddle_count(n, "InState")) {
        if (!thresholds(n, "InAccum", 0, &sum, &sums) || !thresholds(n, "InState", 0, &weight, &weights))
            return false;
        x = paddle_observed(n, x, weight[0] > 0 ? sum[0] / weight[0] : 0);
    }
    return !paddle_result_count(n, "Out") || paddle_put(n, "Out", x, layout);
}

static bool observe_held(paddle_node *n, const char *name, float threshold)
{
    paddle_variable *v = paddle_variable_of(n->model, name);
    for (int layout = 0; layout < 2; layout++) {
        ir_value *held = v->forms[layout];
        if (!held || held->type.dtype != IR_F32 || ir_is_const(held) || (held->def && held->def->code == IR_OBSERVE))
            continue;
        ir_value *seen = paddle_observed(n, held, threshold);
        if (!seen)
            return false;
        v->forms[layout] = seen;
        v->forms[!layout] = NULL;
        if (seen != held)
            seen->name = v->text;
        break;
    }
    return true;
}

/* X0_scale and the like: of the first variable of parameter X. */
bool paddle_observe_inputs(paddle_node *n)
{
    char name[128];
    float scale;
    int64_t count;
    for (uint32_t i = 0; i < n->input_count; i++)
        for (uint32_t j = 0; j < n->inputs[i].names.count && j < 16; j++) {
            snprintf(name, sizeof name, "%s%u_scale", n->inputs[i].parameter, j);
            if (!paddle_has_attr(n, name) || !paddle_floats(n, name, INT32_MAX, NULL, &count) || count != 1)
                continue;
            if (!paddle_floats(n, name, 1, &scale, &count) || !observe_held(n, n->inputs[i].names.text[j], 127 * scale))
                return false;
        }
    return true;
}

/* out_threshold: of the first result. */
bool paddle_observe_outputs(paddle_node *n)
{
    float threshold = paddle_float(n, "out_threshold", 0);
    for (uint32_t i = 0; threshold != 0 && i < n->output_count; i++) {
        const char *p = n->outputs[i].parameter;
        if ((strcmp(p, "Out") == 0 || strcmp(p, "Output") == 0 || strcmp(p, "Y") == 0) &&
            n->outputs[i].names.count == 1)
            return observe_held(n, n->outputs[i].names.text[0], threshold);
    }
    return true;
}
