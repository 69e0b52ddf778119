/* fuse_pad.c: padding of the image moves into the convolution or the pooling behind it.
 *
 *     %1 = pad %0 {before = [0, 1, 1, 0], after = [0, 0, 0, 0]}
 *     %2 = conv2d %1, %w                                           %2 = conv2d %0, %w {pad = [1, 1, 0, 0]}
 *
 * Convolutions pad with the real value 0.  Maximum pooling ignores taps outside, so the padding has to be the
 * smallest value of the type, and no window may lie outside altogether.  Mean pooling counts taps: never.
 *
 * The scale that the padded value carries (`as`) moves to %0; it is not lost where %0 has another one, or other
 * users. */
#include <float.h>
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/scales.h"

static bool pads_image_only(const ir_op *pad)
{
    if (pad->operands[0].value->type.rank != 4)
        return false;
    for (int d = 0; d < 4; d += 3)
        if (ir_ints_at(pad, IR_ATTR_BEFORE, d) != 0 || ir_ints_at(pad, IR_ATTR_AFTER, d) != 0)
            return false;
    return true;
}

/* The padding of user's window once that of `pad` is added: top, left, bottom, right. */
static void sum_of_pads(const ir_op *pad, const ir_op *user, int64_t sum[4])
{
    for (int side = 0; side < 4; side++) {
        ir_attr_id id = side < 2 ? IR_ATTR_BEFORE : IR_ATTR_AFTER;
        sum[side] = ir_ints_at(user, IR_ATTR_PAD, side) + ir_ints_at(pad, id, 1 + side % 2);
    }
}

/* What pad writes, as the integer in memory. */
static double pad_integer(const ir_op *pad)
{
    const ir_quant *q = pad->operands[0].value->quant;
    float value = ir_float(pad, IR_ATTR_VALUE);
    return q ? q->zero[0] + nearbyint((double)value / q->scale[0]) : (double)value;
}

static bool pads_with_zero(const ir_op *pad) { return ir_float(pad, IR_ATTR_VALUE) == 0; }

static bool pads_with_least(const ir_op *pad)
{
    const ir_value *x = pad->operands[0].value;
    int32_t min, max;
    if (x->type.dtype == IR_F32)
        return ir_float(pad, IR_ATTR_VALUE) <= -FLT_MAX;
    if (!x->quant || (x->type.dtype != IR_I8 && x->type.dtype != IR_U8))
        return false;
    ir_quant_range(x->type.dtype, x->quant, &min, &max);
    return pad_integer(pad) <= min;
}

static bool windows_touch_image(const ir_op *pool, const int64_t pad[4])
{
    int64_t h = ir_ints_at(pool, IR_ATTR_KERNEL, 0), w = ir_ints_at(pool, IR_ATTR_KERNEL, 1);
    return pad[0] < h && pad[2] < h && pad[1] < w && pad[3] < w;
}

static bool fits(const ir_op *pad, const ir_op *user, const int64_t sum[4])
{
    switch (user->code) {
    case IR_CONV2D:
    case IR_DEPTHWISE_CONV2D: /* with a zero point from run time the real 0 is not the padding's */
        return pads_with_zero(pad) && !ir_mac_is_dynamic(user);
    case IR_MAX_POOL2D: {
        bool own = false; /* padding of its own would now be next to that of the pad: both must not count */
        for (int side = 0; side < 4; side++)
            own = own || ir_ints_at(user, IR_ATTR_PAD, side) != 0;
        return !own && pads_with_least(pad) && windows_touch_image(user, sum);
    }
    default: return false;
    }
}

static bool fuse(ir_op *pad)
{
    bool changed = false;
    ir_value *x = pad->operands[0].value, *r = pad->results[0];
    if (!pads_image_only(pad) || !ir_quant_equal(x->quant, r->quant) || !scales_can_join(x, r))
        return false;
    for (ir_operand *slot = r->uses, *next; slot; slot = next) {
        next = slot->next_use;
        ir_op *user = slot->user;
        int64_t sum[4];
        if (slot != &user->operands[0] || !ir_has_attr(user, IR_ATTR_PAD))
            continue;
        sum_of_pads(pad, user, sum);
        if (!fits(pad, user, sum))
            continue;
        ir_set_ints(user, IR_ATTR_PAD, 4, sum);
        scales_join(x, r);
        ir_set_operand(user, 0, x);
        changed = true;
    }
    return changed;
}

pass_result pass_fuse_pad(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code == IR_PAD && fuse(op))
            result = PASS_CHANGED;
    }
    return result;
}
