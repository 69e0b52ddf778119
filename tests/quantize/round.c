/* round.c: protects the rounding of weights: it is at least as good as that to the nearest integers for what the samples
 * are, and better where inputs vary together; integers stay in their range; no product is further from the real one than
 * before; nothing depends on the number of threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/quantize/weights/gram.h"
#include "compiler/quantize/weights/round.h"
#include "compiler/quantize/weights/round_rows.h"
#include "passes/common/plan.h"
#include "tests/quantize/noise.h"
#include "tests/tools/parsed.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { N = 6, SAMPLES = 16, IN = 6 * 6 * 4, VALUES = 64 };

/* ---- One row ---- */

static double variance(const double c[N * N], const float u[N], const double q[N])
{
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            sum += c[i * N + k] * ((double)u[i] - q[i]) * ((double)u[k] - q[k]);
    return sum;
}

/* The least of all ways to round each number to one of its two neighbours. */
static double least(const double c[N * N], const float u[N])
{
    double found = INFINITY;
    for (int ways = 0; ways < 1 << N; ways++) {
        double q[N];
        for (int i = 0; i < N; i++)
            q[i] = fmin(floor((double)u[i]) + (ways >> i & 1), 127);
        found = fmin(found, variance(c, u, q));
    }
    return found;
}

static void check_row(uint32_t seed, double *plain_sum, double *sum, double *least_sum)
{
    double c[N * N] = {0}, scratch[3 * N], plain[N], rounded[N];
    float u[N], q[N];
    round_block block;
    for (uint32_t s = 0; s < 8; s++) {
        double x[N];
        for (uint32_t i = 0; i < N; i++)
            x[i] = (double)noise(seed + s * 100) + 0.3 * (double)noise(seed + s * 100 + 1 + i);
        for (int i = 0; i < N * N; i++)
            c[i] += x[i / N] * x[i % N];
    }
    for (uint32_t i = 0; i < N; i++) {
        u[i] = i == 0 ? 127 : 100 * noise(seed + 5000 + i);
        plain[i] = nearbyint((double)u[i]);
    }
    CHECK(round_block_init(&block, N, c));
    round_row(&block, u, 1, 1, 127, q, scratch);
    round_block_free(&block);
    for (int i = 0; i < N; i++) {
        rounded[i] = (double)q[i];
        CHECK(fabs(rounded[i]) <= 127 && rounded[i] == nearbyint(rounded[i]));
    }
    *plain_sum += variance(c, u, plain);
    *sum += variance(c, u, rounded);
    *least_sum += least(c, u);
}

/* Inputs that do not vary at all, or are none, leave the nearest integers. */
static void check_constant(void)
{
    const double c[4] = {0};
    const float u[2] = {1.4f, -126.6f};
    float q[2];
    double scratch[6];
    round_block block;
    CHECK(round_block_init(&block, 2, c));
    round_row(&block, u, 1, 1, 127, q, scratch);
    round_block_free(&block);
    CHECK(q[0] == 1 && q[1] == -127);
}

/* ---- A graph ---- */

static const char text[] = "graph \"g\" {\n"
                           "  input %0:f32<1x6x6x4> \"x\"\n"
                           "  const %1:f32<6x3x3x4> \"w1\" = splat 0.1\n"
                           "  %2:f32<1x3x3x6> = conv2d %0, %1 {stride = [2, 2], pad = [1, 1, 1, 1], act = relu}\n"
                           "  const %3:f32<1x3x3x12> \"w2\" = splat 0.1\n"
                           "  %4:f32<1x3x3x12> = depthwise_conv2d %2, %3 {pad = [1, 1, 1, 1], act = relu}\n"
                           "  %5:f32<9x12> = reshape %4\n"
                           "  const %6:f32<5x12> \"w3\" = splat 0.1\n"
                           "  %7:f32<9x5> = fully_connected %5, %6\n"
                           "  output %7 \"y\"\n"
                           "}\n";

static ir_graph *parse(diag *d)
{
    ir_graph *g = parsed(text, d);
    for (ir_op *op = g->first; op; op = op->next)
        for (int i = 1; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            float *to = ARENA_ARRAY(g->arena, float, ir_type_elements(&v->type));
            for (int64_t k = 0; k < ir_type_elements(&v->type); k++)
                to[k] = noise((uint32_t)k * 7 + op->id);
            v->data = to;
        }
    return g;
}

static bool fill(void *context, int sample, void *const inputs[], diag *d)
{
    (void)context;
    (void)d;
    for (uint32_t i = 0; i < IN; i++) /* neighbours are alike */
        ((float *)inputs[0])[i] =
            fabsf(noise((uint32_t)sample * IN + i / 12) + 0.2f * noise((uint32_t)sample * IN + i));
    return true;
}

/* Of the first product: the variance of what rounded weights change, over that with the nearest ones. */
static double first_variance(const ir_graph *before, const ir_graph *after)
{
    const ir_value *u = before->first->operands[1].value, *w = after->first->operands[1].value;
    double covariance[36 * 36], changed = 0, plain = 0;
    gram m;
    CHECK(gram_open(&m, before->first) && m.blocks == 1 && m.patch == 36);
    for (int i = 0; i < SAMPLES; i++) {
        float x[IN];
        void *const inputs[] = {x};
        fill(NULL, i, inputs, NULL);
        gram_add(&m, x);
    }
    gram_covariance(&m, 0, covariance);
    for (int64_t row = 0; row < 6; row++)
        for (int64_t i = 0; i < 36 * 36; i++) {
            const int64_t a = row * 36 + i / 36, b = row * 36 + i % 36;
            const double scale = (double)w->as->scale[row], ua = ir_const_real(u, a), ub = ir_const_real(u, b);
            changed += covariance[i] * (ua - ir_const_real(w, a)) * (ub - ir_const_real(w, b));
            plain += covariance[i] * (ua - nearbyint(ua / scale) * scale) * (ub - nearbyint(ub / scale) * scale);
        }
    gram_close(&m);
    return changed / plain;
}

static void check_graphs(const ir_graph *a, const ir_graph *b)
{
    int rounded = 0;
    for (const ir_op *p = a->first, *q = b->first; p && q; p = p->next, q = q->next)
        if (plan_kind_of(p) == PLAN_PRODUCT) {
            const ir_value *v = p->operands[1].value, *w = q->operands[1].value;
            CHECK(v->as && w->as && memcmp(v->data, w->data, ir_type_bytes(&v->type)) == 0);
            rounded++;
        }
    CHECK(rounded == 3);
}

static void check_graph(void)
{
    diag d = {0};
    ir_graph *before = parse(&d), *g = parse(&d), *again = parse(&d);
    pass_range ranges[VALUES] = {
        [0] = {true, 0, 1.2f, 0, NULL}, [2] = {true, 0, 6, 0, NULL}, [5] = {true, 0, 9, 0, NULL}};
    const pass_calibration calibration = {.ranges = ranges, .count = VALUES, .activation_bits = 8};
    driver_options o = driver_defaults(OPTION_EVAL);
    o.calibration = &calibration;
    const correct_samples samples = {fill, NULL, SAMPLES};
    CHECK(round_weights(g, &o, &samples, ROUND_ALL, 1, &d));
    CHECK(round_weights(again, &o, &samples, ROUND_ALL, 2, &d));
    check_graphs(g, again);
    const double part = first_variance(before, g);
    fprintf(stderr, "variance of the first product: %g of that with the nearest integers\n", part);
    CHECK(part < 0.4);
    if (d.failed)
        failures += fprintf(stderr, "%s\n", d.text) > 0;
    ir_graph_free(before);
    ir_graph_free(g);
    ir_graph_free(again);
}

int main(void)
{
    double plain = 0, rounded = 0, best = 0;
    for (uint32_t i = 0; i < 200; i++)
        check_row(i * 997 + 1, &plain, &rounded, &best);
    fprintf(stderr, "variances: nearest %g, rounded %g, least %g\n", plain, rounded, best);
    CHECK(rounded < plain / 2 && rounded < 1.6 * best);
    check_constant();
    check_graph();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
