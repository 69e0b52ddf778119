/* elements.c: shapes of what is computed element by element, or of reductions. */
#include "ir/shape/rules.h"

bool ir_shape_same_as_first(inference *i)
{
    copy_dims(i->out, operand(i, 0));
    return true;
}

bool ir_shape_as_stated(inference *i)
{
    copy_dims(i->out, i->present);
    return true;
}

/* ---- Broadcasting ---- */

bool ir_shape_broadcast_into(inference *i, const ir_type *t)
{
    ir_type *out = i->out;
    int rank = out->rank > t->rank ? out->rank : t->rank;
    int64_t dims[IR_MAX_RANK];
    for (int d = 1; d <= rank; d++) {
        int64_t a = d <= out->rank ? out->dims[out->rank - d] : 1, b = d <= t->rank ? t->dims[t->rank - d] : 1;
        if (a != b && a != 1 && b != 1)
            return refuse(i, "%s: dimensions %lld and %lld do not broadcast", text_of(i), (long long)a, (long long)b);
        dims[rank - d] = a == 1 ? b : a;
    }
    *out = ir_type_make(out->dtype, rank, dims);
    return true;
}

bool ir_shape_all_broadcast(inference *i)
{
    copy_dims(i->out, operand(i, 0));
    for (int o = 1; o < i->op->operand_count; o++)
        if (!ir_shape_broadcast_into(i, operand(i, o)))
            return false;
    return true;
}

bool ir_shape_to_bool(inference *i)
{
    i->out->dtype = IR_BOOL;
    return ir_shape_all_broadcast(i);
}

bool ir_shape_select(inference *i)
{
    i->out->dtype = operand(i, 1)->dtype;
    return ir_shape_all_broadcast(i);
}

/* Numbers, of two values of one shape and three numbers. */
bool ir_shape_grid_gradient(inference *i)
{
    if (!ir_type_equal(operand(i, 0), operand(i, 1)))
        return refuse(i, "%s: operand 1 has not the shape of operand 0", text_of(i));
    for (int o = 2; o < i->op->operand_count; o++)
        if (ir_type_elements(operand(i, o)) != 1)
            return refuse(i, "%s: operand %d is not one number", text_of(i), o);
    *i->out = ir_type_make(operand(i, 0)->dtype, 0, NULL);
    return true;
}

bool ir_shape_broadcast(inference *i)
{
    copy_dims(i->out, operand(i, 0));
    if (!ir_shape_broadcast_into(i, i->present))
        return false;
    copy_dims(i->out, i->present);
    return true;
}

/* ---- Reductions and normalisation ---- */

bool ir_shape_reduce(inference *i)
{
    const ir_type *x = operand(i, 0);
    const int64_t *axes;
    int32_t n = ir_ints(i->op, IR_ATTR_AXES, &axes), next = 0;
    int64_t keep = ir_int(i->op, IR_ATTR_KEEP_DIMS);
    i->out->rank = 0;
    for (int32_t k = 0; k < n; k++)
        if (axes[k] >= x->rank || (k > 0 && axes[k] <= axes[k - 1]))
            return refuse(i, "%s: axes must ascend and be below %d", text_of(i), x->rank);
    for (int d = 0; d < x->rank; d++) {
        bool reduced = next < n && axes[next] == d;
        next += reduced;
        if (!reduced || keep)
            i->out->dims[i->out->rank++] = reduced ? 1 : x->dims[d];
    }
    return true;
}

bool ir_shape_check_axis(inference *i, int rank)
{
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS);
    return axis < rank || refuse(i, "%s: axis %lld of %d dimensions", text_of(i), (long long)axis, rank);
}

bool ir_shape_arg(inference *i)
{
    const ir_type *x = operand(i, 0);
    if (!ir_shape_check_axis(i, x->rank))
        return false;
    i->out->dtype = i->present->dtype == IR_I64 ? IR_I64 : IR_I32;
    i->out->rank = 0;
    for (int d = 0; d < x->rank; d++)
        if (d != ir_int(i->op, IR_ATTR_AXIS))
            i->out->dims[i->out->rank++] = x->dims[d];
    return true;
}

bool ir_shape_top_k(inference *i)
{
    const ir_type *x = operand(i, 0);
    int64_t k = ir_int(i->op, IR_ATTR_K);
    if (x->rank < 1 || k > x->dims[x->rank - 1])
        return refuse(i, "top_k: k = %lld is more than there are", (long long)k);
    copy_dims(i->out, x);
    i->out->dims[x->rank - 1] = k;
    if (i->result == 1)
        i->out->dtype = i->present->dtype == IR_I16 ? IR_I16 : IR_I32;
    return true;
}

bool ir_shape_cumsum(inference *i) { return ir_shape_check_axis(i, operand(i, 0)->rank) && ir_shape_same_as_first(i); }

bool ir_shape_batch_norm(inference *i)
{
    return ir_shape_check_axis(i, operand(i, 0)->rank) && ir_shape_same_as_first(i);
}

bool ir_shape_normalize(inference *i)
{
    return operand(i, 0)->rank >= 1 ? ir_shape_same_as_first(i) : refuse(i, "%s: a scalar", text_of(i));
}
