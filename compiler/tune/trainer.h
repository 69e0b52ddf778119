/* trainer.h: a model in training: what is compiled for it, and one step.
 *
 *     trainer t;
 *     if (trainer_open(&t, options, driver options with ranges, "m.tflite", graph, samples, d)) {
 *         trainer_validate(&t, &score, d)
 *         trainer_step(&t, &score, d)           as often as t.steps says
 *         trainer_blocks(&t, …)                 all that a checkpoint needs
 *         trainer_give(&t, ranges)              weights and ranges of the best state into `graph`
 *     }
 *     trainer_close(&t); */
#ifndef QCC_TUNE_TRAINER_H
#define QCC_TUNE_TRAINER_H

#include "compiler/run/labels.h"
#include "compiler/run/session.h"
#include "compiler/tune/batches.h"
#include "compiler/tune/checkpoint.h"
#include "compiler/tune/learned/batch_norms.h"
#include "compiler/tune/learned/ranges.h"
#include "compiler/tune/learned/weight_clips.h"
#include "compiler/tune/loss.h"
#include "compiler/tune/wide.h"

typedef enum trainer_loss { TRAINER_LOSS_AUTO, TRAINER_CROSS_ENTROPY, TRAINER_SQUARED_ERROR } trainer_loss;

typedef struct trainer_options {
    optimizer_options optimizer; /* `steps` follows from epochs and samples */
    batch_options batches;
    range_options ranges;
    weight_clip_options weight_clips;
    batch_norm_options norms;
    trainer_loss loss; /* auto: cross entropy where there are labels or a softmax */
    bool keep_weights; /* biases and ranges are trained alone */
    double decay;      /* of weights */
    double range_rate; /* of what is trained of ranges; 0: that of the optimizer */
    long epochs;
    size_t memory; /* of the workspace of a step; 0: what it takes */
    unsigned threads;
} trainer_options;

/* Sums over samples. */
typedef struct trainer_score {
    double loss;
    int64_t right, samples; /* whose largest result is their class, or that of the model of real numbers */
} trainer_score;

typedef struct trainer {
    const trainer_options *options;
    const labelled_samples *samples;
    driver_options driver;
    pass_calibration calibration; /* its ranges are those of the wide graph, and move */
    wide wide;
    simulation simulation;
    loss loss;
    ranges ranges;
    weight_clips weight_clips;
    batch_norms norms;
    batches batches;
    session teacher, check, step; /* the real model, the simulated one, and with gradients */
    bool taught;                  /* targets are the teacher's */
    optimizer_options optimizer;
    optimizer_block *blocks;
    int block_count;
    uint32_t *parameter_gradients; /* outputs, by use */
    uint32_t (*range_gradients)[3];
    int *batch; /* samples of the batch that is at hand */
    int64_t at; /* steps that are done */
    /* The best state until now. */
    double best[2]; /* share of right ones, loss; worse than all: -1 */
    int64_t best_at;
    float **best_numbers; /* by parameter */
    float (*best_ranges)[2];
} trainer;

/* `graph` is at the end of PHASE(real), of the file and the options, which have ranges for it. */
bool trainer_open(trainer *, const trainer_options *, const driver_options *, const char *file, ir_graph *graph,
                  const labelled_samples *, const preprocessing *, diag *);
void trainer_close(trainer *);

/* One step; the score is that of its batch, before it. */
bool trainer_step(trainer *, trainer_score *, diag *);
/* Over the validation samples; keeps the state if it is the best. */
bool trainer_validate(trainer *, trainer_score *, diag *);
/* Everything that changes from step to step; room for trainer_block_count of them. */
int trainer_block_count(const trainer *);
void trainer_blocks(trainer *, checkpoint_block blocks[]);
/* After the blocks were read: the state that they are; false: it is none. */
bool trainer_resume(trainer *);
/* Into `graph` and its ranges; `note` says for the report where they are from. */
void trainer_give(trainer *, pass_range narrow[], uint32_t count, const char *note);

#endif
