/* vector.c: vectors of any lane count over the LLVM builder, and the few primitives that have an instruction of their
 * own: 4-way dot products, exact fused multiply-add, rounding conversion, byte tables.  Targets without the instruction
 * get an expansion with the same result. */
#include "compiler/codegen/build/loops.h"

#include <assert.h>
#include <string.h>

enum { MAX_LANES = 256 };

/* ---- Building ---- */

LLVMTypeRef cg_vector(LLVMTypeRef element, unsigned lanes) { return LLVMVectorType(element, lanes); }

static bool is_vector(LLVMValueRef v) { return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind; }
static unsigned lanes_of(LLVMValueRef v) { return is_vector(v) ? LLVMGetVectorSize(LLVMTypeOf(v)) : 1; }

LLVMValueRef cg_splat(cg_kernel *k, LLVMValueRef scalar, unsigned lanes)
{
    LLVMTypeRef type = cg_vector(LLVMTypeOf(scalar), lanes);
    LLVMValueRef first;

    if (LLVMIsConstant(scalar)) {
        LLVMValueRef all[MAX_LANES];
        assert(lanes <= MAX_LANES);
        for (unsigned i = 0; i < lanes; i++)
            all[i] = scalar;
        return LLVMConstVector(all, lanes);
    }
    first = LLVMBuildInsertElement(k->b, LLVMGetPoison(type), scalar, cg_i32(k, 0), "");
    return LLVMBuildShuffleVector(k->b, first, LLVMGetPoison(type), LLVMConstNull(cg_vector(k->m->i32, lanes)), "");
}

LLVMValueRef cg_splat_i32(cg_kernel *k, int32_t v, unsigned lanes) { return cg_splat(k, cg_i32(k, v), lanes); }
LLVMValueRef cg_splat_f32(cg_kernel *k, float v, unsigned lanes) { return cg_splat(k, cg_f32(k, v), lanes); }

LLVMValueRef cg_shuffle(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, const int lanes[], unsigned count)
{
    LLVMValueRef mask[MAX_LANES];

    assert(count <= MAX_LANES);
    for (unsigned i = 0; i < count; i++)
        mask[i] = lanes[i] < 0 ? LLVMGetUndef(k->m->i32) : cg_i32(k, lanes[i]);
    return LLVMBuildShuffleVector(k->b, a, b ? b : LLVMGetPoison(LLVMTypeOf(a)), LLVMConstVector(mask, count), "");
}

/* count lanes of v from `first` on, with step; lanes past the end of v are undefined. */
static LLVMValueRef take(cg_kernel *k, LLVMValueRef v, unsigned first, unsigned step, unsigned count)
{
    int lanes[MAX_LANES];

    for (unsigned i = 0; i < count; i++)
        lanes[i] = first + i * step < lanes_of(v) ? (int)(first + i * step) : -1;
    return cg_shuffle(k, v, NULL, lanes, count);
}

static LLVMValueRef join(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    int lanes[MAX_LANES];
    unsigned count = lanes_of(a) + lanes_of(b);

    assert(lanes_of(a) == lanes_of(b) && count <= MAX_LANES);
    for (unsigned i = 0; i < count; i++)
        lanes[i] = (int)i;
    return cg_shuffle(k, a, b, lanes, count);
}

/* Applies `unit`, which takes vectors of exactly `width` lanes, to v with any lane count. */
static LLVMValueRef by_width(cg_kernel *k, LLVMValueRef v, unsigned width, const void *context,
                             LLVMValueRef (*unit)(cg_kernel *, LLVMValueRef, const void *))
{
    unsigned lanes = lanes_of(v);

    if (lanes == width)
        return unit(k, v, context);
    if (lanes < width)
        return take(k, unit(k, take(k, v, 0, 1, width), context), 0, 1, lanes);
    if (lanes % 2 == 0) {
        LLVMValueRef low = by_width(k, take(k, v, 0, 1, lanes / 2), width, context, unit);
        return join(k, low, by_width(k, take(k, v, lanes / 2, 1, lanes / 2), width, context, unit));
    }
    v = take(k, v, 0, 1, lanes + 1);
    return take(k, by_width(k, v, width, context, unit), 0, 1, lanes);
}

LLVMValueRef cg_bitcast(cg_kernel *k, LLVMValueRef v, LLVMTypeRef type) { return LLVMBuildBitCast(k->b, v, type, ""); }

LLVMValueRef cg_intrinsic(cg_kernel *k, const char *name, LLVMTypeRef overloads[], unsigned overload_count,
                          LLVMValueRef args[], unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function;

    assert(id && "unknown intrinsic");
    function = LLVMGetIntrinsicDeclaration(k->m->llvm, id, overloads, overload_count);
    return LLVMBuildCall2(k->b, LLVMGlobalGetValueType(function), function, args, count, "");
}

/* Calls an intrinsic of the machine without overloads, casting the arguments to the types it has in this LLVM. */
static LLVMValueRef machine_intrinsic(cg_kernel *k, const char *name, LLVMValueRef args[], unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef types[8];

    assert(id && "unknown intrinsic" && count <= 8);
    LLVMGetParamTypes(LLVMIntrinsicGetType(k->m->context, id, NULL, 0), types);
    for (unsigned i = 0; i < count; i++)
        args[i] = cg_bitcast(k, args[i], types[i]);
    return cg_intrinsic(k, name, NULL, 0, args, count);
}

/* ---- Masks ---- */

LLVMValueRef cg_lane_mask(cg_kernel *k, LLVMValueRef count_i64, unsigned lanes)
{
    LLVMTypeRef type = lanes > 32 ? k->m->i8 : lanes > 16 ? k->m->i16 : k->m->i32;
    LLVMValueRef index[MAX_LANES], count = cg_min(k, count_i64, cg_i64(k, lanes));

    assert(lanes <= 64);
    for (unsigned i = 0; i < lanes; i++)
        index[i] = LLVMConstInt(type, i, 0);
    count = cg_splat(k, LLVMBuildTrunc(k->b, count, type, ""), lanes);
    return LLVMBuildICmp(k->b, LLVMIntSLT, LLVMConstVector(index, lanes), count, "");
}

LLVMValueRef cg_load_masked(cg_kernel *k, LLVMTypeRef vector, LLVMValueRef pointer, LLVMValueRef mask)
{
    LLVMTypeRef overloads[2] = {vector, k->m->ptr};
    LLVMValueRef args[4] = {pointer, cg_i32(k, 1), mask, LLVMConstNull(vector)};

    return cg_intrinsic(k, "llvm.masked.load", overloads, 2, args, 4);
}

void cg_store_masked(cg_kernel *k, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef mask)
{
    LLVMTypeRef overloads[2] = {LLVMTypeOf(value), k->m->ptr};
    LLVMValueRef args[4] = {value, pointer, cg_i32(k, 1), mask};

    cg_intrinsic(k, "llvm.masked.store", overloads, 2, args, 4);
}

/* ---- Fused multiply-add ---- */

/* Without the instruction: the product is exact in double; the sum is rounded to odd there (to the neighbour whose last
 * bit is 1 when inexact), after which rounding to float can't round twice. */
static LLVMValueRef fma_expand(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMTypeRef single = LLVMTypeOf(a), wide = LLVMDoubleTypeInContext(k->m->context), bits_type = k->m->i64;
    LLVMValueRef p, s, t, error, bits, inexact, even, same_sign, step, zero, one;

    if (is_vector(a)) {
        wide = cg_vector(wide, lanes_of(a));
        bits_type = cg_vector(bits_type, lanes_of(a));
    }
    zero = LLVMConstNull(bits_type);
    one = is_vector(a) ? cg_splat(k, cg_i64(k, 1), lanes_of(a)) : cg_i64(k, 1);
    p = LLVMBuildFMul(k->b, LLVMBuildFPExt(k->b, a, wide, ""), LLVMBuildFPExt(k->b, b, wide, ""), "");
    c = LLVMBuildFPExt(k->b, c, wide, "");
    s = LLVMBuildFAdd(k->b, p, c, "");
    t = LLVMBuildFSub(k->b, s, p, "");
    error = LLVMBuildFAdd(k->b, LLVMBuildFSub(k->b, p, LLVMBuildFSub(k->b, s, t, ""), ""),
                          LLVMBuildFSub(k->b, c, t, ""), "");
    bits = cg_bitcast(k, s, bits_type);
    inexact = LLVMBuildFCmp(k->b, LLVMRealONE, error, LLVMConstNull(wide), "");
    even = LLVMBuildICmp(k->b, LLVMIntEQ, LLVMBuildAnd(k->b, bits, one, ""), zero, "");
    same_sign = LLVMBuildICmp(k->b, LLVMIntSGE, LLVMBuildXor(k->b, bits, cg_bitcast(k, error, bits_type), ""), zero, "");
    step = LLVMBuildSelect(k->b, same_sign, one, LLVMBuildNeg(k->b, one, ""), "");
    step = LLVMBuildSelect(k->b, LLVMBuildAnd(k->b, inexact, even, ""), step, zero, "");
    return LLVMBuildFPTrunc(k->b, cg_bitcast(k, LLVMBuildAdd(k->b, bits, step, ""), wide), single, "");
}

LLVMValueRef cg_fma(cg_kernel *k, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMTypeRef overload = LLVMTypeOf(a);
    LLVMValueRef args[3] = {a, b, c};

    if (!k->m->target->avx512)
        return fma_expand(k, a, b, c);
    return cg_intrinsic(k, "llvm.fma", &overload, 1, args, 3);
}

/* ---- Dot products ---- */

/* Sums of neighbouring pairs: <2n> -> <n>. */
static LLVMValueRef pair_sums(cg_kernel *k, LLVMValueRef v)
{
    return LLVMBuildAdd(k->b, take(k, v, 0, 2, lanes_of(v) / 2), take(k, v, 1, 2, lanes_of(v) / 2), "");
}

LLVMValueRef cg_dot4(cg_kernel *k, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes)
{
    unsigned lanes = lanes_of(acc);
    LLVMTypeRef wide = cg_vector(k->m->i32, 4 * lanes);

    if (k->m->target->vnni && (lanes == 16 || lanes == 8 || lanes == 4)) {
        LLVMValueRef args[3] = {acc, unsigned_bytes, signed_bytes};
        return machine_intrinsic(k, lanes == 16  ? "llvm.x86.avx512.vpdpbusd.512"
                                    : lanes == 8 ? "llvm.x86.avx512.vpdpbusd.256"
                                                 : "llvm.x86.avx512.vpdpbusd.128", args, 3);
    }
    unsigned_bytes = LLVMBuildZExt(k->b, cg_bitcast(k, unsigned_bytes, cg_vector(k->m->i8, 4 * lanes)), wide, "");
    signed_bytes = LLVMBuildSExt(k->b, cg_bitcast(k, signed_bytes, cg_vector(k->m->i8, 4 * lanes)), wide, "");
    return LLVMBuildAdd(k->b, acc, pair_sums(k, pair_sums(k, LLVMBuildMul(k->b, unsigned_bytes, signed_bytes, ""))), "");
}

/* ---- Rounding to integers ---- */

/* cvtps2dq rounds as MXCSR says, which is to nearest-even in every program that has not asked for something else; the
 * 4-lane form is part of the x86-64 baseline. */
static LLVMValueRef round_unit(cg_kernel *k, LLVMValueRef v, const void *context)
{
    (void)context;
    if (lanes_of(v) == 16) {
        LLVMValueRef args[4] = {v, LLVMConstNull(cg_vector(k->m->i32, 16)), LLVMConstInt(k->m->i16, 0xffff, 0),
                                cg_i32(k, 4)};
        return cg_intrinsic(k, "llvm.x86.avx512.mask.cvtps2dq.512", NULL, 0, args, 4);
    }
    return cg_intrinsic(k, lanes_of(v) == 8 ? "llvm.x86.avx.cvt.ps2dq.256" : "llvm.x86.sse2.cvtps2dq", NULL, 0, &v, 1);
}

LLVMValueRef cg_round_to_i32(cg_kernel *k, LLVMValueRef float_vector)
{
    unsigned lanes = lanes_of(float_vector);

    if (!is_vector(float_vector)) {
        LLVMValueRef one = LLVMBuildInsertElement(k->b, LLVMGetPoison(cg_vector(k->m->f32, 4)), float_vector,
                                                  cg_i32(k, 0), "");
        return LLVMBuildExtractElement(k->b, round_unit(k, one, NULL), cg_i32(k, 0), "");
    }
    return by_width(k, float_vector, !k->m->target->avx512 || lanes <= 4 ? 4 : lanes <= 8 ? 8 : 16, NULL, round_unit);
}

/* ---- Byte tables ---- */

cg_table cg_table_load(cg_kernel *k, LLVMValueRef pointer)
{
    cg_table t = {.pointer = pointer};

    for (int i = 0; i < 4 && k->m->target->vbmi; i++)
        t.part[i] = cg_load(k, cg_vector(k->m->i8, 64), cg_at_const(k, pointer, 64 * i), 1);
    return t;
}

/* vpermi2b picks from 128 bytes by 7 bits; the eighth chooses the half. */
static LLVMValueRef lookup_unit(cg_kernel *k, LLVMValueRef bytes, const void *context)
{
    const cg_table *t = context;
    LLVMValueRef low[3] = {t->part[0], bytes, t->part[1]}, high[3] = {t->part[2], bytes, t->part[3]};
    LLVMValueRef is_high = LLVMBuildICmp(k->b, LLVMIntSLT, bytes, LLVMConstNull(LLVMTypeOf(bytes)), "");
    LLVMValueRef from_low = cg_intrinsic(k, "llvm.x86.avx512.vpermi2var.qi.512", NULL, 0, low, 3);

    return LLVMBuildSelect(k->b, is_high, cg_intrinsic(k, "llvm.x86.avx512.vpermi2var.qi.512", NULL, 0, high, 3),
                           from_low, "");
}

LLVMValueRef cg_table_lookup(cg_kernel *k, const cg_table *table, LLVMValueRef bytes)
{
    LLVMValueRef result, index;

    if (!is_vector(bytes)) {
        index = LLVMBuildZExt(k->b, bytes, k->m->i64, "");
        return cg_load(k, k->m->i8, cg_at(k, table->pointer, index), 1);
    }
    if (table->part[0])
        return by_width(k, bytes, 64, table, lookup_unit);
    result = LLVMGetPoison(LLVMTypeOf(bytes));
    for (unsigned i = 0; i < lanes_of(bytes); i++) {
        index = LLVMBuildZExt(k->b, LLVMBuildExtractElement(k->b, bytes, cg_i32(k, (int)i), ""), k->m->i64, "");
        result = LLVMBuildInsertElement(k->b, result, cg_load(k, k->m->i8, cg_at(k, table->pointer, index), 1),
                                        cg_i32(k, (int)i), "");
    }
    return result;
}

void cg_prefetch(cg_kernel *k, LLVMValueRef pointer, int locality)
{
    LLVMTypeRef overload = k->m->ptr;
    LLVMValueRef args[4] = {pointer, cg_i32(k, 0), cg_i32(k, locality), cg_i32(k, 1)};

    cg_intrinsic(k, "llvm.prefetch", &overload, 1, args, 4);
}
