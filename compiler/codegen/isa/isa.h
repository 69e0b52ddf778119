/* isa.h: the primitives that have an instruction of their own, or a few, on one machine or the other.  Their results
 * are the same on all.  Vectors may have any number of lanes: a primitive splits them into the machine's registers.
 *
 * A kind of machine is a `cg_isa`; what the target of a kernel has of it (target.h: traits, vector_bytes) is asked when
 * a primitive is emitted. */
#ifndef QCC_CG_ISA_H
#define QCC_CG_ISA_H

#include "compiler/codegen/build/vector.h"

typedef struct cg_table {
    LLVMValueRef pointer, part[4];
} cg_table;

struct cg_isa {
    LLVMValueRef (*dot4)(cg_kernel *, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes);
    LLVMValueRef (*dot4_narrow)(cg_kernel *, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes);
    LLVMValueRef (*dot8_narrow)(cg_kernel *, LLVMValueRef acc, LLVMValueRef x, LLVMValueRef w, LLVMValueRef next_x,
                                LLVMValueRef next_w);
    LLVMValueRef (*dot2)(cg_kernel *, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b);
    LLVMValueRef (*round_i32)(cg_kernel *, LLVMValueRef float_vector);
    LLVMValueRef (*pack_words)(cg_kernel *, LLVMValueRef a, LLVMValueRef b);
    LLVMValueRef (*pack_bytes)(cg_kernel *, LLVMValueRef a, LLVMValueRef b);
    cg_table (*table_load)(cg_kernel *, LLVMValueRef pointer);
    LLVMValueRef (*table_lookup)(cg_kernel *, const cg_table *, LLVMValueRef bytes);
};
extern const cg_isa cg_isa_x86;

/* acc<N x i32> + sum of 4 products each: bytes<4N> unsigned by signed.  Exact: nothing saturates between. */
static inline LLVMValueRef cg_dot4(cg_kernel *k, LLVMValueRef acc, LLVMValueRef unsigned_bytes,
                                   LLVMValueRef signed_bytes)
{
    return k->m->isa->dot4(k, acc, unsigned_bytes, signed_bytes);
}

/* The same, and cheaper on some machines, where the caller knows that the sums of the first two and of the last two of
 * each 4 products fit 16 bits.  For any weights w of -128...127 and any bytes x they do with |w| as the unsigned bytes
 * and, as the signed ones, x - 128 where w >= 0 and its complement 127 - x where w < 0: that is x ^ 128 or x ^ 127, and
 *
 *     |w| * (x - 128) = w * x - 128 * w        |w| * (127 - x) = w * x - 127 * w
 *
 * so that constants, which can join the bias, make up the rest. */
static inline LLVMValueRef cg_dot4_narrow(cg_kernel *k, LLVMValueRef acc, LLVMValueRef unsigned_bytes,
                                          LLVMValueRef signed_bytes)
{
    return k->m->isa->dot4_narrow(k, acc, unsigned_bytes, signed_bytes);
}

/* acc<N x i32> + sum of 4 products each of x and w, and of 4 of next_x and next_w, where the caller knows that sums of
 * two neighbouring products of the former and the two in the same places of the latter fit 16 bits. */
static inline LLVMValueRef cg_dot8_narrow(cg_kernel *k, LLVMValueRef acc, LLVMValueRef x, LLVMValueRef w,
                                          LLVMValueRef next_x, LLVMValueRef next_w)
{
    return k->m->isa->dot8_narrow(k, acc, x, w, next_x, next_w);
}

/* acc<N x i32> + sum of 2 products each: words<2N>, signed, of whole registers. */
static inline LLVMValueRef cg_dot2(cg_kernel *k, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    return k->m->isa->dot2(k, acc, a, b);
}

/* float -> i32, ties to even; out of range is INT_MIN as cvtps2dq has it. */
static inline LLVMValueRef cg_round_to_i32(cg_kernel *k, LLVMValueRef v) { return k->m->isa->round_i32(k, v); }

/* Saturating, within each 16 bytes: two <N x i32> -> <2N x i16>, of which each 8 are 4 of a, 4 of b; two <N x i16> ->
 * <2N x u8>. */
static inline LLVMValueRef cg_pack_words(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    return k->m->isa->pack_words(k, a, b);
}
static inline LLVMValueRef cg_pack_bytes(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    return k->m->isa->pack_bytes(k, a, b);
}

/* table[byte]; the table is 256 bytes, loaded once, outside the loop. */
static inline cg_table cg_table_load(cg_kernel *k, LLVMValueRef pointer) { return k->m->isa->table_load(k, pointer); }
static inline LLVMValueRef cg_table_lookup(cg_kernel *k, const cg_table *t, LLVMValueRef bytes)
{
    return k->m->isa->table_lookup(k, t, bytes);
}

LLVMValueRef cg_fma(cg_kernel *, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c); /* a * b + c, one rounding */

/* Under a mask of the first lanes (cg_lane_mask); touches no byte of the others, which are 0 when loaded.  A count that
 * is known when the code is made makes this cheap everywhere. */
LLVMValueRef cg_load_masked(cg_kernel *, LLVMTypeRef vector, LLVMValueRef pointer, LLVMValueRef mask);
void cg_store_masked(cg_kernel *, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef mask);
void cg_store_first(cg_kernel *, LLVMValueRef value, LLVMValueRef pointer, unsigned count);

/* ---- Without an instruction (portable.c) ---- */
LLVMValueRef cg_portable_dot4(cg_kernel *, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes);
LLVMValueRef cg_portable_table_lookup(cg_kernel *, const cg_table *, LLVMValueRef bytes);

#endif
