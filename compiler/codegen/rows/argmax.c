/* argmax.c: arg_max, arg_min, cumsum: walks along one axis.
 *
 * Along a contiguous axis the extreme value is found with whole vectors, then its first place: vectors are compared
 * with it from the last to the first, and the lowest set bit of the last hit counts. */
#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"

#include <math.h>

typedef struct arg_reduction {
    cg_kernel *k;
    ir_dtype dtype;
    bool is_max;
    int64_t extent, bytes;
    unsigned lanes;
    LLVMTypeRef element, vector;
} arg_reduction;

static bool is_float(const arg_reduction *a) { return a->dtype == IR_F32; }
static bool is_unsigned(const arg_reduction *a) { return a->dtype == IR_U8 || a->dtype == IR_BOOL; }

static LLVMValueRef better(const arg_reduction *a, LLVMValueRef x, LLVMValueRef y) /* x before y? strictly */
{
    LLVMBuilderRef b = a->k->b;
    if (is_float(a))
        return LLVMBuildFCmp(b, a->is_max ? LLVMRealOGT : LLVMRealOLT, x, y, "");
    if (is_unsigned(a))
        return LLVMBuildICmp(b, a->is_max ? LLVMIntUGT : LLVMIntULT, x, y, "");
    return LLVMBuildICmp(b, a->is_max ? LLVMIntSGT : LLVMIntSLT, x, y, "");
}

static LLVMValueRef worst(const arg_reduction *a)
{
    if (is_float(a))
        return LLVMConstReal(a->element, a->is_max ? -INFINITY : INFINITY);
    uint64_t bits = (uint64_t)a->bytes * 8;
    uint64_t low = is_unsigned(a) ? 0 : (uint64_t)1 << (bits - 1);
    return LLVMConstInt(a->element, a->is_max ? low : ~low, 0);
}

/* The best of all lanes.  Floats: halves compared until one is left (LLVM's own reduction looks after NaN and is slow).
 */
static LLVMValueRef reduce(arg_reduction *a, LLVMValueRef v)
{
    cg_kernel *k = a->k;
    if (!is_float(a)) {
        const char *name = is_unsigned(a) ? (a->is_max ? "llvm.vector.reduce.umax" : "llvm.vector.reduce.umin")
                                          : (a->is_max ? "llvm.vector.reduce.smax" : "llvm.vector.reduce.smin");
        return cg_intrinsic(k, name, &a->vector, 1, &v, 1);
    }
    for (unsigned n = a->lanes / 2; n >= 1; n /= 2) {
        int low[64], high[64];
        for (unsigned i = 0; i < n; i++) {
            low[i] = (int)i;
            high[i] = (int)(n + i);
        }
        LLVMValueRef x = cg_shuffle(k, v, NULL, low, n), y = cg_shuffle(k, v, NULL, high, n);
        v = LLVMBuildSelect(k->b, better(a, y, x), y, x, "");
    }
    return LLVMBuildExtractElement(k->b, v, cg_i32(k, 0), "");
}

static LLVMValueRef load_part(const arg_reduction *a, LLVMValueRef row, LLVMValueRef first)
{
    cg_kernel *k = a->k;
    LLVMValueRef at = cg_at(k, row, cg_mul_const(k, first, a->bytes));
    if (a->extent >= a->lanes)
        return cg_load(k, a->vector, at, 1);
    LLVMValueRef mask = cg_lane_mask(k, cg_i64(k, a->extent), a->lanes);
    return LLVMBuildSelect(k->b, mask, cg_load_masked(k, a->vector, at, mask), cg_splat(k, worst(a), a->lanes), "");
}

/* Position of the first best of a contiguous row. */
static LLVMValueRef arg_of_row(arg_reduction *a, LLVMValueRef row)
{
    cg_kernel *k = a->k;
    int64_t parts = (a->extent + a->lanes - 1) / a->lanes, last = a->extent > a->lanes ? a->extent - a->lanes : 0;
    cg_loop all = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, parts), 1);
    LLVMValueRef best = cg_loop_carry(k, &all, cg_splat(k, worst(a), a->lanes));
    LLVMValueRef v = load_part(a, row, cg_min(k, cg_mul_const(k, all.index, a->lanes), cg_i64(k, last)));
    cg_loop_update(k, &all, 0, LLVMBuildSelect(k->b, better(a, v, best), v, best, ""));
    cg_loop_end(k, &all);
    LLVMValueRef target = cg_splat(k, reduce(a, best), a->lanes);
    cg_loop back = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, parts), 1);
    LLVMValueRef found = cg_loop_carry(k, &back, cg_i64(k, 0));
    LLVMValueRef part = LLVMBuildSub(k->b, cg_i64(k, parts - 1), back.index, "");
    LLVMValueRef first = cg_min(k, cg_mul_const(k, part, a->lanes), cg_i64(k, last));
    v = load_part(a, row, first);
    LLVMValueRef hit =
        is_float(a) ? LLVMBuildFCmp(k->b, LLVMRealOEQ, v, target, "") : LLVMBuildICmp(k->b, LLVMIntEQ, v, target, "");
    LLVMValueRef bits = cg_bitcast(k, hit, LLVMIntTypeInContext(k->m->context, a->lanes));
    bits = a->lanes < 64 ? LLVMBuildZExt(k->b, bits, k->m->i64, "") : bits;
    LLVMTypeRef i64 = k->m->i64;
    LLVMValueRef args[2] = {bits, LLVMConstInt(k->m->i1, 0, 0)};
    LLVMValueRef place = cg_add(k, first, cg_intrinsic(k, "llvm.cttz", &i64, 1, args, 2));
    LLVMValueRef any = LLVMBuildICmp(k->b, LLVMIntNE, bits, cg_i64(k, 0), "");
    cg_loop_update(k, &back, 0, LLVMBuildSelect(k->b, any, place, found, ""));
    cg_loop_end(k, &back);
    if (!is_float(a))
        return found;
    LLVMValueRef start = cg_load(k, a->element, row, 1); /* nothing is better than NaN */
    return LLVMBuildSelect(k->b, LLVMBuildFCmp(k->b, LLVMRealUNO, start, start, ""), cg_i64(k, 0), found, "");
}

static LLVMValueRef arg_strided(const arg_reduction *a, LLVMValueRef row, int64_t stride)
{
    cg_kernel *k = a->k;
    LLVMValueRef first = cg_load(k, a->element, row, 1);
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 1), cg_i64(k, a->extent), 1);
    LLVMValueRef best = cg_loop_carry(k, &loop, first);
    LLVMValueRef place = cg_loop_carry(k, &loop, cg_i64(k, 0));
    LLVMValueRef v = cg_load(k, a->element, cg_at(k, row, cg_mul_const(k, loop.index, stride * a->bytes)), 1);
    LLVMValueRef take = better(a, v, best);
    cg_loop_update(k, &loop, 0, LLVMBuildSelect(k->b, take, v, best, ""));
    cg_loop_update(k, &loop, 1, LLVMBuildSelect(k->b, take, loop.index, place, ""));
    cg_loop_end(k, &loop);
    return place;
}

bool cg_emit_arg(cg_module *m, const ir_op *op)
{
    const cg_shape x = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    const int axis = (int)ir_int(op, IR_ATTR_AXIS);
    const bool is_max = op->code == IR_ARG_MAX;
    const cg_split s = cg_split_of(&x, axis);
    if (y.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "arg%d axis%d >%s", is_max, axis, ir_dtype_text(y.dtype));
    cg_key_shape(&key, &x);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 2)) {
        arg_reduction a = {.k = &k,
                           .dtype = x.dtype,
                           .is_max = is_max,
                           .extent = s.axis,
                           .bytes = x.bytes,
                           .lanes = m->target->vector_bytes / (unsigned)x.bytes,
                           .element = cg_type_of(&k, x.dtype)};
        a.vector = cg_vector(a.element, a.lanes);
        cg_loop units = cg_loop_begin(&k, k.begin, k.end, 1);
        LLVMValueRef row = cg_at(&k, k.arg[0], cg_mul_const(&k, units.index, s.outer_stride * x.bytes));
        cg_loop inner = cg_loop_begin(&k, cg_i64(&k, 0), cg_i64(&k, s.inner), 1);
        row = cg_at(&k, row, cg_mul_const(&k, inner.index, s.inner_stride * x.bytes));
        LLVMValueRef place = s.axis_stride == 1 ? arg_of_row(&a, row) : arg_strided(&a, row, s.axis_stride);
        if (y.bytes == 4)
            place = LLVMBuildTrunc(k.b, place, m->i32, "");
        LLVMValueRef to = cg_add(&k, cg_mul_const(&k, units.index, s.inner), inner.index);
        cg_store(&k, place, cg_at(&k, k.arg[1], cg_mul_const(&k, to, y.bytes)), 1);
        cg_loop_end(&k, &inner);
        cg_loop_end(&k, &units);
        cg_kernel_end(&k);
    }
    cg_arg args[2] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0])};
    cg_step_info info = {.units = s.outer <= UINT32_MAX ? (uint32_t)s.outer : 1};
    cg_step_add(m, &k, op, &info, 2, args);
    return true;
}

bool cg_emit_cumsum(cg_module *m, const ir_op *op)
{
    cg_shape x = cg_shape_of(ir_operand_value(op, 0)), y = cg_shape_of(op->results[0]);
    int axis = (int)ir_int(op, IR_ATTR_AXIS);
    const cg_split from = cg_split_of(&x, axis), to = cg_split_of(&y, axis);
    if (y.elements == 0)
        return true;
    cg_key key = {.length = 0};
    cg_key_add(&key, "cumsum%d", axis);
    cg_key_shape(&key, &x);
    cg_key_shape(&key, &y);
    cg_kernel k;
    if (cg_kernel_begin(m, &k, key.text, op, 2)) {
        LLVMTypeRef type = cg_type_of(&k, x.dtype);
        cg_loop units = cg_loop_begin(&k, k.begin, k.end, 1);
        cg_loop inner = cg_loop_begin(&k, cg_i64(&k, 0), cg_i64(&k, from.inner), 1);
        LLVMValueRef source = cg_at(&k, k.arg[0],
                                    cg_mul_const(&k,
                                                 cg_add(&k, cg_mul_const(&k, units.index, from.outer_stride),
                                                        cg_mul_const(&k, inner.index, from.inner_stride)),
                                                 x.bytes));
        LLVMValueRef target = cg_at(&k, k.arg[1],
                                    cg_mul_const(&k,
                                                 cg_add(&k, cg_mul_const(&k, units.index, to.outer_stride),
                                                        cg_mul_const(&k, inner.index, to.inner_stride)),
                                                 y.bytes));
        LLVMValueRef first = cg_load(&k, type, source, 1);
        cg_store(&k, first, target, 1);
        cg_loop along = cg_loop_begin(&k, cg_i64(&k, 1), cg_i64(&k, from.axis), 1);
        LLVMValueRef sum = cg_loop_carry(&k, &along, first);
        LLVMValueRef v =
            cg_load(&k, type, cg_at(&k, source, cg_mul_const(&k, along.index, from.axis_stride * x.bytes)), 1);
        v = x.dtype == IR_F32 ? LLVMBuildFAdd(k.b, v, sum, "") : LLVMBuildAdd(k.b, v, sum, "");
        cg_store(&k, v, cg_at(&k, target, cg_mul_const(&k, along.index, to.axis_stride * y.bytes)), 1);
        cg_loop_update(&k, &along, 0, v);
        cg_loop_end(&k, &along);
        cg_loop_end(&k, &inner);
        cg_loop_end(&k, &units);
        cg_kernel_end(&k);
    }
    cg_arg args[2] = {cg_arg_value(ir_operand_value(op, 0)), cg_arg_value(op->results[0])};
    cg_step_info info = {.units = from.outer <= UINT32_MAX ? (uint32_t)from.outer : 1};
    cg_step_add(m, &k, op, &info, 2, args);
    return true;
}
