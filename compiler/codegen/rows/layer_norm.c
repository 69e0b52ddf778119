/* layer_norm.c: layer_norm along the last dimension, a row at a time.
 *
 *     8 bits     sum of q and of q (q - 128), by dot products of bytes; from them, exactly, the sums of the centred
 * integers and their squares; mean, variance, and then in one go q = lrintf(fma((c - mean) * inverse, gamma, beta) * (1
 * / result scale)) + zero floats     sum, sum of the squared distances from the mean, result: three passes over a row
 * that is near */
#include <stdio.h>

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/quantvec.h"
#include "compiler/codegen/rows/normalize.h"
#include "ir/ref/interp.h"

enum { ARG_PARAMETERS = 2 };

typedef struct layer_norm {
    bool is_float;
    LLVMValueRef gamma, beta;   /* pointers, or NULL */
    LLVMValueRef mean, inverse; /* scalars */
} layer_norm;

/* ---- Floats ---- */

static LLVMValueRef load_real(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    return row_load(r, cg_vector(r->k->m->f32, r->lanes), first, mask);
}

static LLVMValueRef load_distance(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const layer_norm *c = r->context;
    return LLVMBuildFSub(r->k->b, load_real(r, first, mask), cg_splat(r->k, c->mean, r->lanes), "");
}

static void add_real(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    acc[0] = LLVMBuildFAdd(r->k->b, acc[0], load_real(r, first, mask), "");
}

static void add_square(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    LLVMValueRef d = load_distance(r, first, mask);
    if (mask)
        d = LLVMBuildSelect(r->k->b, mask, d, LLVMConstNull(LLVMTypeOf(d)), "");
    acc[0] = cg_fma(r->k, d, d, acc[0]);
}

static void real_statistics(row_kernel *r, layer_norm *c, LLVMValueRef *variance)
{
    cg_kernel *k = r->k;
    LLVMValueRef count = cg_f32(k, (float)r->columns), acc[1] = {LLVMConstNull(cg_vector(k->m->f32, r->lanes))};
    row_fold(r, add_real, 1, acc);
    c->mean = LLVMBuildFDiv(k->b, row_reduce(r, acc[0], '+'), count, "");
    acc[0] = LLVMConstNull(cg_vector(k->m->f32, r->lanes));
    row_fold(r, add_square, 1, acc);
    *variance = LLVMBuildFDiv(k->b, row_reduce(r, acc[0], '+'), count, "");
}

/* ---- 8-bit values ---- */

static LLVMValueRef load_bytes(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    return row_load(r, cg_vector(r->k->m->i8, r->lanes), first, mask);
}

/* Masked bytes are 0, and add 0 to both. */
static void add_bytes(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    cg_kernel *k = r->k;
    LLVMValueRef q = load_bytes(r, first, mask);
    LLVMValueRef less_128 = LLVMBuildXor(k->b, q, cg_splat(k, cg_i8(k, 128), r->lanes), "");
    acc[0] = cg_dot4(k, acc[0], q, cg_splat(k, cg_i8(k, 1), r->lanes));
    acc[1] = cg_dot4(k, acc[1], q, less_128);
}

static LLVMValueRef wide_sum(row_kernel *r, LLVMValueRef acc)
{
    LLVMTypeRef wide = cg_vector(r->k->m->i64, r->lanes / 4);
    return row_reduce(r, LLVMBuildSExt(r->k->b, acc, wide, ""), '+');
}

static LLVMValueRef times(cg_kernel *k, LLVMValueRef x, int64_t factor)
{
    return LLVMBuildMul(k->b, x, cg_i64(k, factor), "");
}

/* a sum q, b sum q (q - 128):  sum c = a - n z;  sum c² = b + 128 a - 2 z a + n z² */
static void integer_statistics(row_kernel *r, layer_norm *c, LLVMValueRef *variance)
{
    cg_kernel *k = r->k;
    LLVMTypeRef lanes = cg_vector(k->m->i32, r->lanes / 4), f64 = LLVMDoubleTypeInContext(k->m->context);
    const int64_t n = r->columns, zero = ir_operand_value(r->op, 0)->quant->zero[0];
    LLVMValueRef acc[2] = {LLVMConstNull(lanes), LLVMConstNull(lanes)};
    row_fold(r, add_bytes, 2, acc);
    LLVMValueRef a = wide_sum(r, acc[0]), b = wide_sum(r, acc[1]);
    LLVMValueRef sum = cg_add(k, a, cg_i64(k, -n * zero));
    LLVMValueRef squares = cg_add(k, cg_add(k, b, times(k, a, 128 - 2 * zero)), cg_i64(k, n * zero * zero));
    LLVMValueRef spread = LLVMBuildSub(k->b, times(k, squares, n), LLVMBuildMul(k->b, sum, sum, ""), "");
    LLVMValueRef mean = LLVMBuildFDiv(k->b, LLVMBuildSIToFP(k->b, sum, f64, ""), LLVMConstReal(f64, (double)n), "");
    c->mean = LLVMBuildFPTrunc(k->b, mean, k->m->f32, "");
    spread = LLVMBuildFDiv(k->b, LLVMBuildSIToFP(k->b, spread, f64, ""), LLVMConstReal(f64, (double)n * (double)n), "");
    *variance = LLVMBuildFPTrunc(k->b, spread, k->m->f32, "");
}

static LLVMValueRef integer_distance(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const layer_norm *c = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef v = LLVMBuildZExt(k->b, load_bytes(r, first, mask), cg_vector(k->m->i32, r->lanes), "");
    v = LLVMBuildSub(k->b, v, cg_splat_i32(k, ir_operand_value(r->op, 0)->quant->zero[0], r->lanes), "");
    v = LLVMBuildSIToFP(k->b, v, cg_vector(k->m->f32, r->lanes), "");
    return LLVMBuildFSub(k->b, v, cg_splat(k, c->mean, r->lanes), "");
}

/* ---- Rows ---- */

static LLVMValueRef parameter(row_kernel *r, LLVMValueRef pointer, LLVMValueRef first, LLVMValueRef mask,
                              float otherwise)
{
    if (!pointer)
        return cg_splat_f32(r->k, otherwise, r->lanes);
    return cg_load_lanes(r->k, cg_vector(r->k->m->f32, r->lanes), cg_at(r->k, pointer, cg_mul_const(r->k, first, 4)),
                         mask);
}

static void store_normalized(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const layer_norm *c = r->context;
    cg_kernel *k = r->k;
    const ir_value *y = r->op->results[0];
    LLVMValueRef v = c->is_float ? load_distance(r, first, mask) : integer_distance(r, first, mask);
    v = LLVMBuildFMul(k->b, v, cg_splat(k, c->inverse, r->lanes), "");
    v = cg_fma(k, v, parameter(r, c->gamma, first, mask, 1), parameter(r, c->beta, first, mask, 0));
    if (y->type.dtype == IR_F32) {
        row_store(r, v, first, mask);
        return;
    }
    const cg_quant_end end = cg_quant_end_of(y, IR_ACT_NONE);
    v = LLVMBuildFMul(k->b, v, cg_splat_f32(k, 1.0f / y->quant->scale[0], r->lanes), "");
    v = cg_max(k, v, cg_splat_f32(k, (float)(end.min - end.zero), r->lanes));
    v = cg_min(k, v, cg_splat_f32(k, (float)(end.max - end.zero), r->lanes));
    row_store(r, cg_quant_finish(k, &end, cg_round_to_i32(k, v)), first, mask);
}

static void row(row_kernel *r)
{
    layer_norm *c = r->context;
    cg_kernel *k = r->k;
    int next = ARG_PARAMETERS;
    LLVMValueRef variance;
    c->gamma = ir_operand_value(r->op, 1) ? k->arg[next++] : NULL;
    c->beta = ir_operand_value(r->op, 2) ? k->arg[next++] : NULL;
    if (c->is_float)
        real_statistics(r, c, &variance);
    else
        integer_statistics(r, c, &variance);
    variance = LLVMBuildFAdd(k->b, variance, cg_f32(k, ir_layer_norm_epsilon(r->op)), "");
    c->inverse = cg_math_rsqrt(k, variance);
    row_each(r, store_normalized);
}

cg_fit cg_layer_norm_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype x = op->operands[0].value->type.dtype, y = op->results[0]->type.dtype;
    (void)target;
    return cg_best_if(x == IR_F32 ? y == IR_F32 : x == IR_U8 && (y == IR_U8 || y == IR_F32), NULL);
}

bool cg_emit_layer_norm(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *y = op->results[0];
    layer_norm c = {.is_float = x->type.dtype == IR_F32};
    const int64_t columns = x->type.dims[x->type.rank - 1];
    unsigned lanes = m->target->vector_bytes / (c.is_float ? 4 : 1);
    cg_arg parameters[2];
    int count = 0;
    if (c.is_float && columns % (4 * lanes) == 0)
        lanes *= 4; /* several sums at a time */
    for (int i = 1; i <= 2; i++) {
        if (!ir_operand_value(op, i))
            continue;
        parameters[count++] = cg_arg_value(ir_operand_value(op, i));
    }
    char key[160];
    snprintf(key, sizeof key, "%d%d %a %s %d %a %d.%d", ir_operand_value(op, 1) != NULL,
             ir_operand_value(op, 2) != NULL, (double)ir_layer_norm_epsilon(op), ir_dtype_text(y->type.dtype),
             x->quant ? x->quant->zero[0] : 0, y->quant ? (double)y->quant->scale[0] : 0,
             y->quant ? y->quant->zero[0] : 0, y->quant ? ir_unused_key(y->quant->unused) : 0);
    return row_kernel_emit(m, op, key, row, lanes, &c, count, parameters);
}
