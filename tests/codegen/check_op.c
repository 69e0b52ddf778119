/* check-op: compiles graphs in textual IR and compares them with the interpreter (compiled.h).
 *
 *     check-op FILE.qir… [--seed=N] [--rounds=N] [--first-round=N] [--target=T] [--opt=N] [--passes[=N]|--lowered]
 *              [--rounding=R] [--const=a,b] [--tolerance=X] [--sums] [--bounds] [--edges=N]
 *              [--kernel=NAME|--kernels] [--near=N]
 *
 * Without --passes every value gets a buffer of its own, so the emitters are tested as they are; --lowered runs the
 * passes before that which bring the graph into the backend's form; with --passes the graph goes through the whole
 * pipeline, of level --opt or N, and with --near=1 all of a batch that can be goes image by image.  With --kernel=NAME
 * that kernel does what it can; with --kernels a graph is checked with each kernel that can do one of its ops and would
 * not be chosen for it; a file without any is an error.  Inputs named `w`, `bias` or `const…`, or listed in --const,
 * become constants with random contents.
 *
 * With --sums the tolerance counts from an output's largest magnitude: for sums in another order than the
 * interpreter's.  With --bounds there is none: what floats may differ by follows from the ops (bounds.h).  Behind the
 * rounds come --edges=N more (4 unless said, none with --bounds) in which inputs hold NaN, infinities, huge numbers,
 * the ends of integer types, indices beyond all extents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/target/target.h"
#include "tests/codegen/compiled.h"
#include "tests/codegen/fill.h"

typedef struct config {
    compiled_options check;
    const char *constants;
    bool verbose, each_kernel;
    ir_enum_ROUNDING rounding;
    bool rounding_given;
} config;

/* ---- Graphs ---- */

static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, length) && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

static bool becomes_constant(const config *c, const char *name)
{
    return !strcmp(name, "w") || !strcmp(name, "bias") || !strncmp(name, "const", 5) || is_listed(c->constants, name);
}

static void inputs_to_constants(ir_graph *g, const config *c)
{
    int32_t kept = 0;

    for (int32_t i = 0; i < g->input_count; i++) {
        ir_value *v = g->inputs[i];
        if (becomes_constant(c, g->input_names[i])) {
            size_t bytes = ir_type_bytes(&v->type);
            void *data = arena_alloc(g->arena, bytes ? bytes : 1);
            fill_value(data, v, c->check.seed * 1000 + (uint64_t)i, FILL_CONSTANT);
            v->data = data;
            v->is_input = false;
            continue;
        }
        v->result = kept;
        g->inputs[kept] = v;
        g->input_names[kept++] = g->input_names[i];
    }
    g->input_count = kept;
}

static ir_graph *graph_load(const char *path, const char *text, size_t length, const config *c, diag *d)
{
    ir_graph *g = ir_parse(text, length, path, d);

    if (!g)
        return NULL;
    inputs_to_constants(g, c);
    for (ir_op *op = g->first; op && c->rounding_given; op = op->next)
        if (ir_has_attr(op, IR_ATTR_ROUNDING))
            ir_set_int(op, IR_ATTR_ROUNDING, c->rounding);
    if (ir_verify(g, d))
        return g;
    ir_graph_free(g);
    return NULL;
}

/* ---- One file ---- */

static bool check_once(const char *path, const char *text, size_t length, const config *c)
{
    compiled_report report = {0};
    diag d = {0};
    ir_graph *reference = graph_load(path, text, length, c, &d);
    ir_graph *compiled = reference ? graph_load(path, text, length, c, &d) : NULL;
    const bool ok = compiled && compiled_check(reference, compiled, &c->check, &report) == COMPILED_SAME;
    const char *kernel = c->check.kernel;

    if (!ok)
        fprintf(stderr, "%s%s%s: %s\n", path, kernel ? ", kernel " : "", kernel ? kernel : "",
                compiled ? report.text : d.text);
    if (ok && c->verbose)
        printf("%s%s%s: ok\n", path, kernel ? ", kernel " : "", kernel ? kernel : "");
    ir_graph_free(reference);
    ir_graph_free(compiled);
    return ok;
}

/* Can the kernel do an op of the graph for which another one would be chosen? */
static bool is_alternative(const ir_graph *g, const char *kernel, target_set targets)
{
    for (const ir_op *op = g->first; op; op = op->next) {
        ir_kernel chosen, forced;
        if (cg_choose_kernel(op, targets, kernel, g->arena, &forced) &&
            !(cg_choose_kernel(op, targets, NULL, g->arena, &chosen) && strcmp(chosen.name, kernel) == 0))
            return true;
    }
    return false;
}

/* A name that several ops have is taken with the first of them. */
static bool is_met_before(const ir_op *at, const char *kernel)
{
    for (const ir_op *op = at->prev; op; op = op->prev)
        for (int i = 0; cg_kernel_name(op->code, i); i++)
            if (strcmp(cg_kernel_name(op->code, i), kernel) == 0)
                return true;
    return false;
}

/* Counts the kernels. */
static bool check_each_kernel(const char *path, const char *text, size_t length, const config *c, int *count)
{
    diag d = {0};
    ir_graph *g = graph_load(path, text, length, c, &d);
    config with = *c;
    bool ok = g != NULL;

    if (!ok)
        fprintf(stderr, "%s: %s\n", path, d.text);
    for (const ir_op *op = g ? g->first : NULL; op; op = op->next)
        for (int i = 0; (with.check.kernel = cg_kernel_name(op->code, i)) != NULL; i++)
            if (!is_met_before(op, with.check.kernel) &&
                is_alternative(g, with.check.kernel, target_set_of(c->check.target))) {
                ok = check_once(path, text, length, &with) && ok;
                ++*count;
            }
    ir_graph_free(g);
    return ok;
}

/* Graphs of a file follow one another; each begins a line with `graph`.  Returns the failures. */
static int check_file(const char *path, const config *c)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    int failures = 0, number = 0, kernels = 0;

    if (!file) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return 1;
    }
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *first = strncmp(text, "graph ", 6) == 0 ? text : strstr(text, "\ngraph "); /* behind comments */
    for (const char *at = first ? first : text; *at; number++) {
        const char *next = strstr(at + 1, "\ngraph ");
        size_t length = next ? (size_t)(next + 1 - at) : strlen(at);
        if (!(c->each_kernel ? check_each_kernel(path, at, length, c, &kernels) : check_once(path, at, length, c))) {
            failures++;
            fprintf(stderr, "%s, graph %d (%.*s): FAILED (target %s)\n", path, number, (int)strcspn(at, "\n"), at,
                    c->check.target);
        }
        at += length;
    }
    if (c->each_kernel && !kernels)
        fprintf(stderr, "%s: no op that other kernels can do on %s\n", path, c->check.target);
    return failures + (c->each_kernel && !kernels);
}

static const char *option_value(const char *arg, const char *name)
{
    size_t length = strlen(name);

    return !strncmp(arg, name, length) && arg[length] == '=' ? arg + length + 1 : NULL;
}

static bool option_parse(config *c, const char *arg)
{
    const char *v;
    int64_t rounding;

    if ((v = option_value(arg, "--seed")))
        c->check.seed = strtoull(v, NULL, 0);
    else if ((v = option_value(arg, "--rounds")))
        c->check.rounds = atoi(v);
    else if ((v = option_value(arg, "--edges")))
        c->check.edge_rounds = atoi(v);
    else if ((v = option_value(arg, "--target")))
        c->check.target = v;
    else if ((v = option_value(arg, "--kernel")))
        c->check.kernel = v;
    else if (!strcmp(arg, "--kernels"))
        c->each_kernel = true;
    else if ((v = option_value(arg, "--const")))
        c->constants = v;
    else if ((v = option_value(arg, "--tolerance")))
        c->check.tolerance = atof(v);
    else if ((v = option_value(arg, "--first-round")))
        c->check.first_round = atoi(v);
    else if ((v = option_value(arg, "--opt")))
        c->check.opt_level = c->check.pass_level = atoi(v);
    else if ((v = option_value(arg, "--near")))
        c->check.near_bytes = atoi(v);
    else if ((v = option_value(arg, "--passes")))
        c->check.form = COMPILED_PIPELINE, c->check.pass_level = atoi(v);
    else if ((v = option_value(arg, "--rounding")) &&
             ir_enum_from_text(IR_KIND_ENUM_ROUNDING, v, strlen(v), &rounding)) {
        c->rounding = (ir_enum_ROUNDING)rounding;
        c->rounding_given = true;
    } else if (!strcmp(arg, "--passes"))
        c->check.form = COMPILED_PIPELINE;
    else if (!strcmp(arg, "--lowered"))
        c->check.form = COMPILED_LOWERED;
    else if (!strcmp(arg, "--bounds"))
        c->check.bounds = true;
    else if (!strcmp(arg, "--sums"))
        c->check.sums = true;
    else if (!strcmp(arg, "-v"))
        c->verbose = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    config c = {.check = {"native", .seed = 1, .rounds = 8, .edge_rounds = -1, .opt_level = 2, .pass_level = 2,
                          .tolerance = 2e-6, .check_keys = true}};
    int failures = 0, files = 0;

    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-' && !option_parse(&c, argv[i])) {
            fprintf(stderr, "check-op: unknown option '%s'\n", argv[i]);
            return 2;
        }
    if (c.check.edge_rounds < 0)
        c.check.edge_rounds = c.check.bounds ? 0 : FILL_EDGE_KINDS;
    if (target_refuses(c.check.target)) {
        printf("skipped: %s\n", target_refuses(c.check.target));
        return 77; /* meson: skipped */
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        files++;
        failures += check_file(argv[i], &c);
    }
    return failures ? 1 : files ? 0 : 2;
}
