/* ops_mac.c: convolutions and matrix products.
 *
 * Filters come as [O, I/groups, spatial...] and become [O, KH, KW, I/groups], or [1, KH, KW, O] when each channel has
 * its own; one spatial dimension is imported as two, the first of extent 1. */
#include <string.h>

#include "frontends/onnx/import.h"

static bool read_numbers(ort_node *n, const char *name, int spatial, int64_t out[2])
{
    int64_t v[2];
    int count = 0;
    out[0] = out[1] = 1;
    if (!ort_ints(n, name, 2, v, &count))
        return false;
    if (count && count != spatial)
        return node_error(n, "attribute %s has %d numbers, expected %d", name, count, spatial);
    for (int i = 0; i < count; i++)
        if ((out[2 - spatial + i] = v[i]) < 1 || v[i] > 1 << 20)
            return node_error(n, "attribute %s is out of range", name);
    return true;
}

/* kernel_shape says again what the filters say. */
static bool kernel_agrees(ort_node *n, int spatial, const int64_t kernel[2])
{
    int64_t v[2];
    int count = 0;
    if (!ort_ints(n, "kernel_shape", 2, v, &count))
        return false;
    for (int i = 0; i < count; i++)
        if (count != spatial || v[i] != kernel[2 - spatial + i])
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

static bool read_window(ort_node *n, int spatial, const int64_t in[2], const int64_t kernel[2], node_window *w)
{
    int64_t pads[4] = {0};
    int count = 0;
    *w = (node_window){.kernel = {kernel[0], kernel[1]}};
    if (!kernel_agrees(n, spatial, kernel) || !read_numbers(n, "strides", spatial, w->stride) ||
        !read_numbers(n, "dilations", spatial, w->dilation) || !ort_ints(n, "pads", 4, pads, &count))
        return false;
    if (count && count != 2 * spatial)
        return node_error(n, "attribute pads has %d numbers, expected %d", count, 2 * spatial);
    for (int i = 0; i < count; i++)
        if (pads[i] < -(1 << 24) || pads[i] > 1 << 24)
            return node_error(n, "attribute pads is out of range");
    for (int i = 0; i < spatial; i++) {
        int at = 2 - spatial + i;
        w->before[at] = count ? pads[i] : 0;
        w->after[at] = count ? pads[spatial + i] : 0;
        if (!ort_auto_pad(n, in[at], (kernel[at] - 1) * w->dilation[at] + 1, w->stride[at], &w->before[at],
                          &w->after[at]))
            return false;
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

static ir_value *from_image(ort_node *n, ir_value *v, int spatial)
{
    if (!v || spatial == 2)
        return v;
    return node_reshaped(n, v, 3, (int64_t[]){v->type.dims[0], v->type.dims[2], v->type.dims[3]});
}

typedef struct filters {
    ir_value *w, *bias, *zero;      /* zero: of the image, known at run time only */
    const ir_quant *quant, *result; /* NULL: real */
    ir_dtype dtype;
} filters;

/* x: [N, spatial..., C].  weights: operand number. */
static ir_value *convolve(ort_node *n, ir_value *x, int weights, filters *f)
{
    ir_value *plain = ort_plain(n, weights);
    if (!x || !plain)
        return NULL;
    int rank = plain->type.rank, spatial = rank - 2;
    if (x->type.rank != rank || (spatial != 1 && spatial != 2)) {
        node_error(n, "an image of rank %d and filters of rank %d are not supported", x->type.rank, rank);
        return NULL;
    }
    int64_t groups = ort_int(n, "group", 1), channels = x->type.dims[rank - 1], depth = plain->type.dims[1];
    if (groups < 1 || groups > channels || depth * groups != channels || plain->type.dims[0] % groups ||
        plain->type.dims[0] < 1) {
        node_misfit(n, "%lld channels, %lld groups and filters of %lld x %lld channels don't fit", (long long)channels,
                    (long long)groups, (long long)plain->type.dims[0], (long long)depth);
        return NULL;
    }
    bool depthwise = groups > 1 && depth == 1;
    ir_value *w = depthwise ? node_transposed(n, plain, spatial == 1 ? (int64_t[]){1, 2, 0} : (int64_t[]){1, 2, 3, 0})
                            : ort_in(n, weights, LAYOUT_LAST);
    w = as_image(n, w);
    x = as_image(n, x);
    if (!x || !w)
        return NULL;
    if (f->quant) {
        const ir_quant *q = f->quant;
        if (q->axis >= 0)
            q = ir_quant_new(n->model->graph, depthwise ? 3 : 0, q->count, q->scale, q->zero);
        if (!(w = ort_quantized(n, w, q)))
            return NULL;
    }
    node_window win;
    if (!read_window(n, spatial, &x->type.dims[1], &w->type.dims[1], &win))
        return NULL;
    ir_op *op = node_emit(n, depthwise ? IR_DEPTHWISE_CONV2D : IR_CONV2D,
                          f->zero   ? 6
                          : f->bias ? 3
                                    : 2,
                          (ir_value *[]){x, w, f->bias, NULL, NULL, f->zero});
    node_set_window(op, &win);
    if (!depthwise)
        ir_set_int(op, IR_ATTR_GROUPS, groups);
    return from_image(n, node_done_quant(n, op, f->dtype, f->result), spatial);
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

/* An int32 bias has scale x * w. */
static ir_value *int_bias(ort_node *n, int index, const ir_quant *x, const ir_quant *w, int64_t channels)
{
    ir_value *b = ort_param(n, index, "bias");
    if (!b)
        return NULL;
    if (b->type.dtype != IR_I32 || ir_type_elements(&b->type) != channels) {
        node_error(n, "the bias must be %lld numbers of type i32", (long long)channels);
        return NULL;
    }
    if (!model_charge(n->model, &n->loc, (int64_t)w->count * 16))
        return NULL;
    float *scale = ARENA_ARRAY(n->model->graph->arena, float, w->count);
    int32_t *zero = ARENA_ARRAY(n->model->graph->arena, int32_t, w->count);
    for (int32_t i = 0; i < w->count; i++)
        scale[i] = x->scale[0] * w->scale[i];
    const ir_quant *q = ir_quant_new(n->model->graph, w->axis < 0 ? -1 : 0, w->count, scale, zero);
    return ort_quantized(n, node_reshaped(n, b, 1, &channels), q);
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
    if (ort_has(n, 8) && !(f.bias = int_bias(n, 8, qx, qw, channels)))
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

bool ort_op_conv_transpose(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST), *w = x ? ort_plain(n, 1) : NULL, *b;
    int64_t extra[2] = {0};
    int extras = 0;
    if (!w || !ort_optional(n, 2, &b) || !ort_ints(n, "output_padding", 2, extra, &extras))
        return false;
    if (x->type.rank != 4 || w->type.rank != 4)
        return node_error(n, "images that are not two-dimensional are not supported");
    w = node_transposed(n, w, (int64_t[]){1, 2, 3, 0});
    node_window win;
    if (!w || !read_window(n, 2, &x->type.dims[1], &w->type.dims[1], &win))
        return false;
    int64_t extent[2];
    for (int i = 0; i < 2; i++) {
        if (extra[i] < 0 || extra[i] > 1 << 24)
            return node_error(n, "attribute output_padding is out of range");
        win.after[i] -= extra[i];
        if (win.dilation[i] != 1 || win.before[i] < 0 || win.after[i] < 0)
            return node_error(n, "dilation, and results past the reach of the filters, are not supported");
        extent[i] = (x->type.dims[1 + i] - 1) * win.stride[i] + win.kernel[i] - win.before[i] - win.after[i];
    }
    if (extent[0] < 1 || extent[1] < 1)
        return node_error(n, "the result has no pixels");
    ir_op *op = node_emit(n, IR_TRANSPOSE_CONV2D, b ? 3 : 2, (ir_value *[]){x, w, b});
    node_set_window(op, &win);
    ir_type type = ir_type_make(IR_F32, 4, (int64_t[]){x->type.dims[0], extent[0], extent[1], w->type.dims[0]});
    return ort_put(n, 0, node_typed(n, op, type, NULL), LAYOUT_LAST);
}

/* ---- Pools ---- */

/* With ceil_mode one more window, unless it would start behind the image. */
static bool read_pool(ort_node *n, const ir_value *x, int spatial, bool average, int64_t kernel[2], node_window *out)
{
    node_window w;
    if (!read_numbers(n, "kernel_shape", spatial, kernel) || !read_window(n, spatial, &x->type.dims[1], kernel, &w))
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
    return from_image(n, node_done(n, op), spatial);
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

/* ---- Matrix products ---- */

static ir_value *swapped(ort_node *n, ir_value *v)
{
    int64_t perm[IR_MAX_RANK];
    int rank = v->type.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return node_transposed(n, v, perm);
}

/* a times b; b [K, N], or [N, K] when b_swapped; bias [N] or NULL. */
static ir_value *product(ort_node *n, ir_value *a, bool a_swapped, ir_value *b, bool b_swapped, ir_value *bias)
{
    if (a->type.rank < 2 || b->type.rank < 2) {
        node_error(n, "products with vectors are not supported");
        return NULL;
    }
    if (b->type.rank == 2 && ir_is_const(b)) {
        a = a_swapped ? swapped(n, a) : a;
        b = b_swapped ? b : swapped(n, b);
        return a && b ? node_done(n, node_emit(n, IR_FULLY_CONNECTED, bias ? 3 : 2, (ir_value *[]){a, b, bias})) : NULL;
    }
    ir_op *op = node_emit2(n, IR_BATCH_MATMUL, a, b);
    ir_set_int(op, IR_ATTR_ADJ_A, a_swapped);
    ir_set_int(op, IR_ATTR_ADJ_B, b_swapped);
    ir_value *y = node_done(n, op);
    return y && bias ? node_binary(n, IR_ADD, y, bias) : y;
}

static ir_value *scaled(ort_node *n, ir_value *v, float factor)
{
    return !v || factor == 1 ? v : node_binary(n, IR_MUL, v, node_real(n, factor));
}

static ir_value *gemm(ort_node *n)
{
    ir_value *a = ort_plain(n, 0), *b = a ? ort_plain(n, 1) : NULL, *c, *bias = NULL;
    float alpha = ort_float(n, "alpha", 1), beta = ort_float(n, "beta", 1);
    if (!b || !ort_optional(n, 2, &c))
        return NULL;
    bool b_swapped = ort_int(n, "transB", 0);
    int64_t channels = b->type.rank == 2 ? b->type.dims[!b_swapped] : -1;
    if (c && alpha == 1 && beta == 1 && ir_is_const(c) && ir_type_elements(&c->type) == channels &&
        (c->type.rank == 0 || c->type.dims[c->type.rank - 1] == channels)) {
        if (!(bias = node_reshaped(n, c, 1, &channels)))
            return NULL;
    }
    ir_value *y = scaled(n, product(n, a, ort_int(n, "transA", 0), b, b_swapped, bias), alpha);
    if (y && c && !bias)
        y = node_binary(n, IR_ADD, y, scaled(n, c, beta));
    return y;
}

bool ort_op_gemm(ort_node *n) { return ort_put(n, 0, gemm(n), LAYOUT_PLAIN); }

bool ort_op_fused_gemm(ort_node *n)
{
    const bool given[2] = {ort_has_attr(n, "activation_alpha"), ort_has_attr(n, "activation_beta")};
    const float params[2] = {ort_float(n, "activation_alpha", 0), ort_float(n, "activation_beta", 0)};
    if (given[1] && !given[0])
        return node_error(n, "an activation_beta without an activation_alpha is not supported");
    return ort_put(n, 0, ort_activated(n, gemm(n), given[0] + given[1], params), LAYOUT_PLAIN);
}

static bool matmul(ort_node *n, bool a_swapped, bool b_swapped, float factor)
{
    ir_value *a = ort_plain(n, 0), *b = a ? ort_plain(n, 1) : NULL;
    if (!b)
        return false;
    bool row = a->type.rank == 1, column = b->type.rank == 1; /* vectors, as matrices while they are multiplied */
    if (row)
        a = node_reshaped(n, a, 2, (int64_t[]){1, a->type.dims[0]});
    if (column)
        b = node_reshaped(n, b, 2, (int64_t[]){b->type.dims[0], 1});
    ir_value *y = a && b ? product(n, a, a_swapped, b, b_swapped, NULL) : NULL;
    return ort_put(n, 0, scaled(n, node_vector_product(n, y, row, column), factor), LAYOUT_PLAIN);
}

bool ort_op_matmul(ort_node *n) { return matmul(n, false, false, 1); }

bool ort_op_fused_matmul(ort_node *n)
{
    return matmul(n, ort_int(n, "transA", 0), ort_int(n, "transB", 0), ort_float(n, "alpha", 1));
}

/* Of two results of other ops: as a product of real numbers between dequantize and quantize, which the passes over
 * fake-quantized graphs make integers of whatever the types are. */
static bool qlinear_batch_matmul(ort_node *n, ir_value *a, ir_value *b)
{
    const ir_quant *qa = ort_quant(n, 1, 2, -1, 1), *qb = qa ? ort_quant(n, 4, 5, -1, 1) : NULL;
    const ir_quant *qy = qb ? ort_quant(n, 6, 7, -1, 1) : NULL;
    if (!qy || !(a = ort_quantized(n, a, qa)) || !(b = ort_quantized(n, b, qb)))
        return false;
    ir_dtype dtype = a->type.dtype;
    a = node_done_quant(n, node_emit1(n, IR_DEQUANTIZE, a), IR_F32, NULL);
    b = a ? node_done_quant(n, node_emit1(n, IR_DEQUANTIZE, b), IR_F32, NULL) : NULL;
    ir_value *y = b ? product(n, a, false, b, false, NULL) : NULL;
    return y && ort_put(n, 0, node_done_quant(n, node_emit1(n, IR_QUANTIZE, y), dtype, qy), LAYOUT_PLAIN);
}

/* The result is quantized, or real when its scale is absent. */
static bool quantized_product(ort_node *n, bool b_swapped, int bias, int result)
{
    ir_value *a = ort_plain(n, 0), *b = !a ? NULL : bias < 0 ? ort_plain(n, 3) : ort_known(n, 3), *c = NULL;
    if (!b)
        return false;
    if (!ir_is_const(b) && bias < 0)
        return qlinear_batch_matmul(n, a, b);
    if (!ir_is_const(b) || b->type.rank != 2 || a->type.rank < 2)
        return node_error(n, "quantized products need a constant matrix of weights");
    if (!b_swapped && !(b = swapped(n, b)))
        return false;
    int64_t channels = b->type.dims[0];
    const ir_quant *qa = ort_quant(n, 1, 2, -1, 1), *qb = qa ? ort_quant(n, 4, 5, 0, channels) : NULL;
    const ir_quant *qy = qb && ort_has(n, result) ? ort_quant(n, result, result + 1, -1, 1) : NULL;
    if (!qb || (!qy && ort_has(n, result)) || !(a = ort_quantized(n, a, qa)) || !(b = ort_quantized(n, b, qb)))
        return false;
    if (bias >= 0 && ort_has(n, bias) && !(c = int_bias(n, bias, qa, qb, channels)))
        return false;
    ir_op *op = node_emit(n, IR_FULLY_CONNECTED, c ? 3 : 2, (ir_value *[]){a, b, c});
    return ort_put(n, 0, node_done_quant(n, op, qy ? a->type.dtype : IR_F32, qy), LAYOUT_PLAIN);
}

bool ort_op_qlinear_matmul(ort_node *n) { return quantized_product(n, false, -1, 6); }

bool ort_op_qgemm(ort_node *n) { return quantized_product(n, ort_int(n, "transB", 0), 6, 7); }
