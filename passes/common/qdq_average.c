/* qdq_average.c: averages for qdq_compute, from one scale to another with one rounding.
 *
 *     %1:f32<1x1x1x8> = avg_pool2d (dequantize %0:u8<1x4x4x8; 0.05, 128>) {kernel = [4, 4]}
 *     %2:u8<1x1x1x8; 0.04, 120> = quantize %1
 *                                          %2:u8<1x1x1x8; 0.04, 120> = mean %0 {axes = [1, 2], keep_dims = 1}
 *
 * A window that always lies within the image is a convolution of each channel with ones, of the scale 1 / taps.  Others
 * have fewer taps at the borders, which no op with two scales has. */
#include <string.h>

#include "ir/ref/interp.h"
#include "passes/common/qdq.h"

/* Is the window of an average the whole image? */
static bool is_global(const ir_op *op)
{
    const ir_type *x = &op->operands[0].value->type, *y = &op->results[0]->type;
    bool whole = y->dims[1] == 1 && y->dims[2] == 1;
    for (int i = 0; i < 2; i++)
        whole = whole && ir_ints_at(op, IR_ATTR_KERNEL, i) == x->dims[1 + i];
    for (int i = 0; i < 4; i++)
        whole = whole && ir_ints_at(op, IR_ATTR_PAD, i) == 0;
    return whole;
}

static ir_value *global_mean(ir_graph *g, const ir_op *op, ir_op *q, ir_value *x)
{
    const ir_value *y = q->results[0];
    diag ignored = {0};
    ir_value *r = pass_op1(g, IR_MEAN, q, op, 1, &x, y->type, y->quant);
    ir_set_ints(r->def, IR_ATTR_AXES, 2, (int64_t[]){1, 2});
    ir_set_int(r->def, IR_ATTR_KEEP_DIMS, 1);
    if (ir_op_supported(r->def, &ignored))
        return r;
    ir_op_erase(r->def);
    return NULL;
}

static bool is_inside(const ir_op *op)
{
    for (int i = 0; i < 4; i++)
        if (ir_ints_at(op, IR_ATTR_PAD, i) != 0)
            return false;
    return true;
}

static ir_value *convolution(ir_graph *g, const ir_op *op, ir_op *q, ir_value *x, ir_enum_ACT act)
{
    const ir_value *y = q->results[0];
    int64_t dims[] = {1, ir_ints_at(op, IR_ATTR_KERNEL, 0), ir_ints_at(op, IR_ATTR_KERNEL, 1), x->type.dims[3]};
    ir_type type = ir_type_make(IR_I8, 4, dims);
    if (!ir_type_valid(&type) || ir_type_bytes(&type) > ir_type_bytes(&x->type))
        return NULL;
    diag ignored = {0};
    void *ones = arena_alloc(g->arena, ir_type_bytes(&type) + 1);
    memset(ones, 1, ir_type_bytes(&type));
    const ir_quant *share = ir_quant_tensor(g, 1.0f / (float)(dims[1] * dims[2]), 0);
    ir_value *operands[] = {x, ir_const_new(g, type, share, ones)};
    ir_value *r = pass_op1(g, IR_DEPTHWISE_CONV2D, q, op, 2, operands, y->type, y->quant);
    ir_set_ints(r->def, IR_ATTR_STRIDE, 2,
                (int64_t[]){ir_ints_at(op, IR_ATTR_STRIDE, 0), ir_ints_at(op, IR_ATTR_STRIDE, 1)});
    ir_set_int(r->def, IR_ATTR_ACT, act);
    ir_set_int(r->def, IR_ATTR_ROUNDING, qdq_rounding(q));
    if (ir_op_supported(r->def, &ignored))
        return r;
    ir_op_erase(r->def);
    return NULL;
}

ir_value *qdq_average(ir_graph *g, const ir_op *op, ir_op *q, ir_value *x, ir_enum_ACT act)
{
    if (is_global(op) && act == IR_ACT_NONE)
        return global_mean(g, op, q, x);
    return is_inside(op) ? convolution(g, op, q, x, act) : NULL;
}
