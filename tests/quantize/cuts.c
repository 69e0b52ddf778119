/* cuts.c: protects the choice of what of a range a grid has: rare large numbers are cut off where the outputs do not depend on
 * them, and stay where they do; nothing is cut where an op has no gradient, nor
 * in a model that is too large; threads change nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/cuts/cuts.h"
#include "tests/quantize/noise.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { ROWS = 64, IN = 4, OUT = 8, VALUES = 16, SAMPLES = 20 };
#define LARGE 8.0f
#define LIMIT (1.0 * ROWS * IN * OUT) /* multiply-adds */

static const char product[] = "graph \"g\" {\n"
                              "  input %0:f32<64x4> \"x\"\n"
                              "  const %1:f32<8x4> \"w\" = splat 0.1\n"
                              "  %2:f32<64x8> = fully_connected %0, %1\n"
                              "  output %2 \"y\"\n"
                              "}\n";
static const char no_gradient[] = "graph \"g\" {\n"
                                  "  input %0:f32<64x4> \"x\"\n"
                                  "  const %1:f32<8x4> \"w\" = splat 0.1\n"
                                  "  %2:f32<64x8> = fully_connected %0, %1\n"
                                  "  %3:f32<1x8x8x8> = reshape %2\n"
                                  "  %4:f32<1x4x4x8> = max_pool2d %3 {kernel = [2, 2], stride = [2, 2]}\n"
                                  "  %5:f32<1x8x8x8> = max_pool2d_gradient %3, %4 {kernel = [2, 2], stride = [2, 2]}\n"
                                  "  output %5 \"y\"\n"
                                  "}\n";

/* The last number of each row is read with weight `last`. */
static ir_graph *parse(const char *text, float last, diag *d)
{
    ir_graph *g = ir_parse(text, strlen(text), "test", d);
    if (!g)
        exit((fprintf(stderr, "%s\n", d->text), EXIT_FAILURE));
    float *to = ARENA_ARRAY(g->arena, float, OUT *IN);
    for (uint32_t i = 0; i < OUT * IN; i++)
        to[i] = i % IN == IN - 1 ? last : noise(i + 77);
    g->first->operands[1].value->data = to;
    return g;
}

/* Of one row of each sample the last number is large. */
static bool fill(void *context, int sample, void *const inputs[], diag *d)
{
    float *to = inputs[0];
    (void)context;
    (void)d;
    for (uint32_t i = 0; i < ROWS * IN; i++)
        to[i] = noise((uint32_t)sample * ROWS * IN + i);
    to[sample * 7 % ROWS * IN + IN - 1] = LARGE;
    return true;
}

/* What is left of the upper end of the range of x. */
static float share_of_x(const char *text, float last, double most, unsigned threads)
{
    diag d = {0};
    ir_graph *g = parse(text, last, &d);
    pass_range ranges[VALUES] = {[0] = {true, -1, LARGE, 0, NULL}};
    const pass_calibration calibration = {.ranges = ranges, .count = VALUES, .activation_bits = 8};
    driver_options o = driver_defaults(OPTION_EVAL);
    o.calibration = &calibration;
    const correct_samples samples = {fill, NULL, SAMPLES};
    cut_share shares[VALUES];
    CHECK(cuts_find(g, &o, &samples, most, threads, shares, &d));
    if (d.failed)
        failures += fprintf(stderr, "%s\n", d.text) > 0;
    for (int i = 1; i < VALUES; i++)
        CHECK(shares[i].low == 1 && shares[i].high == 1);
    ir_graph_free(g);
    cuts_apply(shares[0], &ranges[0]);
    CHECK(ranges[0].low == -1 * shares[0].low && ranges[0].high == LARGE * shares[0].high);
    CHECK(shares[0].low == 1);
    return shares[0].high;
}

int main(void)
{
    const float cut = share_of_x(product, 0, LIMIT, 1);
    CHECK(cut < 0.2f && cut * LARGE > 0.9f);
    CHECK(share_of_x(product, 0, LIMIT, 3) == cut);
    CHECK(share_of_x(product, 1, LIMIT, 1) == 1);
    CHECK(share_of_x(product, 0, LIMIT - 1, 1) == 1);
    CHECK(share_of_x(no_gradient, 0, LIMIT, 1) == 1);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
