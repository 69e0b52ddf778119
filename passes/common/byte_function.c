/* byte_function.c: finds functions of one byte, and computes their tables with the ops themselves. */
#include "passes/common/byte_function.h"

#include <string.h>

#include "passes/common/qdq.h"

enum { BYTES = 256, MAX_DEPTH = 12 };

static bool is_number(const ir_value *v) { return pass_is_number(v) && (v->type.dtype == IR_F32 || qdq_is_byte(v)); }

static bool has_shape(const ir_value *v, const ir_type *like)
{
    return v->type.rank == like->rank &&
           memcmp(v->type.dims, like->dims, sizeof like->dims[0] * (size_t)like->rank) == 0;
}

static bool is_listed(const byte_function *f, const ir_op *op)
{
    for (int i = 0; i < f->count; i++)
        if (f->ops[i] == op)
            return true;
    return false;
}

static bool collect_op(byte_function *f, ir_op *op, const ir_type *like, int depth);

/* v as a function of the source; an 8-bit value that is none may be the source itself. */
static bool collect_value(byte_function *f, ir_value *v, const ir_type *like, int depth)
{
    const byte_function before = *f;
    if (!v || is_number(v))
        return v != NULL;
    if (ir_is_const(v) || !has_shape(v, like))
        return false;
    if (v == f->source || (v->def && collect_op(f, v->def, like, depth)))
        return true;
    *f = before;
    if (!qdq_is_byte(v) || f->source)
        return false;
    f->source = v;
    return true;
}

static bool collect_op(byte_function *f, ir_op *op, const ir_type *like, int depth)
{
    if (is_listed(f, op))
        return true;
    if (depth == MAX_DEPTH || !(ir_op_info_of(op->code)->flags & IR_ELEMENTWISE) || op->operand_count == 0 ||
        op->operand_count > PASS_ROW_OPERANDS || op->keep_float)
        return false;
    if (!qdq_is_byte(op->results[0]) && op->results[0]->type.dtype != IR_F32)
        return false;
    for (int i = 0; i < op->operand_count; i++)
        if (!collect_value(f, op->operands[i].value, like, depth + 1))
            return false;
    if (f->count == BYTE_FUNCTION_OPS)
        return false;
    f->ops[f->count++] = op;
    return true;
}

bool byte_function_collect(byte_function *f, ir_op *root)
{
    *f = (byte_function){.count = 0};
    return qdq_is_byte(root->results[0]) && collect_op(f, root, &root->results[0]->type, 0) && f->source;
}

/* One op of the function over the vector of all bytes: `rows[i]` is what ops[i] gave. */
static bool evaluate(const byte_function *f, const ir_op *op, const uint8_t bytes[], float rows[][BYTES], void *out)
{
    const void *from[PASS_ROW_OPERANDS] = {NULL};
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        from[i] = is_number(v) ? v->data : bytes;
        for (int j = 0; j < f->count && v != f->source && !is_number(v); j++)
            if (v->def == f->ops[j])
                from[i] = rows[j];
    }
    return pass_evaluate_row(op, BYTES, from, out);
}

/* Entry i: the result for the i-th smallest integer, counted from the smallest. */
static bool tabulate(const byte_function *f, int64_t entries[BYTES])
{
    float rows[BYTE_FUNCTION_OPS][BYTES];
    uint8_t bytes[BYTES], results[BYTES];
    const uint8_t in = f->source->type.dtype == IR_I8 ? 0x80 : 0;
    const uint8_t out = f->ops[f->count - 1]->results[0]->type.dtype == IR_I8 ? 0x80 : 0;
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)i ^ in;
    for (int i = 0; i < f->count; i++)
        if (!evaluate(f, f->ops[i], bytes, rows, rows[i]))
            return false;
    memcpy(results, rows[f->count - 1], BYTES);
    for (int i = 0; i < BYTES; i++)
        entries[i] = results[i] ^ out;
    return true;
}

bool byte_function_replace(ir_graph *g, const byte_function *f)
{
    ir_op *root = f->ops[f->count - 1];
    ir_value *y = root->results[0], *x = f->source;
    int64_t entries[BYTES];
    if (!tabulate(f, entries))
        return false;
    const ir_op *like = root->code == IR_QUANTIZE && f->count > 1 ? f->ops[f->count - 2] : root;
    ir_value *r = pass_op1(g, IR_TABLE, root, like, 1, &x, y->type, y->quant);
    ir_set_ints(r->def, IR_ATTR_ENTRIES, BYTES, entries);
    r->name = y->name;
    r->scale_from = y->scale_from;
    ir_replace_uses(y, r);
    ir_op_erase(root);
    return true;
}
