/* description.c: what an importer notes down of a model, for those who ask what it is (frontend_description), whether
 * or not it can be imported. */
#include <string.h>

#define FRONTEND_COMMON
#include "frontends/node/node.h"

static const char *copied(frontend_description *d, const char *text)
{
    return text ? arena_string(d->memory, text, strlen(text)) : NULL;
}

/* Without its place, which is that of one node of several. */
static const char *reason(frontend_description *d, const char *text)
{
    const char *error = strstr(text, "error: ");
    return copied(d, error ? error + strlen("error: ") : text);
}

static void note_operator(frontend_description *d, const char *name, const diag *failed, const char *remark)
{
    enum { MOST_OPERATORS = 1000 }; /* no format has so many */
    frontend_operator **at = &d->operators;
    while (*at && strcmp((*at)->name, name) != 0 && ((*at)->next || d->operator_count < MOST_OPERATORS))
        at = &(*at)->next;
    if (!*at) {
        d->operator_count++;
        *at = ARENA_NEW(d->memory, frontend_operator);
        (*at)->name = copied(d, name);
    }
    (*at)->count++;
    if (failed && !(*at)->refused++)
        (*at)->why = reason(d, failed->text);
    if (!(*at)->remark)
        (*at)->remark = copied(d, remark);
}

void model_note_node(frontend_model *m, const char *name)
{
    if (m->options->description)
        note_operator(m->options->description, name ? name : "?", m->diag->failed ? m->diag : NULL, m->remark);
    m->remark = NULL;
}

static frontend_described *note_value(frontend_description *d, const char *name, bool is_input)
{
    frontend_described **at = &d->values;
    while (*at)
        at = &(*at)->next;
    *at = ARENA_NEW(d->memory, frontend_described);
    (*at)->name = copied(d, name ? name : "");
    (*at)->is_input = is_input;
    return *at;
}

static void note_type(frontend_described *to, const ir_value *v)
{
    to->type = v->type;
    to->quantized = v->quant != NULL;
    to->scale = v->quant ? v->quant->scale[0] : 0;
    to->zero = v->quant ? v->quant->zero[0] : 0;
}

void model_note_output(frontend_model *m, const char *name, const ir_value *v)
{
    frontend_description *d = m->options->description;
    frontend_described *to = d ? note_value(d, name, false) : NULL;
    if (to && v != m->unknown)
        note_type(to, v);
}

/* The last one is first. */
static void note_inputs(frontend_model *m, const frontend_input *in)
{
    frontend_description *d = m->options->description;
    if (!in)
        return;
    note_inputs(m, in->next);
    if (in->fixed)
        return;
    frontend_described *to = note_value(d, in->name, true);
    to->type = in->type;
    to->in_file = in->in_file;
    if (in->dim_names) {
        const char **names = ARENA_ARRAY(d->memory, const char *, in->in_file.rank + 1);
        for (int i = 0; i < in->in_file.rank; i++)
            names[i] = copied(d, in->dim_names[i]);
        to->dim_names = names;
    }
    for (int i = 0; i < m->graph->input_count; i++)
        if (strcmp(m->graph->input_names[i], in->name) == 0)
            note_type(to, m->graph->inputs[i]);
}

void model_note_inputs(frontend_model *m)
{
    if (m->options->description)
        note_inputs(m, m->fed);
}

void frontend_describe_graph(const ir_graph *g, int64_t batch, frontend_description *d)
{
    for (int i = 0; i < g->input_count; i++) {
        frontend_described *to = note_value(d, g->input_names[i], true);
        note_type(to, g->inputs[i]);
        to->in_file = to->type;
        if (batch)
            to->in_file.dims[0] = 1;
    }
    for (int i = 0; i < g->output_count; i++)
        note_type(note_value(d, g->output_names[i], false), g->outputs[i]);
    for (const ir_op *op = g->first; op; op = op->next)
        note_operator(d, ir_op_info_of(op->code)->text, NULL, NULL);
}
