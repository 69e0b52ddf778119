/* normalize.c: kernels over rows (normalize.h), and l2_normalize.
 *
 *     even_f32   sum of the centred squares, exact; norm = sqrt(float(sum)), at least epsilon / scale
 *                q = lrintf(float(x - zero) * (1 / (norm * result scale))) + zero */
#include "compiler/codegen/rows/normalize.h"

#include <stdio.h>

#include "arith/fixed_point.h"
#include "compiler/codegen/build/elementary.h"
#include "compiler/codegen/build/quantvec.h"
#include "runtime/ops.h"

/* ---- Rows ---- */

bool row_kernel_emit(cg_module *m, const ir_op *op, const char *more, row_fn *body, unsigned lanes, void *context,
                     int constant_count, const cg_arg constants[])
{
    const cg_shape x = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    const cg_split from = cg_split_of(&x, x.rank - 1), to = cg_split_of(&y, y.rank - 1);
    if (x.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "%s %s", ir_op_info_of(op->code)->text, more);
    cg_key_shape(&key, &x);
    cg_key_shape(&key, &y);
    cg_arg args[CG_MAX_ARGS] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0])};
    for (int i = 0; i < constant_count; i++)
        args[2 + i] = constants[i];
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 2 + constant_count)) {
        row_kernel r = {.k = &k,
                        .op = op,
                        .columns = from.axis,
                        .lanes = lanes,
                        .x_bytes = x.bytes,
                        .y_bytes = y.bytes,
                        .context = context};
        cg_loop rows = cg_loop_begin(&k, k.begin, k.end, 1);
        r.row = rows.index;
        r.x = cg_at(&k, k.arg[0], cg_mul_const(&k, rows.index, from.outer_stride * x.bytes));
        r.y = cg_at(&k, k.arg[1], cg_mul_const(&k, rows.index, to.outer_stride * y.bytes));
        body(&r);
        cg_loop_end(&k, &rows);
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = from.outer <= UINT32_MAX ? (uint32_t)from.outer : 1, .is_int8 = x.bytes == 1};
    cg_step_add(m, &k, op, &info, 2 + constant_count, args);
    return true;
}

void row_fold(row_kernel *r, fold_fn *step, int count, LLVMValueRef acc[])
{
    cg_kernel *k = r->k;
    int64_t whole = r->columns / r->lanes * r->lanes;
    if (whole > 0) {
        cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), r->lanes);
        LLVMValueRef next[4];
        for (int i = 0; i < count; i++)
            next[i] = acc[i] = cg_loop_carry(k, &loop, acc[i]);
        step(r, loop.index, NULL, next);
        for (int i = 0; i < count; i++)
            cg_loop_update(k, &loop, i, next[i]);
        cg_loop_end(k, &loop);
    }
    if (whole < r->columns)
        step(r, cg_i64(k, whole), cg_lane_mask(k, cg_i64(k, r->columns - whole), r->lanes), acc);
}

typedef struct each_call {
    each_fn *each;
    void *context;
} each_call;

static void each_step(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    each_call *call = r->context;
    (void)acc;
    r->context = call->context;
    call->each(r, first, mask);
    r->context = call;
}

void row_each(row_kernel *r, each_fn *each)
{
    each_call call = {each, r->context};
    r->context = &call;
    row_fold(r, each_step, 0, NULL);
    r->context = call.context;
}

LLVMValueRef row_load(row_kernel *r, LLVMTypeRef vector, LLVMValueRef first, LLVMValueRef mask)
{
    return cg_load_lanes(r->k, vector, cg_at(r->k, r->x, cg_mul_const(r->k, first, r->x_bytes)), mask);
}

void row_store(row_kernel *r, LLVMValueRef value, LLVMValueRef first, LLVMValueRef mask)
{
    cg_store_lanes(r->k, value, cg_at(r->k, r->y, cg_mul_const(r->k, first, r->y_bytes)), mask);
}

LLVMValueRef row_reduce(row_kernel *r, LLVMValueRef v, char what)
{
    cg_kernel *k = r->k;
    LLVMTypeRef type = LLVMTypeOf(v), element = LLVMGetElementType(type);
    if (element != k->m->f32)
        return cg_intrinsic(k, what == '+' ? "llvm.vector.reduce.add" : "llvm.vector.reduce.umax", &type, 1, &v, 1);
    for (unsigned n = LLVMGetVectorSize(type) / 2; n >= 1; n /= 2) {
        int low[64], high[64];
        for (unsigned i = 0; i < n; i++) {
            low[i] = (int)i;
            high[i] = (int)(n + i);
        }
        LLVMValueRef a = cg_shuffle(k, v, NULL, low, n), b = cg_shuffle(k, v, NULL, high, n);
        v = what == '+' ? LLVMBuildFAdd(k->b, a, b, "") : cg_max(k, a, b);
    }
    return LLVMBuildExtractElement(k->b, v, cg_i32(k, 0), "");
}

bool row_helper_emit(cg_module *m, const ir_op *op, const char *function, const void *constant, size_t size)
{
    const cg_shape x = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    const cg_split from = cg_split_of(&x, x.rank - 1);
    if (x.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "%s %lld", function, (long long)from.axis);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 3)) {
        LLVMTypeRef params[5] = {m->ptr, m->ptr, m->ptr, m->i64, m->i64};
        LLVMTypeRef type = LLVMFunctionType(m->void_type, params, 5, 0);
        LLVMValueRef start = cg_mul_const(&k, k.begin, from.axis);
        LLVMValueRef args[5] = {k.arg[2], cg_at(&k, k.arg[0], cg_mul_const(&k, start, x.bytes)),
                                cg_at(&k, k.arg[1], cg_mul_const(&k, start, y.bytes)),
                                LLVMBuildSub(k.b, k.end, k.begin, ""), cg_i64(&k, from.axis)};
        LLVMBuildCall2(k.b, type, cg_external(m, function, type), args, 5, "");
        cg_kernel_end(&k);
    }
    cg_arg args[3] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0]),
                      cg_arg_constant(cg_constant(m, constant, size, "table"))};
    cg_step_info info = {.units = from.outer <= UINT32_MAX ? (uint32_t)from.outer : 1, .is_int8 = true};
    cg_step_add(m, &k, op, &info, 3, args);
    return true;
}

/* ---- l2_normalize ---- */

typedef struct l2 {
    bool is_float;
    LLVMValueRef factor, norm;
    int32_t zero;
} l2;

static LLVMValueRef load_centred(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const l2 *c = r->context;
    cg_kernel *k = r->k;
    if (c->is_float)
        return row_load(r, cg_vector(k->m->f32, r->lanes), first, mask);
    LLVMTypeRef ints = cg_vector(k->m->i32, r->lanes);
    LLVMValueRef v = LLVMBuildZExt(k->b, row_load(r, cg_vector(k->m->i8, r->lanes), first, mask), ints, "");
    v = LLVMBuildSub(k->b, v, cg_splat_i32(k, c->zero, r->lanes), "");
    return mask ? LLVMBuildSelect(k->b, mask, v, LLVMConstNull(ints), "") : v;
}

static void add_squares(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    const l2 *c = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef v = load_centred(r, first, mask);
    if (c->is_float) {
        acc[0] = LLVMBuildFAdd(k->b, acc[0], LLVMBuildFMul(k->b, v, v, ""), "");
        return;
    }
    LLVMTypeRef wide = cg_vector(k->m->i64, r->lanes);
    acc[0] = LLVMBuildAdd(k->b, acc[0], LLVMBuildZExt(k->b, LLVMBuildMul(k->b, v, v, ""), wide, ""), "");
}

static void scale_elements(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    const l2 *c = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef v = load_centred(r, first, mask);
    if (c->is_float) {
        LLVMValueRef quotient = LLVMBuildFDiv(k->b, v, cg_splat(k, c->norm, r->lanes), "");
        LLVMValueRef any = LLVMBuildFCmp(k->b, LLVMRealUNE, c->norm, cg_f32(k, 0), "");
        row_store(r, LLVMBuildSelect(k->b, any, quotient, LLVMConstNull(LLVMTypeOf(v)), ""), first, mask);
        return;
    }
    cg_quant_end end = cg_quant_end_of(r->op->results[0], IR_ACT_NONE);
    v = LLVMBuildFMul(k->b, LLVMBuildSIToFP(k->b, v, cg_vector(k->m->f32, r->lanes), ""),
                      cg_splat(k, c->factor, r->lanes), "");
    v = cg_max(k, v, cg_splat_f32(k, (float)(end.min - end.zero), r->lanes));
    v = cg_min(k, v, cg_splat_f32(k, (float)(end.max - end.zero), r->lanes));
    row_store(r, cg_quant_finish(k, &end, cg_round_to_i32(k, v)), first, mask);
}

static void l2_row(row_kernel *r)
{
    l2 *c = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef acc[1] = {LLVMConstNull(cg_vector(c->is_float ? k->m->f32 : k->m->i64, r->lanes))};
    row_fold(r, add_squares, 1, acc);
    LLVMValueRef sum = row_reduce(r, acc[0], '+');
    const ir_value *x = ir_operand_value(r->op, 0), *y = r->op->results[0];
    float least = ir_float(r->op, IR_ATTR_EPSILON);
    if (!c->is_float) {
        sum = LLVMBuildSIToFP(k->b, sum, k->m->f32, "");
        least = least / x->quant->scale[0];
    }
    c->norm = cg_max(k, cg_f32(k, least), cg_math_sqrt(k, sum)); /* NaN passes */
    if (!c->is_float) {
        LLVMValueRef any = LLVMBuildFCmp(k->b, LLVMRealOGT, c->norm, cg_f32(k, 0), "");
        LLVMValueRef divisor = LLVMBuildFMul(k->b, c->norm, cg_f32(k, y->quant->scale[0]), "");
        LLVMValueRef factor = LLVMBuildFDiv(k->b, cg_f32(k, 1), divisor, "");
        c->factor = LLVMBuildSelect(k->b, any, factor, cg_f32(k, 0), "");
    }
    row_each(r, scale_elements);
}

static bool is_fixed(const ir_op *op)
{
    return op->operands[0].value->type.dtype != IR_F32 && ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_EVEN_F32;
}

static bool is_bytes(const ir_op *op)
{
    return op->operands[0].value->type.dtype == IR_U8 && op->results[0]->type.dtype == IR_U8;
}

cg_fit cg_l2_normalize_fixed_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(is_bytes(op) && is_fixed(op), NULL);
}

bool cg_emit_l2_normalize_fixed(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0);
    const qcc_op_normalize table = {.twice = ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_FIXED_TWICE,
                                    .zero_x = x->quant ? x->quant->zero[0] : 0,
                                    .was_signed = ir_has_attr(op, IR_ATTR_ORIGIN) && ir_int(op, IR_ATTR_ORIGIN) != 0};
    return row_helper_emit(m, op, "qcc_op_l2_normalize", &table, sizeof table);
}

cg_fit cg_l2_normalize_fits(const ir_op *op, const target_info *target)
{
    (void)target;
    return cg_best_if(op->operands[0].value->type.dtype == IR_F32 || (is_bytes(op) && !is_fixed(op)), NULL);
}

bool cg_emit_l2_normalize(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *y = op->results[0];
    l2 c = {.is_float = x->type.dtype == IR_F32, .zero = x->quant ? x->quant->zero[0] : 0};
    char key[128];
    snprintf(key, sizeof key, "%a %a %d %a %d.%d", (double)ir_float(op, IR_ATTR_EPSILON),
             x->quant ? (double)x->quant->scale[0] : 0, c.zero, y->quant ? (double)y->quant->scale[0] : 0,
             y->quant ? y->quant->zero[0] : 0, y->quant ? ir_unused_key(y->quant->unused) : 0);
    return row_kernel_emit(m, op, key, l2_row, m->target->vector_bytes / 4, &c, 0, NULL);
}
