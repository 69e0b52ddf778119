/* masked.c: loads and stores of the first lanes of a vector, which touch no memory behind them.
 *
 * With an instruction for it, that.  Without, LLVM makes a branch and an insert for each lane; where the count is
 * known, two pieces that overlap do it, of the largest power of two P that fits:
 *
 *     n = 13, P = 8     |a b c d e f g h|                two loads, the second shifted down by 2P - n bytes, joined;
 *                               |f g h i j k l m|        two stores */
#include <assert.h>
#include <stdbool.h>

#include "compiler/codegen/isa/isa.h"

/* How many lanes are in a mask that is known and has the first ones alone, as cg_lane_mask makes them; else -1. */
static int known_count(LLVMValueRef mask)
{
    int count = 0;
    if (!LLVMIsConstant(mask))
        return -1;
    for (int i = 0; i < (int)cg_lanes(mask); i++) {
        LLVMValueRef lane = LLVMGetAggregateElement(mask, (unsigned)i);
        if (!lane || !LLVMIsAConstantInt(lane))
            return -1;
        const bool on = LLVMConstIntGetZExtValue(lane) != 0;
        if (on && i > count)
            return -1;
        count += on;
    }
    return count;
}

static unsigned piece_bytes(const cg_kernel *k, unsigned n)
{
    unsigned piece = 1;
    while (2 * piece <= n && 2 * piece <= k->m->target->vector_bytes)
        piece *= 2;
    return piece;
}

/* Pieces of up to 8 bytes are integers, larger ones vectors. */
static LLVMTypeRef piece_type(const cg_kernel *k, unsigned bytes)
{
    return bytes <= 8 ? LLVMIntTypeInContext(k->m->context, 8 * bytes) : cg_vector(k->m->i8, bytes);
}

/* bytes<count> -> the first `bytes` of them, and zeros where there are more to be. */
static LLVMValueRef with_zeros(cg_kernel *k, LLVMValueRef v, unsigned bytes)
{
    const unsigned count = cg_lanes(v);
    int lanes[CG_MAX_LANES];
    for (unsigned i = 0; i < bytes; i++)
        lanes[i] = (int)(i < count ? i : count);
    return cg_shuffle(k, v, LLVMConstNull(LLVMTypeOf(v)), lanes, bytes);
}

static LLVMValueRef drop_bytes(cg_kernel *k, LLVMValueRef piece, unsigned bytes, unsigned dropped)
{
    int lanes[CG_MAX_LANES];
    if (!cg_is_vector(piece))
        return LLVMBuildLShr(k->b, piece, LLVMConstInt(LLVMTypeOf(piece), 8 * dropped, 0), "");
    for (unsigned i = 0; i < bytes; i++)
        lanes[i] = (int)(i + dropped < bytes ? i + dropped : bytes);
    return cg_shuffle(k, piece, LLVMConstNull(LLVMTypeOf(piece)), lanes, bytes);
}

/* The n bytes at a pointer, and zeros, up to twice the piece. */
static LLVMValueRef load_pieces(cg_kernel *k, LLVMValueRef pointer, unsigned n)
{
    const unsigned piece = piece_bytes(k, n), rest = n - piece;
    LLVMTypeRef type = piece_type(k, piece);
    LLVMValueRef low = cg_load(k, type, pointer, 1), high = LLVMConstNull(type);
    assert(rest <= piece);
    if (rest)
        high = drop_bytes(k, cg_load(k, type, cg_at_const(k, pointer, rest), 1), piece, piece - rest);
    if (cg_is_vector(low))
        return cg_join(k, low, high);
    LLVMValueRef both = LLVMBuildInsertElement(k->b, LLVMConstNull(cg_vector(type, 2)), low, cg_i32(k, 0), "");
    return cg_bitcast(k, LLVMBuildInsertElement(k->b, both, high, cg_i32(k, 1), ""), cg_vector(k->m->i8, 2 * piece));
}

static LLVMValueRef load_first(cg_kernel *k, LLVMTypeRef vector, LLVMValueRef pointer, unsigned count)
{
    const unsigned bytes = cg_vector_bytes(vector), size = bytes / LLVMGetVectorSize(vector),
                   most = k->m->target->vector_bytes;
    if (count == 0)
        return LLVMConstNull(vector);
    if (bytes > most) { /* in halves, as the machine has them */
        const unsigned half = bytes / 2 / size;
        LLVMTypeRef type = cg_vector(LLVMGetElementType(vector), half);
        LLVMValueRef low = count < half ? load_first(k, type, pointer, count) : cg_load(k, type, pointer, 1);
        LLVMValueRef high =
            count < half ? LLVMConstNull(type) : load_first(k, type, cg_at_const(k, pointer, bytes / 2), count - half);
        return cg_join(k, low, high);
    }
    if (count * size == bytes)
        return cg_load(k, vector, pointer, 1);
    return cg_bitcast(k, with_zeros(k, load_pieces(k, pointer, count * size), bytes), vector);
}

void cg_store_first(cg_kernel *k, LLVMValueRef value, LLVMValueRef pointer, unsigned count)
{
    const unsigned bytes = cg_vector_bytes(LLVMTypeOf(value)), n = count * (bytes / cg_lanes(value)),
                   piece = piece_bytes(k, n);
    LLVMValueRef v = cg_bitcast(k, value, cg_vector(k->m->i8, bytes));
    for (unsigned done = 0; done < n; done += piece) {
        const unsigned at = done + piece <= n ? done : n - piece;
        LLVMValueRef part = cg_bitcast(k, cg_take(k, v, at, 1, piece), piece_type(k, piece));
        cg_store(k, part, cg_at_const(k, pointer, at), 1);
    }
}

LLVMValueRef cg_load_masked(cg_kernel *k, LLVMTypeRef vector, LLVMValueRef pointer, LLVMValueRef mask)
{
    LLVMTypeRef overloads[2] = {vector, k->m->ptr};
    LLVMValueRef args[4] = {pointer, cg_i32(k, 1), mask, LLVMConstNull(vector)};
    const int count = known_count(mask);

    if (count >= 0 && !target_has(k->m->target, TARGET_MASKS))
        return load_first(k, vector, pointer, (unsigned)count);
    return cg_intrinsic(k, "llvm.masked.load", overloads, 2, args, 4);
}

void cg_store_masked(cg_kernel *k, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef mask)
{
    LLVMTypeRef overloads[2] = {LLVMTypeOf(value), k->m->ptr};
    LLVMValueRef args[4] = {value, pointer, cg_i32(k, 1), mask};
    const int count = known_count(mask);

    if (count >= 0 && !target_has(k->m->target, TARGET_MASKS))
        cg_store_first(k, value, pointer, (unsigned)count);
    else
        cg_intrinsic(k, "llvm.masked.store", overloads, 2, args, 4);
}
