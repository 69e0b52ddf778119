/* eltwise_ops.c: chooses how an element-wise op is done from the types it works on. */
#include "compiler/codegen/eltwise/eltwise_ops.h"

bool cg_emit_eltwise(cg_module *m, const ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    bool narrow = x->type.dtype == IR_I8 || x->type.dtype == IR_U8 || x->type.dtype == IR_I16;

    if (x->type.dtype == IR_F32)
        return cg_eltwise_float(m, op);
    if (x->quant && narrow && op->operand_count == 2)
        return op->results[0]->type.dtype == IR_BOOL ? cg_eltwise_compare_quantized(m, op) : cg_eltwise_quantized(m, op);
    if (x->quant && narrow && ir_op_info_of(op->code)->flags & IR_LOOKUP)
        return cg_emit_lookup(m, op);
    if (x->type.dtype == IR_F16 || x->type.dtype == IR_F64)
        return diag_error(m->diag, &op->loc, "%s: no code for %s", ir_op_info_of(op->code)->text,
                          ir_dtype_text(x->type.dtype));
    return cg_eltwise_int(m, op);
}

bool cg_emit_dequantize(cg_module *m, const ir_op *op) { return cg_eltwise_to_real(m, op); }
bool cg_emit_quantize(cg_module *m, const ir_op *op) { return cg_eltwise_from_real(m, op); }
bool cg_emit_requantize(cg_module *m, const ir_op *op)
{
    return op->operands[0].value->type.dtype == IR_I32 ? cg_eltwise_requantize(m, op) : cg_emit_lookup(m, op);
}
