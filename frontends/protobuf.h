/* protobuf.h: reading Protocol Buffers that nobody has checked.
 *
 * A message is a sequence of fields, each a number, a wire type and a payload; who reads it walks the fields once and
 * takes those whose numbers it knows:
 *
 *     pb_message message = pb_root(reader);
 *     for (pb_field f; pb_next(&message, &f);)
 *         switch (f.number) { case GRAPH_NODE: read_node(pb_sub(&f)); … }
 *
 * Payloads are views into the file: nothing is copied.  Bounds checks are subtractive, loads little-endian and
 * unaligned-safe, and errors stick as in flatbuffer.h, whose reader this is: after one, pb_next gives nothing more,
 * and values are 0 or empty.  Messages lie within each other, so no part of a file can be there twice: a walk over a
 * message and all within it takes time in proportion to its bytes times its depth, which the caller bounds. */
#ifndef QCC_PROTOBUF_H
#define QCC_PROTOBUF_H

#include "frontends/flatbuffer.h"
#include "ir/arena.h"

typedef enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 } pb_wire;

typedef struct pb_message {
    fb_reader *reader;
    size_t at, end; /* what is left of it */
} pb_message;

typedef struct pb_field {
    fb_reader *reader;
    uint32_t number;
    pb_wire wire;
    size_t at;      /* of the payload */
    size_t size;    /* of the payload, without its length */
    uint64_t value; /* of a varint */
} pb_field;

pb_message pb_root(fb_reader *);
bool pb_next(pb_message *, pb_field *); /* false at the end, and after an error */

/* The payload as what the schema says it is; another wire type is an error. */
int64_t pb_int(const pb_field *);
float pb_float(const pb_field *);
pb_message pb_sub(const pb_field *);
const uint8_t *pb_bytes(const pb_field *); /* `size` of them */

/* Numbers of a repeated field, packed or not: how many the field holds, and their values, as many. */
size_t pb_int_count(const pb_field *);
void pb_ints(const pb_field *, int64_t out[]);
size_t pb_fixed_count(const pb_field *, size_t bytes); /* of 4 or 8 bytes each: floats, doubles */
const uint8_t *pb_fixed(const pb_field *);             /* one behind the other, little-endian */

/* How many fields of that number the message has. */
size_t pb_count(pb_message, uint32_t number);

/* Copies in an arena: a text, terminated; the numbers of all fields of that number, packed or not. */
const char *pb_text(const pb_field *, arena *);
const int64_t *pb_int_list(pb_message, uint32_t number, arena *, uint32_t *out_count);
const float *pb_float_list(pb_message, uint32_t number, arena *, uint32_t *out_count);

typedef struct pb_kind {
    uint32_t number;
    pb_wire wire;
} pb_kind;

/* Whether bytes, a message or the beginning of one, are fields of these kinds alone; bit i of *out_seen: kinds[i] is
 * there. */
bool pb_could_be(const uint8_t *bytes, size_t size, const pb_kind kinds[], size_t count, unsigned *out_seen);

#endif
