/* eltwise_real.c: between real and quantized values: quantize, dequantize, fake_quant. */
#include "compiler/codegen/eltwise/eltwise.h"

#include <math.h>

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/quantizer.h"
#include "compiler/codegen/codegen.h"
#include "ir/ref/interp.h"

/* Centred integers of 8 and 16 bits are exact as floats, and so the product is rounded once; wider ones go by double.
 */
static LLVMValueRef dequantize_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    const ir_quant *q = e->in[0]->quant;
    ir_dtype t = e->in[0]->type.dtype;
    bool narrow = ir_dtype_bytes(t) <= 2;
    ir_dtype wide = narrow ? IR_I32 : IR_I64, real = narrow ? IR_F32 : IR_F64;
    LLVMValueRef x, scale;

    if (t == IR_F16)
        return cg_elt_half(k, e, in[0]);
    x = LLVMBuildIntCast2(k->b, in[0], cg_elt_type(k, e, wide), t != IR_U8 && t != IR_U16, "");
    x = LLVMBuildSub(k->b, x, cg_elt_int(k, e, wide, q->zero[0]), "");
    x = LLVMBuildSIToFP(k->b, x, cg_elt_type(k, e, real), "");
    scale = cg_splat(k, LLVMConstReal(cg_type_of(k, real), q->scale[0]), e->width);
    return LLVMBuildFPCast(k->b, LLVMBuildFMul(k->b, x, scale, ""), cg_elt_type(k, e, IR_F32), "");
}

bool cg_emit_dequantize(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, dequantize_body);

    if (e.in[0]->type.dtype == IR_F16)
        return cg_eltwise_emit(m, &e);
    e.key = arena_format(m->arena, "%a %d", (double)e.in[0]->quant->scale[0], e.in[0]->quant->zero[0]);
    return cg_eltwise_emit(m, &e);
}

static LLVMValueRef quantize_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    return cg_quantize(k, *(cg_quantizer *const *)e->context, in[0]);
}

bool cg_emit_quantize(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, quantize_body);
    cg_quantizer q = cg_quantizer_of(op, IR_ACT_NONE), *const quantizer = &q;

    e.context = &quantizer;
    e.key = cg_quantizer_key(m, &q);
    e.lanes = cg_quantizer_lanes(m, &q);
    return cg_eltwise_emit(m, &e);
}

/* ---- fake_quant ---- */

static LLVMValueRef clamped(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, float low, float high)
{
    LLVMValueRef min = cg_elt_f32(k, e, low), max = cg_elt_f32(k, e, high);

    x = LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, x, min, ""), min, x, "");
    return LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, max, x, ""), max, x, "");
}

static LLVMValueRef fake_quant_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    ir_enum_TIES ties = (ir_enum_TIES)ir_int(e->op, IR_ATTR_TIES);
    ir_fake_grid g = ir_fake_grid_of(e->op);
    float lowest = g.low - g.zero, highest = g.high - g.zero;
    LLVMValueRef x = in[0], min = cg_elt_f32(k, e, lowest * g.scale);

    if (ties != IR_TIES_UP) {
        x = LLVMBuildFMul(k->b, x, cg_elt_f32(k, e, g.inverse), "");
        x = ties == IR_TIES_EVEN ? cg_math_round_even(k, x) : cg_math_round_away(k, x);
        x = LLVMBuildFMul(k->b, clamped(k, e, x, lowest, highest), cg_elt_f32(k, e, g.top), "");
        return LLVMBuildFDiv(k->b, x, cg_elt_f32(k, e, highest), "");
    }
    x = clamped(k, e, x, lowest * g.scale, highest * g.scale);
    x = LLVMBuildFMul(k->b, LLVMBuildFSub(k->b, x, min, ""), cg_elt_f32(k, e, g.inverse), "");
    x = LLVMBuildFMul(k->b, cg_math_round_away(k, x), cg_elt_f32(k, e, g.scale), "");
    return LLVMBuildFAdd(k->b, x, min, "");
}

bool cg_emit_fake_quant(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, fake_quant_body);
    ir_fake_grid g = ir_fake_grid_of(op);

    e.key = arena_format(m->arena, "%a %a %a %a %a %d", (double)g.low, (double)g.high, (double)g.zero, (double)g.scale,
                         (double)g.top, (int)ir_int(op, IR_ATTR_TIES));
    return cg_eltwise_emit(m, &e);
}
