/* qdq_table.c: what is left in float between a dequantize and a quantize, and is a function of that one number, becomes a
 * table of its 256 results.
 *
 *     %1:f32<…> = dequantize %0:u8<…; 0.05, 128>       %5:u8<…; 0.02, 18> = table %0 {entries = […]}
 *     %2:f32<…> = mul %1, 0.1666
 *     %3:f32<…> = add %2, 0.5 {act = relu_0_to_1}
 *     %4:f32<…> = mul %1, %3
 *     %5:u8<…; 0.02, 18> = quantize %4
 *
 * The table is computed with the ops themselves, so no result changes.  Hard-swish, gelu, x * sigmoid(x) and the like, as
 * exporters spell them, come this way.  Intermediate values that are used elsewhere, too, stay for that use. */
#include <string.h>

#include "ir/interp.h"
#include "passes/qdq.h"

enum { MAX_OPS = 24, BYTES = 256 };

typedef struct function {
    ir_op *ops[MAX_OPS]; /* in order of evaluation */
    int count;
    ir_value *source;    /* the one 8-bit value; NULL until it is met */
} function;

static bool is_number(const ir_value *v)
{
    return ir_is_const(v) && v->type.dtype == IR_F32 && ir_type_elements(&v->type) == 1;
}

static bool is_listed(const function *f, const ir_op *op)
{
    for (int i = 0; i < f->count; i++)
        if (f->ops[i] == op)
            return true;
    return false;
}

/* Adds the ops that v, of the type `like`, is computed by; false when it is no function of one byte. */
static bool collect(function *f, const ir_value *v, const ir_type *like)
{
    ir_op *op = v->def;
    if (is_number(v))
        return true;
    const size_t dims = sizeof like->dims[0] * (size_t)like->rank;
    if (!op || v->type.dtype != IR_F32 || v->type.rank != like->rank || memcmp(v->type.dims, like->dims, dims) != 0)
        return false;
    if (is_listed(f, op))
        return true;
    if (op->code == IR_DEQUANTIZE) {
        ir_value *x = qdq_source(v);
        if (!x || ir_is_const(x) || (f->source && f->source != x))
            return false;
        f->source = x;
    } else {
        if (!(ir_op_info_of(op->code)->flags & IR_ELEMENTWISE) || op->operand_count == 0 || op->keep_float)
            return false;
        for (int i = 0; i < op->operand_count; i++)
            if (!op->operands[i].value || !collect(f, op->operands[i].value, like))
                return false;
    }
    if (f->count == MAX_OPS)
        return false;
    f->ops[f->count++] = op;
    return true;
}

/* One op of the function over the vector of all bytes: `rows[i]` is what ops[i] gave. */
static bool evaluate(const function *f, const ir_op *op, const uint8_t bytes[], float rows[][BYTES], void *out)
{
    ir_value values[4], result = *op->results[0], *results[1] = {&result};
    ir_operand operands[4] = {{0}};
    const void *from[4];
    void *to[1] = {out};
    diag ignored = {0};
    ir_op row = *op;
    if (op->operand_count > 4)
        return false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        values[i] = *v;
        values[i].type.rank = 1;
        values[i].type.dims[0] = is_number(v) ? 1 : BYTES;
        operands[i].value = &values[i];
        from[i] = is_number(v) ? v->data : bytes;
        for (int j = 0; j < f->count; j++)
            if (!is_number(v) && v->def == f->ops[j])
                from[i] = rows[j];
    }
    result.type.rank = 1;
    result.type.dims[0] = BYTES;
    row.operands = operands;
    row.results = results;
    return ir_eval_op(&row, from, to, &ignored);
}

/* Entry i: the result for the i-th smallest integer, counted from the smallest. */
static bool tabulate(const function *f, const ir_op *q, int64_t entries[BYTES])
{
    static const uint8_t flip[2] = {0, 0x80};
    float rows[MAX_OPS][BYTES];
    uint8_t bytes[BYTES], results[BYTES];
    const uint8_t in = flip[f->source->type.dtype == IR_I8], out = flip[q->results[0]->type.dtype == IR_I8];
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)i ^ in;
    for (int i = 0; i < f->count; i++)
        if (!evaluate(f, f->ops[i], bytes, rows, rows[i]))
            return false;
    if (!evaluate(f, q, bytes, rows, results))
        return false;
    for (int i = 0; i < BYTES; i++)
        entries[i] = results[i] ^ out;
    return true;
}

static bool rewrite(ir_graph *g, ir_op *q)
{
    ir_value *y = q->results[0];
    function f = {.count = 0};
    int64_t entries[BYTES];
    if (!collect(&f, q->operands[0].value, &y->type) || !f.source || f.count < 2 || !tabulate(&f, q, entries))
        return false;
    ir_value *r = pass_op1(g, IR_TABLE, q, f.ops[f.count - 1], 1, &f.source, y->type, y->quant);
    ir_set_ints(r->def, IR_ATTR_ENTRIES, BYTES, entries);
    r->name = y->name;
    r->scale_from = y->scale_from;
    ir_replace_uses(y, r);
    ir_op_erase(q);
    return true;
}

pass_result pass_qdq_table(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (qdq_is_target(op) && rewrite(g, op))
            result = PASS_CHANGED;
    }
    return result;
}
