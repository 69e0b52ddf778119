/* batches.c: orders, reading, and augmentation. */
#include "compiler/tune/batches.h"

#include <stdlib.h>
#include <string.h>

static const size_t KEPT_BYTES = (size_t)1 << 30;

/* ---- Opening ---- */

static bool split(batches *b, diag *d)
{
    const int all = b->set->count;
    b->order = calloc((size_t)all + 1, sizeof *b->order);
    b->epoch_order = calloc((size_t)all + 1, sizeof *b->epoch_order);
    b->kept = calloc((size_t)all + 1, sizeof *b->kept);
    if (!b->order || !b->epoch_order || !b->kept)
        return diag_out_of_memory(d, NULL);
    for (int i = 0; i < all; i++)
        b->order[i] = i;
    chance order = chance_of(b->options->seed, -1, -1);
    chance_shuffle(&order, b->order, all);
    b->validation = (int)(b->options->validation * all);
    b->training = all - b->validation;
    return batches_per_epoch(b) > 0 ||
           diag_error(d, NULL, "%d samples to train with (%d more are for validation) fill no batch of %ld",
                      b->training, b->validation, b->options->batch);
}

bool batches_open(batches *b, const batch_options *o, const sample_set *set, const preprocessing *p,
                  const qcc_tensor_info *info, diag *d)
{
    *b = (batches){.options = o, .set = set, .preprocessing = p, .info = *info, .epoch = -1, .room = KEPT_BYTES};
    if (!augment_check(&o->augmentation, info, d))
        return false;
    if (split(b, d))
        return true;
    batches_close(b);
    return false;
}

void batches_close(batches *b)
{
    for (int i = 0; b->kept && i < b->set->count; i++)
        free(b->kept[i]);
    free(b->kept);
    free(b->order);
    free(b->epoch_order);
    *b = (batches){0};
}

int64_t batches_per_epoch(const batches *b) { return b->training / b->options->batch; }

/* ---- One sample ---- */

static bool read_sample(batches *b, int index, void *to, diag *d)
{
    if (b->kept[index]) {
        memcpy(to, b->kept[index], b->info.bytes);
        return true;
    }
    if (!sample_fill(b->set, index, b->preprocessing, &b->info, to, d))
        return false;
    if (b->info.bytes <= b->room && (b->kept[index] = malloc(b->info.bytes + 1))) {
        memcpy(b->kept[index], to, b->info.bytes);
        b->room -= b->info.bytes;
    }
    return true;
}

/* One of those that an epoch trains with. */
static bool read_other(void *context, int64_t number, void *to, diag *d)
{
    batches *b = context;
    return read_sample(b, b->epoch_order[number], to, d);
}

static bool augment(batches *b, int index, int64_t epoch, float *to, diag *d)
{
    const augment_others others = {read_other, b, b->training};
    return augment_sample(&b->options->augmentation, b->preprocessing->layout, &b->info,
                          chance_of(b->options->seed, epoch, index), &others, to, d);
}

/* ---- A batch ---- */

static void enter_epoch(batches *b, int64_t epoch)
{
    if (b->epoch == epoch)
        return;
    memcpy(b->epoch_order, b->order + b->validation, (size_t)b->training * sizeof *b->order);
    chance order = chance_of(b->options->seed, epoch, -1);
    chance_shuffle(&order, b->epoch_order, b->training);
    b->epoch = epoch;
}

bool batches_fill(batches *b, int64_t step, void *input, int samples[], diag *d)
{
    const int64_t steps = batches_per_epoch(b), epoch = step / steps, first = step % steps * b->options->batch;
    const bool changes = augment_is_asked(&b->options->augmentation);
    enter_epoch(b, epoch);
    for (long i = 0; i < b->options->batch; i++) {
        uint8_t *to = (uint8_t *)input + (size_t)i * b->info.bytes;
        samples[i] = b->epoch_order[first + i];
        if (!read_sample(b, samples[i], to, d) || (changes && !augment(b, samples[i], epoch, (float *)(void *)to, d)))
            return false;
    }
    return true;
}

bool batches_fill_validation(batches *b, int first, void *input, int samples[], int *out_count, diag *d)
{
    const long batch = b->options->batch;
    *out_count = b->validation - first < batch ? b->validation - first : (int)batch;
    for (long i = 0; i < batch; i++) {
        samples[i] = b->order[(first + i) % b->validation];
        if (!read_sample(b, samples[i], (uint8_t *)input + (size_t)i * b->info.bytes, d))
            return false;
    }
    return true;
}
