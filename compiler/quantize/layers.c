/* layers.c: the steps of a model, each over all samples before the next.
 *
 * A step of the pool's is one step of the model for all samples; its units are samples, each computed by one thread
 * from the first to the last unit, so results are those of qcc_run. */
#include "compiler/quantize/layers.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/pool.h"

enum { ALIGNMENT = 64 };

static void *buffer_new(size_t bytes)
{
    const size_t whole = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    void *buffer = aligned_alloc(ALIGNMENT, whole);
    if (buffer)
        memset(buffer, 0, whole);
    return buffer;
}

/* ---- Buffers ---- */

int layers_fitting(const session *s, uint32_t shared_inputs, int samples, size_t budget)
{
    const ir_graph *g = s->module.graph;
    size_t bytes = g->workspace_bytes + 1;
    for (uint32_t i = 0; i < shared_inputs; i++)
        bytes += ir_type_bytes(&g->inputs[i]->type);
    for (int32_t i = 0; i < g->output_count; i++)
        bytes += ir_type_bytes(&g->outputs[i]->type);
    const size_t most = budget / bytes;
    return (size_t)samples <= most ? samples : most ? (int)most : 1;
}

static bool add_sample(layers *l, int sample)
{
    const session *s = l->session;
    const void **inputs = &l->inputs[(size_t)sample * s->input_count];
    void **outputs = &l->outputs[(size_t)sample * s->output_count];
    bool good = (l->workspaces[sample] = buffer_new((size_t)qcc_model_workspace_bytes(s->model))) != NULL;
    for (uint32_t i = 0; i < s->input_count; i++)
        good &= (inputs[i] = i < l->shared_inputs ? buffer_new(s->inputs[i].bytes) : s->input_buffers[i]) != NULL;
    for (uint32_t i = 0; i < s->output_count; i++)
        good &= (outputs[i] = buffer_new(s->outputs[i].bytes)) != NULL;
    if (good)
        qcc_reset(s->model, l->workspaces[sample]);
    return good;
}

/* After which op of the lowered graph an output is there. */
static void find_outputs(layers *l)
{
    const ir_graph *g = l->session->module.graph;
    uint32_t index = 0;
    for (const ir_op *op = g->first; op; op = op->next, index++)
        for (int32_t i = 0; i < g->output_count; i++)
            if (g->outputs[i]->def == op)
                l->at[i] = index;
}

bool layers_open(layers *l, session *s, uint32_t shared_inputs, int samples, diag *d)
{
    const size_t count = (size_t)samples;
    *l = (layers){.session = s, .shared_inputs = shared_inputs, .samples = samples};
    l->workspaces = calloc(count, sizeof *l->workspaces);
    l->inputs = calloc(count * s->input_count + 1, sizeof *l->inputs);
    l->outputs = calloc(count * s->output_count + 1, sizeof *l->outputs);
    l->at = calloc(s->output_count + 1, sizeof *l->at);
    bool good = l->workspaces && l->inputs && l->outputs && l->at;
    for (int i = 0; good && i < l->samples; i++)
        good = add_sample(l, i);
    if (!good) {
        layers_close(l);
        return diag_out_of_memory(d, NULL);
    }
    find_outputs(l);
    return true;
}

void layers_close(layers *l)
{
    const session *s = l->session;
    for (int i = 0; l->workspaces && i < l->samples; i++)
        free(l->workspaces[i]);
    for (size_t i = 0; l->inputs && i < (size_t)l->samples * s->input_count; i++)
        if (i % s->input_count < l->shared_inputs)
            free((void *)(uintptr_t)l->inputs[i]);
    for (size_t i = 0; l->outputs && i < (size_t)l->samples * s->output_count; i++)
        free(l->outputs[i]);
    free(l->workspaces);
    free(l->inputs);
    free(l->outputs);
    free(l->at);
    *l = (layers){0};
}

void *layers_input(const layers *l, int sample, uint32_t input)
{
    return (void *)(uintptr_t)l->inputs[(size_t)sample * l->session->input_count + input];
}

const void *layers_output(const layers *l, int sample, uint32_t output)
{
    return l->outputs[(size_t)sample * l->session->output_count + output];
}

/* ---- Running ---- */

typedef struct all_samples {
    qcc_frame unused; /* of the pool, which hands on what it gets */
    const layers *layers;
    const qcc_step *step;
} all_samples;

static void run_samples(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    const all_samples *all = (const all_samples *)(const void *)frame;
    const layers *l = all->layers;
    for (uint32_t i = begin; i < end; i++) {
        const qcc_frame own = {&l->inputs[(size_t)i * l->session->input_count],
                               &l->outputs[(size_t)i * l->session->output_count], l->workspaces[i], NULL};
        all->step->run(&own, 0, all->step->units);
    }
}

static void reach(const layers *l, uint32_t from, uint32_t to, layers_reached *reached, void *context)
{
    for (uint32_t i = 0; i < l->session->output_count; i++)
        if (l->at[i] >= from && l->at[i] < to)
            reached(context, i);
}

void layers_run(layers *l, layers_reached *reached, void *context)
{
    const qcc_variant *v = l->session->variant;
    qcc_pool *pool = qcc_pool_here(l->session->pool);
    const uint32_t mode = qcc_float_mode_default();
    uint32_t done = 0; /* ops */
    for (uint32_t i = 0; i < v->step_count; i++) {
        all_samples all = {.layers = l, .step = &v->steps[i]};
        const qcc_step step = {.run = run_samples, .units = (uint32_t)l->samples, .max_threads = (uint32_t)l->samples};
        if (v->steps[i].op_index > done) {
            reach(l, done, v->steps[i].op_index, reached, context);
            done = v->steps[i].op_index;
        }
        qcc_pool_run_step(pool, &step, &all.unused);
    }
    qcc_float_mode_restore(mode);
    reach(l, done, UINT32_MAX, reached, context);
}
