/* opt_ranges.h: ranges of values as options of qcc-opt, in the place of samples.
 *
 *     --range=x=-1:3 --range=%4=0:5.1 */
#ifndef QCC_TOOLS_OPT_RANGES_H
#define QCC_TOOLS_OPT_RANGES_H

#include "compiler/driver.h"

/* Each item is VALUE=LOW:HIGH, VALUE the name of a value, or %ID.  The table lives in the graph's arena.  False and a
 * diagnostic where the graph has no such value, or the text is not of that form. */
bool opt_ranges(const ir_graph *, const driver_list *items, pass_calibration *out, diag *);

#endif
