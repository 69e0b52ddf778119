/* qcc-eval.c: accuracy of a classifier over labelled samples, and agreement of two.  Exit codes: 0 fine, 1 a failure,
 * 2 bad usage. */
#define _GNU_SOURCE
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/program.h"
#include "compiler/progress.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/run/session.h"
#include "tools/labels.h"

enum { EXIT_USAGE = 2, TOP = 5 };

typedef struct command {
    driver_options options;
    label_options samples;
    calibrate_options calibration; /* pictures are the same to it as to the model */
    const char *file, *other;
    long threads;
    bool interpret, json;
} command;

typedef struct result {
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
    if (!c->samples.labels && !c->calibration.preprocessing.raw.labels)
        return "no labels given: --labels is missing";
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

static int64_t best_class(const session *s)
{
    const int64_t classes = ir_type_elements(&s->output_types[0]);
    int64_t best = 0;
    for (int64_t i = 1; i < classes; i++)
        if (session_real(s, 0, i) > session_real(s, 0, best))
            best = i;
    return best;
}

static void compare_scores(const session *s, const session *other, result *r)
{
    const int64_t classes = ir_type_elements(&s->output_types[0]);
    for (int64_t i = 0; i < classes; i++) {
        const double a = session_real(s, 0, i), b = session_real(other, 0, i);
        r->signal += b * b;
        r->noise += (a - b) * (a - b);
    }
    r->agree += best_class(s) == best_class(other);
}

/* ---- Over all samples ---- */

static bool run_sample(const command *c, const labelled_samples *samples, int index, session *s, diag *d)
{
    session_reset(s);
    return sample_fill(&samples->set, index, &c->calibration.preprocessing, &s->inputs[0], s->input_buffers[0], d) &&
           session_run(s, d);
}

static bool evaluate_one(const command *c, const labelled_samples *samples, int index, session *s, session *other,
                         result *r, diag *d)
{
    const long label = samples->labels[index];
    if (!run_sample(c, samples, index, s, d))
        return false;
    const int64_t rank = rank_of(s, label);
    r->top1 += rank < 1;
    r->top5 += rank < TOP;
    r->count++;
    if (!other)
        return true;
    if (!run_sample(c, samples, index, other, d))
        return false;
    const int64_t other_rank = rank_of(other, label);
    r->other_top1 += other_rank < 1;
    r->other_top5 += other_rank < TOP;
    compare_scores(s, other, r);
    return true;
}

static bool evaluate_all(const command *c, const labelled_samples *samples, session *s, session *other, result *r,
                         diag *d)
{
    if (other && (other->input_count != 1 || other->output_count < 1 ||
                  ir_type_elements(&other->output_types[0]) != ir_type_elements(&s->output_types[0])))
        return diag_error(d, NULL, "%s: inputs or outputs differ from those of %s", c->other, c->file);
    const int count = samples->set.count;
    const double start = session_seconds();
    for (int i = 0; i < count; i++) {
        if (!evaluate_one(c, samples, i, s, other, r, d))
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
static bool open_other(const command *c, session *other, diag *d)
{
    driver_options options = c->options;
    calibrate_uninstall(&options);
    return session_open(other, &options, c->other, c->interpret, (unsigned)c->threads, d);
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

static bool evaluate(const command *c, result *r, diag *d)
{
    label_options options = c->samples;
    options.raw = c->calibration.preprocessing.raw;
    labelled_samples samples = {.set = SAMPLES_NONE};
    session s, other = {0};
    if (!session_open(&s, &c->options, c->file, c->interpret, (unsigned)c->threads, d))
        return false;
    options.classes = s.output_count ? ir_type_elements(&s.output_types[0]) : 0;
    const bool good = is_classifier(c, &s, d) && labels_load(&options, &s.inputs[0], &samples, d) &&
                      describe(c, &samples, &s, d) && (!c->other || open_other(c, &other, d)) &&
                      evaluate_all(c, &samples, &s, c->other ? &other : NULL, r, d);
    session_close(&other);
    labels_free(&samples);
    session_close(&s);
    return good;
}

/* ---- Report ---- */

static double share(int part, const result *r) { return r->count ? (double)part / r->count : 0; }

static double sqnr(const result *r) { return r->noise > 0 ? 10 * log10(r->signal / r->noise) : INFINITY; }

static bool print_json(const command *c, const result *r, diag *d)
{
    json_t *o = json_pack("{s:i, s:f, s:f}", "samples", r->count, "top1", share(r->top1, r), "top5", share(r->top5, r));
    json_t *other = !c->other ? json_object() /* sqnr_db is null when all are equal */
                              : json_pack("{s:f, s:f, s:f, s:o}", "other_top1", share(r->other_top1, r), "other_top5",
                                          share(r->other_top5, r), "agreement", share(r->agree, r), "sqnr_db",
                                          isfinite(sqnr(r)) ? json_real(sqnr(r)) : json_null());
    char *text = json_object_update(o, other) == 0 ? json_dumps(o, JSON_REAL_PRECISION(9)) : NULL;
    const bool good = text || diag_error(d, NULL, "out of memory");
    if (good)
        puts(text);
    free(text);
    json_decref(other);
    json_decref(o);
    return good;
}

static void print_text(const command *c, const result *r)
{
    printf("%s: top-1 %.2f %%, top-5 %.2f %% of %d samples\n", c->file, 100 * share(r->top1, r),
           100 * share(r->top5, r), r->count);
    if (!c->other)
        return;
    printf("%s: top-1 %.2f %%, top-5 %.2f %%\n", c->other, 100 * share(r->other_top1, r),
           100 * share(r->other_top5, r));
    printf("same class for %.2f %%, signal to noise %.2f dB\n", 100 * share(r->agree, r), sqnr(r));
}

static int perform(int argc, char **argv)
{
    command c = {.options = driver_defaults(OPTION_EVAL), .threads = 1, .calibration = calibrate_defaults()};
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
    bool good = evaluate(&c, &r, &d);
    if (good && c.json)
        good = print_json(&c, &r, &d);
    else if (good)
        print_text(&c, &r);
    if (!good)
        driver_print_error(OPTION_EVAL, &d);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) { return program_main(OPTION_EVAL, perform, argc, argv); }
