/* calibrate.c: the steps between samples and ranges. */
#include "compiler/quantize/calibrate.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/calibrate_run.h"
#include "compiler/quantize/compare.h"
#include "compiler/quantize/correction.h"
#include "compiler/quantize/cuts/cuts.h"
#include "compiler/quantize/goal/goal.h"
#include "compiler/quantize/observed.h"
#include "compiler/quantize/picture_bytes.h"
#include "compiler/quantize/statistics/ranges_file.h"
#include "compiler/quantize/statistics/stats_file.h"
#include "passes/common/calibrated_values.h"
#include "passes/common/gate.h"

typedef struct files {
    int stats, ranges; /* to be written; OUTPUT_NONE: nobody wants that */
} files;

/* Programs without output files have nothing that could be the same. */
static bool keep(const driver_options *o, const char *path, diag *d)
{
    return !o->files || output_keep(o->files, path, d);
}

/* Statistics from files, and a place for the new ones, before the work begins. */
static bool prepare(const calibrate_options *c, const driver_options *o, stats *s, files *out, diag *d)
{
    *out = (files){OUTPUT_NONE, OUTPUT_NONE};
    for (int i = 0; i < c->load_stats.count; i++)
        if (!keep(o, c->load_stats.item[i], d) || !stats_file_read(c->load_stats.item[i], s, d))
            return false;
    if (c->save_stats && (out->stats = output_declare(o->files, c->save_stats, 0666, d)) == OUTPUT_NONE)
        return false;
    if (c->save_scales && (out->ranges = output_declare(o->files, c->save_scales, 0666, d)) == OUTPUT_NONE)
        return false;
    return !c->scales || keep(o, c->scales, d);
}

/* At once: it is worth something without the object, too. */
static bool save(const driver_options *o, char *text, int file, diag *d)
{
    const bool good = text ? output_add(o->files, file, text, strlen(text), d) : diag_out_of_memory(d, NULL);
    free(text);
    return good && output_commit(o->files, d);
}

/* A run is one of its own, also beside those from files. */
static bool run(const calibrate_options *c, const driver_options *o, const ir_graph *g, const calibrate_inputs *inputs,
                stats *s, bool *out_interrupted, diag *d)
{
    stats seen;
    if (inputs->count == 0)
        return true;
    const bool good = stats_init_like(&seen, s, d) && calibrate_run(c, o, g, inputs, &seen, out_interrupted, d) &&
                      stats_merge(s, &seen, d);
    stats_free(&seen);
    return good;
}

static bool observe(const calibrate_options *c, const driver_options *o, const ir_graph *g,
                    const calibrate_inputs *inputs, stats *s, int file, diag *d)
{
    const int64_t before = s->samples;
    bool interrupted = false;
    if (!run(c, o, g, inputs, s, &interrupted, d) || (file != OUTPUT_NONE && !save(o, stats_file_text(s), file, d)))
        return false;
    return !interrupted ||
           diag_error(d, NULL, "interrupted after %lld of %d samples%s%s", (long long)(s->samples - before),
                      inputs->count, c->save_stats ? ", which are counted in " : "",
                      c->save_stats ? c->save_stats : "");
}

/* For the report; ranges with another note are of a file. */
static void tell(const ir_graph *g, const observer *seen, threshold_algo algo, const char *note, pass_range *range)
{
    const char *algorithm = range->note == note ? threshold_name(algo) : range->note;
    if (range->known && seen->count > 0)
        range->observed = observed_make(g->arena, seen, algorithm, (double)range->low, (double)range->high);
}

/* Whatever was seen of them, bytes are 0…255. */
static void give_bytes_range(const ir_graph *g, pass_range ranges[])
{
    picture_bytes given;
    const ir_value *v = picture_bytes_value(g, &given);
    if (v && ranges[v->id].known)
        ranges[v->id] = (pass_range){.low = 0, .high = UINT8_MAX, .known = true, .note = "bytes of pictures"};
}

/* By one algorithm, or from a file.  In the graph's arena. */
static bool give_ranges(const calibrate_options *c, threshold_algo algo, const ir_graph *g, const stats *s,
                        pass_calibration *out, diag *d)
{
    pass_range *ranges = ARENA_ARRAY(g->arena, pass_range, g->next_id);
    algo = algo == THRESHOLD_AUTO ? THRESHOLD_MINMAX : algo; /* as far as it isn't cut */
    const char *note = arena_format(g->arena, "%s of %lld samples", threshold_name(algo), (long long)s->samples);
    const threshold_options options = {c->percentile, c->scheme.symmetric, c->scheme.activation_bits};
    *out = c->scheme;
    out->ranges = ranges;
    out->count = g->next_id;
    for (int i = 0; i < s->count; i++) {
        pass_range *range = &ranges[s->values[i].value->id];
        range->note = note;
        range->known = threshold_choose(algo, &s->values[i].seen, &options, &range->low, &range->high);
    }
    const char *from_file = c->scales ? arena_format(g->arena, "--scales=%s", c->scales) : NULL;
    if (c->scales && !ranges_file_read(c->scales, s, ranges, from_file, d))
        return false;
    give_bytes_range(g, ranges);
    for (int i = 0; i < s->count; i++)
        tell(g, &s->values[i].seen, algo, note, &ranges[s->values[i].value->id]);
    return true;
}

static bool fill(void *context, int index, void *const buffers[], diag *d)
{
    return calibrate_inputs_fill(context, index, buffers, d);
}

static const pass_channels *channels_of(const ir_graph *g, const stats *s)
{
    pass_channels *channels = ARENA_ARRAY(g->arena, pass_channels, g->next_id);
    for (int i = 0; i < s->count; i++) {
        const stats_value *v = &s->values[i];
        const double each = (double)s->samples * (double)ir_type_elements(&v->value->type) / (double)v->channels;
        double *squares = ARENA_ARRAY(g->arena, double, v->channels);
        for (int64_t k = 0; k < v->channels; k++)
            squares[k] = v->channel_squares[k] / each;
        channels[v->value->id] = (pass_channels){v->channels, v->channel_low, v->channel_high, squares};
    }
    return channels;
}

/* The passes of the phase `correct`, once: what is compiled with these ranges afterwards has been through them. */
static bool equalize(const calibrate_options *c, const driver_options *o, ir_graph *g, const stats *s,
                     pass_calibration *ranges, diag *d)
{
    static const char *const passes[] = {"equalize"};
    driver_module module = {.file = "graph", .graph = g};
    driver_options calibrated = *o;
    calibrated.calibrate = NULL;
    calibrated.calibration = ranges;
    if (c->effort == 0 || c->skips_equalize || c->samples.count == 0)
        return true;
    ranges->channels = channels_of(g, s);
    const bool good = pass_show_before(g, o->shown, passes[0], d) &&
                      driver_passes(&calibrated, &module, false, passes, 1, d) &&
                      pass_show_after(g, o->shown, passes[0], d);
    ranges->channels = NULL;
    return good;
}

/* Which layers integers are too coarse for. */
static bool reach(const calibrate_options *c, const correction *how, ir_graph *g, const calibrate_inputs *inputs,
                  diag *d)
{
    if (c->min_sqnr == 0 && c->max_drop < 0 && c->max_slowdown < 0)
        return true;
    long *labels = c->max_drop < 0 ? NULL : ARENA_ARRAY(g->arena, long, inputs->count);
    const goal asked = {.min_sqnr = c->min_sqnr,
                        .max_drop = c->max_drop,
                        .max_slowdown = c->max_slowdown,
                        .labels = labels,
                        .correct = correction_apply,
                        .context = how,
                        .progress = c->progress,
                        .progress_context = c->progress_context};
    return (!labels || calibrate_inputs_labels(inputs, labels, d)) &&
           goal_reach(&asked, g, &how->calibrated, &how->samples, how->threads, d);
}

static bool reach_and_correct(const calibrate_options *c, const driver_options *o, ir_graph *g,
                              calibrate_inputs *inputs, const pass_calibration *ranges, diag *d)
{
    const correct_samples samples = {fill, inputs, inputs->count};
    correction how = correction_make(c->effort, c->skipped, o, ranges, &samples, calibrate_threads(o, INT_MAX));
    how.longest = c->keep_weights ? 0 : how.longest;
    if (!correction_choose(&how, g, d) || !reach(c, &how, g, inputs, d))
        return false;
    how.shown = o->shown;
    return correction_apply(&how, g, d);
}

/* ---- Ranges ---- */

/* Multiply-adds: what gradients of larger models take, in time and memory, is not the default's. */
static const double CUT_MOST = 1.5e9;

/* The report hears of what is left of a range. */
static void narrow(const ir_graph *g, const stats *s, const cut_share shares[], pass_range ranges[])
{
    for (int i = 0; i < s->count; i++) {
        const uint32_t id = s->values[i].value->id;
        pass_range *range = &ranges[id];
        const double left = fmin((double)shares[id].low, (double)shares[id].high);
        if (left == 1)
            continue;
        cuts_apply(shares[id], range);
        range->note = arena_format(g->arena, "auto of %lld samples, %.2f of minmax", (long long)s->samples, left);
        if (range->observed)
            tell(g, &s->values[i].seen, THRESHOLD_AUTO, range->note, range);
    }
}

/* What --algo=auto leaves of the ranges.  With ranges of a file all are as they are. */
static bool cut(const calibrate_options *c, const driver_options *o, ir_graph *g, const stats *s,
                const correct_samples *samples, pass_calibration *ranges, cut_share shares[], diag *d)
{
    driver_options calibrated = *o;
    calibrated.calibrate = NULL;
    calibrated.calibration = ranges;
    if (c->effort == 0 || c->skipped[PASS_STEP_cut_ranges] || samples->count == 0 || c->scales)
        return true;
    if (!pass_show_before(g, o->shown, "cut_ranges", d) ||
        !cuts_find(g, &calibrated, samples, c->effort < 2 ? CUT_MOST : INFINITY, calibrate_threads(o, INT_MAX), shares,
                   d))
        return false;
    narrow(g, s, shares, ranges->ranges);
    return pass_show_after(g, o->shown, "cut_ranges", d);
}

/* By one algorithm, for channels as they are then.  `file` gets them for channels as they were. */
static bool make_ranges(const calibrate_options *c, const driver_options *o, threshold_algo algo, ir_graph *g,
                        const stats *s, const correct_samples *samples, int file, pass_calibration *out, diag *d)
{
    if (!give_ranges(c, algo, g, s, out, d))
        return false;
    cut_share *shares = ARENA_ARRAY(g->arena, cut_share, out->count);
    pass_range *before = ARENA_ARRAY(g->arena, pass_range, out->count);
    const char *const *names = ranges_file_names(s, g->arena); /* as they were */
    memcpy(before, out->ranges, out->count * sizeof *before);
    for (uint32_t i = 0; i < out->count; i++)
        shares[i] = (cut_share){1, 1};
    if (!equalize(c, o, g, s, out, d) || (algo == THRESHOLD_AUTO && !cut(c, o, g, s, samples, out, shares, d)))
        return false;
    for (uint32_t i = 0; i < out->count; i++)
        cuts_apply(shares[i], &before[i]);
    return file == OUTPUT_NONE || save(o, ranges_file_text(s, names, before), file, d);
}

/* ---- Which algorithm ---- */

static const threshold_algo algorithms[] = {THRESHOLD_AUTO, THRESHOLD_MINMAX, THRESHOLD_AVG,
                                            THRESHOLD_HIST, THRESHOLD_MSE,    THRESHOLD_KL};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

typedef struct candidate {
    const calibrate_options *options;
    const driver_options *driver;
    const stats *stats;
    correct_samples samples;
} candidate;

static bool prepare_candidate(const void *context, int way, ir_graph *copy, pass_calibration *out, diag *d)
{
    const candidate *k = context;
    if (!make_ranges(k->options, k->driver, algorithms[way], copy, k->stats, &k->samples, OUTPUT_NONE, out, d))
        return false;
    const correction how = correction_make(k->options->effort, k->options->skipped, k->driver, out, &k->samples,
                                           calibrate_threads(k->driver, INT_MAX));
    return correction_apply(&how, copy, d);
}

static bool choose(const calibrate_options *c, const driver_options *o, ir_graph *g, const stats *s,
                   calibrate_inputs *inputs, int file, pass_calibration *out, diag *d)
{
    threshold_algo algo = c->algo;
    driver_options unseen = *o;
    unseen.shown = NULL;
    const candidate context = {c, &unseen, s, {fill, inputs, inputs->count}};
    if (algo == THRESHOLD_AUTO && c->effort == 3) {
        int way;
        if (!compare_ways(g, o, prepare_candidate, &context, ALGORITHMS, &context.samples,
                          calibrate_threads(o, INT_MAX), &way, d))
            return false;
        algo = algorithms[way];
    }
    return make_ranges(c, o, algo, g, s, &context.samples, file, out, d);
}

static bool take_steps(const calibrate_options *c, const driver_options *o, ir_graph *g, stats *s,
                       pass_calibration *out, diag *d)
{
    calibrate_inputs inputs = {0};
    files outputs;
    const bool good = (c->samples.count == 0 || calibrate_inputs_open(c, g, &inputs, d)) &&
                      prepare(c, o, s, &outputs, d) && observe(c, o, g, &inputs, s, outputs.stats, d) &&
                      choose(c, o, g, s, &inputs, outputs.ranges, out, d) &&
                      reach_and_correct(c, o, g, &inputs, out, d);
    calibrate_inputs_close(&inputs);
    return good;
}

/* Statistics and ranges in files are of the model without. */
static bool give_bytes(const calibrate_options *c, const driver_options *o, ir_graph *g, diag *d)
{
    const pass_options options = driver_pass_options(o, true);
    calibrate_options once = *c; /* copies may have been mixed */
    const bool in_files = c->load_stats.count > 0 || c->save_stats || c->save_scales || c->scales;
    calibrate_inputs inputs = {0};
    picture_bytes found = {.channels = 0};
    if (c->effort == 0 || c->skipped[PASS_STEP_picture_bytes] || c->samples.count == 0 || in_files ||
        c->scheme.symmetric || c->scheme.activation_bits != 8 || !gate_is_possible(&options))
        return true;
    once.copies = 0;
    const bool good = calibrate_inputs_open(&once, g, &inputs, d) && picture_bytes_find(g, &inputs, &found, d);
    calibrate_inputs_close(&inputs);
    if (!good || found.channels == 0)
        return good;
    if (!pass_show_before(g, o->shown, "picture_bytes", d))
        return false;
    picture_bytes_give(g, &found);
    return pass_show_after(g, o->shown, "picture_bytes", d);
}

static bool calibrate(const void *context, const driver_options *o, ir_graph *g, pass_calibration *out, diag *d)
{
    const pass_options options = driver_pass_options(o, true);
    stats s;
    if (!give_bytes(context, o, g, d))
        return false;
    arena *scratch = arena_new();
    bool good = stats_init(&s, g, calibrated_values(g, &options, scratch), d);
    arena_free(scratch);
    if (!good)
        return false;
    if (s.count == 0)
        diag_warn(d, NULL, "samples change nothing: the model has no real numbers that could become integers");
    good = take_steps(context, o, g, &s, out, d);
    stats_free(&s);
    return good;
}

void calibrate_install(const calibrate_options *c, driver_options *o)
{
    if (o->quantize == PASS_QUANTIZE_DYNAMIC)
        o->calibration = &c->scheme;
    if (!calibrate_is_asked(c))
        return;
    o->calibrate = calibrate;
    o->calibrate_context = c;
    o->quantize = PASS_QUANTIZE_STATIC;
}

void calibrate_uninstall(driver_options *o)
{
    if (!o->calibrate && o->quantize != PASS_QUANTIZE_DYNAMIC)
        return;
    o->calibrate = NULL;
    o->calibration = NULL;
    o->quantize = PASS_QUANTIZE_AUTO;
    o->quantized_ops.count = o->keep_float.count = 0; /* layers of the model that was calibrated */
}
