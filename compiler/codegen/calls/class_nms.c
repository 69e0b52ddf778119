/* class_nms.c: class_nms, done by qcc_op_class_nms_run of the runtime library in planned scratch memory. */
#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/calls/call.h"
#include "ir/ref/interp.h"
#include "ir/ref/ref_class_nms.h"

size_t cg_class_nms_scratch(const ir_op *op, const target_info *target)
{
    const qcc_op_class_nms o = ir_class_nms_of(op);
    (void)target;
    return (size_t)qcc_op_class_nms_scratch(&o);
}

bool cg_emit_class_nms(cg_module *m, const ir_op *op)
{
    enum { ARGS = 7 };
    cg_arg args[ARGS];
    qcc_op_class_nms *o = ARENA_NEW(m->arena, qcc_op_class_nms);
    *o = ir_class_nms_of(op);
    args[0] = cg_arg_constant(cg_constant(m, o, sizeof *o, "nms"));
    for (int i = 0; i < 5; i++) {
        const ir_value *v = i < 2 ? ir_operand_value(op, i) : op->results[i - 2];
        args[1 + i] = cg_arg_value(v);
    }
    args[6] = cg_arg_scratch(m, op);
    cg_call_emit(m, op, "qcc_op_class_nms_run", ARGS, args);
    return true;
}
