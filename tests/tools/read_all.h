/* read_all.h: the bytes of a file, one more being allocated. */
#ifndef QCC_TESTS_READ_ALL_H
#define QCC_TESTS_READ_ALL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* NULL, and a size of 0: it can't be read.  To be freed. */
static inline uint8_t *read_all(const char *path, size_t *out_size)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    uint8_t *bytes = NULL;
    if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)size + 1);
    if (bytes && fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    if (f)
        fclose(f);
    *out_size = bytes ? (size_t)size : 0;
    return bytes;
}

#endif
