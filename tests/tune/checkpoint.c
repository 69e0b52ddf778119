/* checkpoint.c: protects: a checkpoint is read back by its own key alone; cut off anywhere, longer, or with any bit changed
 * it is refused with one diagnostic, and nothing of it is taken. */
#include "compiler/tune/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/driver.h"

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))

enum { KEY = 77, NUMBERS = 5 };

typedef struct state {
    int64_t step;
    float numbers[NUMBERS];
} state;

static const state written = {3, {1, -2, 3.5f, 0, 1e-30f}};

static bool read_into(const char *path, uint64_t key, state *s, diag *d)
{
    const checkpoint_block blocks[] = {{&s->step, sizeof s->step}, {s->numbers, sizeof s->numbers}};
    return checkpoint_read(path, key, blocks, 2, d);
}

static void put(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, size, f) == size);
    CHECK(f && fclose(f) == 0);
}

/* Nothing is taken of it, and one line says why. */
static void refuse(const char *path, uint64_t key, const char *why)
{
    state s = {0};
    const state untouched = {0};
    diag d = {0};
    CHECK(!read_into(path, key, &s, &d));
    CHECK(memcmp(&s, &untouched, sizeof s) == 0);
    CHECK(strstr(d.text, why) != NULL);
    CHECK(strchr(d.text, '\n') == NULL);
}

static void damage(const char *path, uint8_t *bytes, size_t size)
{
    for (size_t length = 0; length < size; length++) {
        put(path, bytes, length);
        refuse(path, KEY, "checkpoint");
    }
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        put(path, bytes, size);
        refuse(path, KEY, "checkpoint");
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    bytes[size] = 0;
    put(path, bytes, size + 1);
    refuse(path, KEY, "damaged");
}

int main(void)
{
    char folder[] = "/tmp/qcc-checkpoint-XXXXXX", path[64], model[64];
    state s = written;
    diag d = {0};
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/state", folder);
    snprintf(model, sizeof model, "%s/model", folder);
    put(model, (const uint8_t *)"m", 1);
    const checkpoint_block blocks[] = {{&s.step, sizeof s.step}, {s.numbers, sizeof s.numbers}};
    CHECK(checkpoint_write(path, model, KEY, blocks, 2, &d));
    CHECK(!checkpoint_write(model, model, KEY, blocks, 2, &d));
    s = (state){0};
    CHECK(read_into(path, KEY, &s, &d));
    CHECK(s.step == written.step && memcmp(s.numbers, written.numbers, sizeof s.numbers) == 0);
    refuse(path, KEY + 1, "another model");

    uint8_t *bytes;
    size_t size;
    const bool is_read = driver_read_file(path, &bytes, &size, &d);
    uint8_t *longer = is_read ? realloc(bytes, size + 1) : NULL;
    CHECK(longer);
    if (longer)
        damage(path, longer, size);
    free(longer);
    CHECK(unlink(path) == 0 && unlink(model) == 0 && rmdir(folder) == 0);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
