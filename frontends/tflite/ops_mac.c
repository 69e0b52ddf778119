/* ops_mac.c: convolutions, fully connected, matrix products.
 *
 *     CONV_2D {padding = SAME, stride 2, act = RELU6}  ──▶  conv2d {stride = [2, 2], pad = [0, 0, 1, 1], act = relu6}
 *
 * Padding becomes explicit.  Float activations with integer weights: hybrid.c. */
#include "frontends/tflite/import.h"

static bool check_rank(tflite_node *n, const ir_value *v, int rank, const char *what)
{
    return v->type.rank == rank || node_error(n, "the %s has %d dimensions, expected %d", what, v->type.rank, rank);
}

/* Operand types that all multiply-accumulate operators share. */
static bool check_mac(tflite_node *n, const ir_value *x, const ir_value *w, const ir_value *b, int64_t channels,
                      int axis)
{
    bool float_x = ir_dtype_is_float(x->type.dtype), float_w = ir_dtype_is_float(w->type.dtype);
    if (float_x != float_w && !tflite_is_hybrid(x, w))
        return node_error(n, "%s activations with %s weights", ir_dtype_text(x->type.dtype),
                          ir_dtype_text(w->type.dtype));
    if (!float_x && (!x->quant || !w->quant))
        return node_error(n, "integer %s without quantization parameters", x->quant ? "weights" : "activations");
    if (w->quant && w->quant->axis >= 0 && w->quant->axis != axis)
        return node_error(n, "weights are quantized along dimension %d, expected %d", w->quant->axis, axis);
    if (b && (b->type.rank < 1 || ir_type_elements(&b->type) != channels || b->type.dims[b->type.rank - 1] != channels))
        return node_error(n, "the bias has %lld elements, expected %lld", (long long)ir_type_elements(&b->type),
                          (long long)channels);
    return true;
}

/* A bias of shape [1, O] is one of shape [O]. */
static bool flat_bias(tflite_node *n, ir_value **b)
{
    if (!*b || (*b)->type.rank == 1)
        return true;
    int64_t count = ir_type_elements(&(*b)->type);
    *b = node_reshaped(n, *b, 1, &count);
    return *b != NULL;
}

typedef struct window_2d {
    int64_t stride[2], dilation[2], pad[4], extent[2];
} window_2d;

static bool place_window(tflite_node *n, int padding, const ir_type *x, int64_t height, int64_t width, window_2d *w)
{
    return tflite_window(n, padding, x->dims[1], height, w->stride[0], w->dilation[0], &w->extent[0], &w->pad[0],
                         &w->pad[2]) &&
           tflite_window(n, padding, x->dims[2], width, w->stride[1], w->dilation[1], &w->extent[1], &w->pad[1],
                         &w->pad[3]);
}

static void set_window(ir_op *op, const window_2d *w)
{
    ir_set_ints(op, IR_ATTR_STRIDE, 2, w->stride);
    ir_set_ints(op, IR_ATTR_PAD, 4, w->pad);
    if (ir_has_attr(op, IR_ATTR_DILATION))
        ir_set_ints(op, IR_ATTR_DILATION, 2, w->dilation);
}

bool tflite_op_conv(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *w = x ? tflite_input(n, 1) : NULL, *b;
    tflite_activation act;
    if (!w || !tflite_optional_input(n, 2, &b) || !tflite_activation_read(n, CONV_ACT, &act))
        return false;
    if (!check_rank(n, x, 4, "image") || !check_rank(n, w, 4, "filter"))
        return false;
    int64_t depth = w->type.dims[3], channels = w->type.dims[0];
    if (depth < 1 || channels < 1 || x->type.dims[3] % depth ||
        channels % (x->type.dims[3] / depth ? x->type.dims[3] / depth : 1))
        return node_error(n, "%lld image channels and %lld filters of %lld channels", (long long)x->type.dims[3],
                          (long long)channels, (long long)depth);
    if (x->type.dims[3] < depth)
        return node_error(n, "the image has no channels");
    window_2d win = {.stride = {fb_i32(n->options, CONV_STRIDE_H, 0), fb_i32(n->options, CONV_STRIDE_W, 0)},
                     .dilation = {fb_i32(n->options, CONV_DILATION_H, 1), fb_i32(n->options, CONV_DILATION_W, 1)}};
    if (!check_mac(n, x, w, b, channels, 0) || !flat_bias(n, &b) ||
        !place_window(n, fb_i8(n->options, CONV_PADDING, 0), &x->type, w->type.dims[1], w->type.dims[2], &win))
        return false;
    const bool grouped = x->type.dims[3] != depth;
    ir_op *op =
        tflite_is_hybrid(x, w)
            ? tflite_emit_hybrid(n, IR_CONV2D, x, w, b, grouped || (w->quant && ir_quant_scales_differ(w->quant)), 1)
            : node_emit(n, IR_CONV2D, b ? 3 : 2, (ir_value *[]){x, w, b});
    if (!op)
        return false;
    set_window(op, &win);
    if (grouped)
        ir_set_int(op, IR_ATTR_GROUPS, x->type.dims[3] / depth);
    return tflite_bind_activated(n, 0, op, act, 4,
                                 (int64_t[]){x->type.dims[0], win.extent[0], win.extent[1], channels});
}

bool tflite_op_depthwise(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *w = x ? tflite_input(n, 1) : NULL, *b;
    tflite_activation act;
    if (!w || !tflite_optional_input(n, 2, &b) || !tflite_activation_read(n, DEPTHWISE_ACT, &act))
        return false;
    if (!check_rank(n, x, 4, "image") || !check_rank(n, w, 4, "filter"))
        return false;
    int64_t channels = w->type.dims[3];
    if (w->type.dims[0] != 1 || x->type.dims[3] < 1 || channels < 1 || channels % x->type.dims[3])
        return node_error(n, "%lld image channels and a filter of %lld x %lld channels", (long long)x->type.dims[3],
                          (long long)w->type.dims[0], (long long)channels);
    window_2d win = {
        .stride = {fb_i32(n->options, DEPTHWISE_STRIDE_H, 0), fb_i32(n->options, DEPTHWISE_STRIDE_W, 0)},
        .dilation = {fb_i32(n->options, DEPTHWISE_DILATION_H, 1), fb_i32(n->options, DEPTHWISE_DILATION_W, 1)}};
    if (!check_mac(n, x, w, b, channels, 3) || !flat_bias(n, &b) ||
        !place_window(n, fb_i8(n->options, DEPTHWISE_PADDING, 0), &x->type, w->type.dims[1], w->type.dims[2], &win))
        return false;
    ir_op *op = tflite_is_hybrid(x, w) ? tflite_emit_hybrid(n, IR_DEPTHWISE_CONV2D, x, w, b, true, 1)
                                       : node_emit(n, IR_DEPTHWISE_CONV2D, b ? 3 : 2, (ir_value *[]){x, w, b});
    if (!op)
        return false;
    set_window(op, &win);
    return tflite_bind_activated(n, 0, op, act, 4,
                                 (int64_t[]){x->type.dims[0], win.extent[0], win.extent[1], channels});
}

/* The activations as rows of the weights' length: [..., I] stays, any other shape becomes [rows, I]. */
static ir_value *as_rows(tflite_node *n, ir_value *x, int64_t length, bool keep)
{
    int64_t elements = ir_type_elements(&x->type);
    bool fits = x->type.rank > 0 && x->type.dims[x->type.rank - 1] == length;
    if (length < 1 || elements % length || (keep && !fits)) {
        node_misfit(n, "%lld activations don't fit weights of %lld inputs", (long long)elements, (long long)length);
        return NULL;
    }
    if (keep || (fits && x->type.rank == 2))
        return x;
    return node_reshaped(n, x, 2, (int64_t[]){elements / length, length});
}

bool tflite_op_fully_connected(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *w = x ? tflite_input(n, 1) : NULL, *b;
    tflite_activation act;
    if (!w || !tflite_optional_input(n, 2, &b) || !tflite_activation_read(n, FC_ACT, &act))
        return false;
    if (fb_i8(n->options, FC_WEIGHTS_FORMAT, WEIGHTS_FORMAT_DEFAULT) != WEIGHTS_FORMAT_DEFAULT)
        return node_error(n, "shuffled weights are not supported");
    if (!check_rank(n, w, 2, "weight matrix"))
        return false;
    if (tflite_is_hybrid(x, w))
        w = tflite_signed_weights(n, w);
    int64_t channels = w->type.dims[0];
    if (!check_mac(n, x, w, b, channels, 0) || !flat_bias(n, &b))
        return false;
    x = as_rows(n, x, w->type.dims[1], fb_bool(n->options, FC_KEEP_DIMS, false));
    if (!x)
        return false;
    ir_type shape = x->type;
    shape.dims[shape.rank - 1] = channels;
    const bool affine = fb_bool(n->options, FC_ASYMMETRIC, false);
    ir_op *op = tflite_is_hybrid(x, w) ? tflite_emit_hybrid(n, IR_FULLY_CONNECTED, x, w, b, affine, x->type.rank - 1)
                                       : node_emit(n, IR_FULLY_CONNECTED, b ? 3 : 2, (ir_value *[]){x, w, b});
    if (!op)
        return false;
    return tflite_bind_activated(n, 0, op, act, shape.rank, shape.dims);
}

/* The sums of two int8 matrices as they are: TFLite subtracts no zero points here. */
static bool plain_sums(tflite_node *n, ir_value *a, ir_value *b, bool adj_a, bool adj_b, const ir_type *shape)
{
    const ir_quant *plain = ir_quant_tensor(n->model->graph, 1, 0);
    a = node_typed(n, node_emit1(n, IR_CAST, a), a->type, plain);
    b = a ? node_typed(n, node_emit1(n, IR_CAST, b), b->type, plain) : NULL;
    if (!b)
        return false;
    ir_op *op = node_emit2(n, IR_BATCH_MATMUL, a, b);
    ir_set_int(op, IR_ATTR_ADJ_A, adj_a);
    ir_set_int(op, IR_ATTR_ADJ_B, adj_b);
    ir_value *y = node_typed(n, op, ir_type_make(IR_I32, shape->rank, shape->dims), NULL);
    return y && tflite_bind_value(n, 0, y);
}

bool tflite_op_batch_matmul(tflite_node *n)
{
    ir_value *a = tflite_input(n, 0), *b = a ? tflite_input(n, 1) : NULL;
    tflite_tensor y;
    if (!b || !tflite_output_tensor(n, 0, &y))
        return false;
    if (a->type.rank < 2 || b->type.rank < 2)
        return node_error(n, "matrices need at least 2 dimensions");
    if (!ir_dtype_is_float(a->type.dtype) && ir_dtype_is_float(b->type.dtype))
        return node_error(n, "a matrix of %s with one of %s", ir_dtype_text(a->type.dtype),
                          ir_dtype_text(b->type.dtype));
    bool adj_a = fb_bool(n->options, MATMUL_ADJ_X, false), adj_b = fb_bool(n->options, MATMUL_ADJ_Y, false);
    ir_type batch_a = a->type, batch_b = b->type, shape;
    const int64_t *da = &a->type.dims[a->type.rank - 2], *db = &b->type.dims[b->type.rank - 2];
    if (da[!adj_a] != db[adj_b])
        return node_error(n, "matrices with inner extents %lld and %lld", (long long)da[!adj_a], (long long)db[adj_b]);
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    if (!tflite_broadcast(n, &batch_a, &batch_b, &shape))
        return false;
    shape.dims[shape.rank++] = da[adj_a];
    shape.dims[shape.rank++] = db[!adj_b];
    if (tflite_is_hybrid(a, b))
        return tflite_hybrid_matmul(n, a, b, adj_a, !adj_b, fb_bool(n->options, MATMUL_ASYMMETRIC, false), &shape);
    if (a->type.dtype == IR_I8 && b->type.dtype == IR_I8 && y.type.dtype == IR_I32)
        return plain_sums(n, a, b, adj_a, adj_b, &shape);
    ir_op *op = node_emit2(n, IR_BATCH_MATMUL, a, b);
    ir_set_int(op, IR_ATTR_ADJ_A, adj_a);
    ir_set_int(op, IR_ATTR_ADJ_B, adj_b);
    return tflite_bind_like(n, 0, op, &shape);
}

/* Padding of a transposed convolution is that of the convolution it is the gradient of: computed from the result's
 * extent, and cut from the full result, (in - 1) * stride + window long.  A longer result has pixels behind that which no
 * window reaches, as long as the convolution has no further window: *out_after is negative then. */
static bool cut_padding(tflite_node *n, int padding, int64_t in, int64_t out, int64_t window, int64_t stride,
                        int64_t *out_before, int64_t *out_after)
{
    int64_t extent, after;
    if (!tflite_window(n, padding, out, window, stride, 1, &extent, out_before, &after))
        return false;
    after = (in - 1) * stride + window - out - *out_before;
    *out_after = after;
    return after >= 0 || extent == in ||
           node_error(n, "a result of %lld is more than the window reaches", (long long)out);
}

static ir_op *plain_transpose(tflite_node *n, ir_value *x, ir_value *w, ir_value *b, const node_box *cut)
{
    ir_op *op = node_emit(n, IR_TRANSPOSE_CONV2D, b ? 3 : 2, (ir_value *[]){x, w, b});
    node_window window = node_image_window(cut, 2, w);
    for (int i = 0; i < 2; i++)
        window.after[i] = window.after[i] > 0 ? window.after[i] : 0; /* the result's shape says what lies behind */
    node_set_window(op, &window);
    return op;
}

static bool transpose_conv(tflite_node *n, ir_value *x, ir_value *w, ir_value *b, int padding, const int64_t stride[2],
                           const int64_t out[2], tflite_activation act)
{
    node_box cut = {.stride = {stride[0], stride[1]}, .dilation = {1, 1}};
    const int64_t channels = w->type.dims[0];
    if (!check_mac(n, x, w, b, channels, 0) || !flat_bias(n, &b))
        return false;
    if (w->type.dims[3] != x->type.dims[3])
        return node_error(n, "%lld image channels and filters of %lld channels", (long long)x->type.dims[3],
                          (long long)w->type.dims[3]);
    for (int i = 0; i < 2; i++)
        if (!cut_padding(n, padding, x->type.dims[1 + i], out[i], w->type.dims[1 + i], stride[i], &cut.before[i],
                         &cut.after[i]))
            return false;
    ir_op *op =
        tflite_is_hybrid(x, w) ? tflite_hybrid_transpose_conv(n, x, w, b, &cut) : plain_transpose(n, x, w, b, &cut);
    return op && tflite_bind_activated(n, 0, op, act, 4, (int64_t[]){x->type.dims[0], out[0], out[1], channels});
}

/* Of the result, from operand 0; where that is computed, from the file's declaration, which it has to equal. */
static bool transpose_conv_shape(tflite_node *n, int64_t out[4], int *out_count)
{
    tflite_tensor y;
    const ir_value *shape = tflite_input(n, 0);
    if (!shape || !tflite_output_tensor(n, 0, &y))
        return false;
    if (ir_is_const(shape) || y.any_shape || n->model->reshaped)
        return tflite_param_ints(n, 0, "result's shape", 4, out, out_count);
    *out_count = y.type.rank;
    for (int i = 0; i < y.type.rank && i < 4; i++)
        out[i] = y.type.dims[i];
    return true;
}

bool tflite_op_transpose_conv(tflite_node *n)
{
    int64_t shape[4];
    int count;
    ir_value *w = tflite_input(n, 1), *x = w ? tflite_input(n, 2) : NULL, *b;
    tflite_activation act;
    if (!x || !tflite_optional_input(n, 3, &b) || !tflite_activation_read(n, TRANSPOSE_CONV_ACT, &act) ||
        !check_rank(n, x, 4, "image") || !check_rank(n, w, 4, "filter") || !transpose_conv_shape(n, shape, &count))
        return false;
    if (count != 4 || shape[1] < 1 || shape[2] < 1 || shape[3] != w->type.dims[0])
        return node_error(n, "the result's shape does not fit the filter");
    if (!n->model->reshaped && shape[0] != x->type.dims[0])
        return node_error(n, "the result's batch %lld differs from the image's", (long long)shape[0]);
    const int64_t stride[2] = {fb_i32(n->options, TRANSPOSE_CONV_STRIDE_H, 0),
                               fb_i32(n->options, TRANSPOSE_CONV_STRIDE_W, 0)};
    return transpose_conv(n, x, w, b, fb_i8(n->options, TRANSPOSE_CONV_PADDING, 0), stride, shape + 1, act);
}
