/* ops_subgraph.c: operators that are other subgraphs.  Models have no control flow: what an operator would decide is decided
 * here, or both ways are gone.
 *
 *     STABLEHLO_COMPOSITE                               ──▶  its decomposition
 *     IF(c), c known while importing                    ──▶  the branch
 *            c known when it runs                       ──▶  select c, then, else: both are computed
 *     WHILE whose condition follows from constants      ──▶  its body, as often as it holds */
#include "frontends/tflite/import.h"

/* Files open each of their tables a few times at most, which the reader sees to; bodies of loops as often as they run.  64 MiB
 * are some thousand passes. */
#define REPEATED_BYTES ((size_t)1 << 26)

static ir_value **values_of(tflite_node *n, int count)
{
    return ARENA_ARRAY(n->model->graph->arena, ir_value *, count + 1);
}

/* Operands from `first` on; NULL after a diagnostic. */
static ir_value **operands(tflite_node *n, int first)
{
    ir_value **in = values_of(n, tflite_input_count(n));
    for (int i = first; i < tflite_input_count(n); i++)
        if (!(in[i - first] = tflite_input(n, i)))
            return NULL;
    return in;
}

static bool bind_all(tflite_node *n, ir_value *const out[])
{
    for (int i = 0; i < tflite_output_count(n); i++)
        if (!tflite_bind_value(n, i, out[i]))
            return false;
    return true;
}

/* A subgraph that the options name, on these operands. */
static bool import(tflite_node *n, unsigned field, const char *what, int in_count, ir_value *const in[], int out_count,
                   ir_value *out[])
{
    const int32_t subgraph = fb_i32(n->options, field, 0);
    if (n->scope->initial)
        return node_error(n, "the initial value of a variable is computed by another subgraph");
    if (subgraph == n->scope->subgraph || subgraph == 0)
        return node_error(n, "the %s, subgraph %d, contains the operator itself", what, subgraph);
    return tflite_import_subgraph(n->model, subgraph, n->scope->depth + 1, &n->loc, (uint32_t)in_count, in,
                                  (uint32_t)out_count, out);
}

bool tflite_op_composite(tflite_node *n)
{
    const int inputs = tflite_input_count(n), outputs = tflite_output_count(n);
    ir_value **in = operands(n, 0), **out = values_of(n, outputs);
    return in && import(n, COMPOSITE_SUBGRAPH, "decomposition", inputs, in, outputs, out) && bind_all(n, out);
}

/* ---- IF ---- */

/* What is not taken must change nothing: does an op behind `last` set a variable? */
static bool sets_variable(const ir_graph *g, const ir_op *last)
{
    for (const ir_op *op = last ? last->next : g->first; op; op = op->next)
        if (op->code == IR_WRITE_VARIABLE)
            return true;
    return false;
}

bool tflite_op_if(tflite_node *n)
{
    ir_value *condition = tflite_input(n, 0), **in = condition ? operands(n, 1) : NULL;
    const int inputs = tflite_input_count(n) - 1, outputs = tflite_output_count(n);
    if (!in)
        return false;
    if (condition->type.dtype != IR_BOOL || ir_type_elements(&condition->type) != 1)
        return node_error(n, "the condition is not one boolean");
    ir_value **yes = values_of(n, outputs), **no = values_of(n, outputs);
    if (ir_is_const(condition))
        return import(n, ir_const_int(condition, 0) ? IF_THEN : IF_ELSE, "branch", inputs, in, outputs, yes) &&
               bind_all(n, yes);
    condition = node_reshaped(n, condition, 0, NULL);
    const ir_op *last = n->model->graph->last;
    n->model->undecided++;
    const bool both = condition && import(n, IF_THEN, "branch", inputs, in, outputs, yes) &&
                      import(n, IF_ELSE, "branch", inputs, in, outputs, no);
    n->model->undecided--;
    if (!both)
        return false;
    if (sets_variable(n->model->graph, last))
        return node_error(
            n, "control flow is not supported: a branch sets a variable, and the inputs decide whether" NODE_DECIDED);
    for (int i = 0; i < outputs; i++)
        if (!(yes[i] = node_selected(n, i, condition, yes[i], no[i])))
            return false;
    return bind_all(n, yes);
}

/* ---- WHILE ---- */

/* The condition of one more pass, which must be known. */
static bool holds(tflite_node *n, int count, ir_value *const values[], bool *out)
{
    ir_value *c;
    if (!import(n, WHILE_CONDITION, "condition", count, values, 1, &c))
        return false;
    if (c->type.dtype != IR_BOOL || ir_type_elements(&c->type) != 1)
        return node_error(n, "the condition is not one boolean");
    if (!ir_is_const(c))
        return node_error(
            n, "control flow is not supported: how often the loop runs must be constant, and its condition depends on "
               "the inputs" NODE_DECIDED);
    *out = ir_const_int(c, 0) != 0;
    return true;
}

bool tflite_op_while(tflite_node *n)
{
    tflite_model *m = n->model;
    const int count = tflite_input_count(n);
    ir_value **values = operands(n, 0);
    bool again;
    if (!values)
        return false;
    if (tflite_output_count(n) != count)
        return node_error(n, "%d results for %d operands", tflite_output_count(n), count);
    if (!m->pass_count && m->reader.budget <= SIZE_MAX - REPEATED_BYTES)
        m->reader.budget += REPEATED_BYTES;
    for (;;) {
        ir_value **next = values_of(n, count);
        if (!holds(n, count, values, &again))
            return false;
        if (!again)
            return bind_all(n, values);
        if (++m->pass_count > TFLITE_MAX_PASSES)
            return node_error(n, "the model's loops run more than %d times in all", TFLITE_MAX_PASSES);
        if (!import(n, WHILE_BODY, "body", count, values, count, next))
            return false;
        values = next;
    }
}
