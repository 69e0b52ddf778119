/* copy.c: a second graph of the same ops, to be changed while the first one stays as it is.
 *
 * Values and ops keep their ids, so that what is found out about the copy can be looked up for the original. */
#include <assert.h>

#include "ir/ir.h"

typedef struct copier {
    ir_graph *to;
    ir_value **values; /* by id of the original */
} copier;

/* What a value knows by itself: `to` has its place in the graph already. */
static ir_value *describe(const copier *c, ir_value *to, const ir_value *from)
{
    to->type = from->type;
    to->quant = from->quant;
    to->name = from->name;
    to->id = from->id;
    to->as = from->as;
    to->as_dtype = from->as_dtype;
    to->as_rounding = from->as_rounding;
    to->scale_from = from->scale_from;
    to->place = from->place;
    return c->values[from->id] = to;
}

/* The copy of a value that some op has read: of all but constants it is there already. */
static ir_value *copy_of(const copier *c, const ir_value *v)
{
    if (!v || c->values[v->id])
        return v ? c->values[v->id] : NULL;
    return describe(c, ir_const_new(c->to, v->type, v->quant, v->data), v);
}

void ir_attrs_copy(ir_op *to, const ir_op *from)
{
    assert(to->code == from->code);
    for (int i = 0; i < ir_op_info_of(from->code)->attr_count; i++)
        to->attrs[i] = from->attrs[i];
}

ir_op *ir_op_copy(ir_graph *g, const ir_op *like, ir_op *before, ir_value *const operands[])
{
    ir_op *op = ir_op_new(g, like->code, before, like->operand_count, operands);
    ir_attrs_copy(op, like);
    op->loc = like->loc;
    op->name = like->name;
    op->keep_float = like->keep_float;
    op->why_float = like->why_float;
    return op;
}

static void copy_op(const copier *c, const ir_op *from)
{
    ir_value **operands = ARENA_ARRAY(c->to->arena, ir_value *, from->operand_count);
    for (int i = 0; i < from->operand_count; i++)
        operands[i] = copy_of(c, from->operands[i].value);
    ir_op *op = ir_op_copy(c->to, from, NULL, operands);
    for (int i = 0; i < ir_op_info_of(from->code)->results; i++)
        describe(c, op->results[i], from->results[i]);
    op->id = from->id;
    op->kernel = from->kernel;
}

ir_graph *ir_graph_copy(const ir_graph *g)
{
    copier c = {.to = ir_graph_new_within(g->limits)};
    c.values = ARENA_ARRAY(c.to->arena, ir_value *, g->next_id);
    c.to->name = g->name;
    for (int32_t i = 0; i < g->input_count; i++) {
        describe(&c, ir_input_new(c.to, g->inputs[i]->type, g->inputs[i]->quant, NULL), g->inputs[i]);
        c.to->input_names[i] = g->input_names[i];
    }
    for (int32_t i = 0; i < g->variable_count; i++)
        ir_variable_add(c.to, g->variables[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        copy_op(&c, op);
    for (int32_t i = 0; i < g->output_count; i++) {
        ir_output_add(c.to, copy_of(&c, g->outputs[i]), NULL);
        c.to->output_names[i] = g->output_names[i];
    }
    c.to->next_id = g->next_id;
    c.to->workspace_bytes = g->workspace_bytes;
    c.to->state_offset = g->state_offset;
    c.to->state_bytes = g->state_bytes;
    return c.to;
}
