/* goal.c: prices, and then a search for how many of the dearest layers have to stay in float.
 *
 *     all in float but conv1: 14.2 dB       conv1 in float:          22.1 dB       --min-sqnr=25
 *     all in float but conv2: 41.0 dB       conv1 and fc in float:   26.3 dB   ◀── that will do
 *     all in float but fc:    23.5 dB */
#include "compiler/quantize/goal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/twins.h"
#include "compiler/run/session.h"
#include "ir/size_limits.h"
#include "passes/common/plan.h"

enum {
    FEW = 16,      /* samples for a price */
    MANY = 256,    /* for the whole without labels; with labels all of them count */
    TURNS = 20,    /* of each of two models that are timed */
    MOST_NAMES = 8 /* in the warning */
};
static const size_t BUDGET = (size_t)128 << 20; /* bytes of outputs that are kept */

typedef struct layer {
    ir_op *op;
    double sqnr; /* of the outputs, when it alone is on integers */
} layer;

typedef struct accuracy {
    double signal, noise;
    int right; /* samples whose largest output is their class */
} accuracy;

typedef struct search {
    const goal *goal;
    ir_graph *graph;
    const driver_options *options;
    const correct_samples *samples;
    unsigned threads;
    diag *diag;
    int count;       /* samples that are used */
    size_t *offsets; /* of each output within a sample's outputs; one more is their size */
    uint8_t *reals;  /* the real model's outputs, by sample */
    int right;       /* of the real model */
    session model;   /* that runs now */
    session beside;  /* with which its time is compared */
    layer *layers;   /* the dearest first */
    int layer_count;
    bool good;
} search;

/* ---- Running ---- */

static driver_options options_here(const search *s, pass_quantize_mode mode)
{
    if (mode == PASS_QUANTIZE_AUTO)
        return twins_integer_options(s->options, s->options->calibration);
    driver_options here = twins_options(s->options, mode);
    here.first_phase = PASS_PHASE_integer;
    return here;
}

static bool run_sample(const search *s, session *m, int sample)
{
    session_reset(m);
    return s->samples->fill(s->samples->context, sample, m->input_buffers, s->diag) && session_run(m, s->diag);
}

static bool is_right(const search *s, const session *m, int sample)
{
    return s->goal->labels && m->output_count > 0 && session_best(m) == s->goal->labels[sample];
}

static void compare(const search *s, const session *m, int sample, accuracy *to)
{
    const uint8_t *reals = s->reals + (size_t)sample * s->offsets[m->output_count];
    for (uint32_t i = 0; i < m->output_count; i++)
        for (size_t k = 0; k < (s->offsets[i + 1] - s->offsets[i]) / sizeof(float); k++) {
            float real;
            memcpy(&real, reals + s->offsets[i] + k * sizeof real, sizeof real);
            const double error = session_real(m, i, (int64_t)k) - (double)real;
            to->signal += (double)real * (double)real;
            to->noise += error * error;
        }
}

static double decibels(const accuracy *a) { return session_sqnr(a->signal, a->noise); }

/* ---- The real model ---- */

static bool keep_outputs(search *s, session *m)
{
    s->offsets = ARENA_ARRAY(s->graph->arena, size_t, m->output_count + 1);
    for (uint32_t i = 0; i < m->output_count; i++)
        s->offsets[i + 1] = s->offsets[i] + (m->output_types[i].dtype == IR_F32 ? m->outputs[i].bytes : 0);
    const size_t each = s->offsets[m->output_count];
    if (each == 0)
        return diag_error(s->diag, NULL, "the model has no outputs that are real numbers: nothing to measure");
    const int most = s->goal->labels ? s->samples->count : MANY, room = (int)(BUDGET / each);
    s->count = s->samples->count < most ? s->samples->count : most;
    if (s->count > room && !s->goal->labels)
        s->count = room > 0 ? room : 1;
    s->reals = malloc((size_t)s->count * each);
    if (!s->reals)
        return diag_out_of_memory(s->diag, NULL);
    for (int sample = 0; sample < s->count; sample++) {
        if (!run_sample(s, m, sample))
            return false;
        for (uint32_t i = 0; i < m->output_count; i++)
            memcpy(s->reals + (size_t)sample * each + s->offsets[i], m->output_buffers[i],
                   s->offsets[i + 1] - s->offsets[i]);
        s->right += is_right(s, m, sample);
    }
    return true;
}

static bool run_real(search *s)
{
    const driver_options here = options_here(s, PASS_QUANTIZE_NONE);
    return session_open_graph(&s->model, &here, ir_graph_copy(s->graph), s->threads, s->diag) &&
           keep_outputs(s, &s->model);
}

/* ---- The model on integers ---- */

typedef bool layer_is_real(int at, int choice);

static bool all_but_one(int at, int choice) { return at != choice; }
static bool dearest(int at, int choice) { return at < choice; }

/* A copy in which some layers stay in float. */
static ir_graph *choose(const search *s, layer_is_real *is_real, int choice)
{
    ir_graph *copy = ir_graph_copy(s->graph);
    ir_op **ops = ARENA_ARRAY(copy->arena, ir_op *, copy->next_id);
    for (ir_op *op = copy->first; op; op = op->next)
        ops[op->id] = op;
    for (int i = 0; i < s->layer_count; i++)
        ops[s->layers[i].op->id]->keep_float |= is_real(i, choice);
    return copy;
}

static bool measure(search *s, layer_is_real *is_real, int choice, int count, accuracy *out)
{
    const driver_options here = options_here(s, PASS_QUANTIZE_AUTO);
    ir_graph *g = choose(s, is_real, choice);
    *out = (accuracy){.right = 0};
    if (is_real == dearest && !s->goal->correct(s->goal->context, g, s->diag)) {
        ir_graph_free(g);
        return false;
    }
    session_close(&s->model);
    if (!session_open_graph(&s->model, &here, g, s->threads, s->diag))
        return false;
    for (int i = 0; i < count && i < s->count; i++) {
        if (!run_sample(s, &s->model, i))
            return false;
        compare(s, &s->model, i, out);
        out->right += is_right(s, &s->model, i);
    }
    return true;
}

static bool is_reached(const search *s, const accuracy *a)
{
    const double drop = s->count ? (double)(s->right - a->right) / s->count : 0;
    return (s->goal->min_sqnr == 0 || decibels(a) >= s->goal->min_sqnr) &&
           (s->goal->max_drop < 0 || drop <= s->goal->max_drop);
}

/* ---- Prices ---- */

static void find_layers(search *s)
{
    int room = 0;
    for (const ir_op *op = s->graph->first; op; op = op->next)
        room++;
    s->layers = ARENA_ARRAY(s->graph->arena, layer, room);
    for (ir_op *op = s->graph->first; op; op = op->next)
        if ((plan_kind_of(op) == PLAN_PRODUCT || plan_kind_of(op) == PLAN_COMPUTES) && !op->keep_float &&
            op->results[0]->type.dtype == IR_F32)
            s->layers[s->layer_count++] = (layer){.op = op};
}

static int by_price(const void *a, const void *b)
{
    const layer *x = a, *y = b;
    const int order = (x->sqnr > y->sqnr) - (x->sqnr < y->sqnr);
    return order ? order : (x->op->id > y->op->id) - (x->op->id < y->op->id);
}

static bool find_prices(search *s)
{
    for (int i = 0; i < s->layer_count; i++) {
        accuracy alone;
        if (!measure(s, all_but_one, i, FEW, &alone))
            return false;
        s->layers[i].sqnr = decibels(&alone);
    }
    qsort(s->layers, (size_t)s->layer_count, sizeof *s->layers, by_price);
    return true;
}

/* ---- The choice ---- */

/* The fewest of the dearest layers with which the goal is reached: with all of them it is. */
static bool find_fewest(search *s, int *out, accuracy *out_reached)
{
    int low = 0, high = s->layer_count; /* too few, enough */
    while (high - low > 1) {
        const int middle = low == 0 && high > 8 ? 2 : low + (high - low) / 2; /* mostly a few will do */
        accuracy a;
        if (!measure(s, dearest, middle, s->count, &a))
            return false;
        if (is_reached(s, &a)) {
            high = middle;
            *out_reached = a;
        } else {
            low = middle;
        }
    }
    *out = high;
    return true;
}

/* ---- What it costs ---- */

/* `least` becomes the least of it and of what a run on the first sample takes. */
static bool time_run(const search *s, session *m, double *least)
{
    session_reset(m);
    if (!s->samples->fill(s->samples->context, 0, m->input_buffers, s->diag))
        return false;
    const double start = session_seconds();
    const bool good = session_run(m, s->diag);
    *least = fmin(*least, session_seconds() - start);
    return good;
}

/* How many times as long the model takes with the dearest in float, by one thread: they run in turns, so that what else the
 * machine does meets both. */
static bool find_slowdown(search *s, int choice, double *out)
{
    const driver_options here = options_here(s, PASS_QUANTIZE_AUTO);
    double all = INFINITY, chosen = INFINITY;
    session_close(&s->model);
    bool good = session_open_graph(&s->model, &here, choose(s, dearest, 0), 1, s->diag) &&
                session_open_graph(&s->beside, &here, choose(s, dearest, choice), 1, s->diag);
    for (int i = 0; good && i < TURNS; i++)
        good = time_run(s, &s->model, &all) && time_run(s, &s->beside, &chosen);
    *out = chosen / all;
    return good;
}

/* ---- What is said ---- */

static const char *text_of(const search *s, const accuracy *a)
{
    arena *to = s->graph->arena;
    return s->goal->max_drop >= 0 && s->count
               ? arena_format(to, "%.2f dB and %.2f %% right", decibels(a), 100.0 * a->right / s->count)
               : arena_format(to, "%.2f dB", decibels(a));
}

static const char *name_of(const ir_op *op)
{
    const char *name = op->name ? op->name : op->results[0]->name;
    return name ? name : "?";
}

static void mark(search *s, int count)
{
    for (int i = 0; i < count; i++) {
        ir_op *op = s->layers[i].op;
        op->keep_float = true;
        op->why_float =
            arena_format(s->graph->arena, "the accuracy asked for; its integers alone leave %.2f dB of the result",
                         s->layers[i].sqnr);
    }
}

/* The first of them, and what they cost. */
static void tell(search *s, int count, const accuracy *before, const accuracy *after, double slowdown)
{
    arena *to = s->graph->arena;
    const char *names = "";
    double all = 0, kept = 0;
    for (int i = 0; i < s->layer_count; i++) {
        const layer *l = &s->layers[i];
        const double cost = plan_kind_of(l->op) == PLAN_PRODUCT ? plan_multiply_adds(l->op) : 0;
        all += cost;
        kept += i < count ? cost : 0;
        if (i < count && i < MOST_NAMES)
            names = arena_format(to, "%s%s'%s' (%.2f dB alone)", names, i ? ", " : "", name_of(l->op), l->sqnr);
    }
    const ir_loc loc = ir_graph_loc(s->graph);
    diag_warn(s->diag, &loc,
              "%s with every layer on integers; %s with %d of %d in float, which are %.1f %% of the multiply-adds and "
              "take %.2f times the time on this machine: %s%s",
              text_of(s, before), text_of(s, after), count, s->layer_count, all > 0 ? 100 * kept / all : 0, slowdown,
              names, count > MOST_NAMES ? ", …" : "");
}

static bool reach(search *s)
{
    accuracy all, chosen = {.right = 0};
    double slowdown;
    int count;
    find_layers(s);
    if (!run_real(s) || !measure(s, dearest, 0, s->count, &all))
        return false;
    if (is_reached(s, &all) || s->layer_count == 0)
        return true;
    if (!find_prices(s))
        return false;
    if (!find_fewest(s, &count, &chosen))
        return false;
    if (count == s->layer_count || chosen.noise == 0) /* what is left has no integers by itself */
        return diag_error(s->diag, NULL, "%s with every layer on integers, and what is asked for only with none",
                          text_of(s, &all));
    if (!find_slowdown(s, count, &slowdown))
        return false;
    mark(s, count);
    tell(s, count, &all, &chosen, slowdown);
    return true;
}

static void reach_guarded(void *context)
{
    search *s = context;
    s->good = reach(s);
}

bool goal_reach(const goal *asked, ir_graph *g, const driver_options *o, const correct_samples *samples,
                unsigned threads, diag *d)
{
    search s = {.goal = asked, .graph = g, .options = o, .samples = samples, .threads = threads, .diag = d};
    const ir_loc loc = ir_graph_loc(g);
    const arena_outcome outcome = arena_guard(reach_guarded, &s);
    session_close(&s.model);
    session_close(&s.beside);
    free(s.reals);
    return outcome == ARENA_DONE ? s.good : ir_limits_memory(d, &loc, outcome);
}
