/* Protects what is observed of a value: ends, zeros and counts equal those that a plain loop finds in the same
 * numbers, whatever order they come in and however they are split and merged; a number that is not finite is found,
 * and counted nowhere. */
#include <math.h>
#include <string.h>

#include "compiler/quantize/statistics/observer.h"
#include "test.h"

enum { MOST = 4096, CASES = 9 };

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

static float uniform(uint32_t *state) { return (float)(next_random(state) >> 8) * 0x1p-23f - 1; }

/* Constant, one-sided, outliers, all zero, denormals, powers of two, the largest, one number, many magnitudes. */
static int make(int which, float to[MOST])
{
    uint32_t state = (uint32_t)which + 1;
    for (int i = 0; i < MOST; i++) {
        const float x = uniform(&state);
        switch (which) {
        case 0: to[i] = -2.5f; break;
        case 1: to[i] = fmaxf(x, 0); break;
        case 2: to[i] = i % 1000 == 999 ? 1e6f * x : x; break;
        case 3: to[i] = i % 2 ? 0.0f : -0.0f; break;
        case 4: to[i] = x * 0x1p-140f; break;
        case 5: to[i] = ldexpf(i % 3 ? 1 : -1, i % 40 - 20); break;
        case 6: to[i] = i % 7 ? x : copysignf(0x1.fffffep127f, x); break;
        case 7: to[i] = 0.1f; break;
        default: to[i] = ldexpf(x, i % 250 - 125); break;
        }
    }
    return which == 7 ? 1 : MOST;
}

/* The same, said plainly. */
static void check(const observer *o, const float values[], int count)
{
    static uint64_t bins[2 * OBSERVER_BINS];
    double low = INFINITY, high = -INFINITY;
    uint64_t zeros = 0;
    memset(bins, 0, sizeof bins);
    const double width = observer_width(o);
    for (int i = 0; i < count; i++) {
        low = fmin(low, (double)values[i]);
        high = fmax(high, (double)values[i]);
        zeros += values[i] == 0;
        const double bin = floor((double)values[i] / width) + OBSERVER_BINS;
        CHECK(bin >= 0 && bin < 2 * OBSERVER_BINS);
        bins[(int)bin]++;
    }
    CHECK(o->count == (uint64_t)count && o->zeros == zeros && (double)o->low == low && (double)o->high == high);
    CHECK(!signbit(o->low) || o->low < 0);
    CHECK(memcmp(o->bins, bins, sizeof bins) == 0);
    const double most = fmax(high, -low);
    CHECK(most < ldexp(1, o->exponent)); /* the range is no wider than it has to be */
    CHECK(o->exponent == OBSERVER_LEAST_EXPONENT || most >= ldexp(1, o->exponent - 1));
}

static void see(observer *o, const float values[], int count)
{
    observer_ends batch = OBSERVER_NO_ENDS;
    CHECK(observer_see(o, values, count, &batch) == -1);
    CHECK(observer_end_batch(o, batch));
}

static void check_whole_and_parts(int which)
{
    static float values[MOST], backwards[MOST];
    const int count = make(which, values);
    observer whole, parts[3], other;
    CHECK(observer_init(&whole) && observer_init(&other));
    see(&whole, values, count);
    check(&whole, values, count);
    for (int i = 0; i < count; i++)
        backwards[i] = values[count - 1 - i];
    for (int i = 0; i < count; i += 100)
        see(&other, backwards + i, count - i < 100 ? count - i : 100);
    check(&other, values, count);
    for (int i = 0; i < 3; i++) {
        CHECK(observer_init(&parts[i]));
        const int from = count * i / 3, end = count * (i + 1) / 3;
        see(&parts[i], values + from, end - from);
    }
    CHECK(observer_merge(&parts[1], &parts[2]) && observer_merge(&parts[1], &parts[0]));
    check(&parts[1], values, count);
    observer_free(&whole);
    observer_free(&other);
    for (int i = 0; i < 3; i++)
        observer_free(&parts[i]);
}

static bool same_means(observer_means a, observer_means b)
{
    return a.low == b.low && a.high == b.high && a.absmax == b.absmax;
}

/* Means over batches, plain and moving, of three runs, merged in all orders. */
static void check_means(void)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    observer_means first[2] = {{0}};
    for (int k = 0; k < 6; k++) {
        observer all, run;
        uint32_t state = 7;
        CHECK(observer_init(&all));
        for (int i = 0; i < 3; i++) {
            state = (uint32_t)orders[k][i] * 77u + 1;
            CHECK(observer_init(&run));
            for (int batch = 0; batch < 5 + orders[k][i]; batch++) {
                const float x[2] = {uniform(&state) - 1, uniform(&state) + 1};
                see(&run, x, 2);
            }
            CHECK(observer_merge(&all, &run));
            observer_free(&run);
        }
        const observer_means means[2] = {observer_average(&all), observer_moving_average(&all)};
        for (int i = 0; i < 2; i++) {
            first[i] = k ? first[i] : means[i];
            CHECK(same_means(first[i], means[i]));
        }
        observer_free(&all);
    }
    /* One run, by hand: -1…2, then -3…1. */
    observer o;
    CHECK(observer_init(&o));
    see(&o, (const float[]){-1, 2}, 2);
    see(&o, (const float[]){-3, 1}, 2);
    const observer_means average = observer_average(&o), moving = observer_moving_average(&o);
    CHECK(average.low == -2 && average.high == 1.5 && average.absmax == 2.5);
    CHECK(fabs(moving.low - (0.9 * -1 - 3) / 1.9) < 1e-12 && fabs(moving.high - (0.9 * 2 + 1) / 1.9) < 1e-12);
    CHECK(fabs(moving.absmax - (0.9 * 2 + 3) / 1.9) < 1e-12);
    observer_free(&o);
}

static void check_special(void)
{
    const float nan_at_2[] = {1, 2, NAN, INFINITY}, infinite[] = {-INFINITY};
    observer o;
    observer_ends batch = OBSERVER_NO_ENDS;
    CHECK(observer_init(&o));
    CHECK(observer_see(&o, nan_at_2, 4, &batch) == 2 && observer_see(&o, infinite, 1, &batch) == 0);
    CHECK(o.count == 0 && batch.low > batch.high);
    CHECK(observer_see(&o, NULL, 0, &batch) == -1 && o.count == 0);
    CHECK(observer_end_batch(&o, batch) && o.run_count == 0);
    CHECK(observer_average(&o).high == 0 && observer_moving_average(&o).high == 0);
    observer_free(&o);
}

int main(void)
{
    for (int i = 0; i < CASES; i++)
        check_whole_and_parts(i);
    check_means();
    check_special();
    return test_end();
}
