/* softmax_real.c: softmax of real rows, and of bytes to which a real mask is added; ir/ref/rows/ref_softmax_real.c has the
 * formulas.
 *
 *     v = x * beta + mask;  e = exp(v - largest);  real: e * (1 / sum);  bytes: e in whole units of 2^-22, as there
 *
 * NaN, and the difference of two infinities, make a real row NaN, and count as e = 0 in a row of bytes.
 *
 * Rows of up to 256 elements stay in registers from the load to the store.  Longer ones are passed over three times:
 * reals keep the exponentials in the result, bytes compute them twice. */
#include <math.h>
#include <stdio.h>

#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/quantvec.h"
#include "compiler/codegen/rows/normalize.h"
#include "ir/ref/interp.h"

#define LOG_FLT_MIN (-87.33654f) /* e to it is the smallest normal number; 0 for what is less, as bounds.def has it */

enum { ARG_MASK = 2, SHORT = 256, MAX_PARTS = 64, UNIT_BITS = 22 };

typedef struct softmax {
    bool is_float, to_float;
    float factor;                     /* beta, times the operand's scale */
    int64_t mask_stride[IR_MAX_RANK]; /* elements, along x's leading dimensions */
    LLVMValueRef mask;                /* the row's; NULL: none */
    LLVMValueRef largest, inverse;    /* scalars */
} softmax;

/* x * beta + mask; -infinity in lanes that do not exist. */
static LLVMValueRef load_scaled(row_kernel *r, LLVMValueRef first, LLVMValueRef lanes)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    LLVMTypeRef reals = cg_vector(k->m->f32, r->lanes);
    LLVMValueRef v = row_load(r, cg_vector(s->is_float ? k->m->f32 : k->m->i8, r->lanes), first, lanes);
    if (!s->is_float) {
        v = LLVMBuildZExt(k->b, v, cg_vector(k->m->i32, r->lanes), "");
        v = LLVMBuildSub(k->b, v, cg_splat_i32(k, ir_operand_value(r->op, 0)->quant->zero[0], r->lanes), "");
        v = LLVMBuildSIToFP(k->b, v, reals, "");
    }
    LLVMValueRef factor = cg_splat_f32(k, s->factor, r->lanes);
    if (s->mask)
        v = cg_fma(k, v, factor, cg_load_lanes(k, reals, cg_at(k, s->mask, cg_mul_const(k, first, 4)), lanes));
    else if (s->factor != 1)
        v = LLVMBuildFMul(k->b, v, factor, "");
    return lanes ? LLVMBuildSelect(k->b, lanes, v, cg_splat_f32(k, -INFINITY, r->lanes), "") : v;
}

static LLVMValueRef exponential(row_kernel *r, LLVMValueRef v)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    v = LLVMBuildFSub(k->b, v, cg_splat(k, s->largest, r->lanes), "");
    if (s->to_float)
        return cg_math_exp_below_0(k, v, LOG_FLT_MIN, 0, true);
    return cg_round_to_i32(k, cg_math_exp_below_0(k, v, IR_SOFTMAX_LEAST, UNIT_BITS, false));
}

static LLVMTypeRef sums_type(row_kernel *r)
{
    const softmax *s = r->context;
    const bool small = r->columns / r->lanes < 500; /* a lane's sum stays below 2^31 */
    return cg_vector(s->to_float ? r->k->m->f32 : small ? r->k->m->i32 : r->k->m->i64, r->lanes);
}

static LLVMValueRef add_exponential(row_kernel *r, LLVMValueRef sum, LLVMValueRef e)
{
    const softmax *s = r->context;
    LLVMBuilderRef b = r->k->b;
    return s->to_float ? LLVMBuildFAdd(b, sum, e, "")
                       : LLVMBuildAdd(b, sum, LLVMBuildZExt(b, e, LLVMTypeOf(sum), ""), "");
}

static void invert_sum(row_kernel *r, LLVMValueRef sums)
{
    softmax *s = r->context;
    cg_kernel *k = r->k;
    if (s->to_float) {
        s->inverse = LLVMBuildFDiv(k->b, cg_f32(k, 1), row_reduce(r, sums, '+'), "");
        return;
    }
    LLVMTypeRef wide = cg_vector(k->m->i64, r->lanes);
    if (r->columns > SHORT)
        sums = LLVMBuildZExt(k->b, sums, wide, "");
    LLVMValueRef sum = row_reduce(r, sums, '+');
    sum = cg_max(k, sum, LLVMConstInt(LLVMTypeOf(sum), 1, 0));
    sum = LLVMBuildSIToFP(k->b, sum, k->m->f32, "");
    sum = LLVMBuildFMul(k->b, sum, cg_f32(k, r->op->results[0]->quant->scale[0]), "");
    s->inverse = LLVMBuildFDiv(k->b, cg_f32(k, 1), sum, "");
}

static void store_share(row_kernel *r, LLVMValueRef e, LLVMValueRef first, LLVMValueRef lanes)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef inverse = cg_splat(k, s->inverse, r->lanes);
    if (s->to_float) {
        row_store(r, LLVMBuildFMul(k->b, e, inverse, ""), first, lanes);
        return;
    }
    const cg_quant_end end = cg_quant_end_of(r->op->results[0], IR_ACT_NONE);
    LLVMValueRef q = LLVMBuildFMul(k->b, LLVMBuildSIToFP(k->b, e, cg_vector(k->m->f32, r->lanes), ""), inverse, "");
    q = cg_max(k, q, cg_splat_f32(k, (float)(end.min - end.zero), r->lanes));
    q = cg_min(k, q, cg_splat_f32(k, (float)(end.max - end.zero), r->lanes));
    row_store(r, cg_quant_finish(k, &end, cg_round_to_i32(k, q)), first, lanes);
}

/* ---- Short rows ---- */

static void short_row(row_kernel *r)
{
    softmax *s = r->context;
    cg_kernel *k = r->k;
    const int parts = (int)((r->columns + r->lanes - 1) / r->lanes);
    LLVMValueRef v[MAX_PARTS], first[MAX_PARTS], lanes[MAX_PARTS], sums = LLVMConstNull(sums_type(r));
    LLVMValueRef largest = cg_splat_f32(k, -INFINITY, r->lanes); /* of numbers: NaN does not count */
    for (int i = 0; i < parts; i++) {
        const int64_t left = r->columns - (int64_t)i * r->lanes;
        first[i] = cg_i64(k, (int64_t)i * r->lanes);
        lanes[i] = left < r->lanes ? cg_lane_mask(k, cg_i64(k, left), r->lanes) : NULL;
        v[i] = load_scaled(r, first[i], lanes[i]);
        largest = cg_max(k, v[i], largest);
    }
    s->largest = row_reduce(r, largest, '>');
    for (int i = 0; i < parts; i++) {
        v[i] = exponential(r, v[i]);
        sums = add_exponential(r, sums, v[i]);
    }
    invert_sum(r, sums);
    for (int i = 0; i < parts; i++)
        store_share(r, v[i], first[i], lanes[i]);
}

/* ---- Long rows ---- */

static void fold_largest(row_kernel *r, LLVMValueRef first, LLVMValueRef lanes, LLVMValueRef acc[])
{
    acc[0] = cg_max(r->k, load_scaled(r, first, lanes), acc[0]);
}

static void fold_sum(row_kernel *r, LLVMValueRef first, LLVMValueRef lanes, LLVMValueRef acc[])
{
    const softmax *s = r->context;
    LLVMValueRef e = exponential(r, load_scaled(r, first, lanes));
    if (s->to_float)
        row_store(r, e, first, lanes);
    acc[0] = add_exponential(r, acc[0], e);
}

static void store_again(row_kernel *r, LLVMValueRef first, LLVMValueRef lanes)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    if (s->to_float)
        store_share(r,
                    cg_load_lanes(k, cg_vector(k->m->f32, r->lanes), cg_at(k, r->y, cg_mul_const(k, first, 4)), lanes),
                    first, lanes);
    else
        store_share(r, exponential(r, load_scaled(r, first, lanes)), first, lanes);
}

static void long_row(row_kernel *r)
{
    softmax *s = r->context;
    LLVMValueRef acc[1] = {cg_splat_f32(r->k, -INFINITY, r->lanes)};
    row_fold(r, fold_largest, 1, acc);
    s->largest = row_reduce(r, acc[0], '>');
    acc[0] = LLVMConstNull(sums_type(r));
    row_fold(r, fold_sum, 1, acc);
    invert_sum(r, acc[0]);
    row_each(r, store_again);
}

/* ---- The mask ---- */

/* Rows are numbered along x's leading dimensions; those along which the mask is stretched have stride 0. */
static LLVMValueRef mask_row(row_kernel *r, LLVMValueRef mask)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    const ir_type *x = &ir_operand_value(r->op, 0)->type;
    int64_t rows = 1;
    for (int d = x->rank - 2; d >= 0; rows *= x->dims[d--]) {
        if (!s->mask_stride[d])
            continue;
        LLVMValueRef at = LLVMBuildUDiv(k->b, r->row, cg_i64(k, rows), "");
        at = LLVMBuildURem(k->b, at, cg_i64(k, x->dims[d]), "");
        mask = cg_at(k, mask, cg_mul_const(k, at, 4 * s->mask_stride[d]));
    }
    return mask;
}

static void row(row_kernel *r)
{
    softmax *s = r->context;
    s->mask = ir_operand_value(r->op, 1) ? mask_row(r, r->k->arg[ARG_MASK]) : NULL;
    (r->columns <= SHORT ? short_row : long_row)(r);
}

static void bind_mask(const ir_op *op, softmax *s)
{
    const ir_value *x = ir_operand_value(op, 0), *mask = ir_operand_value(op, 1);
    const int shift = x->type.rank - mask->type.rank;
    int64_t stride = 1;
    for (int d = mask->type.rank - 1; d >= 0; d--) {
        s->mask_stride[d + shift] = mask->type.dims[d] == 1 ? 0 : stride;
        stride *= mask->type.dims[d];
    }
}

cg_fit cg_softmax_real_fits(const ir_op *op, const target_info *target)
{
    const ir_dtype x = op->operands[0].value->type.dtype, y = op->results[0]->type.dtype;
    (void)target;
    return cg_best_if(!ir_softmax_is_table(op) && (x == IR_F32 || x == IR_U8) && (y == IR_F32 || y == IR_U8), NULL);
}

bool cg_emit_softmax_real(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *mask = ir_operand_value(op, 1), *y = op->results[0];
    softmax s = {.is_float = x->type.dtype == IR_F32, .to_float = y->type.dtype == IR_F32};
    s.factor = (float)((double)ir_float(op, IR_ATTR_BETA) * (s.is_float ? 1.0 : (double)x->quant->scale[0]));
    if (mask)
        bind_mask(op, &s);
    const int64_t columns = x->type.dims[x->type.rank - 1];
    unsigned lanes = m->target->vector_bytes / 4;
    if (columns >= 4 * lanes)
        lanes *= 4; /* bytes are packed from four vectors at a time */
    cg_key key = {.length = 0};
    cg_key_add(&key, "real %a %d %s %a %d.%d %d", (double)s.factor, x->quant ? x->quant->zero[0] : 0,
               ir_dtype_text(y->type.dtype), y->quant ? (double)y->quant->scale[0] : 0,
               y->quant ? y->quant->zero[0] : 0, y->quant ? ir_unused_key(y->quant->unused) : 0, mask != NULL);
    for (int d = 0; mask && d < x->type.rank - 1; d++)
        cg_key_add(&key, " %lld/%lld", (long long)x->type.dims[d], (long long)s.mask_stride[d]);
    const cg_arg argument = mask ? cg_arg_value(mask) : (cg_arg){0};
    return row_kernel_emit(m, op, key.text, row, lanes, &s, mask != NULL, &argument);
}
