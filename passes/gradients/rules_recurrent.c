/* rules_recurrent.c: recurrent layers, spelled step by step in ops that have gradients.
 *
 *     %1, %2, %3 = lstm %xw, %r, %h, %c          %h0 = reshape (slice %xw, step 0), fully_connected %h, %r, logistic, …
 *                                                %h1 = …
 *                                                concat %h0, %h1, …
 *
 * States are computed once more, from the first step on, and the gradient goes back through them. */
#include "passes/gradients/rule.h"

enum { X, R, H, C, BIAS = C };

typedef struct layer {
    gradient *s;
    int axis; /* of the steps */
    int64_t steps, batch, units;
} layer;

static ir_value *mul(const layer *l, ir_value *a, ir_value *b) { return gradient_binary(l->s, IR_MUL, a, b); }
static ir_value *add(const layer *l, ir_value *a, ir_value *b) { return gradient_binary(l->s, IR_ADD, a, b); }
static ir_value *logistic(const layer *l, ir_value *v) { return gradient_unary(l->s, IR_LOGISTIC, v); }
static ir_value *tangent(const layer *l, ir_value *v) { return gradient_unary(l->s, IR_TANH, v); }

/* Units first * H … of gates [batch, G * H], or rows of weights. */
static ir_value *part(const layer *l, ir_value *v, int d, int64_t first, int64_t count)
{
    int64_t begin[2] = {0}, extent[2] = {v->type.dims[0], v->type.dims[1]};
    begin[d] = first * l->units;
    extent[d] = count * l->units;
    return gradient_slice(l->s, v, begin, NULL, extent);
}

static ir_value *product(const layer *l, ir_value *h, ir_value *weights)
{
    return gradient_binary(l->s, IR_FULLY_CONNECTED, h, weights);
}

/* [batch, G * H] of a step. */
static ir_value *step_of(const layer *l, int64_t step)
{
    ir_value *x = gradient_operand(l->s, X);
    ir_type one = x->type;
    int64_t begin[3] = {0};
    begin[l->axis] = step;
    one.dims[l->axis] = 1;
    return gradient_reshape(l->s, gradient_slice(l->s, x, begin, NULL, one.dims), 2,
                            (int64_t[]){l->batch, one.dims[2]});
}

static ir_value *clipped(const layer *l, ir_value *c)
{
    const double most = (double)ir_float(l->s->op, IR_ATTR_CELL_CLIP);
    if (!(most > 0))
        return c;
    c = gradient_binary(l->s, IR_MINIMUM, c, gradient_number(l->s, most));
    return gradient_binary(l->s, IR_MAXIMUM, c, gradient_number(l->s, -most));
}

static ir_value *lstm_next(const layer *l, ir_value *x, ir_value *h, ir_value **c)
{
    ir_value *gates = add(l, x, product(l, h, gradient_operand(l->s, R)));
    ir_value *in = logistic(l, part(l, gates, 1, 0, 1)), *forget = logistic(l, part(l, gates, 1, 1, 1));
    ir_value *cell = tangent(l, part(l, gates, 1, 2, 1)), *out = logistic(l, part(l, gates, 1, 3, 1));
    *c = clipped(l, add(l, mul(l, forget, *c), mul(l, in, cell)));
    return mul(l, out, tangent(l, *c));
}

static ir_value *gru_next(const layer *l, ir_value *x, ir_value *h, ir_value **unused)
{
    ir_value *weights = gradient_operand(l->s, R), *b = gradient_operand(l->s, BIAS);
    ir_value *gates = logistic(l, add(l, part(l, x, 1, 0, 2), product(l, h, part(l, weights, 0, 0, 2))));
    ir_value *update = part(l, gates, 1, 0, 1), *reset = part(l, gates, 1, 1, 1);
    ir_value *own = part(l, weights, 0, 2, 1);
    ir_value *past = b ? mul(l, reset, add(l, product(l, h, own), b)) : product(l, mul(l, reset, h), own);
    ir_value *candidate = tangent(l, add(l, part(l, x, 1, 2, 1), past));
    (void)unused;
    return add(l, candidate, mul(l, update, gradient_binary(l->s, IR_SUB, h, candidate)));
}

static ir_value *rnn_next(const layer *l, ir_value *x, ir_value *h, ir_value **unused)
{
    ir_value *sum = add(l, x, product(l, h, gradient_operand(l->s, R)));
    (void)unused;
    return ir_int(l->s->op, IR_ATTR_RECTIFIED) ? gradient_binary(l->s, IR_MAXIMUM, sum, gradient_number(l->s, 0))
                                               : tangent(l, sum);
}

typedef ir_value *next_fn(const layer *, ir_value *x, ir_value *h, ir_value **c);

/* Results 0…2 of the layer, and its gradient through what computes them. */
static bool spell(gradient *s, next_fn *next, ir_value *c)
{
    const int axis = (int)ir_int(s->op, IR_ATTR_TIME_AXIS);
    const ir_type *y = &s->op->results[0]->type;
    const layer l = {s, axis, y->dims[axis], y->dims[1 - axis], y->dims[2]};
    ir_op *before = s->g->last;
    ir_value *h = gradient_operand(s, H), **states = ARENA_ARRAY(s->g->arena, ir_value *, l.steps + 1);
    if (l.steps == 0)
        return gradient_refuse(s, "a sequence of no steps");
    for (int64_t i = 0; i < l.steps; i++) {
        const int64_t step = ir_int(s->op, IR_ATTR_REVERSED) ? l.steps - 1 - i : i;
        h = next(&l, step_of(&l, step), h, &c);
        ir_type one = *y;
        one.dims[axis] = 1;
        states[step] = gradient_reshape(s, h, one.rank, one.dims);
    }
    ir_op *all = gradient_new(s, IR_CONCAT, (int)l.steps, states);
    ir_set_int(all, IR_ATTR_AXIS, axis);
    return gradient_through_ops(s, before, 3, (ir_value *[]){gradient_end(s, all), h, c});
}

bool gradient_of_lstm(gradient *s) { return spell(s, lstm_next, gradient_operand(s, C)); }
bool gradient_of_gru(gradient *s) { return spell(s, gru_next, NULL); }
bool gradient_of_rnn(gradient *s) { return spell(s, rnn_next, NULL); }
