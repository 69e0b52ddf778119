/* ref_detection.c: detection_postprocess; its meaning is arith/detection.c. */
#include <stdlib.h>

#include "ir/ref/ref_detection.h"
#include "ir/ref/ref_move.h"

bool ir_check_detection(const ir_op *op, diag *d)
{
    const ir_type *boxes = ir_operand_type(op, 0), *scores = ir_operand_type(op, 1), *anchors = ir_operand_type(op, 2);
    const int64_t classes = ir_int(op, IR_ATTR_NUM_CLASSES), rows = ir_int(op, IR_ATTR_MAX_DETECTIONS);
    const int64_t per_box = ir_int(op, IR_ATTR_MAX_CLASSES), per_class = ir_int(op, IR_ATTR_PER_CLASS);
    const float *scales;
    if (boxes->rank != 3 || scores->rank != 3 || anchors->rank != 2 || boxes->dims[0] != 1 || scores->dims[0] != 1 ||
        boxes->dims[1] != scores->dims[1] || boxes->dims[1] != anchors->dims[0] || boxes->dims[2] < 4 ||
        anchors->dims[1] != 4)
        return ir_refuse(op, d, "needs boxes [1, N, 4], scores [1, N, C] and anchors [N, 4]");
    if (classes < 1 || classes > scores->dims[2] || scores->dims[2] - classes > 1)
        return ir_refuse(op, d, "%lld classes and scores of %lld do not fit together", (long long)classes,
                         (long long)scores->dims[2]);
    if (rows < 1 || per_box < 1 || per_box > IR_MAX_BYTES || per_class < 1)
        return ir_refuse(op, d, "max_detections, max_classes and per_class must be positive");
    if (ir_floats(op, IR_ATTR_SCALES, &scales) != 4)
        return ir_refuse(op, d, "needs four scales");
    const int64_t taken = per_box < classes ? per_box : classes, outputs = ir_result_type(op, 1)->dims[1];
    if (ir_result_type(op, 0)->rank != 3 || ir_result_type(op, 0)->dims[2] != 4 || ir_result_type(op, 1)->rank != 2 ||
        ir_result_type(op, 2)->rank != 2 || ir_result_type(op, 0)->dims[1] != outputs ||
        ir_result_type(op, 2)->dims[1] != outputs || ir_type_elements(ir_result_type(op, 3)) != 1 ||
        ir_type_elements(ir_result_type(op, 0)) != 4 * outputs || ir_type_elements(ir_result_type(op, 1)) != outputs ||
        ir_type_elements(ir_result_type(op, 2)) != outputs ||
        outputs < rows * (ir_int(op, IR_ATTR_REGULAR_NMS) ? 1 : taken))
        return ir_refuse(op, d, "the results do not have room for the detections");
    for (int i = 0; i < 3; i++)
        if (op->operands[i].value->type.dtype != IR_F32 && !ir_check_quantized(op, op->operands[i].value, "operand", d))
            return false;
    return true;
}

static qcc_op_tensor tensor_of(const ir_value *v)
{
    return (qcc_op_tensor){.scale = v->quant ? v->quant->scale[0] : 1,
                           .zero = v->quant ? v->quant->zero[0] : 0,
                           .type = (int32_t)v->type.dtype};
}

qcc_op_detection ir_detection_of(const ir_op *op)
{
    const ir_value *boxes = op->operands[0].value, *scores = op->operands[1].value;
    const float *scales;
    ir_floats(op, IR_ATTR_SCALES, &scales);
    return (qcc_op_detection){
        .boxes = boxes->type.dims[1],
        .box_width = boxes->type.dims[2],
        .labels = scores->type.dims[2],
        .classes = ir_int(op, IR_ATTR_NUM_CLASSES),
        .max_detections = ir_int(op, IR_ATTR_MAX_DETECTIONS),
        .per_box = ir_int(op, IR_ATTR_MAX_CLASSES),
        .per_class = ir_int(op, IR_ATTR_PER_CLASS),
        .rows = op->results[0]->type.dims[1],
        .regular = ir_int(op, IR_ATTR_REGULAR_NMS),
        .score_threshold = ir_float(op, IR_ATTR_SCORE_THRESHOLD),
        .iou_threshold = ir_float(op, IR_ATTR_IOU_THRESHOLD),
        .scales = {scales[0], scales[1], scales[2], scales[3]},
        .box = tensor_of(boxes),
        .score = tensor_of(scores),
        .anchor = tensor_of(op->operands[2].value),
    };
}

bool ir_ref_detection(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const qcc_op_detection o = ir_detection_of(op);
    void *scratch = malloc((size_t)qcc_op_detection_scratch(o.boxes, o.labels, o.max_detections) + 64);
    if (!scratch)
        return ir_out_of_memory(op, d);
    for (int r = 0; r < 3; r++)
        memset(results[r], 0, ir_type_bytes(ir_result_type(op, r)));
    qcc_op_detect(&o, operands[0], operands[1], operands[2], results[0], results[1], results[2], results[3], scratch);
    free(scratch);
    return true;
}
