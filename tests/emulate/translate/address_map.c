/* address_map.c: open addressing, at most half full. */
#include "address_map.h"

#include <stdlib.h>

#include "failure.h"

/* The entry of an address, or the empty one where it belongs. */
static struct address_entry *entry_of(const address_map *map, uintptr_t address)
{
    size_t at = (size_t)((uint64_t)address * 0x9e3779b97f4a7c15u >> 32) & (map->size - 1);

    while (map->entries[at].address && map->entries[at].address != address)
        at = (at + 1) & (map->size - 1);
    return &map->entries[at];
}

uintptr_t address_map_get(const address_map *map, const void *address)
{
    return map->size ? entry_of(map, (uintptr_t)address)->value : 0;
}

static void grow(address_map *map)
{
    address_map larger = {.count = map->count, .size = map->size ? 2 * map->size : 1024};

    larger.entries = calloc(larger.size, sizeof *larger.entries);
    if (!larger.entries)
        failure("out of memory");
    for (size_t i = 0; i < map->size; i++)
        if (map->entries[i].address)
            *entry_of(&larger, map->entries[i].address) = map->entries[i];
    free(map->entries);
    *map = larger;
}

void address_map_put(address_map *map, const void *address, uintptr_t value)
{
    if (2 * map->count >= map->size)
        grow(map);
    struct address_entry *entry = entry_of(map, (uintptr_t)address);
    map->count += !entry->address;
    *entry = (struct address_entry){(uintptr_t)address, value};
}

void address_map_free(address_map *map)
{
    free(map->entries);
    *map = (address_map){0};
}
