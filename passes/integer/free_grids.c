/* free_grids.c: a result has been put on a grid that the file does not round it to, for want of a better one, and then
 * everybody reads it on another grid, or as reals: the op computes that at once, rounded once or not at all.
 *
 *     %2:u8<…; 0.1, 0> from propagated "…" = conv2d %0, %1       %3:u8<…; 0.3, 9> = conv2d %0, %1
 *     %3:u8<…; 0.3, 9> = requantize %2
 *
 *     %2:u8<…; 0.1, 0> from known "…" = conv2d %0, %1            %3:f32<…> = conv2d %0, %1
 *     %3:f32<…> = dequantize %2
 *
 * A grid that the file has is part of what the model computes, and stays (plan_is_free). */
#include "ir/ref/interp.h"
#include "passes/common/plan.h"

static bool has_grid_of_its_own(const ir_op *op)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    return info->results == 1 && !(info->flags & (IR_SAME_QUANT | IR_STATE));
}

static bool merge(ir_op *convert)
{
    ir_value *x = convert->operands[0].value, *r = convert->results[0];
    ir_op *op = x->def;
    if (!op || !x->quant || !plan_is_free(x) || pass_single_user(x) != convert || !has_grid_of_its_own(op) ||
        (r->type.dtype == IR_F32 && !plan_gives_reals(op->code)))
        return false;
    const ir_type type = x->type;
    const ir_quant *quant = x->quant;
    diag ignored = {0};
    ir_result_set(op, 0, r->type, r->quant);
    if (!ir_op_supported(op, &ignored)) {
        ir_result_set(op, 0, type, quant);
        return false;
    }
    x->name = r->name ? r->name : x->name;
    x->scale_from = r->scale_from;
    x->as = r->as;
    x->as_dtype = r->as_dtype;
    x->as_rounding = r->as_rounding;
    ir_replace_uses(r, x);
    ir_op_erase(convert);
    return true;
}

pass_result pass_free_grids(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if ((op->code == IR_REQUANTIZE || op->code == IR_DEQUANTIZE) && merge(op))
            result = PASS_CHANGED;
    }
    return result;
}
