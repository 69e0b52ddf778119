/* qdq_compute.c: a float op between dequantizes and a quantize becomes the op on the integers.
 *
 *     %3:f32<…> = dequantize %0:u8<…; 0.05, 128>        %6:u8<…; 0.1, 3> = conv2d %0, %1, %2 {act = relu}
 *     %4:f32<…> = dequantize const %1:i8<…; 0.02, 0>
 *     %5:f32<…> = relu (conv2d %3, %4, const %2:f32)
 *     %6:u8<…; 0.1, 3> = quantize %5
 *
 * This is the one pass that changes integers: a fake-quantized graph stands for the integer graph.  The result differs
 * by at most 1 from what the floats give, where a real bias is rounded to the accumulator's scale, or floats to the
 * nearest integer in another way.  Constants without scales, apart from single numbers and biases, leave an op in
 * float; so do other users of its real result, and a quantize that rounds otherwise than ONNX's, or comes from TFLite.
 */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/gate.h"
#include "passes/common/qdq.h"
#include "passes/common/real_sum.h"

/* ---- Operands ---- */

/* A single number as one integer, which is exact: |c| is the scale. */
static ir_value *integer_of(ir_graph *g, const ir_value *v, ir_dtype dtype)
{
    if (!ir_is_const(v) || v->type.dtype != IR_F32 || ir_type_elements(&v->type) != 1)
        return NULL;
    float c = (float)ir_const_real(v, 0);
    if (c != 0 && !isnormal(c))
        return NULL;
    unsigned char *q = ARENA_ARRAY(g->arena, unsigned char, 1);
    int32_t zero = dtype == IR_U8 ? 128 : 0;
    *q = (unsigned char)(zero + (c > 0) - (c < 0));
    ir_type type = v->type;
    type.dtype = dtype;
    ir_value *r = ir_const_new(g, type, ir_quant_tensor(g, c == 0 ? 1 : fabsf(c), zero), q);
    r->name = v->name;
    return r;
}

/* Operands of `op` as integers of type `dtype`; false when one has none.  At least one is not constant. */
static bool integer_operands(ir_graph *g, const ir_op *op, ir_op *before, ir_dtype dtype, ir_value *to[2])
{
    bool real = false;
    for (int i = 0; i < op->operand_count; i++) {
        const ir_value *v = op->operands[i].value;
        to[i] = qdq_source(v);
        real = real || to[i];
        if (!to[i] && !(to[i] = integer_of(g, v, dtype)))
            return false;
    }
    for (int i = 0; real && i < op->operand_count; i++)
        to[i] = qdq_as_dtype(to[i], dtype, before);
    return real;
}

/* ---- Ops with parameters of their own for each operand ---- */

static bool divides_by_number(const ir_op *op)
{
    const ir_value *b = op->operands[1].value;
    return pass_is_number(b) && ir_const_real(b, 0) != 0;
}

static bool is_simple(const ir_op *op)
{
    switch (op->code) {
    case IR_DEQUANTIZE:
    case IR_REQUANTIZE: return false;
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_MINIMUM:
    case IR_MAXIMUM:
    case IR_SQUARED_DIFFERENCE:
    case IR_PRELU:
    case IR_BATCH_MATMUL:
    case IR_MEAN:
    case IR_SUM:
    case IR_LOG_SOFTMAX:
    case IR_L2_NORMALIZE: return true;
    case IR_SOFTMAX: return !ir_operand_value(op, 1);
    case IR_DIV: /* by 0 gives infinity, and 0 in integers */ return divides_by_number(op);
    default: return (ir_op_info_of(op->code)->flags & IR_LOOKUP) != 0;
    }
}

/* x, an integer that the op alone uses, or one with the parameters of y. */
static ir_value *on_grid_of(ir_value *x, const ir_value *y, ir_op *q)
{
    if (ir_quant_equal(x->quant, y->quant))
        return x;
    ir_type type = x->type;
    type.dtype = y->type.dtype;
    ir_value *r = pass_op1(q->graph, IR_REQUANTIZE, q, q, 1, &x, type, y->quant);
    ir_set_int(r->def, IR_ATTR_ROUNDING, ir_int(q, IR_ATTR_ROUNDING));
    return r;
}

static ir_value *simple(ir_graph *g, const ir_op *op, ir_op *q, ir_enum_ACT act)
{
    ir_value *x[2] = {NULL, NULL};
    const ir_value *y = q->results[0];
    if (!is_simple(op) || !integer_operands(g, op, q, y->type.dtype, x))
        return NULL;
    if (op->code == IR_MINIMUM || op->code == IR_MAXIMUM) /* which compare stored integers in fixed point */
        for (int i = 0; i < 2; i++)
            x[i] = on_grid_of(x[i], y, q);
    ir_value *r = qdq_clone(op, q, x, y->type.dtype, y->quant, act);
    for (int i = 0; !r && i < op->operand_count; i++)
        qdq_drop(x[i]);
    return r;
}

static bool is_row_op(const ir_op *op) { return op->code == IR_LAYER_NORM || op->code == IR_SOFTMAX; }

bool qdq_stays_real(const ir_op *op, int operand) { return is_row_op(op) && operand > 0; }

/* layer_norm, softmax: gamma and beta, or the mask, stay real.  Scores in front of a softmax may stay so, too. */
static ir_value *row_op(const ir_op *op, ir_op *q)
{
    const ir_value *y = q->results[0];
    if (!is_row_op(op))
        return NULL;
    ir_value *x = qdq_source(op->operands[0].value);
    if (!x && op->code == IR_SOFTMAX)
        x = op->operands[0].value;
    if (!x)
        return NULL;
    ir_value *operands[3] = {x, ir_operand_value(op, 1), ir_operand_value(op, 2)};
    if (x->type.dtype != IR_F32)
        operands[0] = qdq_as_dtype(x, y->type.dtype, q);
    ir_value *r = qdq_clone(op, q, operands, y->type.dtype, y->quant, IR_ACT_NONE);
    if (!r && operands[0] != x)
        qdq_drop(operands[0]);
    return r;
}

/* ---- Ops that keep parameters: another scale is a requantize behind them, unless that loses precision ---- */

static bool keeps_scale(const ir_op *op)
{
    return op->code == IR_AVG_POOL2D || op->code == IR_RESIZE_BILINEAR || op->code == IR_MAX_POOL2D;
}

bool qdq_computes(const ir_op *op) { return is_simple(op) || is_row_op(op) || keeps_scale(op); }

static ir_value *same_scale(ir_graph *g, const ir_op *op, ir_op *q, ir_enum_ACT act)
{
    if (!keeps_scale(op))
        return NULL;
    const ir_value *y = q->results[0];
    ir_value *x = qdq_source(op->operands[0].value);
    if (!x)
        return NULL;
    ir_value *flipped = qdq_as_dtype(x, y->type.dtype, q), *r;
    bool equal = ir_quant_equal(flipped->quant, y->quant);
    if (!equal && op->code == IR_AVG_POOL2D && (r = qdq_average(g, op, q, flipped, act)) != NULL)
        return r;
    if (equal || (x->quant->scale[0] <= y->quant->scale[0] && act == IR_ACT_NONE))
        r = qdq_clone(op, q, &flipped, flipped->type.dtype, flipped->quant, act);
    else
        r = NULL;
    if (!r && flipped != x)
        qdq_drop(flipped);
    if (!r || ir_quant_equal(r->quant, y->quant))
        return r;
    return pass_op1(g, IR_REQUANTIZE, q, op, 1, &r, y->type, y->quant);
}

/* ---- A product and its gate ---- */

static ir_value *slopes_of(ir_graph *g, const gate *behind)
{
    static const float sixth[1] = {1.0f / 6};
    return behind->slopes ? ir_const_new(g, behind->slopes->type, NULL, behind->slopes->data)
                          : ir_const_new(g, ir_type_make(IR_F32, 1, (int64_t[]){1}), NULL, sixth);
}

static ir_value *gated(ir_graph *g, const ir_op *last, ir_op *q)
{
    const ir_op *product = qdq_rounding(q) == IR_ROUNDING_EVEN_F32 ? gate_product(last) : NULL;
    gate behind;
    diag ignored = {0};
    if (!product || !gate_of(product, &behind) || behind.ops[behind.count - 1] != last)
        return NULL;
    ir_value *r = qdq_product(g, product, q, q->results[0], IR_ACT_NONE);
    if (!r)
        return NULL;
    while (r->def->operand_count < IR_MAC_GATE)
        ir_set_operand(r->def, r->def->operand_count, NULL);
    ir_set_operand(r->def, IR_MAC_GATE, slopes_of(g, &behind));
    if (ir_op_supported(r->def, &ignored))
        return r;
    ir_op_erase(r->def);
    return NULL;
}

/* ---- A product and the residual that it adds ---- */

static ir_value *with_residual(ir_graph *g, const ir_op *sum, ir_op *q, ir_enum_ACT act)
{
    const int index = qdq_rounding(q) == IR_ROUNDING_EVEN_F32 ? real_sum_product(sum) : -1;
    const ir_value *y = q->results[0];
    ir_value *x = index < 0 ? NULL : qdq_source(sum->operands[1 - index].value);
    diag ignored = {0};
    if (!x)
        return NULL;
    ir_value *r = qdq_product(g, sum->operands[index].value->def, q, y, IR_ACT_NONE);
    if (!r)
        return NULL;
    if (r->def->operand_count == 2)
        ir_set_operand(r->def, 2, NULL);
    ir_value *flipped = qdq_as_dtype(x, y->type.dtype, r->def);
    ir_set_operand(r->def, 3, flipped);
    ir_set_int(r->def, IR_ATTR_ADD_ACT, act);
    if (ir_op_supported(r->def, &ignored))
        return r;
    ir_op_erase(r->def);
    if (flipped != x)
        qdq_drop(flipped);
    return NULL;
}

/* ---- The pass ---- */

/* Paddle Lite's models say themselves what is computed in integers: of the rest only functions of one value become
 * integer ops, which are exact. */
static ir_value *compute(ir_graph *g, const ir_op *op, ir_op *q, ir_enum_ACT act, bool gates)
{
    if (op->keep_float)
        return NULL;
    if (ir_int(q, IR_ATTR_ROUNDING) == IR_ROUNDING_LITE_F32)
        return ir_op_info_of(op->code)->flags & IR_LOOKUP ? simple(g, op, q, act) : NULL;
    ir_value *r = qdq_product(g, op, q, q->results[0], act);
    if (!r && gates && act == IR_ACT_NONE)
        r = gated(g, op, q);
    if (!r && gates)
        r = with_residual(g, op, q, act);
    if (!r)
        r = simple(g, op, q, act);
    if (!r && act == IR_ACT_NONE)
        r = row_op(op, q);
    return r ? r : same_scale(g, op, q, act);
}

/* A clamp by itself, on integers that have the result's parameters already. */
static ir_value *clamp(ir_graph *g, const ir_op *relu, ir_op *q, ir_value *x)
{
    ir_value *r = pass_op1(g, IR_RELU, q, relu, 1, &x, x->type, x->quant);
    ir_set_int(r->def, IR_ATTR_ACT, qdq_act(relu));
    return r;
}

static ir_value *integer_form(ir_graph *g, ir_op *q, bool gates)
{
    ir_value *v = q->operands[0].value, *x = qdq_source(v);
    if (x) {
        ir_value *r = pass_op1(g, IR_REQUANTIZE, q, q, 1, &x, q->results[0]->type, q->results[0]->quant);
        ir_set_int(r->def, IR_ATTR_ROUNDING, qdq_rounding(q));
        return r;
    }
    if (!v->def || !qdq_only_quantized(v))
        return NULL;
    if (v->def->keep_float)
        return NULL;
    ir_op *relu = v->def->code == IR_RELU ? v->def : NULL;
    if (!relu)
        return compute(g, v->def, q, qdq_act(v->def), gates);
    const ir_value *inner = relu->operands[0].value;
    if (!inner->def || inner->def->code == IR_DEQUANTIZE || pass_single_user(inner) != relu)
        return compute(g, relu, q, qdq_act(relu), false);
    bool takes = ir_has_attr(inner->def, IR_ATTR_ACT) && qdq_act(inner->def) == IR_ACT_NONE;
    ir_value *r = compute(g, inner->def, q, takes ? qdq_act(relu) : qdq_act(inner->def), gates && takes);
    return r && !takes ? clamp(g, relu, q, r) : r;
}

/* Does requantize do nothing? */
static bool is_identity(const ir_value *r)
{
    const ir_value *x = r->def->operands[0].value;
    return r->def->code == IR_REQUANTIZE && pass_keeps_smallest(r->def) && ir_type_equal(&x->type, &r->type) &&
           ir_quant_equal(x->quant, r->quant);
}

pass_result pass_qdq_compute(ir_graph *g, pass_context *c)
{
    const bool gates = c->options->calibration && gate_is_possible(c->options);
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        ir_value *y = op->results && op->code == IR_QUANTIZE ? op->results[0] : NULL;
        ir_value *r = y && !op->keep_float && qdq_is_target(op) ? integer_form(g, op, gates) : NULL;
        if (!r)
            continue;
        result = PASS_CHANGED;
        r->name = y->name;
        r->scale_from = y->scale_from;
        ir_replace_uses(y, is_identity(r) ? r->def->operands[0].value : r);
        qdq_drop(r);
        ir_op_erase(op);
    }
    return result;
}
