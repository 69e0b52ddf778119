/* detection.c: detection_postprocess, done by qcc_op_detect of the runtime library in planned scratch memory. */
#include <stddef.h>

#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/calls/call.h"
#include "runtime/ops.h"

size_t cg_detection_scratch(const ir_op *op, const target_info *target)
{
    const ir_type *scores = &ir_operand_value(op, 1)->type;
    (void)target;
    return (size_t)qcc_op_detection_scratch(scores->dims[1], scores->dims[2], ir_int(op, IR_ATTR_MAX_DETECTIONS));
}

static qcc_op_tensor tensor_of(const ir_value *v)
{
    return (qcc_op_tensor){.scale = v->quant ? v->quant->scale[0] : 1,
                           .zero = v->quant ? v->quant->zero[0] : 0,
                           .type = (int32_t)v->type.dtype};
}

bool cg_emit_detection_postprocess(cg_module *m, const ir_op *op)
{
    const ir_value *boxes = ir_operand_value(op, 0), *scores = ir_operand_value(op, 1),
                   *anchors = ir_operand_value(op, 2);
    enum { ARGS = 9 };
    cg_arg args[ARGS];
    const float *scales;
    for (int i = 0; i < 7; i++) {
        const ir_value *v = i < 3 ? ir_operand_value(op, i) : op->results[i - 3];
        args[1 + i] = cg_arg_value(v);
    }
    qcc_op_detection *d = ARENA_NEW(m->arena, qcc_op_detection);
    d->boxes = boxes->type.dims[1];
    d->box_width = boxes->type.dims[2];
    d->labels = scores->type.dims[2];
    d->classes = ir_int(op, IR_ATTR_NUM_CLASSES);
    d->max_detections = ir_int(op, IR_ATTR_MAX_DETECTIONS);
    d->per_box = ir_int(op, IR_ATTR_MAX_CLASSES);
    d->per_class = ir_int(op, IR_ATTR_PER_CLASS);
    d->rows = op->results[0]->type.dims[1];
    d->regular = ir_int(op, IR_ATTR_REGULAR_NMS);
    d->score_threshold = ir_float(op, IR_ATTR_SCORE_THRESHOLD);
    d->iou_threshold = ir_float(op, IR_ATTR_IOU_THRESHOLD);
    ir_floats(op, IR_ATTR_SCALES, &scales);
    for (int i = 0; i < 4; i++)
        d->scales[i] = scales[i];
    d->box = tensor_of(boxes);
    d->score = tensor_of(scores);
    d->anchor = tensor_of(anchors);
    args[0] = cg_arg_constant(cg_constant(m, d, sizeof *d, "detection"));
    args[8] = cg_arg_scratch(m, op);
    cg_call_emit(m, op, "qcc_op_detect", ARGS, args);
    return true;
}
