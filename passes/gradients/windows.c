/* windows.c: convolutions, back.
 *
 * Along one dimension, with stride s, dilation d, padding p in front, K taps, output position o and input position i:
 *
 *     y[o] = Σ_k w[k] x[o s + k d - p]
 *     by x[i] = Σ_k w[k] by_y[(i + p - k d) / s]      a convolution of by_y, s - 1 zeros between its elements, with the
 *                                                      reversed taps, dilation d and padding (K - 1) d - p; with d = 1
 *                                                      s of them, each with every s-th tap and without zeros
 *     by w[k] = Σ_o by_y[o] x[k d + o s - p]           ops of their own
 */
#include "passes/gradients/windows.h"

gradient_window gradient_window_of(const ir_op *op)
{
    gradient_window w;
    for (int a = 0; a < GRADIENT_AXES; a++) {
        w.stride[a] = ir_ints_at(op, IR_ATTR_STRIDE, a);
        w.dilation[a] = ir_has_attr(op, IR_ATTR_DILATION) ? ir_ints_at(op, IR_ATTR_DILATION, a) : 1;
        w.pad[a] = ir_ints_at(op, IR_ATTR_PAD, a);
        w.pad[GRADIENT_AXES + a] = ir_ints_at(op, IR_ATTR_PAD, GRADIENT_AXES + a);
    }
    return w;
}

static void set_window(ir_op *op, const gradient_window *w)
{
    ir_set_ints(op, IR_ATTR_STRIDE, GRADIENT_AXES, w->stride);
    ir_set_ints(op, IR_ATTR_DILATION, GRADIENT_AXES, w->dilation);
    ir_set_ints(op, IR_ATTR_PAD, 2 * GRADIENT_AXES, w->pad);
}

ir_value *gradient_convolution(gradient *s, ir_opcode code, ir_value *x, ir_value *taps, const gradient_window *w)
{
    ir_op *op = gradient_new(s, code, 2, (ir_value *[]){x, taps});
    set_window(op, w);
    return gradient_end(s, op);
}

ir_value *gradient_swapped(gradient *s, ir_value *v) { return gradient_transpose(s, v, (int64_t[]){3, 1, 2, 0}); }
static ir_value *flipped(gradient *s, ir_value *v)
{
    return v->type.dims[1] * v->type.dims[2] == 1 ? v : gradient_reverse(s, v, 2, (int64_t[]){1, 2});
}

ir_value *gradient_part(gradient *s, ir_value *v, int d, int64_t begin, int64_t count)
{
    int64_t from[4] = {0}, dims[4];
    for (int i = 0; i < 4; i++)
        dims[i] = v->type.dims[i];
    from[d] = begin;
    dims[d] = count;
    return gradient_slice(s, v, from, NULL, dims);
}

/* ---- By the image ---- */

ir_value *gradient_framed(gradient *s, ir_value *v, int axis, int64_t need, int64_t pad[])
{
    const int d = 1 + axis;
    int64_t behind = need - pad[axis] - v->type.dims[d], begin = 0, count = v->type.dims[d];
    if (pad[axis] < 0) {
        begin = -pad[axis];
        count += pad[axis];
        pad[axis] = 0;
    }
    if (behind < 0) {
        count += behind;
        behind = 0;
    }
    pad[GRADIENT_AXES + axis] = behind;
    return gradient_part(s, v, d, begin, count);
}

static int64_t divided_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static int64_t divided_up(int64_t a, int64_t b) { return -divided_down(-a, b); }

/* Keeps of by_y the lines (columns) of windows that reach into the image; of one alone the stride says nothing.  NULL: there are
 * none.  So no stride and no padding makes more of by_y than the image asks for. */
static ir_value *reaching(gradient *s, ir_value *by_y, int a, int64_t reach, int64_t extent, gradient_window *w)
{
    const int64_t end = by_y->type.dims[1 + a] - 1, least = divided_up(w->pad[a] - reach, w->stride[a]);
    const int64_t most = divided_down(extent - 1 + w->pad[a], w->stride[a]);
    const int64_t first = least > 0 ? least : 0, last = most < end ? most : end;
    if (first > last)
        return NULL;
    w->pad[a] -= first * w->stride[a];
    if (first == last)
        w->stride[a] = 1;
    return gradient_part(s, by_y, 1 + a, first, last - first + 1);
}

/* Of one axis: taps k = s j + t become a convolution of `taps` for each of `phases` t, whose results interleave. */
typedef struct phase_axis {
    int64_t phases, taps;
    int64_t first, lines; /* results of each; the first one is of image positions from s * first - padding on */
} phase_axis;

/* [b, kh, kw, a] as [b of all phases, taps, taps, a] */
static ir_value *taps_of_phases(gradient *s, ir_value *taps, const phase_axis p[GRADIENT_AXES])
{
    const phase_axis *y = &p[GRADIENT_Y], *x = &p[GRADIENT_X];
    const int64_t b = taps->type.dims[0], a = taps->type.dims[3];
    if (y->phases * x->phases == 1)
        return taps;
    taps = gradient_pad(
        s, taps, (int64_t[4]){0},
        (int64_t[]){0, y->taps * y->phases - taps->type.dims[1], x->taps * x->phases - taps->type.dims[2], 0});
    taps = gradient_reshape(s, taps, 6, (int64_t[]){b, y->taps, y->phases, x->taps, x->phases, a});
    taps = gradient_transpose(s, taps, (int64_t[]){2, 4, 0, 1, 3, 5});
    return gradient_reshape(s, taps, 4, (int64_t[]){y->phases * x->phases * b, y->taps, x->taps, a});
}

/* [n, lines, columns, b of all phases] as [n, lines * stride, columns * stride, b] */
static ir_value *interleaved(gradient *s, ir_value *v, const phase_axis p[GRADIENT_AXES], const gradient_window *w)
{
    const phase_axis *y = &p[GRADIENT_Y], *x = &p[GRADIENT_X];
    const int64_t *stride = w->stride, n = v->type.dims[0], b = v->type.dims[3] / (y->phases * x->phases);
    if (stride[GRADIENT_Y] * stride[GRADIENT_X] == 1)
        return v;
    v = gradient_reshape(s, v, 6, (int64_t[]){n, y->lines, x->lines, y->phases, x->phases, b});
    v = gradient_transpose(s, v, (int64_t[]){0, 1, 3, 2, 4, 5});
    v = gradient_pad(s, v, (int64_t[6]){0},
                     (int64_t[]){0, 0, stride[GRADIENT_Y] - y->phases, 0, stride[GRADIENT_X] - x->phases, 0});
    return gradient_reshape(s, v, 4, (int64_t[]){n, y->lines * stride[GRADIENT_Y], x->lines * stride[GRADIENT_X], b});
}

/* With k = s j + t and i + p = s m + t:  by x[i] = Σ_j w[s j + t] by_y[m - j], without a multiplication by the zeros that
 * a convolution over all positions has between the elements of by_y. */
static ir_value *image_by_phases(gradient *s, ir_opcode code, ir_value *by_y, ir_value *taps, const gradient_window *w,
                                 const int64_t extent[GRADIENT_AXES])
{
    gradient_window back = {.stride = {1, 1}, .dilation = {w->dilation[GRADIENT_Y], w->dilation[GRADIENT_X]}};
    phase_axis p[GRADIENT_AXES];
    int64_t begin[4] = {0}, dims[4] = {by_y->type.dims[0], extent[GRADIENT_Y], extent[GRADIENT_X], 0};
    for (int a = 0; a < GRADIENT_AXES; a++) {
        const int64_t k = taps->type.dims[1 + a], stride = w->stride[a];
        p[a] = (phase_axis){
            .phases = k < stride ? k : stride, .taps = divided_up(k, stride), .first = divided_down(w->pad[a], stride)};
        begin[1 + a] = w->pad[a] - stride * p[a].first;
        p[a].lines = divided_up(begin[1 + a] + extent[a], stride);
        const int64_t reach = (p[a].taps - 1) * w->dilation[a];
        back.pad[a] = reach - p[a].first;
        by_y = gradient_framed(s, by_y, a, p[a].lines + reach, back.pad);
    }
    ir_value *by_x = gradient_convolution(s, code, by_y, flipped(s, taps_of_phases(s, taps, p)), &back);
    by_x = interleaved(s, by_x, p, w);
    dims[3] = by_x->type.dims[3];
    return gradient_slice(s, by_x, begin, NULL, dims);
}

ir_value *gradient_image(gradient *s, ir_opcode code, ir_value *by_y, ir_value *taps, const gradient_window *w,
                         const int64_t extent[GRADIENT_AXES])
{
    const int64_t channels = taps->type.dims[code == IR_CONV2D ? 0 : 3];
    const ir_type x = ir_type_make(IR_F32, 4, (int64_t[]){by_y->type.dims[0], extent[0], extent[1], channels});
    gradient_window at = *w;
    int64_t step[4] = {1, 1, 1, 1};
    for (int a = 0; a < GRADIENT_AXES; a++) {
        by_y = reaching(s, by_y, a, (taps->type.dims[1 + a] - 1) * w->dilation[a], extent[a], &at);
        if (!by_y)
            return gradient_broadcast(s, gradient_number(s, 0), &x);
        if (code != IR_CONV2D || at.dilation[a] > 1) {
            step[1 + a] = at.stride[a];
            at.stride[a] = 1;
        }
    }
    return image_by_phases(s, code, gradient_spread(s, by_y, step), taps, &at, extent);
}

/* ---- By the taps ---- */

ir_value *gradient_matrix(gradient *s, ir_value *v)
{
    const int64_t columns = v->type.dims[v->type.rank - 1];
    int64_t rows = 1;
    for (int d = 0; d < v->type.rank - 1; d++)
        rows *= v->type.dims[d];
    return gradient_reshape(s, v, 2, (int64_t[]){rows, columns});
}

ir_value *gradient_product(gradient *s, ir_value *a, ir_value *b, bool adj_a, bool adj_b)
{
    ir_op *op = gradient_new(s, IR_BATCH_MATMUL, 2, (ir_value *[]){a, b});
    ir_set_int(op, IR_ATTR_ADJ_A, adj_a);
    ir_set_int(op, IR_ATTR_ADJ_B, adj_b);
    return gradient_end(s, op);
}

ir_value *gradient_taps(gradient *s, ir_opcode code, ir_value *x, ir_value *by_y, const gradient_window *w,
                        const int64_t dims[4])
{
    ir_op *op = gradient_new(s, code, 2, (ir_value *[]){x, by_y});
    set_window(op, w);
    return gradient_end_as(s, op, 4, dims);
}
