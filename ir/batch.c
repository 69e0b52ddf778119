/* batch.c: which ops compute each index of the first dimension by itself, and from which operands' same index; and what
 * follows for a batch.
 *
 *     input %0:f32<1x8x8x1>                    input %0:f32<32x8x8x1>
 *     %2:f32<1x6x6x4> = conv2d %0, %1          %2:f32<32x6x6x4> = conv2d %0, %1
 *     %3:f32<36x4> = reshape %2                %3:f32<1152x4> = reshape %2 */
#include "ir/batch.h"

#include "ir/shape/shape.h"

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

bool ir_batch_cuts(const ir_op *op, int slot) { return share_of(op, slot) == CUT; }

bool ir_batch_splits(const ir_op *op, int64_t parts)
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

/* ---- A graph of one sample for a batch ---- */

typedef struct widening {
    ir_graph *g;
    int64_t batch;
    bool *wide; /* by id: it has the samples of the batch in its first dimension */
    diag *d;
} widening;

static bool refuse(const widening *w, const ir_op *op, const char *why)
{
    return diag_error(w->d, &op->loc, "%s: %s: the graph can't be one for a batch", ir_op_info_of(op->code)->text, why);
}

static bool widen_type(const widening *w, const ir_op *op, ir_type *type)
{
    if (type->rank == 0 || type->dims[0] > IR_MAX_BYTES / w->batch)
        return refuse(w, op, type->rank ? "the result would be too large" : "one number of all samples");
    type->dims[0] *= w->batch;
    return true;
}

static bool widen_inputs(const widening *w)
{
    const ir_loc loc = ir_graph_loc(w->g);
    for (int32_t i = 0; i < w->g->input_count; i++) {
        ir_value *v = w->g->inputs[i];
        if (v->type.rank < 1 || v->type.dims[0] != 1)
            return diag_error(w->d, &loc,
                              "input '%s' has not 1 for its first dimension: the graph can't be one for a batch",
                              w->g->input_names[i]);
        v->type.dims[0] = w->batch;
        if (!ir_type_valid(&v->type))
            return diag_error(w->d, &loc, "input '%s' would be too large", w->g->input_names[i]);
        w->wide[v->id] = true;
    }
    return true;
}

/* Cut is what is wide, and nothing else. */
static bool computes_each(const widening *w, const ir_op *op)
{
    bool each = ir_batch_splits(op, w->batch);
    for (int i = 0; each && i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        each = !v || ir_batch_cuts(op, i) == w->wide[v->id];
    }
    return each;
}

static bool widen_op(const widening *w, ir_op *op)
{
    bool any = false;
    for (int i = 0; i < op->operand_count; i++)
        any = any || (op->operands[i].value && w->wide[op->operands[i].value->id]);
    for (int i = 0; any && i < ir_op_info_of(op->code)->results; i++) {
        ir_value *r = op->results[i];
        ir_type follows;
        w->wide[r->id] = true;
        if (!widen_type(w, op, &r->type) || !ir_infer_shape(op, i, &follows, w->d))
            return false;
        if (!ir_type_equal(&r->type, &follows))
            return refuse(w, op, "samples are not its result's first dimension");
    }
    return !any || computes_each(w, op) || refuse(w, op, "it does not compute each sample by itself");
}

bool ir_batch_set(ir_graph *g, int64_t batch, diag *d)
{
    const widening w = {g, batch, ARENA_ARRAY(g->arena, bool, g->next_id), d};
    if (batch == 1)
        return true;
    if (!widen_inputs(&w))
        return false;
    for (ir_op *op = g->first; op; op = op->next)
        if (!widen_op(&w, op))
            return false;
    return true;
}
