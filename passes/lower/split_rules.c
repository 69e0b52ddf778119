/* split_rules.c: which ops compute each index of the first dimension by itself, and from which operands' same index. */
#include "passes/lower/split.h"

typedef enum share { WHOLE, CUT, MIXED /* every part needs parts of it that are no range */ } share;

/* An operand that is broadcast to a shape of so many dimensions, whose first is `extent`. */
static share broadcast(const ir_value *v, const ir_type *to)
{
    if (v->type.rank < to->rank || v->type.dims[0] == 1)
        return WHOLE;
    return v->type.dims[0] == to->dims[0] ? CUT : MIXED;
}

/* Scales and zero points of what was quantized at run time: for indices of leading dimensions, or one for all. */
static share leading(const ir_value *v, int64_t extent)
{
    if (ir_type_elements(&v->type) == 1)
        return WHOLE;
    return v->type.dims[0] == extent ? CUT : MIXED;
}

static share of_product(const ir_op *op, int slot)
{
    enum { X, RESIDUAL = 3, SCALE, ZERO };
    if (slot == SCALE || slot == ZERO)
        return leading(op->operands[slot].value, op->operands[X].value->type.dims[0]);
    return slot == X || slot == RESIDUAL ? CUT : WHOLE;
}

static share share_of(const ir_op *op, int slot)
{
    const ir_value *v = op->operands[slot].value;
    const ir_type *result = &op->results[0]->type;
    switch (op->code) {
    case IR_CONV2D:
    case IR_DEPTHWISE_CONV2D:
    case IR_TRANSPOSE_CONV2D:
    case IR_FULLY_CONNECTED: return of_product(op, slot);
    case IR_SOFTMAX:
    case IR_BATCH_MATMUL: return broadcast(v, result);
    case IR_CONCAT: return CUT;
    case IR_GATHER: return (ir_int(op, IR_ATTR_AXIS) == 0) == (slot == 1) ? CUT : WHOLE;
    default: break;
    }
    if (ir_op_info_of(op->code)->flags & IR_ELEMENTWISE)
        return broadcast(v, result);
    return slot == 0 ? CUT : WHOLE;
}

static bool has_first_axis(const ir_op *op)
{
    const int64_t *axes;
    return ir_ints(op, IR_ATTR_AXES, &axes) > 0 && axes[0] == 0;
}

/* Is the first dimension one of those that the op does not mix?  Beside what the operands' and results' shapes say. */
static bool keeps_first(const ir_op *op)
{
    const unsigned flags = ir_op_info_of(op->code)->flags;
    if (flags & (IR_ELEMENTWISE | IR_IMAGES))
        return true;
    if (flags & IR_ROWS)
        return op->operands[0].value->type.rank > 1;
    switch (op->code) {
    case IR_RESHAPE: return true;
    case IR_BATCH_MATMUL: return op->results[0]->type.rank > 2;
    case IR_TRANSPOSE: return ir_ints_at(op, IR_ATTR_PERM, 0) == 0;
    case IR_CONCAT:
    case IR_CUMSUM:
    case IR_ARG_MAX:
    case IR_ARG_MIN: return ir_int(op, IR_ATTR_AXIS) > 0;
    case IR_SLICE: return ir_ints_at(op, IR_ATTR_BEGIN, 0) == 0 && ir_ints_at(op, IR_ATTR_STEP, 0) == 1;
    case IR_PAD:
    case IR_MIRROR_PAD: return ir_ints_at(op, IR_ATTR_BEFORE, 0) == 0 && ir_ints_at(op, IR_ATTR_AFTER, 0) == 0;
    case IR_SUM:
    case IR_MEAN:
    case IR_REDUCE_MAX:
    case IR_REDUCE_MIN:
    case IR_REDUCE_PROD:
    case IR_REDUCE_ANY:
    case IR_REDUCE_ALL: return !has_first_axis(op);
    case IR_GATHER: return ir_int(op, IR_ATTR_BATCH_DIMS) == 0;
    case IR_DYNAMIC_QUANTIZE: return ir_int(op, IR_ATTR_OUTER) > 0;
    default: return false;
    }
}

/* In equal parts, all of them of one scale. */
static bool divides(const ir_value *v, int64_t parts)
{
    return v->type.rank > 0 && v->type.dims[0] > 0 && v->type.dims[0] % parts == 0 &&
           !(v->quant && v->quant->axis == 0);
}

bool split_cuts(const ir_op *op, int slot) { return share_of(op, slot) == CUT; }

bool split_can(const ir_op *op, int64_t parts)
{
    if (!op->operand_count || !op->operands[0].value || !keeps_first(op))
        return false;
    bool any = false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        const share how = v ? share_of(op, i) : WHOLE;
        if (how == MIXED || (how == CUT && (ir_is_const(v) || !divides(v, parts))))
            return false;
        if (how == CUT && op->code != IR_RESHAPE && v->type.dims[0] != op->results[0]->type.dims[0])
            return false;
        any = any || how == CUT;
    }
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        any = any && divides(op->results[i], parts);
    return any;
}
