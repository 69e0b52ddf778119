/* ref_index.c: ops whose operands or results are indices.
 *
 *     gather gather_nd scatter_nd one_hot    index tensors say where elements come from or go to
 *     arg_max arg_min top_k                  results are positions of elements
 *     cumsum                                 a running sum along one axis */
#include <stdlib.h>

#include "ir/ref/ref_move.h"

static int64_t product(const ir_type *type, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= type->dims[i];
    return n;
}

/* Where in a dimension an index of a gather points: nothing outside is ever read. */
static int64_t place_of(int64_t index, int64_t extent, bool from_end)
{
    index += from_end && index < 0 ? extent : 0;
    return index < 0 ? 0 : index >= extent ? extent - 1 : index;
}

static bool same_dims(const ir_type *a, int a_from, const ir_type *b, int b_from, int count)
{
    return memcmp(a->dims + a_from, b->dims + b_from, (size_t)count * sizeof a->dims[0]) == 0;
}

/* ---- gather: y[batch, outer, indices, inner] = x[batch, outer, indices[batch, i], inner] ---- */

bool ir_check_gather(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *indices = ir_operand_type(op, 1), *y = ir_result_type(op, 0);
    const int64_t axis = ir_int(op, IR_ATTR_AXIS), batch = ir_int(op, IR_ATTR_BATCH_DIMS);
    if (axis < 0 || axis >= x->rank || batch < 0 || batch > axis || batch > indices->rank)
        return ir_refuse(op, d, "axis %lld or batch_dims %lld outside the shapes", (long long)axis, (long long)batch);
    const int a = (int)axis, b = (int)batch, picked = indices->rank - b;
    if (y->rank != x->rank - 1 + picked || !same_dims(x, 0, indices, 0, b) || !same_dims(x, 0, y, 0, a) ||
        !same_dims(indices, b, y, a, picked) || !same_dims(x, a + 1, y, a + picked, x->rank - a - 1))
        return ir_refuse(op, d, "the shapes do not fit together");
    if (x->dims[a] == 0 && ir_type_elements(y) > 0)
        return ir_refuse(op, d, "nothing to gather from");
    return ir_check_same_quant(op, d);
}

bool ir_ref_gather(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *indices = ir_operand_type(op, 1);
    const int axis = (int)ir_int(op, IR_ATTR_AXIS), batch_dims = (int)ir_int(op, IR_ATTR_BATCH_DIMS);
    const int64_t batches = product(x, 0, batch_dims), outer = product(x, batch_dims, axis);
    const int64_t picked = product(indices, batch_dims, indices->rank), extent = x->dims[axis];
    const size_t inner = (size_t)product(x, axis + 1, x->rank) * ir_dtype_bytes(x->dtype);
    const bool from_end = ir_int(op, IR_ATTR_FROM_END);
    unsigned char *to = results[0];
    for (int64_t b = 0; b < batches && inner; b++)
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < picked; i++, to += inner) {
                const int64_t at = place_of(ir_int_at(indices->dtype, operands[1], b * picked + i), extent, from_end);
                memcpy(to, (const unsigned char *)operands[0] + (size_t)((b * outer + o) * extent + at) * inner, inner);
            }
    return true;
}

/* ---- gather_nd, scatter_nd: tuples of indices, the last dimension of `indices`, into the leading dimensions ---- */

static int tuple_length(const ir_type *indices) { return indices->rank ? (int)indices->dims[indices->rank - 1] : 0; }

/* `slices` has the shape indices[:-1] + whole[tuple length:]. */
static bool check_tuples(const ir_op *op, const ir_type *indices, const ir_type *whole, const ir_type *slices, diag *d)
{
    if (indices->rank == 0 || indices->dims[indices->rank - 1] > whole->rank)
        return ir_refuse(op, d, "index tuples longer than the indexed shape");
    const int length = tuple_length(indices), lead = indices->rank - 1;
    if (slices->rank != lead + whole->rank - length || !same_dims(indices, 0, slices, 0, lead) ||
        !same_dims(whole, length, slices, lead, whole->rank - length))
        return ir_refuse(op, d, "the shapes do not fit together");
    return true;
}

bool ir_check_gather_nd(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0);
    if (!check_tuples(op, ir_operand_type(op, 1), x, ir_result_type(op, 0), d))
        return false;
    if (ir_type_elements(x) == 0 && ir_type_elements(ir_result_type(op, 0)) > 0)
        return ir_refuse(op, d, "nothing to gather from");
    return ir_check_same_quant(op, d);
}

bool ir_ref_gather_nd(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *indices = ir_operand_type(op, 1);
    const int length = tuple_length(indices);
    const int64_t tuples = product(indices, 0, indices->rank - 1);
    const size_t slice = (size_t)product(x, length, x->rank) * ir_dtype_bytes(x->dtype);
    const bool from_end = ir_int(op, IR_ATTR_FROM_END);
    for (int64_t t = 0; t < tuples && slice; t++) {
        int64_t at = 0;
        for (int i = 0; i < length; i++)
            at = at * x->dims[i] +
                 place_of(ir_int_at(indices->dtype, operands[1], t * length + i), x->dims[i], from_end);
        memcpy((unsigned char *)results[0] + (size_t)t * slice, (const unsigned char *)operands[0] + (size_t)at * slice,
               slice);
    }
    return true;
}

bool ir_check_scatter_nd(const ir_op *op, diag *d)
{
    const bool base = ir_operand_value(op, 2) != NULL;
    if (op->results[0]->quant && (base || op->results[0]->quant->zero[0] != 0))
        return ir_refuse(op, d, base ? "the result must not be quantized" : "the result's zero point must be 0");
    if (base && !ir_type_equal(ir_operand_type(op, 2), ir_result_type(op, 0)))
        return ir_refuse(op, d, "the result is not of operand 2's type");
    return check_tuples(op, ir_operand_type(op, 0), ir_result_type(op, 0), ir_operand_type(op, 1), d);
}

static float combined_real(ir_enum_COMBINE combine, float a, float b)
{
    switch (combine) {
    case IR_COMBINE_REPLACE: return b;
    case IR_COMBINE_MUL: return a * b;
    case IR_COMBINE_MINIMUM: return a < b || isnan(a) ? a : b;
    case IR_COMBINE_MAXIMUM: return a > b || isnan(a) ? a : b;
    default: return a + b;
    }
}

static int64_t combined_int(ir_enum_COMBINE combine, int64_t a, int64_t b)
{
    switch (combine) {
    case IR_COMBINE_REPLACE: return b;
    case IR_COMBINE_MUL: return (int64_t)((uint64_t)a * (uint64_t)b);
    case IR_COMBINE_MINIMUM: return a < b ? a : b;
    case IR_COMBINE_MAXIMUM: return a > b ? a : b;
    default: return (int64_t)((uint64_t)a + (uint64_t)b);
    }
}

static void combine_element(ir_enum_COMBINE combine, ir_dtype dtype, void *to, int64_t i, const void *from, int64_t j)
{
    if (dtype == IR_F32)
        ir_f32_put(to, i, combined_real(combine, ir_f32_at(to, i), ir_f32_at(from, j)));
    else
        ir_int_put(dtype, to, i, combined_int(combine, ir_int_at(dtype, to, i), ir_int_at(dtype, from, j)));
}

bool ir_ref_scatter_nd(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *indices = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int length = tuple_length(indices);
    const int64_t tuples = product(indices, 0, indices->rank - 1), slice = product(y, length, y->rank);
    const ir_enum_COMBINE combine = (ir_enum_COMBINE)ir_int(op, IR_ATTR_COMBINE);
    if (ir_type_bytes(y) && ir_operand_value(op, 2))
        memcpy(results[0], operands[2], ir_type_bytes(y));
    else if (ir_type_bytes(y))
        memset(results[0], 0, ir_type_bytes(y));
    for (int64_t t = 0; t < tuples; t++) {
        int64_t at = 0;
        bool inside = true;
        for (int i = 0; i < length && inside; i++) {
            const int64_t index = ir_int_at(indices->dtype, operands[0], t * length + i);
            inside = index >= 0 && index < y->dims[i];
            at = inside ? at * y->dims[i] + index : 0;
        }
        for (int64_t i = 0; i < slice && inside; i++)
            combine_element(combine, y->dtype, results[0], at * slice + i, operands[1], t * slice + i);
    }
    return true;
}

/* ---- one_hot ---- */

bool ir_check_one_hot(const ir_op *op, diag *d)
{
    const ir_type *indices = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int64_t axis = ir_int(op, IR_ATTR_AXIS);
    if (ir_type_elements(ir_operand_type(op, 1)) != 1 || ir_type_elements(ir_operand_type(op, 2)) != 1)
        return ir_refuse(op, d, "on and off must be single elements");
    if (axis < 0 || axis >= y->rank || y->rank != indices->rank + 1 || !same_dims(indices, 0, y, 0, (int)axis) ||
        !same_dims(indices, (int)axis, y, (int)axis + 1, indices->rank - (int)axis))
        return ir_refuse(op, d, "the shapes do not fit together");
    return true;
}

bool ir_ref_one_hot(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *indices = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int axis = (int)ir_int(op, IR_ATTR_AXIS);
    const int64_t outer = product(y, 0, axis), depth = y->dims[axis], inner = product(y, axis + 1, y->rank);
    const size_t width = ir_dtype_bytes(y->dtype);
    unsigned char *to = results[0];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < depth; k++)
            for (int64_t i = 0; i < inner; i++, to += width)
                memcpy(to, ir_int_at(indices->dtype, operands[0], o * inner + i) == k ? operands[1] : operands[2],
                       width);
    return true;
}

/* ---- Comparisons: NaN is neither more nor less ---- */

static bool is_more(ir_dtype dtype, const void *data, int64_t i, int64_t j)
{
    if (dtype == IR_F32)
        return ir_f32_at(data, i) > ir_f32_at(data, j);
    return ir_int_at(dtype, data, i) > ir_int_at(dtype, data, j);
}

/* ---- arg_max, arg_min ---- */

bool ir_check_arg(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const int64_t axis = ir_int(op, IR_ATTR_AXIS);
    if (axis < 0 || axis >= x->rank)
        return ir_refuse(op, d, "axis outside the shape");
    if (y->rank != x->rank - 1 || !same_dims(x, 0, y, 0, (int)axis) ||
        !same_dims(x, (int)axis + 1, y, (int)axis, x->rank - (int)axis - 1))
        return ir_refuse(op, d, "the result's shape is not the operand's without the axis");
    if (x->dims[axis] == 0 && ir_type_elements(y) > 0)
        return ir_refuse(op, d, "nothing to choose from");
    return true;
}

bool ir_ref_arg(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0);
    const int axis = (int)ir_int(op, IR_ATTR_AXIS);
    const int64_t outer = product(x, 0, axis), extent = x->dims[axis], inner = product(x, axis + 1, x->rank);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            const int64_t first = o * extent * inner + i;
            int64_t best = 0;
            for (int64_t k = 1; k < extent; k++)
                if (op->code == IR_ARG_MAX ? is_more(x->dtype, operands[0], first + k * inner, first + best * inner)
                                           : is_more(x->dtype, operands[0], first + best * inner, first + k * inner))
                    best = k;
            ir_int_put(ir_result_type(op, 0)->dtype, results[0], o * inner + i, best);
        }
    return true;
}

/* ---- top_k ---- */

bool ir_check_top_k(const ir_op *op, diag *d)
{
    const ir_type *x = ir_operand_type(op, 0);
    const int64_t k = ir_int(op, IR_ATTR_K);
    if (x->rank == 0 || k < 0 || k > x->dims[x->rank - 1])
        return ir_refuse(op, d, "k is %lld, which the last dimension does not have", (long long)k);
    for (int r = 0; r < 2; r++) {
        const ir_type *y = ir_result_type(op, r);
        if (y->rank != x->rank || !same_dims(x, 0, y, 0, x->rank - 1) || y->dims[y->rank - 1] != k)
            return ir_refuse(op, d, "result %d does not have the operand's shape with k in its last dimension", r);
    }
    return ir_check_same_quant(op, d);
}

/* Numbers come before NaN. */
static bool comes_before(ir_dtype dtype, const void *data, int64_t i, int64_t j)
{
    if (dtype == IR_F32 && isnan(ir_f32_at(data, j)))
        return !isnan(ir_f32_at(data, i));
    return is_more(dtype, data, i, j);
}

/* An insertion into a list of at most k positions, best first; equal elements stay in order. */
bool ir_ref_top_k(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    const ir_type *x = ir_operand_type(op, 0);
    const int64_t k = ir_int(op, IR_ATTR_K), extent = x->dims[x->rank - 1], rows = product(x, 0, x->rank - 1);
    const size_t width = ir_dtype_bytes(x->dtype);
    int64_t *best = malloc((size_t)(k + 1) * sizeof *best);
    if (!best)
        return ir_out_of_memory(op, d);
    for (int64_t row = 0; row < rows; row++) {
        int64_t count = 0;
        for (int64_t i = row * extent; i < (row + 1) * extent; i++) {
            int64_t at = count;
            for (; at > 0 && comes_before(x->dtype, operands[0], i, best[at - 1]); at--)
                best[at] = best[at - 1];
            best[at] = i;
            count += count < k;
        }
        for (int64_t j = 0; j < k; j++) {
            memcpy((unsigned char *)results[0] + (size_t)(row * k + j) * width,
                   (const unsigned char *)operands[0] + (size_t)best[j] * width, width);
            ir_int_put(ir_result_type(op, 1)->dtype, results[1], row * k + j, best[j] - row * extent);
        }
    }
    free(best);
    return true;
}

/* ---- cumsum ---- */

bool ir_check_cumsum(const ir_op *op, diag *d)
{
    const int64_t axis = ir_int(op, IR_ATTR_AXIS);
    if (axis < 0 || axis >= ir_operand_type(op, 0)->rank)
        return ir_refuse(op, d, "axis outside the shape");
    return ir_check_same_shape(op, d);
}

bool ir_ref_cumsum(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0);
    const int axis = (int)ir_int(op, IR_ATTR_AXIS);
    const int64_t outer = product(x, 0, axis), extent = x->dims[axis], inner = product(x, axis + 1, x->rank);
    if (ir_type_bytes(x))
        memcpy(results[0], operands[0], ir_type_bytes(x));
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 1; k < extent; k++)
            for (int64_t i = 0; i < inner; i++) {
                const int64_t at = (o * extent + k) * inner + i;
                combine_element(IR_COMBINE_ADD, x->dtype, results[0], at, results[0], at - inner);
            }
    return true;
}
