/* node_spectrum.c: see node_spectrum.h.
 *
 * The transform of N = N1 * N2 samples as two products (the first step of Cooley and Tukey's).  Sample n = N2 * n1 + n2,
 * frequency k = k1 + N1 * k2, w(x) = e to the -2 pi i x:
 *
 *     A[n2, k1] = sum over n1 of x[n1, n2] * w(n1 * k1 / N1)
 *     X[k1, k2] = sum over n2 of A[n2, k1] * w(n2 * k / N)          one matrix for each k1
 *
 *     rows [R, N] ──▶ [R * N2, N1] ──fully_connected──▶ [R, N2, N1, 2] ──transpose──▶ [N1, R, N2 * 2]
 *                 ──batch_matmul──▶ [N1, R, 2, K2] ──squares, sum──▶ [N1, R, K2] ──transpose──▶ [R, K2 * N1]
 *
 * where K2 = N2/2 + 1 is as far as the frequencies up to N/2 reach.  Complex numbers are pairs. */
#define FRONTEND_COMMON
#include "frontends/node/node_spectrum.h"

#include <math.h>

typedef struct factors {
    int64_t n, n1, n2, k2; /* as above */
} factors;

static bool factorize(int64_t n, factors *out)
{
    *out = (factors){.n = n, .n1 = 1};
    if (n < 2 || n > NODE_MAX_SPECTRUM || (n & (n - 1)))
        return false;
    while (out->n1 * out->n1 * 4 <= n)
        out->n1 *= 2;
    out->n2 = n / out->n1;
    out->k2 = out->n2 / 2 + 1;
    return true;
}

/* Of so many quarter turns over `whole`; exact where these are whole. */
static float cosine(int64_t quarters, int64_t whole)
{
    static const float exact[4] = {1, 0, -1, 0};
    quarters %= 4 * whole;
    if (quarters % whole == 0)
        return exact[quarters / whole];
    return (float)cos(1.57079632679489661923 * (double)quarters / (double)whole);
}

/* w(turns / whole) times the real (part 0) or the imaginary unit (1), as a pair. */
static void turned(int64_t turns, int64_t whole, int part, float pair[2])
{
    const float real = cosine(4 * turns, whole), minus = cosine(4 * turns + whole, whole); /* -sin */
    pair[0] = part ? -minus : real;
    pair[1] = part ? real : minus;
}

static float *numbers(frontend_node *n, int64_t count)
{
    return model_charge(n->model, &n->loc, count * 8) ? ARENA_ARRAY(n->model->graph->arena, float, count) : NULL;
}

/* [2 * N1, N1]: row 2 * k1 + part. */
static ir_value *first_matrix(frontend_node *n, const factors *f)
{
    float *to = numbers(n, 2 * f->n1 * f->n1);
    if (!to)
        return NULL;
    for (int64_t k1 = 0; k1 < f->n1; k1++)
        for (int64_t n1 = 0; n1 < f->n1; n1++) {
            float pair[2];
            turned(n1 * k1, f->n1, 0, pair);
            to[(2 * k1) * f->n1 + n1] = pair[0];
            to[(2 * k1 + 1) * f->n1 + n1] = pair[1];
        }
    return node_reals(n, 2, (int64_t[]){2 * f->n1, f->n1}, to);
}

/* [N1, 2 * N2, 2 * K2]: row 2 * n2 + part, column part * K2 + k2. */
static ir_value *second_matrices(frontend_node *n, const factors *f)
{
    const int64_t rows = 2 * f->n2, columns = 2 * f->k2;
    float *to = numbers(n, f->n1 * rows * columns);
    if (!to)
        return NULL;
    for (int64_t k1 = 0; k1 < f->n1; k1++)
        for (int64_t row = 0; row < rows; row++)
            for (int64_t k2 = 0; k2 < f->k2; k2++) {
                float pair[2], *at = to + (k1 * rows + row) * columns + k2;
                turned(row / 2 * (k1 + f->n1 * k2), f->n, (int)(row % 2), pair);
                at[0] = pair[0];
                at[f->k2] = pair[1];
            }
    return node_reals(n, 3, (int64_t[]){f->n1, rows, columns}, to);
}

/* [N1, R, 2, K2] -> [N1, R, K2] */
static ir_value *squared_magnitudes(frontend_node *n, ir_value *x)
{
    ir_value *squares = node_binary(n, IR_MUL, x, x);
    if (!squares)
        return NULL;
    ir_op *op = node_emit1(n, IR_SUM, squares);
    ir_set_ints(op, IR_ATTR_AXES, 1, (int64_t[]){2});
    ir_set_int(op, IR_ATTR_KEEP_DIMS, 0);
    return node_done(n, op);
}

ir_value *node_power_spectrum(frontend_node *n, ir_value *rows)
{
    factors f;
    const int64_t count = rows->type.dims[0];
    if (!factorize(rows->type.dims[1], &f)) {
        node_error(n, "a spectrum of %lld samples is not supported", (long long)rows->type.dims[1]);
        return NULL;
    }
    ir_value *first = first_matrix(n, &f), *second = first ? second_matrices(n, &f) : NULL;
    if (!second)
        return NULL;
    ir_value *x = node_reshaped(n, rows, 3, (int64_t[]){count, f.n1, f.n2});
    x = node_reshaped(n, node_transposed(n, x, (int64_t[]){0, 2, 1}), 2, (int64_t[]){count * f.n2, f.n1});
    x = x ? node_done(n, node_emit2(n, IR_FULLY_CONNECTED, x, first)) : NULL;
    x = node_transposed(n, node_reshaped(n, x, 4, (int64_t[]){count, f.n2, f.n1, 2}), (int64_t[]){2, 0, 1, 3});
    x = node_reshaped(n, x, 3, (int64_t[]){f.n1, count, f.n2 * 2});
    x = x ? node_done(n, node_emit2(n, IR_BATCH_MATMUL, x, second)) : NULL;
    x = squared_magnitudes(n, node_reshaped(n, x, 4, (int64_t[]){f.n1, count, 2, f.k2}));
    x = node_reshaped(n, node_transposed(n, x, (int64_t[]){1, 2, 0}), 2, (int64_t[]){count, f.k2 * f.n1});
    if (!x)
        return NULL;
    ir_op *op = node_emit1(n, IR_SLICE, x);
    ir_set_ints(op, IR_ATTR_BEGIN, 2, (int64_t[]){0, 0});
    ir_set_ints(op, IR_ATTR_STEP, 2, (int64_t[]){1, 1});
    return node_typed(n, op, ir_type_make(IR_F32, 2, (int64_t[]){count, f.n / 2 + 1}), NULL);
}
