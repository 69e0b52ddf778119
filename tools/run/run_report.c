/* run_report.c: steps' times become ops' times; the interpreter tells of the values. */
#include "tools/run/run_report.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/names.h"
#include "compiler/output/output.h"
#include "compiler/report/report.h"
#include "runtime/variant.h"
#include "tools/against_file.h"

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
    for (uint32_t i = 0; i < s->variant->step_count; i++) {
        double *sum = &of[s->variant->steps[i].op_index];
        *sum = (*sum > 0 ? *sum : 0) + seconds[i];
    }
    return of;
}

enum { NAME_BYTES = 256 };

static bool add_text(output_set *set, int file, const ir_graph *g, const report_facts *facts, diag *d)
{
    size_t length;
    char *text = report_text(g, facts, report_is_html(set->file[file].path), &length);
    const bool good = text ? output_add(set, file, text, length, d) : diag_error(d, NULL, "out of memory");
    free(text);
    return good;
}

bool run_report_add(const session *s, const driver_options *options, const char *reference, const double seconds[],
                    output_set *set, const int files[], int count, diag *d)
{
    const ir_loc loc = {.file = set->file[files[0]].path, .subgraph = -1, .node = -1};
    if (!s->module.graph)
        return diag_error(d, &loc, "a compiled library knows no graph: --report needs the model file");
    const size_t ids = (size_t)s->module.graph->next_id + 1;
    double *of_ops = seconds_of_ops(s, seconds, d);
    histogram *seen = calloc(ids, sizeof *seen);
    report_difference *differences = calloc(ids, sizeof *differences);
    bool good = of_ops && ((seen && differences) || diag_error(d, NULL, "out of memory")) &&
                against_file(options, reference ? reference : s->module.file, s->module.graph,
                             (const void *const *)s->input_buffers, seen, differences, d);
    if (good) {
        char name[NAME_BYTES];
        names_from_path(s->module.file, name, sizeof name);
        const report_facts facts = {.name = name,
                                    .source = s->module.file,
                                    .targets = options->targets,
                                    .target = s->variant->target,
                                    .threads = s->threads,
                                    .float_is_asked_for = driver_wants_float(options),
                                    .seconds = of_ops,
                                    .activations = seen,
                                    .differences = differences};
        for (int i = 0; good && i < count; i++)
            good = add_text(set, files[i], s->module.graph, &facts, d);
    }
    free(of_ops);
    free(seen);
    free(differences);
    return good;
}
