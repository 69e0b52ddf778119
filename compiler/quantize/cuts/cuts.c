/* cuts.c: for each value and each part of its range the squared error of the outputs, sample by sample.
 *
 *     sample ─▶ value x ────────────────┬─▶ cut c = what lies outside, moved to the end, - x
 *        └────▶ gradient of outputs g   └─▶ rounding r = grid - what lies inside          for each part of the range
 *
 *     error² = (sum of g (c - mean of c))² + sum of (g r)²
 *
 * The mean, of each channel over all samples, is what correcting biases takes back.  What is cut off has one sign, so it
 * is summed before it is squared; roundings are as good as independent, and summed as squares they vary less.  A part is
 * taken for what it gains on average less twice the standard error of that: the most of these, if it is above 0. */
#include "compiler/quantize/cuts/cuts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/cuts/cut_trial.h"
#include "compiler/quantize/cuts/output_gradients.h"
#include "compiler/quantize/twins.h"
#include "ir/size_limits.h"
#include "passes/common/calibrated_grid.h"
#include "passes/common/real_sum.h"

enum {
    PARTS = 12,    /* of a range: all of it, then each 2^(-1/4) of the one before */
    FIRST = 4,     /* of these say which parts are hopeless: */
    HOPELESS = 10, /* times as dear as all of the range */
    COARSE = 50,   /* times the errors of all values are less than the outputs, for a first order to say anything, */
    TRUSTED = 100, /* and to be right */
    SURE = 2,      /* standard errors that a gain has to be above 0 */
    NEAR = 4096    /* numbers of a value that are looked at together */
};

static const double TRIED =
    0.25; /* of the multiply-adds up to which gradients are looked at: a trial takes as long as the rest */

typedef struct cut_value {
    const ir_value *value; /* in the graph */
    int64_t channels, count;
    int parts;        /* that are still looked at: the widest */
    double *cut;      /* PARTS x channels: sums over all samples */
    double *slopes;   /* samples x channels: sums of the gradient */
    double *products; /* samples x PARTS: sums of gradient times cut */
    double *squares;  /* samples x PARTS: sums of squares of gradient times rounding */
    float *row;       /* 3 x channels: those of one part of one sample */
} cut_value;

typedef struct cuts {
    const ir_graph *graph;
    const driver_options *options;
    cut_share *shares;
    arena *scratch;
    diag *diag;
    output_gradients run;
    cut_value *values;
    int count;
    bool doubtful; /* is what the choice gains */
    bool good;
} cuts;

/* Magnitudes up to a part of the largest. */
static cut_share share_of(const pass_range *range, int part)
{
    const float low = fminf(range->low, 0), high = fmaxf(range->high, 0);
    const float most = (float)(fmax(-(double)low, (double)high) * exp2(-part / 4.0));
    return (cut_share){low < -most ? -most / low : 1, high > most ? most / high : 1};
}

void cuts_apply(cut_share share, pass_range *range)
{
    range->low *= share.low;
    range->high *= share.high;
}

/* ---- Which values ---- */

static bool is_cut(const pass_calibration *c, const ir_value *scaled)
{
    return scaled->id < c->count && c->ranges[scaled->id].known && scaled->as && scaled->as->axis < 0 &&
           scaled->type.dtype == IR_F32 && scaled->type.rank > 0 && ir_type_elements(&scaled->type) > 0 &&
           !ir_is_const(scaled) && !real_sum_of(scaled);
}

static void add_value(cuts *c, const bool wanted[], ir_value *v)
{
    if (!wanted[v->id])
        return;
    arena *a = c->scratch;
    cut_value *to = &c->values[c->count++];
    *to = (cut_value){
        .value = v, .channels = v->type.dims[v->type.rank - 1], .count = ir_type_elements(&v->type), .parts = PARTS};
    to->cut = ARENA_ARRAY(a, double, PARTS * to->channels);
    to->slopes = ARENA_ARRAY(a, double, c->run.sample_count * to->channels);
    to->products = ARENA_ARRAY(a, double, c->run.sample_count *PARTS);
    to->squares = ARENA_ARRAY(a, double, c->run.sample_count *PARTS);
    to->row = ARENA_ARRAY(a, float, 3 * to->channels);
}

static bool find_values(cuts *c)
{
    const ir_graph *g = c->graph;
    const pass_calibration *given = c->options->calibration;
    ir_graph *scaled = ir_graph_copy(g);
    bool *wanted = ARENA_ARRAY(c->scratch, bool, g->next_id);
    const bool good = twins_give_scales(scaled, c->options, c->diag);
    for (int32_t i = 0; good && i < scaled->input_count; i++)
        wanted[scaled->inputs[i]->id] = is_cut(given, scaled->inputs[i]);
    for (const ir_op *op = scaled->first; good && op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            wanted[op->results[i]->id] = is_cut(given, op->results[i]);
    ir_graph_free(scaled);
    c->values = ARENA_ARRAY(c->scratch, cut_value, g->next_id);
    for (int32_t i = 0; i < g->input_count; i++)
        add_value(c, wanted, g->inputs[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            add_value(c, wanted, op->results[i]);
    return good;
}

/* ---- Samples ---- */

typedef struct cut_grid {
    float low, high, scale, inverse;
} cut_grid;

static cut_grid grid_of(const pass_calibration *c, const pass_range *range, int part)
{
    pass_range cut = *range;
    cuts_apply(share_of(range, part), &cut);
    const calibrated_grid on = calibrated_grid_of(c, &cut);
    return (cut_grid){(float)((on.low - on.zero) * on.scale), (float)((on.high - on.zero) * on.scale), (float)on.scale,
                      (float)(1 / on.scale)};
}

/* Of a row of channels: adds what the grid cuts off, that times the gradient, and the square of rounding times it. */
static void add_errors(const cut_grid *grid, const float x[], const float g[], int64_t n, float cut[], float products[],
                       float squares[])
{
    const float magic = 12582912; /* adding it leaves no place for a fraction */
    const cut_grid on = *grid;
    for (int64_t i = 0; i < n; i++) {
        const float inside = x[i] < on.low ? on.low : x[i] > on.high ? on.high : x[i];
        const float whole = inside * on.inverse + magic - magic;
        const float rounding = (whole * on.scale - inside) * g[i];
        cut[i] += inside - x[i];
        products[i] += (inside - x[i]) * g[i];
        squares[i] += rounding * rounding;
    }
}

/* Squared error of the outputs of one of the first `count` samples, with a part of the range. */
static double price(const cut_value *v, int part, int sample, int count)
{
    const double each = (double)count * (double)(v->count / v->channels);
    double error = v->products[sample * PARTS + part];
    for (int64_t k = 0; k < v->channels; k++)
        error -= v->slopes[sample * v->channels + k] * v->cut[part * v->channels + k] / each;
    return error * error + v->squares[sample * PARTS + part];
}

static double price_of_first(const cut_value *v, int part)
{
    double sum = 0;
    for (int sample = 0; sample < FIRST; sample++)
        sum += price(v, part, sample, FIRST);
    return sum;
}

/* The least parts, as far as they are hopeless. */
static void forget_parts(cut_value *v)
{
    const double all = price_of_first(v, 0);
    while (v->parts > 1 && price_of_first(v, v->parts - 1) > HOPELESS * all)
        v->parts--;
}

/* Of some rows, for all parts: they are in the cache then. */
static void look_at_rows(const cuts *c, cut_value *v, int sample, const float x[], const float g[], int64_t count)
{
    const int64_t n = v->channels;
    const pass_range *range = &c->options->calibration->ranges[v->value->id];
    for (int part = 0; part < v->parts; part++) {
        const cut_grid grid = grid_of(c->options->calibration, range, part);
        float *row = v->row;
        double product = 0, square = 0;
        memset(row, 0, (size_t)n * 3 * sizeof *row);
        for (int64_t i = 0; i < count; i += n)
            add_errors(&grid, x + i, g + i, n, row, row + n, row + 2 * n);
        for (int64_t k = 0; k < n; k++) {
            v->cut[part * n + k] += (double)row[k];
            product += (double)row[n + k];
            square += (double)row[2 * n + k];
        }
        v->products[sample * PARTS + part] += product;
        v->squares[sample * PARTS + part] += square;
    }
}

static void look_at(void *context, int value, int sample, const float x[], const float g[])
{
    const cuts *c = context;
    cut_value *v = &c->values[value];
    const int64_t rows = NEAR / v->channels + 1, at_once = rows * v->channels;
    for (int64_t i = 0; i < v->count; i += at_once)
        look_at_rows(c, v, sample, x + i, g + i, v->count - i < at_once ? v->count - i : at_once);
    double *slopes = &v->slopes[sample * v->channels];
    for (int64_t i = 0; i < v->count; i += v->channels)
        for (int64_t k = 0; k < v->channels; k++)
            slopes[k] += (double)g[i + k];
    if (sample == FIRST - 1)
        forget_parts(v);
}

/* ---- Choice ---- */

/* What a part gains, for each sample, less what that may be by chance. */
static double gain_of(const cuts *c, const cut_value *v, int part)
{
    double sum = 0, squares = 0;
    for (int sample = 0; sample < c->run.sample_count; sample++) {
        const double gain = price(v, 0, sample, c->run.sample_count) - price(v, part, sample, c->run.sample_count);
        sum += gain;
        squares += gain * gain;
    }
    const double mean = sum / c->run.sample_count, variance = squares / c->run.sample_count - mean * mean;
    return mean - SURE * sqrt(fmax(variance, 0) / c->run.sample_count);
}

static void choose(cuts *c, const cut_value *v)
{
    double most = 0;
    int best = 0;
    for (int part = 1; part < v->parts; part++) {
        const double gain = gain_of(c, v, part);
        if (gain > most) {
            most = gain;
            best = part;
        }
    }
    c->shares[v->value->id] = share_of(&c->options->calibration->ranges[v->value->id], best);
}

/* What all values together cost with all of their ranges is less than that part of the outputs. */
static bool is_below(const cuts *c, int part)
{
    double all = 0;
    for (int i = 0; i < c->count; i++)
        for (int sample = 0; sample < c->run.sample_count; sample++)
            all += price(&c->values[i], 0, sample, c->run.sample_count);
    return all * part < c->run.power;
}

static bool find(cuts *c)
{
    bool known;
    if (!find_values(c) || c->count == 0)
        return !c->diag->failed;
    c->run.values = ARENA_ARRAY(c->scratch, output_gradient, c->count);
    c->run.count = c->count;
    for (int i = 0; i < c->count; i++)
        c->run.values[i].value = c->values[i].value;
    if (!output_gradients_open(&c->run, c->options, &known) || !known)
        return !c->diag->failed;
    if (!output_gradients_run(&c->run, look_at, c))
        return false;
    for (int i = 0; i < c->count && is_below(c, COARSE); i++)
        choose(c, &c->values[i]);
    c->doubtful = !is_below(c, TRUSTED);
    return true;
}

static void find_guarded(void *context)
{
    cuts *c = context;
    c->good = find(c);
}

/* ---- Trial ---- */

static bool is_any(const cut_share shares[], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (shares[i].low != 1 || shares[i].high != 1)
            return true;
    return false;
}

static void keep_all(cut_share shares[], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        shares[i] = (cut_share){1, 1};
}

/* By the estimate.  out_doubtful: what they gain is to be seen. */
static bool find_shares(const cuts *what, const correct_samples *samples, cut_share shares[], bool *out_doubtful)
{
    cuts c = *what;
    c.shares = shares;
    c.run.samples = samples;
    c.run.sample_count = output_gradients_samples(samples, c.graph);
    c.scratch = arena_new();
    const ir_loc loc = ir_graph_loc(c.graph);
    const arena_outcome outcome = arena_guard(find_guarded, &c);
    output_gradients_close(&c.run);
    arena_free(c.scratch);
    *out_doubtful = c.doubtful && is_any(shares, c.options->calibration->count);
    return outcome == ARENA_DONE ? c.good : ir_limits_memory(c.diag, &loc, outcome);
}

/* What the others say is tried on the samples left out; nothing is cut where that would take too long. */
static bool try_others(const cuts *what, const correct_samples *samples, double most, bool *out_gains)
{
    const uint32_t count = what->options->calibration->count;
    const left_out apart = left_out_of(samples);
    bool ignored;
    *out_gains = false;
    if (correct_multiply_adds(what->graph) > most * TRIED)
        return true;
    cut_share *shares = malloc((count + 1) * sizeof *shares);
    if (!shares)
        return diag_out_of_memory(what->diag, NULL);
    keep_all(shares, count);
    const bool good = find_shares(what, &apart.others, shares, &ignored) &&
                      cut_trial(what->graph, what->options, &apart, shares, what->run.threads, out_gains, what->diag);
    free(shares);
    return good;
}

bool cuts_find(const ir_graph *graph, const driver_options *o, const correct_samples *samples, double most,
               unsigned threads, cut_share shares[], diag *d)
{
    const uint32_t count = o->calibration->count;
    bool doubtful, gains = true;
    keep_all(shares, count);
    if (samples->count == 0 || o->calibration->activation_bits > 8 || correct_multiply_adds(graph) > most)
        return true;
    const cuts what = {.graph = graph, .options = o, .diag = d, .run = {.graph = graph, .threads = threads, .diag = d}};
    if (!find_shares(&what, samples, shares, &doubtful) || (doubtful && !try_others(&what, samples, most, &gains)))
        return false;
    if (!gains)
        keep_all(shares, count);
    return true;
}
