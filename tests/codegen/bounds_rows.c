/* bounds_rows.c: rules of ops over rows: softmax, normalisation, products.  Worked out in double, row by row. */
#include <float.h>

#include "tests/codegen/bounds_rules.h"

static const double u = BOUNDS_UNIT;

static int64_t row_length(const bounds_op *o)
{
    const ir_type *t = &o->op->results[0]->type;
    return t->rank ? t->dims[t->rank - 1] : 1;
}

static int64_t elements_of(const bounds_op *o) { return ir_type_elements(&o->op->results[o->result]->type); }

static double largest_bound(const bounds_op *o, int operand)
{
    double largest = 0;

    for (int64_t i = 0; o->bound[operand] && i < ir_type_elements(&o->op->operands[operand].value->type); i++)
        largest = fmax(largest, (double)o->bound[operand][i]);
    return largest;
}

static double largest_magnitude(const bounds_op *o, int operand)
{
    double largest = 0;

    for (int64_t i = 0; o->data[operand] && i < ir_type_elements(&o->op->operands[operand].value->type); i++)
        largest = fmax(largest, fabs((double)ir_f32_at(o->data[operand], i)));
    return largest;
}

/* Arguments v = beta x + mask less the largest are off by d: their bounds, and 4 roundings of numbers up to M each.
 * Then e^d - 1 in each exponential and in their sum; 8 units for the exponential, n for each sum, 2 in the quotient. */
bool bounds_softmax(const bounds_op *o, float bound[])
{
    const double beta = fabs((double)ir_float(o->op, IR_ATTR_BETA)), n = (double)row_length(o);
    const double most = beta * largest_magnitude(o, 0) + largest_magnitude(o, 1);
    const double d = beta * largest_bound(o, 0) + largest_bound(o, 1) + 8 * u * most;

    for (int64_t i = 0; i < elements_of(o); i++)
        bound[i] = (float)(o->got[i] * (expm1(2 * d) + (2 * n + 24) * u) + FLT_MIN);
    return true;
}

bool bounds_log_softmax(const bounds_op *o, float bound[])
{
    const double n = (double)row_length(o), d = largest_bound(o, 0) + 8 * u * largest_magnitude(o, 0);

    for (int64_t i = 0; i < elements_of(o); i++)
        bound[i] = (float)(2 * d + (2 * n + 24) * u + 8 * u * fabs((double)o->got[i]));
    return true;
}

/* n squares, n - 1 sums, a root, a quotient; either way. */
bool bounds_l2_normalize(const bounds_op *o, float bound[])
{
    const double n = (double)row_length(o);

    for (int64_t i = 0; i < elements_of(o); i++)
        bound[i] = (float)((n + 8) * 2 * u * fabs((double)o->got[i])) + 1e-43f;
    return true;
}

/* One row x: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.  Nothing can be said where a part of the sum
 * may leave the range of floats. */
static void layer_norm_row(const bounds_op *o, int64_t first, int64_t n, float bound[])
{
    double sum = 0, magnitudes = 0, squares = 0, spread = 0;

    for (int64_t i = 0; i < n; i++) {
        sum += (double)ir_f32_at(o->data[0], first + i);
        magnitudes += fabs((double)ir_f32_at(o->data[0], first + i));
    }
    const double count = (double)n, mean = sum / count, d_mean = 2 * (count + 2) * u * magnitudes / count;
    for (int64_t i = 0; i < n; i++) {
        const double distance = fabs((double)ir_f32_at(o->data[0], first + i) - mean), d = d_mean + 4 * u * distance;
        squares += distance * distance;
        spread += 2 * distance * d + d * d;
    }
    const double d_variance = spread / count + 2 * (count + 3) * u * squares / count;
    const double variance = squares / count + (double)ir_float(o->op, IR_ATTR_EPSILON), least = variance - d_variance;
    const double relative = least > 0 ? d_variance / (2 * least) + 8 * u : INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const double distance = fabs((double)ir_f32_at(o->data[0], first + i) - mean), root = sqrt(variance);
        const double gamma = o->data[1] ? fabs((double)ir_f32_at(o->data[1], i)) : 1;
        const double beta = o->data[2] ? fabs((double)ir_f32_at(o->data[2], i)) : 0;
        const double t = distance / root, d = (d_mean + 4 * u * distance) / root;
        const double error = gamma * (d + (t + d) * relative + 2 * u * t) + 4 * u * (gamma * t + beta);
        bound[first + i] = magnitudes > (double)FLT_MAX ? INFINITY : (float)error;
    }
}

bool bounds_layer_norm(const bounds_op *o, float bound[])
{
    const int64_t n = row_length(o);

    for (int64_t first = 0; first < elements_of(o); first += n)
        layer_norm_row(o, first, n, bound);
    return true;
}

/* Nothing can be said where a part of the product may leave the range of floats. */
bool bounds_product(const bounds_op *o, float bound[])
{
    const ir_type *x = &o->op->operands[0].value->type;
    const int64_t n = elements_of(o) ? ir_type_elements(x) / elements_of(o) : 0;
    double most = 0;

    for (int64_t i = 0; i < ir_type_elements(x); i++) {
        const double v = fabs((double)ir_f32_at(o->data[0], i));
        most = v > 0 ? fmax(most, fabs(log2(v))) : most;
    }
    for (int64_t i = 0; i < elements_of(o); i++)
        bound[i] = most * (double)n > 120 ? INFINITY : (float)(2 * (double)n * u * fabs((double)o->got[i]));
    return true;
}
