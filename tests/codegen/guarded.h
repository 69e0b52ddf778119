/* guarded.h: buffers between inaccessible pages; what is left of their own pages holds a known byte.
 *
 *     ┌ no access ┬ GUARDED_POISON … ┬ data ┬ (poison) ┬ no access ┐ */
#ifndef TESTS_CODEGEN_GUARDED_H
#define TESTS_CODEGEN_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARDED_POISON = 0xA5 };

typedef struct guarded {
    uint8_t *map, *data;
    size_t map_bytes, bytes;
} guarded;

/* `bytes` of memory, all poison, that end at an inaccessible page (but for what alignment leaves), or start at one. */
guarded guarded_new(size_t bytes, size_t alignment, bool at_end);
bool guarded_intact(const guarded *); /* are the bytes beside the data as they were? */
void guarded_seal(guarded *);         /* no more writing */
void guarded_free(guarded *);

#endif
