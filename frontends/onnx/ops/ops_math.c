/* ops_math.c: elementwise operators.  They keep the layout of their operand. */
#include <math.h>
#include <string.h>

#include "frontends/onnx/import.h"

/* ---- Shared ---- */

ir_value *ort_clamped(ort_node *n, ir_value *x, float low, float high)
{
    static const struct {
        float low, high;
        ir_enum_ACT act;
    } acts[] = {
        {0, INFINITY, IR_ACT_RELU}, {0, 6, IR_ACT_RELU6}, {-1, 1, IR_ACT_RELU_N1_TO_1}, {0, 1, IR_ACT_RELU_0_TO_1}};
    if (!x)
        return NULL;
    high = high >= 3.4028234e38f ? INFINITY : high;
    low = low <= -3.4028234e38f ? -INFINITY : low;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (acts[i].low == low && acts[i].high == high && x->type.dtype == IR_F32) {
            ir_op *op = node_emit1(n, IR_RELU, x);
            ir_set_int(op, IR_ATTR_ACT, acts[i].act);
            return node_done(n, op);
        }
    if (x->type.dtype != IR_F32) {
        node_error(n, "bounds for values of type %s are not supported", ir_dtype_text(x->type.dtype));
        return NULL;
    }
    if (isfinite(low))
        x = node_binary(n, IR_MAXIMUM, x, node_real(n, low));
    return isfinite(high) ? node_binary(n, IR_MINIMUM, x, node_real(n, high)) : x;
}

ir_value *ort_zero(ort_node *n, const ir_value *like)
{
    if (like->type.dtype == IR_F32)
        return node_real(n, 0);
    return ort_quantized(n, node_ints(n, like->type.dtype, 0, 1, (int64_t[]){0}), like->quant);
}

ir_value *ort_hard_sigmoid(ort_node *n, ir_value *x, float alpha, float beta)
{
    return node_binary_act(n, IR_ADD, node_binary(n, IR_MUL, x, node_real(n, alpha)), node_real(n, beta),
                           IR_ACT_RELU_0_TO_1);
}

static ir_value *sloped(ort_node *n, ir_value *x, float alpha)
{
    ir_op *op = node_emit1(n, IR_LEAKY_RELU, x);
    ir_set_float(op, IR_ATTR_ALPHA, alpha);
    return node_done(n, op);
}

ir_value *ort_activated(ort_node *n, ir_value *x, int count, const float p[])
{
    if (!x)
        return NULL;
    const char *kind = ort_text(n, "activation", "");
    if (!*kind)
        return x;
    if (strcmp(kind, "Relu") == 0)
        return ort_clamped(n, x, 0, INFINITY);
    if (strcmp(kind, "Clip") == 0)
        return ort_clamped(n, x, count > 0 ? p[0] : -INFINITY, count > 1 ? p[1] : INFINITY);
    if (strcmp(kind, "LeakyRelu") == 0)
        return sloped(n, x, count > 0 ? p[0] : 0.01f);
    if (strcmp(kind, "HardSigmoid") == 0)
        return ort_hard_sigmoid(n, x, count > 0 ? p[0] : 0.2f, count > 1 ? p[1] : 0.5f);
    if (strcmp(kind, "Sigmoid") == 0)
        return node_unary(n, IR_LOGISTIC, x);
    if (strcmp(kind, "Tanh") == 0)
        return node_unary(n, IR_TANH, x);
    node_error(n, "the fused activation %s is not supported", kind);
    return NULL;
}

/* An operand in a layout in which it broadcasts against values of `rank` dimensions. */
static ir_value *broadcastable(ort_node *n, int index, int rank, node_layout layout)
{
    ir_type shape;
    if (!ort_shape(n, index, &shape))
        return NULL;
    if (layout == LAYOUT_PLAIN || shape.rank == rank)
        return ort_in(n, index, layout);
    ir_value *v = ort_plain(n, index);
    if (!v || ir_type_elements(&v->type) == 1)
        return v;
    int64_t dims[IR_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dims[i] = i < rank - shape.rank ? 1 : shape.dims[i - (rank - shape.rank)];
    return node_to_layout(n, node_reshaped(n, v, rank, dims), LAYOUT_PLAIN, layout);
}

bool ort_pair(ort_node *n, int a, int b, ir_value **out_a, ir_value **out_b, node_layout *out)
{
    ir_type ta, tb;
    if (!ort_shape(n, a, &ta) || !ort_shape(n, b, &tb))
        return false;
    int rank = ta.rank > tb.rank ? ta.rank : tb.rank;
    bool last = (ta.rank == rank && ort_layout_of(n, a) == LAYOUT_LAST) ||
                (tb.rank == rank && ort_layout_of(n, b) == LAYOUT_LAST);
    *out = last ? LAYOUT_LAST : LAYOUT_PLAIN;
    *out_a = broadcastable(n, a, rank, *out);
    *out_b = *out_a ? broadcastable(n, b, rank, *out) : NULL;
    return *out_b != NULL;
}

/* ---- One operand ---- */

/* By one number of x's type: integers as they are, whatever they stand for. */
static ir_value *bounded(ort_node *n, ir_opcode code, ir_value *x, ir_value *bound)
{
    if (bound->type.dtype != x->type.dtype) {
        node_error(n, "a bound of type %s for values of type %s", ir_dtype_text(bound->type.dtype),
                   ir_dtype_text(x->type.dtype));
        return NULL;
    }
    bound = ort_quantized(n, bound, x->quant);
    return bound ? node_done_quant(n, node_emit2(n, code, x, bound), x->type.dtype, x->quant) : NULL;
}

bool ort_op_unary(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    if (n->entry->code == IR_RELU && x->type.dtype != IR_F32)
        return ort_put(n, 0, bounded(n, IR_MAXIMUM, x, node_ints(n, x->type.dtype, 0, 1, (int64_t[]){0})), layout);
    if (n->entry->code == IR_RELU)
        return ort_put(n, 0, ort_clamped(n, x, 0, INFINITY), layout);
    if (n->entry->code == IR_LEAKY_RELU)
        return ort_put(n, 0, sloped(n, x, ort_float(n, "alpha", 0.01f)), layout);
    return ort_put(n, 0, node_unary(n, n->entry->code, x), layout);
}

bool ort_op_gelu(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    ir_op *op = node_emit1(n, IR_GELU, x);
    ir_set_int(op, IR_ATTR_APPROXIMATE, strcmp(ort_text(n, "approximate", "none"), "tanh") == 0);
    return ort_put(n, 0, node_done(n, op), layout);
}

/* entry->code 1: the tanh form. */
bool ort_op_bias_gelu(ort_node *n)
{
    ir_value *x = ort_plain(n, 0), *b;
    if (!x || !ort_optional(n, 1, &b) || (b && !(x = node_binary(n, IR_ADD, x, b))))
        return false;
    ir_op *op = node_emit1(n, IR_GELU, x);
    ir_set_int(op, IR_ATTR_APPROXIMATE, (int)n->entry->code);
    return ort_put(n, 0, node_done(n, op), LAYOUT_PLAIN);
}

bool ort_op_hard_sigmoid(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    return x && ort_put(n, 0, ort_hard_sigmoid(n, x, ort_float(n, "alpha", 0.2f), ort_float(n, "beta", 0.5f)), layout);
}

bool ort_op_reciprocal(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    return x && ort_put(n, 0, node_binary(n, IR_DIV, node_real(n, 1), x), layout);
}

bool ort_op_quick_gelu(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    ir_value *s = node_binary(n, IR_MUL, x, node_real(n, ort_float(n, "alpha", 1.702f)));
    return ort_put(n, 0, node_binary(n, IR_MUL, x, node_unary(n, IR_LOGISTIC, s)), layout);
}

/* Bounds are attributes or operands; operands need not be constant, and are integers where the values are. */
bool ort_op_clip(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout), *bounds[2];
    float low = ort_float(n, "min", -INFINITY), high = ort_float(n, "max", INFINITY);
    if (!x || !ort_optional(n, 1, &bounds[0]) || !ort_optional(n, 2, &bounds[1]))
        return false;
    const bool integers = x->type.dtype != IR_F32 && x->type.dtype != IR_BOOL;
    for (int i = 0; i < 2; i++) {
        if (!bounds[i] || (ir_is_const(bounds[i]) && !integers))
            continue;
        if (ir_type_elements(&bounds[i]->type) != 1 || bounds[i]->type.rank > x->type.rank)
            return node_error(n, "bound %d must be one number", i);
        x = bounded(n, i ? IR_MINIMUM : IR_MAXIMUM, x, bounds[i]);
        if (!x)
            return false;
        bounds[i] = NULL;
    }
    if (integers)
        return ort_put(n, 0, x, layout);
    if ((bounds[0] && !ort_param_real(n, 1, "lower bound", &low)) ||
        (bounds[1] && !ort_param_real(n, 2, "upper bound", &high)))
        return false;
    return ort_put(n, 0, ort_clamped(n, x, low, high), layout);
}

static bool cast(ort_node *n, ir_dtype dtype, int64_t to)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    if (!dtype)
        return node_error(n, "casting to type %lld is not supported", (long long)to);
    if (x->type.dtype == dtype && !x->quant)
        return ort_put(n, 0, x, layout);
    return ort_put(n, 0, node_done_quant(n, node_emit1(n, IR_CAST, x), dtype, NULL), layout);
}

bool ort_op_cast(ort_node *n)
{
    const int64_t to = ort_int(n, "to", 0);
    return cast(n, ort_dtype(to), to);
}

/* To the type of another value, which has no other bearing. */
bool ort_op_cast_like(ort_node *n)
{
    ir_type like;
    return ort_shape(n, 1, &like) && cast(n, like.dtype, (int64_t)like.dtype);
}

bool ort_op_identity(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    return ort_put(n, 0, ort_in(n, 0, layout), layout);
}

/* Outside of training it does nothing, whatever the ratio, operand 1. */
bool ort_op_dropout(ort_node *n)
{
    ir_value *training = ort_has(n, 2) ? ort_known(n, 2) : NULL;
    ort_ignore(n, 1);
    if (ort_has(n, 2) && !training)
        return false;
    if (training && (!ir_is_const(training) || training->type.dtype != IR_BOOL ||
                     ir_type_elements(&training->type) != 1 || ir_const_int(training, 0)))
        return node_error(n, "dropout in training is not supported: export the model for inference");
    return ort_op_identity(n);
}

/* ---- Two operands and more ---- */

static ir_value *binary(ort_node *n, ir_value *a, ir_value *b)
{
    ir_opcode code = n->entry->code;
    bool compares = code == IR_EQUAL || code == IR_NOT_EQUAL || code == IR_LESS || code == IR_LESS_EQUAL ||
                    code == IR_GREATER || code == IR_GREATER_EQUAL;
    if (!compares)
        return node_binary(n, code, a, b);
    return node_done_quant(n, node_emit2(n, code, a, b), IR_BOOL, NULL);
}

bool ort_op_binary(ort_node *n)
{
    ir_value *a, *b;
    node_layout layout;
    return ort_pair(n, 0, 1, &a, &b, &layout) && ort_put(n, 0, binary(n, a, b), layout);
}

bool ort_op_bitwise_not(ort_node *n)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    if (!x)
        return false;
    const int64_t every = x->type.dtype == IR_U8 ? UINT8_MAX : -1;
    if (ir_dtype_is_float(x->type.dtype) || x->type.dtype == IR_BOOL)
        return node_error(n, "bits of values of type %s", ir_dtype_text(x->type.dtype));
    return ort_put(n, 0, node_binary(n, IR_BITWISE_XOR, x, node_ints(n, x->type.dtype, 0, 1, &every)), layout);
}

bool ort_op_bit_shift(ort_node *n)
{
    ir_value *a, *b;
    node_layout layout;
    const bool left = strcmp(ort_text(n, "direction", ""), "LEFT") == 0;
    return ort_pair(n, 0, 1, &a, &b, &layout) &&
           ort_put(n, 0, node_binary(n, left ? IR_SHIFT_LEFT : IR_SHIFT_RIGHT, a, b), layout);
}

/* The IR's floor_mod, whose remainder has the sign of the divisor.  Bytes are none of its types. */
static ir_value *floor_mod(ort_node *n, ir_value *a, ir_value *b)
{
    if (!a || !b || a->type.dtype != IR_U8 || b->type.dtype != IR_U8 || a->quant || b->quant)
        return node_binary(n, IR_FLOOR_MOD, a, b);
    a = node_done_quant(n, node_emit1(n, IR_CAST, a), IR_I32, NULL);
    b = node_done_quant(n, node_emit1(n, IR_CAST, b), IR_I32, NULL);
    ir_value *y = node_binary(n, IR_FLOOR_MOD, a, b);
    return y ? node_done_quant(n, node_emit1(n, IR_CAST, y), IR_U8, NULL) : NULL;
}

/* With fmod the remainder has the sign of the dividend: that of the magnitudes, times the sign. */
bool ort_op_mod(ort_node *n)
{
    ir_value *a, *b;
    node_layout layout;
    if (!ort_pair(n, 0, 1, &a, &b, &layout))
        return false;
    const bool of_dividend = ort_int(n, "fmod", 0);
    if (ir_dtype_is_float(a->type.dtype) && !of_dividend && n->since < 28)
        return node_error(n, "remainders of real numbers are defined with fmod only before operator set 28");
    if (!of_dividend || a->type.dtype == IR_U8)
        return ort_put(n, 0, floor_mod(n, a, b), layout);
    if (a->type.dtype != IR_F32) /* the quotient loses its fraction */
        return ort_put(n, 0, node_binary(n, IR_SUB, a, node_binary(n, IR_MUL, node_binary(n, IR_DIV, a, b), b)),
                       layout);
    ir_value *rest = node_binary(n, IR_FLOOR_MOD, node_unary(n, IR_ABS, a), node_unary(n, IR_ABS, b));
    return ort_put(n, 0, node_binary(n, IR_MUL, rest, node_unary(n, IR_SIGN, a)), layout);
}

bool ort_op_pow(ort_node *n)
{
    ir_value *a, *b;
    node_layout layout;
    if (!ort_pair(n, 0, 1, &a, &b, &layout))
        return false;
    bool single =
        ir_is_const(b) && ir_type_elements(&b->type) == 1 && a->type.dtype == IR_F32 && b->type.rank <= a->type.rank;
    double exponent = single ? ir_const_real(b, 0) : 0;
    if (single && exponent == 2)
        return ort_put(n, 0, node_binary(n, IR_MUL, a, a), layout);
    if (single && exponent == 0.5)
        return ort_put(n, 0, node_unary(n, IR_SQRT, a), layout);
    return ort_put(n, 0, node_binary(n, IR_POW, a, b), layout);
}

/* Two operands may have their channels last. */
static ir_value *joined(ort_node *n, node_layout *out)
{
    ir_value *a, *b;
    *out = n->input_count == 1 ? ort_layout_of(n, 0) : LAYOUT_PLAIN;
    if (n->input_count == 2)
        return ort_pair(n, 0, 1, &a, &b, out) ? node_binary(n, n->entry->code, a, b) : NULL;
    a = ort_in(n, 0, *out);
    for (int i = 1; a && i < n->input_count; i++)
        a = (b = ort_plain(n, i)) ? node_binary(n, n->entry->code, a, b) : NULL;
    return a;
}

bool ort_op_variadic(ort_node *n)
{
    node_layout layout;
    ir_value *y = joined(n, &layout);
    return ort_put(n, 0, y, layout);
}

bool ort_op_mean(ort_node *n)
{
    node_layout layout;
    ir_value *y = joined(n, &layout);
    return ort_put(n, 0, y ? node_binary(n, IR_DIV, y, node_real(n, (float)n->input_count)) : NULL, layout);
}

bool ort_op_where(ort_node *n)
{
    ir_value *c = ort_plain(n, 0), *a = c ? ort_plain(n, 1) : NULL, *b = a ? ort_plain(n, 2) : NULL;
    if (!b)
        return false;
    return ort_put(n, 0,
                   node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){c, a, b}), a->type.dtype, a->quant),
                   LAYOUT_PLAIN);
}
