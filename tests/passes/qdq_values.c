/* qdq_values.c: protects what the integer form of a fake-quantized graph computes: within one integer of the floats,
 * for every op that qdq_compute rewrites, several scales and both signednesses; and that it does rewrite them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/pass.h"
#include "tests/tools/parsed.h"

enum { ELEMENTS = 1 << 12 };

static int failures;

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

/* Bytes at random, with the extremes more often than by chance. */
static void fill(uint8_t *to, size_t size, uint32_t seed)
{
    uint32_t state = seed;
    for (size_t i = 0; i < size; i++) {
        uint32_t r = next_random(&state) >> 16;
        to[i] = (uint8_t)(r % 11 == 0 ? 0 : r % 11 == 1 ? 255 : r % 11 == 2 ? 127 : r >> 4);
    }
}

static bool run(const ir_graph *g, uint8_t *out, diag *d)
{
    static uint8_t in[2][ELEMENTS];
    const void *inputs[2] = {in[0], in[1]};
    void *outputs[1] = {out};
    for (int i = 0; i < 2; i++)
        fill(in[i], ELEMENTS, 7 + (uint32_t)i);
    return ir_interpret(g, inputs, outputs, NULL, d);
}

static bool rewrite(ir_graph *g, diag *d)
{
    static const char *const names[] = {"qdq_weights", "qdq_move", "qdq_clip", "qdq_compute", "dce"};
    const pass_options options = {.opt_level = 3};
    const pass_debug debug = {.verify_each = true, .round_trip_each = true};
    return pass_run(g, &options, &debug, names, 5, d);
}

static int farthest(const ir_value *y, const uint8_t *a, const uint8_t *b)
{
    int far = 0;
    for (int64_t i = 0; i < ir_type_elements(&y->type); i++) {
        int distance = y->type.dtype == IR_I8 ? (int8_t)a[i] - (int8_t)b[i] : a[i] - b[i];
        far = abs(distance) > far ? abs(distance) : far;
    }
    return far;
}

static void check(const char *text)
{
    static uint8_t before[ELEMENTS], after[ELEMENTS];
    diag d = {0};
    ir_graph *g = parsed(text, &d);
    int far = -1, left = 0;
    if (g && run(g, before, &d) && rewrite(g, &d) && run(g, after, &d))
        far = farthest(g->outputs[0], before, after);
    for (const ir_op *op = g ? g->first : NULL; op; op = op->next)
        for (int i = 0; i < op->operand_count; i++)
            left += op->operands[i].value && op->operands[i].value->type.dtype == IR_F32;
    if (far < 0 || far > 1 || left > 0) {
        failures++;
        fprintf(stderr, "%s\n  %d away, %d real operands left, %s\n", text, far, left, d.text);
    }
    ir_graph_free(g);
}

/* ---- Graphs: two operands x and y of 1x4x4x8, and one expression ---- */

static void check_expression(const char *expression, const char *result_shape, const char *dtype, double scale,
                             int zero, double out_scale, int out_zero)
{
    char text[2048];
    snprintf(text, sizeof text,
             "graph \"x\" {\n"
             "  input %%0:%s<1x4x4x8; %g, %d>\n  input %%1:%s<1x4x4x8; %g, %d>\n"
             "  const %%10:i8<2x1x1x8; axis 0: [0.01, 0.03], 0> = [1, -2, 3, 4, -5, 6, 7, -8, 9, 10, 11, -120, 13, "
             "127, -128, 16]\n"
             "  const %%11:u8<1x2x1x8; 0.02, 130> = [1, 200, 3, 4, 255, 6, 7, 8, 9, 10, 11, 0, 13, 127, 128, 16]\n"
             "  const %%12:f32<2> = [1.234, -2.345]\n"
             "  const %%13:i8<8x2; axis 1: [0.01, 0.03], 0> = [1, -2, 3, 4, -5, 6, 7, -8, 9, 10, 11, -120, 13, 127, "
             "-128, 16]\n"
             "  const %%14:f32<1> = [0.37]\n"
             "  const %%15:i8<8; 0.01, 0> = [10, 20, -30, 40, 50, 60, 70, 80]\n"
             "  %%2:f32<1x4x4x8> = dequantize %%0\n  %%3:f32<1x4x4x8> = dequantize %%1\n"
             "  %%20:f32<2x1x1x8> = dequantize %%10\n  %%21:f32<1x2x1x8> = dequantize %%11\n"
             "  %%22:f32<8x2> = dequantize %%13\n  %%23:f32<8> = dequantize %%15\n"
             "  %s\n"
             "  %%40:%s<%s; %.9g, %d> = quantize %%30\n  output %%40\n}\n",
             dtype, scale, zero, dtype, scale * 1.7, zero + 5, expression, dtype, result_shape, out_scale, out_zero);
    check(text);
}

typedef struct expression {
    const char *text, *shape;
    double gain; /* of the result's scale against the operand's; 0: the scale is `fixed` */
    double fixed;
} expression;

#define SAME "1x4x4x8"
static const expression expressions[] = {
    {"%30:f32<1x4x4x2> = conv2d %2, %20, %12", "1x4x4x2", 4, 0},
    {"%29:f32<1x4x4x2> = conv2d %2, %20, %12\n  %30:f32<1x4x4x2> = relu %29 {act = relu}", "1x4x4x2", 4, 0},
    {"%30:f32<1x3x4x8> = depthwise_conv2d %2, %21", "1x3x4x8", 2, 0},
    {"%29:f32<16x8> = reshape %2\n  %30:f32<16x2> = batch_matmul %29, %22", "16x2", 4, 0},
    {"%29:f32<16x8> = reshape %2\n  %28:f32<16x2> = batch_matmul %29, %22\n  %30:f32<16x2> = add %28, %12", "16x2", 4,
     0},
    {"%30:f32<1x4x4x4> = batch_matmul %2, %3 {adj_b = 1}", "1x4x4x4", 40, 0},
    {"%30:f32<" SAME "> = add %2, %3 {act = relu}", SAME, 2, 0},
    {"%30:f32<" SAME "> = sub %2, %3", SAME, 2, 0},
    {"%30:f32<" SAME "> = mul %2, %3", SAME, 20, 0},
    {"%30:f32<" SAME "> = mul %2, %14", SAME, 0.4, 0},
    {"%30:f32<" SAME "> = div %2, %14", SAME, 2, 0},
    {"%30:f32<" SAME "> = maximum %2, %3", SAME, 1.5, 0},
    {"%30:f32<" SAME "> = squared_difference %2, %3", SAME, 40, 0},
    {"%30:f32<" SAME "> = prelu %2, %23", SAME, 1.1, 0},
    {"%30:f32<" SAME "> = leaky_relu %2 {alpha = 0.1}", SAME, 1.1, 0},
    {"%30:f32<" SAME "> = relu %2 {act = relu6}", SAME, 0.8, 0},
    {"%30:f32<" SAME "> = logistic %2", SAME, 0, 0.00390625},
    {"%30:f32<" SAME "> = tanh %2", SAME, 0, 0.0078125},
    {"%30:f32<" SAME "> = hard_swish %2", SAME, 0.9, 0},
    {"%30:f32<" SAME "> = gelu %2", SAME, 0.9, 0},
    {"%30:f32<" SAME "> = softmax %2", SAME, 0, 0.00390625},
    {"%30:f32<1x1x1x8> = mean %2 {axes = [1, 2], keep_dims = 1}", "1x1x1x8", 0.6, 0},
    {"%30:f32<1x1x1x8> = avg_pool2d %2 {kernel = [4, 4]}", "1x1x1x8", 0.6, 0},
    {"%30:f32<1x2x2x8> = avg_pool2d %2 {kernel = [2, 2], stride = [2, 2]}", "1x2x2x8", 1, 0},
    {"%30:f32<1x2x2x8> = max_pool2d %2 {kernel = [2, 2], stride = [2, 2]}", "1x2x2x8", 1.3, 0},
    {"%30:f32<1x8x8x8> = resize_bilinear %2", "1x8x8x8", 1.2, 0},
    {"%30:f32<1x8x8x8> = resize_nearest %2", "1x8x8x8", 0.8, 0},
    {"%30:f32<1x4x8x8> = concat %2, %3 {axis = 2}", "1x4x8x8", 1.6, 0},
    {"%30:f32<1x8x4x4> = transpose %2 {perm = [0, 3, 1, 2]}", "1x8x4x4", 1, 0},
};

int main(void)
{
    static const double scales[] = {0.02, 0.047, 0.31};
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        for (size_t s = 0; s < 3; s++) {
            const expression *e = &expressions[i];
            double out = e->gain > 0 ? scales[s] * e->gain : e->fixed;
            check_expression(e->text, e->shape, "u8", scales[s], 121, out, 100);
            check_expression(e->text, e->shape, "i8", scales[s], -3, out, 2);
        }
    return failures != 0;
}
