/* weight_clips.c: protects PACT on weights: gradients by weights and thresholds against differences, and that integers are
 * made of what is left of the weights. */
#include "compiler/tune/learned/weight_clips.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))
#define NEAR(a, b) CHECK(fabs((double)(a) - (double)(b)) < 1e-4)

enum { VALUES = 8, CONV = 12, LINEAR = 6 };
static const char text[] = "graph \"two products\" {\n"
                           "  input %0:f32<1x2x2x3> \"x\"\n"
                           "  const %1:f32<4x1x1x3> \"w1\" = [1, -3, 2, 0.5, 0.25, -0.5, 4, 4, 4, -1, -1, -1]\n"
                           "  const %2:f32<4> \"b1\" = splat 0.5\n"
                           "  %3:f32<1x2x2x4> \"first\" = conv2d %0, %1, %2 {act = relu}\n"
                           "  %4:f32<8x2> = reshape %3\n"
                           "  const %5:f32<3x2> \"w2\" = [1, -2, 3, -4, 5, -6]\n"
                           "  %6:f32<8x3> \"second\" = fully_connected %4, %5\n"
                           "  output %6\n"
                           "}\n";

typedef struct fixture {
    diag d;
    ir_graph *g;
    pass_range ranges[VALUES];
    pass_calibration calibration;
    driver_options o;
    simulation s;
    weight_clips clips;
} fixture;

static void open_graph(fixture *f, const weight_clip_options *how, bool per_tensor)
{
    *f = (fixture){.o = driver_defaults(OPTION_EVAL)};
    f->g = ir_parse(text, strlen(text), "test", &f->d);
    CHECK(f->g && ir_verify(f->g, &f->d));
    f->ranges[0] = (pass_range){.known = true, .low = -1, .high = 1};
    f->ranges[3] = f->ranges[4] = (pass_range){.known = true, .low = 0, .high = 4};
    f->calibration = (pass_calibration){
        .ranges = f->ranges, .count = VALUES, .activation_bits = 8, .weights_per_tensor = per_tensor};
    f->o.calibration = &f->calibration;
    CHECK(simulate(f->g, &f->o, true, &f->s, &f->d));
    weight_clips_open(&f->clips, how, &f->s, per_tensor, f->g->arena);
}

static void close_graph(fixture *f)
{
    if (f->d.failed)
        failures += fprintf(stderr, "%s\n", f->d.text) > 0;
    simulate_free(&f->s);
    ir_graph_free(f->g);
}

static const simulated_parameter *parameter_of(const fixture *f, const weight_clip *c)
{
    return &f->s.parameters[c->parameter];
}

/* Some loss of what is given, and half the decay times the squares of thresholds. */
static double loss(fixture *f, const weight_clip *c)
{
    double sum = 0;
    weight_clips_settle(&f->clips);
    for (int64_t i = 0; i < parameter_of(f, c)->count; i++)
        sum += sin(1.0 + (double)i) * (double)c->given[i];
    for (int64_t k = 0; k < c->channels; k++)
        sum += f->clips.options->decay / 2 * (double)c->thresholds[k] * (double)c->thresholds[k];
    return sum;
}

static double difference(fixture *f, const weight_clip *c, float *number)
{
    const float was = *number, step = 0x1p-10f;
    *number = was + step;
    const double above = loss(f, c);
    *number = was - step;
    const double below = loss(f, c);
    *number = was;
    return (above - below) / (2 * (double)step);
}

static void check_gradients(bool per_tensor)
{
    const weight_clip_options how = {.pact = true, .decay = 0.01};
    fixture f;
    open_graph(&f, &how, per_tensor);
    CHECK(f.clips.count == 2);
    const weight_clip *c = &f.clips.items[0];
    const simulated_parameter *p = parameter_of(&f, c);
    CHECK(c->channels == (per_tensor ? 1 : 4) && p->count == CONV);
    NEAR(c->thresholds[0], per_tensor ? 4 : 3);
    CHECK(memcmp(c->given, p->numbers, CONV * sizeof(float)) == 0); /* nothing is cut off at the start */
    for (int64_t k = 0; k < c->channels; k++)
        c->thresholds[k] = per_tensor ? 0.7f : 0.3f + 0.4f * (float)k;
    float gradient[CONV];
    for (int i = 0; i < CONV; i++)
        gradient[i] = (float)sin(1.0 + i);
    weight_clips_settle(&f.clips);
    weight_clips_take_gradient(&f.clips, c->parameter, gradient);
    for (int i = 0; i < CONV; i++)
        NEAR(gradient[i], difference(&f, c, &p->numbers[i]));
    for (int64_t k = 0; k < c->channels; k++)
        NEAR(c->gradient[k], difference(&f, c, &c->thresholds[k]));
    close_graph(&f);
}

/* Of a channel that is cut off at a, the largest integer stands for a. */
static void check_integers(void)
{
    const weight_clip_options how = {.pact = true};
    fixture f;
    open_graph(&f, &how, false);
    const weight_clip *c = &f.clips.items[1];
    for (int64_t k = 0; k < c->channels; k++)
        c->thresholds[k] = 1.4142135f;
    weight_clips_settle(&f.clips);
    void **inputs = ARENA_ARRAY(f.g->arena, void *, f.s.graph->input_count);
    for (int i = 0; i < f.s.graph->input_count; i++)
        inputs[i] = arena_alloc(f.g->arena, ir_type_bytes(&f.s.graph->inputs[i]->type));
    CHECK(simulate_inputs(&f.s, &f.o, inputs, &f.d));
    for (int i = 0; i < f.s.use_count; i++)
        if (f.s.uses[i].parameter == c->parameter) {
            const float *w = inputs[f.s.uses[i].input];
            NEAR(w[0], 90 * 1.4142135 / 127);
            for (int k = 1; k < LINEAR; k++)
                NEAR(w[k], k % 2 ? -1.4142135 : 1.4142135);
        }
    close_graph(&f);
}

/* Layers in float have no integers, nor have all without the option. */
static void check_none(void)
{
    const weight_clip_options none = {.pact = false}, how = {.pact = true};
    fixture f;
    open_graph(&f, &none, false);
    CHECK(f.clips.count == 0);
    close_graph(&f);
    f.o = driver_defaults(OPTION_EVAL);
    f.g = ir_parse(text, strlen(text), "test", &f.d);
    f.g->first->keep_float = true;
    f.o.calibration = &f.calibration;
    CHECK(simulate(f.g, &f.o, true, &f.s, &f.d));
    weight_clips_open(&f.clips, &how, &f.s, false, f.g->arena);
    CHECK(f.clips.count == 1 && f.clips.items[0].channels == 3);
    close_graph(&f);
}

int main(void)
{
    check_gradients(false);
    check_gradients(true);
    check_integers();
    check_none();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
