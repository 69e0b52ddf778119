/* ops_norm.c: normalisations beside those of ops_window.c: by a norm, by groups of channels, by neighbouring channels. */
#include <math.h>

#include "frontends/onnx/import.h"

/* x over its norm along a dimension; 0 where that is 0. */
bool ort_op_lp_normalization(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    int axis;
    if (!x || !node_axis(n, ort_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    const int64_t along = node_dim(layout, x->type.rank, axis);
    const bool squares = ort_int(n, "p", 2) == 2;
    ir_value *norm = squares ? node_binary(n, IR_MUL, x, x) : node_unary(n, IR_ABS, x);
    norm = ort_reduced(n, IR_SUM, norm, 1, &along, true);
    norm = squares ? node_unary(n, IR_SQRT, norm) : norm;
    if (!norm)
        return false;
    ir_value *none = node_done_quant(n, node_emit2(n, IR_EQUAL, norm, node_real(n, 0)), IR_BOOL, NULL);
    if (!none)
        return false;
    ir_op *op = node_emit(n, IR_SELECT, 3, (ir_value *[]){none, node_real(n, 1), norm});
    return ort_put(n, 0, node_binary(n, IR_DIV, x, node_done_quant(n, op, IR_F32, NULL)), layout);
}

/* x less its mean over some dimensions, and the variance. */
static ir_value *centred_on_mean(ort_node *n, ir_value *x, int count, const int64_t axes[], ir_value **out_variance)
{
    ir_value *centred = node_binary(n, IR_SUB, x, ort_reduced(n, IR_MEAN, x, count, axes, true));
    *out_variance = ort_reduced(n, IR_MEAN, node_binary(n, IR_MUL, centred, centred), count, axes, true);
    return centred;
}

/* Mean 0 and variance 1 over some dimensions. */
static ir_value *standardized(ort_node *n, ir_value *x, int count, const int64_t axes[], float epsilon)
{
    ir_value *variance, *centred = centred_on_mean(n, x, count, axes, &variance);
    variance = node_binary(n, IR_ADD, variance, node_real(n, epsilon));
    return node_binary(n, IR_MUL, centred, node_unary(n, IR_RSQRT, variance));
}

/* Factors and offsets: of channels, or before operator set 21 of groups. */
bool ort_op_group_norm(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *factor = x ? ort_plain(n, 1) : NULL, *offset = factor ? ort_plain(n, 2) : NULL;
    const int64_t groups = ort_int(n, "num_groups", 0), two = 2, owners = n->since < 21 ? groups : 0;
    if (!offset)
        return false;
    if (x->type.rank < 3 || groups < 1 || x->type.dims[1] % groups)
        return node_error(n, "%d dimensions, or channels that are no %lld groups", x->type.rank, (long long)groups);
    const int64_t *d = x->type.dims, channels = d[1];
    if (ir_type_elements(&factor->type) != (owners ? owners : channels) ||
        ir_type_elements(&offset->type) != (owners ? owners : channels))
        return node_misfit(n, "factors and offsets are not one for each channel or group");
    int64_t all = ir_type_elements(&x->type) / (d[0] && groups ? d[0] * groups : 1);
    const ir_type type = x->type;
    ir_value *y = node_reshaped(n, x, 3, (int64_t[]){d[0], groups, all});
    y = y ? standardized(n, y, 1, &two, ort_float(n, "epsilon", 1e-5f)) : NULL;
    int64_t ones[IR_MAX_RANK] = {1, owners ? groups : channels};
    for (int i = 2; i < type.rank; i++)
        ones[i] = 1;
    const int rank = owners ? 3 : type.rank;
    y = owners ? y : node_reshaped(n, y, type.rank, type.dims);
    y = node_binary(n, IR_MUL, y, node_reshaped(n, factor, rank, ones));
    y = node_binary(n, IR_ADD, y, node_reshaped(n, offset, rank, ones));
    return ort_put(n, 0, node_reshaped(n, y, type.rank, type.dims), LAYOUT_PLAIN);
}

bool ort_op_mean_variance_norm(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int64_t axes[IR_MAX_RANK] = {0, 2, 3};
    int count = 3, axis;
    if (!x || !ort_ints(n, "axes", IR_MAX_RANK, axes, &count))
        return false;
    for (int i = 0; i < count; i++) {
        if (!node_axis(n, axes[i], x->type.rank, &axis))
            return false;
        axes[i] = axis;
    }
    ir_value *variance, *centred = centred_on_mean(n, x, count, axes, &variance);
    ir_value *deviation = node_binary(n, IR_ADD, node_unary(n, IR_SQRT, variance), node_real(n, 1e-9f));
    return ort_put(n, 0, node_binary(n, IR_DIV, centred, deviation), LAYOUT_PLAIN);
}

/* The squares of neighbouring channels, their sum as a mean of a window over the channels, whose taps outside are 0. */
bool ort_op_lrn(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    const int64_t size = ort_int(n, "size", 0);
    if (!x)
        return false;
    if (x->type.rank < 3 || size < 1 || size > 1 << 16)
        return node_error(n, "%d dimensions, a region of %lld channels", x->type.rank, (long long)size);
    const ir_type type = x->type;
    const int64_t channels = type.dims[type.rank - 1], pixels = channels ? ir_type_elements(&type) / channels : 0;
    ir_value *squares = node_reshaped(n, node_binary(n, IR_MUL, x, x), 4, (int64_t[]){pixels, channels, 1, 1});
    if (!squares)
        return false;
    node_window window = {.kernel = {size, 1}, .stride = {1, 1}, .dilation = {1, 1}, .before = {(size - 1) / 2, 0}};
    window.after[0] = size - 1 - window.before[0];
    squares = node_padded(n, squares, &window);
    if (!squares)
        return false;
    ir_op *op = node_emit1(n, IR_AVG_POOL2D, squares);
    node_set_window(op, &window);
    ir_value *mean = node_reshaped(n, node_done(n, op), type.rank, type.dims);
    ir_value *base = node_binary(n, IR_ADD, node_binary(n, IR_MUL, mean, node_real(n, ort_float(n, "alpha", 1e-4f))),
                                 node_real(n, ort_float(n, "bias", 1)));
    base = node_binary(n, IR_POW, base, node_real(n, ort_float(n, "beta", 0.75f)));
    return ort_put(n, 0, node_binary(n, IR_DIV, x, base), LAYOUT_LAST);
}
