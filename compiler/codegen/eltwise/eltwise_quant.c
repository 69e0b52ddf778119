/* eltwise_quant.c: binary element-wise ops on 8- and 16-bit quantized values.
 *
 *     add, sub   even_f32: round(fma(a - za, sa/sy, (b - zb) * ±sb/sy)) + zy
 *     mul        even_f32: round((a - za)(b - zb) * (sa sb / sy)) + zy
 *
 *     div        even_f32: round((a - za) / (b - zb) * (sa / (sb sy))) + zy; zy where b is 0
 *     minimum, maximum: of both on the result's scale, or of the stored integers; prelu: mul on the negative side, the
 * scale alone on the other
 *
 * and the fixed-point forms of TFLite's reference kernels; ir/ref/ref_quant.h has the same formulas in C, and the
 * parameters. 64 bytes go at a time: four vectors of 32-bit lanes, which saturating packs join again. */
#include "compiler/codegen/eltwise/eltwise.h"

#include <math.h>
#include <string.h>

#include "compiler/codegen/build/quantvec.h"
#include "compiler/codegen/codegen.h"
#include "ir/ref/ref_quant.h"

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
static LLVMValueRef finish_float(cg_kernel *k, const cg_eltwise *e, LLVMValueRef y, const cg_quant_end *end,
                                 double magnitude)
{
    if (!(magnitude < 1e9)) { /* the conversion to integer might overflow */
        y = cg_max(k, y, cg_elt_f32(k, e, (float)(end->min - end->zero)));
        y = cg_min(k, y, cg_elt_f32(k, e, (float)(end->max - end->zero)));
    }
    return cg_quant_finish(k, end, cg_round_to_i32(k, y));
}

/* The parameters of an op, as ir/ref/ref_binary.c has them. */
typedef struct context {
    ir_enum_ROUNDING rounding;
    bool stored; /* minimum, maximum: of stored integers */
    bool same;   /* comparisons: equal scales */
    ir_add_quant add;
    arith_multiplier common1, common2;
    ir_requant product, first, second;
    float scale1, scale2, inverse;
    cg_quant_end end;
    double span1, span2; /* largest |a - za|, |b - zb| */
} context;

static bool is_even(const context *c) { return c->rounding == IR_ROUNDING_EVEN_F32; }

/* ---- Sums ---- */

static LLVMValueRef shifted(cg_kernel *k, const context *c, LLVMValueRef x, int by, arith_multiplier multiplier)
{
    x = LLVMBuildShl(k->b, x, cg_splat_i32(k, by, LLVMGetVectorSize(LLVMTypeOf(x))), "");
    return cg_quant_mul_fixed(k, c->rounding, x, multiplier);
}

static LLVMValueRef sum(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    const context *c = e->context;
    LLVMValueRef y;

    if (is_even(c)) {
        b = LLVMBuildFMul(k->b, to_float(k, e, b), cg_elt_f32(k, e, c->add.scale2), "");
        y = cg_fma(k, to_float(k, e, a), cg_elt_f32(k, e, c->add.scale1), b);
        return finish_float(k, e, y, &c->end,
                            c->span1 * fabs((double)c->add.scale1) + c->span2 * fabs((double)c->add.scale2));
    }
    a = shifted(k, c, a, c->add.left_shift, c->add.multiplier1);
    b = shifted(k, c, b, c->add.left_shift, c->add.multiplier2);
    y = c->add.subtract ? LLVMBuildSub(k->b, a, b, "") : LLVMBuildAdd(k->b, a, b, "");
    return cg_quant_finish(k, &c->end, cg_quant_mul_fixed(k, c->rounding, y, c->add.multiplier));
}

/* ---- Products ---- */

/* i32 lanes times the multiplier, neither clamped nor moved by the zero point; within ±2^30. */
static LLVMValueRef scaled(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, const ir_requant *by)
{
    const context *c = e->context;

    if (!is_even(c))
        return cg_quant_mul_fixed(k, c->rounding, x, by->multiplier);
    x = LLVMBuildFMul(k->b, to_float(k, e, x), cg_elt_f32(k, e, by->scale), "");
    x = cg_max(k, x, cg_elt_f32(k, e, (float)(c->end.min - c->end.zero)));
    x = cg_min(k, x, cg_elt_f32(k, e, (float)(c->end.max - c->end.zero)));
    return cg_round_to_i32(k, x);
}

static LLVMValueRef product(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    const context *c = e->context;
    LLVMValueRef p = LLVMBuildMul(k->b, a, b, "");

    if (!is_even(c))
        return cg_quant_finish(k, &c->end, scaled(k, e, p, &c->product));
    p = LLVMBuildFMul(k->b, to_float(k, e, p), cg_elt_f32(k, e, c->product.scale), "");
    return finish_float(k, e, p, &c->end, c->span1 * c->span2 * fabs((double)c->product.scale));
}

static LLVMValueRef quotient(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    const context *c = e->context;
    LLVMValueRef none = LLVMBuildICmp(k->b, LLVMIntEQ, b, cg_elt_i32(k, e, 0), ""), y;

    y = LLVMBuildFDiv(k->b, to_float(k, e, a), to_float(k, e, b), "");
    y = LLVMBuildFMul(k->b, y, cg_elt_f32(k, e, c->product.scale), "");
    y = LLVMBuildSelect(k->b, none, cg_elt_f32(k, e, 0), y, "");
    return finish_float(k, e, y, &c->end, c->span1 * fabs((double)c->product.scale));
}

static LLVMValueRef squared_difference(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    const context *c = e->context;
    LLVMValueRef y;

    if (is_even(c)) {
        b = LLVMBuildFMul(k->b, to_float(k, e, b), cg_elt_f32(k, e, c->scale2), "");
        y = cg_fma(k, to_float(k, e, a), cg_elt_f32(k, e, c->scale1), LLVMBuildFNeg(k->b, b, ""));
        y = LLVMBuildFMul(k->b, LLVMBuildFMul(k->b, y, y, ""), cg_elt_f32(k, e, c->inverse), "");
        return finish_float(k, e, y, &c->end, INFINITY);
    }
    y = LLVMBuildSub(k->b, shifted(k, c, a, 7, c->common1), shifted(k, c, b, 7, c->common2), "");
    return cg_quant_finish(k, &c->end,
                           cg_quant_mul_fixed(k, c->rounding, LLVMBuildMul(k->b, y, y, ""), c->product.multiplier));
}

/* ---- Choices ---- */

static LLVMValueRef prelu(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    const context *c = e->context;
    LLVMValueRef negative = LLVMBuildICmp(k->b, LLVMIntSLT, a, cg_elt_i32(k, e, 0), "");
    LLVMValueRef below = scaled(k, e, LLVMBuildMul(k->b, a, b, ""), &c->product), above = scaled(k, e, a, &c->first);

    return cg_quant_finish(k, &c->end, LLVMBuildSelect(k->b, negative, below, above, ""));
}

/* What cg_quant_finish makes the stored integer of again. */
static LLVMValueRef stored(cg_kernel *k, const cg_eltwise *e, LLVMValueRef x, const ir_value *v)
{
    const int32_t apart = ir_zero_of(v) - ir_zero_of(e->out);

    return apart ? LLVMBuildAdd(k->b, x, cg_elt_i32(k, e, apart), "") : x;
}

static LLVMValueRef smaller_or_larger(cg_kernel *k, const cg_eltwise *e, LLVMValueRef a, LLVMValueRef b)
{
    const context *c = e->context;

    if (!c->stored) {
        a = scaled(k, e, a, &c->first);
        b = scaled(k, e, b, &c->second);
    } else {
        a = stored(k, e, a, e->in[0]);
        b = stored(k, e, b, e->in[1]);
    }
    return cg_quant_finish(k, &c->end, e->op->code == IR_MINIMUM ? cg_min(k, a, b) : cg_max(k, a, b));
}

static LLVMValueRef quantized_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    LLVMValueRef a = centred(k, e, in[0], e->in[0]), b = centred(k, e, in[1], e->in[1]);

    switch (e->op->code) {
    case IR_ADD:
    case IR_SUB: return sum(k, e, a, b);
    case IR_MUL: return product(k, e, a, b);
    case IR_DIV: return quotient(k, e, a, b);
    case IR_SQUARED_DIFFERENCE: return squared_difference(k, e, a, b);
    case IR_PRELU: return prelu(k, e, a, b);
    default: return smaller_or_larger(k, e, a, b);
    }
}

/* ---- Comparisons, of real values ---- */

static LLVMValueRef comparison_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    static const struct {
        ir_opcode code;
        LLVMIntPredicate of_ints;
        LLVMRealPredicate of_floats;
    } predicates[] = {{IR_EQUAL, LLVMIntEQ, LLVMRealOEQ},    {IR_NOT_EQUAL, LLVMIntNE, LLVMRealUNE},
                      {IR_LESS, LLVMIntSLT, LLVMRealOLT},    {IR_LESS_EQUAL, LLVMIntSLE, LLVMRealOLE},
                      {IR_GREATER, LLVMIntSGT, LLVMRealOGT}, {IR_GREATER_EQUAL, LLVMIntSGE, LLVMRealOGE}};
    const context *c = e->context;
    LLVMValueRef a = centred(k, e, in[0], e->in[0]), b = centred(k, e, in[1], e->in[1]), holds;
    int p = 0;

    while (predicates[p].code != e->op->code)
        p++;
    if (is_even(c) && !c->same) {
        a = LLVMBuildFMul(k->b, to_float(k, e, a), cg_elt_f32(k, e, c->scale1), "");
        b = LLVMBuildFMul(k->b, to_float(k, e, b), cg_elt_f32(k, e, c->scale2), "");
        holds = LLVMBuildFCmp(k->b, predicates[p].of_floats, a, b, "");
    } else {
        if (!is_even(c)) {
            a = shifted(k, c, a, 8, c->common1);
            b = shifted(k, c, b, 8, c->common2);
        }
        holds = LLVMBuildICmp(k->b, predicates[p].of_ints, a, b, "");
    }
    return LLVMBuildZExt(k->b, holds, cg_elt_type(k, e, IR_BOOL), "");
}

/* ---- Any function of two bytes, where code would not pay: a table of 65536 results from the interpreter ---- */

static LLVMValueRef pair_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    LLVMTypeRef type = cg_elt_type(k, e, IR_I64);
    LLVMValueRef a = LLVMBuildZExt(k->b, in[0], type, ""), b = LLVMBuildZExt(k->b, in[1], type, ""), index;
    LLVMValueRef result = LLVMGetPoison(cg_elt_type(k, e, IR_U8));

    index = LLVMBuildAdd(k->b, LLVMBuildShl(k->b, a, cg_elt_int(k, e, IR_I64, 8), ""), b, "");
    for (unsigned i = 0; i < e->width; i++) {
        LLVMValueRef lane = cg_i32(k, (int)i),
                     at = cg_at(k, e->constant_pointer, LLVMBuildExtractElement(k->b, index, lane, ""));
        result = LLVMBuildInsertElement(k->b, result, cg_load(k, k->m->i8, at, 1), lane, "");
    }
    return result;
}

/* The same op on all pairs: first operand [256, 1], second [1, 256]. */
static bool pair_table(cg_module *m, const ir_op *op, uint8_t table[65536])
{
    int64_t dims[3][2] = {{256, 1}, {1, 256}, {256, 256}};
    ir_graph *g = ir_graph_new();
    ir_value *operands[2];
    uint8_t bytes[256];
    ir_op *twin;
    bool ok;

    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    for (int i = 0; i < 2; i++) {
        const ir_value *v = op->operands[i].value;
        operands[i] = ir_input_new(g, ir_type_make(v->type.dtype, 2, dims[i]), v->quant, "x");
    }
    twin = ir_op_new(g, op->code, NULL, 2, operands);
    ir_attrs_copy(twin, op);
    ir_result_set(twin, 0, ir_type_make(op->results[0]->type.dtype, 2, dims[2]), op->results[0]->quant);
    ok = ir_eval_op(twin, (const void *const[]){bytes, bytes}, (void *const[]){table}, m->diag);
    ir_graph_free(g);
    return ok;
}

bool cg_emit_eltwise_pairs(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, pair_body);
    uint8_t *table = arena_alloc(m->arena, 65536);

    if (!pair_table(m, op, table))
        return false;
    e.key = "pairs";
    e.constant = cg_constant(m, table, 65536, "table");
    return cg_eltwise_emit(m, &e);
}

/* ---- Parameters ---- */

static double span_of(const ir_value *v)
{
    int32_t min, max;

    ir_dtype_range(v->type.dtype, &min, &max);
    return fmax((double)max - ir_zero_of(v), (double)ir_zero_of(v) - min);
}

static void parameters(context *c, const cg_eltwise *e)
{
    const ir_op *op = e->op;
    ir_quant_point a = ir_point_of(e->in[0]), b = ir_point_of(e->in[1]), y = ir_point_of(e->out);
    bool even;

    *c = (context){0};
    c->rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    even = is_even(c);
    c->stored = ir_compares_stored(c->rounding, a, b, y);
    c->span1 = span_of(e->in[0]);
    c->span2 = span_of(e->in[1]);
    c->scale1 = a.scale;
    c->scale2 = b.scale;
    c->inverse = 1.0f / y.scale;
    c->end = cg_quant_end_of(e->out, ir_has_attr(op, IR_ATTR_ACT) ? (ir_enum_ACT)ir_int(op, IR_ATTR_ACT) : IR_ACT_NONE);
    if (op->code == IR_ADD || op->code == IR_SUB)
        c->add = ir_add_quant_of(op, c->end.min, c->end.max);
    c->common1 = arith_multiplier_of(a.scale / (2.0 * (a.scale > b.scale ? a.scale : b.scale)));
    c->common2 = arith_multiplier_of(b.scale / (2.0 * (a.scale > b.scale ? a.scale : b.scale)));
    c->product = ir_requant_make(c->rounding, ir_product_ratio(op, even, a.scale, b.scale, y.scale), 0, 0, 0);
    c->first = ir_requant_make(c->rounding, even ? (double)a.scale / y.scale : a.scale / y.scale, 0, 0, 0);
    c->second = ir_requant_make(c->rounding, even ? (double)b.scale / y.scale : b.scale / y.scale, 0, 0, 0);
}

/* All that the parameters follow from. */
static bool emit_with(cg_module *m, cg_eltwise *e, const context *c)
{
    const ir_op *op = e->op;

    e->context = c;
    e->key =
        arena_format(m->arena, "%a %d %a %d %a %d %d %d %d %d", (double)ir_scale_of(e->in[0]), ir_zero_of(e->in[0]),
                     (double)ir_scale_of(e->in[1]), ir_zero_of(e->in[1]), (double)ir_scale_of(e->out),
                     ir_zero_of(e->out), c->rounding, ir_has_attr(op, IR_ATTR_ACT) ? (int)ir_int(op, IR_ATTR_ACT) : 0,
                     ir_has_attr(op, IR_ATTR_SHIFTED) ? (int)ir_int(op, IR_ATTR_SHIFTED) : 0,
                     ir_unused_key(ir_point_of(e->out).unused));
    e->is_int8 = true;
    return cg_eltwise_emit(m, e);
}

bool cg_emit_eltwise_quantized(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, quantized_body);
    context c;

    parameters(&c, &e);
    return emit_with(m, &e, &c);
}

bool cg_emit_eltwise_compare(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, comparison_body);
    context c = {0};

    c.rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    c.scale1 = ir_scale_of(e.in[0]);
    c.scale2 = ir_scale_of(e.in[1]);
    c.same = c.scale1 == c.scale2;
    c.common1 = arith_multiplier_of(c.scale1);
    c.common2 = arith_multiplier_of(c.scale2);
    return emit_with(m, &e, &c);
}

/* ---- Requantization of 32-bit values; narrower ones are tables ---- */

static LLVMValueRef requantize_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    const context *c = e->context;
    LLVMTypeRef type = LLVMTypeOf(in[0]);
    LLVMValueRef args[2] = {in[0], cg_elt_i32(k, e, ir_zero_of(e->in[0]))},
                 x = cg_intrinsic(k, "llvm.ssub.sat", &type, 1, args, 2);

    x = scaled(k, e, cg_max(k, x, cg_elt_i32(k, e, INT32_MIN + 1)), &c->first);
    return cg_quant_finish(k, &c->end, x);
}

bool cg_emit_requantize_i32(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, requantize_body);
    context c = {.rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING)};

    c.end = cg_quant_end_of(e.out, IR_ACT_NONE);
    c.first = ir_requant_make(c.rounding, (double)ir_scale_of(e.in[0]) / ir_scale_of(e.out), 0, 0, 0);
    e.context = &c;
    e.key = arena_format(m->arena, "%a %d %a %d %d %d", (double)ir_scale_of(e.in[0]), ir_zero_of(e.in[0]),
                         (double)ir_scale_of(e.out), ir_zero_of(e.out), ir_unused_key(ir_point_of(e.out).unused),
                         c.rounding);
    return cg_eltwise_emit(m, &e);
}
