/* main.c: qcc's command line.  Exit codes: 0 fine, 1 the model can't be compiled, 2 bad usage. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/describe.h"
#include "compiler/emission.h"
#include "compiler/output/program.h"
#include "compiler/progress.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/shapes.h"

enum { EXIT_USAGE = 2 };

typedef struct command {
    emission emission;
    calibrate_options calibration;
    bool list_passes, list_ops, list_operators, list_targets, list_kernels, describe, json;
} command;

/* ---- Options ---- */

static bool set_option(void *context, option_id id, const char *value, char *error, size_t size)
{
    command *c = context;
    bool known;
    switch (id) {
    case OPT_DESCRIBE: c->describe = true; return true;
    case OPT_DESCRIBE_JSON: c->json = true; return true;
    case OPT_LIST_PASSES: c->list_passes = true; return true;
    case OPT_LIST_OPS: c->list_ops = true; return true;
    case OPT_LIST_OPERATORS: c->list_operators = true; return true;
    case OPT_LIST_TARGETS: c->list_targets = true; return true;
    case OPT_LIST_KERNELS: c->list_kernels = true; return true;
    default:
        if (!calibrate_set(&c->calibration, id, value, &known, error, size))
            return false;
        return known || emission_set(&c->emission, id, value, &known, error, size);
    }
}

/* What options say together; NULL or what is wrong. */
static const char *complete(command *c)
{
    const char *problem = emission_complete(&c->emission);
    if (!problem && c->json)
        problem = "--json goes with --describe only";
    if (!problem)
        problem = calibrate_complete(&c->calibration, &c->emission.options);
    if (!problem)
        calibrate_install(&c->calibration, &c->emission.options);
    return problem;
}

/* Code that this machine can't run is what cross-compilers make, so scripts are not told; who sits at a terminal and did
 * not ask for it may not expect it. */
static void remark_target(const command *c, diag *d)
{
    char names[TARGET_SET_TEXT];
    const char *lacking = target_set_lacking(c->emission.options.targets);
    if (isatty(STDERR_FILENO) && lacking && !c->emission.options.targets_given && !emission_is_graph(&c->emission))
        diag_warn(d, NULL, "the code is for %s, which this machine can't run: %s; --target=native makes code for it",
                  target_set_text(c->emission.options.targets, names), lacking);
}

/* The same as `complete` of a command that compiles nothing. */
static const char *complete_description(command *c)
{
    if (!c->emission.model)
        return "no model given";
    const emission *e = &c->emission;
    if (e->output || e->header || e->reports.count || e->dot || e->weights || e->kind != EMISSION_NONE)
        return "--describe writes no files";
    if (shapes_count(&e->options) > 1)
        return "--describe tells of one shape, not of lists";
    return NULL;
}

static int work(command *c)
{
    diag_refusals refusals;
    diag d = driver_diag(OPTION_QCC, &refusals);
    const bool there = !c->emission.model || driver_model_there(c->emission.model, &d);
    const char *problem = !there ? NULL : c->describe ? complete_description(c) : complete(c);
    if (problem) {
        options_usage_error(OPTION_QCC, problem);
        return EXIT_USAGE;
    }
    if (!there || !(c->describe ? describe_model(&c->emission.options, c->emission.model, c->json, stdout, &d)
                                : emission_run(&c->emission, &d))) {
        driver_print_error(OPTION_QCC, &d);
        return EXIT_FAILURE;
    }
    if (!c->describe)
        remark_target(c, &d);
    return EXIT_SUCCESS;
}

static int perform(int argc, char **argv)
{
    command c = {.emission = {.options = driver_defaults(OPTION_QCC)}, .calibration = calibrate_defaults()};
    c.calibration.progress = progress_show;
    switch (options_parse(OPTION_QCC, argc, argv, set_option, &c)) {
    case OPTION_GO: break;
    case OPTION_EXIT_OK: return EXIT_SUCCESS;
    case OPTION_EXIT_USAGE: return EXIT_USAGE;
    }
    if (c.list_passes || c.list_ops || c.list_operators || c.list_targets || c.list_kernels) {
        if (c.list_passes)
            driver_list_passes();
        if (c.list_ops)
            driver_list_ops();
        if (c.list_operators)
            driver_list_operators();
        if (c.list_targets)
            driver_list_targets();
        if (c.list_kernels)
            driver_list_kernels();
        return EXIT_SUCCESS;
    }
    const int status = work(&c);
    free(c.emission.default_output);
    return status;
}

int main(int argc, char **argv) { return program_main(OPTION_QCC, perform, argc, argv); }
