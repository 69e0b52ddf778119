/* batch_norms.h: the batch norms that products have in their weights and biases, while a model is trained.
 *
 *     of a channel    y = gamma (z - mean) / sqrt(variance + epsilon) + beta,      z = U x
 *     its product     y = k U x + (beta - k mean),      k = gamma / sqrt(variance + epsilon)
 *
 * U, gamma and beta are trained; the product's weights k U and bias beta - k mean follow, as inference folds them, and are what
 * is put on grids.  At the start they are the graph's: k is 1.
 *
 *     frozen       there are none: weights and biases are trained as they are
 *     reestimate   mean and variance are those of the graph that is trained, with its roundings, in a moving average; constants
 *                  to the gradient
 *     train        a step computes with its batch's own mean and variance, and its gradient goes through these; validation,
 *                  and what is written, with the moving average
 *
 *     batch_norms n;
 *     batch_norms_open(&n, …)  batch_norms_spell(&n)                in the graph of a step
 *     each step:  batch_norms_inputs, a run, batch_norms_take_gradients, batch_norms_see, the optimizer, batch_norms_settle */
#ifndef QCC_TUNE_BATCH_NORMS_H
#define QCC_TUNE_BATCH_NORMS_H

#include "compiler/tune/checkpoint.h"
#include "compiler/tune/learned/optimizer.h"
#include "compiler/tune/simulate.h"
#include "compiler/tune/wide.h"

typedef enum batch_norm_kind { BATCH_NORMS_FROZEN, BATCH_NORMS_REESTIMATE, BATCH_NORMS_TRAIN } batch_norm_kind;

typedef struct batch_norm_options {
    batch_norm_kind kind;
    double rate; /* of the moving average */
} batch_norm_options;

/* Of one product; arrays have a number for each channel, but for `weights`. */
typedef struct batch_norm {
    uint32_t op; /* its id in the simulated graph */
    int weights_parameter, bias_parameter;
    int64_t channels, inner; /* a weight's channel is its index / inner % channels */
    float *weights, *beta;   /* U */
    float *gamma, *gamma_gradient, *gamma_first, *gamma_second;
    const float *epsilon;
    float *least; /* that gamma may become; 0: it was 0, the channel is constant and stays so, with 1 for k */
    double *mean_sum, *variance_sum, sum_weight;      /* the moving average */
    float *k, *shift;                                 /* shift = k mean */
    uint32_t mean, variance;                          /* outputs of a step: of k U x */
    uint32_t gamma_input, epsilon_input, shift_input; /* of a step that trains: epsilon k k */
    uint32_t gamma_output;                            /* the loss's gradient by gamma_input */
} batch_norm;

typedef struct batch_norms {
    const batch_norm_options *options;
    const simulation *of;
    batch_norm *items;
    int count;
} batch_norms;

/* An error where there are none though they are asked for; a warning where one is not part of a product. */
bool batch_norms_open(batch_norms *, const batch_norm_options *, const simulation *, const wide *, diag *);
/* Adds what a step computes of them to the simulated graph, in front of all gradients. */
bool batch_norms_spell(batch_norms *, diag *);

/* Fills a step's further inputs. */
void batch_norms_inputs(const batch_norms *, void *const inputs[]);
/* A step's outputs: the means and variances that it has seen. */
void batch_norms_see(batch_norms *, void *const outputs[]);
/* Makes gradients by U, beta and gamma of those by the product's weights and bias, which the parameters' blocks have. */
void batch_norms_take_gradients(batch_norms *, optimizer_block by_parameter[], void *const outputs[]);
/* Sets weights and biases of the products to what blocks and states have become. */
void batch_norms_settle(batch_norms *);
/* The same for states that have been replaced; false where they are none that training comes to. */
bool batch_norms_restore(batch_norms *);

/* Makes the parameters' blocks those of U and beta, and adds one for each gamma behind the `count` that there are; returns
 * their number. */
int batch_norms_blocks(batch_norms *, bool in_proportion, optimizer_block blocks[], int count);
/* What a checkpoint has of them beside the parameters' blocks. */
enum { BATCH_NORM_STATES = 6 /* of each */ };
void batch_norms_states(batch_norms *, checkpoint_block blocks[]);

#endif
