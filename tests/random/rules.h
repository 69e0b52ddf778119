/* rules.h: the rules that rules.def names, and what those of products share. */
#ifndef TESTS_RANDOM_RULES_H
#define TESTS_RANDOM_RULES_H

#include "tests/random/draw.h"

#define RULE(CODE, rule, weight) draw_rule rule;
#define NOT_DRAWN(CODE, reason)
#include "tests/random/rules.def"
#undef RULE
#undef NOT_DRAWN

/* ---- Multiply-accumulate ops (rule_products.c): x w [b [r [s z]]] ---- */

typedef struct rule_mac {
    draw_kind operand_kind; /* of x */
    bool real, dynamic;     /* floats; an x that was quantized at run time */
    bool gated;             /* with slopes of a gate */
    bool single; /* a real product that becomes an integer: of one term, so that there is nothing to sum up */
    int64_t terms;
    ir_value *operands[6];
    int operand_count;
    ir_dtype bias;
    int64_t channels; /* of the result */
    double magnitude; /* of results */
} rule_mac;

/* To be called in this order; false where these types cannot be drawn. */
bool rule_mac_begin(draw *, const draw_types *, rule_mac *);
/* Weights of that type, whose channels lie along `axis`, and a bias. */
void rule_mac_weights(draw *, rule_mac *, ir_value *x, ir_type weights, int axis, int64_t terms);
/* With the op and its attributes there: residual, scale of x, result. */
bool rule_mac_end(draw *, const draw_types *, rule_mac *);

#endif
