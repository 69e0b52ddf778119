/* quantvec.c: fixed-point multiplication and narrowing on vectors, see quantvec.h. */
#include "compiler/codegen/build/quantvec.h"

static LLVMValueRef splat_i64(cg_kernel *k, LLVMValueRef like, int64_t v)
{
    return cg_splat(k, cg_i64(k, v), LLVMGetVectorSize(LLVMTypeOf(like)));
}

static LLVMValueRef splat(cg_kernel *k, LLVMValueRef like, int32_t v)
{
    return cg_splat_i32(k, v, LLVMGetVectorSize(LLVMTypeOf(like)));
}

/* x * mantissa as 64-bit lanes. */
static LLVMValueRef wide_product(cg_kernel *k, LLVMValueRef x, int32_t mantissa)
{
    LLVMTypeRef wide = cg_vector(k->m->i64, LLVMGetVectorSize(LLVMTypeOf(x)));

    return LLVMBuildMul(k->b, LLVMBuildSExt(k->b, x, wide, ""), splat_i64(k, x, mantissa), "");
}

static LLVMValueRef to_i32(cg_kernel *k, LLVMValueRef x)
{
    return LLVMBuildTrunc(k->b, x, cg_vector(k->m->i32, LLVMGetVectorSize(LLVMTypeOf(x))), "");
}

/* x / 2^by, ties away from zero. */
static LLVMValueRef shift_right_rounding(cg_kernel *k, LLVMValueRef x, int by)
{
    int32_t mask = (int32_t)(((int64_t)1 << by) - 1);
    LLVMValueRef rest, threshold, up;

    if (!by)
        return x;
    rest = LLVMBuildAnd(k->b, x, splat(k, x, mask), "");
    threshold = LLVMBuildSub(k->b, splat(k, x, mask >> 1), LLVMBuildAShr(k->b, x, splat(k, x, 31), ""), "");
    up = LLVMBuildZExt(k->b, LLVMBuildICmp(k->b, LLVMIntSGT, rest, threshold, ""), LLVMTypeOf(x), "");
    return LLVMBuildAdd(k->b, LLVMBuildAShr(k->b, x, splat(k, x, by), ""), up, "");
}

/* The doubled high word, ties away from zero as the reference has it, is floor((product + 2^30) / 2^31): for negative
 * products its nudge and truncation come to the same. */
static LLVMValueRef mul_twice(cg_kernel *k, LLVMValueRef x, arith_multiplier m)
{
    LLVMValueRef product;

    if (m.shift > 0)
        x = LLVMBuildShl(k->b, x, splat(k, x, m.shift), "");
    product = LLVMBuildAdd(k->b, wide_product(k, x, m.mantissa), splat_i64(k, x, (int64_t)1 << 30), "");
    x = to_i32(k, LLVMBuildAShr(k->b, product, splat_i64(k, x, 31), ""));
    return shift_right_rounding(k, x, m.shift < 0 ? -m.shift : 0);
}

static LLVMValueRef mul_once(cg_kernel *k, LLVMValueRef x, arith_multiplier m)
{
    int total = 31 - m.shift;
    LLVMValueRef product =
        LLVMBuildAdd(k->b, wide_product(k, x, m.mantissa), splat_i64(k, x, (int64_t)1 << (total - 1)), "");

    product = LLVMBuildAShr(k->b, product, splat_i64(k, x, total), "");
    product = cg_max(k, product, splat_i64(k, x, INT32_MIN));
    return to_i32(k, cg_min(k, product, splat_i64(k, x, INT32_MAX)));
}

LLVMValueRef cg_quant_mul_fixed(cg_kernel *k, ir_enum_ROUNDING rounding, LLVMValueRef x, arith_multiplier m)
{
    return rounding == IR_ROUNDING_FIXED_ONCE ? mul_once(k, x, m) : mul_twice(k, x, m);
}

cg_quant_end cg_quant_end_of(const ir_value *v, ir_enum_ACT act)
{
    cg_quant_end end = {.dtype = v->type.dtype, .zero = v->quant->zero[0]};

    ir_result_bounds(v, act, &end.min, &end.max);
    return end;
}

/* Four vectors of 16 lanes -> 64 bytes: packs saturate, and work within 128 bits: lane l of the result has channels 4l
 * … of each of the four, which one permutation of 32-bit elements sets right. */
static LLVMValueRef pack_64(cg_kernel *k, const cg_quant_end *end, LLVMValueRef x)
{
    LLVMTypeRef words = cg_vector(k->m->i32, 16);
    LLVMValueRef part[4], half[2], bytes;
    int lanes[16];

    for (int p = 0; p < 4; p++) {
        for (int i = 0; i < 16; i++)
            lanes[i] = 16 * p + i;
        part[p] = cg_shuffle(k, x, NULL, lanes, 16);
    }
    for (int h = 0; h < 2; h++) {
        half[h] = cg_pack_words(k, part[2 * h], part[2 * h + 1]);
        if (end->zero) {
            LLVMTypeRef type = LLVMTypeOf(half[h]);
            LLVMValueRef args[2] = {half[h], cg_splat(k, LLVMConstInt(k->m->i16, (uint64_t)(int64_t)end->zero, 1), 32)};
            half[h] = cg_intrinsic(k, "llvm.sadd.sat", &type, 1, args, 2);
        }
    }
    bytes = cg_bitcast(k, cg_pack_bytes(k, half[0], half[1]), words);
    for (int i = 0; i < 16; i++)
        lanes[i] = 4 * (i % 4) + i / 4;
    return cg_bitcast(k, cg_shuffle(k, bytes, NULL, lanes, 16), cg_vector(k->m->i8, 64));
}

static LLVMValueRef clamp_bytes(cg_kernel *k, const cg_quant_end *end, LLVMValueRef x)
{
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(x));
    LLVMValueRef low = cg_splat(k, cg_i8(k, end->min), lanes), high = cg_splat(k, cg_i8(k, end->max), lanes);

    if (end->min > 0)
        x = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntULT, x, low, ""), low, x, "");
    if (end->max < 255)
        x = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntULT, high, x, ""), high, x, "");
    return x;
}

/* Clamping before the zero point is added can't overflow. */
LLVMValueRef cg_quant_finish(cg_kernel *k, const cg_quant_end *end, LLVMValueRef x)
{
    unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(x));
    LLVMTypeRef element = end->dtype == IR_I16 ? k->m->i16 : k->m->i8;

    if (cg_quant_packs(end, lanes))
        return clamp_bytes(k, end, pack_64(k, end, x));
    x = cg_max(k, x, splat(k, x, end->min - end->zero));
    x = cg_min(k, x, splat(k, x, end->max - end->zero));
    x = LLVMBuildAdd(k->b, x, splat(k, x, end->zero), "");
    return LLVMBuildTrunc(k->b, x, cg_vector(element, lanes), "");
}
