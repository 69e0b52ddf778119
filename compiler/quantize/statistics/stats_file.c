/* stats_file.c: statistics to JSON and back.
 *
 *     {"qcc_statistics": 1, "graph": "00c3…", "samples": 100, "values": [
 *         {"name": "conv1", "count": 51200, "zeros": 20012, "low": 0, "high": 5.2, "exponent": 3,
 *          "bins": [2048, 20012, 17, …], "runs": [[100, …]]}, …]}
 *
 * "bins": pieces without a 0 in them, each as its first bin's number, then its counts, then 0. */
#include "compiler/quantize/statistics/stats_file.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/driver.h"

enum { VERSION = 1, RUN_NUMBERS = 8, ALL_BINS = 2 * OBSERVER_BINS, HASH_DIGITS = 16 };

/* Names come from model files and need not be UTF-8, as JSON has to be. */
static const char *name_of(const ir_value *v, char text[STATS_NAME_BYTES])
{
    stats_name(v, text);
    for (char *c = text; *c; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    return text;
}

/* ---- Writing: NULL when memory is out, which jansson's functions take and pass on ---- */

static bool append(json_t *list, json_t *item) { return json_array_append_new(list, item) == 0; }

static json_t *whole(json_t *list, bool good)
{
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *bins_of(const observer *o)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (int i = 0; good && i < ALL_BINS; i++) {
        if (o->bins[i] == 0)
            continue;
        good = append(list, json_integer(i));
        for (; good && i < ALL_BINS && o->bins[i] > 0; i++)
            good = append(list, json_integer((json_int_t)o->bins[i]));
        good = good && append(list, json_integer(0));
    }
    return whole(list, good);
}

static json_t *runs_of(const observer *o)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (int i = 0; good && i < o->run_count; i++) {
        const observer_run *r = &o->runs[i];
        good = append(list, json_pack("[I, f, f, f, f, f, f, f]", (json_int_t)r->batches, r->low_sum, r->high_sum,
                                      r->absmax_sum, r->low_moving, r->high_moving, r->absmax_moving, r->weight));
    }
    return whole(list, good);
}

static json_t *value_of(const stats_value *v)
{
    char name[STATS_NAME_BYTES];
    const observer *o = &v->seen;
    const bool any = o->count > 0;
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:i, s:o, s:o}", "name", name_of(v->value, name), "count",
                     (json_int_t)o->count, "zeros", (json_int_t)o->zeros, "low", any ? (double)o->low : 0, "high",
                     any ? (double)o->high : 0, "exponent", o->exponent, "bins", bins_of(o), "runs", runs_of(o));
}

static const char *hash_text(uint64_t hash, char text[HASH_DIGITS + 1])
{
    snprintf(text, HASH_DIGITS + 1, "%016" PRIx64, hash);
    return text;
}

char *stats_file_text(const stats *s)
{
    char hash[HASH_DIGITS + 1];
    json_t *values = json_array();
    bool good = values != NULL;
    for (int i = 0; good && i < s->count; i++)
        good = json_array_append_new(values, value_of(&s->values[i])) == 0;
    json_t *root = good ? json_pack("{s:i, s:s, s:I, s:O}", "qcc_statistics", VERSION, "graph",
                                    hash_text(s->graph, hash), "samples", (json_int_t)s->samples, "values", values)
                        : NULL;
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(values);
    json_decref(root);
    return text;
}

/* ---- Reading: nothing of a file is trusted ---- */

static bool count_of(const json_t *j, uint64_t *out)
{
    *out = json_is_integer(j) && json_integer_value(j) >= 0 ? (uint64_t)json_integer_value(j) : 0;
    return json_is_integer(j) && json_integer_value(j) >= 0;
}

static bool read_bins(const json_t *list, observer *o)
{
    uint64_t sum = 0, number;
    size_t i = 0;
    while (i < json_array_size(list)) {
        uint64_t bin;
        if (!count_of(json_array_get(list, i++), &bin))
            return false;
        for (;; bin++) {
            if (!count_of(json_array_get(list, i++), &number))
                return false;
            if (number == 0)
                break;
            if (bin >= ALL_BINS || number > o->count - sum)
                return false;
            o->bins[bin] = number;
            sum += number;
        }
    }
    return sum == o->count;
}

static bool read_runs(const json_t *list, observer *o)
{
    const size_t count = json_array_size(list);
    o->runs = count ? calloc(count, sizeof *o->runs) : NULL;
    if (!json_is_array(list) || count > INT32_MAX || (count && !o->runs))
        return false;
    for (size_t i = 0; i < count; i++) {
        double numbers[RUN_NUMBERS];
        const json_t *run = json_array_get(list, i);
        uint64_t batches;
        if (json_array_size(run) != RUN_NUMBERS || !count_of(json_array_get(run, 0), &batches))
            return false;
        for (size_t k = 1; k < RUN_NUMBERS; k++) {
            numbers[k] = json_number_value(json_array_get(run, k));
            if (!json_is_number(json_array_get(run, k)) || !isfinite(numbers[k]))
                return false;
        }
        o->runs[i] = (observer_run){(int64_t)batches, numbers[1], numbers[2], numbers[3],
                                    numbers[4],       numbers[5], numbers[6], numbers[7]};
    }
    o->run_count = (int)count;
    return true;
}

/* Is the range within the histogram's, which is no wider than it has to be? */
static bool is_consistent(const observer *o)
{
    const double most = fmax((double)o->high, -(double)o->low), end = ldexp(1, o->exponent);
    const bool least = o->exponent == OBSERVER_LEAST_EXPONENT;
    if (o->count == 0)
        return least;
    return o->low <= o->high && o->zeros <= o->bins[OBSERVER_BINS] && most < end && (least || most >= end / 2);
}

/* A number with a meaning for one value; false: the file is damaged. */
static bool read_value(const json_t *j, observer *o)
{
    const json_t *low = json_object_get(j, "low"), *high = json_object_get(j, "high"),
                 *exponent = json_object_get(j, "exponent");
    if (!count_of(json_object_get(j, "count"), &o->count) || !count_of(json_object_get(j, "zeros"), &o->zeros) ||
        !json_is_number(low) || !json_is_number(high) || !json_is_integer(exponent) ||
        json_integer_value(exponent) < OBSERVER_LEAST_EXPONENT || json_integer_value(exponent) > 128)
        return false;
    o->exponent = (int)json_integer_value(exponent);
    if (o->count > 0) {
        if (fabs(json_number_value(low)) > 0x1.fffffep127 || fabs(json_number_value(high)) > 0x1.fffffep127)
            return false;
        o->low = (float)json_number_value(low);
        o->high = (float)json_number_value(high);
    }
    return json_is_array(json_object_get(j, "bins")) && read_bins(json_object_get(j, "bins"), o) &&
           read_runs(json_object_get(j, "runs"), o) && is_consistent(o);
}

static bool add_values(const json_t *values, stats *to, stats *one, const ir_loc *loc, diag *d)
{
    char name[STATS_NAME_BYTES];
    if (!stats_init_like(one, to, d))
        return false;
    for (int i = 0; i < to->count; i++) {
        const json_t *j = json_array_get(values, (size_t)i);
        const char *called = json_string_value(json_object_get(j, "name"));
        if (!called || strcmp(called, name_of(to->values[i].value, name)) != 0)
            return diag_error(
                d, loc,
                "statistics of '%s' where those of '%s' belong: other options chose what is computed on integers",
                called ? called : "nothing", name);
        if (!read_value(j, &one->values[i].seen))
            return diag_error(d, loc, "damaged: the statistics of '%s'", called);
    }
    return true;
}

static bool add_file(const json_t *root, stats *to, stats *one, const ir_loc *loc, diag *d)
{
    char hash[HASH_DIGITS + 1];
    const json_t *values = json_object_get(root, "values"), *version = json_object_get(root, "qcc_statistics");
    const char *graph = json_string_value(json_object_get(root, "graph"));
    uint64_t samples;
    if (!json_is_integer(version) || !json_is_array(values) || !graph ||
        !count_of(json_object_get(root, "samples"), &samples))
        return diag_error(d, loc, "no statistics that --save-stats wrote");
    if (json_integer_value(version) != VERSION)
        return diag_error(d, loc, "statistics of version %lld, this qcc reads version %d",
                          (long long)json_integer_value(version), VERSION);
    if (strcmp(graph, hash_text(to->graph, hash)) != 0)
        return diag_error(d, loc, "statistics of another model, or of this one with other options");
    if (json_array_size(values) != (size_t)to->count)
        return diag_error(d, loc, "statistics of %zu values, the model has %d that become integers",
                          json_array_size(values), to->count);
    if (!add_values(values, to, one, loc, d))
        return false;
    one->samples = (int64_t)samples;
    return stats_merge(to, one, d);
}

bool stats_file_read(const char *path, stats *to, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    uint8_t *text;
    size_t size;
    json_error_t error;
    stats one = {0};
    if (!driver_read_file(path, &text, &size, d))
        return false;
    json_t *root = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, &error);
    const bool good =
        root ? add_file(root, to, &one, &loc, d)
             : diag_error(d, &loc, "no statistics that --save-stats wrote: line %d: %s", error.line, error.text);
    json_decref(root);
    stats_free(&one);
    free(text);
    return good;
}
