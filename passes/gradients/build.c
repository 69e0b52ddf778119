/* build.c: the ops that rules are made of. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "ir/ref/interp.h"
#include "ir/shape/shape.h"
#include "passes/gradients/rule.h"

bool gradient_wants(const gradient *s, int i)
{
    const ir_value *v = gradient_operand(s, i);
    return v && v->type.dtype == IR_F32 && s->wanted[v->id];
}

void gradient_give(gradient *s, int i, ir_value *v)
{
    if (!gradient_wants(s, i))
        return;
    const ir_value *x = gradient_operand(s, i);
    v = gradient_sum_to(s, v, &x->type);
    ir_value **by = &s->by[x->id];
    *by = *by ? gradient_binary(s, IR_ADD, *by, v) : v;
}

bool gradient_refuse(const gradient *s, const char *why)
{
    return diag_error(s->d, &s->op->loc, "%s has no gradient: %s", ir_op_info_of(s->op->code)->text, why);
}

/* ---- New ops ---- */

ir_op *gradient_new(gradient *s, ir_opcode code, int operand_count, ir_value *const operands[])
{
    ir_op *op = ir_op_new(s->g, code, NULL, operand_count, operands);
    op->loc = s->op->loc;
    return op;
}

/* Rules build nothing that shape.c refuses, whatever the graph. */
static ir_value *infer(ir_op *op)
{
    diag d = {0};
    ir_type type;
    const bool fits = ir_infer_shape(op, 0, &type, &d);
    assert(fits);
    if (fits)
        ir_result_set(op, 0, type, NULL);
    return op->results[0];
}

ir_value *gradient_end(gradient *s, ir_op *op)
{
    (void)s;
    return infer(op);
}

ir_value *gradient_end_as(gradient *s, ir_op *op, int rank, const int64_t dims[])
{
    (void)s;
    ir_result_set(op, 0, ir_type_make(op->operands[0].value->type.dtype, rank, dims), NULL);
    return infer(op);
}

ir_value *gradient_constant(gradient *s, const ir_type *type, float data[])
{
    return ir_const_new(s->g, *type, NULL, data);
}

ir_value *gradient_full(gradient *s, const ir_type *type, float value)
{
    const int64_t n = ir_type_elements(type);
    float *data = ARENA_ARRAY(s->g->arena, float, n);
    for (int64_t i = 0; i < n; i++)
        data[i] = value;
    return gradient_constant(s, type, data);
}

ir_value *gradient_number(gradient *s, double value)
{
    const ir_type scalar = ir_type_make(IR_F32, 0, NULL);
    return gradient_full(s, &scalar, (float)value);
}

ir_value *gradient_unary(gradient *s, ir_opcode code, ir_value *a)
{
    return gradient_end(s, gradient_new(s, code, 1, &a));
}

ir_value *gradient_binary(gradient *s, ir_opcode code, ir_value *a, ir_value *b)
{
    return gradient_end(s, gradient_new(s, code, 2, (ir_value *[]){a, b}));
}

ir_value *gradient_times(gradient *s, ir_value *a, double factor)
{
    return factor == 1 ? a : gradient_binary(s, IR_MUL, a, gradient_number(s, factor));
}

ir_value *gradient_plus(gradient *s, ir_value *a, double term)
{
    return gradient_binary(s, IR_ADD, a, gradient_number(s, term));
}

static ir_value *chosen(gradient *s, ir_value *condition, ir_value *v, ir_value *otherwise)
{
    otherwise = otherwise ? otherwise : gradient_number(s, 0);
    return gradient_end(s, gradient_new(s, IR_SELECT, 3, (ir_value *[]){condition, v, otherwise}));
}

ir_value *gradient_where(gradient *s, ir_opcode code, ir_value *a, double b, ir_value *v, ir_value *otherwise)
{
    return chosen(s, gradient_binary(s, code, a, gradient_number(s, b)), v, otherwise);
}

static bool is_number(const ir_value *v) { return ir_type_elements(&v->type) == 1; }

/* What lies between two pairs of bounds lies between the narrower ones: a rounding behind an activation is one pass with it. */
ir_value *gradient_within(gradient *s, ir_value *x, ir_value *v, ir_value *low, ir_value *high)
{
    enum { X, BY_Y, LOW, HIGH };
    const ir_op *inner = v->def;
    if (inner && inner->code == IR_CLAMP_GRADIENT && inner->operands[X].value == x && is_number(low) &&
        is_number(high) && is_number(inner->operands[LOW].value) && is_number(inner->operands[HIGH].value)) {
        low = gradient_binary(s, IR_MAXIMUM, inner->operands[LOW].value, low);
        high = gradient_binary(s, IR_MINIMUM, inner->operands[HIGH].value, high);
        v = inner->operands[BY_Y].value;
    }
    return gradient_end(s, gradient_new(s, IR_CLAMP_GRADIENT, 4, (ir_value *[]){x, v, low, high}));
}

ir_value *gradient_through(gradient *s, ir_enum_ACT act, ir_value *y, ir_value *v)
{
    float min, max;
    ir_act_bounds_f32(act, &min, &max);
    if (min == -INFINITY && max == INFINITY)
        return v;
    return gradient_within(s, y, v, gradient_number(s, (double)nextafterf(min, INFINITY)),
                           gradient_number(s, (double)nextafterf(max, -INFINITY)));
}

/* ---- Moving data ---- */

static bool same_dims(const ir_type *t, int rank, const int64_t dims[])
{
    return t->rank == rank && memcmp(t->dims, dims, (size_t)rank * sizeof *dims) == 0;
}

ir_value *gradient_reshape(gradient *s, ir_value *v, int rank, const int64_t dims[])
{
    return same_dims(&v->type, rank, dims) ? v : gradient_end_as(s, gradient_new(s, IR_RESHAPE, 1, &v), rank, dims);
}

ir_value *gradient_broadcast(gradient *s, ir_value *v, const ir_type *to)
{
    return same_dims(&v->type, to->rank, to->dims)
               ? v
               : gradient_end_as(s, gradient_new(s, IR_BROADCAST, 1, &v), to->rank, to->dims);
}

ir_value *gradient_transpose(gradient *s, ir_value *v, const int64_t perm[])
{
    ir_op *op = gradient_new(s, IR_TRANSPOSE, 1, &v);
    ir_set_ints(op, IR_ATTR_PERM, v->type.rank, perm);
    return gradient_end(s, op);
}

ir_value *gradient_reverse(gradient *s, ir_value *v, int32_t count, const int64_t axes[])
{
    ir_op *op = gradient_new(s, IR_REVERSE, 1, &v);
    ir_set_ints(op, IR_ATTR_AXES, count, axes);
    return gradient_end(s, op);
}

ir_value *gradient_slice(gradient *s, ir_value *v, const int64_t begin[], const int64_t step[], const int64_t count[])
{
    static const int64_t ones[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (!step && same_dims(&v->type, v->type.rank, count))
        return v;
    ir_op *op = gradient_new(s, IR_SLICE, 1, &v);
    ir_set_ints(op, IR_ATTR_BEGIN, v->type.rank, begin);
    ir_set_ints(op, IR_ATTR_STEP, v->type.rank, step ? step : ones);
    return gradient_end_as(s, op, v->type.rank, count);
}

ir_value *gradient_pad(gradient *s, ir_value *v, const int64_t before[], const int64_t after[])
{
    int64_t added = 0;
    for (int d = 0; d < v->type.rank; d++)
        added |= before[d] | after[d];
    if (!added)
        return v;
    ir_op *op = gradient_new(s, IR_PAD, 1, &v);
    ir_set_ints(op, IR_ATTR_BEFORE, v->type.rank, before);
    ir_set_ints(op, IR_ATTR_AFTER, v->type.rank, after);
    return gradient_end(s, op);
}

/* [.., n, inner] → [outer, n, 1, inner] → [outer, n, step, inner] → [.., n * step, inner] */
static ir_value *spread_one(gradient *s, ir_value *v, int axis, int64_t step)
{
    ir_type to = v->type;
    int64_t outer = 1, inner = 1;
    for (int d = 0; d < axis; d++)
        outer *= to.dims[d];
    for (int d = axis + 1; d < to.rank; d++)
        inner *= to.dims[d];
    to.dims[axis] *= step;
    v = gradient_reshape(s, v, 3, (int64_t[]){outer * v->type.dims[axis], 1, inner});
    v = gradient_pad(s, v, (int64_t[]){0, 0, 0}, (int64_t[]){0, step - 1, 0});
    return gradient_reshape(s, v, to.rank, to.dims);
}

ir_value *gradient_spread(gradient *s, ir_value *v, const int64_t step[])
{
    static const int64_t first[IR_MAX_RANK];
    int64_t dims[IR_MAX_RANK];
    bool spread = false;
    for (int d = v->type.rank - 1; d >= 0; d--) {
        if (step[d] <= 1)
            continue;
        if (spread) /* the zeros at the end of the last one */
            v = gradient_slice(s, v, first, NULL, dims);
        memcpy(dims, v->type.dims, sizeof dims);
        dims[d] = (dims[d] - 1) * step[d] + 1;
        v = spread_one(s, v, d, step[d]);
        spread = true;
    }
    return spread ? gradient_slice(s, v, first, NULL, dims) : v;
}

/* ---- Sums ---- */

ir_value *gradient_reduce(gradient *s, ir_opcode code, ir_value *v, int32_t count, const int64_t axes[], bool keep_dims)
{
    ir_op *op = gradient_new(s, code, 1, &v);
    ir_set_ints(op, IR_ATTR_AXES, count, axes);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, keep_dims);
    return gradient_end(s, op);
}

ir_value *gradient_reduce_last(gradient *s, ir_opcode code, ir_value *v)
{
    const int64_t last = v->type.rank - 1;
    return gradient_reduce(s, code, v, 1, &last, true);
}

ir_value *gradient_sum_to(gradient *s, ir_value *v, const ir_type *type)
{
    int64_t axes[IR_MAX_RANK];
    int32_t count = 0;
    const int added = v->type.rank - type->rank;
    if (ir_type_elements(&v->type) != ir_type_elements(type)) {
        for (int d = 0; d < v->type.rank; d++)
            if (v->type.dims[d] != 1 && (d < added || type->dims[d - added] == 1))
                axes[count++] = d;
        v = gradient_reduce(s, IR_SUM, v, count, axes, false);
    }
    return gradient_reshape(s, v, type->rank, type->dims);
}
