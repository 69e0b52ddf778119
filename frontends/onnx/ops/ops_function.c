/* ops_function.c: functions of one value that the IR has no op for, composed of ops that it has.  They keep the layout
 * of their operand. */
#include <math.h>

#include "frontends/onnx/import.h"

typedef ir_value *function(ort_node *, ir_value *);

static bool apply(ort_node *n, function *f)
{
    node_layout layout = ort_layout_of(n, 0);
    ir_value *x = ort_in(n, 0, layout);
    return x && ort_put(n, 0, f(n, x), layout);
}

static ir_value *times(ort_node *n, ir_value *x, float factor)
{
    return factor == 1 ? x : node_binary(n, IR_MUL, x, node_real(n, factor));
}

/* max(x, 0) + log(1 + e^-|x|), which does not overflow. */
static ir_value *softplus(ort_node *n, ir_value *x)
{
    ir_value *e = node_unary(n, IR_EXP, node_unary(n, IR_NEG, node_unary(n, IR_ABS, x)));
    ir_value *rest = node_unary(n, IR_LOG, node_binary(n, IR_ADD, e, node_real(n, 1)));
    return node_binary(n, IR_ADD, ort_clamped(n, x, 0, HUGE_VALF), rest);
}

static ir_value *mish(ort_node *n, ir_value *x)
{
    return node_binary(n, IR_MUL, x, node_unary(n, IR_TANH, softplus(n, x)));
}

static ir_value *softsign(ort_node *n, ir_value *x)
{
    return node_binary(n, IR_DIV, x, node_binary(n, IR_ADD, node_unary(n, IR_ABS, x), node_real(n, 1)));
}

/* x above 0, alpha (e^(x / width) - 1) below. */
static ir_value *exponential(ort_node *n, ir_value *x, float alpha, float width)
{
    if (alpha == 1 && width == 1)
        return node_unary(n, IR_ELU, x);
    ir_value *below = node_binary(n, IR_MINIMUM, x, node_real(n, 0));
    below = node_unary(n, IR_ELU, below ? times(n, below, 1 / width) : NULL);
    return node_binary(n, IR_ADD, ort_clamped(n, x, 0, HUGE_VALF), below ? times(n, below, alpha) : NULL);
}

static ir_value *elu(ort_node *n, ir_value *x) { return exponential(n, x, ort_float(n, "alpha", 1), 1); }

static ir_value *celu(ort_node *n, ir_value *x)
{
    float alpha = ort_float(n, "alpha", 1);
    return exponential(n, x, alpha, alpha);
}

static ir_value *selu(ort_node *n, ir_value *x)
{
    ir_value *y = exponential(n, x, ort_float(n, "alpha", 1.67326319f), 1);
    return y ? times(n, y, ort_float(n, "gamma", 1.05070102f)) : NULL;
}

static ir_value *compared(ort_node *n, ir_opcode code, ir_value *a, ir_value *b)
{
    return a && b ? node_done_quant(n, node_emit2(n, code, a, b), IR_BOOL, NULL) : NULL;
}

static ir_value *selected(ort_node *n, ir_value *condition, ir_value *a, ir_value *b)
{
    if (!condition || !a || !b)
        return NULL;
    return node_done_quant(n, node_emit(n, IR_SELECT, 3, (ir_value *[]){condition, a, b}), a->type.dtype, NULL);
}

static ir_value *thresholded(ort_node *n, ir_value *x)
{
    ir_value *above = compared(n, IR_GREATER, x, node_real(n, ort_float(n, "alpha", 1)));
    return above ? selected(n, above, x, node_real(n, 0)) : NULL;
}

static ir_value *swish(ort_node *n, ir_value *x)
{
    return node_binary(n, IR_MUL, x, node_unary(n, IR_LOGISTIC, times(n, x, ort_float(n, "alpha", 1))));
}

static ir_value *shrink(ort_node *n, ir_value *x)
{
    const float bias = ort_float(n, "bias", 0), limit = ort_float(n, "lambd", 0.5f);
    if (x->type.dtype != IR_F32) {
        node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
        return NULL;
    }
    ir_value *above = selected(n, compared(n, IR_GREATER, x, node_real(n, limit)),
                               node_binary(n, IR_SUB, x, node_real(n, bias)), node_real(n, 0));
    return selected(n, compared(n, IR_LESS, x, node_real(n, -limit)), node_binary(n, IR_ADD, x, node_real(n, bias)),
                    above);
}

/* ---- Angles ---- */

static ir_value *tangent(ort_node *n, ir_value *x)
{
    return node_binary(n, IR_DIV, node_unary(n, IR_SIN, x), node_unary(n, IR_COS, x));
}

static ir_value *arc_tangent(ort_node *n, ir_value *x) { return node_binary(n, IR_ATAN2, x, node_real(n, 1)); }

/* The other side of a triangle whose hypotenuse is 1. */
static ir_value *other_side(ort_node *n, ir_value *x)
{
    ir_value *one = node_real(n, 1);
    return node_unary(n, IR_SQRT,
                      node_binary(n, IR_MUL, node_binary(n, IR_SUB, one, x), node_binary(n, IR_ADD, x, one)));
}

static ir_value *arc_sine(ort_node *n, ir_value *x) { return node_binary(n, IR_ATAN2, x, other_side(n, x)); }
static ir_value *arc_cosine(ort_node *n, ir_value *x) { return node_binary(n, IR_ATAN2, other_side(n, x), x); }

/* ---- Hyperbolic functions and their inverses: of |x|, times x's sign where they have one ---- */

static ir_value *plus(ort_node *n, ir_value *x, float constant)
{
    return node_binary(n, IR_ADD, x, node_real(n, constant));
}

static ir_value *with_sign_of(ort_node *n, ir_value *x, ir_value *y)
{
    return node_binary(n, IR_MUL, node_unary(n, IR_SIGN, x), y);
}

/* log(1 + y), also where 1 + y has lost digits of y: they are in the quotient. */
static ir_value *log_of_one_plus(ort_node *n, ir_value *y)
{
    ir_value *u = plus(n, y, 1), *log = node_unary(n, IR_LOG, u), *kept = plus(n, u, -1);
    ir_value *small = node_binary(n, IR_MUL, log, node_binary(n, IR_DIV, y, kept));
    ir_value *none = kept ? compared(n, IR_EQUAL, kept, node_real(n, 0)) : NULL;
    small = selected(n, none, y, small);
    return y ? selected(n, compared(n, IR_LESS, y, node_real(n, 1)), small, log) : NULL;
}

/* Half of factor times e^|x|, which is infinite no sooner than that. */
static ir_value *half_of_exponential(ort_node *n, ir_value *x, ir_value *factor)
{
    ir_value *half = node_binary(n, IR_MUL, node_unary(n, IR_ABS, x), node_real(n, 0.5f));
    ir_value *root = node_unary(n, IR_EXP, half), *less = node_binary(n, IR_MUL, factor, node_real(n, 0.5f));
    return node_binary(n, IR_MUL, node_binary(n, IR_MUL, root, less), root);
}

/* (m + m e^|x|) / 2, m being 1 - e^-|x|. */
static ir_value *hyperbolic_sine(ort_node *n, ir_value *x)
{
    ir_value *m = node_unary(n, IR_NEG, node_unary(n, IR_ELU, node_unary(n, IR_NEG, node_unary(n, IR_ABS, x))));
    ir_value *half = node_binary(n, IR_MUL, m, node_real(n, 0.5f));
    return with_sign_of(n, x, node_binary(n, IR_ADD, half, half_of_exponential(n, x, m)));
}

static ir_value *hyperbolic_cosine(ort_node *n, ir_value *x)
{
    ir_value *half = half_of_exponential(n, x, node_real(n, 1));
    return node_binary(n, IR_ADD, half, node_binary(n, IR_DIV, node_real(n, 0.25f), half));
}

/* log(1 + |x| + x² / (1 + √(1 + x²))); where 1 makes no difference any more, log |x| + log 2. */
static ir_value *inverse_hyperbolic_sine(ort_node *n, ir_value *x)
{
    ir_value *size = node_unary(n, IR_ABS, x), *square = node_binary(n, IR_MUL, x, x);
    ir_value *below = plus(n, node_unary(n, IR_SQRT, plus(n, square, 1)), 1);
    ir_value *near = log_of_one_plus(n, node_binary(n, IR_ADD, size, node_binary(n, IR_DIV, square, below)));
    ir_value *far = plus(n, node_unary(n, IR_LOG, size), 0.693147181f);
    return size ? with_sign_of(n, x, selected(n, compared(n, IR_LESS, size, node_real(n, 1e6f)), near, far)) : NULL;
}

/* log(1 + (y + √y √(x + 1))), y being x - 1. */
static ir_value *inverse_hyperbolic_cosine(ort_node *n, ir_value *x)
{
    ir_value *y = plus(n, x, -1);
    ir_value *root = node_binary(n, IR_MUL, node_unary(n, IR_SQRT, y), node_unary(n, IR_SQRT, plus(n, x, 1)));
    return log_of_one_plus(n, node_binary(n, IR_ADD, y, root));
}

static ir_value *inverse_hyperbolic_tangent(ort_node *n, ir_value *x)
{
    ir_value *size = node_unary(n, IR_ABS, x), *twice = node_binary(n, IR_ADD, size, size);
    ir_value *y = node_binary(n, IR_DIV, twice, node_binary(n, IR_SUB, node_real(n, 1), size));
    return with_sign_of(n, x, node_binary(n, IR_MUL, log_of_one_plus(n, y), node_real(n, 0.5f)));
}

/* ---- What is not finite ---- */

static ir_value *is_nan(ort_node *n, ir_value *x) { return compared(n, IR_NOT_EQUAL, x, x); }

static ir_value *is_infinite(ort_node *n, ir_value *x)
{
    const bool below = ort_int(n, "detect_negative", 1), above = ort_int(n, "detect_positive", 1);
    if (x->type.dtype != IR_F32) {
        node_error(n, "values of type %s are not supported", ir_dtype_text(x->type.dtype));
        return NULL;
    }
    if (below && above)
        x = node_unary(n, IR_ABS, x);
    return compared(n, below || above ? IR_EQUAL : IR_LESS, x, node_real(n, above ? HUGE_VALF : -HUGE_VALF));
}

bool ort_op_swish(ort_node *n) { return apply(n, swish); }
bool ort_op_shrink(ort_node *n) { return apply(n, shrink); }
bool ort_op_tan(ort_node *n) { return apply(n, tangent); }
bool ort_op_atan(ort_node *n) { return apply(n, arc_tangent); }
bool ort_op_asin(ort_node *n) { return apply(n, arc_sine); }
bool ort_op_acos(ort_node *n) { return apply(n, arc_cosine); }
bool ort_op_sinh(ort_node *n) { return apply(n, hyperbolic_sine); }
bool ort_op_cosh(ort_node *n) { return apply(n, hyperbolic_cosine); }
bool ort_op_asinh(ort_node *n) { return apply(n, inverse_hyperbolic_sine); }
bool ort_op_acosh(ort_node *n) { return apply(n, inverse_hyperbolic_cosine); }
bool ort_op_atanh(ort_node *n) { return apply(n, inverse_hyperbolic_tangent); }
bool ort_op_is_nan(ort_node *n) { return apply(n, is_nan); }
bool ort_op_is_inf(ort_node *n) { return apply(n, is_infinite); }

bool ort_op_swiglu(ort_node *n)
{
    ir_value *gate, *x;
    node_layout layout;
    return ort_pair(n, 0, 1, &gate, &x, &layout) && ort_put(n, 0, node_binary(n, IR_MUL, swish(n, gate), x), layout);
}

bool ort_op_softplus(ort_node *n) { return apply(n, softplus); }
bool ort_op_mish(ort_node *n) { return apply(n, mish); }
bool ort_op_softsign(ort_node *n) { return apply(n, softsign); }
bool ort_op_elu(ort_node *n) { return apply(n, elu); }
bool ort_op_celu(ort_node *n) { return apply(n, celu); }
bool ort_op_selu(ort_node *n) { return apply(n, selu); }
bool ort_op_thresholded_relu(ort_node *n) { return apply(n, thresholded); }
