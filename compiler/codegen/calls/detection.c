/* detection.c: detection_postprocess, done by qcc_op_detect of the runtime library in planned scratch memory. */
#include <stddef.h>

#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/calls/call.h"
#include "ir/ref/ref_detection.h"

size_t cg_detection_scratch(const ir_op *op, const target_info *target)
{
    const ir_type *scores = &ir_operand_value(op, 1)->type;
    (void)target;
    return (size_t)qcc_op_detection_scratch(scores->dims[1], scores->dims[2], ir_int(op, IR_ATTR_MAX_DETECTIONS));
}

bool cg_emit_detection_postprocess(cg_module *m, const ir_op *op)
{
    enum { ARGS = 9 };
    cg_arg args[ARGS];
    for (int i = 0; i < 7; i++) {
        const ir_value *v = i < 3 ? ir_operand_value(op, i) : op->results[i - 3];
        args[1 + i] = cg_arg_value(v);
    }
    qcc_op_detection *d = ARENA_NEW(m->arena, qcc_op_detection);
    *d = ir_detection_of(op);
    args[0] = cg_arg_constant(cg_constant(m, d, sizeof *d, "detection"));
    args[8] = cg_arg_scratch(m, op);
    cg_call_emit(m, op, "qcc_op_detect", ARGS, args);
    return true;
}
