/* run_planned.c: the memory plan, executed. */
#include "tools/run/run_planned.h"

#include <stdlib.h>
#include <string.h>

#include "ir/ref/interp.h"

typedef struct frame {
    const ir_graph *g;
    const void *const *inputs;
    void *const *outputs;
    unsigned char *workspace;
    arena *temporary; /* dense copies of one op's operands and results */
} frame;

static unsigned char *address(const frame *f, const ir_value *v)
{
    switch (v->place.space) {
    case IR_SPACE_WORKSPACE: return f->workspace + v->place.offset;
    case IR_SPACE_INPUT: return (unsigned char *)f->inputs[v->place.index] + v->place.offset;
    case IR_SPACE_OUTPUT: return (unsigned char *)f->outputs[v->place.index] + v->place.offset;
    case IR_SPACE_CONST: return (unsigned char *)v->data + v->place.offset;
    default: return NULL;
    }
}

/* Between a value's place, with its strides, and a dense buffer. */
static void move(const ir_value *v, unsigned char *place, unsigned char *dense, bool to_dense)
{
    size_t size = ir_dtype_bytes(v->type.dtype);
    int64_t index[IR_MAX_RANK] = {0};
    int64_t count = ir_type_elements(&v->type);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0;
        for (int d = 0; d < v->type.rank; d++)
            at += index[d] * v->place.stride[d];
        unsigned char *p = place + at * (int64_t)size, *q = dense + (size_t)i * size;
        memcpy(to_dense ? q : p, to_dense ? p : q, size);
        for (int d = v->type.rank - 1; d >= 0 && ++index[d] == v->type.dims[d]; d--)
            index[d] = 0;
    }
}

static void *load(const frame *f, const ir_value *v)
{
    unsigned char *dense = arena_alloc(f->temporary, ir_type_bytes(&v->type));
    if (ir_place_is_dense(&v->place, &v->type))
        return memcpy(dense, address(f, v), ir_type_bytes(&v->type));
    move(v, address(f, v), dense, true);
    return dense;
}

static void store(const frame *f, const ir_value *v, const void *dense)
{
    if (ir_place_is_dense(&v->place, &v->type))
        memcpy(address(f, v), dense, ir_type_bytes(&v->type));
    else
        move(v, address(f, v), (unsigned char *)dense, false);
}

static bool run_op(const frame *f, const ir_op *op, diag *d)
{
    if (op->code == IR_READ_VARIABLE || op->code == IR_WRITE_VARIABLE) {
        unsigned char *memory = f->workspace + ir_variable_find(f->g, ir_str(op, IR_ATTR_VARIABLE))->offset;
        if (op->code == IR_READ_VARIABLE)
            store(f, op->results[0],
                  memcpy(arena_alloc(f->temporary, ir_type_bytes(&op->results[0]->type)), memory,
                         ir_type_bytes(&op->results[0]->type)));
        else
            memcpy(memory, load(f, op->operands[0].value), ir_type_bytes(&op->operands[0].value->type));
        return true;
    }
    int results_count = ir_op_info_of(op->code)->results;
    const void **operands = ARENA_ARRAY(f->temporary, const void *, op->operand_count);
    void **results = ARENA_ARRAY(f->temporary, void *, results_count);
    for (int i = 0; i < op->operand_count; i++)
        operands[i] = op->operands[i].value ? load(f, op->operands[i].value) : NULL;
    for (int i = 0; i < results_count; i++)
        results[i] = arena_alloc(f->temporary, ir_type_bytes(&op->results[i]->type));
    if (!ir_eval_op(op, operands, results, d))
        return false;
    for (int i = 0; i < results_count; i++)
        store(f, op->results[i], results[i]);
    return true;
}

void planned_reset(const ir_graph *g, unsigned char *workspace)
{
    memset(workspace, 0xa5, g->workspace_bytes);
    for (int32_t i = 0; i < g->variable_count; i++) {
        const ir_variable *v = &g->variables[i];
        size_t size = ir_type_bytes(&v->type), element = ir_dtype_bytes(v->type.dtype);
        unsigned char *to = workspace + v->offset;
        if (v->initial)
            memcpy(to, v->initial, size);
        for (size_t at = 0; !v->initial && at < size; at += element)
            for (size_t b = 0; b < element; b++)
                to[at + b] = v->quant ? (unsigned char)((uint32_t)v->quant->zero[0] >> (8 * (b < 4 ? b : 3))) : 0;
    }
}

bool planned_run(const ir_graph *g, const void *const inputs[], void *const outputs[], unsigned char *workspace,
                 diag *d)
{
    frame f = {g, inputs, outputs, workspace, arena_new()};
    if (!f.temporary)
        return diag_error(d, NULL, "out of memory");
    bool ok = true;
    for (const ir_op *op = g->first; ok && op; op = op->next) {
        ok = run_op(&f, op, d);
        arena_reset(f.temporary);
    }
    arena_free(f.temporary);
    return ok;
}
