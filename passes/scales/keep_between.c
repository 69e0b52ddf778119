/* keep_between.c: what lies between ops that are kept in float is so, too, in a calibrated graph: rounding the one's result
 * for it, and its own for the other, costs time and accuracy.
 *
 *     %1 = add … keep_float "kept in float by --keep-float"       %1 = add … keep_float "…"
 *     %2 = mean %1                                                %2 = mean %1 keep_float "between ops in float"
 *     %3 = reshape %2                                             %3 = reshape %2
 *     %4 = fully_connected %3 … keep_float "…"                    %4 = fully_connected %3 … keep_float "…"
 *
 * That is an op without weights, all of whose operands such an op, or one that is kept, computes, and whose result is read
 * by one, by what has no integer form, or by the model's user; data moves between them.  Where the file says of an
 * operand or the result which integers it stands for, the op stays what it is. */
#include "passes/common/plan.h"

static bool is_plain(const ir_value *v) { return v->type.dtype == IR_F32 && !v->as && !v->quant; }

static int results_of(const ir_op *op) { return ir_op_info_of(op->code)->results; }

static bool could_be_kept(const ir_op *op) { return plan_kind_of(op) == PLAN_COMPUTES && !op->keep_float; }

/* By id of a value: ops that are kept, or could be, computed it, and what it was moved from. */
static const bool *find_reals(const ir_graph *g, arena *a)
{
    bool *real = ARENA_ARRAY(a, bool, g->next_id);
    for (const ir_op *op = g->first; op; op = op->next) {
        const bool between = could_be_kept(op) || plan_kind_of(op) == PLAN_MOVES;
        bool all = between && results_of(op) > 0 && is_plain(op->results[0]), any = false;
        for (int i = 0; i < op->operand_count; i++) {
            const ir_value *v = op->operands[i].value;
            if (!v || ir_is_const(v) || v->type.dtype != IR_F32)
                continue;
            any = true;
            all &= real[v->id];
        }
        for (int i = 0; i < results_of(op); i++)
            real[op->results[i]->id] = is_plain(op->results[i]) && (op->keep_float || (all && any));
    }
    return real;
}

/* Does an op in float read it?  `wanted` has the results of those in between, and of moves. */
static bool is_read_real(const ir_value *v, const bool wanted[])
{
    if (ir_value_is_output(v))
        return true;
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use) {
        const ir_op *op = slot->user;
        const plan_kind kind = plan_kind_of(op);
        if (op->keep_float || kind == PLAN_NONE)
            return true;
        if (kind != PLAN_PRODUCT && results_of(op) > 0 && wanted[op->results[0]->id])
            return true;
    }
    return false;
}

pass_result pass_keep_between(ir_graph *g, pass_context *c)
{
    pass_result result = PASS_UNCHANGED;
    if (!c->options->calibration || c->options->quantize == PASS_QUANTIZE_NONE)
        return PASS_UNCHANGED;
    const bool *real = find_reals(g, c->scratch);
    bool *wanted = ARENA_ARRAY(c->scratch, bool, g->next_id);
    for (ir_op *op = g->last; op; op = op->prev) {
        const ir_value *r = results_of(op) > 0 ? op->results[0] : NULL;
        if (!r || op->keep_float || !real[r->id] || !is_read_real(r, wanted))
            continue;
        wanted[r->id] = true;
        if (!could_be_kept(op))
            continue;
        op->keep_float = true;
        op->why_float = "between ops in float";
        result = PASS_CHANGED;
    }
    return result;
}
