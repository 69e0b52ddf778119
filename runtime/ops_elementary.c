/* ops_elementary.c: elementary functions of one number by libm, see ops.h.  sin and cos are for large operands, whose
 * remainder by pi / 2 takes more bits of pi than straight-line code can afford. */
#include <math.h>

#include "runtime/ops.h"

float qcc_op_log(float x) { return logf(x); }
float qcc_op_sin(float x) { return sinf(x); }
float qcc_op_cos(float x) { return cosf(x); }
