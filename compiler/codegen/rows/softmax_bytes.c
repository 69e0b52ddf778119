/* softmax_bytes.c: softmax of bytes by its table of exponentials, where the machine looks up a register of bytes at a
 * time.
 *
 *     T[0…255], 23 bits each, is three tables of bytes.  A register of differences d = largest - x looks up all three,
 * and interleaving them (with zeros) gives four vectors of T[d], in the order that packing bytes undoes.
 *
 * The arithmetic is softmax.c's.  Rows of up to 256 elements keep T[d] in registers between the sum and the result. */
#include <stdio.h>

#include "compiler/codegen/build/lanes.h"
#include "compiler/codegen/build/quantvec.h"
#include "compiler/codegen/rows/normalize.h"
#include "ir/ref/interp.h"

enum {
    ARG_TABLES = 2,
    TABLES = 3,
    SHORT = 256,
    LEAST_LANES = 32,
    LONGEST_IN_LANES = 128 /* lanes' sums stay below 2^31 */
};

typedef struct softmax {
    cg_table table[TABLES];
    LLVMValueRef largest, factor;
} softmax;

cg_fit cg_softmax_bytes_fits(const ir_op *op, const target_info *target)
{
    const ir_type *x = &ir_operand_value(op, 0)->type;
    const int64_t columns = x->dims[x->rank - 1];
    if (cg_softmax_table_fits(op, target).how == CG_CANNOT || op->results[0]->type.dtype != IR_U8)
        return cg_best_if(false, NULL);
    return cg_best_if(target_has(target, TARGET_SHUFFLES) && columns >= target->vector_bytes &&
                          columns <= LONGEST_IN_LANES * (int64_t)target->vector_bytes,
                      NULL);
}

static LLVMValueRef load(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    return row_load(r, cg_vector(r->k->m->i8, r->lanes), first, mask);
}

static void fold_largest(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    LLVMBuilderRef b = r->k->b;
    LLVMValueRef v = load(r, first, mask);
    acc[0] = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntUGT, v, acc[0], ""), v, acc[0], "");
}

/* T[d] of 64 elements, interleaved; 0 where there is none. */
static void exponentials(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef out[4])
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    LLVMValueRef d = LLVMBuildSub(k->b, cg_splat(k, s->largest, r->lanes), load(r, first, mask), ""), rows[4];
    LLVMValueRef zero = rows[TABLES] = LLVMConstNull(LLVMTypeOf(d));
    for (int t = 0; t < TABLES; t++) {
        rows[t] = cg_table_lookup(k, &s->table[t], d);
        if (mask)
            rows[t] = LLVMBuildSelect(k->b, mask, rows[t], zero, "");
    }
    cg_interleave(k, rows, out);
    for (int i = 0; i < 4; i++)
        out[i] = cg_bitcast(k, out[i], cg_vector(k->m->i32, r->lanes / 4));
}

static void add_up(row_kernel *r, LLVMValueRef const e[4], LLVMValueRef acc[])
{
    LLVMBuilderRef b = r->k->b;
    LLVMValueRef low = LLVMBuildAdd(b, e[0], e[1], ""), high = LLVMBuildAdd(b, e[2], e[3], "");
    acc[0] = LLVMBuildAdd(b, acc[0], LLVMBuildAdd(b, low, high, ""), "");
}

static void invert_sum(row_kernel *r, LLVMValueRef lanes)
{
    softmax *s = r->context;
    cg_kernel *k = r->k;
    if (r->columns > SHORT)
        lanes = LLVMBuildZExt(k->b, lanes, cg_vector(k->m->i64, r->lanes / 4), "");
    LLVMValueRef sum = LLVMBuildUIToFP(k->b, row_reduce(r, lanes, '+'), k->m->f32, "");
    sum = LLVMBuildFMul(k->b, sum, cg_f32(k, r->op->results[0]->quant->scale[0]), "");
    s->factor = LLVMBuildFDiv(k->b, cg_f32(k, 1), sum, "");
}

static void store_shares(row_kernel *r, LLVMValueRef const e[4], LLVMValueRef first, LLVMValueRef mask)
{
    const softmax *s = r->context;
    cg_kernel *k = r->k;
    const cg_quant_end end = cg_quant_end_of(r->op->results[0], IR_ACT_NONE);
    const unsigned lanes = r->lanes / 4;
    LLVMValueRef q[4];
    for (int i = 0; i < 4; i++) {
        LLVMValueRef v = LLVMBuildSIToFP(k->b, e[i], cg_vector(k->m->f32, lanes), "");
        v = LLVMBuildFMul(k->b, v, cg_splat(k, s->factor, lanes), "");
        v = cg_min(k, v, cg_splat_f32(k, (float)(end.max - end.zero), lanes)); /* never below the zero point */
        q[i] = cg_round_to_i32(k, v);
        if (end.zero)
            q[i] = LLVMBuildAdd(k->b, q[i], cg_splat_i32(k, end.zero, lanes), "");
    }
    row_store(r, cg_pack_interleaved(k, q), first, mask);
}

static void fold_sum(row_kernel *r, LLVMValueRef first, LLVMValueRef mask, LLVMValueRef acc[])
{
    LLVMValueRef e[4];
    exponentials(r, first, mask, e);
    add_up(r, e, acc);
}

static void store_again(row_kernel *r, LLVMValueRef first, LLVMValueRef mask)
{
    LLVMValueRef e[4];
    exponentials(r, first, mask, e);
    store_shares(r, e, first, mask);
}

static void short_row(row_kernel *r)
{
    cg_kernel *k = r->k;
    const int lanes = (int)r->lanes, parts = (int)(r->columns + lanes - 1) / lanes;
    LLVMValueRef e[SHORT / LEAST_LANES][4], first[SHORT / LEAST_LANES], mask[SHORT / LEAST_LANES];
    LLVMValueRef acc[1] = {LLVMConstNull(cg_vector(k->m->i32, r->lanes / 4))};
    for (int i = 0; i < parts; i++) {
        const int64_t left = r->columns - (int64_t)i * lanes;
        first[i] = cg_i64(k, (int64_t)i * lanes);
        mask[i] = left < lanes ? cg_lane_mask(k, cg_i64(k, left), r->lanes) : NULL;
        exponentials(r, first[i], mask[i], e[i]);
        add_up(r, e[i], acc);
    }
    invert_sum(r, acc[0]);
    for (int i = 0; i < parts; i++)
        store_shares(r, e[i], first[i], mask[i]);
}

static void row(row_kernel *r)
{
    cg_kernel *k = r->k;
    softmax s = {.factor = NULL};
    r->context = &s;
    for (int t = 0; t < TABLES; t++)
        s.table[t] = cg_table_load(k, cg_at_const(k, k->arg[ARG_TABLES], 256 * t));
    LLVMValueRef acc[1] = {LLVMConstNull(cg_vector(k->m->i8, r->lanes))};
    row_fold(r, fold_largest, 1, acc);
    s.largest = row_reduce(r, acc[0], '>');
    if (r->columns <= SHORT) {
        short_row(r);
    } else {
        acc[0] = LLVMConstNull(cg_vector(k->m->i32, r->lanes / 4));
        row_fold(r, fold_sum, 1, acc);
        invert_sum(r, acc[0]);
        row_each(r, store_again);
    }
}

bool cg_emit_softmax_bytes(cg_module *m, const ir_op *op)
{
    const ir_quant *q = op->results[0]->quant;
    unsigned char *bytes = arena_alloc(m->arena, 256 * TABLES);
    uint32_t table[256];
    char key[128];
    ir_softmax_table(op, table);
    snprintf(key, sizeof key, "bytes %a %d.%d", (double)q->scale[0], q->zero[0], ir_unused_key(q->unused));
    for (int d = 0; d < 256; d++)
        for (int t = 0; t < TABLES; t++)
            bytes[256 * t + d] = (unsigned char)(table[d] >> 8 * t);
    const cg_arg tables = cg_arg_constant(cg_constant(m, bytes, 256 * TABLES, "exponentials"));
    return row_kernel_emit(m, op, key, row, m->target->vector_bytes, NULL, 1, &tables);
}
