/* report_cost.c: an op of a lowered graph -> an estimate of its time, from its multiply-adds and the bytes that it touches.
 *
 *     cycles = multiply-adds / (what the target's registers do in a cycle * the part of it that kernels reach)
 *              + bytes of operands, weights and results / bytes a cycle + what a step costs by itself
 *
 * The parts are those of profiles of MobileNets and ResNets (docs/performance.md has the machine); beside measured
 * times the estimate is mostly within a factor of two. */
#include "compiler/report/report_cost.h"

#include "compiler/report/report_arithmetic.h"
#include "compiler/schedule/machine.h"

static const double hertz = 3e9, reached = 0.75, reached_depthwise = 0.25, bytes_a_cycle = 8, cycles_a_step = 150;

/* Multiply-adds of a whole vector of 16 sums: four bytes each, or one float. */
static double macs_a_cycle(const ir_op *op, const target_info *t, bool is_float)
{
    const schedule_machine m = schedule_machine_of(t, is_float ? SCHEDULE_FLOATS : SCHEDULE_BYTES);
    return (is_float ? 16 : 64) / m.multiply * (op->code == IR_DEPTHWISE_CONV2D ? reached_depthwise : reached);
}

static bool lies_within(const ir_value *a, const ir_value *b)
{
    return a->place.space == b->place.space && a->place.index == b->place.index && a->place.offset >= b->place.offset &&
           a->place.offset < b->place.offset + (int64_t)ir_type_bytes(&b->type);
}

/* What only moves data moves none, where the memory plan has made operands and result one. */
static bool is_view(const ir_op *op)
{
    bool view = ir_op_info_of(op->code)->flags & IR_SAME_QUANT && op->operand_count > 0;
    for (int i = 0; i < op->operand_count && view; i++) {
        const ir_value *x = op->operands[i].value, *y = op->results[0];
        view = x && (lies_within(x, y) || lies_within(y, x));
    }
    return view;
}

double report_cost(const ir_op *op, const target_info *t)
{
    double bytes = 0;
    if (!op->kernel.name || is_view(op))
        return 0;
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value)
            bytes += (double)ir_type_bytes(&op->operands[i].value->type);
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        bytes += (double)ir_type_bytes(&op->results[i]->type);
    const bool is_float =
        op->operand_count > 0 && op->operands[0].value && ir_dtype_is_float(op->operands[0].value->type.dtype);
    return ((double)report_macs(op) / macs_a_cycle(op, t, is_float) + bytes / bytes_a_cycle + cycles_a_step) / hertz;
}
