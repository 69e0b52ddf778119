/* copy.c: a second graph of the same ops: beside the first one, with which it shares what nobody changes, or in its stead.
 *
 * Values and ops keep their ids, so that what is found out about the copy can be looked up for the original. */
#include <assert.h>
#include <string.h>

#include "ir/ir.h"

typedef struct copier {
    ir_graph *to;
    ir_value **values;               /* by id of the original */
    bool whole;                      /* nothing is shared */
    const char *file, *copy_of_file; /* the last one: all ops come from it, as a rule */
} copier;

/* ---- What copies share unless they are whole ---- */

static const void *bytes_of(const copier *c, const void *from, size_t count)
{
    return c->whole && from ? arena_copy(c->to->arena, from, count) : from;
}

static const char *text_of(const copier *c, const char *from) { return bytes_of(c, from, from ? strlen(from) + 1 : 0); }

static const ir_quant *quant_of(const copier *c, const ir_quant *from)
{
    if (!c->whole || !from)
        return from;
    ir_quant *to = ir_quant_new(c->to, from->axis, from->count, from->scale, from->zero);
    to->unused = from->unused;
    return to;
}

static ir_origin origin_of(const copier *c, ir_origin from)
{
    from.note = text_of(c, from.note);
    from.observed = bytes_of(c, from.observed, sizeof *from.observed);
    return from;
}

static ir_attr attr_of(const copier *c, ir_attr_kind kind, ir_attr from)
{
    switch (kind) {
    case IR_KIND_STR: from.s = text_of(c, from.s); break;
    case IR_KIND_INTS: from.ints.v = bytes_of(c, from.ints.v, (size_t)from.ints.n * sizeof *from.ints.v); break;
    case IR_KIND_FLOATS:
        from.floats.v = bytes_of(c, from.floats.v, (size_t)from.floats.n * sizeof *from.floats.v);
        break;
    default: break;
    }
    return from;
}

static ir_loc loc_of(copier *c, ir_loc from)
{
    if (from.file != c->file) {
        c->file = from.file;
        c->copy_of_file = text_of(c, from.file);
    }
    from.file = c->copy_of_file;
    from.kind = text_of(c, from.kind);
    return from;
}

static ir_variable variable_of(const copier *c, ir_variable from)
{
    from.name = text_of(c, from.name);
    from.quant = quant_of(c, from.quant);
    from.initial = bytes_of(c, from.initial, ir_type_bytes(&from.type));
    return from;
}

static const ir_norm *norm_of(const copier *c, const ir_norm *from)
{
    ir_norm *to = (ir_norm *)(uintptr_t)bytes_of(c, from, sizeof *from);
    if (!to)
        return NULL;
    const size_t bytes = (size_t)from->channels * sizeof(float);
    to->gamma = bytes_of(c, from->gamma, bytes);
    to->beta = bytes_of(c, from->beta, bytes);
    to->epsilon = bytes_of(c, from->epsilon, bytes);
    return to;
}

/* ---- Values and ops ---- */

/* What a value knows by itself: `to` has its place in the graph already. */
static ir_value *describe(const copier *c, ir_value *to, const ir_value *from)
{
    to->type = from->type;
    to->quant = quant_of(c, from->quant);
    to->name = text_of(c, from->name);
    to->id = from->id;
    to->as = quant_of(c, from->as);
    to->as_dtype = from->as_dtype;
    to->as_rounding = from->as_rounding;
    to->scale_from = origin_of(c, from->scale_from);
    to->place = from->place;
    return c->values[from->id] = to;
}

/* The copy of a value that some op has read: of all but constants it is there already. */
static ir_value *copy_of(const copier *c, const ir_value *v)
{
    if (!v || c->values[v->id])
        return v ? c->values[v->id] : NULL;
    return describe(c, ir_const_new(c->to, v->type, NULL, bytes_of(c, v->data, ir_type_bytes(&v->type))), v);
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

/* What `op`, a copy of `from` that aliases it, shares becomes its own. */
static void own(copier *c, ir_op *op, const ir_op *from)
{
    const ir_op_info *info = ir_op_info_of(from->code);
    for (int i = 0; i < info->attr_count; i++)
        op->attrs[i] = attr_of(c, ir_attr_info_of(info->attrs[i])->kind, from->attrs[i]);
    op->loc = loc_of(c, from->loc);
    op->name = text_of(c, from->name);
    op->why_float = text_of(c, from->why_float);
    op->kernel.name = text_of(c, from->kernel.name);
    op->norm = norm_of(c, from->norm);
}

static void copy_op(copier *c, const ir_op *from)
{
    ir_value **operands = ARENA_ARRAY(c->to->arena, ir_value *, from->operand_count);
    for (int i = 0; i < from->operand_count; i++)
        operands[i] = copy_of(c, from->operands[i].value);
    ir_op *op = ir_op_copy(c->to, from, NULL, operands);
    for (int i = 0; i < ir_op_info_of(from->code)->results; i++)
        describe(c, op->results[i], from->results[i]);
    op->id = from->id;
    op->kernel = from->kernel;
    op->norm = from->norm;
    if (c->whole)
        own(c, op, from);
}

static ir_graph *copy(const ir_graph *g, bool whole)
{
    copier c = {.to = ir_graph_new_within(g->limits), .whole = whole};
    c.values = ARENA_ARRAY(c.to->arena, ir_value *, g->next_id);
    c.to->name = text_of(&c, g->name);
    for (int32_t i = 0; i < g->input_count; i++) {
        describe(&c, ir_input_new(c.to, g->inputs[i]->type, NULL, NULL), g->inputs[i]);
        c.to->input_names[i] = text_of(&c, g->input_names[i]);
    }
    for (int32_t i = 0; i < g->variable_count; i++)
        ir_variable_add(c.to, variable_of(&c, g->variables[i]));
    for (const ir_op *op = g->first; op; op = op->next)
        copy_op(&c, op);
    for (int32_t i = 0; i < g->output_count; i++) {
        ir_output_add(c.to, copy_of(&c, g->outputs[i]), NULL);
        c.to->output_names[i] = text_of(&c, g->output_names[i]);
    }
    c.to->next_id = g->next_id;
    c.to->workspace_bytes = g->workspace_bytes;
    c.to->state_offset = g->state_offset;
    c.to->state_bytes = g->state_bytes;
    return c.to;
}

ir_graph *ir_graph_copy(const ir_graph *g) { return copy(g, false); }

ir_graph *ir_graph_copy_whole(const ir_graph *g) { return copy(g, true); }
