/* plan.c: what the passes that decide about int8 share. */
#include "passes/common/plan.h"

#include <float.h>
#include <math.h>

#include "ir/ref/interp.h"
#include "passes/common/qdq.h"
#include "passes/common/scales.h"

plan_kind plan_kind_of(const ir_op *op)
{
    if (qdq_is_product(op))
        return PLAN_PRODUCT;
    if (qdq_moves(op) || op->code == IR_CONCAT)
        return PLAN_MOVES;
    return qdq_computes(op) ? PLAN_COMPUTES : PLAN_NONE;
}

bool plan_gives_reals(ir_opcode code)
{
    return code == IR_CONV2D || code == IR_DEPTHWISE_CONV2D || code == IR_FULLY_CONNECTED;
}

ir_op *plan_sum_of(const ir_op *op)
{
    const ir_value *r = op->results[0];
    ir_op *sum = qdq_is_product(op) && !ir_operand_value(op, 2) ? pass_single_user(r) : NULL;
    if (!sum || sum->code != IR_ADD || sum->keep_float != op->keep_float || r->as || qdq_act(op) != IR_ACT_NONE ||
        r->type.rank == 0 || !ir_type_equal(&r->type, &sum->results[0]->type))
        return NULL;
    const ir_value *b = sum->operands[sum->operands[0].value == r].value;
    bool constant =
        ir_is_const(b) || (b->def && b->def->code == IR_DEQUANTIZE && ir_is_const(b->def->operands[0].value));
    return constant && b->type.rank > 0 && b->type.dims[b->type.rank - 1] == r->type.dims[r->type.rank - 1] &&
                   ir_type_elements(&b->type) == r->type.dims[r->type.rank - 1]
               ? sum
               : NULL;
}

ir_op *plan_product_of(ir_op *op)
{
    if (plan_kind_of(op) == PLAN_PRODUCT)
        return op;
    for (int i = 0; i < 2 && op->code == IR_ADD; i++) {
        ir_op *product = op->operands[i].value->def;
        if (product && plan_kind_of(product) == PLAN_PRODUCT && plan_sum_of(product) == op)
            return product;
    }
    return NULL;
}

bool plan_is_moved_by(const ir_operand *slot)
{
    return plan_kind_of(slot->user) == PLAN_MOVES && (slot == slot->user->operands || slot->user->code == IR_CONCAT);
}

/* ---- Readers that are kept in float ---- */

static bool is_kept_reader(const ir_operand *slot, const bool kept[])
{
    const ir_op *op = slot->user;
    if (op->keep_float)
        return op->code != IR_QUANTIZE;
    return plan_is_moved_by(slot) && kept[op->results[0]->id];
}

const bool *plan_kept_readers(const ir_graph *g, const pass_options *o, arena *a)
{
    bool *kept = ARENA_ARRAY(a, bool, g->next_id);
    for (const ir_op *op = o->calibration && !o->exchange ? g->last : NULL; op; op = op->prev)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            const ir_value *r = op->results[i];
            for (const ir_operand *slot = r->uses; slot && r->type.dtype == IR_F32; slot = slot->next_use)
                kept[r->id] |= is_kept_reader(slot, kept);
        }
    return kept;
}

bool plan_stays_real(ir_op *op, const bool kept[])
{
    const ir_op *product = plan_product_of(op);
    return product && plan_gives_reals(product->code) && kept[op->results[0]->id] && !scales_is_fixed(op->results[0]);
}

bool plan_has_scales(const ir_graph *g)
{
    for (int32_t i = 0; i < g->input_count; i++)
        if (g->inputs[i]->as)
            return true;
    for (const ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (op->results[i]->as)
                return true;
    return false;
}

double plan_multiply_adds(const ir_op *op)
{
    const ir_type *w = &op->operands[1].value->type;
    const int axis = pass_channel_axis(op);
    const double channels = axis >= 0 ? (double)w->dims[axis] : w->rank > 0 ? (double)w->dims[w->rank - 1] : 1;
    return channels > 0 ? (double)ir_type_elements(&op->results[0]->type) * (double)ir_type_elements(w) / channels : 0;
}

bool plan_set_scale(ir_value *v, ir_dtype dtype, const ir_quant *as, ir_origin from)
{
    if (v->as || v->quant || ir_is_const(v) || v->type.dtype != IR_F32 || as->axis >= 0)
        return false;
    if (!isfinite(as->scale[0]) || as->scale[0] < FLT_MIN)
        return false;
    v->as = as;
    v->as_dtype = dtype;
    v->scale_from = from;
    return true;
}

bool plan_is_free(const ir_value *v) { return scales_is_suggestion(v->scale_from); }

const char *plan_name(ir_graph *g, const ir_value *v)
{
    return v->name && *v->name ? v->name : arena_format(g->arena, "%%%u", v->id);
}

ir_origin plan_from(ir_graph *g, const ir_value *v, const char *remark)
{
    const bool again = v->scale_from.source == IR_SCALE_PROPAGATED && v->scale_from.note;
    const char *from = again ? v->scale_from.note : plan_name(g, v);
    return (ir_origin){IR_SCALE_PROPAGATED, *remark ? arena_format(g->arena, "%s, %s", from, remark) : from, NULL};
}

ir_value *plan_real_constant(ir_graph *g, const ir_value *v)
{
    int64_t count = ir_type_elements(&v->type);
    float *to = ARENA_ARRAY(g->arena, float, count + 1);
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)ir_const_real(v, i);
    ir_type type = v->type;
    type.dtype = IR_F32;
    ir_value *r = ir_const_new(g, type, NULL, to);
    r->name = v->name;
    return r;
}

ir_value *plan_integer_constant(ir_graph *g, const ir_value *v)
{
    ir_type type = v->type;
    type.dtype = v->as_dtype;
    unsigned char *to = ARENA_ARRAY(g->arena, unsigned char, ir_type_elements(&v->type) + 1);
    scales_integers(v, to);
    ir_value *integers = ir_const_new(g, type, v->as, to);
    integers->name = v->name;
    integers->scale_from = v->scale_from;
    return integers;
}

ir_value *plan_transposed_matrix(ir_graph *g, const ir_value *w)
{
    int64_t rows = w->type.dims[0], columns = w->type.dims[1];
    const unsigned char *from = w->data;
    unsigned char *to = ARENA_ARRAY(g->arena, unsigned char, rows *columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[j * rows + i] = from[i * columns + j];
    const ir_quant *q = w->quant;
    ir_value *v = ir_const_new(g, ir_type_make(w->type.dtype, 2, (int64_t[]){columns, rows}),
                               ir_quant_new(g, q->axis < 0 ? -1 : 0, q->count, q->scale, q->zero), to);
    v->name = w->name;
    v->scale_from = w->scale_from;
    return v;
}
