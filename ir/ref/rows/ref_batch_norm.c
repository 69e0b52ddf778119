/* ref_batch_norm.c: a factor and a term for each channel.
 *
 *     factor = gamma / sqrt(variance + epsilon)      offset = beta - mean * factor      in double, each rounded to float
 *     y = x * factor + offset                        in float, both roundings */
#include "ir/ref/ref.h"

ir_affine ir_batch_norm_of(const ir_op *op, int64_t c)
{
    double p[5];
    for (int i = 1; i < 5; i++)
        p[i] = ir_const_real(op->operands[i].value, c);
    const double factor = p[1] / sqrt(p[4] + (double)ir_float(op, IR_ATTR_EPSILON));
    return (ir_affine){(float)factor, (float)(p[2] - p[3] * factor)};
}

bool ir_check_batch_norm(const ir_op *op, diag *d)
{
    const ir_type *x = &op->operands[0].value->type;
    const int64_t axis = ir_int(op, IR_ATTR_AXIS);
    if (axis < 1 || axis >= x->rank || !ir_check_same_shape(op, d))
        return ir_refuse(op, d, "channels are no dimension behind that of the batch");
    for (int i = 1; i < 5; i++) {
        const ir_value *p = op->operands[i].value;
        if (!ir_is_const(p) || ir_type_elements(&p->type) != x->dims[axis])
            return ir_refuse(op, d, "gamma, beta, mean and variance have to be constants of %lld numbers",
                             (long long)x->dims[axis]);
    }
    for (int64_t c = 0; c < x->dims[axis]; c++) {
        const ir_affine a = ir_batch_norm_of(op, c);
        if (isnan(a.factor) || isnan(a.offset))
            return ir_refuse(op, d, "what its constants come to is not a number for channel %lld", (long long)c);
    }
    return true;
}

bool ir_ref_batch_norm(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = &op->operands[0].value->type;
    const int64_t axis = ir_int(op, IR_ATTR_AXIS), channels = x->dims[axis], total = ir_type_elements(x);
    int64_t inner = 1;
    for (int k = (int)axis + 1; k < x->rank; k++)
        inner *= x->dims[k];
    for (int64_t c = 0; c < channels; c++) {
        const ir_affine a = ir_batch_norm_of(op, c);
        for (int64_t first = c * inner; first < total; first += channels * inner)
            for (int64_t i = first; i < first + inner; i++) {
                const float scaled = ir_f32_at(operands[0], i) * a.factor;
                ir_f32_put(results[0], i, scaled + a.offset);
            }
    }
    return true;
}
