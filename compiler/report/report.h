/* report.h: what became of every op, as JSON or as one self-contained HTML page. */
#ifndef QCC_REPORT_H
#define QCC_REPORT_H

#include "compiler/report/histogram.h"
#include "compiler/target/target.h"
#include "ir/ir.h"

/* How far a value is from the same value in the graph as the file describes it.  Units: steps of the scale, of values
 * without one the file's largest magnitude. */
typedef struct report_difference {
    bool known, alone_known;
    double max, mean, sqnr_db;                   /* with all ops in front computed as compiled */
    double alone_max, alone_mean, alone_sqnr_db; /* with the file's own operands: what this op adds by itself */
} report_difference;

typedef struct report_facts {
    const char *name, *source;
    target_set targets;      /* that there is code for */
    size_t object_bytes;     /* 0: unknown */
    bool float_is_asked_for; /* by options; or there were samples, and still some of it is float */
    /* What a run can tell; NULL: there was none. */
    const char *target;                   /* whose code ran */
    unsigned threads;                     /* that it ran on */
    const double *seconds;                /* by position of the op; negative: no code of its own */
    const histogram *activations;         /* by id of the value; without elements: unknown */
    const report_difference *differences; /* by id of the value */
} report_facts;

/* What the ops of a lowered graph come to. */
void report_totals(const ir_graph *, int64_t *out_macs, int64_t *out_weights_bytes);

/* By the extension of a report's file, which is .html or .json. */
bool report_is_html(const char *path);

/* The graph is lowered.  The text, to be freed; NULL: out of memory. */
char *report_text(const ir_graph *, const report_facts *, bool html, size_t *out_length);

#endif
