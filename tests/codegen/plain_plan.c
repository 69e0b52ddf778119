/* plain_plan.c: see plain_plan.h. */
#include "tests/codegen/plain_plan.h"

#include <stdlib.h>
#include <string.h>

#include "passes/lower/place.h"
#include "tests/codegen/guarded.h"

enum { GUARD = 128 };

static size_t reserve(ir_graph *g, size_t bytes)
{
    size_t offset = (size_t)place_align((int64_t)g->workspace_bytes + GUARD);

    g->workspace_bytes = offset + bytes + GUARD;
    return offset;
}

static void place_value(ir_graph *g, ir_value *v)
{
    int64_t stride = 1;

    for (int i = v->type.rank; i-- > 0;) {
        v->place.stride[i] = stride;
        stride *= v->type.dims[i];
    }
    if (v->data) {
        v->place.space = IR_SPACE_CONST;
    } else if (v->is_input) {
        v->place.space = IR_SPACE_INPUT;
        v->place.index = (uint32_t)v->result;
    } else {
        v->place.space = IR_SPACE_WORKSPACE;
        for (int32_t i = 0; i < g->output_count; i++)
            if (g->outputs[i] == v) {
                v->place.space = IR_SPACE_OUTPUT;
                v->place.index = (uint32_t)i;
            }
        if (v->place.space == IR_SPACE_WORKSPACE)
            v->place.offset = (int64_t)reserve(g, ir_type_bytes(&v->type));
    }
}

void plain_plan(ir_graph *g)
{
    for (int32_t i = 0; i < g->input_count; i++)
        place_value(g, g->inputs[i]);
    for (ir_op *op = g->first; op; op = op->next) {
        for (int i = 0; i < op->operand_count; i++)
            if (op->operands[i].value && op->operands[i].value->data)
                place_value(g, op->operands[i].value);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            place_value(g, op->results[i]);
        op->kernel.scratch_offset = (int64_t)reserve(g, (size_t)op->kernel.scratch_bytes);
    }
}

bool plain_plan_intact(const ir_graph *g, const uint8_t *workspace)
{
    uint8_t *owned = calloc(g->workspace_bytes + 1, 1);
    bool ok = true;

    for (ir_op *op = g->first; op; op = op->next) {
        memset(owned + op->kernel.scratch_offset, 1, (size_t)op->kernel.scratch_bytes);
        for (int i = 0; i < ir_op_info_of(op->code)->results; i++)
            if (op->results[i]->place.space == IR_SPACE_WORKSPACE)
                memset(owned + op->results[i]->place.offset, 1, ir_type_bytes(&op->results[i]->type));
    }
    for (size_t i = 0; i < g->workspace_bytes; i++)
        ok = ok && (owned[i] || workspace[i] == GUARDED_POISON);
    free(owned);
    return ok;
}
