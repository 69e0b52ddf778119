/* qcc-opt.c: runs passes over a graph and prints the result in text form.  Exit codes: 0 fine, 1 a failure, 2 bad
 * usage.
 *
 *     qcc-opt --passes=fold,dce --verify-each m.qir
 *     qcc-opt --lower --check m.qir          the whole pipeline; the interpreter's outputs must stay the same */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "compiler/driver.h"
#include "compiler/output/dot.h"
#include "compiler/output/output.h"
#include "compiler/output/program.h"
#include "compiler/weight_options.h"
#include "passes/pass.h"
#include "tools/check_values.h"
#include "tools/opt_ranges.h"

enum { EXIT_USAGE = 2 };

typedef struct command {
    driver_options options;
    const char *file, *output, *dot;
    driver_list passes, ranges;
    pass_calibration calibration; /* of --range */
    char *pass_text;              /* what the names of `passes` point into */
    bool has_passes, lower, check, quiet, list_passes, list_ops;
} command;

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

static bool set_passes(command *c, const char *value, char *error, size_t size)
{
    char *rest;
    free(c->pass_text);
    c->passes.count = 0;
    c->has_passes = true;
    c->pass_text = strdup(value);
    for (char *name = strtok_r(c->pass_text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (!pass_find(name))
            return fail(error, size, "there is no pass '%s' (see --list-passes)", name);
        if (c->passes.count == DRIVER_MAX_LIST)
            return fail(error, size, "more passes than this program takes, at %s", name);
        c->passes.item[c->passes.count++] = name;
    }
    return true;
}

static bool set_option(void *context, option_id id, const char *value, char *error, size_t size)
{
    command *c = context;
    bool known;
    switch (id) {
    case OPT_OUTPUT: c->output = value; return true;
    case OPT_DOT: c->dot = value; return true;
    case OPT_PASSES: return set_passes(c, value, error, size);
    case OPT_RANGE:
        if (c->ranges.count == DRIVER_MAX_LIST)
            return fail(error, size, "more ranges than this program takes, at %s", value);
        c->ranges.item[c->ranges.count++] = value;
        return true;
    case OPT_ACTIVATION_BITS: return weight_options_activation_bits(&c->calibration, value, error, size);
    case OPT_LOWER: c->lower = true; return true;
    case OPT_CHECK: c->check = true; return true;
    case OPT_QUIET: c->quiet = true; return true;
    case OPT_LIST_PASSES: c->list_passes = true; return true;
    case OPT_LIST_OPS: c->list_ops = true; return true;
    case OPT_COUNT:
        if (c->file)
            return fail(error, size, "more than one graph: %s", value);
        c->file = value;
        return true;
    default:
        if (!weight_options_set(&c->calibration, id, value, &known, error, size))
            return false;
        return known || driver_set(&c->options, id, value, &known, error, size);
    }
}

typedef struct outputs {
    output_set set;
    int text, dot; /* OUTPUT_NONE: not asked for */
} outputs;

static bool declare_all(const command *c, outputs *o, diag *d)
{
    o->text = o->dot = OUTPUT_NONE;
    if (!output_keep(&o->set, c->file, d))
        return false;
    if ((c->output || !c->quiet) &&
        (o->text = output_declare(&o->set, c->output ? c->output : "-", 0666, d)) == OUTPUT_NONE)
        return false;
    return !c->dot || (o->dot = output_declare(&o->set, c->dot, 0666, d)) != OUTPUT_NONE;
}

static bool write_result(outputs *o, const ir_graph *g, diag *d)
{
    char *text = NULL, *dot = NULL;
    size_t length, dot_length;
    bool good = ir_print(g, &text, &length) || diag_error(d, NULL, "out of memory");
    good = good && (o->text == OUTPUT_NONE || output_add(&o->set, o->text, text, length, d));
    if (good && o->dot != OUTPUT_NONE) {
        dot = dot_text(g, &dot_length);
        good = dot ? output_add(&o->set, o->dot, dot, dot_length, d) : diag_error(d, NULL, "out of memory");
    }
    good = good && output_commit(&o->set, d);
    free(text);
    free(dot);
    return good;
}

static bool transform(command *c, outputs *o, diag *d)
{
    driver_module m, original = {0};
    if (!driver_import(&c->options, c->file, &m, d))
        return false;
    if (c->check) { /* a copy, through the text form: stdin can't be read twice */
        char *text;
        size_t length;
        bool good = ir_print(m.graph, &text, &length) || diag_error(d, NULL, "out of memory");
        original.bytes = (uint8_t *)(good ? text : NULL);
        original.graph = good ? ir_parse(text, length, m.file, d) : NULL;
    }
    bool good = !c->check || original.graph;
    good = good && ir_verify(m.graph, d);
    if (c->options.quantize == PASS_QUANTIZE_DYNAMIC)
        c->options.calibration = &c->calibration;
    if (good && c->ranges.count > 0) {
        c->options.calibration = &c->calibration;
        good = opt_ranges(m.graph, &c->ranges, &c->calibration, d);
    }
    good = good && driver_passes(&c->options, &m, c->lower, c->has_passes ? c->passes.item : NULL, c->passes.count, d);
    good = good && ir_verify(m.graph, d) && (!c->check || check_values(original.graph, m.graph, d));
    good = good && write_result(o, m.graph, d);
    driver_module_free(&original);
    driver_module_free(&m);
    return good;
}

static int perform(int argc, char **argv)
{
    command c = {.options = driver_defaults(OPTION_OPT), .calibration = {.activation_bits = 8}};
    switch (options_parse(OPTION_OPT, argc, argv, set_option, &c)) {
    case OPTION_GO: break;
    case OPTION_EXIT_OK: return EXIT_SUCCESS;
    case OPTION_EXIT_USAGE: return EXIT_USAGE;
    }
    if (c.list_passes)
        driver_list_passes();
    if (c.list_ops)
        driver_list_ops();
    if (c.list_passes || c.list_ops)
        return EXIT_SUCCESS;
    if (!c.file) {
        options_usage_error(OPTION_OPT, "no graph given");
        return EXIT_USAGE;
    }
    diag_refusals refusals;
    diag d = driver_diag(OPTION_OPT, &refusals);
    outputs o = {.set = {.count = 0}};
    c.options.files = &o.set;
    const bool good = declare_all(&c, &o, &d) && transform(&c, &o, &d);
    output_discard(&o.set);
    free(c.pass_text);
    if (!good)
        driver_print_error(OPTION_OPT, &d);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) { return program_main(OPTION_OPT, perform, argc, argv); }
