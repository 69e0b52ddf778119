/* rule_index.c: ops with indices, from constants or known at run time only, some outside. */
#include "tests/random/rules.h"

static ir_value *draw_data(draw *d, ir_dtype t)
{
    return draw_take(
        d, &(draw_want){.dtype = t, .kind = DRAW_ANY, .least_rank = 1, .most_rank = 5, .constant_percent = 20});
}

bool rule_gather(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_data(d, t->operand[0]);
    const int axis = (int)draw_below(d, x->type.rank), batch = draw_chance(d, 20) ? (int)draw_between(d, 0, axis) : 0;
    int64_t dims[IR_MAX_RANK];
    int rank = batch + (int)draw_between(d, 0, 2);

    for (int i = 0; i < rank; i++)
        dims[i] = i < batch ? x->type.dims[i] : draw_between(d, 1, 5);
    ir_value *indices = draw_indices(d, t->operand[1], rank, dims, x->type.dims[axis]);
    draw_op(d, code, 2, (ir_value *[]){x, indices});
    ir_set_int(d->op, IR_ATTR_AXIS, axis);
    ir_set_int(d->op, IR_ATTR_BATCH_DIMS, batch);
    ir_set_int(d->op, IR_ATTR_FROM_END, draw_below(d, 2));
    return draw_result(d, 0, t->result[0], x->quant);
}

/* Index tuples, their number in one or two dimensions. */
static ir_value *draw_tuples(draw *d, ir_dtype t, const ir_type *whole, int64_t length)
{
    int64_t dims[3], limit = 1;
    int rank = (int)draw_between(d, 0, 2);

    for (int i = 0; i < rank; i++)
        dims[i] = draw_between(d, 1, 4);
    dims[rank++] = length;
    for (int i = 0; i < length; i++)
        limit = whole->dims[i] > limit ? whole->dims[i] : limit;
    return draw_indices(d, t, rank, dims, limit);
}

bool rule_gather_nd(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_data(d, t->operand[0]);
    ir_value *indices = draw_tuples(d, t->operand[1], &x->type, draw_between(d, 1, x->type.rank));

    draw_op(d, code, 2, (ir_value *[]){x, indices});
    ir_set_int(d->op, IR_ATTR_FROM_END, draw_below(d, 2));
    return draw_result(d, 0, t->result[0], x->quant);
}

bool rule_scatter_nd(draw *d, ir_opcode code, const draw_types *t)
{
    const ir_type y = draw_shape(d, t->result[0], 1, 4);
    const int64_t length = draw_between(d, 1, y.rank);
    ir_value *indices = draw_tuples(d, t->operand[0], &y, length);
    ir_type updates = ir_type_make(t->operand[1], indices->type.rank - 1, indices->type.dims);

    for (int i = (int)length; i < y.rank; i++)
        updates.dims[updates.rank++] = y.dims[i];
    if (!draw_fits(&updates))
        return false;
    ir_value *u = draw_take(d, &(draw_want){.dtype = updates.dtype, .kind = DRAW_PLAIN, .type = &updates});
    ir_value *x = NULL;
    if (draw_chance(d, 50))
        x = draw_take(d, &(draw_want){.dtype = y.dtype, .kind = DRAW_PLAIN, .type = &y, .constant_percent = 30});
    draw_op(d, code, x ? 3 : 2, (ir_value *[]){indices, u, x});
    ir_set_int(d->op, IR_ATTR_COMBINE, draw_below(d, IR_COMBINE_MAXIMUM + 1));
    return draw_result_as(d, 0, &y, NULL);
}

bool rule_one_hot(draw *d, ir_opcode code, const draw_types *t)
{
    const int64_t depth = draw_channels(d);
    int64_t dims[3];
    const int rank = (int)draw_between(d, 0, 3);

    for (int i = 0; i < rank; i++)
        dims[i] = draw_between(d, 1, 6);
    ir_value *indices = draw_indices(d, t->operand[0], rank, dims, depth);
    const ir_type one = ir_type_make(t->operand[1], 0, NULL);
    ir_value *on =
        draw_take(d, &(draw_want){.dtype = one.dtype, .kind = DRAW_PLAIN, .type = &one, .constant_percent = 60});
    ir_value *off =
        draw_take(d, &(draw_want){.dtype = one.dtype, .kind = DRAW_PLAIN, .type = &one, .constant_percent = 60});
    const int64_t axis = draw_between(d, 0, rank);
    ir_type y = {.dtype = t->result[0], .rank = rank + 1};
    for (int i = 0; i <= rank; i++)
        y.dims[i] = i == axis ? depth : dims[i - (i > axis)];
    if (!draw_fits(&y))
        return false;
    draw_op(d, code, 3, (ir_value *[]){indices, on, off});
    ir_set_int(d->op, IR_ATTR_AXIS, axis);
    return draw_result_as(d, 0, &y, NULL);
}

bool rule_dynamic_update_slice(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_data(d, t->operand[0]);
    ir_type update = ir_type_make(t->operand[1], x->type.rank, x->type.dims);
    int64_t largest = 1;

    for (int i = 0; i < update.rank; i++) {
        update.dims[i] = draw_chance(d, 40) ? update.dims[i] : draw_between(d, 1, update.dims[i]);
        largest = x->type.dims[i] > largest ? x->type.dims[i] : largest;
    }
    ir_value *u =
        draw_take(d, &(draw_want){.dtype = update.dtype, .kind = DRAW_PLAIN, .type = &update, .quant = x->quant});
    ir_value *begin = draw_indices(d, t->operand[2], 1, (int64_t[]){update.rank}, largest);
    draw_op(d, code, 3, (ir_value *[]){x, u, begin});
    return draw_result(d, 0, t->result[0], x->quant);
}
