/* depthwise_plan.c: channel blocks and packed parameters of depthwise convolutions, see depthwise.h. */
#include "compiler/codegen/window/depthwise.h"

#include <string.h>

#include "ir/ref/interp.h"

static void plan_blocks(depthwise_plan *p)
{
    int64_t in = p->x.dims[3], out = p->y.dims[3], v = p->v;
    if (p->multiplier == 1) {
        p->mode = DEPTHWISE_DIRECT;
        p->blocks = (int)((in + v - 1) / v);
        p->masked = in < v;
        p->full = p->masked ? in : v;
    } else if (v % p->multiplier == 0) {
        p->mode = DEPTHWISE_PATTERN;
        p->blocks = (int)((out + v - 1) / v);
        p->masked = out % v != 0;
        p->full = out < v ? out : v;
    } else {
        p->mode = DEPTHWISE_SPLAT;
        p->blocks = (int)(in * ((p->multiplier + v - 1) / v));
        p->masked = p->multiplier % v != 0;
        p->full = p->multiplier < v ? p->multiplier : v;
    }
}

void depthwise_block(const depthwise_plan *p, int block, int64_t *out_first, int64_t *out_count)
{
    int64_t v = p->v, out = p->y.dims[3];
    if (p->mode == DEPTHWISE_SPLAT) {
        int64_t per_channel = (p->multiplier + v - 1) / v, at = block % per_channel * v;
        *out_first = block / per_channel * p->multiplier + at;
        *out_count = p->multiplier - at < v ? p->multiplier - at : v;
        return;
    }
    *out_first = block * v;
    if (p->mode == DEPTHWISE_DIRECT && !p->masked && *out_first > out - v)
        *out_first = out - v;
    *out_count = out - *out_first < v ? out - *out_first : v;
}

depthwise_plan depthwise_plan_of(const ir_op *op, const target_info *target)
{
    depthwise_plan plan = {.v = (int)target->vector_bytes}, *p = &plan;
    const ir_value *w = ir_operand_value(op, 1);
    p->x = cg_shape_of(ir_operand_value(op, 0));
    p->y = cg_shape_of(op->results[0]);
    for (int d = 0; d < 2; d++) {
        p->kernel[d] = w->type.dims[1 + d];
        p->stride[d] = ir_ints_at(op, IR_ATTR_STRIDE, d);
        p->dilation[d] = ir_ints_at(op, IR_ATTR_DILATION, d);
        p->pad[d] = ir_ints_at(op, IR_ATTR_PAD, d);
    }
    p->multiplier = p->x.dims[3] ? p->y.dims[3] / p->x.dims[3] : 1;
    if (p->x.dtype != IR_U8)
        p->v /= 4;
    plan_blocks(p);
    int64_t reach = (p->kernel[1] - 1) * p->dilation[1];
    int64_t first = (p->pad[1] + p->stride[1] - 1) / p->stride[1];
    int64_t end =
        (p->x.dims[2] - 1 - reach + p->pad[1]) < 0 ? 0 : (p->x.dims[2] - 1 - reach + p->pad[1]) / p->stride[1] + 1;
    first = first < p->y.dims[2] ? first : p->y.dims[2];
    end = end < p->y.dims[2] ? end : p->y.dims[2];
    p->inside[0] = first;
    p->inside[1] = end > first ? end : first;
    return plan;
}

void depthwise_key(cg_key *key, const depthwise_plan *p)
{
    cg_key_shape(key, &p->x);
    cg_key_shape(key, &p->y);
    for (int d = 0; d < 2; d++)
        cg_key_add(key, " k%lld s%lld d%lld p%lld", (long long)p->kernel[d], (long long)p->stride[d],
                   (long long)p->dilation[d], (long long)p->pad[d]);
}

static int32_t weight_zero_of(const ir_value *w, int64_t channel)
{
    return w->quant ? w->quant->zero[w->quant->axis >= 0 ? channel : 0] : 0;
}

int32_t *depthwise_channels(cg_module *m, const depthwise_plan *p)
{
    int32_t *channels = ARENA_ARRAY(m->arena, int32_t, p->blocks * p->v);
    for (int block = 0; block < p->blocks; block++) {
        int64_t first, count;
        depthwise_block(p, block, &first, &count);
        for (int at = 0; at < p->v; at++) {
            int in_block = cg_interleaved_channel(p->v, at);
            channels[block * p->v + at] = in_block < count ? (int32_t)first + in_block : -1;
        }
    }
    return channels;
}

void depthwise_params_make(cg_module *m, const ir_op *op, const depthwise_plan *p, const int32_t channel_of[],
                           int slots, depthwise_params *out)
{
    const ir_value *x = ir_operand_value(op, 0), *w = ir_operand_value(op, 1), *b = ir_operand_value(op, 2);
    const ir_value *y = op->results[0];
    int64_t taps = p->kernel[0] * p->kernel[1], channels = p->y.dims[3];
    const int32_t shift = w->type.dtype == IR_U8 ? 128 : 0; /* unsigned weights that stay as they are: made signed */
    bool centred = true;
    for (int64_t i = 0; i < taps * channels; i++) {
        int64_t c = ir_const_int(w, i) - weight_zero_of(w, i % channels);
        centred = centred && c >= -128 && c <= 127;
    }
    int16_t *weights = ARENA_ARRAY(m->arena, int16_t, taps * channels);
    int32_t *bias = ARENA_ARRAY(m->arena, int32_t, slots), *zeros = ARENA_ARRAY(m->arena, int32_t, slots);
    double *multipliers = ARENA_ARRAY(m->arena, double, slots);
    float *real_bias = ARENA_ARRAY(m->arena, float, slots), *gate = ARENA_ARRAY(m->arena, float, slots);
    for (int64_t i = 0; i < taps * channels; i++)
        weights[i] = (int16_t)(ir_const_int(w, i) - (centred ? weight_zero_of(w, i % channels) : shift));
    for (int slot = 0; slot < slots; slot++) {
        int64_t c = channel_of[slot] < 0 ? 0 : channel_of[slot], sum = 0;
        for (int64_t t = 0; t < taps; t++)
            sum += ir_const_int(w, t * channels + c) - weight_zero_of(w, c);
        int64_t start = (b && b->type.dtype != IR_F32 ? ir_const_int(b, c) : 0) - x->quant->zero[0] * sum;
        bias[slot] = (int32_t)(uint32_t)(uint64_t)start;
        zeros[slot] = weight_zero_of(w, c) - shift;
        multipliers[slot] = ir_mac_multiplier(op, c);
        real_bias[slot] = ir_mac_real_bias(op, c);
        gate[slot] = ir_mac_gate(op, c);
    }
    bool add = op->operand_count > 3 && ir_operand_value(op, 3);
    *out = (depthwise_params){.bias = bias, .weight_zero = centred ? NULL : zeros, .weights = weights};
    out->requant =
        cg_requant_make_for(m, (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING), slots, multipliers, y->type.dtype,
                            add ? ir_float(op, IR_ATTR_MID_SCALE) : y->quant->scale[0],
                            add ? (int32_t)ir_int(op, IR_ATTR_MID_ZERO) : y->quant->zero[0],
                            add ? ir_mac_mid_unused(op) : y->quant->unused, (ir_enum_ACT)ir_int(op, IR_ATTR_ACT));
    cg_requant_add_gate(m, &out->requant, real_bias, gate);
}

LLVMValueRef depthwise_zero_row(cg_module *m, const ir_op *op, const depthwise_plan *p, int64_t columns)
{
    const ir_value *x = ir_operand_value(op, 0);
    size_t size = (size_t)(columns * p->x.stride[2] * p->x.bytes) + 64;
    unsigned char *row = arena_alloc(m->arena, size);
    memset(row, x->quant && p->x.dtype == IR_U8 ? x->quant->zero[0] : 0, size);
    return cg_constant(m, row, size, "zero_row");
}
