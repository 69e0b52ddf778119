/* emission.c: a model file -> what the options ask for: machine code, a header, a graph, reports. */
#define _GNU_SOURCE
#include "compiler/emission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/names.h"
#include "compiler/output/dot.h"
#include "compiler/output/header.h"
#include "compiler/progress.h"
#include "compiler/report/report.h"
#include "compiler/shapes.h"
#include "exporters/export.h"
#include "ir/size_limits.h"

static const struct {
    const char *name, *extension;
    emission_kind kind;
} kinds[] = {
    {"obj", ".o", EMISSION_OBJECT}, {"shared", ".so", EMISSION_SHARED}, {"asm", ".s", EMISSION_ASSEMBLY},
    {"llvm", ".ll", EMISSION_LLVM}, {"ir", ".qir", EMISSION_IR},        {"tflite", ".tflite", EMISSION_TFLITE},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- Options ---- */

static bool fail(char *error, size_t size, const char *format, const char *value)
{
    snprintf(error, size, format, value);
    return false;
}

static bool set_emit(emission *c, const char *value, char *error, size_t size)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, value) == 0)
            c->kind = kinds[i].kind;
    return c->kind != EMISSION_NONE || fail(error, size, "'%s' is none of obj, shared, asm, llvm, ir, tflite", value);
}

static bool set_name(emission *c, const char *value, char *error, size_t size)
{
    const char *reason = strlen(value) < EMISSION_NAME_BYTES ? names_refuse(value) : "it is too long";
    if (reason)
        snprintf(error, size, "a model can't be called '%s': %s", value, reason);
    else
        snprintf(c->name, sizeof c->name, "%s", value);
    return !reason;
}

static bool set_weights(emission *c, const char *value)
{
    c->options.external_weights = strcmp(value, "embed") != 0;
    c->weights = c->options.external_weights ? value : NULL;
    return true;
}

static bool set_report(emission *c, const char *value, char *error, size_t size)
{
    const char *dot = strrchr(value, '.');
    if (!dot || (strcmp(dot, ".json") != 0 && strcmp(dot, ".html") != 0))
        return fail(error, size, "'%s' ends neither in .json nor in .html", value);
    return driver_list_add(&c->reports, value, error, size);
}

bool emission_set(emission *c, option_id id, const char *value, bool *out_known, char *error, size_t size)
{
    *out_known = true;
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
    case OPT_COUNT:
        if (c->model)
            return fail(error, size, "more than one model: %s", value);
        c->model = value;
        return true;
    default: return driver_set(&c->options, id, value, out_known, error, size);
    }
}

/* As C compilers do: in this folder, called as the model, with the extension of what it is. */
static const char *choose_output(emission *c)
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

bool emission_is_graph(const emission *c) { return c->kind == EMISSION_IR || c->kind == EMISSION_TFLITE; }

const char *emission_complete(emission *c)
{
    const char *problem = !c->model ? "no model given" : c->output ? NULL : choose_output(c);
    if (problem)
        return problem;
    const char *slash = strrchr(c->output, '/'), *dot = strrchr(slash ? slash : c->output, '.');
    for (int i = 0; i < KINDS && c->kind == EMISSION_NONE; i++)
        if (dot && strcmp(kinds[i].extension, dot) == 0)
            c->kind = kinds[i].kind;
    if (c->kind == EMISSION_NONE && strcmp(c->output, "-") == 0)
        return "-o - does not say what to write: --emit=KIND is missing";
    if (c->kind == EMISSION_NONE)
        return "the output's extension is none of .o .so .s .ll .qir .tflite, and there is no --emit";
    if (c->options.external_weights && c->kind != EMISSION_OBJECT && c->kind != EMISSION_SHARED)
        return "--weights=FILE goes with objects and shared libraries only";
    if (shapes_count(&c->options) > 1 && (emission_is_graph(c) || c->reports.count || c->dot))
        return "lists of shapes go with machine code only, and without --report and --dot, which tell of one shape";
    if (c->header && emission_is_graph(c))
        return "--header=FILE goes with machine code only";
    if (c->kind == EMISSION_SHARED && output_in_place(c->output))
        return "a shared library needs a file, not stdout or a device";
    if (!c->name[0])
        names_from_path(strcmp(c->output, "-") == 0 ? "model" : c->output, c->name, sizeof c->name);
    c->options.name = c->name;
    c->options.shared = c->kind == EMISSION_SHARED;
    c->options.exchange = c->kind == EMISSION_TFLITE;
    if (c->options.exchange && !c->options.rounding_given) { /* as those that will run it round */
        c->options.rounding = IR_ROUNDING_FIXED_TWICE;
        c->options.rounding_given = true;
    }
    return NULL;
}

/* ---- Outputs ---- */

typedef struct outputs {
    output_set set;
    int main, header, dot, weights; /* OUTPUT_NONE: not asked for */
    int reports[DRIVER_MAX_LIST];   /* as many as emission.reports */
} outputs;

static bool declare(outputs *o, int *out_file, const char *path, unsigned mode, diag *d)
{
    *out_file = path ? output_declare(&o->set, path, mode, d) : OUTPUT_NONE;
    return !path || *out_file != OUTPUT_NONE;
}

/* Beside an object or a library, if that has a place. */
static bool declare_default_header(const emission *c, outputs *o, diag *d)
{
    const bool embedded = c->kind == EMISSION_OBJECT || c->kind == EMISSION_SHARED;
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

static bool declare_reports(const emission *c, outputs *o, diag *d)
{
    for (int i = 0; i < c->reports.count; i++)
        if (!declare(o, &o->reports[i], c->reports.item[i], 0666, d))
            return false;
    return true;
}

/* Everything that this command reads and writes, before it does. */
static bool declare_all(const emission *c, outputs *o, diag *d)
{
    return output_keep(&o->set, c->model, d) &&
           declare(o, &o->main, c->output, c->kind == EMISSION_SHARED ? 0777 : 0666, d) &&
           (c->header ? declare(o, &o->header, c->header, 0666, d) : declare_default_header(c, o, d)) &&
           declare(o, &o->weights, c->weights, 0666, d) && declare_reports(c, o, d) &&
           declare(o, &o->dot, c->dot, 0666, d);
}

static bool add_header(const emission *c, const driver_module *m, const cg_output *code, outputs *o, diag *d)
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

static bool add_views(const emission *c, const driver_module *m, const cg_output *code, outputs *o, diag *d)
{
    size_t length = 0;
    const report_facts facts = {.name = c->name,
                                .source = m->file,
                                .targets = c->options.targets,
                                .float_is_asked_for = driver_wants_float(&c->options),
                                .object_bytes = code->size + (code->separate ? 0 : code->parts_bytes)};
    for (int i = 0; i < c->reports.count; i++) {
        char *text = report_text(m->graph, &facts, report_is_html(c->reports.item[i]), &length);
        if (!add_text(&o->set, o->reports[i], text, length, d))
            return false;
    }
    if (o->dot == OUTPUT_NONE)
        return true;
    char *text = dot_text(m->graph, &length);
    return add_text(&o->set, o->dot, text, length, d);
}

/* The text of the graph.  That nothing becomes integers was the wish of this run, not of who reads the file. */
static char *text_of(const emission *c, const ir_graph *of, size_t *out_length)
{
    char *text = NULL;
    ir_graph *g = ir_graph_copy(of);
    for (ir_op *op = g->first; op && c->options.quantize == PASS_QUANTIZE_NONE; op = op->next) {
        op->keep_float = false;
        op->why_float = NULL;
    }
    const bool good = ir_print(g, &text, out_length);
    ir_graph_free(g);
    return good ? text : NULL;
}

static bool add_ir(const emission *c, driver_module *m, outputs *o, diag *d)
{
    size_t length = 0;
    const cg_output none = {0};
    if (!driver_optimize(&c->options, m, d))
        return false;
    char *text = text_of(c, m->graph, &length);
    return add_text(&o->set, o->main, text, length, d) && add_views(c, m, &none, o, d);
}

static bool add_tflite(const emission *c, driver_module *m, outputs *o, diag *d)
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

static bool add_shared(const emission *c, const cg_output *code, outputs *o, diag *d)
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

static bool add_code(const emission *c, driver_module *m, outputs *o, diag *d)
{
    static const cg_emit emits[] = {[EMISSION_OBJECT] = CG_EMIT_OBJECT,
                                    [EMISSION_SHARED] = CG_EMIT_OBJECT,
                                    [EMISSION_ASSEMBLY] = CG_EMIT_ASSEMBLY,
                                    [EMISSION_LLVM] = CG_EMIT_LLVM};
    cg_output code = {0};
    progress_stage("optimizing");
    if (!driver_lower(&c->options, m, d))
        return false;
    progress_stage("generating code");
    if (!driver_compile(&c->options, m, emits[c->kind], &code, d))
        return false;
    progress_stage(c->kind == EMISSION_SHARED ? "linking" : "writing");
    bool good = c->kind == EMISSION_SHARED ? add_shared(c, &code, o, d) : add_object(&code, o, d);
    if (good && o->weights != OUTPUT_NONE)
        good = output_add_parts(&o->set, o->weights, code.parts, code.part_count, d);
    good = good && add_header(c, m, &code, o, d) && add_views(c, m, &code, o, d);
    cg_output_free(&code);
    return good;
}

typedef struct compilation {
    emission *command;
    driver_module module;
    outputs outputs;
    diag *diag;
    bool good;
} compilation;

static void run_compilation(void *context)
{
    compilation *x = context;
    emission *c = x->command;
    progress_stage("reading");
    x->good = declare_all(c, &x->outputs, x->diag) && driver_import(&c->options, c->model, &x->module, x->diag) &&
              (c->kind == EMISSION_IR       ? add_ir
               : c->kind == EMISSION_TFLITE ? add_tflite
                                            : add_code)(c, &x->module, &x->outputs, x->diag) &&
              output_commit(&x->outputs.set, x->diag);
}

bool emission_run(emission *c, diag *d)
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
