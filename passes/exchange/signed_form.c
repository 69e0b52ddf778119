/* signed_form.c: other formats multiply int8 by int8, so uint8 activations become int8, integers and zero point 128 smaller.
 *
 *     input %0:u8<4; 0.5, 125>                    input %0:u8<4; 0.5, 125>
 *                                                 %3:i8<4; 0.5, -3> = requantize %0
 *     %1:u8<2; 0.1, 128> = fully_connected %0     %1:i8<2; 0.1, 0> = fully_connected %3
 *     output %1                                   %4:u8<2; 0.1, 128> = requantize %1
 *                                                 output %4
 *
 * Not where all products are of uint8 and constant uint8, as in models of TFLite's first years: there is a form for these. */
#include "ir/ref/interp.h"
#include "passes/common/byte_form.h"
#include "passes/common/util.h"

/* Does the op take no uint8 next to what its other operand is? */
static bool wants_signed(const ir_op *op)
{
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1);
    const bool product = (ir_op_info_of(op->code)->flags & IR_MAC) || op->code == IR_BATCH_MATMUL;
    return product && x->type.dtype == IR_U8 && x->quant && !ir_operand_value(op, IR_MAC_ZERO) &&
           (op->code == IR_BATCH_MATMUL || w->type.dtype == IR_I8 || w->quant->axis >= 0);
}

pass_result pass_signed_form(ir_graph *g, pass_context *c)
{
    bool wanted = false;
    for (const ir_op *op = g->first; op; op = op->next)
        wanted |= wants_signed(op);
    if (!wanted)
        return PASS_UNCHANGED;
    pass_signed_weights(g, c);
    byte_form_change(g, IR_U8, c->scratch);
    return PASS_CHANGED;
}
