/* set_rounding.c: --rounding overrides the arithmetic that the importer chose.  No other pass touches it.
 *
 *     %2 = conv2d %0, %1           --rounding=tflite           %2 = conv2d %0, %1 {rounding = fixed_twice} */
#include "ir/ref/interp.h"
#include "passes/common/util.h"

pass_result pass_set_rounding(ir_graph *g, pass_context *c)
{
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first; op && c->options->rounding_given; op = op->next) {
        if (!ir_has_attr(op, IR_ATTR_ROUNDING))
            continue;
        int64_t before = ir_int(op, IR_ATTR_ROUNDING);
        diag ignored = {0};
        ir_set_rounding(op, c->options->rounding);
        if (!ir_op_supported(op, &ignored)) /* no format's kernel computes it so */
            ir_set_int(op, IR_ATTR_ROUNDING, before);
        if (ir_int(op, IR_ATTR_ROUNDING) != before)
            result = PASS_CHANGED;
    }
    return result;
}
