/* rules_binary.c: functions of two numbers, and select.  Operands are broadcast: gradient_give sums over what was
 * stretched. */
#include "passes/gradients/rule.h"

static ir_value *mul(gradient *s, ir_value *a, ir_value *b) { return gradient_binary(s, IR_MUL, a, b); }
static ir_value *quotient(gradient *s, ir_value *a, ir_value *b) { return gradient_binary(s, IR_DIV, a, b); }
static ir_value *neg(gradient *s, ir_value *v) { return gradient_unary(s, IR_NEG, v); }

static ir_value *choice(gradient *s, ir_value *condition, ir_value *a, ir_value *b)
{
    return gradient_end(s, gradient_new(s, IR_SELECT, 3, (ir_value *[]){condition, a, b}));
}

bool gradient_of_add(gradient *s)
{
    gradient_give(s, 0, s->by_result);
    gradient_give(s, 1, s->by_result);
    return true;
}

bool gradient_of_sub(gradient *s)
{
    gradient_give(s, 0, s->by_result);
    if (gradient_wants(s, 1))
        gradient_give(s, 1, neg(s, s->by_result));
    return true;
}

bool gradient_of_mul(gradient *s)
{
    for (int i = 0; i < 2; i++)
        if (gradient_wants(s, i))
            gradient_give(s, i, mul(s, s->by_result, gradient_operand(s, 1 - i)));
    return true;
}

/* 1 / b, -a / b² */
bool gradient_of_div(gradient *s)
{
    ir_value *a = gradient_operand(s, 0), *b = gradient_operand(s, 1), *by_a = quotient(s, s->by_result, b);
    gradient_give(s, 0, by_a);
    if (gradient_wants(s, 1))
        gradient_give(s, 1, neg(s, mul(s, by_a, quotient(s, a, b))));
    return true;
}

/* To the one that is taken; of equals the first. */
bool gradient_of_extreme(gradient *s)
{
    const ir_opcode code = s->op->code == IR_MINIMUM ? IR_LESS_EQUAL : IR_GREATER_EQUAL;
    ir_value *first = gradient_binary(s, code, gradient_operand(s, 0), gradient_operand(s, 1));
    ir_value *zero = gradient_number(s, 0);
    if (gradient_wants(s, 0))
        gradient_give(s, 0, choice(s, first, s->by_result, zero));
    if (gradient_wants(s, 1))
        gradient_give(s, 1, choice(s, first, zero, s->by_result));
    return true;
}

/* b a^(b - 1), 0 where b is, and y log(a), which counts as 0 where a is 0 */
bool gradient_of_pow(gradient *s)
{
    ir_value *a = gradient_operand(s, 0), *b = gradient_operand(s, 1);
    if (gradient_wants(s, 0)) {
        ir_value *lower = gradient_binary(s, IR_POW, a, gradient_plus(s, b, -1));
        ir_value *slope = gradient_where(s, IR_NOT_EQUAL, b, 0, mul(s, b, lower), NULL);
        gradient_give(s, 0, mul(s, s->by_result, slope));
    }
    if (gradient_wants(s, 1)) {
        ir_value *log = gradient_where(s, IR_NOT_EQUAL, a, 0, gradient_unary(s, IR_LOG, a), NULL);
        gradient_give(s, 1, mul(s, s->by_result, mul(s, gradient_result(s), log)));
    }
    return true;
}

bool gradient_of_squared_difference(gradient *s)
{
    ir_value *difference = gradient_binary(s, IR_SUB, gradient_operand(s, 0), gradient_operand(s, 1));
    ir_value *by = mul(s, s->by_result, gradient_times(s, difference, 2));
    gradient_give(s, 0, by);
    if (gradient_wants(s, 1))
        gradient_give(s, 1, neg(s, by));
    return true;
}

/* a - floor(a / b) b */
bool gradient_of_floor_mod(gradient *s)
{
    gradient_give(s, 0, s->by_result);
    if (gradient_wants(s, 1)) {
        ir_value *whole = gradient_binary(s, IR_FLOOR_DIV, gradient_operand(s, 0), gradient_operand(s, 1));
        gradient_give(s, 1, neg(s, mul(s, s->by_result, whole)));
    }
    return true;
}

/* b / (a² + b²), -a / (a² + b²) */
bool gradient_of_atan2(gradient *s)
{
    ir_value *a = gradient_operand(s, 0), *b = gradient_operand(s, 1);
    ir_value *part = quotient(s, s->by_result, gradient_binary(s, IR_ADD, mul(s, a, a), mul(s, b, b)));
    if (gradient_wants(s, 0))
        gradient_give(s, 0, mul(s, part, b));
    if (gradient_wants(s, 1))
        gradient_give(s, 1, neg(s, mul(s, part, a)));
    return true;
}

bool gradient_of_prelu(gradient *s)
{
    ir_value *x = gradient_operand(s, 0), *alpha = gradient_operand(s, 1);
    if (gradient_wants(s, 0))
        gradient_give(s, 0, gradient_where(s, IR_LESS, x, 0, mul(s, s->by_result, alpha), s->by_result));
    if (gradient_wants(s, 1))
        gradient_give(s, 1, gradient_where(s, IR_LESS, x, 0, mul(s, s->by_result, x), NULL));
    return true;
}

bool gradient_of_select(gradient *s)
{
    ir_value *condition = gradient_operand(s, 0), *zero = gradient_number(s, 0);
    if (gradient_wants(s, 1))
        gradient_give(s, 1, choice(s, condition, s->by_result, zero));
    if (gradient_wants(s, 2))
        gradient_give(s, 2, choice(s, condition, zero, s->by_result));
    return true;
}
