/* util.c: building blocks of passes. */
#include "passes/common/util.h"

#include <assert.h>

#include "ir/ref/interp.h"

void pass_ignore(const diag *d)
{
    if (d->out_of_memory)
        arena_out_of_memory();
}

bool pass_evaluate(const ir_op *op, const void *const operands[], void *const results[])
{
    diag ignored = {0};
    const bool good = ir_eval_op(op, operands, results, &ignored);
    pass_ignore(&ignored);
    return good;
}

bool pass_is_real_constant(const ir_value *v) { return v && ir_is_const(v) && v->type.dtype == IR_F32 && !v->as; }

bool pass_is_number(const ir_value *v) { return ir_is_const(v) && ir_type_elements(&v->type) == 1; }

bool pass_is_known(const ir_value *v)
{
    while (v->def && v->def->operand_count == 1)
        v = v->def->operands[0].value;
    return ir_is_const(v);
}

static ir_value as_row(const ir_value *v, int64_t points)
{
    ir_value row = *v;
    row.type.rank = 1;
    row.type.dims[0] = ir_is_const(v) ? 1 : points;
    return row;
}

bool pass_evaluate_row(const ir_op *op, int64_t points, const void *const operands[], void *result)
{
    ir_value values[PASS_ROW_OPERANDS], r = as_row(op->results[0], points), *results[1] = {&r};
    ir_operand slots[PASS_ROW_OPERANDS] = {{0}};
    void *const to[1] = {result};
    ir_op row = *op;
    for (int i = 0; i < op->operand_count; i++) {
        values[i] = as_row(op->operands[i].value, points);
        slots[i].value = &values[i];
    }
    row.operands = slots;
    row.results = results;
    return pass_evaluate(&row, operands, to);
}

ir_value *pass_op1(ir_graph *g, ir_opcode code, ir_op *before, const ir_op *like, int operand_count,
                   ir_value *const operands[], ir_type type, const ir_quant *quant)
{
    ir_op *op = ir_op_new(g, code, before, operand_count, operands);
    ir_result_set(op, 0, type, quant);
    if (like) {
        op->loc = like->loc;
        op->why_float = like->why_float;
        op->keep_float = like->keep_float;
    }
    return op->results[0];
}

const ir_quant *pass_quant_shifted(ir_graph *g, const ir_quant *q, int32_t shift)
{
    ir_quant *to = ir_quant_new(g, q->axis, q->count, q->scale, q->zero);
    int32_t *zero = ARENA_ARRAY(g->arena, int32_t, q->count);
    for (int32_t i = 0; i < q->count; i++)
        zero[i] = q->zero[i] + shift;
    to->zero = zero;
    to->unused = q->unused;
    return to;
}

ir_value *pass_const_flipped(ir_graph *g, const ir_value *v)
{
    assert(v->data && (v->type.dtype == IR_I8 || v->type.dtype == IR_U8));
    size_t size = ir_type_bytes(&v->type);
    const unsigned char *from = v->data;
    unsigned char *to = ARENA_ARRAY(g->arena, unsigned char, size);
    for (size_t i = 0; i < size; i++)
        to[i] = from[i] ^ 0x80;
    bool to_unsigned = v->type.dtype == IR_I8;
    ir_type type = v->type;
    type.dtype = to_unsigned ? IR_U8 : IR_I8;
    ir_value *flipped =
        ir_const_new(g, type, v->quant ? pass_quant_shifted(g, v->quant, to_unsigned ? 128 : -128) : NULL, to);
    flipped->name = v->name;
    flipped->scale_from = v->scale_from;
    return flipped;
}

void pass_inherit_choice(ir_op *to, const ir_op *from)
{
    if (!from->keep_float)
        return;
    to->keep_float = true;
    to->why_float = from->why_float;
}

int pass_channel_axis(const ir_op *op)
{
    if (!(ir_op_info_of(op->code)->flags & IR_MAC))
        return -1;
    return op->code == IR_DEPTHWISE_CONV2D ? 3 : 0;
}

bool pass_is_recurrent(const ir_op *op) { return op->code == IR_LSTM || op->code == IR_GRU || op->code == IR_RNN; }

bool pass_is_weight(const ir_op *op, int index)
{
    if (op->code == IR_LSTM_QUANT)
        return index == 1 || index == 2;
    return index == 1 && (pass_is_recurrent(op) || ir_op_info_of(op->code)->flags & IR_MAC);
}

ir_op *pass_single_user(const ir_value *v) { return ir_use_count(v) == 1 && v->uses ? v->uses->user : NULL; }

int pass_later_operand(const ir_op *user, bool first, bool second)
{
    if (!first || !second)
        return second ? 1 : first ? 0 : -1;
    for (const ir_op *op = user->operands[0].value->def; op != user; op = op->next)
        if (op == user->operands[1].value->def)
            return 1;
    return 0;
}

void pass_takes_over(ir_value *v, ir_value *from)
{
    v->name = from->name;
    v->as = from->as;
    v->as_dtype = from->as_dtype;
    v->as_rounding = from->as_rounding;
    v->scale_from = from->scale_from;
    ir_replace_uses(from, v);
}

bool pass_has_constant_weights(const ir_op *op)
{
    const ir_value *bias = ir_operand_value(op, 2);
    return ir_is_const(op->operands[1].value) && (!bias || ir_is_const(bias));
}

/* Are all integers of the result some of the operand's?  A border, the end of a clamp and extrapolation are not. */
static bool only_picks(const ir_op *op)
{
    if (op->operand_count != 1 || !(ir_op_info_of(op->code)->flags & IR_SAME_QUANT))
        return false;
    for (int side = 0; op->code == IR_MAX_POOL2D && side < 4; side++) /* a window beside the image gives the smallest */
        if (ir_ints_at(op, IR_ATTR_PAD, side) >= ir_ints_at(op, IR_ATTR_KERNEL, side % 2))
            return false;
    return op->code == IR_MAX_POOL2D
               ? ir_int(op, IR_ATTR_ACT) == IR_ACT_NONE
               : op->code != IR_PAD && op->code != IR_AVG_POOL2D && op->code != IR_RESIZE_BILINEAR;
}

/* Those that ir_rounding_bounds is for: products, functions and quantize; no residual's sum, and not what has two
 * operands. */
static bool leaves_out_smallest(const ir_value *v)
{
    while (v->def && only_picks(v->def))
        v = v->def->operands[0].value;
    const ir_op *op = v->def;
    if (!op || !v->quant || !ir_has_attr(op, IR_ATTR_ROUNDING) || ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_LITE_F32)
        return false;
    const unsigned flags = ir_op_info_of(op->code)->flags;
    return op->code == IR_QUANTIZE || flags & IR_LOOKUP || (flags & IR_MAC && !ir_operand_value(op, 3));
}

bool pass_keeps_smallest(const ir_op *op)
{
    return ir_dtype_is_float(op->results[0]->type.dtype) || ir_int(op, IR_ATTR_ROUNDING) != IR_ROUNDING_LITE_F32 ||
           leaves_out_smallest(op->operands[0].value);
}
