/* flatbuffer_write.h: the smallest writer of FlatBuffers, for tests that need a file nobody's library would write.
 *
 * Grows forwards: a table first, then what its offsets lead to; offsets are filled in by fbw_link. */
#ifndef QCC_FLATBUFFER_WRITE_H
#define QCC_FLATBUFFER_WRITE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct fb_writer {
    uint8_t bytes[4096];
    size_t size;
} fb_writer;

static inline void fbw_put(fb_writer *w, size_t at, uint64_t value, unsigned bytes)
{
    assert(at + bytes <= sizeof w->bytes);
    for (unsigned i = 0; i < bytes; i++)
        w->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static inline size_t fbw_take(fb_writer *w, size_t bytes)
{
    w->size = (w->size + 7) & ~(size_t)7;
    size_t at = w->size;
    w->size += bytes;
    assert(w->size <= sizeof w->bytes);
    return at;
}

/* An empty file whose root offset, at byte 0, is not linked yet. */
static inline void fbw_start(fb_writer *w, const char identifier[4])
{
    memset(w, 0, sizeof *w);
    w->size = 8;
    memcpy(w->bytes + 4, identifier, 4);
}

/* A table of `fields` fields, 8 bytes each, all present and zero.  Returns its position. */
static inline size_t fbw_table(fb_writer *w, unsigned fields)
{
    size_t vtable = fbw_take(w, 4 + 2 * (size_t)fields), table = fbw_take(w, 8 + 8 * (size_t)fields);
    fbw_put(w, vtable, 4 + 2 * fields, 2);
    fbw_put(w, vtable + 2, 8 + 8 * fields, 2);
    for (unsigned i = 0; i < fields; i++)
        fbw_put(w, vtable + 4 + 2 * (size_t)i, 8 + 8 * i, 2);
    fbw_put(w, table, table - vtable, 4);
    return table;
}

static inline size_t fbw_field(size_t table, unsigned field) { return table + 8 + 8 * (size_t)field; }

/* Makes the offset at `from` lead to `to`. */
static inline void fbw_link(fb_writer *w, size_t from, size_t to) { fbw_put(w, from, (uint64_t)(to - from), 4); }

/* A vector; its elements are at the returned position + 4. */
static inline size_t fbw_vector(fb_writer *w, uint32_t count, unsigned element_bytes)
{
    size_t at = fbw_take(w, 4 + (size_t)count * element_bytes);
    fbw_put(w, at, count, 4);
    return at;
}

#endif
