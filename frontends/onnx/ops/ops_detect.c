/* ops_detect.c: NonMaxSuppression.
 *
 * How many boxes stay depends on the data, and no extent of a compiled model does: the result has as many rows as there can
 * be, and those left over at the end are -1.
 *
 *     boxes, scores ──class_nms──▶ class, score, box [rows, 6]   which of all images' boxes [rows]
 *                                    │                             │
 *                                    ▼                             ▼
 *     image, class, box [rows, 3] ◀──concat── class          number / boxes, number mod boxes */
#include <float.h>
#include <string.h>

#include "frontends/onnx/import.h"

typedef struct suppression {
    int64_t images, classes, boxes;
    int64_t most; /* boxes of a class that stay */
    float score_threshold, iou_threshold;
} suppression;

/* The operand, or what it is when it is absent. */
static bool read_threshold(ort_node *n, int index, const char *what, float absent, float *out)
{
    *out = absent;
    return !ort_has(n, index) || ort_param_real(n, index, what, out);
}

static bool read_suppression(ort_node *n, const ir_value *boxes, const ir_value *scores, suppression *s)
{
    int count = 1;
    s->most = 0;
    if (ort_has(n, 2) && !ort_param_ints(n, 2, "number of boxes", 1, &s->most, &count))
        return false;
    if (!read_threshold(n, 3, "overlap", 0, &s->iou_threshold) ||
        !read_threshold(n, 4, "least score", -FLT_MAX, &s->score_threshold))
        return false;
    const int64_t *b = boxes->type.dims, *c = scores->type.dims;
    if (boxes->type.rank != 3 || scores->type.rank != 3 || b[2] != 4 || b[0] != c[0] || b[1] != c[2])
        return node_misfit(n, "boxes must be [images, boxes, 4], and scores [images, classes, boxes]");
    s->images = c[0];
    s->classes = c[1];
    s->boxes = c[2];
    if (count != 1 || s->most < 1)
        return node_error(n, "the result of at most %lld boxes a class is empty", (long long)s->most);
    if (!(s->iou_threshold >= 0 && s->iou_threshold <= 1))
        return node_error(n, "an overlap of %g is not within 0 and 1", (double)s->iou_threshold);
    s->most = s->most < s->boxes ? s->most : s->boxes;
    if (s->classes > INT32_MAX / s->most || s->images > INT32_MAX / (s->classes * s->most))
        return node_error(n, "%lld images of %lld classes with %lld boxes each are too many", (long long)s->images,
                          (long long)s->classes, (long long)s->most);
    return true;
}

/* Elements [begin, begin + count) of the last dimension of three. */
static ir_value *columns(ort_node *n, ir_value *x, int64_t begin, int64_t count)
{
    ir_type type = x->type;
    type.dims[2] = count;
    return ort_cut(n, x, (int64_t[]){0, 0, begin}, (int64_t[]){1, 1, 1}, &type);
}

static ir_value *joined(ort_node *n, int count, ir_value *const parts[], int axis)
{
    for (int i = 0; i < count; i++)
        if (!parts[i])
            return NULL;
    ir_op *op = node_emit(n, IR_CONCAT, count, parts);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return node_done(n, op);
}

/* The least corner in front of the largest; the file has any two that are opposite, or middle and size. */
static ir_value *in_order(ort_node *n, ir_value *boxes)
{
    ir_value *a = columns(n, boxes, 0, 2), *b = columns(n, boxes, 2, 2);
    if (ort_int(n, "center_point_box", 0)) {
        ir_value *half = node_binary(n, IR_MUL, b, node_real(n, 0.5f));
        return joined(n, 2, (ir_value *[]){node_binary(n, IR_SUB, a, half), node_binary(n, IR_ADD, a, half)}, 2);
    }
    return joined(n, 2, (ir_value *[]){node_binary(n, IR_MINIMUM, a, b), node_binary(n, IR_MAXIMUM, a, b)}, 2);
}

static ir_op *suppressed(ort_node *n, const suppression *s, ir_value *boxes, ir_value *scores)
{
    const int64_t rows = s->classes * s->most;
    ir_op *op = node_emit2(n, IR_CLASS_NMS, boxes, scores);
    ir_set_int(op, IR_ATTR_MAX_DETECTIONS, rows);
    ir_set_int(op, IR_ATTR_CANDIDATES, s->boxes);
    ir_set_int(op, IR_ATTR_CLASS_LIMIT, s->most);
    ir_set_int(op, IR_ATTR_EMPTY_STAYS, 1);
    ir_set_float(op, IR_ATTR_SCORE_THRESHOLD, s->score_threshold);
    ir_set_float(op, IR_ATTR_IOU_THRESHOLD, s->iou_threshold);
    ir_result_set(op, 0, ir_type_make(IR_F32, 2, (int64_t[]){s->images * rows, 6}), NULL);
    ir_result_set(op, 1, ir_type_make(IR_I32, 2, (int64_t[]){s->images * rows, 1}), NULL);
    ir_result_set(op, 2, ir_type_make(IR_I32, 1, &s->images), NULL);
    if (ir_type_valid(&op->results[0]->type) && node_check(n, op))
        return op;
    if (!n->model->diag->failed)
        node_error(n, "the result is too large");
    return NULL;
}

static ir_value *as_i64(ort_node *n, ir_value *v)
{
    return v ? node_done_quant(n, node_emit1(n, IR_CAST, v), IR_I64, NULL) : NULL;
}

/* Which box of its image; -1 is no box, and stays. */
static ir_value *within_image(ort_node *n, ir_value *box, ir_value *boxes)
{
    ir_value *rest = node_binary(n, IR_FLOOR_MOD, box, boxes);
    ir_op *op = node_emit2(n, IR_LESS, box, node_ints(n, IR_I64, 0, 1, (int64_t[]){0}));
    ir_value *none = node_done_quant(n, op, IR_BOOL, NULL);
    return none && rest ? node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){none, box, rest}), IR_I64, NULL)
                        : NULL;
}

bool ort_op_non_max_suppression(ort_node *n)
{
    suppression s;
    ir_value *boxes = ort_plain(n, 0), *scores = boxes ? ort_plain(n, 1) : NULL;
    if (!scores || !read_suppression(n, boxes, scores, &s) || !(boxes = in_order(n, boxes)))
        return false;
    ir_op *op = suppressed(n, &s, boxes, scores);
    if (!op)
        return false;
    const int64_t rows = op->results[0]->type.dims[0];
    const ir_type column = ir_type_make(IR_F32, 2, (int64_t[]){rows, 1});
    ir_value *box = as_i64(n, op->results[1]), *count = node_ints(n, IR_I64, 0, 1, &s.boxes);
    ir_value *class = as_i64(n, ort_cut(n, op->results[0], (int64_t[]){0, 0}, (int64_t[]){1, 1}, &column));
    if (!box || !count || !class)
        return false;
    node_remark(n, "the result has always %lld rows, and those left over are -1", (long long)rows);
    return ort_put(
        n, 0,
        joined(n, 3, (ir_value *[]){node_binary(n, IR_FLOOR_DIV, box, count), class, within_image(n, box, count)}, 1),
        LAYOUT_PLAIN);
}
