/* profile.h: how long each step of a compiled model takes. */
#ifndef QCC_TOOLS_PROFILE_H
#define QCC_TOOLS_PROFILE_H

#include "compiler/run/session.h"

/* Median seconds of each step of s->model, over runs for about so many seconds; to be freed.  NULL with a diagnostic. */
double *profile_measure(session *, double for_seconds, diag *);
/* A line a step, and a total, on stdout. */
void profile_print(const session *, const double seconds[]);
/* Order of doubles, for qsort. */
int profile_compare(const void *, const void *);

#endif
