/* ranges.c: protects: a step of SGD changes a learned step size by what LSQ says, gradient over sqrt(N Q), though a factor
 * is what is trained; with Adam the factor moves by its rate whatever the numbers; ends stay on either side of 0. */
#include "compiler/tune/learned/ranges.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))
#define NEAR(a, b) CHECK(fabs((double)(a) - (double)(b)) < 1e-5 * fabs((double)(b)))

/* One value of 1000 numbers a sample, -1…3 in 200 steps of 0.02. */
enum { LOW, HIGH, SCALE, INPUTS, NUMBERS = 1000 };
static const float low = -1, high = 3, scale = 0.02f;

static float scale_after(optimizer_kind kind, double rate, const float gradient[3])
{
    arena *a = arena_new();
    float ends[INPUTS] = {low, high, scale};
    void *inputs[INPUTS] = {&ends[LOW], &ends[HIGH], &ends[SCALE]};
    simulated_grid grid = {.low = LOW, .high = HIGH, .scale = SCALE};
    simulated_range range = {.count = NUMBERS};
    const simulation of = {.grids = &grid, .ranges = &range, .grid_count = 1, .range_count = 1};
    const range_options options = {.kind = RANGES_LSQ};
    const optimizer_options optimizer = {.kind = kind, .rate = rate, .steps = 1};
    pass_range by_id[1] = {{.known = true, .low = low, .high = high}};
    ranges r;
    optimizer_block block;
    ranges_open(&r, &options, &of, by_id, false, a);
    CHECK(ranges_blocks(&r, kind == OPTIMIZER_ADAM, 1, &block) == 1);
    ranges_take_gradient(&r, 0, gradient, inputs);
    optimizer_step(&optimizer, &block, 1, 0);
    ranges_settle(&r);
    NEAR(by_id[0].low / low, by_id[0].high / high);
    const float after = scale * by_id[0].high / high;
    arena_free(a);
    return after;
}

/* PACT: by the gradient of each end, and the decay times what it is; an end that is 0 stays. */
static void check_pact(bool symmetric, float start_low, const float expected[2])
{
    arena *a = arena_new();
    float ends[INPUTS] = {start_low, high, scale};
    void *inputs[INPUTS] = {&ends[LOW], &ends[HIGH], &ends[SCALE]};
    simulated_grid grid = {.low = LOW, .high = HIGH, .scale = SCALE};
    simulated_range range = {.count = NUMBERS};
    const simulation of = {.grids = &grid, .ranges = &range, .grid_count = 1, .range_count = 1};
    const range_options options = {.kind = RANGES_PACT, .decay = 0.1};
    const optimizer_options optimizer = {.kind = OPTIMIZER_SGD, .rate = 0.01, .steps = 1};
    pass_range by_id[1] = {{.known = true, .low = start_low, .high = high}};
    ranges r;
    optimizer_block block;
    ranges_open(&r, &options, &of, by_id, symmetric, a);
    CHECK(ranges_blocks(&r, false, 1, &block) == 1);
    ranges_take_gradient(&r, 0, (const float[3]){0.5f, -0.25f, 40}, inputs);
    optimizer_step(&optimizer, &block, 1, 0);
    ranges_settle(&r);
    CHECK(fabsf(by_id[0].low - expected[0]) < 1e-6f && fabsf(by_id[0].high - expected[1]) < 1e-6f);
    arena_free(a);
}

int main(void)
{
    check_pact(false, low, (const float[2]){-1 - 0.01f * (0.5f - 0.1f), 3 - 0.01f * (-0.25f + 0.3f)});
    check_pact(false, 0, (const float[2]){0, 3 - 0.01f * (-0.25f + 0.3f)});
    check_pact(true, low, (const float[2]){-3 + 0.01f * (-0.25f - 0.5f + 0.3f), 3 - 0.01f * (-0.25f - 0.5f + 0.3f)});
    const float gradient[3] = {0.5f, -0.25f, 40};
    const double by_scale = 0.5 * -50 + -0.25 * 150 + 40; /* ends are -50 and 150 steps */
    NEAR(scale_after(OPTIMIZER_SGD, 0.1, gradient), 0.02 - 0.1 * by_scale / sqrt(NUMBERS * 150.0));
    NEAR(scale_after(OPTIMIZER_ADAM, 0.01, gradient), 0.02 * 1.01);
    NEAR(scale_after(OPTIMIZER_SGD, 1e6, (const float[3]){0, 0, 1}), 0.02e-3); /* never nothing, nor less */
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
