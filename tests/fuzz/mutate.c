/* mutate.c: damages model files in repeatable ways and imports each result.
 *
 *     mutate [--rounds=N] [--seed=N] [--passes] [--dump=FILE] FILE|FOLDER...
 *
 * Protects: no file, however broken, crashes the importer, makes it loop, or makes it take memory beyond a multiple
 * of the file's size; each gives a graph or one diagnostic (check_import.c).  For every file: cuts at some lengths,
 * then `rounds` mutations of each kind that knows nothing of the format, and of its structure (mutation.h).  --passes
 * runs the passes on what was imported (check_passes.c).  --dump writes each input before it is tried, to find the
 * one that crashed. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check_import.h"
#include "mutation.h"

enum { MOST_GROWTH = 4096 };

typedef struct mutator {
    mutation mutation;
    int rounds;
    const char *dump;
    bool passes;
    long files, imported, refused;
} mutator;

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

/* A few changes of a kind; MUTATION_KINDS: of the format's structure. */
static void mutate(mutator *m, const uint8_t *original, size_t size, int kind, int changes)
{
    mutation *now = &m->mutation;
    memcpy(now->bytes, original, size);
    now->size = size;
    for (int i = 0; i < changes; i++)
        if (kind < MUTATION_KINDS)
            mutation_bytes(now, kind);
        else
            mutation_structure(now);
    try_bytes(m, now->bytes, now->size);
}

static void mutate_file(mutator *m, const uint8_t *original, size_t size)
{
    m->mutation.room = size + MOST_GROWTH;
    m->mutation.bytes = malloc(m->mutation.room);
    for (int i = 0; i < m->rounds; i++)
        try_bytes(m, original, i < 16 ? (size_t)i * size / 16 : mutation_below(&m->mutation, size));
    for (int kind = 0; kind <= MUTATION_KINDS && size; kind++)
        for (int i = 0; i < m->rounds; i++)
            mutate(m, original, size, kind, 1 + i % 3);
    free(m->mutation.bytes);
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
    static const char *const kinds[] = {".tflite", ".ort", ".onnx", ".nb", ".pdmodel", ".json", ".qir"};
    const char *dot = strrchr(d->d_name, '.');
    bool found = false;
    for (size_t i = 0; dot && i < sizeof kinds / sizeof *kinds; i++)
        found |= strcmp(dot, kinds[i]) == 0;
    return found;
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
    mutator m = {.mutation.random = 1, .rounds = 100};
    limit_memory();
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--rounds=", 9) == 0) {
            m.rounds = atoi(argv[i] + 9);
        } else if (strncmp(argv[i], "--seed=", 7) == 0) {
            m.mutation.random = strtoull(argv[i] + 7, NULL, 0);
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
