/* dequantize_graph.c: quantized ops that are to be computed in float (`choose` has marked them) become float ops:
 * weights dequantized, and conversions where neighbours stay integers.
 *
 *     %3:u8<…; 0.1, 3> = conv2d %0:u8<…; 0.5, 7>, const %1:i8<…>, const %2:i32<8>
 *
 *     %4:f32<…> = dequantize %0                     none where %0 has been computed in float, too
 *     %5:f32<…> = conv2d %4, const %6:f32<…>, const %7:f32<8>
 *     %3:u8<…; 0.1, 3> = quantize %5                removed when only floats read it
 *
 * Integers that begin at the real value 0 clamp what they store: exporters leave out the relu in front of them, and
 * files that were optimized hold such results.  Floats have no such end, so the clamp becomes an activation (relu6
 * when the integers end at 6).  --quantize=none treats quantize and fake_quant alike: the op that they worked on gets
 * the clamp.  States of a model keep their type. */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/plan.h"

typedef struct rewrite {
    ir_graph *g;
    pass_context *context;
    uint32_t ids;    /* values from here on are new */
    ir_value **real; /* by id of a quantized value of the file: its reals; NULL: not computed */
} rewrite;

/* ---- Constants ---- */

static float scale_at(const ir_quant *q, int64_t i) { return q->scale[q->axis < 0 ? 0 : i]; }

/* A bias in units of operand times weights. */
static ir_value *real_bias(ir_graph *g, const ir_op *op, const ir_value *b)
{
    const ir_quant *x = op->operands[0].value->quant, *w = op->operands[1].value->quant;
    int64_t count = ir_type_elements(&b->type);
    float *to = ARENA_ARRAY(g->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)((double)ir_const_int(b, i) * (double)x->scale[0] * (double)scale_at(w, i));
    ir_value *r = ir_const_new(g, ir_type_make(IR_F32, b->type.rank, b->type.dims), NULL, to);
    r->name = b->name;
    return r;
}

static bool has_integer_bias(const ir_op *op)
{
    const ir_value *b = (ir_op_info_of(op->code)->flags & IR_MAC) ? ir_operand_value(op, 2) : NULL;
    return b && ir_is_const(b) && !b->quant && !ir_dtype_is_float(b->type.dtype) && op->operands[0].value->quant &&
           op->operands[1].value->quant &&
           (op->operands[1].value->quant->axis < 0 ||
            op->operands[1].value->quant->count == ir_type_elements(&b->type));
}

/* ---- Clamps that the integers imply ---- */

static bool keeps_sign(const ir_op *op)
{
    return (ir_op_info_of(op->code)->flags & IR_SAME_QUANT) || op->code == IR_MEAN || op->code == IR_SUM;
}

static bool is_never_negative(const ir_op *op)
{
    while (keeps_sign(op) && op->operand_count == 1 && op->operands[0].value->def)
        op = op->operands[0].value->def;
    if (ir_has_attr(op, IR_ATTR_ACT) && ir_int(op, IR_ATTR_ACT) != IR_ACT_NONE)
        return ir_int(op, IR_ATTR_ACT) != IR_ACT_RELU_N1_TO_1;
    switch (op->code) {
    case IR_SOFTMAX:
    case IR_LOGISTIC:
    case IR_EXP:
    case IR_SQRT:
    case IR_RSQRT:
    case IR_ABS:
    case IR_SQUARED_DIFFERENCE: return true;
    default: return false;
    }
}

/* y, the reals of something of the range 0..top in integers of `step`, clamped as those are. */
static ir_value *clamped(ir_graph *g, ir_value *y, double top, double step)
{
    if (!y->def || is_never_negative(y->def))
        return y;
    ir_enum_ACT act = fabs(top - 6) <= step / 2 ? IR_ACT_RELU6 : IR_ACT_RELU;
    if (ir_has_attr(y->def, IR_ATTR_ACT) && !ir_operand_value(y->def, 3) && ir_use_count(y) == 0) {
        ir_set_int(y->def, IR_ATTR_ACT, act);
        return y;
    }
    ir_value *r = pass_op1(g, IR_RELU, y->def->next, y->def, 1, &y, y->type, NULL);
    ir_set_int(r->def, IR_ATTR_ACT, act);
    return r;
}

static ir_value *clamped_as(ir_graph *g, ir_value *y, const ir_value *quantized)
{
    const ir_quant *q = quantized->quant;
    int32_t min, max;
    if (q->axis >= 0 || (quantized->type.dtype != IR_I8 && quantized->type.dtype != IR_U8))
        return y;
    ir_dtype_range(quantized->type.dtype, &min, &max);
    double step = (double)q->scale[0];
    return q->zero[0] == min ? clamped(g, y, (max - min) * step, step) : y;
}

/* ---- Ops ---- */

static bool is_quantized_op(const ir_op *op)
{
    const unsigned flags = ir_op_info_of(op->code)->flags;
    if ((flags & IR_STATE) || op->code == IR_CAST) /* cast takes integers as they are */
        return false;
    if ((flags & IR_MAC) && ir_mac_is_dynamic(op)) /* dequantize_dynamic sees to it */
        return false;
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && op->operands[i].value->quant)
            return true;
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        if (op->results[i]->quant)
            return true;
    return false;
}

static ir_value *real_of(rewrite *w, ir_value *v, const ir_op *op)
{
    if (v->id >= w->ids)
        return v->def->operands[0].value; /* of a quantize that this pass has put there */
    if (w->real[v->id])
        return w->real[v->id];
    ir_type type = v->type;
    type.dtype = IR_F32;
    ir_value *r = ir_is_const(v) ? plan_real_constant(w->g, v)
                                 : pass_op1(w->g, IR_DEQUANTIZE, (ir_op *)op, op, 1, &v, type, NULL);
    return w->real[v->id] = r;
}

/* The op on reals, in front of the one on integers; NULL: there is none, said in d. */
static ir_op *real_op(rewrite *w, ir_op *op, diag *d)
{
    const ir_op_info *info = ir_op_info_of(op->code);
    ir_value **operands = ARENA_ARRAY(w->context->scratch, ir_value *, op->operand_count);
    for (int i = 0; i < op->operand_count; i++) {
        ir_value *v = op->operands[i].value;
        operands[i] = v && v->quant ? real_of(w, v, op) : i == 2 && has_integer_bias(op) ? real_bias(w->g, op, v) : v;
    }
    ir_op *to = ir_op_new(w->g, op->code, op, op->operand_count, operands);
    to->loc = op->loc;
    to->name = op->name;
    pass_inherit_choice(to, op);
    ir_attrs_copy(to, op);
    if (ir_has_attr(to, IR_ATTR_MID_SCALE)) {
        ir_set_float(to, IR_ATTR_MID_SCALE, 0);
        ir_set_int(to, IR_ATTR_MID_ZERO, 0);
        ir_set_ints(to, IR_ATTR_MID_UNUSED, 2, (const int64_t[]){0, 0});
    }
    for (int i = 0; i < info->results; i++) {
        ir_type type = op->results[i]->type;
        type.dtype = op->results[i]->quant ? IR_F32 : type.dtype;
        ir_result_set(to, i, type, NULL);
        to->results[i]->name = op->results[i]->name;
    }
    return ir_op_supported(to, d) ? to : NULL;
}

/* lstm_quant x, w, r, b, h, c: both products are in it, of which lstm has one. */
static ir_op *real_lstm(rewrite *w, ir_op *op, diag *d)
{
    ir_value *v[6];
    for (int i = 0; i < 6; i++) {
        ir_value *from = op->operands[i].value;
        if (i == 3 && !ir_is_const(from))
            return NULL;
        v[i] = i == 3 ? real_bias(w->g, op, from) : real_of(w, from, op);
    }
    ir_type type = v[0]->type;
    type.dims[2] = v[1]->type.dims[0];
    ir_value *xw = pass_op1(w->g, IR_FULLY_CONNECTED, op, op, 3, (ir_value *[]){v[0], v[1], v[3]}, type, NULL);
    ir_op *to = ir_op_new(w->g, IR_LSTM, op, 4, (ir_value *[]){xw, v[2], v[4], v[5]});
    to->loc = op->loc;
    to->name = op->name;
    pass_inherit_choice(to, op);
    ir_set_int(to, IR_ATTR_TIME_AXIS, ir_int(op, IR_ATTR_TIME_AXIS));
    ir_set_float(to, IR_ATTR_CELL_CLIP, ir_float(op, IR_ATTR_CELL_CLIP));
    for (int i = 0; i < 3; i++) {
        ir_result_set(to, i, ir_type_make(IR_F32, op->results[i]->type.rank, op->results[i]->type.dims), NULL);
        to->results[i]->name = op->results[i]->name;
    }
    return ir_op_supported(to, d) ? to : NULL;
}

/* r stays for those who want integers, and becomes the quantized y. */
static void hand_over(rewrite *w, ir_op *op, ir_value *r, ir_value *y)
{
    if (!r->quant) {
        ir_replace_uses(r, y);
        return;
    }
    if (!(ir_op_info_of(op->code)->flags & IR_SAME_QUANT)) /* what is moved has been clamped before */
        y = clamped_as(w->g, y, r);
    ir_value *q = pass_op1(w->g, IR_QUANTIZE, op, op, 1, &y, r->type, r->quant);
    if (ir_has_attr(op, IR_ATTR_ROUNDING))
        ir_set_rounding(q->def, (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING));
    if (op->code == IR_QUANTIZE)
        ir_set_int(q->def, IR_ATTR_REAL, ir_int(op, IR_ATTR_REAL));
    q->name = r->name;
    q->scale_from = r->scale_from;
    ir_replace_uses(r, q);
}

static bool to_floats(rewrite *w, ir_op *op)
{
    diag why = {0};
    ir_op *to = op->code == IR_LSTM_QUANT ? real_lstm(w, op, &why) : real_op(w, op, &why);
    if (!to)
        return diag_error(w->context->diag, &op->loc, "%s has no form on real values: %s",
                          ir_op_info_of(op->code)->text, op->why_float);
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        hand_over(w, op, op->results[i], to->results[i]);
    ir_op_erase(op);
    return true;
}

/* Conversions between reals and integers, or grids: nothing is left of them but a clamp. */
static bool convert(rewrite *w, ir_op *op)
{
    ir_value *x = op->operands[0].value, *r = op->results[0];
    if (op->code == IR_DEQUANTIZE) {
        if (x->id < w->ids || !x->quant)
            return false;
        ir_replace_uses(r, real_of(w, x, op));
    } else if (op->code == IR_FAKE_QUANT) {
        double top = (double)ir_float(op, IR_ATTR_MAX), count = (double)((1 << ir_int(op, IR_ATTR_BITS)) - 1);
        if (!op->keep_float || ir_is_const(x)) /* weights are rounded, as the file says */
            return false;
        ir_replace_uses(r, ir_float(op, IR_ATTR_MIN) < 0 ? x : clamped(w->g, x, top, top / count));
    } else if (op->code == IR_OBSERVE) {
        ir_replace_uses(r, x);
    } else {
        if (!op->keep_float || (op->code == IR_QUANTIZE && ir_is_const(x)))
            return false;
        hand_over(w, op, r, x->quant ? real_of(w, x, op) : x);
    }
    ir_op_erase(op);
    return true;
}

static bool is_conversion(const ir_op *op)
{
    return op->code == IR_QUANTIZE || op->code == IR_DEQUANTIZE || op->code == IR_REQUANTIZE ||
           op->code == IR_FAKE_QUANT || op->code == IR_OBSERVE;
}

pass_result pass_dequantize_graph(ir_graph *g, pass_context *c)
{
    rewrite w = {g, c, g->next_id, ARENA_ARRAY(c->scratch, ir_value *, g->next_id)};
    bool all = c->options->quantize == PASS_QUANTIZE_NONE;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (is_conversion(op)) {
            if ((all || op->code == IR_DEQUANTIZE) && convert(&w, op))
                result = PASS_CHANGED;
        } else if (op->keep_float && is_quantized_op(op)) {
            if (!to_floats(&w, op))
                return PASS_FAILED;
            result = PASS_CHANGED;
        }
    }
    return result;
}
