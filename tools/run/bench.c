/* bench.c: runs of a model, timed -> the median, and how far they are from one another. */
#define _GNU_SOURCE
#include "tools/run/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler/options.h"
#include "runtime/profile.h"
#include "tools/run/profile.h"

enum { MAX_RUNS = 1 << 20, WARM_UP_RUNS = 3 };

/* Sorts them. */
static bench_times summary(double *times, int count)
{
    double sum = 0, squares = 0;
    qsort(times, (size_t)count, sizeof *times, profile_compare);
    for (int i = 0; i < count; i++)
        sum += times[i];
    bench_times out = {.least = times[0], .mean = sum / count, .runs = count};
    out.median = count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
    out.p99 = times[(int)ceil((count - 1) * 0.99)];
    for (int i = 0; i < count; i++)
        squares += (times[i] - out.mean) * (times[i] - out.mean);
    out.deviation = sqrt(squares / count);
    return out;
}

bool bench_measure(session *s, double for_seconds, bench_times *out, diag *d)
{
    double *times = malloc(sizeof *times * MAX_RUNS);
    if (!times)
        return diag_out_of_memory(d, NULL);
    bool good = true;
    for (int i = 0; good && i < WARM_UP_RUNS; i++)
        good = session_run(s, d);
    int count = 0;
    const double start = qcc_clock_seconds();
    double before = start;
    while (good && count < MAX_RUNS && (count == 0 || before - start < for_seconds)) {
        good = session_run(s, d);
        const double now = qcc_clock_seconds();
        times[count++] = now - before;
        before = now;
    }
    if (good)
        *out = summary(times, count);
    free(times);
    return good;
}

json_t *bench_json(const session *s, const bench_times *t)
{
    const char *target = s->variant ? s->variant->target : NULL;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:s?, s:s}", "median_ms", t->median * 1e3, "min_ms",
                     t->least * 1e3, "p99_ms", t->p99 * 1e3, "mean_ms", t->mean * 1e3, "deviation_ms",
                     t->deviation * 1e3, "iterations", t->runs, "threads", (int)s->threads, "target", target, "version",
                     options_version());
}

void bench_print(const session *s, const bench_times *t)
{
    printf("{\"median_ms\": %.6f, \"min_ms\": %.6f, \"p99_ms\": %.6f, \"mean_ms\": %.6f, \"deviation_ms\": %.6f, "
           "\"iterations\": %d, \"threads\": %u, \"target\": %s%s%s, \"version\": \"%s\"}\n",
           t->median * 1e3, t->least * 1e3, t->p99 * 1e3, t->mean * 1e3, t->deviation * 1e3, t->runs, s->threads,
           s->variant ? "\"" : "", s->variant ? s->variant->target : "null", s->variant ? "\"" : "", options_version());
}
