/* ref_layer_norm.c: each row of the last dimension gets mean 0 and variance 1, then a scale and a shift an element.
 *
 *     real       t = (x - mean) * (1 / sqrt(variance + epsilon));  y = fma(t, gamma, beta)
 *     8 bits     sums of the centred integers and of their squares, exact; mean and variance from these in double,
 * rounded to float once; epsilon / scale² in their units.  Then as real; q = round(y * (1 / result scale)) + zero */
#include <stdlib.h>

#include "ir/ref/ref.h"

static bool is_row_parameter(const ir_value *v, int64_t n) { return !v || (v->type.rank == 1 && v->type.dims[0] == n); }

bool ir_check_layer_norm(const ir_op *op, diag *d)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    if (x->type.rank < 1 || !ir_check_same_shape(op, d))
        return ir_refuse(op, d, "operand and result need one shape of at least one dimension");
    const int64_t n = x->type.dims[x->type.rank - 1];
    if (!is_row_parameter(ir_operand_value(op, 1), n) || !is_row_parameter(ir_operand_value(op, 2), n))
        return ir_refuse(op, d, "gamma and beta need one dimension of %lld elements", (long long)n);
    const float epsilon = ir_float(op, IR_ATTR_EPSILON);
    if (!(epsilon >= 0 && isfinite(epsilon)))
        return ir_refuse(op, d, "epsilon is %g", (double)epsilon);
    if (x->type.dtype == IR_F32)
        return true;
    if (n > IR_LAYER_NORM_LONGEST)
        return ir_refuse(op, d, "rows of %lld quantized elements", (long long)n);
    if (ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_EVEN_F32)
        return ir_refuse(op, d, "of quantized values it is defined for the rounding even_f32 only");
    return ir_check_quantized(op, x, "operand", d) && (!y->quant || ir_check_quantized(op, y, "result", d));
}

typedef struct row_parameters {
    int64_t n;
    const void *gamma, *beta;
    float epsilon; /* in squared units of the elements */
} row_parameters;

static float normalized(const row_parameters *p, int64_t i, float centred, float inverse)
{
    const float t = centred * inverse, gamma = p->gamma ? ir_f32_at(p->gamma, i) : 1.0f;
    return fmaf(t, gamma, p->beta ? ir_f32_at(p->beta, i) : 0.0f);
}

static void real_row(const row_parameters *p, float row[])
{
    float sum = 0, squares = 0;
    for (int64_t i = 0; i < p->n; i++)
        sum += row[i];
    const float mean = sum / (float)p->n;
    for (int64_t i = 0; i < p->n; i++)
        squares += (row[i] - mean) * (row[i] - mean);
    const float inverse = 1.0f / sqrtf(squares / (float)p->n + p->epsilon);
    for (int64_t i = 0; i < p->n; i++)
        row[i] = normalized(p, i, row[i] - mean, inverse);
}

static void integer_row(const row_parameters *p, const int32_t centred[], float row[])
{
    int64_t sum = 0, squares = 0;
    for (int64_t i = 0; i < p->n; i++) {
        sum += centred[i];
        squares += (int64_t)centred[i] * centred[i];
    }
    const double n = (double)p->n;
    const float mean = (float)((double)sum / n);
    const float variance = (float)((double)(p->n * squares - sum * sum) / (n * n));
    const float inverse = 1.0f / sqrtf(variance + p->epsilon);
    for (int64_t i = 0; i < p->n; i++)
        row[i] = normalized(p, i, (float)centred[i] - mean, inverse);
}

float ir_layer_norm_epsilon(const ir_op *op)
{
    const double scale = ir_scale_of(op->operands[0].value);
    return (float)((double)ir_float(op, IR_ATTR_EPSILON) / (scale * scale));
}

static void put_row(const ir_value *y, void *result, int64_t first, const float row[], int64_t n)
{
    if (y->type.dtype == IR_F32) {
        memcpy((char *)result + 4 * first, row, (size_t)n * 4);
        return;
    }
    const float inverse = 1.0f / ir_scale_of(y);
    int32_t min, max;
    ir_result_bounds(y, IR_ACT_NONE, &min, &max);
    for (int64_t i = 0; i < n; i++)
        ir_int_put(y->type.dtype, result, first + i, ir_round_even_f32(row[i] * inverse, ir_zero_of(y), min, max));
}

bool ir_ref_layer_norm(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const ir_value *x = op->operands[0].value;
    const int64_t n = x->type.dims[x->type.rank - 1], total = ir_type_elements(&x->type);
    if (total == 0)
        return true;
    const row_parameters p = {n, op->operand_count > 1 ? operands[1] : NULL, op->operand_count > 2 ? operands[2] : NULL,
                              ir_layer_norm_epsilon(op)};
    float *row = malloc((size_t)n * sizeof *row);
    int32_t *centred = malloc((size_t)n * sizeof *centred);
    const bool fine = row && centred;
    for (int64_t first = 0; fine && first < total; first += n) {
        if (x->type.dtype == IR_F32) {
            memcpy(row, (const char *)operands[0] + 4 * first, (size_t)n * 4);
            real_row(&p, row);
        } else {
            ir_ints_load_i32(x->type.dtype, operands[0], first, n, ir_zero_of(x), centred);
            integer_row(&p, centred, row);
        }
        put_row(op->results[0], results[0], first, row, n);
    }
    free(row);
    free(centred);
    return fine || ir_out_of_memory(op, d);
}
