/* ops_conv3d.c: convolutions over three dimensions, of real numbers, which are all that TFLite has (node_conv.h).
 *
 *     CONV_3D            image [N, D, H, W, C], filter [KD, KH, KW, C, O], bias [O]
 *     CONV_3D_TRANSPOSE  shape of the result, filter [KD, KH, KW, O, C], image, bias */
#include "frontends/tflite/import.h"

enum { SPATIAL = 3 };

/* Operands and options of either operator. */
typedef struct conv3d {
    ir_value *x, *w, *b; /* b NULL: absent */
    node_box box;        /* but for its padding */
    int padding;
    tflite_activation act;
} conv3d;

static bool read_conv3d(tflite_node *n, int image, int bias, conv3d *c)
{
    c->x = tflite_input(n, image);
    c->w = c->x ? tflite_input(n, 1) : NULL;
    if (!c->w || !tflite_optional_input(n, bias, &c->b) || !tflite_activation_read(n, CONV3D_ACT, &c->act))
        return false;
    if (c->x->type.rank != 5 || c->w->type.rank != 5)
        return node_error(n, "an image of %d dimensions and a filter of %d, expected 5", c->x->type.rank,
                          c->w->type.rank);
    if (c->x->type.dtype != IR_F32 || c->w->type.dtype != IR_F32 || (c->b && c->b->type.dtype != IR_F32))
        return node_error(n, "convolutions over three dimensions of other types than f32 are not supported");
    c->padding = fb_i8(n->options, CONV3D_PADDING, 0);
    c->box = (node_box){.stride = {fb_i32(n->options, CONV3D_STRIDE_D, 0), fb_i32(n->options, CONV3D_STRIDE_H, 0),
                                   fb_i32(n->options, CONV3D_STRIDE_W, 0)},
                        .dilation = {fb_i32(n->options, CONV3D_DILATION_D, 1), fb_i32(n->options, CONV3D_DILATION_H, 1),
                                     fb_i32(n->options, CONV3D_DILATION_W, 1)}};
    return true;
}

static bool check_channels(tflite_node *n, const conv3d *c, int64_t in, int64_t out)
{
    if (in != c->x->type.dims[4] || in < 1 || out < 1)
        return node_error(n, "%lld image channels, a filter for %lld with %lld results", (long long)c->x->type.dims[4],
                          (long long)in, (long long)out);
    if (c->b && (c->b->type.rank != 1 || c->b->type.dims[0] != out))
        return node_error(n, "the bias has %lld elements, expected %lld", (long long)ir_type_elements(&c->b->type),
                          (long long)out);
    return true;
}

/* The op of images, whose result is `image`, as the node's result: the same elements in five dimensions. */
static bool bind_volume(tflite_node *n, ir_op *op, const conv3d *c, ir_type image, const int64_t dims[5])
{
    if (c->act.act != IR_ACT_NONE)
        ir_set_int(op, IR_ATTR_ACT, c->act.act);
    ir_value *y = node_typed(n, op, image, NULL);
    if (y && c->act.tanh)
        y = node_unary(n, IR_TANH, y);
    return y && tflite_bind(n, 0, node_emit1(n, IR_RESHAPE, y), 5, dims);
}

bool tflite_op_conv3d(tflite_node *n)
{
    conv3d c;
    int64_t extent[SPATIAL], depth;
    if (!read_conv3d(n, 0, 2, &c))
        return false;
    const int64_t *d = c.x->type.dims, *f = c.w->type.dims, channels = f[4];
    if (!check_channels(n, &c, f[3], channels))
        return false;
    for (int i = 0; i < SPATIAL; i++)
        if (!tflite_window(n, c.padding, d[1 + i], f[i], c.box.stride[i], c.box.dilation[i], &extent[i],
                           &c.box.before[i], &c.box.after[i]))
            return false;
    ir_value *x = c.x, *w = node_transposed(n, c.w, (int64_t[]){4, 0, 1, 2, 3});
    if (!w || !node_depth_as_channels(n, &c.box, 1, &x, &w, &depth))
        return false;
    ir_op *op = node_emit(n, IR_CONV2D, c.b ? 3 : 2, (ir_value *[]){x, w, c.b});
    const node_window window = node_image_window(&c.box, SPATIAL, w);
    node_set_window(op, &window);
    const int64_t dims[5] = {d[0], depth, extent[1], extent[2], channels};
    return bind_volume(n, op, &c, ir_type_make(IR_F32, 4, (int64_t[]){d[0] * depth, dims[2], dims[3], channels}), dims);
}

/* What is cut from the full result: the padding of the convolution that this is the gradient of, which has the image's
 * extents as its result's. */
static bool cut_of_result(tflite_node *n, conv3d *c, const int64_t out[SPATIAL])
{
    for (int i = 0; i < SPATIAL; i++) {
        const int64_t in = c->x->type.dims[1 + i], taps = c->w->type.dims[i];
        int64_t extent, after;
        if (!tflite_window(n, c->padding, out[i], taps, c->box.stride[i], c->box.dilation[i], &extent,
                           &c->box.before[i], &after))
            return false;
        if (extent != in)
            return node_misfit(n, "a result of %lld has %lld windows, the image has %lld", (long long)out[i],
                               (long long)extent, (long long)in);
        const int64_t full = (in - 1) * c->box.stride[i] + (taps - 1) * c->box.dilation[i] + 1;
        c->box.after[i] = full - out[i] - c->box.before[i];
    }
    return true;
}

bool tflite_op_conv3d_transpose(tflite_node *n)
{
    conv3d c;
    int64_t shape[5];
    int count;
    node_transposed_conv t;
    if (!read_conv3d(n, 2, 3, &c) || !tflite_param_ints(n, 0, "result's shape", 5, shape, &count))
        return false;
    const int64_t *f = c.w->type.dims;
    if (count != 5 || shape[4] != f[3] || shape[0] != c.x->type.dims[0])
        return node_error(n, "the result's shape does not fit the image and the filter");
    if (!check_channels(n, &c, f[4], f[3]) || !cut_of_result(n, &c, shape + 1))
        return false;
    ir_value *w = node_transposed(n, c.w, (int64_t[]){4, 3, 0, 1, 2});
    return w && node_transpose_conv(n, c.x, w, c.b, 1, &c.box, &t) && bind_volume(n, t.op, &c, t.image, t.whole.dims);
}
