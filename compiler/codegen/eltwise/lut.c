/* lut.c: functions of one byte as tables of 256 bytes, which the interpreter computes.
 *
 *     y[i] = table[x[i]]        a register of bytes at a time, where the machine can (isa/)
 *
 * Tables that are a copy, an inversion of the sign bit or a clamp are recognised and need no look-up. */
#include "compiler/codegen/eltwise/eltwise.h"

#include <stdio.h>
#include <string.h>

#include "compiler/codegen/codegen.h"
#include "ir/ref/interp.h"

/* Emits bytes -> bytes with e->constant the table. */
static LLVMValueRef table_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    return cg_table_lookup(k, &e->table, in[0]);
}

static LLVMValueRef flip_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    return LLVMBuildXor(k->b, in[0], cg_elt_int(k, e, IR_U8, 0x80), "");
}

typedef struct bounds {
    int low, high;
} bounds; /* as unsigned bytes */

static LLVMValueRef clamp_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    const bounds *range = e->context;
    LLVMValueRef low = cg_elt_int(k, e, IR_U8, range->low), high = cg_elt_int(k, e, IR_U8, range->high), x = in[0];

    x = LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntULT, x, low, ""), low, x, "");
    return LLVMBuildSelect(k->b, LLVMBuildICmp(k->b, LLVMIntULT, high, x, ""), high, x, "");
}

static bool is_flip(const uint8_t table[256])
{
    for (int i = 0; i < 256; i++)
        if (table[i] != (i ^ 0x80))
            return false;
    return true;
}

static bool is_clamp(const uint8_t table[256], bounds *out)
{
    *out = (bounds){table[0], table[255]};
    for (int i = 0; i < 256; i++)
        if (table[i] != (i < out->low ? out->low : i > out->high ? out->high : i))
            return false;
    return out->low < out->high;
}

bool cg_emit_lookup(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, table_body);
    uint8_t table[256];
    bounds range;

    if (!ir_lookup_table(op, table, m->diag))
        return false;
    e.is_int8 = true;
    e.key = "table";
    if (is_flip(table)) {
        e.body = flip_body;
        e.key = "flip";
    } else if (is_clamp(table, &range)) {
        e.body = clamp_body;
        e.context = &range;
        e.key = arena_format(m->arena, "clamp %d %d", range.low, range.high);
    } else {
        e.constant = cg_constant(m, table, sizeof table, "table");
        e.wants_table = true;
    }
    return cg_eltwise_emit(m, &e);
}

/* ---- 16-bit operands or results: a table of all 256 or 65536 results, computed as many at a time as the op has
 * elements ---- */

static LLVMValueRef wide_table_body(cg_kernel *k, const cg_eltwise *e, LLVMValueRef in[])
{
    int64_t bytes = (int64_t)ir_dtype_bytes(e->out->type.dtype);
    LLVMTypeRef element = cg_type_of(k, e->out->type.dtype);
    LLVMValueRef result = LLVMGetPoison(cg_elt_type(k, e, e->out->type.dtype));

    for (unsigned i = 0; i < e->width; i++) {
        LLVMValueRef lane = cg_i32(k, (int)i), index = LLVMBuildExtractElement(k->b, in[0], lane, "");
        index = cg_mul_const(k, LLVMBuildZExt(k->b, index, k->m->i64, ""), bytes);
        result = LLVMBuildInsertElement(k->b, result, cg_load(k, element, cg_at(k, e->constant_pointer, index), 1),
                                        lane, "");
    }
    return result;
}

bool cg_emit_lookup_wide(cg_module *m, const ir_op *op)
{
    cg_eltwise e = cg_eltwise_of(op, wide_table_body);
    size_t bytes = ir_dtype_bytes(e.out->type.dtype), count = (size_t)ir_type_elements(&e.in[0]->type);
    size_t in_bytes = ir_dtype_bytes(e.in[0]->type.dtype), entries = in_bytes == 1 ? 256 : 65536;
    uint8_t *in = arena_alloc(m->arena, (entries + count) * in_bytes),
            *out = arena_alloc(m->arena, (entries + count) * bytes);

    if (!count)
        return true;
    for (size_t i = 0; i < entries + count; i++)
        memcpy(in + i * in_bytes, &i, in_bytes); /* little-endian */
    for (size_t i = 0; i < entries; i += count) {
        const void *operands[1] = {in + i * in_bytes};
        void *results[1] = {out + i * bytes};
        if (!ir_eval_op(op, operands, results, m->diag))
            return false;
    }
    e.key = "wide table";
    e.constant = cg_constant(m, out, entries * bytes, "table");
    e.is_int8 = true;
    return cg_eltwise_emit(m, &e);
}
