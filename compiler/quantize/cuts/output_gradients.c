/* output_gradients.c: a copy of the graph that has signs as inputs and gradients as outputs, and its runs.
 *
 *     %9 = softmax %8      output %9      ──▶      %12 = sum (mul %9, signs 0)      outputs: of each value
 *                                                                                   itself and d %12 / d itself */
#include "compiler/quantize/cuts/output_gradients.h"

#include "compiler/quantize/twins.h"
#include "passes/common/util.h"
#include "passes/gradients/gradients.h"
#include "runtime/pool.h"

enum { LEAST = 16 /* samples */ };
static const double BUDGET = 9e9; /* multiply-adds of the real model for all samples; gradients take as many again */

int output_gradients_samples(const correct_samples *samples, const ir_graph *g)
{
    return correct_samples_within(samples, g, BUDGET, LEAST);
}

/* ---- The graph ---- */

static ir_value *sum_of_all(ir_graph *g, ir_value *v)
{
    int64_t axes[IR_MAX_RANK];
    for (int i = 0; i < v->type.rank; i++)
        axes[i] = i;
    ir_value *r = pass_op1(g, IR_SUM, NULL, v->def, 1, &v, ir_type_make(IR_F32, 0, NULL), NULL);
    ir_set_ints(r->def, IR_ATTR_AXES, v->type.rank, axes);
    return r;
}

/* Of all outputs, with signs that are inputs; NULL: none is real. */
static ir_value *add_loss(ir_graph *g)
{
    ir_value *loss = NULL;
    for (int32_t i = 0, outputs = g->output_count; i < outputs; i++) {
        ir_value *r = g->outputs[i];
        if (r->type.dtype != IR_F32 || !r->def)
            continue;
        ir_value *signs = ir_input_new(g, r->type, NULL, arena_format(g->arena, "signs %d", i));
        ir_value *operands[2] = {r, signs};
        ir_value *sum = sum_of_all(g, pass_op1(g, IR_MUL, NULL, r->def, 2, operands, r->type, NULL));
        ir_value *both[2] = {loss, sum};
        loss = loss ? pass_op1(g, IR_ADD, NULL, r->def, 2, both, sum->type, NULL) : sum;
    }
    return loss;
}

static int32_t output_of(ir_graph *g, ir_value *v)
{
    if (!ir_value_is_output(v))
        ir_output_add(g, v, "");
    return v->first_output;
}

static int result_of(const ir_value *v)
{
    int i = 0;
    while (v->def->results[i] != v)
        i++;
    return i;
}

/* False: an op has no gradient. */
static bool add_gradients(output_gradients *c, ir_graph *g)
{
    ir_value **by = ARENA_ARRAY(g->arena, ir_value *, c->count), **of = ARENA_ARRAY(g->arena, ir_value *, c->count);
    ir_op **ops = twins_ops(g);
    diag ignored = {0};
    c->signs = (uint32_t)g->input_count;
    ir_value *loss = add_loss(g);
    for (int i = 0; i < c->count; i++) {
        const ir_value *v = c->values[i].value;
        of[i] = v->def ? ops[v->def->id]->results[result_of(v)] : g->inputs[twins_input(c->graph, v)];
    }
    if (!loss || !pass_gradients(g, loss, of, (size_t)c->count, by, &ignored)) {
        pass_ignore(&ignored);
        return false;
    }
    for (int i = 0; i < c->count; i++) {
        output_gradient *v = &c->values[i];
        v->is_input = of[i]->is_input;
        v->index = v->is_input ? twins_input(g, of[i]) : output_of(g, of[i]);
        v->gradient = output_of(g, by[i]);
    }
    return true;
}

bool output_gradients_open(output_gradients *c, const driver_options *o, bool *out_known)
{
    driver_options real = twins_options(o, PASS_QUANTIZE_NONE);
    real.first_phase = PASS_PHASE_integer;
    ir_graph *g = ir_graph_copy(c->graph);
    *out_known = add_gradients(c, g);
    if (!*out_known) {
        ir_graph_free(g);
        return true;
    }
    return session_open_graph(&c->session, &real, g, c->threads, c->diag);
}

void output_gradients_close(output_gradients *c) { session_close(&c->session); }

/* ---- Samples ---- */

/* A sign for each number, drawn from its place and the sample. */
static void fill_signs(output_gradients *c, int sample)
{
    const session *s = &c->session;
    for (uint32_t i = c->signs; i < s->input_count; i++) {
        float *to = s->input_buffers[i];
        uint64_t state = (uint64_t)sample * 0x9e3779b97f4a7c15u + i + 1;
        for (size_t k = 0; k < s->inputs[i].bytes / sizeof *to; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            to[k] = state >> 63 ? 1.0f : -1.0f;
        }
    }
}

static void add_power(output_gradients *c)
{
    const session *s = &c->session;
    for (int32_t i = 0; i < c->graph->output_count; i++)
        for (size_t k = 0; s->output_types[i].dtype == IR_F32 && k < s->outputs[i].bytes / sizeof(float); k++) {
            const double y = (double)((const float *)s->output_buffers[i])[k];
            c->power += y * y;
        }
}

typedef struct job {
    qcc_frame unused; /* of the pool, which hands on what it gets */
    const output_gradients *of;
    output_gradients_look *look;
    void *context;
    int sample;
} job;

static void look(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    const job *j = (const job *)(const void *)frame;
    const session *s = &j->of->session;
    for (uint32_t i = begin; i < end; i++) {
        const output_gradient *v = &j->of->values[i];
        j->look(j->context, (int)i, j->sample, v->is_input ? s->input_buffers[v->index] : s->output_buffers[v->index],
                s->output_buffers[v->gradient]);
    }
}

static bool run_sample(output_gradients *c, job *j)
{
    session *s = &c->session;
    session_reset(s);
    fill_signs(c, j->sample);
    const int at = (int)((int64_t)j->sample * c->samples->count / c->sample_count);
    if (!c->samples->fill(c->samples->context, at, s->input_buffers, c->diag) || !session_run(s, c->diag))
        return false;
    add_power(c);
    const qcc_step step = {.run = look, .units = (uint32_t)c->count, .max_threads = (uint32_t)c->count};
    const uint32_t mode = qcc_float_mode_default();
    qcc_pool_run_step(qcc_pool_here(s->pool), &step, &j->unused);
    qcc_float_mode_restore(mode);
    return true;
}

bool output_gradients_run(output_gradients *c, output_gradients_look *to, void *context)
{
    job j = {.of = c, .look = to, .context = context};
    for (j.sample = 0; j.sample < c->sample_count; j.sample++)
        if (!run_sample(c, &j))
            return false;
    return true;
}
