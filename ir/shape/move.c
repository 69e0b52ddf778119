/* move.c: shapes of moved data. */
#include <string.h>

#include "ir/shape/rules.h"

/* ---- Data movement ---- */

bool ir_shape_reshape(inference *i)
{
    int64_t from = ir_type_elements(operand(i, 0)), to = ir_type_elements(i->present);
    return from == to ? ir_shape_as_stated(i)
                      : refuse(i, "reshape: %lld elements to %lld", (long long)from, (long long)to);
}

bool ir_shape_transpose(inference *i)
{
    const ir_type *x = operand(i, 0);
    unsigned seen = 0;
    i->out->rank = x->rank;
    for (int d = 0; d < x->rank; d++) {
        int64_t p = ir_ints_at(i->op, IR_ATTR_PERM, d);
        if (p >= x->rank || (seen >> p & 1))
            return refuse(i, "transpose: perm is not a permutation");
        seen |= 1u << p;
        i->out->dims[d] = x->dims[p];
    }
    return true;
}

bool ir_shape_concat(inference *i)
{
    const ir_type *first = operand(i, 0);
    if (!ir_shape_check_axis(i, first->rank))
        return false;
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS), sum = first->dims[axis];
    for (int o = 1; o < i->op->operand_count; o++) {
        const ir_type *t = operand(i, o);
        bool same = t->rank == first->rank && t->dtype == first->dtype;
        for (int d = 0; same && d < t->rank; d++)
            same = d == axis || t->dims[d] == first->dims[d];
        if (!same)
            return refuse(i, "concat: operand %d does not match the first one", o);
        sum += t->dims[axis];
    }
    copy_dims(i->out, first);
    i->out->dims[axis] = sum;
    return true;
}

bool ir_shape_slice(inference *i)
{
    const ir_type *x = operand(i, 0), *y = i->present;
    if (y->rank != x->rank)
        return refuse(i, "slice: result has rank %d, expected %d", y->rank, x->rank);
    for (int d = 0; d < x->rank; d++) {
        int64_t begin = ir_ints_at(i->op, IR_ATTR_BEGIN, d), step = ir_ints_at(i->op, IR_ATTR_STEP, d);
        int64_t last = begin + (y->dims[d] - 1) * step;
        if (step == 0)
            return refuse(i, "slice: step 0 in dimension %d", d);
        if (y->dims[d] > 0 && (begin >= x->dims[d] || last < 0 || last >= x->dims[d]))
            return refuse(i, "slice: elements %lld to %lld of %lld in dimension %d", (long long)begin, (long long)last,
                          (long long)x->dims[d], d);
    }
    return ir_shape_as_stated(i);
}

bool ir_shape_pad(inference *i)
{
    const ir_type *x = operand(i, 0);
    bool mirror = i->op->code == IR_MIRROR_PAD;
    copy_dims(i->out, x);
    for (int d = 0; d < x->rank; d++) {
        int64_t before = ir_ints_at(i->op, IR_ATTR_BEFORE, d), after = ir_ints_at(i->op, IR_ATTR_AFTER, d);
        if (mirror) {
            int64_t most = x->dims[d] - (ir_int(i->op, IR_ATTR_MIRROR) == IR_MIRROR_REFLECT);
            if ((before > 0 && before > most) || (after > 0 && after > most))
                return refuse(i, "mirror_pad: dimension %d is too small to be mirrored so far", d);
        }
        i->out->dims[d] = before + x->dims[d] + after;
    }
    return true;
}

bool ir_shape_tile(inference *i)
{
    const ir_type *x = operand(i, 0), *y = i->present;
    if (y->rank != x->rank)
        return refuse(i, "tile: result has rank %d, expected %d", y->rank, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (x->dims[d] ? y->dims[d] % x->dims[d] != 0 : y->dims[d] != 0)
            return refuse(i, "tile: %lld is not a multiple of %lld", (long long)y->dims[d], (long long)x->dims[d]);
    return ir_shape_as_stated(i);
}

bool ir_shape_reverse(inference *i)
{
    const int64_t *axes;
    int32_t n = ir_ints(i->op, IR_ATTR_AXES, &axes);
    for (int32_t k = 0; k < n; k++)
        if (axes[k] >= operand(i, 0)->rank)
            return refuse(i, "reverse: axis %lld of %d dimensions", (long long)axes[k], operand(i, 0)->rank);
    return ir_shape_same_as_first(i);
}

bool ir_shape_gather(inference *i)
{
    const ir_type *x = operand(i, 0), *indices = operand(i, 1);
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS), batch = ir_int(i->op, IR_ATTR_BATCH_DIMS);
    if (!ir_shape_check_axis(i, x->rank))
        return false;
    if (batch > axis || batch > indices->rank)
        return refuse(i, "gather: %lld batch dimensions", (long long)batch);
    i->out->rank = 0;
    for (int d = 0; d < axis; d++) {
        if (d < batch && x->dims[d] != indices->dims[d])
            return refuse(i, "gather: batch dimension %d of operand and indices differ", d);
        if (!append_dim(i, x->dims[d]))
            return false;
    }
    for (int d = (int)batch; d < indices->rank; d++)
        if (!append_dim(i, indices->dims[d]))
            return false;
    for (int d = (int)axis + 1; d < x->rank; d++)
        if (!append_dim(i, x->dims[d]))
            return false;
    return true;
}

bool ir_shape_gather_nd(inference *i)
{
    const ir_type *x = operand(i, 0), *indices = operand(i, 1);
    int64_t tuple = indices->rank ? indices->dims[indices->rank - 1] : -1;
    if (tuple < 0 || tuple > x->rank)
        return refuse(i, "gather_nd: index tuples of %lld for %d dimensions", (long long)tuple, x->rank);
    i->out->rank = 0;
    for (int d = 0; d < indices->rank - 1; d++)
        if (!append_dim(i, indices->dims[d]))
            return false;
    for (int d = (int)tuple; d < x->rank; d++)
        if (!append_dim(i, x->dims[d]))
            return false;
    return true;
}

/* Updates are indices' outer dimensions, then the result's inner ones. */
bool ir_shape_scatter_nd(inference *i)
{
    const ir_type *indices = operand(i, 0), *updates = operand(i, 1), *y = i->present;
    int64_t tuple = indices->rank ? indices->dims[indices->rank - 1] : -1;
    bool fits = tuple >= 0 && tuple <= y->rank && updates->rank == indices->rank - 1 + y->rank - tuple;
    for (int d = 0; fits && d < updates->rank; d++)
        fits =
            updates->dims[d] == (d < indices->rank - 1 ? indices->dims[d] : y->dims[d - (indices->rank - 1) + tuple]);
    if (!fits)
        return refuse(i, "scatter_nd: shapes of indices, updates and result do not fit together");
    const ir_type *x = ir_operand_value(i->op, 2) ? operand(i, 2) : NULL;
    if (x && (x->rank != y->rank || memcmp(x->dims, y->dims, (size_t)y->rank * sizeof *y->dims) != 0))
        return refuse(i, "scatter_nd: operand 2 has another shape than the result");
    i->out->dtype = updates->dtype;
    return ir_shape_as_stated(i);
}

bool ir_shape_one_hot(inference *i)
{
    const ir_type *indices = operand(i, 0), *y = i->present;
    int64_t axis = ir_int(i->op, IR_ATTR_AXIS);
    if (axis > indices->rank || y->rank != indices->rank + 1)
        return refuse(i, "one_hot: axis %lld, result of rank %d", (long long)axis, y->rank);
    i->out->dtype = operand(i, 1)->dtype;
    i->out->rank = 0;
    for (int d = 0; d < y->rank; d++)
        if (!append_dim(i, d == axis ? y->dims[d] : indices->dims[d - (d > axis)]))
            return false;
    return true;
}

bool ir_shape_update_slice(inference *i)
{
    const ir_type *x = operand(i, 0), *update = operand(i, 1), *begin = operand(i, 2);
    bool fits = update->rank == x->rank && ir_type_elements(begin) == x->rank;
    for (int d = 0; fits && d < x->rank; d++)
        fits = update->dims[d] <= x->dims[d];
    return fits ? ir_shape_same_as_first(i) : refuse(i, "dynamic_update_slice: the update does not fit");
}

/* ---- Blocks of pixels ---- */

bool ir_shape_depth_to_space(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    if (x[3] % (by * bx) != 0)
        return refuse(i, "depth_to_space: %lld channels in blocks of %lld", (long long)x[3], (long long)(by * bx));
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], x[1] * by, x[2] * bx, x[3] / (by * bx)});
    return true;
}

bool ir_shape_space_to_depth(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    if (x[1] % by != 0 || x[2] % bx != 0)
        return refuse(i, "space_to_depth: %lld x %lld pixels in blocks of %lld x %lld", (long long)x[1],
                      (long long)x[2], (long long)by, (long long)bx);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], x[1] / by, x[2] / bx, x[3]});
    return multiply_dim(i, 3, by * bx);
}

bool ir_shape_space_to_batch(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    const int64_t *pad;
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    ir_ints(i->op, IR_ATTR_PAD, &pad);
    int64_t h = x[1] + pad[0] + pad[2], w = x[2] + pad[1] + pad[3];
    if (h % by != 0 || w % bx != 0)
        return refuse(i, "space_to_batch: %lld x %lld pixels in blocks of %lld x %lld", (long long)h, (long long)w,
                      (long long)by, (long long)bx);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], h / by, w / bx, x[3]});
    return multiply_dim(i, 0, by * bx);
}

bool ir_shape_batch_to_space(inference *i)
{
    int64_t by = ir_ints_at(i->op, IR_ATTR_BLOCK, 0), bx = ir_ints_at(i->op, IR_ATTR_BLOCK, 1);
    const int64_t *crops;
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    ir_ints(i->op, IR_ATTR_CROPS, &crops);
    int64_t h = x[1] * by - crops[0] - crops[2], w = x[2] * bx - crops[1] - crops[3];
    if (x[0] % (by * bx) != 0 || h < 0 || w < 0)
        return refuse(i, "batch_to_space: blocks of %lld x %lld do not fit", (long long)by, (long long)bx);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0] / (by * bx), h, w, x[3]});
    return true;
}

bool ir_shape_resize(inference *i)
{
    if (!need_rank(i, 0, 4))
        return false;
    const int64_t *x = operand(i, 0)->dims;
    if (i->present->rank != 4)
        return refuse(i, "%s: result has rank %d, expected 4", text_of(i), i->present->rank);
    *i->out = ir_type_make(i->out->dtype, 4, (int64_t[]){x[0], i->present->dims[1], i->present->dims[2], x[3]});
    return true;
}
