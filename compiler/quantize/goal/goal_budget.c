/* goal_budget.c: candidates for float, one after the other, as long as the model takes at most so much longer.
 *
 *               noise saved   time more
 *     conv1          62 %       +2.1 %     ◀── first: 30 % a percent
 *     fc             20 %       +0.8 %     ◀── then: 25
 *     conv7           5 %       +3.0 %     ─── does not fit 5 %
 *     all sums       10 %       +1.9 %     ◀── does
 *
 * Times are not independent: behind a layer in float the next one needs no conversion.  So each is estimated as the whole
 * model with what has been taken before, anew where its rank depends on it. */
#include <math.h>
#include <string.h>

#include "compiler/quantize/goal/goal_search.h"

static const double LEAST_SHARE = 0.005; /* of the noise of all: less is not worth trying */
static const double LEAST_GAIN = 0.1;    /* dB */

/* How candidates are taken one after the other. */
typedef enum order {
    BY_GAIN,      /* what saves most noise for the time that it takes more */
    BY_PRICE,     /* what saves most */
    GROUPS_FIRST, /* these, and then by gain: what one alone seems worth may leave them no room */
    ORDERS
} order;

typedef struct state {
    double more;  /* seconds that it adds to what has been taken */
    bool known;   /* `more` is so; otherwise it is of fewer taken */
    bool settled; /* taken, covered by what is, or not to be taken */
} state;

typedef struct taking {
    const goal_search *search;
    order by;
    state *states; /* by candidate */
    bool *choice;
    double now, limit, least; /* seconds of what is taken; at most; what counts as none */
} taking;

/* ---- Alone ---- */

static bool is_worth_it(const goal_search *s, int at)
{
    double all = 0;
    for (int i = 0; i < s->candidate_count; i++)
        all += s->candidates[i].group ? 0 : s->candidates[i].noise;
    return s->candidates[at].noise > all * LEAST_SHARE;
}

/* What each takes more when no other is taken. */
static bool estimate_alone(goal_search *s)
{
    bool *choice = goal_choice(s);
    if (!goal_estimate(s, choice, &s->seconds))
        return false;
    for (int i = 0; i < s->candidate_count; i++) {
        double seconds = s->seconds;
        choice[i] = true;
        if (is_worth_it(s, i) && !goal_estimate(s, choice, &seconds))
            return false;
        choice[i] = false;
        s->candidates[i].more = seconds - s->seconds;
    }
    return true;
}

/* ---- Groups ---- */

static bool has(const goal_candidate *c, const ir_op *op)
{
    for (int i = 0; i < c->count; i++)
        if (c->ops[i] == op)
            return true;
    return false;
}

static bool covers(const goal_candidate *c, const goal_candidate *other)
{
    for (int i = 0; i < other->count; i++)
        if (!has(c, other->ops[i]))
            return false;
    return true;
}

/* By what is taken. */
static bool is_covered(const taking *t, int at)
{
    const goal_search *s = t->search;
    for (int i = 0; i < s->candidate_count; i++)
        if (t->choice[i] && covers(&s->candidates[i], &s->candidates[at]))
            return true;
    return false;
}

/* What it saves beyond its members that are taken. */
static double noise_left(const taking *t, int at)
{
    const goal_search *s = t->search;
    double noise = s->candidates[at].noise;
    for (int i = 0; i < s->candidate_count; i++)
        if (i != at && t->choice[i] && covers(&s->candidates[at], &s->candidates[i]))
            noise -= s->candidates[i].noise;
    return fmax(noise, 0);
}

/* ---- Neighbours ---- */

static bool reads(const ir_op *op, const ir_op *of)
{
    for (int i = 0; i < op->operand_count; i++)
        if (op->operands[i].value && op->operands[i].value->def == of)
            return true;
    return false;
}

static bool are_neighbours(const goal_candidate *a, const goal_candidate *b)
{
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++)
            if (reads(a->ops[i], b->ops[k]) || reads(b->ops[k], a->ops[i]))
                return true;
    return false;
}

/* ---- Taking ---- */

static bool estimate(taking *t, int at)
{
    double seconds;
    t->choice[at] = true;
    const bool good = goal_estimate(t->search, t->choice, &seconds);
    t->choice[at] = false;
    t->states[at].more = seconds - t->now;
    t->states[at].known = true;
    return good;
}

static double rank_of(const taking *t, int at)
{
    const double noise = noise_left(t, at);
    if (t->by == GROUPS_FIRST && t->search->candidates[at].group)
        return INFINITY;
    return t->by == BY_PRICE ? noise : noise / fmax(t->states[at].more, t->least);
}

/* -1: none is left. */
static int first_of(const taking *t)
{
    int best = -1;
    for (int i = 0; i < t->search->candidate_count; i++)
        if (!t->states[i].settled && (best < 0 || rank_of(t, i) > rank_of(t, best)))
            best = i;
    return best;
}

/* Others are to be estimated again: at once where they may have become cheaper, and may fit now. */
static bool take(taking *t, int at)
{
    const goal_search *s = t->search;
    const goal_candidate *taken = &s->candidates[at];
    t->now += t->states[at].more;
    t->choice[at] = true;
    for (int i = 0; i < s->candidate_count; i++) {
        state *other = &t->states[i];
        other->known = false;
        if (is_covered(t, i))
            other->settled = true;
        else if (is_worth_it(s, i) && are_neighbours(&s->candidates[i], taken)) {
            other->settled = false;
            if (!estimate(t, i))
                return false;
        }
    }
    return true;
}

static taking start(const goal_search *s, order by)
{
    taking t = {.search = s,
                .by = by,
                .states = ARENA_ARRAY(s->graph->arena, state, s->candidate_count),
                .choice = goal_choice(s),
                .now = s->seconds,
                .limit = s->seconds * (1 + s->goal->max_slowdown),
                .least = s->seconds * 1e-4};
    for (int i = 0; i < s->candidate_count; i++)
        t.states[i] = (state){.more = s->candidates[i].more, .known = true, .settled = !is_worth_it(s, i)};
    return t;
}

/* Candidates, in that order, as long as all of them together stay within the limit.  `out` has room for all. */
static bool take_within(const goal_search *s, order by, int out[], int *out_count)
{
    taking t = start(s, by);
    *out_count = 0;
    for (int at; (at = first_of(&t)) >= 0;) {
        if (!t.states[at].known) {
            if (!estimate(&t, at))
                return false;
        } else if (t.now + t.states[at].more > t.limit) {
            t.states[at].settled = true;
        } else {
            out[(*out_count)++] = at;
            if (!take(&t, at))
                return false;
        }
    }
    return true;
}

/* ---- How many of them ---- */

/* A choice that was measured; orders often take the same candidates. */
typedef struct measured {
    const bool *choice;
    goal_accuracy accuracy;
    struct measured *next;
} measured;

typedef struct within {
    goal_search *search;
    int *taken; /* candidates, in order */
    int count;
    bool *best;
    goal_accuracy accuracy; /* of the best */
    measured *known;
} within;

static void choose_first(const within *w, int count, bool choice[])
{
    for (int i = 0; i < w->search->candidate_count; i++)
        choice[i] = false;
    for (int i = 0; i < count; i++)
        choice[w->taken[i]] = true;
}

static bool measure_first(within *w, int count, goal_accuracy *out)
{
    const size_t size = sizeof(bool) * (size_t)w->search->candidate_count;
    bool *choice = goal_choice(w->search);
    choose_first(w, count, choice);
    for (const measured *m = w->known; m; m = m->next)
        if (memcmp(m->choice, choice, size) == 0) {
            *out = m->accuracy;
            return true;
        }
    if (!goal_measure(w->search, choice, out))
        return false;
    measured *m = ARENA_ARRAY(w->search->graph->arena, measured, 1);
    *m = (measured){choice, *out, w->known};
    w->known = m;
    return true;
}

static void keep(within *w, int count, const goal_accuracy *a)
{
    choose_first(w, count, w->best);
    w->accuracy = *a;
}

/* With all that computes in float there is nothing left to be compiled for integers. */
static bool has_integers(const goal_accuracy *a) { return a->noise > 0; }

/* All that fit, two thirds of them, two thirds of these …: the nearest. */
static bool try_fewer(within *w)
{
    for (int count = w->count; count > 0; count = count * 2 / 3) {
        goal_accuracy a;
        if (!measure_first(w, count, &a))
            return false;
        if (has_integers(&a) && goal_decibels(&a) > goal_decibels(&w->accuracy) + LEAST_GAIN)
            keep(w, count, &a);
    }
    return true;
}

/* The fewest with which the goal is reached, as it is with all that fit; not found where that is without integers. */
static bool find_fewest(within *w, bool *out_found)
{
    int low = 0, high = w->count;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        goal_accuracy a;
        if (!measure_first(w, middle, &a))
            return false;
        if (!goal_is_reached(w->search, &a)) {
            low = middle;
            continue;
        }
        high = middle;
        *out_found |= has_integers(&a);
        if (has_integers(&a))
            keep(w, middle, &a);
    }
    return true;
}

static bool try_goal(within *w, bool *out_found)
{
    goal_accuracy a;
    if (w->count == 0)
        return true;
    if (!measure_first(w, w->count, &a))
        return false;
    const bool reached = goal_is_reached(w->search, &a);
    *out_found = reached && has_integers(&a);
    if (has_integers(&a) && goal_decibels(&a) > goal_decibels(&w->accuracy))
        keep(w, w->count, &a);
    return !reached || find_fewest(w, out_found);
}

bool goal_find_within(goal_search *s, const goal_accuracy *all, bool choice[], goal_accuracy *out_accuracy)
{
    const bool has_goal = s->goal->min_sqnr > 0 || s->goal->max_drop >= 0;
    within w = {
        .search = s, .taken = ARENA_ARRAY(s->graph->arena, int, s->candidate_count), .best = choice, .accuracy = *all};
    bool reached = false;
    if (!estimate_alone(s))
        return false;
    const order orders = s->candidate_count > s->layer_count ? ORDERS : GROUPS_FIRST;
    for (order by = 0; by < orders && !reached; by++)
        if (!take_within(s, by, w.taken, &w.count) || !(has_goal ? try_goal(&w, &reached) : try_fewer(&w)))
            return false;
    *out_accuracy = w.accuracy;
    return true;
}
