/* check_values.h: do two graphs compute the same?  For passes: before and after. */
#ifndef QCC_CHECK_VALUES_H
#define QCC_CHECK_VALUES_H

#include "ir/ir.h"

/* Runs both graphs, in the planned memory where there is a plan, on inputs with all extreme values, twice in a row
 * where there is state.  Integer and bool outputs must be equal bit for bit, floats within 1e-4 of the output's
 * largest magnitude (passes may change the order of float arithmetic, never more).  False with a diagnostic on a
 * difference. */
bool check_values(const ir_graph *before, const ir_graph *after, diag *);

#endif
