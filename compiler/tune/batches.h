/* batches.h: which samples a step of training has, and what becomes of them on the way.
 *
 *     all samples, in an order that the seed decides     | validation |          training           |
 *     each epoch has the training ones in an order of its own:        | batch 0 | batch 1 | … | rest |
 *
 * The rest of an epoch that fills no batch is left out.  Everything follows from seed, epoch and sample, so training can go on
 * from any step. */
#ifndef QCC_TUNE_BATCHES_H
#define QCC_TUNE_BATCHES_H

#include "compiler/run/augment.h"
#include "compiler/run/samples.h"

typedef struct batch_options {
    long batch, seed;
    double validation;         /* part of the samples, 0…1 */
    augmentation augmentation; /* of samples, before a step sees them */
} batch_options;

typedef struct batches {
    const batch_options *options;
    const sample_set *set;
    const preprocessing *preprocessing;
    qcc_tensor_info info; /* of one sample */
    int *order;           /* the validation samples, and then the training ones */
    int *epoch_order;     /* training ones */
    int64_t epoch;        /* that epoch_order is of; -1: none */
    int validation, training;
    uint8_t **kept; /* samples as the model takes them, read once, as long as there is room */
    size_t room;
} batches;

/* `info`: the model's input for a batch of 1. */
bool batches_open(batches *, const batch_options *, const sample_set *, const preprocessing *,
                  const qcc_tensor_info *info, diag *);
void batches_close(batches *);

int64_t batches_per_epoch(const batches *);
/* Fills the input with the batch of a step, and `samples` with their numbers in the set. */
bool batches_fill(batches *, int64_t step, void *input, int samples[], diag *);
/* The same with validation samples from `first` on, behind the last of which come the first ones again; returns how many of
 * them are new in *out_count. */
bool batches_fill_validation(batches *, int first, void *input, int samples[], int *out_count, diag *);

#endif
