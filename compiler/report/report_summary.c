/* report_summary.c: ops of the report -> what is not int8, by reason, and the ten slowest.
 *
 *     "not_int8": [{"why", "arithmetic": "float" | "mixed", "ops", "macs", "first": position of an op}]  most work first
 *     "slowest_by": "seconds" (measured) or "estimated_seconds",  "slowest": [positions of ops]         slowest first */
#include "compiler/report/report_summary.h"

#include <stdlib.h>
#include <string.h>

enum { SLOWEST = 10 };

/* ---- What is not int8 ---- */

typedef struct reason {
    const char *why, *arithmetic;
    int64_t ops, macs, first;
} reason;

static reason *reason_of(reason *all, int64_t *count, const char *why, const char *arithmetic, int64_t position)
{
    for (int64_t i = 0; i < *count; i++)
        if (strcmp(all[i].why, why) == 0 && strcmp(all[i].arithmetic, arithmetic) == 0)
            return &all[i];
    all[*count] = (reason){.why = why, .arithmetic = arithmetic, .first = position};
    return &all[(*count)++];
}

static int more_work(const void *a, const void *b)
{
    const reason *x = a, *y = b;
    const int by_macs = (x->macs < y->macs) - (x->macs > y->macs), by_ops = (x->ops < y->ops) - (x->ops > y->ops);
    return by_macs ? by_macs : by_ops ? by_ops : (x->first > y->first) - (x->first < y->first);
}

static const char *text_of(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }

static json_t *not_int8(report_builder *r, const json_t *ops)
{
    json_t *list = json_array();
    reason *all = calloc(json_array_size(ops) + 1, sizeof *all);
    int64_t count = 0;
    r->failed |= !all;
    for (size_t i = 0; all && i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);
        const char *arithmetic = text_of(op, "arithmetic");
        if (strcmp(arithmetic, "float") != 0 && strcmp(arithmetic, "mixed") != 0)
            continue;
        reason *of = reason_of(all, &count, text_of(op, "why"), arithmetic, (int64_t)i);
        of->ops++;
        of->macs += json_integer_value(json_object_get(op, "macs"));
    }
    if (all)
        qsort(all, (size_t)count, sizeof *all, more_work);
    for (int64_t i = 0; i < count; i++) {
        json_t *o = json_object();
        report_put(r, o, "why", json_string(all[i].why));
        report_put(r, o, "arithmetic", json_string(all[i].arithmetic));
        report_put(r, o, "ops", json_integer(all[i].ops));
        report_put(r, o, "macs", json_integer(all[i].macs));
        report_put(r, o, "first", json_integer(all[i].first));
        report_push(r, list, o);
    }
    free(all);
    return list;
}

/* ---- The slowest ---- */

typedef struct timed {
    double seconds;
    int64_t position;
} timed;

static int slower(const void *a, const void *b)
{
    const timed *x = a, *y = b;
    const int by_time = (x->seconds < y->seconds) - (x->seconds > y->seconds);
    return by_time ? by_time : (x->position > y->position) - (x->position < y->position);
}

static json_t *slowest(report_builder *r, const json_t *ops, const char *by)
{
    json_t *list = json_array();
    const size_t count = json_array_size(ops);
    timed *all = calloc(count + 1, sizeof *all);
    r->failed |= !all;
    for (size_t i = 0; all && i < count; i++)
        all[i] = (timed){json_number_value(json_object_get(json_array_get(ops, i), by)), (int64_t)i};
    if (all)
        qsort(all, count, sizeof *all, slower);
    for (size_t i = 0; all && i < count && i < SLOWEST && all[i].seconds > 0; i++)
        report_push(r, list, json_integer(all[i].position));
    free(all);
    return list;
}

void report_put_summary(report_builder *r, json_t *report, const json_t *ops)
{
    const char *by = r->facts->seconds ? "seconds" : "estimated_seconds";
    if (r->failed) /* ops may lack what is asked of them */
        return;
    report_put(r, report, "not_int8", not_int8(r, ops));
    report_put(r, report, "slowest_by", json_string(by));
    report_put(r, report, "slowest", slowest(r, ops, by));
}
