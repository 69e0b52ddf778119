/* math_accuracy: the elementary functions that compiled code has of its own, against libm in double.
 *
 * Protects: errors stay within a few units in the last place over the whole range, and special values come out as C has
 * them.  One argument: the target. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/codegen/backend.h"
#include "compiler/codegen/object/jit.h"
#include "compiler/target/target.h"
#include "runtime/variant.h"

enum { COUNT = 20000 };

typedef struct function {
    ir_opcode code;
    double (*exact)(double);
    float low, high; /* range of the arguments */
    double ulps;
    double absolute; /* error allowed near the zeros of the function */
} function;

static double rsqrt(double x) { return 1 / sqrt(x); }
static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double elu(double x) { return x < 0 ? expm1(x) : x; }
static double gelu(double x) { return 0.5 * x * erfc(-x / sqrt(2)); }
static double hard_swish(double x) { return x * fmin(6, fmax(0, x + 3)) / 6; }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

/* clang-format off */
static const function functions[] = {
    {IR_EXP, exp, -104, 89, 2, 3e-45}, {IR_LOG, log, 0, 1e30f, 2, 0}, {IR_LOG, log, 0.5f, 2, 2, 0},
    {IR_SQRT, sqrt, 0, 1e30f, 0.5, 0}, {IR_RSQRT, rsqrt, 1e-30f, 1e30f, 2, 0}, {IR_SIN, sin, -10, 10, 2, 1e-8},
    {IR_COS, cos, -10, 10, 2, 1e-8}, {IR_SIN, sin, -1e6f, 1e6f, 2, 1e-8}, {IR_COS, cos, -2e6f, 2e6f, 2, 1e-8},
    {IR_SIN, sin, -3e9f, 3e9f, 2, 0}, {IR_SIN, sin, -1e20f, 1e20f, 2, 0}, {IR_COS, cos, -FLT_MAX / 2, FLT_MAX / 2, 2, 0},
    {IR_TANH, tanh, -12, 12, 3, 0},
    {IR_TANH, tanh, -0.7f, 0.7f, 3, 0}, {IR_LOGISTIC, logistic, -80, 20, 3, 0}, {IR_ELU, elu, -20, 2, 3, 0},
    {IR_ELU, elu, -0.5f, 0, 3, 0}, {IR_GELU, gelu, -10, 10, 3, 3e-7}, {IR_HARD_SWISH, hard_swish, -5, 5, 2, 0},
    {IR_CEIL, ceil, -1e7f, 1e7f, 0, 0}, {IR_FLOOR, floor, -1e7f, 1e7f, 0, 0}, {IR_ROUND, rint, -100, 100, 0, 0},
    {IR_CEIL, ceil, -3, 3, 0, 0}, {IR_FLOOR, floor, -3, 3, 0, 0}, {IR_SIGN, sign, -1, 1, 0, 0},
    {IR_ERF, erf, -4, 4, 3, 0},
};

static const float specials[] = {
    0, -0.0f, INFINITY, -INFINITY, NAN, 1, -1, 0.5f, 1.5f, 2.5f, -2.5f, 1e-40f, 5e37f, -5e37f, FLT_MAX, -FLT_MAX,
    1e9f, 0x1p31f, 0x1p63f, 1647098.9f, 1647099.1f, -1647099.1f, 16367173 * 0x1p+72f /* nearest to a multiple of pi / 2 */};
/* clang-format on */

static ir_graph *graph_of(ir_opcode code)
{
    ir_graph *g = ir_graph_new();
    int64_t dims[1] = {COUNT};
    ir_type type = ir_type_make(IR_F32, 1, dims);
    ir_value *x = ir_input_new(g, type, NULL, "x");
    ir_op *op = ir_op_new(g, code, NULL, 1, &x);

    ir_result_set(op, 0, type, NULL);
    ir_output_add(g, op->results[0], "y");
    x->place = (ir_place){.space = IR_SPACE_INPUT, .stride = {1}};
    op->results[0]->place = (ir_place){.space = IR_SPACE_OUTPUT, .stride = {1}};
    return g;
}

/* In units of the last place of the exact result. */
static double error_of(float got, double want)
{
    float rounded = (float)want, next = nextafterf(fabsf(rounded), INFINITY);

    if (isnan(want) || isinf(rounded))
        return (isnan(got) && isnan(want)) || got == rounded ? 0 : 1e9;
    return fabs(got - want) / ((double)next - fabs((double)rounded));
}

static bool check(const function *f, const qcc_model *m)
{
    static float x[COUNT], y[COUNT];
    const void *inputs[1] = {x};
    void *outputs[1] = {y};
    const qcc_variant *v = qcc_variant_here(m);
    qcc_frame frame = {inputs, outputs, NULL, NULL};
    uint32_t seed = 1;
    int failures = 0;

    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = f->low + (f->high - f->low) * (float)(seed >> 8) / 16777216.0f;
        if (i < (int)(sizeof specials / sizeof *specials))
            x[i] = specials[i];
    }
    for (uint32_t s = 0; s < v->step_count; s++)
        v->steps[s].run(&frame, 0, v->steps[s].units);
    for (int i = 0; i < COUNT; i++) {
        double want = f->exact(x[i]), error = error_of(y[i], want);
        if (error > f->ulps && !(fabs(y[i] - want) <= f->absolute) && failures++ < 3)
            fprintf(stderr, "%s(%.9g) = %.9g, exactly %.9g: %.2f ulp\n", ir_op_info_of(f->code)->text, (double)x[i],
                    (double)y[i], want, error);
    }
    return !failures;
}

static bool run(const function *f, const char *target)
{
    cg_options options = {.model_name = "model", .targets = target_set_of(target), .opt_level = 2};
    ir_graph *g = graph_of(f->code);
    cg_output object = {0};
    cg_jit *jit = NULL;
    const qcc_model *m = NULL;
    diag d = {0};
    bool ok = cg_choose_kernel(g->first, options.targets, NULL, g->arena, &g->first->kernel) &&
              cg_compile(g, &options, CG_EMIT_OBJECT, &object, &d) && (jit = cg_jit_load(&object, &d)) &&
              (m = cg_jit_symbol(jit, "model", &d)) && check(f, m);

    if (d.failed)
        fprintf(stderr, "%s\n", d.text);
    cg_jit_free(jit);
    cg_output_free(&object);
    ir_graph_free(g);
    return ok;
}

int main(int argc, char **argv)
{
    int failures = 0;

    if (argc != 2)
        return 2;
    if (target_refuses(argv[1])) {
        printf("skipped: %s\n", target_refuses(argv[1]));
        return 77;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        failures += !run(&functions[i], argv[1]);
    return failures != 0;
}
