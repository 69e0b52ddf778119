/* round.c: a run of the real graph over the samples, in which operands of products are looked at, and then a row of
 * weights after the other.
 *
 * Threads share products while samples are counted, and rows while they are rounded: each number is computed by one of
 * them, in the order of the samples, so nothing depends on how many there are. */
#include "compiler/quantize/weights/round.h"

#include <stdlib.h>

#include "compiler/quantize/twins.h"
#include "compiler/quantize/weights/gram.h"
#include "compiler/quantize/weights/round_rows.h"
#include "compiler/run/session.h"
#include "ir/size_limits.h"
#include "passes/common/plan.h"
#include "passes/common/scales.h"
#include "runtime/pool.h"

enum { LEAST_SHORT = 32 /* samples for short rows */ };
static const double BUDGET_SHORT = 30e9; /* multiply-adds of the real model for all of these */

typedef struct layer {
    ir_op *op;
    const ir_quant *as; /* of the weights */
    bool is_input;      /* where the session has the operand */
    int32_t index;
    gram gram;
} layer;

typedef struct rounding {
    ir_graph *graph;
    const driver_options *options;
    const correct_samples *samples;
    int32_t longest;
    unsigned threads;
    int most; /* integer that a weight may become */
    diag *diag;
    session session;
    layer *layers;
    int count;
    bool good;
} rounding;

/* ---- Which ---- */

/* The grid of the weights of `scaled`, the same op when it has its scales; NULL: none that is ours to fill. */
static const ir_quant *grid_of(ir_graph *g, const ir_op *op, const ir_op *scaled)
{
    const ir_value *x = scaled->operands[0].value, *w = scaled->operands[1].value;
    const bool ours = !op->keep_float && x->as && x->as->axis < 0 && w->as && w->as_dtype == IR_I8 &&
                      w->scale_from.source == IR_SCALE_ABSMAX && !ir_is_const(x) && ir_is_const(w) &&
                      !op->operands[1].value->as && w->type.dtype == IR_F32 && x->type.dtype == IR_F32;
    if (!ours)
        return NULL;
    for (int32_t i = 0; i < w->as->count; i++)
        if (w->as->zero[i] != 0)
            return NULL;
    return w->as->axis < 0 ? ir_quant_tensor(g, w->as->scale[0], 0)
                           : ir_quant_new(g, w->as->axis, w->as->count, w->as->scale, w->as->zero);
}

static bool find_layers(rounding *r)
{
    ir_graph *scaled = ir_graph_copy(r->graph);
    bool good = twins_give_scales(scaled, r->options, r->diag);
    ir_op **ops = good ? twins_ops(scaled) : NULL;
    int room = 0;
    for (const ir_op *op = r->graph->first; op; op = op->next)
        room++;
    r->layers = ARENA_ARRAY(r->graph->arena, layer, room);
    for (ir_op *op = r->graph->first; good && op; op = op->next) {
        layer *to = &r->layers[r->count];
        if (plan_kind_of(op) != PLAN_PRODUCT || !ops[op->id] || !(to->as = grid_of(r->graph, op, ops[op->id])))
            continue;
        to->op = op;
        r->count += gram_terms(op) <= r->longest && gram_open(&to->gram, op);
    }
    ir_graph_free(scaled);
    return good;
}

/* ---- Samples ---- */

/* Operands become outputs of the copy. */
static bool open_session(rounding *r)
{
    driver_options real = twins_options(r->options, PASS_QUANTIZE_NONE);
    real.first_phase = PASS_PHASE_integer;
    ir_graph *copy = ir_graph_copy(r->graph);
    ir_op **ops = twins_ops(copy);
    for (int i = 0; i < r->count; i++) {
        layer *l = &r->layers[i];
        ir_value *x = ops[l->op->id]->operands[0].value;
        l->is_input = x->is_input;
        l->index = x->is_input ? twins_input(copy, x) : ir_value_is_output(x) ? x->first_output : copy->output_count;
        if (!x->is_input && !ir_value_is_output(x))
            ir_output_add(copy, x, "");
    }
    return session_open_graph(&r->session, &real, copy, r->threads, r->diag);
}

typedef struct job {
    qcc_frame unused; /* of the pool, which hands on what it gets */
    rounding *rounding;
    const layer *layer;
    const round_block *block;
    int64_t number; /* of the block */
    float *weights;
    double *scratch; /* for each row */
} job;

static void look(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    const rounding *r = ((const job *)(const void *)frame)->rounding;
    for (uint32_t i = begin; i < end; i++) {
        layer *l = &r->layers[i];
        gram_add(&l->gram, l->is_input ? r->session.input_buffers[l->index] : r->session.output_buffers[l->index]);
    }
}

static void share(rounding *r, job *j, void (*run)(const qcc_frame *, uint32_t, uint32_t), int64_t units)
{
    const qcc_step step = {.run = run, .units = (uint32_t)units, .max_threads = (uint32_t)units};
    const uint32_t mode = qcc_float_mode_default();
    qcc_pool_run_step(qcc_pool_here(r->session.pool), &step, &j->unused);
    qcc_float_mode_restore(mode);
}

/* With the places of each, the least show a row of ROUND_SHORT numbers 32 times as often as it is long. */
static int samples_wanted(const rounding *r)
{
    return r->longest == ROUND_SHORT ? correct_samples_within(r->samples, r->graph, BUDGET_SHORT, LEAST_SHORT)
                                     : r->samples->count;
}

static bool count_samples(rounding *r)
{
    job j = {.rounding = r};
    const int wanted = samples_wanted(r);
    for (int i = 0; i < wanted; i++) {
        const int at = (int)((int64_t)i * r->samples->count / wanted);
        if (!r->samples->fill(r->samples->context, at, r->session.input_buffers, r->diag) ||
            !session_run(&r->session, r->diag))
            return false;
        session_reset(&r->session);
        share(r, &j, look, r->count);
    }
    return true;
}

/* ---- Weights ---- */

static double scale_of(const layer *l, int64_t channel) { return (double)l->as->scale[l->as->axis < 0 ? 0 : channel]; }

static void round_rows(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    const job *j = (const job *)(const void *)frame;
    const gram *m = &j->layer->gram;
    const float *from = j->layer->op->operands[1].value->data;
    for (uint32_t row = begin; row < end; row++) {
        const int64_t at = gram_weights(m, j->number, row);
        round_row(j->block, from + at, m->weight_stride, scale_of(j->layer, gram_channel(m, j->number, row)),
                  j->rounding->most, j->weights + at, j->scratch + 3 * j->block->n * row);
    }
}

static bool round_block_of(rounding *r, const layer *l, int64_t number, float *weights)
{
    const int64_t n = gram_size(&l->gram, number);
    double *covariance = malloc((size_t)(n * n) * sizeof *covariance);
    double *scratch = malloc((size_t)(3 * n * l->gram.rows) * sizeof *scratch);
    round_block block = {0};
    bool good = covariance && scratch;
    if (good)
        gram_covariance(&l->gram, number, covariance);
    good = good && round_block_init(&block, n, covariance);
    job j = {.rounding = r, .layer = l, .block = &block, .number = number, .weights = weights, .scratch = scratch};
    if (good)
        share(r, &j, round_rows, l->gram.rows);
    round_block_free(&block);
    free(covariance);
    free(scratch);
    return good || diag_out_of_memory(r->diag, NULL);
}

static bool round_layer(rounding *r, const layer *l)
{
    const ir_value *old = l->op->operands[1].value;
    const int64_t count = ir_type_elements(&old->type);
    float *weights = ARENA_ARRAY(r->graph->arena, float, count);
    for (int64_t block = 0; block < l->gram.blocks; block++)
        if (!round_block_of(r, l, block, weights))
            return false;
    int64_t inner = 1;
    for (int d = l->as->axis + 1; l->as->axis >= 0 && d < old->type.rank; d++)
        inner *= old->type.dims[d];
    for (int64_t i = 0; i < count; i++)
        weights[i] = (float)((double)weights[i] * scale_of(l, i / inner % l->as->count));
    ir_value *v = ir_const_new(r->graph, old->type, NULL, weights);
    v->name = old->name;
    scales_set(v, IR_I8, l->as, (ir_origin){IR_SCALE_ABSMAX, "rounded from samples", NULL});
    ir_set_operand(l->op, 1, v);
    return true;
}

/* ---- All ---- */

static bool round_all(rounding *r)
{
    if (!find_layers(r))
        return false;
    if (r->count == 0)
        return true;
    if (!open_session(r) || !count_samples(r))
        return false;
    for (int i = 0; i < r->count; i++)
        if (!round_layer(r, &r->layers[i]))
            return false;
    return true;
}

static void round_guarded(void *context)
{
    rounding *r = context;
    r->good = round_all(r);
}

bool round_weights(ir_graph *graph, const driver_options *o, const correct_samples *samples, int32_t longest,
                   unsigned threads, diag *d)
{
    if (samples->count == 0)
        return true;
    rounding r = {.graph = graph, .options = o, .samples = samples, .longest = longest, .threads = threads, .diag = d};
    r.most = scales_most_weight(o->calibration);
    const ir_loc loc = ir_graph_loc(graph);
    const arena_outcome outcome = arena_guard(round_guarded, &r);
    for (int i = 0; i < r.count; i++)
        gram_close(&r.layers[i].gram);
    session_close(&r.session);
    return outcome == ARENA_DONE ? r.good : ir_limits_memory(d, &loc, outcome);
}
