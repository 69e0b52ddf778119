/* qcc-run.c: runs a model, and compares, times or profiles it.  Exit codes: 0 fine, 1 a failure or a difference past
 * the tolerance, 2 bad usage. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/output/program.h"
#include "compiler/progress.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/run/npy.h"
#include "compiler/run/samples.h"
#include "compiler/run/session.h"
#include "compiler/shapes.h"
#include "runtime/pool.h"
#include "tools/classes.h"
#include "tools/run/bench.h"
#include "tools/run/profile.h"
#include "tools/run/run_report.h"
#include "tools/run/show_output.h"

enum { EXIT_USAGE = 2, DEFAULT_TOP = 5, SEED_PER_STEP = 1000 };

typedef struct command {
    driver_options options;
    calibrate_options calibration;
    const char *file, *reference;
    driver_list inputs, outputs, expected, reports;
    driver_list *open_list; /* takes further .npy arguments */
    long seed, threads, steps;
    double tolerance, bench_seconds;
    bool interpret, bench, profile, json;
    class_options classes;
} command;

typedef struct outputs {
    output_set set;
    int arrays[DRIVER_MAX_LIST], reports[DRIVER_MAX_LIST]; /* as many as command.outputs, command.reports */
} outputs;

/* ---- Options ---- */

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

static bool append(command *c, driver_list *list, const char *value, char *error, size_t size)
{
    if (list->count == DRIVER_MAX_LIST)
        return fail(error, size, "more arrays than this program takes, at %s", value);
    list->item[list->count++] = value;
    c->calibration.others_prepare |= list == &c->inputs && samples_is_picture(value);
    c->open_list = list;
    return true;
}

static bool has_extension(const char *path, const char *extension)
{
    const size_t length = strlen(path), tail = strlen(extension);
    return length >= tail && strcmp(path + length - tail, extension) == 0;
}

static bool set_argument(command *c, const char *value, char *error, size_t size)
{
    const bool input = c->open_list == &c->inputs && samples_is_picture(value);
    if (c->open_list && (input || has_extension(value, ".npy")))
        return append(c, c->open_list, value, error, size);
    c->open_list = NULL;
    if (c->file)
        return fail(error, size, "more than one model: %s", value);
    c->file = value;
    return true;
}

static bool set_report(command *c, const char *value, char *error, size_t size)
{
    if (!has_extension(value, ".json") && !has_extension(value, ".html"))
        return fail(error, size, "'%s' ends neither in .json nor in .html", value);
    return driver_list_add(&c->reports, value, error, size);
}

static bool set_option(void *context, option_id id, const char *value, char *error, size_t size)
{
    command *c = context;
    bool known;
    if (id != OPT_COUNT)
        c->open_list = NULL;
    switch (id) {
    case OPT_INPUT: return append(c, &c->inputs, value, error, size);
    case OPT_OUTPUT: return append(c, &c->outputs, value, error, size);
    case OPT_COMPARE_NPY: return append(c, &c->expected, value, error, size);
    case OPT_RANDOM: return options_number(value, 0, UINT32_MAX, &c->seed, error, size);
    case OPT_THREADS: return options_number(value, 1, 1024, &c->threads, error, size);
    case OPT_STEPS: return options_number(value, 1, 1000000, &c->steps, error, size);
    case OPT_TOLERANCE: return options_real(value, &c->tolerance, error, size);
    case OPT_CLASS_NAMES: c->classes.names = value; return true;
    case OPT_LABEL_OFFSET: return options_number(value, 0, 1000000, &c->classes.offset, error, size);
    case OPT_TOP: return options_number(value, 1, 1000000, &c->classes.top, error, size);
    case OPT_INTERP: c->interpret = true; return true;
    case OPT_REFERENCE: c->reference = value; return true;
    case OPT_REPORT: return set_report(c, value, error, size);
    case OPT_PROFILE: c->profile = true; return true;
    case OPT_JSON: c->json = true; return true;
    case OPT_BENCH: c->bench = true; return !value || options_real(value, &c->bench_seconds, error, size);
    case OPT_COUNT: return set_argument(c, value, error, size);
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
    if (c->interpret && c->profile)
        return "--profile is about compiled code, --interp runs none";
    if (c->reports.count && shapes_count(&c->options) > 1)
        return "--report tells of one shape: --batch and --input-shape can't have lists";
    if (c->reports.count && c->interpret)
        return "--report is about compiled code, --interp runs none";
    if (c->reference && !c->reports.count)
        return "--reference is what --report compares with";
    if (c->json && !c->profile)
        return "--json goes with --profile";
    if (c->classes.offset && !c->classes.names)
        return "--label-offset goes with --labels=FILE";
    if (c->bench_seconds < 0 || c->tolerance < 0)
        return "--bench and --tolerance take no negative numbers";
    return calibrate_complete(&c->calibration, &c->options);
}

/* ---- Inputs and outputs ---- */

static bool load_input(const command *c, session *s, uint32_t index, diag *d)
{
    const char *path = c->inputs.item[index];
    if (samples_is_picture(path))
        return preprocess_picture(path, &c->calibration.preprocessing, &s->inputs[index], s->input_buffers[index], d);
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    const ir_type *type = &s->input_types[index];
    npy_array array;
    if (!npy_read(path, &array, d))
        return false;
    bool good = true;
    if (array.type.dtype != type->dtype)
        good = diag_error(d, &loc, "elements are %s, input %u (%s) takes %s", ir_dtype_text(array.type.dtype), index,
                          s->inputs[index].name, ir_dtype_text(type->dtype));
    else if (ir_type_elements(&array.type) != ir_type_elements(type))
        good = diag_error(d, &loc, "%" PRId64 " elements, input %u (%s) takes %" PRId64, ir_type_elements(&array.type),
                          index, s->inputs[index].name, ir_type_elements(type));
    else
        memcpy(s->input_buffers[index], array.bytes, s->inputs[index].bytes);
    free(array.bytes);
    return good;
}

static bool fill_inputs(const command *c, session *s, long step, diag *d)
{
    if (c->inputs.count > (int)s->input_count)
        return diag_error(d, NULL, "%d input files for %u inputs", c->inputs.count, s->input_count);
    for (uint32_t i = 0; i < s->input_count; i++)
        if ((int)i >= c->inputs.count)
            session_fill_random(s, i, (uint32_t)(c->seed + i + SEED_PER_STEP * step));
        else if (step == 0 && !load_input(c, s, i, d))
            return false;
    return true;
}

/* What runs, and what else there is in the object. */
static void print_target(const session *s)
{
    if (!s->model)
        return;
    printf("target: %s", s->variant->target);
    for (uint64_t i = 0; i < s->model->variant_count && s->model->variant_count > 1; i++)
        printf("%s%s", i ? "," : " of ", s->model->variants[i].target);
    printf("\n");
}

static bool add_outputs(const command *c, const session *s, outputs *o, diag *d)
{
    if (c->outputs.count > (int)s->output_count)
        return diag_error(d, NULL, "%d output files for %u outputs", c->outputs.count, s->output_count);
    for (int i = 0; i < c->outputs.count; i++)
        if (!npy_write(&o->set, o->arrays[i], &s->output_types[i], s->output_buffers[i], d))
            return false;
    return true;
}

/* ---- --compare ---- */

/* Prints the differences of one output; *out_within is cleared past the tolerance. */
static bool compare_output(const command *c, const session *s, uint32_t index, bool *out_within, diag *d)
{
    const char *path = c->expected.item[index];
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    const ir_type *type = &s->output_types[index];
    const int64_t count = ir_type_elements(type);
    npy_array want;
    if (!npy_read(path, &want, d))
        return false;
    if (want.type.dtype != type->dtype) {
        const ir_dtype other = want.type.dtype;
        free(want.bytes);
        return diag_error(d, &loc, "elements are %s, those of output %u (%s) are %s", ir_dtype_text(other), index,
                          s->outputs[index].name, ir_dtype_text(type->dtype));
    }
    if (ir_type_elements(&want.type) != count) {
        free(want.bytes);
        return diag_error(d, &loc, "%" PRId64 " elements, output %u (%s) has %" PRId64, ir_type_elements(&want.type),
                          index, s->outputs[index].name, count);
    }
    double largest = 0, sum = 0;
    int64_t differing = 0;
    for (int64_t i = 0; i < count; i++) {
        const double a = npy_element(type, s->output_buffers[index], i), b = npy_element(&want.type, want.bytes, i);
        double difference = a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b);
        if (isnan(difference))
            difference = INFINITY;
        largest = difference > largest ? difference : largest;
        sum += difference;
        differing += difference > 0;
    }
    printf("%s: max %.9g, mean %.9g, %" PRId64 " of %" PRId64 " differ\n", s->outputs[index].name, largest,
           count ? sum / (double)count : 0.0, differing, count);
    *out_within = *out_within && largest <= c->tolerance;
    free(want.bytes);
    return true;
}

static bool compare_outputs(const command *c, const session *s, bool *out_within, diag *d)
{
    if (c->expected.count > (int)s->output_count)
        return diag_error(d, NULL, "%d files to compare with for %u outputs", c->expected.count, s->output_count);
    for (int i = 0; i < c->expected.count; i++)
        if (!compare_output(c, s, (uint32_t)i, out_within, d))
            return false;
    return true;
}

/* ---- --bench, --profile and --report ---- */

/* Threads that wait for a CPU hold up all others at the end of each layer. */
static void remark_threads(const session *s, diag *d)
{
    const unsigned cpus = qcc_pool_cpus();
    if (s->threads > cpus)
        diag_warn(d, NULL, "%u threads share %u CPU%s, which measures the waiting", s->threads, cpus,
                  cpus == 1 ? "" : "s");
}

/* What is timed is timed in front of what is printed; --profile and --report tell of the same runs. */
static bool measure(const command *c, session *s, outputs *o, diag *d)
{
    bench_times times;
    const bool json = c->profile && c->json;
    if (c->bench && !bench_measure(s, c->bench_seconds, &times, d))
        return false;
    if (c->bench && !json)
        bench_print(s, &times);
    if (!c->profile && !c->reports.count)
        return true;
    double *seconds = profile_measure(s, c->bench_seconds, d);
    bool printed = seconds != NULL;
    if (printed && json)
        printed = profile_print_json(s, seconds, c->bench ? &times : NULL, d);
    else if (printed && c->profile)
        printed = profile_print(s, seconds, d);
    const bool good = printed && (!c->reports.count || run_report_add(s, &c->options, c->reference, seconds, &o->set,
                                                                      o->reports, c->reports.count, d));
    free(seconds);
    return good;
}

/* ---- Together ---- */

static bool keep_all(output_set *set, const driver_list *list, diag *d)
{
    for (int i = 0; i < list->count; i++)
        if (!output_keep(set, list->item[i], d))
            return false;
    return true;
}

/* Everything that this command reads and writes, before it does. */
static bool declare_all(const command *c, outputs *o, diag *d)
{
    if (!output_keep(&o->set, c->file, d) || (c->reference && !output_keep(&o->set, c->reference, d)) ||
        !keep_all(&o->set, &c->inputs, d) || !keep_all(&o->set, &c->expected, d))
        return false;
    for (int i = 0; i < c->outputs.count; i++) {
        o->arrays[i] = output_declare(&o->set, c->outputs.item[i], 0666, d);
        if (o->arrays[i] == OUTPUT_NONE)
            return false;
    }
    for (int i = 0; i < c->reports.count; i++) {
        o->reports[i] = output_declare(&o->set, c->reports.item[i], 0666, d);
        if (o->reports[i] == OUTPUT_NONE)
            return false;
    }
    return true;
}

/* What there is to see where nothing else is asked for. */
static bool show(const command *c, const session *s, diag *d)
{
    char text[PREPROCESS_TEXT];
    print_target(s);
    for (int i = 0; i < c->inputs.count; i++)
        if (samples_is_picture(c->inputs.item[i])) {
            if (!preprocess_describe(&c->calibration.preprocessing, &s->inputs[i], text, d))
                return false;
            printf("%s: %s\n", c->inputs.item[i], text);
        }
    if (c->classes.top)
        return classes_print(s, &c->classes, d);
    for (uint32_t i = 0; i < s->output_count; i++)
        show_output(s, i);
    return true;
}

/* With the model open; what is written gets its names last, all at once. */
static bool run_session(const command *c, session *s, outputs *o, bool *out_within, diag *d)
{
    bool good = true;
    for (long step = 0; good && step < c->steps; step++)
        good = fill_inputs(c, s, step, d) && session_run(s, d);
    good = good && add_outputs(c, s, o, d) && compare_outputs(c, s, out_within, d);
    if (good && !c->outputs.count && !c->expected.count && !c->bench && !c->profile && !c->reports.count)
        good = show(c, s, d);
    else if (good && c->classes.top)
        good = classes_print(s, &c->classes, d);
    if (good && (c->bench || c->profile || c->reports.count))
        remark_threads(s, d);
    if (good && (c->bench || c->profile || c->reports.count))
        good = measure(c, s, o, d);
    return good && output_commit(&o->set, d);
}

/* Arrays say which of a model's shapes is to run. */
static bool take_shapes(const command *c, session *s, diag *d)
{
    ir_type types[DRIVER_MAX_LIST];
    if (!s->model || qcc_model_shape_count(s->all_shapes ? s->all_shapes : s->model) == 1 || !c->inputs.count)
        return true;
    for (int i = 0; i < c->inputs.count; i++) {
        npy_array array;
        if (!npy_read(c->inputs.item[i], &array, d))
            return false;
        types[i] = array.type;
        free(array.bytes);
    }
    return session_take_shapes(s, types, (uint32_t)c->inputs.count, d);
}

static bool run(const command *c, bool *out_within, diag *d)
{
    session s;
    outputs o = {.set = {.count = 0}};
    bool good = declare_all(c, &o, d) && session_open(&s, &c->options, c->file, c->interpret, (unsigned)c->threads, d);
    if (good) {
        good = take_shapes(c, &s, d) && run_session(c, &s, &o, out_within, d);
        session_close(&s);
    }
    output_discard(&o.set);
    return good;
}

static int perform(int argc, char **argv)
{
    command c = {.options = driver_defaults(OPTION_RUN),
                 .calibration = calibrate_defaults(),
                 .seed = 1,
                 .threads = 1,
                 .steps = 1,
                 .bench_seconds = 1};
    switch (options_parse(OPTION_RUN, argc, argv, set_option, &c)) {
    case OPTION_GO: break;
    case OPTION_EXIT_OK: return EXIT_SUCCESS;
    case OPTION_EXIT_USAGE: return EXIT_USAGE;
    }
    diag_refusals refusals;
    diag d = driver_diag(OPTION_RUN, &refusals);
    if (c.file && !driver_model_there(c.file, &d)) {
        driver_print_error(OPTION_RUN, &d);
        return EXIT_FAILURE;
    }
    const char *problem = complete(&c);
    if (problem) {
        options_usage_error(OPTION_RUN, problem);
        return EXIT_USAGE;
    }
    if (c.classes.names && !c.classes.top)
        c.classes.top = DEFAULT_TOP;
    c.calibration.progress = progress_show;
    calibrate_install(&c.calibration, &c.options);
    bool within = true;
    if (!run(&c, &within, &d)) {
        driver_print_error(OPTION_RUN, &d);
        return EXIT_FAILURE;
    }
    return within ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) { return program_main(OPTION_RUN, perform, argc, argv); }
