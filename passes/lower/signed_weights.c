/* signed_weights.c: the kernels multiply unsigned activations by signed weights, so uint8 weights become int8, integers
 * and zero point 128 smaller.  Where all of w - zero fit into int8 the zero point disappears altogether.
 *
 *     const %1:u8<2; 0.1, 130> = [129, 132]       const %1:i8<2; 0.1, 0> = [-1, 2]
 *     const %1:u8<2; 0.1, 10> = [0, 255]          const %1:i8<2; 0.1, -118> = [-128, 127] */
#include "passes/common/util.h"

/* Which zero point belongs to element i: weights have few axes, so this walks the type. */
static int32_t zero_of(const ir_value *w, int64_t i)
{
    const ir_quant *q = w->quant;
    if (q->axis < 0)
        return q->zero[0];
    for (int d = w->type.rank - 1; d > q->axis; d--)
        i /= w->type.dims[d];
    return q->zero[i % w->type.dims[q->axis]];
}

static bool zero_is_removable(const ir_value *w, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t centred = ir_const_int(w, i) - zero_of(w, i);
        if (centred < INT8_MIN || centred > INT8_MAX)
            return false;
    }
    return true;
}

static ir_value *centred(ir_graph *g, const ir_value *w, int64_t count)
{
    int8_t *to = ARENA_ARRAY(g->arena, int8_t, count);
    for (int64_t i = 0; i < count; i++)
        to[i] = (int8_t)(ir_const_int(w, i) - zero_of(w, i));
    int32_t *zero = ARENA_ARRAY(g->arena, int32_t, w->quant->count);
    ir_type type = w->type;
    type.dtype = IR_I8;
    ir_value *v = ir_const_new(g, type, ir_quant_new(g, w->quant->axis, w->quant->count, w->quant->scale, zero), to);
    v->name = w->name;
    v->scale_from = w->scale_from;
    return v;
}

static bool has_zero(const ir_quant *q)
{
    for (int32_t i = 0; i < q->count; i++)
        if (q->zero[i] != 0)
            return true;
    return false;
}

/* The new weights, or NULL when they are already as they have to be. */
static ir_value *signed_form(ir_graph *g, const ir_value *w)
{
    if (!w->data || !w->quant || (w->type.dtype != IR_U8 && w->type.dtype != IR_I8))
        return NULL;
    int64_t count = ir_type_elements(&w->type);
    if (has_zero(w->quant) && zero_is_removable(w, count))
        return centred(g, w, count);
    return w->type.dtype == IR_U8 ? pass_const_flipped(g, w) : NULL;
}

/* All weight operands among w's users; other users keep the old constant. */
static bool replace_weights(ir_graph *g, ir_value *w)
{
    ir_value *to = signed_form(g, w);
    if (!to)
        return false;
    for (ir_operand *slot = w->uses, *next; slot; slot = next) {
        next = slot->next_use;
        int index = (int)(slot - slot->user->operands);
        if (pass_is_weight(slot->user, index))
            ir_set_operand(slot->user, index, to);
    }
    return true;
}

pass_result pass_signed_weights(ir_graph *g, pass_context *c)
{
    (void)c;
    pass_result result = PASS_UNCHANGED;
    for (ir_op *op = g->first; op; op = op->next)
        for (int i = 0; i < op->operand_count; i++)
            if (pass_is_weight(op, i) && op->operands[i].value && replace_weights(g, op->operands[i].value))
                result = PASS_CHANGED;
    return result;
}
