/* address_map.h: from addresses, never 0, to values, never 0. */
#ifndef QCC_EMULATE_ADDRESS_MAP_H
#define QCC_EMULATE_ADDRESS_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct address_map { /* zeroed: empty */
    struct address_entry {
        uintptr_t address, value;
    } * entries;
    size_t count, size;
} address_map;

/* 0: not there. */
uintptr_t address_map_get(const address_map *, const void *address);
void address_map_put(address_map *, const void *address, uintptr_t value);
void address_map_free(address_map *);

#endif
