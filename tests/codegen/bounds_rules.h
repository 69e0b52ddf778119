/* bounds_rules.h: the rules of bounds.c: from an op's operands and their bounds to the bounds of a result. */
#ifndef TESTS_CODEGEN_BOUNDS_RULES_H
#define TESTS_CODEGEN_BOUNDS_RULES_H

#include "ir/ref/ref.h"
#include "tests/codegen/bounds.h"

enum { BOUNDS_MAX_OPERANDS = 16 };
#define BOUNDS_UNIT 0x1p-24 /* largest relative error of one rounding */

typedef struct bounds_function { /* |difference| <= ulps * 2 u |y| + absolute + slope * the operand's bound */
    float ulps, absolute, slope;
} bounds_function;

typedef struct bounds_op {
    const ir_op *op;
    int result; /* which of the op's results */
    const void *data[BOUNDS_MAX_OPERANDS];
    const float *bound[BOUNDS_MAX_OPERANDS]; /* NULL: exact */
    const float *got;                        /* the interpreter's result */
    bounds_function function;
    diag *diag;
} bounds_op;

/* Fills in the result's bounds, which are 0 before; what is negative or NaN means that nothing can be said. */
typedef bool bounds_rule(const bounds_op *, float bound[]);

bounds_rule bounds_move;    /* moved data has moved bounds */
bounds_rule bounds_sum;     /* sums of terms or of products of two operands */
bounds_rule bounds_largest; /* one of several values */
bounds_rule bounds_grid_gradient;
bounds_rule bounds_quotient;
bounds_rule bounds_square;     /* squared_difference */
bounds_rule bounds_elementary; /* by `function` */
bounds_rule bounds_exp, bounds_leaky, bounds_logistic;
bounds_rule bounds_softmax, bounds_log_softmax, bounds_l2_normalize, bounds_layer_norm;
bounds_rule bounds_product;   /* reduce_prod */
bounds_rule bounds_recurrent; /* lstm, gru, rnn */

#endif
