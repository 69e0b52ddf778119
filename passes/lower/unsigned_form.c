/* unsigned_form.c: every quantized int8 activation becomes uint8, integers and zero point 128 larger, because the
 * machine's dot product multiplies unsigned by signed bytes.  Every op's arithmetic works on q - zero, which does not
 * change.  At the graph's edges, and around casts, which look at the raw integers, requantize ops x ^ 0x80 convert.
 *
 *     input %0:i8<4; 0.5, -3>                     input %0:i8<4; 0.5, -3>
 *                                                 %3:u8<4; 0.5, 125> = requantize %0
 *     %1:i8<4; 0.1, 0> = relu %0                  %1:u8<4; 0.1, 128> = relu %3
 *                                                 %4:i8<4; 0.1, 0> = requantize %1
 *     output %1                                   output %4
 *
 * Weights stay int8; a weight operand that is computed gets a requantize back to int8. */
#include "passes/common/util.h"

/* Scales for each channel are those of weights; there is no code for activations that have them. */
static bool is_signed8(ir_dtype t, const ir_quant *q) { return t == IR_I8 && q && q->axis < 0; }
static bool is_activation(const ir_value *v) { return v && is_signed8(v->type.dtype, v->quant); }

static ir_type with_dtype(ir_type t, ir_dtype dtype)
{
    t.dtype = dtype;
    return t;
}

static void make_unsigned(ir_graph *g, ir_value *v)
{
    v->type.dtype = IR_U8;
    v->quant = pass_quant_shifted(g, v->quant, 128);
}

/* u8 twin of a value that stays i8 (an input, a cast's result): all uses move over, but the new op's own. */
static void convert_after(ir_graph *g, ir_value *v, ir_op *before, const ir_op *like)
{
    ir_value *twin = pass_op1(g, IR_REQUANTIZE, before, like, 1, (ir_value *[]){NULL}, with_dtype(v->type, IR_U8),
                              pass_quant_shifted(g, v->quant, 128));
    ir_replace_uses(v, twin);
    ir_set_operand(twin->def, 0, v);
}

/* i8 form of the u8 value v, for an op that has to see the signed integers. */
static ir_value *convert_back(ir_graph *g, ir_value *v, ir_op *before, const ir_op *like)
{
    return pass_op1(g, IR_REQUANTIZE, before, like, 1, &v, with_dtype(v->type, IR_I8),
                    pass_quant_shifted(g, v->quant, -128));
}

/* Ops that work on the raw integers: casts, and scatter_nd, which fills with the integer 0. */
static bool is_raw(const ir_op *op) { return op->code == IR_CAST || op->code == IR_SCATTER_ND; }
static bool wants_signed(const ir_op *op, int index) { return pass_is_weight(op, index) || is_raw(op); }

/* Constant operands that are not weights.  A constant with several users is flipped once. */
static bool flip_constants(ir_graph *g, arena *scratch)
{
    bool changed = false;
    ir_value **twin = ARENA_ARRAY(scratch, ir_value *, g->next_id);
    uint32_t limit = g->next_id;
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            if (!is_activation(v) || !ir_is_const(v) || wants_signed(op, i) || v->id >= limit)
                continue;
            if (!twin[v->id])
                twin[v->id] = pass_const_flipped(g, v);
            ir_set_operand(op, i, twin[v->id]);
            changed = true;
        }
    }
    return changed;
}

/* Results become u8; what raw ops make stays, and is converted behind them. */
static bool convert_results(ir_graph *g)
{
    bool changed = false;
    for (ir_op *op = g->first, *next; op; op = next) {
        next = op->next;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            ir_value *r = op->results[i];
            if (!is_activation(r))
                continue;
            if (is_raw(op))
                convert_after(g, r, next, op);
            else
                make_unsigned(g, r);
            changed = true;
            if (ir_has_attr(op, IR_ATTR_MID_ZERO) && ir_float(op, IR_ATTR_MID_SCALE) > 0)
                ir_set_int(op, IR_ATTR_MID_ZERO, ir_int(op, IR_ATTR_MID_ZERO) + 128);
            if (ir_has_attr(op, IR_ATTR_ORIGIN))
                ir_set_int(op, IR_ATTR_ORIGIN, ir_int(op, IR_ATTR_ORIGIN) + 128);
        }
    }
    return changed;
}

/* A slot that has to see int8, with a computed value in it. */
typedef struct signed_slot {
    ir_op *op;
    int index;
    struct signed_slot *next;
} signed_slot;

static signed_slot *find_signed_slots(const ir_graph *g, arena *scratch)
{
    signed_slot *list = NULL;
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++) {
            const ir_value *v = op->operands[i].value;
            if (!is_activation(v) || ir_is_const(v) || !wants_signed(op, i))
                continue;
            signed_slot *slot = ARENA_NEW(scratch, signed_slot);
            *slot = (signed_slot){op, i, list};
            list = slot;
        }
    }
    return list;
}

/* After everything is u8: the slots get int8 back, where there is one from the value before its conversion. */
static void fill_signed_slots(ir_graph *g, const signed_slot *slot)
{
    for (; slot; slot = slot->next) {
        ir_value *v = slot->op->operands[slot->index].value;
        bool is_twin = v->def && v->def->code == IR_REQUANTIZE && is_activation(v->def->operands[0].value);
        ir_set_operand(slot->op, slot->index,
                       is_twin ? v->def->operands[0].value : convert_back(g, v, slot->op, slot->op));
    }
}

static bool convert_variables(ir_graph *g)
{
    bool changed = false;
    for (int32_t i = 0; i < g->variable_count; i++) {
        ir_variable *v = &g->variables[i];
        if (!is_signed8(v->type.dtype, v->quant))
            continue;
        if (v->initial) {
            size_t size = ir_type_bytes(&v->type);
            unsigned char *flipped = arena_copy(g->arena, v->initial, size);
            for (size_t b = 0; b < size; b++)
                flipped[b] ^= 0x80;
            v->initial = flipped;
        }
        v->type.dtype = IR_U8;
        v->quant = pass_quant_shifted(g, v->quant, 128);
        changed = true;
    }
    return changed;
}

static bool convert_inputs(ir_graph *g)
{
    bool changed = false;
    ir_op *first = g->first;
    for (int32_t i = 0; i < g->input_count; i++) {
        if (is_activation(g->inputs[i]) && ir_use_count(g->inputs[i]) > 0) {
            convert_after(g, g->inputs[i], first, NULL);
            changed = true;
        }
    }
    return changed;
}

pass_result pass_unsigned_form(ir_graph *g, pass_context *c)
{
    bool *output_signed = ARENA_ARRAY(c->scratch, bool, g->output_count);
    for (int32_t i = 0; i < g->output_count; i++)
        output_signed[i] = is_activation(g->outputs[i]) && !ir_is_const(g->outputs[i]);
    const signed_slot *slots = find_signed_slots(g, c->scratch);

    bool changed = flip_constants(g, c->scratch);
    changed |= convert_results(g);
    changed |= convert_inputs(g);
    fill_signed_slots(g, slots);
    for (int32_t i = 0; i < g->output_count; i++)
        if (output_signed[i]) {
            ir_output_set(g, i, convert_back(g, g->outputs[i], NULL, g->outputs[i]->def));
            changed = true;
        }
    changed |= convert_variables(g);
    return changed ? PASS_CHANGED : PASS_UNCHANGED;
}
