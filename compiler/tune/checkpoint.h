/* checkpoint.h: what training has come to, as a file, so that it can go on there.
 *
 *     checkpoint_block blocks[] = {{&step, sizeof step}, {weights, bytes}, …};
 *     checkpoint_write(path, model, key, blocks, 2, d)
 *     checkpoint_read(path, key, blocks, 2, d)           the same blocks, by the same key
 *
 *     "qcc tune 1\n"  key  bytes of all blocks  the blocks, one behind the other  hash of all in front of it
 *
 * The key stands for everything that blocks mean something under: model, samples, options. */
#ifndef QCC_TUNE_CHECKPOINT_H
#define QCC_TUNE_CHECKPOINT_H

#include "compiler/output/output.h"
#include "ir/diag.h"

typedef struct checkpoint_block {
    void *data;
    size_t bytes;
} checkpoint_block;

/* The file appears whole or not at all; it may not be the model. */
bool checkpoint_write(const char *path, const char *model, uint64_t key, const checkpoint_block blocks[], int count,
                      diag *);
bool checkpoint_read(const char *path, uint64_t key, const checkpoint_block blocks[], int count, diag *);

#endif
