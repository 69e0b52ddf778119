/* goal_measure.c: a model in which some layers stay in float, run over the samples beside the real one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/goal/goal_search.h"
#include "compiler/quantize/twins.h"
#include "passes/common/plan.h"
#include "passes/real/choose.h"

enum {
    FEW = 16,  /* samples for a price */
    MANY = 256 /* for the whole without labels; with labels all of them count */
};
static const size_t BUDGET = (size_t)128 << 20; /* bytes of outputs that are kept */
static const char *const groups[] = {"sums"};   /* as --keep-float knows them */
enum { GROUPS = sizeof groups / sizeof *groups };

/* ---- Running ---- */

driver_options goal_options(const goal_search *s, pass_quantize_mode mode)
{
    if (mode == PASS_QUANTIZE_AUTO)
        return twins_integer_options(s->options, s->options->calibration);
    driver_options here = twins_options(s->options, mode);
    here.first_phase = PASS_PHASE_integer;
    return here;
}

static bool run_sample(const goal_search *s, session *m, int sample)
{
    session_reset(m);
    return s->samples->fill(s->samples->context, sample, m->input_buffers, s->diag) && session_run(m, s->diag);
}

static bool is_right(const goal_search *s, const session *m, int sample)
{
    return s->goal->labels && m->output_count > 0 && session_best(m) == s->goal->labels[sample];
}

static void compare(const goal_search *s, const session *m, int sample, goal_accuracy *to)
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

double goal_decibels(const goal_accuracy *a) { return session_sqnr(a->signal, a->noise); }

/* ---- The real model ---- */

static bool keep_outputs(goal_search *s, session *m)
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

bool goal_run_real(goal_search *s)
{
    const driver_options here = goal_options(s, PASS_QUANTIZE_NONE);
    return session_open_graph(&s->model, &here, ir_graph_copy(s->graph), s->threads, s->diag) &&
           keep_outputs(s, &s->model);
}

/* ---- The model on integers ---- */

bool *goal_choice(const goal_search *s) { return ARENA_ARRAY(s->graph->arena, bool, s->candidate_count + 1); }

ir_graph *goal_choose(const goal_search *s, const bool choice[])
{
    ir_graph *copy = ir_graph_copy(s->graph);
    ir_op **ops = twins_ops(copy);
    for (int i = 0; i < s->candidate_count; i++)
        for (int k = 0; k < s->candidates[i].count && choice[i]; k++)
            ops[s->candidates[i].ops[k]->id]->keep_float = true;
    return copy;
}

/* Runs a graph, which is taken over. */
static bool measure(goal_search *s, ir_graph *g, int count, goal_accuracy *out)
{
    const driver_options here = goal_options(s, PASS_QUANTIZE_AUTO);
    *out = (goal_accuracy){.right = 0};
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

bool goal_measure(goal_search *s, const bool choice[], goal_accuracy *out)
{
    ir_graph *g = goal_choose(s, choice);
    if (s->goal->correct(s->goal->context, g, s->diag))
        return measure(s, g, s->count, out);
    ir_graph_free(g);
    return false;
}

bool goal_is_reached(const goal_search *s, const goal_accuracy *a)
{
    const double drop = s->count ? (double)(s->right - a->right) / s->count : 0;
    return (s->goal->min_sqnr == 0 || goal_decibels(a) >= s->goal->min_sqnr) &&
           (s->goal->max_drop < 0 || drop <= s->goal->max_drop);
}

/* ---- Candidates ---- */

static bool can_be_integer(const ir_op *op)
{
    return (plan_kind_of(op) == PLAN_PRODUCT || plan_kind_of(op) == PLAN_COMPUTES) && !op->keep_float &&
           op->results[0]->type.dtype == IR_F32;
}

static void add_group(goal_search *s, const char *name)
{
    const bool *in = choose_group(s->graph, name, strlen(name), s->graph->arena);
    goal_candidate c = {.ops = ARENA_ARRAY(s->graph->arena, ir_op *, s->layer_count), .group = name};
    for (int i = 0; i < s->layer_count && in; i++)
        if (in[s->candidates[i].ops[0]->id])
            c.ops[c.count++] = s->candidates[i].ops[0];
    if (c.count > 1)
        s->candidates[s->candidate_count++] = c;
}

bool goal_find_candidates(goal_search *s)
{
    arena *a = s->graph->arena;
    int room = GROUPS;
    for (const ir_op *op = s->graph->first; op; op = op->next)
        room++;
    s->candidates = ARENA_ARRAY(a, goal_candidate, room);
    for (ir_op *op = s->graph->first; op; op = op->next)
        if (can_be_integer(op)) {
            goal_candidate *c = &s->candidates[s->layer_count++];
            *c = (goal_candidate){.ops = ARENA_ARRAY(a, ir_op *, 1), .count = 1};
            c->ops[0] = op;
        }
    s->candidate_count = s->layer_count;
    for (int i = 0; i < GROUPS && s->goal->max_slowdown >= 0; i++)
        add_group(s, groups[i]);
    return s->layer_count > 0;
}

int goal_count(const goal_search *s, const bool choice[])
{
    bool *in = ARENA_ARRAY(s->graph->arena, bool, s->graph->next_id);
    int count = 0;
    for (int i = 0; i < s->candidate_count; i++)
        for (int k = 0; k < s->candidates[i].count && choice[i]; k++) {
            count += !in[s->candidates[i].ops[k]->id];
            in[s->candidates[i].ops[k]->id] = true;
        }
    return count;
}

/* ---- Prices ---- */

static int by_price(const void *a, const void *b)
{
    const goal_candidate *x = a, *y = b;
    const int order = (x->sqnr > y->sqnr) - (x->sqnr < y->sqnr);
    return order ? order : (x->ops[0]->id > y->ops[0]->id) - (x->ops[0]->id < y->ops[0]->id);
}

/* All layers in float but those of one candidate. */
static ir_graph *all_but(const goal_search *s, const goal_candidate *c)
{
    ir_graph *copy = ir_graph_copy(s->graph);
    ir_op **ops = twins_ops(copy);
    for (int i = 0; i < s->layer_count; i++) /* which come before groups until they have prices */
        ops[s->candidates[i].ops[0]->id]->keep_float = true;
    for (int k = 0; k < c->count; k++)
        ops[c->ops[k]->id]->keep_float = false;
    return copy;
}

static bool has_product(const goal_candidate *c)
{
    for (int k = 0; k < c->count; k++)
        if (plan_kind_of(c->ops[k]) == PLAN_PRODUCT)
            return true;
    return false;
}

/* What its integers alone cost; between real products others have none, so of these what the whole costs more with them. */
static bool find_price(goal_search *s, int at, const goal_accuracy *whole, goal_accuracy *out)
{
    const goal_candidate *c = &s->candidates[at];
    if (has_product(c))
        return measure(s, all_but(s, c), FEW, out);
    bool *choice = goal_choice(s);
    choice[at] = true;
    if (!measure(s, goal_choose(s, choice), FEW, out))
        return false;
    out->noise = fmax(whole->noise - out->noise, 0);
    return true;
}

bool goal_find_prices(goal_search *s)
{
    const double start = session_seconds();
    goal_accuracy whole;
    if (!measure(s, goal_choose(s, goal_choice(s)), FEW, &whole))
        return false;
    for (int i = 0; i < s->candidate_count; i++) {
        goal_accuracy alone;
        if (!find_price(s, i, &whole, &alone))
            return false;
        s->candidates[i].noise = alone.noise;
        s->candidates[i].sqnr = goal_decibels(&alone);
        if (s->goal->progress)
            s->goal->progress(s->goal->progress_context, i + 1, s->candidate_count, session_seconds() - start);
    }
    qsort(s->candidates, (size_t)s->candidate_count, sizeof *s->candidates, by_price);
    return true;
}
