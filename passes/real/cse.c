/* cse.c: equal ops on equal operands are computed once, equal constants are one; but those that training will make different.
 *
 *     %1 = abs %0                  %1 = abs %0
 *     %2 = abs %0
 *     %3 = add %1, %2              %3 = add %1, %1 */
#include <string.h>

#include "passes/common/scales.h"

/* An open-addressed table of ops, or of constants, by hash. */
typedef struct table {
    void **slot;
    uint64_t *hash;
    size_t size; /* a power of two, at least twice the number of entries */
} table;

static table table_new(arena *scratch, size_t entries)
{
    size_t size = 16;
    while (size < entries * 2)
        size *= 2;
    return (table){ARENA_ARRAY(scratch, void *, size), ARENA_ARRAY(scratch, uint64_t, size), size};
}

typedef bool same_fn(const void *, const void *);

/* The entry equal to x that was there before, or x itself, which is now there. */
static void *find_or_add(table *t, void *x, uint64_t hash, same_fn *same)
{
    size_t i = (size_t)hash & (t->size - 1);
    for (; t->slot[i]; i = (i + 1) & (t->size - 1))
        if (t->hash[i] == hash && same(t->slot[i], x))
            return t->slot[i];
    t->slot[i] = x;
    t->hash[i] = hash;
    return x;
}

static bool same_op(const void *a, const void *b) { return ir_op_same(a, b); }

static bool same_const(const void *x, const void *y)
{
    const ir_value *a = x, *b = y;
    return ir_type_equal(&a->type, &b->type) && ir_quant_equal(a->quant, b->quant) && scales_equal(a, b) &&
           (a->data == b->data || memcmp(a->data, b->data, ir_type_bytes(&a->type)) == 0);
}

/* As biases are before training: equal ones are so by chance. */
static bool is_untrained(const ir_value *v)
{
    const size_t each = ir_dtype_bytes(v->type.dtype), bytes = ir_type_bytes(&v->type);
    const uint8_t *data = v->data;
    return v->type.dtype == IR_F32 && bytes > each && memcmp(data, data + each, bytes - each) == 0;
}

static bool merge_constants(ir_graph *g, bool trains, arena *scratch)
{
    size_t slots = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        slots += (size_t)op->operand_count;
    table t = table_new(scratch, slots);
    bool changed = false;
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            if (!v || !ir_is_const(v) || (trains && is_untrained(v)))
                continue;
            uint64_t hash = ir_hash_bytes(v->data, ir_type_bytes(&v->type), (uint64_t)v->type.dtype);
            ir_value *first = find_or_add(&t, v, hash, same_const);
            if (first == v)
                continue;
            ir_set_operand(op, i, first);
            changed = true;
        }
    }
    return changed;
}

static bool merge_ops(ir_graph *g, arena *scratch)
{
    size_t count = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        count++;
    table t = table_new(scratch, count);
    bool changed = false;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (!(ir_op_info_of(op->code)->flags & IR_PURE))
            continue;
        ir_op *first = find_or_add(&t, op, ir_op_hash(op), same_op);
        if (first == op)
            continue;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            if (!first->results[i]->name)
                first->results[i]->name = op->results[i]->name;
            ir_replace_uses(op->results[i], first->results[i]);
        }
        ir_op_erase(op);
        changed = true;
    }
    return changed;
}

pass_result pass_cse(ir_graph *g, pass_context *c)
{
    bool changed = merge_constants(g, c->options->trains, c->scratch);
    changed |= merge_ops(g, c->scratch);
    return changed ? PASS_CHANGED : PASS_UNCHANGED;
}
