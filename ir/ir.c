/* ir.c: building and changing graphs: values, ops, use lists.
 *
 * A value's use list threads through the operand slots of its users:
 *
 *     value.uses ──▶ slot ──next_use──▶ slot ──▶ NULL        slot.prev_use points at whichever pointer points at slot
 */
#include "ir/ir.h"

#include <assert.h>
#include <string.h>

#include "ir/private.h"
#include "ir/size_limits.h"

/* Values know their graph, so that replacing uses can reach the graph's outputs. */
typedef struct owned_value {
    ir_value value; /* first: a pointer to it is a pointer to this */
    ir_graph *graph;
} owned_value;

static ir_graph *graph_of(const ir_value *v) { return ((const owned_value *)v)->graph; }

ir_graph *ir_graph_new_within(ir_limits limits)
{
    arena *a = arena_new_within(limits.bytes);
    ir_graph *g = ARENA_NEW(a, ir_graph);
    g->arena = a;
    g->limits = limits;
    g->name = "";
    return g;
}

ir_graph *ir_graph_new(void) { return ir_graph_new_within(IR_UNLIMITED); }

ir_loc ir_graph_loc(const ir_graph *g)
{
    const ir_op *op = g->first;
    while (op && !op->loc.file)
        op = op->next;
    return (ir_loc){.file = op ? op->loc.file : NULL, .subgraph = -1, .node = -1};
}

void ir_graph_free(ir_graph *g)
{
    if (g)
        arena_free(g->arena);
}

static const char *copy_text(ir_graph *g, const char *text)
{
    return text ? arena_string(g->arena, text, strlen(text)) : NULL;
}

static ir_value *value_new(ir_graph *g, ir_type type, const ir_quant *quant)
{
    owned_value *v = ARENA_NEW(g->arena, owned_value);
    v->graph = g;
    v->value.type = type;
    v->value.quant = quant;
    v->value.id = g->next_id++;
    return &v->value;
}

/* An array one longer than `old`; arrays double, so their capacity is the next power of two. */
static void *grown(arena *a, const void *old, int32_t count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return (void *)old;
    int32_t capacity = count ? count * 2 : 1;
    void *to = arena_alloc(a, (size_t)capacity * size);
    if (count)
        memcpy(to, old, (size_t)count * size);
    return to;
}

ir_value *ir_input_new(ir_graph *g, ir_type type, const ir_quant *quant, const char *name)
{
    ir_value *v = value_new(g, type, quant);
    v->is_input = true;
    v->result = g->input_count;
    v->name = copy_text(g, name);
    g->inputs = grown(g->arena, g->inputs, g->input_count, sizeof *g->inputs);
    g->input_names = grown(g->arena, g->input_names, g->input_count, sizeof *g->input_names);
    g->inputs[g->input_count] = v;
    g->input_names[g->input_count++] = v->name ? v->name : "";
    return v;
}

static void output_link(ir_graph *g, int32_t index, ir_value *v)
{
    g->outputs[index] = v;
    if (v->output_count++ == 0 || index < v->first_output)
        v->first_output = index;
}

static void output_unlink(ir_graph *g, int32_t index)
{
    ir_value *v = g->outputs[index];
    g->outputs[index] = NULL;
    if (--v->output_count > 0 && index == v->first_output)
        while (g->outputs[v->first_output] != v)
            v->first_output++;
}

void ir_output_add(ir_graph *g, ir_value *v, const char *name)
{
    g->outputs = grown(g->arena, g->outputs, g->output_count, sizeof *g->outputs);
    g->output_names = grown(g->arena, g->output_names, g->output_count, sizeof *g->output_names);
    g->output_names[g->output_count] = name ? copy_text(g, name) : "";
    output_link(g, g->output_count++, v);
}

void ir_output_set(ir_graph *g, int32_t index, ir_value *v)
{
    assert(index >= 0 && index < g->output_count);
    output_unlink(g, index);
    output_link(g, index, v);
}

ir_value *ir_const_new(ir_graph *g, ir_type type, const ir_quant *quant, const void *data)
{
    ir_value *v = value_new(g, type, quant);
    v->data = data ? data : arena_alloc(g->arena, 1); /* an empty tensor may come without bytes, but is a constant */
    return v;
}

ir_quant *ir_quant_new(ir_graph *g, int axis, int32_t count, const float scale[], const int32_t zero[])
{
    assert(count >= 1);
    ir_quant *q = ARENA_NEW(g->arena, ir_quant);
    q->axis = axis;
    q->count = count;
    q->scale = arena_copy(g->arena, scale, (size_t)count * sizeof *scale);
    q->zero = arena_copy(g->arena, zero, (size_t)count * sizeof *zero);
    return q;
}

ir_quant *ir_quant_tensor(ir_graph *g, float scale, int32_t zero) { return ir_quant_new(g, -1, 1, &scale, &zero); }

/* ---- Use lists ---- */

static void use_link(ir_operand *slot, ir_value *v)
{
    slot->value = v;
    slot->next_use = NULL;
    slot->prev_use = NULL;
    if (!v)
        return;
    slot->next_use = v->uses;
    slot->prev_use = &v->uses;
    if (v->uses)
        v->uses->prev_use = &slot->next_use;
    v->uses = slot;
    v->use_count++;
}

static void use_unlink(ir_operand *slot)
{
    if (!slot->value)
        return;
    *slot->prev_use = slot->next_use;
    if (slot->next_use)
        slot->next_use->prev_use = slot->prev_use;
    slot->value->use_count--;
    slot->value = NULL;
}

/* Puts `to` in the place of `from` in its value's list. */
static void use_move(ir_operand *from, ir_operand *to)
{
    *to = *from;
    if (!to->value)
        return;
    *to->prev_use = to;
    if (to->next_use)
        to->next_use->prev_use = &to->next_use;
}

void ir_set_operand(ir_op *op, int index, ir_value *v)
{
    assert(index >= 0 && index <= op->operand_count);
    if (index == op->operand_count) {
        ir_operand *slots = ARENA_ARRAY(op->graph->arena, ir_operand, op->operand_count + 1);
        for (int i = 0; i < op->operand_count; i++)
            use_move(&op->operands[i], &slots[i]);
        slots[index].user = op;
        op->operands = slots;
        op->operand_count++;
    }
    use_unlink(&op->operands[index]);
    use_link(&op->operands[index], v);
}

void ir_replace_uses(ir_value *from, ir_value *to)
{
    if (from == to)
        return;
    while (from->uses) {
        ir_operand *slot = from->uses;
        use_unlink(slot);
        use_link(slot, to);
    }
    while (from->output_count > 0)
        ir_output_set(graph_of(from), from->first_output, to);
}

/* ---- The op list ---- */

static void list_insert(ir_graph *g, ir_op *op, ir_op *before)
{
    op->next = before;
    op->prev = before ? before->prev : g->last;
    *(op->prev ? &op->prev->next : &g->first) = op;
    *(before ? &before->prev : &g->last) = op;
}

static void list_remove(ir_graph *g, ir_op *op)
{
    *(op->prev ? &op->prev->next : &g->first) = op->next;
    *(op->next ? &op->next->prev : &g->last) = op->prev;
    op->prev = op->next = NULL;
}

ir_op *ir_op_new(ir_graph *g, ir_opcode code, ir_op *before, int operand_count, ir_value *const operands[])
{
    const ir_op_info *info = ir_op_info_of(code);
    ir_op *op = ARENA_NEW(g->arena, ir_op);
    op->code = code;
    op->graph = g;
    op->id = g->next_id++;
    op->loc = (ir_loc){.subgraph = -1, .node = -1};
    op->operand_count = operand_count;
    op->operands = ARENA_ARRAY(g->arena, ir_operand, operand_count);
    for (int i = 0; i < operand_count; i++) {
        op->operands[i].user = op;
        use_link(&op->operands[i], operands[i]);
    }
    op->results = ARENA_ARRAY(g->arena, ir_value *, info->results);
    for (int i = 0; i < info->results; i++) {
        op->results[i] = value_new(g, (ir_type){0}, NULL);
        op->results[i]->def = op;
        op->results[i]->result = i;
    }
    op->attrs = ARENA_ARRAY(g->arena, ir_attr, info->attr_count);
    for (int i = 0; i < info->attr_count; i++)
        ir_attr_set_default(g->arena, info->attrs[i], &op->attrs[i]);
    list_insert(g, op, before);
    return op;
}

void ir_result_set(ir_op *op, int result, ir_type type, const ir_quant *quant)
{
    assert(result >= 0 && result < ir_op_info_of(op->code)->results);
    op->results[result]->type = type;
    op->results[result]->quant = quant;
}

void ir_op_move_before(ir_op *op, ir_op *before)
{
    if (op == before)
        return;
    list_remove(op->graph, op);
    list_insert(op->graph, op, before);
}

void ir_op_erase(ir_op *op)
{
    for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
        assert(ir_use_count(op->results[i]) == 0);
    for (int i = 0; i < op->operand_count; i++)
        use_unlink(&op->operands[i]);
    list_remove(op->graph, op);
}

/* ---- State variables: open addressing; a slot holds 0, or a variable's number and 1 more ---- */

static int32_t *variable_slot(const ir_graph *g, const char *name)
{
    for (uint64_t at = ir_hash_bytes(name, strlen(name), 0);; at++) {
        int32_t *slot = &g->variable_index[at & (uint64_t)(g->variable_slots - 1)];
        if (!*slot || strcmp(g->variables[*slot - 1].name, name) == 0)
            return slot;
    }
}

/* The first of a name stays: verification finds the second. */
static void index_variable(ir_graph *g, int32_t number)
{
    int32_t *slot = variable_slot(g, g->variables[number].name);
    if (!*slot)
        *slot = number + 1;
}

ir_variable *ir_variable_find(const ir_graph *g, const char *name)
{
    const int32_t number = g->variable_slots ? *variable_slot(g, name) : 0;
    return number ? &g->variables[number - 1] : NULL;
}

void ir_variable_add(ir_graph *g, ir_variable v)
{
    g->variables = grown(g->arena, g->variables, g->variable_count, sizeof *g->variables);
    g->variables[g->variable_count++] = v;
    if (2 * g->variable_count <= g->variable_slots) {
        index_variable(g, g->variable_count - 1);
        return;
    }
    g->variable_slots = g->variable_slots ? 2 * g->variable_slots : 16;
    g->variable_index = ARENA_ARRAY(g->arena, int32_t, g->variable_slots);
    for (int32_t i = 0; i < g->variable_count; i++)
        index_variable(g, i);
}
