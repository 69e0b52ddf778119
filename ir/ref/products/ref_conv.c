/* ref_conv.c: conv2d and depthwise_conv2d.
 *
 * Integer operands are centred (q - zero) into 16 bits once; taps outside the image are skipped, which is the same as
 * padding with the real value 0.  Real sums run over the taps, then the channels, in one order, as TFLite's do. */
#include <stdlib.h>

#include "ir/ref/ref_quant.h"

typedef struct window {
    int64_t n, ih, iw, ic, oh, ow, oc, kh, kw;
    int64_t sy, sx, dy, dx, py, px;
} window;

enum { LIMIT = 1 << 24 }; /* of strides, dilations and padding: their products stay far below 2^63 */

static window window_of(const ir_op *op)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    return (window){
        /* clang-format off */
        .n = x->dims[0], .ih = x->dims[1], .iw = x->dims[2], .ic = x->dims[3],
        .oh = y->dims[1], .ow = y->dims[2], .oc = y->dims[3],
        .kh = w->dims[1], .kw = w->dims[2],
        .sy = ir_ints_at(op, IR_ATTR_STRIDE, 0), .sx = ir_ints_at(op, IR_ATTR_STRIDE, 1),
        .dy = ir_ints_at(op, IR_ATTR_DILATION, 0), .dx = ir_ints_at(op, IR_ATTR_DILATION, 1),
        .py = ir_ints_at(op, IR_ATTR_PAD, 0), .px = ir_ints_at(op, IR_ATTR_PAD, 1),
        /* clang-format on */
    };
}

static bool attrs_within(const ir_op *op, ir_attr_id id, int count, int64_t min, diag *d)
{
    const int64_t *v;
    if (ir_ints(op, id, &v) != count)
        return ir_refuse(op, d, "%s needs %d numbers", ir_attr_info_of(id)->text, count);
    for (int i = 0; i < count; i++)
        if (v[i] < min || v[i] > LIMIT)
            return ir_refuse(op, d, "%s %lld is out of range", ir_attr_info_of(id)->text, (long long)v[i]);
    return true;
}

static bool check_window(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    if (x->rank != 4 || w->rank != 4 || y->rank != 4)
        return ir_refuse(op, d, "operand, weights and result need four dimensions");
    if (x->dims[0] != y->dims[0])
        return ir_refuse(op, d, "batches differ between operand and result");
    return attrs_within(op, IR_ATTR_STRIDE, 2, 1, d) && attrs_within(op, IR_ATTR_DILATION, 2, 1, d) &&
           attrs_within(op, IR_ATTR_PAD, 4, 0, d);
}

bool ir_check_conv2d(const ir_op *op, diag *d)
{
    if (!check_window(op, d))
        return false;
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    const int64_t groups = ir_int(op, IR_ATTR_GROUPS);
    if (w->dims[0] != y->dims[3])
        return ir_refuse(op, d, "%lld filters for %lld channels", (long long)w->dims[0], (long long)y->dims[3]);
    if (groups < 1 || x->dims[3] % groups || y->dims[3] % groups || w->dims[3] != x->dims[3] / groups)
        return ir_refuse(op, d, "%lld groups do not fit %lld operand channels and filters of depth %lld",
                         (long long)groups, (long long)x->dims[3], (long long)w->dims[3]);
    return ir_mac_check(op, y->dims[3], 0, d);
}

bool ir_check_depthwise_conv2d(const ir_op *op, diag *d)
{
    if (!check_window(op, d))
        return false;
    const ir_type *x = &op->operands[0].value->type, *w = &op->operands[1].value->type, *y = &op->results[0]->type;
    if (w->dims[0] != 1 || w->dims[3] != y->dims[3])
        return ir_refuse(op, d, "weights have %lld channels, the result %lld", (long long)w->dims[3],
                         (long long)y->dims[3]);
    if (x->dims[3] < 1 || y->dims[3] % x->dims[3])
        return ir_refuse(op, d, "result channels are no multiple of operand channels");
    return ir_mac_check(op, y->dims[3], 3, d);
}

/* Taps first…end-1 of `taps` whose position origin + tap * step is inside 0…extent-1. */
static void inside(int64_t origin, int64_t step, int64_t taps, int64_t extent, int64_t *first, int64_t *end)
{
    *first = origin >= 0 ? 0 : (-origin + step - 1) / step;
    *end = origin >= extent ? 0 : (extent - origin + step - 1) / step;
    *end = *end > taps ? taps : *end;
    *first = *first > *end ? *end : *first;
}

static int32_t dot_i16(const int16_t *a, const int16_t *b, int64_t n)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint32_t)((int32_t)a[i] * b[i]);
    return (int32_t)sum;
}

static int64_t dot_i16_wide(const int16_t *a, const int16_t *b, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (int32_t)a[i] * b[i];
    return sum;
}

static int16_t *centred_weights(const ir_value *w, const void *data, int64_t outer, int64_t channels, int64_t inner)
{
    const int64_t n = ir_type_elements(&w->type);
    int16_t *out = malloc(((size_t)n + 1) * sizeof *out);
    if (!out)
        return NULL;
    if (w->quant->axis < 0) {
        ir_ints_load_i16(w->type.dtype, data, 0, n, w->quant->zero[0], out);
        return out;
    }
    for (int64_t i = 0; i < outer * channels; i++)
        ir_ints_load_i16(w->type.dtype, data, i * inner, inner, w->quant->zero[i % channels], out + i * inner);
    return out;
}

/* ---- conv2d ---- */

typedef struct pixel { /* which taps one output pixel has */
    int64_t y0, x0, ky0, ky1, kx0, kx1;
} pixel;

static pixel pixel_at(const window *g, int64_t oy, int64_t ox)
{
    pixel p;
    p.y0 = oy * g->sy - g->py;
    p.x0 = ox * g->sx - g->px;
    inside(p.y0, g->dy, g->kh, g->ih, &p.ky0, &p.ky1);
    inside(p.x0, g->dx, g->kw, g->iw, &p.kx0, &p.kx1);
    return p;
}

static int64_t conv_sum(const window *g, const pixel *p, const int16_t *image, const int16_t *filter, int64_t depth,
                        bool wide)
{
    int64_t sum = 0;
    for (int64_t ky = p->ky0; ky < p->ky1; ky++) {
        const int16_t *row = image + (p->y0 + ky * g->dy) * g->iw * g->ic;
        const int16_t *taps = filter + ky * g->kw * depth;
        if (g->dx == 1 && depth == g->ic && p->kx0 < p->kx1) { /* the row's taps lie one behind the other */
            const int16_t *a = row + (p->x0 + p->kx0) * g->ic, *b = taps + p->kx0 * depth;
            const int64_t n = (p->kx1 - p->kx0) * depth;
            sum += wide ? dot_i16_wide(a, b, n) : dot_i16(a, b, n);
            continue;
        }
        for (int64_t kx = p->kx0; kx < p->kx1; kx++) {
            const int16_t *a = row + (p->x0 + kx * g->dx) * g->ic, *b = taps + kx * depth;
            sum += wide ? dot_i16_wide(a, b, depth) : dot_i16(a, b, depth);
        }
    }
    return sum;
}

static bool conv_int(const ir_op *op, const void *const operands[], const ir_mac_end *end, diag *d)
{
    const window g = window_of(op);
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    const int64_t depth = w->type.dims[3], per_group = g.oc / ir_int(op, IR_ATTR_GROUPS);
    const bool wide = x->type.dtype == IR_I16;
    int16_t *image = ir_mac_centred_operand(op, operands);
    int16_t *filters = centred_weights(w, operands[1], 1, g.oc, g.kh * g.kw * depth);
    int32_t *acc = malloc(((size_t)g.oc + 1) * sizeof *acc);
    const bool fine = image && filters && acc;
    for (int64_t row = 0; fine && row < g.n * g.oh * g.ow; row++) {
        const pixel p = pixel_at(&g, row / g.ow % g.oh, row % g.ow);
        const int16_t *from = image + row / (g.ow * g.oh) * g.ih * g.iw * g.ic;
        for (int64_t o = 0; o < g.oc; o++) {
            const int64_t sum =
                conv_sum(&g, &p, from + o / per_group * depth, filters + o * g.kh * g.kw * depth, depth, wide);
            if (wide)
                ir_mac_end_i64(end, row, o, 1, &sum);
            else
                acc[o] = (int32_t)(uint32_t)(uint64_t)sum;
        }
        if (!wide)
            ir_mac_end_i32(end, row, 0, g.oc, acc);
    }
    free(image);
    free(filters);
    free(acc);
    return fine || ir_out_of_memory(op, d);
}

/* [O, K] -> [O / per_group][K][per_group], so that the inner loop runs over output channels. */
static float *filters_inside_out(const void *data, int64_t oc, int64_t per_group, int64_t k)
{
    float *out = malloc(((size_t)(oc * k) + 1) * sizeof *out);
    for (int64_t o = 0; out && o < oc; o++)
        for (int64_t i = 0; i < k; i++)
            out[(o / per_group * k + i) * per_group + o % per_group] = ir_f32_at(data, o * k + i);
    return out;
}

static void conv_row_f32(const window *g, const pixel *p, const char *image, int64_t first, const float *filters,
                         int64_t depth, int64_t per_group, float *acc)
{
    for (int64_t o = 0; o < per_group; o++)
        acc[o] = 0;
    for (int64_t ky = p->ky0; ky < p->ky1; ky++)
        for (int64_t kx = p->kx0; kx < p->kx1; kx++) {
            const int64_t at = ((p->y0 + ky * g->dy) * g->iw + p->x0 + kx * g->dx) * g->ic + first;
            const float *taps = filters + (ky * g->kw + kx) * depth * per_group;
            for (int64_t i = 0; i < depth; i++) {
                const float v = ir_f32_at(image, at + i);
                for (int64_t o = 0; o < per_group; o++)
                    acc[o] += v * taps[i * per_group + o];
            }
        }
}

static bool conv_f32(const ir_op *op, const void *const operands[], const ir_mac_end *end, diag *d)
{
    const window g = window_of(op);
    const int64_t groups = ir_int(op, IR_ATTR_GROUPS), per_group = g.oc / groups, depth = g.ic / groups;
    float *filters = filters_inside_out(operands[1], g.oc, per_group, g.kh * g.kw * depth);
    float *acc = malloc(((size_t)g.oc + 1) * sizeof *acc);
    const bool fine = filters && acc;
    for (int64_t row = 0; fine && row < g.n * g.oh * g.ow; row++) {
        const pixel p = pixel_at(&g, row / g.ow % g.oh, row % g.ow);
        const char *image = (const char *)operands[0] + row / (g.ow * g.oh) * g.ih * g.iw * g.ic * 4;
        for (int64_t group = 0; group < groups; group++)
            conv_row_f32(&g, &p, image, group * depth, filters + group * g.kh * g.kw * depth * per_group, depth,
                         per_group, acc + group * per_group);
        ir_mac_end_f32(end, row, 0, g.oc, acc);
    }
    free(filters);
    free(acc);
    return fine || ir_out_of_memory(op, d);
}

bool ir_ref_conv2d(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    ir_mac_end end;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!ir_mac_end_init(&end, op, operands, results[0], d))
        return false;
    const bool fine = end.real ? conv_f32(op, operands, &end, d) : conv_int(op, operands, &end, d);
    ir_mac_end_free(&end);
    return fine;
}

/* ---- depthwise_conv2d: result channel c belongs to operand channel c / multiplier ---- */

static void depthwise_row_i32(const window *g, const pixel *p, const int16_t *image, const int16_t *filters,
                              int32_t *acc)
{
    const int64_t multiplier = g->oc / g->ic;
    for (int64_t c = 0; c < g->oc; c++)
        acc[c] = 0;
    for (int64_t ky = p->ky0; ky < p->ky1; ky++)
        for (int64_t kx = p->kx0; kx < p->kx1; kx++) {
            const int16_t *a = image + ((p->y0 + ky * g->dy) * g->iw + p->x0 + kx * g->dx) * g->ic;
            const int16_t *b = filters + (ky * g->kw + kx) * g->oc;
            if (multiplier == 1)
                for (int64_t c = 0; c < g->oc; c++)
                    acc[c] = (int32_t)((uint32_t)acc[c] + (uint32_t)((int32_t)a[c] * b[c]));
            else
                for (int64_t c = 0; c < g->oc; c++)
                    acc[c] = (int32_t)((uint32_t)acc[c] + (uint32_t)((int32_t)a[c / multiplier] * b[c]));
        }
}

static void depthwise_row_i64(const window *g, const pixel *p, const int16_t *image, const int16_t *filters,
                              int64_t *acc)
{
    const int64_t multiplier = g->oc / g->ic;
    for (int64_t c = 0; c < g->oc; c++)
        acc[c] = 0;
    for (int64_t ky = p->ky0; ky < p->ky1; ky++)
        for (int64_t kx = p->kx0; kx < p->kx1; kx++) {
            const int16_t *a = image + ((p->y0 + ky * g->dy) * g->iw + p->x0 + kx * g->dx) * g->ic;
            const int16_t *b = filters + (ky * g->kw + kx) * g->oc;
            for (int64_t c = 0; c < g->oc; c++)
                acc[c] += (int32_t)a[c / multiplier] * b[c];
        }
}

static void depthwise_row_f32(const window *g, const pixel *p, const char *image, const void *filters, float *acc)
{
    const int64_t multiplier = g->oc / g->ic;
    for (int64_t c = 0; c < g->oc; c++)
        acc[c] = 0;
    for (int64_t ky = p->ky0; ky < p->ky1; ky++)
        for (int64_t kx = p->kx0; kx < p->kx1; kx++) {
            const int64_t at = ((p->y0 + ky * g->dy) * g->iw + p->x0 + kx * g->dx) * g->ic;
            const int64_t tap = (ky * g->kw + kx) * g->oc;
            if (multiplier == 1)
                for (int64_t c = 0; c < g->oc; c++)
                    acc[c] += ir_f32_at(image, at + c) * ir_f32_at(filters, tap + c);
            else
                for (int64_t c = 0; c < g->oc; c++)
                    acc[c] += ir_f32_at(image, at + c / multiplier) * ir_f32_at(filters, tap + c);
        }
}

static bool depthwise_int(const ir_op *op, const void *const operands[], const ir_mac_end *end, diag *d)
{
    const window g = window_of(op);
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value;
    const bool wide = x->type.dtype == IR_I16;
    int16_t *image = ir_mac_centred_operand(op, operands);
    int16_t *filters = centred_weights(w, operands[1], g.kh * g.kw, g.oc, 1);
    void *acc = malloc(((size_t)g.oc + 1) * sizeof(int64_t));
    const bool fine = image && filters && acc;
    for (int64_t row = 0; fine && row < g.n * g.oh * g.ow; row++) {
        const pixel p = pixel_at(&g, row / g.ow % g.oh, row % g.ow);
        const int16_t *from = image + row / (g.ow * g.oh) * g.ih * g.iw * g.ic;
        if (wide) {
            depthwise_row_i64(&g, &p, from, filters, acc);
            ir_mac_end_i64(end, row, 0, g.oc, acc);
        } else {
            depthwise_row_i32(&g, &p, from, filters, acc);
            ir_mac_end_i32(end, row, 0, g.oc, acc);
        }
    }
    free(image);
    free(filters);
    free(acc);
    return fine || ir_out_of_memory(op, d);
}

static bool depthwise_f32(const ir_op *op, const void *const operands[], const ir_mac_end *end, diag *d)
{
    const window g = window_of(op);
    float *acc = malloc(((size_t)g.oc + 1) * sizeof *acc);
    if (!acc)
        return ir_out_of_memory(op, d);
    for (int64_t row = 0; row < g.n * g.oh * g.ow; row++) {
        const pixel p = pixel_at(&g, row / g.ow % g.oh, row % g.ow);
        depthwise_row_f32(&g, &p, (const char *)operands[0] + row / (g.ow * g.oh) * g.ih * g.iw * g.ic * 4, operands[1],
                          acc);
        ir_mac_end_f32(end, row, 0, g.oc, acc);
    }
    free(acc);
    return true;
}

bool ir_ref_depthwise_conv2d(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    ir_mac_end end;
    if (ir_type_elements(&op->results[0]->type) == 0)
        return true;
    if (!ir_mac_end_init(&end, op, operands, results[0], d))
        return false;
    const bool fine = end.real ? depthwise_f32(op, operands, &end, d) : depthwise_int(op, operands, &end, d);
    ir_mac_end_free(&end);
    return fine;
}
