/* gather_output_scales.c: what an exporter observed becomes a suggested scale, and observe disappears.
 *
 *     %1:f32<4> = conv2d …                          %1:f32<4> as i8<0.05, 0> from observed = conv2d …
 *     %2:f32<4> = observe %1 {min = -6.35, max = 6.35}
 *     %3 = relu %2                                  %3 = relu %1
 *
 * A range that is symmetric gives i8 without a zero point, another one u8 with that zero point which makes 0 exact.  Of
 * several observations the first counts, and none counts where the value has a scale already. */
#include <float.h>
#include <math.h>

#include "passes/common/scales.h"

static void suggest(ir_graph *g, ir_value *v, double min, double max)
{
    const double lo = fmin(min, 0), hi = fmax(max, 0);
    const bool symmetric = lo == -hi;
    const float scale = (float)(symmetric ? hi / 127 : (hi - lo) / 255);
    if (v->as || v->type.dtype != IR_F32 || ir_is_const(v) || !(scale >= FLT_MIN) || !isfinite(scale))
        return;
    const int32_t zero = symmetric ? 0 : (int32_t)fmin(fmax(nearbyint(-lo / (double)scale), 0), 255);
    scales_set(v, symmetric ? IR_I8 : IR_U8, ir_quant_tensor(g, scale, zero),
               (ir_origin){IR_SCALE_OBSERVED, NULL, NULL});
}

pass_result pass_gather_output_scales(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code != IR_OBSERVE)
            continue;
        ir_value *v = op->operands[0].value;
        suggest(g, v, (double)ir_float(op, IR_ATTR_MIN), (double)ir_float(op, IR_ATTR_MAX));
        if (!v->name)
            v->name = op->results[0]->name;
        ir_replace_uses(op->results[0], v);
        ir_op_erase(op);
        result = PASS_CHANGED;
    }
    return result;
}
