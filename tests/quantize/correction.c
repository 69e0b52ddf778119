/* correction.c: protects the choice of how many weights are rounded from samples: all of them where that carries over to
 * other samples, short rows alone where it does not, because the samples say too little; and nothing is tried where the
 * effort does not ask for it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/correction.h"
#include "compiler/quantize/weights/round.h"
#include "tests/quantize/noise.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { IN = 400, VALUES = 16, CAUSES = 6 };

static const char text[] = "graph \"g\" {\n"
                           "  input %0:f32<1x400> \"x\"\n"
                           "  const %1:f32<8x400> \"w\" = splat 0.1\n"
                           "  %2:f32<1x8> = fully_connected %0, %1\n"
                           "  output %2 \"y\"\n"
                           "}\n";

static ir_graph *parse(diag *d)
{
    ir_graph *g = parsed(text, d);
    ir_value *w = g->first->operands[1].value;
    float *to = ARENA_ARRAY(g->arena, float, 8 * IN);
    for (uint32_t i = 0; i < 8 * IN; i++)
        to[i] = noise(i + 77);
    w->data = to;
    return g;
}

/* Every number for itself: a dozen samples say nothing of the next. */
static bool fill_apart(void *context, int sample, void *const inputs[], diag *d)
{
    (void)d;
    ++*(int *)context;
    for (uint32_t i = 0; i < IN; i++)
        ((float *)inputs[0])[i] = noise((uint32_t)sample * IN + i);
    return true;
}

/* All of a few causes, which are seen in all samples. */
static bool fill_together(void *context, int sample, void *const inputs[], diag *d)
{
    (void)d;
    ++*(int *)context;
    for (uint32_t i = 0; i < IN; i++) {
        float sum = 0;
        for (uint32_t cause = 0; cause < CAUSES; cause++)
            sum += noise(90000 + (uint32_t)sample * CAUSES + cause) * noise(cause * IN + i) / CAUSES;
        ((float *)inputs[0])[i] = sum;
    }
    return true;
}

static int32_t chosen(int effort, bool (*fill)(void *, int, void *const[], diag *), int count, int *out_runs)
{
    diag d = {0};
    ir_graph *g = parse(&d);
    pass_range ranges[VALUES] = {[0] = {true, -1, 1, 0, NULL}};
    const pass_calibration calibration = {.ranges = ranges, .count = VALUES, .activation_bits = 8};
    const driver_options o = driver_defaults(OPTION_EVAL);
    *out_runs = 0;
    const correct_samples samples = {fill, out_runs, count};
    const bool skipped[PASS_STEPS] = {false};
    correction c = correction_make(effort, skipped, &o, &calibration, &samples, 1);
    CHECK(correction_choose(&c, g, &d));
    if (d.failed)
        failures += fprintf(stderr, "%s\n", d.text) > 0;
    ir_graph_free(g);
    return c.longest;
}

int main(void)
{
    int runs;
    CHECK(chosen(2, fill_apart, 16, &runs) == ROUND_SHORT && runs > 0);
    CHECK(chosen(2, fill_together, 64, &runs) == ROUND_ALL && runs > 0);
    CHECK(chosen(1, fill_together, 64, &runs) == ROUND_SHORT && runs == 0);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
