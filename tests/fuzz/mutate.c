/* mutate.c: damages model files in repeatable ways and imports each result.
 *
 *     mutate [--rounds=N] [--seed=N] [--passes] [--dump=FILE] FILE|FOLDER...
 *
 * Protects: no file, however broken, crashes the importer, makes it loop, or makes it take memory beyond a multiple of
 * the file's size; each gives a graph or one diagnostic (check_import.c).  For every file: cuts at some lengths, then
 * `rounds` mutations of each kind below.  --passes runs the passes on what was imported (check_passes.c).  --dump writes each input before it is tried, to find the one that crashed. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check_import.h"

typedef struct mutator {
    uint64_t state;
    int rounds;
    const char *dump;
    bool passes;
    long files, imported, refused;
} mutator;

static uint32_t next(mutator *m)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    uint32_t x = (uint32_t)(m->state >> 33);
    return x ^ x >> 15;
}

static size_t below(mutator *m, size_t bound) { return bound ? ((size_t)next(m) << 31 | next(m)) % bound : 0; }

static void try_bytes(mutator *m, const uint8_t *bytes, size_t size)
{
    if (m->dump) {
        FILE *f = fopen(m->dump, "wb");
        if (f) {
            fwrite(bytes, 1, size, f);
            fclose(f);
        }
    }
    if (check_import(bytes, size, m->passes))
        m->imported++;
    else
        m->refused++;
}

/* Where damage goes: half of it into the first and last stretch and into words that look like offsets or counts, which is
 * where FlatBuffers keep their structure; weights make up most of a model and say little. */
static size_t target(mutator *m, const uint8_t *bytes, size_t size)
{
    for (int attempt = 0; attempt < 64; attempt++) {
        size_t at = below(m, size / 4) * 4;
        if (at + 4 > size)
            continue;
        uint32_t word = (uint32_t)bytes[at] | (uint32_t)bytes[at + 1] << 8 | (uint32_t)bytes[at + 2] << 16 |
                        (uint32_t)bytes[at + 3] << 24;
        if (word < size || word > 0xffff0000u)
            return at;
    }
    return below(m, size);
}

static void put_word(uint8_t *bytes, size_t size, size_t at, uint32_t word)
{
    for (int i = 0; i < 4 && at + (size_t)i < size; i++)
        bytes[at + (size_t)i] = (uint8_t)(word >> 8 * i);
}

static void flip_bits(mutator *m, uint8_t *bytes, size_t size)
{
    for (int i = 1 + (int)below(m, 4); i > 0; i--)
        bytes[target(m, bytes, size)] ^= (uint8_t)(1u << below(m, 8));
}

static void set_extreme(mutator *m, uint8_t *bytes, size_t size)
{
    static const uint32_t extremes[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7ffffffc, 0x7fffffff, 0x80000000,
                                        0xfffffffc, 0xffffffff};
    for (int i = 1 + (int)below(m, 2); i > 0; i--)
        put_word(bytes, size, target(m, bytes, size), extremes[below(m, sizeof extremes / sizeof *extremes)]);
}

static void nudge(mutator *m, uint8_t *bytes, size_t size)
{
    size_t at = target(m, bytes, size);
    bytes[at] = (uint8_t)(bytes[at] + below(m, 16) - 8);
}

static void copy_word(mutator *m, uint8_t *bytes, size_t size)
{
    size_t from = target(m, bytes, size), to = target(m, bytes, size);
    for (size_t i = 0; i < 4 && from + i < size && to + i < size; i++)
        bytes[to + i] = bytes[from + i];
}

static void random_word(mutator *m, uint8_t *bytes, size_t size)
{
    put_word(bytes, size, target(m, bytes, size), (uint32_t)below(m, size));
}

static void mutate_file(mutator *m, const uint8_t *original, size_t size)
{
    static void (*const kinds[])(mutator *, uint8_t *, size_t) = {flip_bits, set_extreme, nudge, copy_word, random_word};
    uint8_t *bytes = malloc(size ? size : 1);
    for (int i = 0; i < m->rounds; i++)
        try_bytes(m, original, i < 16 ? (size_t)i * size / 16 : below(m, size));
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && size; k++)
        for (int i = 0; i < m->rounds; i++) {
            memcpy(bytes, original, size);
            for (size_t again = 0; again <= (size_t)i % 3; again++)
                kinds[k](m, bytes, size);
            try_bytes(m, bytes, size);
        }
    free(bytes);
}

static uint8_t *read_file(const char *path, size_t *out_size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    *out_size = fread(bytes, 1, size > 0 ? (size_t)size : 0, f);
    fclose(f);
    return bytes;
}

static bool mutate_path(mutator *m, const char *path)
{
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    if (!bytes)
        return false;
    mutate_file(m, bytes, size);
    free(bytes);
    m->files++;
    return true;
}

static int is_model(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');
    return dot && (strcmp(dot, ".tflite") == 0 || strcmp(dot, ".ort") == 0 || strcmp(dot, ".nb") == 0 || strcmp(dot, ".qir") == 0);
}

/* The models of a folder, in the order of their names. */
static bool mutate_folder(mutator *m, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_model, alphasort);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        mutate_path(m, path);
        free(entries[i]);
    }
    free(entries);
    return true;
}

/* Under a sanitizer, whose shadow memory breaks the limit, its own option max_allocation_size_mb does this. */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    const struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    setrlimit(RLIMIT_DATA, &limit);
#endif
}

int main(int argc, char **argv)
{
    mutator m = {.state = 1, .rounds = 100};
    limit_memory();
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--rounds=", 9) == 0) {
            m.rounds = atoi(argv[i] + 9);
        } else if (strncmp(argv[i], "--seed=", 7) == 0) {
            m.state = strtoull(argv[i] + 7, NULL, 0);
        } else if (strcmp(argv[i], "--passes") == 0) {
            m.passes = true;
        } else if (strncmp(argv[i], "--dump=", 7) == 0) {
            m.dump = argv[i] + 7;
        } else if (!mutate_folder(&m, argv[i]) && !mutate_path(&m, argv[i])) {
            fprintf(stderr, "mutate: %s can't be read\n", argv[i]);
            return 2;
        }
    }
    if (!m.files) {
        printf("skipped: no models in these folders\n");
        return 77;
    }
    printf("%ld files: %ld inputs imported, %ld refused\n", m.files, m.imported, m.refused);
    return 0;
}
