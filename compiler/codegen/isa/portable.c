/* portable.c: primitives spelled out, for machines, or lane counts, without an instruction. */
#include "compiler/codegen/isa/isa.h"

/* ---- Fused multiply-add ---- */

/* Without the instruction: the product is exact in double; the sum is rounded to odd there (to the neighbour whose last
 * bit is 1 when inexact), after which rounding to float can't round twice. */
static LLVMValueRef fma_expand(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMTypeRef single = LLVMTypeOf(a), wide = LLVMDoubleTypeInContext(k->m->context), bits_type = k->m->i64;
    LLVMValueRef p, s, t, error, bits, inexact, even, same_sign, step, zero, one;

    if (cg_is_vector(a)) {
        wide = cg_vector(wide, cg_lanes(a));
        bits_type = cg_vector(bits_type, cg_lanes(a));
    }
    zero = LLVMConstNull(bits_type);
    one = cg_is_vector(a) ? cg_splat(k, cg_i64(k, 1), cg_lanes(a)) : cg_i64(k, 1);
    p = LLVMBuildFMul(k->b, LLVMBuildFPExt(k->b, a, wide, ""), LLVMBuildFPExt(k->b, b, wide, ""), "");
    c = LLVMBuildFPExt(k->b, c, wide, "");
    s = LLVMBuildFAdd(k->b, p, c, "");
    t = LLVMBuildFSub(k->b, s, p, "");
    error = LLVMBuildFAdd(k->b, LLVMBuildFSub(k->b, p, LLVMBuildFSub(k->b, s, t, ""), ""),
                          LLVMBuildFSub(k->b, c, t, ""), "");
    bits = cg_bitcast(k, s, bits_type);
    inexact = LLVMBuildFCmp(k->b, LLVMRealONE, error, LLVMConstNull(wide), "");
    even = LLVMBuildICmp(k->b, LLVMIntEQ, LLVMBuildAnd(k->b, bits, one, ""), zero, "");
    same_sign =
        LLVMBuildICmp(k->b, LLVMIntSGE, LLVMBuildXor(k->b, bits, cg_bitcast(k, error, bits_type), ""), zero, "");
    step = LLVMBuildSelect(k->b, same_sign, one, LLVMBuildNeg(k->b, one, ""), "");
    step = LLVMBuildSelect(k->b, LLVMBuildAnd(k->b, inexact, even, ""), step, zero, "");
    return LLVMBuildFPTrunc(k->b, cg_bitcast(k, LLVMBuildAdd(k->b, bits, step, ""), wide), single, "");
}

LLVMValueRef cg_fma(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMTypeRef overload = LLVMTypeOf(a);
    LLVMValueRef args[3] = {a, b, c};

    if (!target_has(k->m->target, TARGET_FMA))
        return fma_expand(k, a, b, c);
    return cg_intrinsic(k, "llvm.fma", &overload, 1, args, 3);
}

/* ---- Dot products ---- */

/* Sums of neighbouring pairs: <2n> -> <n>. */
static LLVMValueRef pair_sums(cg_kernel *k, LLVMValueRef v)
{
    return LLVMBuildAdd(k->b, cg_take(k, v, 0, 2, cg_lanes(v) / 2), cg_take(k, v, 1, 2, cg_lanes(v) / 2), "");
}

LLVMValueRef cg_portable_dot4(cg_kernel *k, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes)
{
    unsigned lanes = cg_lanes(acc);
    LLVMTypeRef wide = cg_vector(k->m->i32, 4 * lanes);

    unsigned_bytes = LLVMBuildZExt(k->b, cg_bitcast(k, unsigned_bytes, cg_vector(k->m->i8, 4 * lanes)), wide, "");
    signed_bytes = LLVMBuildSExt(k->b, cg_bitcast(k, signed_bytes, cg_vector(k->m->i8, 4 * lanes)), wide, "");
    return LLVMBuildAdd(k->b, acc, pair_sums(k, pair_sums(k, LLVMBuildMul(k->b, unsigned_bytes, signed_bytes, ""))),
                        "");
}

/* ---- Byte tables ---- */

LLVMValueRef cg_portable_table_lookup(cg_kernel *k, const cg_table *table, LLVMValueRef bytes)
{
    LLVMValueRef result, index;

    if (!cg_is_vector(bytes)) {
        index = LLVMBuildZExt(k->b, bytes, k->m->i64, "");
        return cg_load(k, k->m->i8, cg_at(k, table->pointer, index), 1);
    }
    result = LLVMGetPoison(LLVMTypeOf(bytes));
    for (unsigned i = 0; i < cg_lanes(bytes); i++) {
        index = LLVMBuildZExt(k->b, LLVMBuildExtractElement(k->b, bytes, cg_i32(k, (int)i), ""), k->m->i64, "");
        result = LLVMBuildInsertElement(k->b, result, cg_load(k, k->m->i8, cg_at(k, table->pointer, index), 1),
                                        cg_i32(k, (int)i), "");
    }
    return result;
}
