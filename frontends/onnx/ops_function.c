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

static ir_value *thresholded(ort_node *n, ir_value *x)
{
    ir_op *op = node_emit2(n, IR_GREATER, x, node_real(n, ort_float(n, "alpha", 1)));
    ir_value *above = node_done_quant(n, op, IR_BOOL, NULL);
    if (!above)
        return NULL;
    op = node_emit(n, IR_SELECT, 3, (ir_value *[]){above, x, node_real(n, 0)});
    return node_done_quant(n, op, x->type.dtype, NULL);
}

bool ort_op_softplus(ort_node *n) { return apply(n, softplus); }
bool ort_op_mish(ort_node *n) { return apply(n, mish); }
bool ort_op_softsign(ort_node *n) { return apply(n, softsign); }
bool ort_op_elu(ort_node *n) { return apply(n, elu); }
bool ort_op_celu(ort_node *n) { return apply(n, celu); }
bool ort_op_selu(ort_node *n) { return apply(n, selu); }
bool ort_op_thresholded_relu(ort_node *n) { return apply(n, thresholded); }
