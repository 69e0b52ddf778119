/* bench.h: how long a run of a model takes. */
#ifndef QCC_TOOLS_BENCH_H
#define QCC_TOOLS_BENCH_H

#include <jansson.h>

#include "compiler/run/session.h"

typedef struct bench_times {
    double median, least, p99, mean, deviation; /* seconds */
    int runs;
} bench_times;

/* Runs for about so many seconds. */
bool bench_measure(session *, double for_seconds, bench_times *out, diag *);
/* {"median_ms", "min_ms", "p99_ms", "mean_ms", "deviation_ms", "iterations", "threads", "target", "version"}; NULL: no memory. */
json_t *bench_json(const session *, const bench_times *);
/* As one line. */
void bench_print(const session *, const bench_times *);

#endif
