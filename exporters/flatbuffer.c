/* flatbuffer.c: the layout of FlatBuffers.
 *
 *     vtable:  u16 its bytes, u16 the table's bytes, u16 for each field: where in the table it is, 0: it has its default
 *     table:   i32 back to the vtable, then the fields, the widest first
 *
 * A table begins 4 bytes in front of a multiple of 8, so that its fields lie as they have to without gaps. */
#include "exporters/flatbuffer.h"

#include <assert.h>
#include <string.h>

static void put(flat_writer *w, size_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; w->bytes && i < bytes; i++)
        w->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

/* `bytes` of which the one `ahead` bytes from the start is at a multiple of `align`. */
static size_t take(flat_writer *w, size_t bytes, size_t ahead, size_t align)
{
    while ((w->size + ahead) % align)
        w->size++;
    const size_t at = w->size;
    w->size += bytes;
    return at;
}

void flat_begin(flat_writer *w, const char identifier[4])
{
    take(w, 8, 0, 8);
    if (w->bytes)
        memcpy(w->bytes + 4, identifier, 4);
}

static void add_field(flat_table *t, unsigned field, unsigned bytes, uint64_t value)
{
    assert(t->count < FLAT_MOST_FIELDS);
    t->field[t->count].index = field;
    t->field[t->count].bytes = bytes;
    t->field[t->count++].value = value;
}

void flat_number(flat_table *t, unsigned field, unsigned bytes, uint64_t value, uint64_t otherwise)
{
    if (value != otherwise)
        add_field(t, field, bytes, value);
}

void flat_float(flat_table *t, unsigned field, float value, float otherwise)
{
    uint32_t bits, default_bits;
    memcpy(&bits, &value, 4);
    memcpy(&default_bits, &otherwise, 4);
    flat_number(t, field, 4, bits, default_bits);
}

void flat_offset(flat_table *t, unsigned field) { add_field(t, field, 4, 0); }

size_t flat_put(flat_writer *w, flat_table *t)
{
    unsigned fields = 0, inside = 4;
    for (int i = 0; i < t->count; i++)
        fields = t->field[i].index >= fields ? t->field[i].index + 1 : fields;
    for (unsigned bytes = 8; bytes > 0; bytes /= 2)
        for (int i = 0; i < t->count; i++)
            if (t->field[i].bytes == bytes) {
                t->field[i].at = inside;
                inside += bytes;
            }
    const unsigned vtable_bytes = 4 + 2 * fields;
    const size_t vtable = take(w, vtable_bytes, 0, 2), table = take(w, inside, 4, 8);
    put(w, vtable, vtable_bytes, 2);
    put(w, vtable + 2, inside, 2);
    put(w, table, table - vtable, 4);
    for (int i = 0; i < t->count; i++) {
        put(w, vtable + 4 + 2 * (size_t)t->field[i].index, t->field[i].at, 2);
        t->field[i].at += table;
        put(w, t->field[i].at, t->field[i].value, t->field[i].bytes);
    }
    return table;
}

size_t flat_place_of(const flat_table *t, unsigned field)
{
    for (int i = 0; i < t->count; i++)
        if (t->field[i].index == field)
            return t->field[i].at;
    assert(!"the table has no such field");
    return 0;
}

void flat_lead(flat_writer *w, size_t offset, size_t to) { put(w, offset, to - offset, 4); }

size_t flat_vector(flat_writer *w, size_t count, unsigned element_bytes, unsigned align, const void *data)
{
    const size_t bytes = count * element_bytes, at = take(w, 4 + bytes, 4, align < 4 ? 4 : align);
    put(w, at, count, 4);
    if (w->bytes && data && bytes)
        memcpy(w->bytes + at + 4, data, bytes);
    return at;
}

size_t flat_string(flat_writer *w, const char *text)
{
    const size_t at = flat_vector(w, strlen(text), 1, 4, text);
    take(w, 1, 0, 1); /* the 0 at the end */
    return at;
}
