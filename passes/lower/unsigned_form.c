/* unsigned_form.c: every quantized int8 activation becomes uint8, integers and zero point 128 larger, because the
 * machine's dot product multiplies unsigned by signed bytes.  Every op's arithmetic works on q - zero, which does not
 * change.  At the graph's edges, and around casts, which look at the raw integers, requantize ops x ^ 0x80 convert.
 *
 *     input %0:i8<4; 0.5, -3>                     input %0:i8<4; 0.5, -3>
 *                                                 %3:u8<4; 0.5, 125> = requantize %0
 *     %1:i8<4; 0.1, 0> = relu %0                  %1:u8<4; 0.1, 128> = relu %3
 *                                                 %4:i8<4; 0.1, 0> = requantize %1
 *     output %1                                   output %4
 *
 * Weights stay int8; a weight operand that is computed gets a requantize back to int8. */
#include "passes/common/byte_form.h"
#include "passes/common/util.h"

pass_result pass_unsigned_form(ir_graph *g, pass_context *c)
{
    return byte_form_change(g, IR_I8, c->scratch) ? PASS_CHANGED : PASS_UNCHANGED;
}
