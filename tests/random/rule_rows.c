/* rule_rows.c: ops over rows and axes: reductions, normalisation, searching. */
#include <math.h>

#include "tests/random/rules.h"

static ir_value *draw_rows(draw *d, ir_dtype t, draw_kind kind, bool exact)
{
    return draw_take(d, &(draw_want){.dtype = t, .kind = kind, .least_rank = 1, .most_rank = 5, .exact = exact});
}

static int64_t last_extent(const ir_value *v) { return v->type.dims[v->type.rank - 1]; }

bool rule_reduce(draw *d, ir_opcode code, const draw_types *t)
{
    const bool picks = code == IR_REDUCE_MAX || code == IR_REDUCE_MIN;
    ir_value *x = draw_rows(d, t->operand[0], picks ? DRAW_ANY : DRAW_QUANTIZED, false);
    int64_t axes[IR_MAX_RANK], reduced = 1;
    int count = 0;

    for (int i = 0; i < x->type.rank; i++)
        if (draw_chance(d, 45)) {
            axes[count++] = i;
            reduced *= x->type.dims[i];
        }
    if (draw_chance(d, 20) && x->type.rank == 4) /* as a global average pool */
        count = 2, axes[0] = 1, axes[1] = 2, reduced = x->type.dims[1] * x->type.dims[2];
    draw_op(d, code, 1, &x);
    draw_ints(d, IR_ATTR_AXES, count, axes);
    ir_set_int(d->op, IR_ATTR_KEEP_DIMS, draw_below(d, 2));
    if (picks)
        return draw_result(d, 0, t->result[0], x->quant);
    const double magnitude = x->quant ? (double)x->quant->scale[0] * (x->type.dtype == IR_I16 ? 32768 : 128) : 1;
    return draw_result(
        d, 0, t->result[0],
        draw_result_quant(d, t->result[0], code == IR_SUM ? magnitude * sqrt((double)reduced) : magnitude));
}

/* ---- Normalisation ---- */

bool rule_softmax(draw *d, ir_opcode code, const draw_types *t)
{
    const bool masked = t->operands > 1 && draw_chance(d, 50);
    ir_value *operands[2] = {draw_rows(d, t->operand[0], DRAW_QUANTIZED, t->result[0] != IR_F32)};
    const ir_value *x = operands[0];

    if (masked) { /* broadcast, but for its rows */
        ir_type mask = ir_type_make(IR_F32, x->type.rank, x->type.dims);
        for (int i = 0; i < mask.rank - 1; i++)
            if (draw_chance(d, 50))
                mask.dims[i] = 1;
        if (draw_chance(d, 20))
            mask = ir_type_make(IR_F32, 1, &mask.dims[mask.rank - 1]);
        operands[1] = draw_take(
            d, &(draw_want){.dtype = IR_F32, .type = &mask, .exact = t->result[0] != IR_F32, .constant_percent = 30});
    }
    draw_op(d, code, 1 + masked, operands);
    ir_set_float(d->op, IR_ATTR_BETA, draw_chance(d, 60) ? 1 : (float)draw_between(d, 1, 300) / 100);
    const ir_quant *quant = t->result[0] == IR_U8 || t->result[0] == IR_I8
                                ? ir_quant_tensor(d->graph, 1 / 256.0f, t->result[0] == IR_I8 ? -128 : 0)
                            : t->result[0] == IR_I16 ? ir_quant_tensor(d->graph, 1 / 32768.0f, 0)
                                                     : NULL;
    return draw_result(d, 0, t->result[0], draw_chance(d, 75) ? quant : draw_result_quant(d, t->result[0], 1));
}

bool rule_normalize(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_rows(d, t->operand[0], DRAW_QUANTIZED, false);
    draw_op(d, code, 1, &x);
    if (code == IR_L2_NORMALIZE) {
        ir_set_float(d->op, IR_ATTR_EPSILON, draw_chance(d, 50) ? 0 : 1e-6f);
        if (t->operand[0] == IR_U8 && draw_chance(d, 30))
            ir_set_int(d->op, IR_ATTR_ORIGIN, 128);
    }
    return draw_result(d, 0, t->result[0], draw_result_quant(d, t->result[0], code == IR_LOG_SOFTMAX ? 16 : 1));
}

bool rule_layer_norm(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *operands[3] = {draw_rows(d, t->operand[0], DRAW_QUANTIZED, false), NULL, NULL};
    const ir_type row = ir_type_make(IR_F32, 1, (int64_t[]){last_extent(operands[0])});
    const draw_want w = {.dtype = IR_F32, .type = &row, .exact = true, .constant_percent = 80};
    int count = 1;

    if (draw_chance(d, 70))
        operands[count++] = draw_take(d, &w);
    if (draw_chance(d, 70)) {
        operands[2] = draw_take(d, &w);
        count = 3;
    }
    draw_op(d, code, count, operands);
    ir_set_float(d->op, IR_ATTR_EPSILON, draw_chance(d, 80) ? 1e-5f : 0.1f);
    return draw_result(d, 0, t->result[0], draw_result_quant(d, t->result[0], 3));
}

/* A variance is no number below 0. */
static ir_value *draw_variance(draw *d, const ir_type *type)
{
    ir_value *v = draw_constant(d, *type, NULL, -1);
    float *to = ARENA_ARRAY(d->graph->arena, float, type->dims[0]);
    for (int64_t i = 0; i < type->dims[0]; i++)
        to[i] = fabsf((float)ir_const_real(v, i));
    v->data = to;
    return v;
}

bool rule_batch_norm(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_take(d, &(draw_want){.dtype = t->operand[0], .least_rank = 2, .most_rank = 4});
    const int axis = draw_chance(d, 70) ? x->type.rank - 1 : (int)draw_between(d, 1, x->type.rank - 1);
    const ir_type row = ir_type_make(IR_F32, 1, &x->type.dims[axis]);
    ir_value *operands[5] = {x};
    for (int i = 1; i < 4; i++)
        operands[i] = draw_constant(d, row, NULL, -1);
    operands[4] = draw_variance(d, &row);
    draw_op(d, code, 5, operands);
    ir_set_int(d->op, IR_ATTR_AXIS, axis);
    ir_set_float(d->op, IR_ATTR_EPSILON, draw_chance(d, 80) ? 1e-3f : 0.1f);
    return draw_result(d, 0, t->result[0], NULL);
}

/* ---- Searching ---- */

bool rule_arg(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_rows(d, t->operand[0], DRAW_ANY, true);
    draw_op(d, code, 1, &x);
    ir_set_int(d->op, IR_ATTR_AXIS, draw_chance(d, 50) ? x->type.rank - 1 : draw_below(d, x->type.rank));
    return draw_result(d, 0, t->result[0], NULL);
}

bool rule_top_k(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_rows(d, t->operand[0], DRAW_ANY, true);
    draw_op(d, code, 1, &x);
    ir_set_int(d->op, IR_ATTR_K, draw_between(d, 1, last_extent(x)));
    return draw_result(d, 0, t->result[0], x->quant) && draw_result(d, 1, t->result[1], NULL);
}

bool rule_cumsum(draw *d, ir_opcode code, const draw_types *t)
{
    ir_value *x = draw_rows(d, t->operand[0], DRAW_PLAIN, false);
    draw_op(d, code, 1, &x);
    ir_set_int(d->op, IR_ATTR_AXIS, draw_below(d, x->type.rank));
    return draw_result(d, 0, t->result[0], NULL);
}
