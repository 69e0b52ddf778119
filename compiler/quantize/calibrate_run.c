/* calibrate_run.c: threads take batches in turn.  Each counts into statistics of its own, which are merged at the
 * end, for that counts have no order; what does depend on the order of batches is written down in that order. */
#include "compiler/quantize/calibrate_run.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/interrupt.h"
#include "compiler/run/session.h"

typedef struct source { /* where a session has an observed value */
    bool is_input;
    int32_t index;
} source;

typedef struct run {
    const calibrate_options *options;
    const calibrate_inputs *inputs;
    stats *to;
    source *sources; /* parallel to to->values */
    int batches;
    double start; /* seconds of a clock */

    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t turned;
    int next, turn; /* the next batch to be taken, and to be written down */
    int done;       /* samples */
    int failed;     /* the first batch that failed; `batches`: none */
    interrupt interrupt;
    diag *diag; /* its error */
} run;

typedef struct worker {
    run *run;
    session session;
    stats seen;
    observer_ends *batch;
    diag diag;
    pthread_t thread;
    bool started;
} worker;

/* ---- One batch ---- */

static bool observe(worker *w, int index)
{
    run *r = w->run;
    for (int i = 0; i < w->seen.count; i++) {
        const source *s = &r->sources[i];
        const float *values = s->is_input ? w->session.input_buffers[s->index] : w->session.output_buffers[s->index];
        const ir_value *v = w->seen.values[i].value;
        const int64_t at = observer_see(&w->seen.values[i].seen, values, ir_type_elements(&v->type), &w->batch[i]);
        if (at >= 0) {
            char value[STATS_NAME_BYTES], name[SAMPLE_NAME_BYTES];
            return diag_error(&w->diag, NULL, "%s: element %" PRId64 " of the value '%s' becomes %s",
                              calibrate_inputs_name(r->inputs, index, name), at, stats_name(v, value),
                              isnan(values[at]) ? "not a number" : "infinite");
        }
        stats_see_channels(&w->seen.values[i], values);
    }
    return true;
}

static bool run_sample(worker *w, int index)
{
    session_reset(&w->session);
    return calibrate_inputs_fill(w->run->inputs, index, w->session.input_buffers, &w->diag) &&
           session_run(&w->session, &w->diag) && observe(w, index);
}

static void tell(run *r)
{
    pthread_mutex_lock(&r->lock);
    r->done++;
    if (r->options->progress)
        r->options->progress(r->options->progress_context, r->done, r->inputs->count, session_seconds() - r->start);
    pthread_mutex_unlock(&r->lock);
}

static bool run_batch(worker *w, int batch)
{
    const run *r = w->run;
    const int64_t from = (int64_t)batch * r->options->batch, end = from + r->options->batch;
    for (int i = 0; i < w->seen.count; i++)
        w->batch[i] = OBSERVER_NO_ENDS;
    for (int64_t i = from; i < end && i < r->inputs->count; i++) {
        if (!run_sample(w, (int)i))
            return false;
        w->seen.samples++;
        tell(w->run);
    }
    return true;
}

/* ---- Turns ---- */

/* The next batch; -1: there is none, or it is wanted no more. */
static int take(run *r)
{
    pthread_mutex_lock(&r->lock);
    const bool ends = interrupt_came(&r->interrupt) || r->failed < r->batches || r->next == r->batches;
    const int batch = ends ? -1 : r->next++;
    pthread_mutex_unlock(&r->lock);
    return batch;
}

/* Writes the batch down behind those in front of it, if none of these fails. */
static bool write_down(worker *w, int batch)
{
    run *r = w->run;
    bool good = true;
    pthread_mutex_lock(&r->lock);
    while (r->turn < batch && r->failed > batch)
        pthread_cond_wait(&r->turned, &r->lock);
    for (int i = 0; r->turn == batch && i < w->seen.count; i++) {
        good = good && observer_end_batch(&r->to->values[i].seen, w->batch[i]);
        stats_move_squares(&w->seen.values[i], &r->to->values[i]);
    }
    r->turn += r->turn == batch;
    pthread_cond_broadcast(&r->turned);
    pthread_mutex_unlock(&r->lock);
    return good || diag_out_of_memory(&w->diag, NULL);
}

/* Of several failures the one of the first sample is told, whichever came first. */
static void give_up(worker *w, int batch)
{
    run *r = w->run;
    pthread_mutex_lock(&r->lock);
    if (batch < r->failed) {
        r->failed = batch;
        r->diag->failed = true;
        r->diag->out_of_memory = w->diag.out_of_memory;
        memcpy(r->diag->text, w->diag.text, sizeof r->diag->text);
    }
    pthread_cond_broadcast(&r->turned);
    pthread_mutex_unlock(&r->lock);
}

static void *work(void *context)
{
    worker *w = context;
    for (int batch; (batch = take(w->run)) >= 0;)
        if (!run_batch(w, batch) || !write_down(w, batch)) {
            give_up(w, batch);
            break;
        }
    return NULL;
}

/* ---- The graph ---- */

/* All observed values are outputs of the copy; fusion keeps those. */
static void make_outputs(ir_graph *g, const stats *s, source *sources)
{
    bool *const wanted = ARENA_ARRAY(g->arena, bool, g->next_id);
    int32_t *const input_of = ARENA_ARRAY(g->arena, int32_t, g->next_id);
    int32_t *const output_of = ARENA_ARRAY(g->arena, int32_t, g->next_id);
    for (int i = 0; i < s->count; i++)
        wanted[s->values[i].value->id] = true;
    for (int32_t i = 0; i < g->input_count; i++)
        input_of[g->inputs[i]->id] = i;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            ir_value *v = op->results[i];
            if (!wanted[v->id])
                continue;
            output_of[v->id] = ir_value_is_output(v) ? v->first_output : g->output_count;
            if (!ir_value_is_output(v))
                ir_output_add(g, v, "");
        }
    for (int i = 0; i < s->count; i++) {
        const ir_value *v = s->values[i].value;
        sources[i] = (source){v->is_input, v->is_input ? input_of[v->id] : output_of[v->id]};
    }
}

static bool open_session(session *to, const driver_options *o, const ir_graph *g, run *r, diag *d)
{
    driver_options real = *o;
    real.quantize = PASS_QUANTIZE_NONE;
    real.calibrate = NULL;
    real.first_phase = PASS_PHASE_integer;
    real.targets = target_set_of("native");
    real.name = "model";
    real.print_before.count = real.print_after.count = real.kernels.count = 0;
    real.print_after_all = real.time_passes = real.debug = real.shared = real.external_weights = false;
    real.dump_dir = NULL;
    ir_graph *copy = ir_graph_copy(g);
    make_outputs(copy, r->to, r->sources);
    return session_open_graph(to, &real, copy, 1, d);
}

/* ---- Threads ---- */

static bool open_worker(worker *w, run *r, const session *first, diag *d)
{
    w->run = r;
    w->batch = calloc((size_t)r->to->count + 1, sizeof *w->batch);
    return (w->batch || diag_out_of_memory(d, NULL)) && stats_init_like(&w->seen, r->to, d) &&
           (!first || session_open_beside(&w->session, first, d));
}

static void close_worker(worker *w)
{
    session_close(&w->session);
    stats_free(&w->seen);
    free(w->batch);
}

static bool merge(const run *r, const worker workers[], int count, diag *d)
{
    for (int i = 0; i < count; i++)
        if (!stats_merge(r->to, &workers[i].seen, d))
            return false;
    return true;
}

static bool work_all(run *r, worker workers[], int count, diag *d)
{
    interrupt_hold(&r->interrupt);
    r->start = session_seconds();
    for (int i = 1; i < count; i++)
        workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0; /* fewer do it, too */
    work(&workers[0]);
    for (int i = 1; i < count; i++)
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
    interrupt_release(&r->interrupt);
    return r->failed == r->batches && merge(r, workers, count, d);
}

unsigned calibrate_threads(const driver_options *o, int most)
{
    const long all = o->jobs ? o->jobs : sysconf(_SC_NPROCESSORS_ONLN);
    return all < 1 ? 1 : all > most ? (unsigned)most : (unsigned)all;
}

static bool run_workers(run *r, const driver_options *driver, const ir_graph *g, worker workers[], int count, diag *d)
{
    if (!open_session(&workers[0].session, driver, g, r, d))
        return false;
    for (int i = 0; i < count; i++)
        if (!open_worker(&workers[i], r, i ? &workers[0].session : NULL, d))
            return false;
    return work_all(r, workers, count, d);
}

bool calibrate_run(const calibrate_options *o, const driver_options *driver, const ir_graph *g,
                   const calibrate_inputs *inputs, stats *to, bool *out_interrupted, diag *d)
{
    run r = {.options = o, .inputs = inputs, .to = to, .diag = d};
    r.batches = (int)((inputs->count + o->batch - 1) / o->batch);
    r.failed = r.batches;
    const int count = (int)calibrate_threads(driver, r.batches);
    worker *workers = calloc((size_t)count, sizeof *workers);
    r.sources = calloc((size_t)to->count + 1, sizeof *r.sources);
    bool good = (workers && r.sources) || diag_out_of_memory(d, NULL);
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.turned, NULL);
    good = good && run_workers(&r, driver, g, workers, count, d);
    for (int i = count - 1; workers && i >= 0; i--) /* the first one last: the others use its model */
        close_worker(&workers[i]);
    pthread_cond_destroy(&r.turned);
    pthread_mutex_destroy(&r.lock);
    free(workers);
    free(r.sources);
    *out_interrupted = r.interrupt.came;
    return good;
}
