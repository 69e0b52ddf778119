/* paddle_ops_math.c: elementwise operators, normalisation, calib. */
#include <math.h>
#include <string.h>

#include "frontends/paddle_import.h"

/* fp32_to_int8 and int8_to_fp32 around kernels that compute on integers. */
bool paddle_op_calib(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "Input", 0);
    ir_value *x = paddle_in(n, "Input", 0, layout);
    const char *kernel = paddle_text(n, "__@kernel_type_attr@__", "");
    float scale = paddle_float(n, "scale", 0);
    if (!x)
        return false;
    if (strstr(kernel, "fp32_to_int8") && x->type.dtype == IR_F32)
        return paddle_put(n, "Out", paddle_quantized(n, x, scale), layout);
    if (strstr(kernel, "int8_to_fp32") && x->type.dtype == IR_I8) {
        x = paddle_quantized(n, x, scale);
        return paddle_put(n, "Out", x ? node_done_quant(n, node_emit(n, IR_DEQUANTIZE, 1, &x), IR_F32, NULL) : NULL, layout);
    }
    return node_error(n, "the conversion '%s' of %s values is not supported", kernel, ir_dtype_text(x->type.dtype));
}

bool paddle_op_unary(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    return paddle_put(n, "Out", node_unary(n, n->entry->code, paddle_in(n, "X", 0, layout)), layout);
}

bool paddle_op_hard_swish(paddle_node *n) { return paddle_standard_hard_swish(n, "") && paddle_op_unary(n); }

static ir_value *clamped(paddle_node *n, ir_value *x, ir_enum_ACT act)
{
    if (!x)
        return NULL;
    ir_op *op = node_emit(n, IR_RELU, 1, &x);
    ir_set_int(op, IR_ATTR_ACT, act);
    /* A clamp keeps the parameters of 8-bit values. */
    return node_done_quant(n, op, x->type.dtype, x->quant);
}

bool paddle_op_clamp(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    bool six = strcmp(n->entry->name, "relu6") == 0;
    if (six && paddle_float(n, "threshold", 6) != 6)
        return node_error(n, "a relu6 with the bound %g is not supported", (double)paddle_float(n, "threshold", 6));
    return paddle_put(n, "Out", clamped(n, paddle_in(n, "X", 0, layout), six ? IR_ACT_RELU6 : IR_ACT_RELU), layout);
}

bool paddle_op_leaky_relu(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    const paddle_activation a = {IR_ACT_NONE, IR_LEAKY_RELU, paddle_float(n, "alpha", 0.02f)};
    return paddle_put(n, "Out", paddle_activated(n, paddle_in(n, "X", 0, layout), &a), layout);
}

bool paddle_op_hard_sigmoid(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    x = node_binary_act(n, IR_MUL, x, node_real(n, paddle_float(n, "slope", 0.2f)), IR_ACT_NONE);
    x = node_binary_act(n, IR_ADD, x, node_real(n, paddle_float(n, "offset", 0.5f)), IR_ACT_RELU_0_TO_1);
    return paddle_put(n, "Out", x, layout);
}

bool paddle_op_scale(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    float scale = paddle_float(n, "scale", 1), bias = paddle_float(n, "bias", 0);
    paddle_activation a;
    if (!x || !paddle_absent(n, "ScaleTensor") || !paddle_activation_of(n, paddle_text(n, "activation_type", ""), &a))
        return false;
    if (x->type.dtype != IR_F32)
        return node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
    bool after = paddle_int(n, "bias_after_scale", 1);
    if (!after && bias != 0)
        x = node_binary_act(n, IR_ADD, x, node_real(n, bias), IR_ACT_NONE);
    if (scale != 1)
        x = node_binary_act(n, IR_MUL, x, node_real(n, scale), IR_ACT_NONE);
    if (after && bias != 0)
        x = node_binary_act(n, IR_ADD, x, node_real(n, bias), IR_ACT_NONE);
    if (a.act != IR_ACT_NONE)
        x = clamped(n, x, a.act);
    return paddle_put(n, "Out", paddle_activated(n, x, &a), layout);
}

/* Y's dimensions stand at X's dimension `axis`, or at the end of X's for -1. */
bool paddle_op_elementwise(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0), y_layout = paddle_layout_of(n, "Y", 0);
    ir_value *x = paddle_in(n, "X", 0, layout), *y = x ? paddle_in(n, "Y", 0, y_layout) : NULL;
    paddle_activation a;
    if (!y || !paddle_activation_of(n, paddle_text(n, "act_type", ""), &a))
        return false;
    int rank = x->type.rank, y_rank = y->type.rank;
    int64_t axis = paddle_int(n, "axis", -1), dims[IR_MAX_RANK];
    if (y_rank == rank) {
        layout = layout == LAYOUT_LAST || y_layout == LAYOUT_LAST ? LAYOUT_LAST : LAYOUT_PLAIN;
        x = paddle_in(n, "X", 0, layout);
        y = x ? paddle_in(n, "Y", 0, layout) : NULL;
    } else if (y_rank < rank) {
        axis = axis < 0 ? rank - y_rank : axis;
        if (!(y = paddle_plain(n, "Y")))
            return false;
        for (; y_rank > 0 && axis + y_rank > rank && y->type.dims[y_rank - 1] == 1; y_rank--)
            continue; /* extents of 1 past the end say nothing */
        if (axis + y_rank > rank)
            return node_error(n, "axis %lld does not fit operands of %d and %d dimensions", (long long)axis, rank, y_rank);
        for (int i = 0; i < rank; i++)
            dims[i] = i >= axis && i < axis + y_rank ? y->type.dims[i - axis] : 1;
        y = node_to_layout(n, node_reshaped(n, y, rank, dims), LAYOUT_PLAIN, layout);
    } else {
        if (axis >= 0 && axis != y_rank - rank)
            return node_error(n, "axis %lld does not fit operands of %d and %d dimensions", (long long)axis, rank, y_rank);
        layout = LAYOUT_PLAIN;
        x = paddle_plain(n, "X");
        y = paddle_plain(n, "Y");
    }
    return paddle_put(n, "Out", paddle_activated(n, node_binary_act(n, n->entry->code, x, y, a.act), &a), layout);
}

bool paddle_op_batch_norm(paddle_node *n)
{
    static const char *const names[] = {"Scale", "Bias", "Mean", "Variance"};
    ir_value *x = paddle_in(n, "X", 0, LAYOUT_LAST), *p[4];
    if (!x || x->type.rank < 2)
        return x && node_error(n, "the operand needs channels");
    int64_t channels = x->type.dims[x->type.rank - 1];
    for (int i = 0; i < 4; i++) {
        if (!(p[i] = paddle_param(n, names[i])))
            return false;
        if (p[i]->type.dtype != IR_F32 || ir_type_elements(&p[i]->type) != channels)
            return node_error(n, "operand %s must be %lld numbers", names[i], (long long)channels);
    }
    float *factor = ARENA_ARRAY(n->model->graph->arena, float, channels + 1);
    float *offset = ARENA_ARRAY(n->model->graph->arena, float, channels + 1);
    double epsilon = paddle_float(n, "epsilon", 1e-5f);
    for (int64_t c = 0; c < channels; c++) {
        double f = ir_const_real(p[0], c) / sqrt(ir_const_real(p[3], c) + epsilon);
        factor[c] = (float)f;
        offset[c] = (float)(ir_const_real(p[1], c) - ir_const_real(p[2], c) * f);
    }
    x = node_binary_act(n, IR_MUL, x, node_reals(n, 1, &channels, factor), IR_ACT_NONE);
    x = node_binary_act(n, IR_ADD, x, node_reals(n, 1, &channels, offset), IR_ACT_NONE);
    return paddle_put(n, "Y", x, LAYOUT_LAST);
}

bool paddle_op_softmax(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    int axis;
    if (!x || !node_axis(n, paddle_int(n, "axis", -1), x->type.rank, &axis))
        return false;
    if (axis == 1 && x->type.rank > 2)
        return paddle_put(n, "Out", node_unary(n, IR_SOFTMAX, paddle_in(n, "X", 0, LAYOUT_LAST)), LAYOUT_LAST);
    x = paddle_plain(n, "X");
    if (!x)
        return false;
    int64_t perm[IR_MAX_RANK]; /* swaps axis and the last dimension: its own inverse */
    for (int i = 0; i < x->type.rank; i++)
        perm[i] = i == axis ? x->type.rank - 1 : i == x->type.rank - 1 ? axis : i;
    x = node_unary(n, IR_SOFTMAX, node_transposed(n, x, perm));
    return paddle_put(n, "Out", node_transposed(n, x, perm), LAYOUT_PLAIN);
}

bool paddle_op_dropout(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    if (strcmp(paddle_text(n, "dropout_implementation", "downgrade_in_infer"), "upscale_in_train") != 0)
        x = node_binary_act(n, IR_MUL, x, node_real(n, 1 - paddle_float(n, "dropout_prob", 0.5f)), IR_ACT_NONE);
    return paddle_put(n, "Out", x, layout);
}
