/* cost_test.c: protects the estimate of times by which layers are chosen for float: arithmetic on a lowered graph, in which floats
 * take longer than bytes, whole vectors are what counts, conversions take time, and views and what has no kernel take none. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler/codegen/object/cost.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

/* The cost of a graph, all of whose ops are done by that kernel. */
static double cost(const char *text, const char *kernel, const char *target)
{
    diag d = {0};
    ir_graph *g = parsed(text, &d);
    int64_t offset = 0;
    for (ir_op *op = g->first; op; op = op->next) {
        op->kernel.name = kernel;
        op->results[0]->place.offset = offset += 1 << 20; /* none is a view */
    }
    const double seconds = cg_graph_cost(g, target_find(target));
    ir_graph_free(g);
    return seconds;
}

#define BYTES_CONV(IN, OUT)                                                                                            \
    "graph \"g\" {\n  input %0:u8<1x32x32x" IN "; 0.5, 3> \"x\"\n"                                                     \
    "  const %1:i8<" OUT "x1x1x" IN "; 0.25, 0> \"w\" = splat 1\n"                                                     \
    "  %2:u8<1x32x32x" OUT "; 0.5, 3> = conv2d %0, %1\n  output %2 \"y\"\n}\n"
#define FLOAT_CONV(IN, OUT)                                                                                            \
    "graph \"g\" {\n  input %0:f32<1x32x32x" IN "> \"x\"\n"                                                            \
    "  const %1:f32<" OUT "x1x1x" IN "> \"w\" = splat 1\n"                                                             \
    "  %2:f32<1x32x32x" OUT "> = conv2d %0, %1\n  output %2 \"y\"\n}\n"
#define QUANTIZED(EXTENTS)                                                                                             \
    "graph \"g\" {\n  input %0:f32<" EXTENTS "> \"x\"\n  %1:u8<" EXTENTS "; 0.5, 3> = quantize %0\n"                   \
    "  output %1 \"y\"\n}\n"
#define RESHAPED "graph \"g\" {\n  input %0:f32<1x64> \"x\"\n  %1:f32<64> = reshape %0\n  output %1 \"y\"\n}\n"

static const char best[] = "avx512vnni";

static void products(void)
{
    const double bytes = cost(BYTES_CONV("64", "64"), "conv", best),
                 floats = cost(FLOAT_CONV("64", "64"), "conv", best);
    CHECK(floats > 3 * bytes && floats < 4.5 * bytes);
    CHECK(cost(FLOAT_CONV("64", "8"), "conv", best) > 0.9 * cost(FLOAT_CONV("64", "16"), "conv", best));
    CHECK(cost(FLOAT_CONV("128", "64"), "conv", best) > 1.8 * floats);
    CHECK(cost(BYTES_CONV("61", "64"), "conv", best) == cost(BYTES_CONV("64", "64"), "conv", best));
    CHECK(bytes < cost(BYTES_CONV("64", "64"), "conv", "avx2"));
    CHECK(floats < cost(FLOAT_CONV("64", "64"), "conv", "generic"));
}

static void others(void)
{
    const double small = cost(QUANTIZED("1x1000"), "quantize", best),
                 large = cost(QUANTIZED("1000x1000"), "quantize", best);
    CHECK(small > 0 && large > 100 * small && large < 1000 * small); /* a step takes something by itself */
    CHECK(cost(QUANTIZED("1x1000"), NULL, best) == 0);
    CHECK(cost(RESHAPED, "reshape", best) > 0);
}

/* A value that lies where another does was not moved there. */
static void views(void)
{
    diag d = {0};
    ir_graph *g = parsed(RESHAPED, &d);
    g->first->kernel.name = "reshape";
    CHECK(cg_op_cost(g->first, target_find(best)) == 0);
    CHECK(cg_multiply_adds(g->first) == 0);
    ir_graph_free(g);
}

int main(void)
{
    products();
    others();
    views();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
