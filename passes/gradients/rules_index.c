/* rules_index.c: what indices say where it comes from or goes to. */
#include <string.h>

#include "passes/gradients/rule.h"

/* ---- Gathering: what was read several times gets the sum ---- */

static ir_value *integers(gradient *s, ir_dtype dtype, int rank, const int64_t dims[], const int64_t values[])
{
    const ir_type type = ir_type_make(dtype, rank, dims);
    const size_t bytes = ir_dtype_bytes(dtype);
    char *data = arena_alloc(s->g->arena, ir_type_bytes(&type) + sizeof *values);
    for (int64_t i = 0; i < ir_type_elements(&type); i++)
        memcpy(data + (size_t)i * bytes, &values[i], sizeof *values); /* little-endian: the narrower is its beginning */
    return ir_const_new(s->g, type, NULL, data);
}

static ir_value *integer(gradient *s, ir_dtype type, int64_t value) { return integers(s, type, 0, NULL, &value); }

/* Indices as gather reads them: counted from the end where they are negative, and clamped. */
static ir_value *places(gradient *s, ir_value *indices, int64_t extent)
{
    const ir_dtype type = indices->type.dtype;
    ir_value *zero = integer(s, type, 0);
    if (ir_int(s->op, IR_ATTR_FROM_END)) {
        ir_value *below = gradient_binary(s, IR_LESS, indices, zero);
        ir_value *shifted = gradient_binary(s, IR_ADD, indices, integer(s, type, extent));
        indices = gradient_end(s, gradient_new(s, IR_SELECT, 3, (ir_value *[]){below, shifted, indices}));
    }
    indices = gradient_binary(s, IR_MAXIMUM, indices, zero);
    return gradient_binary(s, IR_MINIMUM, indices, integer(s, type, extent - 1));
}

/* scatter_nd knows these alone. */
static ir_value *widened(gradient *s, ir_value *indices)
{
    if (indices->type.dtype == IR_I32 || indices->type.dtype == IR_I64)
        return indices;
    ir_op *op = gradient_new(s, IR_CAST, 1, &indices);
    ir_type type = indices->type;
    type.dtype = IR_I32;
    ir_result_set(op, 0, type, NULL);
    return op->results[0];
}

static ir_value *scattered(gradient *s, ir_value *indices, ir_value *updates, int rank, const int64_t dims[])
{
    ir_op *op = gradient_new(s, IR_SCATTER_ND, 2, (ir_value *[]){indices, updates});
    ir_result_set(op, 0, ir_type_make(IR_F32, rank, dims), NULL);
    return gradient_end(s, op);
}

/* Element i of the result, of each of `count` runs of `each`: i / each * extent, where its run begins in x. */
static ir_value *run_starts(gradient *s, const ir_type *like, int64_t each, int64_t extent)
{
    int64_t *starts = ARENA_ARRAY(s->g->arena, int64_t, ir_type_elements(like) + 1);
    for (int64_t i = 0; i < ir_type_elements(like); i++)
        starts[i] = i / each * extent;
    return integers(s, like->dtype, like->rank, like->dims, starts);
}

/* x[runs, extent, inner], indices[runs, each]: one gathering from x[runs * extent, inner]. */
static bool gather_of_batch(gradient *s, ir_value *indices)
{
    const ir_type *x = gradient_operand_type(s, 0), *t = &indices->type;
    const int64_t axis = ir_int(s->op, IR_ATTR_AXIS), picked = ir_type_elements(t);
    int64_t runs = 1, inner = 1;
    if (axis != ir_int(s->op, IR_ATTR_BATCH_DIMS))
        return gradient_refuse(s, "batch_dims before other dimensions than axis are not covered");
    for (int d = 0; d < x->rank; d++)
        *(d < axis ? &runs : &inner) *= d == axis ? 1 : x->dims[d];
    const int64_t extent = x->dims[axis], each = picked / (runs ? runs : 1);
    indices = gradient_binary(s, IR_ADD, places(s, indices, extent), run_starts(s, t, each ? each : 1, extent));
    indices = gradient_reshape(s, indices, 2, (int64_t[]){picked, 1});
    ir_value *by = gradient_reshape(s, s->by_result, 2, (int64_t[]){picked, inner});
    gradient_give(s, 0, scattered(s, indices, by, 2, (int64_t[]){runs * extent, inner}));
    return true;
}

/* The gathered dimension comes first, on both sides: x[extent, rest], by[picked, rest]. */
bool gradient_of_gather(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    const int axis = (int)ir_int(s->op, IR_ATTR_AXIS);
    ir_value *indices = widened(s, gradient_operand(s, 1)), *by = s->by_result;
    int64_t outer = 1, inner = 1;
    if (ir_int(s->op, IR_ATTR_BATCH_DIMS) > 0)
        return gather_of_batch(s, indices);
    for (int d = 0; d < x->rank; d++)
        *(d < axis ? &outer : &inner) *= d == axis ? 1 : x->dims[d];
    const int64_t extent = x->dims[axis], picked = ir_type_elements(&indices->type);
    indices = gradient_reshape(s, places(s, indices, extent), 2, (int64_t[]){picked, 1});
    by = gradient_reshape(s, by, 3, (int64_t[]){outer, picked, inner});
    if (outer > 1)
        by = gradient_transpose(s, by, (int64_t[]){1, 0, 2});
    by = gradient_reshape(s, by, 2, (int64_t[]){picked, outer * inner});
    by = scattered(s, indices, by, 2, (int64_t[]){extent, outer * inner});
    if (outer > 1)
        by = gradient_transpose(s, gradient_reshape(s, by, 3, (int64_t[]){extent, outer, inner}), (int64_t[]){1, 0, 2});
    gradient_give(s, 0, by);
    return true;
}

bool gradient_of_gather_nd(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    ir_value *indices = widened(s, gradient_operand(s, 1));
    const ir_type *t = &indices->type;
    const int64_t tuple = t->dims[t->rank - 1];
    if (tuple == 0)
        return gradient_refuse(s, "index tuples of no elements are not covered");
    ir_value **parts = ARENA_ARRAY(s->g->arena, ir_value *, tuple);
    for (int64_t i = 0; i < tuple; i++) {
        ir_type column = *t;
        int64_t begin[IR_MAX_RANK] = {0};
        begin[t->rank - 1] = i;
        column.dims[t->rank - 1] = 1;
        parts[i] = places(s, gradient_slice(s, indices, begin, NULL, column.dims), x->dims[i]);
    }
    if (tuple > 1) {
        ir_op *op = gradient_new(s, IR_CONCAT, (int)tuple, parts);
        ir_set_int(op, IR_ATTR_AXIS, t->rank - 1);
        parts[0] = gradient_end(s, op);
    }
    gradient_give(s, 0, scattered(s, parts[0], s->by_result, x->rank, x->dims));
    return true;
}

/* The values' gradients go where they were taken from: rows[runs, extent], indices[runs, k]. */
bool gradient_of_top_k(gradient *s)
{
    const ir_type *x = gradient_operand_type(s, 0);
    ir_value *indices = widened(s, s->op->results[1]);
    const int64_t extent = x->dims[x->rank - 1], k = ir_int(s->op, IR_ATTR_K),
                  picked = ir_type_elements(&indices->type);
    indices = gradient_binary(s, IR_ADD, indices, run_starts(s, &indices->type, k ? k : 1, extent));
    indices = gradient_reshape(s, indices, 2, (int64_t[]){picked, 1});
    ir_value *by = gradient_reshape(s, s->by_result, 1, &picked);
    const int64_t elements = ir_type_elements(x);
    gradient_give(s, 0, scattered(s, indices, by, 1, &elements));
    return true;
}

/* ---- Scattering ---- */

static ir_value *gathered(gradient *s, ir_value *x, ir_value *indices)
{
    return gradient_end(s, gradient_new(s, IR_GATHER_ND, 2, (ir_value *[]){x, indices}));
}

/* Whole numbers that a float tells apart. */
enum { MOST_TUPLES = 1 << 24 };

/* 1, 2, … for the tuples. */
static ir_value *tuple_numbers(gradient *s, const ir_type *indices)
{
    const ir_type type = ir_type_make(IR_F32, indices->rank - 1, indices->dims);
    float *numbers = ARENA_ARRAY(s->g->arena, float, ir_type_elements(&type) + 1);
    for (int64_t i = 0; i < ir_type_elements(&type); i++)
        numbers[i] = (float)(i + 1);
    return gradient_constant(s, &type, numbers);
}

/* v's elements each stand for all of a slice of `of`. */
static ir_value *for_slices(gradient *s, ir_value *v, const ir_type *of)
{
    ir_type to = v->type;
    for (; to.rank < of->rank; to.rank++)
        to.dims[to.rank] = 1;
    return gradient_reshape(s, v, to.rank, to.dims);
}

/* For each place that tuples name, the number of the last tuple that did, or 0; how: how numbers meet. */
static ir_value *writers(gradient *s, ir_value *indices, ir_value *numbers, const ir_type *y)
{
    const int length = (int)indices->type.dims[indices->type.rank - 1];
    ir_op *op = gradient_new(s, IR_SCATTER_ND, 2, (ir_value *[]){indices, numbers});
    ir_set_int(op, IR_ATTR_COMBINE, IR_COMBINE_REPLACE);
    ir_result_set(op, 0, ir_type_make(IR_F32, length, y->dims), NULL);
    return gradient_end(s, op);
}

/* A tuple outside has no place; the clamped one that gather_nd reads instead is another's, or none's. */
static ir_value *is_inside(gradient *s, ir_value *indices, const ir_type *y)
{
    const ir_type *t = &indices->type;
    const int64_t last = t->rank - 1;
    int64_t most[IR_MAX_RANK];
    for (int64_t i = 0; i < t->dims[last]; i++)
        most[i] = y->dims[i] - 1;
    ir_value *at = gradient_binary(s, IR_MAXIMUM, indices, integer(s, t->dtype, 0));
    at = gradient_binary(s, IR_MINIMUM, at, integers(s, t->dtype, 1, &t->dims[last], most));
    ir_op *all = gradient_new(s, IR_REDUCE_ALL, 1, (ir_value *[]){gradient_binary(s, IR_EQUAL, at, indices)});
    ir_set_ints(all, IR_ATTR_AXES, 1, &last);
    return gradient_end(s, all);
}

static ir_value *where(gradient *s, ir_value *condition, ir_value *v, ir_value *otherwise)
{
    return gradient_end(s, gradient_new(s, IR_SELECT, 3, (ir_value *[]){condition, v, otherwise}));
}

/* add: an update has the gradient of its place.  replace: only the last of a place has; what was there before, where there
 * is none. */
bool gradient_of_scatter_nd(gradient *s)
{
    enum { INDICES, UPDATES, BEFORE };
    const ir_type *y = &s->by_result->type;
    ir_value *indices = gradient_operand(s, INDICES), *by = s->by_result, *zero = gradient_number(s, 0);
    const int64_t combine = ir_int(s->op, IR_ATTR_COMBINE);
    if (combine != IR_COMBINE_ADD && combine != IR_COMBINE_REPLACE)
        return gradient_refuse(s, "updates that multiply or compare are not covered");
    if (ir_type_elements(y) == 0)
        return true;
    const int64_t length = indices->type.dims[indices->type.rank - 1];
    if (length == 0)
        return gradient_refuse(s, "index tuples of no elements are not covered");
    if (combine == IR_COMBINE_REPLACE && ir_type_elements(&indices->type) / length > MOST_TUPLES)
        return gradient_refuse(s, "more than 16777216 updates that replace are not covered");
    if (combine == IR_COMBINE_ADD) {
        gradient_give(s, BEFORE, by);
        if (gradient_wants(s, UPDATES))
            gradient_give(s, UPDATES,
                          where(s, for_slices(s, is_inside(s, indices, y), gradient_operand_type(s, UPDATES)),
                                gathered(s, by, indices), zero));
        return true;
    }
    ir_value *numbers = tuple_numbers(s, &indices->type), *last = writers(s, indices, numbers, y);
    if (gradient_wants(s, BEFORE))
        gradient_give(s, BEFORE, gradient_where(s, IR_EQUAL, for_slices(s, last, y), 0, by, NULL));
    if (gradient_wants(s, UPDATES)) {
        ir_value *own = gradient_binary(s, IR_EQUAL, gathered(s, last, indices), numbers);
        gradient_give(s, UPDATES,
                      where(s, for_slices(s, own, gradient_operand_type(s, UPDATES)), gathered(s, by, indices), zero));
    }
    return true;
}

/* Where the update's elements are in x, one behind the other: begin, clamped, by x's strides, and the places in a box of
 * the update's extents. */
static ir_value *box_places(gradient *s, ir_value *begin, const ir_type *x, const ir_type *box)
{
    const ir_dtype dtype = begin->type.dtype;
    const int64_t rank = x->rank, count = ir_type_elements(box), axis = 0;
    int64_t most[IR_MAX_RANK], stride[IR_MAX_RANK], step = 1, *places_of = ARENA_ARRAY(s->g->arena, int64_t, count + 1);
    for (int d = x->rank - 1; d >= 0; step *= x->dims[d--]) {
        most[d] = x->dims[d] - box->dims[d];
        stride[d] = step;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i;
        for (int d = x->rank - 1; d >= 0; rest /= box->dims[d--])
            places_of[i] += rest % box->dims[d] * stride[d];
    }
    begin = gradient_reshape(s, begin, 1, &rank);
    begin = gradient_binary(s, IR_MAXIMUM, begin, integer(s, dtype, 0));
    begin = gradient_binary(s, IR_MINIMUM, begin, integers(s, dtype, 1, &rank, most));
    begin = gradient_binary(s, IR_MUL, begin, integers(s, dtype, 1, &rank, stride));
    begin = gradient_reduce(s, IR_SUM, begin, 1, &axis, true);
    return gradient_binary(s, IR_ADD, integers(s, dtype, 1, &count, places_of), begin);
}

bool gradient_of_dynamic_update_slice(gradient *s)
{
    enum { X, UPDATE, BEGIN };
    const ir_type *x = gradient_operand_type(s, X), *box = gradient_operand_type(s, UPDATE);
    ir_value *begin = gradient_operand(s, BEGIN), *by = s->by_result;
    if (gradient_wants(s, X))
        gradient_give(s, X,
                      gradient_end(s, gradient_new(s, IR_DYNAMIC_UPDATE_SLICE, 3,
                                                   (ir_value *[]){by, gradient_full(s, box, 0), begin})));
    if (gradient_wants(s, UPDATE) && x->rank > 0) {
        const int64_t elements = ir_type_elements(x);
        ir_op *op = gradient_new(s, IR_GATHER, 2,
                                 (ir_value *[]){gradient_reshape(s, by, 1, &elements), box_places(s, begin, x, box)});
        ir_set_int(op, IR_ATTR_AXIS, 0);
        gradient_give(s, UPDATE, gradient_reshape(s, gradient_end(s, op), box->rank, box->dims));
    }
    return true;
}
