/* dce.c: removes ops without effect whose results nobody uses, last to first, so that whole chains go.
 *
 *     %1 = abs %0                  gone
 *     %2 = neg %0                  %2 = neg %0
 *     output %2                    output %2 */
#include "passes/common/util.h"

static bool is_dead(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    bool reads_state = op->code == IR_READ_VARIABLE; /* reading has no effect, writing has */
    if (!(info->flags & IR_PURE) && !reads_state)
        return false;
    for (int i = 0; i < info->results; i++)
        if (ir_use_count(op->results[i]) > 0)
            return false;
    return true;
}

pass_result pass_dce(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->last, *prev; op; op = prev) {
        prev = op->prev;
        if (is_dead(op)) {
            ir_op_erase(op);
            result = PASS_CHANGED;
        }
    }
    return result;
}
