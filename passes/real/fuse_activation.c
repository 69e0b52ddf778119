/* fuse_activation.c: a clamp behind an op that can clamp becomes the op's own, when both compute the same.
 *
 *     %2:u8<…; 0.1, 3> = conv2d %0, %1              %3:u8<…; 0.1, 3> = conv2d %0, %1 {act = relu6}
 *     %3:u8<…; 0.1, 3> = relu %2 {act = relu6}
 *
 * Quantized clamps that also change the scale round twice and stay; so do float ones between two grids (`as`) of
 * which the second does not imply the first:
 *
 *     %2:f32<…> as u8<0.1, 0> = conv2d %0, %1           %3:f32<…> as u8<0.1, 0> = conv2d %0, %1 {act = relu}
 *     %3:f32<…> as u8<0.1, 0> = relu %2 */
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/scales.h"

/* The attribute in which the op's last activation goes; IR_ATTR_COUNT when it has none. */
static ir_attr_id last_activation(const ir_op *op)
{
    if (!ir_has_attr(op, IR_ATTR_ACT) || op->code == IR_RELU)
        return IR_ATTR_COUNT;
    return ir_has_attr(op, IR_ATTR_ADD_ACT) && ir_operand_value(op, 3) ? IR_ATTR_ADD_ACT : IR_ATTR_ACT;
}

/* Is the quantized relu the clamp that the activation would be? */
static bool is_plain_clamp(const ir_op *relu)
{
    const ir_value *x = relu->operands[0].value, *r = relu->results[0];
    uint8_t table[256];
    int32_t min, max;
    diag ignored = {0};
    if (!x->quant || x->quant->axis >= 0 || (x->type.dtype != IR_U8 && x->type.dtype != IR_I8))
        return false;
    const bool known = ir_lookup_table(relu, table, &ignored);
    pass_ignore(&ignored);
    if (!known)
        return false;
    ir_result_bounds(r, (ir_enum_ACT)ir_int(relu, IR_ATTR_ACT), &min, &max);
    for (int i = 0; i < 256; i++) {
        int32_t q = x->type.dtype == IR_I8 ? (int8_t)i : i, expected = q < min ? min : q > max ? max : q;
        if (table[i] != (uint8_t)expected)
            return false;
    }
    return true;
}

/* Real numbers from the smallest to the largest integer. */
static void range_of(const ir_value *v, double *lo, double *hi)
{
    int32_t min, max;
    ir_quant_range(v->as_dtype, v->as, &min, &max);
    *lo = (double)v->as->scale[0] * (min - v->as->zero[0]);
    *hi = (double)v->as->scale[0] * (max - v->as->zero[0]);
}

/* clamp(round(v)), as the file has it, rounded to r's grid if it has one: is it the same with x's rounding left out,
 * or, where r has no grid, done behind the clamp? */
static bool keeps_rounding(const ir_value *x, const ir_value *r, ir_enum_ACT act)
{
    if (!scales_is_fixed(x))
        return true;
    double lo, hi, x_lo, x_hi, r_lo, r_hi;
    scales_act_bounds(act, &lo, &hi);
    if (!scales_is_fixed(r))
        return scales_clamp_keeps_grid(x->as_dtype, x->as, lo, hi);
    range_of(x, &x_lo, &x_hi);
    range_of(r, &r_lo, &r_hi);
    return r->as->scale[0] == x->as->scale[0] && fmax(lo, r_lo) >= x_lo && fmin(hi, r_hi) <= x_hi;
}

static bool fuse(ir_op *relu)
{
    ir_value *x = relu->operands[0].value, *r = relu->results[0];
    ir_op *op = x->def;
    if (!op || pass_single_user(x) != relu || !ir_type_equal(&x->type, &r->type) || !ir_quant_equal(x->quant, r->quant))
        return false;
    ir_attr_id id = last_activation(op);
    if (id == IR_ATTR_COUNT || ir_int(op, id) != IR_ACT_NONE)
        return false;
    if (x->type.dtype != IR_F32 ? !is_plain_clamp(relu) : !keeps_rounding(x, r, ir_int(relu, IR_ATTR_ACT)))
        return false;
    ir_set_int(op, id, ir_int(relu, IR_ATTR_ACT));
    x->name = r->name ? r->name : x->name;
    pass_inherit_choice(op, relu);
    if (scales_is_fixed(r) || (r->as && !scales_is_fixed(x)))
        scales_copy(x, r);
    ir_replace_uses(r, x);
    ir_op_erase(relu);
    return true;
}

pass_result pass_fuse_activation(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        if (op->code == IR_RELU && fuse(op))
            result = PASS_CHANGED;
    }
    return result;
}
