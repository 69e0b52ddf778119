/* subgraph.c: graphs that attributes of nodes hold: the branches of an If, the bodies of loops.
 *
 *     If(c) { then: y = Neg(x) }          ──▶   %y = neg %x
 *
 * Their nodes become ops of the one graph, as often as they are imported.  All graphs of a model share one table of names:
 * those of a graph within are forgotten when it is done, constants when nobody will import it again. */
#include "frontends/onnx/import.h"

bool ort_subgraph_open(ort_subgraph *s, ort_node *n, const char *name, int inputs, int results)
{
    const onnx_graph *graph = ort_graph_attr(n, name);
    const int has_inputs = graph ? (int)graph->inputs.count : 0, has_results = graph ? (int)graph->outputs.count : 0;
    *s = (ort_subgraph){n, graph, ++n->model->scopes};
    if (!graph || has_inputs != inputs || has_results != results)
        return node_error(n, "its graph %s has %d inputs and %d results, the operator needs %d and %d", name,
                          has_inputs, has_results, inputs, results);
    if (graph->sparse_count)
        return node_error(n, "sparse constants are not supported");
    return ort_read_names(n->model, graph);
}

bool ort_subgraph_wants_scalar(const ort_subgraph *s, int input)
{
    const ort_name *name = ort_find_name(s->node->model, s->graph->inputs.text[input]);
    return !name || !name->info || !name->info->has_shape || !name->info->rank;
}

/* As if a node of the graph had made it: no other may. */
static bool give(ort_subgraph *s, const char *text, ort_held held)
{
    ort_name *name = ort_find_name(s->node->model, text);
    if (!name || name->initializer || name->producer >= 0 || name->is_input)
        return node_error(s->node, "input '%.60s' of its graph has no name, or that of another value", text);
    name->forms[held.layout] = held.value;
    name->producer = 0;
    name->scope = s->scope;
    return true;
}

static bool take(ort_subgraph *s, const char *text, ort_held *out)
{
    ort_node *n = s->node;
    ort_name *name = ort_find_name(n->model, text);
    bool read;
    ort_node reader = {
        .model = n->model, .entry = n->entry, .loc = n->loc, .inputs = &name, .inputs_read = &read, .input_count = 1};
    out->layout = ort_layout_of(&reader, 0);
    out->value = ort_in(&reader, 0, out->layout);
    n->model->left_out = out->value == n->model->unknown; /* what was refused has been told */
    return out->value && !n->model->left_out;
}

static void forget(ort_name *name)
{
    if (!name || name->is_input)
        return;
    name->forms[LAYOUT_PLAIN] = name->forms[LAYOUT_LAST] = NULL;
    name->initializer = NULL;
    name->producer = -1;
    name->wanted = false;
}

static void forget_all(ort_model *m, const frontend_names *names)
{
    for (uint32_t i = 0; i < names->count; i++)
        forget(ort_find_name(m, names->text[i]));
}

static bool import_graph(ort_subgraph *s, const ort_held inputs[], ort_held results[])
{
    ort_model *m = s->node->model;
    const onnx_graph *g = s->graph;
    if (++m->node_count > ONNX_MAX_NODES) /* a body without nodes counts, too */
        return node_malformed(s->node, "with all that it repeats the model has more than %d nodes", ONNX_MAX_NODES);
    for (uint32_t i = 0; i < g->inputs.count; i++)
        if (!give(s, g->inputs.text[i], inputs[i]))
            return false;
    if (!ort_import_nodes(m, g, s->scope))
        return false;
    for (uint32_t i = 0; i < g->outputs.count; i++)
        if (!take(s, g->outputs.text[i], &results[i]))
            return false;
    return true;
}

bool ort_subgraph_import(ort_subgraph *s, const ort_held inputs[], ort_held results[])
{
    ort_model *m = s->node->model;
    const onnx_graph *g = s->graph;
    const bool good = import_graph(s, inputs, results);
    forget_all(m, &g->inputs);
    for (uint32_t i = 0; i < g->node_count; i++)
        forget_all(m, &g->nodes[i].outputs);
    return good;
}

void ort_subgraph_close(ort_subgraph *s)
{
    for (uint32_t i = 0; i < s->graph->initializer_count; i++)
        forget(ort_find_name(s->node->model, s->graph->initializers[i].name));
}
