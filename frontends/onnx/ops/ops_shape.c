/* ops_shape.c: operators that only change the shape. */
#include <math.h>

#include "frontends/onnx/import.h"

bool ort_op_constant(ort_node *n)
{
    float one = ort_float(n, "value_float", 0);
    int64_t ints[IR_MAX_RANK];
    int count = 0;
    if (ort_has_attr(n, "value")) {
        const onnx_tensor *t = ort_tensor_attr(n, "value");
        if (!t)
            return node_error(n, "the constant has no value");
        return ort_put(n, 0, ort_tensor_constant(n->model, &n->loc, t), LAYOUT_PLAIN);
    }
    if (ort_has_attr(n, "value_float"))
        return ort_put(n, 0, node_real(n, one), LAYOUT_PLAIN);
    if (ort_has_attr(n, "value_int"))
        return ort_put(n, 0, node_ints(n, IR_I64, 0, 1, (int64_t[]){ort_int(n, "value_int", 0)}), LAYOUT_PLAIN);
    if (ort_has_attr(n, "value_ints") && ort_ints(n, "value_ints", IR_MAX_RANK, ints, &count))
        return ort_put(n, 0, node_ints(n, IR_I64, 1, count, ints), LAYOUT_PLAIN);
    return node_error(n, "a constant of this kind is not supported");
}

/* The value is an attribute of one element; a real 0 without it. */
bool ort_op_constant_of_shape(ort_node *n)
{
    int64_t dims[IR_MAX_RANK];
    int rank;
    if (!ort_param_ints(n, 0, "shape", IR_MAX_RANK, dims, &rank))
        return false;
    const onnx_tensor *t = ort_tensor_attr(n, "value");
    ir_value *one = t ? ort_tensor_constant(n->model, &n->loc, t) : node_real(n, 0);
    if (!one || ir_type_elements(&one->type) != 1)
        return one && node_error(n, "the value has %lld elements", (long long)ir_type_elements(&one->type));
    ir_type type = ir_type_make(one->type.dtype, rank, dims);
    one = node_reshaped(n, one, 0, NULL);
    return one && ort_put(n, 0, node_typed(n, node_emit1(n, IR_BROADCAST, one), type, NULL), LAYOUT_PLAIN);
}

bool ort_op_range(ort_node *n)
{
    double p[3];
    ir_dtype dtype = IR_DTYPE_NONE;
    for (int i = 0; i < 3; i++) {
        ir_value *v = ort_param(n, i, "range");
        if (!v)
            return false;
        if (ir_type_elements(&v->type) != 1 || (i && v->type.dtype != dtype) || v->quant ||
            (v->type.dtype != IR_F32 && v->type.dtype != IR_I64 && v->type.dtype != IR_I32))
            return node_error(n, "start, limit and step must be single numbers of one type");
        dtype = v->type.dtype;
        p[i] = dtype == IR_F32 ? ir_const_real(v, 0) : (double)ir_const_int(v, 0);
    }
    const double length = ceil((p[1] - p[0]) / p[2]);
    const bool bounded = fabs(p[0]) < 0x1p40 && fabs(p[2]) < 0x1p40 && (dtype == IR_F32 || fabs(p[1]) < 0x1p40);
    if (!bounded || p[2] == 0 || !(length < 0x1p24))
        return node_error(n, "the range from %g to %g by %g has no sensible length", p[0], p[1], p[2]);
    int64_t count = length > 0 ? (int64_t)length : 0;
    if (!model_charge(n->model, &n->loc, count * 16))
        return false;
    float *reals = ARENA_ARRAY(n->model->graph->arena, float, count + 1);
    int64_t *ints = ARENA_ARRAY(n->model->graph->arena, int64_t, count + 1);
    for (int64_t i = 0; i < count; i++) {
        reals[i] = (float)p[0] + (float)i * (float)p[2];
        ints[i] = dtype == IR_F32 ? 0 : (int64_t)p[0] + i * (int64_t)p[2];
    }
    return ort_put(n, 0, dtype == IR_F32 ? node_reals(n, 1, &count, reals) : node_ints(n, dtype, 1, count, ints),
                   LAYOUT_PLAIN);
}

bool ort_op_size(ort_node *n)
{
    ir_type shape;
    return ort_shape(n, 0, &shape) &&
           ort_put(n, 0, node_ints(n, IR_I64, 0, 1, (int64_t[]){ir_type_elements(&shape)}), LAYOUT_PLAIN);
}

bool ort_op_shape(ort_node *n)
{
    ir_type shape;
    if (!ort_shape(n, 0, &shape))
        return false;
    int64_t start = ort_int(n, "start", 0), end = ort_int(n, "end", shape.rank);
    start += start < 0 ? shape.rank : 0;
    end += end < 0 ? shape.rank : 0;
    start = start < 0 ? 0 : start > shape.rank ? shape.rank : start;
    end = end < start ? start : end > shape.rank ? shape.rank : end;
    return ort_put(n, 0, node_ints(n, IR_I64, 1, end - start, shape.dims + start), LAYOUT_PLAIN);
}

bool ort_op_reshape(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int64_t dims[IR_MAX_RANK], known = 1, elements;
    int rank, open = -1;
    const bool keeps_zeros = ort_int(n, "allowzero", 0);
    if (!x || !ort_param_ints(n, 1, "shape", IR_MAX_RANK, dims, &rank))
        return false;
    elements = ir_type_elements(&x->type);
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && !keeps_zeros) {
            if (i >= x->type.rank)
                return node_error(n, "dimension %d is to stay, but there is none", i);
            dims[i] = x->type.dims[i];
        }
        if (dims[i] == -1 && open < 0)
            open = i;
        else if (dims[i] < 0 || dims[i] > IR_MAX_BYTES || (dims[i] && known > IR_MAX_BYTES / dims[i]))
            return node_error(n, "extent %lld", (long long)dims[i]);
        else
            known *= dims[i];
    }
    if (open >= 0) {
        if (!known || elements % known)
            return node_misfit(n, "%lld elements don't fit the shape", (long long)elements);
        dims[open] = elements / known;
    }
    return ort_put(n, 0, node_reshaped(n, x, rank, dims), LAYOUT_PLAIN);
}

bool ort_op_flatten(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int64_t axis = ort_int(n, "axis", 1), rows = 1, columns = 1;
    if (!x)
        return false;
    axis += axis < 0 ? x->type.rank : 0;
    if (axis < 0 || axis > x->type.rank)
        return node_error(n, "dimension %lld is outside the operand's", (long long)axis);
    for (int i = 0; i < x->type.rank; i++)
        *(i < axis ? &rows : &columns) *= x->type.dims[i];
    return ort_put(n, 0, node_reshaped(n, x, 2, (int64_t[]){rows, columns}), LAYOUT_PLAIN);
}

static bool read_axes(ort_node *n, int rank, bool out[IR_MAX_RANK], int *out_count)
{
    int64_t axes[IR_MAX_RANK];
    int count = 0;
    if (ort_has(n, 1) ? !ort_param_ints(n, 1, "dimensions", IR_MAX_RANK, axes, &count)
                      : !ort_ints(n, "axes", IR_MAX_RANK, axes, &count))
        return false;
    for (int i = 0; i < IR_MAX_RANK; i++)
        out[i] = false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, axes[i], rank < 0 ? count - rank - 1 : rank, &axis))
            return false;
        if (axis >= IR_MAX_RANK || out[axis])
            return node_error(n, "dimension %d is named twice or is one too many", axis);
        out[axis] = true;
    }
    *out_count = count;
    return true;
}

bool ort_op_squeeze(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    bool gone[IR_MAX_RANK];
    int64_t dims[IR_MAX_RANK];
    int count, rank = 0;
    if (!x || !read_axes(n, x->type.rank, gone, &count))
        return false;
    for (int i = 0; i < x->type.rank; i++) {
        bool drop = count ? gone[i] : x->type.dims[i] == 1;
        if (drop && x->type.dims[i] != 1)
            return node_error(n, "dimension %d has extent %lld", i, (long long)x->type.dims[i]);
        if (!drop)
            dims[rank++] = x->type.dims[i];
    }
    return ort_put(n, 0, node_reshaped(n, x, rank, dims), LAYOUT_PLAIN);
}

bool ort_op_unsqueeze(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    bool fresh[IR_MAX_RANK];
    int64_t dims[IR_MAX_RANK];
    int count, from = 0;
    if (!x || !read_axes(n, -1 - x->type.rank, fresh, &count))
        return false;
    if (x->type.rank + count > IR_MAX_RANK)
        return node_error(n, "more than %d dimensions", IR_MAX_RANK);
    for (int i = 0; i < x->type.rank + count; i++)
        dims[i] = fresh[i] ? 1 : x->type.dims[from++];
    return ort_put(n, 0, node_reshaped(n, x, x->type.rank + count, dims), LAYOUT_PLAIN);
}

bool ort_op_expand(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int64_t want[IR_MAX_RANK];
    int count;
    if (!x || !ort_param_ints(n, 1, "shape", IR_MAX_RANK, want, &count))
        return false;
    ir_type type = {.dtype = x->type.dtype, .rank = count > x->type.rank ? count : x->type.rank};
    for (int i = 1; i <= type.rank; i++) {
        int64_t a = i <= x->type.rank ? x->type.dims[x->type.rank - i] : 1, b = i <= count ? want[count - i] : 1;
        if (a != b && a != 1 && b != 1)
            return node_misfit(n, "extents %lld and %lld can't be broadcast", (long long)a, (long long)b);
        type.dims[type.rank - i] = a == 1 ? b : a;
    }
    if (ir_type_equal(&type, &x->type))
        return ort_put(n, 0, x, LAYOUT_PLAIN);
    return ort_put(n, 0, node_typed(n, node_emit1(n, IR_BROADCAST, x), type, x->quant), LAYOUT_PLAIN);
}

/* One that only turns channels-last into channels-second, as converters put around image models, is a change of layout.
 */
bool ort_op_transpose(ort_node *n)
{
    ir_type shape;
    int64_t perm[IR_MAX_RANK];
    int count = 0, axis;
    if (!ort_shape(n, 0, &shape))
        return false;
    for (int i = 0; i < shape.rank; i++)
        perm[i] = shape.rank - 1 - i;
    if (!ort_ints(n, "perm", IR_MAX_RANK, perm, &count))
        return false;
    if (count && count != shape.rank)
        return node_error(n, "%d numbers permute %d dimensions", count, shape.rank);
    unsigned seen = 0;
    for (int i = 0; i < shape.rank; i++) {
        if (!node_axis(n, perm[i], shape.rank, &axis))
            return false;
        perm[i] = axis;
        seen |= 1u << axis;
    }
    if (seen + 1 != 1u << shape.rank)
        return node_error(n, "a dimension is named twice");
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    bool relayout = x && shape.rank >= 3;
    for (int i = 0; i < shape.rank; i++)
        perm[i] = node_dim(layout, shape.rank, (int)perm[i]);
    for (int i = 0; i < shape.rank; i++)
        relayout &= perm[i] == node_dim(LAYOUT_LAST, shape.rank, i);
    if (relayout)
        return ort_put(n, 0, x, LAYOUT_LAST);
    return ort_put(n, 0, node_transposed(n, x, perm), LAYOUT_PLAIN);
}
