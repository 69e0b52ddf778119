/* report_cost.h: about how long an op takes, where nobody has measured it. */
#ifndef QCC_REPORT_COST_H
#define QCC_REPORT_COST_H

#include "compiler/target/target.h"
#include "ir/ir.h"

/* Seconds on one core of the target at 3 GHz: good for an order of magnitude, and for which ops take the most.  0: views. */
double report_cost(const ir_op *, const target_info *);

#endif
