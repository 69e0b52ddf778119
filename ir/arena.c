/* arena.c: blocks of growing size, freed together.
 *
 * Each thread has a stack of guards, and each guard a list of the arenas made below it, newest first:
 *
 *     innermost ──▶ guard ──outer──▶ guard
 *                     │ newest         │ newest
 *                     ▼                ▼
 *                   arena ──▶ arena   arena
 *
 * A guard that ends well hands its arenas to the outer one; one that does not frees them. */
#include "ir/arena.h"

#include <setjmp.h>
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
    arena *next, **place; /* in a guard's list: whatever points to this one; NULL: in none */
};

typedef struct guard {
    jmp_buf exit;
    struct guard *outer;
    arena *newest;
} guard;

static _Thread_local guard *innermost;

static size_t header_bytes(void) { return (sizeof(block) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

_Noreturn void arena_out_of_memory(void)
{
    if (innermost)
        longjmp(innermost->exit, 1);
    fputs("out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

static void enlist(arena *a, arena **list)
{
    a->place = list;
    a->next = *list;
    if (a->next)
        a->next->place = &a->next;
    *list = a;
}

static void delist(arena *a)
{
    if (a->place)
        *a->place = a->next;
    if (a->next)
        a->next->place = a->place;
    a->next = NULL;
    a->place = NULL;
}

bool arena_guard(void (*work)(void *), void *context)
{
    guard g = {.outer = innermost};
    const bool good = setjmp(g.exit) == 0;
    if (good) {
        innermost = &g;
        work(context);
    }
    innermost = g.outer;
    while (g.newest) {
        arena *a = g.newest;
        delist(a);
        if (!good)
            arena_free(a);
        else if (innermost)
            enlist(a, &innermost->newest);
    }
    return good;
}

arena *arena_new(void)
{
    arena *a = calloc(1, sizeof *a);
    if (!a)
        arena_out_of_memory();
    if (innermost)
        enlist(a, &innermost->newest);
    return a;
}

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
    delist(a);
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
    block *b = size <= SIZE_MAX - header_bytes() ? malloc(header_bytes() + size) : NULL;
    if (!b)
        arena_out_of_memory();
    *b = (block){.older = a->newest, .size = size};
    a->newest = b;
    return b;
}

void *arena_alloc(arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGNMENT)
        arena_out_of_memory();
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
