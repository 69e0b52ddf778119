/* profile.h: how long each step of a compiled model takes. */
#ifndef QCC_TOOLS_PROFILE_H
#define QCC_TOOLS_PROFILE_H

#include "compiler/run/session.h"
#include "tools/run/bench.h"
#include "tools/run/peak.h"

/* Median seconds of each step of s->model, over runs for about so many seconds; to be freed.  NULL with a diagnostic. */
double *profile_measure(session *, double for_seconds, diag *);
/* A line for each part of an op, and a total, on stdout.  False: out of memory. */
bool profile_print(const session *, const double seconds[], diag *);
/* The same as one JSON object (profile_json.c), with what bench_json makes of `times` as "bench"; NULL: without. */
bool profile_print_json(const session *, const double seconds[], const bench_times *times, diag *);
/* What a step does of its op: "product", "pad", "pack", "sums", "results"; "all". */
const char *profile_part(const qcc_step *);
/* Fraction of what as many cores as take part could do, of so many of the step's kind of multiply-adds; negative: says
 * nothing. */
double profile_peak_share(const qcc_step *, uint64_t macs, double seconds, const peak *, unsigned threads);
/* Order of doubles, for qsort. */
int profile_compare(const void *, const void *);

#endif
