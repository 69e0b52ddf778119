/* qcc-eval.c: accuracy of a classifier over labelled samples, and agreement of two.  Exit codes: 0 fine, 1 a failure,
 * 2 bad usage. */
#define _GNU_SOURCE
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/output/program.h"
#include "compiler/progress.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/run/labels.h"
#include "compiler/run/session.h"
#include "compiler/shapes.h"
#include "tools/eval_layers.h"

enum { EXIT_USAGE = 2, TOP = 5 };

typedef struct command {
    driver_options options;
    label_options samples;
    calibrate_options calibration; /* pictures are the same to it as to the model */
    const char *file, *other;
    long threads;
    bool interpret, json, layers;
} command;

typedef struct result {
    bool labelled;
    int count, top1, top5, other_top1, other_top5, agree;
    double signal, noise; /* sums of squares, of the other model's logits and of the difference */
} result;

/* ---- Options ---- */

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

static bool set_option(void *context, option_id id, const char *value, char *error, size_t size)
{
    command *c = context;
    bool known;
    switch (id) {
    case OPT_DATA: c->samples.data = value; return true;
    case OPT_LABELS: c->samples.labels = value; return true;
    case OPT_LABEL_COLUMN: c->samples.label_column = value; return true;
    case OPT_LABEL_OFFSET: return options_number(value, -1000000, 1000000, &c->samples.label_offset, error, size);
    case OPT_LIMIT: return options_number(value, 1, 1000000000, &c->samples.limit, error, size);
    case OPT_COMPARE_MODEL: c->other = value; return true;
    case OPT_THREADS: return options_number(value, 1, 1024, &c->threads, error, size);
    case OPT_INTERP: c->interpret = true; return true;
    case OPT_JSON: c->json = true; return true;
    case OPT_LAYERS: c->layers = true; return true;
    case OPT_COUNT:
        if (c->file)
            return fail(error, size, "more than one model: %s", value);
        c->file = value;
        return true;
    default:
        if (!calibrate_set(&c->calibration, id, value, &known, error, size))
            return false;
        return known || driver_set(&c->options, id, value, &known, error, size);
    }
}

static const char *complete(const command *c)
{
    if (!c->file)
        return "no model given";
    if (!c->samples.data)
        return "no samples given: --data is missing";
    if (!c->samples.labels && !c->calibration.preprocessing.raw.labels && !c->other)
        return "neither labels nor a model to compare with: --labels or --compare is missing";
    if (c->layers && !c->other)
        return "--layers compares with another model: --compare is missing";
    if (c->layers && c->interpret)
        return "--layers runs compiled code: --interp and it exclude each other";
    if (shapes_count(&c->options) > 1)
        return "one shape is evaluated: --batch and --input-shape can't have lists";
    return calibrate_complete(&c->calibration, &c->options);
}

/* ---- Scores ---- */

/* How many classes come before `label`: larger ones, and equal ones with a smaller number. */
static int64_t rank_of(const session *s, long label)
{
    const int64_t classes = ir_type_elements(&s->output_types[0]);
    if (label < 0 || label >= classes)
        return classes;
    const double own = session_real(s, 0, label);
    int64_t before = 0;
    for (int64_t i = 0; i < classes; i++) {
        const double score = session_real(s, 0, i);
        before += score > own || (score == own && i < label);
    }
    return before;
}

static void compare_scores(const session *s, const session *other, result *r)
{
    const int64_t classes = ir_type_elements(&s->output_types[0]);
    for (int64_t i = 0; i < classes; i++) {
        const double a = session_real(s, 0, i), b = session_real(other, 0, i);
        r->signal += b * b;
        r->noise += (a - b) * (a - b);
    }
    r->agree += session_best(s) == session_best(other);
}

/* ---- Over all samples ---- */

typedef struct models {
    session alone, beside; /* without --layers */
    eval_layers layers;    /* with them */
    session *own, *other;  /* other NULL: nothing is compared */
} models;

static bool run_sample(const command *c, const labelled_samples *samples, int index, session *s, diag *d)
{
    session_reset(s);
    return sample_fill(&samples->set, index, &c->calibration.preprocessing, &s->inputs[0], s->input_buffers[0], d) &&
           session_run(s, d);
}

static void count_ranks(const labelled_samples *samples, int index, const session *s, int *top1, int *top5)
{
    if (!samples->labels)
        return;
    const int64_t rank = rank_of(s, samples->labels[index]);
    *top1 += rank < 1;
    *top5 += rank < TOP;
}

static bool evaluate_one(const command *c, const labelled_samples *samples, int index, models *m, result *r, diag *d)
{
    if (!run_sample(c, samples, index, m->own, d))
        return false;
    count_ranks(samples, index, m->own, &r->top1, &r->top5);
    r->count++;
    if (!m->other)
        return true;
    if (!run_sample(c, samples, index, m->other, d))
        return false;
    count_ranks(samples, index, m->other, &r->other_top1, &r->other_top5);
    compare_scores(m->own, m->other, r);
    eval_layers_add(&m->layers);
    return true;
}

static bool evaluate_all(const command *c, const labelled_samples *samples, models *m, result *r, diag *d)
{
    const session *s = m->own, *other = m->other;
    if (other && (other->input_count != 1 || other->output_count < 1 ||
                  ir_type_elements(&other->output_types[0]) != ir_type_elements(&s->output_types[0])))
        return diag_error(d, NULL, "%s: inputs or outputs differ from those of %s", c->other, c->file);
    const int count = samples->set.count;
    const double start = session_seconds();
    for (int i = 0; i < count; i++) {
        if (!evaluate_one(c, samples, i, m, r, d))
            return false;
        progress_show(NULL, i + 1, count, session_seconds() - start);
    }
    return true;
}

static bool is_classifier(const command *c, const session *s, diag *d)
{
    return (s->input_count == 1 && s->output_count >= 1) ||
           diag_error(d, NULL, "%s: %u inputs and %u outputs; a classifier has one input", c->file, s->input_count,
                      s->output_count);
}

/* What the other model is compared to be like: samples make integers of the first one alone. */
static bool open_models(const command *c, models *m, diag *d)
{
    const unsigned threads = (unsigned)c->threads;
    driver_options others = c->options;
    calibrate_uninstall(&others);
    if (c->layers) {
        const driver_options *const options[2] = {&c->options, &others};
        const char *const files[2] = {c->file, c->other};
        m->own = &m->layers.own;
        m->other = &m->layers.other;
        return eval_layers_open(&m->layers, options, files, threads, d);
    }
    m->own = &m->alone;
    m->other = c->other ? &m->beside : NULL;
    return session_open(m->own, &c->options, c->file, c->interpret, threads, d) &&
           (!m->other || session_open(m->other, &others, c->other, c->interpret, threads, d));
}

/* What became of the pictures, if the samples are some. */
static bool describe(const command *c, const labelled_samples *samples, const session *s, diag *d)
{
    char text[PREPROCESS_TEXT];
    const char *path = samples->set.count ? samples->set.items[0].path : NULL;
    if (c->json || !path || !samples_is_picture(path))
        return true;
    if (!preprocess_describe(&c->calibration.preprocessing, &s->inputs[0], text, d))
        return false;
    printf("pictures: %s\n", text);
    return true;
}

static void close_models(models *m)
{
    session_close(&m->beside);
    session_close(&m->alone);
    eval_layers_close(&m->layers);
}

static bool evaluate(const command *c, models *m, result *r, diag *d)
{
    label_options options = c->samples;
    options.raw = c->calibration.preprocessing.raw;
    labelled_samples samples = {.set = SAMPLES_NONE};
    if (!open_models(c, m, d) || !is_classifier(c, m->own, d))
        return false;
    options.classes = ir_type_elements(&m->own->output_types[0]);
    const bool good = labels_load(&options, &m->own->inputs[0], &samples, d) && describe(c, &samples, m->own, d) &&
                      evaluate_all(c, &samples, m, r, d);
    r->labelled = samples.labels != NULL;
    labels_free(&samples);
    return good;
}

/* ---- Report ---- */

static double share(int part, const result *r) { return r->count ? (double)part / r->count : 0; }

static double sqnr(const result *r) { return session_sqnr(r->signal, r->noise); }

/* Adds what was counted of one model. */
static bool add_shares(json_t *to, const char *prefix, int top1, int top5, const result *r)
{
    char name[32];
    if (!r->labelled)
        return true;
    snprintf(name, sizeof name, "%stop1", prefix);
    const bool good = json_object_set_new(to, name, json_real(share(top1, r))) == 0;
    snprintf(name, sizeof name, "%stop5", prefix);
    return good && json_object_set_new(to, name, json_real(share(top5, r))) == 0;
}

static bool add_comparison(json_t *to, const models *m, const result *r)
{
    json_t *db = isfinite(sqnr(r)) ? json_real(sqnr(r)) : json_null(); /* all are equal */
    return add_shares(to, "other_", r->other_top1, r->other_top5, r) &&
           json_object_set_new(to, "agreement", json_real(share(r->agree, r))) == 0 &&
           json_object_set_new(to, "sqnr_db", db) == 0 &&
           (m->other != &m->layers.other || json_object_set_new(to, "layers", eval_layers_json(&m->layers)) == 0);
}

static bool print_json(const models *m, const result *r, diag *d)
{
    json_t *o = json_pack("{s:i}", "samples", r->count);
    const bool whole = o && add_shares(o, "", r->top1, r->top5, r) && (!m->other || add_comparison(o, m, r));
    char *text = whole ? json_dumps(o, JSON_REAL_PRECISION(9)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(o);
    return text || diag_out_of_memory(d, NULL);
}

static void print_shares(const char *file, int top1, int top5, const char *end, const result *r)
{
    printf("%s: top-1 %.2f %%, top-5 %.2f %%%s", file, 100 * share(top1, r), 100 * share(top5, r), end);
}

static void print_text(const command *c, const models *m, const result *r)
{
    if (r->labelled)
        print_shares(c->file, r->top1, r->top5, "", r);
    else
        printf("%s:", c->file);
    printf("%s%d samples\n", r->labelled ? " of " : " ", r->count);
    if (!m->other)
        return;
    if (r->labelled)
        print_shares(c->other, r->other_top1, r->other_top5, "\n", r);
    printf("same class for %.2f %%, signal to noise %.2f dB\n", 100 * share(r->agree, r), sqnr(r));
    if (c->layers)
        eval_layers_print(&m->layers);
}

static int perform(int argc, char **argv)
{
    command c = {.options = driver_defaults(OPTION_EVAL), .threads = 1, .calibration = calibrate_defaults()};
    c.calibration.others_prepare = true;
    switch (options_parse(OPTION_EVAL, argc, argv, set_option, &c)) {
    case OPTION_GO: break;
    case OPTION_EXIT_OK: return EXIT_SUCCESS;
    case OPTION_EXIT_USAGE: return EXIT_USAGE;
    }
    diag_refusals refusals;
    diag d = driver_diag(OPTION_EVAL, &refusals);
    if (c.file && !driver_model_there(c.file, &d)) {
        driver_print_error(OPTION_EVAL, &d);
        return EXIT_FAILURE;
    }
    const char *problem = complete(&c);
    if (problem) {
        options_usage_error(OPTION_EVAL, problem);
        return EXIT_USAGE;
    }
    c.calibration.progress = progress_show;
    calibrate_install(&c.calibration, &c.options);
    result r = {0};
    models m = {.own = NULL};
    bool good = evaluate(&c, &m, &r, &d);
    if (good && c.json)
        good = print_json(&m, &r, &d);
    else if (good)
        print_text(&c, &m, &r);
    close_models(&m);
    if (!good)
        driver_print_error(OPTION_EVAL, &d);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) { return program_main(OPTION_EVAL, perform, argc, argv); }
