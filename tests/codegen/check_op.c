/* check-op: compiles a graph in textual IR, runs the code in this process and compares it with the interpreter.
 *
 *     check-op FILE.qir… [--seed=N] [--rounds=N] [--target=T] [--rounding=R] [--passes] [--const=a,b] [--tolerance=X] [--sums]
 *
 * Protects: every kernel computes what the interpreter says (integers bit for bit, floats within the tolerance), for any
 * partition of its work units, without touching a byte that is not its own.
 *
 * With --sums the tolerance counts from an output's largest magnitude: for sums in another order than the interpreter's.
 *
 * Without --passes every value gets a buffer of its own, so the emitters are tested as they are; with it the graph goes
 * through the whole pipeline first.  Inputs named `w`, `bias` or `const…`, or listed in --const, become constants with
 * random contents.  Inputs and outputs end at (odd rounds: start at) an inaccessible page. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiler/codegen/backend.h"
#include "compiler/codegen/jit.h"
#include "ir/interp.h"
#include "passes/pass.h"
#include "runtime/model_abi.h"
#include "tests/codegen/fill.h"

enum { GUARD = 128, POISON = 0xA5 };

typedef struct config {
    const char *target, *constants;
    uint64_t seed;
    int rounds, opt_level;
    double tolerance;
    bool passes, verbose, sums;
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
            fill_value(data, v, c->seed * 1000 + (uint64_t)i, FILL_CONSTANT);
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

/* ---- A plan without sharing: every value between guards ---- */

static size_t reserve(ir_graph *g, size_t bytes)
{
    size_t offset = (g->workspace_bytes + GUARD + 63) & ~(size_t)63;

    g->workspace_bytes = offset + bytes + GUARD;
    return offset;
}

static void place_value(ir_graph *g, ir_value *v)
{
    int64_t stride = 1;

    for (int i = v->type.rank; i-- > 0;) {
        v->place.stride[i] = stride;
        stride *= v->type.dims[i];
    }
    if (v->data) {
        v->place.space = IR_SPACE_CONST;
    } else if (v->is_input) {
        v->place.space = IR_SPACE_INPUT;
        v->place.index = (uint32_t)v->result;
    } else {
        v->place.space = IR_SPACE_WORKSPACE;
        for (int32_t i = 0; i < g->output_count; i++)
            if (g->outputs[i] == v) {
                v->place.space = IR_SPACE_OUTPUT;
                v->place.index = (uint32_t)i;
            }
        if (v->place.space == IR_SPACE_WORKSPACE)
            v->place.offset = (int64_t)reserve(g, ir_type_bytes(&v->type));
    }
}

static void plan_plain(ir_graph *g, const char *target)
{
    for (int32_t i = 0; i < g->input_count; i++)
        place_value(g, g->inputs[i]);
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value && op->operands[i].value->data)
                place_value(g, op->operands[i].value);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            place_value(g, op->results[i]);
        op->scratch_offset = (int64_t)reserve(g, cg_scratch_bytes(op, target));
    }
}

/* ---- Buffers with inaccessible neighbours ---- */

typedef struct buffer { uint8_t *map, *data; size_t map_bytes, bytes; } buffer;

static buffer buffer_new(size_t bytes, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
    buffer b = {.map_bytes = inner + 2 * page, .bytes = bytes};

    b.map = mmap(NULL, b.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.map == MAP_FAILED)
        abort();
    mprotect(b.map, page, PROT_NONE);
    mprotect(b.map + page + inner, page, PROT_NONE);
    memset(b.map + page, POISON, inner);
    b.data = b.map + page + (at_end ? inner - bytes : 0);
    return b;
}

static bool buffer_intact(const buffer *b)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (const uint8_t *p = b->map + page; p < b->map + b->map_bytes - page; p++)
        if (*p != POISON && (p < b->data || p >= b->data + b->bytes))
            return false;
    return true;
}

static void buffer_free(buffer *b) { munmap(b->map, b->map_bytes); }

/* Bytes of the workspace that belong to no value, in the plan without sharing. */
static bool guards_intact(const ir_graph *g, const char *target, const uint8_t *workspace)
{
    uint8_t *owned = calloc(g->workspace_bytes + 1, 1);
    bool ok = true;

    for (ir_op *op = g->first; op; op = op->next) {
        memset(owned + op->scratch_offset, 1, cg_scratch_bytes(op, target));
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (op->results[i]->place.space == IR_SPACE_WORKSPACE)
                memset(owned + op->results[i]->place.offset, 1, ir_type_bytes(&op->results[i]->type));
    }
    for (size_t i = 0; i < g->workspace_bytes; i++)
        ok = ok && (owned[i] || workspace[i] == POISON);
    free(owned);
    return ok;
}

/* ---- Comparison ---- */

static bool same_float(float a, float b, double tolerance, double magnitude)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs((double)a - b) <= tolerance * (1 + fmax(fabs((double)b), magnitude));
}

static double largest(const ir_value *v, const uint8_t *data)
{
    double largest_yet = 0;
    float f;

    for (int64_t i = 0; v->type.dtype == IR_F32 && i < ir_type_elements(&v->type); i++) {
        memcpy(&f, data + 4 * i, 4);
        largest_yet = fmax(largest_yet, fabs((double)f));
    }
    return largest_yet;
}

/* Index of the first different element, -1 when there is none. */
static int64_t first_difference(const ir_value *v, const uint8_t *got, const uint8_t *want, const config *c)
{
    double magnitude = c->sums ? largest(v, want) : 0;
    size_t bytes = ir_dtype_bytes(v->type.dtype);

    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        float a, b;
        if (!memcmp(got + (size_t)i * bytes, want + (size_t)i * bytes, bytes))
            continue;
        if (v->type.dtype != IR_F32)
            return i;
        memcpy(&a, got + 4 * i, 4);
        memcpy(&b, want + 4 * i, 4);
        if (!same_float(a, b, c->tolerance, magnitude))
            return i;
    }
    return -1;
}

static double element(const ir_value *v, const uint8_t *data, int64_t i)
{
    ir_value c = *v;
    float f;

    if (v->type.dtype != IR_F32) {
        c.data = data;
        return (double)ir_const_int(&c, i);
    }
    memcpy(&f, data + 4 * i, 4);
    return f;
}

/* ---- One round ---- */

typedef struct job {
    const config *config;
    const char *path;
    ir_graph *reference, *compiled;
    const qcc_model *model;
} job;

static void run_steps(const qcc_model *m, const void *const inputs[], void *const outputs[], void *workspace, uint32_t parts)
{
    qcc_frame frame = {inputs, outputs, workspace, NULL};

    for (uint32_t s = 0; s < m->step_count; s++)
        for (uint32_t p = parts; p-- > 0;) {
            uint64_t units = m->steps[s].units;
            uint32_t begin = (uint32_t)(units * p / parts), end = (uint32_t)(units * (p + 1) / parts);
            if (begin < end)
                m->steps[s].run(&frame, begin, end);
        }
}

static bool compare_outputs(const job *j, int round, const buffer got[], void *const want[])
{
    for (int32_t i = 0; i < j->reference->output_count; i++) {
        const ir_value *v = j->reference->outputs[i];
        int64_t at = first_difference(v, got[i].data, want[i], j->config);
        if (at >= 0) {
            fprintf(stderr, "%s: round %d, output %d, element %lld: got %.9g, expected %.9g\n", j->path, round, i,
                    (long long)at, element(v, got[i].data, at), element(v, want[i], at));
            return false;
        }
        if (!buffer_intact(&got[i])) {
            fprintf(stderr, "%s: round %d: bytes beside output %d were written\n", j->path, round, i);
            return false;
        }
    }
    return true;
}

enum { MAX_PORTS = 32 };

static bool run_round(const job *j, int round, diag *d)
{
    buffer in[MAX_PORTS], out[MAX_PORTS];
    const void *inputs[MAX_PORTS];
    void *outputs[MAX_PORTS], *want[MAX_PORTS];
    const ir_graph *g = j->reference;
    uint8_t *workspace = aligned_alloc(64, (j->compiled->workspace_bytes + 127) & ~(size_t)63);
    ir_state *state = ir_state_new(g);
    bool ok;

    memset(workspace, POISON, j->compiled->workspace_bytes);
    for (int32_t i = 0; i < g->input_count; i++) {
        in[i] = buffer_new(ir_type_bytes(&g->inputs[i]->type), round % 2 == 0);
        fill_value(in[i].data, g->inputs[i], j->config->seed * 77 + (uint64_t)(round * 10 + i), round);
        inputs[i] = in[i].data;
    }
    for (int32_t i = 0; i < g->output_count; i++) {
        out[i] = buffer_new(ir_type_bytes(&g->outputs[i]->type), round % 2 == 0);
        outputs[i] = out[i].data;
        want[i] = calloc(out[i].bytes + 1, 1);
    }
    if (j->model->initial_state)
        memcpy(workspace + j->model->state_offset, j->model->initial_state, j->model->state_bytes);
    ok = ir_interpret(g, inputs, want, state, d);
    if (ok) {
        run_steps(j->model, inputs, outputs, workspace, (uint32_t)(1 + round % 3));
        ok = compare_outputs(j, round, out, want);
        if (ok && !j->config->passes && !guards_intact(j->compiled, j->config->target, workspace)) {
            fprintf(stderr, "%s: round %d: bytes of the workspace that are nobody's were written\n", j->path, round);
            ok = false;
        }
    }
    for (int32_t i = 0; i < g->input_count; i++)
        buffer_free(&in[i]);
    for (int32_t i = 0; i < g->output_count; i++) {
        buffer_free(&out[i]);
        free(want[i]);
    }
    ir_state_free(state);
    free(workspace);
    return ok;
}

/* ---- One file ---- */

static bool lower(ir_graph *g, const config *c, diag *d)
{
    pass_options options = {.rounding = c->rounding, .lower = true, .opt_level = 2,
                            .scratch_bytes = cg_scratch_bytes, .target = c->target};
    pass_debug debug = {.verify_each = true};

#ifdef QCC_HAVE_PASSES
    if (c->passes)
        return pass_run(g, &options, &debug, NULL, 0, d);
#else
    (void)options, (void)debug, (void)d;
#endif
    plan_plain(g, c->target);
    return true;
}

static bool check_graph(const char *path, const char *text, size_t length, const config *c, diag *d)
{
    cg_options options = {.model_name = "model", .target = c->target, .opt_level = c->opt_level};
    job j = {c, path, graph_load(path, text, length, c, d), graph_load(path, text, length, c, d), NULL};
    cg_output object = {0};
    cg_jit *jit = NULL;
    bool ok = j.reference && j.compiled && lower(j.compiled, c, d);

    ok = ok && cg_compile(j.compiled, &options, CG_EMIT_OBJECT, &object, d);
    ok = ok && (jit = cg_jit_load(&object, d)) != NULL;
    ok = ok && (j.model = cg_jit_symbol(jit, "model", d)) != NULL;
    for (int round = 0; ok && round < c->rounds; round++)
        ok = run_round(&j, round, d);
    if (ok && c->verbose)
        printf("%s: ok\n", path);
    cg_jit_free(jit);
    cg_output_free(&object);
    if (j.reference)
        ir_graph_free(j.reference);
    if (j.compiled)
        ir_graph_free(j.compiled);
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
        diag d = {0};
        if (!check_graph(path, at, length, c, &d)) {
            failures++;
            fprintf(stderr, "%s, graph %d (%.*s): FAILED (target %s)%s%s\n", path, number, (int)strcspn(at, "\n"), at, c->target,
                    d.failed ? ": " : "", d.failed ? d.text : "");
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
        c->seed = strtoull(v, NULL, 0);
    else if ((v = option_value(arg, "--rounds")))
        c->rounds = atoi(v);
    else if ((v = option_value(arg, "--target")))
        c->target = v;
    else if ((v = option_value(arg, "--const")))
        c->constants = v;
    else if ((v = option_value(arg, "--tolerance")))
        c->tolerance = atof(v);
    else if ((v = option_value(arg, "--opt")))
        c->opt_level = atoi(v);
    else if ((v = option_value(arg, "--rounding")) && ir_enum_from_text(IR_KIND_ENUM_ROUNDING, v, strlen(v), &rounding)) {
        c->rounding = (ir_enum_ROUNDING)rounding;
        c->rounding_given = true;
    } else if (!strcmp(arg, "--passes"))
        c->passes = true;
    else if (!strcmp(arg, "--sums"))
        c->sums = true;
    else if (!strcmp(arg, "-v"))
        c->verbose = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    config c = {.target = "native", .seed = 1, .rounds = 8, .opt_level = 2, .tolerance = 2e-6};
    int failures = 0, files = 0;

    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-' && !option_parse(&c, argv[i])) {
            fprintf(stderr, "check-op: unknown option '%s'\n", argv[i]);
            return 2;
        }
    if (cg_target_runs_here(c.target))
        return 77; /* meson: skipped */
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        files++;
        failures += check_file(argv[i], &c);
    }
    return failures ? 1 : files ? 0 : 2;
}
