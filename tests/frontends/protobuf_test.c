/* protobuf_test.c: the reader of Protocol Buffers.
 *
 * Protects: numbers, texts and messages come out as written, packed or not; whatever leads outside of its message, or
 * is no field, is an error that stays, with its place; nothing outside the given bytes is read (run under a
 * sanitizer). */
#include <stdlib.h>
#include <string.h>

#include "../unit/test.h"
#include "frontends/protobuf.h"

/* 1: 300, 2: "hi", 3: {1: -1}, 4: 1.5 as 4 bytes, 5: 1 2 300 packed, 5: 7, 6: 1.5 2.5 packed */
static const uint8_t sample[] = {0x08, 0xac, 0x02, 0x12, 2,    'h',  'i',  0x1a, 11,   0x08, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x25, 0,
                                 0,    0xc0, 0x3f, 0x2a, 4,    1,    2,    0xac, 0x02, 0x28, 7,
                                 0x32, 8,    0,    0,    0xc0, 0x3f, 0,    0,    0x20, 0x40};

static fb_reader opened(const uint8_t *bytes, size_t size)
{
    fb_reader r;
    fb_open(&r, bytes, size);
    return r;
}

static pb_field field(fb_reader *r, uint32_t number)
{
    pb_message m = pb_root(r);
    pb_field f = {0};
    while (pb_next(&m, &f) && f.number != number)
        continue;
    return f;
}

static void test_reads_back(void)
{
    fb_reader r = opened(sample, sizeof sample);
    arena *a = arena_new();
    pb_field f = field(&r, 1);
    CHECK(pb_int(&f) == 300);
    f = field(&r, 2);
    CHECK(f.size == 2 && strcmp(pb_text(&f, a), "hi") == 0);
    f = field(&r, 3);
    pb_message inner = pb_sub(&f);
    CHECK(pb_next(&inner, &f) && f.number == 1 && pb_int(&f) == -1 && !pb_next(&inner, &f));
    f = field(&r, 4);
    CHECK(pb_float(&f) == 1.5f);
    uint32_t count;
    const int64_t *ints = pb_int_list(pb_root(&r), 5, a, &count);
    CHECK(count == 4 && ints[0] == 1 && ints[1] == 2 && ints[2] == 300 && ints[3] == 7);
    const float *floats = pb_float_list(pb_root(&r), 6, a, &count);
    CHECK(count == 2 && floats[0] == 1.5f && floats[1] == 2.5f);
    CHECK(pb_count(pb_root(&r), 5) == 2 && pb_count(pb_root(&r), 9) == 0 && fb_ok(&r));
    f = field(&r, 2);
    CHECK(pb_int(&f) == 0 && !fb_ok(&r)); /* of another type: an error, which stays */
    pb_message again = pb_root(&r);
    CHECK(!pb_next(&again, &f));
    arena_free(a);
}

/* Every beginning of the sample, in memory of its own size, ends in fields or in an error. */
static void test_cut(void)
{
    static const size_t whole[] = {0, 3, 7, 20, 25, 31, 33, sizeof sample};
    for (size_t size = 0, next = 0; size <= sizeof sample; size++) {
        uint8_t *bytes = malloc(size ? size : 1);
        memcpy(bytes, sample, size);
        fb_reader r = opened(bytes, size);
        pb_message m = pb_root(&r);
        for (pb_field f; pb_next(&m, &f);)
            continue;
        CHECK(fb_ok(&r) == (size == whole[next]));
        next += size == whole[next];
        free(bytes);
    }
}

static void test_malformed(void)
{
    static const struct {
        uint8_t bytes[14];
        size_t size, at;
    } cases[] = {
        {{0x00, 0x01}, 2, 0},                                                              /* number 0 */
        {{0x0b, 0x0c}, 2, 0},                                                              /* a group */
        {{0x0e, 0x00}, 2, 0},                                                              /* no wire type */
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 11, 1},       /* 65 bits */
        {{0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 12, 1}, /* 11 bytes */
        {{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00}, 12, 0}, /* 2^64 - 1 bytes */
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00}, 7, 0},                                /* number 2^32 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fb_reader r = opened(cases[i].bytes, cases[i].size);
        pb_message m = pb_root(&r);
        for (pb_field f; pb_next(&m, &f);)
            continue;
        CHECK(!fb_ok(&r) && r.error_at == cases[i].at);
    }
    static const uint8_t list[] = {0x0a, 2, 0x01, 0x80}, reals[] = {0x0a, 3, 0, 0, 0};
    fb_reader r = opened(list, sizeof list);
    arena *a = arena_new();
    uint32_t count;
    pb_int_list(pb_root(&r), 1, a, &count);
    CHECK(!fb_ok(&r));
    r = opened(reals, sizeof reals);
    pb_float_list(pb_root(&r), 1, a, &count);
    CHECK(!fb_ok(&r));
    arena_free(a);
}

static void test_recognition(void)
{
    static const pb_kind kinds[] = {{1, PB_VARINT}, {2, PB_BYTES}, {3, PB_BYTES}};
    unsigned seen;
    CHECK(pb_could_be(sample, 20, kinds, 3, &seen) && seen == 7);
    CHECK(pb_could_be(sample, 7, kinds, 3, &seen) && seen == 3);
    CHECK(pb_could_be(sample, 8, kinds, 3, &seen) && seen == 7); /* within a field */
    CHECK(!pb_could_be(sample, 21, kinds, 3, &seen));            /* another field */
    CHECK(!pb_could_be((const uint8_t *)"graph \"x\" {", 11, kinds, 3, &seen));
}

int main(void)
{
    test_reads_back();
    test_cut();
    test_malformed();
    test_recognition();
    return test_end();
}
