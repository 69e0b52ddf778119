/* batches.c: orders, reading, and augmentation. */
#include "compiler/tune/batches.h"

#include <stdlib.h>
#include <string.h>

static const size_t KEPT_BYTES = (size_t)1 << 30;

/* ---- Chance ---- */

typedef struct chance {
    uint64_t state;
} chance;

static uint64_t next(chance *c)
{
    uint64_t x = c->state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* 0…count - 1 */
static int64_t below(chance *c, int64_t count) { return (int64_t)(next(c) % (uint64_t)count); }

/* What has numbers of its own: the split, an epoch, a sample in an epoch. */
static chance chance_of(long seed, int64_t epoch, int64_t number)
{
    chance c = {(uint64_t)seed};
    c.state = next(&c) ^ (uint64_t)epoch * 0xD1342543DE82EF95u;
    c.state = next(&c) ^ (uint64_t)number * 0xA0761D6478BD642Fu;
    return c;
}

static void shuffle(chance c, int numbers[], int count)
{
    for (int i = 0; i < count; i++) {
        const int other = i + (int)below(&c, count - i), kept = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = kept;
    }
}

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
    shuffle(chance_of(b->options->seed, -1, -1), b->order, all);
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
    const batch_augmentation *a = &o->augmentation;
    if ((a->flip || a->shift) && (info->dtype != QCC_F32 || info->rank != 4))
        return diag_error(d, NULL, "--augment=flip and shift change pictures, and the model's input '%s' is none",
                          info->name);
    if (a->mix && info->dtype != QCC_F32)
        return diag_error(d, NULL, "--augment=mix takes real numbers, and the model's input '%s' has none", info->name);
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

/* Where the lines, columns and channels of a picture are: elements from one to the next. */
typedef struct picture {
    int64_t height, width, channels, line, column, channel;
} picture;

static picture picture_of(const batches *b)
{
    const int64_t *dims = b->info.dims;
    const bool first = b->preprocessing->layout == LAYOUT_NCHW ||
                       (b->preprocessing->layout == LAYOUT_AUTO && dims[3] != 1 && dims[3] != 3 && dims[1] <= 3);
    return first ? (picture){dims[2], dims[3], dims[1], dims[3], 1, dims[2] * dims[3]}
                 : (picture){dims[1], dims[2], dims[3], dims[2] * dims[3], dims[3], 1};
}

static int64_t within(int64_t x, int64_t count) { return x < 0 ? 0 : x < count ? x : count - 1; }

static bool mix(batches *b, chance *c, float *to, diag *d)
{
    const float share = (float)(next(c) >> 40) / 0x1p24f;
    const int other = b->epoch_order[below(c, b->training)];
    float *from = malloc(b->info.bytes + 1);
    const bool good = (from || diag_out_of_memory(d, NULL)) && read_sample(b, other, from, d);
    for (size_t i = 0; good && i < b->info.bytes / sizeof *to; i++)
        to[i] = share * to[i] + (1 - share) * from[i];
    free(from);
    return good;
}

static bool move(const batches *b, chance *c, float *to, diag *d)
{
    const batch_augmentation *a = &b->options->augmentation;
    const picture p = picture_of(b);
    const bool flip = (next(c) & 1) && a->flip;
    const int64_t down = below(c, 2 * a->shift + 1) - a->shift, right = below(c, 2 * a->shift + 1) - a->shift;
    float *from = malloc(b->info.bytes + 1);
    if (!from)
        return diag_out_of_memory(d, NULL);
    memcpy(from, to, b->info.bytes);
    for (int64_t y = 0; y < p.height; y++)
        for (int64_t x = 0; x < p.width; x++) {
            const int64_t column = within((flip ? p.width - 1 - x : x) - right, p.width);
            const float *source = &from[within(y - down, p.height) * p.line + column * p.column];
            for (int64_t k = 0; k < p.channels; k++)
                to[y * p.line + x * p.column + k * p.channel] = source[k * p.channel];
        }
    free(from);
    return true;
}

static bool augment(batches *b, int index, int64_t epoch, float *to, diag *d)
{
    const batch_augmentation *a = &b->options->augmentation;
    chance c = chance_of(b->options->seed, epoch, index);
    return ((!a->flip && !a->shift) || move(b, &c, to, d)) && (!a->mix || (next(&c) & 1) || mix(b, &c, to, d));
}

/* ---- A batch ---- */

static void enter_epoch(batches *b, int64_t epoch)
{
    if (b->epoch == epoch)
        return;
    memcpy(b->epoch_order, b->order + b->validation, (size_t)b->training * sizeof *b->order);
    shuffle(chance_of(b->options->seed, epoch, -1), b->epoch_order, b->training);
    b->epoch = epoch;
}

bool batches_fill(batches *b, int64_t step, void *input, int samples[], diag *d)
{
    const int64_t steps = batches_per_epoch(b), epoch = step / steps, first = step % steps * b->options->batch;
    const batch_augmentation *a = &b->options->augmentation;
    const bool changes = a->flip || a->shift || a->mix;
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
