/* nms.c: class_nms and matrix_nms, done by the runtime library in planned scratch memory. */
#include "compiler/codegen/build/shape.h"
#include "compiler/codegen/calls/call.h"
#include "ir/ref/interp.h"
#include "ir/ref/ref_nms.h"

static bool emit(cg_module *m, const ir_op *op, const char *function, const void *parameters, size_t size)
{
    enum { ARGS = 7 };
    cg_arg args[ARGS];
    args[0] = cg_arg_constant(cg_constant(m, parameters, size, "nms"));
    for (int i = 0; i < 5; i++) {
        const ir_value *v = i < 2 ? ir_operand_value(op, i) : op->results[i - 2];
        args[1 + i] = cg_arg_value(v);
    }
    args[6] = cg_arg_scratch(m, op);
    cg_call_emit(m, op, function, ARGS, args);
    return true;
}

size_t cg_class_nms_scratch(const ir_op *op, const target_info *target)
{
    const qcc_op_class_nms o = ir_class_nms_of(op);
    (void)target;
    return (size_t)qcc_op_class_nms_scratch(&o);
}

bool cg_emit_class_nms(cg_module *m, const ir_op *op)
{
    qcc_op_class_nms *o = ARENA_NEW(m->arena, qcc_op_class_nms);
    *o = ir_class_nms_of(op);
    return emit(m, op, "qcc_op_class_nms_run", o, sizeof *o);
}

size_t cg_matrix_nms_scratch(const ir_op *op, const target_info *target)
{
    const qcc_op_matrix_nms o = ir_matrix_nms_of(op);
    int64_t each[QCC_OP_MATRIX_NMS_ARRAYS];
    (void)target;
    return (size_t)qcc_op_matrix_nms_scratch(&o, each);
}

bool cg_emit_matrix_nms(cg_module *m, const ir_op *op)
{
    qcc_op_matrix_nms *o = ARENA_NEW(m->arena, qcc_op_matrix_nms);
    *o = ir_matrix_nms_of(op);
    return emit(m, op, "qcc_op_matrix_nms_run", o, sizeof *o);
}
