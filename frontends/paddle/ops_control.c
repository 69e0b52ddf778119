/* ops_control.c: control flow of PaddlePaddle 3.  Models have none: what a node would decide is decided here, or both ways
 * are gone.
 *
 *     if (c) { a } else { b }, c known while importing    ──▶   a
 *                              c known when it runs       ──▶   select c, a, b: both are computed, no op has effects
 *     while, whose passes can be counted                  ──▶   the body as often
 *
 * A block's operators write its variables again in each pass. */
#include "frontends/paddle/import.h"

/* What a variable holds. */
static bool held(paddle_node *n, const char *name, paddle_variable *out)
{
    *out = *paddle_variable_of(n->model, name);
    if (!out->forms[LAYOUT_PLAIN] && !out->forms[LAYOUT_LAST])
        return node_error(n, "'%.60s' is used before it is computed", name);
    return out->forms[LAYOUT_PLAIN] != n->model->unknown; /* what was refused has been told */
}

static void hold(paddle_node *n, const char *name, const paddle_variable *from)
{
    paddle_variable *to = paddle_variable_of(n->model, name);
    for (int layout = 0; layout < 2; layout++)
        to->forms[layout] = from->forms[layout];
    to->unit = from->unit;
}

static bool hold_all(paddle_node *n, const frontend_names *to, const frontend_names *from)
{
    paddle_variable *all = ARENA_ARRAY(n->model->graph->arena, paddle_variable, from->count + 1);
    for (uint32_t i = 0; i < from->count; i++)
        if (!held(n, from->text[i], &all[i]))
            return false;
    for (uint32_t i = 0; i < to->count; i++)
        hold(n, to->text[i], &all[i]);
    return true;
}

static const frontend_names *names(const paddle_list *lists, uint32_t count, uint32_t index)
{
    static const frontend_names none = {0, NULL};
    return index < count ? &lists[index].names : &none;
}

/* The one boolean that is the condition, of rank 0; a constant if it is known.  NULL after a diagnostic. */
static ir_value *condition_of(paddle_node *n, const char *name)
{
    paddle_variable v;
    ir_value *c = held(n, name, &v) ? v.forms[v.forms[LAYOUT_PLAIN] ? LAYOUT_PLAIN : LAYOUT_LAST] : NULL;
    if (c && (c->type.dtype != IR_BOOL || ir_type_elements(&c->type) != 1)) {
        node_error(n, "the condition is not one boolean");
        return NULL;
    }
    return node_reshaped(n, node_known(n, c), 0, NULL);
}

/* ---- if ---- */

/* A value as an operator would read it. */
static ir_value *read_as(paddle_node *n, const char *name, bool choose_layout, node_layout *layout)
{
    paddle_list list = {"X", {1, &name}};
    paddle_node reader = *n;
    reader.inputs = &list;
    reader.input_count = 1;
    if (choose_layout)
        *layout = paddle_layout_of(&reader, "X", 0);
    return paddle_in(&reader, "X", 0, *layout);
}

static bool put_selected(paddle_node *n, int output, ir_value *condition)
{
    node_layout layout = LAYOUT_PLAIN;
    ir_value *yes = read_as(n, n->blocks[0].results.text[output], true, &layout);
    ir_value *no = yes ? read_as(n, n->blocks[1].results.text[output], false, &layout) : NULL;
    return paddle_put_at(n, "Out", output, no ? node_selected(n, output, condition, yes, no) : NULL, layout);
}

bool paddle_op_if(paddle_node *n)
{
    const frontend_names *results = names(n->outputs, n->output_count, 0);
    paddle_variable v;
    if (n->block_count != 2 || n->blocks[0].results.count != results->count ||
        n->blocks[1].results.count != results->count)
        return node_error(n, "control flow is not supported, but for two branches with as many results as it has");
    ir_value *condition = condition_of(n, n->inputs[0].names.text[0]);
    if (!condition)
        return false;
    if (ir_is_const(condition)) {
        const paddle_block *taken = &n->blocks[ir_const_int(condition, 0) ? 0 : 1];
        return paddle_import_block(n, taken) && hold_all(n, results, &taken->results);
    }
    bool both = true;
    n->model->undecided++;
    for (int branch = 0; both && branch < 2; branch++) {
        both = paddle_import_block(n, &n->blocks[branch]);
        for (uint32_t i = 0; both && i < results->count; i++)
            both = held(n, n->blocks[branch].results.text[i], &v);
    }
    n->model->undecided--;
    if (!both)
        return false;
    for (uint32_t i = 0; i < results->count; i++)
        if (!put_selected(n, (int)i, condition))
            return false;
    return true;
}

/* ---- while ---- */

bool paddle_op_while(paddle_node *n)
{
    const frontend_names *carried = names(n->inputs, n->input_count, 1),
                         *results = names(n->outputs, n->output_count, 0);
    const paddle_block *body = n->blocks;
    if (n->block_count != 1 || carried->count != results->count || body->inputs.count != carried->count ||
        body->results.count != carried->count + 1)
        return node_error(
            n, "control flow is not supported, but for a body that is given and leaves what the loop carries");
    const frontend_names next = {carried->count, body->results.text + 1};
    ir_value *condition = condition_of(n, n->inputs[0].names.text[0]);
    bool good = hold_all(n, &body->inputs, carried);
    while (good && condition && ir_is_const(condition) && ir_const_int(condition, 0)) {
        good = paddle_import_block(n, body);
        condition = good ? condition_of(n, body->results.text[0]) : NULL;
        good = condition && hold_all(n, &body->inputs, &next);
    }
    if (!good || !condition)
        return false;
    if (!ir_is_const(condition))
        return node_error(n,
                          "control flow is not supported: how often the loop runs must be constant, and its condition "
                          "depends on the inputs" NODE_DECIDED);
    return hold_all(n, results, &body->inputs);
}
