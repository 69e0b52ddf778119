/* split.h: ops of a batch, computed for one part of it after the other.
 *
 * A part is one image, or a few: a range of the first dimension of what an op makes and of the operands that are cut
 * likewise; others (weights, a scale) are whole for each part. */
#ifndef QCC_PASS_SPLIT_H
#define QCC_PASS_SPLIT_H

#include "ir/ir.h"

/* Is operand `slot` cut when the op is?  Of an op that can be split. */
bool split_cuts(const ir_op *, int slot);
/* Can the op be computed in so many equal parts? */
bool split_can(const ir_op *, int64_t parts);

/* Ops first … last of the graph, by position. */
typedef struct split_run {
    int32_t first, last;
} split_run;

/* The runs of ops that are better computed part by part, in order; their number.  ops: all of the graph; near_bytes: a
 * value of so many is still in the cache when it is read. */
int32_t split_choose(const ir_graph *, ir_op *const ops[], int32_t count, int64_t parts, int64_t near_bytes,
                     split_run runs[], arena *scratch);

#endif
