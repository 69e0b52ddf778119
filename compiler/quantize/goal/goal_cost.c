/* goal_cost.c: how much longer a model takes with some layers in float.
 *
 * The estimate is that of its ops as they are lowered for the default target, conversions and what is fused included:
 * arithmetic, so that the choice that follows from it is the same on every machine.  The clock is asked only for what is
 * said of the choice. */
#include <math.h>

#include "compiler/codegen/object/cost.h"
#include "compiler/quantize/goal/goal_search.h"

enum { TURNS = 20 /* of each of two models that are timed */ };

bool goal_estimate(const goal_search *s, const bool choice[], double *out)
{
    driver_options there = goal_options(s, PASS_QUANTIZE_AUTO);
    const ir_loc loc = ir_graph_loc(s->graph);
    driver_module m = {.file = loc.file ? loc.file : "graph", .graph = goal_choose(s, choice)};
    there.targets = driver_defaults(OPTION_QCC).targets;
    const bool good = driver_passes(&there, &m, true, NULL, 0, s->diag);
    *out = good ? cg_graph_cost(m.graph, target_set_best(there.targets)) : 0;
    ir_graph_free(m.graph);
    return good;
}

/* `least` becomes the least of it and of what a run on the first sample takes. */
static bool time_run(const goal_search *s, session *m, double *least)
{
    session_reset(m);
    if (!s->samples->fill(s->samples->context, 0, m->input_buffers, s->diag))
        return false;
    const double start = session_seconds();
    const bool good = session_run(m, s->diag);
    *least = fmin(*least, session_seconds() - start);
    return good;
}

/* They run in turns, so that what else the machine does meets both. */
static bool time_both(goal_search *s, const bool choice[], double *out)
{
    const driver_options here = goal_options(s, PASS_QUANTIZE_AUTO);
    double all = INFINITY, chosen = INFINITY;
    session_close(&s->model);
    bool good = session_open_graph(&s->model, &here, goal_choose(s, goal_choice(s)), 1, s->diag) &&
                session_open_graph(&s->beside, &here, goal_choose(s, choice), 1, s->diag);
    for (int i = 0; good && i < TURNS; i++)
        good = time_run(s, &s->model, &all) && time_run(s, &s->beside, &chosen);
    *out = chosen / all;
    return good;
}

bool goal_find_slowdown(goal_search *s, const bool choice[], goal_slowdown *out)
{
    double all, chosen;
    if (!goal_estimate(s, goal_choice(s), &all) || !goal_estimate(s, choice, &chosen) ||
        !time_both(s, choice, &out->measured))
        return false;
    out->estimated = all > 0 ? chosen / all : 1;
    return true;
}
