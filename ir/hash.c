/* hash.c: hashes and equality of ops and bytes. */
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ir/private.h"

uint64_t ir_hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size, seed);
}

#define MIX(h, x) ir_hash_bytes(&(x), sizeof(x), h)

static uint64_t hash_quant(uint64_t h, const ir_quant *q)
{
    if (!q)
        return h * 3 + 1;
    h = MIX(h, q->axis);
    const int unused = ir_unused_key(q->unused);
    h = MIX(h, unused);
    h = ir_hash_bytes(q->scale, (size_t)q->count * sizeof *q->scale, h);
    return ir_hash_bytes(q->zero, (size_t)q->count * sizeof *q->zero, h);
}

static uint64_t hash_type(uint64_t h, const ir_type *t)
{
    h = MIX(h, t->dtype);
    return ir_hash_bytes(t->dims, (size_t)t->rank * sizeof t->dims[0], h);
}

static uint64_t hash_attr(uint64_t h, ir_attr_id id, const ir_attr *a)
{
    switch (ir_attr_info_of(id)->kind) {
    case IR_KIND_FLOAT: return MIX(h, a->f);
    case IR_KIND_INTS: return ir_hash_bytes(a->ints.v, (size_t)a->ints.n * sizeof *a->ints.v, h);
    case IR_KIND_FLOATS: return ir_hash_bytes(a->floats.v, (size_t)a->floats.n * sizeof *a->floats.v, h);
    case IR_KIND_STR: return ir_hash_bytes(a->s, strlen(a->s), h);
    default: return MIX(h, a->i);
    }
}

uint64_t ir_op_hash(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    uint64_t h = MIX(0, op->code);
    for (int i = 0; i < op->operand_count; i++) {
        uint32_t id = op->operands[i].value ? op->operands[i].value->id : UINT32_MAX;
        h = MIX(h, id);
    }
    for (int i = 0; i < info->attr_count; i++)
        h = hash_attr(h, info->attrs[i], &op->attrs[i]);
    for (int i = 0; i < info->results; i++)
        h = hash_quant(hash_type(h, &op->results[i]->type), op->results[i]->quant);
    return h;
}

bool ir_op_same(const ir_op *a, const ir_op *b)
{
    const ir_op_info *info = ir_op_info_of(a->code);
    if (a->code != b->code || a->operand_count != b->operand_count || a->keep_float != b->keep_float)
        return false;
    for (int i = 0; i < a->operand_count; i++)
        if (a->operands[i].value != b->operands[i].value)
            return false;
    for (int i = 0; i < info->attr_count; i++)
        if (!ir_attr_equal(info->attrs[i], &a->attrs[i], &b->attrs[i]))
            return false;
    for (int i = 0; i < info->results; i++)
        if (!ir_type_equal(&a->results[i]->type, &b->results[i]->type) ||
            !ir_quant_equal(a->results[i]->quant, b->results[i]->quant) ||
            a->results[i]->as_dtype != b->results[i]->as_dtype ||
            a->results[i]->as_rounding != b->results[i]->as_rounding ||
            !ir_quant_equal(a->results[i]->as, b->results[i]->as))
            return false;
    return true;
}
