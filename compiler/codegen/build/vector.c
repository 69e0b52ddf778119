/* vector.c: vectors of any lane count over the LLVM builder, see vector.h. */
#include "compiler/codegen/build/vector.h"

#include <assert.h>
#include <string.h>

enum { MAX_LANES = CG_MAX_LANES };

/* ---- Building ---- */

LLVMTypeRef cg_vector(LLVMTypeRef element, unsigned lanes) { return LLVMVectorType(element, lanes); }

bool cg_is_vector(LLVMValueRef v) { return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind; }
unsigned cg_lanes(LLVMValueRef v) { return cg_is_vector(v) ? LLVMGetVectorSize(LLVMTypeOf(v)) : 1; }

unsigned cg_vector_bytes(LLVMTypeRef vector)
{
    LLVMTypeRef element = LLVMGetElementType(vector);
    const unsigned lanes = LLVMGetVectorSize(vector);
    switch (LLVMGetTypeKind(element)) {
    case LLVMHalfTypeKind: return 2 * lanes;
    case LLVMFloatTypeKind: return 4 * lanes;
    case LLVMDoubleTypeKind: return 8 * lanes;
    default: return LLVMGetIntTypeWidth(element) / 8 * lanes;
    }
}

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

LLVMValueRef cg_take(cg_kernel *k, LLVMValueRef v, unsigned first, unsigned step, unsigned count)
{
    int lanes[MAX_LANES];

    for (unsigned i = 0; i < count; i++)
        lanes[i] = first + i * step < cg_lanes(v) ? (int)(first + i * step) : -1;
    return cg_shuffle(k, v, NULL, lanes, count);
}

LLVMValueRef cg_join(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    int lanes[MAX_LANES];
    unsigned count = cg_lanes(a) + cg_lanes(b);

    assert(cg_lanes(a) == cg_lanes(b) && count <= MAX_LANES);
    for (unsigned i = 0; i < count; i++)
        lanes[i] = (int)i;
    return cg_shuffle(k, a, b, lanes, count);
}

LLVMValueRef cg_by_width(cg_kernel *k, LLVMValueRef v, unsigned width, const void *context,
                         LLVMValueRef (*unit)(cg_kernel *, LLVMValueRef, const void *))
{
    unsigned lanes = cg_lanes(v);

    if (lanes == width)
        return unit(k, v, context);
    if (lanes < width)
        return cg_take(k, unit(k, cg_take(k, v, 0, 1, width), context), 0, 1, lanes);
    if (lanes % 2 == 0) {
        LLVMValueRef low = cg_by_width(k, cg_take(k, v, 0, 1, lanes / 2), width, context, unit);
        return cg_join(k, low, cg_by_width(k, cg_take(k, v, lanes / 2, 1, lanes / 2), width, context, unit));
    }
    v = cg_take(k, v, 0, 1, lanes + 1);
    return cg_take(k, cg_by_width(k, v, width, context, unit), 0, 1, lanes);
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

void cg_prefetch(cg_kernel *k, LLVMValueRef pointer, int locality)
{
    LLVMTypeRef overload = k->m->ptr;
    LLVMValueRef args[4] = {pointer, cg_i32(k, 0), cg_i32(k, locality), cg_i32(k, 1)};

    cg_intrinsic(k, "llvm.prefetch", &overload, 1, args, 4);
}
