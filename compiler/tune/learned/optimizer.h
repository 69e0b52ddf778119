/* optimizer.h: steps down a gradient, over arrays of numbers.
 *
 * What a step does to a number x with gradient g, of rate r at step t (from 1), all in float:
 *
 *     sgd     m = momentum m + g           x = x - r (m + decay x)
 *     adam    m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g g
 *             x = x - r (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon) + decay x)
 *
 * with b1 = 0.9, b2 = 0.999, epsilon = 1e-8.  Both are what torch.optim calls SGD and AdamW, but
 * that SGD's decay is apart from its momentum, too. */
#ifndef QCC_TUNE_OPTIMIZER_H
#define QCC_TUNE_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM } optimizer_kind;
typedef enum optimizer_schedule { SCHEDULE_CONSTANT, SCHEDULE_COSINE } optimizer_schedule;

typedef struct optimizer_options {
    optimizer_kind kind;
    optimizer_schedule schedule;
    double rate, momentum;
    double clip;    /* the most that the norm of all gradients together may be; 0: any */
    int64_t warmup; /* steps in which the rate grows to what it is */
    int64_t steps;  /* of the whole */
} optimizer_options;

/* Numbers that a step changes. */
typedef struct optimizer_block {
    float *numbers, *gradient; /* the gradient is spoilt */
    float *first, *second;     /* moments, 0 at the start; second: of adam alone */
    int64_t count;
    float share; /* of the rate */
    float decay; /* what pulls the numbers towards 0 */
} optimizer_block;

/* The root of the mean square of numbers, or what stands for it where they are next to nothing. */
float optimizer_size(const float numbers[], int64_t count);
/* The rate of step 0…steps - 1. */
double optimizer_rate(const optimizer_options *, int64_t step);
/* The norm of all gradients. */
double optimizer_norm(const optimizer_block blocks[], int count);
/* Are all gradients numbers? */
bool optimizer_is_finite(const optimizer_block blocks[], int count);
/* Step 0…steps - 1. */
void optimizer_step(const optimizer_options *, optimizer_block blocks[], int count, int64_t step);

#endif
