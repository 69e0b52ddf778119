/* ops_window.c: reductions and normalisations, composed of the IR's own ops where it has none. */
#include <math.h>

#include "frontends/node/node_index.h"
#include "frontends/onnx/import.h"

ir_value *ort_reduced(ort_node *n, ir_opcode code, ir_value *x, int count, const int64_t axes[], bool keep)
{
    int64_t sorted[IR_MAX_RANK];
    int k = 0;
    if (!x)
        return NULL;
    for (int64_t d = 0; d < x->type.rank; d++)
        for (int i = 0; i < count; i++)
            if (axes[i] == d && (k == 0 || sorted[k - 1] != d))
                sorted[k++] = d;
    ir_op *op = node_emit1(n, code, x);
    ir_set_ints(op, IR_ATTR_AXES, k, sorted);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, keep);
    return node_done(n, op);
}

bool ort_op_global_pool(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST);
    int64_t axes[IR_MAX_RANK];
    if (!x)
        return false;
    if (x->type.rank < 3)
        return node_error(n, "the operand has no pixels");
    for (int i = 1; i < x->type.rank - 1; i++)
        axes[i - 1] = i;
    return ort_put(n, 0, ort_reduced(n, n->entry->code, x, x->type.rank - 2, axes, true), LAYOUT_LAST);
}

/* The operand's dimensions that a reduction takes away, ONNX's numbers; none are all of them, or none. */
static bool read_dimensions(ort_node *n, const ir_type *shape, int64_t axes[], int *out_count)
{
    int count = 0;
    if (ort_has(n, 1) ? !ort_param_ints(n, 1, "dimensions", IR_MAX_RANK, axes, &count)
                      : !ort_ints(n, "axes", IR_MAX_RANK, axes, &count))
        return false;
    const bool none_is_none = ort_int(n, "noop_with_empty_axes", 0), all = !count && !none_is_none;
    for (int i = 0; i < shape->rank && all; i++)
        axes[count++] = i;
    for (int i = 0; i < count; i++) {
        int axis;
        if (!node_axis(n, axes[i], shape->rank, &axis))
            return false;
        axes[i] = axis;
    }
    *out_count = count;
    return true;
}

/* What a reduction does to each element first, and to each result last. */
typedef enum functions { PLAIN, NORM1, NORM2, SQUARES, LOG_OF_SUM, LOG_SUM_EXP } functions;

static ir_value *reduced_by(ort_node *n, functions f, ir_opcode code, ir_value *x, int count, const int64_t axes[],
                            bool keep)
{
    if (f == PLAIN || !x)
        return ort_reduced(n, code, x, count, axes, keep);
    if (f == LOG_SUM_EXP) { /* less the largest, which the sum of the exponentials would overflow with */
        ir_value *largest = ort_reduced(n, IR_REDUCE_MAX, x, count, axes, true);
        ir_value *e = node_unary(n, IR_EXP, node_binary(n, IR_SUB, x, largest));
        ir_value *sum =
            node_binary(n, IR_ADD, node_unary(n, IR_LOG, ort_reduced(n, IR_SUM, e, count, axes, true)), largest);
        return sum && !keep ? ort_reduced(n, IR_SUM, sum, count, axes, false) : sum;
    }
    if (f == NORM1)
        x = node_unary(n, IR_ABS, x);
    if (f == NORM2 || f == SQUARES)
        x = node_binary(n, IR_MUL, x, x);
    x = ort_reduced(n, IR_SUM, x, count, axes, keep);
    return f == NORM2 ? node_unary(n, IR_SQRT, x) : f == LOG_OF_SUM ? node_unary(n, IR_LOG, x) : x;
}

/* The layout to reduce in: what is left is in ONNX's order when either the channels or the pixels go. */
static node_layout layout_to_reduce(ort_node *n, const ir_type *shape, int count, const int64_t axes[], bool keep)
{
    bool pixels = true, channel = false;
    for (int i = 0; i < count; i++)
        channel |= axes[i] == 1;
    for (int d = 2; d < shape->rank; d++) {
        bool gone = false;
        for (int i = 0; i < count; i++)
            gone |= axes[i] == d;
        pixels &= gone;
    }
    return keep || pixels || channel ? ort_layout_of(n, 0) : LAYOUT_PLAIN;
}

static bool reduce(ort_node *n, functions f, ir_opcode code)
{
    ir_type shape;
    int64_t axes[IR_MAX_RANK];
    int count;
    if (!ort_shape(n, 0, &shape) || !read_dimensions(n, &shape, axes, &count))
        return false;
    if (!count && f != PLAIN)
        return node_error(n, "there is no dimension to reduce");
    bool keep = ort_int(n, "keepdims", 1);
    node_layout layout = layout_to_reduce(n, &shape, count, axes, keep);
    ir_value *x = ort_in(n, 0, layout);
    for (int i = 0; i < count; i++)
        axes[i] = node_dim(layout, shape.rank, (int)axes[i]);
    bool same = !count && f == PLAIN; /* of one number */
    return ort_put(n, 0, same ? x : reduced_by(n, f, code, x, count, axes, keep), keep ? layout : LAYOUT_PLAIN);
}

bool ort_op_reduce(ort_node *n) { return reduce(n, PLAIN, n->entry->code); }
bool ort_op_reduce_l1(ort_node *n) { return reduce(n, NORM1, IR_SUM); }
bool ort_op_reduce_l2(ort_node *n) { return reduce(n, NORM2, IR_SUM); }
bool ort_op_reduce_squares(ort_node *n) { return reduce(n, SQUARES, IR_SUM); }
bool ort_op_reduce_log_sum(ort_node *n) { return reduce(n, LOG_OF_SUM, IR_SUM); }
bool ort_op_reduce_log_sum_exp(ort_node *n) { return reduce(n, LOG_SUM_EXP, IR_SUM); }

bool ort_op_arg(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int axis;
    if (!x || !node_axis(n, ort_int(n, "axis", 0), x->type.rank, &axis))
        return false;
    const bool last = ort_int(n, "select_last_index", 0); /* of equals: the first one from the other end */
    if (last)
        x = ort_reversed(n, x, axis);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    ir_value *y = node_done_quant(n, op, IR_I64, NULL);
    if (last)
        y = node_binary(n, IR_SUB, node_ints(n, IR_I64, 0, 1, (int64_t[]){x->type.dims[axis] - 1}), y);
    if (y && ort_int(n, "keepdims", 1)) {
        ir_type type = x->type;
        type.dims[axis] = 1;
        y = node_reshaped(n, y, type.rank, type.dims);
    }
    return ort_put(n, 0, y, LAYOUT_PLAIN);
}

/* Each image's channels by themselves: mean 0 and variance 1 over the pixels, then a factor and an offset a channel. */
bool ort_op_instance_norm(ort_node *n)
{
    ir_value *x = ort_in(n, 0, LAYOUT_LAST), *g = x ? ort_plain(n, 1) : NULL, *b = g ? ort_plain(n, 2) : NULL;
    int64_t axes[IR_MAX_RANK];
    if (!b)
        return false;
    if (x->type.rank < 3)
        return node_error(n, "the operand has no pixels");
    int count = x->type.rank - 2;
    for (int i = 0; i < count; i++)
        axes[i] = i + 1;
    ir_value *centred = node_binary(n, IR_SUB, x, ort_reduced(n, IR_MEAN, x, count, axes, true));
    ir_value *variance = ort_reduced(n, IR_MEAN, node_binary(n, IR_MUL, centred, centred), count, axes, true);
    variance = node_binary(n, IR_ADD, variance, node_real(n, ort_float(n, "epsilon", 1e-5f)));
    ir_value *y = node_binary(n, IR_MUL, centred, node_unary(n, IR_RSQRT, variance));
    return ort_put(n, 0, node_binary(n, IR_ADD, node_binary(n, IR_MUL, y, g), b), LAYOUT_LAST);
}

bool ort_op_batch_norm(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout), *p[4];
    for (int i = 0; i < 4; i++)
        if (!x || !(p[i] = ort_param(n, 1 + i, "parameters")))
            return false;
    if (x->type.rank < 2)
        return node_error(n, "the operand has no channels");
    const int at = node_dim(layout, x->type.rank, 1);
    const int64_t channels = x->type.dims[at];
    for (int i = 0; i < 4; i++)
        if (ir_type_elements(&p[i]->type) != channels || p[i]->type.dtype != IR_F32)
            return node_error(n, "parameters for %lld channels", (long long)channels);
    return ort_put(n, 0, node_batch_norm(n, x, at, p, ort_float(n, "epsilon", 1e-5f)), layout);
}

static int dimensions_from(int axis, int rank, int64_t out[])
{
    for (int i = axis; i < rank; i++)
        out[i - axis] = i;
    return rank - axis;
}

/* Over the dimensions from `axis` on, as one row; scale and shift are operands of the node, the shift may be absent. */
static ir_value *layer_norm(ort_node *n, ir_value *x, int axis, int scale, int shift, float epsilon)
{
    int64_t rows = 1, row = 1;
    ir_value *g = x ? ort_plain(n, scale) : NULL, *b;
    if (!g || !ort_optional(n, shift, &b))
        return NULL;
    const ir_type type = x->type;
    for (int i = 0; i < type.rank; i++)
        *(i < axis ? &rows : &row) *= type.dims[i];
    if (ir_type_elements(&g->type) != row || (b && ir_type_elements(&b->type) != row)) {
        node_error(n, "parameters for %lld elements", (long long)row);
        return NULL;
    }
    if (axis != type.rank - 1)
        x = node_reshaped(n, x, 2, (int64_t[]){rows, row});
    ir_value *operands[3] = {x, x ? node_reshaped(n, g, 1, &row) : NULL, NULL};
    const int count = b ? 3 : 2;
    if (operands[1] && b)
        operands[2] = node_reshaped(n, b, 1, &row);
    if (!operands[count - 1])
        return NULL;
    ir_op *op = node_emit(n, IR_LAYER_NORM, count, operands);
    ir_set_float(op, IR_ATTR_EPSILON, epsilon);
    x = node_done(n, op);
    return x ? node_reshaped(n, x, type.rank, type.dims) : NULL;
}

/* Results 1 and 2: the means and one over the deviations of what layer_norm makes. */
static bool put_moments(ort_node *n, ir_value *x, int axis, float epsilon)
{
    int64_t axes[IR_MAX_RANK];
    if (!ort_wanted(n, 1) && !ort_wanted(n, 2))
        return true;
    const int count = dimensions_from(axis, x->type.rank, axes);
    ir_value *mean = ort_reduced(n, IR_MEAN, x, count, axes, true), *centred = node_binary(n, IR_SUB, x, mean);
    ir_value *variance = ort_reduced(n, IR_MEAN, node_binary(n, IR_MUL, centred, centred), count, axes, true);
    variance = node_binary(n, IR_ADD, variance, node_real(n, epsilon));
    return variance && ort_put(n, 1, mean, LAYOUT_PLAIN) &&
           (!ort_wanted(n, 2) || ort_put(n, 2, node_unary(n, IR_RSQRT, variance), LAYOUT_PLAIN));
}

bool ort_op_layer_norm(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    const float epsilon = ort_float(n, "epsilon", 1e-5f);
    int axis;
    if (!x || !node_axis(n, ort_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    return ort_put(n, 0, layer_norm(n, x, axis, 1, 2, epsilon), LAYOUT_PLAIN) && put_moments(n, x, axis, epsilon);
}

/* What the two skip norms normalise, and give as result 3: operands 0 and 1 and, if it is there, operand bias_operand, added
 * up; NULL after a diagnostic. */
static ir_value *skip_sum(ort_node *n, int bias_operand)
{
    ir_value *x = ort_plain(n, 0), *skip = x ? ort_plain(n, 1) : NULL, *bias;
    if (!skip || !ort_optional(n, bias_operand, &bias))
        return NULL;
    if (x->type.rank < 1) {
        node_error(n, "the operand has no dimensions");
        return NULL;
    }
    x = node_binary(n, IR_ADD, x, skip);
    x = bias ? node_binary(n, IR_ADD, x, bias) : x;
    return x && ort_put(n, 3, x, LAYOUT_PLAIN) ? x : NULL;
}

bool ort_op_skip_layer_norm(ort_node *n)
{
    ir_value *x = skip_sum(n, 4);
    return x && ort_put(n, 0, layer_norm(n, x, x->type.rank - 1, 2, 3, ort_float(n, "epsilon", 1e-12f)), LAYOUT_PLAIN);
}

/* Rows `number` of a table, for whole numbers of any shape. */
static ir_value *rows_of(ort_node *n, ir_value *table, ir_value *number)
{
    if (!table || !number)
        return NULL;
    if (table->type.rank != 2 || (number->type.dtype != IR_I32 && number->type.dtype != IR_I64)) {
        node_error(n, "a table of %d dimensions by numbers of type %s", table->type.rank,
                   ir_dtype_text(number->type.dtype));
        return NULL;
    }
    ir_op *op = node_gather(n, table, number, 0, NEGATIVE_OUTSIDE);
    return op ? node_done(n, op) : NULL;
}

/* Token numbers, segment numbers, tables of words, places and segments, gamma, beta, mask, place numbers. */
bool ort_op_embed_layer_norm(ort_node *n)
{
    ir_value *ids = ort_plain(n, 0), *places, *segments, *segment_table;
    if (!ids || !ort_optional(n, 8, &places) || !ort_optional(n, 1, &segments) || !ort_optional(n, 4, &segment_table))
        return false;
    if (ids->type.rank != 2)
        return node_error(n, "token numbers of rank %d are not supported", ids->type.rank);
    ort_ignore(n, 7); /* makes result 1, a mask, alone */
    ir_value *table = ort_plain(n, 3);
    if (table && !places) { /* from 0 on */
        int64_t begin[2] = {0}, step[2] = {1, 1},
                dims[2] = {ids->type.dims[1], table->type.rank == 2 ? table->type.dims[1] : 0};
        ir_op *op = node_emit1(n, IR_SLICE, table);
        ir_set_ints(op, IR_ATTR_BEGIN, 2, begin);
        ir_set_ints(op, IR_ATTR_STEP, 2, step);
        places = node_typed(n, op, ir_type_make(table->type.dtype, 2, dims), NULL);
    } else {
        places = rows_of(n, table, places);
    }
    ir_value *x = node_binary(n, IR_ADD, rows_of(n, ort_plain(n, 2), ids), places);
    if (x && segments && segment_table)
        x = node_binary(n, IR_ADD, x, rows_of(n, segment_table, segments));
    return x && ort_put(n, 2, x, LAYOUT_PLAIN) &&
           ort_put(n, 0, layer_norm(n, x, x->type.rank - 1, 5, 6, ort_float(n, "epsilon", 1e-12f)), LAYOUT_PLAIN);
}

/* x over its root mean square over the dimensions from `axis` on, times a factor for each of their elements. */
static ir_value *rms_norm(ort_node *n, ir_value *x, int axis, int scale, float epsilon)
{
    ir_value *g = x ? ort_plain(n, scale) : NULL;
    int64_t axes[IR_MAX_RANK];
    if (!g)
        return NULL;
    const int count = dimensions_from(axis, x->type.rank, axes);
    ir_value *squares = ort_reduced(n, IR_MEAN, node_binary(n, IR_MUL, x, x), count, axes, true);
    squares = node_binary(n, IR_ADD, squares, node_real(n, epsilon));
    return node_binary(n, IR_MUL, node_binary(n, IR_MUL, x, node_unary(n, IR_RSQRT, squares)), g);
}

bool ort_op_rms_norm(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    int axis;
    if (!x || !node_axis(n, ort_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    return ort_put(n, 0, rms_norm(n, x, axis, 1, ort_float(n, "epsilon", 1e-5f)), LAYOUT_PLAIN);
}

bool ort_op_skip_rms_norm(ort_node *n)
{
    ir_value *x = skip_sum(n, 3);
    return x && ort_put(n, 0, rms_norm(n, x, x->type.rank - 1, 2, ort_float(n, "epsilon", 1e-12f)), LAYOUT_PLAIN);
}

/* ---- Softmax ---- */

/* Along the last dimension; real, or quantized by q. */
static ir_value *softmax(ort_node *n, ir_value *x, const ir_quant *q)
{
    return x ? node_done_quant(n, node_emit1(n, n->entry->code, x), x->type.dtype, q) : NULL;
}

/* Before operator set 13 the operand counted as a matrix, whose columns start at the axis.  qx, qy: of operand and
 * result, or NULL. */
static bool softmax_along(ort_node *n, bool flat, const ir_quant *qx, const ir_quant *qy)
{
    ir_type shape;
    int axis;
    if (!ort_shape(n, 0, &shape) || !node_axis(n, ort_int(n, "axis", flat ? 1 : -1), shape.rank, &axis))
        return false;
    node_layout layout = !flat && axis == 1 && axis != shape.rank - 1 ? LAYOUT_LAST : LAYOUT_PLAIN;
    ir_value *x = ort_in(n, 0, layout), *y;
    if (!x || (qx && !(x = ort_quantized(n, x, qx))))
        return false;
    if (layout == LAYOUT_LAST)
        return ort_put(n, 0, softmax(n, x, qy), LAYOUT_LAST);
    if (shape.rank == 1 || axis == shape.rank - 1 || flat) {
        int64_t rows = 1;
        for (int i = 0; i < axis; i++)
            rows *= shape.dims[i];
        if (flat && axis != shape.rank - 1)
            x = node_reshaped(n, x, 2, (int64_t[]){rows, rows ? ir_type_elements(&shape) / rows : 0});
        y = softmax(n, x, qy);
        return y && ort_put(n, 0, node_reshaped(n, y, shape.rank, shape.dims), LAYOUT_PLAIN);
    }
    int64_t perm[IR_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        perm[i] = i == axis ? shape.rank - 1 : i == shape.rank - 1 ? axis : i;
    y = softmax(n, node_transposed(n, x, perm), qy);
    return ort_put(n, 0, node_transposed(n, y, perm), LAYOUT_PLAIN);
}

bool ort_op_softmax(ort_node *n) { return softmax_along(n, n->since < 13, NULL, NULL); }

bool ort_op_qlinear_softmax(ort_node *n)
{
    const ir_quant *qx = ort_quant(n, 1, 2, -1, 1), *qy = qx ? ort_quant(n, 3, 4, -1, 1) : NULL;
    return qy && softmax_along(n, ort_int(n, "opset", 13) < 13, qx, qy);
}
