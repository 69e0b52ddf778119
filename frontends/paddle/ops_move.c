/* ops_move.c: shapes, slices, constants, resizing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/paddle/import.h"
#include "ir/ref/interp.h"

/* v as it is joined to `first`, NULL when v is that: bytes, whatever their scales are; who reads them has its own. */
static ir_value *joinable(paddle_node *n, ir_value *v, const ir_value *first)
{
    const bool bytes = v && first && v->type.dtype == IR_I8 && first->type.dtype == IR_I8 && v->quant && first->quant;
    return bytes ? paddle_quantized(n, v, first->quant->scale[0]) : v;
}

bool paddle_op_concat(paddle_node *n)
{
    int count = paddle_count(n, "X"), axis;
    node_layout layout = LAYOUT_PLAIN;
    ir_value **operands = ARENA_ARRAY(n->model->graph->arena, ir_value *, count + 1);
    for (int i = 0; i < count; i++)
        if (paddle_layout_of(n, "X", i) == LAYOUT_LAST)
            layout = LAYOUT_LAST;
    if (!paddle_absent(n, "AxisTensor"))
        return false;
    if (!count)
        return node_error(n, "operand X is missing");
    for (int i = 0; i < count; i++)
        if (!(operands[i] = joinable(n, paddle_in(n, "X", i, layout), operands[0])))
            return false;
    if (!node_axis(n, paddle_int(n, "axis", 0), operands[0]->type.rank, &axis))
        return false;
    ir_op *op = node_emit(n, IR_CONCAT, count, operands);
    ir_set_int(op, IR_ATTR_AXIS, node_dim(layout, operands[0]->type.rank, axis));
    return paddle_put(n, "Out", node_done(n, op), layout);
}

bool paddle_op_split(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    int64_t sections[64], begin[IR_MAX_RANK] = {0}, dims[IR_MAX_RANK];
    int count, axis, results = paddle_result_count(n, "Out");
    if (!x || !paddle_absent(n, "AxisTensor") || !paddle_absent(n, "SectionsTensorList") ||
        !node_axis(n, paddle_int(n, "axis", 0), x->type.rank, &axis) ||
        !paddle_ints(n, "sections", 64, sections, &count))
        return false;
    int at = node_dim(layout, x->type.rank, axis);
    int64_t extent = x->type.dims[at], rest = extent;
    if (results < 1 || results > 64 || (count && count != results) || (!count && extent % results))
        return node_error(n, "an extent of %lld can't be split into %d", (long long)extent, results);
    for (int i = 0; i < count; i++)
        rest -= sections[i] > 0 && sections[i] <= extent ? sections[i] : 0;
    memcpy(dims, x->type.dims, sizeof dims);
    for (int i = 0; i < results; i++) {
        dims[at] = !count ? extent / results : sections[i] == -1 ? rest : sections[i];
        if (dims[at] < 0 || dims[at] > extent - begin[at])
            return node_misfit(n, "the parts don't fit an extent of %lld", (long long)extent);
        if (!paddle_put_at(n, "Out", i, paddle_sliced(n, x, begin, dims), layout))
            return false;
        begin[at] += dims[at];
    }
    return true;
}

static int64_t within(int64_t v, int64_t extent)
{
    v = v < 0 ? v + extent : v;
    return v < 0 ? 0 : v > extent ? extent : v;
}

static const char *const slice_tensors[] = {"StartsTensor", "EndsTensor", "StartsTensorList", "EndsTensorList"};

bool paddle_op_slice(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "Input");
    int64_t axes[IR_MAX_RANK], starts[IR_MAX_RANK], ends[IR_MAX_RANK], dropped[IR_MAX_RANK], begin[IR_MAX_RANK] = {0};
    int64_t dims[IR_MAX_RANK], kept[IR_MAX_RANK];
    int count, start_count, end_count, drop_count, axis, rank = 0;
    bool drop[IR_MAX_RANK] = {false};
    if (!x)
        return false;
    for (int i = 0; i < 4; i++)
        if (!paddle_absent(n, slice_tensors[i]))
            return false;
    if (!paddle_ints(n, "axes", IR_MAX_RANK, axes, &count) ||
        !paddle_ints(n, "starts", IR_MAX_RANK, starts, &start_count) ||
        !paddle_ints(n, "ends", IR_MAX_RANK, ends, &end_count) ||
        !paddle_ints(n, "decrease_axis", IR_MAX_RANK, dropped, &drop_count))
        return false;
    if (start_count != count || end_count != count)
        return node_error(n, "%d axes, %d starts and %d ends", count, start_count, end_count);
    memcpy(dims, x->type.dims, sizeof dims);
    for (int i = 0; i < count; i++) {
        if (!node_axis(n, axes[i], x->type.rank, &axis))
            return false;
        begin[axis] = within(starts[i], x->type.dims[axis]);
        dims[axis] = within(ends[i], x->type.dims[axis]) - begin[axis];
        if (dims[axis] < 1)
            return node_error(n, "the slice is empty");
    }
    for (int i = 0; i < drop_count; i++) {
        if (!node_axis(n, dropped[i], x->type.rank, &axis))
            return false;
        if (dims[axis] != 1)
            return node_error(n, "a dimension of extent %lld can't be dropped", (long long)dims[axis]);
        drop[axis] = true;
    }
    for (int i = 0; i < x->type.rank; i++)
        if (!drop[i])
            kept[rank++] = dims[i];
    if (!rank && x->type.rank)
        kept[rank++] = 1; /* Paddle Lite has no tensors without dimensions */
    return paddle_put(n, "Out", node_reshaped(n, paddle_sliced(n, x, begin, dims), rank, kept), LAYOUT_PLAIN);
}

/* The new shape: of tensors of one number each, of one tensor, or of the attribute. */
static bool new_shape(paddle_node *n, int64_t out[IR_MAX_RANK], int *out_rank)
{
    int count = paddle_count(n, "ShapeTensor");
    if (count > IR_MAX_RANK)
        return node_error(n, "more than %d dimensions", IR_MAX_RANK);
    for (int i = 0; i < count; i++)
        if (!paddle_param_int(n, "ShapeTensor", i, &out[i]))
            return false;
    *out_rank = count;
    if (count)
        return true;
    if (!paddle_count(n, "Shape"))
        return paddle_ints(n, "shape", IR_MAX_RANK, out, out_rank);
    ir_value *v = paddle_param(n, "Shape");
    if (!v)
        return false;
    int64_t elements = ir_type_elements(&v->type);
    if ((v->type.dtype != IR_I32 && v->type.dtype != IR_I64) || elements > IR_MAX_RANK)
        return node_error(n, "operand Shape must be at most %d integers", IR_MAX_RANK);
    for (int i = 0; i < elements; i++)
        out[i] = ir_const_int(v, i);
    *out_rank = (int)elements;
    return true;
}

bool paddle_op_reshape(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t dims[IR_MAX_RANK], known = 1, elements;
    int rank, open = -1;
    if (!x || !new_shape(n, dims, &rank))
        return false;
    elements = ir_type_elements(&x->type);
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && i < x->type.rank)
            dims[i] = x->type.dims[i];
        if (dims[i] < -1 || dims[i] > IR_MAX_BYTES || (dims[i] == -1 && open >= 0))
            return node_error(n, "the new shape is impossible");
        if (dims[i] == -1)
            open = i;
        else if (dims[i] > 0 && known > IR_MAX_BYTES / dims[i])
            return node_error(n, "the new shape is impossible");
        else
            known *= dims[i];
    }
    if (open >= 0)
        dims[open] = known ? elements / known : 0;
    return paddle_put(n, "Out", node_reshaped(n, x, rank, dims), LAYOUT_PLAIN);
}

bool paddle_op_flatten(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t dims[IR_MAX_RANK];
    int first, last, rank = 0;
    if (!x || !node_axis(n, paddle_int(n, "start_axis", 1), x->type.rank, &first) ||
        !node_axis(n, paddle_int(n, "stop_axis", -1), x->type.rank, &last))
        return false;
    for (int i = 0; i < x->type.rank; i++)
        if (i > first && i <= last)
            dims[rank - 1] *= x->type.dims[i];
        else
            dims[rank++] = x->type.dims[i];
    return paddle_put(n, "Out", node_reshaped(n, x, rank, dims), LAYOUT_PLAIN);
}

/* flatten: a matrix whose rows are the first `axis` dimensions. */
bool paddle_op_flatten_two(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t axis = paddle_int(n, "axis", 1), dims[2] = {1, 1};
    if (!x)
        return false;
    if (axis < 0 || axis > x->type.rank)
        return node_error(n, "axis %lld of %d dimensions", (long long)axis, x->type.rank);
    for (int i = 0; i < x->type.rank; i++)
        dims[i >= axis] *= x->type.dims[i];
    return paddle_put(n, "Out", node_reshaped(n, x, 2, dims), LAYOUT_PLAIN);
}

bool paddle_op_transpose(paddle_node *n)
{
    static const int64_t to_last[] = {0, 2, 3, 1};
    int64_t perm[IR_MAX_RANK];
    int count;
    unsigned seen = 0;
    if (!paddle_ints(n, "axis", IR_MAX_RANK, perm, &count))
        return false;
    if (count == 4 && memcmp(perm, to_last, sizeof to_last) == 0 && paddle_layout_of(n, "X", 0) == LAYOUT_LAST) {
        ir_value *image = paddle_in(n, "X", 0, LAYOUT_LAST);
        if (image && image->type.rank == 4)
            return paddle_put(n, "Out", image, LAYOUT_PLAIN);
    }
    ir_value *x = paddle_plain(n, "X");
    if (!x)
        return false;
    for (int i = 0; i < count; i++)
        seen |= perm[i] >= 0 && perm[i] < count ? 1u << perm[i] : 0;
    if (count != x->type.rank || seen != (1u << count) - 1)
        return node_error(n, "attribute axis is no order of %d dimensions", x->type.rank);
    return paddle_put(n, "Out", node_transposed(n, x, perm), LAYOUT_PLAIN);
}

bool paddle_op_squeeze(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t axes[IR_MAX_RANK], dims[IR_MAX_RANK];
    int count, axis, rank = 0;
    bool drop[IR_MAX_RANK] = {false};
    if (!x || !paddle_absent(n, "AxesTensor") || !paddle_ints(n, "axes", IR_MAX_RANK, axes, &count))
        return false;
    for (int i = 0; i < count; i++) {
        if (!node_axis(n, axes[i], x->type.rank, &axis))
            return false;
        drop[axis] = x->type.dims[axis] == 1;
    }
    for (int i = 0; i < x->type.rank; i++)
        if (!(count ? drop[i] : x->type.dims[i] == 1))
            dims[rank++] = x->type.dims[i];
    return paddle_put(n, "Out", node_reshaped(n, x, rank, dims), LAYOUT_PLAIN);
}

bool paddle_op_unsqueeze(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int64_t axes[IR_MAX_RANK], dims[IR_MAX_RANK];
    int count, axis, rank;
    if (!x || !paddle_absent(n, "AxesTensor") || !paddle_absent(n, "AxesTensorList") ||
        !paddle_ints(n, "axes", IR_MAX_RANK, axes, &count))
        return false;
    rank = x->type.rank;
    memcpy(dims, x->type.dims, sizeof dims);
    if (rank + count > IR_MAX_RANK)
        return node_error(n, "more than %d dimensions", IR_MAX_RANK);
    for (int i = 0; i < count; i++) { /* one after the other */
        if (!node_axis(n, axes[i], rank + 1, &axis))
            return false;
        memmove(dims + axis + 1, dims + axis, (size_t)(rank - axis) * sizeof *dims);
        dims[axis] = 1;
        rank++;
    }
    return paddle_put(n, "Out", node_reshaped(n, x, rank, dims), LAYOUT_PLAIN);
}

/* ---- Constants ---- */

static ir_value *integers(paddle_node *n, ir_dtype dtype, int rank, int64_t count, const int64_t values[])
{
    size_t bytes = ir_dtype_bytes(dtype);
    uint8_t *data = arena_alloc(n->model->graph->arena, (size_t)count * bytes + 1);
    for (int64_t i = 0; i < count; i++)
        for (size_t b = 0; b < bytes; b++)
            data[(size_t)i * bytes + b] = (uint8_t)((uint64_t)values[i] >> 8 * b);
    return ir_const_new(n->model->graph, ir_type_make(dtype, rank, &count), NULL, data);
}

bool paddle_op_shape(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "Input", 0);
    ir_value *x = paddle_in(n, "Input", 0, layout);
    int64_t dims[IR_MAX_RANK];
    if (!x)
        return false;
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = x->type.dims[node_dim(layout, x->type.rank, i)];
    const ir_dtype dtype = strcmp(n->entry->name, "shape64") == 0 ? IR_I64 : IR_I32;
    return paddle_put(n, "Out", integers(n, dtype, 1, x->type.rank, dims), LAYOUT_PLAIN);
}

/* One dimension of fill_constant_batch_size_like is that of another value. */
static bool batch_like(paddle_node *n, int64_t dims[], int rank)
{
    node_layout layout = paddle_layout_of(n, "Input", 0);
    ir_value *x = paddle_in(n, "Input", 0, layout);
    int from, to;
    if (!x || !node_axis(n, paddle_int(n, "input_dim_idx", 0), x->type.rank, &from) ||
        !node_axis(n, paddle_int(n, "output_dim_idx", 0), rank, &to))
        return false;
    dims[to] = x->type.dims[node_dim(layout, x->type.rank, from)];
    return true;
}

/* A number of type dtype, one that the type has. */
static ir_value *number(paddle_node *n, ir_dtype dtype, double value)
{
    const int64_t integer = dtype == IR_F32 ? 0 : ir_truncated_to(dtype, value);
    if (dtype == IR_F32 && !isnan(value))
        return node_real(n, (float)value);
    if (dtype != IR_F32 && fabs(value) < 9e15 && (double)integer == trunc(value))
        return integers(n, dtype, 0, 1, &integer);
    node_error(n, "the constant %g is no %s", value, ir_dtype_text(dtype));
    return NULL;
}

bool paddle_op_fill(paddle_node *n)
{
    int64_t dims[IR_MAX_RANK];
    int rank;
    ir_dtype dtype = paddle_dtype(paddle_int(n, "dtype", 5));
    const char *text = paddle_text(n, "str_value", "");
    double value = *text ? strtod(text, NULL) : (double)paddle_float(n, "value", 0);
    if (!paddle_absent(n, "ValueTensor") || !paddle_absent(n, "ShapeTensorList") || !new_shape(n, dims, &rank))
        return false;
    if (n->entry->name[sizeof "fill_constant" - 1] && !batch_like(n, dims, rank))
        return false;
    if (dtype != IR_F32 && dtype != IR_I32 && dtype != IR_I64)
        return node_error(n, "constants of type %lld are not supported", (long long)paddle_int(n, "dtype", 5));
    ir_type type = ir_type_make(dtype, rank, dims);
    if (!ir_type_valid(&type))
        return node_error(n, "the shape is impossible");
    ir_value *one = number(n, dtype, value);
    return one && paddle_put(n, "Out", node_typed(n, node_emit(n, IR_BROADCAST, 1, &one), type, NULL), LAYOUT_PLAIN);
}

bool paddle_op_fill_like(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    float value = paddle_float(n, "value", 0);
    int64_t type = paddle_int(n, "dtype", -1);
    if (!x)
        return false;
    ir_dtype dtype = type < 0 ? x->type.dtype : paddle_dtype(type);
    if (dtype != IR_F32 && dtype != IR_I32 && dtype != IR_I64)
        return node_error(n, "constants of type %lld are not supported", (long long)type);
    ir_value *one = number(n, dtype, (double)value);
    ir_type like = ir_type_make(dtype, x->type.rank, x->type.dims);
    return one && paddle_put(n, "Out", node_typed(n, node_emit1(n, IR_BROADCAST, one), like, NULL), LAYOUT_PLAIN);
}

enum { MAX_VALUES = 1 << 16 };

bool paddle_op_assign_value(paddle_node *n)
{
    arena *a = n->model->graph->arena;
    int64_t dims[IR_MAX_RANK], reals;
    int rank, count = 0;
    ir_dtype dtype = paddle_dtype(paddle_int(n, "dtype", 5));
    const char *name = dtype == IR_F32 ? "fp32_values" : dtype == IR_I64 ? "int64_values" : "int32_values";
    if (!paddle_ints(n, "shape", IR_MAX_RANK, dims, &rank))
        return false;
    ir_type type = ir_type_make(dtype, rank, dims);
    if ((dtype != IR_F32 && dtype != IR_I32 && dtype != IR_I64) || !ir_type_valid(&type) ||
        ir_type_elements(&type) > MAX_VALUES)
        return node_error(n, "values of type %lld, or their shape, are not supported",
                          (long long)paddle_int(n, "dtype", 5));
    int64_t wanted = ir_type_elements(&type), *values = ARENA_ARRAY(a, int64_t, wanted + 1);
    float *numbers = ARENA_ARRAY(a, float, wanted + 1);
    if (dtype == IR_F32 ? !paddle_floats(n, name, wanted, numbers, &reals)
                        : !paddle_ints(n, name, (int)wanted, values, &count))
        return false;
    if ((dtype == IR_F32 ? reals : count) != wanted)
        return node_error(n, "attribute %s does not have the %lld numbers of the shape", name, (long long)wanted);
    ir_value *v = dtype == IR_F32 ? node_reals(n, rank, dims, numbers) : integers(n, dtype, 1, wanted, values);
    return v && paddle_put(n, "Out", node_reshaped(n, v, rank, dims), LAYOUT_PLAIN);
}

/* ---- Resizing ---- */

/* Height and width that operands ask for, both in one or each in its own; left as they are when there are none. */
static bool wanted_extents(paddle_node *n, int64_t extent[2])
{
    int count = paddle_count(n, "SizeTensor"), sizes = 0;
    if (count != 0 && count != 2)
        return node_error(n, "%d operands SizeTensor, expected 2", count);
    for (int i = 0; i < count; i++)
        if (!paddle_param_int(n, "SizeTensor", i, &extent[i]))
            return false;
    if (count || !paddle_count(n, "OutSize"))
        return true;
    ir_value *v = paddle_param(n, "OutSize");
    return v && node_copy_ints(n, v, 1, "OutSize", 2, extent, &sizes) &&
           (sizes == 2 || node_error(n, "operand OutSize has %d numbers, expected 2", sizes));
}

/* How many times the height and the width, from an operand or else the attribute; 0: nothing is said. */
static bool wanted_factors(paddle_node *n, float factor[2])
{
    int64_t count;
    factor[0] = factor[1] = 0;
    if (!paddle_floats(n, "scale", 2, factor, &count))
        return false;
    if (paddle_count(n, "Scale")) {
        ir_value *v = paddle_param(n, "Scale");
        if (!v)
            return false;
        count = ir_type_elements(&v->type);
        if (v->type.dtype != IR_F32 || count < 1 || count > 2)
            return node_error(n, "operand Scale must be one or two real numbers");
        for (int64_t i = 0; i < count; i++)
            factor[i] = (float)ir_const_real(v, i);
    }
    if (count == 1)
        factor[1] = factor[0];
    for (int i = 0; i < 2; i++)
        if (!(factor[i] < 65536) || !(factor[i] <= 0 || factor[i] > 1.0f / 65536))
            return node_error(n, "the scale %g is out of range", (double)factor[i]);
    return true;
}

/* A scale says where the pixels are, also where the size that follows from it has been rounded.  Sizes from operands
 * come before it. */
bool paddle_op_interp(paddle_node *n)
{
    ir_value *x = paddle_in(n, "X", 0, LAYOUT_LAST);
    float factor[2], ratio[2] = {0};
    int64_t extent[2] = {0};
    if (!x || !wanted_factors(n, factor) || !wanted_extents(n, extent))
        return false;
    if (x->type.rank != 4 || strcmp(paddle_text(n, "data_layout", "NCHW"), "NCHW") != 0)
        return node_error(n, "the operand must be images with channels second");
    for (int i = 0; i < 2; i++) {
        const int64_t scaled = factor[i] > 0 ? (int64_t)((float)x->type.dims[1 + i] * factor[i]) : 0;
        if (!extent[i])
            extent[i] = scaled ? scaled : paddle_int(n, i ? "out_w" : "out_h", -1);
        if (scaled && scaled == extent[i] && (float)scaled != (float)x->type.dims[1 + i] * factor[i])
            ratio[i] = 1 / factor[i];
        if (extent[i] < 1 || extent[i] > IR_MAX_BYTES)
            return node_error(n, "the result's size is impossible");
    }
    ir_op *op = node_emit(n, n->entry->code, 1, &x);
    bool corners = paddle_int(n, "align_corners", 0);
    ir_set_int(op, IR_ATTR_ALIGN, corners);
    ir_set_int(op, IR_ATTR_HALF_PIXEL,
               n->entry->code == IR_RESIZE_BILINEAR && !corners && paddle_int(n, "align_mode", 1) == 0);
    ir_set_floats(op, IR_ATTR_RATIO, 2, ratio);
    ir_type type = ir_type_make(x->type.dtype, 4, (int64_t[]){x->type.dims[0], extent[0], extent[1], x->type.dims[3]});
    return paddle_put(n, "Out", node_typed(n, op, type, x->quant), LAYOUT_LAST);
}
