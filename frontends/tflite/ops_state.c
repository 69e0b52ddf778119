/* ops_state.c: variables that live from one run to the next.
 *
 *     VAR_HANDLE("states") -> h;  READ_VARIABLE(h) -> v    ──▶  v = read_variable {variable = "states"}
 *     ASSIGN_VARIABLE(h, x)                               ──▶  write_variable x {variable = "states"}
 *     CALL_ONCE(subgraph that assigns zeros)              ──▶  nothing: variables start at the real value 0
 *
 *     a tensor that is a variable (the states of recurrent layers)
 *         read first in a run                              read_variable; the layer's new state: write_variable
 *         written first, by an operator in front of it     that value, and then the layer's new state
 *
 * Handles exist while importing only: a scope remembers which variable a tensor of type RESOURCE stands for. */
#include <string.h>

#include "frontends/tflite/import.h"

struct tflite_variable {
    const char *name;
    ir_type type; /* dtype none until a read or write says it */
    const ir_quant *quant;
    tflite_variable *next;
};

static tflite_variable *variable_named(tflite_model *m, const char *name)
{
    for (tflite_variable *v = m->variables; v; v = v->next)
        if (strcmp(v->name, name) == 0)
            return v;
    tflite_variable *v = ARENA_NEW(m->graph->arena, tflite_variable);
    *v = (tflite_variable){.name = name, .next = m->variables};
    m->variables = v;
    m->variable_count++;
    return v;
}

static const char *text_field(tflite_node *n, unsigned field)
{
    uint32_t length;
    const char *text = fb_string(n->options, field, &length);
    return text ? arena_string(n->model->graph->arena, text, length) : "";
}

bool tflite_op_var_handle(tflite_node *n)
{
    tflite_scope *s = n->scope;
    int32_t tensor = fb_vec_i32(n->outputs, 0);
    const char *container = text_field(n, VAR_HANDLE_CONTAINER), *shared = text_field(n, VAR_HANDLE_SHARED_NAME);
    if (tensor < 0 || (uint32_t)tensor >= s->tensors.count)
        return node_malformed(n, "result 0 is tensor %d, which does not exist", tensor);
    if (!*shared)
        return node_error(n, "the variable has no name");
    if (n->model->variable_count >= TFLITE_MAX_VARIABLES)
        return node_error(n, "more than %d variables", TFLITE_MAX_VARIABLES);
    if (!s->variables)
        s->variables = ARENA_ARRAY(n->model->graph->arena, tflite_variable *, s->tensors.count);
    const char *name = *container ? arena_format(n->model->graph->arena, "%s/%s", container, shared) : shared;
    s->variables[tensor] = variable_named(n->model, name);
    return true;
}

static tflite_variable *handle_operand(tflite_node *n)
{
    tflite_scope *s = n->scope;
    int32_t tensor = fb_vec_i32(n->inputs, 0);
    if (tensor >= 0 && (uint32_t)tensor < s->tensors.count && s->variables && s->variables[tensor])
        return s->variables[tensor];
    node_error(n, "operand 0 (tensor %d) is not a variable", tensor);
    return NULL;
}

/* Every read and write of a variable must agree. */
static bool same_variable(tflite_node *n, tflite_variable *v, const ir_type *type, const ir_quant *quant)
{
    if (v->type.dtype == IR_DTYPE_NONE) {
        v->type = *type;
        v->quant = quant;
    }
    return (ir_type_equal(&v->type, type) && ir_quant_equal(v->quant, quant)) ||
           node_error(n, "variable '%s' has another type, shape or quantization elsewhere", v->name);
}

bool tflite_op_read_variable(tflite_node *n)
{
    tflite_variable *v = handle_operand(n);
    tflite_tensor t;
    if (!v || !tflite_output_tensor(n, 0, &t) || !same_variable(n, v, &t.type, t.quant))
        return false;
    if (n->scope->initial)
        return node_error(n, "the initial value of a variable is computed from another");
    ir_op *op = node_emit(n, IR_READ_VARIABLE, 0, NULL);
    ir_set_str(op, IR_ATTR_VARIABLE, v->name);
    return tflite_bind_like(n, 0, op, &t.type);
}

/* Is the constant the real value 0 throughout? */
static bool is_zero(const ir_value *v)
{
    for (int64_t i = 0, count = ir_type_elements(&v->type); i < count; i++)
        if (ir_const_real(v, i) != 0)
            return false;
    return true;
}

bool tflite_op_assign_variable(tflite_node *n)
{
    tflite_variable *v = handle_operand(n);
    ir_value *x = v ? tflite_input(n, 1) : NULL;
    if (!x || !same_variable(n, v, &x->type, x->quant))
        return false;
    if (n->scope->initial)
        return (ir_is_const(x) && is_zero(x)) ||
               node_error(n, "variable '%s' starts with another value than 0, which is not supported", v->name);
    ir_op *op = node_emit1(n, IR_WRITE_VARIABLE, x);
    ir_set_str(op, IR_ATTR_VARIABLE, v->name);
    return node_check(n, op);
}

/* The subgraph may name variables and give them their initial values, nothing else. */
bool tflite_op_call_once(tflite_node *n)
{
    int32_t subgraph = fb_i32(n->options, CALL_ONCE_SUBGRAPH, 0);
    if (n->scope->initial || subgraph == n->scope->subgraph)
        return node_error(n, "subgraph %d calls itself", subgraph);
    return tflite_import_initial(n->model, subgraph, n->scope->depth + 1, &n->loc);
}

/* ---- Tensors that are variables ---- */

static const char *state_name(const tflite_node *n, int32_t tensor)
{
    return arena_format(n->model->graph->arena, "tensor %d.%d", n->scope->subgraph, tensor);
}

ir_value *tflite_state(tflite_node *n, int index, const ir_type *type)
{
    tflite_scope *s = n->scope;
    const int32_t tensor = fb_vec_i32(n->inputs, (uint32_t)index);
    tflite_tensor t;
    if (s->values[tensor])
        return s->values[tensor];
    if (!tflite_tensor_read(s, &n->loc, tensor, &t))
        return NULL;
    if (!s->kept)
        s->kept = ARENA_ARRAY(n->model->graph->arena, bool, s->tensors.count);
    s->kept[tensor] = true;
    ir_op *op = node_emit(n, IR_READ_VARIABLE, 0, NULL);
    ir_set_str(op, IR_ATTR_VARIABLE, state_name(n, tensor));
    ir_value *v = node_typed(n, op, *type, t.quant);
    if (v)
        v->name = t.name;
    return v;
}

bool tflite_set_state(tflite_node *n, int index, ir_value *v)
{
    const int32_t tensor = fb_vec_i32(n->inputs, (uint32_t)index);
    if (!n->scope->kept || !n->scope->kept[tensor]) {
        n->scope->values[tensor] = v;
        return true;
    }
    ir_op *op = node_emit1(n, IR_WRITE_VARIABLE, v);
    ir_set_str(op, IR_ATTR_VARIABLE, state_name(n, tensor));
    return node_check(n, op);
}
