/* dynamic.c: dynamic_quantize.  A unit is one index of the outer dimensions, a row: its range, then its parameters,
 * then its integers, while the row is in the cache.
 *
 *     x  ──▶ low, high (16 lanes each, folded) ──▶ scale, zero point ──▶ q, 16 at a time
 *
 * The parameters are computed in vectors of equal elements, which are as cheap as scalars. */
#include "compiler/codegen/rows/dynamic.h"

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/shape.h"

enum { LANES = 16, UNROLLED = 4 };

typedef struct dynamic {
    cg_kernel *k;
    ir_enum_METHOD method;
    int64_t length;
    LLVMTypeRef reals, doubles, ints, bytes;
    /* of the row, equal elements; zero as a float, of the signed integers but for affine_even */
    LLVMValueRef scale, factor, zero;
} dynamic;

static LLVMValueRef real(const dynamic *s, float v) { return cg_splat_f32(s->k, v, LANES); }

static LLVMValueRef wide(const dynamic *s, double v)
{
    return cg_splat(s->k, LLVMConstReal(LLVMDoubleTypeInContext(s->k->m->context), v), LANES);
}

static LLVMValueRef magnitude(const dynamic *s, LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    return cg_intrinsic(s->k, "llvm.fabs", &type, 1, &v, 1);
}

static LLVMValueRef choose(const dynamic *s, LLVMRealPredicate is, LLVMValueRef a, LLVMValueRef b, LLVMValueRef yes,
                           LLVMValueRef no)
{
    return LLVMBuildSelect(s->k->b, LLVMBuildFCmp(s->k->b, is, a, b, ""), yes, no, "");
}

/* ---- The range ---- */

/* The larger of a running value and |v|, v or -v; not a number: the running value. */
static LLVMValueRef widen(const dynamic *s, LLVMValueRef so_far, LLVMValueRef v, bool negated)
{
    if (s->method == IR_METHOD_SYMMETRIC_AWAY)
        v = magnitude(s, v);
    else if (negated)
        return cg_min(s->k, v, so_far);
    return cg_max(s->k, v, so_far);
}

static LLVMValueRef folded(const dynamic *s, LLVMValueRef v, bool negated)
{
    for (int n = LANES / 2; n >= 1; n /= 2) {
        int lanes[LANES];
        for (int i = 0; i < LANES; i++)
            lanes[i] = i ^ n;
        v = widen(s, v, cg_shuffle(s->k, v, NULL, lanes, LANES), negated);
    }
    return v;
}

/* range[0]: the largest of the row and 0, or its largest magnitude; range[1], for the affine ones: the smallest. */
static void find_range(const dynamic *s, LLVMValueRef row, LLVMValueRef range[2])
{
    cg_kernel *k = s->k;
    const int ends = s->method == IR_METHOD_SYMMETRIC_AWAY ? 1 : 2;
    const int64_t step = LANES * UNROLLED, whole = s->length - s->length % step;
    LLVMValueRef so_far[2 * UNROLLED];
    cg_loop loop = cg_loop_begin(k, cg_i64(k, 0), cg_i64(k, whole), step);
    for (int i = 0; i < ends * UNROLLED; i++)
        so_far[i] = cg_loop_carry(k, &loop, real(s, 0));
    for (int u = 0; u < UNROLLED; u++) {
        LLVMValueRef at = cg_at_const(k, cg_at(k, row, cg_mul_const(k, loop.index, 4)), 4 * LANES * u);
        LLVMValueRef v = cg_load(k, s->reals, at, 4);
        for (int e = 0; e < ends; e++)
            cg_loop_update(k, &loop, e * UNROLLED + u, widen(s, so_far[e * UNROLLED + u], v, e == 1));
    }
    cg_loop_hint_vectorize(k, &loop, false);
    cg_loop_end(k, &loop);
    for (int64_t first = whole; first < s->length; first += LANES) {
        LLVMValueRef at = cg_at_const(k, row, 4 * first), v;
        v = first + LANES <= s->length
                ? cg_load(k, s->reals, at, 4)
                : cg_load_masked(k, s->reals, at, cg_lane_mask(k, cg_i64(k, s->length - first), LANES));
        for (int e = 0; e < ends; e++)
            so_far[e * UNROLLED] = widen(s, so_far[e * UNROLLED], v, e == 1);
    }
    for (int e = 0; e < ends; e++) {
        for (int u = 1; u < UNROLLED; u++)
            so_far[e * UNROLLED] = widen(s, so_far[e * UNROLLED], so_far[e * UNROLLED + u], e == 1);
        range[e] = folded(s, so_far[e * UNROLLED], e == 1);
    }
}

/* ---- Scale and zero point, as ir/ref/products/ref_dynamic.c has them ---- */

static void symmetric(dynamic *s, LLVMValueRef range)
{
    LLVMBuilderRef b = s->k->b;
    LLVMValueRef none = LLVMBuildFCmp(b, LLVMRealOEQ, range, real(s, 0), "");
    s->scale = LLVMBuildSelect(b, none, real(s, 1), LLVMBuildFDiv(b, range, real(s, 127), ""), "");
    s->factor = LLVMBuildSelect(b, none, real(s, 0), LLVMBuildFDiv(b, real(s, 127), range, ""), "");
    s->zero = real(s, 0);
}

static void affine_even(dynamic *s, LLVMValueRef high, LLVMValueRef low)
{
    cg_kernel *k = s->k;
    LLVMValueRef none = LLVMBuildFCmp(k->b, LLVMRealOEQ, low, high, "");
    LLVMValueRef scale = LLVMBuildFDiv(k->b, LLVMBuildFSub(k->b, high, low, ""), real(s, 255), "");
    LLVMValueRef zero = LLVMBuildFSub(k->b, real(s, 0), LLVMBuildFDiv(k->b, low, scale, ""), "");
    zero = cg_min(k, cg_max(k, zero, real(s, 0)), real(s, 255));
    zero = LLVMBuildSIToFP(k->b, cg_round_to_i32(k, zero), s->reals, "");
    s->scale = s->factor = LLVMBuildSelect(k->b, none, real(s, 1), scale, "");
    s->zero = LLVMBuildSelect(k->b, none, real(s, 0), zero, "");
}

/* In double; the clamp comes before the rounding, which then is a truncation. */
static LLVMValueRef nudged_zero(const dynamic *s, LLVMValueRef high, LLVMValueRef low, LLVMValueRef scale)
{
    cg_kernel *k = s->k;
    LLVMValueRef lows = LLVMBuildFDiv(k->b, low, scale, ""), highs = LLVMBuildFDiv(k->b, high, scale, "");
    LLVMValueRef from_low = LLVMBuildFSub(k->b, wide(s, -128), lows, ""),
                 from_high = LLVMBuildFSub(k->b, wide(s, 127), highs, "");
    LLVMValueRef low_error = LLVMBuildFAdd(k->b, wide(s, 128), magnitude(s, lows), "");
    LLVMValueRef high_error = LLVMBuildFAdd(k->b, wide(s, 127), magnitude(s, highs), "");
    LLVMValueRef zero = choose(s, LLVMRealOLT, low_error, high_error, from_low, from_high);
    zero = choose(s, LLVMRealUNO, zero, zero, wide(s, 0), zero);
    zero = cg_min(k, cg_max(k, zero, wide(s, -128)), wide(s, 127));
    LLVMValueRef args[2] = {wide(s, 0.49999999999999994), zero};
    LLVMTypeRef type = s->doubles;
    LLVMValueRef half = cg_intrinsic(k, "llvm.copysign", &type, 1, args, 2);
    zero = LLVMBuildFPToSI(k->b, LLVMBuildFAdd(k->b, zero, half, ""), s->ints, "");
    return LLVMBuildSIToFP(k->b, zero, s->reals, "");
}

static void affine_away(dynamic *s, LLVMValueRef high, LLVMValueRef low)
{
    LLVMBuilderRef b = s->k->b;
    LLVMValueRef none = LLVMBuildFCmp(b, LLVMRealOEQ, low, high, "");
    LLVMValueRef l = LLVMBuildFPExt(b, low, s->doubles, ""), h = LLVMBuildFPExt(b, high, s->doubles, "");
    LLVMValueRef scale = LLVMBuildFDiv(b, LLVMBuildFSub(b, h, l, ""), wide(s, 255), "");
    LLVMValueRef narrow = LLVMBuildFPTrunc(b, scale, s->reals, "");
    s->scale = LLVMBuildSelect(b, none, real(s, 1), narrow, "");
    s->factor = LLVMBuildSelect(b, none, real(s, 0), LLVMBuildFDiv(b, real(s, 1), narrow, ""), "");
    s->zero = LLVMBuildSelect(b, none, real(s, 0), nudged_zero(s, h, l, scale), "");
}

/* ---- The integers ---- */

static LLVMValueRef integers(const dynamic *s, LLVMValueRef x)
{
    cg_kernel *k = s->k;
    LLVMValueRef low = real(s, s->method == IR_METHOD_AFFINE_AWAY ? -128 : -127), high = real(s, 127);
    if (s->method == IR_METHOD_AFFINE_EVEN) {
        x = LLVMBuildFDiv(k->b, x, s->factor, "");
        x = cg_max(k, x, LLVMBuildFNeg(k->b, s->zero, ""));
        x = cg_min(k, x, LLVMBuildFSub(k->b, real(s, 255), s->zero, ""));
        x = LLVMBuildAdd(k->b, cg_round_to_i32(k, x), LLVMBuildFPToSI(k->b, s->zero, s->ints, ""), "");
    } else {
        x = LLVMBuildFAdd(k->b, s->zero, LLVMBuildFMul(k->b, x, s->factor, ""), "");
        x = cg_min(k, cg_max(k, x, low), high);
        /* Ties away from zero: the largest float below a half more, cut off; exact for bytes. */
        LLVMValueRef args[2] = {real(s, 0.49999997f), x};
        LLVMTypeRef type = s->reals;
        x = LLVMBuildFAdd(k->b, x, cg_intrinsic(k, "llvm.copysign", &type, 1, args, 2), "");
        x = LLVMBuildFPToSI(k->b, x, s->ints, "");
        x = LLVMBuildAdd(k->b, x, cg_splat_i32(k, 128, LANES), "");
    }
    return LLVMBuildTrunc(k->b, x, s->bytes, "");
}

static void quantize_lanes(cg_kernel *k, void *context, LLVMValueRef first, LLVMValueRef mask)
{
    const dynamic *s = ((void **)context)[0];
    LLVMValueRef row = ((void **)context)[1], to = ((void **)context)[2];
    LLVMValueRef x = cg_load_lanes(k, s->reals, cg_at(k, row, cg_mul_const(k, first, 4)), mask);
    cg_store_lanes(k, integers(s, x), cg_at(k, to, first), mask);
}

cg_dynamic_row cg_quantize_row(cg_kernel *k, ir_enum_METHOD method, int64_t length, LLVMValueRef from, LLVMValueRef to)
{
    dynamic s = {.k = k, .method = method, .length = length};
    s.reals = cg_vector(k->m->f32, LANES);
    s.doubles = cg_vector(LLVMDoubleTypeInContext(k->m->context), LANES);
    s.ints = cg_vector(k->m->i32, LANES);
    s.bytes = cg_vector(k->m->i8, LANES);
    LLVMValueRef range[2];
    find_range(&s, from, range);
    if (method == IR_METHOD_SYMMETRIC_AWAY)
        symmetric(&s, range[0]);
    else if (method == IR_METHOD_AFFINE_EVEN)
        affine_even(&s, range[0], range[1]);
    else
        affine_away(&s, range[0], range[1]);
    void *context[3] = {&s, from, to};
    cg_for_lanes(k, length, LANES, quantize_lanes, context);
    LLVMValueRef zero = LLVMBuildFPToSI(k->b, LLVMBuildExtractElement(k->b, s.zero, cg_i32(k, 0), ""), k->m->i32, "");
    if (method != IR_METHOD_AFFINE_EVEN)
        zero = LLVMBuildAdd(k->b, zero, cg_i32(k, 128), "");
    return (cg_dynamic_row){LLVMBuildExtractElement(k->b, s.scale, cg_i32(k, 0), ""), zero};
}

static void emit_rows(cg_kernel *k, const ir_op *op, int64_t length)
{
    cg_loop row = cg_loop_begin(k, k->begin, k->end, 1);
    const cg_dynamic_row made = cg_quantize_row(k, (ir_enum_METHOD)ir_int(op, IR_ATTR_METHOD), length,
                                                cg_at(k, k->arg[0], cg_mul_const(k, row.index, 4 * length)),
                                                cg_at(k, k->arg[1], cg_mul_const(k, row.index, length)));
    cg_store(k, made.scale, cg_at(k, k->arg[2], cg_mul_const(k, row.index, 4)), 4);
    cg_store(k, LLVMBuildTrunc(k->b, made.zero, k->m->i8, ""), cg_at(k, k->arg[3], row.index), 1);
    cg_loop_hint_vectorize(k, &row, false);
    cg_loop_end(k, &row);
}

bool cg_emit_dynamic_quantize(cg_module *m, const ir_op *op)
{
    const ir_value *x = op->operands[0].value;
    const int64_t rows = ir_type_elements(&op->results[1]->type), all = ir_type_elements(&x->type);
    if (rows == 0)
        return true;
    cg_kernel k;
    const char *key = arena_format(m->arena, "dynamic_quantize %lld %lld", (long long)ir_int(op, IR_ATTR_METHOD),
                                   (long long)(all / rows));
    if (cg_kernel_begin(m, &k, key, op, 4)) {
        emit_rows(&k, op, all / rows);
        cg_kernel_end(&k);
    }
    const cg_arg args[4] = {cg_arg_value(x), cg_arg_value(op->results[0]), cg_arg_value(op->results[1]),
                            cg_arg_value(op->results[2])};
    const cg_step_info info = {.units = (uint32_t)rows};
    cg_step_add(m, &k, op, &info, 4, args);
    return true;
}
