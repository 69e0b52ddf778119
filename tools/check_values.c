/* check_values.c: interprets two graphs on edge inputs and compares. */
#include "tools/check_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "tools/run/run_planned.h"

enum { STEPS = 4 };

/* ---- Inputs ---- */

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

/* Element i of an integer input: the extremes, the zero point and its neighbours, and everything between. */
static int64_t edge_int(const ir_value *v, int64_t min, int64_t max, uint32_t h)
{
    int64_t zero = v->quant ? v->quant->zero[0] : 0;
    const int64_t edges[] = {min, min + 1, max, max - 1, zero, zero + 1, zero - 1};
    int64_t x = h % 3 == 0 ? edges[h / 3 % 7] : min + (int64_t)(((uint64_t)(max - min) * (h >> 8)) >> 24);
    return x < min ? min : x > max ? max : x;
}

static float edge_float(uint32_t h)
{
    static const float edges[] = {0, -0.0f, 1, -1, 6, 100, -100, 1e-6f};
    return h % 5 == 0 ? edges[h / 5 % 8] : (float)(h >> 8) / 2097152.0f - 4.0f;
}

static void put_int(unsigned char *to, int64_t x, size_t size)
{
    for (size_t b = 0; b < size; b++)
        to[b] = (unsigned char)((uint64_t)x >> (8 * b));
}

static void fill(const ir_value *v, unsigned char *to, uint32_t seed)
{
    int64_t count = ir_type_elements(&v->type);
    size_t size = ir_dtype_bytes(v->type.dtype);
    for (int64_t i = 0; i < count; i++, to += size) {
        uint32_t h = mix((uint32_t)i * 0x9e3779b9u + seed);
        float f = edge_float(h);
        double d = f;
        switch (v->type.dtype) {
        case IR_F32: memcpy(to, &f, sizeof f); break;
        case IR_F64: memcpy(to, &d, sizeof d); break;
        case IR_BOOL: *to = h & 1; break;
        case IR_I8: put_int(to, edge_int(v, INT8_MIN, INT8_MAX, h), size); break;
        case IR_U8: put_int(to, edge_int(v, 0, UINT8_MAX, h), size); break;
        case IR_I16: put_int(to, edge_int(v, INT16_MIN, INT16_MAX, h), size); break;
        default: /* indices, mostly: small numbers, some outside */ put_int(to, (int64_t)(h % 11) - 1, size); break;
        }
    }
}

/* ---- Comparison ---- */

static bool differ(diag *d, const ir_graph *g, int32_t output, int64_t at)
{
    return diag_error(d, NULL, "output %d (%s) differs at element %lld after the passes", output,
                      g->output_names[output], (long long)at);
}

static bool compare_floats(const ir_graph *g, int32_t output, const unsigned char *a, const unsigned char *b, diag *d)
{
    int64_t count = ir_type_elements(&g->outputs[output]->type);
    float largest = 0, x, y;
    for (int64_t i = 0; i < count; i++) {
        memcpy(&x, a + i * 4, 4);
        if (isfinite(x) && fabsf(x) > largest)
            largest = fabsf(x);
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy(&x, a + i * 4, 4);
        memcpy(&y, b + i * 4, 4);
        bool same = x == y || (isnan(x) && isnan(y)) || fabsf(x - y) <= 1e-4f * largest;
        if (!same)
            return differ(d, g, output, i);
    }
    return true;
}

static bool compare(const ir_graph *g, unsigned char *const a[], unsigned char *const b[], diag *d)
{
    for (int32_t i = 0; i < g->output_count; i++) {
        const ir_type *t = &g->outputs[i]->type;
        size_t element = ir_dtype_bytes(t->dtype);
        if (t->dtype == IR_F32) {
            if (!compare_floats(g, i, a[i], b[i], d))
                return false;
            continue;
        }
        for (int64_t e = 0; e < ir_type_elements(t); e++)
            if (memcmp(a[i] + (size_t)e * element, b[i] + (size_t)e * element, element) != 0)
                return differ(d, g, i, e);
    }
    return true;
}

/* ---- Running ---- */

static bool same_interface(const ir_graph *a, const ir_graph *b, diag *d)
{
    bool same = a->input_count == b->input_count && a->output_count == b->output_count;
    for (int32_t i = 0; same && i < a->input_count; i++)
        same = ir_type_equal(&a->inputs[i]->type, &b->inputs[i]->type);
    for (int32_t i = 0; same && i < a->output_count; i++)
        same = ir_type_equal(&a->outputs[i]->type, &b->outputs[i]->type);
    return same || diag_error(d, NULL, "inputs or outputs changed in number or type");
}

static unsigned char **buffers(arena *a, ir_value *const values[], int32_t count)
{
    unsigned char **p = ARENA_ARRAY(a, unsigned char *, count);
    for (int32_t i = 0; i < count; i++)
        p[i] = arena_alloc(a, ir_type_bytes(&values[i]->type));
    return p;
}

/* The graph after the passes runs in its planned memory when it has a plan. */
typedef struct runner {
    const ir_graph *g;
    ir_state *state;
    unsigned char *workspace; /* NULL: not planned */
} runner;

static bool is_planned(const ir_graph *g)
{
    for (int32_t i = 0; i < g->output_count; i++)
        if (g->outputs[i]->place.space != IR_SPACE_OUTPUT)
            return false;
    return g->output_count > 0;
}

static runner runner_new(const ir_graph *g, arena *a)
{
    runner r = {.g = g};
    if (is_planned(g)) {
        r.workspace = arena_alloc(a, g->workspace_bytes);
        planned_reset(g, r.workspace);
    } else {
        r.state = ir_state_new(g);
    }
    return r;
}

static bool run(runner *r, unsigned char *const in[], unsigned char *const out[], diag *d)
{
    const void *const *inputs = (const void *const *)in;
    void *const *outputs = (void *const *)out;
    return r->workspace ? planned_run(r->g, inputs, outputs, r->workspace, d)
                        : ir_interpret(r->g, inputs, outputs, r->state, d);
}

static bool run_steps(const ir_graph *before, const ir_graph *after, runner *x, runner *y, arena *a, diag *d)
{
    unsigned char **in = buffers(a, before->inputs, before->input_count);
    unsigned char **out_before = buffers(a, before->outputs, before->output_count);
    unsigned char **out_after = buffers(a, after->outputs, after->output_count);
    for (uint32_t step = 0; step < STEPS; step++) {
        for (int32_t i = 0; i < before->input_count; i++)
            fill(before->inputs[i], in[i], mix((uint32_t)i + step * 1000 + 1));
        if (!run(x, in, out_before, d) || !run(y, in, out_after, d) || !compare(before, out_before, out_after, d))
            return false;
    }
    return true;
}

bool check_values(const ir_graph *before, const ir_graph *after, diag *d)
{
    if (!same_interface(before, after, d))
        return false;
    arena *a = arena_new();
    runner x = runner_new(before, a), y = runner_new(after, a);
    bool ok = run_steps(before, after, &x, &y, a, d);
    ir_state_free(x.state);
    ir_state_free(y.state);
    arena_free(a);
    return ok;
}
