/* residual.c: the fused residual add, see residual.h. */
#include "compiler/codegen/build/residual.h"

#include <string.h>

#include "compiler/codegen/build/shape.h"
#include "ir/ref/interp.h"

enum { LEFT_SHIFT = 20 }; /* of TFLite's 8-bit add */

/* A multiplier with the fixed rounding and no bounds. */
static cg_requant plain_multiplier(cg_module *m, ir_enum_ROUNDING rounding, double real)
{
    cg_requant q = cg_requant_make_for(m, rounding, 1, &real, IR_U8, 1.0f, 0, (ir_unused){0, 0}, IR_ACT_NONE);
    q.zero = 0;
    q.min = INT32_MIN;
    q.max = INT32_MAX;
    return q;
}

cg_residual cg_residual_of(cg_module *m, const ir_op *op, const ir_value *r)
{
    const cg_shape s = cg_shape_of(r);
    cg_residual out = cg_residual_arithmetic(m, op, r);
    out.batch_stride = s.stride[0];
    out.row_stride = s.stride[1];
    out.pixel_stride = s.stride[2];
    return out;
}

cg_residual cg_residual_arithmetic(cg_module *m, const ir_op *op, const ir_value *r)
{
    const ir_value *y = op->results[0];
    const double mid = ir_float(op, IR_ATTR_MID_SCALE), other = r->quant->scale[0], result = y->quant->scale[0];
    cg_residual out = {.rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING),
                       .first = ir_int(op, IR_ATTR_ADD_FIRST) != 0,
                       .to_real = ir_mac_adds_real(op),
                       .mid_zero = (int32_t)ir_int(op, IR_ATTR_MID_ZERO),
                       .zero = r->quant->zero[0],
                       .mid_factor = (float)(mid / result),
                       .factor = (float)(other / result),
                       .result_zero = y->quant->zero[0]};
    ir_result_bounds(y, (ir_enum_ACT)ir_int(op, IR_ATTR_ADD_ACT), &out.min, &out.max);
    if (out.rounding == IR_ROUNDING_EVEN_F32)
        return out;
    const double twice_larger = 2 * (mid > other ? mid : other);
    out.mid_fixed = plain_multiplier(m, out.rounding, mid / twice_larger);
    out.fixed = plain_multiplier(m, out.rounding, other / twice_larger);
    out.result_fixed = plain_multiplier(m, out.rounding, twice_larger / ((double)(1 << LEFT_SHIFT) * result));
    out.result_fixed.zero = out.result_zero;
    out.result_fixed.min = out.min;
    out.result_fixed.max = out.max;
    return out;
}

const char *cg_residual_key(const cg_module *m, const cg_residual *r)
{
    uint32_t bits[2];
    memcpy(&bits[0], &r->mid_factor, 4);
    memcpy(&bits[1], &r->factor, 4);
    return arena_format(m->arena, "add.%s%s%d.%d.%d.%x.%x.%d.%d.%d.%lld.%lld.%lld",
                        ir_enum_text(IR_KIND_ENUM_ROUNDING, r->rounding), r->to_real ? ".real." : "", r->first,
                        r->mid_zero, r->zero, bits[0], bits[1], r->result_zero, r->min, r->max,
                        (long long)r->batch_stride, (long long)r->row_stride, (long long)r->pixel_stride);
}

LLVMValueRef cg_residual_constant(cg_module *m, const cg_residual *r)
{
    if (r->rounding == IR_ROUNDING_EVEN_F32)
        return cg_constant(m, "", 1, "none");
    unsigned char *bytes = arena_alloc(m->arena, 3 * r->fixed.size);
    memcpy(bytes, r->mid_fixed.bytes, r->fixed.size);
    memcpy(bytes + r->fixed.size, r->fixed.bytes, r->fixed.size);
    memcpy(bytes + 2 * r->fixed.size, r->result_fixed.bytes, r->fixed.size);
    return cg_constant(m, bytes, 3 * r->fixed.size, "add");
}

static LLVMValueRef fixed_operand(cg_kernel *k, const cg_requant *q, LLVMValueRef params, LLVMValueRef centred)
{
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(centred));
    LLVMValueRef shifted = LLVMBuildShl(k->b, centred, cg_splat_i32(k, LEFT_SHIFT, lanes), "");
    return cg_requant_apply(k, q, params, cg_i64(k, 0), shifted);
}

LLVMValueRef cg_residual_apply(cg_kernel *k, const cg_residual *r, LLVMValueRef params, LLVMValueRef mid,
                               LLVMValueRef other)
{
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(mid));
    mid = LLVMBuildSub(k->b, mid, cg_splat_i32(k, r->mid_zero, lanes), "");
    other = LLVMBuildSub(k->b, other, cg_splat_i32(k, r->zero, lanes), "");
    if (r->rounding != IR_ROUNDING_EVEN_F32) {
        int64_t size = (int64_t)r->fixed.size;
        LLVMValueRef a = fixed_operand(k, &r->mid_fixed, params, mid);
        LLVMValueRef b = fixed_operand(k, &r->fixed, cg_at_const(k, params, size), other);
        return cg_requant_apply(k, &r->result_fixed, cg_at_const(k, params, 2 * size), cg_i64(k, 0),
                                LLVMBuildAdd(k->b, a, b, ""));
    }
    LLVMTypeRef floats = cg_vector(k->m->f32, lanes);
    mid = LLVMBuildSIToFP(k->b, mid, floats, "");
    other = LLVMBuildSIToFP(k->b, other, floats, "");
    LLVMValueRef first = r->first ? other : mid, second = r->first ? mid : other;
    float first_factor = r->first ? r->factor : r->mid_factor, second_factor = r->first ? r->mid_factor : r->factor;
    LLVMValueRef sum = cg_fma(k, first, cg_splat_f32(k, first_factor, lanes),
                              LLVMBuildFMul(k->b, second, cg_splat_f32(k, second_factor, lanes), ""));
    sum = cg_max(k, sum, cg_splat_f32(k, (float)(r->min - r->result_zero), lanes));
    sum = cg_min(k, sum, cg_splat_f32(k, (float)(r->max - r->result_zero), lanes));
    return LLVMBuildAdd(k->b, cg_round_to_i32(k, sum), cg_splat_i32(k, r->result_zero, lanes), "");
}
