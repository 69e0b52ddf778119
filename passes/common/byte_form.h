/* byte_form.h: 8-bit activations of one type as those of the other, integers and zero points 128 larger or smaller.  Every op's
 * arithmetic works on q - zero, which does not change.  At the graph's edges, and around casts, which look at the raw integers,
 * requantize ops x ^ 0x80 convert. */
#ifndef QCC_PASS_BYTE_FORM_H
#define QCC_PASS_BYTE_FORM_H

#include "ir/ir.h"

/* From i8 to u8, or from u8 to i8; operands that are weights stay int8.  Whether anything has changed. */
bool byte_form_change(ir_graph *, ir_dtype from, arena *scratch);

#endif
