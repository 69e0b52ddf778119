/* rule.h: what the rules of rules.def are written with.
 *
 * A rule gets an op and the gradient of the loss by its results, and gives those by its operands:
 *
 *     bool gradient_of_mul(gradient *s)
 *     {
 *         gradient_give(s, 0, gradient_binary(s, IR_MUL, s->by_result, gradient_operand(s, 1)));
 *         …
 *
 * Activations that are fused into the op, and a residual, are dealt with before: by_result is the gradient by what the
 * op computes in front of them.  Ops are appended to the graph with the location of the op at hand; their types follow
 * from shape.c. */
#ifndef QCC_GRADIENT_RULE_H
#define QCC_GRADIENT_RULE_H

#include "ir/ir.h"

typedef struct gradient {
    ir_graph *g;
    const ir_op *op;
    ir_value *by_result; /* gradient by result 0, of its type; never NULL */
    diag *d;
    bool *wanted;  /* by id: does it depend on what gradients are asked for? */
    ir_value **by; /* by id: the gradient by that value, as far as it is summed up; NULL: none yet */
    uint32_t ids;  /* of both */
    arena *scratch;
} gradient;

/* False after a diagnostic. */
typedef bool gradient_rule(gradient *);

#define RULE(CODE, rule) gradient_rule rule;
#define NO_RULE(CODE, why)
#include "passes/gradients/rules.def"
#undef RULE
#undef NO_RULE

static inline ir_value *gradient_operand(const gradient *s, int i) { return ir_operand_value(s->op, i); }
static inline const ir_type *gradient_operand_type(const gradient *s, int i) { return &gradient_operand(s, i)->type; }
static inline ir_value *gradient_result(const gradient *s) { return s->op->results[0]; }

/* Does anybody want the gradient by operand i?  Always false of integers. */
bool gradient_wants(const gradient *, int i);
/* Adds to it: v has the operand's shape, or one that it broadcasts to and over whose stretched dimensions v is summed,
 * or, for a reshaped operand, as many elements. */
void gradient_give(gradient *, int i, ir_value *v);
/* Gives what ops behind `before`, which have been added for this, do to their operands: those that compute results
 * 0…count - 1 of the op once more, NULL: not there. */
bool gradient_through_ops(gradient *, ir_op *before, int count, ir_value *const results[]);
/* The op in this form has no gradient; names it. */
bool gradient_refuse(const gradient *, const char *why);

/* ---- New ops.  Attributes are set between gradient_new and gradient_end, which derives the result's type. ---- */

ir_op *gradient_new(gradient *, ir_opcode, int operand_count, ir_value *const operands[]);
ir_value *gradient_end(gradient *, ir_op *);
/* The same for ops whose shape is free. */
ir_value *gradient_end_as(gradient *, ir_op *, int rank, const int64_t dims[]);

ir_value *gradient_number(gradient *, double);                          /* f32<> */
ir_value *gradient_full(gradient *, const ir_type *, float);            /* a constant of this shape */
ir_value *gradient_constant(gradient *, const ir_type *, float data[]); /* of the graph's arena */
ir_value *gradient_unary(gradient *, ir_opcode, ir_value *);
ir_value *gradient_binary(gradient *, ir_opcode, ir_value *, ir_value *);
ir_value *gradient_times(gradient *, ir_value *, double);
ir_value *gradient_plus(gradient *, ir_value *, double);
/* v where a <code> b (a comparison), 0 elsewhere; or `otherwise`. */
ir_value *gradient_where(gradient *, ir_opcode code, ir_value *a, double b, ir_value *v, ir_value *otherwise);
/* v where low <= x <= high, 0 elsewhere. */
ir_value *gradient_within(gradient *, ir_value *x, ir_value *v, ir_value *low, ir_value *high);
/* v where the activation passes y = act(x) on unchanged, strictly between its bounds. */
ir_value *gradient_through(gradient *, ir_enum_ACT, ir_value *y, ir_value *v);

ir_value *gradient_reshape(gradient *, ir_value *, int rank, const int64_t dims[]);
ir_value *gradient_broadcast(gradient *, ir_value *, const ir_type *);
ir_value *gradient_transpose(gradient *, ir_value *, const int64_t perm[]);
ir_value *gradient_reverse(gradient *, ir_value *, int32_t count, const int64_t axes[]);
/* count[d] elements from begin[d], `step[d]` apart; step NULL: 1. */
ir_value *gradient_slice(gradient *, ir_value *, const int64_t begin[], const int64_t step[], const int64_t count[]);
ir_value *gradient_pad(gradient *, ir_value *, const int64_t before[], const int64_t after[]);
/* step[d] - 1 zeros between any two neighbours along d. */
ir_value *gradient_spread(gradient *, ir_value *, const int64_t step[]);
/* IR_SUM or IR_MEAN over axes. */
ir_value *gradient_reduce(gradient *, ir_opcode, ir_value *, int32_t count, const int64_t axes[], bool keep_dims);
ir_value *gradient_reduce_last(gradient *, ir_opcode, ir_value *); /* keeps the dimension */
/* Sums over what was stretched when `type` was broadcast to v's shape. */
ir_value *gradient_sum_to(gradient *, ir_value *, const ir_type *type);

#endif
