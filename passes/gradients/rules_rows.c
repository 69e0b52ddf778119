/* rules_rows.c: reductions, and what normalises rows.  r: a row's gradient by y. */
#include "ir/ref/interp.h"
#include "passes/gradients/rule.h"

static ir_value *mul(gradient *s, ir_value *a, ir_value *b) { return gradient_binary(s, IR_MUL, a, b); }
static ir_value *sub(gradient *s, ir_value *a, ir_value *b) { return gradient_binary(s, IR_SUB, a, b); }

/* A reduction's result, or its gradient, with the reduced dimensions as 1. */
static ir_value *kept(gradient *s, ir_value *v)
{
    const ir_type *x = gradient_operand_type(s, 0);
    const int64_t *axes;
    const int32_t count = ir_ints(s->op, IR_ATTR_AXES, &axes);
    ir_type t = *x;
    for (int32_t i = 0; i < count; i++)
        t.dims[axes[i]] = 1;
    return gradient_reshape(s, v, t.rank, t.dims);
}

/* sum, mean */
bool gradient_of_sum(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    ir_value *by = kept(s, s->by_result);
    if (s->op->code == IR_MEAN && ir_type_elements(x) > 0)
        by = gradient_times(s, by, (double)ir_type_elements(&by->type) / (double)ir_type_elements(x));
    gradient_give(s, 0, gradient_broadcast(s, by, x));
    return true;
}

/* To the elements that equal the result, in equal parts. */
bool gradient_of_reduce_extreme(gradient *s)
{
    const int64_t *axes;
    const int32_t count = ir_ints(s->op, IR_ATTR_AXES, &axes);
    ir_value *x = gradient_operand(s, 0), *zero = gradient_number(s, 0), *one = gradient_number(s, 1);
    ir_value *is = gradient_binary(s, IR_EQUAL, x, kept(s, gradient_result(s)));
    ir_value *share = gradient_end(s, gradient_new(s, IR_SELECT, 3, (ir_value *[]){is, one, zero}));
    ir_value *by = kept(s, s->by_result);
    if (count)
        by = gradient_binary(s, IR_DIV, by, gradient_reduce(s, IR_SUM, share, count, axes, true));
    gradient_give(s, 0, mul(s, share, by));
    return true;
}

/* Of each element the product of all others: with 1 in place of zeros, and none where another is 0. */
bool gradient_of_reduce_prod(gradient *s)
{
    const int64_t *axes;
    const int32_t count = ir_ints(s->op, IR_ATTR_AXES, &axes);
    ir_value *x = gradient_operand(s, 0), *one = gradient_number(s, 1), *by = kept(s, s->by_result);
    ir_value *is_zero = gradient_where(s, IR_EQUAL, x, 0, one, NULL);
    ir_value *filled = gradient_where(s, IR_EQUAL, x, 0, one, x);
    ir_value *zeros = count ? gradient_reduce(s, IR_SUM, is_zero, count, axes, true) : is_zero;
    ir_value *product = count ? gradient_reduce(s, IR_REDUCE_PROD, filled, count, axes, true) : filled;
    ir_value *others = gradient_binary(s, IR_DIV, product, filled);
    gradient_give(s, 0, mul(s, by, gradient_where(s, IR_EQUAL, sub(s, zeros, is_zero), 0, others, NULL)));
    return true;
}

/* The running sum from the other end. */
bool gradient_of_cumsum(gradient *s)
{
    const int64_t axis = ir_int(s->op, IR_ATTR_AXIS);
    ir_value *from_end = gradient_reverse(s, s->by_result, 1, &axis);
    ir_op *op = gradient_new(s, IR_CUMSUM, 1, &from_end);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    gradient_give(s, 0, gradient_reverse(s, gradient_end(s, op), 1, &axis));
    return true;
}

/* beta y (r - Σ r y) by x; the same without beta by the mask. */
bool gradient_of_softmax(gradient *s)
{
    ir_value *y = gradient_result(s), *r = s->by_result;
    ir_value *by = mul(s, y, sub(s, r, gradient_reduce_last(s, IR_SUM, mul(s, r, y))));
    if (gradient_wants(s, 0))
        gradient_give(s, 0, gradient_times(s, by, (double)ir_float(s->op, IR_ATTR_BETA)));
    gradient_give(s, 1, by);
    return true;
}

/* r - e^y Σ r */
bool gradient_of_log_softmax(gradient *s)
{
    ir_value *share = gradient_unary(s, IR_EXP, gradient_result(s));
    gradient_give(s, 0, sub(s, s->by_result, mul(s, share, gradient_reduce_last(s, IR_SUM, s->by_result))));
    return true;
}

/* t = (x - mean) / σ, y = t gamma + beta:  (r gamma - mean(r gamma) - t mean(r gamma t)) / σ */
bool gradient_of_layer_norm(gradient *s)
{
    ir_value *x = gradient_operand(s, 0), *gamma = gradient_operand(s, 1), *r = s->by_result;
    ir_value *centred = sub(s, x, gradient_reduce_last(s, IR_MEAN, x));
    ir_value *variance = gradient_reduce_last(s, IR_MEAN, mul(s, centred, centred));
    variance = gradient_plus(s, variance, (double)ir_float(s->op, IR_ATTR_EPSILON));
    ir_value *inverse = gradient_unary(s, IR_RSQRT, variance), *t = mul(s, centred, inverse);
    if (gradient_wants(s, 0)) {
        ir_value *by_t = gamma ? mul(s, r, gamma) : r;
        ir_value *along = mul(s, t, gradient_reduce_last(s, IR_MEAN, mul(s, by_t, t)));
        ir_value *rest = sub(s, sub(s, by_t, gradient_reduce_last(s, IR_MEAN, by_t)), along);
        gradient_give(s, 0, mul(s, rest, inverse));
    }
    if (gradient_wants(s, 1))
        gradient_give(s, 1, mul(s, r, t));
    gradient_give(s, 2, r);
    return true;
}

/* Statistics are constants: r times the factor of the channel. */
bool gradient_of_batch_norm(gradient *s)
{
    const int64_t axis = ir_int(s->op, IR_ATTR_AXIS), channels = gradient_operand_type(s, 0)->dims[axis];
    ir_type type = *gradient_operand_type(s, 0);
    float *factor = ARENA_ARRAY(s->g->arena, float, channels);
    for (int64_t c = 0; c < channels; c++)
        factor[c] = ir_batch_norm_of(s->op, c).factor;
    for (int k = 0; k < type.rank; k++)
        type.dims[k] = k == axis ? channels : 1;
    gradient_give(s, 0, mul(s, s->by_result, gradient_constant(s, &type, factor)));
    return true;
}

/* y = x / n, n the norm, at least epsilon:  (r - y Σ r y) / n; the second term only where n is the norm */
bool gradient_of_l2_normalize(gradient *s)
{
    const double epsilon = (double)ir_float(s->op, IR_ATTR_EPSILON);
    ir_value *x = gradient_operand(s, 0), *y = gradient_result(s);
    ir_value *norm = gradient_unary(s, IR_SQRT, gradient_reduce_last(s, IR_SUM, mul(s, x, x)));
    ir_value *along = gradient_reduce_last(s, IR_SUM, mul(s, s->by_result, y));
    if (epsilon > 0) {
        along = gradient_where(s, IR_GREATER, norm, epsilon, along, NULL);
        norm = gradient_binary(s, IR_MAXIMUM, norm, gradient_number(s, epsilon));
    }
    gradient_give(s, 0, gradient_binary(s, IR_DIV, sub(s, s->by_result, mul(s, y, along)), norm));
    return true;
}
