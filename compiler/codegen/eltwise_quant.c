/* eltwise_quant.c: binary element-wise ops on 8- and 16-bit quantized values.
 *
 *     add, sub   even_f32: round(fma(a - za, sa/sy, (b - zb) * ±sb/sy)) + zy
 *     mul        even_f32: round((a - za)(b - zb) * (sa sb / sy)) + zy
 *
 * and the fixed-point forms of TFLite's reference kernels; ir/ref_quant.h has the same formulas in C, and the parameters.
 * 64 bytes go at a time: four vectors of 32-bit lanes, which saturating packs join again. */
#include "compiler/codegen/eltwise.h"

#include <math.h>
#include <string.h>

#include "compiler/codegen/eltwise_ops.h"
#include "compiler/codegen/quantvec.h"
#include "ir/ref_quant.h"

/* ---- Operands and results ---- */

static LLVMValueRef centred(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, const ir_value *v)
{
    LLVMTypeRef type = cg_elt_type(k, e, IR_I32);

    x = v->type.dtype == IR_U8 ? LLVMBuildZExt(k->b, x, type, "") : LLVMBuildSExt(k->b, x, type, "");
    return LLVMBuildSub(k->b, x, cg_elt_i32(k, e, ir_zero_of(v)), "");
}

static LLVMValueRef to_float(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    return LLVMBuildSIToFP(k->b, x, cg_elt_type(k, e, IR_F32), "");
}

/* Rounded to even, + zero, clamped; `magnitude` bounds the float from above. */
static LLVMValueRef finish_float(cg_kernel *k, const cg_eltwise *e, LLVMValueRef y, const cg_quant_end *end, double magnitude)
{
    if (!(magnitude < 1e9)) { /* the conversion to integer might overflow */
        y = cg_max(k, y, cg_elt_f32(k, e, (float)(end->min - end->zero)));
        y = cg_min(k, y, cg_elt_f32(k, e, (float)(end->max - end->zero)));
    }
    return cg_quant_finish(k, end, cg_round_to_i32(k, y));
}

/* ---- Sums ---- */

typedef struct context {
    ir_add_quant add;
    ir_requant product;
    cg_quant_end end;
    double span1, span2; /* largest |a - za|, |b - zb| */
} context;

static LLVMValueRef common_scale(cg_kernel *k, const context *c, LLVMValueRef x, ir_multiplier multiplier)
{
    LLVMValueRef by = LLVMBuildShl(k->b, x, cg_splat_i32(k, c->add.left_shift, LLVMGetVectorSize(LLVMTypeOf(x))), "");

    return cg_quant_mul_fixed(k, c->add.rounding, by, multiplier);
}

static LLVMValueRef sum_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    const context *c = e->context;
    LLVMValueRef a = centred(k, e, in[0], e->in[0]), b = centred(k, e, in[1], e->in[1]), sum;

    if (c->add.rounding == IR_ROUNDING_EVEN_F32) {
        b = LLVMBuildFMul(k->b, to_float(k, e, b), cg_elt_f32(k, e, c->add.scale2), "");
        sum = cg_fma(k, to_float(k, e, a), cg_elt_f32(k, e, c->add.scale1), b);
        return finish_float(k, e, sum, &c->end, c->span1 * fabs((double)c->add.scale1) + c->span2 * fabs((double)c->add.scale2));
    }
    a = common_scale(k, c, a, c->add.multiplier1);
    b = common_scale(k, c, b, c->add.multiplier2);
    sum = c->add.subtract ? LLVMBuildSub(k->b, a, b, "") : LLVMBuildAdd(k->b, a, b, "");
    return cg_quant_finish(k, &c->end, cg_quant_mul_fixed(k, c->add.rounding, sum, c->add.multiplier));
}

/* ---- Products ---- */

static LLVMValueRef product_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    const context *c = e->context;
    LLVMValueRef a = centred(k, e, in[0], e->in[0]), b = centred(k, e, in[1], e->in[1]);
    LLVMValueRef p = LLVMBuildMul(k->b, a, b, "");

    if (c->product.rounding != IR_ROUNDING_EVEN_F32)
        return cg_quant_finish(k, &c->end, cg_quant_mul_fixed(k, c->product.rounding, p, c->product.multiplier));
    p = LLVMBuildFMul(k->b, to_float(k, e, p), cg_elt_f32(k, e, c->product.scale), "");
    return finish_float(k, e, p, &c->end, c->span1 * c->span2 * fabs((double)c->product.scale));
}

/* ---- Parameters ---- */

static double span_of(const ir_value *v)
{
    int32_t min, max;

    ir_dtype_range(v->type.dtype, &min, &max);
    return fmax((double)max - ir_zero_of(v), (double)ir_zero_of(v) - min);
}

static const char *bits_key(cg_module *m, const void *bytes, size_t size)
{
    char *text = arena_alloc(m->arena, 2 * size + 1);

    for (size_t i = 0; i < size; i++) {
        text[2 * i] = "0123456789abcdef"[((const uint8_t *)bytes)[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[((const uint8_t *)bytes)[i] & 15];
    }
    return text;
}

static bool per_tensor(cg_module *m, const ir_op *op, const ir_value *v)
{
    if (v->quant && v->quant->axis < 0 && ir_dtype_bytes(v->type.dtype) <= 2)
        return true;
    return diag_error(m->diag, &op->loc, "%s: no code for operands that are not quantized alike", ir_op_info_of(op->code)->text);
}

bool cg_eltwise_quantized(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, op->code == IR_MUL ? product_body : sum_body);
    ir_enum_ROUNDING rounding;
    context c;

    if (op->code != IR_ADD && op->code != IR_SUB && op->code != IR_MUL)
        return diag_error(m->diag, &op->loc, "%s: no code for quantized operands", ir_op_info_of(op->code)->text);
    if (!per_tensor(m, op, e.in[0]) || !per_tensor(m, op, e.in[1]) || !per_tensor(m, op, e.out))
        return false;
    rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    memset(&c, 0, sizeof c);
    c.end = cg_quant_end_of(e.out, (ir_enum_ACT)ir_int(op, IR_ATTR_ACT));
    c.span1 = span_of(e.in[0]);
    c.span2 = span_of(e.in[1]);
    if (op->code == IR_MUL)
        c.product = ir_requant_make(rounding, (double)ir_scale_of(e.in[0]) * ir_scale_of(e.in[1]) / ir_scale_of(e.out),
                                    c.end.zero, c.end.min, c.end.max);
    else
        c.add = ir_add_quant_make(rounding, e.out->type.dtype, op->code == IR_SUB, ir_point_of(e.in[0]), ir_point_of(e.in[1]),
                                  ir_point_of(e.out), c.end.min, c.end.max);
    e.context = &c;
    e.key = arena_format(m->arena, "%s %d %d", bits_key(m, &c, sizeof c), ir_zero_of(e.in[0]), ir_zero_of(e.in[1]));
    e.is_int8 = true;
    return cg_eltwise_emit(m, &e);
}
