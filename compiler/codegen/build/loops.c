/* loops.c: structured control flow and scalar helpers over the LLVM builder.
 *
 *     cg_loop_begin … cg_loop_end             before:
 *                                               br head
 *                                             head:
 *                                               index = phi [from, before], [index + step, latch]
 *                                               carry = phi …
 *                                               br (index < to), body, exit
 *                                             body: …
 *                                               br head            ; the latch, carries the loop's metadata
 *                                             exit:
 *
 * The test sits in the head, so that the phis hold the final values after the loop; LLVM rotates the loops. */
#include "compiler/codegen/build/vector.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <llvm-c/DebugInfo.h>

#include "ir/ref/interp.h"

static LLVMBasicBlockRef block_append(cg_kernel *k, const char *name)
{
    return LLVMAppendBasicBlockInContext(k->m->context, k->function, name);
}

/* ---- Loops ---- */

cg_loop cg_loop_begin(cg_kernel *k, LLVMValueRef from, LLVMValueRef to, int64_t step)
{
    cg_loop loop = {.limit = to, .step = step, .vectorize = -1};
    LLVMBasicBlockRef before = LLVMGetInsertBlock(k->b), body;

    loop.head = block_append(k, "head");
    body = block_append(k, "body");
    loop.exit = block_append(k, "exit");
    LLVMBuildBr(k->b, loop.head);
    LLVMPositionBuilderAtEnd(k->b, loop.head);
    loop.index = LLVMBuildPhi(k->b, k->m->i64, "i");
    LLVMAddIncoming(loop.index, &from, &before, 1);
    LLVMBuildCondBr(k->b, LLVMBuildICmp(k->b, LLVMIntSLT, loop.index, to, ""), body, loop.exit);
    LLVMPositionBuilderAtEnd(k->b, body);
    return loop;
}

LLVMValueRef cg_loop_carry(cg_kernel *k, cg_loop *loop, LLVMValueRef initial)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(k->b), before = LLVMGetIncomingBlock(loop->index, 0);
    LLVMValueRef phi;

    assert(loop->carries < CG_MAX_CARRIES && !loop->latch);
    LLVMPositionBuilderBefore(k->b, LLVMGetNextInstruction(loop->index));
    phi = LLVMBuildPhi(k->b, LLVMTypeOf(initial), "");
    LLVMAddIncoming(phi, &initial, &before, 1);
    LLVMPositionBuilderAtEnd(k->b, here);
    loop->phi[loop->carries++] = phi;
    return phi;
}

void cg_loop_update(cg_kernel *k, cg_loop *loop, int slot, LLVMValueRef value)
{
    (void)k;
    assert(slot >= 0 && slot < loop->carries);
    loop->next[slot] = value;
}

static LLVMMetadataRef metadata_flag(cg_kernel *k, const char *name, int value)
{
    LLVMMetadataRef parts[2];

    parts[0] = LLVMMDStringInContext2(k->m->context, name, strlen(name));
    parts[1] = LLVMValueAsMetadata(LLVMConstInt(k->m->i1, (unsigned)value, 0));
    return LLVMMDNodeInContext2(k->m->context, parts, value < 0 ? 1 : 2);
}

/* A loop's metadata node refers to itself first, which makes it distinct. */
static void attach_hints(cg_kernel *k, cg_loop *loop)
{
    static const char kind_name[] = "llvm.loop";
    unsigned kind = LLVMGetMDKindIDInContext(k->m->context, kind_name, sizeof kind_name - 1);
    LLVMMetadataRef parts[3], self, node;
    size_t count = 1;

    if (!loop->latch || (loop->vectorize < 0 && !loop->no_unroll))
        return;
    self = LLVMTemporaryMDNode(k->m->context, NULL, 0);
    parts[0] = self;
    if (loop->vectorize >= 0)
        parts[count++] = metadata_flag(k, "llvm.loop.vectorize.enable", loop->vectorize);
    if (loop->no_unroll)
        parts[count++] = metadata_flag(k, "llvm.loop.unroll.disable", -1);
    node = LLVMMDNodeInContext2(k->m->context, parts, count);
    LLVMMetadataReplaceAllUsesWith(self, node);
    LLVMSetMetadata(loop->latch, kind, LLVMMetadataAsValue(k->m->context, node));
}

void cg_loop_end(cg_kernel *k, cg_loop *loop)
{
    LLVMBasicBlockRef latch;
    LLVMValueRef next = LLVMBuildNSWAdd(k->b, loop->index, cg_i64(k, loop->step), "");

    latch = LLVMGetInsertBlock(k->b);
    LLVMAddIncoming(loop->index, &next, &latch, 1);
    for (int i = 0; i < loop->carries; i++) {
        LLVMValueRef value = loop->next[i] ? loop->next[i] : loop->phi[i];
        LLVMAddIncoming(loop->phi[i], &value, &latch, 1);
    }
    loop->latch = LLVMBuildBr(k->b, loop->head);
    attach_hints(k, loop);
    LLVMPositionBuilderAtEnd(k->b, loop->exit);
}

void cg_loop_hint_vectorize(cg_kernel *k, cg_loop *loop, bool yes)
{
    loop->vectorize = yes;
    attach_hints(k, loop);
}

void cg_loop_hint_no_unroll(cg_kernel *k, cg_loop *loop)
{
    loop->no_unroll = true;
    attach_hints(k, loop);
}

/* ---- Conditions ---- */

cg_if cg_if_begin(cg_kernel *k, LLVMValueRef condition)
{
    cg_if s = {NULL, block_append(k, "else"), block_append(k, "done")};
    LLVMBasicBlockRef then = block_append(k, "then");

    LLVMBuildCondBr(k->b, condition, then, s.other);
    LLVMPositionBuilderAtEnd(k->b, then);
    return s;
}

void cg_if_else(cg_kernel *k, cg_if *s)
{
    assert(!s->then_end);
    s->then_end = LLVMGetInsertBlock(k->b);
    LLVMBuildBr(k->b, s->done);
    LLVMPositionBuilderAtEnd(k->b, s->other);
}

void cg_if_end(cg_kernel *k, cg_if *s)
{
    if (!s->then_end)
        cg_if_else(k, s);
    s->other = LLVMGetInsertBlock(k->b);
    LLVMBuildBr(k->b, s->done);
    LLVMPositionBuilderAtEnd(k->b, s->done);
}

LLVMValueRef cg_if_merge(cg_kernel *k, const cg_if *s, LLVMValueRef then_value, LLVMValueRef else_value)
{
    LLVMValueRef values[2] = {then_value, else_value}, phi;
    LLVMBasicBlockRef blocks[2] = {s->then_end, s->other};

    phi = LLVMBuildPhi(k->b, LLVMTypeOf(then_value), "");
    LLVMAddIncoming(phi, values, blocks, 2);
    return phi;
}

/* ---- Scalars and addresses ---- */

LLVMValueRef cg_i64(const cg_kernel *k, int64_t v) { return LLVMConstInt(k->m->i64, (uint64_t)v, 1); }
LLVMValueRef cg_i32(const cg_kernel *k, int32_t v) { return LLVMConstInt(k->m->i32, (uint64_t)(int64_t)v, 1); }
LLVMValueRef cg_i8(const cg_kernel *k, int v) { return LLVMConstInt(k->m->i8, (uint64_t)v & 255, 0); }
LLVMValueRef cg_f32(const cg_kernel *k, float v) { return LLVMConstReal(k->m->f32, v); }

LLVMTypeRef cg_type_of(const cg_kernel *k, ir_dtype dtype)
{
    switch (dtype) {
    case IR_F32: return k->m->f32;
    case IR_F16: return LLVMHalfTypeInContext(k->m->context);
    case IR_F64: return LLVMDoubleTypeInContext(k->m->context);
    case IR_I8:
    case IR_U8:
    case IR_BOOL: return k->m->i8;
    case IR_I16:
    case IR_U16: return k->m->i16;
    case IR_I32:
    case IR_U32: return k->m->i32;
    case IR_I64: return k->m->i64;
    default: assert(!"element type"); return NULL;
    }
}

LLVMValueRef cg_at(cg_kernel *k, LLVMValueRef pointer, LLVMValueRef byte_offset)
{
    return LLVMBuildInBoundsGEP2(k->b, k->m->i8, pointer, &byte_offset, 1, "");
}

LLVMValueRef cg_at_const(cg_kernel *k, LLVMValueRef pointer, int64_t byte_offset)
{
    return byte_offset ? cg_at(k, pointer, cg_i64(k, byte_offset)) : pointer;
}

LLVMValueRef cg_add(cg_kernel *k, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildNSWAdd(k->b, a, b, ""); }

LLVMValueRef cg_mul_const(cg_kernel *k, LLVMValueRef a, int64_t b)
{
    return b == 1 ? a : LLVMBuildNSWMul(k->b, a, cg_i64(k, b), "");
}

static bool type_is_float(LLVMTypeRef type)
{
    LLVMTypeKind kind;

    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        type = LLVMGetElementType(type);
    kind = LLVMGetTypeKind(type);
    return kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind || kind == LLVMHalfTypeKind;
}

/* a < b ? a : b, which is what minps does with its operands. */
LLVMValueRef cg_min(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef less = type_is_float(LLVMTypeOf(a)) ? LLVMBuildFCmp(k->b, LLVMRealOLT, a, b, "")
                                                     : LLVMBuildICmp(k->b, LLVMIntSLT, a, b, "");
    return LLVMBuildSelect(k->b, less, a, b, "");
}

LLVMValueRef cg_max(cg_kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef more = type_is_float(LLVMTypeOf(a)) ? LLVMBuildFCmp(k->b, LLVMRealOGT, a, b, "")
                                                     : LLVMBuildICmp(k->b, LLVMIntSGT, a, b, "");
    return LLVMBuildSelect(k->b, more, a, b, "");
}

/* The bounds come first: so NaN passes. */
LLVMValueRef cg_clamp_f32(cg_kernel *k, LLVMValueRef x, double low, double high)
{
    bool vector = LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind;
    unsigned lanes = vector ? LLVMGetVectorSize(LLVMTypeOf(x)) : 0;

    if (low > -HUGE_VAL)
        x = cg_max(k, vector ? cg_splat_f32(k, (float)low, lanes) : cg_f32(k, (float)low), x);
    if (high < HUGE_VAL)
        x = cg_min(k, vector ? cg_splat_f32(k, (float)high, lanes) : cg_f32(k, (float)high), x);
    return x;
}

LLVMValueRef cg_act_f32(cg_kernel *k, ir_enum_ACT act, LLVMValueRef x)
{
    float low, high;

    ir_act_bounds_f32(act, &low, &high);
    return cg_clamp_f32(k, x, low, high);
}

LLVMValueRef cg_load(cg_kernel *k, LLVMTypeRef type, LLVMValueRef pointer, unsigned align)
{
    LLVMValueRef load = LLVMBuildLoad2(k->b, type, pointer, "");

    LLVMSetAlignment(load, align);
    return load;
}

void cg_store(cg_kernel *k, LLVMValueRef value, LLVMValueRef pointer, unsigned align)
{
    LLVMSetAlignment(LLVMBuildStore(k->b, value, pointer), align);
}
