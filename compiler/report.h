/* report.h: what became of every op, as JSON or as one self-contained HTML page. */
#ifndef QCC_REPORT_H
#define QCC_REPORT_H

#include "compiler/histogram.h"
#include "ir/ir.h"

typedef struct report_facts {
    const char *name, *source, *target;
    size_t object_bytes;           /* 0: unknown */
    /* What a run can tell; NULL: there was none. */
    const double *seconds;         /* by position of the op; negative: no code of its own */
    const histogram *activations;  /* by id of the value; without elements: unknown */
} report_facts;

/* The graph is lowered.  The text, to be freed; NULL: out of memory. */
char *report_text(const ir_graph *, const report_facts *, bool html, size_t *out_length);

#endif
