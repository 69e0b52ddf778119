/* ops_scan.c: running sums and products along one dimension. */
#include "frontends/onnx/import.h"

/* The elements `by` places further on along the axis; in front of them `fill`, once for each place. */
static ir_value *moved_on(ort_node *n, ir_value *x, int axis, int64_t by, float fill)
{
    int64_t begin[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};
    if (!x)
        return NULL;
    ir_type type = x->type;
    for (int i = 0; i < IR_MAX_RANK; i++)
        step[i] = 1;
    type.dims[axis] -= by;
    before[axis] = by;
    x = ort_cut(n, x, begin, step, &type);
    if (!x)
        return NULL;
    ir_op *op = node_emit1(n, IR_PAD, x);
    ir_set_ints(op, IR_ATTR_BEFORE, type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, type.rank, after);
    ir_set_float(op, IR_ATTR_VALUE, fill);
    return node_done(n, op);
}

ir_value *ort_reversed(ort_node *n, ir_value *x, int axis)
{
    if (!x)
        return NULL;
    ir_op *op = node_emit1(n, IR_REVERSE, x);
    ir_set_ints(op, IR_ATTR_AXES, 1, (int64_t[]){axis});
    return node_done(n, op);
}

static ir_value *summed(ort_node *n, ir_value *x, int axis)
{
    if (!x)
        return NULL;
    ir_op *op = node_emit1(n, IR_CUMSUM, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return node_done(n, op);
}

/* After each round an element is the product of twice as many. */
static ir_value *multiplied(ort_node *n, ir_value *x, int axis)
{
    for (int64_t reach = 1; x && reach < x->type.dims[axis]; reach *= 2)
        x = node_binary(n, IR_MUL, x, moved_on(n, x, axis, reach, 1));
    return x;
}

static bool run(ort_node *n, ir_value *combined(ort_node *, ir_value *, int), float neutral)
{
    ir_value *x = ort_plain(n, 0);
    int64_t where;
    int count, axis;
    if (!x || !ort_param_ints(n, 1, "dimension", 1, &where, &count))
        return false;
    if (count != 1)
        return node_error(n, "the dimension is not one number");
    if (!node_axis(n, where, x->type.rank, &axis))
        return false;
    const bool reversed = ort_int(n, "reverse", 0), exclusive = ort_int(n, "exclusive", 0);
    if (x->quant)
        return node_error(n, "the operator is not defined on quantized values");
    x = reversed ? ort_reversed(n, x, axis) : x;
    x = exclusive && x && x->type.dims[axis] ? moved_on(n, x, axis, 1, neutral) : x;
    x = combined(n, x, axis);
    return ort_put(n, 0, reversed ? ort_reversed(n, x, axis) : x, LAYOUT_PLAIN);
}

bool ort_op_cumsum(ort_node *n) { return run(n, summed, 0); }
bool ort_op_cumprod(ort_node *n) { return run(n, multiplied, 1); }
