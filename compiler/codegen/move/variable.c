/* variable.c: state variables: their memory in the workspace, copied from and to values.  Where the memory plan made
 * the value and the variable one, nothing is left to copy. */
#include "compiler/codegen/move/move.h"

/* The variable as a dense value in the workspace. */
static ir_value *variable_value(cg_module *m, const char *name)
{
    const ir_variable *v = ir_variable_find(m->graph, name);
    ir_value *value;
    int64_t stride = 1;

    if (!v)
        return NULL;
    value = ARENA_NEW(m->arena, ir_value);
    value->type = v->type;
    value->quant = v->quant;
    value->place = (ir_place){.space = IR_SPACE_WORKSPACE, .offset = v->offset};
    for (int d = v->type.rank; d-- > 0; stride *= v->type.dims[d])
        value->place.stride[d] = stride;
    return value;
}

static bool copy(cg_module *m, const ir_op *op, const ir_value *from, const ir_value *to)
{
    cg_shape a = cg_shape_of(from), b = cg_shape_of(to);
    cg_piece piece = {.from = from};

    if (a.rank != b.rank || a.elements != b.elements || a.bytes != b.bytes)
        return diag_error(m->diag, &op->loc, "value and variable '%s' differ in type", ir_str(op, IR_ATTR_VARIABLE));
    for (int d = 0; d < a.rank; d++)
        cg_piece_dim(&piece, a.dims[d], a.stride[d], b.stride[d]);
    return cg_move(m, op, to, 1, &piece, false);
}

static const ir_value *variable_of(cg_module *m, const ir_op *op)
{
    const ir_value *v = variable_value(m, ir_str(op, IR_ATTR_VARIABLE));

    if (!v)
        diag_error(m->diag, &op->loc, "variable '%s' has no place", ir_str(op, IR_ATTR_VARIABLE));
    return v;
}

bool cg_emit_read_variable(cg_module *m, const ir_op *op)
{
    const ir_value *v = variable_of(m, op);

    return v && copy(m, op, v, op->results[0]);
}

bool cg_emit_write_variable(cg_module *m, const ir_op *op)
{
    const ir_value *v = variable_of(m, op);

    return v && copy(m, op, op->operands[0].value, v);
}
