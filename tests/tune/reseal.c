/* reseal.c: a checkpoint with other bytes, whose hash is right all the same: what a test can't spoil otherwise.
 *
 *     tune-reseal FILE OFFSET HEX */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "tests/tools/read_all.h"

/* `hex`, two digits a byte, over what is at `offset`. */
static bool replace(uint8_t *bytes, size_t size, size_t offset, const char *hex)
{
    const size_t count = strlen(hex) / 2;
    bool good = offset <= size && count <= size - offset;
    for (size_t i = 0; good && i < count; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0}, *end;
        bytes[offset + i] = (uint8_t)strtoul(digits, &end, 16);
        good = !*end;
    }
    return good;
}

int main(int argc, char **argv)
{
    uint64_t hash;
    size_t size = 0;
    uint8_t *bytes = argc == 4 ? read_all(argv[1], &size) : NULL;
    bool good = bytes && size >= sizeof hash && replace(bytes, size - sizeof hash, strtoul(argv[2], NULL, 10), argv[3]);
    if (good) {
        hash = ir_hash_bytes(bytes, size - sizeof hash, 0);
        memcpy(bytes + size - sizeof hash, &hash, sizeof hash);
    }
    FILE *f = good ? fopen(argv[1], "wb") : NULL;
    good = f && fwrite(bytes, 1, size, f) == size;
    good = f && fclose(f) == 0 && good;
    free(bytes);
    if (!good)
        fprintf(stderr, "usage: tune-reseal FILE OFFSET HEX\n");
    return good ? 0 : 1;
}
