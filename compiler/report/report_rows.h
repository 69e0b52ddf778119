/* report_rows.h: what the ops of a layer come to.  An op of a batch that is computed in parts (passes/lower/split_batch.c) and
 * those that do the same for the other parts are one row of the report, in the place of the first. */
#ifndef QCC_REPORT_ROWS_H
#define QCC_REPORT_ROWS_H

#include "compiler/report/report.h"

typedef struct report_row {
    int64_t parts; /* ops */
    int64_t macs;
    double seconds; /* measured; negative: no code of its own, or not run */
    double estimated_seconds;
} report_row;

typedef struct report_rows {
    int64_t count;
    report_row *row;
    int64_t *of_op; /* by id */
} report_rows;

/* seconds: by position of the op, or NULL. */
report_rows report_rows_make(const ir_graph *, const double seconds[], const target_info *estimated_for, arena *);

#endif
