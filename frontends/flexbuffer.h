/* flexbuffer.h: numbers out of an unchecked FlexBuffers map, the form in which TFLite's custom operators keep their
 * options.  Only maps with numeric values are understood; anything else is absent. */
#ifndef QCC_FLEXBUFFER_H
#define QCC_FLEXBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct flex_map {
    const uint8_t *bytes;
    size_t size;
    size_t values, keys;       /* positions of the first element of either vector */
    unsigned width, key_width; /* bytes of an element: 1, 2, 4 or 8 */
    uint64_t count;
} flex_map;

bool flex_root_map(const uint8_t *bytes, size_t size, flex_map *out); /* false: malformed, or not a map */
/* False when the key is absent, or its value malformed or not a number. */
bool flex_number(const flex_map *, const char *key, double *out);

#endif
