/* ref_reduce.c: sum, mean, smallest, largest, product, any, all over axes.
 *
 * One accumulator a result element; the operand is read in its own order, so real sums add up in TFLite's. */
#include <stdlib.h>

#include "ir/ref/ref_quant.h"

typedef struct reduction {
    int64_t step[IR_MAX_RANK]; /* of the result's element, along each operand dimension; 0 along reduced ones */
    int64_t count;             /* of operand elements for one result element */
} reduction;

static bool reduction_of(const ir_op *op, reduction *r)
{
    const ir_type *x = &op->operands[0].value->type, *y = &op->results[0]->type;
    const int64_t *axes;
    const int32_t n = ir_ints(op, IR_ATTR_AXES, &axes);
    bool reduced[IR_MAX_RANK] = {false};
    int64_t step = 1;
    for (int32_t i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= x->rank)
            return false;
        reduced[axes[i]] = true;
    }
    r->count = 1;
    int out = y->rank;
    for (int d = x->rank - 1; d >= 0; d--) {
        r->step[d] = reduced[d] ? 0 : step;
        if (reduced[d])
            r->count *= x->dims[d];
        const bool kept = !reduced[d] || ir_int(op, IR_ATTR_KEEP_DIMS);
        if (!kept)
            continue;
        if (--out < 0 || y->dims[out] != (reduced[d] ? 1 : x->dims[d]))
            return false;
        step *= y->dims[out];
    }
    return out == 0;
}

bool ir_check_reduce(const ir_op *op, diag *d)
{
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    reduction r;
    if (!reduction_of(op, &r))
        return ir_refuse(op, d, "axes and shapes do not fit");
    if (x->type.dtype != IR_I8 && x->type.dtype != IR_U8 && x->type.dtype != IR_I16)
        return true;
    if (op->code == IR_REDUCE_MAX || op->code == IR_REDUCE_MIN)
        return ir_check_same_quant(op, d);
    if (op->code == IR_REDUCE_PROD)
        return ir_refuse(op, d, "not supported for quantized values");
    return ir_check_quantized(op, x, "operand", d) && ir_check_quantized(op, y, "result", d);
}

static float combined_f32(ir_opcode code, float acc, float v)
{
    switch (code) {
    case IR_REDUCE_MAX: return acc < v ? v : acc;
    case IR_REDUCE_MIN: return v < acc ? v : acc;
    case IR_REDUCE_PROD: return acc * v;
    default: return acc + v;
    }
}

static int64_t combined(ir_opcode code, int64_t acc, int64_t v)
{
    switch (code) {
    case IR_REDUCE_MAX: return acc < v ? v : acc;
    case IR_REDUCE_MIN: return v < acc ? v : acc;
    case IR_REDUCE_PROD: return (int64_t)((uint64_t)acc * (uint64_t)v);
    case IR_REDUCE_ANY: return acc || v;
    case IR_REDUCE_ALL: return acc && v;
    default: return (int64_t)((uint64_t)acc + (uint64_t)v);
    }
}

static bool reduce_f32(const ir_op *op, const reduction *r, const void *from, void *to, diag *d)
{
    const ir_type *x = &op->operands[0].value->type;
    const int64_t results = ir_type_elements(&op->results[0]->type), n = ir_type_elements(x);
    const float start = op->code == IR_REDUCE_MAX    ? -INFINITY
                        : op->code == IR_REDUCE_MIN  ? INFINITY
                        : op->code == IR_REDUCE_PROD ? 1.0f
                                                     : 0.0f;
    float *acc = malloc(((size_t)results + 1) * sizeof *acc);
    if (!acc)
        return ir_out_of_memory(op, d);
    for (int64_t i = 0; i < results; i++)
        acc[i] = start;
    int64_t index[IR_MAX_RANK] = {0};
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int k = 0; k < x->rank; k++)
            at += index[k] * r->step[k];
        acc[at] = combined_f32(op->code, acc[at], ir_f32_at(from, i));
        ir_next_index(x->rank, x->dims, index);
    }
    for (int64_t i = 0; i < results; i++)
        ir_f32_put(to, i, op->code == IR_MEAN ? acc[i] / (float)r->count : acc[i]);
    free(acc);
    return true;
}

static ir_requant scaling_of(const ir_op *op, int64_t count)
{
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    const ir_value *x = op->operands[0].value, *y = op->results[0];
    const double ratio = (double)ir_scale_of(x) / ir_scale_of(y);
    const bool mean = op->code == IR_MEAN;
    int32_t min, max;
    ir_result_bounds(y, IR_ACT_NONE, &min, &max);
    if (rounding == IR_ROUNDING_EVEN_F32)
        return ir_requant_make(rounding,
                               mean ? (double)ir_scale_of(x) / ((double)ir_scale_of(y) * (double)count) : ratio,
                               ir_zero_of(y), min, max);
    ir_requant r = ir_requant_make(rounding, ratio, ir_zero_of(y), min, max);
    if (mean)
        r.multiplier = arith_multiplier_of_mean(ratio, count);
    return r;
}

static void store_ints(const ir_op *op, const reduction *r, const int64_t acc[], int64_t results, void *to)
{
    const ir_value *x = op->operands[0].value;
    const ir_dtype t = x->type.dtype;
    const bool scaled = (op->code == IR_SUM || op->code == IR_MEAN) && (t == IR_I8 || t == IR_U8 || t == IR_I16);
    ir_requant q = {0};
    if (scaled && r->count)
        q = scaling_of(op, r->count);
    for (int64_t i = 0; i < results; i++) {
        int64_t v = acc[i];
        if (scaled && !r->count)
            v = ir_zero_of(op->results[0]);
        else if (scaled)
            v = ir_requant_apply(&q, (int32_t)(uint32_t)(uint64_t)(v - r->count * ir_zero_of(x)));
        else if (op->code == IR_MEAN)
            v = r->count ? v / r->count : 0;
        ir_int_put(op->results[0]->type.dtype, to, i, v);
    }
}

static bool reduce_ints(const ir_op *op, const reduction *r, const void *from, void *to, diag *d)
{
    const ir_type *x = &op->operands[0].value->type;
    const int64_t results = ir_type_elements(&op->results[0]->type), n = ir_type_elements(x);
    int64_t start = op->code == IR_REDUCE_PROD || op->code == IR_REDUCE_ALL, index[IR_MAX_RANK] = {0};
    if (op->code == IR_REDUCE_MAX || op->code == IR_REDUCE_MIN) {
        int32_t min, max;
        ir_dtype_range(x->dtype, &min, &max);
        start = op->code == IR_REDUCE_MAX ? x->dtype == IR_I64 ? INT64_MIN : min : x->dtype == IR_I64 ? INT64_MAX : max;
    }
    int64_t *acc = malloc(((size_t)results + 1) * sizeof *acc);
    if (!acc)
        return ir_out_of_memory(op, d);
    for (int64_t i = 0; i < results; i++)
        acc[i] = start;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int k = 0; k < x->rank; k++)
            at += index[k] * r->step[k];
        acc[at] = combined(op->code, acc[at], ir_int_at(x->dtype, from, i));
        ir_next_index(x->rank, x->dims, index);
    }
    store_ints(op, r, acc, results, to);
    free(acc);
    return true;
}

bool ir_ref_reduce(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    reduction r;
    if (!reduction_of(op, &r))
        return ir_refuse(op, d, "axes and shapes do not fit");
    return op->operands[0].value->type.dtype == IR_F32 ? reduce_f32(op, &r, operands[0], results[0], d)
                                                       : reduce_ints(op, &r, operands[0], results[0], d);
}
