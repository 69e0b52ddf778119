/* observer.c: counts numbers, and joins counts. */
#include "compiler/quantize/statistics/observer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOVING_RATE 0.9

enum { ALL_BINS = 2 * OBSERVER_BINS, BIN_BITS = 11 /* of OBSERVER_BINS */ };

bool observer_init(observer *o)
{
    *o = (observer){.low = INFINITY, .high = -INFINITY, .exponent = OBSERVER_LEAST_EXPONENT};
    o->bins = calloc(ALL_BINS, sizeof *o->bins);
    return o->bins != NULL;
}

void observer_free(observer *o)
{
    free(o->bins);
    free(o->runs);
    *o = (observer){0};
}

double observer_width(const observer *o) { return ldexp(1, o->exponent - BIN_BITS); }

double observer_bin_start(const observer *o, int index) { return (index - OBSERVER_BINS) * observer_width(o); }

/* ---- Width ---- */

/* Adds counts of a smaller width: bin k lies in bin k / 2^steps, rounded down. */
static void add_bins(observer *o, const uint64_t bins[ALL_BINS], int steps)
{
    const int shift = steps < BIN_BITS + 1 ? steps : BIN_BITS + 1;
    for (int i = 0; i < ALL_BINS; i++) {
        const int k = i - OBSERVER_BINS;
        o->bins[(k >= 0 ? k >> shift : ~(~k >> shift)) + OBSERVER_BINS] += bins[i];
    }
}

static void widen(observer *o, int exponent)
{
    if (exponent <= o->exponent)
        return;
    uint64_t old[ALL_BINS];
    memcpy(old, o->bins, sizeof old);
    memset(o->bins, 0, sizeof old);
    add_bins(o, old, exponent - o->exponent);
    o->exponent = exponent;
}

/* The least exponent whose range holds x, and -x. */
static int exponent_of(float x)
{
    int exponent;
    frexpf(x, &exponent);
    return x == 0 || exponent < OBSERVER_LEAST_EXPONENT ? OBSERVER_LEAST_EXPONENT : exponent;
}

/* ---- Numbers ---- */

typedef struct summary {
    float low, high;
    uint64_t zeros;
    bool finite;
} summary;

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* In blocks whose counts fit 32 bits, so that the loop works on vectors. */
static summary summarize(const float values[], int64_t count)
{
    enum { BLOCK = 1 << 14 };
    summary s = {INFINITY, -INFINITY, 0, true};
    for (int64_t at = 0; at < count; at += BLOCK) {
        const int n = count - at < BLOCK ? (int)(count - at) : BLOCK;
        const float *x = values + at;
        int32_t zeros = 0;
        uint32_t special = 0;
        for (int i = 0; i < n; i++) {
            s.low = x[i] < s.low ? x[i] : s.low;
            s.high = x[i] > s.high ? x[i] : s.high;
            zeros += x[i] == 0;
            special |= (bits_of(x[i]) & 0x7f800000u) == 0x7f800000u;
        }
        s.zeros += (uint64_t)zeros;
        s.finite = s.finite && !special;
    }
    s.low += 0.0f; /* no -0: which of two zeros comes first must not matter */
    s.high += 0.0f;
    return s;
}

static int64_t first_special(const float values[], int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return i;
    return -1;
}

int64_t observer_see(observer *o, const float values[], int64_t count, observer_ends *batch)
{
    const summary s = summarize(values, count);
    if (!s.finite)
        return first_special(values, count);
    if (count == 0)
        return -1;
    batch->low = fminf(batch->low, s.low);
    batch->high = fmaxf(batch->high, s.high);
    o->low = fminf(o->low, s.low);
    o->high = fmaxf(o->high, s.high);
    o->count += (uint64_t)count;
    o->zeros += s.zeros;
    widen(o, exponent_of(fmaxf(s.high, -s.low)));
    const double per_unit = ldexp(1, BIN_BITS - o->exponent); /* exact, and so are the products, in double */
    uint64_t *const bins = o->bins + OBSERVER_BINS;
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)values[i] * per_unit;
        const int k = (int)x;
        bins[k - (x < k)]++;
    }
    return -1;
}

/* ---- Batches ---- */

bool observer_end_batch(observer *o, observer_ends batch)
{
    if (!(batch.low <= batch.high))
        return true;           /* empty tensors */
    assert(o->run_count <= 1); /* merged ones are at their end */
    if (!o->runs && !(o->runs = calloc(1, sizeof *o->runs)))
        return false;
    o->run_count = 1;
    observer_run *r = o->runs;
    const double l = (double)batch.low, h = (double)batch.high, most = fmax(h, -l);
    r->batches++;
    r->low_sum += l;
    r->high_sum += h;
    r->absmax_sum += most;
    r->low_moving = MOVING_RATE * r->low_moving + l;
    r->high_moving = MOVING_RATE * r->high_moving + h;
    r->absmax_moving = MOVING_RATE * r->absmax_moving + most;
    r->weight = MOVING_RATE * r->weight + 1;
    return true;
}

observer_means observer_average(const observer *o)
{
    observer_means m = {0};
    double batches = 0;
    for (int i = 0; i < o->run_count; i++) {
        const observer_run *r = &o->runs[i];
        batches += (double)r->batches;
        m.low += r->low_sum;
        m.high += r->high_sum;
        m.absmax += r->absmax_sum;
    }
    return batches > 0 ? (observer_means){m.low / batches, m.high / batches, m.absmax / batches} : m;
}

/* Runs count as if one followed the other. */
observer_means observer_moving_average(const observer *o)
{
    observer_means m = {0};
    double weight = 0;
    for (int i = 0; i < o->run_count; i++) {
        const observer_run *r = &o->runs[i];
        const double fade = pow(MOVING_RATE, (double)r->batches);
        m.low = fade * m.low + r->low_moving;
        m.high = fade * m.high + r->high_moving;
        m.absmax = fade * m.absmax + r->absmax_moving;
        weight = fade * weight + r->weight;
    }
    return weight > 0 ? (observer_means){m.low / weight, m.high / weight, m.absmax / weight} : m;
}

/* ---- Merging ---- */

/* Runs have no order of their own, so one that every way of merging ends in. */
static int compare_runs(const void *a, const void *b) { return memcmp(a, b, sizeof(observer_run)); }

static bool merge_runs(observer *o, const observer *other)
{
    if (other->run_count == 0)
        return true;
    observer_run *runs = realloc(o->runs, (size_t)(o->run_count + other->run_count) * sizeof *runs);
    if (!runs)
        return false;
    memcpy(runs + o->run_count, other->runs, (size_t)other->run_count * sizeof *runs);
    o->runs = runs;
    o->run_count += other->run_count;
    qsort(runs, (size_t)o->run_count, sizeof *runs, compare_runs);
    return true;
}

bool observer_merge(observer *o, const observer *other)
{
    if (!merge_runs(o, other))
        return false;
    widen(o, other->exponent);
    add_bins(o, other->bins, o->exponent - other->exponent);
    o->count += other->count;
    o->zeros += other->zeros;
    o->low = fminf(o->low, other->low);
    o->high = fmaxf(o->high, other->high);
    return true;
}
