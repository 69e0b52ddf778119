/* softmax.c: softmax and log_softmax along the last dimension.
 *
 *     8 bits, even_f32   d = largest - x picks from a table of exponentials (22 fractional bits); integer sum;
 *                        q = lrintf(float(table[d]) * (1 / (float(sum) * result scale))) + zero
 *     fixed roundings    qcc_op_softmax, qcc_op_softmax_wide, qcc_op_log_softmax of the runtime library
 *     floats             log_softmax: x - largest - log(sum of exponentials); softmax is softmax_real.c's */
#include "compiler/codegen/rows/normalize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arith/fixed_point.h"
#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/quantvec.h"
#include "ir/ref/ref_lut16.h"
#include "runtime/ops.h"

enum { TABLE_BITS = 22 };
enum { ARG_TABLE = 2, ARG_REALS = 3 };

typedef struct softmax {
    bool is_log, is_float;
    LLVMTypeRef values;           /* vector of operand elements */
    LLVMValueRef largest;         /* scalar */
    LLVMValueRef factor, log_sum; /* scalars */
} softmax;

static void fold_largest(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef v = row_load(r, s->values, first, mask);
    if (s->is_float) {
        if (mask)
            v = LLVMBuildSelect(k->b, mask, v, cg_splat_f32(k, -INFINITY, r->lanes), "");
        acc[0] = cg_max(k, v, acc[0]);
        return;
    }
    acc[0] = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntUGT, v, acc[0], ""), v, acc[0], "");
}

/* ---- 8-bit values ---- */

/* largest - x, as i32 lanes; of masked lanes whatever lies within the table. */
static LLVMValueRef differences(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef v = row_load(r, s->values, first, mask);
    v = LLVMBuildSub(k->b, cg_splat(k, s->largest, r->lanes), v, "");
    return LLVMBuildZExt(k->b, v, cg_vector(k->m->i32, r->lanes), "");
}

/* table[index] of 4-byte elements. */
static LLVMValueRef gather(row_kernel *r, LLVMTypeRef element, LLVMValueRef table, LLVMValueRef index,
                           LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMTypeRef vector = cg_vector(element, r->lanes);
    index = LLVMBuildZExt(k->b, index, cg_vector(k->m->i64, r->lanes), "");
    LLVMValueRef pointers = LLVMBuildGEP2(k->b, element, table, &index, 1, "");
    LLVMTypeRef overloads[2] = {vector, LLVMTypeOf(pointers)};
    if (!mask)
        mask = cg_splat(k, LLVMConstInt(k->m->i1, 1, 0), r->lanes);
    LLVMValueRef args[4] = {pointers, cg_i32(k, 4), mask, LLVMConstNull(vector)};
    return cg_intrinsic(k, "llvm.masked.gather", overloads, 2, args, 4);
}

static void fold_sum(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    cg_kernel *k = r->k;
    LLVMValueRef e = gather(r, k->m->i32, k->arg[ARG_TABLE], differences(r, first, mask), mask);
    acc[0] = LLVMBuildAdd(k->b, acc[0], LLVMBuildZExt(k->b, e, LLVMTypeOf(acc[0]), ""), "");
}

static void store_quantized(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    const ir_value *x = ir_operand_value(r->op, 0), *y = r->op->results[0];
    LLVMValueRef d = differences(r, first, mask), q;
    LLVMTypeRef reals = cg_vector(k->m->f32, r->lanes);
    if (s->is_log) {
        q = LLVMBuildFMul(k->b, LLVMBuildSIToFP(k->b, LLVMBuildNeg(k->b, d, ""), reals, ""),
                          cg_splat_f32(k, x->quant->scale[0], r->lanes), "");
        q = LLVMBuildFSub(k->b, q, cg_splat(k, s->log_sum, r->lanes), "");
        q = LLVMBuildFMul(k->b, q, cg_splat_f32(k, 1.0f / y->quant->scale[0], r->lanes), "");
    } else {
        q = gather(r, k->m->f32, k->arg[ARG_REALS], d, mask);
        q = LLVMBuildFMul(k->b, q, cg_splat(k, s->factor, r->lanes), "");
    }
    cg_quant_end end = cg_quant_end_of(y, IR_ACT_NONE);
    q = cg_max(k, q, cg_splat_f32(k, (float)(end.min - end.zero), r->lanes));
    q = cg_min(k, q, cg_splat_f32(k, (float)(end.max - end.zero), r->lanes));
    row_store(r, cg_quant_finish(k, &end, cg_round_to_i32(k, q)), first, mask);
}

static void quantized_row(row_kernel *r)
{
    softmax *s = r->context;
    cg_kernel *k = r->k;
    s->values = cg_vector(k->m->i8, r->lanes);
    LLVMValueRef acc[1] = {LLVMConstNull(s->values)};
    row_fold(r, fold_largest, 1, acc);
    s->largest = row_reduce(r, acc[0], '>');
    bool small = r->columns / r->lanes < 1000; /* a lane's sum stays below 2^32 */
    acc[0] = LLVMConstNull(cg_vector(small ? k->m->i32 : k->m->i64, r->lanes));
    row_fold(r, fold_sum, 1, acc);
    LLVMValueRef lanes = small ? LLVMBuildZExt(k->b, acc[0], cg_vector(k->m->i64, r->lanes), "") : acc[0];
    LLVMValueRef sum = LLVMBuildUIToFP(k->b, row_reduce(r, lanes, '+'), k->m->f32, "");
    LLVMValueRef divisor = LLVMBuildFMul(k->b, sum, cg_f32(k, r->op->results[0]->quant->scale[0]), "");
    s->factor = LLVMBuildFDiv(k->b, cg_f32(k, 1), divisor, "");
    if (s->is_log)
        s->log_sum = cg_math_call(k, "qcc_op_log", LLVMBuildFMul(k->b, sum, cg_f32(k, 1.0f / (1 << TABLE_BITS)), ""));
    row_each(r, store_quantized);
}

/* ---- Floats ---- */

static LLVMValueRef shifted(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const softmax *s = r->context;
    return LLVMBuildFSub(r->k->b, row_load(r, s->values, first, mask), cg_splat(r->k, s->largest, r->lanes), "");
}

static void fold_exp(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef e = cg_math_exp(k, shifted(r, first, mask));
    if (mask)
        e = LLVMBuildSelect(k->b, mask, e, LLVMConstNull(s->values), "");
    acc[0] = LLVMBuildFAdd(k->b, acc[0], e, "");
}

static void store_logarithm(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const softmax *s = r->context;
    row_store(r, LLVMBuildFSub(r->k->b, shifted(r, first, mask), cg_splat(r->k, s->log_sum, r->lanes), ""), first,
              mask);
}

static void real_row(row_kernel *r)
{
    softmax *s = r->context;
    cg_kernel *k = r->k;
    s->values = cg_vector(k->m->f32, r->lanes);
    LLVMValueRef acc[1] = {cg_splat_f32(k, -INFINITY, r->lanes)};
    row_fold(r, fold_largest, 1, acc);
    s->largest = row_reduce(r, acc[0], '>');
    acc[0] = LLVMConstNull(s->values);
    row_fold(r, fold_exp, 1, acc);
    s->log_sum = cg_math_log(k, row_reduce(r, acc[0], '+'));
    row_each(r, store_logarithm);
}

/* ---- Fixed roundings: tables by difference ---- */

/* The table form, of bytes; softmax makes 16-bit values of them, too. */
static bool is_table(const ir_op *op)
{
    const ir_dtype y = op->results[0]->type.dtype;
    return ir_softmax_is_table(op) && op->operands[0].value->type.dtype == IR_U8 &&
           (y == IR_U8 || (y == IR_I16 && op->code == IR_SOFTMAX));
}

static bool is_even(const ir_op *op) { return ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32; }

cg_fit cg_softmax_fixed_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(is_table(op) && !is_even(op), NULL);
}

bool cg_emit_softmax_fixed(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0);
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    const bool once = rounding == IR_ROUNDING_FIXED_ONCE;
    const float beta = op->code == IR_SOFTMAX ? ir_float(op, IR_ATTR_BETA) : 1.0f;
    const double limit = once ? (double)((1 << 30) - 1) : 2147483647.0;
    double real = (double)beta * x->quant->scale[0] * (1 << 26);
    const arith_multiplier to_q5 = arith_multiplier_of(real > limit ? limit : real);
    const int left = to_q5.shift < 0 ? 0 : to_q5.shift;
    qcc_op_normalize *t = ARENA_NEW(m->arena, qcc_op_normalize);
    t->twice = !once;
    t->difference_min = -(int32_t)floor(31.0 * (1 << 26) / (double)((int64_t)1 << left));
    arith_multiplier from_q5 = {0, 0};
    if (to_q5.mantissa)
        from_q5 = arith_multiplier_of((double)((int64_t)1 << (31 - left)) / to_q5.mantissa);
    t->from_q5_mantissa = from_q5.mantissa;
    t->from_q5_shift = from_q5.shift;
    for (int d = 0; d < 256; d++) {
        t->differences[d] = once ? arith_mul_fixed_once(-d, to_q5) : arith_mul_fixed_twice(-d, to_q5);
        t->exponentials[d] = -d >= t->difference_min ? arith_fixed_exp_q5(t->differences[d]) : 0;
    }
    return row_helper_emit(m, op,
                           op->code == IR_LOG_SOFTMAX             ? "qcc_op_log_softmax"
                           : op->results[0]->type.dtype == IR_I16 ? "qcc_op_softmax_wide"
                                                                  : "qcc_op_softmax",
                           t, sizeof *t);
}

cg_fit cg_softmax_i16_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(op->operands[0].value->type.dtype == IR_I16 && op->results[0]->type.dtype == IR_I16, NULL);
}

bool cg_emit_softmax_i16(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *y = op->results[0];
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    if (rounding == IR_ROUNDING_EVEN_F32) {
        const qcc_op_softmax_real16 c = {x->quant->scale[0], ir_float(op, IR_ATTR_BETA), 1.0f / y->quant->scale[0],
                                         x->quant->zero[0], y->quant->zero[0]};
        return row_helper_emit(m, op, "qcc_op_softmax16_real", &c, sizeof c);
    }
    ir_softmax16 from;
    ir_softmax16_init(&from, rounding, x->quant->scale[0], ir_float(op, IR_ATTR_BETA));
    qcc_op_softmax_table16 c = {.mantissa = from.difference.mantissa,
                                .shift = from.difference.shift,
                                .twice = rounding == IR_ROUNDING_FIXED_TWICE};
    memcpy(c.exponential, from.exponential.at, sizeof c.exponential);
    memcpy(c.reciprocal, from.reciprocal.at, sizeof c.reciprocal);
    return row_helper_emit(m, op, "qcc_op_softmax16_fixed", &c, sizeof c);
}

cg_fit cg_log_softmax_f32_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(op->operands[0].value->type.dtype == IR_F32, NULL);
}

bool cg_emit_log_softmax_f32(cg_module *m, const ir_op *op)
{
    softmax s = {.is_log = true, .is_float = true};
    return row_kernel_emit(m, op, "", real_row, m->target->vector_bytes / 4, &s, 0, NULL);
}

cg_fit cg_softmax_table_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(is_table(op) && is_even(op), NULL);
}

bool cg_emit_softmax_table(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *y = op->results[0];
    softmax s = {.is_log = op->code == IR_LOG_SOFTMAX};
    char key[128];
    uint32_t table[256];
    float reals[256];
    ir_softmax_table(op, table);
    for (int d = 0; d < 256; d++)
        reals[d] = (float)table[d];
    cg_arg constants[2] = {cg_arg_constant(cg_constant(m, table, sizeof table, "exponentials")),
                           cg_arg_constant(cg_constant(m, reals, sizeof reals, "exponentials"))};
    snprintf(key, sizeof key, "%a %a %d.%d", s.is_log ? (double)x->quant->scale[0] : 0, (double)y->quant->scale[0],
             y->quant->zero[0], ir_unused_key(y->quant->unused));
    return row_kernel_emit(m, op, key, quantized_row, m->target->vector_bytes / 4, &s, 2, constants);
}
