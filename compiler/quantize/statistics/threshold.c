/* threshold.c: ranges from ends, averages of ends, percentiles and searches over the histogram.
 *
 * A search sees each bin as its middle, moved to the ends of what was seen; exact zeros are exact on every grid and
 * count nowhere.  Rounding to a range lo…hi with n steps is step * nearbyint(x / step), cut off at the ends, step =
 * (hi - lo) / n. */
#include "compiler/quantize/statistics/threshold.h"

#include <string.h>

#include "compiler/options.h"

enum { MOST_POINTS = 2 * OBSERVER_BINS, FRACTIONS = 128, ROUNDS = 8 };

/* ---- Names ---- */

static const struct {
    const char *name, *synonyms, *doc;
} algorithms[] = {
#define THRESHOLD(ID, name, synonyms, doc) {name, synonyms, doc},
#include "compiler/quantize/statistics/thresholds.def"
#undef THRESHOLD
};

const char *threshold_name(threshold_algo a) { return algorithms[a].name; }
const char *threshold_doc(threshold_algo a) { return algorithms[a].doc; }

bool threshold_find(const char *name, threshold_algo *out)
{
    for (int a = 0; a < THRESHOLD_COUNT; a++)
        if (options_word(algorithms[a].name, name) || options_word(algorithms[a].synonyms, name)) {
            *out = (threshold_algo)a;
            return true;
        }
    return false;
}

/* ---- What was seen ---- */

typedef struct range {
    double low, high; /* low <= 0 <= high */
} range;

typedef struct points {
    double x[MOST_POINTS], count[MOST_POINTS];
    int n;
} points;

static range seen(const observer *o) { return (range){fmin((double)o->low, 0), fmax((double)o->high, 0)}; }

static range both_sides(double most) { return (range){-most, most}; }

static double absmax(range r) { return fmax(r.high, -r.low); }

static range cut(range r, double most) { return (range){fmax(r.low, -most), fmin(r.high, most)}; }

/* Numbers other than 0 that bin `index` counts. */
static double counted(const observer *o, int index)
{
    return (double)(o->bins[index] - (index == OBSERVER_BINS ? o->zeros : 0));
}

static void points_of(const observer *o, points *p)
{
    const range ends = seen(o);
    p->n = 0;
    for (int i = 0; i < MOST_POINTS; i++) {
        if (counted(o, i) <= 0)
            continue;
        p->x[p->n] = fmax(fmin(observer_bin_start(o, i) + observer_width(o) / 2, ends.high), ends.low);
        p->count[p->n++] = counted(o, i);
    }
}

/* ---- Percentile ---- */

/* The magnitude that `share` of all numbers stays below, linear within a bin. */
static double percentile(const observer *o, double share)
{
    const double wanted = share * (double)o->count;
    double below = (double)o->zeros;
    for (int i = 0; i < OBSERVER_BINS; i++) {
        const double here = counted(o, OBSERVER_BINS + i) + counted(o, OBSERVER_BINS - 1 - i);
        if (below + here >= wanted)
            return observer_width(o) * (i + (here > 0 ? fmax(wanted - below, 0) / here : 0));
        below += here;
    }
    return absmax(seen(o));
}

/* ---- Information ---- */

/* Kullback-Leibler divergence of p from q over bins 0…n: p is the first n of `bins` with the rest in the last one, q
 * what `levels` equal parts of these n keep of them, each part spread over the bins that had something. */
static double divergence(const double bins[], int n, double total, double rest, int levels)
{
    double sum = 0;
    for (int l = 0; l < levels; l++) {
        const int from = (int)((int64_t)n * l / levels), to = (int)((int64_t)n * (l + 1) / levels);
        double part = 0, used = 0;
        for (int i = from; i < to; i++) {
            part += bins[i];
            used += bins[i] + (i == n - 1 ? rest : 0) > 0;
        }
        for (int i = from; i < to; i++) {
            const double p = bins[i] + (i == n - 1 ? rest : 0);
            if (p > 0)
                sum += p / total * log(p / fmax(part / used, 1e-3));
        }
    }
    return sum + log((total - rest > 0 ? total - rest : 1e-3) / total);
}

static double least_divergence(const observer *o, int levels)
{
    double bins[OBSERVER_BINS], total = 0, inside = 0, best = INFINITY, most = absmax(seen(o));
    int used = 0, best_n = 0;
    for (int i = 0; i < OBSERVER_BINS; i++) {
        bins[i] = counted(o, OBSERVER_BINS + i) + counted(o, OBSERVER_BINS - 1 - i);
        total += bins[i];
        used = bins[i] > 0 ? i + 1 : used;
    }
    for (int i = 0; i < used; i++) {
        inside += bins[i];
        if (i + 1 < levels)
            continue;
        const double d = divergence(bins, i + 1, total, total - inside, levels);
        if (d <= best) {
            best = d;
            best_n = i + 1;
        }
    }
    return best_n == 0 || best_n == used ? most : fmin(best_n * observer_width(o), most);
}

/* ---- Least error ---- */

typedef struct search {
    const points *points;
    double steps; /* of the range */
    bool squared;
} search;

static double error_of(const search *s, range r)
{
    const double step = (r.high - r.low) / s->steps;
    double sum = 0;
    if (!(step > 0))
        return INFINITY;
    for (int i = 0; i < s->points->n; i++) {
        const double x = s->points->x[i];
        const double e = x - fmin(fmax(step * nearbyint(x / step), r.low), r.high);
        sum += s->points->count[i] * (s->squared ? e * e : fabs(e));
    }
    return sum;
}

/* The best of the fractions of one end, or of both together; the widest of equals. */
static bool improve(const search *s, range all, bool low, bool high, range *best, double *error)
{
    bool better = false;
    for (int k = FRACTIONS; k > 0; k--) {
        const range r = {low ? all.low * k / FRACTIONS : best->low, high ? all.high * k / FRACTIONS : best->high};
        const double e = error_of(s, r);
        if (e < *error) {
            *error = e;
            *best = r;
            better = true;
        }
    }
    return better;
}

static range least_error(const observer *o, const threshold_options *options, bool squared)
{
    points p;
    points_of(o, &p);
    const search s = {&p, (1 << options->bits) - (options->symmetric ? 2 : 1), squared};
    const range all = options->symmetric ? both_sides(absmax(seen(o))) : seen(o);
    range best = all;
    double error = error_of(&s, all);
    if (options->symmetric) {
        improve(&s, all, true, true, &best, &error);
        return best;
    }
    for (int i = 0; i < ROUNDS; i++) {
        const bool high = all.high > 0 && improve(&s, all, false, true, &best, &error);
        const bool low = all.low < 0 && improve(&s, all, true, false, &best, &error);
        if (!high && !low)
            break;
    }
    return best;
}

/* ---- Choice ---- */

static range means(observer_means m, bool symmetric)
{
    return symmetric ? both_sides(m.absmax) : (range){fmin(m.low, 0), fmax(m.high, 0)};
}

static range find(threshold_algo algo, const observer *o, const threshold_options *options)
{
    const range all = seen(o);
    const bool one_side = !options->symmetric && (all.low == 0 || all.high == 0);
    switch (algo) {
    case THRESHOLD_AUTO:
    case THRESHOLD_MINMAX: return all;
    case THRESHOLD_ABSMAX: return both_sides(absmax(all));
    case THRESHOLD_MOVING_AVERAGE: return means(observer_moving_average(o), options->symmetric);
    case THRESHOLD_AVG: return means(observer_average(o), options->symmetric);
    case THRESHOLD_HIST: return cut(all, percentile(o, options->percentile > 0 ? options->percentile : 0.99999));
    default: break;
    }
    if (options->bits == 16 || (double)o->count == (double)o->zeros)
        return all;
    if (algo == THRESHOLD_KL)
        return cut(all, least_divergence(o, 1 << (one_side ? options->bits : options->bits - 1)));
    return least_error(o, options, algo == THRESHOLD_MSE);
}

bool threshold_choose(threshold_algo algo, const observer *o, const threshold_options *options, float *low, float *high)
{
    if (o->count == 0)
        return false;
    const range r = find(algo, o, options);
    const range to = options->symmetric ? both_sides(absmax(r)) : r;
    *low = (float)to.low;
    *high = (float)to.high;
    return true;
}
