/* compiled.c: see compiled.h.
 *
 *     graph -> passes or a plain plan -> object -> loaded -> rounds: contents, interpreter, code, comparison */
#include "tests/codegen/compiled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/codegen/object/jit.h"
#include "ir/ref/interp.h"
#include "passes/pass.h"
#include "runtime/cpu.h"
#include "runtime/model_abi.h"
#include "tests/codegen/bounds.h"
#include "tests/codegen/compare.h"
#include "tests/codegen/fill.h"
#include "tests/codegen/guarded.h"
#include "tests/codegen/plain_plan.h"

/* ---- To code ---- */

/* The passes that prepare for the backend, but for the memory plan. */
static bool run_lowering(ir_graph *g, const pass_options *options, const pass_debug *debug, diag *d)
{
    const char *names[32];
    int all, count = 0;
    const pass_info *passes = pass_list(&all);

    for (int i = 0; i < all && count < 32; i++)
        if ((passes[i].flags & PASS_LOWERING) && strcmp(passes[i].name, "memory_plan") != 0)
            names[count++] = passes[i].name;
    return pass_run(g, options, debug, names, count, d);
}

static bool lower(ir_graph *g, const compiled_options *o, diag *d)
{
    const pass_options options = {.lower = true,
                                  .opt_level = o->pass_level,
                                  .choose_kernel = cg_choose_kernel,
                                  .targets = target_set_of(o->target),
                                  .near_bytes = o->near_bytes,
                                  .kernels = {&o->kernel, o->kernel != NULL}};
    const pass_debug debug = {.verify_each = true};

    if (o->form == COMPILED_PIPELINE)
        return pass_run(g, &options, &debug, NULL, 0, d);
    const char *const choice = "choose_kernels";
    const bool lowered = o->form == COMPILED_LOWERED;
    if (!(lowered ? run_lowering(g, &options, &debug, d) : pass_run(g, &options, &debug, &choice, 1, d)))
        return false;
    plain_plan(g);
    return true;
}

/* ---- One round ---- */

typedef struct job {
    const compiled_options *options;
    const ir_graph *reference, *compiled;
    const qcc_model *model;
    const qcc_variant *variant;
    compiled_report *report;
    int round;
} job;

typedef struct buffers { /* an element for each input and output */
    guarded *in, *out, workspace;
    const void **inputs;
    void **outputs, **want;
    bounds *limits;
} buffers;

static void *filled(void *p)
{
    if (!p)
        abort();
    return p;
}

/* Number of a round among those with edges, which come last; negative: it is none. */
static int edge_of(const job *j) { return j->round - j->options->first_round - j->options->rounds; }

static int fill_kind(const job *j)
{
    if (edge_of(j) < 0)
        return j->round;
    return (j->options->sums ? FILL_SUM_EDGES : FILL_EDGES) + edge_of(j) % FILL_EDGE_KINDS;
}

static void buffers_init(buffers *b, const job *j)
{
    const ir_graph *g = j->reference;
    const bool at_end = j->round % 2 == 0;
    const size_t inputs = (size_t)g->input_count + 1, outputs = (size_t)g->output_count + 1;

    *b = (buffers){.in = filled(calloc(inputs, sizeof *b->in)),
                   .out = filled(calloc(outputs, sizeof *b->out)),
                   .inputs = filled(calloc(inputs, sizeof *b->inputs)),
                   .outputs = filled(calloc(outputs, sizeof *b->outputs)),
                   .want = filled(calloc(outputs, sizeof *b->want))};
    b->workspace = guarded_new(j->compiled->workspace_bytes, 64, at_end);
    if (j->model->initial_state)
        memcpy(b->workspace.data + j->model->state_offset, j->model->initial_state, j->model->state_bytes);
    for (int32_t i = 0; i < g->input_count; i++) {
        b->in[i] = guarded_new(ir_type_bytes(&g->inputs[i]->type), 1, at_end);
        fill_value(b->in[i].data, g->inputs[i], j->options->seed * 77 + (uint64_t)(j->round * 10 + i), fill_kind(j));
        guarded_seal(&b->in[i]);
        b->inputs[i] = b->in[i].data;
    }
    for (int32_t i = 0; i < g->output_count; i++) {
        b->out[i] = guarded_new(ir_type_bytes(&g->outputs[i]->type), 1, at_end);
        b->outputs[i] = b->out[i].data;
        b->want[i] = filled(calloc(b->out[i].bytes + 1, 1));
    }
}

static void buffers_free(buffers *b, const job *j)
{
    for (int32_t i = 0; i < j->reference->input_count; i++)
        guarded_free(&b->in[i]);
    for (int32_t i = 0; i < j->reference->output_count; i++) {
        guarded_free(&b->out[i]);
        free(b->want[i]);
    }
    guarded_free(&b->workspace);
    bounds_free(b->limits);
    free(b->in);
    free(b->out);
    free(b->inputs);
    free(b->outputs);
    free(b->want);
}

static bool interpret(buffers *b, const job *j, diag *d)
{
    ir_state *state = ir_state_new(j->reference);
    bool ok;

    if (j->options->bounds)
        ok = (b->limits = bounds_interpret(j->reference, b->inputs, b->want, state, d)) != NULL;
    else
        ok = ir_interpret(j->reference, b->inputs, b->want, state, d);
    ir_state_free(state);
    return ok;
}

static void run_steps(const qcc_variant *v, const buffers *b, uint32_t parts)
{
    qcc_frame frame = {b->inputs, b->outputs, b->workspace.data, NULL};

    for (uint32_t s = 0; s < v->step_count; s++)
        for (uint32_t p = parts; p-- > 0;) {
            uint64_t units = v->steps[s].units;
            uint32_t begin = (uint32_t)(units * p / parts), end = (uint32_t)(units * (p + 1) / parts);
            if (begin < end)
                v->steps[s].run(&frame, begin, end);
        }
}

static bool differs(const job *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool differs(const job *j, const char *format, ...)
{
    char *to = j->report->text;
    const size_t size = sizeof j->report->text;
    const int n = snprintf(to, size, "round %d: ", j->round);
    va_list args;

    va_start(args, format);
    vsnprintf(to + n, size - (size_t)n, format, args);
    va_end(args);
    return false;
}

/* The interpreter's own result: has it only integers that its value has? */
static bool check_range(const job *j, const buffers *b, int32_t i)
{
    const ir_value *v = j->reference->outputs[i];
    int32_t min, max;

    if (!v->quant || !ir_unused_any(v->quant->unused))
        return true;
    ir_quant_range(v->type.dtype, v->quant, &min, &max);
    for (int64_t k = 0; k < ir_type_elements(&v->type); k++) {
        const double q = compare_element(v, b->want[i], k);
        if (q < min || q > max)
            return differs(j, "output %d, element %lld: %g of %d to %d", i, (long long)k, q, min, max);
    }
    return true;
}

static bool compare_output(const job *j, const buffers *b, int32_t i)
{
    const ir_value *v = j->reference->outputs[i];
    const compare_limits limits = {j->options->tolerance, j->options->sums, bounds_of(b->limits, v), false};
    const compare_limits exact = {.bits = j->options->form !=
                                          COMPILED_PIPELINE}; /* passes compute in integers, which have one zero */
    const bool derived = j->options->bounds && !limits.bound;
    const int64_t at = compare_values(v, b->out[i].data, b->want[i], derived ? &exact : &limits);

    if (at >= 0)
        return differs(j, "output %d, element %lld: got %.9g, expected %.9g%s", i, (long long)at,
                       compare_element(v, b->out[i].data, at), compare_element(v, b->want[i], at),
                       limits.bound ? " (beyond the bound)" : "");
    return guarded_intact(&b->out[i]) || differs(j, "bytes beside output %d were written", i);
}

static bool compare_all(const job *j, const buffers *b)
{
    for (int32_t i = 0; i < j->reference->output_count; i++)
        if (!check_range(j, b, i) || !compare_output(j, b, i))
            return false;
    for (int32_t i = 0; i < j->reference->input_count; i++)
        if (!guarded_intact(&b->in[i]))
            return differs(j, "bytes beside input %d were written", i);
    if (!guarded_intact(&b->workspace))
        return differs(j, "bytes beside the workspace were written");
    return j->options->form == COMPILED_PIPELINE || plain_plan_intact(j->compiled, b->workspace.data) ||
           differs(j, "bytes of the workspace that are nobody's were written");
}

static bool run_round(const job *j)
{
    buffers b;
    diag d = {0};
    bool ok;

    buffers_init(&b, j);
    ok = interpret(&b, j, &d) || differs(j, "%s", d.text);
    if (ok) {
        run_steps(j->variant, &b, (uint32_t)(1 + j->round % 3));
        ok = compare_all(j, &b);
    }
    buffers_free(&b, j);
    return ok;
}

/* ---- All ---- */

/* What this machine lacks the instructions for is left out: the caller saw to it that it can run one. */
static bool run_variant(job *j, const qcc_variant *variant)
{
    const compiled_options *o = j->options;
    bool ok = true;

    j->variant = variant;
    if (variant->cpu_features & ~qcc_cpu_features())
        return true;
    for (j->round = o->first_round; ok && j->round < o->first_round + o->rounds + o->edge_rounds; j->round++)
        ok = run_round(j);
    return ok;
}

static compiled_outcome load_and_run(job *j, const cg_output *object)
{
    diag d = {0};
    cg_jit *jit = cg_jit_load(object, &d);
    bool ok = jit && (j->model = cg_jit_symbol(jit, "model", &d)) != NULL;

    if (!ok)
        snprintf(j->report->text, sizeof j->report->text, "%s", d.text);
    for (uint64_t i = 0; ok && i < j->model->variant_count; i++)
        ok = run_variant(j, &j->model->variants[i]);
    cg_jit_free(jit);
    return ok ? COMPILED_SAME : COMPILED_DIFFERENT;
}

compiled_outcome compiled_check(const ir_graph *reference, ir_graph *compiled, const compiled_options *o,
                                compiled_report *report)
{
    const cg_options options = {.model_name = "model",
                                .targets = target_set_of(o->target),
                                .opt_level = o->opt_level,
                                .check_keys = o->check_keys};
    job j = {.options = o, .reference = reference, .compiled = compiled, .report = report};
    cg_output object = {0};
    compiled_outcome outcome;
    diag d = {0};

    *report = (compiled_report){0};
    const bool lowered =
        lower(compiled, o, &d); /* passes have nothing to refuse in a graph that the verifier accepted */
    if (!lowered || !cg_compile(compiled, &options, CG_EMIT_OBJECT, &object, &d)) {
        snprintf(report->text, sizeof report->text, "%s", d.text);
        return !lowered || strstr(d.text, "internal error") || !d.failed ? COMPILED_DIFFERENT : COMPILED_REFUSED;
    }
    outcome = load_and_run(&j, &object);
    cg_output_free(&object);
    return outcome;
}
