/* ops_nms.c: suppression of boxes.
 *
 * How many boxes stay depends on the data, and no extent of a compiled model does: the results have keep_top_k rows for each
 * image, those left over at the end are -1, and the count says how many are meant. */
#include "frontends/paddle/import.h"

/* An op of boxes and scores, with what suppressions have in common; NULL after a diagnostic. */
static ir_op *suppression(paddle_node *n, ir_opcode code)
{
    ir_value *boxes = paddle_plain(n, "BBoxes"), *scores = boxes ? paddle_plain(n, "Scores") : NULL;
    if (!scores)
        return NULL;
    if (boxes->type.rank != 3 || scores->type.rank != 3 || boxes->type.dims[2] != 4) {
        node_error(n, "boxes must be [images, boxes, 4], and scores [images, classes, boxes]");
        return NULL;
    }
    const int64_t *s = scores->type.dims, rows = paddle_int(n, "keep_top_k", -1), top = paddle_int(n, "nms_top_k", -1);
    if (rows < 1 || rows > INT32_MAX / 64) {
        node_error(n, "keep_top_k %lld: the result's size would depend on the data", (long long)rows);
        return NULL;
    }
    ir_op *op = node_emit2(n, code, boxes, scores);
    ir_set_int(op, IR_ATTR_MAX_DETECTIONS, rows);
    ir_set_int(op, IR_ATTR_BACKGROUND, paddle_int(n, "background_label", 0));
    ir_set_int(op, IR_ATTR_CANDIDATES, top > 0 && top < s[2] ? top : s[2]);
    ir_set_float(op, IR_ATTR_SCORE_THRESHOLD, paddle_float(n, "score_threshold", 0));
    ir_set_int(op, IR_ATTR_PIXELS, !paddle_int(n, "normalized", 1));
    ir_result_set(op, 0, ir_type_make(IR_F32, 2, (int64_t[]){s[0] * rows, 6}), NULL);
    ir_result_set(op, 1, ir_type_make(IR_I32, 2, (int64_t[]){s[0] * rows, 1}), NULL);
    ir_result_set(op, 2, ir_type_make(IR_I32, 1, s), NULL);
    return op;
}

/* `count`: what the operator calls its third result. */
static bool put(paddle_node *n, ir_op *op, const char *count)
{
    if (!ir_type_valid(&op->results[0]->type) || !node_check(n, op))
        return n->model->diag->failed ? false : node_error(n, "the result is too large");
    return paddle_put(n, "Out", op->results[0], LAYOUT_PLAIN) &&
           (!paddle_result_count(n, "Index") || paddle_put(n, "Index", op->results[1], LAYOUT_PLAIN)) &&
           (!paddle_result_count(n, count) || paddle_put(n, count, op->results[2], LAYOUT_PLAIN));
}

bool paddle_op_nms(paddle_node *n)
{
    ir_op *op = paddle_absent(n, "RoisNum") ? suppression(n, IR_CLASS_NMS) : NULL;
    if (!op)
        return false;
    ir_set_float(op, IR_ATTR_IOU_THRESHOLD, paddle_float(n, "nms_threshold", 0.3f));
    ir_set_float(op, IR_ATTR_ETA, paddle_float(n, "nms_eta", 1));
    return put(n, op, "NmsRoisNum");
}

bool paddle_op_matrix_nms(paddle_node *n)
{
    const bool gaussian = paddle_int(n, "use_gaussian", 0);
    const float sigma = paddle_float(n, "gaussian_sigma", 2);
    ir_op *op = suppression(n, IR_MATRIX_NMS);
    if (!op)
        return false;
    if (gaussian && sigma == 0)
        return node_error(n, "with gaussian_sigma 0 no score decays");
    ir_set_float(op, IR_ATTR_POST_THRESHOLD, paddle_float(n, "post_threshold", 0));
    ir_set_float(op, IR_ATTR_SIGMA, gaussian ? sigma : 0);
    return put(n, op, "RoisNum");
}
