/* qdq_clip.c: a clamp in front of a quantize disappears where the range of the quantization does the same.
 *
 *     %1 = relu %0                                      %2:u8<4; 0.1, 0> = quantize %0
 *     %2:u8<4; 0.1, 0> = quantize %1
 *
 * Quantization is monotonic, so quantize(clamp(x, lo, hi)) = clamp(quantize(x), quantize(lo), quantize(hi)): when the
 * bounds become the smallest and the largest integer, nothing is left of it.  Also minimum and maximum with one
 * constant. */
#include <math.h>

#include "ir/interp.h"
#include "passes/qdq.h"

static void bounds_of_act(ir_enum_ACT act, double *lo, double *hi)
{
    *lo = act == IR_ACT_NONE ? -INFINITY : act == IR_ACT_RELU_N1_TO_1 ? -1 : 0;
    *hi = act == IR_ACT_RELU6 ? 6 : act == IR_ACT_RELU_N1_TO_1 || act == IR_ACT_RELU_0_TO_1 ? 1 : INFINITY;
}

/* The operand that a clamp works on, and its bounds; NULL: not a clamp. */
static ir_value *clamped(const ir_op *op, double *lo, double *hi)
{
    if (op->code == IR_RELU) {
        bounds_of_act(qdq_act(op), lo, hi);
        return op->operands[0].value;
    }
    if (op->code != IR_MINIMUM && op->code != IR_MAXIMUM)
        return NULL;
    for (int i = 0; i < 2; i++) {
        ir_value *x = op->operands[!i].value;
        const ir_value *bound = op->operands[i].value;
        if (!ir_is_const(bound) || bound->type.dtype != IR_F32 || ir_type_elements(&bound->type) != 1)
            continue;
        double b = ir_const_real(bound, 0);
        *lo = op->code == IR_MAXIMUM ? b : -INFINITY;
        *hi = op->code == IR_MINIMUM ? b : INFINITY;
        return isnan(b) || !ir_type_equal(&x->type, &op->results[0]->type) ? NULL : x;
    }
    return NULL;
}

static bool is_range(const ir_value *y, double lo, double hi)
{
    int32_t min, max;
    ir_dtype_range(y->type.dtype, &min, &max);
    double scale = (double)y->quant->scale[0], zero = y->quant->zero[0];
    return nearbyint(lo / scale) + zero <= min && nearbyint(hi / scale) + zero >= max;
}

pass_result pass_qdq_clip(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first; op; op = op->next) {
        double lo, hi;
        ir_value *x;
        while (qdq_is_target(op) && op->operands[0].value->def &&
               (x = clamped(op->operands[0].value->def, &lo, &hi)) != NULL && x->type.dtype == IR_F32 &&
               is_range(op->results[0], lo, hi)) {
            ir_value *behind = op->operands[0].value;
            ir_set_operand(op, 0, x);
            qdq_drop(behind); /* it would count as another user of x */
            result = PASS_CHANGED;
        }
    }
    return result;
}
