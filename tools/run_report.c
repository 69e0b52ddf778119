/* run_report.c: steps' times become ops' times; the interpreter runs the lowered graph to see every value. */
#include "tools/run_report.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/output.h"
#include "compiler/report.h"
#include "runtime/model_abi.h"

static void see(void *context, const ir_value *v, const void *data)
{
    histogram *all = context, *h = &all[v->id];
    if (!histogram_make(v, data, h))
        *h = (histogram){0};
}

/* Distribution of every value for the session's inputs, by id. */
static histogram *observe(const session *s, diag *d)
{
    const ir_graph *g = s->module.graph;
    histogram *all = calloc((size_t)g->next_id + 1, sizeof *all);
    ir_state *state = ir_state_new(g);
    bool good = all || diag_error(d, NULL, "out of memory");
    good = good && ir_interpret_observed(g, (const void *const *)s->input_buffers, s->output_buffers, state, see, all, d);
    ir_state_free(state);
    if (good)
        return all;
    free(all);
    return NULL;
}

/* Several steps can make up an op, and views take none. */
static double *seconds_of_ops(const session *s, const double seconds[], diag *d)
{
    size_t count = 0;
    for (const ir_op *op = s->module.graph->first; op; op = op->next)
        count++;
    double *of = malloc((count + 1) * sizeof *of);
    if (!of) {
        diag_error(d, NULL, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        of[i] = -1;
    for (uint32_t i = 0; i < s->model->step_count; i++) {
        double *sum = &of[s->model->steps[i].op_index];
        *sum = (*sum > 0 ? *sum : 0) + seconds[i];
    }
    return of;
}

bool run_report_write(const session *s, const driver_options *options, const double seconds[], const char *path, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    if (!s->module.graph)
        return diag_error(d, &loc, "a compiled library knows no graph: --report needs the model file");
    double *of_ops = seconds_of_ops(s, seconds, d);
    histogram *seen = of_ops ? observe(s, d) : NULL;
    output_set files = {0};
    bool good = seen != NULL;
    if (good) {
        const report_facts facts = {.name = options->name, .source = s->module.file, .target = options->target,
                                    .seconds = of_ops, .activations = seen};
        size_t length;
        char *text = report_text(s->module.graph, &facts, strcmp(strrchr(path, '.'), ".html") == 0, &length);
        good = text ? output_add(&files, path, text, length, d) && output_commit(&files, d)
                    : diag_error(d, NULL, "out of memory");
        free(text);
    }
    output_discard(&files);
    free(of_ops);
    free(seen);
    return good;
}
