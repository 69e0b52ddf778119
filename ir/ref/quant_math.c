/* quant_math.c: what an op multiplies by, and the ranges of quantized values. */
#include <math.h>
#include <string.h>

#include "ir/ref/interp.h"

/* fixed_twice takes the product of the operands' scales in float when the weights are quantized per tensor, in double
 * when per axis: so do TFLite's kernels (which use the latter for int8 convolutions even with one scale; importers
 * spell such weights per axis).  One scale of an op without weights counts as per tensor.  Of an operand with a scale
 * from run time it is the weights' part. */
double ir_mac_multiplier(const ir_op *op, int64_t channel)
{
    const ir_quant *x = op->operands[0].value->quant, *w = op->operands[1].value->quant, *y = op->results[0]->quant;
    const bool per_axis = w->axis >= 0;
    const float weight_scale = w->scale[per_axis ? channel : 0];
    if (ir_mac_is_dynamic(op))
        return weight_scale;
    float result_scale = y ? y->scale[0] : 1.0f;
    if (ir_has_attr(op, IR_ATTR_MID_SCALE) && ir_operand_value(op, 3) && ir_float(op, IR_ATTR_MID_SCALE) > 0)
        result_scale = ir_float(op, IR_ATTR_MID_SCALE);
    if (per_axis || ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_FIXED_TWICE)
        return (double)x->scale[0] * weight_scale / result_scale;
    return (double)(x->scale[0] * weight_scale) / result_scale;
}

float ir_mac_real_bias(const ir_op *op, int64_t channel)
{
    const ir_value *b = ir_has_attr(op, IR_ATTR_ADJ_A) ? NULL : ir_operand_value(op, 2);
    const ir_quant *y = op->results[0]->quant;
    if (!b || b->type.dtype != IR_F32)
        return 0;
    return (float)(ir_const_real(b, channel) / (y ? (double)y->scale[0] : 1.0));
}

float ir_mac_gate(const ir_op *op, int64_t channel)
{
    const ir_value *g = ir_has_attr(op, IR_ATTR_ADJ_A) ? NULL : ir_operand_value(op, IR_MAC_GATE);
    if (!g)
        return 0;
    const int64_t at = ir_type_elements(&g->type) == 1 ? 0 : channel;
    return (float)(ir_const_real(g, at) * (double)op->results[0]->quant->scale[0]);
}

double ir_product_ratio(const ir_op *op, bool even, float s1, float s2, float sy)
{
    if (op->code == IR_DIV)
        return even ? (double)s1 / ((double)s2 * sy) : s1 / (s2 * sy);
    if (op->code == IR_SQUARED_DIFFERENCE) {
        const double twice_larger = 2.0 * (s1 > s2 ? s1 : s2);
        return twice_larger * twice_larger / (16384.0f * sy);
    }
    return even ? (double)s1 * s2 / sy : s1 * s2 / sy;
}

void ir_set_rounding(ir_op *op, ir_enum_ROUNDING rounding)
{
    const bool product = (ir_op_info_of(op->code)->flags & IR_MAC) != 0;
    if (!ir_has_attr(op, IR_ATTR_ROUNDING) || (product && (ir_operand_value(op, IR_MAC_GATE) || ir_mac_adds_real(op))))
        return; /* these are there in floats alone */
    if (rounding == IR_ROUNDING_FIXED_TWICE && op->code == IR_FULLY_CONNECTED)
        rounding = IR_ROUNDING_FIXED_ONCE;
    const ir_enum_ROUNDING now = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    if (rounding != IR_ROUNDING_EVEN_F32 && (now == IR_ROUNDING_AWAY_F32 || now == IR_ROUNDING_LITE_F32))
        rounding = now;
    ir_set_int(op, IR_ATTR_ROUNDING, rounding);
}

void ir_dtype_range(ir_dtype type, int32_t *out_min, int32_t *out_max)
{
    *out_min = type == IR_I8 ? INT8_MIN : type == IR_I16 ? INT16_MIN : type == IR_I32 ? INT32_MIN : 0;
    *out_max = type == IR_I8    ? INT8_MAX
               : type == IR_U8  ? UINT8_MAX
               : type == IR_I16 ? INT16_MAX
               : type == IR_U16 ? UINT16_MAX
                                : INT32_MAX;
}

int64_t ir_truncated(double x, int64_t low, int64_t high)
{
    if (isnan(x))
        return 0;
    return x <= (double)low ? low : x >= (double)high ? high : (int64_t)x;
}

int64_t ir_truncated_to(ir_dtype type, double x)
{
    int32_t low, high;
    if (type == IR_I64)
        return ir_truncated(x, INT64_MIN, INT64_MAX);
    if (type == IR_U32)
        return ir_truncated(x, 0, UINT32_MAX);
    ir_dtype_range(type, &low, &high);
    return ir_truncated(x, low, high);
}

void ir_quant_range(ir_dtype type, const ir_quant *quant, int32_t *out_min, int32_t *out_max)
{
    ir_dtype_range(type, out_min, out_max);
    if (quant) {
        *out_min += quant->unused.below;
        *out_max -= quant->unused.above;
    }
}

/* round(real / scale) + zero, ties away from zero, within min..max. */
static int32_t bound_of(float real, float scale, int32_t zero, int32_t min, int32_t max)
{
    return (int32_t)ir_truncated((double)roundf(real / scale) + zero, min, max);
}

void ir_act_bounds(ir_enum_ACT act, ir_dtype type, float scale, int32_t zero, ir_unused unused, int32_t *out_min,
                   int32_t *out_max)
{
    int32_t min, max;
    ir_dtype_range(type, &min, &max);
    min += unused.below;
    max -= unused.above;
    *out_min = min;
    *out_max = max;
    switch (act) {
    case IR_ACT_RELU: *out_min = bound_of(0.0f, scale, zero, min, max); break;
    case IR_ACT_RELU6:
        *out_min = bound_of(0.0f, scale, zero, min, max);
        *out_max = bound_of(6.0f, scale, zero, min, max);
        break;
    case IR_ACT_RELU_N1_TO_1:
        *out_min = bound_of(-1.0f, scale, zero, min, max);
        *out_max = bound_of(1.0f, scale, zero, min, max);
        break;
    case IR_ACT_RELU_0_TO_1:
        *out_min = bound_of(0.0f, scale, zero, min, max);
        *out_max = bound_of(1.0f, scale, zero, min, max);
        break;
    default: break;
    }
}

void ir_result_bounds(const ir_value *y, ir_enum_ACT act, int32_t *out_min, int32_t *out_max)
{
    const ir_quant *q = y->quant;
    ir_act_bounds(act, y->type.dtype, q ? q->scale[0] : 1.0f, q ? q->zero[0] : 0, q ? q->unused : (ir_unused){0, 0},
                  out_min, out_max);
}

void ir_act_bounds_f32(ir_enum_ACT act, float *out_min, float *out_max)
{
    *out_min = act == IR_ACT_NONE ? -INFINITY : act == IR_ACT_RELU_N1_TO_1 ? -1.0f : 0.0f;
    *out_max = act == IR_ACT_RELU6 ? 6.0f : act == IR_ACT_RELU_N1_TO_1 || act == IR_ACT_RELU_0_TO_1 ? 1.0f : INFINITY;
}

void ir_rounding_bounds(ir_enum_ROUNDING rounding, ir_dtype type, int32_t *min, int32_t *max)
{
    int32_t low, high;
    ir_dtype_range(type, &low, &high);
    if (rounding != IR_ROUNDING_LITE_F32 || *min != low)
        return;
    *min = low + 1;
    *max = *max < *min ? *min : *max;
}

float ir_f16_to_f32(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023, bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else if (fraction) { /* subnormal: shift the leading one into place */
        exponent = 113;
        while (!(fraction & 1024)) {
            fraction <<= 1;
            exponent--;
        }
        bits = sign | exponent << 23 | (fraction & 1023) << 13;
    } else {
        bits = sign;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t ir_f32_to_f16(float real)
{
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const float magnitude = fabsf(real);
    if (isnan(real))
        return sign | 0x7e00;
    if (magnitude >= 65520.0f)
        return sign | 0x7c00;
    if (magnitude < 0x1p-14f) /* subnormal: multiples of 2^-24 */
        return sign | (uint16_t)lrintf(magnitude * 0x1p24f);
    const uint32_t kept = (bits & 0x7fffffff) - (112u << 23);
    return sign | (uint16_t)((kept + 0xfff + (kept >> 13 & 1)) >> 13);
}
