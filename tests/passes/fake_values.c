/* fake_values.c: protects what becomes of fake-quantized graphs: every product and sum is computed on integers, the
 * results are within one step of the last grid of what the floats give, and the same at -O0 and -O3. */
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

/* Reals of both signs around 1; some far outside of what the grids hold. */
static void fill(float *to, int count)
{
    uint32_t state = 11;
    for (int i = 0; i < count; i++) {
        double x = (double)(next_random(&state) >> 8) * 0x1p-23 - 1;
        to[i] = (float)(i % 37 == 0 ? 20 * x : 2 * x);
    }
}

static bool run(const ir_graph *g, float *out, diag *d)
{
    static float in[2][ELEMENTS];
    const void *inputs[2] = {in[0], in[1]};
    void *outputs[1] = {out};
    for (int i = 0; i < 2; i++)
        fill(in[i], ELEMENTS);
    return ir_interpret(g, inputs, outputs, NULL, d);
}

static bool rewrite(ir_graph *g, int opt_level, diag *d)
{
    const pass_options options = {.opt_level = opt_level, .keep_unfused = opt_level == 0};
    const pass_debug debug = {.verify_each = true, .round_trip_each = true};
    return pass_run(g, &options, &debug, NULL, 0, d);
}

/* Operands of ops that still compute on reals; what only moves data may do so at the edges of the graph, and a product of
 * integers may have a real bias. */
static int floats_left(const ir_graph *g)
{
    int count = 0;
    for (const ir_op *op = g->first; op; op = op->next) {
        bool computes =
            op->code != IR_QUANTIZE && op->code != IR_DEQUANTIZE && !(ir_op_info_of(op->code)->flags & IR_SAME_QUANT);
        const bool product = (ir_op_info_of(op->code)->flags & IR_MAC) != 0;
        for (int i = 0; computes && i < op->operand_count; i++)
            count += op->operands[i].value && op->operands[i].value->type.dtype == IR_F32 && !(product && i == 2);
    }
    return count;
}

static double farthest(const ir_graph *g, const float *a, const float *b)
{
    double far = 0;
    for (int64_t i = 0; i < ir_type_elements(&g->outputs[0]->type); i++)
        far = fmax(far, fabs((double)a[i] - (double)b[i]));
    return far;
}

/* `step`: of the last grid; `allowed`: how many of them a result may be away. */
static void check(const char *name, const char *body, double step, double allowed)
{
    static float before[ELEMENTS], after[2][ELEMENTS];
    static const int levels[2] = {0, 3};
    char text[8192];
    snprintf(text, sizeof text, "graph \"%s\" {\n%s}\n", name, body);
    for (int k = 0; k < 2; k++) {
        diag d = {0};
        ir_graph *g = parsed(text, &d);
        double far = INFINITY;
        if (g && run(g, before, &d) && rewrite(g, levels[k], &d) && run(g, after[k], &d))
            far = farthest(g, before, after[k]) / step;
        int left = g ? floats_left(g) : 0;
        if (!(far <= allowed + 1e-3) || left > 0) {
            failures++;
            fprintf(stderr, "%s, -O%d: %g steps away, %d real operands left, %s\n", name, levels[k], far, left, d.text);
        }
        if (k == 1 && g &&
            memcmp(after[0], after[1], sizeof(float) * (size_t)ir_type_elements(&g->outputs[0]->type)) != 0) {
            failures++;
            fprintf(stderr, "%s: -O0 and -O3 differ\n", name);
        }
        ir_graph_free(g);
    }
}

#define X "  input %0:f32<1x4x4x4>\n  %1:f32<1x4x4x4> = fake_quant %0 {min = -2, max = 2.01}\n"
#define W                                                                                                              \
    "  const %2:f32<2x1x1x4> = [1, -0.5, 0.25, 1.27, 0.3, 0.2, -0.1, 0.7]\n"                                           \
    "  %3:f32<2x1x1x4> = fake_quant %2 {min = -1.27, max = 1.27, narrow = 1}\n"
#define NORM                                                                                                           \
    "  const %4:f32<2> = [0.7, -1.3]\n  const %5:f32<2> = [0.1, 0.2]\n"                                                \
    "  %6:f32<1x4x4x2> = conv2d %1, %3\n  %7:f32<1x4x4x2> = mul %6, %4\n  %8:f32<1x4x4x2> = add %7, %5\n"

static void check_products(void)
{
    check("plain",
          X W "  %6:f32<1x4x4x2> = conv2d %1, %3\n"
              "  %9:f32<1x4x4x2> = fake_quant %6 {min = -4, max = 4}\n  output %9\n",
          8.0 / 255, 1);
    check("batch norm and relu",
          X W NORM "  %9:f32<1x4x4x2> = relu %8 {act = relu}\n"
                   "  %10:f32<1x4x4x2> = fake_quant %9 {min = 0, max = 3}\n  output %10\n",
          3.0 / 255, 1);
    check("batch norm, relu6 and a pair",
          X W NORM "  %9:f32<1x4x4x2> = relu %8 {act = relu6}\n"
                   "  %10:i8<1x4x4x2; 0.02, -120> = quantize %9\n  %11:f32<1x4x4x2> = dequantize %10\n  output %11\n",
          0.02, 1);
    check("255 integers from 0 up, without a clamp",
          X W "  %6:f32<1x4x4x2> = conv2d %1, %3\n"
              "  %9:f32<1x4x4x2> = fake_quant %6 {min = 0, max = 3, narrow = 1}\n  output %9\n",
          3.0 / 254, 1);
    check("learned clip",
          X W NORM "  const %11:f32<1> = [1.27]\n  const %12:f32<1> = [-1.27]\n"
                   "  %13:f32<1x4x4x2> = minimum %8, %11\n  %14:f32<1x4x4x2> = maximum %13, %12\n"
                   "  %15:f32<1x4x4x2> = fake_quant %14 {min = -1.27, max = 1.27, narrow = 1}\n  output %15\n",
          0.01, 1);
}

static void check_weights(void)
{
    check("weights of integers, -128 turned round",
          X "  const %2:i8<2x1x1x4; axis 0: [0.01, 0.02], 0> = [1, -128, 3, 127, -50, 60, -128, 8]\n"
            "  %3:f32<2x1x1x4> = dequantize %2\n" NORM
            "  %10:f32<1x4x4x2> = fake_quant %8 {min = -6, max = 6}\n  output %10\n",
          12.0 / 255, 1);
    check("a pruned channel",
          X "  const %2:i8<2x1x1x4; axis 0: [0, 0.02], 0> = [0, 0, 0, 0, -50, 60, -128, 8]\n"
            "  %3:f32<2x1x1x4> = dequantize %2\n" NORM
            "  %10:f32<1x4x4x2> = fake_quant %8 {min = -6, max = 6}\n  output %10\n",
          12.0 / 255, 1);
    check("asymmetric weights",
          X "  const %2:f32<2x1x1x4> = [1, -0.5, 0.25, 2.27, 0.3, 0.2, -0.1, 0.7]\n"
            "  %3:f32<2x1x1x4> = fake_quant %2 {min = -0.5, max = 2.3}\n  %6:f32<1x4x4x2> = conv2d %1, %3\n"
            "  %9:f32<1x4x4x2> = fake_quant %6 {min = -6, max = 6}\n  output %9\n",
          12.0 / 255, 1);
    check("weights of 4 bits",
          X "  const %2:f32<2x1x1x4> = [1, -0.5, 0.25, 2.27, 0.3, 0.2, -0.1, 0.7]\n"
            "  %3:f32<2x1x1x4> = fake_quant %2 {min = -0.5, max = 2.3, bits = 4}\n  %6:f32<1x4x4x2> = conv2d %1, %3\n"
            "  %9:f32<1x4x4x2> = fake_quant %6 {min = -6, max = 6}\n  output %9\n",
          12.0 / 255, 1);
    check("folded weights",
          X
          "  const %2:f32<2x1x1x4> = [1.2, -0.5, 0.3, 1.1, 0.3, 0.2, -0.1, 22.7]\n  const %5:f32<2> = [0.123, -0.321]\n"
          "  %6:f32<1x4x4x2> = conv2d %1, %2, %5 {act = relu6}\n"
          "  %9:f32<1x4x4x2> = fake_quant %6 {min = 0, max = 6}\n  output %9\n",
          6.0 / 255, 1);
}

static void check_others(void)
{
    check(
        "depthwise, padded",
        X
        "  const %2:i8<1x3x3x4; axis 3: [0.01, 0.02, 0.03, 0.01], 0> = "
        "[1, -2, 3, 4, -5, 6, 7, -8, 9, 10, 11, -120, 13, 127, -127, 16, 1, 2, 3, 4, 50, 60, 70, 80, 9, 8, 7, 6, 5, 4, "
        "3, 2, 1, 0, -1, -2]\n"
        "  %3:f32<1x3x3x4> = dequantize %2\n"
        "  %4:f32<1x6x6x4> = pad %1 {before = [0, 1, 1, 0], after = [0, 1, 1, 0]}\n"
        "  %6:f32<1x4x4x4> = depthwise_conv2d %4, %3\n"
        "  %9:f32<1x4x4x4> = fake_quant %6 {min = -6, max = 6}\n  output %9\n",
        12.0 / 255, 1);
    check("matmul by a rounded matrix",
          X "  const %2:f32<4x2> = [1, -0.5, 0.25, 1.27, 0.3, 0.2, -0.1, 0.7]\n"
            "  %3:f32<4x2> = fake_quant %2 {min = -1.27, max = 1.27, narrow = 1}\n  %4:f32<16x4> = reshape %1\n"
            "  %6:f32<16x2> = batch_matmul %4, %3\n"
            "  %9:f32<16x2> = fake_quant %6 {min = -4, max = 4}\n  output %9\n",
          8.0 / 255, 1);
    check("residual sum of two grids",
          X "  %2:f32<1x4x4x4> = fake_quant %0 {min = -1, max = 3}\n  %3:f32<1x4x4x4> = add %1, %2 {act = relu}\n"
            "  %9:f32<1x4x4x4> = fake_quant %3 {min = 0, max = 4}\n  output %9\n",
          4.0 / 255, 1);
    check("pools and concat",
          X "  %2:f32<1x2x2x4> = avg_pool2d %1 {kernel = [2, 2], stride = [2, 2]}\n"
            "  %3:f32<1x2x2x4> = fake_quant %2 {min = -2, max = 2.01}\n"
            "  %4:f32<1x2x2x4> = max_pool2d %1 {kernel = [2, 2], stride = [2, 2]}\n"
            "  %5:f32<1x2x2x8> = concat %3, %4 {axis = 3}\n"
            "  %9:f32<1x2x2x8> = fake_quant %5 {min = -2, max = 2.01}\n  output %9\n",
          4.01 / 255, 1);
}

/* Fewer bits than 8: numbers beyond the ends of a grid, of which there are some, saturate where the file says. */
static void check_bits(void)
{
    check("product, weights and values of few bits",
          "  input %0:f32<1x4x4x4>\n  %1:f32<1x4x4x4> = fake_quant %0 {min = -2, max = 2.01, bits = 4}\n"
          "  const %2:f32<2x1x1x4> = [1, -0.5, 0.25, 1.27, 0.3, 0.2, -0.1, 0.7]\n"
          "  %3:f32<2x1x1x4> = fake_quant %2 {min = -1.27, max = 1.27, narrow = 1, bits = 3}\n" NORM
          "  %9:f32<1x4x4x2> = relu %8 {act = relu}\n"
          "  %10:f32<1x4x4x2> = fake_quant %9 {min = 0, max = 3, bits = 4}\n  output %10\n",
          3.0 / 15, 1);
    check("symmetric ones behind a relu that is beyond them, and one that is not",
          X W NORM "  %9:f32<1x4x4x2> = relu %8 {act = relu}\n"
                   "  %10:f32<1x4x4x2> = fake_quant %9 {min = -1.5, max = 1.5, narrow = 1, bits = 5}\n"
                   "  %11:f32<1x4x4x2> = relu %10 {act = relu6}\n"
                   "  %12:f32<1x4x4x2> = fake_quant %11 {min = -7, max = 7, narrow = 1, bits = 4}\n  output %12\n",
          1, 1);
    check("residual sum of 4 and 6 bits in 3",
          X "  %2:f32<1x4x4x4> = fake_quant %0 {min = -1, max = 3, bits = 4}\n"
            "  %4:f32<1x4x4x4> = fake_quant %0 {min = -2, max = 2.2, bits = 6}\n"
            "  %3:f32<1x4x4x4> = add %4, %2 {act = relu}\n"
            "  %9:f32<1x4x4x4> = fake_quant %3 {min = 0, max = 4, bits = 3}\n  output %9\n",
          4.0 / 7, 1);
    check("ties as Paddle counts them, a range with one integer more, and a multiple turned round",
          "  input %0:f32<1x4x4x4>\n"
          "  %1:f32<1x4x4x4> = fake_quant %0 {min = -1.6, max = 1.4, bits = 4, ties = even}\n"
          "  const %2:f32<> = [-0.75]\n  %3:f32<1x4x4x4> = mul %1, %2\n"
          "  %4:f32<1x4x4x4> = fake_quant %3 {min = -1, max = 1, bits = 2, narrow = 1, ties = away}\n  output %4\n",
          1, 1);
    check("pools and concat of 5 bits",
          X "  %7:f32<1x4x4x4> = fake_quant %0 {min = -1.6, max = 1.5, bits = 5}\n"
            "  %2:f32<1x2x2x4> = avg_pool2d %7 {kernel = [2, 2], stride = [2, 2]}\n"
            "  %3:f32<1x2x2x4> = fake_quant %2 {min = -1.6, max = 1.5, bits = 5}\n"
            "  %4:f32<1x2x2x4> = max_pool2d %1 {kernel = [2, 2], stride = [2, 2]}\n"
            "  %5:f32<1x2x2x8> = concat %3, %4 {axis = 3}\n"
            "  %9:f32<1x2x2x8> = fake_quant %5 {min = -1.6, max = 1.5, bits = 5}\n  output %9\n",
          3.1 / 31, 1);
}

int main(void)
{
    check_products();
    check_weights();
    check_others();
    check_bits();
    return failures != 0;
}
