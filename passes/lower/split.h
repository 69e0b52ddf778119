/* split.h: ops of a batch, computed for one part of it (ir/batch.h) after the other. */
#ifndef QCC_PASS_SPLIT_H
#define QCC_PASS_SPLIT_H

#include "ir/ir.h"

/* Ops first … last of the graph, by position. */
typedef struct split_run {
    int32_t first, last;
} split_run;

/* The runs of ops that are better computed part by part, in order; their number.  ops: all of the graph; near_bytes: a
 * value of so many is still in the cache when it is read. */
int32_t split_choose(const ir_graph *, ir_op *const ops[], int32_t count, int64_t parts, int64_t near_bytes,
                     split_run runs[], arena *scratch);

#endif
