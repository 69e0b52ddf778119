/* random-graphs: random graphs, compiled, against the interpreter.
 *
 *     random-graphs [--seed=N] [--count=N] [--target=T] [--opt=N] [--form=lowered|passes] [--passes=N] [--ops=a,b]
 *                   [--most-ops=N] [--rounds=N] [--edges=N] [--failures=N] [--print] [--brief] [--types]
 *                   [-v]
 *
 * Protects: whatever graph of the ops that the interpreter defines comes to the compiler, the code computes what the
 * interpreter says, or there is a diagnostic; with passes and without, at every level of optimization.
 *
 * Each seed is one graph, and what options leave open follows from it, too.  A failing graph is made smaller and
 * printed, with the command that runs it again; --brief leaves out both.  --print shows the graph of a seed and ends.
 * Behind the rounds of --rounds come --edges=N more, with NaN, infinities, huge and tiny numbers, the ends of integer
 * types.  --types checks, instead of drawn graphs, every combination of element types of every op.  A summary counts
 * graphs and, op by op, how many were compared and how many code generation refused. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/target/target.h"
#include "tests/codegen/fill.h"
#include "tests/random/draw.h"
#include "tests/random/minimise.h"
#include "tests/random/refusals.h"

enum { AS_DRAWN = -1, BATCH = 1000 /* graphs of a process, which LLVM lets grow */, EXIT_SKIPPED = 77, EXIT_USAGE = 2 };

typedef struct config {
    const char *target;
    uint64_t seed, count;
    int opt, form, passes; /* AS_DRAWN: each graph has its own */
    int rounds, edges, failures;
    draw_options draw;
    bool print, brief, types, verbose;
} config;

typedef struct op_count {
    uint64_t compared, refused;
} op_count;

typedef struct progress { /* shared with the process that runs the graphs */
    uint64_t seed;        /* being run */
    uint64_t graphs, same, refused, undrawn;
    op_count ops[IR_OPCODE_COUNT];
} progress;

/* ---- One seed ---- */

/* What the options leave open.  Most graphs are compiled without optimization: that is quick, and the emitters' work is
 * the same. */
static compiled_options variant_of(const config *c, uint64_t seed)
{
    static const int8_t opts[] = {0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, passes[] = {0, 0, 1, 2, 3, 3, 3, 3};
    static const int8_t forms[] = {COMPILED_LOWERED, COMPILED_LOWERED, COMPILED_PIPELINE, COMPILED_PIPELINE,
                                   COMPILED_PIPELINE};
    uint64_t state = seed * 0xd1342543de82ef95u + 7;
    const uint64_t a = fill_random(&state), b = fill_random(&state), f = fill_random(&state), r = fill_random(&state);

    return (compiled_options){.target = c->target,
                              .opt_level = c->opt == AS_DRAWN ? opts[a % sizeof opts] : c->opt,
                              .pass_level = c->passes == AS_DRAWN ? passes[b % sizeof passes] : c->passes,
                              .near_bytes = b >> 32 & 1,
                              .form =
                                  c->form == AS_DRAWN ? (compiled_form)forms[f % sizeof forms] : (compiled_form)c->form,
                              .seed = seed,
                              .first_round = (int)(r % FILL_KINDS),
                              .rounds = c->rounds,
                              .edge_rounds = c->edges,
                              .check_keys = true,
                              .bounds = true};
}

/* Integers have no NaN: passes that move them past other ops change what becomes of it. */
static bool quantizes(const ir_graph *g)
{
    const ir_op *op = g->first;

    while (op && op->code != IR_QUANTIZE)
        op = op->next;
    return op != NULL;
}

/* The text of a seed's graph; NULL: none.  *o: as it is compiled. */
static char *text_of(const config *c, uint64_t seed, compiled_options *o, size_t *out_length)
{
    draw_options options = c->draw;
    char *text = NULL;

    options.pipeline = o->form == COMPILED_PIPELINE;
    ir_graph *g = draw_graph(seed, &options);
    if (g && c->edges && options.pipeline && quantizes(g)) {
        ir_graph_free(g);
        o->form = COMPILED_LOWERED;
        options.pipeline = false;
        g = draw_graph(seed, &options);
    }
    if (g && !ir_print(g, &text, out_length))
        abort();
    ir_graph_free(g);
    return text;
}

static const char *form_option(const compiled_options *o, char *to, size_t size)
{
    if (o->form != COMPILED_PIPELINE)
        return o->form == COMPILED_LOWERED ? " --lowered" : "";
    snprintf(to, size, " --passes=%d", o->pass_level);
    return to;
}

static void print_failure(uint64_t seed, const compiled_options *o, const run_report *r, const char *text)
{
    char form[32];

    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, r->compiled.text);
    fprintf(
        stderr,
        "check-op GRAPH.qir --target=%s --opt=%d%s%s --seed=%llu --first-round=%d --rounds=%d --edges=%d --bounds\n%s\n",
        o->target, o->opt_level, form_option(o, form, sizeof form), o->near_bytes ? " --near=1" : "",
        (unsigned long long)o->seed, o->first_round, o->rounds, o->edge_rounds, text);
}

/* Once more, apart, and smaller. */
static void report_failure(const config *c, uint64_t seed)
{
    compiled_options o = variant_of(c, seed);
    size_t length;
    char *text = text_of(c, seed, &o, &length);
    run_report r;

    if (!c->brief)
        minimise(&text, &length, &o);
    run_apart(text, length, &o, &r);
    if (c->brief)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, r.compiled.text);
    else
        print_failure(seed, &o, &r, text);
    free(text);
}

/* ---- Many ---- */

static void count_ops(progress *p, const char *text, size_t length, const run_report *r)
{
    diag d = {0};
    ir_graph *g = ir_parse(text, length, "graph", &d);

    for (const ir_op *op = g->first; r->outcome == RUN_SAME && op; op = op->next)
        p->ops[op->code].compared++;
    if (r->outcome == RUN_REFUSED && r->refused < IR_OPCODE_COUNT)
        p->ops[r->refused].refused++;
    ir_graph_free(g);
}

static bool run_seed(const config *c, progress *p, uint64_t seed)
{
    compiled_options o = variant_of(c, seed);
    size_t length;
    char *text = text_of(c, seed, &o, &length);
    run_report r;

    p->graphs++;
    if (!text) {
        p->undrawn++;
        return true;
    }
    run_limit();
    run_text(text, length, &o, &r);
    count_ops(p, text, length, &r);
    p->same += r.outcome == RUN_SAME;
    p->refused += r.outcome == RUN_REFUSED;
    const bool fine =
        r.outcome == RUN_SAME || (r.outcome == RUN_REFUSED && refusal_is_known(r.refused, r.compiled.text));
    if (c->verbose && !(r.outcome == RUN_SAME))
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, r.compiled.text);
    free(text);
    return fine;
}

enum { EXIT_FAILING = 3 };

/* Runs seeds from p->seed on in a process of its own; false: p->seed fails. */
static bool run_batch(const config *c, progress *p, uint64_t end)
{
    int status = 0;

    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        run_as_child();
        for (; p->seed < end; p->seed++)
            if (!run_seed(c, p, p->seed))
                _exit(EXIT_FAILING);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void print_summary(const config *c, const progress *p, int failures)
{
    printf("target %s, seeds %llu to %llu: %llu graphs compared, %llu refused, %llu not drawn, %d failures\n",
           c->target, (unsigned long long)c->seed, (unsigned long long)(p->seed - 1), (unsigned long long)p->same,
           (unsigned long long)p->refused, (unsigned long long)p->undrawn, failures);
    for (int i = 0; i < IR_OPCODE_COUNT; i++)
        if (p->ops[i].compared || p->ops[i].refused)
            printf("  %-24s %8llu compared %8llu refused\n", ir_op_info_of((ir_opcode)i)->text,
                   (unsigned long long)p->ops[i].compared, (unsigned long long)p->ops[i].refused);
}

static int run_all(const config *c)
{
    progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const uint64_t last = c->seed + c->count;
    int failures = 0;

    if (p == MAP_FAILED)
        abort();
    for (p->seed = c->seed; p->seed < last && failures < c->failures;) {
        if (run_batch(c, p, p->seed + BATCH < last ? p->seed + BATCH : last))
            continue;
        failures++;
        report_failure(c, p->seed++);
    }
    print_summary(c, p, failures);
    return failures > 0;
}

/* ---- Types: every combination that the interpreter knows is compiled, or listed as refused ---- */

enum { TYPE_TRIES = 40 };

typedef enum types_state { TYPES_EMITTED, TYPES_REFUSED, TYPES_UNDEFINED, TYPES_NOT_DRAWN, TYPES_FAILED } types_state;

/* What becomes of the op with these types, of several draws the best; a diagnostic for those that are refused. */
static types_state state_of(const config *c, ir_opcode code, const draw_types *t, run_report *r)
{
    types_state state = TYPES_NOT_DRAWN;

    for (uint64_t i = 0; i < TYPE_TRIES && state != TYPES_EMITTED && state != TYPES_FAILED; i++) {
        const compiled_options o = {.target = c->target,
                                    .pass_level = 3,
                                    .seed = c->seed + i,
                                    .rounds = 1,
                                    .edge_rounds = c->edges,
                                    .bounds = true,
                                    .form = code == IR_FAKE_QUANT || code == IR_OBSERVE ? COMPILED_LOWERED
                                                                                        : COMPILED_PIPELINE};
        bool undefined;
        char *text = NULL;
        size_t length;
        ir_graph *g = draw_single(c->seed + i, code, t, &undefined);
        if (g && ir_print(g, &text, &length)) {
            run_text(text, length, &o, r);
            state = r->outcome == RUN_SAME ? TYPES_EMITTED : r->outcome == RUN_REFUSED ? TYPES_REFUSED : TYPES_FAILED;
        } else if (undefined && state == TYPES_NOT_DRAWN) {
            state = TYPES_UNDEFINED;
        }
        if (state == TYPES_FAILED)
            fprintf(stderr, "%s\n%s\n", r->compiled.text, text);
        free(text);
        ir_graph_free(g);
    }
    return state;
}

static int check_types_of(const config *c, ir_opcode code)
{
    static const char *const states[] = {"compiled", "refused", "undefined", "not drawn", "failed"};
    int wrong = 0;
    draw_types t;

    for (int i = 0; draw_types_at(code, i, &t); i++) {
        char types[128];
        run_report r = {.outcome = RUN_INVALID};
        draw_types_print(&t, code, types, sizeof types);
        const types_state state = state_of(c, code, &t, &r),
                          expected = refusal_of_types(code, types) ? TYPES_REFUSED : TYPES_EMITTED;
        const bool fine = state == expected || (state == TYPES_UNDEFINED && expected == TYPES_EMITTED);
        if (!fine || c->verbose)
            printf("%s, %s: %s, expected: %s%s%s\n", ir_op_info_of(code)->text, types, states[state], states[expected],
                   state == TYPES_REFUSED ? ": " : "", state == TYPES_REFUSED ? r.compiled.text : "");
        wrong += !fine;
    }
    return wrong;
}

static int check_types(const config *c)
{
    int wrong = 0, status = 0;

    for (int code = 0; code < IR_OPCODE_COUNT; code++) {
        if (!draw_is_listed(c->draw.ops, ir_op_info_of((ir_opcode)code)->text))
            continue;
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            run_as_child();
            const int found = check_types_of(c, (ir_opcode)code);
            fflush(NULL);
            _exit(found > 0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            abort();
        if (!WIFEXITED(status))
            printf("%s: ended by signal %d\n", ir_op_info_of((ir_opcode)code)->text, WTERMSIG(status));
        wrong += status != 0;
    }
    return wrong > 0;
}

/* ---- Options ---- */

static const char *option_value(const char *arg, const char *name)
{
    const size_t length = strlen(name);

    return !strncmp(arg, name, length) && arg[length] == '=' ? arg + length + 1 : NULL;
}

static bool set_form(config *c, const char *name)
{
    c->form = !strcmp(name, "passes") ? COMPILED_PIPELINE : COMPILED_LOWERED;
    return c->form == COMPILED_PIPELINE || !strcmp(name, "lowered");
}

static bool option_parse(config *c, const char *arg)
{
    const char *v;

    if ((v = option_value(arg, "--seed")))
        c->seed = strtoull(v, NULL, 0);
    else if ((v = option_value(arg, "--count")))
        c->count = strtoull(v, NULL, 0);
    else if ((v = option_value(arg, "--target")))
        c->target = v;
    else if ((v = option_value(arg, "--opt")))
        c->opt = atoi(v);
    else if ((v = option_value(arg, "--passes")))
        c->passes = atoi(v), c->form = COMPILED_PIPELINE;
    else if ((v = option_value(arg, "--form")))
        return set_form(c, v);
    else if ((v = option_value(arg, "--ops")))
        c->draw.ops = v;
    else if ((v = option_value(arg, "--most-ops")))
        c->draw.most_ops = atoi(v);
    else if ((v = option_value(arg, "--rounds")))
        c->rounds = atoi(v);
    else if ((v = option_value(arg, "--edges")))
        c->edges = atoi(v);
    else if ((v = option_value(arg, "--failures")))
        c->failures = atoi(v);
    else if (!strcmp(arg, "--print"))
        c->print = true;
    else if (!strcmp(arg, "--types"))
        c->types = true;
    else if (!strcmp(arg, "--brief"))
        c->brief = true;
    else if (!strcmp(arg, "-v"))
        c->verbose = true;
    else
        return false;
    return true;
}

static int print_graph(const config *c)
{
    compiled_options o = variant_of(c, c->seed);
    size_t length = 0;
    char *text = text_of(c, c->seed, &o, &length);

    fwrite(text, 1, length, stdout);
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    config c = {.target = "native",
                .seed = 1,
                .count = 1000,
                .opt = AS_DRAWN,
                .form = AS_DRAWN,
                .passes = AS_DRAWN,
                .rounds = 2,
                .failures = 5};

    for (int i = 1; i < argc; i++)
        if (!option_parse(&c, argv[i])) {
            fprintf(stderr, "random-graphs: unknown option '%s'\n", argv[i]);
            return EXIT_USAGE;
        }
    if (c.print)
        return print_graph(&c);
    const char *reason = target_refuses(c.target);
    if (reason) {
        printf("skipped: %s\n", reason);
        return EXIT_SKIPPED;
    }
    return c.types ? check_types(&c) : run_all(&c);
}
