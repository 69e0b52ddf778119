/* eltwise_real.c: between real and quantized values: quantize, dequantize, fake_quant. */
#include "compiler/codegen/eltwise.h"

#include <math.h>
#include <string.h>

#include "compiler/codegen/elementary.h"
#include "compiler/codegen/eltwise_ops.h"
#include "ir/interp.h"

static bool per_tensor(cg_module *m, const ir_op *op, const ir_value *v)
{
    if (v->quant && v->quant->axis < 0)
        return true;
    return diag_error(m->diag, &op->loc, "%s: no code for quantization per axis", ir_op_info_of(op->code)->text);
}

/* Centred integers of 8 and 16 bits are exact as floats, and so the product is rounded once; wider ones go by double. */
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

bool cg_eltwise_to_real(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, dequantize_body);

    if (e.in[0]->type.dtype == IR_F16)
        return cg_eltwise_emit(m, &e);
    if (!per_tensor(m, op, e.in[0]))
        return false;
    e.key = arena_format(m->arena, "%a %d", (double)e.in[0]->quant->scale[0], e.in[0]->quant->zero[0]);
    return cg_eltwise_emit(m, &e);
}

/* x / scale, correctly rounded, without a division: with the rounded inverse, two corrections by the exact remainder give
 * the right quotient (Markstein's theorem; not where the divisor's significand is all ones).  x is limited to what cannot
 * saturate the result anyway, so that no infinity gets into the remainder. */
static LLVMValueRef divide_by_scale(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, float scale)
{
    float inverse = 1 / scale, limit = 100000 * scale;
    uint32_t bits;
    LLVMValueRef y, s, minus_s, q;

    memcpy(&bits, &scale, 4);
    s = cg_elt_f32(k, e, scale);
    if (!k->m->target->avx512 || (bits & 0x7fffff) == 0x7fffff || !(scale > 1e-20f && scale < 1e20f))
        return LLVMBuildFDiv(k->b, x, s, "");
    y = cg_elt_f32(k, e, inverse);
    minus_s = cg_elt_f32(k, e, -scale);
    x = cg_min(k, cg_max(k, x, cg_elt_f32(k, e, -limit)), cg_elt_f32(k, e, limit));
    q = LLVMBuildFMul(k->b, x, y, "");
    q = cg_fma(k, cg_fma(k, q, minus_s, x), y, q);
    return cg_fma(k, cg_fma(k, q, minus_s, x), y, q);
}

/* The clamp comes before the conversion, where it is exact for every float; NaN becomes the smallest. */
static LLVMValueRef quantize_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    const ir_quant *q = e->out->quant;
    ir_dtype t = e->out->type.dtype;
    LLVMValueRef x = divide_by_scale(k, e, in[0], q->scale[0]);
    int32_t min, max;

    ir_dtype_range(t, &min, &max);
    min = ir_rounding_min((ir_enum_ROUNDING)ir_int(e->op, IR_ATTR_ROUNDING), t, min);
    x = cg_max(k, x, cg_elt_f32(k, e, (float)(min - q->zero[0])));
    x = cg_min(k, x, cg_elt_f32(k, e, (float)(max - q->zero[0])));
    x = ir_int(e->op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32 ? cg_round_to_i32(k, x) : cg_math_round_away_i32(k, x, true);
    x = LLVMBuildAdd(k->b, x, cg_elt_i32(k, e, q->zero[0]), "");
    return LLVMBuildTrunc(k->b, x, cg_elt_type(k, e, t), "");
}

bool cg_eltwise_from_real(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, quantize_body);

    if (!per_tensor(m, op, e.out))
        return false;
    if (ir_dtype_bytes(e.out->type.dtype) > 2)
        return diag_error(m->diag, &op->loc, "quantize: no code for %s", ir_dtype_text(e.out->type.dtype));
    e.key = arena_format(m->arena, "%a %d %lld", (double)e.out->quant->scale[0], e.out->quant->zero[0],
                         (long long)ir_int(op, IR_ATTR_ROUNDING));
    return cg_eltwise_emit(m, &e);
}

/* ---- fake_quant ---- */

typedef struct grid { float min, max, scale, inverse; } grid;

/* The range moved so that 0 is a point of the grid. */
static grid grid_of(const ir_op *op)
{
    float min = ir_float(op, IR_ATTR_MIN), max = ir_float(op, IR_ATTR_MAX);
    float low = ir_int(op, IR_ATTR_NARROW) ? 1.0f : 0.0f, high = (float)((1 << ir_int(op, IR_ATTR_BITS)) - 1);
    float scale = (max - min) / (high - low), from_min = low - min / scale;
    float zero = from_min < low ? low : from_min > high ? high : roundf(from_min);

    return (grid){(low - zero) * scale, (high - zero) * scale, scale, 1.0f / scale};
}

static LLVMValueRef fake_quant_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    grid g = grid_of(e->op);
    LLVMValueRef min = cg_elt_f32(k, e, g.min), max = cg_elt_f32(k, e, g.max), x = in[0];

    x = LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, x, min, ""), min, x, "");
    x = LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, max, x, ""), max, x, "");
    x = LLVMBuildFMul(k->b, LLVMBuildFSub(k->b, x, min, ""), cg_elt_f32(k, e, g.inverse), "");
    x = LLVMBuildFMul(k->b, cg_math_round_away(k, x), cg_elt_f32(k, e, g.scale), "");
    return LLVMBuildFAdd(k->b, x, min, "");
}

bool cg_emit_fake_quant(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, fake_quant_body);
    grid g = grid_of(op);

    e.key = arena_format(m->arena, "%a %a %a", (double)g.min, (double)g.max, (double)g.scale);
    return cg_eltwise_emit(m, &e);
}
