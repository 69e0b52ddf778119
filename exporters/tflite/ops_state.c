/* ops_state.c: variables.
 *
 *     %v = read_variable {variable = "s"}       CALL_ONCE: VAR_HANDLE "s", ASSIGN_VARIABLE handle, zeros
 *     write_variable %x {variable = "s"}   ──▶  VAR_HANDLE "s", READ_VARIABLE handle
 *                                               VAR_HANDLE "s", ASSIGN_VARIABLE handle, x
 *
 * Handles of one name are handles of one variable.  It exists for runtimes once something is assigned, which a second
 * subgraph does in front of the first run. */
#include <string.h>

#include "exporters/tflite/write.h"
#include "ir/ref/ref_move.h"

static bool is_variable_op(const ir_op *op) { return op->code == IR_READ_VARIABLE || op->code == IR_WRITE_VARIABLE; }

static int32_t handle(export_node *n)
{
    const char *name = ir_str(n->op, IR_ATTR_VARIABLE);
    const int32_t to = export_tensor_new(n->model, ir_type_make(IR_I32, 0, NULL), NULL, NULL, NULL);
    n->model->tensors[to].is_handle = true;
    export_operator *o = export_emit(n, BUILTIN_VAR_HANDLE, 0, NULL, to);
    export_set_text(o, VAR_HANDLE_SHARED_NAME, name);
    return to;
}

static bool assign(export_node *n, int32_t value)
{
    return export_emit_all(n, BUILTIN_ASSIGN_VARIABLE, 2, (int32_t[]){handle(n), value}, 0, NULL) != NULL;
}

bool export_read_variable(export_node *n)
{
    if (export_is_kept_state(n->op))
        return true;
    const int32_t from = handle(n);
    return export_emit(n, BUILTIN_READ_VARIABLE, 1, &from, export_result(n, 0)) != NULL;
}

bool export_write_variable(export_node *n) { return export_is_kept_state(n->op) || assign(n, export_operand(n, 0)); }

/* ---- First values ---- */

static const void *initial_of(const ir_graph *g, const ir_value *v, const char *name, arena *memory)
{
    for (int32_t i = 0; i < g->variable_count; i++)
        if (strcmp(g->variables[i].name, name) == 0 && g->variables[i].initial)
            return g->variables[i].initial;
    const int64_t count = ir_type_elements(&v->type);
    const size_t bytes = ir_dtype_bytes(v->type.dtype);
    unsigned char zero[8], *data = arena_alloc(memory, (size_t)count * bytes + 1);
    ir_element_of(v->type.dtype, v->quant, 0, zero);
    for (int64_t i = 0; i < count; i++)
        memcpy(data + (size_t)i * bytes, zero, bytes);
    return data;
}

static bool is_first_of_variable(const ir_op *op)
{
    for (const ir_op *o = op->prev; o; o = o->prev)
        if (is_variable_op(o) && strcmp(ir_str(o, IR_ATTR_VARIABLE), ir_str(op, IR_ATTR_VARIABLE)) == 0)
            return false;
    return true;
}

void export_initial_values(export_model *m)
{
    for (const ir_op *op = m->graph->first; op; op = op->next) {
        if (!is_variable_op(op) || export_is_kept_state(op) || !is_first_of_variable(op))
            continue;
        if (!m->initial) {
            m->initial = ARENA_NEW(m->memory, export_model);
            *m->initial = (export_model){.graph = m->graph, .memory = m->memory, .diag = m->diag};
            export_operator *o =
                export_emit_all(&(export_node){.model = m, .op = op}, BUILTIN_CALL_ONCE, 0, NULL, 0, NULL);
            export_set_int(o, CALL_ONCE_SUBGRAPH, 1, 0);
        }
        export_node n = {.model = m->initial, .op = op};
        const ir_value *v = op->code == IR_READ_VARIABLE ? op->results[0] : op->operands[0].value;
        const void *data = initial_of(m->graph, v, ir_str(op, IR_ATTR_VARIABLE), m->memory);
        assign(&n, export_const(&n, v->type, v->quant, data, NULL));
    }
}
