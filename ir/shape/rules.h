/* rules.h: what shape.c asks of each op, and what the rules share. */
#ifndef QCC_IR_SHAPE_RULES_H
#define QCC_IR_SHAPE_RULES_H

#include "ir/ir.h"

typedef struct inference {
    const ir_op *op;
    int result;
    const ir_type *present; /* the result's type as it is; dtype none when nobody has set it */
    ir_type *out;           /* starts with operand 0's element type, or the present one where that is free */
    diag *d;
} inference;

/* Sets the extents of *out, and its element type where it is not operand 0's; false after a diagnostic. */
typedef bool ir_shape_rule(inference *);

#define SHAPE(CODE, rule, flags) ir_shape_rule ir_shape_##rule;
#include "ir/shape/rules.def"
#undef SHAPE

#define refuse(i, ...) diag_error((i)->d, &(i)->op->loc, __VA_ARGS__)

static inline const char *text_of(const inference *i) { return ir_op_info_of(i->op->code)->text; }
static inline const ir_type *operand(const inference *i, int index) { return &i->op->operands[index].value->type; }

static inline bool need_rank(inference *i, int index, int rank)
{
    return operand(i, index)->rank == rank ||
           refuse(i, "%s: operand %d has rank %d, expected %d", text_of(i), index, operand(i, index)->rank, rank);
}

static inline void copy_dims(ir_type *to, const ir_type *from)
{
    to->rank = from->rank;
    for (int d = 0; d < from->rank; d++)
        to->dims[d] = from->dims[d];
}

static inline bool append_dim(inference *i, int64_t n)
{
    if (i->out->rank == IR_MAX_RANK)
        return refuse(i, "%s: result of more than %d dimensions", text_of(i), IR_MAX_RANK);
    i->out->dims[i->out->rank++] = n;
    return true;
}

/* Of dims near the limit and blocks: the product must stay below the largest tensor. */
static inline bool multiply_dim(inference *i, int d, int64_t factor)
{
    if (i->out->dims[d] > 0 && factor > IR_MAX_BYTES / i->out->dims[d])
        return refuse(i, "%s: the result would be too large", text_of(i));
    i->out->dims[d] *= factor;
    return true;
}

/* Numpy's broadcasting of *out, as it is, with another shape. */
bool ir_shape_broadcast_into(inference *, const ir_type *);
/* Whether the attribute AXIS is below the rank. */
bool ir_shape_check_axis(inference *, int rank);

#endif
