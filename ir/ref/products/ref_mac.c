/* ref_mac.c: what multiply-accumulate ops do with a finished sum.
 *
 *     integer:  acc + bias -> requantize, clamp by act -> [add the residual, clamp by add_act] -> store
 *               (a real bias: acc -> requantize, which adds it)
 *               acc + bias -> to real numbers -> add the residual -> round, clamp by add_act -> store
 *     real:     acc + bias -> clamp by act -> [add the residual, clamp by add_act] -> [quantize] -> store */
#include <stdlib.h>

#include "ir/ref/ref_quant.h"

static ir_enum_ACT act_of(const ir_op *op, ir_attr_id id)
{
    return ir_has_attr(op, id) ? (ir_enum_ACT)ir_int(op, id) : IR_ACT_NONE;
}

static bool has_residual(const ir_op *op) { return ir_has_attr(op, IR_ATTR_MID_SCALE) && ir_operand_value(op, 3); }

static bool check_weights(const ir_op *op, const ir_value *w, int64_t channels, int axis, diag *d)
{
    int32_t min, max;
    const ir_quant *q = w->quant;
    if (!q)
        return ir_refuse(op, d, "integer weights have no quantization");
    if (q->axis >= 0 && (q->axis != axis || q->count != channels))
        return ir_refuse(op, d, "weights have %d scales along axis %d, expected %lld along axis %d", (int)q->count,
                         q->axis, (long long)channels, axis);
    ir_dtype_range(w->type.dtype, &min, &max);
    for (int32_t i = 0; i < q->count; i++) {
        if (!(q->scale[i] >= 0) || !isfinite(q->scale[i]))
            return ir_refuse(op, d, "weight scale %d is %g", (int)i, (double)q->scale[i]);
        if (q->zero[i] < min || q->zero[i] > max)
            return ir_refuse(op, d, "weight zero point %d is %d", (int)i, (int)q->zero[i]);
    }
    return true;
}

/* Everything stays finite in front of the one rounding. */
static bool check_real_sum(const ir_op *op, diag *d)
{
    const ir_value *y = op->results[0], *r = ir_operand_value(op, 3), *b = ir_operand_value(op, 2);
    const ir_quant *w = op->operands[1].value->quant;
    if (op->code == IR_DEPTHWISE_CONV2D || y->type.dtype == IR_I16 || act_of(op, IR_ATTR_ACT) != IR_ACT_NONE ||
        ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_EVEN_F32 || ir_mac_is_dynamic(op) || !r->quant || !w ||
        (b && b->type.dtype == IR_F32))
        return ir_refuse(op, d,
                         "a residual without mid_scale is for 8-bit results of conv2d and fully_connected, rounded "
                         "by even_f32, without activation in front of it");
    for (int32_t i = 0; i < w->count; i++)
        if (!((double)op->operands[0].value->quant->scale[0] * w->scale[i] / y->quant->scale[0] < 0x1p30))
            return ir_refuse(op, d, "channel %d's multiplier is out of range", (int)i);
    return (double)r->quant->scale[0] / y->quant->scale[0] < 0x1p30 ||
           ir_refuse(op, d, "the residual's scale is out of range");
}

static bool check_residual(const ir_op *op, diag *d)
{
    const ir_value *r = ir_operand_value(op, 3), *y = op->results[0];
    if (!r)
        return true;
    ir_type type = y->type;
    if (op->operands[0].value->type.dtype == IR_F32)
        type.dtype = IR_F32; /* added before the sum is made an integer */
    if (!ir_type_equal(&r->type, &type))
        return ir_refuse(op, d, "the residual's type is not the result's");
    if (type.dtype == IR_F32)
        return true;
    if (ir_mac_adds_real(op))
        return check_real_sum(op, d) && ir_check_quantized(op, r, "residual", d);
    const float mid_scale = ir_float(op, IR_ATTR_MID_SCALE);
    const int64_t mid_zero = ir_int(op, IR_ATTR_MID_ZERO);
    int32_t min, max;
    const ir_unused unused = ir_mac_mid_unused(op);
    ir_dtype_range(y->type.dtype, &min, &max);
    if (!ir_unused_leaves_two(unused))
        return ir_refuse(op, d, "mid_unused leaves fewer than two integers");
    if (!(mid_scale > 0) || !isfinite(mid_scale) || mid_zero < min + unused.below || mid_zero > max - unused.above)
        return ir_refuse(op, d, "mid_scale or mid_zero is out of range");
    return ir_check_quantized(op, r, "residual", d);
}

/* One number, or one for each index of leading dimensions of x. */
static bool check_parameter(const ir_op *op, int index, diag *d)
{
    const ir_type *x = &op->operands[0].value->type, *p = &op->operands[index].value->type;
    /* Windows reach over all pixels of an image. */
    bool fits = p->rank <= (op->code == IR_FULLY_CONNECTED ? x->rank - 1 : 1);
    for (int i = 0; fits && i < p->rank; i++)
        fits = p->dims[i] == x->dims[i];
    return fits || ir_type_elements(p) == 1 ||
           ir_refuse(op, d, "the %s's extents are not leading extents of the operand",
                     index == IR_MAC_SCALE ? "scale" : "zero point");
}

static bool check_dynamic(const ir_op *op, int64_t channels, int weight_axis, diag *d)
{
    const ir_value *w = op->operands[1].value, *s = ir_operand_value(op, IR_MAC_SCALE), *y = op->results[0];
    if (op->operands[0].value->quant || y->quant || (y->type.dtype != IR_F32 && y->type.dtype != IR_I32))
        return ir_refuse(op, d, "parameters both static and from run time");
    if ((y->type.dtype == IR_F32) != (s != NULL))
        return ir_refuse(op, d, "a real result needs a scale, an integer one has none");
    if (y->type.dtype == IR_I32 && (ir_operand_value(op, 2) || ir_operand_value(op, 3) || act_of(op, IR_ATTR_ACT)))
        return ir_refuse(op, d, "an integer result has neither bias nor residual nor activation");
    return (!s || check_parameter(op, IR_MAC_SCALE, d)) && check_parameter(op, IR_MAC_ZERO, d) &&
           check_weights(op, w, channels, weight_axis, d);
}

static bool check_gate(const ir_op *op, int64_t channels, diag *d)
{
    const ir_value *g = ir_operand_value(op, IR_MAC_GATE), *b = ir_operand_value(op, 2);
    if (!g)
        return true;
    const int64_t count = ir_type_elements(&g->type);
    if (!ir_is_const(g) || (count != 1 && count != channels))
        return ir_refuse(op, d, "a gate that is not a constant for each channel");
    if (!ir_is_const(op->operands[1].value))
        return ir_refuse(op, d, "a gate behind weights that are computed");
    if (!op->operands[0].value->quant || !op->results[0]->quant || ir_mac_is_dynamic(op) || ir_operand_value(op, 3) ||
        (b && !ir_is_const(b)) || act_of(op, IR_ATTR_ACT) || ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_EVEN_F32)
        return ir_refuse(op, d, "a gate is for 8-bit results rounded by even_f32, without activation or residual");
    return true;
}

/* Does everything stay finite in front of the gate? */
static bool check_gate_range(const ir_op *op, int64_t channels, diag *d)
{
    for (int64_t c = 0; ir_operand_value(op, IR_MAC_GATE) && c < channels; c++) {
        const float slope = ir_mac_gate(op, c);
        if (!(slope > 0 && isfinite(slope)) || !(fabsf(ir_mac_real_bias(op, c)) < 0x1p30f) ||
            !(ir_mac_multiplier(op, c) < 0x1p30))
            return ir_refuse(op, d, "channel %lld's gate, bias or multiplier is out of range", (long long)c);
    }
    return true;
}

bool ir_mac_check(const ir_op *op, int64_t channels, int weight_axis, diag *d)
{
    const ir_value *x = op->operands[0].value, *w = op->operands[1].value, *b = ir_operand_value(op, 2);
    const ir_value *y = op->results[0];
    if (b && ir_type_elements(&b->type) != channels)
        return ir_refuse(op, d, "%lld biases, expected %lld", (long long)ir_type_elements(&b->type),
                         (long long)channels);
    if (ir_has_attr(op, IR_ATTR_MID_SCALE) && !check_residual(op, d))
        return false;
    if (!check_gate(op, channels, d))
        return false;
    if (ir_mac_is_dynamic(op))
        return check_dynamic(op, channels, weight_axis, d);
    if (ir_operand_value(op, IR_MAC_SCALE) || y->type.dtype == IR_I32)
        return ir_refuse(op, d, "no zero point");
    if (x->type.dtype == IR_F32)
        return y->type.dtype == IR_F32 || ir_check_quantized(op, y, "result", d);
    if (!ir_check_quantized(op, x, "operand", d) || !check_weights(op, w, channels, weight_axis, d))
        return false;
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    if (b && b->type.dtype == IR_F32 && y->type.dtype != IR_F32 && (!ir_rounding_is_real(rounding) || has_residual(op)))
        return ir_refuse(op, d, "a real bias needs a rounding in floats, and no residual");
    if (x->type.dtype == IR_I16 && x->quant->zero[0] != 0)
        return ir_refuse(op, d, "a 16-bit operand has zero point %d", (int)x->quant->zero[0]);
    return (y->type.dtype == IR_F32 || ir_check_quantized(op, y, "result", d)) && check_gate_range(op, channels, d);
}

static bool init_bias(ir_mac_end *e, const ir_value *b, const void *data, bool wide)
{
    if (!b)
        return true;
    const size_t n = (size_t)e->channels + 1;
    if (b->type.dtype == IR_F32)
        e->bias_f32 = malloc(n * sizeof *e->bias_f32);
    else if (wide)
        e->bias64 = malloc(n * sizeof *e->bias64);
    else
        e->bias = malloc(n * sizeof *e->bias);
    if (!e->bias_f32 && !e->bias64 && !e->bias)
        return false;
    for (int64_t c = 0; c < e->channels; c++) {
        if (e->bias_f32)
            e->bias_f32[c] = ir_f32_at(data, c);
        else if (e->bias64)
            e->bias64[c] = ir_int_at(b->type.dtype, data, c);
        else
            e->bias[c] = (int32_t)ir_int_at(b->type.dtype, data, c);
    }
    return true;
}

static bool init_requant(ir_mac_end *e, const ir_op *op)
{
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    const ir_value *y = op->results[0];
    if (e->type == IR_I32)
        return true;
    if (e->type == IR_F32) {
        e->to_real = malloc(((size_t)e->channels + 1) * sizeof *e->to_real);
        for (int64_t c = 0; e->to_real && c < e->channels; c++)
            e->to_real[c] = (float)ir_mac_multiplier(op, c);
        return e->to_real != NULL;
    }
    e->adds_real = ir_mac_adds_real(op);
    const bool add = has_residual(op) && !e->adds_real;
    const float scale = add ? ir_float(op, IR_ATTR_MID_SCALE) : ir_scale_of(y);
    const int32_t zero = add ? (int32_t)ir_int(op, IR_ATTR_MID_ZERO) : ir_zero_of(y);
    int32_t min, max;
    const ir_unused unused = add ? ir_mac_mid_unused(op) : y->quant ? y->quant->unused : (ir_unused){0, 0};
    ir_act_bounds(act_of(op, IR_ATTR_ACT), e->type, scale, zero, unused, &min, &max);
    ir_rounding_bounds(rounding, e->type, &min, &max);
    e->requant = malloc(((size_t)e->channels + 1) * sizeof *e->requant);
    for (int64_t c = 0; e->requant && c < e->channels; c++)
        e->requant[c] = ir_requant_make(rounding, ir_mac_multiplier(op, c), zero, min, max);
    for (int64_t c = 0; e->requant && e->bias_f32 && c < e->channels; c++)
        e->requant[c].bias = (float)((double)e->bias_f32[c] / scale);
    for (int64_t c = 0; e->requant && ir_operand_value(op, IR_MAC_GATE) && c < e->channels; c++)
        e->requant[c].gate = ir_mac_gate(op, c);
    if (e->adds_real) {
        e->residual_unit = (float)((double)ir_scale_of(op->operands[3].value) / scale);
        e->add.zero1 = ir_zero_of(op->operands[3].value);
        ir_result_bounds(y, act_of(op, IR_ATTR_ADD_ACT), &e->add.min, &e->add.max);
    }
    if (add) {
        const ir_quant_point mid = {scale, zero, unused}, r = ir_point_of(op->operands[3].value);
        ir_result_bounds(y, act_of(op, IR_ATTR_ADD_ACT), &min, &max);
        e->add = ir_add_quant_make(rounding, e->type, false, e->residual_first ? r : mid, e->residual_first ? mid : r,
                                   ir_point_of(y), min, max);
    }
    return e->requant != NULL;
}

bool ir_mac_end_init(ir_mac_end *e, const ir_op *op, const void *const operands[], void *result, diag *d)
{
    const ir_type *y = &op->results[0]->type;
    const ir_dtype x = op->operands[0].value->type.dtype;
    memset(e, 0, sizeof *e);
    e->channels = y->rank ? y->dims[y->rank - 1] : 1;
    e->type = y->dtype;
    e->real = x == IR_F32;
    e->result = result;
    if (e->real && e->type != IR_F32)
        e->grid = ir_grid_of(op);
    ir_act_bounds_f32(act_of(op, IR_ATTR_ACT), &e->min, &e->max);
    if (has_residual(op)) {
        e->residual = operands[3];
        e->residual_first = ir_int(op, IR_ATTR_ADD_FIRST) != 0;
        ir_act_bounds_f32(act_of(op, IR_ATTR_ADD_ACT), &e->add_min, &e->add_max);
    }
    if (ir_operand_value(op, IR_MAC_SCALE)) {
        const int64_t scales = ir_type_elements(&op->operands[IR_MAC_SCALE].value->type);
        e->row_scale = operands[IR_MAC_SCALE];
        e->rows_per_scale = ir_type_elements(y) / e->channels / scales;
    }
    const ir_value *b = ir_has_attr(op, IR_ATTR_ADJ_A) ? NULL : ir_operand_value(op, 2);
    if (init_bias(e, b, b ? operands[2] : NULL, x == IR_I16) && (e->real || init_requant(e, op)))
        return true;
    ir_mac_end_free(e);
    return ir_out_of_memory(op, d);
}

void ir_mac_end_free(ir_mac_end *e)
{
    free(e->bias);
    free(e->bias64);
    free(e->bias_f32);
    free(e->requant);
    free(e->to_real);
    memset(e, 0, sizeof *e);
}

int16_t *ir_mac_centred_operand(const ir_op *op, const void *const operands[])
{
    const ir_value *x = op->operands[0].value, *z = ir_operand_value(op, IR_MAC_ZERO);
    const int64_t n = ir_type_elements(&x->type), zeros = z ? ir_type_elements(&z->type) : 1,
                  each = zeros ? n / zeros : 0;
    int16_t *out = malloc(((size_t)n + 1) * sizeof *out);
    for (int64_t i = 0; out && i < zeros; i++)
        ir_ints_load_i16(x->type.dtype, operands[0], i * each, each,
                         z ? (int32_t)ir_int_at(IR_U8, operands[IR_MAC_ZERO], i) : x->quant->zero[0], out + i * each);
    return out;
}

static void store_real(const ir_mac_end *e, int64_t index, float v)
{
    v = ir_clamp_f32(v, e->min, e->max);
    if (e->residual) {
        const float r = ir_f32_at(e->residual, index);
        v = ir_clamp_f32(e->residual_first ? r + v : v + r, e->add_min, e->add_max);
    }
    if (e->type == IR_F32)
        ir_f32_put(e->result, index, v);
    else
        ir_int_put(e->type, e->result, index, ir_grid_apply(&e->grid, v));
}

static void store_int(const ir_mac_end *e, int64_t index, int32_t v)
{
    if (e->residual) {
        const int32_t r = (int32_t)ir_int_at(e->type, e->residual, index);
        v = e->residual_first ? ir_add_quant_apply(&e->add, r, v) : ir_add_quant_apply(&e->add, v, r);
    }
    ir_int_put(e->type, e->result, index, v);
}

static void store_sum(const ir_mac_end *e, int64_t index, float product, int32_t zero)
{
    const int32_t r = (int32_t)ir_int_at(e->type, e->residual, index) - e->add.zero1;
    const float sum = fmaf((float)r, e->residual_unit, product);
    ir_int_put(e->type, e->result, index, ir_round_even_f32(sum, zero, e->add.min, e->add.max));
}

void ir_mac_end_i32(const ir_mac_end *e, int64_t row, int64_t first, int64_t count, const int32_t acc[])
{
    const int64_t start = row * e->channels + first;
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = first + i;
        const int32_t sum = e->bias ? (int32_t)((uint32_t)acc[i] + (uint32_t)e->bias[c]) : acc[i];
        if (e->to_real) {
            const float scale =
                e->row_scale ? ir_f32_at(e->row_scale, row / e->rows_per_scale) * e->to_real[c] : e->to_real[c];
            const float product = (float)sum * scale;
            store_real(e, start + i, e->bias_f32 ? product + e->bias_f32[c] : product);
        } else if (e->type == IR_I32)
            ir_i32_put(e->result, start + i, sum);
        else if (e->adds_real)
            store_sum(e, start + i, ir_requant_real(&e->requant[c], sum), e->requant[c].zero);
        else
            store_int(e, start + i, ir_requant_apply(&e->requant[c], sum));
    }
}

void ir_mac_end_i64(const ir_mac_end *e, int64_t row, int64_t first, int64_t count, const int64_t acc[])
{
    const int64_t start = row * e->channels + first;
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = first + i;
        const int64_t sum = e->bias64 ? (int64_t)((uint64_t)acc[i] + (uint64_t)e->bias64[c]) : acc[i];
        if (e->to_real)
            store_real(e, start + i, (float)sum * e->to_real[c]);
        else
            store_int(e, start + i, ir_requant_apply_i64(&e->requant[c], sum));
    }
}

void ir_mac_end_f32(const ir_mac_end *e, int64_t row, int64_t first, int64_t count, const float acc[])
{
    const int64_t start = row * e->channels + first;
    for (int64_t i = 0; i < count; i++)
        store_real(e, start + i, e->bias_f32 ? acc[i] + e->bias_f32[first + i] : acc[i]);
}

/* ---- Shared with ref_binary.c ---- */

ir_add_quant ir_add_quant_make(ir_enum_ROUNDING rounding, ir_dtype type, bool subtract, ir_quant_point a,
                               ir_quant_point b, ir_quant_point y, int32_t min, int32_t max)
{
    ir_add_quant p = {.rounding = rounding,
                      .zero1 = a.zero,
                      .zero2 = b.zero,
                      .zero = y.zero,
                      .min = min,
                      .max = max,
                      .subtract = subtract,
                      .left_shift = type == IR_I16 ? 15 : 20};
    p.scale1 = (float)((double)a.scale / y.scale);
    p.scale2 = (float)((double)b.scale / y.scale);
    if (subtract)
        p.scale2 = -p.scale2;
    if (rounding != IR_ROUNDING_EVEN_F32) {
        const double twice_larger = 2.0 * (a.scale > b.scale ? a.scale : b.scale);
        p.multiplier1 = arith_multiplier_of(a.scale / twice_larger);
        p.multiplier2 = arith_multiplier_of(b.scale / twice_larger);
        p.multiplier = arith_multiplier_of(twice_larger / (ldexp(1.0, p.left_shift) * y.scale));
    }
    return p;
}

/* x >> by with ties away from zero, as a fixed-point product of exactly 2^-by: of 2x and a half. */
static arith_multiplier shift_of(float scale, float result_scale)
{
    return (arith_multiplier){1 << 30, -(int)lround(log2((double)result_scale / scale))};
}

ir_add_quant ir_add_quant_of(const ir_op *op, int32_t min, int32_t max)
{
    const ir_enum_ROUNDING rounding = (ir_enum_ROUNDING)ir_int(op, IR_ATTR_ROUNDING);
    const ir_quant_point a = ir_point_of(op->operands[0].value), b = ir_point_of(op->operands[1].value);
    const ir_quant_point y = ir_point_of(op->results[0]);
    ir_add_quant p = ir_add_quant_make(rounding, op->results[0]->type.dtype, op->code == IR_SUB, a, b, y, min, max);
    if (rounding != IR_ROUNDING_EVEN_F32 && ir_int(op, IR_ATTR_SHIFTED)) {
        p.left_shift = 1;
        p.multiplier1 = shift_of(a.scale, y.scale);
        p.multiplier2 = shift_of(b.scale, y.scale);
        p.multiplier = (arith_multiplier){1 << 30, 1};
    }
    return p;
}
