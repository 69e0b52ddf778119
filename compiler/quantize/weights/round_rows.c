/* round_rows.c: the nearest plane, and a descent by single steps. */
#include "compiler/quantize/weights/round_rows.h"

#include <math.h>
#include <stdlib.h>

#define DAMPING 0.01 /* of the mean variance, added to each: few samples leave a matrix singular */
enum { SWEEPS = 4 };

/* ---- Matrices ---- */

/* Numbers that vary most are rounded first: what they leave over the others can take up. */
static void set_order(round_block *b, const double *covariance)
{
    for (int64_t i = 0; i < b->n; i++) {
        int64_t at = i;
        for (; at > 0 && covariance[b->order[at - 1] * (b->n + 1)] > covariance[i * (b->n + 1)]; at--)
            b->order[at] = b->order[at - 1];
        b->order[at] = i;
    }
}

static void fill(round_block *b, const double *covariance)
{
    double mean = 0;
    for (int64_t i = 0; i < b->n; i++)
        mean += covariance[i * (b->n + 1)] / (double)b->n;
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t k = 0; k < b->n; k++)
            b->covariance[i * b->n + k] =
                covariance[b->order[i] * b->n + b->order[k]] + (i == k ? DAMPING * mean + (mean > 0 ? 0 : 1) : 0);
}

/* Row i of the root, from those above it. */
static void find_root(round_block *b)
{
    const int64_t n = b->n;
    for (int64_t i = 0; i < n; i++) {
        double *row = b->root + i * n;
        for (int64_t k = i; k < n; k++)
            row[k] = b->covariance[i * n + k];
        for (int64_t above = 0; above < i; above++) {
            const double *other = b->root + above * n;
            for (int64_t k = i; k < n; k++)
                row[k] -= other[i] * other[k];
        }
        const double pivot = sqrt(fmax(row[i], b->covariance[i * n + i] * 1e-9));
        for (int64_t k = i; k < n; k++)
            row[k] /= pivot;
        row[i] = pivot;
    }
}

bool round_block_init(round_block *b, int64_t n, const double *covariance)
{
    *b = (round_block){.n = n,
                       .order = malloc((size_t)n * sizeof *b->order),
                       .covariance = malloc((size_t)(n * n) * sizeof *b->covariance),
                       .root = calloc((size_t)(n * n), sizeof *b->root)};
    if (!b->order || !b->covariance || !b->root) {
        round_block_free(b);
        return false;
    }
    set_order(b, covariance);
    fill(b, covariance);
    find_root(b);
    return true;
}

void round_block_free(round_block *b)
{
    free(b->order);
    free(b->covariance);
    free(b->root);
    *b = (round_block){0};
}

/* ---- Rows ---- */

static double nearest(double x, int most) { return fmin(fmax(nearbyint(x), -most), most); }

static void round_in_order(const round_block *b, const double *u, int most, double *q)
{
    for (int64_t i = b->n - 1; i >= 0; i--) {
        const double *row = b->root + i * b->n;
        double left = 0;
        for (int64_t k = i + 1; k < b->n; k++)
            left += row[k] * (u[k] - q[k]);
        q[i] = nearest(u[i] + left / row[i], most);
    }
}

static void product(const round_block *b, const double *u, const double *q, double *slope)
{
    for (int64_t i = 0; i < b->n; i++) {
        slope[i] = 0;
        for (int64_t k = 0; k < b->n; k++)
            slope[i] += b->covariance[i * b->n + k] * (u[k] - q[k]);
    }
}

/* Each integer in turn to where the variance is least, the others being what they are. */
static bool descend(const round_block *b, int most, double *q, double *slope)
{
    bool changed = false;
    for (int64_t i = 0; i < b->n; i++) {
        const double *row = b->covariance + i * b->n;
        const double to = nearest(q[i] + slope[i] / row[i], most), step = to - q[i];
        if (step == 0 || !(step * step * row[i] < 2 * step * slope[i]))
            continue;
        for (int64_t k = 0; k < b->n; k++)
            slope[k] -= step * row[k];
        q[i] = to;
        changed = true;
    }
    return changed;
}

static double variance(const round_block *b, const double *u, const double *q, const double *slope)
{
    double sum = 0;
    for (int64_t i = 0; i < b->n; i++)
        sum += (u[i] - q[i]) * slope[i];
    return sum;
}

void round_row(const round_block *b, const float *u, int64_t stride, double scale, int most, float *out,
               double *scratch)
{
    double *numbers = scratch, *q = scratch + b->n, *slope = scratch + 2 * b->n;
    for (int64_t i = 0; i < b->n; i++) {
        numbers[i] = (double)u[b->order[i] * stride] / scale;
        q[i] = nearest(numbers[i], most);
    }
    product(b, numbers, q, slope);
    const double plain = variance(b, numbers, q, slope);
    round_in_order(b, numbers, most, q);
    product(b, numbers, q, slope);
    for (int i = 0; i < SWEEPS && descend(b, most, q, slope); i++)
        continue;
    const bool gains = variance(b, numbers, q, slope) < plain;
    for (int64_t i = 0; i < b->n; i++)
        out[b->order[i] * stride] = (float)(gains ? q[i] : nearest(numbers[i], most));
}
