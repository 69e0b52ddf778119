/* pool.c: max and average pooling, vectors over channels.
 *
 * max: taps outside the image are moved onto its nearest pixel, which the window holds too, so they change nothing.
 * average: the window is cut to the image, and the sum divided by what is left.  8-bit values, even_f32: the centred
 * sum times float(1 / n).  Fixed roundings divide integers half away from zero, as a product with the reciprocal: (a +
 * 0.5) / n is at least 0.5 / n away from any integer, and the product errs by less than a / n * 2^-22.  16-bit values:
 * the same with signed integers and, since a is larger, doubles. */
#include <float.h>

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"
#include "ir/ref/interp.h"

enum { MAX_UNROLLED_TAPS = 25 };
enum { EXACT_RECIPROCAL_COUNT = 1 << 13, MAX_TAPS_16 = 65535 /* whose sum fits 32 bits */ };

typedef struct pool {
    cg_kernel *k;
    const ir_op *op;
    cg_shape x, y;
    bool is_float, is_max, is_16;
    int64_t kernel[2], stride[2], pad[2];
    int64_t inside[2];      /* result columns whose windows lie within the image */
    int32_t zero, min, max; /* 8-bit: of the result */
    bool even;              /* 8-bit average: rounding even_f32 */
    int32_t origin;         /* otherwise: the integer that ties round away from */
    unsigned lanes;
    LLVMTypeRef vector, wide; /* elements; sums */
    LLVMValueRef image, out;  /* of this batch; the pixel's address */
    LLVMValueRef top, left;
    bool check_columns;
    LLVMValueRef y0, y1, x0, x1, count; /* average: the cut window, and the pixels in it */
} pool;

static LLVMValueRef clamp_index(cg_kernel *k, LLVMValueRef index, int64_t limit)
{
    return cg_min(k, cg_max(k, index, cg_i64(k, 0)), cg_i64(k, limit - 1));
}

static LLVMValueRef load_pixel(pool *s, LLVMValueRef row, LLVMValueRef column, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    LLVMValueRef offset = cg_add(k, cg_mul_const(k, row, s->x.stride[1]), cg_mul_const(k, column, s->x.stride[2]));
    return cg_load_lanes(k, s->vector, cg_at(k, s->image, cg_mul_const(k, cg_add(k, offset, first), s->x.bytes)), mask);
}

/* Of floats NaN does not count, and what is left is -FLT_MAX at least. */
static LLVMValueRef max_of(pool *s, LLVMValueRef a, LLVMValueRef b)
{
    if (s->is_float)
        return cg_max(s->k, b, a);
    return LLVMBuildSelect(s->k->b, LLVMBuildICmp(s->k->b, s->is_16 ? LLVMIntSGT : LLVMIntUGT, a, b, ""), a, b, "");
}

static LLVMValueRef max_tap(pool *s, LLVMValueRef ky, LLVMValueRef kx, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    LLVMValueRef row = clamp_index(k, cg_add(k, s->top, ky), s->x.dims[1]), column = cg_add(k, s->left, kx);
    if (s->check_columns)
        column = clamp_index(k, column, s->x.dims[2]);
    return load_pixel(s, row, column, first, mask);
}

static LLVMValueRef max_window(pool *s, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    LLVMValueRef best = max_tap(s, cg_i64(k, 0), cg_i64(k, 0), first, mask);
    if (s->is_float)
        best = cg_max(k, best, cg_splat_f32(k, -FLT_MAX, s->lanes));
    if (s->kernel[0] * s->kernel[1] <= MAX_UNROLLED_TAPS) {
        for (int64_t t = 1; t < s->kernel[0] * s->kernel[1]; t++)
            best = max_of(s, best, max_tap(s, cg_i64(k, t / s->kernel[1]), cg_i64(k, t % s->kernel[1]), first, mask));
        return best;
    }
    cg_loop rows = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, s->kernel[0]), 1);
    LLVMValueRef outer = cg_loop_carry(k, &rows, best);
    cg_loop columns = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, s->kernel[1]), 1);
    LLVMValueRef inner = cg_loop_carry(k, &columns, outer);
    cg_loop_update(k, &columns, 0, max_of(s, inner, max_tap(s, rows.index, columns.index, first, mask)));
    cg_loop_end(k, &columns);
    cg_loop_update(k, &rows, 0, inner);
    cg_loop_end(k, &rows);
    return outer;
}

static LLVMValueRef clamp_integers(pool *s, LLVMValueRef v)
{
    if (s->is_16) {
        LLVMTypeRef element = s->k->m->i16;
        v = cg_max(s->k, v, cg_splat(s->k, LLVMConstInt(element, (uint64_t)(int64_t)s->min, 1), s->lanes));
        return cg_min(s->k, v, cg_splat(s->k, LLVMConstInt(element, (uint64_t)(int64_t)s->max, 1), s->lanes));
    }
    LLVMBuilderRef b = s->k->b;
    LLVMValueRef low = cg_splat(s->k, cg_i8(s->k, s->min), s->lanes),
                 high = cg_splat(s->k, cg_i8(s->k, s->max), s->lanes);
    if (s->min > 0)
        v = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntUGT, v, low, ""), v, low, "");
    if (s->max < 255)
        v = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntULT, v, high, ""), v, high, "");
    return v;
}

static void max_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    pool *s = context;
    LLVMValueRef v = max_window(s, first, mask);
    v = s->is_float ? cg_act_f32(k, (ir_enum_ACT)ir_int(s->op, IR_ATTR_ACT), v) : clamp_integers(s, v);
    cg_store_lanes(k, v, cg_at(k, s->out, cg_mul_const(k, first, s->y.bytes)), mask);
}

static LLVMValueRef widened(pool *s, LLVMValueRef v)
{
    return s->is_16 ? LLVMBuildSExt(s->k->b, v, s->wide, "") : LLVMBuildZExt(s->k->b, v, s->wide, "");
}

/* Sum over the cut window: of bytes, 16-bit sums while they can't overflow. */
static LLVMValueRef sum_window(pool *s, LLVMValueRef first, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    cg_loop rows = cg_loop_begin(k, s->y0, s->y1, 1);
    LLVMValueRef outer = cg_loop_carry(k, &rows, LLVMConstNull(s->wide));
    cg_loop columns = cg_loop_begin(k, s->x0, s->x1, 1);
    LLVMValueRef inner = cg_loop_carry(k, &columns, outer);
    LLVMValueRef v = load_pixel(s, rows.index, columns.index, first, mask);
    v = s->is_float ? LLVMBuildFAdd(k->b, inner, v, "") : LLVMBuildAdd(k->b, inner, widened(s, v), "");
    cg_loop_update(k, &columns, 0, v);
    cg_loop_end(k, &columns);
    cg_loop_update(k, &rows, 0, inner);
    cg_loop_end(k, &rows);
    return outer;
}

static LLVMValueRef finish_average(pool *s, LLVMValueRef q)
{
    cg_kernel *k = s->k;
    int32_t centre = s->even ? s->zero : s->origin;
    q = cg_max(k, q, cg_splat_i32(k, s->min - centre, s->lanes));
    q = cg_min(k, q, cg_splat_i32(k, s->max - centre, s->lanes));
    return LLVMBuildAdd(k->b, q, cg_splat_i32(k, centre, s->lanes), "");
}

static LLVMValueRef divide_even(pool *s, LLVMValueRef centred, LLVMValueRef count)
{
    cg_kernel *k = s->k;
    LLVMValueRef part = LLVMBuildFDiv(k->b, cg_f32(k, 1), LLVMBuildSIToFP(k->b, count, k->m->f32, ""), "");
    LLVMValueRef real = LLVMBuildSIToFP(k->b, centred, cg_vector(k->m->f32, s->lanes), "");
    return cg_round_to_i32(k, LLVMBuildFMul(k->b, real, cg_splat(k, part, s->lanes), ""));
}

static LLVMValueRef divide_away(pool *s, LLVMValueRef centred, LLVMValueRef count)
{
    cg_kernel *k = s->k;
    LLVMTypeRef ints = cg_vector(k->m->i32, s->lanes);
    bool small = !s->is_16 && s->kernel[0] * s->kernel[1] <= EXACT_RECIPROCAL_COUNT;
    LLVMTypeRef real = small ? k->m->f32 : LLVMDoubleTypeInContext(k->m->context), reals = cg_vector(real, s->lanes);
    LLVMValueRef half = cg_splat(k, LLVMBuildLShr(k->b, count, cg_i32(k, 1), ""), s->lanes);
    LLVMValueRef minus = LLVMBuildICmp(k->b, LLVMIntSLT, centred, LLVMConstNull(ints), "");
    LLVMValueRef size = LLVMBuildSelect(k->b, minus, LLVMBuildNeg(k->b, centred, ""), centred, "");
    LLVMValueRef a = LLVMBuildSIToFP(k->b, LLVMBuildAdd(k->b, size, half, ""), reals, "");
    LLVMValueRef part = LLVMBuildFDiv(k->b, LLVMConstReal(real, 1.0), LLVMBuildSIToFP(k->b, count, real, ""), "");
    a = LLVMBuildFAdd(k->b, a, cg_splat(k, LLVMConstReal(real, 0.5), s->lanes), "");
    LLVMValueRef q = LLVMBuildFPToSI(k->b, LLVMBuildFMul(k->b, a, cg_splat(k, part, s->lanes), ""), ints, "");
    return LLVMBuildSelect(k->b, minus, LLVMBuildNeg(k->b, q, ""), q, "");
}

static LLVMValueRef average_integers(pool *s, LLVMValueRef sum)
{
    cg_kernel *k = s->k;
    LLVMTypeRef ints = cg_vector(k->m->i32, s->lanes);
    LLVMValueRef count = LLVMBuildTrunc(k->b, s->count, k->m->i32, "");
    LLVMValueRef centre = LLVMBuildMul(k->b, count, cg_i32(k, s->even ? s->zero : s->origin), "");
    LLVMValueRef centred =
        LLVMBuildSub(k->b, LLVMBuildZExtOrBitCast(k->b, sum, ints, ""), cg_splat(k, centre, s->lanes), "");
    return finish_average(s, s->even ? divide_even(s, centred, count) : divide_away(s, centred, count));
}

static void average_block(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    pool *s = context;
    LLVMValueRef v = sum_window(s, first, mask);
    if (s->is_float) {
        LLVMValueRef n = LLVMBuildSIToFP(k->b, s->count, k->m->f32, "");
        v = cg_act_f32(k, (ir_enum_ACT)ir_int(s->op, IR_ATTR_ACT),
                       LLVMBuildFDiv(k->b, v, cg_splat(k, n, s->lanes), ""));
    } else {
        v = LLVMBuildTrunc(k->b, average_integers(s, v), s->vector, "");
    }
    cg_store_lanes(k, v, cg_at(k, s->out, cg_mul_const(k, first, s->y.bytes)), mask);
}

static void cut_window(pool *s)
{
    cg_kernel *k = s->k;
    s->y0 = cg_max(k, s->top, cg_i64(k, 0));
    s->y1 = cg_min(k, cg_add(k, s->top, cg_i64(k, s->kernel[0])), cg_i64(k, s->x.dims[1]));
    s->x0 = cg_max(k, s->left, cg_i64(k, 0));
    s->x1 = cg_min(k, cg_add(k, s->left, cg_i64(k, s->kernel[1])), cg_i64(k, s->x.dims[2]));
    s->count = LLVMBuildMul(k->b, LLVMBuildSub(k->b, s->y1, s->y0, ""), LLVMBuildSub(k->b, s->x1, s->x0, ""), "");
}

static void emit_columns(pool *s, LLVMValueRef row_out, LLVMValueRef from, LLVMValueRef to, bool check)
{
    cg_kernel *k = s->k;
    cg_loop columns = cg_loop_begin(k, from, to, 1);
    s->check_columns = check;
    s->left = cg_add(k, cg_mul_const(k, columns.index, s->stride[1]), cg_i64(k, -s->pad[1]));
    s->out = cg_at(k, row_out, cg_mul_const(k, columns.index, s->y.stride[2] * s->y.bytes));
    if (!s->is_max)
        cut_window(s);
    cg_for_lanes(k, s->y.dims[3], s->lanes, s->is_max ? max_block : average_block, s);
    cg_loop_end(k, &columns);
}

static void emit_body(pool *s)
{
    cg_kernel *k = s->k;
    cg_loop units = cg_loop_begin(k, k->begin, k->end, 1);
    LLVMValueRef rows = cg_i64(k, s->y.dims[1]);
    LLVMValueRef batch = LLVMBuildUDiv(k->b, units.index, rows, ""), row = LLVMBuildURem(k->b, units.index, rows, "");
    s->image = cg_at(k, k->arg[0], cg_mul_const(k, batch, s->x.stride[0] * s->x.bytes));
    s->top = cg_add(k, cg_mul_const(k, row, s->stride[0]), cg_i64(k, -s->pad[0]));
    LLVMValueRef row_out =
        cg_at(k, k->arg[1],
              cg_mul_const(k, cg_add(k, cg_mul_const(k, batch, s->y.stride[0]), cg_mul_const(k, row, s->y.stride[1])),
                           s->y.bytes));
    int64_t end = s->y.dims[2];
    if (!s->is_max) {
        emit_columns(s, row_out, cg_i64(k, 0), cg_i64(k, end), true);
    } else {
        emit_columns(s, row_out, cg_i64(k, s->inside[0]), cg_i64(k, s->inside[1]), false);
        cg_loop side = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, 2), 1);
        LLVMValueRef right = LLVMBuildICmp(k->b, LLVMIntNE, side.index, cg_i64(k, 0), "");
        emit_columns(s, row_out, LLVMBuildSelect(k->b, right, cg_i64(k, s->inside[1]), cg_i64(k, 0), ""),
                     LLVMBuildSelect(k->b, right, cg_i64(k, end), cg_i64(k, s->inside[0]), ""), true);
        cg_loop_end(k, &side);
    }
    cg_loop_end(k, &units);
}

static void find_inside(pool *s)
{
    int64_t last = s->x.dims[2] - s->kernel[1] + s->pad[1];
    int64_t first = (s->pad[1] + s->stride[1] - 1) / s->stride[1], end = last < 0 ? 0 : last / s->stride[1] + 1;
    s->inside[0] = first < s->y.dims[2] ? first : s->y.dims[2];
    end = end < s->y.dims[2] ? end : s->y.dims[2];
    s->inside[1] = end > s->inside[0] ? end : s->inside[0];
}

cg_fit cg_pool_fits(const ir_op *op, const target_info *target)
{
    const ir_type *x = &op->operands[0].value->type, *y = &op->results[0]->type;
    (void)target;
    if ((x->dtype != IR_F32 && x->dtype != IR_I16 && x->dtype != IR_U8) || y->dtype != x->dtype)
        return cg_best_if(false, NULL);
    if (x->dtype == IR_I16 && op->code == IR_AVG_POOL2D &&
        ir_ints_at(op, IR_ATTR_KERNEL, 0) * ir_ints_at(op, IR_ATTR_KERNEL, 1) > MAX_TAPS_16)
        return cg_best_if(false, "windows of so many 16-bit values");
    for (int d = 0; d < 2 && ir_type_elements(y) > 0; d++) {
        const int64_t pad = ir_ints_at(op, IR_ATTR_PAD, d);
        const int64_t last = (y->dims[1 + d] - 1) * ir_ints_at(op, IR_ATTR_STRIDE, d) - pad;
        if (pad >= ir_ints_at(op, IR_ATTR_KERNEL, d) || last >= x->dims[1 + d])
            return cg_best_if(false, "windows that lie wholly in the padding");
    }
    return (cg_fit){.how = CG_BEST};
}

bool cg_emit_pool(cg_module *m, const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *y = op->results[0];
    const bool is_max = op->code == IR_MAX_POOL2D;
    pool s = {.op = op,
              .is_max = is_max,
              .is_float = x->type.dtype == IR_F32,
              .is_16 = x->type.dtype == IR_I16,
              .x = cg_shape_of(x),
              .y = cg_shape_of(y)};
    if (s.y.elements == 0)
        return true;
    for (int d = 0; d < 2; d++) {
        s.kernel[d] = ir_ints_at(op, IR_ATTR_KERNEL, d);
        s.stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        s.pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
    }
    find_inside(&s);
    if (!s.is_float) {
        s.zero = y->quant ? y->quant->zero[0] : 0;
        s.even = !is_max && ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32;
        s.origin = is_max ? 0 : (int32_t)ir_int(op, IR_ATTR_ORIGIN);
        ir_result_bounds(y, (ir_enum_ACT)ir_int(op, IR_ATTR_ACT), &s.min, &s.max);
    }
    s.lanes = m->target->vector_bytes / (unsigned)ir_dtype_bytes(x->type.dtype);
    cg_key key = {.length = 0};
    cg_key_add(&key, "%s", ir_op_info_of(op->code)->text);
    cg_key_shape(&key, &s.x);
    cg_key_shape(&key, &s.y);
    for (int d = 0; d < 2; d++)
        cg_key_add(&key, " k%lld s%lld p%lld", (long long)s.kernel[d], (long long)s.stride[d], (long long)s.pad[d]);
    cg_key_add(&key, " %d.%d z%d %d..%d a%lld", s.even, s.origin, s.zero, s.min, s.max,
               (long long)ir_int(op, IR_ATTR_ACT));
    cg_kernel k;
    cg_arg args[2] = {cg_arg_value(x), cg_arg_value(y)};
    if (cg_kernel_begin(m, &k, key.text, op, 2)) {
        s.k = &k;
        s.vector = cg_vector(s.is_float ? m->f32 : s.is_16 ? m->i16 : m->i8, s.lanes);
        bool narrow = !s.is_16 && s.kernel[0] * s.kernel[1] <= 65535 / 255;
        s.wide = s.is_float ? s.vector : cg_vector(narrow ? m->i16 : m->i32, s.lanes);
        emit_body(&s);
        cg_kernel_end(&k);
    }
    cg_step_info info = {.units = (uint32_t)(s.y.dims[0] * s.y.dims[1]), .is_int8 = !s.is_float};
    cg_step_add(m, &k, op, &info, 2, args);
    return true;
}
