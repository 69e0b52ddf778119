/* recompute.c: protects what --memory does to a step of training: less memory is taken, down to what can't be less; the
 * results are the same bits; a graph that fits stays as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/pass.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { DEPTH = 12, ELEMENTS = 16 * 16, BYTES = 4 * ELEMENTS };

/* Forward x, f(x), f(f(x)), …; then back, which reads all of them from the last to the first; f is a product, a view and a
 * function, so that memory is shared. */
static ir_graph *make(diag *d)
{
    char text[16384];
    int n = snprintf(text, sizeof text,
                     "graph \"g\" {\n  input %%x0:f32<16x16> \"x\"\n  input %%w:f32<16x16> \"w\"\n"
                     "  const %%b:f32<16> = splat 0.25\n");
    for (int i = 0; i < DEPTH; i++)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "  %%p%d:f32<16x16> = batch_matmul %%x%d, %%w\n"
                      "  %%r%d:f32<4x4x16> = reshape %%p%d\n"
                      "  %%s%d:f32<4x4x16> = add %%r%d, %%b\n"
                      "  %%t%d:f32<4x4x16> = tanh %%s%d\n"
                      "  %%x%d:f32<16x16> = reshape %%t%d\n",
                      i, i, i, i, i, i, i, i, i + 1, i);
    n += snprintf(text + n, sizeof text - (size_t)n, "  %%g%d:f32<16x16> = abs %%x%d\n", DEPTH, DEPTH);
    for (int i = DEPTH - 1; i >= 0; i--)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "  %%m%d:f32<16x16> = mul %%g%d, %%x%d\n"
                      "  %%g%d:f32<16x16> = batch_matmul %%m%d, %%w {adj_b = 1}\n",
                      i, i + 1, i + 1, i, i);
    snprintf(text + n, sizeof text - (size_t)n, "  output %%g0 \"g\"\n  output %%x%d \"y\"\n}\n", DEPTH);
    return parsed(text, d);
}

static int op_count(const ir_graph *g)
{
    int count = 0;
    for (const ir_op *op = g->first; op; op = op->next)
        count++;
    return count;
}

static ir_graph *planned(int64_t live_bytes)
{
    static const char *const names[] = {"recompute", "memory_plan"};
    const pass_options options = {.opt_level = 3, .lower = true, .live_bytes = live_bytes};
    const pass_debug debug = {.verify_each = true};
    diag d = {0};
    ir_graph *g = make(&d);
    CHECK(pass_run(g, &options, &debug, names, 2, &d));
    return g;
}

typedef struct results {
    float g[ELEMENTS], y[ELEMENTS];
} results;

static void run(const ir_graph *g, results *to)
{
    static float x[ELEMENTS], w[ELEMENTS];
    diag d = {0};
    for (int i = 0; i < ELEMENTS; i++) {
        x[i] = (float)(i * 37 % 64) / 32 - 1;
        w[i] = (float)(i * 29 % 128) / 256 - 0.25f;
    }
    CHECK(ir_interpret(g, (const void *const[]){x, w}, (void *const[]){to->g, to->y}, NULL, &d));
}

int main(void)
{
    static results all, same;
    ir_graph *whole = planned(0), *enough = planned((int64_t)1 << 30), *least = planned(1);
    const size_t most = whole->workspace_bytes, fewest = least->workspace_bytes;
    run(whole, &all);
    CHECK(enough->workspace_bytes == most && op_count(enough) == op_count(whole));
    CHECK(most >= DEPTH * BYTES && fewest < most * 3 / 5 && fewest >= 3 * BYTES);
    for (size_t live = fewest; live <= most; live += BYTES) {
        ir_graph *g = planned((int64_t)live);
        run(g, &same);
        CHECK(memcmp(&all, &same, sizeof all) == 0);
        CHECK(g->workspace_bytes <= live + 2 * BYTES);
        CHECK(live >= most || op_count(g) > op_count(whole));
        ir_graph_free(g);
    }
    printf("%zu bytes, at least %zu by %d ops for %d\n", most, fewest, op_count(least), op_count(whole));
    ir_graph_free(whole);
    ir_graph_free(enough);
    ir_graph_free(least);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
