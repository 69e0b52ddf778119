/* fuse_table.c: element-wise ops on integers that are a function of one byte together become one table.
 *
 *     %1:u8<…> = logistic %0                      %2:u8<…> = table %0 {entries = […]}
 *     %2:u8<…> = mul %0, %1
 *
 * Where two operands are functions of the same value, or a table is read by another table alone.  The entries are
 * computed with the ops themselves.  Behind the fusion of activations, which cost nothing in the op in front of them. */
#include "passes/common/byte_function.h"
#include "passes/common/qdq.h"

/* Does the op do more work than a table would? */
static bool gains(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    if (!(info->flags & IR_ELEMENTWISE) || op->operand_count == 0 || !op->operands[0].value ||
        !qdq_is_byte(op->results[0]))
        return false;
    if (!(info->flags & IR_LOOKUP))
        return op->operand_count == 2;
    const ir_value *x = op->operands[0].value;
    return x->def && pass_single_user(x) == op && ir_op_info_of(x->def->code)->flags & IR_LOOKUP;
}

/* Integers only: what begins at a real value is for others. */
static bool is_integer(const byte_function *f)
{
    for (int i = 0; i < f->count; i++)
        if (!qdq_is_byte(f->ops[i]->results[0]))
            return false;
    return true;
}

pass_result pass_fuse_table(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        byte_function f;
        next = op->next;
        if (gains(op) && byte_function_collect(&f, op) && is_integer(&f) && byte_function_replace(g, &f))
            result = PASS_CHANGED;
    }
    return result;
}
