/* x86.c: the primitives of x86-64, from SSE2 to AVX-512.  The only names of LLVM's x86 intrinsics.
 *
 * Each is a row of names for registers of 16, 32 and 64 bytes.  What is wider than a target's registers is done in
 * parts of them; the packs work within 16 bytes, so that it makes no difference. */
#include <assert.h>
#include <string.h>

#include "compiler/codegen/isa/isa.h"

typedef const char *const by_register[3];

static by_register packssdw = {"llvm.x86.sse2.packssdw.128", "llvm.x86.avx2.packssdw", "llvm.x86.avx512.packssdw.512"};
static by_register packuswb = {"llvm.x86.sse2.packuswb.128", "llvm.x86.avx2.packuswb", "llvm.x86.avx512.packuswb.512"};
static by_register pmaddwd = {"llvm.x86.sse2.pmadd.wd", "llvm.x86.avx2.pmadd.wd", "llvm.x86.avx512.pmaddw.d.512"};
static by_register pmaddubsw = {"llvm.x86.ssse3.pmadd.ub.sw.128", "llvm.x86.avx2.pmadd.ub.sw",
                                "llvm.x86.avx512.pmaddubs.w.512"};
static by_register vpdpbusd = {"llvm.x86.avx512.vpdpbusd.128", "llvm.x86.avx512.vpdpbusd.256",
                               "llvm.x86.avx512.vpdpbusd.512"};
static by_register pshufb = {"llvm.x86.ssse3.pshuf.b.128", "llvm.x86.avx2.pshuf.b", "llvm.x86.avx512.pshuf.b.512"};

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

/* The intrinsic on the registers that its arguments, all of one size, fill; that size is a power of two from 16 bytes
 * on. */
static LLVMValueRef on_registers(cg_kernel *k, by_register names, LLVMValueRef args[], unsigned count)
{
    const unsigned bytes = cg_vector_bytes(LLVMTypeOf(args[0])), at_most = k->m->target->vector_bytes;
    assert(bytes >= 16 && count <= 3);
    if (bytes <= at_most)
        return machine_intrinsic(k, names[bytes / 32], args, count);
    LLVMValueRef half[2];
    for (unsigned h = 0; h < 2; h++) {
        LLVMValueRef part[3];
        for (unsigned i = 0; i < count; i++)
            part[i] = cg_take(k, args[i], h * cg_lanes(args[i]) / 2, 1, cg_lanes(args[i]) / 2);
        half[h] = on_registers(k, names, part, count);
    }
    return cg_join(k, half[0], half[1]);
}

static LLVMValueRef pack_words(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[2] = {a, b};
    return on_registers(k, packssdw, args, 2);
}

static LLVMValueRef pack_bytes(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[2] = {a, b};
    return on_registers(k, packuswb, args, 2);
}

/* ---- Dot products ---- */

static LLVMValueRef shift(cg_kernel *k, LLVMValueRef (*build)(LLVMBuilderRef, LLVMValueRef, LLVMValueRef, const char *),
                          LLVMValueRef v)
{
    return build(k->b, v, cg_splat(k, LLVMConstInt(k->m->i16, 8, 0), cg_lanes(v)), "");
}

static LLVMValueRef dot2(cg_kernel *k, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[2] = {a, b};
    return LLVMBuildAdd(k->b, acc, on_registers(k, pmaddwd, args, 2), "");
}

/* Even and odd bytes as words, whose products and their pairs' sums are exact in 32 bits.  What is done to x is shared
 * by all that it is multiplied with, and what is done to w, too. */
static LLVMValueRef dot4_of_words(cg_kernel *k, LLVMValueRef acc, LLVMValueRef x, LLVMValueRef w)
{
    LLVMTypeRef words = cg_vector(k->m->i16, 2 * cg_lanes(acc));
    x = cg_bitcast(k, x, words);
    w = cg_bitcast(k, w, words);
    LLVMValueRef low = cg_splat(k, LLVMConstInt(k->m->i16, 255, 0), cg_lanes(x));
    LLVMValueRef even[2] = {LLVMBuildAnd(k->b, x, low, ""), shift(k, LLVMBuildAShr, shift(k, LLVMBuildShl, w))};
    LLVMValueRef odd[2] = {shift(k, LLVMBuildLShr, x), shift(k, LLVMBuildAShr, w)};
    return dot2(k, dot2(k, acc, even[0], even[1]), odd[0], odd[1]);
}

static LLVMValueRef dot4(cg_kernel *k, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes)
{
    const unsigned lanes = cg_lanes(acc);
    if (lanes != 4 && lanes != 8 && lanes != 16)
        return cg_portable_dot4(k, acc, unsigned_bytes, signed_bytes);
    if (!target_has(k->m->target, TARGET_DOT4))
        return dot4_of_words(k, acc, unsigned_bytes, signed_bytes);
    LLVMTypeRef type = cg_vector(k->m->i32, lanes);
    LLVMValueRef args[3] = {acc, cg_bitcast(k, unsigned_bytes, type), cg_bitcast(k, signed_bytes, type)};
    return on_registers(k, vpdpbusd, args, 3);
}

static bool has_byte_pairs_only(const cg_kernel *k, LLVMValueRef acc)
{
    const unsigned lanes = cg_lanes(acc);
    return (lanes == 4 || lanes == 8 || lanes == 16) && target_in_pairs(k->m->target);
}

/* <2N x i16>: sums of neighbouring products. */
static LLVMValueRef byte_pairs(cg_kernel *k, LLVMValueRef x, LLVMValueRef w)
{
    LLVMValueRef args[2] = {x, w};
    return on_registers(k, pmaddubsw, args, 2);
}

static LLVMValueRef add_words(cg_kernel *k, LLVMValueRef acc, LLVMValueRef words)
{
    return dot2(k, acc, words, cg_splat(k, LLVMConstInt(k->m->i16, 1, 0), 2 * cg_lanes(acc)));
}

static LLVMValueRef dot4_narrow(cg_kernel *k, LLVMValueRef acc, LLVMValueRef unsigned_bytes, LLVMValueRef signed_bytes)
{
    if (!has_byte_pairs_only(k, acc))
        return dot4(k, acc, unsigned_bytes, signed_bytes);
    return add_words(k, acc, byte_pairs(k, unsigned_bytes, signed_bytes));
}

static LLVMValueRef dot8_narrow(cg_kernel *k, LLVMValueRef acc, LLVMValueRef x, LLVMValueRef w, LLVMValueRef next_x,
                                LLVMValueRef next_w)
{
    if (!has_byte_pairs_only(k, acc))
        return dot4(k, dot4(k, acc, x, w), next_x, next_w);
    LLVMValueRef words = byte_pairs(k, x, w);
    return add_words(k, acc, LLVMBuildAdd(k->b, words, byte_pairs(k, next_x, next_w), ""));
}

/* ---- Rounding to integers ---- */

/* cvtps2dq rounds as MXCSR says, which is to nearest-even in every program that has not asked for something else; the
 * 4-lane form is part of the x86-64 baseline. */
static LLVMValueRef round_unit(cg_kernel *k, LLVMValueRef v, const void *context)
{
    (void)context;
    if (cg_lanes(v) == 16) {
        LLVMValueRef args[4] = {v, LLVMConstNull(cg_vector(k->m->i32, 16)), LLVMConstInt(k->m->i16, 0xffff, 0),
                                cg_i32(k, 4)};
        return cg_intrinsic(k, "llvm.x86.avx512.mask.cvtps2dq.512", NULL, 0, args, 4);
    }
    return cg_intrinsic(k, cg_lanes(v) == 8 ? "llvm.x86.avx.cvt.ps2dq.256" : "llvm.x86.sse2.cvtps2dq", NULL, 0, &v, 1);
}

static LLVMValueRef round_i32(cg_kernel *k, LLVMValueRef float_vector)
{
    unsigned lanes = cg_lanes(float_vector);

    if (!cg_is_vector(float_vector)) {
        LLVMValueRef one =
            LLVMBuildInsertElement(k->b, LLVMGetPoison(cg_vector(k->m->f32, 4)), float_vector, cg_i32(k, 0), "");
        return LLVMBuildExtractElement(k->b, round_unit(k, one, NULL), cg_i32(k, 0), "");
    }
    const unsigned most = k->m->target->vector_bytes / 4, width = lanes <= 4 ? 4 : lanes <= 8 ? 8 : 16;
    return cg_by_width(k, float_vector, width < most ? width : most, NULL, round_unit);
}

/* ---- Byte tables ---- */

static cg_table table_load(cg_kernel *k, LLVMValueRef pointer)
{
    cg_table t = {.pointer = pointer};

    for (int i = 0; i < 4 && target_has(k->m->target, TARGET_BYTE_TABLES); i++)
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

/* vpshufb picks from 16 bytes by 4 bits, or gives 0 where bit 7 of the index is set.  So bit 4 chooses between
 * neighbours: one of them gives 0, and `or` joins them.  Bits 5 to 7 choose between the 8 results. */
typedef struct nibble_lookup {
    LLVMValueRef table, index[2], bit[3];
} nibble_lookup;

/* v's bits up by `count`: what comes from a byte's neighbour stays below its bit 7. */
static LLVMValueRef bits_up(cg_kernel *k, LLVMValueRef v, int count)
{
    LLVMTypeRef words = cg_vector(k->m->i16, cg_lanes(v) / 2);
    LLVMValueRef by = cg_splat(k, LLVMConstInt(k->m->i16, (unsigned)count, 0), cg_lanes(v) / 2);
    return cg_bitcast(k, LLVMBuildShl(k->b, cg_bitcast(k, v, words), by, ""), LLVMTypeOf(v));
}

/* Entries first … first + 2^(5 + level) of the table, of which bits 5 … 4 + level choose. */
static LLVMValueRef choose_part(cg_kernel *k, const nibble_lookup *l, int first, int level)
{
    if (level > 0) {
        LLVMValueRef low = choose_part(k, l, first, level - 1),
                     high = choose_part(k, l, first + (16 << level), level - 1);
        return LLVMBuildSelect(k->b, l->bit[level - 1], high, low, "");
    }
    LLVMValueRef half[2];
    for (int h = 0; h < 2; h++) {
        const unsigned lanes = cg_lanes(l->index[h]);
        LLVMValueRef part = cg_load(k, cg_vector(k->m->i8, 16), cg_at_const(k, l->table, first + 16 * h), 1);
        for (unsigned n = 16; n < lanes; n *= 2)
            part = cg_join(k, part, part);
        LLVMValueRef args[2] = {part, l->index[h]};
        half[h] = on_registers(k, pshufb, args, 2);
    }
    return LLVMBuildOr(k->b, half[0], half[1], "");
}

static LLVMValueRef nibble_unit(cg_kernel *k, LLVMValueRef bytes, const void *context)
{
    const cg_table *t = context;
    const unsigned lanes = cg_lanes(bytes);
    LLVMValueRef low = LLVMBuildAnd(k->b, bytes, cg_splat(k, LLVMConstInt(k->m->i8, 31, 0), lanes), "");
    LLVMValueRef even = LLVMBuildAdd(k->b, low, cg_splat(k, LLVMConstInt(k->m->i8, 128 - 16, 0), lanes), "");
    LLVMValueRef odd = LLVMBuildXor(k->b, even, cg_splat(k, LLVMConstInt(k->m->i8, 128, 0), lanes), "");
    nibble_lookup l = {.table = t->pointer, .index = {even, odd}};
    for (int i = 0; i < 3; i++)
        l.bit[i] = LLVMBuildICmp(k->b, LLVMIntSLT, bits_up(k, bytes, 2 - i), LLVMConstNull(LLVMTypeOf(bytes)), "");
    return choose_part(k, &l, 0, 3);
}

static LLVMValueRef table_lookup(cg_kernel *k, const cg_table *table, LLVMValueRef bytes)
{
    if (cg_is_vector(bytes) && table->part[0])
        return cg_by_width(k, bytes, 64, table, lookup_unit);
    if (cg_is_vector(bytes) && target_has(k->m->target, TARGET_SHUFFLES))
        return cg_by_width(k, bytes, k->m->target->vector_bytes, table, nibble_unit);
    return cg_portable_table_lookup(k, table, bytes);
}

const cg_isa cg_isa_x86 = {
    .dot4 = dot4,
    .dot4_narrow = dot4_narrow,
    .dot8_narrow = dot8_narrow,
    .dot2 = dot2,
    .round_i32 = round_i32,
    .pack_words = pack_words,
    .pack_bytes = pack_bytes,
    .table_load = table_load,
    .table_lookup = table_lookup,
};
