/* qcc-tune.c: trains a model for integers, and compiles it.  Exit codes: 0 fine, 1 a failure, 2 bad usage. */
#include <stdlib.h>

#include "compiler/emission.h"
#include "compiler/output/program.h"
#include "compiler/progress.h"
#include "compiler/quantize/calibrate_run.h"
#include "compiler/tune/config.h"
#include "tools/tune_progress.h"

enum { EXIT_USAGE = 2 };

typedef struct command {
    emission emission;
    tune_options tune;
    tune_config config;
} command;

static bool set_option(void *context, option_id id, const char *value, char *error, size_t size)
{
    command *c = context;
    bool known;
    if (id == OPT_CONFIG)
        return tune_config_read(&c->config, value, set_option, c, error, size);
    if (!tune_set(&c->tune, id, value, &known, error, size))
        return false;
    return known || emission_set(&c->emission, id, value, &known, error, size);
}

static const char *complete(command *c)
{
    const char *problem = emission_complete(&c->emission);
    return problem ? problem : tune_complete(&c->tune);
}

static void begin(command *c)
{
    driver_options *o = &c->emission.options;
    c->tune.file = c->emission.model;
    c->tune.report = tune_progress_show;
    c->tune.calibration.progress = progress_show;
    if (c->tune.training.threads)
        o->jobs = (long)c->tune.training.threads;
    else
        c->tune.training.threads = calibrate_threads(o, 1024);
    tune_install(&c->tune, o);
}

static int run(command *c)
{
    diag_refusals refusals;
    diag d = driver_diag(OPTION_TUNE, &refusals);
    const bool there = !c->emission.model || driver_model_there(c->emission.model, &d);
    const char *problem = there ? complete(c) : NULL;
    if (problem) {
        options_usage_error(OPTION_TUNE, problem);
        return EXIT_USAGE;
    }
    if (there)
        begin(c);
    const bool good = there && emission_run(&c->emission, &d);
    if (!good)
        driver_print_error(OPTION_TUNE, &d);
    free(c->emission.default_output);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int perform(int argc, char **argv)
{
    command c = {.emission = {.options = driver_defaults(OPTION_QCC)}, .tune = tune_defaults()};
    const option_outcome parsed = options_parse(OPTION_TUNE, argc, argv, set_option, &c);
    const int code = parsed == OPTION_GO ? run(&c) : parsed == OPTION_EXIT_OK ? EXIT_SUCCESS : EXIT_USAGE;
    tune_config_close(&c.config);
    return code;
}

int main(int argc, char **argv) { return program_main(OPTION_TUNE, perform, argc, argv); }
