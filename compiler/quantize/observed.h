/* observed.h: what the report says of a value that samples have given a range. */
#ifndef QCC_OBSERVED_H
#define QCC_OBSERVED_H

#include "compiler/quantize/statistics/observer.h"
#include "ir/ir.h"

/* Of an observer that has seen numbers.  As in the searches for ranges (threshold.h) a bin stands at its middle, so that what is
 * outside of the range is counted to the width of one. */
const ir_observed *observed_make(arena *, const observer *, const char *algorithm, double range_low, double range_high);

#endif
