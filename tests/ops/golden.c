/* golden.c protects the interpreter's bit-exactness with TFLite's reference kernels where TFLite itself is not at
 * hand: the cases of golden.txt (made by make_golden.py), as imported, and in the unsigned form that the backend
 * sees.  With the default rounding, both forms agree with each other, and with TFLite to within one step. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/pass.h"
#include "tests/ops/golden_text.h"
#include "tests/unit/test.h"

/* The model set's generator of inputs. */
static uint32_t hash32(uint32_t i, uint32_t seed)
{
    uint32_t x = i * 0x9E3779B9u + seed * 0x85EBCA77u + 1;
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

static void fill(const ir_type *type, uint32_t seed, void *to)
{
    for (int64_t i = 0; i < ir_type_elements(type); i++) {
        const uint32_t h = hash32((uint32_t)i, seed);
        const float real = (float)(h >> 8) / 8388608.0f - 1.0f;
        const uint16_t half = (uint16_t)((h >> 16) - 32768);
        if (type->dtype == IR_F32)
            memcpy((char *)to + 4 * i, &real, 4);
        else if (type->dtype == IR_I16)
            memcpy((char *)to + 2 * i, &half, 2);
        else
            ((uint8_t *)to)[i] = (uint8_t)((h >> 24) - (type->dtype == IR_I8 ? 128 : 0));
    }
}

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

typedef struct outcome { /* of a run */
    uint8_t *bytes[MAX_EDGES];
} outcome;

static void outcome_free(outcome *o)
{
    for (int i = 0; i < MAX_EDGES; i++)
        free(o->bytes[i]);
}

static bool run(const golden *t, const ir_graph *g, outcome *out)
{
    void *inputs[MAX_EDGES] = {0};
    diag d = {0};
    memset(out, 0, sizeof *out);
    for (int i = 0; i < g->input_count; i++) {
        inputs[i] = malloc(ir_type_bytes(&g->inputs[i]->type) + 1);
        fill(&g->inputs[i]->type, t->seed[i], inputs[i]);
    }
    for (int i = 0; i < g->output_count; i++)
        out->bytes[i] = calloc(ir_type_bytes(&g->outputs[i]->type) + 1, 1);
    ir_state *state = ir_state_new(g);
    const bool fine = ir_interpret(g, (const void *const *)inputs, (void *const *)out->bytes, state, &d);
    ir_state_free(state);
    CHECK(fine);
    if (!fine)
        fprintf(stderr, "%s: %s\n", t->name, d.text);
    for (int i = 0; i < MAX_EDGES; i++)
        free(inputs[i]);
    return fine;
}

static float expected_float(const golden *t, int k, int64_t i)
{
    uint8_t bytes[4];
    float v;
    for (int b = 0; b < 4; b++) {
        const char *hex = t->expected[k] + 8 * i + 2 * b;
        bytes[b] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
    }
    memcpy(&v, bytes, 4);
    return v;
}

/* Floats further apart than a millionth of the largest: products of scales are rounded in another order. */
static int64_t float_differences(const golden *t, const ir_type *type, const void *ours, int k)
{
    const int64_t n = ir_type_elements(type);
    float largest = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(expected_float(t, k, i)));
    for (int64_t i = 0; i < n; i++) {
        float v;
        memcpy(&v, (const char *)ours + 4 * i, 4);
        count += !(fabsf(v - expected_float(t, k, i)) <= 1e-6f * largest);
    }
    return count;
}

/* Bytes that differ by more than `steps`; beyond 0, only 8-bit integers are looked at. */
static int64_t differences(const golden *t, const ir_graph *g, const outcome *o, int steps)
{
    int64_t count = 0;
    for (int k = 0; k < g->output_count; k++) {
        const ir_dtype type = g->outputs[k]->type.dtype;
        const size_t bytes = ir_type_bytes(&g->outputs[k]->type);
        if (steps && type != IR_I8 && type != IR_U8)
            continue;
        if (type == IR_F32) {
            count += float_differences(t, &g->outputs[k]->type, o->bytes[k], k);
            continue;
        }
        for (size_t i = 0; i < bytes; i++) {
            const char *hex = t->expected[k] + 2 * i;
            const uint8_t ours = o->bytes[k][i], theirs = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
            count += type == IR_I8 ? abs((int8_t)ours - (int8_t)theirs) > steps : abs(ours - theirs) > steps;
        }
    }
    return count;
}

static void expect(const golden *t, const ir_graph *g, const outcome *o, int steps, const char *what)
{
    const int64_t differ = differences(t, g, o, steps);
    CHECK(differ == 0);
    if (differ)
        fprintf(stderr, "%s (%s): %lld bytes differ\n", t->name, what, (long long)differ);
}

static void expect_equal(const golden *t, const ir_graph *g, const outcome *a, const outcome *b)
{
    for (int k = 0; k < g->output_count; k++) {
        const bool equal = memcmp(a->bytes[k], b->bytes[k], ir_type_bytes(&g->outputs[k]->type)) == 0;
        CHECK(equal);
        if (!equal)
            fprintf(stderr, "%s: the unsigned form changes results\n", t->name);
    }
}

static ir_graph *parsed(const golden *t)
{
    diag d = {0};
    ir_graph *g = ir_parse(t->graph, t->graph_length, t->name, &d);
    if (g && g->input_count == t->inputs && g->output_count == t->outputs && ir_verify(g, &d))
        return g;
    CHECK(!"the case is no graph with these inputs and outputs");
    fprintf(stderr, "%s: %s\n", t->name, d.text);
    return NULL;
}

static bool lower(const golden *t, ir_graph *g)
{
    static const char *const to_unsigned[] = {"signed_weights", "unsigned_form"};
    const pass_options options = {.lower = true, .opt_level = 3};
    diag d = {0};
    const bool fine = pass_run(g, &options, NULL, to_unsigned, 2, &d);
    CHECK(fine);
    if (!fine)
        fprintf(stderr, "%s: %s\n", t->name, d.text);
    return fine;
}

static void check_exact(const golden *t)
{
    ir_graph *g = parsed(t);
    outcome o;
    if (!g)
        return;
    if (run(t, g, &o))
        expect(t, g, &o, 0, "as imported");
    outcome_free(&o);
    if (lower(t, g)) {
        if (run(t, g, &o))
            expect(t, g, &o, 0, "unsigned form");
        outcome_free(&o);
    }
    ir_graph_free(g);
}

static void check_default(const golden *t)
{
    ir_graph *g = parsed(t);
    outcome imported, lowered;
    if (!g)
        return;
    for (ir_op *op = g->first; op; op = op->next)
        ir_set_rounding(op, IR_ROUNDING_EVEN_F32);
    if (run(t, g, &imported))
        expect(t, g, &imported, 1, "default rounding");
    if (lower(t, g)) {
        if (run(t, g, &lowered))
            expect_equal(t, g, &imported, &lowered);
        outcome_free(&lowered);
    }
    outcome_free(&imported);
    ir_graph_free(g);
}

static void check_case(const golden *t)
{
    check_exact(t);
    check_default(t);
}

int main(int argc, char **argv)
{
    char *text = argc == 2 ? golden_read(argv[1]) : NULL;
    if (!text) {
        fprintf(stderr, "golden: %s: %s\n", argc == 2 ? argv[1] : "no file", strerror(errno));
        return EXIT_FAILURE;
    }
    CHECK(golden_each(text, check_case) > 0);
    free(text);
    return test_end();
}
