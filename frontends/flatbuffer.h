/* flatbuffer.h: reading FlatBuffers that nobody has checked.
 *
 * This is the only code that follows offsets of a file.  Every access is checked against the buffer with subtractive
 * bounds checks (`length > size - at`), reads are unaligned-safe and little-endian, and nothing is verified up front:
 * what is not looked at costs nothing and can do no harm.
 *
 * Errors are sticky: the first malformed access is recorded in the reader, and from then on every access gives the
 * field's default, an absent table, or an empty vector.  So a caller reads what it wants, bounded by the counts it got,
 * and asks fb_ok() before it believes any of it.
 *
 * Offsets may alias: a small file can name one table a million times.  The reader therefore charges each table and each
 * vector that is opened to a budget proportional to the file's size; a file that goes past it is malformed. */
#ifndef QCC_FLATBUFFER_H
#define QCC_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fb_reader {
    const uint8_t *bytes;
    size_t size;
    size_t budget;     /* bytes of tables and vectors that may still be opened */
    const char *error; /* NULL while the file is well-formed; otherwise what is wrong ... */
    size_t error_at;   /* ... and at which byte */
} fb_reader;

/* reader NULL: an absent table, whose fields all have their defaults. */
typedef struct fb_table {
    fb_reader *reader;
    size_t at; /* of the table: its first 4 bytes point back to the vtable */
    size_t vtable;
    uint32_t field_count; /* fields that the vtable knows */
    uint32_t table_bytes; /* inline bytes of the table */
} fb_table;

/* data NULL: absent or empty. */
typedef struct fb_vector {
    fb_reader *reader;
    const uint8_t *data;
    uint32_t count;
    uint32_t element_bytes;
} fb_vector;

void fb_open(fb_reader *, const uint8_t *bytes, size_t size);
static inline bool fb_ok(const fb_reader *r) { return r->error == NULL; }
void fb_fail(fb_reader *, size_t at, const char *what); /* records the first error; what must be a literal */
bool fb_identifier_is(const uint8_t *bytes, size_t size, const char identifier[4]);

fb_table fb_root(fb_reader *);
static inline bool fb_present(fb_table t) { return t.reader != NULL; }

/* Fields by their index in the schema. */
bool fb_has(fb_table, unsigned field);
bool fb_bool(fb_table, unsigned field, bool def);
int8_t fb_i8(fb_table, unsigned field, int8_t def);
uint8_t fb_u8(fb_table, unsigned field, uint8_t def);
int32_t fb_i32(fb_table, unsigned field, int32_t def);
uint32_t fb_u32(fb_table, unsigned field, uint32_t def);
int64_t fb_i64(fb_table, unsigned field, int64_t def);
uint64_t fb_u64(fb_table, unsigned field, uint64_t def);
float fb_f32(fb_table, unsigned field, float def);
fb_table fb_sub(fb_table, unsigned field);
fb_vector fb_vec(fb_table, unsigned field, uint32_t element_bytes);
/* The bytes of a payload, which the budget is not charged for: aliasing them is legitimate and costs nothing. */
fb_vector fb_bytes(fb_table, unsigned field);
/* Not terminated; NULL and length 0 when absent. */
const char *fb_string(fb_table, unsigned field, uint32_t *out_length);

/* Elements; the index must be below count (an index past the end gives 0 or an absent table, and is an error). */
int32_t fb_vec_i32(fb_vector, uint32_t index);
uint32_t fb_vec_u32(fb_vector, uint32_t index);
int64_t fb_vec_i64(fb_vector, uint32_t index);
float fb_vec_f32(fb_vector, uint32_t index);
uint8_t fb_vec_u8(fb_vector, uint32_t index);
uint16_t fb_vec_u16(fb_vector, uint32_t index);
fb_table fb_vec_table(fb_vector, uint32_t index); /* of a vector of offsets, element_bytes 4 */
const char *fb_vec_string(fb_vector, uint32_t index, uint32_t *out_length); /* likewise; as fb_string */

/* ---- Little-endian loads for the other readers of untrusted bytes; the caller has checked the bounds ---- */

uint16_t fb_load_u16(const uint8_t *);
uint32_t fb_load_u32(const uint8_t *);
uint64_t fb_load_u64(const uint8_t *);
float fb_load_f32(const uint8_t *);
double fb_load_f64(const uint8_t *);

#endif
