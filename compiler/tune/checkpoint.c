/* checkpoint.c: a header, blocks, and a hash of them. */
#include "compiler/tune/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/driver.h"

enum { MAGIC_BYTES = 12 };
static const char magic[MAGIC_BYTES] = "qcc tune 1\n";

typedef struct header {
    char magic[MAGIC_BYTES];
    uint32_t unused; /* 0 */
    uint64_t key, bytes;
} header;

static size_t bytes_of(const checkpoint_block blocks[], int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += blocks[i].bytes;
    return bytes;
}

static header header_of(uint64_t key, size_t bytes)
{
    header h = {.key = key, .bytes = bytes};
    memcpy(h.magic, magic, sizeof h.magic);
    return h;
}

static void lay_out(uint8_t *to, uint64_t key, size_t bytes, const checkpoint_block blocks[], int count)
{
    const header h = header_of(key, bytes);
    const uint8_t *text = to;
    memcpy(to, &h, sizeof h);
    to += sizeof h;
    for (int i = 0; i < count; i++) {
        memcpy(to, blocks[i].data, blocks[i].bytes);
        to += blocks[i].bytes;
    }
    const uint64_t hash = ir_hash_bytes(text, sizeof h + bytes, 0);
    memcpy(to, &hash, sizeof hash);
}

bool checkpoint_write(const char *path, const char *model, uint64_t key, const checkpoint_block blocks[], int count,
                      diag *d)
{
    const size_t bytes = bytes_of(blocks, count), all = sizeof(header) + bytes + sizeof(uint64_t);
    output_set *files = calloc(1, sizeof *files);
    uint8_t *text = malloc(all);
    bool good = (files && text) || diag_out_of_memory(d, NULL);
    if (good) {
        lay_out(text, key, bytes, blocks, count);
        const int file = output_keep(files, model, d) ? output_declare(files, path, 0666, d) : OUTPUT_NONE;
        good = file != OUTPUT_NONE && output_add(files, file, text, all, d) && output_commit(files, d);
        output_discard(files);
    }
    free(files);
    free(text);
    return good;
}

static bool check(const uint8_t *text, size_t size, uint64_t key, size_t bytes, const ir_loc *loc, diag *d)
{
    const header wanted = header_of(key, bytes);
    header h;
    uint64_t hash;
    if (size < sizeof h + sizeof hash || memcmp(text, magic, sizeof magic) != 0)
        return diag_error(d, loc, "no checkpoint of qcc-tune");
    memcpy(&h, text, sizeof h);
    memcpy(&hash, text + size - sizeof hash, sizeof hash);
    if (hash != ir_hash_bytes(text, size - sizeof hash, 0))
        return diag_error(d, loc, "the checkpoint is damaged");
    return (memcmp(&h, &wanted, sizeof h) == 0 && size == sizeof h + bytes + sizeof hash) ||
           diag_error(d, loc, "the checkpoint is one of another model, other samples, or other options of training");
}

bool checkpoint_read(const char *path, uint64_t key, const checkpoint_block blocks[], int count, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    uint8_t *text;
    size_t size;
    if (!driver_read_file(path, &text, &size, d))
        return false;
    const bool good = check(text, size, key, bytes_of(blocks, count), &loc, d);
    const uint8_t *from = text + sizeof(header);
    for (int i = 0; good && i < count; i++) {
        memcpy(blocks[i].data, from, blocks[i].bytes);
        from += blocks[i].bytes;
    }
    free(text);
    return good;
}
