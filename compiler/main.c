/* main.c: qcc's command line.  Exit codes: 0 fine, 1 the model can't be compiled, 2 bad usage. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "compiler/dot.h"
#include "compiler/driver.h"
#include "compiler/header.h"
#include "compiler/names.h"
#include "compiler/output.h"
#include "compiler/program.h"
#include "compiler/report.h"

enum { EXIT_USAGE = 2, NAME_BYTES = 256 };

typedef enum kind { KIND_NONE, KIND_OBJECT, KIND_SHARED, KIND_ASSEMBLY, KIND_LLVM, KIND_IR, KIND_TFLITE } kind;

static const struct { const char *name, *extension; kind kind; } kinds[] = {
    {"obj", ".o", KIND_OBJECT}, {"shared", ".so", KIND_SHARED}, {"asm", ".s", KIND_ASSEMBLY},
    {"llvm", ".ll", KIND_LLVM}, {"ir", ".qir", KIND_IR},        {"tflite", ".tflite", KIND_TFLITE},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef struct command {
    driver_options options;
    const char *model, *output, *header, *report, *dot, *weights;
    char name[NAME_BYTES];
    bool no_header, list_passes, list_ops;
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
    return c->kind != KIND_NONE || fail(error, size, "'%s' is none of obj, shared, asm, llvm, ir", value);
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
    case OPT_HEADER: c->header = value; return true;
    case OPT_NO_HEADER: c->no_header = true; return true;
    case OPT_NAME: return set_name(c, value, error, size);
    case OPT_WEIGHTS: return set_weights(c, value);
    case OPT_REPORT: return set_report(c, value, error, size);
    case OPT_DOT: c->dot = value; return true;
    case OPT_LIST_PASSES: c->list_passes = true; return true;
    case OPT_LIST_OPS: c->list_ops = true; return true;
    case OPT_COUNT:
        if (c->model)
            return fail(error, size, "more than one model: %s", value);
        c->model = value;
        return true;
    default: return driver_set(&c->options, id, value, &known, error, size);
    }
}

/* What options say together; NULL or what is wrong. */
static const char *complete(command *c)
{
    if (!c->model)
        return "no model given";
    if (!c->output)
        return "no output given: -o FILE is missing";
    const char *slash = strrchr(c->output, '/'), *dot = strrchr(slash ? slash : c->output, '.');
    for (int i = 0; i < KINDS && c->kind == KIND_NONE; i++)
        if (dot && strcmp(kinds[i].extension, dot) == 0)
            c->kind = kinds[i].kind;
    if (c->kind == KIND_NONE)
        return "the output's extension is none of .o .so .s .ll .qir, and there is no --emit";
    if (c->kind == KIND_TFLITE)
        return "writing TFLite models is not supported: this version quantizes no models";
    if (c->options.external_weights && c->kind != KIND_OBJECT && c->kind != KIND_SHARED)
        return "--weights=FILE goes with objects and shared libraries only";
    if (c->kind == KIND_SHARED && output_in_place(c->output))
        return "a shared library needs a file, not stdout or a device";
    if (!c->name[0])
        names_from_path(strcmp(c->output, "-") == 0 ? "model" : c->output, c->name, sizeof c->name);
    c->options.name = c->name;
    c->options.shared = c->kind == KIND_SHARED;
    return NULL;
}

/* ---- Outputs ---- */

static bool is_embedded_output(const command *c) { return c->kind == KIND_OBJECT || c->kind == KIND_SHARED; }

static bool add_header(const command *c, const driver_module *m, const cg_output *code, output_set *files, diag *d)
{
    if (c->no_header || (!c->header && (!is_embedded_output(c) || output_in_place(c->output))))
        return true;
    const char *path = c->header;
    if (!path) {
        const char *slash = strrchr(c->output, '/'), *dot = strrchr(slash ? slash : c->output, '.');
        const int stem = dot && dot > c->output ? (int)(dot - c->output) : (int)strlen(c->output);
        path = arena_format(m->graph->arena, "%.*s.h", stem, c->output);
    }
    const char *text = header_text(m->graph, c->name, m->file, c->options.external_weights, code->separate ? code->parts_bytes : 0);
    return output_add(files, path, text, strlen(text), d);
}

static bool add_report(const command *c, const driver_module *m, const cg_output *code, output_set *files, diag *d)
{
    if (!c->report)
        return true;
    const report_facts facts = {.name = c->name, .source = m->file, .target = c->options.target, .object_bytes = code->size + (code->separate ? 0 : code->parts_bytes)};
    size_t length;
    char *text = report_text(m->graph, &facts, strcmp(strrchr(c->report, '.'), ".html") == 0, &length);
    const bool good = text ? output_add(files, c->report, text, length, d) : diag_error(d, NULL, "out of memory");
    free(text);
    return good;
}

static bool add_dot(const command *c, const driver_module *m, output_set *files, diag *d)
{
    if (!c->dot)
        return true;
    size_t length;
    char *text = dot_text(m->graph, &length);
    const bool good = text ? output_add(files, c->dot, text, length, d) : diag_error(d, NULL, "out of memory");
    free(text);
    return good;
}

static bool add_ir(const command *c, driver_module *m, output_set *files, diag *d)
{
    char *text;
    size_t length;
    if (!driver_optimize(&c->options, m, d))
        return false;
    if (!ir_print(m->graph, &text, &length))
        return diag_error(d, NULL, "out of memory");
    const cg_output none = {0};
    const bool good = output_add(files, c->output, text, length, d) && add_dot(c, m, files, d) &&
                      add_report(c, m, &none, files, d);
    free(text);
    return good;
}

static bool add_shared(const command *c, const cg_output *code, output_set *files, diag *d)
{
    const char *temporary = output_reserve(files, c->output, 0777, d);
    return temporary && driver_link_shared(&c->options, code, temporary, d);
}

static bool add_object(const command *c, const cg_output *code, output_set *files, diag *d)
{
    const size_t count = code->separate ? 0 : code->part_count;
    cg_part *all = ARENA_ARRAY(code->memory, cg_part, count + 1);
    all[0] = (cg_part){code->bytes, code->size};
    for (size_t i = 0; i < count; i++)
        all[1 + i] = code->parts[i];
    return output_add_parts(files, c->output, all, count + 1, d);
}

static bool add_code(const command *c, driver_module *m, output_set *files, diag *d)
{
    static const cg_emit emits[] = {[KIND_OBJECT] = CG_EMIT_OBJECT, [KIND_SHARED] = CG_EMIT_OBJECT,
                                    [KIND_ASSEMBLY] = CG_EMIT_ASSEMBLY, [KIND_LLVM] = CG_EMIT_LLVM};
    cg_output code = {0};
    if (!driver_lower(&c->options, m, d) || !driver_compile(&c->options, m, emits[c->kind], &code, d))
        return false;
    bool good = c->kind == KIND_SHARED ? add_shared(c, &code, files, d)
                                       : add_object(c, &code, files, d);
    if (good && c->weights)
        good = output_add_parts(files, c->weights, code.parts, code.part_count, d);
    good = good && add_header(c, m, &code, files, d) && add_report(c, m, &code, files, d) && add_dot(c, m, files, d);
    cg_output_free(&code);
    return good;
}

static bool compile(const command *c, diag *d)
{
    driver_module m;
    output_set files = {0};
    if (!driver_import(&c->options, c->model, &m, d))
        return false;
    const bool good = (c->kind == KIND_IR ? add_ir(c, &m, &files, d) : add_code(c, &m, &files, d)) &&
                      output_commit(&files, d);
    output_discard(&files);
    driver_module_free(&m);
    return good;
}

static int perform(int argc, char **argv)
{
    command c = {.options = driver_defaults()};
    switch (options_parse(OPTION_QCC, argc, argv, set_option, &c)) {
    case OPTION_GO: break;
    case OPTION_EXIT_OK: return EXIT_SUCCESS;
    case OPTION_EXIT_USAGE: return EXIT_USAGE;
    }
    if (c.list_passes || c.list_ops) {
        if (c.list_passes)
            driver_list_passes();
        if (c.list_ops)
            driver_list_ops();
        return EXIT_SUCCESS;
    }
    const char *problem = complete(&c);
    if (problem) {
        options_usage_error(OPTION_QCC, problem);
        return EXIT_USAGE;
    }
    diag d = driver_diag(OPTION_QCC);
    if (compile(&c, &d))
        return EXIT_SUCCESS;
    driver_print_error(OPTION_QCC, &d);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    program_begin();
    return program_end(OPTION_QCC, perform(argc, argv));
}
