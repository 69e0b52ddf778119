/* dummy_scales.c: scales for results whose range is known, whatever the operands are, where an integer op uses them
 * and nothing else has given a scale; only where the graph simulates integers.
 *
 *     %1:f32<…> = softmax %0                  %1:f32<…> as u8<0.00390625, 0> from known "softmax" = softmax %0
 *     %2:f32<…> = batch_matmul %1, %v         %2:f32<…> = batch_matmul %1, %v
 *
 * The ranges of docs/quantization.md: those of TFLite's int8 specification, and what an activation clamps to.  Where
 * the range depends on the operands there is none: never a guess. */
#include "ir/ref/interp.h"
#include "passes/common/plan.h"
#include "passes/common/scales.h"
#include "passes/common/simulated.h"

typedef struct range {
    ir_dtype dtype;
    float scale;
    int32_t zero;
} range;

/* `integers`: how many there are, 256 of 8 bits. */
static bool range_of_act(ir_enum_ACT act, int integers, range *out)
{
    switch (act) {
    case IR_ACT_RELU6: *out = (range){IR_U8, 6.0f / (float)(integers - 1), 0}; return true;
    case IR_ACT_RELU_0_TO_1: *out = (range){IR_U8, 1.0f / (float)(integers - 1), 0}; return true;
    case IR_ACT_RELU_N1_TO_1: *out = (range){IR_I8, 1.0f / (float)(integers / 2 - 1), 0}; return true;
    default: return false;
    }
}

static bool range_of(const ir_op *op, int integers, range *out)
{
    switch (op->code) {
    case IR_LOGISTIC:
    case IR_SOFTMAX: *out = (range){IR_U8, 1.0f / (float)integers, 0}; return true;
    case IR_TANH:
    case IR_L2_NORMALIZE: *out = (range){IR_I8, 2.0f / (float)integers, 0}; return true;
    case IR_LOG_SOFTMAX: *out = (range){IR_I8, 16.0f / (float)integers, integers / 2 - 1}; return true;
    case IR_MAX_POOL2D:
    case IR_AVG_POOL2D: return false; /* their clamp has the operand's scale */
    default: return ir_has_attr(op, IR_ATTR_ACT) && range_of_act((ir_enum_ACT)ir_int(op, IR_ATTR_ACT), integers, out);
    }
}

/* Of what samples give fewer bits, this has as many. */
static int bits_of(const pass_options *o)
{
    const pass_calibration *c = o->calibration;
    return c && c->ranges && c->activation_bits < 8 ? c->activation_bits : 8;
}

/* Does an op that computes, or moves data, on integers use v? */
static bool is_wanted(const ir_value *v)
{
    for (const ir_operand *slot = v->uses; slot; slot = slot->next_use)
        if (plan_kind_of(slot->user) != PLAN_NONE && !slot->user->keep_float)
            return true;
    return false;
}

pass_result pass_dummy_scales(ir_graph *g, pass_context *c)
{
    pass_result result = PASS_UNCHANGED;
    if (c->options->quantize == PASS_QUANTIZE_NONE || !plan_has_scales(g))
        return PASS_UNCHANGED;
    const bool *simulated = simulated_ops(g, c->options, c->scratch);
    const int bits = bits_of(c->options);
    for (ir_op *op = g->first; op; op = op->next) {
        range r;
        ir_value *v = ir_op_info_of(op->code)->results == 1 ? op->results[0] : NULL;
        if (!v || v->as || !simulated[op->id] || !range_of(op, 1 << bits, &r) || !is_wanted(v))
            continue;
        ir_quant *quant = ir_quant_tensor(g, r.scale, r.zero);
        quant->unused = scales_unused(r.dtype, bits);
        if (plan_set_scale(v, r.dtype, quant, (ir_origin){IR_SCALE_KNOWN, ir_op_info_of(op->code)->text, NULL}))
            result = PASS_CHANGED;
    }
    return result;
}
