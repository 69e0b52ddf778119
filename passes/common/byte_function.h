/* byte_function.h: ops that together are a function of one 8-bit number, as a table of its 256 results.
 *
 *     byte_function f = {0};
 *     if (byte_function_collect(&f, op)) byte_function_replace(g, &f, op) … */
#ifndef QCC_PASS_BYTE_FUNCTION_H
#define QCC_PASS_BYTE_FUNCTION_H

#include "passes/common/util.h"

enum { BYTE_FUNCTION_OPS = 24 };

typedef struct byte_function {
    ir_op *ops[BYTE_FUNCTION_OPS]; /* in order of evaluation, the root last */
    int count;
    ir_value *source; /* the one 8-bit value; NULL until it is met */
} byte_function;

/* The function that `root` ends: element-wise ops on the same 8-bit value and on single numbers.  It begins behind the
 * last op of another kind: at a dequantize, or as far up on integers as there is one source. */
bool byte_function_collect(byte_function *, ir_op *root);
/* Puts the table in the place of the root.  False when an op is not defined on its types: nothing has changed then. */
bool byte_function_replace(ir_graph *, const byte_function *);

#endif
