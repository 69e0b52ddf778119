/* flatbuffer.h: writing FlatBuffers.
 *
 *     root offset, identifier │ vtable, table │ what its offsets lead to …
 *
 * Grows forwards: a table first, whose offsets are set by flat_lead once what they lead to has its place.  A writer without
 * bytes only measures, so a file is written twice, first to know how large it is, then into memory of that size. */
#ifndef QCC_EXPORT_FLATBUFFER_H
#define QCC_EXPORT_FLATBUFFER_H

#include <stddef.h>
#include <stdint.h>

typedef struct flat_writer {
    uint8_t *bytes; /* zeroed; NULL: nothing is written, sizes are counted */
    size_t size;    /* so far; offsets reach 2^31, which the caller sees to */
} flat_writer;

enum { FLAT_MOST_FIELDS = 16 };

typedef struct flat_table {
    int count;
    struct {
        unsigned index, bytes;
        uint64_t value;
        size_t at; /* set by flat_put */
    } field[FLAT_MOST_FIELDS];
} flat_table;

/* The first of all; its root offset is set by flat_lead(w, 0, table). */
void flat_begin(flat_writer *, const char identifier[4]);

/* A field of 1, 4 or 8 bytes, which is left out where it has its default. */
void flat_number(flat_table *, unsigned field, unsigned bytes, uint64_t value, uint64_t otherwise);
void flat_float(flat_table *, unsigned field, float value, float otherwise);
/* A field that leads to a table, vector or string. */
void flat_offset(flat_table *, unsigned field);
size_t flat_put(flat_writer *, flat_table *);             /* returns where it is */
size_t flat_place_of(const flat_table *, unsigned field); /* of a field's offset, once the table is put */
void flat_lead(flat_writer *, size_t offset, size_t to);

/* Elements begin at a multiple of `align`; data NULL: zeros, to be set. */
size_t flat_vector(flat_writer *, size_t count, unsigned element_bytes, unsigned align, const void *data);
static inline size_t flat_element(size_t vector, size_t index) { return vector + 4 + 4 * index; } /* of 4 bytes */
size_t flat_string(flat_writer *, const char *);

#endif
