/* qdq_table.c: what is left in float between a dequantize and a quantize, and is a function of that one number,
 * becomes a table of its 256 results.
 *
 *     %1:f32<…> = dequantize %0:u8<…; 0.05, 128>       %5:u8<…; 0.02, 18> = table %0 {entries = […]}
 *     %2:f32<…> = mul %1, 0.1666
 *     %3:f32<…> = add %2, 0.5 {act = relu_0_to_1}
 *     %4:f32<…> = mul %1, %3
 *     %5:u8<…; 0.02, 18> = quantize %4
 *
 * The table is computed with the ops themselves, so no result changes.  Hard-swish, gelu, x * sigmoid(x) and the
 * like, as exporters spell them, come this way.  Intermediate values that are used elsewhere, too, stay for that use. */
#include "passes/common/byte_function.h"
#include "passes/common/qdq.h"

pass_result pass_qdq_table(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        byte_function f;
        next = op->next;
        if (qdq_is_target(op) && byte_function_collect(&f, op) && f.count > 2 && byte_function_replace(g, &f))
            result = PASS_CHANGED;
    }
    return result;
}
