/* unsigned_outputs.c: results that are never negative use all integers, not the upper half.
 *
 *     %1:f32<4> as i8<0.1, 0> from observed = relu …                %1:f32<4> as u8<0.0498, 0> … = relu …
 *
 * An observed range 127 * scale becomes 255 steps, half as wide; of fewer bits likewise.  A grid that the file fixes
 * stays, unless the op's own clamp lies within it: then it is the same grid with a zero point of 0.  Not with lite_f32,
 * which never gives the smallest integer: that would be the real 0.
 *
 * Where the file simulates integers, their type is ours to choose.  All other activations become unsigned, too, the
 * same grid with 128 added, so that ops whose operands and results come from different rules agree in their type:
 *
 *     %1:f32<4> as i8<0.1, 0> from fake_quant "node 3" = …         %1:f32<4> as u8<0.1, 128> … = … */
#include <math.h>

#include "passes/common/qdq.h"
#include "passes/common/scales.h"
#include "passes/common/simulated.h"

/* The largest value that v can have, if it can't be negative; -1 otherwise. */
static double largest_of(const ir_value *v)
{
    const ir_op *op = v->def;
    if (!op)
        return -1;
    switch (op->code) {
    case IR_LOGISTIC:
    case IR_SOFTMAX: return 1;
    case IR_ABS:
    case IR_EXP:
    case IR_SQRT:
    case IR_RSQRT:
    case IR_SQUARED_DIFFERENCE: return INFINITY;
    default: {
        const bool residual = ir_has_attr(op, IR_ATTR_ADD_ACT) && ir_operand_value(op, 3);
        const ir_enum_ACT act = residual ? (ir_enum_ACT)ir_int(op, IR_ATTR_ADD_ACT) : qdq_act(op);
        double lo, hi;
        scales_act_bounds(act, &lo, &hi);
        return lo == 0 ? hi : -1;
    }
    }
}

static bool make_unsigned(ir_graph *g, ir_value *v)
{
    if (!v->as || v->as_dtype != IR_I8 || v->as->axis >= 0 || v->as->zero[0] != 0 ||
        v->as_rounding == IR_ROUNDING_LITE_F32)
        return false;
    const float scale = v->as->scale[0];
    const double largest = largest_of(v);
    const bool fixed = scales_is_fixed(v);
    const int most = INT8_MAX - v->as->unused.above, steps = 2 * most + 1;
    if (largest < 0 || (fixed && !(largest < (most + 0.5) * (double)scale)))
        return false;
    ir_quant *quant = ir_quant_tensor(g, fixed ? scale : (float)((double)scale * most / steps), 0);
    quant->unused.above = (uint8_t)(UINT8_MAX - steps);
    scales_regrid(v, IR_U8, quant);
    return true;
}

/* The same grid, as u8. */
static bool shift(ir_graph *g, ir_value *v)
{
    if (!v->as || v->as_dtype != IR_I8 || v->as->axis >= 0)
        return false;
    scales_regrid(v, IR_U8, pass_quant_shifted(g, v->as, 128));
    return true;
}

/* Constants whose integers are chosen elsewhere: weights. */
static const bool *find_weights(const ir_graph *g, arena *a)
{
    bool *weights = ARENA_ARRAY(a, bool, g->next_id);
    for (const ir_op *op = g->first; op; op = op->next) {
        const int index = scales_weight_index(op);
        const ir_value *w = index < 0 ? NULL : ir_operand_value(op, index);
        if (w && ir_is_const(w))
            weights[w->id] = true;
    }
    return weights;
}

static bool shift_all(ir_graph *g, pass_context *c)
{
    const bool *weights = find_weights(g, c->scratch), *simulated = simulated_ops(g, c->options, c->scratch);
    bool changed = false;
    for (int32_t i = 0; i < g->input_count; i++)
        changed |= simulated_value(g->inputs[i]) && shift(g, g->inputs[i]);
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            changed |= v && ir_is_const(v) && !weights[v->id] && simulated[op->id] && shift(g, v);
        }
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            changed |= simulated_value(op->results[i]) && shift(g, op->results[i]);
    }
    return changed;
}

pass_result pass_unsigned_outputs(ir_graph *g, pass_context *c)
{
    bool changed = false;
    for (ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            changed |= make_unsigned(g, op->results[i]);
    changed |= shift_all(g, c);
    return changed ? PASS_CHANGED : PASS_UNCHANGED;
}
