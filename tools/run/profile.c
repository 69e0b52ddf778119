/* profile.c: how long each step of a compiled model takes, as a table. */
#define _GNU_SOURCE
#include "tools/run/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/report/report_format.h"
#include "runtime/profile.h"
#include "runtime/variant.h"

enum { MAX_NAME_WIDTH = 48, MAX_PROFILED_RUNS = 1000, WARM_UP_RUNS = 3 };
static const char cut_mark[] = ".."; /* in place of what a name is too long by */

int profile_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

const char *profile_part(const qcc_step *step)
{
    static const char *const names[] = {"all", "product", "pad", "pack", "sums", "results"};
    return step->part < sizeof names / sizeof *names ? names[step->part] : "all";
}

double profile_peak_share(const qcc_step *step, uint64_t macs, double seconds, const peak *p, unsigned threads)
{
    const double rate = step->is_int8 ? p->int8 : p->f32;
    if (macs == 0 || seconds <= 0 || rate <= 0)
        return -1;
    return (double)macs / seconds / (rate * threads);
}

/* What a line of the table tells of: the steps that do the same part of one layer, band by band, image by image. */
typedef struct table_row {
    const qcc_step *step;
    double seconds;
    uint64_t macs;
} table_row;

static bool same_row(const qcc_step *a, const qcc_step *b)
{
    return a->part == b->part && strcmp(a->name, b->name) == 0 && strcmp(a->op, b->op) == 0;
}

/* slots: as many as `mask` + 1, more than there are steps, all 0; number of a row + 1. */
static uint32_t rows_of(const qcc_variant *v, const double seconds[], table_row rows[], uint32_t slots[], uint32_t mask)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < v->step_count; i++) {
        const qcc_step *step = &v->steps[i];
        uint32_t at = (uint32_t)ir_hash_bytes(step->name, strlen(step->name), step->part) & mask;
        while (slots[at] && !same_row(rows[slots[at] - 1].step, step))
            at = (at + 1) & mask;
        if (!slots[at]) {
            rows[count] = (table_row){.step = step};
            slots[at] = ++count;
        }
        table_row *row = &rows[slots[at] - 1];
        if (!row->macs)
            row->step = step; /* what has multiply-adds says which */
        row->seconds += seconds[i];
        row->macs += step->macs;
    }
    return count;
}

static size_t bytes_of(const qcc_tensor_info infos[], uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += infos[i].bytes;
    return bytes;
}

/* What a program gives for a run: the same for each target. */
static void print_memory(const session *s)
{
    char workspace[REPORT_NUMBER], state[REPORT_NUMBER], in[REPORT_NUMBER], out[REPORT_NUMBER];
    printf("memory: workspace %s", report_bytes((double)s->model->workspace_bytes, workspace));
    if (s->model->state_bytes)
        printf(" (%s of it state)", report_bytes((double)s->model->state_bytes, state));
    printf(", inputs %s, outputs %s\n", report_bytes((double)bytes_of(s->inputs, s->input_count), in),
           report_bytes((double)bytes_of(s->outputs, s->output_count), out));
}

bool profile_print(const session *s, const double seconds[], diag *d)
{
    const qcc_variant *v = s->variant;
    uint32_t size = 2;
    while (size <= v->step_count)
        size *= 2;
    table_row *rows = malloc((v->step_count + 1) * sizeof *rows);
    uint32_t *slots = calloc(size, sizeof *slots);
    if (!rows || !slots) {
        free(rows);
        free(slots);
        return diag_out_of_memory(d, NULL);
    }
    const uint32_t count = rows_of(v, seconds, rows, slots, size - 1);
    free(slots);
    const peak p = peak_measure(v->cpu_features);
    double total = 0;
    uint64_t macs = 0;
    int name_width = 4, op_width = 2, part_width = 4, shape_width = 5;
    for (uint32_t i = 0; i < count; i++) {
        const qcc_step *step = rows[i].step;
        total += rows[i].seconds;
        macs += rows[i].macs;
        name_width = (int)strlen(step->name) > name_width ? (int)strlen(step->name) : name_width;
        op_width = (int)strlen(step->op) > op_width ? (int)strlen(step->op) : op_width;
        part_width = (int)strlen(profile_part(step)) > part_width ? (int)strlen(profile_part(step)) : part_width;
        shape_width = (int)strlen(step->shape) > shape_width ? (int)strlen(step->shape) : shape_width;
    }
    if (name_width > MAX_NAME_WIDTH) /* frameworks chain names; the last part says most */
        name_width = MAX_NAME_WIDTH;
    printf("%-*s  %-*s  %-*s  %-*s  %9s  %6s  %12s  %6s\n", name_width, "name", op_width, "op", part_width, "part",
           shape_width, "shape", "us", "share", "MACs", "peak");
    for (uint32_t i = 0; i < count; i++) {
        const qcc_step *step = rows[i].step;
        const double time = rows[i].seconds, share = profile_peak_share(step, rows[i].macs, time, &p, s->threads);
        const int length = (int)strlen(step->name), mark = length > name_width ? (int)strlen(cut_mark) : 0;
        const char *name = mark ? step->name + length - name_width + mark : step->name;
        printf("%s%-*s  %-*s  %-*s  %-*s  %9.2f  %5.1f%%  %12" PRIu64, mark ? cut_mark : "", name_width - mark, name,
               op_width, step->op, part_width, profile_part(step), shape_width, step->shape, time * 1e6,
               total > 0 ? 100 * time / total : 0.0, rows[i].macs);
        if (share < 0)
            printf("  %6s\n", "-");
        else
            printf("  %5.1f%%\n", 100 * share);
    }
    printf("total %.2f us over %u steps, %" PRIu64 " MACs, %u thread%s, target %s", total * 1e6, v->step_count, macs,
           s->threads, s->threads == 1 ? "" : "s", v->target);
    if (p.int8 > 0 && p.f32 > 0)
        printf("; peak of a core: %.1f GMAC/s int8, %.1f GMAC/s float", p.int8 * 1e-9, p.f32 * 1e-9);
    printf("\n");
    print_memory(s);
    free(rows);
    return true;
}

/* times[run][step] -> the median of each step: a machine that does other things too disturbs it least.  False: out of
 * memory. */
static bool medians(const double *times, int runs, uint32_t steps, double out[])
{
    double *column = malloc(sizeof *column * (size_t)runs);
    for (uint32_t i = 0; column && i < steps; i++) {
        for (int r = 0; r < runs; r++)
            column[r] = times[(size_t)r * steps + i];
        qsort(column, (size_t)runs, sizeof *column, profile_compare);
        out[i] = column[runs / 2];
    }
    const bool good = column != NULL;
    free(column);
    return good;
}

double *profile_measure(session *s, double for_seconds, diag *d)
{
    const uint32_t steps = s->variant->step_count;
    double *times = calloc((size_t)MAX_PROFILED_RUNS * steps + 1, sizeof *times),
           *seconds = calloc(steps + 1, sizeof *seconds);
    bool good = (times && seconds) || diag_out_of_memory(d, NULL);
    for (int i = 0; good && i < WARM_UP_RUNS; i++)
        good = session_run(s, d);
    int runs = 0;
    const double start = qcc_clock_seconds();
    while (good && runs < MAX_PROFILED_RUNS && (runs == 0 || qcc_clock_seconds() - start < for_seconds))
        qcc_run_timed(s->model, (const void *const *)s->input_buffers, s->output_buffers, s->workspace, s->pool,
                      times + (size_t)runs++ * steps);
    good = good && (medians(times, runs, steps, seconds) || diag_out_of_memory(d, NULL));
    free(times);
    if (good)
        return seconds;
    free(seconds);
    return NULL;
}
