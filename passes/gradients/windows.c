/* windows.c: convolutions, back.
 *
 * Along one dimension, with stride s, dilation d, padding p in front, K taps, output position o and input position i:
 *
 *     y[o] = Σ_k w[k] x[o s + k d - p]
 *     by x[i] = Σ_k w[k] by_y[(i + p - k d) / s]      a convolution of by_y, s - 1 zeros behind each element, with the
 *                                                      reversed taps, dilation d and padding (K - 1) d - p
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

ir_value *gradient_image(gradient *s, ir_opcode code, ir_value *by_y, ir_value *taps, const gradient_window *w,
                         const int64_t extent[GRADIENT_AXES])
{
    gradient_window back = {.stride = {1, 1}, .dilation = {w->dilation[GRADIENT_Y], w->dilation[GRADIENT_X]}};
    by_y = gradient_spread(s, by_y, (int64_t[]){1, w->stride[GRADIENT_Y], w->stride[GRADIENT_X], 1});
    for (int a = 0; a < GRADIENT_AXES; a++) {
        const int64_t reach = (taps->type.dims[1 + a] - 1) * w->dilation[a];
        back.pad[a] = reach - w->pad[a];
        by_y = gradient_framed(s, by_y, a, extent[a] + reach, back.pad);
    }
    return gradient_convolution(s, code, by_y, flipped(s, taps), &back);
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
