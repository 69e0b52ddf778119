/* bounds_recurrent.c: rules of lstm, gru and rnn: the layer once more, in double, with the largest difference of
 * each number.
 *
 *     a ± d through a function: d times its slope where it is steepest within the interval, and some units of rounding
 *     a product of differences counts in full, so that nothing is of first order only
 *
 * With int8 weights: what they multiply, a ± d, becomes integers, which are the same for both unless a step lies within
 * d of it; then the integers may be that many steps apart. */
#include <float.h>
#include <stdlib.h>

#include "tests/codegen/bounds_rules.h"

static const double u = BOUNDS_UNIT;

typedef struct number {
    double v, d;
} number; /* v ± d */

typedef struct recurrence {
    const bounds_op *o;
    int64_t steps, batch, units;
    bool time_first, reversed;
    number *h, *c, *gates; /* of one sequence: units, units, 4 * units */
    number *factor;        /* units: what int8 weights multiply, quantized */
} recurrence;

static number number_of(double v) { return (number){v, 0}; }

/* Sums and products, and what rounding the result twice adds. */
static number plus(number a, number b) { return (number){a.v + b.v, a.d + b.d + 2 * u * fabs(a.v + b.v)}; }
static number minus(number a, number b) { return plus(a, (number){-b.v, b.d}); }

static number times(number a, number b)
{
    return (number){a.v * b.v, fabs(a.v) * b.d + fabs(b.v) * a.d + a.d * b.d + 2 * u * fabs(a.v * b.v)};
}

static double nearest_to_0(number a) { return fmax(fabs(a.v) - a.d, 0); }

static number logistic(number a)
{
    const double y = 1 / (1 + exp(-a.v)), e = exp(-nearest_to_0(a)); /* the slope is the same on either side */
    return (number){y, a.d * e / ((1 + e) * (1 + e)) + 16 * u * y + FLT_MIN};
}

static number hyperbolic(number a)
{
    const double c = cosh(nearest_to_0(a));
    return (number){tanh(a.v), a.d / (c * c) + 12 * u * fabs(tanh(a.v))};
}

static number clamped(number a, double low, double high) { return (number){fmin(fmax(a.v, low), high), a.d}; }

/* h by the symmetric scale of its largest magnitude; `to` is h itself for weights of floats. */
static const number *factor_of(const recurrence *r, const number h[])
{
    double largest = 0, difference = 0;

    if (r->o->op->operands[1].value->type.dtype != IR_I8)
        return h;
    for (int64_t i = 0; i < r->units; i++) {
        largest = fmax(largest, fabs(h[i].v));
        difference = fmax(difference, h[i].d);
    }
    const double scale = largest > 0 ? largest / 127 : 1, scale_d = difference / 127 + 4 * u * scale;
    for (int64_t i = 0; i < r->units; i++) {
        const double q = h[i].v / scale,
                     d = (h[i].d + fabs(q) * scale_d) / fmax(scale - scale_d, FLT_MIN) + 4 * u * fabs(q);
        const double low = round(q - d), high = round(q + d);
        r->factor[i] = (number){round(q) * scale, (high - low) * (scale + scale_d) + fabs(round(q)) * scale_d};
    }
    return r->factor;
}

static double weight(const recurrence *r, int64_t gate, int64_t unit)
{
    const ir_value *w = r->o->op->operands[1].value;
    const int64_t at = gate * r->units + unit;

    if (w->type.dtype == IR_F32)
        return (double)ir_f32_at(r->o->data[1], at);
    return (double)w->quant->scale[w->quant->axis < 0 ? 0 : gate] * ((const int8_t *)r->o->data[1])[at];
}

/* start + row `gate` of r times h: n + 1 terms, either order. */
static number product(const recurrence *r, double start, int64_t gate, const number h[])
{
    number sum = number_of(start);
    double magnitudes = fabs(start);

    for (int64_t i = 0; i < r->units; i++) {
        const double w = weight(r, gate, i);
        sum.v += w * h[i].v;
        sum.d += fabs(w) * h[i].d;
        magnitudes += fabs(w) * (fabs(h[i].v) + h[i].d);
    }
    sum.d += 2 * (double)(r->units + 3) * u * magnitudes;
    return sum;
}

static double gate_input(const recurrence *r, int64_t row, int64_t gates, int64_t gate)
{
    return (double)ir_f32_at(r->o->data[0], row * gates * r->units + gate);
}

static void lstm_step(recurrence *r, int64_t row)
{
    const int64_t n = r->units;
    const double clip = (double)ir_float(r->o->op, IR_ATTR_CELL_CLIP);
    const number *h = factor_of(r, r->h);

    for (int64_t g = 0; g < 4 * n; g++)
        r->gates[g] = product(r, gate_input(r, row, 4, g), g, h);
    for (int64_t i = 0; i < n; i++) {
        const number in = times(logistic(r->gates[i]), hyperbolic(r->gates[2 * n + i]));
        r->c[i] = plus(times(logistic(r->gates[n + i]), r->c[i]), in);
        if (clip > 0)
            r->c[i] = clamped(r->c[i], -clip, clip);
        r->h[i] = times(logistic(r->gates[3 * n + i]), hyperbolic(r->c[i]));
    }
}

static void gru_step(recurrence *r, int64_t row)
{
    const int64_t n = r->units;
    const void *b = r->o->data[3];
    const number *h = factor_of(r, r->h);

    for (int64_t g = 0; g < 2 * n; g++)
        r->gates[g] = logistic(product(r, gate_input(r, row, 3, g), g, h));
    for (int64_t i = 0; i < n; i++)
        r->c[i] = b ? r->h[i] : times(r->gates[n + i], r->h[i]);
    h = factor_of(r, r->c);
    for (int64_t i = 0; i < n; i++) {
        const number x = number_of(gate_input(r, row, 3, 2 * n + i));
        const number recurrent = product(r, b ? (double)ir_f32_at(b, i) : 0, 2 * n + i, h);
        r->gates[2 * n + i] = hyperbolic(plus(x, b ? times(r->gates[n + i], recurrent) : recurrent));
    }
    for (int64_t i = 0; i < n; i++)
        r->h[i] = plus(r->gates[2 * n + i], times(r->gates[i], minus(r->h[i], r->gates[2 * n + i])));
}

static void rnn_step(recurrence *r, int64_t row)
{
    const bool rectified = ir_int(r->o->op, IR_ATTR_RECTIFIED);
    const number *h = factor_of(r, r->h);

    for (int64_t i = 0; i < r->units; i++)
        r->gates[i] = product(r, gate_input(r, row, 1, i), i, h);
    for (int64_t i = 0; i < r->units; i++)
        r->h[i] = rectified ? clamped(r->gates[i], 0, INFINITY) : hyperbolic(r->gates[i]);
}

static void run_sequence(recurrence *r, int64_t sequence, float bound[])
{
    const ir_opcode code = r->o->op->code;

    for (int64_t i = 0; i < r->units; i++) {
        r->h[i] = number_of((double)ir_f32_at(r->o->data[2], sequence * r->units + i));
        r->c[i] = number_of(code == IR_LSTM ? (double)ir_f32_at(r->o->data[3], sequence * r->units + i) : 0);
    }
    for (int64_t step = 0; step < r->steps; step++) {
        const int64_t t = r->reversed ? r->steps - 1 - step : step;
        const int64_t row = r->time_first ? t * r->batch + sequence : sequence * r->steps + t;
        (code == IR_LSTM ? lstm_step : code == IR_GRU ? gru_step : rnn_step)(r, row);
        for (int64_t i = 0; r->o->result == 0 && i < r->units; i++)
            bound[row * r->units + i] = (float)r->h[i].d;
    }
    for (int64_t i = 0; r->o->result > 0 && i < r->units; i++)
        bound[sequence * r->units + i] = (float)(r->o->result == 1 ? r->h : r->c)[i].d;
}

bool bounds_recurrent(const bounds_op *o, float bound[])
{
    const ir_type *y = &o->op->results[0]->type;
    const int axis = (int)ir_int(o->op, IR_ATTR_TIME_AXIS);
    recurrence r = {.o = o,
                    .steps = y->dims[axis],
                    .batch = y->dims[1 - axis],
                    .units = y->dims[2],
                    .time_first = axis == 0,
                    .reversed = ir_int(o->op, IR_ATTR_REVERSED)};

    r.h = calloc((size_t)r.units * 7 + 1, sizeof *r.h);
    if (!r.h)
        return false;
    r.c = r.h + r.units;
    r.gates = r.c + r.units;
    r.factor = r.gates + 4 * r.units;
    for (int64_t n = 0; n < r.batch; n++)
        run_sequence(&r, n, bound);
    free(r.h);
    return true;
}
