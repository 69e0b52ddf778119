/* reduce.c: sum, mean, max, min, product, any, all over axes.
 *
 * Neighbouring dimensions that are both kept or both reduced become one.  When the innermost one is kept, vectors lie
 * along it and the reduced ones are loops around them; when it is reduced, vectors lie along it and fold at the end. */
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/quantvec.h"
#include "compiler/codegen/build/shape.h"
#include "ir/ref/interp.h"

#include <math.h>
#include <string.h>

typedef struct dim {
    int64_t count, x_stride, y_stride;
    bool reduced;
} dim;

typedef struct reduction {
    cg_kernel *k;
    const ir_op *op;
    cg_shape x, y;
    dim dims[IR_MAX_RANK];
    int rank;
    int64_t count; /* operand elements for one result element */
    bool adds, is_mean, is_float, is_quantized;
    unsigned lanes;
    LLVMTypeRef element, acc; /* scalars */
    LLVMValueRef from, to;
} reduction;

/* ---- One step of each kind, on vectors ---- */

static bool is_unsigned(const reduction *r) { return r->x.dtype == IR_U8 || r->x.dtype == IR_BOOL; }

static LLVMValueRef identity(const reduction *r)
{
    switch (r->op->code) {
    case IR_REDUCE_MAX:
    case IR_REDUCE_MIN: {
        bool is_max = r->op->code == IR_REDUCE_MAX;
        if (r->is_float)
            return LLVMConstReal(r->acc, is_max ? -INFINITY : INFINITY);
        uint64_t low = is_unsigned(r) ? 0 : (uint64_t)1 << (8 * r->x.bytes - 1);
        return LLVMConstInt(r->acc, is_max ? low : ~low, 0);
    }
    case IR_REDUCE_PROD: return r->is_float ? LLVMConstReal(r->acc, 1) : LLVMConstInt(r->acc, 1, 0);
    case IR_REDUCE_ALL: return LLVMConstInt(r->acc, 1, 0);
    default: return LLVMConstNull(r->acc);
    }
}

static LLVMValueRef combine(const reduction *r, LLVMValueRef a, LLVMValueRef v)
{
    LLVMBuilderRef b = r->k->b;
    switch (r->op->code) {
    case IR_REDUCE_MAX:
    case IR_REDUCE_MIN: {
        bool is_max = r->op->code == IR_REDUCE_MAX;
        LLVMValueRef take = r->is_float ? LLVMBuildFCmp(b, is_max ? LLVMRealOGT : LLVMRealOLT, v, a, "")
                                        : LLVMBuildICmp(b,
                                                        is_unsigned(r) ? (is_max ? LLVMIntUGT : LLVMIntULT)
                                                                       : (is_max ? LLVMIntSGT : LLVMIntSLT),
                                                        v, a, "");
        return LLVMBuildSelect(b, take, v, a, "");
    }
    case IR_REDUCE_PROD: return r->is_float ? LLVMBuildFMul(b, a, v, "") : LLVMBuildMul(b, a, v, "");
    case IR_REDUCE_ANY: return LLVMBuildOr(b, a, v, "");
    case IR_REDUCE_ALL: return LLVMBuildAnd(b, a, v, "");
    default: return r->is_float ? LLVMBuildFAdd(b, a, v, "") : LLVMBuildAdd(b, a, v, "");
    }
}

/* Lanes of operand elements as the accumulator's type; masked lanes are the identity. */
static LLVMValueRef load_wide(const reduction *r, LLVMValueRef at, LLVMValueRef mask)
{
    cg_kernel *k = r->k;
    LLVMTypeRef wide = cg_vector(r->acc, r->lanes);
    LLVMValueRef v = cg_load_lanes(k, cg_vector(r->element, r->lanes), at, mask);
    if (r->op->code == IR_REDUCE_ANY || r->op->code == IR_REDUCE_ALL)
        v = LLVMBuildZExt(k->b, LLVMBuildICmp(k->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), ""), wide, "");
    else if (r->element != r->acc)
        v = is_unsigned(r) ? LLVMBuildZExt(k->b, v, wide, "") : LLVMBuildSExt(k->b, v, wide, "");
    return mask ? LLVMBuildSelect(k->b, mask, v, cg_splat(k, identity(r), r->lanes), "") : v;
}

/* ---- The end: mean, requantization ---- */

static LLVMValueRef requantize(const reduction *r, LLVMValueRef sum)
{
    cg_kernel *k = r->k;
    const ir_value *x = ir_operand_value(r->op, 0), *y = r->op->results[0];
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(sum));
    LLVMTypeRef ints = cg_vector(k->m->i32, lanes);
    if (r->acc == k->m->i16)
        sum = LLVMBuildZExt(k->b, sum, ints, "");
    sum = LLVMBuildSub(k->b, sum, cg_splat_i32(k, (int32_t)(uint32_t)(uint64_t)(r->count * x->quant->zero[0]), lanes),
                       "");
    ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(r->op, IR_ATTR_ROUNDING);
    cg_quant_end end = cg_quant_end_of(y, IR_ACT_NONE);
    double sx = (double)x->quant->scale[0], sy = (double)y->quant->scale[0];
    if (rounding != IR_ROUNDING_EVEN_F32) {
        const arith_multiplier by =
            r->is_mean ? arith_multiplier_of_mean(sx / sy, r->count) : arith_multiplier_of(sx / sy);
        sum = cg_quant_mul_fixed(k, rounding, sum, by);
        sum = cg_max(k, sum, cg_splat_i32(k, end.min - end.zero, lanes));
        return cg_quant_finish(k, &end, cg_min(k, sum, cg_splat_i32(k, end.max - end.zero, lanes)));
    }
    float scale = (float)(r->is_mean ? sx / (sy * (double)r->count) : sx / sy);
    LLVMValueRef real = LLVMBuildFMul(k->b, LLVMBuildSIToFP(k->b, sum, cg_vector(k->m->f32, lanes), ""),
                                      cg_splat_f32(k, scale, lanes), "");
    real = cg_max(k, real, cg_splat_f32(k, (float)(end.min - end.zero), lanes));
    real = cg_min(k, real, cg_splat_f32(k, (float)(end.max - end.zero), lanes));
    return cg_quant_finish(k, &end, cg_round_to_i32(k, real));
}

static LLVMValueRef finish(const reduction *r, LLVMValueRef acc)
{
    cg_kernel *k = r->k;
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(acc));
    if (r->adds && r->is_quantized)
        return requantize(r, acc);
    if (r->is_mean && r->is_float)
        return LLVMBuildFDiv(k->b, acc, cg_splat_f32(k, (float)r->count, lanes), "");
    if (r->is_mean)
        acc = LLVMBuildSDiv(k->b, acc, cg_splat(k, cg_i64(k, r->count), lanes), "");
    LLVMTypeRef narrow = cg_vector(r->element, lanes);
    return LLVMTypeOf(acc) == narrow ? acc : LLVMBuildTrunc(k->b, acc, narrow, "");
}

/* ---- Loops ---- */

typedef LLVMValueRef leaf_fn(reduction *, LLVMValueRef at, LLVMValueRef mask, LLVMValueRef acc);

/* The reduced dimensions up to `last`, outermost first, around the leaf; acc passes through. */
static LLVMValueRef reduced_loops(reduction *r, int d, int last, LLVMValueRef at, LLVMValueRef mask, LLVMValueRef acc,
                                  leaf_fn *leaf)
{
    cg_kernel *k = r->k;
    while (d < last && !r->dims[d].reduced)
        d++;
    if (d >= last)
        return leaf(r, at, mask, acc);
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, r->dims[d].count), 1);
    LLVMValueRef carried = cg_loop_carry(k, &loop, acc);
    LLVMValueRef next = cg_at(k, at, cg_mul_const(k, loop.index, r->dims[d].x_stride * r->x.bytes));
    cg_loop_update(k, &loop, 0, reduced_loops(r, d + 1, last, next, mask, carried, leaf));
    cg_loop_end(k, &loop);
    return carried;
}

static LLVMValueRef add_vector(reduction *r, LLVMValueRef at, LLVMValueRef mask, LLVMValueRef acc)
{
    return combine(r, acc, load_wide(r, at, mask));
}

/* Innermost dimension kept: one vector of results. */
static void kept_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    reduction *r = context;
    LLVMValueRef at = cg_at(k, r->from, cg_mul_const(k, first, r->x.bytes));
    LLVMValueRef acc = reduced_loops(r, 0, r->rank, at, mask, cg_splat(k, identity(r), r->lanes), add_vector);
    cg_store_lanes(k, finish(r, acc), cg_at(k, r->to, cg_mul_const(k, first, r->y.bytes)), mask);
}

/* The innermost, reduced dimension: whole vectors, then a masked rest. */
static LLVMValueRef add_row(reduction *r, LLVMValueRef at, LLVMValueRef mask, LLVMValueRef acc)
{
    cg_kernel *k = r->k;
    int64_t count = r->dims[r->rank - 1].count, whole = count / r->lanes * r->lanes;
    (void)mask;
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), r->lanes);
    LLVMValueRef carried = cg_loop_carry(k, &loop, acc);
    LLVMValueRef v = load_wide(r, cg_at(k, at, cg_mul_const(k, loop.index, r->x.bytes)), NULL);
    cg_loop_update(k, &loop, 0, combine(r, carried, v));
    cg_loop_end(k, &loop);
    if (whole == count)
        return carried;
    LLVMValueRef rest = cg_lane_mask(k, cg_i64(k, count - whole), r->lanes);
    return combine(r, carried, load_wide(r, cg_at_const(k, at, whole * r->x.bytes), rest));
}

static LLVMValueRef fold(reduction *r, LLVMValueRef v)
{
    for (int n = (int)r->lanes / 2; n >= 1; n /= 2) {
        int low[64], high[64];
        for (int i = 0; i < n; i++) {
            low[i] = i;
            high[i] = n + i;
        }
        v = combine(r, cg_shuffle(r->k, v, NULL, low, (unsigned)n), cg_shuffle(r->k, v, NULL, high, (unsigned)n));
    }
    return v;
}

static void one_result(reduction *r)
{
    cg_kernel *k = r->k;
    LLVMValueRef acc = reduced_loops(r, 0, r->rank - 1, r->from, NULL, cg_splat(k, identity(r), r->lanes), add_row);
    LLVMValueRef v = finish(r, fold(r, acc));
    cg_store(k, LLVMBuildExtractElement(k->b, v, cg_i32(k, 0), ""), r->to, 1);
}

static void kept_loops(reduction *r, int d, bool split)
{
    cg_kernel *k = r->k;
    bool inner_kept = !r->dims[r->rank - 1].reduced;
    int last = inner_kept ? r->rank - 1 : r->rank;
    while (d < last && r->dims[d].reduced)
        d++;
    if (d >= last) {
        if (inner_kept)
            cg_for_lanes(k, r->dims[r->rank - 1].count, r->lanes, kept_block, r);
        else
            one_result(r);
        return;
    }
    LLVMValueRef from = r->from, to = r->to;
    cg_loop loop = cg_loop_begin(k, split ? k->begin : cg_i64(k, 0), split ? k->end : cg_i64(k, r->dims[d].count), 1);
    r->from = cg_at(k, from, cg_mul_const(k, loop.index, r->dims[d].x_stride * r->x.bytes));
    r->to = cg_at(k, to, cg_mul_const(k, loop.index, r->dims[d].y_stride * r->y.bytes));
    kept_loops(r, d + 1, false);
    cg_loop_end(k, &loop);
    r->from = from;
    r->to = to;
}

/* ---- Planning ---- */

static void add_dim(reduction *r, dim d)
{
    if (d.count == 1)
        return;
    dim *last = r->rank ? &r->dims[r->rank - 1] : NULL;
    if (last && last->reduced == d.reduced && last->x_stride == d.x_stride * d.count &&
        (d.reduced || last->y_stride == d.y_stride * d.count)) {
        d.count *= last->count;
        *last = d;
        return;
    }
    r->dims[r->rank++] = d;
}

static void plan_dims(reduction *r)
{
    const int64_t *axes;
    int32_t axis_count = ir_ints(r->op, IR_ATTR_AXES, &axes);
    bool keep = ir_int(r->op, IR_ATTR_KEEP_DIMS) != 0;
    r->count = 1;
    for (int d = 0, out = 0; d < r->x.rank; d++) {
        bool reduced = false;
        for (int32_t i = 0; i < axis_count; i++)
            reduced = reduced || axes[i] == d;
        if (reduced)
            r->count *= r->x.dims[d];
        add_dim(r, (dim){r->x.dims[d], r->x.stride[d], reduced ? 0 : r->y.stride[out], reduced});
        out += !reduced || keep;
    }
    if (r->rank == 0 || (r->dims[r->rank - 1].x_stride != 1) ||
        (!r->dims[r->rank - 1].reduced && r->dims[r->rank - 1].y_stride != 1))
        r->dims[r->rank++] = (dim){1, 1, 1, true}; /* nothing contiguous: a row of one element */
}

static void plan_types(reduction *r, cg_module *m)
{
    bool inner_kept = !r->dims[r->rank - 1].reduced;
    r->is_float = r->x.dtype == IR_F32;
    r->is_quantized = r->x.dtype == IR_U8 || (r->x.dtype == IR_I16 && ir_operand_value(r->op, 0)->quant);
    r->is_mean = r->op->code == IR_MEAN;
    r->adds = r->is_mean || r->op->code == IR_SUM;
    r->lanes = m->target->vector_bytes / (unsigned)r->x.bytes;
    r->element = r->is_float ? m->f32 : cg_bits_type(m, r->x.bytes);
    r->acc = r->element;
    if (r->adds && r->is_quantized)
        r->acc = r->x.bytes == 1 && inner_kept && r->count <= 65535 / 255 ? m->i16 : m->i32;
    else if (r->is_mean && !r->is_float)
        r->acc = m->i64;
}

cg_fit cg_reduce_fits(const ir_op *op, const target_info *target)
{
    const ir_value *v = op->operands[0].value;
    const ir_dtype x = v->type.dtype;
    const bool adds = op->code == IR_MEAN || op->code == IR_SUM;
    const bool compares = op->code == IR_REDUCE_MAX || op->code == IR_REDUCE_MIN;
    (void)target;
    if ((x == IR_I8 || x == IR_F16 || x == IR_F64 || (x == IR_I16 && !(adds && v->quant))) && !compares)
        return cg_best_if(false, NULL);
    if (ir_type_elements(&op->results[0]->type) == 0)
        return (cg_fit){.how = CG_BEST};
    return cg_best_if(ir_type_elements(&v->type) > 0 && v->type.rank < IR_MAX_RANK,
                      "an empty operand, or one of so many dimensions");
}

bool cg_emit_reduce(cg_module *m, const ir_op *op)
{
    reduction r = {.op = op, .x = cg_shape_of(ir_operand_value(op, 0)), .y = cg_shape_of(op->results[0])};
    if (r.y.elements == 0)
        return true;
    plan_dims(&r);
    plan_types(&r, m);
    cg_key key = {.length = 0};
    cg_key_add(&key, "%s", ir_op_info_of(op->code)->text);
    cg_key_shape(&key, &r.x);
    cg_key_shape(&key, &r.y);
    for (int d = 0; d < r.rank; d++)
        cg_key_add(&key, " %lld%c", (long long)r.dims[d].count, r.dims[d].reduced ? 'r' : 'k');
    if (r.adds && r.is_quantized) {
        const ir_value *x = ir_operand_value(op, 0), *y = op->results[0];
        cg_key_add(&key, " %d %a %d %a %d.%d", (int)ir_int(op, IR_ATTR_ROUNDING), (double)x->quant->scale[0],
                   x->quant->zero[0], (double)y->quant->scale[0], y->quant->zero[0], ir_unused_key(y->quant->unused));
    }
    int first_kept = 0, last = r.dims[r.rank - 1].reduced ? r.rank : r.rank - 1;
    while (first_kept < last && r.dims[first_kept].reduced)
        first_kept++;
    int64_t units = first_kept < last && r.dims[first_kept].count <= UINT32_MAX ? r.dims[first_kept].count : 1;
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 2)) {
        r.k = &k;
        r.from = k.arg[0];
        r.to = k.arg[1];
        kept_loops(&r, 0, units > 1);
        cg_kernel_end(&k);
    }
    cg_arg args[2] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0])};
    cg_step_info info = {.units = (uint32_t)units, .is_int8 = r.x.bytes == 1};
    cg_step_add(m, &k, op, &info, 2, args);
    return true;
}
