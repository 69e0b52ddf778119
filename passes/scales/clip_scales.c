/* clip_scales.c: a clamp in front of a grid that ends where the clamp does costs nothing: the rounding does it.
 *
 *     %1:f32<4> = add %0, …                             %1:f32<4> as u8<0.1, 0> = add %0, …
 *     %2 = minimum %1, 25.5
 *     %3:f32<4> as u8<0.1, 0> = maximum %2, 0
 *
 * Learned clips (PACT) and bounded activations look like this.  As qdq_clip does for quantize ops; only for grids that
 * the file fixes, and where nobody else reads what is clamped. */
#include "passes/common/scales.h"

static bool clip(ir_op *op)
{
    double lo, hi;
    ir_value *x = scales_clamped(op, &lo, &hi), *r = x ? op->results[0] : NULL;
    if (!x || op->keep_float || x->type.dtype != IR_F32 || x->quant || ir_is_const(x) || !scales_is_fixed(r) ||
        !scales_imply_clamp(r->as_dtype, r->as, lo, hi) || pass_single_user(x) != op)
        return false;
    if (scales_is_fixed(x) && !scales_equal(x, r))
        return false;
    scales_copy(x, r);
    x->name = r->name ? r->name : x->name;
    ir_replace_uses(r, x);
    ir_op_erase(op);
    return true;
}

pass_result pass_clip_scales(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->last, *prev; op; op = prev) { /* the outer clamp first: its grid moves to the inner one */
        prev = op->prev;
        if (clip(op))
            result = PASS_CHANGED;
    }
    return result;
}
