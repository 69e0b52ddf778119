/* memory_plan.c: gives every value its place.
 *
 *     %1:u8<1x64; …> = conv2d %0, …                  %1:u8<1x64; …> at workspace 0 = conv2d %0, …
 *     %2:u8<1x64; …> = requantize %1                 %2:u8<1x64; …> at workspace 64 = requantize %1
 *     %3:f32<1x64> = dequantize %2                   %3:f32<1x64> at output 0 0 = dequantize %2
 *
 * The workspace: state variables first, then everything else, 64-byte aligned, memory shared between values that are
 * not alive at the same time (place_assign.c) or that are parts of one another (place_storage.c). */
#include <string.h>

#include "ir/size_limits.h"
#include "passes/common/util.h"
#include "passes/lower/place.h"

/* ---- Every output is the result of an op, and of one output only: others get a copy ---- */

static bool needs_copy(const ir_graph *g, int32_t index)
{
    const ir_value *v = g->outputs[index];
    return !v->def || v->first_output < index;
}

void place_copy_outputs(ir_graph *g)
{
    for (int32_t i = 0; i < g->output_count; i++) {
        ir_value *v = g->outputs[i];
        if (needs_copy(g, i))
            ir_output_set(g, i, pass_op1(g, IR_RESHAPE, NULL, v->def, 1, &v, v->type, v->quant));
    }
}

/* ---- State variables ---- */

/* Variables that no frontend listed start at zero; all uses must agree on the type. */
static bool list_variables(ir_graph *g, diag *d)
{
    for (ir_op *op = g->first; op; op = op->next) {
        if (op->code != IR_READ_VARIABLE && op->code != IR_WRITE_VARIABLE)
            continue;
        const ir_value *v = op->code == IR_READ_VARIABLE ? op->results[0] : op->operands[0].value;
        const char *name = ir_str(op, IR_ATTR_VARIABLE);
        if (!ir_variable_find(g, name))
            ir_variable_add(g, (ir_variable){.name = name, .type = v->type, .quant = v->quant});
        if (!ir_type_equal(&ir_variable_find(g, name)->type, &v->type))
            return diag_error(d, &op->loc, "variable \"%s\" is used with different types", name);
    }
    return true;
}

static int64_t place_variables(ir_graph *g, place_map *m)
{
    int64_t at = 0;
    for (int32_t i = 0; i < g->variable_count; i++) {
        g->variables[i].offset = m->variables[i].offset = at;
        at = place_align(at + m->variables[i].bytes);
    }
    g->state_offset = 0;
    g->state_bytes = (size_t)at;
    return at;
}

/* ---- The workspace ---- */

static place_storage *scratch_of(place_map *m)
{
    place_storage *s = ARENA_ARRAY(m->scratch, place_storage, m->op_count);
    for (int32_t at = 0; at < m->op_count; at++)
        s[at] = (place_storage){
            .bytes = m->ops[at]->kernel.scratch_bytes, .first = at, .last = at, .space = IR_SPACE_WORKSPACE};
    return s;
}

static int32_t workspace_roots(place_map *m, place_storage *scratch, place_storage *roots[])
{
    int32_t n = 0;
    for (uint32_t id = 0; id < m->value_limit; id++) {
        place_storage *s = &m->of_value[id];
        if (s->value && !s->parent && s->space == IR_SPACE_WORKSPACE && s->bytes > 0)
            roots[n++] = s;
    }
    for (int32_t at = 0; at < m->op_count; at++)
        if (scratch[at].bytes > 0)
            roots[n++] = &scratch[at];
    return n;
}

/* ---- Results ---- */

static void place_constant(ir_value *v)
{
    v->place = (ir_place){.space = IR_SPACE_CONST};
    int64_t stride = 1;
    for (int d = v->type.rank - 1; d >= 0; d--) {
        v->place.stride[d] = stride;
        stride *= v->type.dims[d] > 0 ? v->type.dims[d] : 1;
    }
}

static void write_places(place_map *m, const place_storage *scratch)
{
    for (int32_t at = 0; at < m->op_count; at++) {
        ir_op *op = m->ops[at];
        op->kernel.scratch_offset = scratch[at].bytes > 0 ? scratch[at].offset : 0;
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value && ir_is_const(op->operands[i].value))
                place_constant(op->operands[i].value);
    }
    for (uint32_t id = 0; id < m->value_limit; id++) {
        const place_storage *s = &m->of_value[id];
        if (!s->value)
            continue;
        s->value->place =
            (ir_place){.space = s->root->space, .index = s->root->index, .offset = s->root->offset + s->at};
        memcpy(s->value->place.stride, s->stride, sizeof s->stride);
    }
}

pass_result pass_memory_plan(ir_graph *g, pass_context *c)
{
    if (!list_variables(g, c->diag))
        return PASS_FAILED;
    place_copy_outputs(g); /* where choose_kernels has not done it */
    place_map *m = place_map_new(g, c->scratch);
    place_storage *scratch = scratch_of(m);
    place_storage **roots = ARENA_ARRAY(c->scratch, place_storage *, (size_t)m->value_limit + (size_t)m->op_count);
    int32_t count = workspace_roots(m, scratch, roots);
    int64_t end = place_assign(roots, count, m->op_count, place_variables(g, m), c->scratch);
    if (!ir_limits_workspace(g, (size_t)end, c->diag))
        return PASS_FAILED;
    g->workspace_bytes = (size_t)place_align(end);
    write_places(m, scratch);
    return PASS_CHANGED;
}
