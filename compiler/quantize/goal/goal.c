/* goal.c: prices, and then a search for what has to stay in float.
 *
 *     all in float but conv1: 14.2 dB       conv1 in float:          22.1 dB       --min-sqnr=25
 *     all in float but conv2: 41.0 dB       conv1 and fc in float:   26.3 dB   ◀── that will do
 *     all in float but fc:    23.5 dB */
#include "compiler/quantize/goal/goal.h"

#include <stdlib.h>

#include "compiler/quantize/goal/goal_search.h"
#include "ir/size_limits.h"

static void choose_dearest(const goal_search *s, int count, bool choice[])
{
    for (int i = 0; i < s->candidate_count; i++)
        choice[i] = i < count;
}

/* The fewest of the dearest layers with which the goal is reached: with all of them it is. */
static bool find_fewest(goal_search *s, bool choice[], int *out, goal_accuracy *out_reached)
{
    int low = 0, high = s->candidate_count; /* too few, enough */
    while (high - low > 1) {
        const int middle = low == 0 && high > 8 ? 2 : low + (high - low) / 2; /* mostly a few will do */
        goal_accuracy a;
        choose_dearest(s, middle, choice);
        if (!goal_measure(s, choice, &a))
            return false;
        if (goal_is_reached(s, &a)) {
            high = middle;
            *out_reached = a;
        } else {
            low = middle;
        }
    }
    choose_dearest(s, high, choice);
    *out = high;
    return true;
}

static bool reach_goal(goal_search *s, const goal_accuracy *all)
{
    goal_accuracy chosen = {.right = 0};
    bool *choice = goal_choice(s);
    int count;
    if (!find_fewest(s, choice, &count, &chosen))
        return false;
    if (count == s->layer_count || chosen.noise == 0) /* what is left has no integers by itself */
        return diag_error(s->diag, NULL, "%s with every layer on integers, and what is asked for only with none",
                          goal_text(s, all));
    return goal_keep(s, choice, all, &chosen);
}

/* As near as it gets within the time, or as near as asked for. */
static bool reach_within(goal_search *s, const goal_accuracy *all)
{
    const bool has_goal = s->goal->min_sqnr > 0 || s->goal->max_drop >= 0;
    const double percent = 100 * s->goal->max_slowdown;
    const ir_loc loc = ir_graph_loc(s->graph);
    goal_accuracy chosen;
    bool *choice = goal_choice(s);
    if (!goal_find_within(s, all, choice, &chosen))
        return false;
    if (has_goal && !goal_is_reached(s, &chosen))
        return diag_error(s->diag, NULL,
                          "%s with every layer on integers, %s at most with --max-slowdown=%g%%: less than asked for",
                          goal_text(s, all), goal_text(s, &chosen), percent);
    if (goal_count(s, choice) > 0)
        return goal_keep(s, choice, all, &chosen);
    diag_warn(s->diag, &loc, "%s with every layer on integers, and no layer in float gains within --max-slowdown=%g%%",
              goal_text(s, all), percent);
    return true;
}

static bool reach(goal_search *s)
{
    const bool has_goal = s->goal->min_sqnr > 0 || s->goal->max_drop >= 0;
    goal_accuracy all;
    const bool any = goal_find_candidates(s);
    if (!goal_run_real(s) || !goal_measure(s, goal_choice(s), &all))
        return false;
    if ((has_goal && goal_is_reached(s, &all)) || !any)
        return true;
    return goal_find_prices(s) && (s->goal->max_slowdown >= 0 ? reach_within(s, &all) : reach_goal(s, &all));
}

static void reach_guarded(void *context)
{
    goal_search *s = context;
    s->good = reach(s);
}

bool goal_reach(const goal *asked, ir_graph *g, const driver_options *o, const correct_samples *samples,
                unsigned threads, diag *d)
{
    goal_search s = {.goal = asked, .graph = g, .options = o, .samples = samples, .threads = threads, .diag = d};
    const ir_loc loc = ir_graph_loc(g);
    const arena_outcome outcome = arena_guard(reach_guarded, &s);
    session_close(&s.model);
    session_close(&s.beside);
    free(s.reals);
    return outcome == ARENA_DONE ? s.good : ir_limits_memory(d, &loc, outcome);
}
