/* simulate.c: protects that what is trained is what is compiled: the simulated graph gives, layer by layer, the reals of the
 * integers that the integer graph computes, but where a sum is next to the middle between two of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/tune/simulate.h"
#include "ir/ref/interp.h"
#include "tests/quantize/noise.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { SAMPLES = 8, IN = 8 * 8 * 4, LAYERS = 5, MOST = 36 * 6 + 512, VALUES = 64 };

/* Everything that has a place of its own in the simulation: a bias of its own and one in a sum, a filter for each channel,
 * data that moves, a sum of two values, a constant of a sum, a weight that two layers share. */
static const char text[] = "graph \"g\" {\n"
                           "  input %0:f32<1x8x8x4> \"x\"\n"
                           "  const %1:f32<6x3x3x4> \"w1\" = splat 0.1\n"
                           "  const %2:f32<6> \"b1\" = splat 0.1\n"
                           "  %3:f32<1x8x8x6> = conv2d %0, %1, %2 {pad = [1, 1, 1, 1], act = relu}\n"
                           "  const %4:f32<1x3x3x6> \"w2\" = splat 0.1\n"
                           "  %6:f32<1x6x6x6> = depthwise_conv2d %3, %4, %2 {act = relu6}\n"
                           "  const %7:f32<6x1x1x6> \"w3\" = splat 0.1\n"
                           "  %8:f32<1x6x6x6> = conv2d %6, %7\n"
                           "  %9:f32<1x6x6x6> = conv2d %8, %7\n"
                           "  %10:f32<1x6x6x6> = add %9, %6\n"
                           "  %11:f32<36x6> = reshape %10\n"
                           "  const %12:f32<5x6> \"w4\" = splat 0.1\n"
                           "  %13:f32<36x5> = fully_connected %11, %12\n"
                           "  output %3 \"y0\"\n"
                           "  output %6 \"y1\"\n"
                           "  output %8 \"y2\"\n"
                           "  output %10 \"y3\"\n"
                           "  output %13 \"y4\"\n"
                           "}\n";

static void fill_weights(ir_graph *g)
{
    for (ir_op *op = g->first; op; op = op->next)
        for (int i = 1; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            if (!v->name || (v->name[0] != 'w' && v->name[0] != 'b'))
                continue;
            float *to = ARENA_ARRAY(g->arena, float, ir_type_elements(&v->type));
            for (int64_t k = 0; k < ir_type_elements(&v->type); k++)
                to[k] = 0.4f * noise((uint32_t)(v->id * 1000 + k));
            v->data = to;
        }
}

typedef struct result {
    float values[LAYERS][MOST];
} result;

static void interpret(const ir_graph *g, const void *const inputs[], result *to, diag *d)
{
    void *outputs[64];
    static float further[64];
    for (int i = 0; i < g->output_count; i++)
        outputs[i] = i < LAYERS ? (void *)to->values[i] : (void *)&further[i];
    CHECK(ir_interpret(g, inputs, outputs, NULL, d));
}

/* Elements of a layer that differ, all by at most `steps` of its grid. */
static int64_t compare(const ir_graph *g, int layer, const result *a, const result *b, double step, int steps)
{
    int64_t different = 0;
    for (int64_t i = 0; i < ir_type_elements(&g->outputs[layer]->type); i++) {
        const double error = fabs((double)a->values[layer][i] - (double)b->values[layer][i]);
        CHECK(error <= (steps + 0.01) * step);
        different += error > 0.01 * step;
    }
    return different;
}

/* What is kept in float: a sum, which reads %6 unrounded, and %9, so that %6 and %10 are rounded for products alone; or a
 * product, whose weights and operand are not rounded then. */
typedef enum kept_kind { NOTHING, SUM, PRODUCT } kept_kind;

static void check_inputs(const simulation *s, kept_kind kept)
{
    static const int grids[] = {[NOTHING] = 6, [SUM] = 5, [PRODUCT] = 4}; /* %0, %3, %6, %8, %9, %10 */
    CHECK(s->parameter_count == 5);                                       /* %1, %2, %4, %7, %12 */
    CHECK(s->use_count == 7);                                             /* %2 and %7 twice */
    CHECK(s->grid_count >= grids[kept]);
    CHECK(s->range_count >= s->grid_count);
}

static void keep(ir_graph *g, kept_kind kept)
{
    for (ir_op *op = g->first; op; op = op->next) {
        op->keep_float = (kept == SUM && op->code == IR_ADD) || (kept == PRODUCT && op->code == IR_DEPTHWISE_CONV2D);
        op->why_float = op->keep_float ? "kept in float by --keep-float" : NULL;
    }
}

static void check(bool symmetric, int bits, kept_kind kept)
{
    diag d = {0};
    ir_graph *g = parsed(text, &d);
    fill_weights(g);
    keep(g, kept);
    pass_range ranges[VALUES] = {
        [0] = {true, -1, 1, 0, NULL},   [3] = {true, 0, 4, 0, NULL},  [6] = {true, 0, 3, 0, NULL},
        [8] = {true, -2, 1.5, 0, NULL}, [9] = {true, -2, 2, 0, NULL}, [10] = {true, -2, 5, 0, NULL},
        [11] = {true, -2, 5, 0, NULL}};
    const pass_calibration calibration = {
        .ranges = ranges, .count = VALUES, .symmetric = symmetric, .activation_bits = bits};
    driver_options o = driver_defaults(OPTION_EVAL);
    o.calibration = &calibration;
    simulation s;
    CHECK(simulate(g, &o, true, &s, &d));
    check_inputs(&s, kept);
    driver_module m = {.file = "test", .graph = ir_graph_copy(g)};
    CHECK(driver_optimize(&o, &m, &d));
    void **inputs = ARENA_ARRAY(g->arena, void *, s.graph->input_count);
    for (int i = 0; i < s.graph->input_count; i++)
        inputs[i] = arena_alloc(g->arena, ir_type_bytes(&s.graph->inputs[i]->type));
    CHECK(simulate_inputs(&s, &o, inputs, &d));
    static result simulated, integers;
    const double most = (1 << bits) - 1, steps[LAYERS] = {4 / most, 3 / most, 3.5 / most, 7 / most, 0.05 * 255 / most};
    int64_t different = 0, all = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        for (uint32_t i = 0; i < IN; i++)
            ((float *)inputs[0])[i] = noise(sample * IN + i);
        interpret(s.graph, (const void *const *)inputs, &simulated, &d);
        interpret(m.graph, (const void *const *)inputs, &integers, &d);
        for (int layer = 0; layer < LAYERS; layer++) {
            different += compare(g, layer, &simulated, &integers, (symmetric ? 2 : 1) * steps[layer], 1 + layer);
            all += ir_type_elements(&g->outputs[layer]->type);
        }
    }
    printf("%lld of %lld elements differ\n", (long long)different, (long long)all);
    CHECK(different * 200 < all);
    CHECK(!d.failed);
    ir_graph_free(m.graph);
    simulate_free(&s);
    ir_graph_free(g);
}

int main(void)
{
    for (kept_kind kept = NOTHING; kept <= PRODUCT; kept++) {
        check(false, 8, kept);
        check(true, 8, kept);
        check(false, 4, kept);
        check(true, 3, kept);
    }
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
