/* correct.c: protects bias correction: over the samples the integer graph's means are those of real numbers, channel
 * by channel, where they were not before; biases are made where there were none; nothing depends on the number of
 * threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/weights/correct.h"
#include "ir/ref/interp.h"
#include "tests/quantize/noise.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { SAMPLES = 24, IN = 8 * 8 * 4, OUT = 6, VALUES = 64 };

/* Weights are filled in below.  A convolution, one for each channel, one that is rounded with its residual, one without a
 * bias, a product with its bias in a sum. */
static const char text[] = "graph \"g\" {\n"
                           "  input %0:f32<1x8x8x4> \"x\"\n"
                           "  const %1:f32<6x3x3x4> \"w1\" = splat 0.1\n"
                           "  const %2:f32<6> = [0.1, 0.2, -0.3, 0.4, 0, 0.05]\n"
                           "  %3:f32<1x8x8x6> = conv2d %0, %1, %2 {stride = [1, 1], pad = [1, 1, 1, 1], act = relu}\n"
                           "  const %4:f32<1x3x3x6> \"w2\" = splat 0.1\n"
                           "  const %5:f32<6> = [0, 0.1, 0.1, -0.1, 0, 0.2]\n"
                           "  %6:f32<1x6x6x6> = depthwise_conv2d %3, %4, %5 {stride = [1, 1], act = relu6}\n"
                           "  const %14:f32<6x1x1x6> \"w5\" = splat 0.1\n"
                           "  %15:f32<1x6x6x6> = conv2d %6, %14\n"
                           "  %16:f32<1x6x6x6> = add %6, %15\n"
                           "  const %7:f32<5x1x1x6> \"w3\" = splat 0.1\n"
                           "  %8:f32<1x6x6x5> = conv2d %16, %7\n"
                           "  %9:f32<36x5> = reshape %8\n"
                           "  const %10:f32<5x6> \"w4\" = splat 0.1\n"
                           "  %11:f32<36x6> = batch_matmul %9, %10\n"
                           "  const %12:f32<6> = [1, -1, 2, -2, 0.5, 0]\n"
                           "  %13:f32<36x6> = add %11, %12\n"
                           "  output %13 \"y\"\n"
                           "}\n";

/* Rounding moves most weights of a channel to the same side: all but one are just above the middle between two
 * integers. */
static void fill_weights(ir_graph *g)
{
    for (ir_op *op = g->first; op; op = op->next)
        for (int i = 1; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            if (!v->name || v->name[0] != 'w')
                continue;
            float *to = ARENA_ARRAY(g->arena, float, ir_type_elements(&v->type));
            for (int64_t k = 0; k < ir_type_elements(&v->type); k++)
                to[k] = k % 5 == 0 ? 1.27f : (float)((k * 7) % 40 - 16) * 0.01f + 0.0052f;
            v->data = to;
        }
}

static ir_graph *parse(diag *d)
{
    ir_graph *g = parsed(text, d);
    fill_weights(g);
    return g;
}

static bool fill(void *context, int sample, void *const inputs[], diag *d)
{
    (void)context;
    (void)d;
    for (uint32_t i = 0; i < IN; i++)
        ((float *)inputs[0])[i] = fabsf(noise((uint32_t)sample * IN + i));
    return true;
}

/* The mean of each channel of the result over all samples. */
static void means_of(const ir_graph *g, double means[OUT], diag *d)
{
    float in[IN], out[36 * OUT];
    void *const inputs[1] = {in}, *const outputs[1] = {out};
    memset(means, 0, OUT * sizeof means[0]);
    for (int s = 0; s < SAMPLES; s++) {
        fill(NULL, s, inputs, d);
        CHECK(ir_interpret(g, (const void *const *)inputs, outputs, NULL, d));
        for (int i = 0; i < 36 * OUT; i++)
            means[i % OUT] += (double)out[i] / (36 * SAMPLES);
    }
}

static double largest(const double a[OUT], const double b[OUT])
{
    double most = 0;
    for (int i = 0; i < OUT; i++)
        most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static double error_on_integers(const ir_graph *g, const driver_options *o, const double real[OUT], diag *d)
{
    driver_module m = {.file = "test", .graph = ir_graph_copy(g)};
    double means[OUT];
    int integers = 0, residuals = 0;
    CHECK(driver_optimize(o, &m, d));
    for (const ir_op *op = m.graph->first; op; op = op->next) {
        integers += op->operand_count > 1 && op->operands[0].value->type.dtype == IR_U8;
        residuals += op->code == IR_CONV2D && ir_mac_adds_real(op);
    }
    CHECK(integers == 5 && residuals == 1); /* all products */
    means_of(m.graph, means, d);
    ir_graph_free(m.graph);
    return largest(means, real);
}

static void check_same_biases(const ir_graph *a, const ir_graph *b)
{
    int biases = 0;
    for (const ir_op *p = a->first, *q = b->first; p && q; p = p->next, q = q->next)
        for (int i = 0; i < p->operand_count; i++) {
            const ir_value *v = p->operands[i].value, *w = q->operands[i].value;
            if (!ir_is_const(v) || v->type.rank != 1)
                continue;
            CHECK(memcmp(v->data, w->data, ir_type_bytes(&v->type)) == 0);
            biases++;
        }
    CHECK(biases == 5); /* two more than there were */
}

int main(void)
{
    diag d = {0};
    ir_graph *g = parse(&d), *again = parse(&d);
    pass_range ranges[VALUES] = {[0] = {true, 0, 1, 0, NULL},
                                 [3] = {true, 0, 9, 0, NULL},
                                 [6] = {true, 0, 6, 0, NULL},
                                 [16] = {true, -4, 16, 0, NULL},
                                 [9] = {true, -40, 60, 0, NULL}};
    const pass_calibration calibration = {.ranges = ranges, .count = VALUES, .activation_bits = 8};
    driver_options o = driver_defaults(OPTION_EVAL);
    o.calibration = &calibration;
    const correct_samples samples = {fill, NULL, SAMPLES};
    double real[OUT];
    means_of(g, real, &d);
    const double before = error_on_integers(g, &o, real, &d);
    CHECK(correct_biases(g, &o, &samples, 1, &d));
    CHECK(correct_biases(again, &o, &samples, 2, &d));
    const double after = error_on_integers(g, &o, real, &d);
    fprintf(stderr, "largest error of a mean: %g before, %g after\n", before, after);
    CHECK(before > 0.05 && after < before / 20);
    check_same_biases(g, again);
    if (d.failed)
        fprintf(stderr, "%s\n", d.text);
    ir_graph_free(g);
    ir_graph_free(again);
    return failures || d.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
