/* check-op: compiles graphs in textual IR and compares them with the interpreter (compiled.h).
 *
 *     check-op FILE.qir… [--seed=N] [--rounds=N] [--first-round=N] [--target=T] [--opt=N] [--passes[=N]|--lowered]
 *              [--rounding=R] [--const=a,b] [--tolerance=X] [--sums] [--bounds] [--edges=N]
 *
 * Without --passes every value gets a buffer of its own, so the emitters are tested as they are; --lowered runs the passes
 * before that which bring the graph into the backend's form; with --passes the graph goes through the whole pipeline,
 * of level --opt or N.
 * Inputs named `w`, `bias` or `const…`, or listed in --const, become constants with random contents.
 *
 * With --sums the tolerance counts from an output's largest magnitude: for sums in another order than the interpreter's.
 * With --bounds there is none: what floats may differ by follows from the ops (bounds.h).
 * Behind the rounds come --edges=N more (4 unless said, none with --bounds) in which inputs hold NaN, infinities, huge numbers,
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
    bool verbose;
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

static bool check_graph(const char *path, const char *text, size_t length, const config *c)
{
    compiled_report report = {0};
    diag d = {0};
    ir_graph *reference = graph_load(path, text, length, c, &d);
    ir_graph *compiled = reference ? graph_load(path, text, length, c, &d) : NULL;
    const bool ok = compiled && compiled_check(reference, compiled, &c->check, &report) == COMPILED_SAME;

    if (!ok)
        fprintf(stderr, "%s: %s\n", path, compiled ? report.text : d.text);
    if (ok && c->verbose)
        printf("%s: ok\n", path);
    ir_graph_free(reference);
    ir_graph_free(compiled);
    return ok;
}

/* Graphs of a file follow one another; each begins a line with `graph`.  Returns the failures. */
static int check_file(const char *path, const config *c)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    int failures = 0, number = 0;

    if (!file) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return 1;
    }
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    for (const char *at = text; *at; number++) {
        const char *next = strstr(at + 1, "\ngraph ");
        size_t length = next ? (size_t)(next + 1 - at) : strlen(at);
        if (!check_graph(path, at, length, c)) {
            failures++;
            fprintf(stderr, "%s, graph %d (%.*s): FAILED (target %s)\n", path, number, (int)strcspn(at, "\n"), at,
                    c->check.target);
        }
        at += length;
    }
    return failures;
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
    else if ((v = option_value(arg, "--const")))
        c->constants = v;
    else if ((v = option_value(arg, "--tolerance")))
        c->check.tolerance = atof(v);
    else if ((v = option_value(arg, "--first-round")))
        c->check.first_round = atoi(v);
    else if ((v = option_value(arg, "--opt")))
        c->check.opt_level = c->check.pass_level = atoi(v);
    else if ((v = option_value(arg, "--passes")))
        c->check.form = COMPILED_PIPELINE, c->check.pass_level = atoi(v);
    else if ((v = option_value(arg, "--rounding")) && ir_enum_from_text(IR_KIND_ENUM_ROUNDING, v, strlen(v), &rounding)) {
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
    config c = {.check = {"native", .seed = 1, .rounds = 8, .edge_rounds = -1, .opt_level = 2, .pass_level = 2, .tolerance = 2e-6,
                          .check_keys = true}};
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
