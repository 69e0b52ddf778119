/* qdq_clip.c: a clamp in front of a quantize disappears where the range of the quantization does the same.
 *
 *     %1 = relu %0                                      %2:u8<4; 0.1, 0> = quantize %0
 *     %2:u8<4; 0.1, 0> = quantize %1
 *
 * Quantization is monotonic, so quantize(clamp(x, lo, hi)) = clamp(quantize(x), quantize(lo), quantize(hi)): when the
 * bounds become the smallest and the largest integer, nothing is left of it.  Also minimum and maximum with one
 * constant. */
#include "ir/ref/interp.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"

pass_result pass_qdq_clip(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first; op; op = op->next) {
        double lo, hi;
        ir_value *x;
        while (qdq_is_target(op) && op->operands[0].value->def && !op->operands[0].value->def->keep_float &&
               (x = scales_clamped(op->operands[0].value->def, &lo, &hi)) != NULL && x->type.dtype == IR_F32 &&
               scales_imply_clamp(op->results[0]->type.dtype, op->results[0]->quant, lo, hi)) {
            ir_value *behind = op->operands[0].value;
            ir_set_operand(op, 0, x);
            qdq_drop(behind); /* it would count as another user of x */
            result = PASS_CHANGED;
        }
    }
    return result;
}
