/* ref_softmax_real.c: softmax of real rows, or of 8-bit ones to which a real mask is added.
 *
 *     v = x * beta + mask                             8-bit x: fmaf(x - zero, beta * scale, mask)
 *     real result       e^(v - largest v) / sum
 *     8-bit result      e^(v - largest v) in units of 2^-22, rounded to integers (ir_softmax_exp); their sum is exact;
 *                       q = round(e * (1 / (sum * result scale))) + zero */
#include <stdlib.h>

#include "ir/ref/ref.h"

bool ir_softmax_is_table(const ir_op *op)
{
    return op->operands[0].value->type.dtype != IR_F32 && !ir_operand_value(op, 1);
}

bool ir_check_softmax(const ir_op *op, diag *d)
{
    const ir_value *x = op->operands[0].value, *mask = ir_operand_value(op, 1), *y = op->results[0];
    const bool real = x->type.dtype == IR_F32;
    if (ir_softmax_is_table(op))
        return ir_check_normalize(op, d);
    if (x->type.rank < 1 || !ir_check_same_shape(op, d))
        return ir_refuse(op, d, "operand and result need one shape of at least one dimension");
    if (mask) {
        int64_t stride[IR_MAX_RANK];
        if (!ir_broadcast_strides(&mask->type, &x->type, stride) || mask->type.rank < 1 ||
            mask->type.dims[mask->type.rank - 1] != x->type.dims[x->type.rank - 1])
            return ir_refuse(op, d, "the mask's shape does not fit, or has no rows");
    }
    if (!isfinite(ir_float(op, IR_ATTR_BETA)))
        return ir_refuse(op, d, "beta is %g", (double)ir_float(op, IR_ATTR_BETA));
    if (real && y->type.dtype == IR_F32)
        return true;
    if (x->type.dims[x->type.rank - 1] > IR_SOFTMAX_LONGEST)
        return ir_refuse(op, d, "rows of more than %d elements", IR_SOFTMAX_LONGEST);
    if (ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_EVEN_F32)
        return ir_refuse(op, d,
                         "with a mask, or of real values to integers, it is defined for the rounding even_f32 only");
    return (real || ir_check_quantized(op, x, "operand", d)) && ir_check_quantized(op, y, "result", d);
}

/* Fixed as a sequence of float operations: compiled code does the same ones. */
float ir_softmax_exp(float x)
{
    static const float c[] = {0.5f, 0.166665122f, 0.0416661873f, 0.00836959854f, 0.00139515882f};
    if (!(x >= IR_SOFTMAX_LEAST))
        return 0;
    const int n = (int)lrintf(x * 1.44269504f);
    float r = fmaf((float)n, -0.693359375f, x), p = c[4];
    r = fmaf((float)n, 2.12194440e-4f, r);
    for (int i = 3; i >= 0; i--)
        p = fmaf(p, r, c[i]);
    return rintf(ldexpf(fmaf(r * r, p, r) + 1.0f, n + 22));
}

static float largest(const float row[], int64_t n)
{
    float max = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        max = row[i] > max ? row[i] : max;
    return max;
}

static void put_real(void *result, int64_t first, float row[], int64_t n)
{
    const float max = largest(row, n);
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += row[i] = expf(row[i] - max);
    for (int64_t i = 0; i < n; i++)
        ir_f32_put(result, first + i, row[i] / sum);
}

static void put_integers(const ir_value *y, void *result, int64_t first, float row[], int64_t n)
{
    const float max = largest(row, n);
    int64_t sum = 0;
    int32_t low, high;
    ir_result_bounds(y, IR_ACT_NONE, &low, &high);
    for (int64_t i = 0; i < n; i++)
        sum += (int64_t)(row[i] = ir_softmax_exp(row[i] - max));
    const float factor = 1.0f / ((float)(sum ? sum : 1) * ir_scale_of(y));
    for (int64_t i = 0; i < n; i++)
        ir_int_put(y->type.dtype, result, first + i, ir_round_even_f32(row[i] * factor, ir_zero_of(y), low, high));
}

/* Row number `at` of the mask, for rows counted along x's leading dimensions. */
static const char *mask_row(const ir_type *x, const int64_t stride[], const void *mask, int64_t at)
{
    int64_t offset = 0;
    for (int d = x->rank - 2; d >= 0; at /= x->dims[d], d--)
        offset += at % x->dims[d] * stride[d];
    return (const char *)mask + 4 * offset;
}

bool ir_ref_softmax(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    if (ir_softmax_is_table(op))
        return ir_ref_normalize(op, operands, results, d);
    const ir_value *x = op->operands[0].value, *mask = ir_operand_value(op, 1), *y = op->results[0];
    const int64_t n = x->type.dims[x->type.rank - 1], total = ir_type_elements(&x->type);
    const bool real = x->type.dtype == IR_F32;
    const float factor = (float)((double)ir_float(op, IR_ATTR_BETA) * ir_scale_of(x));
    int64_t stride[IR_MAX_RANK] = {0};
    float *row = malloc((size_t)(n ? n : 1) * sizeof *row);
    if (!row)
        return ir_out_of_memory(op, d);
    if (mask)
        ir_broadcast_strides(&mask->type, &x->type, stride);
    for (int64_t first = 0; first < total; first += n) {
        const char *added = mask ? mask_row(&x->type, stride, operands[1], first / n) : NULL;
        for (int64_t i = 0; i < n; i++) {
            const float c = real ? ir_f32_at(operands[0], first + i)
                                 : (float)(ir_int_at(x->type.dtype, operands[0], first + i) - ir_zero_of(x));
            row[i] = added ? fmaf(c, factor, ir_f32_at(added, i)) : c * factor;
        }
        if (y->type.dtype == IR_F32)
            put_real(results[0], first, row, n);
        else
            put_integers(y, results[0], first, row, n);
    }
    free(row);
    return true;
}
