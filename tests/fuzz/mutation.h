/* mutation.h: damage to model files, repeatable and aware of their structure; shared by the fuzzer and the mutator. */
#ifndef QCC_MUTATION_H
#define QCC_MUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file that is being damaged, in a buffer that has room to grow. */
typedef struct mutation {
    uint8_t *bytes;
    size_t size, room;
    uint64_t random; /* state of the generator; any seed */
} mutation;

uint32_t mutation_next(mutation *);
size_t mutation_below(mutation *, size_t bound); /* 0 where bound is 0 */

/* One change that knows nothing of the format. */
enum { MUTATION_KINDS = 5 };
void mutation_bytes(mutation *, int kind);

/* One change that keeps most of the file's structure: of tables and vectors in FlatBuffers (TFLite and ONNX Runtime),
 * of fields in Protocol Buffers (ONNX), of sections and the FlatBuffers in them (Paddle Lite), of values (JSON), of
 * lines and words (textual IR).  False where the format isn't recognised. */
bool mutation_structure(mutation *);

/* ---- For the formats (mutation_*.c) ---- */

void mutation_flatbuffer(mutation *);
bool mutation_paddle(mutation *); /* false: the sections aren't there */
void mutation_protobuf(mutation *);
void mutation_json(mutation *);
void mutation_text(mutation *);

/* Replaces `length` bytes at `at` by `with`; false, and no change, where there is no room. */
bool mutation_replace(mutation *, size_t at, size_t length, const void *with, size_t with_length);
/* `bytes` as a little-endian integer of 1, 2, 4 or 8 bytes: an edge of its range, a real number's special value, or a
 * small number. */
void mutation_edge(mutation *, uint8_t *bytes, size_t width);
/* A name of an operator, attribute, type or enumerator, of any format; not terminated. */
const char *mutation_word(mutation *, size_t *out_length);

static inline void mutation_put(uint8_t *bytes, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

#endif
