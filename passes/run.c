/* run.c: the runner.  It alone verifies, prints, dumps and times; passes only transform. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ir/size_limits.h"
#include "passes/common/plan.h"

static const pass_info passes[] = {
#define PHASE(name, doc)
#define PASS(name, flags, doc) {#name, doc, pass_##name, flags},
#define STEP(name, doc) {#name, doc, NULL, 0},
#include "passes/passes.def"
#undef STEP
#undef PHASE
#undef PASS
};
enum { PASS_COUNT = sizeof passes / sizeof passes[0] };

/* The rows of passes.def in order: the phase that begins there, or IS_PASS for the next pass. */
enum { IS_PASS = -1 };
static const signed char rows[] = {
#define PHASE(name, doc) PASS_PHASE_##name,
#define PASS(name, flags, doc) IS_PASS,
#define STEP(name, doc) IS_PASS,
#include "passes/passes.def"
#undef STEP
#undef PHASE
#undef PASS
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const pass_info *pass_list(int *out_count)
{
    *out_count = PASS_COUNT;
    return passes;
}

const pass_info *pass_find(const char *name)
{
    for (int i = 0; i < PASS_COUNT; i++)
        if (strcmp(passes[i].name, name) == 0)
            return &passes[i];
    return NULL;
}

typedef struct runner {
    ir_graph *g;
    pass_context context;
    const pass_debug *debug;
    int own_number, *number; /* of the dump */
} runner;

static bool listed(const char *const names[], int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The graph's text; NULL and a diagnostic when memory is out. */
static char *text_of(runner *r, size_t *out_length)
{
    char *text = NULL;
    if (!ir_print(r->g, &text, out_length))
        diag_error(r->context.diag, NULL, "out of memory while printing");
    return text;
}

static bool write_graph(runner *r, const char *when, const char *name)
{
    char line[128];
    size_t length;
    char *text = text_of(r, &length);
    if (!text)
        return false;
    int n = snprintf(line, sizeof line, "// %s %s\n", when, name);
    r->debug->write(r->debug->context, line, (size_t)n);
    r->debug->write(r->debug->context, text, length);
    free(text);
    return true;
}

static bool dump_graph(runner *r, const char *name)
{
    size_t length;
    char *text = text_of(r, &length);
    const bool ok = text && r->debug->dump(r->debug->context, (*r->number)++, name, text, length, r->context.diag);
    free(text);
    return ok;
}

/* Stress: what is printed reads back as the same text, and is well-formed. */
static bool check_round_trip(runner *r, const char *name, const char *text, size_t length)
{
    char *again_text = NULL;
    size_t again_length = 0;
    ir_graph *again = ir_parse(text, length, name, r->context.diag);
    bool ok = again && ir_verify(again, r->context.diag);
    if (ok && !ir_print(again, &again_text, &again_length))
        ok = diag_error(r->context.diag, NULL, "out of memory while printing");
    if (ok && (again_length != length || memcmp(again_text, text, length) != 0))
        ok = diag_error(r->context.diag, NULL, "after %s: the text form does not round-trip", name);
    free(again_text);
    ir_graph_free(again);
    return ok;
}

static void write_time(runner *r, const char *name, const struct timespec *from, const struct timespec *to)
{
    char line[128];
    double ms = (double)(to->tv_sec - from->tv_sec) * 1e3 + (double)(to->tv_nsec - from->tv_nsec) / 1e6;
    int n = snprintf(line, sizeof line, "%10.3f ms  %s\n", ms, name);
    r->debug->write(r->debug->context, line, (size_t)n);
}

/* The pass itself, between two clock readings; in stress mode a pass that reports no change must have made none. */
static pass_result run_pass(runner *r, const pass_info *pass)
{
    struct timespec from, to;
    size_t before_length = 0, after_length = 0;
    char *before = r->debug->round_trip_each ? text_of(r, &before_length) : NULL;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pass_result result = pass->run(r->g, &r->context);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (r->debug->time)
        write_time(r, pass->name, &from, &to);
    if (before && result != PASS_FAILED) {
        char *after = text_of(r, &after_length);
        bool same = after && after_length == before_length && memcmp(before, after, after_length) == 0;
        if (after && result == PASS_UNCHANGED && !same)
            diag_error(r->context.diag, NULL, "%s changed the graph and reported no change", pass->name);
        if (!after || r->context.diag->failed || !check_round_trip(r, pass->name, after, after_length))
            result = PASS_FAILED;
        free(after);
    }
    free(before);
    return result;
}

static bool show_before(runner *r, const char *name)
{
    return !listed(r->debug->print_before, r->debug->print_before_count, name) || write_graph(r, "before", name);
}

static bool show_after(runner *r, const char *name)
{
    const pass_debug *debug = r->debug;
    const bool wanted = debug->print_after_all || listed(debug->print_after, debug->print_after_count, name);
    return (!wanted || write_graph(r, "after", name)) && (!debug->dump || dump_graph(r, name)) &&
           (!debug->verify_each || ir_verify(r->g, r->context.diag));
}

static bool run_one(runner *r, const pass_info *pass)
{
    const bool good = show_before(r, pass->name) && run_pass(r, pass) != PASS_FAILED && show_after(r, pass->name);
    arena_reset(r->context.scratch);
    return good;
}

bool pass_show_before(ir_graph *g, const pass_debug *debug, const char *name, diag *d)
{
    return !debug || show_before(&(runner){.g = g, .context = {.diag = d}, .debug = debug}, name);
}

bool pass_show_after(ir_graph *g, const pass_debug *debug, const char *name, diag *d)
{
    return !debug ||
           show_after(&(runner){.g = g, .context = {.diag = d}, .debug = debug, .number = debug->number}, name);
}

/* Is the pass part of the pipeline with these options? */
static bool selected(const pass_info *pass, const pass_options *o, const ir_graph *g)
{
    if (!pass->run) /* others do that */
        return false;
    if (o->exchange ? pass->flags & PASS_OWN : pass->flags & PASS_EXCHANGE)
        return false;
    if ((pass->flags & PASS_SCALED) && plan_has_scales(g))
        return true;
    if (o->keep_unfused && (pass->flags & (PASS_FUSION | PASS_LOWERING)))
        return false;
    if ((pass->flags & PASS_LOWERING) && !o->lower)
        return false;
    return o->opt_level > 0 || (pass->flags & PASS_ALWAYS);
}

static bool run_pipeline(runner *r, pass_phase first, pass_phase last)
{
    int phase = 0, at = 0;
    for (int i = 0; i < ROW_COUNT; i++) {
        if (rows[i] != IS_PASS) {
            phase = rows[i];
            continue;
        }
        const pass_info *pass = &passes[at++];
        if (phase >= (int)first && phase <= (int)last && selected(pass, r->context.options, r->g) && !run_one(r, pass))
            return false;
    }
    return true;
}

static bool run_named(runner *r, const char *const names[], int count)
{
    for (int i = 0; i < count; i++) {
        const pass_info *pass = pass_find(names[i]);
        if (!pass)
            return diag_error(r->context.diag, NULL, "there is no pass named '%s'", names[i]);
        if (!pass->run)
            return diag_error(r->context.diag, NULL, "%s runs the model on samples, as qcc does it with --calib",
                              names[i]);
        if (!run_one(r, pass))
            return false;
    }
    return true;
}

typedef struct pass_call {
    runner runner;
    const char *const *names; /* NULL: the phases from `first` to `last` */
    int count;
    pass_phase first, last;
    bool good;
} pass_call;

static void run_passes(void *context)
{
    pass_call *c = context;
    runner *r = &c->runner;
    const bool from_start = c->names || c->first == 0;
    r->context.scratch = arena_new_beside(r->g->arena);
    if (!r->number)
        r->number = &r->own_number;
    c->good = (!r->debug->verify_each || ir_verify(r->g, r->context.diag)) &&
              (!r->debug->dump || !from_start || dump_graph(r, "input")) &&
              (c->names ? run_named(r, c->names, c->count) : run_pipeline(r, c->first, c->last));
    arena_free(r->context.scratch);
}

static bool run(ir_graph *g, const pass_options *options, const pass_debug *debug, pass_call *call, diag *d)
{
    static const pass_debug quiet = {0};
    call->runner = (runner){.g = g, .context = {options, NULL, d}, .debug = debug ? debug : &quiet};
    call->runner.number = call->runner.debug->number;
    const ir_loc loc = ir_graph_loc(g);
    const arena_outcome outcome = arena_guard(run_passes, call);
    return outcome == ARENA_DONE ? call->good : ir_limits_memory(d, &loc, outcome);
}

bool pass_run(ir_graph *g, const pass_options *options, const pass_debug *debug, const char *const names[], int count,
              diag *d)
{
    pass_call call = {.names = names, .count = count, .last = PASS_PHASES - 1};
    return run(g, options, debug, &call, d);
}

bool pass_run_phases(ir_graph *g, const pass_options *options, const pass_debug *debug, pass_phase first,
                     pass_phase last, diag *d)
{
    pass_call call = {.first = first, .last = last};
    return run(g, options, debug, &call, d);
}
