/* calibrated_scales.c: the ranges that values had over samples become suggested scales.
 *
 *     %2:f32<…> = conv2d %0, %1 {act = relu}      %2:f32<…> as u8<0.02, 0> from calibrated "minmax" = conv2d %0, %1 {act = relu}
 *     %3:f32<…> = add %2, const %4                %3:f32<…> as u8<0.0125, 47> from calibrated "minmax" = add %2, const %4
 *
 *     %2: 0…5.1, %3: -0.58…2.6                    const %4:f32<8> as i8<0.0051, 0> from absmax
 *
 * Which values: calibrated_values.c; which grids: calibrated_grid.h.  Constants are what they are: affine or symmetric as the
 * activations, from their own ends. */
#include <math.h>
#include <string.h>

#include "passes/common/calibrated_grid.h"
#include "passes/common/calibrated_values.h"
#include "passes/common/scales.h"

static pass_range range_of_constant(const ir_value *v)
{
    pass_range range = {.known = true, .bits = 8};
    for (int64_t i = 0; i < ir_type_elements(&v->type); i++) {
        range.low = fminf(range.low, (float)ir_const_real(v, i));
        range.high = fmaxf(range.high, (float)ir_const_real(v, i));
    }
    return range;
}

static bool give(ir_graph *g, const pass_calibration *c, ir_value *v, const pass_range *range, ir_origin from)
{
    if (!range->known || !isfinite(range->low) || !isfinite(range->high) || v->as)
        return false;
    const calibrated_grid to = calibrated_grid_of(c, range);
    ir_quant *quant = ir_quant_tensor(g, (float)to.scale, to.zero);
    quant->unused = to.unused;
    scales_set(v, to.dtype, quant, from);
    return true;
}

static bool give_value(ir_graph *g, const pass_calibration *c, const bool *wanted, ir_value *v)
{
    if (!wanted[v->id] || v->id >= c->count)
        return false;
    const pass_range *range = &c->ranges[v->id];
    return give(g, c, v, range, (ir_origin){IR_SCALE_CALIBRATED, range->note, range->observed});
}

static bool give_constants(ir_graph *g, const pass_calibration *c, const bool *wanted, const ir_op *op)
{
    bool changed = false;
    for (int i = 0; i < op->operand_count; i++) {
        ir_value *v = op->operands[i].value;
        if (!v || !ir_is_const(v) || !wanted[v->id] || v->as)
            continue;
        const pass_range range = range_of_constant(v);
        changed |= give(g, c, v, &range, (ir_origin){IR_SCALE_CALIBRATED, "constant", NULL});
    }
    return changed;
}

static void forget_precise(const ir_graph *g, const bool *precise, pass_range ranges[], uint32_t count)
{
    for (uint32_t id = 0; id < g->next_id && id < count; id++)
        if (precise[id])
            ranges[id].known = false;
}

/* Reshaped or transposed a value has the range that it had before, of which only one was observed where the other has no grid:
 * which of them that is depends on what is kept in float. */
static void share_moved(const ir_graph *g, pass_range ranges[], uint32_t count)
{
    for (const ir_op *op = g->last; op; op = op->prev) {
        if (op->code != IR_RESHAPE && op->code != IR_TRANSPOSE)
            continue;
        const uint32_t from = op->operands[0].value->id, to = op->results[0]->id;
        if (from < count && to < count && !ranges[from].known)
            ranges[from] = ranges[to];
    }
}

pass_result pass_calibrated_scales(ir_graph *g, pass_context *context)
{
    const pass_calibration *given = context->options->calibration;
    if (!given || !given->ranges || context->options->quantize == PASS_QUANTIZE_NONE)
        return PASS_UNCHANGED;
    const bool *wanted = calibrated_values(g, context->options, context->scratch);
    const ir_value *const *sources = calibrated_sources(g, context->options, context->scratch);
    pass_range *ranges = ARENA_ARRAY(context->scratch, pass_range, given->count);
    pass_calibration narrowed = *given, *c = &narrowed;
    memcpy(ranges, given->ranges, given->count * sizeof *ranges);
    share_moved(g, ranges, given->count);
    calibrated_narrow(g, sources, ranges, given->count, context->scratch);
    forget_precise(g, calibrated_precise(g, sources, ranges, given->count, context->scratch), ranges, given->count);
    narrowed.ranges = ranges;
    bool changed = false;
    for (int32_t i = 0; i < g->input_count; i++)
        changed |= give_value(g, c, wanted, g->inputs[i]);
    for (ir_op *op = g->first; op; op = op->next) {
        changed |= give_constants(g, c, wanted, op);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            changed |= give_value(g, c, wanted, op->results[i]);
    }
    return changed ? PASS_CHANGED : PASS_UNCHANGED;
}
