/* ops_reduce.c: reductions, arg_max and the like, normalisation. */
#include <string.h>

#include "frontends/paddle/import.h"

/* ---- Reductions ---- */

/* Which dimensions `dim` names; all of them with reduce_all, or without any. */
static bool reduced(paddle_node *n, const char *attribute, int rank, bool out[IR_MAX_RANK])
{
    int64_t dims[IR_MAX_RANK];
    int count, at;
    if (!paddle_ints(n, attribute, IR_MAX_RANK, dims, &count))
        return false;
    bool all = paddle_int(n, "reduce_all", 0) || !count;
    for (int i = 0; i < rank; i++)
        out[i] = all;
    for (int i = 0; i < count && !all; i++) {
        if (!node_axis(n, dims[i], rank, &at))
            return false;
        out[at] = true;
    }
    return true;
}

static ir_value *reduce(paddle_node *n, ir_opcode code, ir_value *x, const bool which[], node_layout layout, bool keep)
{
    int64_t axes[IR_MAX_RANK];
    int count = 0, rank = x->type.rank;
    for (int at = 0; at < rank; at++) /* ascending in the layout's own order */
        for (int i = 0; i < rank; i++)
            if (which[i] && node_dim(layout, rank, i) == at)
                axes[count++] = at;
    ir_op *op = node_emit1(n, code, x);
    ir_set_ints(op, IR_ATTR_AXES, count, axes);
    ir_set_int(op, IR_ATTR_KEEP_DIMS, keep);
    return node_done(n, op);
}

bool paddle_op_reduce(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    bool which[IR_MAX_RANK], keep = paddle_int(n, "keep_dim", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    if (!x || !reduced(n, "dim", x->type.rank, which))
        return false;
    bool ordered = keep || layout == LAYOUT_PLAIN;
    if (!ordered &&
        which[0] + which[1] < 2) { /* of channels last, pixels are gone, or channels: the rest is in order */
        ordered = which[1];
        for (int i = 2; !which[1] && i < x->type.rank; i++)
            ordered = which[i] && (i == 2 || ordered);
    }
    if (!ordered) {
        layout = LAYOUT_PLAIN;
        x = paddle_plain(n, "X");
    }
    ir_value *y = x ? reduce(n, n->entry->code, x, which, layout, keep) : NULL;
    if (y && !y->type.rank)
        y = node_reshaped(n, y, 1, (int64_t[]){1}); /* Paddle Lite has no tensors without dimensions */
    return paddle_put(n, "Out", y, keep ? layout : LAYOUT_PLAIN);
}

bool paddle_op_arg(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int axis;
    int64_t type = paddle_int(n, "dtype", -1), dims[IR_MAX_RANK];
    ir_dtype dtype = type < 0 ? IR_I64 : paddle_dtype(type);
    if (x && paddle_int(n, "flatten", 0))
        x = node_reshaped(n, x, 1, (int64_t[]){ir_type_elements(&x->type)});
    if (!x || !node_axis(n, paddle_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    if (dtype != IR_I32 && dtype != IR_I64)
        return node_error(n, "indices of type %lld are not supported", (long long)type);
    memcpy(dims, x->type.dims, sizeof dims);
    dims[axis] = 1;
    int rank = x->type.rank;
    ir_op *op = node_emit1(n, n->entry->code, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    ir_value *y = node_done_quant(n, op, dtype, NULL);
    if (y && (paddle_int(n, "keepdims", 0) || !y->type.rank))
        y = node_reshaped(n, y, rank, dims);
    return paddle_put(n, "Out", y, LAYOUT_PLAIN);
}

bool paddle_op_top_k(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int axis;
    int64_t k = paddle_int(n, "k", 1);
    if (!x || !paddle_absent(n, "K") || !node_axis(n, paddle_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    if (axis != x->type.rank - 1 || !paddle_int(n, "largest", 1))
        return node_error(n, "only the largest of the last dimension are supported");
    if (k < 1 || k > x->type.dims[axis])
        return node_error(n, "%lld of %lld elements", (long long)k, (long long)x->type.dims[axis]);
    ir_op *op = node_emit1(n, IR_TOP_K, x);
    ir_set_int(op, IR_ATTR_K, k);
    ir_type type = x->type;
    type.dims[axis] = k;
    type.dtype = IR_I32;
    ir_result_set(op, 1, type, NULL);
    type.dtype = x->type.dtype;
    ir_result_set(op, 0, type, x->quant);
    if (!node_check(n, op))
        return false;
    return paddle_put(n, "Out", op->results[0], LAYOUT_PLAIN) &&
           paddle_put(n, "Indices", paddle_cast(n, op->results[1], IR_I64), LAYOUT_PLAIN);
}

bool paddle_op_cumsum(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X");
    int axis;
    if (x && paddle_int(n, "flatten", 0))
        x = node_reshaped(n, x, 1, (int64_t[]){ir_type_elements(&x->type)});
    if (!x || !node_axis(n, paddle_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    if (paddle_int(n, "exclusive", 0) || paddle_int(n, "reverse", 0))
        return node_error(n, "exclusive and reverse sums are not supported");
    ir_op *op = node_emit1(n, IR_CUMSUM, x);
    ir_set_int(op, IR_ATTR_AXIS, axis);
    return paddle_put(n, "Out", node_done(n, op), LAYOUT_PLAIN);
}

/* ---- Normalisation ---- */

static bool factors(paddle_node *n, const char *parameter, int64_t count, ir_value **out)
{
    *out = NULL;
    if (!paddle_count(n, parameter))
        return true;
    if (!(*out = paddle_param(n, parameter)))
        return false;
    if ((*out)->type.dtype != IR_F32 || ir_type_elements(&(*out)->type) != count)
        return node_error(n, "operand %s must be %lld numbers", parameter, (long long)count);
    return (*out = node_reshaped(n, *out, 1, &count)) != NULL;
}

/* Rows of `inner` numbers, each with mean 0 and variance 1. */
static ir_value *normalized(paddle_node *n, ir_value *x, int64_t inner, ir_value *scale, ir_value *bias)
{
    int64_t elements = ir_type_elements(&x->type);
    x = node_reshaped(n, x, 2, (int64_t[]){inner ? elements / inner : 0, inner});
    if (!x)
        return NULL;
    ir_op *op = node_emit(n, IR_LAYER_NORM, bias ? 3 : scale ? 2 : 1, (ir_value *[]){x, scale, bias});
    ir_set_float(op, IR_ATTR_EPSILON, paddle_float(n, "epsilon", 1e-5f));
    return node_done(n, op);
}

static bool only_real(paddle_node *n, const ir_value *x)
{
    return x->type.dtype == IR_F32 ||
           node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
}

bool paddle_op_layer_norm(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X"), *scale, *bias;
    int64_t inner = 1, begin = paddle_int(n, "begin_norm_axis", 1);
    if (!x || !only_real(n, x))
        return false;
    if (begin < 0 || begin >= x->type.rank)
        return node_error(n, "begin_norm_axis %lld of %d dimensions", (long long)begin, x->type.rank);
    for (int i = (int)begin; i < x->type.rank; i++)
        inner *= x->type.dims[i];
    ir_type type = x->type;
    if (!factors(n, "Scale", inner, &scale) || !factors(n, "Bias", inner, &bias))
        return false;
    x = normalized(n, x, inner, scale, bias);
    return paddle_put(n, "Y", x ? node_reshaped(n, x, type.rank, type.dims) : NULL, LAYOUT_PLAIN);
}

/* Groups of channels with their pixels; instance_norm: each channel a group. */
bool paddle_op_group_norm(paddle_node *n)
{
    ir_value *x = paddle_plain(n, "X"), *factor[2];
    bool each = strcmp(n->entry->name, "instance_norm") == 0;
    if (!x || !only_real(n, x))
        return false;
    if (x->type.rank < 2 || strcmp(paddle_text(n, "data_layout", "NCHW"), "NCHW") != 0)
        return node_error(n, "the operand must have channels in dimension 1");
    ir_type type = x->type;
    int64_t channels = type.dims[1], groups = each ? channels : paddle_int(n, "groups", 1), inner = 1,
            dims[IR_MAX_RANK];
    if (groups < 1 || channels % groups)
        return node_error(n, "%lld channels in %lld groups", (long long)channels, (long long)groups);
    for (int i = 1; i < type.rank; i++) {
        inner *= type.dims[i];
        dims[i] = i == 1 ? channels : 1;
    }
    dims[0] = 1;
    if (!factors(n, "Scale", channels, &factor[0]) || !factors(n, "Bias", channels, &factor[1]))
        return false;
    x = normalized(n, x, inner / groups, NULL, NULL);
    x = x ? node_reshaped(n, x, type.rank, type.dims) : NULL;
    for (int i = 0; i < 2; i++)
        if (factor[i])
            x = node_binary(n, i ? IR_ADD : IR_MUL, x, node_reshaped(n, factor[i], type.rank, dims));
    return paddle_put(n, "Y", x, LAYOUT_PLAIN);
}
