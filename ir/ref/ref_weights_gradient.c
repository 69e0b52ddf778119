/* ref_weights_gradient.c: gradients of convolutions by their weights: for each tap and pair of channels, depthwise for each
 * tap and channel, the sum, over all windows, of what the tap met times the gradient of the window's result.  Sums are of
 * doubles, rounded once. */
#include <stdlib.h>

#include "ir/ref/ref.h"

typedef struct geometry {
    int64_t n, ih, iw, ic, oh, ow, oc, kh, kw, stride[2], dilation[2], pad[2];
} geometry;

/* The result's dimensions `first` and the next one are the taps'. */
static geometry geometry_of(const ir_op *op, int first)
{
    const int64_t *x = op->operands[0].value->type.dims, *y = op->operands[1].value->type.dims;
    geometry g = {.n = x[0], .ih = x[1], .iw = x[2], .ic = x[3], .oh = y[1], .ow = y[2], .oc = y[3]};
    g.kh = op->results[0]->type.dims[first];
    g.kw = op->results[0]->type.dims[first + 1];
    for (int d = 0; d < 2; d++) {
        g.stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        g.dilation[d] = ir_ints_at(op, IR_ATTR_DILATION, d);
        g.pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
    }
    return g;
}

static bool check(const ir_op *op, int channels, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *y = &op->operands[1].value->type, *w = &op->results[0]->type;
    if (x->rank != 4 || y->rank != 4 || w->rank != 4 || x->dims[0] != y->dims[0] || w->dims[channels] != x->dims[3] ||
        w->dims[3] != y->dims[3])
        return ir_refuse(op, d, "the shapes do not fit together");
    for (int i = 0; i < 2; i++)
        if (ir_ints_at(op, IR_ATTR_STRIDE, i) < 1 || ir_ints_at(op, IR_ATTR_DILATION, i) < 1 ||
            ir_ints_at(op, IR_ATTR_PAD, i) < 0)
            return ir_refuse(op, d, "stride, dilation or padding out of range");
    return true;
}

bool ir_check_conv2d_weights_gradient(const ir_op *op, diag *d) { return check(op, 2, d); }
bool ir_check_depthwise_weights_gradient(const ir_op *op, diag *d) { return check(op, 3, d); }

/* sum[i][o] += x[i] by_y[o] over the windows; where tap (ky, kx) lies outside the image, x is 0. */
static void add_tap(const geometry *g, int64_t ky, int64_t kx, const void *const operands[], double sum[])
{
    for (int64_t p = 0; p < g->n * g->oh * g->ow; p++) {
        const int64_t image = p / (g->oh * g->ow);
        const int64_t iy = p / g->ow % g->oh * g->stride[0] + ky * g->dilation[0] - g->pad[0];
        const int64_t ix = p % g->ow * g->stride[1] + kx * g->dilation[1] - g->pad[1];
        const bool inside = iy >= 0 && iy < g->ih && ix >= 0 && ix < g->iw;
        const int64_t at = ((image * g->ih + iy) * g->iw + ix) * g->ic;
        for (int64_t i = 0; i < g->ic; i++) {
            const double x = inside ? (double)ir_f32_at(operands[0], at + i) : 0;
            for (int64_t o = 0; o < g->oc; o++)
                sum[i * g->oc + o] += x * (double)ir_f32_at(operands[1], p * g->oc + o);
        }
    }
}

bool ir_ref_conv2d_weights_gradient(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const geometry g = geometry_of(op, 0);
    const int64_t pairs = g.ic * g.oc;
    double *sum = malloc(((size_t)pairs + 1) * sizeof *sum);
    if (!sum)
        return ir_out_of_memory(op, d);
    for (int64_t tap = 0; tap < g.kh * g.kw; tap++) {
        memset(sum, 0, (size_t)pairs * sizeof *sum);
        add_tap(&g, tap / g.kw, tap % g.kw, operands, sum);
        for (int64_t i = 0; i < pairs; i++)
            ir_f32_put(results[0], tap * pairs + i, (float)sum[i]);
    }
    free(sum);
    return true;
}

/* Taps outside the image count for nothing. */
static double depthwise_sum(const geometry *g, int64_t ky, int64_t kx, int64_t c, const void *const operands[])
{
    double sum = 0;
    for (int64_t p = 0; p < g->n * g->oh * g->ow; p++) {
        const int64_t iy = p / g->ow % g->oh * g->stride[0] + ky * g->dilation[0] - g->pad[0];
        const int64_t ix = p % g->ow * g->stride[1] + kx * g->dilation[1] - g->pad[1];
        if (iy < 0 || iy >= g->ih || ix < 0 || ix >= g->iw)
            continue;
        const int64_t at = ((p / (g->oh * g->ow) * g->ih + iy) * g->iw + ix) * g->ic + c;
        sum += (double)ir_f32_at(operands[0], at) * (double)ir_f32_at(operands[1], p * g->oc + c);
    }
    return sum;
}

bool ir_ref_depthwise_weights_gradient(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const geometry g = geometry_of(op, 1);
    (void)d;
    for (int64_t i = 0; i < g.kh * g.kw * g.ic; i++)
        ir_f32_put(results[0], i, (float)depthwise_sum(&g, i / g.ic / g.kw, i / g.ic % g.kw, i % g.ic, operands));
    return true;
}
