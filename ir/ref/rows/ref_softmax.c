/* ref_softmax.c: softmax of integers, log_softmax and l2_normalize along the last dimension. */
#include <float.h>
#include <stdlib.h>

#include "arith/fixed_point.h"
#include "ir/ref/ref_lut16.h"

enum { TABLE_BITS = 22 };

bool ir_check_normalize(const ir_op *op, diag *d)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    if (x->type.rank < 1 || !ir_check_same_shape(op, d))
        return ir_refuse(op, d, "operand and result need one shape of at least one dimension");
    if (x->type.dtype == IR_F32)
        return true;
    if (op->code == IR_SOFTMAX && !(ir_float(op, IR_ATTR_BETA) > 0 && isfinite(ir_float(op, IR_ATTR_BETA))))
        return ir_refuse(op, d, "beta is %g", (double)ir_float(op, IR_ATTR_BETA));
    if (!ir_check_quantized(op, x, "operand", d) || !ir_check_quantized(op, y, "result", d))
        return false;
    return !ir_unused_any(y->quant->unused) || ir_int(op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32 ||
           ir_refuse(op, d,
                     "with a result that lacks integers of its type it is defined for the rounding even_f32 only");
}

/* ---- Real values ---- */

static float largest_f32(const float row[], int64_t n)
{
    float max = -FLT_MAX;
    for (int64_t i = 0; i < n; i++)
        max = max < row[i] ? row[i] : max;
    return max;
}

static void softmax_f32(float row[], int64_t n, float beta)
{
    const float max = largest_f32(row, n);
    float sum = 0;
    for (int64_t i = 0; i < n; i++) {
        row[i] = expf((row[i] - max) * beta);
        sum += row[i];
    }
    for (int64_t i = 0; i < n; i++)
        row[i] /= sum;
}

static void log_softmax_f32(float row[], int64_t n)
{
    const float max = largest_f32(row, n);
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += expf(row[i] - max);
    const float log_sum = logf(sum);
    for (int64_t i = 0; i < n; i++)
        row[i] = row[i] - max - log_sum;
}

static void l2_normalize_f32(float row[], int64_t n, float epsilon)
{
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += row[i] * row[i];
    float norm = sqrtf(sum);
    norm = norm < epsilon ? epsilon : norm;
    for (int64_t i = 0; i < n; i++)
        row[i] = norm == 0 ? 0 : row[i] / norm; /* NaN if the norm is */
}

static void real_row(const ir_op *op, float row[], int64_t n)
{
    if (op->code == IR_SOFTMAX)
        softmax_f32(row, n, ir_float(op, IR_ATTR_BETA));
    else if (op->code == IR_LOG_SOFTMAX)
        log_softmax_f32(row, n);
    else
        l2_normalize_f32(row, n, ir_float(op, IR_ATTR_EPSILON));
}

/* ---- Quantized, even_f32 ---- */

static float beta_of(const ir_op *op) { return op->code == IR_SOFTMAX ? ir_float(op, IR_ATTR_BETA) : 1.0f; }

void ir_softmax_table(const ir_op *op, uint32_t table[256])
{
    const float scale =
        fminf((float)((double)beta_of(op) * ir_scale_of(op->operands[0].value)), FLT_MAX); /* times 0: 0 */
    for (int d = 0; d < 256; d++)
        table[d] = (uint32_t)lrintf(expf(-(float)d * scale) * (float)(1 << TABLE_BITS));
}

typedef struct row_context {
    const ir_op *op;
    ir_enum_ROUNDING rounding;
    float scale_x, scale_y;
    int32_t zero_x, zero, min, max;
    int origin;
    uint32_t table[256];
    arith_multiplier to_q5; /* fixed: a difference of integers to Q5 */
    int32_t diff_min;       /* smaller differences count as minus infinity */
    arith_multiplier from_q5;
    ir_softmax16 softmax16;
} row_context;

static int32_t largest(const int32_t row[], int64_t n)
{
    int32_t max = INT32_MIN;
    for (int64_t i = 0; i < n; i++)
        max = max < row[i] ? row[i] : max;
    return max;
}

static void softmax_even(const row_context *c, int32_t row[], int64_t n)
{
    const int32_t max = largest(row, n);
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += c->table[max - row[i]];
    const bool log = c->op->code == IR_LOG_SOFTMAX;
    const float factor = 1.0f / ((float)sum * c->scale_y), log_sum = logf((float)sum * (1.0f / (1 << TABLE_BITS)));
    for (int64_t i = 0; i < n; i++) {
        const int32_t d = max - row[i];
        const float q = log ? (-(float)d * c->scale_x - log_sum) * (1.0f / c->scale_y) : (float)c->table[d] * factor;
        row[i] = ir_round_even_f32(q, c->zero, c->min, c->max);
    }
}

/* 16 bits: as real values. */
static void real_quantized(const row_context *c, int32_t row[], float real[], int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        real[i] = (float)(row[i] - c->zero_x) * c->scale_x;
    real_row(c->op, real, n);
    for (int64_t i = 0; i < n; i++)
        row[i] = ir_round_even_f32(real[i] * (1.0f / c->scale_y), c->zero, c->min, c->max);
}

static void l2_normalize_even(const row_context *c, int32_t row[], int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (int64_t)(row[i] - c->zero_x) * (row[i] - c->zero_x);
    float norm = sqrtf((float)sum);
    const float least = ir_float(c->op, IR_ATTR_EPSILON) / c->scale_x;
    norm = norm < least ? least : norm;
    const float factor = norm > 0 ? 1.0f / (norm * c->scale_y) : 0;
    for (int64_t i = 0; i < n; i++)
        row[i] = ir_round_even_f32((float)(row[i] - c->zero_x) * factor, c->zero, c->min, c->max);
}

/* ---- Quantized, fixed point: differences from the largest in Q5, their exponentials summed in Q12 ---- */

static void init_fixed(row_context *c)
{
    const double limit = c->rounding == IR_ROUNDING_FIXED_ONCE ? (double)((1 << 30) - 1) : 2147483647.0;
    double multiplier = (double)beta_of(c->op) * c->scale_x * (1 << 26);
    multiplier = multiplier > limit ? limit : multiplier;
    c->to_q5 = arith_multiplier_of(multiplier);
    const int left = c->to_q5.shift < 0 ? 0 : c->to_q5.shift;
    c->diff_min = -(int32_t)floor(31.0 * (1 << 26) / (double)((int64_t)1 << left));
    if (c->to_q5.mantissa)
        c->from_q5 = arith_multiplier_of((double)((int64_t)1 << (31 - left)) / c->to_q5.mantissa);
}

static int32_t in_q5(const row_context *c, int32_t difference)
{
    return ir_mul_fixed(c->rounding, difference, c->to_q5);
}

static int32_t sum_of_exponentials(const row_context *c, const int32_t row[], int64_t n, int32_t max)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (row[i] - max >= c->diff_min)
            sum += (uint32_t)arith_fixed_shift_right(arith_fixed_exp_q5(in_q5(c, row[i] - max)), 12);
    return (int32_t)sum;
}

static void softmax_fixed(const row_context *c, int32_t row[], int64_t n)
{
    const int32_t max = largest(row, n), sum = sum_of_exponentials(c, row, n, max);
    const int bits = 8 * (int)ir_dtype_bytes(c->op->results[0]->type.dtype);
    int over_unit;
    const int32_t scale = arith_fixed_reciprocal(sum, 12, &over_unit);
    for (int64_t i = 0; i < n; i++) {
        int32_t q = 0;
        if (row[i] - max >= c->diff_min) {
            const int32_t e = arith_fixed_exp_q5(in_q5(c, row[i] - max));
            q = arith_fixed_shift_right(arith_fixed_product(scale, e),
                                        over_unit + 31 - bits < 0 ? 0 : over_unit + 31 - bits);
        }
        row[i] = ir_clamp_i32((int64_t)q + c->min, c->min, c->max);
    }
}

static void log_softmax_fixed(const row_context *c, int32_t row[], int64_t n)
{
    const int32_t max = largest(row, n), log_sum = arith_fixed_log_q12(sum_of_exponentials(c, row, n, max));
    const int32_t least = (int32_t)((uint32_t)log_sum + (uint32_t)INT32_MIN); /* what log_sum leaves of Q5's range */
    const int32_t by_range = ir_mul_fixed(c->rounding, least, c->from_q5);
    const int32_t limit = c->diff_min - 1 > by_range ? c->diff_min - 1 : by_range;
    for (int64_t i = 0; i < n; i++) {
        const int32_t difference = row[i] - max;
        if (difference <= limit) {
            row[i] = c->min;
            continue;
        }
        const int32_t q5 = (int32_t)((uint32_t)in_q5(c, difference) - (uint32_t)log_sum);
        row[i] = ir_clamp_i32((int64_t)arith_fixed_shift_right(q5, 22) + c->max, c->min, c->max);
    }
}

static void l2_normalize_fixed(const row_context *c, int32_t row[], int64_t n)
{
    const bool was_signed = c->min < 0 || c->origin != 0;
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint32_t)((row[i] - c->zero_x) * (row[i] - c->zero_x));
    arith_multiplier inverse = arith_fixed_inverse_sqrt(sum > INT32_MAX ? INT32_MAX : (int32_t)sum);
    if (was_signed)
        inverse.shift += 7;
    for (int64_t i = 0; i < n; i++) {
        const int32_t centred = row[i] - c->zero_x;
        const int32_t q = ir_mul_fixed(c->rounding, was_signed ? centred : 128 * centred, inverse);
        row[i] = ir_clamp_i32((int64_t)q + (c->min < 0 ? 0 : 128), c->min, c->max);
    }
}

/* ---- Rows ---- */

static void quantized_row(const row_context *c, int32_t row[], float real[], int64_t n)
{
    const bool wide = c->op->operands[0].value->type.dtype == IR_I16;
    if (wide && c->rounding != IR_ROUNDING_EVEN_F32 && c->op->code == IR_SOFTMAX)
        ir_softmax16_row(&c->softmax16, row, n);
    else if (wide)
        real_quantized(c, row, real, n);
    else if (c->rounding == IR_ROUNDING_EVEN_F32)
        (c->op->code == IR_L2_NORMALIZE ? l2_normalize_even : softmax_even)(c, row, n);
    else if (c->op->code == IR_SOFTMAX)
        softmax_fixed(c, row, n);
    else if (c->op->code == IR_LOG_SOFTMAX)
        log_softmax_fixed(c, row, n);
    else
        l2_normalize_fixed(c, row, n);
}

static void init_context(row_context *c, const ir_op *op)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    memset(c, 0, sizeof *c);
    c->op = op;
    if (!y->quant)
        return;
    c->rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    c->scale_x = ir_scale_of(x);
    c->scale_y = ir_scale_of(y);
    c->zero_x = ir_zero_of(x);
    c->zero = ir_zero_of(y);
    c->origin = ir_has_attr(op, IR_ATTR_ORIGIN) ? ir_int(op, IR_ATTR_ORIGIN) != 0 : 0;
    ir_result_bounds(y, IR_ACT_NONE, &c->min, &c->max);
    ir_softmax_table(op, c->table);
    if (c->rounding != IR_ROUNDING_EVEN_F32 && x->type.dtype == IR_I16)
        ir_softmax16_init(&c->softmax16, c->rounding, c->scale_x, beta_of(op));
    else if (c->rounding != IR_ROUNDING_EVEN_F32)
        init_fixed(c);
}

bool ir_ref_normalize(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    const int64_t n = x->type.dims[x->type.rank - 1], total = ir_type_elements(&x->type);
    if (total == 0)
        return true;
    row_context *c = malloc(sizeof *c);
    float *real = malloc((size_t)n * sizeof *real);
    int32_t *row = malloc((size_t)n * sizeof *row);
    const bool fine = c && real && row;
    if (fine)
        init_context(c, op);
    for (int64_t first = 0; fine && first < total; first += n) {
        if (x->type.dtype == IR_F32) {
            memcpy(real, (const char *)operands[0] + 4 * first, (size_t)n * 4);
            real_row(op, real, n);
            memcpy((char *)results[0] + 4 * first, real, (size_t)n * 4);
            continue;
        }
        ir_ints_load_i32(x->type.dtype, operands[0], first, n, 0, row);
        quantized_row(c, row, real, n);
        for (int64_t i = 0; i < n; i++)
            ir_int_put(y->type.dtype, results[0], first + i, row[i]);
    }
    free(c);
    free(real);
    free(row);
    return fine || ir_out_of_memory(op, d);
}
