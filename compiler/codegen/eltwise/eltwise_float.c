/* eltwise_float.c: element-wise ops on f32; the results of some may be those numbers as the op quantize has them. */
#include "compiler/codegen/eltwise/eltwise.h"

#include <math.h>

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/quantizer.h"
#include "compiler/codegen/codegen.h"

/* ---- Unary ---- */

static LLVMValueRef is_nan(cg_kernel *k, LLVMValueRef x) { return LLVMBuildFCmp(k->b, LLVMRealUNO, x, x, ""); }

static LLVMValueRef is_negative(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    return LLVMBuildFCmp(k->b, LLVMRealOLT, x, cg_elt_f32(k, e, 0), "");
}

static LLVMValueRef hard_swish(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    LLVMValueRef gate = cg_act_f32(k, IR_ACT_RELU6, LLVMBuildFAdd(k->b, x, cg_elt_f32(k, e, 3), ""));

    return LLVMBuildFDiv(k->b, LLVMBuildFMul(k->b, x, gate, ""), cg_elt_f32(k, e, 6), "");
}

static LLVMValueRef sign_of(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    LLVMValueRef zero = cg_elt_f32(k, e, 0), positive = LLVMBuildFCmp(k->b, LLVMRealOGT, x, zero, "");
    LLVMValueRef rest = LLVMBuildSelect(k->b, is_negative(k, e, x), cg_elt_f32(k, e, -1), zero, "");

    rest = LLVMBuildSelect(k->b, positive, cg_elt_f32(k, e, 1), rest, "");
    return LLVMBuildSelect(k->b, is_nan(k, x), x, rest, "");
}

static LLVMValueRef unary_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    LLVMValueRef x = in[0], other;

    switch (e->op->code) {
    case IR_ABS: return cg_math_abs(k, x);
    case IR_NEG: return LLVMBuildFNeg(k->b, x, "");
    case IR_EXP: return cg_math_exp(k, x);
    case IR_LOG: return cg_math_log(k, x);
    case IR_SQRT: return cg_math_sqrt(k, x);
    case IR_RSQRT: return cg_math_rsqrt(k, x);
    case IR_SIN: return cg_math_sin(k, x);
    case IR_COS: return cg_math_cos(k, x);
    case IR_TANH: return cg_math_tanh(k, x);
    case IR_LOGISTIC: return cg_math_logistic(k, x);
    case IR_RELU: return cg_act_f32(k, (ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT), x);
    case IR_LEAKY_RELU:
        other = LLVMBuildFMul(k->b, x, cg_elt_f32(k, e, ir_float(e->op, IR_ATTR_ALPHA)), "");
        return LLVMBuildSelect(k->b, is_negative(k, e, x), other, x, "");
    case IR_ELU: return LLVMBuildSelect(k->b, is_negative(k, e, x), cg_math_expm1(k, x), x, "");
    case IR_GELU: return cg_math_gelu(k, x, ir_int(e->op, IR_ATTR_APPROXIMATE));
    case IR_ERF: return cg_math_erf(k, x);
    case IR_HARD_SWISH: return hard_swish(k, e, x);
    case IR_CEIL: return cg_math_ceil(k, x);
    case IR_FLOOR: return cg_math_floor(k, x);
    case IR_ROUND: return cg_math_round_even(k, x);
    case IR_SIGN: return sign_of(k, e, x);
    default: return NULL;
    }
}

/* ---- Binary ---- */

static LLVMValueRef f64(cg_kernel *k, const cg_eltwise *e, double v)
{
    return cg_splat(k, LLVMConstReal(LLVMDoubleTypeInContext(k->m->context), v), e->width);
}

static LLVMValueRef with_sign_of(cg_kernel *k, LLVMValueRef magnitude, LLVMValueRef x)
{
    LLVMTypeRef type = LLVMTypeOf(x);

    return cg_intrinsic(k, "llvm.copysign", &type, 1, (LLVMValueRef[]){magnitude, x}, 2);
}

/* To a whole number of double, ties to even; from 2^51 on they are whole anyway, or nearly. */
static LLVMValueRef round_f64(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef magnitude = cg_intrinsic(k, "llvm.fabs", &type, 1, &x, 1), magic = f64(k, e, 6755399441055744.0), y;

    y = LLVMBuildFSub(k->b, LLVMBuildFAdd(k->b, x, magic, ""), magic, "");
    return LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealOLT, magnitude, f64(k, e, 2251799813685248.0), ""), y, x,
                           "");
}

static LLVMValueRef floor_div(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef wide = cg_elt_type(k, e, IR_F64);
    LLVMValueRef q = LLVMBuildFDiv(k->b, LLVMBuildFPExt(k->b, a, wide, ""), LLVMBuildFPExt(k->b, b, wide, ""), "");
    LLVMValueRef whole = round_f64(k, e, q), above = LLVMBuildFCmp(k->b, LLVMRealOGT, whole, q, "");

    whole = LLVMBuildSelect(k->b, above, LLVMBuildFSub(k->b, whole, f64(k, e, 1), ""), whole, "");
    return LLVMBuildFPTrunc(k->b, with_sign_of(k, whole, q), cg_elt_type(k, e, IR_F32), "");
}

/* The remainder of |a| by |b| in double, without error: each step takes off a multiple of b by the quotient's leading
 * 27 bits, whose product with the 24 of b is exact, and so is the difference.  11 steps suffice for any two floats. */
static LLVMValueRef remainder_f64(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    enum { STEPS = 11 };
    LLVMTypeRef i64 = cg_elt_type(k, e, IR_I64), wide = LLVMTypeOf(a);
    cg_loop step = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, STEPS), 1);
    LLVMValueRef r = cg_loop_carry(k, &step, a), q = LLVMBuildFDiv(k->b, r, b, ""), lower;

    q = cg_bitcast(k, LLVMBuildAnd(k->b, cg_bitcast(k, q, i64), cg_elt_int(k, e, IR_I64, -(1 << 26)), ""), wide);
    q = round_f64(k, e, q);
    cg_loop_update(k, &step, 0, LLVMBuildFSub(k->b, r, LLVMBuildFMul(k->b, q, b, ""), ""));
    cg_loop_end(k, &step);
    lower = LLVMBuildFCmp(k->b, LLVMRealOLT, r, LLVMConstNull(wide), "");
    return LLVMBuildSelect(k->b, lower, LLVMBuildFAdd(k->b, r, b, ""), r, "");
}

/* The remainder with the divisor's sign. */
static LLVMValueRef floor_mod(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef wide = cg_elt_type(k, e, IR_F64);
    LLVMValueRef r, zero = cg_elt_f32(k, e, 0), a_below, b_below, moved, infinite;

    r = remainder_f64(k, e, LLVMBuildFPExt(k->b, cg_math_abs(k, a), wide, ""),
                      LLVMBuildFPExt(k->b, cg_math_abs(k, b), wide, ""));
    r = LLVMBuildFPTrunc(k->b, r, cg_elt_type(k, e, IR_F32), "");
    infinite = LLVMBuildFCmp(k->b, LLVMRealOEQ, cg_math_abs(k, b), cg_elt_f32(k, e, INFINITY), "");
    r = LLVMBuildSelect(k->b, infinite, cg_math_abs(k, LLVMBuildFSub(k->b, a, LLVMBuildFMul(k->b, a, zero, ""), "")), r,
                        "");
    a_below = LLVMBuildFCmp(k->b, LLVMRealOLT, a, zero, "");
    b_below = LLVMBuildFCmp(k->b, LLVMRealOLT, b, zero, "");
    r = with_sign_of(k, r, a);
    moved =
        LLVMBuildAnd(k->b, LLVMBuildFCmp(k->b, LLVMRealUNE, r, zero, ""), LLVMBuildXor(k->b, a_below, b_below, ""), "");
    return LLVMBuildSelect(k->b, moved, LLVMBuildFAdd(k->b, r, b, ""), r, "");
}

/* Without the activation. */
static LLVMValueRef arithmetic(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    switch (e->op->code) {
    case IR_ADD: return LLVMBuildFAdd(k->b, a, b, "");
    case IR_SUB: return LLVMBuildFSub(k->b, a, b, "");
    case IR_MUL: return LLVMBuildFMul(k->b, a, b, "");
    default: return LLVMBuildFDiv(k->b, a, b, "");
    }
}

static LLVMValueRef compare(cg_kernel *k, const cg_eltwise *e, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildZExt(k->b, LLVMBuildFCmp(k->b, p, a, b, ""), cg_elt_type(k, e, IR_BOOL), "");
}

static LLVMValueRef binary_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    LLVMValueRef a = in[0], b = in[1], y;

    switch (e->op->code) {
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_DIV: return cg_act_f32(k, (ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT), arithmetic(k, e, a, b));
    case IR_MINIMUM: return LLVMBuildSelect(k->b, is_nan(k, a), a, cg_min(k, a, b), "");
    case IR_MAXIMUM: return LLVMBuildSelect(k->b, is_nan(k, a), a, cg_max(k, a, b), "");
    case IR_POW: return cg_math_pow(k, a, b);
    case IR_SQUARED_DIFFERENCE: y = LLVMBuildFSub(k->b, a, b, ""); return LLVMBuildFMul(k->b, y, y, "");
    case IR_FLOOR_DIV: return floor_div(k, e, a, b);
    case IR_FLOOR_MOD: return floor_mod(k, e, a, b);
    case IR_ATAN2: return cg_math_atan2(k, a, b);
    case IR_PRELU: return LLVMBuildSelect(k->b, is_negative(k, e, a), LLVMBuildFMul(k->b, a, b, ""), a, "");
    case IR_EQUAL: return compare(k, e, LLVMRealOEQ, a, b);
    case IR_NOT_EQUAL: return compare(k, e, LLVMRealUNE, a, b);
    case IR_LESS: return compare(k, e, LLVMRealOLT, a, b);
    case IR_LESS_EQUAL: return compare(k, e, LLVMRealOLE, a, b);
    case IR_GREATER: return compare(k, e, LLVMRealOGT, a, b);
    case IR_GREATER_EQUAL: return compare(k, e, LLVMRealOGE, a, b);
    default: return NULL;
    }
}

/* Attributes that bodies look at. */
static const char *attribute_key(cg_module *m, const ir_op *op)
{
    if (op->code == IR_LEAKY_RELU)
        return arena_format(m->arena, "%a", (double)ir_float(op, IR_ATTR_ALPHA));
    if (op->code == IR_GELU)
        return ir_int(op, IR_ATTR_APPROXIMATE) ? "tanh" : "erf";
    if (ir_has_attr(op, IR_ATTR_ACT))
        return ir_enum_text(IR_KIND_ENUM_ACT, ir_int(op, IR_ATTR_ACT));
    return "";
}

static LLVMValueRef quantized_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    return cg_quantize(k, *(cg_quantizer *const *)e->context, arithmetic(k, e, in[0], in[1]));
}

bool cg_emit_eltwise_f32(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, op->operand_count == 1 ? unary_body : binary_body);
    cg_quantizer q, *const quantizer = &q;

    e.key = attribute_key(m, op);
    if (e.out->quant) {
        q = cg_quantizer_of(op, (ir_enum_ACT)ir_int(op, IR_ATTR_ACT));
        e.body = quantized_body;
        e.context = &quantizer;
        e.key = arena_format(m->arena, "%s %s", e.key, cg_quantizer_key(m, &q));
        e.lanes = cg_quantizer_lanes(m, &q);
    }
    return cg_eltwise_emit(m, &e);
}
