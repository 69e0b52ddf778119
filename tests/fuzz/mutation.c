/* mutation.c: the random numbers, the changes that know no format, and the choice of the one that does. */
#include "mutation.h"

#include <string.h>

#include "frontends/flatbuffer.h"

uint32_t mutation_next(mutation *m)
{
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    uint32_t x = (uint32_t)(m->random >> 33);
    return x ^ x >> 15;
}

size_t mutation_below(mutation *m, size_t bound)
{
    return bound ? ((size_t)mutation_next(m) << 31 | mutation_next(m)) % bound : 0;
}

/* ---- Whatever the format ---- */

/* Where damage goes: half of it into the first and last stretch and into words that look like offsets or counts, which
 * is where FlatBuffers keep their structure; weights make up most of a model and say little. */
static size_t target(mutation *m)
{
    for (int attempt = 0; attempt < 64; attempt++) {
        size_t at = mutation_below(m, m->size / 4) * 4;
        if (at + 4 > m->size)
            continue;
        uint32_t word = fb_load_u32(m->bytes + at);
        if (word < m->size || word > 0xffff0000u)
            return at;
    }
    return mutation_below(m, m->size);
}

static void put_word(mutation *m, size_t at, uint32_t word)
{
    mutation_put(m->bytes + at, word, m->size - at < 4 ? m->size - at : 4);
}

static void flip_bits(mutation *m)
{
    for (int i = 1 + (int)mutation_below(m, 4); i > 0; i--)
        m->bytes[target(m)] ^= (uint8_t)(1u << mutation_below(m, 8));
}

static void set_extreme(mutation *m)
{
    static const uint32_t extremes[] = {0,      1,       2,          0x7f,       0x80,       0xff,       0x7fff,
                                        0xffff, 0x10000, 0x7ffffffc, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};
    for (int i = 1 + (int)mutation_below(m, 2); i > 0; i--)
        put_word(m, target(m), extremes[mutation_below(m, sizeof extremes / sizeof *extremes)]);
}

static void nudge(mutation *m)
{
    size_t at = target(m);
    m->bytes[at] = (uint8_t)(m->bytes[at] + mutation_below(m, 16) - 8);
}

static void copy_word(mutation *m)
{
    size_t from = target(m), to = target(m);
    for (size_t i = 0; i < 4 && from + i < m->size && to + i < m->size; i++)
        m->bytes[to + i] = m->bytes[from + i];
}

static void random_word(mutation *m) { put_word(m, target(m), (uint32_t)mutation_below(m, m->size)); }

void mutation_bytes(mutation *m, int kind)
{
    static void (*const kinds[MUTATION_KINDS])(mutation *) = {flip_bits, set_extreme, nudge, copy_word, random_word};
    if (m->size)
        kinds[kind](m);
}

/* ---- For the formats ---- */

bool mutation_replace(mutation *m, size_t at, size_t length, const void *with, size_t with_length)
{
    if (m->size - length + with_length > m->room)
        return false;
    memmove(m->bytes + at + with_length, m->bytes + at + length, m->size - at - length);
    memcpy(m->bytes + at, with, with_length);
    m->size += with_length - length;
    return true;
}

static uint64_t edge_f32(mutation *m)
{
    static const uint32_t bits[] = {
        0x00000000, 0x80000000, 0x3f800000, 0xbf800000, /* 0, -0, 1, -1 */
        0x00000001, 0x007fffff, 0x00800000, 0x33800000, /* smallest, largest subnormal, smallest normal, 2^-24 */
        0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, /* largest, lowest, infinities */
        0x7fc00000, 0xffc00000, 0x7f800001, 0x4f000000, /* NaNs, 2^31 */
        0x3f000000, 0x3b808081, 0x40c00000, 0x5f000000, /* 1/2, 1/255, 6, 2^63 */
    };
    return bits[mutation_below(m, sizeof bits / sizeof *bits)];
}

static uint64_t edge_f64(mutation *m)
{
    static const uint64_t bits[] = {0x3ff0000000000000, 0x8000000000000000, 1,
                                    0x7fefffffffffffff, 0x7ff0000000000000, 0x7ff8000000000000,
                                    0x47efffffe0000000, 0x3810000000000000};
    return bits[mutation_below(m, sizeof bits / sizeof *bits)];
}

void mutation_edge(mutation *m, uint8_t *bytes, size_t width)
{
    uint64_t top = (uint64_t)1 << (8 * width - 1), value = 0;
    switch (mutation_below(m, width >= 4 ? 8 : 6)) {
    case 0: value = mutation_below(m, 8); break;
    case 1: value = mutation_below(m, 256); break;
    case 2: value = (uint64_t)0 - 1 - mutation_below(m, 8); break;
    case 3: value = top - mutation_below(m, 2); break; /* largest, and smallest, if signed */
    case 4: value = ((uint64_t)1 << mutation_below(m, 8 * width)) - mutation_below(m, 2); break;
    case 5: /* a neighbour of what is there */
        memcpy(&value, bytes, width);
        value += mutation_below(m, 2) ? 1 : (uint64_t)0 - 1;
        break;
    default: value = width == 8 ? edge_f64(m) : edge_f32(m); break;
    }
    mutation_put(bytes, value, width);
}

/* Names, or lists of them. */
static const char *const words[] = {
#define OP(CODE, text, operands, results, flags, attributes, doc) text,
#include "ir/ops.def"
#undef OP
#define ATTR(NAME, text, kind, default, doc) text,
#include "ir/attrs.def"
#undef ATTR
#define DTYPE(NAME, text, bytes, type) text,
#include "ir/dtypes.def"
#undef DTYPE
#define ENUM_BEGIN(NAME)
#define ENUMERATOR(ENUM, NAME, text, doc) text,
#define ENUM_END(NAME)
#include "ir/enums.def"
#undef ENUM_BEGIN
#undef ENUMERATOR
#undef ENUM_END
#define ORT_OP(domain, NAME, fewest, most, importer, code, oldest, newest, attributes) NAME, attributes,
#define ORT_NO(domain, NAME, reason)
#include "frontends/onnx/ops.def"
#undef ORT_OP
#undef ORT_NO
#define PADDLE_OP(NAME, importer, code, attributes) #NAME, attributes,
#define PADDLE_NO(NAME, reason)
#define PADDLE_ALL(attributes) attributes,
#include "frontends/paddle/ops.def"
#undef PADDLE_OP
#undef PADDLE_NO
#undef PADDLE_ALL
#define PIR_OP(NAME, operator, operands, results, attributes) #NAME, attributes,
#include "frontends/paddle/pir.def"
#undef PIR_OP
#define TFLITE_OP(NAME, number, newest, options, fewest, most, outputs, importer, code)
#define TFLITE_NO(NAME, number, reason)
#define TFLITE_CUSTOM(text, fewest, most, outputs, importer) text,
#include "frontends/tflite/ops.def"
#undef TFLITE_OP
#undef TFLITE_NO
#undef TFLITE_CUSTOM
};

const char *mutation_word(mutation *m, size_t *out_length)
{
    static const char between[] = " =~:|,"; /* of node_attributes.h */
    const char *word = words[mutation_below(m, sizeof words / sizeof *words)];
    size_t at = mutation_below(m, strlen(word));
    while (at && !strchr(between, word[at - 1]))
        at--;
    *out_length = strcspn(word + at, between);
    return word + at;
}

/* By the marks that frontends/frontend.c knows formats by. */
bool mutation_structure(mutation *m)
{
    if (fb_identifier_is(m->bytes, m->size, "TFL3") || fb_identifier_is(m->bytes, m->size, "ORTM"))
        mutation_flatbuffer(m);
    else if (m->size &&
             (m->bytes[0] == 0x08 || (m->bytes[0] == 0x0a && memchr(m->bytes, 0, m->size < 64 ? m->size : 64))))
        /* the version that ONNX files begin with, the block of Paddle's programs; no text does */
        mutation_protobuf(m);
    else if (m->size && memchr(m->bytes, 0, m->size < 256 ? m->size : 256))
        return mutation_paddle(m);
    else if (m->size && m->bytes[0] == '{')
        mutation_json(m);
    else if (m->size)
        mutation_text(m);
    else
        return false;
    return true;
}
