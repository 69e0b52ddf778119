/* byte_form.c: see byte_form.h; unsigned_form.c and signed_form.c draw what it does. */
#include "passes/common/byte_form.h"

#include "passes/common/util.h"

typedef struct form {
    ir_graph *g;
    ir_dtype from, to;
    int32_t shift; /* of integers and zero points */
} form;

/* Scales for each channel are those of weights; there is no code for activations that have them. */
static bool is_old(const form *f, ir_dtype t, const ir_quant *q) { return t == f->from && q && q->axis < 0; }
static bool is_activation(const form *f, const ir_value *v) { return v && is_old(f, v->type.dtype, v->quant); }

static ir_type with_dtype(ir_type t, ir_dtype dtype)
{
    t.dtype = dtype;
    return t;
}

static void change(const form *f, ir_value *v)
{
    v->type.dtype = f->to;
    v->quant = pass_quant_shifted(f->g, v->quant, f->shift);
}

/* Twin of a value that stays (an input, a cast's result): all uses move over, but the new op's own. */
static void convert_after(const form *f, ir_value *v, ir_op *before, const ir_op *like)
{
    ir_value *twin = pass_op1(f->g, IR_REQUANTIZE, before, like, 1, (ir_value *[]){NULL}, with_dtype(v->type, f->to),
                              pass_quant_shifted(f->g, v->quant, f->shift));
    ir_replace_uses(v, twin);
    ir_set_operand(twin->def, 0, v);
}

/* The old form of v, for an op that has to see the integers as they were. */
static ir_value *convert_back(const form *f, ir_value *v, ir_op *before, const ir_op *like)
{
    return pass_op1(f->g, IR_REQUANTIZE, before, like, 1, &v, with_dtype(v->type, f->from),
                    pass_quant_shifted(f->g, v->quant, -f->shift));
}

/* Ops that work on the raw integers: casts, and scatter_nd, which fills with the integer 0. */
static bool is_raw(const ir_op *op) { return op->code == IR_CAST || op->code == IR_SCATTER_ND; }
static bool wants_old(const form *f, const ir_op *op, int index)
{
    return (f->from == IR_I8 && pass_is_weight(op, index)) || is_raw(op);
}

/* Constant operands that are not weights.  A constant with several users is flipped once. */
static bool flip_constants(const form *f, arena *scratch)
{
    ir_graph *g = f->g;
    bool changed = false;
    ir_value **twin = ARENA_ARRAY(scratch, ir_value *, g->next_id);
    uint32_t limit = g->next_id;
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++) {
            ir_value *v = op->operands[i].value;
            if (!is_activation(f, v) || !ir_is_const(v) || wants_old(f, op, i) || v->id >= limit)
                continue;
            if (!twin[v->id])
                twin[v->id] = pass_const_flipped(g, v);
            ir_set_operand(op, i, twin[v->id]);
            changed = true;
        }
    }
    return changed;
}

/* Results change; what raw ops make stays, and is converted behind them. */
static bool convert_results(const form *f)
{
    bool changed = false;
    for (ir_op *op = f->g->first, *next; op; op = next) {
        next = op->next;
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++) {
            ir_value *r = op->results[i];
            if (!is_activation(f, r))
                continue;
            if (is_raw(op))
                convert_after(f, r, next, op);
            else
                change(f, r);
            changed = true;
            if (ir_has_attr(op, IR_ATTR_MID_ZERO) && ir_float(op, IR_ATTR_MID_SCALE) > 0)
                ir_set_int(op, IR_ATTR_MID_ZERO, ir_int(op, IR_ATTR_MID_ZERO) + f->shift);
            if (ir_has_attr(op, IR_ATTR_ORIGIN))
                ir_set_int(op, IR_ATTR_ORIGIN, ir_int(op, IR_ATTR_ORIGIN) + f->shift);
        }
    }
    return changed;
}

/* A slot that has to see the integers as they were, with a computed value in it. */
typedef struct old_slot {
    ir_op *op;
    int index;
    struct old_slot *next;
} old_slot;

static old_slot *find_old_slots(const form *f, arena *scratch)
{
    old_slot *list = NULL;
    for (ir_op *op = f->g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++) {
            const ir_value *v = op->operands[i].value;
            if (!is_activation(f, v) || ir_is_const(v) || !wants_old(f, op, i))
                continue;
            old_slot *slot = ARENA_NEW(scratch, old_slot);
            *slot = (old_slot){op, i, list};
            list = slot;
        }
    }
    return list;
}

/* After everything is u8: the slots get int8 back, where there is one from the value before its conversion. */
static void fill_old_slots(const form *f, const old_slot *slot)
{
    for (; slot; slot = slot->next) {
        ir_value *v = slot->op->operands[slot->index].value;
        bool is_twin = v->def && v->def->code == IR_REQUANTIZE && is_activation(f, v->def->operands[0].value);
        ir_set_operand(slot->op, slot->index,
                       is_twin ? v->def->operands[0].value : convert_back(f, v, slot->op, slot->op));
    }
}

static bool convert_variables(const form *f)
{
    ir_graph *g = f->g;
    bool changed = false;
    for (int32_t i = 0; i < g->variable_count; i++) {
        ir_variable *v = &g->variables[i];
        if (!is_old(f, v->type.dtype, v->quant))
            continue;
        if (v->initial) {
            size_t size = ir_type_bytes(&v->type);
            unsigned char *flipped = arena_copy(g->arena, v->initial, size);
            for (size_t b = 0; b < size; b++)
                flipped[b] ^= 0x80;
            v->initial = flipped;
        }
        v->type.dtype = f->to;
        v->quant = pass_quant_shifted(g, v->quant, f->shift);
        changed = true;
    }
    return changed;
}

static bool convert_inputs(const form *f)
{
    ir_graph *g = f->g;
    bool changed = false;
    ir_op *first = g->first;
    for (int32_t i = 0; i < g->input_count; i++) {
        if (is_activation(f, g->inputs[i]) && ir_use_count(g->inputs[i]) > 0) {
            convert_after(f, g->inputs[i], first, NULL);
            changed = true;
        }
    }
    return changed;
}

bool byte_form_change(ir_graph *g, ir_dtype from, arena *scratch)
{
    const bool was_signed = from == IR_I8;
    const form f = {g, from, was_signed ? IR_U8 : IR_I8, was_signed ? 128 : -128};
    bool *output_old = ARENA_ARRAY(scratch, bool, g->output_count);
    for (int32_t i = 0; i < g->output_count; i++)
        output_old[i] = is_activation(&f, g->outputs[i]) && !ir_is_const(g->outputs[i]);
    const old_slot *slots = find_old_slots(&f, scratch);

    bool changed = flip_constants(&f, scratch);
    changed |= convert_results(&f);
    changed |= convert_inputs(&f);
    fill_old_slots(&f, slots);
    for (int32_t i = 0; i < g->output_count; i++)
        if (output_old[i]) {
            ir_output_set(g, i, convert_back(&f, g->outputs[i], NULL, g->outputs[i]->def));
            changed = true;
        }
    changed |= convert_variables(&f);
    return changed;
}
