/* compare.c: the whole way to integers, several times, and which comes out nearest to the real model.
 *
 *     minmax   34.7 dB
 *     hist     35.9 dB   ◀── that one
 *     mse      33.0 dB */
#include "compiler/quantize/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/twins.h"
#include "compiler/run/session.h"
#include "ir/size_limits.h"

enum { MANY = 256 /* samples */ };
static const size_t BUDGET = (size_t)128 << 20; /* bytes of outputs that are kept */

typedef struct comparison {
    const ir_graph *graph;
    const driver_options *options;
    compare_prepare *prepare;
    const void *context;
    int ways;
    const correct_samples *samples;
    unsigned threads;
    diag *diag;
    int *out;
    session model;
    int count;     /* samples that are used */
    size_t bytes;  /* of the real outputs of one */
    uint8_t *kept; /* these, by sample */
    bool good;
} comparison;

static size_t real_bytes(const session *m, uint32_t output)
{
    return m->output_types[output].dtype == IR_F32 ? m->outputs[output].bytes : 0;
}

static bool run(comparison *c, int sample)
{
    session_reset(&c->model);
    return c->samples->fill(c->samples->context, sample, c->model.input_buffers, c->diag) &&
           session_run(&c->model, c->diag);
}

static bool keep_real(comparison *c)
{
    session *m = &c->model;
    driver_options real = twins_options(c->options, PASS_QUANTIZE_NONE);
    real.first_phase = PASS_PHASE_integer;
    if (!session_open_graph(m, &real, ir_graph_copy(c->graph), c->threads, c->diag))
        return false;
    for (uint32_t i = 0; i < m->output_count; i++)
        c->bytes += real_bytes(m, i);
    const size_t room = BUDGET / (c->bytes + 1) + 1;
    c->count = c->samples->count < MANY ? c->samples->count : MANY;
    c->count = (size_t)c->count < room ? c->count : (int)room;
    c->kept = malloc((size_t)c->count * c->bytes + 1);
    if (!c->kept)
        return diag_out_of_memory(c->diag, NULL);
    uint8_t *to = c->kept;
    for (int sample = 0; sample < c->count; sample++) {
        if (!run(c, sample))
            return false;
        for (uint32_t i = 0; i < m->output_count; to += real_bytes(m, i), i++)
            memcpy(to, m->output_buffers[i], real_bytes(m, i));
    }
    return true;
}

/* Squared errors, summed in the order of samples. */
static bool measure(comparison *c, double *out_noise)
{
    const uint8_t *kept = c->kept;
    *out_noise = 0;
    for (int sample = 0; sample < c->count; sample++) {
        if (!run(c, sample))
            return false;
        for (uint32_t i = 0; i < c->model.output_count; i++)
            for (size_t k = 0; k < real_bytes(&c->model, i) / sizeof(float); k++, kept += sizeof(float)) {
                float real;
                memcpy(&real, kept, sizeof real);
                const double error = session_real(&c->model, i, (int64_t)k) - (double)real;
                *out_noise += error * error;
            }
    }
    return true;
}

static bool try_one(comparison *c, int way, double *out_noise)
{
    pass_calibration ranges;
    ir_graph *copy = ir_graph_copy(c->graph);
    if (!c->prepare(c->context, way, copy, &ranges, c->diag)) {
        ir_graph_free(copy);
        return false;
    }
    const driver_options here = twins_integer_options(c->options, &ranges);
    session_close(&c->model);
    return session_open_graph(&c->model, &here, copy, c->threads, c->diag) && measure(c, out_noise);
}

static void choose_guarded(void *context)
{
    comparison *c = context;
    double least = INFINITY, noise;
    c->good = keep_real(c);
    for (int way = 0; c->good && way < c->ways; way++) {
        c->good = try_one(c, way, &noise);
        if (!c->good || !(noise < least))
            continue;
        least = noise;
        *c->out = way;
    }
}

bool compare_ways(const ir_graph *graph, const driver_options *o, compare_prepare *prepare, const void *context,
                  int ways, const correct_samples *samples, unsigned threads, int *out, diag *d)
{
    comparison c = {.graph = graph,
                    .options = o,
                    .prepare = prepare,
                    .context = context,
                    .ways = ways,
                    .samples = samples,
                    .threads = threads,
                    .diag = d,
                    .out = out};
    const ir_loc loc = ir_graph_loc(graph);
    *out = 0;
    const arena_outcome outcome = arena_guard(choose_guarded, &c);
    session_close(&c.model);
    free(c.kept);
    return outcome == ARENA_DONE ? c.good : ir_limits_memory(d, &loc, outcome);
}
