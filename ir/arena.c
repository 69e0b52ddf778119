/* arena.c: blocks of growing size, freed together.
 *
 * Each thread has a stack of guards, and each guard a list of the arenas made below it, newest first:
 *
 *     innermost ──▶ guard ──outer──▶ guard
 *                     │ newest         │ newest
 *                     ▼                ▼
 *                   arena ──▶ arena   arena
 *
 * A guard that ends well hands its arenas to the outer one; one that does not frees them.
 *
 * Arenas under one limit share an account, which lives as long as the last of them. */
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

typedef struct account {
    size_t left; /* bytes of blocks that may still be taken */
    int arenas;
} account;

struct arena {
    block *newest;
    account *account; /* NULL: no limit */
    size_t charged;   /* to the account, beside the blocks */
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

static _Noreturn void leave(arena_outcome outcome)
{
    if (innermost)
        longjmp(innermost->exit, (int)outcome);
    fputs("out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

_Noreturn void arena_out_of_memory(void) { leave(ARENA_OUT_OF_MEMORY); }

_Noreturn void arena_abandon(void) { leave(ARENA_ABANDONED); }

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

static arena_outcome guarded(guard *g, void (*work)(void *), void *context)
{
    switch (setjmp(g->exit)) { /* C allows no more than such a comparison of what it returns */
    case ARENA_DONE: break;
    case ARENA_PAST_LIMIT: return ARENA_PAST_LIMIT;
    case ARENA_ABANDONED: return ARENA_ABANDONED;
    default: return ARENA_OUT_OF_MEMORY;
    }
    innermost = g;
    work(context);
    return ARENA_DONE;
}

arena_outcome arena_guard(void (*work)(void *), void *context)
{
    guard g = {.outer = innermost};
    const arena_outcome outcome = guarded(&g, work, context);
    innermost = g.outer;
    while (g.newest) {
        arena *a = g.newest;
        delist(a);
        if (outcome != ARENA_DONE)
            arena_free(a);
        else if (innermost)
            enlist(a, &innermost->newest);
    }
    return outcome;
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

arena *arena_new_within(size_t bytes)
{
    arena *a = arena_new();
    a->account = malloc(sizeof *a->account);
    if (!a->account) {
        arena_free(a);
        arena_out_of_memory();
    }
    *a->account = (account){.left = bytes, .arenas = 1};
    return a;
}

arena *arena_new_beside(const arena *other)
{
    arena *a = arena_new();
    a->account = other->account;
    if (a->account)
        a->account->arenas++;
    return a;
}

size_t arena_left(const arena *a) { return a->account ? a->account->left : SIZE_MAX; }

void arena_allow(arena *a, size_t bytes)
{
    if (a->account)
        a->account->left += bytes < SIZE_MAX - a->account->left ? bytes : SIZE_MAX - a->account->left;
}

static void take(arena *a, size_t bytes)
{
    if (bytes > arena_left(a))
        leave(ARENA_PAST_LIMIT);
    if (a->account)
        a->account->left -= bytes;
}

void arena_charge(arena *a, size_t bytes)
{
    take(a, bytes);
    a->charged += bytes;
}

static void free_blocks(arena *a, block *b)
{
    if (a->account)
        a->account->left += a->charged;
    a->charged = 0;
    while (b) {
        block *older = b->older;
        if (a->account)
            a->account->left += b->size;
        free(b);
        b = older;
    }
}

void arena_free(arena *a)
{
    if (!a)
        return;
    delist(a);
    free_blocks(a, a->newest);
    if (a->account && --a->account->arenas == 0)
        free(a->account);
    free(a);
}

void arena_reset(arena *a)
{
    if (!a->newest)
        return;
    free_blocks(a, a->newest->older);
    a->newest->older = NULL;
    a->newest->used = 0;
    a->total = 0;
}

static block *grow(arena *a, size_t bytes)
{
    size_t size = a->newest ? a->newest->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < bytes || size > arena_left(a)) /* no more than has to be, where little is left */
        size = bytes;
    take(a, size);
    block *b = size <= SIZE_MAX - header_bytes() ? malloc(header_bytes() + size) : NULL;
    if (!b) {
        if (a->account)
            a->account->left += size;
        arena_out_of_memory();
    }
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
