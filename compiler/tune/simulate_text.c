/* simulate_text.c: inputs that training fills in become constants, rounded values the names of what they are rounded from. */
#include "compiler/tune/simulate.h"

static void name_parameters(const simulation *s)
{
    for (int i = 0; i < s->use_count; i++)
        s->graph->inputs[s->uses[i].input]->name = s->parameters[s->uses[i].parameter].value->name;
}

static void make_constants(const simulation *s, void *const data[])
{
    ir_graph *g = s->graph;
    for (int32_t i = s->of->input_count; i < g->input_count; i++) {
        ir_value *c = ir_const_new(g, g->inputs[i]->type, NULL, data[i]);
        c->name = g->inputs[i]->name;
        ir_replace_uses(g->inputs[i], c);
    }
    g->input_count = s->of->input_count;
}

/* A name is that of the integers, as in the program; where reals are read besides, and of an input, it stays theirs. */
static void name_rounded(ir_graph *g)
{
    for (ir_op *op = g->first; op; op = op->next) {
        ir_value *x = op->operand_count ? op->operands[0].value : NULL;
        if (op->code != IR_ROUND_TO_GRID || x->is_input || ir_use_count(x) > 1)
            continue;
        op->results[0]->name = x->name;
        x->name = NULL;
    }
}

static bool fill(const simulation *s, const driver_options *o, diag *d)
{
    ir_graph *g = s->graph;
    void **data = ARENA_ARRAY(g->arena, void *, g->input_count + 1);
    for (int32_t i = 0; i < g->input_count; i++)
        data[i] = arena_alloc(g->arena, ir_type_bytes(&g->inputs[i]->type) + 1);
    if (!simulate_inputs(s, o, data, d))
        return false;
    name_parameters(s);
    make_constants(s, data);
    name_rounded(g);
    return true;
}

char *simulate_text(ir_graph *graph, const driver_options *o, size_t *out_length, diag *d)
{
    simulation s;
    char *text = NULL;
    if (!simulate(graph, o, false, &s, d))
        return NULL;
    if (fill(&s, o, d) && !ir_print(s.graph, &text, out_length)) {
        diag_out_of_memory(d, NULL);
        text = NULL;
    }
    simulate_free(&s);
    return text;
}
