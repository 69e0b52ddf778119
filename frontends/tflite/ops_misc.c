/* ops_misc.c: resizing, detection, MediaPipe's transposed convolution. */
#include <math.h>
#include <string.h>

#include "frontends/tflite/import.h"

/* ---- Resizing ---- */

bool tflite_op_resize(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0);
    int64_t size[2];
    int count;
    if (!x || !tflite_param_ints(n, 1, "size", 2, size, &count))
        return false;
    if (x->type.rank != 4 || count != 2)
        return node_error(n, "an image of %d dimensions and %d sizes, expected 4 and 2", x->type.rank, count);
    if (size[0] < 1 || size[1] < 1 || x->type.dims[1] < 1 || x->type.dims[2] < 1)
        return node_error(n, "an image of %lld x %lld can't be resized to %lld x %lld", (long long)x->type.dims[1],
                          (long long)x->type.dims[2], (long long)size[0], (long long)size[1]);
    bool bilinear = n->entry->code == IR_RESIZE_BILINEAR;
    bool align = fb_bool(n->options, bilinear ? RESIZE_BILINEAR_ALIGN : RESIZE_NEAREST_ALIGN, false);
    bool half = fb_bool(n->options, bilinear ? RESIZE_BILINEAR_HALF : RESIZE_NEAREST_HALF, false);
    if (align && half && bilinear)
        return node_error(n, "align_corners and half_pixel_centers exclude each other");
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_int(op, IR_ATTR_ALIGN, align);
    ir_set_int(op, IR_ATTR_HALF_PIXEL, half);
    return tflite_bind(n, 0, op, 4, (int64_t[]){x->type.dims[0], size[0], size[1], x->type.dims[3]});
}

/* ---- Custom options ---- */

static bool custom_options(tflite_node *n, const uint8_t **out_bytes, size_t *out_size)
{
    fb_vector v = fb_bytes(n->table, OPERATOR_CUSTOM_OPTIONS);
    uint64_t offset = fb_u64(n->table, OPERATOR_LARGE_CUSTOM_OFFSET, 0),
             size = fb_u64(n->table, OPERATOR_LARGE_CUSTOM_SIZE, 0);
    *out_bytes = v.data;
    *out_size = v.count;
    if (v.count || offset <= 1 || !size)
        return true;
    if (offset > n->model->reader.size || size > n->model->reader.size - offset)
        return node_error(n, "the options lie outside the file");
    *out_bytes = n->model->reader.bytes + offset;
    *out_size = (size_t)size;
    return true;
}

bool tflite_custom_map(tflite_node *n, flex_map *out)
{
    const uint8_t *bytes;
    size_t size;
    return custom_options(n, &bytes, &size) &&
           ((bytes && flex_root_map(bytes, size, out)) || node_error(n, "the options are missing or malformed"));
}

bool tflite_custom_number(tflite_node *n, const flex_map *m, const char *key, bool required, double low, double high,
                          double *value)
{
    if (!flex_number(m, key, value) && required)
        return node_error(n, "option '%s' is missing", key);
    return (*value >= low && *value <= high) || node_error(n, "option '%s' is %g", key, *value);
}

/* ---- TFLite_Detection_PostProcess ---- */

/* The kernel works on real values. */
static ir_value *real_operand(tflite_node *n, int index)
{
    ir_value *v = tflite_input(n, index);
    if (!v || !v->quant)
        return v;
    ir_op *op = node_emit1(n, IR_DEQUANTIZE, v);
    ir_set_int(op, IR_ATTR_REAL, 1);
    return node_typed(n, op, ir_type_make(IR_F32, v->type.rank, v->type.dims), NULL);
}

static bool check_detection(tflite_node *n, const ir_value *boxes, const ir_value *scores, const ir_value *anchors,
                            double classes)
{
    const ir_type *b = &boxes->type, *s = &scores->type, *a = &anchors->type;
    if (b->rank != 3 || s->rank != 3 || a->rank != 2 || b->dims[0] != 1 || s->dims[0] != 1 || b->dims[2] < 4 ||
        a->dims[1] != 4 || a->dims[0] != b->dims[1] || s->dims[1] != b->dims[1])
        return node_error(n, "boxes, scores and anchors don't fit each other");
    if ((double)s->dims[2] != classes && (double)s->dims[2] != classes + 1)
        return node_error(n, "scores for %lld classes, num_classes is %g", (long long)s->dims[2], classes);
    return true;
}

bool tflite_op_detection(tflite_node *n)
{
    static const char *const scale_keys[4] = {"y_scale", "x_scale", "h_scale", "w_scale"};
    const double big = 1 << 20;
    flex_map m;
    double detections, classes_per, per_class = 100, classes, regular = 0, score, iou, scale;
    float scales[4];
    if (!tflite_custom_map(n, &m) || !tflite_custom_number(n, &m, "max_detections", true, 1, big, &detections) ||
        !tflite_custom_number(n, &m, "max_classes_per_detection", true, 1, big, &classes_per) ||
        !tflite_custom_number(n, &m, "detections_per_class", false, 1, big, &per_class) ||
        !tflite_custom_number(n, &m, "num_classes", true, 1, big, &classes) ||
        !tflite_custom_number(n, &m, "use_regular_nms", false, 0, 1, &regular) ||
        !tflite_custom_number(n, &m, "nms_score_threshold", true, -1e30, 1e30, &score) ||
        !tflite_custom_number(n, &m, "nms_iou_threshold", true, 0, 1, &iou))
        return false;
    for (int i = 0; i < 4; i++) {
        if (!tflite_custom_number(n, &m, scale_keys[i], true, 1e-30, 1e30, &scale))
            return false;
        scales[i] = (float)scale;
    }
    ir_value *boxes = real_operand(n, 0), *scores = boxes ? real_operand(n, 1) : NULL;
    ir_value *anchors = scores ? real_operand(n, 2) : NULL;
    if (!anchors || !check_detection(n, boxes, scores, anchors, classes))
        return false;
    ir_op *op = node_emit(n, IR_DETECTION_POSTPROCESS, 3, (ir_value *[]){boxes, scores, anchors});
    ir_set_int(op, IR_ATTR_MAX_DETECTIONS, (int64_t)detections);
    ir_set_int(op, IR_ATTR_MAX_CLASSES, (int64_t)classes_per);
    ir_set_int(op, IR_ATTR_PER_CLASS, (int64_t)per_class);
    ir_set_int(op, IR_ATTR_NUM_CLASSES, (int64_t)classes);
    ir_set_int(op, IR_ATTR_REGULAR_NMS, regular != 0);
    ir_set_float(op, IR_ATTR_SCORE_THRESHOLD, (float)score);
    ir_set_float(op, IR_ATTR_IOU_THRESHOLD, (float)iou);
    ir_set_floats(op, IR_ATTR_SCALES, 4, scales);
    const int64_t rows = (int64_t)detections * (int64_t)classes_per, shape[3] = {1, rows, 4};
    for (int r = 1; r < 4; r++)
        ir_result_set(op, r, ir_type_make(IR_F32, r == 3 ? 1 : 2, shape), NULL);
    if (!node_typed(n, op, ir_type_make(IR_F32, 3, shape), NULL))
        return false;
    for (int r = 0; r < 4; r++)
        if (!tflite_bind_value(n, r, op->results[r]))
            return false;
    return true;
}

/* ---- Convolution2DTransposeBias (MediaPipe) ----
 *
 * Operands: image, filter [O, KH, KW, I], bias.  Options: int32 padding (1 SAME, 2 VALID), stride width, stride height.
 * The result's extent is stride * (in - 1) + window - cut, where cut is 0 for VALID and
 * max(0, window - (in - 1) % stride - 1) for SAME, the smaller half of it in front. */
bool tflite_op_transpose_conv_bias(tflite_node *n)
{
    ir_value *x = tflite_input(n, 0), *w = x ? tflite_input(n, 1) : NULL, *b = w ? tflite_input(n, 2) : NULL;
    const uint8_t *bytes;
    size_t size;
    if (!b || !custom_options(n, &bytes, &size))
        return false;
    if (size < 12)
        return node_error(n, "the options have %zu bytes, expected 12", size);
    int32_t padding = (int32_t)fb_load_u32(bytes);
    const int64_t stride[2] = {(int32_t)fb_load_u32(bytes + 8), (int32_t)fb_load_u32(bytes + 4)};
    if (padding < 1 || padding > 2 || stride[0] < 1 || stride[1] < 1)
        return node_error(n, "padding %d and strides %lld x %lld", padding, (long long)stride[0], (long long)stride[1]);
    if (x->type.rank != 4 || w->type.rank != 4 || b->type.rank != 1 || w->type.dims[3] != x->type.dims[3] ||
        b->type.dims[0] != w->type.dims[0] || x->type.dtype != IR_F32 || w->type.dtype != IR_F32 ||
        b->type.dtype != IR_F32)
        return node_error(n, "image, filter and bias don't fit each other");
    int64_t out[2], pad[4];
    for (int i = 0; i < 2; i++) {
        int64_t in = x->type.dims[1 + i], window = w->type.dims[1 + i];
        if (in < 1 || window < 1)
            return node_error(n, "the image or the filter is empty");
        int64_t cut = padding == 1 ? window - (in - 1) % stride[i] - 1 : 0;
        cut = cut < 0 ? 0 : cut;
        pad[i] = cut / 2;
        pad[2 + i] = cut - cut / 2;
        out[i] = stride[i] * (in - 1) + window - cut;
    }
    ir_op *op = node_emit(n, IR_TRANSPOSE_CONV2D, 3, (ir_value *[]){x, w, b});
    ir_set_ints(op, IR_ATTR_STRIDE, 2, stride);
    ir_set_ints(op, IR_ATTR_PAD, 4, pad);
    return tflite_bind(n, 0, op, 4, (int64_t[]){x->type.dims[0], out[0], out[1], w->type.dims[0]});
}
