/* rule_products.c: matrix products, and what all multiply-accumulate ops share: weights by channel or by tensor, with
 * zero points or without, biases, residuals, operands quantized at run time. */
#include <math.h>

#include "tests/codegen/fill.h"
#include "tests/random/rules.h"

enum { WEIGHTS = 1, BIAS, RESIDUAL, SCALE, ZERO, GATE };

/* ---- What they share ---- */

bool rule_mac_begin(draw *d, const draw_types *t, rule_mac *m)
{
    *m = (rule_mac){.real = t->operand[0] == IR_F32,
                    .dynamic = t->operands == GATE,
                    .gated = t->operands > GATE,
                    .bias = t->operand[BIAS]};
    m->operand_kind = m->dynamic ? DRAW_PLAIN : DRAW_QUANTIZED;
    /* The order of real sums would decide integers; tests/codegen/gemm/quantized_products.qir has longer ones, of whole numbers. */
    m->single = m->real && t->result[0] != IR_F32;
    if (!m->real || m->single)
        d->takes_bounded = false; /* sums of integers, their biases and scales decide integers */
    return true;
}

/* Scales along the channels, some of them 0 as pruning leaves them, or one; zero points are rare. */
static const ir_quant *weight_quant(draw *d, ir_dtype t, int axis, int64_t channels)
{
    float scales[512];
    int32_t zeros[512];
    const float base = draw_scale(d);
    const int32_t zero = draw_chance(d, 15) ? draw_zero(d, t) : t == IR_U8 ? 128 : 0;
    const bool own_zeros = draw_chance(d, 5);

    if (channels > 512 || channels < 1 || draw_chance(d, 35))
        return ir_quant_tensor(d->graph, base, zero);
    for (int64_t c = 0; c < channels; c++) {
        scales[c] = draw_chance(d, 2) ? 0 : base * (float)draw_between(d, 64, 192) / 128;
        zeros[c] = own_zeros ? draw_zero(d, t) : zero;
    }
    return ir_quant_new(d->graph, axis, (int32_t)channels, scales, zeros);
}

static float largest_scale(const ir_quant *q)
{
    float largest = 0;

    for (int32_t i = 0; q && i < q->count; i++)
        largest = fmaxf(largest, q->scale[i]);
    return q ? largest : 1;
}

void rule_mac_weights(draw *d, rule_mac *m, ir_value *x, ir_type type, int axis, int64_t terms)
{
    const ir_quant *quant = m->real ? NULL : weight_quant(d, type.dtype, axis, type.dims[axis]);
    const bool computed = draw_chance(d, 6);
    const draw_want same = {.dtype = type.dtype, .kind = DRAW_QUANTIZED, .type = &type};
    const ir_type bias = ir_type_make(m->bias, 1, &type.dims[axis]);
    ir_value *w =
        computed ? draw_take(d, &same)
                 : draw_constant(d, type, quant, draw_chance(d, 80) ? FILL_CONSTANT : (int)draw_below(d, FILL_KINDS));

    m->channels = type.dims[axis];
    m->operands[0] = x;
    m->operands[WEIGHTS] = w;
    m->operand_count = 2;
    m->terms = terms;
    if (!m->single &&
        draw_chance(d, m->bias == IR_F32 && !m->real ? 40 : 75)) /* real biases of integers are Paddle's */
        m->operands[m->operand_count++] =
            draw_chance(d, 95)
                ? draw_constant(d, bias, NULL, draw_chance(d, 80) ? FILL_CONSTANT : (int)draw_below(d, FILL_KINDS))
                : draw_take(d, &(draw_want){.dtype = bias.dtype, .kind = DRAW_PLAIN, .type = &bias});
    m->magnitude = (double)largest_scale(x->quant) * (double)largest_scale(w->quant) * 5000 * sqrt((double)terms + 1);
    if (x->type.dtype == IR_I16)
        m->magnitude *= 200;
}

static void add_operand(draw *d, int index, ir_value *v)
{
    while (d->op->operand_count < index)
        ir_set_operand(d->op, d->op->operand_count, NULL);
    ir_set_operand(d->op, index, v);
}

/* Can the product be added to before it is rounded? */
static bool adds_real(const draw *d, const ir_type *result)
{
    const ir_value *x = d->op->operands[0].value, *b = ir_operand_value(d->op, BIAS);
    return x->quant && ir_dtype_bytes(result->dtype) == 1 && d->op->code != IR_DEPTHWISE_CONV2D &&
           ir_int(d->op, IR_ATTR_ROUNDING) == IR_ROUNDING_EVEN_F32 && !(b && b->type.dtype == IR_F32);
}

static void add_residual(draw *d, const ir_type *result)
{
    const bool real = d->op->operands[0].value->type.dtype == IR_F32;
    ir_type type = *result;
    type.dtype = real ? IR_F32 : result->dtype;
    const draw_want like = {.dtype = type.dtype, .kind = DRAW_QUANTIZED, .type = &type};
    const ir_value *y = d->op->results[0];

    add_operand(d, RESIDUAL, draw_take(d, &like));
    ir_set_int(d->op, IR_ATTR_ADD_ACT, draw_act(d));
    ir_set_int(d->op, IR_ATTR_ADD_FIRST, draw_below(d, 2));
    if (real || !y->quant)
        return;
    if (adds_real(d, result) && draw_chance(d, 50)) {
        ir_set_int(d->op, IR_ATTR_ACT, IR_ACT_NONE);
        return;
    }
    ir_set_float(d->op, IR_ATTR_MID_SCALE, y->quant->scale[0] * (float)draw_between(d, 50, 200) / 100);
    const int32_t zero = draw_zero(d, result->dtype);
    const ir_unused unused = draw_unused(d, result->dtype, zero);
    ir_set_int(d->op, IR_ATTR_MID_ZERO, zero);
    ir_set_ints(d->op, IR_ATTR_MID_UNUSED, 2, (const int64_t[]){unused.below, unused.above});
}

/* Scale and zero point of x: for the tensor, for each image or each row. */
static void add_parameters(draw *d, const draw_types *t)
{
    const ir_type *x = &d->op->operands[0].value->type;
    const int most = d->op->code == IR_FULLY_CONNECTED ? x->rank - 1 : 1;
    ir_type p = ir_type_make(IR_F32, (int)draw_between(d, 0, most), x->dims);

    if (t->result[0] == IR_F32)
        add_operand(d, SCALE, draw_take(d, &(draw_want){.dtype = IR_F32, .type = &p}));
    p.dtype = IR_U8;
    add_operand(d, ZERO, draw_take(d, &(draw_want){.dtype = IR_U8, .kind = DRAW_PLAIN, .type = &p}));
}

/* Slopes, and what goes with them: neither activation nor residual, a bias that is known. */
static void add_gate(draw *d, const rule_mac *m)
{
    const ir_type one = ir_type_make(IR_F32, 1, (int64_t[]){draw_chance(d, 50) ? 1 : m->channels});
    ir_value *g = draw_constant(d, one, NULL, FILL_CONSTANT), *b = ir_operand_value(d->op, BIAS);
    float *slopes = (float *)g->data;
    for (int64_t i = 0; i < ir_type_elements(&one); i++)
        slopes[i] = draw_chance(d, 30) ? 1 / 6.0f : (float)draw_between(d, 1, 400) / 100;
    if (b)
        ir_set_operand(d->op, BIAS, draw_constant(d, b->type, NULL, FILL_CONSTANT));
    add_operand(d, GATE, g);
    ir_set_int(d->op, IR_ATTR_ACT, IR_ACT_NONE);
}

bool rule_mac_end(draw *d, const draw_types *t, rule_mac *m)
{
    const bool sums = m->dynamic && t->result[0] == IR_I32;
    const ir_quant *quant = m->dynamic ? NULL : draw_result_quant(d, t->result[0], m->magnitude);

    if (m->single && m->terms != 1)
        return false;
    if (d->op->code == IR_TRANSPOSE_CONV2D) {
        const ir_type result = d->op->results[0]->type;
        return draw_result_as(d, 0, &result, quant);
    }
    if (sums) {
        if (d->op->operand_count > BIAS)
            ir_set_operand(d->op, BIAS, NULL);
        ir_set_int(d->op, IR_ATTR_ACT, IR_ACT_NONE);
    }
    if (!draw_result(d, 0, t->result[0], quant))
        return false;
    if (m->gated)
        add_gate(d, m);
    else if (!sums && draw_chance(d, 15) &&
             t->operand[0] != IR_I16) /* no pass makes residuals of 16 bits, and there is no code for them */
        add_residual(d, &d->op->results[0]->type);
    if (m->dynamic)
        add_parameters(d, t);
    return true;
}

/* ---- Matrix products ---- */

bool rule_fully_connected(draw *d, ir_opcode code, const draw_types *t)
{
    rule_mac m;
    if (!rule_mac_begin(d, t, &m))
        return false;
    ir_value *x =
        draw_take(d, &(draw_want){.dtype = t->operand[0], .kind = m.operand_kind, .least_rank = 1, .most_rank = 5});
    const int64_t depth = x->type.dims[x->type.rank - 1], rows = depth ? ir_type_elements(&x->type) / depth : 0;
    int64_t units = draw_channels(d);

    while (units > 1 && (rows * units * depth > DRAW_MOST_TERMS || rows * units > DRAW_MOST_ELEMENTS ||
                         units * depth > DRAW_MOST_ELEMENTS))
        units /= 2;
    rule_mac_weights(d, &m, x, ir_type_make(t->operand[1], 2, (int64_t[]){units, depth}), 0, depth);
    draw_op(d, code, m.operand_count, m.operands);
    ir_set_int(d->op, IR_ATTR_ACT, draw_act(d));
    return rule_mac_end(d, t, &m);
}

bool rule_batch_matmul(draw *d, ir_opcode code, const draw_types *t)
{
    const bool real = t->operand[0] == IR_F32, adj_a = draw_chance(d, 25), adj_b = draw_chance(d, 40);
    d->takes_bounded = d->takes_bounded && real;
    ir_value *a =
        draw_take(d, &(draw_want){.dtype = t->operand[0], .kind = DRAW_QUANTIZED, .least_rank = 2, .most_rank = 5});
    ir_type type = a->type;
    const int rank = type.rank;
    const int64_t depth = type.dims[rank - 1 - adj_a], columns = draw_channels(d);
    for (int i = 0; i < rank - 2; i++)
        if (draw_chance(d, 20))
            type.dims[i] = 1;
    type.dims[rank - 2 + adj_b] = depth;
    type.dims[rank - 1 - adj_b] = columns;
    if (draw_chance(d, 20))
        type = ir_type_make(type.dtype, 2, &type.dims[rank - 2]);
    if (!draw_fits(&type) || ir_type_elements(&a->type) * columns > DRAW_MOST_TERMS)
        return false;
    ir_value *b = draw_take(
        d, &(draw_want){.dtype = t->operand[1], .kind = DRAW_QUANTIZED, .type = &type, .constant_percent = 40});
    const double magnitude =
        (double)largest_scale(a->quant) * (double)largest_scale(b->quant) * 5000 * sqrt((double)depth + 1);

    draw_op(d, code, 2, (ir_value *[]){a, b});
    ir_set_int(d->op, IR_ATTR_ADJ_A, adj_a);
    ir_set_int(d->op, IR_ATTR_ADJ_B, adj_b);
    return draw_result(d, 0, t->result[0],
                       draw_result_quant(d, t->result[0], t->operand[0] == IR_I16 ? magnitude * 40000 : magnitude));
}
