/* rule_elements.c: element-wise ops: one operand, two with broadcasting in either direction, conversions. */
#include "tests/random/rules.h"

/* ---- Shapes that broadcast to the given one ---- */

static ir_type draw_broadcast(draw *d, const ir_type *to, ir_dtype dtype)
{
    ir_type t = ir_type_make(dtype, to->rank, to->dims);

    switch (draw_below(d, 6)) {
    case 0:
    case 1:
    case 2: break;
    case 3: /* the innermost dimensions, at times none */
        t = ir_type_make(dtype, (int)draw_between(d, 0, to->rank > 2 ? 2 : to->rank), to->dims);
        for (int i = 0; i < t.rank; i++)
            t.dims[i] = to->dims[to->rank - t.rank + i];
        break;
    default:
        for (int i = 0; i < t.rank; i++)
            if (draw_chance(d, 40))
                t.dims[i] = 1;
    }
    return t;
}

static draw_want broadcast_want(const ir_type *t, draw_kind kind)
{
    return (draw_want){.dtype = t->dtype, .kind = kind, .type = t, .constant_percent = 30};
}

/* Parameters of a result: often the operand's own. */
static const ir_quant *like_or_new(draw *d, const ir_value *x, ir_dtype t, double magnitude)
{
    if (x->quant && x->type.dtype == t && draw_chance(d, 40))
        return x->quant;
    return draw_result_quant(d, t, magnitude);
}

static double magnitude_of(const ir_value *v)
{
    return v->quant ? (double)v->quant->scale[0] * (v->type.dtype == IR_I16 ? 32768 : 128) : 4;
}

/* ---- Two operands ---- */

static ir_value *draw_two(draw *d, const draw_types *t, draw_kind kind, ir_value **out_second)
{
    ir_value *a =
        draw_take(d, &(draw_want){.dtype = t->operand[0], .kind = kind, .most_rank = 5, .constant_percent = 5});
    ir_type second = draw_broadcast(d, &a->type, t->operand[1]);
    const draw_want w = broadcast_want(&second, kind);

    *out_second = draw_chance(d, 4) && t->operand[1] == t->operand[0] ? a : draw_take(d, &w);
    return a;
}

static double binary_magnitude(ir_opcode code, double a, double b, const ir_value *bv)
{
    switch (code) {
    case IR_MUL:
    case IR_PRELU: return a * b;
    case IR_DIV: return bv->quant ? a / ((double)bv->quant->scale[0] * 16) : a;
    case IR_SQUARED_DIFFERENCE: return (a + b) * (a + b);
    default: return a > b ? a : b;
    }
}

bool rule_binary(draw *d, ir_opcode code, const draw_types *t)
{
    const bool whole = ir_op_info_of(code)->flags & IR_UNSCALED;
    const bool quantizes = t->operand[0] == IR_F32 && t->result[0] != IR_F32;
    d->takes_bounded = d->takes_bounded && !quantizes;
    const draw_kind kind = whole || (code != IR_PRELU && draw_chance(d, 10)) ? DRAW_PLAIN : DRAW_QUANTIZED;
    ir_value *b, *a = draw_two(d, t, kind, &b);
    ir_value *operands[] = {a, b};

    if (code != IR_PRELU && draw_chance(d, 30))
        operands[0] = b, operands[1] = a;
    draw_op(d, code, 2, operands);
    if (ir_has_attr(d->op, IR_ATTR_ACT))
        ir_set_int(d->op, IR_ATTR_ACT, draw_act(d));
    if (quantizes)
        return draw_result(d, 0, t->result[0], draw_result_quant(d, t->result[0], 4));
    if (kind == DRAW_PLAIN)
        return draw_result(d, 0, t->result[0], NULL);
    return draw_result(
        d, 0, t->result[0],
        like_or_new(d, a, t->result[0], binary_magnitude(code, magnitude_of(a), magnitude_of(b), operands[1])));
}

bool rule_comparison(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *b, *a = draw_two(d, t, draw_chance(d, 15) ? DRAW_PLAIN : DRAW_QUANTIZED, &b);

    draw_op(d, code, 2, (ir_value *[]){a, b});
    return draw_result(d, 0, t->result[0], NULL);
}

bool rule_select(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *a =
        draw_take(d, &(draw_want){.dtype = t->operand[1], .kind = DRAW_ANY, .most_rank = 5, .constant_percent = 10});
    ir_type second = draw_broadcast(d, &a->type, t->operand[2]), condition = draw_broadcast(d, &a->type, IR_BOOL);
    const draw_want w = {.dtype = second.dtype,
                         .kind = DRAW_PLAIN,
                         .type = &second,
                         .quant = second.dtype == a->type.dtype ? a->quant : NULL,
                         .constant_percent = 30};
    ir_value *b = draw_take(d, &w), *c = draw_take(d, &(draw_want){.dtype = IR_BOOL, .type = &condition});
    const bool swapped = draw_chance(d, 30);

    draw_op(d, code, 3, (ir_value *[]){c, swapped ? b : a, swapped ? a : b});
    return draw_result(d, 0, t->result[0], t->result[0] == a->type.dtype ? a->quant : NULL);
}

static ir_value *one_number(draw *d, ir_dtype dtype)
{
    const ir_type number = ir_type_make(dtype, (int)draw_below(d, 2), (int64_t[]){1});
    return draw_take(d, &(draw_want){.dtype = dtype, .type = &number, .constant_percent = 30});
}

/* x, then values of its shape, then numbers. */
static bool draw_grid(draw *d, ir_opcode code, const draw_types *t, int shaped, int operands)
{
    ir_value *v[5] = {draw_take(d, &(draw_want){.dtype = t->operand[0], .most_rank = 5})};
    for (int i = 1; i < operands; i++)
        v[i] = i < shaped ? draw_take(d, &(draw_want){.dtype = t->operand[i], .type = &v[0]->type})
                          : one_number(d, t->operand[i]);
    draw_op(d, code, operands, v);
    return true;
}

bool rule_round_to_grid(draw *d, ir_opcode code, const draw_types *t)
{
    return draw_grid(d, code, t, code == IR_CLAMP_GRADIENT ? 2 : 1, 4) && draw_result(d, 0, t->result[0], NULL);
}

bool rule_grid_gradient(draw *d, ir_opcode code, const draw_types *t)
{
    return draw_grid(d, code, t, 2, 5) && draw_result(d, 0, t->result[0], NULL) &&
           draw_result(d, 1, t->result[1], NULL) && draw_result(d, 2, t->result[2], NULL);
}

/* ---- One operand ---- */

bool rule_unary(draw *d, ir_opcode code, const draw_types *t)
{
    const bool plain =
        code == IR_SIGN || code == IR_LOGICAL_NOT || (t->operand[0] == IR_I32 || t->operand[0] == IR_I64);
    ir_value *x = draw_take(d, &(draw_want){.dtype = t->operand[0],
                                            .kind = plain ? DRAW_PLAIN : DRAW_QUANTIZED,
                                            .most_rank = 5,
                                            .constant_percent = 3});
    const double magnitude =
        code == IR_SIN || code == IR_COS || code == IR_TANH || code == IR_LOGISTIC || code == IR_ERF ? 1
                                                                                                     : magnitude_of(x);

    draw_op(d, code, 1, &x);
    if (ir_has_attr(d->op, IR_ATTR_ACT))
        ir_set_int(d->op, IR_ATTR_ACT, draw_act(d));
    if (ir_has_attr(d->op, IR_ATTR_ALPHA))
        ir_set_float(d->op, IR_ATTR_ALPHA, draw_chance(d, 20) ? -0.25f : (float)draw_between(d, 0, 150) / 100);
    if (ir_has_attr(d->op, IR_ATTR_APPROXIMATE))
        ir_set_int(d->op, IR_ATTR_APPROXIMATE, draw_below(d, 2));
    return draw_result(d, 0, t->result[0], plain ? NULL : like_or_new(d, x, t->result[0], magnitude));
}

/* Of results that are stored as they come, not saturated. */
static const ir_quant *whole_quant(draw *d, ir_dtype t)
{
    return draw_is_small_int(t) ? ir_quant_tensor(d->graph, draw_scale(d), draw_zero(d, t)) : NULL;
}

bool rule_table(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_take(d, &(draw_want){.dtype = t->operand[0], .kind = DRAW_QUANTIZED, .most_rank = 5});
    int64_t entries[256];

    for (int i = 0; i < 256; i++)
        entries[i] = draw_below(d, 256);
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_ENTRIES, 256, entries);
    return draw_result(d, 0, t->result[0], whole_quant(d, t->result[0]));
}

/* ---- Conversions ---- */

bool rule_quantize(draw *d, ir_opcode code, const draw_types *t)
{
    /* An op between a dequantize and a quantize is computed on integers by the passes, which may change a step. */
    ir_value *x = draw_take(d, &(draw_want){.dtype = IR_F32, .most_rank = 5, .no_scales = d->options->pipeline});
    draw_op(d, code, 1, &x);
    return draw_result(d, 0, t->result[0], draw_result_quant(d, t->result[0], 4));
}

bool rule_dequantize(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x;
    if (t->operand[0] == IR_F16 || t->operand[0] == IR_I32) {
        ir_type type = draw_shape(d, t->operand[0], 0, 5);
        const ir_quant *quant = type.dtype == IR_I32 ? ir_quant_tensor(d->graph, draw_scale(d), 0) : NULL;
        x = draw_new(d, &(draw_want){.dtype = type.dtype, .type = &type, .quant = quant, .constant_percent = 30});
    } else {
        x = draw_take(d, &(draw_want){.dtype = t->operand[0], .kind = DRAW_QUANTIZED, .most_rank = 5});
    }
    draw_op(d, code, 1, &x);
    return draw_result(d, 0, IR_F32, NULL);
}

bool rule_requantize(draw *d, ir_opcode code, const draw_types *t)
{
    const bool wide = t->operand[0] == IR_I32;
    const ir_type type = wide ? draw_shape(d, IR_I32, 0, 5) : (ir_type){0};
    const draw_want big = {
        .dtype = IR_I32, .type = &type, .quant = wide ? ir_quant_tensor(d->graph, draw_scale(d) / 64, 0) : NULL};
    const draw_want small = {.dtype = t->operand[0], .kind = DRAW_QUANTIZED, .most_rank = 5};
    ir_value *x = wide ? draw_new(d, &big) : draw_take(d, &small);

    draw_op(d, code, 1, &x);
    if (t->result[0] == IR_I32)
        return draw_result(d, 0, IR_I32,
                           ir_quant_tensor(d->graph, x->quant->scale[0] / (float)draw_between(d, 1, 300), 0));
    if (t->operand[0] == IR_U8 && t->result[0] == IR_U8 && draw_chance(d, 10))
        ir_set_int(d->op, IR_ATTR_ROUNDING, IR_ROUNDING_AWAY_F32);
    return draw_result(d, 0, t->result[0], like_or_new(d, x, t->result[0], magnitude_of(x)));
}

bool rule_cast(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_take(
        d, &(draw_want){.dtype = t->operand[0], .kind = DRAW_ANY, .most_rank = 5, .exact = t->result[0] != IR_F32});
    draw_op(d, code, 1, &x);
    return draw_result(d, 0, t->result[0], draw_chance(d, 30) ? whole_quant(d, t->result[0]) : NULL);
}

/* fake_quant and observe tell the passes of scales, and what these make of them is not the same, on purpose. */
bool rule_fake_quant(draw *d, ir_opcode code, const draw_types *t)
{
    if (d->options->pipeline)
        return false;
    ir_value *x = draw_take(d, &(draw_want){.dtype = t->operand[0], .most_rank = 5});
    draw_op(d, code, 1, &x);
    ir_set_float(d->op, IR_ATTR_MIN, draw_chance(d, 30) ? 0 : -(float)draw_between(d, 1, 800) / 100);
    ir_set_float(d->op, IR_ATTR_MAX, (float)draw_between(d, 1, 800) / 100);
    if (code == IR_FAKE_QUANT) {
        ir_set_int(d->op, IR_ATTR_BITS, draw_chance(d, 60) ? 8 : draw_between(d, 2, 16));
        ir_set_int(d->op, IR_ATTR_NARROW, draw_below(d, 2));
    }
    return draw_result(d, 0, t->result[0], NULL);
}

bool rule_dynamic_quantize(draw *d, ir_opcode code, const draw_types *t)
{
    (void)t;
    ir_value *x = draw_take(d, &(draw_want){.dtype = IR_F32, .most_rank = 5});
    draw_op(d, code, 1, &x);
    ir_set_int(d->op, IR_ATTR_METHOD, draw_below(d, IR_METHOD_COUNT));
    ir_set_int(d->op, IR_ATTR_OUTER, draw_between(d, 0, x->type.rank));
    return draw_result(d, 0, IR_U8, NULL) && draw_result(d, 1, IR_F32, NULL) && draw_result(d, 2, IR_U8, NULL);
}
