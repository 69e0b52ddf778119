/* goal_search.h: what the parts of the search for layers in float share; private to this folder.
 *
 *     goal_measure.c   how near a model with some of them in float is to the real one; prices
 *     goal_cost.c      how much longer it takes: by estimate, by the clock
 *     goal_budget.c    which ones, as long as the estimate stays below a limit
 *     goal_tell.c      what is said of them */
#ifndef QCC_GOAL_SEARCH_H
#define QCC_GOAL_SEARCH_H

#include "compiler/quantize/goal/goal.h"
#include "compiler/run/session.h"

/* What stays in float as a whole: a layer, or all of a group. */
typedef struct goal_candidate {
    ir_op **ops;
    int count;
    const char *group;  /* NULL: a layer */
    double noise, sqnr; /* of the outputs, by its integers alone; without weights: what the whole has more by them */
    double more;        /* seconds, by estimate, when it alone is in float */
} goal_candidate;

typedef struct goal_accuracy {
    double signal, noise;
    int right; /* samples whose largest output is their class */
} goal_accuracy;

typedef struct goal_search {
    const goal *goal;
    ir_graph *graph;
    const driver_options *options;
    const correct_samples *samples;
    unsigned threads;
    diag *diag;
    int count;                  /* samples that are used */
    size_t *offsets;            /* of each output within a sample's outputs; one more is their size */
    uint8_t *reals;             /* the real model's outputs, by sample */
    int right;                  /* of the real model */
    session model;              /* that runs now */
    session beside;             /* with which its time is compared */
    goal_candidate *candidates; /* the dearest first */
    int candidate_count;
    int layer_count; /* of them: the others are groups of these */
    double seconds;  /* of a run without any, by estimate */
    bool good;
} goal_search;

/* A choice is a truth value for each candidate: stays it in float? */

/* In the graph's arena; none of them. */
bool *goal_choice(const goal_search *);
/* A copy of the graph in which the chosen stay in float. */
ir_graph *goal_choose(const goal_search *, const bool choice[]);
/* The options that it is compiled with, for this machine. */
driver_options goal_options(const goal_search *, pass_quantize_mode);
/* The ops in float of a choice. */
int goal_count(const goal_search *, const bool choice[]);

/* Runs the real model, and keeps its outputs. */
bool goal_run_real(goal_search *);
/* The candidates and their prices, the dearest first. */
bool goal_find_candidates(goal_search *);
bool goal_find_prices(goal_search *);
/* The model of a choice, corrected, beside the real one, over all samples. */
bool goal_measure(goal_search *, const bool choice[], goal_accuracy *out);
double goal_decibels(const goal_accuracy *);
bool goal_is_reached(const goal_search *, const goal_accuracy *);

/* Seconds of a run of a choice, by estimate for the default target. */
bool goal_estimate(const goal_search *, const bool choice[], double *out);
/* How many times as long the model takes with the chosen in float, by one thread; by estimate, by the clock. */
typedef struct goal_slowdown {
    double estimated, measured;
} goal_slowdown;
bool goal_find_slowdown(goal_search *, const bool choice[], goal_slowdown *out);

/* The choice within the limit that reaches the goal in the least time; without one, the nearest to the real model.  `all` is
 * the accuracy without any.  *out_accuracy is that of the choice, or, if the goal can't be reached, of the nearest. */
bool goal_find_within(goal_search *, const goal_accuracy *all, bool choice[], goal_accuracy *out_accuracy);

/* "25.31 dB", "25.31 dB and 90.10 % right" */
const char *goal_text(const goal_search *, const goal_accuracy *);
/* Marks the chosen in the graph, and says in a warning which. */
bool goal_keep(goal_search *, const bool choice[], const goal_accuracy *before, const goal_accuracy *after);

#endif
