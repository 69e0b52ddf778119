/* eltwise_grid.c: round_to_grid and clamp_gradient, of floats. */
#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/eltwise/grid.h"

LLVMValueRef cg_grid_steps(cg_kernel *k, LLVMValueRef x, LLVMValueRef low, LLVMValueRef high, LLVMValueRef scale)
{
    x = LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, x, low, ""), low, x, "");
    x = LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, high, x, ""), high, x, "");
    return LLVMBuildFDiv(k->b, x, scale, "");
}

static LLVMValueRef round_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    (void)e;
    return LLVMBuildFMul(k->b, cg_math_round_even(k, cg_grid_steps(k, in[0], in[1], in[2], in[3])), in[3], "");
}

static LLVMValueRef gradient_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    LLVMValueRef above = LLVMBuildFCmp(k->b, LLVMRealOGE, in[0], in[2], "");
    LLVMValueRef below = LLVMBuildFCmp(k->b, LLVMRealOLE, in[0], in[3], "");
    return LLVMBuildSelect(k->b, LLVMBuildAnd(k->b, above, below, ""), in[1], cg_elt_f32(k, e, 0), "");
}

bool cg_emit_grid(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, op->code == IR_ROUND_TO_GRID ? round_body : gradient_body);
    return cg_eltwise_emit(m, &e);
}
