/* correct.c: for each product, in order: mean of the real twin - mean of the twin on integers, which has no bias yet,
 * is the bias.
 *
 *                  ┌ conv ─ mean ┐ ┌ + b ─ relu ─┐ ┌ conv ─ mean ┐ …      each box over all samples before the next
 *     sample 0…n ──┘             └─┘             └─┘             └─
 *                                b = mean of the real twin - mean
 *
 * The real twin has seen all samples, and is gone, before there is code of the other: only one is in memory. */
#include "compiler/quantize/weights/correct.h"

#include <math.h>
#include <string.h>

#include "compiler/quantize/layers.h"
#include "compiler/quantize/twins.h"
#include "ir/size_limits.h"
#include "passes/common/plan.h"

static const size_t BUDGET = (size_t)176 << 20; /* bytes of the samples that are under way together */

enum { FEW_MOST = 100 };

typedef struct correction {
    ir_graph *graph;
    const ir_graph *before; /* the same, with its real weights */
    const driver_options *options;
    const correct_samples *samples;
    unsigned threads;
    diag *diag;
    twins twins;
    session real, integer;
    layers layers;
    int count;      /* of samples */
    double **means; /* of the real twin, by product */
    uint32_t first; /* output that is the mean of product 0 */
    bool good;
} correction;

double correct_multiply_adds(const ir_graph *g)
{
    double all = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        all += plan_kind_of(op) == PLAN_PRODUCT ? plan_multiply_adds(op) : 0;
    return all;
}

int correct_samples_within(const correct_samples *samples, const ir_graph *g, double budget, int least)
{
    const double most = fmin(fmax(floor(budget / (correct_multiply_adds(g) + 1)), least), FEW_MOST);
    return samples->count < most ? samples->count : (int)most;
}

/* ---- Twins ---- */

/* The twins as graphs, the one on integers lowered: then it is known how many samples there is room for. */
static bool make_twins(correction *c)
{
    const driver_options integer = twins_options(c->options, PASS_QUANTIZE_AUTO);
    if (!twins_make(c->graph, c->before, c->options, &c->twins, c->diag) || c->twins.count == 0)
        return !c->diag->failed;
    ir_graph *g = c->twins.integer;
    c->twins.integer = NULL;
    c->first = (uint32_t)c->graph->output_count;
    if (!session_lower_graph(&c->integer, &integer, g, c->threads, c->diag))
        return false;
    c->count = layers_fitting(&c->integer, (uint32_t)c->graph->input_count, c->samples->count, BUDGET);
    return true;
}

/* ---- Means ---- */

static bool run_real(correction *c, int sample)
{
    if (!c->samples->fill(c->samples->context, sample, c->real.input_buffers, c->diag) ||
        !session_run(&c->real, c->diag))
        return false;
    session_reset(&c->real);
    for (int i = 0; i < c->twins.count; i++) {
        const float *from = c->real.output_buffers[c->first + (uint32_t)i];
        for (int64_t k = 0; k < c->twins.products[i].channels; k++)
            c->means[i][k] += (double)from[k] / c->count;
    }
    return true;
}

static bool find_means(correction *c)
{
    const driver_options real = twins_options(c->options, PASS_QUANTIZE_NONE);
    ir_graph *g = c->twins.real;
    c->twins.real = NULL;
    c->means = ARENA_ARRAY(c->graph->arena, double *, c->twins.count);
    for (int i = 0; i < c->twins.count; i++)
        c->means[i] = ARENA_ARRAY(c->graph->arena, double, c->twins.products[i].channels);
    bool good = session_open_graph(&c->real, &real, g, c->threads, c->diag);
    for (int i = 0; good && i < c->count; i++)
        good = run_real(c, i);
    session_close(&c->real);
    return good;
}

static bool open_integer(correction *c)
{
    const driver_options integer = twins_options(c->options, PASS_QUANTIZE_AUTO);
    return session_compile(&c->integer, &integer, c->diag) &&
           layers_open(&c->layers, &c->integer, (uint32_t)c->graph->input_count, c->count, c->diag);
}

static bool fill_integer(correction *c, int sample)
{
    void **inputs = ARENA_ARRAY(c->graph->arena, void *, c->layers.shared_inputs + 1);
    for (uint32_t i = 0; i < c->layers.shared_inputs; i++)
        inputs[i] = layers_input(&c->layers, sample, i);
    return c->samples->fill(c->samples->context, sample, inputs, c->diag);
}

/* All samples have the sum of product output - first: its bias follows. */
static void settle(void *context, uint32_t output)
{
    correction *c = context;
    if (output < c->first)
        return;
    const twin_product *p = &c->twins.products[output - c->first];
    float *bias = c->integer.input_buffers[p->input];
    for (int64_t k = 0; k < p->channels; k++) {
        double mean = 0;
        for (int i = 0; i < c->count; i++)
            mean += (double)((const float *)layers_output(&c->layers, i, output))[k];
        bias[k] = (float)(c->means[output - c->first][k] - mean / c->count);
    }
}

/* ---- Into the graph ---- */

static bool is_finite(const float *numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return false;
    return true;
}

static void set_bias(ir_graph *g, const twin_product *p, const float *bias)
{
    const size_t bytes = (size_t)p->channels * sizeof *bias;
    float *to = ARENA_ARRAY(g->arena, float, p->channels);
    memcpy(to, bias, bytes);
    ir_value *v = ir_const_new(g, p->bias ? p->bias->type : ir_type_make(IR_F32, 1, &p->channels), NULL, to);
    v->name = p->bias ? p->bias->name : NULL;
    int at = 2;
    for (int i = 0; p->bias && i < p->op->operand_count; i++)
        if (p->op->operands[i].value == p->bias)
            at = i;
    ir_set_operand(p->op, at, v);
}

static bool correct(correction *c)
{
    if (!make_twins(c))
        return false;
    if (c->twins.count == 0)
        return true;
    if (!find_means(c) || !open_integer(c))
        return false;
    for (int i = 0; i < c->count; i++)
        if (!fill_integer(c, i))
            return false;
    layers_run(&c->layers, settle, c);
    for (int i = 0; i < c->twins.count; i++) {
        const float *bias = c->integer.input_buffers[c->twins.products[i].input];
        if (is_finite(bias, c->twins.products[i].channels))
            set_bias(c->graph, &c->twins.products[i], bias);
    }
    return true;
}

static void correct_guarded(void *context)
{
    correction *c = context;
    c->good = correct(c);
}

bool correct_biases_to(const ir_graph *real, ir_graph *graph, const driver_options *o, const correct_samples *samples,
                       unsigned threads, diag *d)
{
    if (samples->count == 0)
        return true;
    correction c = {.graph = graph, .before = real, .options = o, .samples = samples, .threads = threads, .diag = d};
    const ir_loc loc = ir_graph_loc(graph);
    const arena_outcome outcome = arena_guard(correct_guarded, &c);
    if (c.layers.session)
        layers_close(&c.layers);
    session_close(&c.real);
    session_close(&c.integer);
    twins_free(&c.twins);
    return outcome == ARENA_DONE ? c.good : ir_limits_memory(d, &loc, outcome);
}

bool correct_biases(ir_graph *graph, const driver_options *o, const correct_samples *samples, unsigned threads, diag *d)
{
    return correct_biases_to(graph, graph, o, samples, threads, d);
}
