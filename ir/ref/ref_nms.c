/* ref_nms.c: class_nms and matrix_nms; their meaning is arith/class_nms.c and arith/matrix_nms.c. */
#include <stdlib.h>

#include "ir/ref/ref_move.h"
#include "ir/ref/ref_nms.h"

static bool check(const ir_op *op, diag *d)
{
    const ir_type *b = ir_operand_type(op, 0), *s = ir_operand_type(op, 1);
    const int64_t rows = ir_int(op, IR_ATTR_MAX_DETECTIONS), candidates = ir_int(op, IR_ATTR_CANDIDATES);
    if (b->rank != 3 || s->rank != 3 || b->dims[2] != 4 || b->dims[0] != s->dims[0] || b->dims[1] != s->dims[2] ||
        b->dims[0] < 1 || b->dims[1] < 1 || s->dims[1] < 1)
        return ir_refuse(op, d, "needs boxes [images, N, 4] and scores [images, classes, N]");
    if (candidates > b->dims[1] || s->dims[1] > (1 << 28) / candidates)
        return ir_refuse(op, d, "%lld candidates of %lld boxes and %lld classes", (long long)candidates,
                         (long long)b->dims[1], (long long)s->dims[1]);
    const ir_type *out = &op->results[0]->type, *index = &op->results[1]->type, *count = &op->results[2]->type;
    if (out->rank != 2 || out->dims[0] != b->dims[0] * rows || out->dims[1] != 6 ||
        ir_type_elements(index) != out->dims[0] || ir_type_elements(count) != b->dims[0])
        return ir_refuse(op, d, "the results are not of %lld rows for each image", (long long)rows);
    return true;
}

bool ir_check_class_nms(const ir_op *op, diag *d)
{
    if (!check(op, d))
        return false;
    const float eta = ir_float(op, IR_ATTR_ETA);
    return eta == eta || ir_refuse(op, d, "eta is not a number");
}

qcc_op_class_nms ir_class_nms_of(const ir_op *op)
{
    const ir_type *s = ir_operand_type(op, 1);
    return (qcc_op_class_nms){
        .images = s->dims[0],
        .classes = s->dims[1],
        .boxes = s->dims[2],
        .background = ir_int(op, IR_ATTR_BACKGROUND),
        .candidates = ir_int(op, IR_ATTR_CANDIDATES),
        .limit = ir_int(op, IR_ATTR_CLASS_LIMIT),
        .rows = ir_int(op, IR_ATTR_MAX_DETECTIONS),
        .score_threshold = ir_float(op, IR_ATTR_SCORE_THRESHOLD),
        .iou_threshold = ir_float(op, IR_ATTR_IOU_THRESHOLD),
        .eta = ir_float(op, IR_ATTR_ETA),
        .pixels = (int32_t)ir_int(op, IR_ATTR_PIXELS),
        .empty_stays = (int32_t)ir_int(op, IR_ATTR_EMPTY_STAYS),
    };
}

bool ir_ref_class_nms(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const qcc_op_class_nms o = ir_class_nms_of(op);
    void *scratch = malloc((size_t)qcc_op_class_nms_scratch(&o) + 64);
    if (!scratch)
        return ir_out_of_memory(op, d);
    qcc_op_class_nms_run(&o, operands[0], operands[1], results[0], results[1], results[2], scratch);
    free(scratch);
    return true;
}

bool ir_check_matrix_nms(const ir_op *op, diag *d)
{
    const float sigma = ir_float(op, IR_ATTR_SIGMA);
    return check(op, d) && (sigma == sigma || ir_refuse(op, d, "sigma is not a number"));
}

qcc_op_matrix_nms ir_matrix_nms_of(const ir_op *op)
{
    const ir_type *s = ir_operand_type(op, 1);
    return (qcc_op_matrix_nms){
        .images = s->dims[0],
        .classes = s->dims[1],
        .boxes = s->dims[2],
        .background = ir_int(op, IR_ATTR_BACKGROUND),
        .candidates = ir_int(op, IR_ATTR_CANDIDATES),
        .rows = ir_int(op, IR_ATTR_MAX_DETECTIONS),
        .score_threshold = ir_float(op, IR_ATTR_SCORE_THRESHOLD),
        .post_threshold = ir_float(op, IR_ATTR_POST_THRESHOLD),
        .sigma = ir_float(op, IR_ATTR_SIGMA),
        .pixels = (int32_t)ir_int(op, IR_ATTR_PIXELS),
    };
}

bool ir_ref_matrix_nms(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const qcc_op_matrix_nms o = ir_matrix_nms_of(op);
    int64_t each[QCC_OP_MATRIX_NMS_ARRAYS];
    void *scratch = malloc((size_t)qcc_op_matrix_nms_scratch(&o, each) + 64);
    if (!scratch)
        return ir_out_of_memory(op, d);
    qcc_op_matrix_nms_run(&o, operands[0], operands[1], results[0], results[1], results[2], scratch);
    free(scratch);
    return true;
}
