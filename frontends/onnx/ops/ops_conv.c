/* ops_conv.c: convolutions and pools of images.
 *
 * Filters come as [O, I/groups, spatial...] and become [O, KH, KW, I/groups], or [1, KH, KW, O] when each channel has
 * its own; one spatial dimension is imported as two, the first of extent 1, and three as node_conv.h says. */
#include <string.h>

#include "frontends/node/node_conv.h"
#include "frontends/onnx/import.h"

enum { MOST = 1 << 20 }; /* taps, strides, dilations */

/* kernel_shape says again what the filters say. */
static bool kernel_agrees(ort_node *n, int spatial, const int64_t taps[])
{
    int64_t v[NODE_MAX_SPATIAL];
    int count = 0;
    if (!ort_ints(n, "kernel_shape", NODE_MAX_SPATIAL, v, &count))
        return false;
    for (int i = 0; i < count; i++)
        if (count != spatial || v[i] != taps[i])
            return node_error(n, "attribute kernel_shape differs from the filters");
    return true;
}

/* Where auto_pad has less than no pixels to add, because windows lie apart, ONNX Runtime cuts pixels off: from which
 * number on, and how many in front, depends on its version (here: 1.32's number). */
bool ort_auto_pad(ort_node *n, int64_t extent, int64_t covered, int64_t stride, int64_t *before, int64_t *after)
{
    const char *automatic = ort_text(n, "auto_pad", "NOTSET"); /* VALID: no padding */
    const bool upper = strcmp(automatic, "SAME_UPPER") == 0, lower = strcmp(automatic, "SAME_LOWER") == 0;
    int64_t total = 0;
    if (strcmp(automatic, "NOTSET") == 0)
        return true;
    if (upper || lower)
        total = ((extent + stride - 1) / stride - 1) * stride + covered - extent;
    if (total < -2 - lower)
        return node_error(n, "auto_pad leaves out %lld of %lld pixels, and which is not defined", (long long)-total,
                          (long long)extent);
    total = total < 0 ? 0 : total;
    *before = lower ? total - total / 2 : total / 2;
    *after = total - *before;
    return true;
}

/* Strides, dilations and padding, as attributes name them; pads that are absent are 0. */
static bool read_attributes(ort_node *n, int spatial, const int64_t taps[], node_box *out)
{
    int64_t pads[2 * NODE_MAX_SPATIAL] = {0};
    int count = 0;
    if (!kernel_agrees(n, spatial, taps) || !ort_counts(n, "strides", spatial, MOST, out->stride) ||
        !ort_counts(n, "dilations", spatial, MOST, out->dilation) || !ort_ints(n, "pads", 2 * spatial, pads, &count))
        return false;
    if (count && count != 2 * spatial)
        return node_error(n, "attribute pads has %d numbers, expected %d", count, 2 * spatial);
    for (int i = 0; i < count; i++)
        if (pads[i] < -(1 << 24) || pads[i] > 1 << 24)
            return node_error(n, "attribute pads is out of range");
    memcpy(out->before, pads, sizeof *pads * (size_t)spatial);
    memcpy(out->after, pads + spatial, sizeof *pads * (size_t)spatial);
    return true;
}

/* in, taps: extents of the spatial dimensions. */
static bool read_box(ort_node *n, int spatial, const int64_t in[], const int64_t taps[], node_box *out)
{
    if (!read_attributes(n, spatial, taps, out))
        return false;
    for (int i = 0; i < spatial; i++)
        if (!ort_auto_pad(n, in[i], (taps[i] - 1) * out->dilation[i] + 1, out->stride[i], &out->before[i],
                          &out->after[i]))
            return false;
    return true;
}

/* Of an image [N, H, W, C], which stands for a line where spatial is 1; in, kernel: H and W. */
static bool read_window(ort_node *n, int spatial, const int64_t in[2], const int64_t kernel[2], node_window *w)
{
    node_box box;
    const int first = 2 - spatial;
    *w = (node_window){.kernel = {kernel[0], kernel[1]}, .stride = {1, 1}, .dilation = {1, 1}};
    if (!read_box(n, spatial, in + first, kernel + first, &box))
        return false;
    for (int i = 0; i < spatial; i++) {
        w->stride[first + i] = box.stride[i];
        w->dilation[first + i] = box.dilation[i];
        w->before[first + i] = box.before[i];
        w->after[first + i] = box.after[i];
    }
    return true;
}

/* [N, L, C] as [N, 1, L, C]. */
static ir_value *as_image(ort_node *n, ir_value *v)
{
    if (!v || v->type.rank == 4)
        return v;
    return node_reshaped(n, v, 4, (int64_t[]){v->type.dims[0], 1, v->type.dims[1], v->type.dims[2]});
}

/* The result of images that stand for `spatial` dimensions; count: of those, [N, ...]. */
static ir_value *from_image(ort_node *n, ir_value *v, int spatial, int64_t count)
{
    if (!v || spatial == 2)
        return v;
    const int64_t *d = v->type.dims;
    return spatial == 1 ? node_reshaped(n, v, 3, (int64_t[]){d[0], d[2], d[3]})
                        : node_reshaped(n, v, 5, (int64_t[]){count, count ? d[0] / count : 0, d[1], d[2], d[3]});
}

typedef struct filters {
    ir_value *w, *bias, *zero;      /* zero: of the image, known at run time only */
    const ir_quant *quant, *result; /* NULL: real */
    ir_dtype dtype;
} filters;

/* Image and filters as a convolution of images takes them, and its window.  x: [N, spatial..., C]; weights: operand number. */
static bool operands_of_images(ort_node *n, int weights, int64_t groups, bool depthwise, ir_value **x, ir_value **w,
                               node_window *window)
{
    const int spatial = (*x)->type.rank - 2;
    if (spatial == 3) {
        node_box box;
        int64_t depth;
        *w = ort_in(n, weights, LAYOUT_LAST);
        if (!*w || !read_box(n, spatial, (*x)->type.dims + 1, (*w)->type.dims + 1, &box) ||
            !node_depth_as_channels(n, &box, groups, x, w, &depth))
            return false;
        *window = node_image_window(&box, spatial, *w);
        return true;
    }
    const int64_t perm[2][4] = {{1, 2, 0}, {1, 2, 3, 0}};
    *w = depthwise ? node_transposed(n, ort_plain(n, weights), perm[spatial - 1]) : ort_in(n, weights, LAYOUT_LAST);
    *w = as_image(n, *w);
    *x = as_image(n, *x);
    return *w && *x && read_window(n, spatial, (*x)->type.dims + 1, (*w)->type.dims + 1, window);
}

/* x: [N, spatial..., C].  weights: operand number. */
static ir_value *convolve(ort_node *n, ir_value *x, int weights, filters *f)
{
    ir_value *plain = ort_plain(n, weights), *w;
    if (!x || !plain)
        return NULL;
    const int rank = plain->type.rank, spatial = rank - 2;
    if (x->type.rank != rank || spatial < 1 || spatial > NODE_MAX_SPATIAL) {
        node_error(n, "an image of rank %d and filters of rank %d are not supported", x->type.rank, rank);
        return NULL;
    }
    const int64_t groups = ort_int(n, "group", 1), channels = x->type.dims[rank - 1], depth = plain->type.dims[1];
    const int64_t images = x->type.dims[0];
    if (groups < 1 || groups > channels || depth * groups != channels || plain->type.dims[0] % groups ||
        plain->type.dims[0] < 1) {
        node_misfit(n, "%lld channels, %lld groups and filters of %lld x %lld channels don't fit", (long long)channels,
                    (long long)groups, (long long)plain->type.dims[0], (long long)depth);
        return NULL;
    }
    const bool depthwise = groups > 1 && depth == 1 && spatial < 3;
    node_window window;
    if (!operands_of_images(n, weights, groups, depthwise, &x, &w, &window))
        return NULL;
    if (f->quant) {
        const ir_quant *q = f->quant;
        if (q->axis >= 0)
            q = ir_quant_new(n->model->graph, depthwise ? 3 : 0, q->count, q->scale, q->zero);
        if (!(w = ort_quantized(n, w, q)))
            return NULL;
    }
    ir_op *op = node_emit(n, depthwise ? IR_DEPTHWISE_CONV2D : IR_CONV2D,
                          f->zero   ? 6
                          : f->bias ? 3
                                    : 2,
                          (ir_value *[]){x, w, f->bias, NULL, NULL, f->zero});
    node_set_window(op, &window);
    if (!depthwise)
        ir_set_int(op, IR_ATTR_GROUPS, groups);
    return from_image(n, node_done_quant(n, op, f->dtype, f->result), spatial, images);
}

static ir_value *real_conv(ort_node *n)
{
    filters f = {.dtype = IR_F32};
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    return x && ort_optional(n, 2, &f.bias) ? convolve(n, x, 1, &f) : NULL;
}

bool ort_op_conv(ort_node *n) { return ort_put(n, 0, real_conv(n), LAYOUT_LAST); }

/* Operand 3 is a summand. */
bool ort_op_fused_conv(ort_node *n)
{
    float params[2];
    const int count = ort_floats(n, "activation_params", 2, params);
    ir_value *y = real_conv(n);
    if (y && ort_has(n, 3))
        y = node_binary(n, IR_ADD, y, ort_in(n, 3, LAYOUT_LAST));
    return ort_put(n, 0, ort_activated(n, y, count, params), LAYOUT_LAST);
}

static bool qlinear_conv(ort_node *n, node_layout layout)
{
    ir_value *x = ort_in(n, 0, layout), *w = ort_param(n, 3, "weights");
    if (!x || !w || w->type.rank < 1)
        return false;
    int64_t channels = w->type.dims[0];
    const ir_quant *qx = ort_quant(n, 1, 2, -1, 1), *qw = qx ? ort_quant(n, 4, 5, 0, channels) : NULL;
    filters f = {.quant = qw, .result = qw ? ort_quant(n, 6, 7, -1, 1) : NULL, .dtype = x->type.dtype};
    if (!f.result || !(x = ort_quantized(n, x, qx)))
        return false;
    if (ort_has(n, 8) && !(f.bias = ort_int_bias(n, 8, qx, qw, channels)))
        return false;
    return ort_put(n, 0, convolve(n, x, 3, &f), layout);
}

bool ort_op_qlinear_conv(ort_node *n) { return qlinear_conv(n, LAYOUT_LAST); }
bool ort_op_nhwc_qlinear_conv(ort_node *n) { return qlinear_conv(n, ort_last(n)); }

bool ort_op_conv_integer(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST), *w = x ? ort_param(n, 1, "weights") : NULL;
    if (!w)
        return false;
    if (w->type.rank < 1 || (w->type.dtype != IR_U8 && w->type.dtype != IR_I8))
        return node_error(n, "weights of type %s", ir_dtype_text(w->type.dtype));
    filters f = {.dtype = IR_I32, .quant = ort_zeros(n, 3, 0, w->type.dims[0])};
    if (!f.quant || !ort_integer_operand(n, x, 2, &x, &f.zero))
        return false;
    return ort_put(n, 0, convolve(n, x, 1, &f), LAYOUT_LAST);
}

/* ---- Transposed convolutions ---- */

/* The padding that is cut from the full result, where it follows from the result's extents, which output_shape or auto_pad
 * say: the odd pixel goes behind for SAME_UPPER, in front otherwise. */
static bool cut_for_extents(ort_node *n, const ir_type *x, const int64_t taps[], const int64_t extra[], node_box *box)
{
    const char *automatic = ort_text(n, "auto_pad", "NOTSET");
    const bool upper = strcmp(automatic, "SAME_UPPER") == 0, same = upper || strcmp(automatic, "SAME_LOWER") == 0;
    const int spatial = x->rank - 2;
    int64_t shape[IR_MAX_RANK];
    int count = 0;
    if (!ort_ints(n, "output_shape", IR_MAX_RANK, shape, &count))
        return false;
    if (count && count != spatial)
        return node_error(n, "attribute output_shape has %d numbers, expected %d", count, spatial);
    for (int i = 0; i < spatial && (count || same); i++) {
        const int64_t full = (x->dims[1 + i] - 1) * box->stride[i] + (taps[i] - 1) * box->dilation[i] + 1 + extra[i];
        const int64_t want = count ? shape[i] : x->dims[1 + i] * box->stride[i], total = full > want ? full - want : 0;
        if (want < 1 || want > 1 << 24)
            return node_error(n, "a result of %lld pixels", (long long)want);
        if (!count && full < want) /* the standard adds what is missing, ONNX Runtime does not */
            return node_error(n, "auto_pad asks for %lld pixels where the windows reach %lld", (long long)want,
                              (long long)full);
        box->before[i] = upper ? total / 2 : total - total / 2;
        box->after[i] = full - extra[i] - want - box->before[i];
    }
    if (strcmp(automatic, "VALID") == 0 && !count)
        for (int i = 0; i < spatial; i++)
            box->before[i] = box->after[i] = 0;
    return true;
}

bool ort_op_conv_transpose(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST), *w = x ? ort_plain(n, 1) : NULL, *b;
    int64_t extra[IR_MAX_RANK] = {0};
    int extras = 0;
    node_box box;
    node_transposed_conv t;
    if (!w || !ort_optional(n, 2, &b) || !ort_ints(n, "output_padding", NODE_MAX_SPATIAL, extra, &extras))
        return false;
    const int spatial = x->type.rank - 2;
    if (spatial < 1 || spatial > NODE_MAX_SPATIAL || w->type.rank != x->type.rank || (extras && extras != spatial))
        return node_error(n,
                          "an image of rank %d, filters of rank %d and %d numbers of output_padding are not supported",
                          x->type.rank, w->type.rank, extras);
    if (!read_attributes(n, spatial, w->type.dims + 2, &box))
        return false;
    for (int i = 0; i < spatial; i++) {
        if (extra[i] < 0 || extra[i] > 1 << 20)
            return node_error(n, "attribute output_padding is out of range");
        box.after[i] -= extra[i];
    }
    if (!cut_for_extents(n, &x->type, w->type.dims + 2, extra, &box) ||
        !node_transpose_conv(n, x, w, b, ort_int(n, "group", 1), &box, &t))
        return false;
    ir_value *y = node_typed(n, t.op, t.image, NULL);
    return y && ort_put(n, 0, node_reshaped(n, y, t.whole.rank, t.whole.dims), LAYOUT_LAST);
}

/* ---- Pools ---- */

/* With ceil_mode one more window, unless it would start behind the image. */
static bool read_pool(ort_node *n, const ir_value *x, int spatial, bool average, int64_t kernel[2], node_window *out)
{
    node_window w;
    kernel[0] = 1;
    if (!ort_counts(n, "kernel_shape", spatial, MOST, kernel + 2 - spatial) ||
        !read_window(n, spatial, &x->type.dims[1], kernel, &w))
        return false;
    for (int i = 0; i < 2; i++) {
        int64_t room = x->type.dims[1 + i] + w.before[i] + w.after[i] - kernel[i], rest = room % w.stride[i];
        if (w.before[i] < 0 || w.after[i] < 0 || w.before[i] > 1 << 20 || w.after[i] > 1 << 20 || room < 0)
            return node_misfit(n, "the window does not fit the image");
        if (ort_int(n, "ceil_mode", 0) && rest &&
            (room / w.stride[i] + 1) * w.stride[i] < x->type.dims[1 + i] + w.before[i]) {
            if (average && ort_int(n, "count_include_pad", 0))
                return node_error(n, "ceil_mode together with count_include_pad is not supported");
            w.after[i] += w.stride[i] - rest;
        }
    }
    *out = w;
    return true;
}

/* x has its channels last. */
static ir_value *pooled(ort_node *n, ir_opcode code, ir_value *x)
{
    if (!x)
        return NULL;
    bool average = code == IR_AVG_POOL2D;
    int spatial = x->type.rank - 2;
    int64_t kernel[2];
    node_window w;
    if (spatial != 1 && spatial != 2) {
        node_error(n, "pools over %d dimensions are not supported", spatial);
        return NULL;
    }
    x = as_image(n, x);
    if (!x || !read_pool(n, x, spatial, average, kernel, &w))
        return NULL;
    if (average && ort_int(n, "count_include_pad", 0) && (w.before[0] | w.before[1] | w.after[0] | w.after[1])) {
        if (!(x = node_padded(n, x, &w)))
            return NULL;
    }
    ir_op *op = node_emit1(n, code, x);
    node_set_window(op, &w);
    return from_image(n, node_done(n, op), spatial, x->type.dims[0]);
}

bool ort_plain_pool(ort_node *n)
{
    return ort_put(n, 0, pooled(n, n->entry->code, ort_in(n, 0, LAYOUT_LAST)), LAYOUT_LAST);
}

/* The form that has channels last in ONNX, too. */
bool ort_op_nhwc_pool(ort_node *n) { return ort_put(n, 0, pooled(n, n->entry->code, ort_plain(n, 0)), LAYOUT_PLAIN); }

/* ONNX Runtime averages real numbers here, and the passes over fake-quantized graphs know when integers do as well. */
bool ort_op_qlinear_pool(ort_node *n)
{
    node_layout layout = ort_last(n);
    ir_value *x = ort_in(n, 0, layout);
    const ir_quant *qx = x ? ort_quant(n, 1, 2, -1, 1) : NULL, *qy = qx ? ort_quant(n, 3, 4, -1, 1) : NULL;
    if (!qy || !(x = ort_quantized(n, x, qx)))
        return false;
    ir_dtype dtype = x->type.dtype;
    x = pooled(n, n->entry->code, node_done_quant(n, node_emit1(n, IR_DEQUANTIZE, x), IR_F32, NULL));
    return x && ort_put(n, 0, node_done_quant(n, node_emit1(n, IR_QUANTIZE, x), dtype, qy), layout);
}
