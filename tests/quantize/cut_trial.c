/* cut_trial.c: protects the choice by fact where the estimate of what cuts gain is in doubt: ranges are cut where the outputs
 * do not depend on what is cut off, and stay where samples left out are worse for it, whatever others say; threads
 * change nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/cuts/cut_trial.h"
#include "tests/quantize/noise.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { ROWS = 64, IN = 4, OUT = 8, VALUES = 16, SAMPLES = 16 };
#define LARGE 8.0f
#define PART 0.125f

static const char text[] = "graph \"g\" {\n"
                           "  input %0:f32<64x4> \"x\"\n"
                           "  const %1:f32<8x4> \"w\" = splat 0.1\n"
                           "  %2:f32<64x8> = fully_connected %0, %1\n"
                           "  output %2 \"y\"\n"
                           "}\n";

/* The last number of each row is read with weight `last`. */
static ir_graph *parse(float last, diag *d)
{
    ir_graph *g = parsed(text, d);
    ir_value *w = g->first->operands[1].value;
    float *to = ARENA_ARRAY(g->arena, float, OUT *IN);
    for (uint32_t i = 0; i < OUT * IN; i++)
        to[i] = i % IN == IN - 1 ? last : noise(i + 77);
    w->data = to;
    return g;
}

/* In samples that are a multiple of `each`, less 1, one number is large. */
static bool fill(void *context, int sample, void *const inputs[], diag *d)
{
    float *to = inputs[0];
    (void)d;
    for (uint32_t i = 0; i < ROWS * IN; i++)
        to[i] = noise((uint32_t)sample * ROWS * IN + i);
    if ((sample + 1) % *(const int *)context == 0)
        to[sample * 7 % ROWS * IN + IN - 1] = LARGE;
    return true;
}

static bool gains(float last, int each, unsigned threads)
{
    diag d = {0};
    ir_graph *g = parse(last, &d);
    pass_range ranges[VALUES] = {[0] = {true, -1, LARGE, 0, NULL}};
    const pass_calibration calibration = {.ranges = ranges, .count = VALUES, .activation_bits = 8};
    driver_options o = driver_defaults(OPTION_EVAL);
    o.calibration = &calibration;
    const correct_samples samples = {fill, &each, SAMPLES};
    const left_out apart = left_out_of(&samples);
    cut_share shares[VALUES];
    bool out = false;
    for (int i = 0; i < VALUES; i++)
        shares[i] = (cut_share){1, i == 0 ? PART : 1};
    CHECK(apart.others.count == SAMPLES * 3 / 4 && apart.judges.count == SAMPLES / 4);
    CHECK(cut_trial(g, &o, &apart, shares, threads, &out, &d));
    if (d.failed)
        failures += fprintf(stderr, "%s\n", d.text) > 0;
    CHECK(ranges[0].high == LARGE);
    ir_graph_free(g);
    return out;
}

int main(void)
{
    CHECK(gains(0, 1, 1)); /* nothing depends on the large numbers */
    CHECK(gains(0, 1, 3));
    CHECK(!gains(1, 1, 1)); /* outputs do */
    CHECK(!gains(1, 4, 1)); /* only those left out have any */
    CHECK(!gains(1, 4, 3));
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
