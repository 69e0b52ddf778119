/* guarded.c: see guarded.h. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "tests/codegen/guarded.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

guarded guarded_new(size_t bytes, size_t alignment, bool at_end)
{
    const size_t page = page_bytes(), aligned = (bytes + alignment - 1) / alignment * alignment;
    const size_t inner = (aligned + page - 1) / page * page;
    guarded b = {.map_bytes = inner + 2 * page, .bytes = bytes};

    b.map = mmap(NULL, b.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.map == MAP_FAILED)
        abort();
    mprotect(b.map, page, PROT_NONE);
    mprotect(b.map + page + inner, page, PROT_NONE);
    memset(b.map + page, GUARDED_POISON, inner);
    b.data = b.map + page + (at_end ? inner - aligned : 0);
    return b;
}

static bool is_poison(const uint8_t *from, const uint8_t *to)
{
    for (; from < to; from++)
        if (*from != GUARDED_POISON)
            return false;
    return true;
}

bool guarded_intact(const guarded *b)
{
    const size_t page = page_bytes();

    return is_poison(b->map + page, b->data) && is_poison(b->data + b->bytes, b->map + b->map_bytes - page);
}

void guarded_seal(guarded *b)
{
    const size_t page = page_bytes();

    mprotect(b->map + page, b->map_bytes - 2 * page, PROT_READ);
}

void guarded_free(guarded *b) { munmap(b->map, b->map_bytes); }
