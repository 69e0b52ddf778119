/* batches.c: protects which samples a step has: each epoch has every training sample once at most and no validation sample, in an
 * order of its own that the seed and nothing else decides; pictures are mirrored and moved, and nothing else. */
#include "compiler/tune/batches.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { COUNT = 50, BATCH = 7, PIXELS = 4 * 5 };

/* A picture of 4x5 whose pixels are sample * 100 + 10 * line + column. */
static void write_samples(const char *path)
{
    FILE *f = fopen(path, "wb");
    for (int i = 0; f && i < COUNT; i++)
        for (int p = 0; p < PIXELS; p++) {
            const float x = (float)(i * 100 + p / 5 * 10 + p % 5);
            fwrite(&x, sizeof x, 1, f);
        }
    CHECK(f && fclose(f) == 0);
}

static void check_orders(const sample_set *set, const preprocessing *p, const qcc_tensor_info *info)
{
    diag d = {0};
    const batch_options o = {.batch = BATCH, .seed = 3, .validation = 0.2};
    batches b, again;
    float input[BATCH * PIXELS];
    int numbers[BATCH], first[BATCH], count, seen[COUNT] = {0};
    CHECK(batches_open(&b, &o, set, p, info, &d) && batches_open(&again, &o, set, p, info, &d));
    CHECK(b.validation == 10 && b.training == 40 && batches_per_epoch(&b) == 5);
    for (int v = 0; v < b.validation; v += count) {
        CHECK(batches_fill_validation(&b, v, input, numbers, &count, &d));
        for (int i = 0; i < count; i++)
            seen[numbers[i]] += 100;
    }
    for (int64_t step = 0; step < 5; step++) {
        CHECK(batches_fill(&b, step, input, numbers, &d));
        for (int i = 0; i < BATCH; i++) {
            seen[numbers[i]]++;
            CHECK(input[i * PIXELS + 7] == (float)(numbers[i] * 100 + 12));
        }
        memcpy(first, step ? first : numbers, sizeof first);
    }
    int trained = 0;
    for (int i = 0; i < COUNT; i++) {
        CHECK(seen[i] == 0 || seen[i] == 1 || seen[i] == 100);
        trained += seen[i] == 1;
    }
    CHECK(trained == 35);
    CHECK(batches_fill(&b, 5, input, numbers, &d) && memcmp(numbers, first, sizeof first) != 0);
    CHECK(batches_fill(&again, 5, input, first, &d) && memcmp(numbers, first, sizeof first) == 0);
    batches_close(&b);
    batches_close(&again);
    CHECK(!d.failed);
}

static void check_augmentation(const sample_set *set, const preprocessing *p, const qcc_tensor_info *info)
{
    diag d = {0};
    const batch_options o = {.batch = BATCH, .augmentation = {.flip = true, .shift = 1}};
    batches b;
    float input[BATCH * PIXELS];
    int numbers[BATCH], mirrored = 0, moved = 0;
    CHECK(batches_open(&b, &o, set, p, info, &d));
    for (int64_t step = 0; step < 14; step++) {
        CHECK(batches_fill(&b, step, input, numbers, &d));
        for (int i = 0; i < BATCH; i++) {
            const float *x = &input[i * PIXELS];
            const int middle = (int)x[1 * 5 + 2] - numbers[i] * 100, line = middle / 10, column = middle % 10;
            const bool flipped = x[1 * 5 + 1] > x[1 * 5 + 3];
            CHECK(line >= 0 && line <= 2 && column >= 1 && column <= 3);
            for (int y = 0; y < 4; y++)
                for (int k = 0; k < 5; k++) {
                    const int from_y = y - 1 + line, from_x = column + (flipped ? 2 - k : k - 2);
                    const int in_y = from_y < 0   ? 0
                                     : from_y > 3 ? 3
                                                  : from_y,
                              in_x = from_x < 0   ? 0
                                     : from_x > 4 ? 4
                                                  : from_x;
                    CHECK((int)x[y * 5 + k] == numbers[i] * 100 + in_y * 10 + in_x);
                }
            mirrored += flipped;
            moved += line != 1 || column != 2;
        }
    }
    CHECK(mirrored > 30 && mirrored < 70 && moved > 70 && moved < 98);
    batches_close(&b);
    CHECK(!d.failed);
}

/* Every second sample, about, is one of those that are trained with and another. */
static void check_mixing(const sample_set *set, const preprocessing *p, const qcc_tensor_info *info)
{
    diag d = {0};
    const batch_options o = {.batch = BATCH, .validation = 0.5, .augmentation = {.mix = true}};
    batches b;
    float input[BATCH * PIXELS];
    int numbers[BATCH], mixed = 0, all = 0;
    CHECK(batches_open(&b, &o, set, p, info, &d));
    for (int64_t step = 0; step < 20; step++) {
        CHECK(batches_fill(&b, step, input, numbers, &d));
        for (int i = 0; i < BATCH; i++) {
            const float *x = &input[i * PIXELS], place = x[0] / 100;
            CHECK(place >= 0 && place < COUNT && fabsf(x[PIXELS - 1] - x[0] - 34) < 1e-2f);
            mixed += fabsf(place - (float)numbers[i]) > 1e-3f;
            all++;
        }
    }
    CHECK(mixed > all / 3 && mixed < all * 2 / 3);
    batches_close(&b);
    CHECK(!d.failed);
}

int main(void)
{
    char path[] = "/tmp/qcc-batches-XXXXXX";
    const int fd = mkstemp(path);
    diag d = {0};
    sample_set set;
    const int64_t dims[3] = {4, 5, 1};
    preprocessing p = PREPROCESSING_NONE;
    p.raw.sample = ir_type_make(IR_F32, 3, dims);
    const qcc_tensor_info info = {
        .name = "x", .dtype = QCC_F32, .rank = 4, .dims = {1, 4, 5, 1}, .bytes = PIXELS * sizeof(float)};
    write_samples(path);
    CHECK(samples_load(path, &p.raw, &info, &set, &d));
    check_orders(&set, &p, &info);
    check_augmentation(&set, &p, &info);
    check_mixing(&set, &p, &info);
    const batch_options o = {.batch = COUNT, .validation = 0.1};
    batches b;
    CHECK(!batches_open(&b, &o, &set, &p, &info, &d) && strstr(d.text, "fill no batch of 50"));
    samples_free(&set);
    close(fd);
    unlink(path);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
