/* elementary.c: elementary functions of floats: range reduction, a minimax polynomial, reconstruction; no branches.
 *
 * `like(x, v)` makes the constant v of x's shape.  mad() may round twice on targets without FMA: only where the
 * polynomial's error hides that. */
#include "compiler/codegen/build/elementary.h"

#include <math.h>

/* ---- Building blocks ---- */

static unsigned lanes_of(LLVMValueRef v)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind ? LLVMGetVectorSize(LLVMTypeOf(v)) : 0;
}

static LLVMTypeRef shaped(LLVMValueRef x, LLVMTypeRef element)
{
    return lanes_of(x) ? cg_vector(element, lanes_of(x)) : element;
}

static LLVMValueRef fill(cg_kernel *k, LLVMValueRef x, LLVMValueRef scalar)
{
    return lanes_of(x) ? cg_splat(k, scalar, lanes_of(x)) : scalar;
}

static LLVMValueRef like(cg_kernel *k, LLVMValueRef x, float v) { return fill(k, x, cg_f32(k, v)); }
static LLVMValueRef like_i32(cg_kernel *k, LLVMValueRef x, int32_t v) { return fill(k, x, cg_i32(k, v)); }

static LLVMValueRef like_f64(cg_kernel *k, LLVMValueRef x, double v)
{
    return fill(k, x, LLVMConstReal(LLVMDoubleTypeInContext(k->m->context), v));
}

static LLVMValueRef add(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFAdd(k->b, a, b, ""); }
static LLVMValueRef sub(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFSub(k->b, a, b, ""); }
static LLVMValueRef mul(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFMul(k->b, a, b, ""); }
static LLVMValueRef divide(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFDiv(k->b, a, b, ""); }
static LLVMValueRef choose(cg_kernel *k, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(k->b, c, a, b, "");
}
static LLVMValueRef less(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFCmp(k->b, LLVMRealOLT, a, b, "");
}
static LLVMValueRef is_nan(cg_kernel *k, LLVMValueRef a) { return LLVMBuildFCmp(k->b, LLVMRealUNO, a, a, ""); }

static LLVMValueRef mad(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    return target_has(k->m->target, TARGET_FMA) ? cg_fma(k, a, b, c) : add(k, mul(k, a, b), c);
}

static LLVMValueRef unary(cg_kernel *k, const char *intrinsic, LLVMValueRef x)
{
    LLVMTypeRef type = LLVMTypeOf(x);

    return cg_intrinsic(k, intrinsic, &type, 1, &x, 1);
}

/* c[0] + c[1] x + … */
static LLVMValueRef polynomial(cg_kernel *k, LLVMValueRef x, const float c[], int count)
{
    LLVMValueRef sum = like(k, x, c[count - 1]);

    for (int i = count - 1; i-- > 0;)
        sum = mad(k, sum, x, like(k, x, c[i]));
    return sum;
}

static LLVMValueRef polynomial_f64(cg_kernel *k, LLVMValueRef x, const double c[], int count)
{
    LLVMValueRef sum = like_f64(k, x, c[count - 1]);

    for (int i = count - 1; i-- > 0;)
        sum = add(k, mul(k, sum, x), like_f64(k, x, c[i]));
    return sum;
}

static LLVMValueRef to_bits(cg_kernel *k, LLVMValueRef x) { return cg_bitcast(k, x, shaped(x, k->m->i32)); }
static LLVMValueRef from_bits(cg_kernel *k, LLVMValueRef x) { return cg_bitcast(k, x, shaped(x, k->m->f32)); }
static LLVMValueRef i32_to_float(cg_kernel *k, LLVMValueRef x)
{
    return LLVMBuildSIToFP(k->b, x, shaped(x, k->m->f32), "");
}

/* 2^n as a float, n in -126…127. */
static LLVMValueRef power_of_two(cg_kernel *k, LLVMValueRef n)
{
    return from_bits(k, LLVMBuildShl(k->b, LLVMBuildAdd(k->b, n, like_i32(k, n, 127), ""), like_i32(k, n, 23), ""));
}

static LLVMValueRef with_sign_of(cg_kernel *k, LLVMValueRef magnitude, LLVMValueRef x)
{
    LLVMValueRef sign = LLVMBuildAnd(k->b, to_bits(k, x), like_i32(k, x, INT32_MIN), "");

    return from_bits(
        k, LLVMBuildOr(k->b, LLVMBuildAnd(k->b, to_bits(k, magnitude), like_i32(k, x, INT32_MAX), ""), sign, ""));
}

LLVMValueRef cg_math_abs(cg_kernel *k, LLVMValueRef x) { return unary(k, "llvm.fabs", x); }
LLVMValueRef cg_math_sqrt(cg_kernel *k, LLVMValueRef x) { return unary(k, "llvm.sqrt", x); }
LLVMValueRef cg_math_rsqrt(cg_kernel *k, LLVMValueRef x) { return divide(k, like(k, x, 1), cg_math_sqrt(k, x)); }

/* ---- Rounding: without SSE4.1 there is no instruction, and a call per lane must not be; floats of 2^23 and more are
 * whole already ---- */

static LLVMValueRef whole_or(cg_kernel *k, LLVMValueRef x, LLVMValueRef rounded)
{
    LLVMValueRef small = less(k, cg_math_abs(k, x), like(k, x, 8388608));

    return choose(k, small, with_sign_of(k, rounded, x), x);
}

LLVMValueRef cg_math_trunc(cg_kernel *k, LLVMValueRef x)
{
    if (target_has(k->m->target, TARGET_ROUND))
        return unary(k, "llvm.trunc", x);
    LLVMValueRef safe = choose(k, less(k, cg_math_abs(k, x), like(k, x, 8388608)), x, like(k, x, 0));
    return whole_or(k, x, i32_to_float(k, LLVMBuildFPToSI(k->b, safe, shaped(x, k->m->i32), "")));
}

LLVMValueRef cg_math_round_even(cg_kernel *k, LLVMValueRef x)
{
    if (target_has(k->m->target, TARGET_ROUND))
        return unary(k, "llvm.rint", x);
    return whole_or(k, x, i32_to_float(k, cg_round_to_i32(k, x)));
}

LLVMValueRef cg_math_floor(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef t;

    if (target_has(k->m->target, TARGET_ROUND))
        return unary(k, "llvm.floor", x);
    t = cg_math_trunc(k, x);
    return choose(k, less(k, x, t), sub(k, t, like(k, x, 1)), t);
}

LLVMValueRef cg_math_ceil(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef t;

    if (target_has(k->m->target, TARGET_ROUND))
        return unary(k, "llvm.ceil", x);
    t = cg_math_trunc(k, x);
    return choose(k, less(k, t, x), with_sign_of(k, add(k, t, like(k, x, 1)), x), t);
}

/* The distance to the truncation is exact, so that comparing it with a half decides right. */
LLVMValueRef cg_math_round_away(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef t = cg_math_trunc(k, x), rest = cg_math_abs(k, sub(k, x, t));
    LLVMValueRef near = less(k, rest, like(k, x, 0.5f));

    return choose(k, LLVMBuildOr(k->b, near, is_nan(k, rest), ""), t, add(k, t, with_sign_of(k, like(k, x, 1), x)));
}

/* The largest float below a half, with x's sign, is added, and the sum truncated: the sum rounds to a whole number, or
 * past one, where x is a tie or more, and nowhere else. */
LLVMValueRef cg_math_round_away_i32(cg_kernel *k, LLVMValueRef x, bool any_sign)
{
    LLVMValueRef half = like(k, x, 0x1.fffffep-2f);

    return LLVMBuildFPToSI(k->b, add(k, x, any_sign ? with_sign_of(k, half, x) : half), shaped(x, k->m->i32), "");
}

/* ---- Exponential: x = n ln 2 + r, |r| <= ln 2 / 2; e^r = 1 + r + r² p(r) ---- */

/* e^r - 1 for the reduced argument, and n. */
static LLVMValueRef exp_reduced(cg_kernel *k, LLVMValueRef x, LLVMValueRef *out_n)
{
    static const float c[] = {0.5f, 0.166665122f, 0.0416661873f, 0.00836959854f, 0.00139515882f};
    LLVMValueRef n = cg_round_to_i32(k, mul(k, x, like(k, x, 1.44269504f))), whole = i32_to_float(k, n), r;

    r = mad(k, whole, like(k, x, -0.693359375f), x); /* this part of ln 2 has 9 bits: the product is exact */
    r = mad(k, whole, like(k, x, 2.12194440e-4f), r);
    *out_n = n;
    return mad(k, mul(k, r, r), polynomial(k, r, c, 5), r);
}

/* Two factors, since 2^n itself may be outside of the normal range. */
static LLVMValueRef scale_by_two_to(cg_kernel *k, LLVMValueRef x, LLVMValueRef n)
{
    LLVMValueRef half = LLVMBuildAShr(k->b, n, like_i32(k, n, 1), "");

    return mul(k, mul(k, x, power_of_two(k, half)), power_of_two(k, LLVMBuildSub(k->b, n, half, "")));
}

LLVMValueRef cg_math_exp(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef n, e, clamped = cg_min(k, cg_max(k, x, like(k, x, -105)), like(k, x, 90));

    e = exp_reduced(k, clamped, &n);
    return choose(k, is_nan(k, x), x, scale_by_two_to(k, add(k, e, like(k, x, 1)), n));
}

LLVMValueRef cg_math_exp_below_0(cg_kernel *k, LLVMValueRef x, float least, int exponent, bool nan_passes)
{
    static const float c[] = {0.5f, 0.166665122f, 0.0416661873f, 0.00836959854f, 0.00139515882f};
    LLVMRealPredicate not_less = nan_passes ? LLVMRealUGE : LLVMRealOGE;
    LLVMValueRef inside = LLVMBuildFCmp(k->b, not_less, x, like(k, x, least), ""), n, whole, r, y;

    x = nan_passes ? cg_max(k, like(k, x, least), x) : cg_max(k, x, like(k, x, least));
    n = cg_round_to_i32(k, mul(k, x, like(k, x, 1.44269504f)));
    whole = i32_to_float(k, n);
    r = cg_fma(k, whole, like(k, x, -0.693359375f), x);
    r = cg_fma(k, whole, like(k, x, 2.12194440e-4f), r);
    y = like(k, x, c[4]);
    for (int i = 3; i >= 0; i--)
        y = cg_fma(k, y, r, like(k, x, c[i]));
    y = add(k, cg_fma(k, mul(k, r, r), y, r), like(k, x, 1));
    y = mul(k, y, power_of_two(k, LLVMBuildAdd(k->b, n, like_i32(k, n, exponent), "")));
    return choose(k, inside, y, like(k, x, 0));
}

LLVMValueRef cg_math_expm1(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef n, small, reduced = exp_reduced(k, cg_min(k, cg_max(k, x, like(k, x, -1)), like(k, x, 1)), &n);

    /* Only where n is 0 is the reduced form the result itself. */
    small = less(k, cg_math_abs(k, x), like(k, x, 0.34f));
    return choose(k, small, reduced, sub(k, cg_math_exp(k, x), like(k, x, 1)));
}

/* ---- Logarithm: x = 2^n m, m in sqrt(1/2)…sqrt(2), f = m - 1; log m = f - f²/2 + f³ p(f) ---- */

LLVMValueRef cg_math_log(cg_kernel *k, LLVMValueRef x)
{
    static const float c[] = {0.333333105f,  -0.249999866f, 0.200022265f,  -0.166692495f, 0.142186552f,
                              -0.123843685f, 0.118730128f,  -0.117897049f, 0.0691516548f};
    LLVMValueRef tiny = less(k, x, like(k, x, 1.17549435e-38f)), bits, n, f, squared, y;

    bits = to_bits(k, choose(k, tiny, mul(k, x, like(k, x, 8388608)), x));
    /* Counting exponents from the bits of sqrt(1/2) puts m where it has to be. */
    bits = LLVMBuildSub(k->b, bits, like_i32(k, bits, 0x3f3504f3), "");
    n = LLVMBuildAShr(k->b, bits, like_i32(k, bits, 23), "");
    bits = LLVMBuildAdd(k->b, LLVMBuildAnd(k->b, bits, like_i32(k, bits, 0x7fffff), ""), like_i32(k, bits, 0x3f3504f3),
                        "");
    f = sub(k, from_bits(k, bits), like(k, x, 1));
    n = i32_to_float(k, LLVMBuildSub(k->b, n, choose(k, tiny, like_i32(k, n, 23), like_i32(k, n, 0)), ""));
    squared = mul(k, f, f);
    y = mul(k, mul(k, f, squared), polynomial(k, f, c, 9));
    y = mad(k, n, like(k, x, -2.12194440e-4f), y);
    y = mad(k, squared, like(k, x, -0.5f), y);
    y = add(k, f, y);
    y = mad(k, n, like(k, x, 0.693359375f), y);
    y = choose(k, LLVMBuildFCmp(k->b, LLVMRealOEQ, x, like(k, x, INFINITY), ""), x, y);
    y = choose(k, LLVMBuildFCmp(k->b, LLVMRealOEQ, x, like(k, x, 0), ""), like(k, x, -INFINITY), y);
    return choose(k, LLVMBuildFCmp(k->b, LLVMRealULT, x, like(k, x, 0), ""), fill(k, x, cg_f32(k, NAN)), y);
}

/* ---- Hyperbolic tangent and its relatives ---- */

LLVMValueRef cg_math_tanh(cg_kernel *k, LLVMValueRef x)
{
    static const float c[] = {-0.333332837f, 0.133314908f, -0.0537434854f, 0.0206505544f, -0.00571701117f};
    LLVMValueRef a = cg_math_abs(k, x), squared = mul(k, x, x), small, large;

    small = mad(k, mul(k, x, squared), polynomial(k, squared, c, 5), x);
    large = add(k, cg_math_exp(k, add(k, a, a)), like(k, x, 1));
    large = with_sign_of(k, sub(k, like(k, x, 1), divide(k, like(k, x, 2), large)), x);
    return choose(k, less(k, a, like(k, x, 0.625f)), small, large);
}

LLVMValueRef cg_math_logistic(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef e = cg_math_exp(k, LLVMBuildFNeg(k->b, x, ""));

    return divide(k, like(k, x, 1), add(k, e, like(k, x, 1)));
}

/* ---- Error function: x + x p(x²) up to 0.9277, above it 1 - e^p(x) ---- */

LLVMValueRef cg_math_erf(cg_kernel *k, LLVMValueRef x)
{
    static const float low[] = {0.128379151f,   -0.376124978f,  0.112818383f,
                                -0.0267669037f, 0.00499297958f, -0.000598722545f};
    static const float high[] = {0.000177630078f, -1.12952924f,    -0.633317769f,   -0.108312473f,
                                 0.0251405537f,   -0.00417915592f, 0.000436146976f, -2.12419272e-05f};
    LLVMValueRef a = cg_math_abs(k, x), t = cg_min(k, a, like(k, x, 4)), small, large;

    small = mad(k, x, polynomial(k, mul(k, x, x), low, 6), x);
    large = sub(k, like(k, x, 1), cg_math_exp(k, polynomial(k, t, high, 8)));
    large = choose(k, is_nan(k, x), x, with_sign_of(k, large, x));
    return choose(k, less(k, a, like(k, x, 0.9277f)), small, large);
}

LLVMValueRef cg_math_gelu(cg_kernel *k, LLVMValueRef x, bool approximate)
{
    LLVMValueRef inner;

    if (approximate) {
        inner = mad(k, mul(k, mul(k, x, x), x), like(k, x, 0.044715f), x);
        inner = cg_math_tanh(k, mul(k, inner, like(k, x, 0.797884561f)));
    } else {
        inner = cg_math_erf(k, mul(k, x, like(k, x, 0.707106781f)));
    }
    return mul(k, mul(k, x, like(k, x, 0.5f)), add(k, inner, like(k, x, 1)));
}

LLVMValueRef cg_math_call(cg_kernel *k, const char *function, LLVMValueRef x)
{
    LLVMTypeRef type = LLVMFunctionType(k->m->f32, &k->m->f32, 1, 0);

    return LLVMBuildCall2(k->b, type, cg_external(k->m, function, type), &x, 1, "");
}

/* ---- Sine and cosine: x = n pi/2 + r, the reduction in double; n below 2^20, so that its product with the upper 33
 * bits of pi/2 is exact ---- */

/* The nearest integer of a double below 2^51, by the position of its last bit. */
static LLVMValueRef round_f64(cg_kernel *k, LLVMValueRef x)
{
    LLVMValueRef magic = like_f64(k, x, 6755399441055744.0);

    return sub(k, add(k, x, magic), magic);
}

/* The lanes of x for which `calls` is set, by calls; those of y otherwise. */
static LLVMValueRef called_where(cg_kernel *k, LLVMValueRef calls, const char *function, LLVMValueRef x, LLVMValueRef y)
{
    unsigned lanes = lanes_of(x);
    LLVMValueRef any = calls, called = lanes ? LLVMGetPoison(LLVMTypeOf(x)) : x;

    if (lanes) {
        LLVMTypeRef bits = LLVMIntTypeInContext(k->m->context, lanes);
        any = LLVMBuildICmp(k->b, LLVMIntNE, cg_bitcast(k, calls, bits), LLVMConstNull(bits), "");
    }
    cg_if rare = cg_if_begin(k, any);
    for (unsigned i = 0; i < lanes; i++) {
        LLVMValueRef at = cg_i32(k, (int32_t)i);
        called = LLVMBuildInsertElement(k->b, called,
                                        cg_math_call(k, function, LLVMBuildExtractElement(k->b, x, at, "")), at, "");
    }
    called = choose(k, calls, lanes ? called : cg_math_call(k, function, x), y);
    cg_if_end(k, &rare);
    return cg_if_merge(k, &rare, called, y);
}

/* x is within the bounds of the reduction. */
static LLVMValueRef sine_of_small(cg_kernel *k, LLVMValueRef x, int quarter_turns)
{
    static const float sine[] = {-0.166666672f, 0.00833332911f, -0.000198392561f, 2.71756403e-06f};
    static const float cosine[] = {0.0416666456f, -0.0013887306f, 2.44311977e-05f};
    LLVMTypeRef wide = shaped(x, LLVMDoubleTypeInContext(k->m->context));
    LLVMValueRef xd, whole, n, r, s, c, y, squared, flip;

    xd = LLVMBuildFPExt(k->b, x, wide, "");
    whole = round_f64(k, mul(k, xd, like_f64(k, x, 0.63661977236758134)));
    r = sub(k, xd, mul(k, whole, like_f64(k, x, 1.5707963267341256)));
    r = sub(k, r, mul(k, whole, like_f64(k, x, 6.0771005065061922e-11)));
    r = LLVMBuildFPTrunc(k->b, r, shaped(x, k->m->f32), "");
    n = LLVMBuildFPToSI(k->b, whole, shaped(x, k->m->i32), "");
    n = LLVMBuildAdd(k->b, n, like_i32(k, n, quarter_turns), "");
    squared = mul(k, r, r);
    s = mad(k, mul(k, r, squared), polynomial(k, squared, sine, 4), r);
    c = mad(k, mul(k, squared, squared), polynomial(k, squared, cosine, 3),
            mad(k, squared, like(k, x, -0.5f), like(k, x, 1)));
    y = choose(k, LLVMBuildICmp(k->b, LLVMIntEQ, LLVMBuildAnd(k->b, n, like_i32(k, n, 1), ""), like_i32(k, n, 0), ""),
               s, c);
    flip = LLVMBuildShl(k->b, LLVMBuildAnd(k->b, n, like_i32(k, n, 2), ""), like_i32(k, n, 30), "");
    return from_bits(k, LLVMBuildXor(k->b, to_bits(k, y), flip, ""));
}

static LLVMValueRef sine_of(cg_kernel *k, LLVMValueRef x, int quarter_turns, const char *function)
{
    LLVMValueRef small = less(k, cg_math_abs(k, x), like(k, x, 1647099));

    return called_where(k, LLVMBuildNot(k->b, small, ""), function, x,
                        sine_of_small(k, choose(k, small, x, like(k, x, 0)), quarter_turns));
}

LLVMValueRef cg_math_sin(cg_kernel *k, LLVMValueRef x) { return sine_of(k, x, 0, "qcc_op_sin"); }
LLVMValueRef cg_math_cos(cg_kernel *k, LLVMValueRef x) { return sine_of(k, x, 1, "qcc_op_cos"); }

/* ---- Powers: 2^(b log2 |a|) in double, log2 m = z p(z²) with z = (m-1)/(m+1) ---- */

static LLVMValueRef log2_f64(cg_kernel *k, LLVMValueRef x)
{
    static const double c[] = {2.8853900817778402,  0.96179669413312341, 0.57707793611615033,
                               0.41220992622718572, 0.31987653871830507, 0.28333608736002364};
    LLVMTypeRef wide = shaped(x, LLVMDoubleTypeInContext(k->m->context)), i64 = shaped(x, k->m->i64);
    LLVMValueRef base = fill(k, x, cg_i64(k, 0x3fe6a09e667f3bcd)), bits, n, m, z, one = like_f64(k, x, 1);

    bits = LLVMBuildSub(k->b, cg_bitcast(k, LLVMBuildFPExt(k->b, x, wide, ""), i64), base, "");
    n = LLVMBuildAShr(k->b, bits, fill(k, x, cg_i64(k, 52)), "");
    m = LLVMBuildAnd(k->b, bits, fill(k, x, cg_i64(k, ((int64_t)1 << 52) - 1)), "");
    m = cg_bitcast(k, LLVMBuildAdd(k->b, m, base, ""), wide);
    z = divide(k, sub(k, m, one), add(k, m, one));
    n = LLVMBuildSIToFP(k->b, LLVMBuildTrunc(k->b, n, shaped(x, k->m->i32), ""), wide, "");
    return add(k, n, mul(k, z, polynomial_f64(k, mul(k, z, z), c, 6)));
}

/* 2^x rounded to float; x in -160…160. */
static LLVMValueRef exp2_f64(cg_kernel *k, LLVMValueRef x)
{
    static const double c[] = {0.99999999995889699,    0.6931471805346493,    0.24022651219833713,
                               0.0555041097735623,     0.0096180247725317358, 0.0013333421617586078,
                               0.00015469997242262279, 1.5316703525994541e-05};
    LLVMTypeRef i64 = shaped(x, k->m->i64), wide = LLVMTypeOf(x);
    LLVMValueRef whole = round_f64(k, x), n, y = polynomial_f64(k, sub(k, x, whole), c, 8);

    n = LLVMBuildSExt(k->b, LLVMBuildFPToSI(k->b, whole, shaped(x, k->m->i32), ""), i64, "");
    n = LLVMBuildShl(k->b, n, fill(k, x, cg_i64(k, 52)), "");
    y = cg_bitcast(k, LLVMBuildAdd(k->b, cg_bitcast(k, y, i64), n, ""), wide);
    return LLVMBuildFPTrunc(k->b, y, shaped(x, k->m->f32), "");
}

static LLVMValueRef equals(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFCmp(k->b, LLVMRealOEQ, a, b, "");
}
static LLVMValueRef both(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildAnd(k->b, a, b, ""); }

/* |a|^b for the special magnitudes 0 and infinity. */
static LLVMValueRef pow_extreme(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, LLVMValueRef y)
{
    LLVMValueRef zero = like(k, a, 0), infinity = like(k, a, INFINITY),
                 b_positive = LLVMBuildFCmp(k->b, LLVMRealOGT, b, zero, "");

    y = choose(k, equals(k, a, zero), choose(k, b_positive, zero, infinity), y);
    return choose(k, equals(k, a, infinity), choose(k, b_positive, infinity, zero), y);
}

LLVMValueRef cg_math_pow(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef wide = shaped(a, LLVMDoubleTypeInContext(k->m->context));
    LLVMValueRef zero = like(k, a, 0), one = like(k, a, 1), nan = fill(k, a, cg_f32(k, NAN));
    LLVMValueRef magnitude = cg_math_abs(k, a), exponent, y, whole, half, odd, negative;

    exponent = mul(k, LLVMBuildFPExt(k->b, b, wide, ""), log2_f64(k, magnitude));
    exponent = cg_min(k, cg_max(k, exponent, like_f64(k, a, -160)), like_f64(k, a, 160));
    y = pow_extreme(k, magnitude, b, exp2_f64(k, exponent));
    whole = equals(k, cg_math_trunc(k, b), b);
    half = mul(k, b, like(k, b, 0.5f));
    odd = both(k, whole, LLVMBuildFCmp(k->b, LLVMRealUNE, cg_math_trunc(k, half), half, ""));
    negative = LLVMBuildICmp(k->b, LLVMIntSLT, to_bits(k, a), like_i32(k, a, 0), "");
    y = choose(k, both(k, negative, odd), LLVMBuildFNeg(k->b, y, ""), y);
    y = choose(
        k, both(k, less(k, a, zero), both(k, LLVMBuildNot(k->b, whole, ""), less(k, magnitude, like(k, a, INFINITY)))),
        nan, y);
    y = choose(k, LLVMBuildOr(k->b, is_nan(k, a), is_nan(k, b), ""), nan, y);
    y = choose(k, both(k, equals(k, a, like(k, a, -1)), equals(k, cg_math_abs(k, b), like(k, a, INFINITY))), one, y);
    return choose(k, LLVMBuildOr(k->b, equals(k, b, zero), equals(k, a, one), ""), one, y);
}

/* ---- Angles: the smaller over the larger magnitude, reduced to tan(pi/8) ---- */

LLVMValueRef cg_math_atan2(cg_kernel *k, LLVMValueRef y, LLVMValueRef x)
{
    static const float c[] = {-0.333333164f, 0.199984789f, -0.142436266f, 0.105942629f, -0.0607882589f};
    LLVMValueRef ay = cg_math_abs(k, y), ax = cg_math_abs(k, x), steep = less(k, ax, ay), one = like(k, x, 1);
    LLVMValueRef large = choose(k, steep, ay, ax), small = choose(k, steep, ax, ay), t, reduced, squared, angle,
                 x_negative;

    /* 0/0 is the angle 0, infinity over infinity 45 degrees. */
    t = divide(k, small, large);
    t = choose(k, equals(k, large, like(k, x, 0)), like(k, x, 0), t);
    t = choose(k, equals(k, small, like(k, x, INFINITY)), one, t);
    reduced = less(k, like(k, x, 0.414213562f), t);
    t = choose(k, reduced, divide(k, sub(k, t, one), add(k, t, one)), t);
    squared = mul(k, t, t);
    angle = mad(k, mul(k, t, squared), polynomial(k, squared, c, 5), t);
    angle = choose(k, reduced, add(k, angle, like(k, x, 0.785398163f)), angle);
    angle = choose(k, steep, sub(k, like(k, x, 1.57079633f), angle), angle);
    x_negative = LLVMBuildICmp(k->b, LLVMIntSLT, to_bits(k, x), like_i32(k, x, 0), "");
    angle = choose(k, x_negative, sub(k, like(k, x, 3.14159265f), angle), angle);
    angle = with_sign_of(k, angle, y);
    return choose(k, LLVMBuildFCmp(k->b, LLVMRealUNO, x, y, ""), add(k, x, y), angle);
}
