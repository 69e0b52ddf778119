/* eltwise_int.c: element-wise ops on plain integers and booleans, selection, and casts. */
#include "compiler/codegen/eltwise/eltwise.h"

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/codegen.h"

static bool is_unsigned(ir_dtype t) { return t == IR_U8 || t == IR_BOOL || t == IR_U16 || t == IR_U32; }

static LLVMValueRef zero_of(LLVMValueRef x) { return LLVMConstNull(LLVMTypeOf(x)); }
static LLVMValueRef all_ones(LLVMValueRef x) { return LLVMConstAllOnes(LLVMTypeOf(x)); }
static LLVMValueRef icmp(cg_kernel *k, LLVMIntPredicate p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(k->b, p, a, b, "");
}
static LLVMValueRef choose(cg_kernel *k, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(k->b, c, a, b, "");
}

/* ---- Arithmetic; sums and products wrap ---- */

/* Truncated quotient; 0 for the divisor 0, and no overflow trap for the smallest by -1, which wraps. */
static LLVMValueRef quotient(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, bool is_signed)
{
    LLVMValueRef one = LLVMBuildSub(k->b, zero_of(b), all_ones(b), ""), none = icmp(k, LLVMIntEQ, b, zero_of(b));
    LLVMValueRef minus_one = icmp(k, LLVMIntEQ, b, all_ones(b)), q;

    if (!is_signed)
        return choose(k, none, zero_of(a), LLVMBuildUDiv(k->b, a, choose(k, none, one, b), ""));
    q = LLVMBuildSDiv(k->b, a, choose(k, LLVMBuildOr(k->b, none, minus_one, ""), one, b), "");
    q = choose(k, minus_one, LLVMBuildNeg(k->b, a, ""), q);
    return choose(k, none, zero_of(a), q);
}

/* The truncated quotient, less 1 when signs differ and something remains. */
static LLVMValueRef floor_quotient(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, bool is_signed)
{
    LLVMValueRef q = quotient(k, a, b, is_signed), rest, inexact, differ, down;

    if (!is_signed)
        return q;
    rest = LLVMBuildSub(k->b, a, LLVMBuildMul(k->b, q, b, ""), "");
    inexact = LLVMBuildAnd(k->b, icmp(k, LLVMIntNE, rest, zero_of(a)), icmp(k, LLVMIntNE, b, zero_of(b)), "");
    differ = icmp(k, LLVMIntSLT, LLVMBuildXor(k->b, a, b, ""), zero_of(a));
    down = LLVMBuildSExt(k->b, LLVMBuildAnd(k->b, inexact, differ, ""), LLVMTypeOf(a), "");
    return LLVMBuildAdd(k->b, q, down, "");
}

static LLVMValueRef floor_remainder(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, bool is_signed)
{
    LLVMValueRef q = floor_quotient(k, a, b, is_signed);
    LLVMValueRef r = LLVMBuildSub(k->b, a, LLVMBuildMul(k->b, q, b, ""), "");

    return choose(k, icmp(k, LLVMIntEQ, b, zero_of(b)), zero_of(a), r);
}

/* The smaller or the larger, as the operands' type counts. */
static LLVMValueRef extreme(cg_kernel *k, bool larger, bool is_signed, LLVMValueRef a, LLVMValueRef b)
{
    const LLVMIntPredicate p = larger ? is_signed ? LLVMIntSGT : LLVMIntUGT : is_signed ? LLVMIntSLT : LLVMIntULT;

    return choose(k, icmp(k, p, a, b), a, b);
}

/* By less than 0, or the width and more, nothing is left, or the sign. */
static LLVMValueRef shifted(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b, bool is_signed)
{
    LLVMValueRef most = cg_elt_int(k, e, e->out->type.dtype, 8 * (int)ir_dtype_bytes(e->out->type.dtype) - 1);
    LLVMValueRef within = extreme(k, false, false, b, most), past = icmp(k, LLVMIntUGT, b, most);

    if (e->op->code == IR_SHIFT_RIGHT && is_signed)
        return LLVMBuildAShr(k->b, a, within, "");
    return choose(k, past, zero_of(a),
                  e->op->code == IR_SHIFT_LEFT ? LLVMBuildShl(k->b, a, within, "")
                                               : LLVMBuildLShr(k->b, a, within, ""));
}

static LLVMValueRef act_int(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    const ir_dtype t = e->out->type.dtype;
    const bool is_signed = !is_unsigned(t);
    int low = 0, high = 0;

    switch ((ir_enum_ACT)ir_int(e->op, IR_ATTR_ACT)) {
    case IR_ACT_NONE: return x;
    case IR_ACT_RELU6: high = 6; break;
    case IR_ACT_RELU_N1_TO_1:
        low = -1;
        high = 1;
        break;
    case IR_ACT_RELU_0_TO_1: high = 1; break;
    default: break;
    }
    if (is_signed) /* others are not below 0 */
        x = extreme(k, true, true, x, cg_elt_int(k, e, t, low));
    return high ? extreme(k, false, is_signed, x, cg_elt_int(k, e, t, high)) : x;
}

static LLVMValueRef square(cg_kernel *k, LLVMValueRef x) { return LLVMBuildMul(k->b, x, x, ""); }

/* a to the b by squaring; negative exponents give what rounding towards 0 leaves: 0, or ±1. */
static LLVMValueRef power(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    ir_dtype t = e->out->type.dtype;
    LLVMValueRef y = cg_elt_int(k, e, t, 1), one = y, base = a, odd = LLVMBuildAnd(k->b, b, one, ""), negative;
    LLVMValueRef unit =
        LLVMBuildOr(k->b, icmp(k, LLVMIntEQ, a, one), icmp(k, LLVMIntEQ, a, cg_elt_int(k, e, t, -1)), "");

    for (int bit = 0; bit < 8 * (int)ir_dtype_bytes(t) - 1; bit++) {
        LLVMValueRef set = LLVMBuildAnd(k->b, LLVMBuildLShr(k->b, b, cg_elt_int(k, e, t, bit), ""), one, "");
        y = choose(k, icmp(k, LLVMIntNE, set, zero_of(set)), LLVMBuildMul(k->b, y, base, ""), y);
        base = square(k, base);
    }
    negative = choose(k, icmp(k, LLVMIntNE, odd, zero_of(odd)), a, one);
    negative = choose(k, unit, negative, zero_of(a));
    return choose(k, icmp(k, LLVMIntSLT, b, zero_of(b)), negative, y);
}

static LLVMValueRef compare(cg_kernel *k, const cg_eltwise *e, LLVMIntPredicate s, LLVMIntPredicate u,
                            LLVMValueRef in[])
{
    LLVMValueRef bit = icmp(k, is_unsigned(e->in[0]->type.dtype) ? u : s, in[0], in[1]);

    return LLVMBuildZExt(k->b, bit, cg_elt_type(k, e, IR_BOOL), "");
}

static LLVMValueRef truth(cg_kernel *k, LLVMValueRef x) { return icmp(k, LLVMIntNE, x, zero_of(x)); }

static LLVMValueRef from_truth(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x)
{
    return LLVMBuildZExt(k->b, x, cg_elt_type(k, e, IR_BOOL), "");
}

static LLVMValueRef arithmetic(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    bool is_signed = !is_unsigned(e->in[0]->type.dtype);

    switch (e->op->code) {
    case IR_ADD: return act_int(k, e, LLVMBuildAdd(k->b, a, b, ""));
    case IR_SUB: return act_int(k, e, LLVMBuildSub(k->b, a, b, ""));
    case IR_MUL: return act_int(k, e, LLVMBuildMul(k->b, a, b, ""));
    case IR_DIV: return act_int(k, e, quotient(k, a, b, is_signed));
    case IR_MINIMUM: return extreme(k, false, is_signed, a, b);
    case IR_MAXIMUM: return extreme(k, true, is_signed, a, b);
    case IR_POW: return power(k, e, a, b);
    case IR_SQUARED_DIFFERENCE: return square(k, LLVMBuildSub(k->b, a, b, ""));
    case IR_FLOOR_DIV: return floor_quotient(k, a, b, is_signed);
    case IR_FLOOR_MOD: return floor_remainder(k, a, b, is_signed);
    case IR_BITWISE_AND: return LLVMBuildAnd(k->b, a, b, "");
    case IR_BITWISE_OR: return LLVMBuildOr(k->b, a, b, "");
    case IR_BITWISE_XOR: return LLVMBuildXor(k->b, a, b, "");
    case IR_SHIFT_LEFT:
    case IR_SHIFT_RIGHT: return shifted(k, e, a, b, is_signed);
    case IR_PRELU: return choose(k, icmp(k, LLVMIntSLT, a, zero_of(a)), LLVMBuildMul(k->b, a, b, ""), a);
    default: return NULL;
    }
}

static LLVMValueRef binary_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    switch (e->op->code) {
    case IR_EQUAL: return compare(k, e, LLVMIntEQ, LLVMIntEQ, in);
    case IR_NOT_EQUAL: return compare(k, e, LLVMIntNE, LLVMIntNE, in);
    case IR_LESS: return compare(k, e, LLVMIntSLT, LLVMIntULT, in);
    case IR_LESS_EQUAL: return compare(k, e, LLVMIntSLE, LLVMIntULE, in);
    case IR_GREATER: return compare(k, e, LLVMIntSGT, LLVMIntUGT, in);
    case IR_GREATER_EQUAL: return compare(k, e, LLVMIntSGE, LLVMIntUGE, in);
    case IR_LOGICAL_AND: return from_truth(k, e, LLVMBuildAnd(k->b, truth(k, in[0]), truth(k, in[1]), ""));
    case IR_LOGICAL_OR: return from_truth(k, e, LLVMBuildOr(k->b, truth(k, in[0]), truth(k, in[1]), ""));
    default: return arithmetic(k, e, in[0], in[1]);
    }
}

static LLVMValueRef unary_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    LLVMValueRef x = in[0], negative;

    switch (e->op->code) {
    case IR_ABS: return choose(k, icmp(k, LLVMIntSLT, x, zero_of(x)), LLVMBuildNeg(k->b, x, ""), x);
    case IR_NEG: return LLVMBuildNeg(k->b, x, "");
    case IR_RELU: return act_int(k, e, x);
    case IR_SIGN:
        negative = LLVMBuildAShr(
            k->b, x, cg_elt_int(k, e, e->out->type.dtype, 8 * (int)ir_dtype_bytes(e->out->type.dtype) - 1), "");
        return LLVMBuildOr(k->b, negative, LLVMBuildZExt(k->b, icmp(k, LLVMIntSGT, x, zero_of(x)), LLVMTypeOf(x), ""),
                           "");
    case IR_LOGICAL_NOT: return from_truth(k, e, icmp(k, LLVMIntEQ, x, zero_of(x)));
    default: return x; /* CEIL, FLOOR, ROUND */
    }
}

bool cg_emit_eltwise_int(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, op->operand_count == 1 ? unary_body : binary_body);

    if (ir_has_attr(op, IR_ATTR_ACT))
        e.key = ir_enum_text(IR_KIND_ENUM_ACT, ir_int(op, IR_ATTR_ACT));
    return cg_eltwise_emit(m, &e);
}

/* ---- Selection ---- */

static LLVMValueRef select_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    (void)e;
    return choose(k, truth(k, in[0]), in[1], in[2]);
}

bool cg_emit_select(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, select_body);

    return cg_eltwise_emit(m, &e);
}

/* ---- Casts ---- */

static LLVMValueRef float_to_int(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, ir_dtype to)
{
    LLVMTypeRef types[2] = {cg_elt_type(k, e, to), LLVMTypeOf(x)};

    if (to == IR_BOOL)
        return from_truth(k, e, LLVMBuildFCmp(k->b, LLVMRealUNE, x, LLVMConstNull(LLVMTypeOf(x)), ""));
    return cg_intrinsic(k, is_unsigned(to) ? "llvm.fptoui.sat" : "llvm.fptosi.sat", types, 2, &x, 1);
}

/* By way of double, as the interpreter goes; that matters for 64 bits only. */
static LLVMValueRef int_to_float(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, ir_dtype from, ir_dtype to)
{
    LLVMTypeRef type = cg_elt_type(k, e, from == IR_I64 ? IR_F64 : to);

    x = is_unsigned(from) ? LLVMBuildUIToFP(k->b, x, type, "") : LLVMBuildSIToFP(k->b, x, type, "");
    return LLVMBuildFPCast(k->b, x, cg_elt_type(k, e, to), "");
}

static LLVMValueRef int_to_int(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, ir_dtype from, ir_dtype to)
{
    LLVMTypeRef type = cg_elt_type(k, e, to);

    if (to == IR_BOOL)
        return from_truth(k, e, truth(k, x));
    return LLVMBuildIntCast2(k->b, x, type, !is_unsigned(from), "");
}

static LLVMValueRef cast_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    ir_dtype from = e->in[0]->type.dtype, to = e->out->type.dtype;

    if (from == IR_F16 && to == IR_F32)
        return cg_elt_half(k, e, in[0]);
    if (from == IR_F32 && to == IR_F16)
        return cg_elt_to_half(k, e, in[0]);
    if (ir_dtype_is_float(from) && ir_dtype_is_float(to))
        return LLVMBuildFPCast(k->b, in[0], cg_elt_type(k, e, to), "");
    if (ir_dtype_is_float(from))
        return float_to_int(k, e, in[0], to);
    if (ir_dtype_is_float(to))
        return int_to_float(k, e, in[0], from, to);
    return int_to_int(k, e, in[0], from, to);
}

bool cg_emit_cast(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, cast_body);

    return cg_eltwise_emit(m, &e);
}
