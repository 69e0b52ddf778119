/* explain_float.c: an op that has scales, and that `quantize` has put between conversions, stays in float where no
 * integer op computes it with those scales (an average onto a finer grid).  The report says so; for an
 * op that --quantized-ops asks for it is an error.  The graph does not change. */
#include "passes/common/plan.h"
#include "passes/common/qdq.h"
#include "passes/real/choose.h"

/* Integers in, integers out, and reals in between? */
static bool is_between_conversions(const ir_op *op)
{
    if (plan_kind_of(op) == PLAN_NONE || plan_kind_of(op) == PLAN_MOVES || op->keep_float)
        return false;
    return qdq_source(op->operands[0].value) && qdq_only_quantized(op->results[0]);
}

pass_result pass_explain_float(ir_graph *g, pass_context *c)
{
    for (ir_op *op = g->first; op; op = op->next) {
        if (!is_between_conversions(op))
            continue;
        op->why_float = "no integer form with these scales";
        if (choose_is_asked_for(c->options, op)) {
            diag_error(c->diag, &op->loc, "%s '%s' is one of --quantized-ops, but has %s",
                       ir_op_info_of(op->code)->text, plan_name(g, op->results[0]), op->why_float);
            return PASS_FAILED;
        }
    }
    return PASS_UNCHANGED;
}
