/* rules_unary.c: functions of one number: gradient by x = gradient by y * f'(x), with f' by y where that is shorter. */
#include "passes/gradients/rule.h"

#define SQRT_HALF 0.70710678118654752
#define SQRT_2_PI 0.79788456080286536 /* sqrt(2 / π) */
#define TWO_OVER_SQRT_PI 1.1283791670955126

static bool give_times(gradient *s, ir_value *slope)
{
    gradient_give(s, 0, gradient_binary(s, IR_MUL, s->by_result, slope));
    return true;
}

static ir_value *square(gradient *s, ir_value *v) { return gradient_binary(s, IR_MUL, v, v); }
static ir_value *one_less(gradient *s, ir_value *v) { return gradient_binary(s, IR_SUB, gradient_number(s, 1), v); }

bool gradient_of_identity(gradient *s)
{
    gradient_give(s, 0, s->by_result);
    return true;
}

/* Constant between their steps. */
bool gradient_of_steps(gradient *s)
{
    (void)s;
    return true;
}

bool gradient_of_abs(gradient *s) { return give_times(s, gradient_unary(s, IR_SIGN, gradient_operand(s, 0))); }

bool gradient_of_neg(gradient *s)
{
    gradient_give(s, 0, gradient_unary(s, IR_NEG, s->by_result));
    return true;
}

bool gradient_of_exp(gradient *s) { return give_times(s, gradient_result(s)); }

bool gradient_of_log(gradient *s)
{
    gradient_give(s, 0, gradient_binary(s, IR_DIV, s->by_result, gradient_operand(s, 0)));
    return true;
}

/* 1 / (2 y) */
bool gradient_of_sqrt(gradient *s)
{
    gradient_give(s, 0, gradient_times(s, gradient_binary(s, IR_DIV, s->by_result, gradient_result(s)), 0.5));
    return true;
}

/* -y³ / 2 */
bool gradient_of_rsqrt(gradient *s)
{
    ir_value *y = gradient_result(s);
    return give_times(s, gradient_times(s, gradient_binary(s, IR_MUL, square(s, y), y), -0.5));
}

bool gradient_of_sin(gradient *s) { return give_times(s, gradient_unary(s, IR_COS, gradient_operand(s, 0))); }

bool gradient_of_cos(gradient *s)
{
    return give_times(s, gradient_unary(s, IR_NEG, gradient_unary(s, IR_SIN, gradient_operand(s, 0))));
}

/* 1 - y² */
bool gradient_of_tanh(gradient *s) { return give_times(s, one_less(s, square(s, gradient_result(s)))); }

/* y (1 - y) */
bool gradient_of_logistic(gradient *s)
{
    ir_value *y = gradient_result(s);
    return give_times(s, gradient_binary(s, IR_MUL, y, one_less(s, y)));
}

bool gradient_of_leaky_relu(gradient *s)
{
    ir_value *less = gradient_times(s, s->by_result, (double)ir_float(s->op, IR_ATTR_ALPHA));
    gradient_give(s, 0, gradient_where(s, IR_LESS, gradient_operand(s, 0), 0, less, s->by_result));
    return true;
}

/* e^x = y + 1 below 0 */
bool gradient_of_elu(gradient *s)
{
    ir_value *less = gradient_binary(s, IR_MUL, s->by_result, gradient_plus(s, gradient_result(s), 1));
    gradient_give(s, 0, gradient_where(s, IR_LESS, gradient_operand(s, 0), 0, less, s->by_result));
    return true;
}

/* Φ(x) + x φ(x): the normal distribution and its density */
static ir_value *slope_of_gelu(gradient *s, ir_value *x)
{
    ir_value *below = gradient_unary(s, IR_ERF, gradient_times(s, x, SQRT_HALF));
    ir_value *density = gradient_unary(s, IR_EXP, gradient_times(s, square(s, x), -0.5));
    ir_value *rising = gradient_times(s, gradient_binary(s, IR_MUL, x, density), SQRT_2_PI / 2);
    return gradient_binary(s, IR_ADD, gradient_times(s, gradient_plus(s, below, 1), 0.5), rising);
}

/* y = x / 2 (1 + t), t = tanh(c (x + a x³)):  (1 + t + x (1 - t²) c (1 + 3 a x²)) / 2 */
static ir_value *slope_of_tanh_gelu(gradient *s, ir_value *x)
{
    const double c = SQRT_2_PI, a = 0.044715;
    ir_value *xx = square(s, x);
    ir_value *inner = gradient_binary(s, IR_MUL, x, gradient_plus(s, gradient_times(s, xx, a * c), c));
    ir_value *t = gradient_unary(s, IR_TANH, inner);
    ir_value *rising = gradient_binary(s, IR_MUL, x, gradient_plus(s, gradient_times(s, xx, 3 * a * c), c));
    rising = gradient_binary(s, IR_MUL, rising, one_less(s, square(s, t)));
    return gradient_times(s, gradient_binary(s, IR_ADD, gradient_plus(s, t, 1), rising), 0.5);
}

bool gradient_of_gelu(gradient *s)
{
    ir_value *x = gradient_operand(s, 0);
    return give_times(s, ir_int(s->op, IR_ATTR_APPROXIMATE) ? slope_of_tanh_gelu(s, x) : slope_of_gelu(s, x));
}

/* 2 / √π e^(-x²) */
bool gradient_of_erf(gradient *s)
{
    ir_value *density = gradient_unary(s, IR_EXP, gradient_unary(s, IR_NEG, square(s, gradient_operand(s, 0))));
    return give_times(s, gradient_times(s, density, TWO_OVER_SQRT_PI));
}

/* 0 below -3, (2 x + 3) / 6 up to 3, 1 above */
bool gradient_of_hard_swish(gradient *s)
{
    ir_value *x = gradient_operand(s, 0);
    ir_value *middle = gradient_plus(s, gradient_times(s, x, 1.0 / 3), 0.5);
    ir_value *upper = gradient_where(s, IR_LESS, x, 3, middle, gradient_number(s, 1));
    return give_times(s, gradient_where(s, IR_GREATER, x, -3, upper, NULL));
}
