/* rule_windows.c: convolutions and pools: one image or several, windows as large as the image and larger than it,
 * strides up to the extent and beyond, borders wider than the image, dilation, groups. */
#include <math.h>

#include "tests/random/rules.h"

/* Along one dimension of an image. */
typedef struct axis {
    int64_t extent, taps, stride, dilation, before, after, positions;
} axis;

static int64_t border(draw *d, int64_t extent)
{
    switch (draw_below(d, 12)) {
    case 0: return draw_between(d, 0, extent + 3);
    case 1:
    case 2:
    case 3: return 1;
    case 4: return draw_between(d, 0, 3);
    default: return 0;
    }
}

/* A window that fits: the border behind grows if it has to. */
static axis draw_axis(draw *d, int64_t extent, bool pointwise, bool dilated)
{
    static const int8_t few[] = {1, 1, 2, 2, 3, 4};
    axis a = {.extent = extent, .taps = 1, .stride = DRAW_OF(d, few), .dilation = 1};

    if (!pointwise)
        a.taps = draw_chance(d, 20) ? extent : draw_chance(d, 40) ? 3 : draw_between(d, 1, 6);
    if (a.taps > 9)
        a.taps = 9;
    if (draw_chance(d, 20))
        a.stride = draw_chance(d, 70) ? extent : extent + draw_between(d, 1, 3);
    if (dilated && draw_chance(d, 20))
        a.dilation = draw_between(d, 1, 4);
    if (!pointwise || draw_chance(d, 10)) {
        a.before = border(d, extent);
        a.after = draw_chance(d, 60) ? a.before : border(d, extent);
    }
    const int64_t missing = (a.taps - 1) * a.dilation + 1 - (extent + a.before + a.after);
    if (missing > 0)
        a.after += missing;
    a.positions = (extent + a.before + a.after - (a.taps - 1) * a.dilation - 1) / a.stride + 1;
    return a;
}

static void set_window(draw *d, const axis *y, const axis *x)
{
    draw_ints(d, IR_ATTR_STRIDE, 2, (int64_t[]){y->stride, x->stride});
    draw_ints(d, IR_ATTR_PAD, 4, (int64_t[]){y->before, x->before, y->after, x->after});
    if (ir_has_attr(d->op, IR_ATTR_DILATION))
        draw_ints(d, IR_ATTR_DILATION, 2, (int64_t[]){y->dilation, x->dilation});
    ir_set_int(d->op, IR_ATTR_ACT, draw_act(d));
}

/* ---- Convolutions ---- */

static int64_t divisor(draw *d, int64_t n)
{
    int64_t found = 1, seen = 0;

    for (int64_t i = 1; i <= n; i++)
        if (n % i == 0 && draw_below(d, ++seen) == 0)
            found = i;
    return found;
}

bool rule_conv2d(draw *d, ir_opcode code, const draw_types *t)
{
    rule_mac m;
    if (!rule_mac_begin(d, t, &m))
        return false;
    ir_value *x = draw_image(d, t->operand[0], m.operand_kind);
    const int64_t *dims = x->type.dims, channels = dims[3];
    const bool pointwise = m.single || draw_chance(d, 30);
    const axis y = draw_axis(d, dims[1], pointwise, true), w = draw_axis(d, dims[2], pointwise, true);
    const int64_t groups = m.single             ? channels
                           : draw_chance(d, 25) ? divisor(d, channels)
                                                : 1,
                  depth = channels / groups;
    const int64_t positions = dims[0] * y.positions * w.positions, terms = y.taps * w.taps * depth;
    int64_t filters = groups * (draw_chance(d, 50) ? draw_channels(d) : draw_between(d, 1, 4));

    while (filters > groups && (positions * filters * terms > DRAW_MOST_TERMS ||
                                positions * filters > DRAW_MOST_ELEMENTS || filters * terms > DRAW_MOST_ELEMENTS))
        filters = (filters / groups + 1) / 2 * groups;
    if (positions * filters * terms > DRAW_MOST_TERMS)
        return false;
    rule_mac_weights(d, &m, x, ir_type_make(t->operand[1], 4, (int64_t[]){filters, y.taps, w.taps, depth}), 0, terms);
    draw_op(d, code, m.operand_count, m.operands);
    set_window(d, &y, &w);
    ir_set_int(d->op, IR_ATTR_GROUPS, groups);
    return rule_mac_end(d, t, &m);
}

bool rule_depthwise_conv2d(draw *d, ir_opcode code, const draw_types *t)
{
    rule_mac m;
    if (!rule_mac_begin(d, t, &m))
        return false;
    ir_value *x = draw_image(d, t->operand[0], m.operand_kind);
    const int64_t *dims = x->type.dims;
    const axis y = draw_axis(d, dims[1], m.single, true), w = draw_axis(d, dims[2], m.single, true);
    const int64_t multiplier = draw_chance(d, 75) ? 1 : draw_between(d, 2, 4), channels = dims[3] * multiplier;

    if (dims[0] * y.positions * w.positions * channels * y.taps * w.taps > DRAW_MOST_TERMS)
        return false;
    rule_mac_weights(d, &m, x, ir_type_make(t->operand[1], 4, (int64_t[]){1, y.taps, w.taps, channels}), 3,
                     y.taps * w.taps);
    draw_op(d, code, m.operand_count, m.operands);
    set_window(d, &y, &w);
    return rule_mac_end(d, t, &m);
}

/* The result's extent: all that the windows reach, or less, or more; what is cut in front. */
static int64_t spread(draw *d, const axis *a, int64_t *out_cut)
{
    const int64_t full = (a->extent - 1) * a->stride + a->taps;
    int64_t cut = draw_chance(d, 50) ? 0 : draw_between(d, 0, a->taps / 2 + 1),
            extent = full - cut - draw_between(d, 0, a->taps / 2);

    if (draw_chance(d, 15))
        extent += draw_between(d, 1, 3);
    *out_cut = cut;
    return extent < 1 ? 1 : extent;
}

bool rule_transpose_conv2d(draw *d, ir_opcode code, const draw_types *t)
{
    rule_mac m;
    if (!rule_mac_begin(d, t, &m))
        return false;
    ir_value *x = draw_image(d, t->operand[0], m.operand_kind);
    const int64_t *dims = x->type.dims;
    axis y = draw_axis(d, dims[1], false, false), w = draw_axis(d, dims[2], false, false);
    int64_t top, left, filters = draw_channels(d);
    y.stride = draw_between(d, 1, 3), w.stride = draw_chance(d, 70) ? y.stride : draw_between(d, 1, 3);
    const int64_t height = spread(d, &y, &top), width = spread(d, &w, &left), terms = y.taps * w.taps * dims[3];

    while (filters > 1 &&
           (dims[0] * height * width * filters > DRAW_MOST_ELEMENTS ||
            dims[0] * dims[1] * dims[2] * filters * terms > DRAW_MOST_TERMS || filters * terms > DRAW_MOST_ELEMENTS))
        filters /= 2;
    const ir_type result = ir_type_make(t->result[0], 4, (int64_t[]){dims[0], height, width, filters});
    if (!draw_fits(&result) || dims[0] * dims[1] * dims[2] * filters * terms > DRAW_MOST_TERMS)
        return false;
    rule_mac_weights(d, &m, x, ir_type_make(t->operand[1], 4, (int64_t[]){filters, y.taps, w.taps, dims[3]}), 0, terms);
    draw_op(d, code, m.operand_count, m.operands);
    draw_ints(d, IR_ATTR_STRIDE, 2, (int64_t[]){y.stride, w.stride});
    draw_ints(d, IR_ATTR_PAD, 4, (int64_t[]){top, left, 0, 0});
    ir_set_int(d->op, IR_ATTR_ACT, draw_act(d));
    draw_result_as(d, 0, &result, NULL);
    return rule_mac_end(d, t, &m);
}

/* ---- Pools ---- */

bool rule_pool(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_image(d, t->operand[0], DRAW_QUANTIZED);
    const axis y = draw_axis(d, x->type.dims[1], false, false), w = draw_axis(d, x->type.dims[2], false, false);

    draw_op(d, code, 1, &x);
    set_window(d, &y, &w);
    draw_ints(d, IR_ATTR_KERNEL, 2, (int64_t[]){y.taps, w.taps});
    if (code == IR_AVG_POOL2D && t->operand[0] == IR_U8 && draw_chance(d, 20))
        ir_set_int(d->op, IR_ATTR_ORIGIN, 128);
    return draw_result(d, 0, t->result[0], x->quant);
}

bool rule_pool_gradient(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_image(d, t->operand[0], DRAW_PLAIN);
    const axis y = draw_axis(d, x->type.dims[1], false, false), w = draw_axis(d, x->type.dims[2], false, false);
    const ir_type by_y =
        ir_type_make(t->operand[1], 4, (int64_t[]){x->type.dims[0], y.positions, w.positions, x->type.dims[3]});
    const draw_want want = {.dtype = t->operand[1], .type = &by_y, .least_rank = 4, .most_rank = 4};

    draw_op(d, code, 2, (ir_value *[]){x, draw_take(d, &want)});
    draw_ints(d, IR_ATTR_STRIDE, 2, (int64_t[]){y.stride, w.stride});
    draw_ints(d, IR_ATTR_PAD, 4, (int64_t[]){y.before, w.before, y.after, w.after});
    draw_ints(d, IR_ATTR_KERNEL, 2, (int64_t[]){y.taps, w.taps});
    return draw_result(d, 0, t->result[0], NULL);
}

/* Of `channels` results; the taps' type follows from it. */
static bool weights_gradient(draw *d, ir_opcode code, const draw_types *t, ir_value *x, int64_t channels)
{
    const bool depthwise = code == IR_DEPTHWISE_WEIGHTS_GRADIENT;
    const int64_t in = x->type.dims[3];
    const axis y = draw_axis(d, x->type.dims[1], false, true), w = draw_axis(d, x->type.dims[2], false, true);
    const ir_type by_y =
        ir_type_make(t->operand[1], 4, (int64_t[]){x->type.dims[0], y.positions, w.positions, channels});
    const ir_type taps =
        ir_type_make(t->result[0], 4,
                     depthwise ? (int64_t[]){1, y.taps, w.taps, channels} : (int64_t[]){y.taps, w.taps, in, channels});
    const draw_want want = {.dtype = t->operand[1], .type = &by_y, .least_rank = 4, .most_rank = 4};

    if (!draw_fits(&by_y) || !draw_fits(&taps) ||
        ir_type_elements(&by_y) * y.taps * w.taps * (depthwise ? 1 : in) > DRAW_MOST_TERMS)
        return false;
    draw_op(d, code, 2, (ir_value *[]){x, draw_take(d, &want)});
    draw_ints(d, IR_ATTR_STRIDE, 2, (int64_t[]){y.stride, w.stride});
    draw_ints(d, IR_ATTR_DILATION, 2, (int64_t[]){y.dilation, w.dilation});
    draw_ints(d, IR_ATTR_PAD, 4, (int64_t[]){y.before, w.before, y.after, w.after});
    return draw_result_as(d, 0, &taps, NULL);
}

bool rule_weights_gradient(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_image(d, t->operand[0], DRAW_PLAIN);
    return weights_gradient(d, code, t, x, draw_channels(d));
}

bool rule_depthwise_weights_gradient(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_image(d, t->operand[0], DRAW_PLAIN);
    return weights_gradient(d, code, t, x, x->type.dims[3]);
}
