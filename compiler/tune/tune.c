/* tune.c: calibration, then steps, with validations and checkpoints between them. */
#include "compiler/tune/tune.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/interrupt.h"
#include "compiler/output/output.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/quantize/statistics/stats.h"

typedef struct tuning {
    const tune_options *options;
    trainer trainer;
    labelled_samples samples;
    interrupt interrupt;
    uint64_t key; /* of checkpoints */
    trainer_score recent;
    double start; /* seconds of a clock */
    int64_t first;
} tuning;

/* ---- Checkpoints ---- */

static uint64_t hash_text(const char *text, uint64_t seed) { return ir_hash_bytes(text, strlen(text), seed); }

/* What options and samples say of the way that training goes. */
static uint64_t key_of(const tune_options *o, const labelled_samples *samples)
{
    const trainer_options *t = &o->training;
    char text[512];
    snprintf(text, sizeof text,
             "%d %d %.17g %.17g %.17g %.17g %" PRId64
             " %ld %ld %.17g %d %ld %d %d %.17g %.17g %.17g %d %ld %ld %d %d %d %d %.17g %d %.17g %ld",
             (int)t->optimizer.kind, (int)t->optimizer.schedule, t->optimizer.rate, t->optimizer.momentum, t->decay,
             t->optimizer.clip, t->optimizer.warmup, t->batches.batch, t->batches.seed, t->batches.validation,
             (int)t->batches.augmentation.flip, t->batches.augmentation.shift, (int)t->batches.augmentation.mix,
             (int)t->ranges.kind, t->ranges.rate, t->ranges.decay, t->range_rate, (int)t->loss, t->epochs,
             o->validate_every, o->calibration.scheme.weight_bits, o->calibration.scheme.activation_bits,
             (int)o->calibration.scheme.symmetric, (int)t->weight_clips.pact, t->weight_clips.decay, (int)t->norms.kind,
             t->norms.rate, o->calibration.copies);
    uint64_t key = hash_text(text, 0);
    key = hash_text(o->samples.data, key);
    key = ir_hash_bytes(&samples->set.count, sizeof samples->set.count, key);
    return samples->labels ? ir_hash_bytes(samples->labels, (size_t)samples->set.count * sizeof *samples->labels, key)
                           : key;
}

/* Everything that the numbers of a checkpoint mean something under: besides that the first step, before it is made: its
 * graph, its samples as the model takes them, and what integers make of weights and ranges. */
static bool find_key(tuning *t, diag *d)
{
    trainer *r = &t->trainer;
    const session *s = &r->step;
    uint64_t key = key_of(t->options, &t->samples) ^ stats_graph_hash(r->simulation.graph);
    if (!batches_fill(&r->batches, 0, s->input_buffers[0], r->batch, d) ||
        !simulate_inputs(&r->simulation, &r->driver, s->input_buffers, d))
        return false;
    for (uint32_t i = 0; i < s->input_count; i++)
        key = ir_hash_bytes(s->input_buffers[i], s->inputs[i].bytes, key);
    t->key = key;
    return true;
}

static checkpoint_block *blocks_of(tuning *t)
{
    checkpoint_block *blocks =
        ARENA_ARRAY(t->trainer.wide.module.graph->arena, checkpoint_block, trainer_block_count(&t->trainer));
    trainer_blocks(&t->trainer, blocks);
    return blocks;
}

static bool save(tuning *t, diag *d)
{
    const char *path = t->options->checkpoint;
    return !path || checkpoint_write(path, t->options->file, t->key, blocks_of(t), trainer_block_count(&t->trainer), d);
}

static bool resume(tuning *t, diag *d)
{
    if (!checkpoint_read(t->options->checkpoint, t->key, blocks_of(t), trainer_block_count(&t->trainer), d))
        return false;
    const ir_loc loc = {.file = t->options->checkpoint, .subgraph = -1, .node = -1};
    return trainer_resume(&t->trainer) || diag_error(d, &loc, "the checkpoint has no state that training comes to");
}

/* ---- Steps ---- */

static void report(const tuning *t, const trainer_score *validation)
{
    const tune_options *o = t->options;
    const trainer *r = &t->trainer;
    const double seconds = session_seconds() - t->start;
    const double done = (double)(r->at - t->first);
    const tune_report said = {.step = r->at,
                              .steps = r->optimizer.steps,
                              .steps_per_epoch = batches_per_epoch(&r->batches),
                              .samples_per_second =
                                  seconds > 0 ? done * (double)o->training.batches.batch / seconds : 0,
                              .seconds_left = done > 0 ? seconds / done * (double)(r->optimizer.steps - r->at) : 0,
                              .recent = t->recent,
                              .validation = validation,
                              .taught = r->taught,
                              .best = r->best_at == r->at};
    if (o->report)
        o->report(o->report_context, &said);
}

static bool validate(tuning *t, diag *d)
{
    trainer_score score;
    if (!trainer_validate(&t->trainer, &score, d))
        return false;
    report(t, &score);
    t->recent = (trainer_score){.samples = 0};
    return save(t, d);
}

static bool step(tuning *t, diag *d)
{
    const trainer *r = &t->trainer;
    const long every = t->options->validate_every;
    if (!trainer_step(&t->trainer, &t->recent, d))
        return false;
    if (r->at % (every ? every : batches_per_epoch(&r->batches)) == 0 || r->at == r->optimizer.steps)
        return validate(t, d);
    report(t, NULL);
    return true;
}

static bool stop(tuning *t, diag *d)
{
    const char *path = t->options->checkpoint;
    return save(t, d) &&
           diag_error(d, NULL, "interrupted after step %" PRId64 " of %" PRId64 "%s%s", t->trainer.at,
                      t->trainer.optimizer.steps, path ? "; --resume goes on from " : "", path ? path : "");
}

static bool steps(tuning *t, diag *d)
{
    t->start = session_seconds();
    if (t->options->resume ? !resume(t, d) : !validate(t, d))
        return false;
    t->first = t->trainer.at;
    t->start = session_seconds();
    while (t->trainer.at < t->trainer.optimizer.steps) {
        if (interrupt_came(&t->interrupt))
            return stop(t, d);
        if (!step(t, d))
            return false;
    }
    return true;
}

/* ---- The whole ---- */

static bool load_samples(tuning *t, const ir_graph *g, diag *d)
{
    label_options options = t->options->samples;
    const ir_type *r = g->output_count ? &g->outputs[0]->type : NULL;
    const qcc_tensor_info info = session_info_of(g->inputs[0], g->input_names[0]);
    options.raw = t->options->calibration.preprocessing.raw;
    options.classes = r && r->rank > 0 ? r->dims[r->rank - 1] : 1;
    return labels_load(&options, &info, &t->samples, d);
}

static bool calibrate(const tune_options *o, const driver_options *driver, ir_graph *g, pass_calibration *out, diag *d)
{
    driver_options calibrated = *driver;
    calibrate_options c = o->calibration;
    if (o->real) {
        *out = c.scheme;
        return true;
    }
    c.keep_weights = c.effort < 2; /* then they are trained */
    if (c.samples.count == 0)
        c.samples = (driver_list){.item = {o->samples.data}, .count = 1};
    calibrate_install(&c, &calibrated);
    return calibrated.calibrate(calibrated.calibrate_context, driver, g, out, d);
}

/* ---- The graph that was trained ---- */

/* Before the work begins. */
static bool declare_simulated(const tune_options *o, const driver_options *driver, int *out_file, diag *d)
{
    *out_file = o->simulated ? output_declare(driver->files, o->simulated, 0666, d) : OUTPUT_NONE;
    return !o->simulated || *out_file != OUTPUT_NONE;
}

static bool add_simulated(const driver_options *ranged, ir_graph *g, int file, diag *d)
{
    size_t length = 0;
    if (file == OUTPUT_NONE)
        return true;
    char *text = simulate_text(g, ranged, &length, d);
    const bool good = text && output_add(ranged->files, file, text, length, d);
    free(text);
    return good;
}

static bool train(tuning *t, const driver_options *driver, ir_graph *g, pass_calibration *out, diag *d)
{
    const tune_options *o = t->options;
    driver_options ranged = *driver;
    int simulated;
    if (g->input_count != 1)
        return diag_error(d, NULL, "%s: %d inputs; training takes models with one", o->file, (int)g->input_count);
    if (!declare_simulated(o, driver, &simulated, d) || !load_samples(t, g, d) || !calibrate(o, driver, g, out, d))
        return false;
    ranged.calibrate = NULL;
    ranged.calibration = out;
    if (!trainer_open(&t->trainer, &o->training, &ranged, o->file, g, &t->samples, &o->calibration.preprocessing, d) ||
        !find_key(t, d) || !steps(t, d))
        return false;
    const char *note = arena_format(g->arena, "training, step %" PRId64, t->trainer.best_at);
    trainer_give(&t->trainer, out->ranges, out->count, note);
    return add_simulated(&ranged, g, simulated, d);
}

static bool tune(const void *context, const driver_options *driver, ir_graph *g, pass_calibration *out, diag *d)
{
    tuning t = {.options = context, .samples = {.set = SAMPLES_NONE}};
    interrupt_hold(&t.interrupt);
    const bool good = train(&t, driver, g, out, d);
    trainer_close(&t.trainer);
    labels_free(&t.samples);
    interrupt_release(&t.interrupt);
    return good;
}

void tune_install(tune_options *t, driver_options *o)
{
    o->calibrate = tune;
    o->calibrate_context = t;
    o->trains = true;
    o->quantize = t->real ? PASS_QUANTIZE_NONE : PASS_QUANTIZE_STATIC;
}
