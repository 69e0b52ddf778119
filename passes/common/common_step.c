/* common_step.c: the grid that real weights are on without saying so.
 *
 *     0.75, -1.25, 0, 2        ->  0.25 (3, -5, 0, 8)
 *
 * Exporters fold fake_quant ops over constants, and what is left of them is that all weights are multiples of one step.
 * Euclid's algorithm finds it: with at most MOST steps in the largest magnitude, remainders below a fraction of the
 * smallest possible step are rounding.  Wrong guesses do no harm: what is accepted represents each weight within ERROR.
 */
#include <math.h>

#include "passes/common/scales.h"

#define MOST 255.0 /* integers of 8 bits, from the zero point to the far end */
#define ERROR 1e-3 /* of a step */

/* The greatest common divisor of a and b, both multiples of a step above `noise`. */
static double divisor(double a, double b, double noise)
{
    while (b > noise) {
        const double rest = fmod(a, b), low = b - rest;
        a = b;
        b = fmin(rest, low);
    }
    return a;
}

static double element(const scales_series *v, int64_t i)
{
    return ir_const_real(v->value, v->first + i / v->run * v->stride + i % v->run);
}

/* The step nearest to `step` in the sense of least squares; 0 when an element is not a multiple of it. */
static double refined(const scales_series *v, double step)
{
    double above = 0, below = 0;
    for (int64_t i = 0; i < v->count; i++) {
        const double x = element(v, i), q = nearbyint(x / step);
        above += x * q;
        below += q * q;
    }
    const double best = (double)(float)(above / below);
    for (int64_t i = 0; i < v->count; i++) {
        const double q = element(v, i) / best;
        if (!(fabs(q - nearbyint(q)) <= ERROR))
            return 0;
    }
    return best;
}

float scales_common_step(const scales_series *v, double most)
{
    if (!(most > 0) || !isfinite(most))
        return 0;
    const double noise = most / MOST / 4;
    double step = most;
    for (int64_t i = 0; i < v->count && step * (MOST + 0.5) > most; i++)
        step = divisor(step, fabs(element(v, i)), noise);
    return step * (MOST + 0.5) > most ? (float)refined(v, step) : 0;
}
