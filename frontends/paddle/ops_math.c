/* ops_math.c: elementwise operators, normalisation. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontends/paddle/import.h"

bool paddle_op_unary(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    return paddle_put(n, "Out", node_unary(n, n->entry->code, paddle_in(n, "X", 0, layout)), layout);
}

bool paddle_op_select(paddle_node *n)
{
    ir_value *condition = paddle_plain(n, "Condition"), *x = condition ? paddle_plain(n, "X") : NULL,
             *y = x ? paddle_plain(n, "Y") : NULL;
    if (!y)
        return false;
    ir_op *op = node_emit(n, IR_SELECT, 3, (ir_value *[]){condition, x, y});
    return paddle_put(n, "Out", node_done_quant(n, op, x->type.dtype, NULL), LAYOUT_PLAIN);
}

static ir_value *clamped(paddle_node *n, ir_value *x, ir_enum_ACT act)
{
    if (!x)
        return NULL;
    ir_op *op = node_emit(n, IR_RELU, 1, &x);
    ir_set_int(op, IR_ATTR_ACT, act);
    /* A clamp keeps the parameters of 8-bit values. */
    return node_done_quant(n, op, x->type.dtype, x->quant);
}

/* x within low…high. */
static ir_value *bounded(paddle_node *n, ir_value *x, float low, float high)
{
    if (!x || x->type.dtype != IR_F32) {
        if (x)
            node_error(n, "bounds on values of type %s are not supported", ir_dtype_text(x->type.dtype));
        return NULL;
    }
    if (low == 0 && (high == 6 || high == 1))
        return clamped(n, x, high == 6 ? IR_ACT_RELU6 : IR_ACT_RELU_0_TO_1);
    x = node_binary(n, IR_MAXIMUM, x,
                    node_real(n, low)); /* one after the other: compilers differ in the order of arguments */
    return node_binary(n, IR_MINIMUM, x, node_real(n, high));
}

bool paddle_op_clamp(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    if (strcmp(n->entry->name, "relu") == 0)
        return paddle_put(n, "Out", clamped(n, x, IR_ACT_RELU), layout);
    if (strcmp(n->entry->name, "relu6") == 0)
        return paddle_put(n, "Out", bounded(n, x, 0, paddle_float(n, "threshold", 6)), layout);
    if (!paddle_absent(n, "Min") || !paddle_absent(n, "Max"))
        return false;
    return paddle_put(n, "Out", bounded(n, x, paddle_float(n, "min", 0), paddle_float(n, "max", 0)), layout);
}

bool paddle_op_hard_swish(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    float threshold = paddle_float(n, "threshold", 6), scale = paddle_float(n, "scale", 6),
          offset = paddle_float(n, "offset", 3);
    if (threshold == 6 && scale == 6 && offset == 3)
        return paddle_put(n, "Out", node_unary(n, IR_HARD_SWISH, x), layout);
    ir_value *gate = bounded(n, node_binary(n, IR_ADD, x, node_real(n, offset)), 0, threshold);
    x = node_binary(n, IR_MUL, x, gate);
    return paddle_put(n, "Out", node_binary(n, IR_DIV, x, node_real(n, scale)), layout);
}

/* ---- Functions of one number that are made of several ops ---- */

static ir_value *swish(paddle_node *n, ir_value *x)
{
    float beta = paddle_float(n, "beta", 1);
    return node_binary(n, IR_MUL, x,
                       node_unary(n, IR_LOGISTIC, beta == 1 ? x : node_binary(n, IR_MUL, x, node_real(n, beta))));
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which does not overflow. */
static ir_value *log_of_one_plus_exp(paddle_node *n, ir_value *x)
{
    ir_value *e = node_unary(n, IR_EXP, node_unary(n, IR_NEG, node_unary(n, IR_ABS, x)));
    ir_value *log = node_unary(n, IR_LOG, node_binary(n, IR_ADD, e, node_real(n, 1)));
    return node_binary(n, IR_ADD, clamped(n, x, IR_ACT_RELU), log);
}

static ir_value *softplus(paddle_node *n, ir_value *x)
{
    float beta = paddle_float(n, "beta", 1);
    if (beta == 1)
        return log_of_one_plus_exp(n, x);
    x = log_of_one_plus_exp(n, node_binary(n, IR_MUL, x, node_real(n, beta)));
    return node_binary(n, IR_DIV, x, node_real(n, beta));
}

static ir_value *elu(paddle_node *n, ir_value *x)
{
    float alpha = paddle_float(n, "alpha", 1);
    if (alpha == 1)
        return node_unary(n, IR_ELU, x);
    ir_value *low = node_binary(n, IR_MINIMUM, x, node_real(n, 0));
    ir_value *e = node_unary(n, IR_ELU, low);
    e = node_binary(n, IR_MUL, e, node_real(n, alpha));
    return node_binary(n, IR_ADD, clamped(n, x, IR_ACT_RELU), e);
}

static ir_value *gelu(paddle_node *n, ir_value *x)
{
    ir_op *op = x ? node_emit1(n, IR_GELU, x) : NULL;
    if (op)
        ir_set_int(op, IR_ATTR_APPROXIMATE, paddle_int(n, "approximate", 0) != 0);
    return op ? node_done(n, op) : NULL;
}

typedef ir_value *function(paddle_node *, ir_value *);
static ir_value *mish(paddle_node *n, ir_value *x)
{
    return node_binary(n, IR_MUL, x, node_unary(n, IR_TANH, log_of_one_plus_exp(n, x)));
}
static ir_value *square(paddle_node *n, ir_value *x) { return node_binary(n, IR_MUL, x, x); }
static ir_value *reciprocal(paddle_node *n, ir_value *x) { return node_binary(n, IR_DIV, node_real(n, 1), x); }
static ir_value *power(paddle_node *n, ir_value *x)
{
    return node_binary(n, IR_POW, x, node_real(n, paddle_float(n, "factor", 1)));
}
static ir_value *softsign(paddle_node *n, ir_value *x)
{
    ir_value *size = node_unary(n, IR_ABS, x);
    return node_binary(n, IR_DIV, x, node_binary(n, IR_ADD, size, node_real(n, 1)));
}

bool paddle_op_function(paddle_node *n)
{
    static const struct {
        const char *name;
        function *make;
    } functions[] = {
        {"swish", swish}, {"silu", swish},    {"softplus", softplus},     {"elu", elu},   {"gelu", gelu},
        {"mish", mish},   {"square", square}, {"reciprocal", reciprocal}, {"pow", power}, {"softsign", softsign},
    };
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    if (!x || !paddle_absent(n, "FactorTensor"))
        return false;
    if (x->type.dtype != IR_F32)
        return node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, n->entry->name) == 0)
            return paddle_put(n, "Out", functions[i].make(n, x), layout);
    return node_error(n, "this function is not known");
}

bool paddle_op_prelu(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    const char *mode = paddle_text(n, "mode", "all");
    ir_value *x = paddle_in(n, "X", 0, layout), *alpha = x ? paddle_param(n, "Alpha") : NULL;
    int64_t dims[IR_MAX_RANK];
    if (!alpha)
        return false;
    for (int i = 0; i < x->type.rank; i++)
        dims[i] = strcmp(mode, "element") == 0 && i > 0 ? x->type.dims[node_dim(layout, x->type.rank, i)] : 1;
    if (strcmp(mode, "channel") == 0 && x->type.rank > 1)
        dims[1] = x->type.dims[node_dim(layout, x->type.rank, 1)];
    else if (strcmp(mode, "all") != 0 && strcmp(mode, "element") != 0)
        return node_error(n, "the mode '%s' is not supported", mode);
    if (strcmp(paddle_text(n, "data_format", "NCHW"), "NCHW") != 0)
        return node_error(n, "only channels in dimension 1 are supported");
    alpha = node_to_layout(n, node_reshaped(n, alpha, x->type.rank, dims), LAYOUT_PLAIN, layout);
    return paddle_put(n, "Out", node_binary(n, IR_PRELU, x, alpha), layout);
}

ir_value *paddle_cast(paddle_node *n, ir_value *x, ir_dtype to)
{
    if (!x || x->type.dtype == to)
        return x;
    return node_done_quant(n, node_emit1(n, IR_CAST, x), to, NULL);
}

bool paddle_op_cast(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    ir_dtype to = paddle_dtype(paddle_int(n, "out_dtype", -1));
    if (!x)
        return false;
    if (to == IR_DTYPE_NONE || x->quant)
        return node_error(n, "a cast of %s to type %lld is not supported", ir_dtype_text(x->type.dtype),
                          (long long)paddle_int(n, "out_dtype", -1));
    return paddle_put(n, "Out", paddle_cast(n, x, to), layout);
}

bool paddle_op_identity(paddle_node *n)
{
    const char *from = paddle_count(n, "X") ? "X" : "Input";
    node_layout layout = paddle_layout_of(n, from, 0);
    return paddle_put(n, "Out", paddle_in(n, from, 0, layout), layout);
}

bool paddle_op_add_all(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *sum = paddle_in(n, "X", 0, layout);
    for (int i = 1; sum && i < paddle_count(n, "X"); i++)
        sum = node_binary(n, IR_ADD, sum, paddle_in(n, "X", i, layout));
    return paddle_put(n, "Out", sum, layout);
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

/* Its activation has one number, called alpha. */
static ir_value *scale_activated(paddle_node *n, ir_value *x)
{
    const char *type = paddle_text(n, "activation_type", "");
    const paddle_activation leaky = {IR_ACT_NONE, IR_LEAKY_RELU, paddle_float(n, "alpha", 0)};
    if (!*type)
        return x;
    if (strcmp(type, "relu") == 0)
        return clamped(n, x, IR_ACT_RELU);
    if (strcmp(type, "relu6") == 0)
        return bounded(n, x, 0, paddle_float(n, "alpha", 6));
    if (strcmp(type, "leaky_relu") == 0)
        return paddle_activated(n, x, &leaky);
    node_error(n, "the fused activation %s is not supported", type);
    return NULL;
}

/* x with a number of its type; for integers it is whole. */
static ir_value *with_number(paddle_node *n, ir_opcode code, ir_value *x, float number)
{
    if (!x)
        return NULL;
    if (x->type.dtype == IR_F32)
        return node_binary(n, code, x, node_real(n, number));
    const int64_t whole = (int64_t)number;
    return node_binary(n, code, x, node_ints(n, x->type.dtype, 0, 1, &whole));
}

static bool is_whole(float x) { return fabsf(x) < 1 << 24 && x == truncf(x); }

bool paddle_op_scale(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    float scale = paddle_float(n, "scale", 1), bias = paddle_float(n, "bias", 0);
    if (!x || !paddle_absent(n, "ScaleTensor"))
        return false;
    const bool integers = x->type.dtype == IR_I32 || x->type.dtype == IR_I64;
    if (x->type.dtype != IR_F32 && !integers)
        return node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
    if (integers && (!is_whole(scale) || !is_whole(bias) || *paddle_text(n, "activation_type", "")))
        return node_error(n, "integers times %g and plus %g, or with an activation, are not supported", (double)scale,
                          (double)bias);
    bool after = paddle_int(n, "bias_after_scale", 1);
    if (!after && bias != 0)
        x = with_number(n, IR_ADD, x, bias);
    if (scale != 1)
        x = with_number(n, IR_MUL, x, scale);
    if (after && bias != 0)
        x = with_number(n, IR_ADD, x, bias);
    return paddle_put(n, "Out", x ? scale_activated(n, x) : NULL, layout);
}

/* ---- Operators of two values ---- */

/* An operand of integers, whose scale the operator says, as real numbers. */
static ir_value *real_operand(paddle_node *n, const char *parameter, node_layout layout)
{
    char name[32];
    snprintf(name, sizeof name, "%s0_scale", parameter);
    ir_value *v = paddle_in(n, parameter, 0, layout);
    float scale;
    int64_t count;
    if (!v || v->type.dtype != IR_I8 || !paddle_has_attr(n, name))
        return v;
    if (!paddle_floats(n, name, 1, &scale, &count))
        return NULL;
    if (count != 1) {
        node_error(n, "attribute %s must be one number", name);
        return NULL;
    }
    v = paddle_quantized(n, v, scale);
    return v ? node_done_quant(n, node_emit(n, IR_DEQUANTIZE, 1, &v), IR_F32, NULL) : NULL;
}

/* The result, as integers where the kernel makes such. */
static ir_value *of_kernel(paddle_node *n, ir_value *y)
{
    const char *kernel = paddle_text(n, "__@kernel_type_attr@__", "");
    float scale = 0;
    int64_t count;
    if (!y || y->type.dtype != IR_F32 || !(strstr(kernel, "int8_out") || strstr(kernel, "int8out")))
        return y;
    return paddle_floats(n, "Out0_scale", 1, &scale, &count) ? paddle_quantized(n, y, scale) : NULL;
}

bool paddle_op_bitwise_not(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0);
    ir_value *x = paddle_in(n, "X", 0, layout);
    if (!x || ir_dtype_is_float(x->type.dtype))
        return x && node_error(n, "bits of real numbers");
    if (x->type.dtype == IR_BOOL)
        return paddle_put(n, "Out", node_unary(n, IR_LOGICAL_NOT, x), layout);
    const int64_t every = x->type.dtype == IR_U8 ? UINT8_MAX : -1;
    return paddle_put(n, "Out", node_binary(n, IR_BITWISE_XOR, x, node_ints(n, x->type.dtype, 0, 1, &every)), layout);
}

/* Y's dimensions stand at X's dimension `axis`, or at the end of X's for -1. */
bool paddle_op_elementwise(paddle_node *n)
{
    node_layout layout = paddle_layout_of(n, "X", 0), y_layout = paddle_layout_of(n, "Y", 0);
    ir_value *x = real_operand(n, "X", layout), *y = x ? real_operand(n, "Y", y_layout) : NULL;
    paddle_activation a;
    if (!y || !paddle_activation_of(n, paddle_text(n, "act_type", ""), &a))
        return false;
    int rank = x->type.rank, y_rank = y->type.rank;
    int64_t axis = paddle_int(n, "axis", -1), dims[IR_MAX_RANK];
    if (y_rank == rank) {
        layout = layout == LAYOUT_LAST || y_layout == LAYOUT_LAST ? LAYOUT_LAST : LAYOUT_PLAIN;
        x = real_operand(n, "X", layout);
        y = x ? real_operand(n, "Y", layout) : NULL;
    } else if (y_rank < rank) {
        axis = axis < 0 ? rank - y_rank : axis;
        if (!(y = real_operand(n, "Y", LAYOUT_PLAIN)))
            return false;
        for (; y_rank > 0 && axis + y_rank > rank && y->type.dims[y_rank - 1] == 1; y_rank--)
            continue; /* extents of 1 past the end say nothing */
        if (axis + y_rank > rank)
            return node_misfit(n, "axis %lld does not fit operands of %d and %d dimensions", (long long)axis, rank,
                               y_rank);
        for (int i = 0; i < rank; i++)
            dims[i] = i >= axis && i < axis + y_rank ? y->type.dims[i - axis] : 1;
        y = node_to_layout(n, node_reshaped(n, y, rank, dims), LAYOUT_PLAIN, layout);
    } else {
        if (axis >= 0 && axis != y_rank - rank)
            return node_misfit(n, "axis %lld does not fit operands of %d and %d dimensions", (long long)axis, rank,
                               y_rank);
        layout = LAYOUT_PLAIN;
        x = real_operand(n, "X", LAYOUT_PLAIN);
        y = real_operand(n, "Y", LAYOUT_PLAIN);
    }
    if (n->entry->code >= IR_EQUAL && n->entry->code <= IR_GREATER_EQUAL) {
        if (!x || !y)
            return false;
        return paddle_put(n, "Out", node_done_quant(n, node_emit2(n, n->entry->code, x, y), IR_BOOL, NULL), layout);
    }
    return paddle_put(n, "Out", of_kernel(n, paddle_activated(n, node_binary_act(n, n->entry->code, x, y, a.act), &a)),
                      layout);
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
    x = node_batch_norm(n, x, x->type.rank - 1, p, paddle_float(n, "epsilon", 1e-5f));
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
        return paddle_put(n, "Out", node_unary(n, n->entry->code, paddle_in(n, "X", 0, LAYOUT_LAST)), LAYOUT_LAST);
    x = paddle_plain(n, "X");
    if (!x)
        return false;
    int64_t perm[IR_MAX_RANK]; /* swaps axis and the last dimension: its own inverse */
    for (int i = 0; i < x->type.rank; i++)
        perm[i] = i == axis ? x->type.rank - 1 : i == x->type.rank - 1 ? axis : i;
    x = node_unary(n, n->entry->code, node_transposed(n, x, perm));
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
