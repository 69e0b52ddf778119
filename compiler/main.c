/* main.c: qcc's command line.  Exit codes: 0 fine, 1 the model can't be compiled, 2 bad usage. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/describe.h"
#include "compiler/dot.h"
#include "compiler/driver.h"
#include "compiler/header.h"
#include "compiler/names.h"
#include "compiler/output.h"
#include "compiler/program.h"
#include "compiler/progress.h"
#include "compiler/quantize/calibrate.h"
#include "compiler/report.h"
#include "compiler/shapes.h"
#include "exporters/export.h"
#include "ir/size_limits.h"

enum { EXIT_USAGE = 2, NAME_BYTES = 256 };

typedef enum kind { KIND_NONE, KIND_OBJECT, KIND_SHARED, KIND_ASSEMBLY, KIND_LLVM, KIND_IR, KIND_TFLITE } kind;

static const struct {
    const char *name, *extension;
    kind kind;
} kinds[] = {
    {"obj", ".o", KIND_OBJECT}, {"shared", ".so", KIND_SHARED}, {"asm", ".s", KIND_ASSEMBLY},
    {"llvm", ".ll", KIND_LLVM}, {"ir", ".qir", KIND_IR},        {"tflite", ".tflite", KIND_TFLITE},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef struct command {
    driver_options options;
    calibrate_options calibration;
    const char *model, *output, *header, *report, *dot, *weights;
    char *default_output; /* owned */
    char name[NAME_BYTES];
    bool no_header, list_passes, list_ops, list_operators, list_targets, list_kernels, describe, json;
    kind kind;
} command;

/* ---- Options ---- */

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

static bool set_emit(command *c, const char *value, char *error, size_t size)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, value) == 0)
            c->kind = kinds[i].kind;
    return c->kind != KIND_NONE || fail(error, size, "'%s' is none of obj, shared, asm, llvm, ir, tflite", value);
}

static bool set_name(command *c, const char *value, char *error, size_t size)
{
    const char *reason = strlen(value) < NAME_BYTES ? names_refuse(value) : "it is too long";
    if (reason)
        snprintf(error, size, "a model can't be called '%s': %s", value, reason);
    else
        snprintf(c->name, sizeof c->name, "%s", value);
    return !reason;
}

static bool set_weights(command *c, const char *value)
{
    c->options.external_weights = strcmp(value, "embed") != 0;
    c->weights = c->options.external_weights ? value : NULL;
    return true;
}

static bool set_report(command *c, const char *value, char *error, size_t size)
{
    const char *dot = strrchr(value, '.');
    c->report = value;
    return (dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".html") == 0)) ||
           fail(error, size, "'%s' ends neither in .json nor in .html", value);
}

static bool set_option(void *context, option_id id, const char *value, char *error, size_t size)
{
    command *c = context;
    bool known;
    switch (id) {
    case OPT_OUTPUT: c->output = value; return true;
    case OPT_EMIT: return set_emit(c, value, error, size);
    case OPT_HEADER:
        c->header = value;
        c->no_header = false;
        return true;
    case OPT_NO_HEADER:
        c->header = NULL;
        c->no_header = true;
        return true;
    case OPT_NAME: return set_name(c, value, error, size);
    case OPT_WEIGHTS: return set_weights(c, value);
    case OPT_REPORT: return set_report(c, value, error, size);
    case OPT_DOT: c->dot = value; return true;
    case OPT_DESCRIBE: c->describe = true; return true;
    case OPT_DESCRIBE_JSON: c->json = true; return true;
    case OPT_LIST_PASSES: c->list_passes = true; return true;
    case OPT_LIST_OPS: c->list_ops = true; return true;
    case OPT_LIST_OPERATORS: c->list_operators = true; return true;
    case OPT_LIST_TARGETS: c->list_targets = true; return true;
    case OPT_LIST_KERNELS: c->list_kernels = true; return true;
    case OPT_COUNT:
        if (c->model)
            return fail(error, size, "more than one model: %s", value);
        c->model = value;
        return true;
    default:
        if (!calibrate_set(&c->calibration, id, value, &known, error, size))
            return false;
        return known || driver_set(&c->options, id, value, &known, error, size);
    }
}

/* As C compilers do: in this folder, called as the model, with the extension of what it is. */
static const char *choose_output(command *c)
{
    int end = (int)strlen(c->model);
    while (end && c->model[end - 1] == '/') /* of a folder */
        end--;
    int begin = end;
    while (begin && c->model[begin - 1] != '/')
        begin--;
    const char *leaf = c->model + begin;
    int stem = end - begin;
    for (int i = stem - 1; i > 0; i--)
        if (leaf[i] == '.') {
            stem = i;
            break;
        }
    if (stem == 1 && *leaf == '.') /* . and .. have no name */
        stem = 0;
    const char *extension = kinds[0].extension;
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].kind == c->kind)
            extension = kinds[i].extension;
    if (stem == 0 || strcmp(c->model, "-") == 0)
        return "no output given: -o FILE is missing";
    if (asprintf(&c->default_output, "%.*s%s", stem, leaf, extension) < 0)
        return "out of memory";
    c->output = c->default_output;
    return NULL;
}

/* No machine code. */
static bool is_graph(const command *c) { return c->kind == KIND_IR || c->kind == KIND_TFLITE; }

/* What options say together; NULL or what is wrong. */
static const char *complete(command *c)
{
    const char *problem = !c->model ? "no model given" : c->output ? NULL : choose_output(c);
    if (problem)
        return problem;
    const char *slash = strrchr(c->output, '/'), *dot = strrchr(slash ? slash : c->output, '.');
    for (int i = 0; i < KINDS && c->kind == KIND_NONE; i++)
        if (dot && strcmp(kinds[i].extension, dot) == 0)
            c->kind = kinds[i].kind;
    if (c->kind == KIND_NONE && strcmp(c->output, "-") == 0)
        return "-o - does not say what to write: --emit=KIND is missing";
    if (c->kind == KIND_NONE)
        return "the output's extension is none of .o .so .s .ll .qir .tflite, and there is no --emit";
    if (c->json)
        return "--json goes with --describe only";
    if (calibrate_complete(&c->calibration, &c->options))
        return calibrate_complete(&c->calibration, &c->options);
    if (c->options.external_weights && c->kind != KIND_OBJECT && c->kind != KIND_SHARED)
        return "--weights=FILE goes with objects and shared libraries only";
    if (shapes_count(&c->options) > 1 && (is_graph(c) || c->report || c->dot))
        return "lists of shapes go with machine code only, and without --report and --dot, which tell of one shape";
    if (c->header && is_graph(c))
        return "--header=FILE goes with machine code only";
    if (c->kind == KIND_SHARED && output_in_place(c->output))
        return "a shared library needs a file, not stdout or a device";
    if (!c->name[0])
        names_from_path(strcmp(c->output, "-") == 0 ? "model" : c->output, c->name, sizeof c->name);
    calibrate_install(&c->calibration, &c->options);
    c->options.name = c->name;
    c->options.shared = c->kind == KIND_SHARED;
    c->options.exchange = c->kind == KIND_TFLITE;
    if (c->options.exchange && !c->options.rounding_given) { /* as those that will run it round */
        c->options.rounding = IR_ROUNDING_FIXED_TWICE;
        c->options.rounding_given = true;
    }
    return NULL;
}

/* ---- Outputs ---- */

typedef struct outputs {
    output_set set;
    int main, header, report, dot, weights; /* OUTPUT_NONE: not asked for */
} outputs;

static bool declare(outputs *o, int *out_file, const char *path, unsigned mode, diag *d)
{
    *out_file = path ? output_declare(&o->set, path, mode, d) : OUTPUT_NONE;
    return !path || *out_file != OUTPUT_NONE;
}

/* Beside an object or a library, if that has a place. */
static bool declare_default_header(const command *c, outputs *o, diag *d)
{
    const bool embedded = c->kind == KIND_OBJECT || c->kind == KIND_SHARED;
    o->header = OUTPUT_NONE;
    if (!embedded || c->no_header || output_in_place(c->output))
        return true;
    const char *slash = strrchr(c->output, '/'), *dot = strrchr(slash ? slash : c->output, '.');
    const int stem = dot && dot > c->output ? (int)(dot - c->output) : (int)strlen(c->output);
    char *path = NULL;
    if (asprintf(&path, "%.*s.h", stem, c->output) < 0)
        return diag_out_of_memory(d, NULL);
    const bool good = declare(o, &o->header, path, 0666, d);
    free(path);
    return good;
}

/* Everything that this command reads and writes, before it does. */
static bool declare_all(const command *c, outputs *o, diag *d)
{
    return output_keep(&o->set, c->model, d) &&
           declare(o, &o->main, c->output, c->kind == KIND_SHARED ? 0777 : 0666, d) &&
           (c->header ? declare(o, &o->header, c->header, 0666, d) : declare_default_header(c, o, d)) &&
           declare(o, &o->weights, c->weights, 0666, d) && declare(o, &o->report, c->report, 0666, d) &&
           declare(o, &o->dot, c->dot, 0666, d);
}

static bool add_header(const command *c, const driver_module *m, const cg_output *code, outputs *o, diag *d)
{
    if (o->header == OUTPUT_NONE)
        return true;
    const header_facts facts = {.name = c->name,
                                .source = m->file,
                                .targets = c->options.targets,
                                .external_weights = c->options.external_weights,
                                .weights_bytes = code->separate ? code->parts_bytes : 0,
                                .further = m->further,
                                .further_count = m->further_count};
    const char *text = header_text(m->graph, &facts);
    return output_add(&o->set, o->header, text, strlen(text), d);
}

static bool add_text(output_set *set, int file, char *text, size_t length, diag *d)
{
    const bool good = text ? output_add(set, file, text, length, d) : diag_out_of_memory(d, NULL);
    free(text);
    return good;
}

static bool add_views(const command *c, const driver_module *m, const cg_output *code, outputs *o, diag *d)
{
    size_t length = 0;
    const report_facts facts = {.name = c->name,
                                .source = m->file,
                                .targets = c->options.targets,
                                .float_is_asked_for = driver_wants_float(&c->options),
                                .object_bytes = code->size + (code->separate ? 0 : code->parts_bytes)};
    if (o->report != OUTPUT_NONE) {
        char *text = report_text(m->graph, &facts, strcmp(strrchr(c->report, '.'), ".html") == 0, &length);
        if (!add_text(&o->set, o->report, text, length, d))
            return false;
    }
    if (o->dot == OUTPUT_NONE)
        return true;
    char *text = dot_text(m->graph, &length);
    return add_text(&o->set, o->dot, text, length, d);
}

static bool add_ir(const command *c, driver_module *m, outputs *o, diag *d)
{
    char *text = NULL;
    size_t length = 0;
    const cg_output none = {0};
    if (!driver_optimize(&c->options, m, d))
        return false;
    if (!ir_print(m->graph, &text, &length))
        text = NULL;
    return add_text(&o->set, o->main, text, length, d) && add_views(c, m, &none, o, d);
}

static bool add_tflite(const command *c, driver_module *m, outputs *o, diag *d)
{
    uint8_t *bytes;
    size_t size;
    const cg_output none = {0};
    if (!driver_optimize(&c->options, m, d))
        return false;
    progress_stage("writing");
    arena *memory = arena_new();
    const bool good = export_tflite(m->graph, memory, &bytes, &size, d) &&
                      output_add(&o->set, o->main, bytes, size, d) && add_views(c, m, &none, o, d);
    arena_free(memory);
    return good;
}

static bool add_shared(const command *c, const cg_output *code, outputs *o, diag *d)
{
    const int fd = output_open(&o->set, o->main, d);
    return fd >= 0 && driver_link_shared(&c->options, code, fd, d);
}

static bool add_object(const cg_output *code, outputs *o, diag *d)
{
    const size_t count = code->separate ? 0 : code->part_count;
    cg_part *all = ARENA_ARRAY(code->memory, cg_part, count + 1);
    all[0] = (cg_part){code->bytes, code->size};
    for (size_t i = 0; i < count; i++)
        all[1 + i] = code->parts[i];
    return output_add_parts(&o->set, o->main, all, count + 1, d);
}

static bool add_code(const command *c, driver_module *m, outputs *o, diag *d)
{
    static const cg_emit emits[] = {[KIND_OBJECT] = CG_EMIT_OBJECT,
                                    [KIND_SHARED] = CG_EMIT_OBJECT,
                                    [KIND_ASSEMBLY] = CG_EMIT_ASSEMBLY,
                                    [KIND_LLVM] = CG_EMIT_LLVM};
    cg_output code = {0};
    progress_stage("optimizing");
    if (!driver_lower(&c->options, m, d))
        return false;
    progress_stage("generating code");
    if (!driver_compile(&c->options, m, emits[c->kind], &code, d))
        return false;
    progress_stage(c->kind == KIND_SHARED ? "linking" : "writing");
    bool good = c->kind == KIND_SHARED ? add_shared(c, &code, o, d) : add_object(&code, o, d);
    if (good && o->weights != OUTPUT_NONE)
        good = output_add_parts(&o->set, o->weights, code.parts, code.part_count, d);
    good = good && add_header(c, m, &code, o, d) && add_views(c, m, &code, o, d);
    cg_output_free(&code);
    return good;
}

typedef struct compilation {
    command *command;
    driver_module module;
    outputs outputs;
    diag *diag;
    bool good;
} compilation;

static void run_compilation(void *context)
{
    compilation *x = context;
    command *c = x->command;
    progress_stage("reading");
    x->good = declare_all(c, &x->outputs, x->diag) && driver_import(&c->options, c->model, &x->module, x->diag) &&
              (c->kind == KIND_IR       ? add_ir
               : c->kind == KIND_TFLITE ? add_tflite
                                        : add_code)(c, &x->module, &x->outputs, x->diag) &&
              output_commit(&x->outputs.set, x->diag);
}

static bool compile(command *c, diag *d)
{
    compilation x = {.command = c, .outputs = {.set = {.count = 0}}, .diag = d};
    c->options.files = &x.outputs.set;
    const arena_outcome outcome = arena_guard(run_compilation, &x);
    if (outcome != ARENA_DONE) {
        const ir_loc loc = {.file = c->model, .subgraph = -1, .node = -1};
        x.module.graph = NULL; /* is gone, as all graphs are */
        x.module.further_count = 0;
        x.good = ir_limits_memory(d, &loc, outcome);
    }
    progress_stage(NULL);
    output_discard(&x.outputs.set);
    driver_module_free(&x.module);
    return x.good;
}

/* Code that this machine can't run is what cross-compilers make, so scripts are not told; who sits at a terminal and did
 * not ask for it may not expect it. */
static void remark_target(const command *c, diag *d)
{
    char names[TARGET_SET_TEXT];
    const char *lacking = target_set_lacking(c->options.targets);
    if (isatty(STDERR_FILENO) && lacking && !c->options.targets_given && !is_graph(c))
        diag_warn(d, NULL, "the code is for %s, which this machine can't run: %s; --target=native makes code for it",
                  target_set_text(c->options.targets, names), lacking);
}

/* The same as `complete` of a command that compiles nothing. */
static const char *complete_description(command *c)
{
    if (!c->model)
        return "no model given";
    if (c->output || c->header || c->report || c->dot || c->weights || c->kind != KIND_NONE)
        return "--describe writes no files";
    return NULL;
}

static int work(command *c)
{
    diag_refusals refusals;
    diag d = driver_diag(OPTION_QCC, &refusals);
    const bool there = !c->model || driver_model_there(c->model, &d);
    const char *problem = !there ? NULL : c->describe ? complete_description(c) : complete(c);
    if (problem) {
        options_usage_error(OPTION_QCC, problem);
        return EXIT_USAGE;
    }
    if (!there || !(c->describe ? describe_model(&c->options, c->model, c->json, stdout, &d) : compile(c, &d))) {
        driver_print_error(OPTION_QCC, &d);
        return EXIT_FAILURE;
    }
    if (!c->describe)
        remark_target(c, &d);
    return EXIT_SUCCESS;
}

static int perform(int argc, char **argv)
{
    command c = {.options = driver_defaults(OPTION_QCC), .calibration = calibrate_defaults()};
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
    free(c.default_output);
    return status;
}

int main(int argc, char **argv) { return program_main(OPTION_QCC, perform, argc, argv); }
