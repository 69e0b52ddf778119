/* canonical.c: one form for what can be written in several ways, and nothing for what does nothing.
 *
 *     %1 = reshape (reshape %0)                    %1 = reshape %0
 *     %1 = transpose (transpose %0)                %1 = transpose %0
 *     %1 = slice (slice %0)                        %1 = slice %0
 *     %1:f32<1x4x1> = transpose %0:f32<4x1x1>      %1 = reshape %0
 *     reshape, slice, pad, … to the same type      the operand
 *
 * What carries a scale of its own (`as`) that the operand can't take over stays. */
#include "passes/common/scales.h"

typedef bool rewrite_fn(ir_graph *, ir_op *); /* true: something changed; the op may be gone */

static ir_value *operand(const ir_op *op) { return op->operands[0].value; }

static bool is_same(const ir_op *op)
{
    const ir_value *x = operand(op), *r = op->results[0];
    return ir_type_equal(&x->type, &r->type) && ir_quant_equal(x->quant, r->quant) && scales_can_join(x, r);
}

static bool become(ir_op *op, ir_value *v)
{
    if (!v->name && v->def)
        v->name = op->results[0]->name;
    scales_join(v, op->results[0]);
    ir_replace_uses(op->results[0], v);
    ir_op_erase(op);
    return true;
}

/* The op computing v when it is `code`, and v is not rounded to a grid of its own. */
static ir_op *producer(const ir_value *v, ir_opcode code)
{
    if (!v->def || v->def->code != code)
        return NULL;
    return scales_is_fixed(v) && !scales_equal(v, v->def->operands[0].value) ? NULL : v->def;
}

/* ---- One rewrite an op ---- */

static bool rewrite_reshape(ir_graph *g, ir_op *op)
{
    (void)g;
    if (is_same(op))
        return become(op, operand(op));
    ir_op *inner = producer(operand(op), IR_RESHAPE);
    if (!inner)
        return false;
    ir_set_operand(op, 0, operand(inner));
    return true;
}

static void into_reshape(ir_graph *g, ir_op *op)
{
    ir_value *x = operand(op), *r = op->results[0];
    ir_value *reshaped = pass_op1(g, IR_RESHAPE, op, op, 1, &x, r->type, r->quant);
    reshaped->name = r->name;
    scales_copy(reshaped, r);
    reshaped->scale_from = r->scale_from;
    ir_replace_uses(r, reshaped);
    ir_op_erase(op);
}

/* Do the dimensions with more than one element keep their order? */
static bool keeps_order(const ir_op *op)
{
    const ir_type *x = &operand(op)->type;
    int64_t last = -1;
    for (int d = 0; d < x->rank; d++) {
        int64_t from = ir_ints_at(op, IR_ATTR_PERM, d);
        if (x->dims[from] == 1)
            continue;
        if (from < last)
            return false;
        last = from;
    }
    return true;
}

static bool rewrite_transpose(ir_graph *g, ir_op *op)
{
    if (operand(op)->quant && operand(op)->quant->axis >= 0)
        return false; /* the axis would have to follow */
    if (keeps_order(op))
        return into_reshape(g, op), true;
    ir_op *inner = producer(operand(op), IR_TRANSPOSE);
    if (!inner)
        return false;
    int64_t perm[IR_MAX_RANK];
    int rank = operand(op)->type.rank;
    for (int d = 0; d < rank; d++)
        perm[d] = ir_ints_at(inner, IR_ATTR_PERM, (int)ir_ints_at(op, IR_ATTR_PERM, d));
    ir_set_ints(op, IR_ATTR_PERM, rank, perm);
    ir_set_operand(op, 0, operand(inner));
    return true;
}

static bool rewrite_slice(ir_graph *g, ir_op *op)
{
    (void)g;
    int rank = operand(op)->type.rank;
    bool forward = true;
    for (int d = 0; d < rank; d++)
        forward = forward && (ir_ints_at(op, IR_ATTR_STEP, d) == 1 || op->results[0]->type.dims[d] == 1);
    if (forward && is_same(op))
        return become(op, operand(op));
    ir_op *inner = producer(operand(op), IR_SLICE);
    if (!inner || ir_type_elements(&op->results[0]->type) == 0)
        return false;
    int64_t begin[IR_MAX_RANK], step[IR_MAX_RANK];
    for (int d = 0; d < rank; d++) {
        int64_t inner_step = ir_ints_at(inner, IR_ATTR_STEP, d);
        begin[d] = ir_ints_at(inner, IR_ATTR_BEGIN, d) + ir_ints_at(op, IR_ATTR_BEGIN, d) * inner_step;
        step[d] = op->results[0]->type.dims[d] == 1 ? 1 : ir_ints_at(op, IR_ATTR_STEP, d) * inner_step;
    }
    ir_set_ints(op, IR_ATTR_BEGIN, rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, rank, step);
    ir_set_operand(op, 0, operand(inner));
    return true;
}

static bool rewrite_concat(ir_graph *g, ir_op *op)
{
    (void)g;
    return op->operand_count == 1 && is_same(op) && become(op, operand(op));
}

/* Ops that do nothing when operand and result have the same type. */
static bool rewrite_if_same(ir_graph *g, ir_op *op)
{
    (void)g;
    return is_same(op) && become(op, operand(op));
}

static bool rewrite_cast(ir_graph *g, ir_op *op)
{
    (void)g;
    return is_same(op) && become(op, operand(op));
}

/* Windows of one pixel.  The type alone does not say that each lies on its own: with padding and a stride that make
 * up for each other some lie outside the image. */
static bool rewrite_pool(ir_graph *g, ir_op *op)
{
    (void)g;
    for (int side = 0; side < 4; side++)
        if (ir_ints_at(op, IR_ATTR_PAD, side) != 0)
            return false;
    bool one = ir_ints_at(op, IR_ATTR_KERNEL, 0) == 1 && ir_ints_at(op, IR_ATTR_KERNEL, 1) == 1;
    return one && ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE && is_same(op) && become(op, operand(op));
}

static bool rewrite_requantize(ir_graph *g, ir_op *op) { return pass_keeps_smallest(op) && rewrite_if_same(g, op); }

static bool rewrite_relu(ir_graph *g, ir_op *op)
{
    return ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE && rewrite_requantize(g, op);
}

static rewrite_fn *const rewrites[IR_OPCODE_COUNT] = {
    [IR_RESHAPE] = rewrite_reshape,   [IR_TRANSPOSE] = rewrite_transpose, [IR_SLICE] = rewrite_slice,
    [IR_CONCAT] = rewrite_concat,     [IR_PAD] = rewrite_if_same,         [IR_MIRROR_PAD] = rewrite_if_same,
    [IR_BROADCAST] = rewrite_if_same, [IR_TILE] = rewrite_if_same,        [IR_REQUANTIZE] = rewrite_requantize,
    [IR_CAST] = rewrite_cast,         [IR_MAX_POOL2D] = rewrite_pool,     [IR_AVG_POOL2D] = rewrite_pool,
    [IR_RELU] = rewrite_relu,
};

pass_result pass_canonical(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (rewrites[op->code] && rewrites[op->code](g, op))
            result = PASS_CHANGED;
    }
    return result;
}
