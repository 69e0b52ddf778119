/* goal_tell.c: what stays in float, in the graph and in a warning. */
#include "compiler/quantize/goal/goal_search.h"
#include "passes/common/plan.h"

enum { MOST_NAMES = 8 /* in the warning */ };

const char *goal_text(const goal_search *s, const goal_accuracy *a)
{
    arena *to = s->graph->arena;
    return s->goal->max_drop >= 0 && s->count
               ? arena_format(to, "%.2f dB and %.2f %% right", goal_decibels(a), 100.0 * a->right / s->count)
               : arena_format(to, "%.2f dB", goal_decibels(a));
}

static const char *name_of(const ir_op *op)
{
    const char *name = op->name ? op->name : op->results[0]->name;
    return name ? name : "?";
}

static const char *text_of(arena *to, const goal_candidate *c)
{
    return c->group ? arena_format(to, "all %d %s (%.2f dB alone)", c->count, c->group, c->sqnr)
                    : arena_format(to, "'%s' (%.2f dB alone)", name_of(c->ops[0]), c->sqnr);
}

static void mark(goal_search *s, const goal_candidate *c)
{
    const bool asked = s->goal->min_sqnr > 0 || s->goal->max_drop >= 0;
    const char *why = asked ? "the accuracy asked for" : "--max-slowdown";
    arena *to = s->graph->arena;
    for (int i = 0; i < c->count; i++) {
        c->ops[i]->keep_float = true;
        c->ops[i]->why_float =
            c->group ? arena_format(to, "%s; the integers of all %s alone leave %.2f dB of the result", why, c->group,
                                    c->sqnr)
                     : arena_format(to, "%s; its integers alone leave %.2f dB of the result", why, c->sqnr);
    }
}

/* Of the multiply-adds, those that are in float now. */
static double share_in_float(const goal_search *s)
{
    double all = 0, kept = 0;
    for (int i = 0; i < s->candidate_count; i++) {
        const goal_candidate *c = &s->candidates[i];
        if (c->group || plan_kind_of(c->ops[0]) != PLAN_PRODUCT)
            continue;
        all += plan_multiply_adds(c->ops[0]);
        kept += c->ops[0]->keep_float ? plan_multiply_adds(c->ops[0]) : 0;
    }
    return all > 0 ? kept / all : 0;
}

/* The first of them, the dearest. */
static const char *names_of(const goal_search *s, const bool choice[])
{
    const char *names = "";
    int count = 0;
    for (int i = 0; i < s->candidate_count; i++) {
        if (!choice[i])
            continue;
        arena *to = s->graph->arena;
        names = count < MOST_NAMES
                    ? arena_format(to, "%s%s%s", names, count ? ", " : "", text_of(to, &s->candidates[i]))
                    : names;
        count++;
    }
    return count > MOST_NAMES ? arena_format(s->graph->arena, "%s, …", names) : names;
}

bool goal_keep(goal_search *s, const bool choice[], const goal_accuracy *before, const goal_accuracy *after)
{
    const ir_loc loc = ir_graph_loc(s->graph);
    goal_slowdown slowdown;
    if (!goal_find_slowdown(s, choice, &slowdown))
        return false;
    for (int i = 0; i < s->candidate_count; i++)
        if (choice[i])
            mark(s, &s->candidates[i]);
    diag_warn(s->diag, &loc,
              "%s with every layer on integers; %s with %d of %d in float, which are %.1f %% of the multiply-adds and "
              "take %.2f times the time by estimate, %.2f times on this machine: %s",
              goal_text(s, before), goal_text(s, after), goal_count(s, choice), s->layer_count, 100 * share_in_float(s),
              slowdown.estimated, slowdown.measured, names_of(s, choice));
    return true;
}
