/* norm.h: batch norms that ops have in their constants (ir_norm), while constants change. */
#ifndef QCC_PASS_NORM_H
#define QCC_PASS_NORM_H

#include "ir/ir.h"

/* What stays of it when all that the op gives is multiplied by a number for each channel; NULL is none. */
const ir_norm *norm_multiplied(ir_graph *, const ir_norm *, const float factor[]);
/* The same when the numbers are added. */
const ir_norm *norm_shifted(ir_graph *, const ir_norm *, const float term[]);

#endif
