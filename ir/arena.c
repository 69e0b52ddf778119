/* arena.c: blocks of growing size, freed together. */
#include "ir/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 1 << 14, LARGEST_BLOCK = 1 << 22, ALIGNMENT = 16 };

typedef struct block {
    struct block *older;
    size_t size, used; /* of data, which follows the header */
} block;

struct arena {
    block *newest;
    size_t total;
};

static size_t header_bytes(void) { return (sizeof(block) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

static void die(size_t bytes)
{
    fprintf(stderr, "qcc: out of memory (%zu bytes asked for)\n", bytes);
    abort();
}

arena *arena_new(void) { return calloc(1, sizeof(arena)); }

static void free_blocks(block *b)
{
    while (b) {
        block *older = b->older;
        free(b);
        b = older;
    }
}

void arena_free(arena *a)
{
    if (!a)
        return;
    free_blocks(a->newest);
    free(a);
}

void arena_reset(arena *a)
{
    if (!a->newest)
        return;
    free_blocks(a->newest->older);
    a->newest->older = NULL;
    a->newest->used = 0;
    a->total = 0;
}

static block *grow(arena *a, size_t bytes)
{
    size_t size = a->newest ? a->newest->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < bytes)
        size = bytes;
    if (size > SIZE_MAX - header_bytes())
        die(bytes);
    block *b = malloc(header_bytes() + size);
    if (!b)
        die(bytes);
    *b = (block){.older = a->newest, .size = size};
    a->newest = b;
    return b;
}

void *arena_alloc(arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGNMENT)
        die(bytes);
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (bytes == 0)
        bytes = ALIGNMENT;
    block *b = a->newest;
    if (!b || b->size - b->used < bytes)
        b = grow(a, bytes);
    unsigned char *p = (unsigned char *)b + header_bytes() + b->used;
    b->used += bytes;
    a->total += bytes;
    return memset(p, 0, bytes);
}

void *arena_copy(arena *a, const void *from, size_t bytes)
{
    void *to = arena_alloc(a, bytes);
    return bytes ? memcpy(to, from, bytes) : to;
}

char *arena_string(arena *a, const char *text, size_t length)
{
    char *to = arena_alloc(a, length + 1);
    memcpy(to, text, length);
    return to;
}

char *arena_format(arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = arena_alloc(a, (size_t)length + 1);
    vsnprintf(to, (size_t)length + 1, format, again);
    va_end(again);
    return to;
}

size_t arena_bytes(const arena *a) { return a->total; }
