/* run_report.h: the report on a compiled model, with what running it tells. */
#ifndef QCC_TOOLS_RUN_REPORT_H
#define QCC_TOOLS_RUN_REPORT_H

#include "compiler/run/session.h"

/* seconds: of each step of s->model, which was compiled from a model file; the values that it reports on follow from
 * the inputs in the session's buffers.  They are compared with those of the model in the file `reference`, or NULL: in
 * that of the session.  Adds the report to the set of outputs, to
 * each of these files in the form that its extension names. */
bool run_report_add(const session *, const driver_options *, const char *reference, const double seconds[],
                    output_set *, const int files[], int count, diag *);

#endif
