/* flatbuffer_test.c: the readers of FlatBuffers and FlexBuffers.
 *
 * Protects: fields, vectors and strings come out as written; whatever points outside the file, or at itself often
 * enough, is an error that stays; nothing outside the given bytes is read (run under a sanitizer). */
#include <stdlib.h>
#include <string.h>

#include "../unit/test.h"
#include "flatbuffer_write.h"
#include "frontends/flatbuffer.h"
#include "frontends/flexbuffer.h"

/* root {0: i32, 1: string, 2: vector of i32, 3: table {0: f32}, 4: vector of that table, twice} */
static void write_sample(fb_writer *w)
{
    fbw_start(w, "TEST");
    size_t root = fbw_table(w, 5), text, numbers, inner, tables;
    fbw_link(w, 0, root);
    fbw_put(w, fbw_field(root, 0), (uint64_t)-7, 4);
    text = fbw_vector(w, 5, 1);
    memcpy(w->bytes + text + 4, "hello", 5);
    fbw_link(w, fbw_field(root, 1), text);
    numbers = fbw_vector(w, 3, 4);
    for (unsigned i = 0; i < 3; i++)
        fbw_put(w, numbers + 4 + 4 * i, 10 + i, 4);
    fbw_link(w, fbw_field(root, 2), numbers);
    tables = fbw_vector(w, 2, 4);
    fbw_link(w, fbw_field(root, 4), tables);
    inner = fbw_table(w, 1);
    fbw_put(w, fbw_field(inner, 0), 0x3fc00000, 4); /* 1.5 */
    fbw_link(w, fbw_field(root, 3), inner);
    fbw_link(w, tables + 4, inner);
    fbw_link(w, tables + 8, inner);
}

static void test_reads_back(void)
{
    fb_writer w;
    fb_reader r;
    uint32_t length;
    write_sample(&w);
    CHECK(fb_identifier_is(w.bytes, w.size, "TEST") && !fb_identifier_is(w.bytes, 7, "TEST"));
    fb_open(&r, w.bytes, w.size);
    fb_table root = fb_root(&r);
    CHECK(fb_i32(root, 0, 1) == -7 && fb_i32(root, 9, 42) == 42 && fb_has(root, 1) && !fb_has(root, 5));
    const char *text = fb_string(root, 1, &length);
    CHECK(length == 5 && memcmp(text, "hello", 5) == 0);
    fb_vector v = fb_vec(root, 2, 4);
    CHECK(v.count == 3 && fb_vec_i32(v, 0) == 10 && fb_vec_i32(v, 2) == 12);
    CHECK(fb_f32(fb_sub(root, 3), 0, 0) == 1.5f);
    fb_vector tables = fb_vec(root, 4, 4);
    CHECK(tables.count == 2 && fb_f32(fb_vec_table(tables, 1), 0, 0) == 1.5f);
    CHECK(!fb_present(fb_sub(root, 7)) && fb_i32(fb_sub(root, 7), 0, 5) == 5);
    CHECK(fb_ok(&r));
    CHECK(fb_vec_i32(v, 3) == 0 && !fb_ok(&r)); /* past the end: an error, which stays */
    CHECK(fb_i32(root, 0, 1) == 1);
}

/* Reads everything that the sample has. */
static void read_all(const uint8_t *bytes, size_t size, fb_reader *r)
{
    uint32_t length;
    fb_open(r, bytes, size);
    fb_table root = fb_root(r);
    fb_string(root, 1, &length);
    fb_vector v = fb_vec(root, 2, 4), tables = fb_vec(root, 4, 4);
    for (uint32_t i = 0; i < v.count; i++)
        fb_vec_i32(v, i);
    fb_f32(fb_sub(root, 3), 0, 0);
    for (uint32_t i = 0; i < tables.count; i++)
        fb_f32(fb_vec_table(tables, i), 0, 0);
}

static void test_every_cut_and_word(void)
{
    static const uint32_t words[] = {0, 1, 3, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};
    fb_writer w;
    fb_reader r;
    write_sample(&w);
    for (size_t size = 0; size < w.size; size++) { /* a copy of the exact size, for the sanitizer */
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, w.bytes, size);
        read_all(copy, size, &r);
        CHECK(!fb_ok(&r) || size >= w.size - 8);
        free(copy);
    }
    for (size_t at = 0; at + 4 <= w.size; at++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            uint8_t *copy = malloc(w.size);
            memcpy(copy, w.bytes, w.size);
            for (int b = 0; b < 4; b++)
                copy[at + (size_t)b] = (uint8_t)(words[i] >> 8 * b);
            read_all(copy, w.size, &r);
            free(copy);
        }
}

/* Opening the same table again and again is stopped by the budget. */
static void test_budget(void)
{
    fb_writer w;
    fb_reader r;
    write_sample(&w);
    fb_open(&r, w.bytes, w.size);
    fb_table root = fb_root(&r);
    long opened = 0;
    while (fb_present(fb_sub(root, 3)) && opened < 1000000)
        opened++;
    CHECK(!fb_ok(&r) && opened > 10 && opened < 100000);
}

static void test_flexbuffer(void)
{
    /* {"a": 7, "b": 2.5}: keys "a\0" "b\0", key vector, values and types, root. */
    /* clang-format off */
    uint8_t bytes[] = {'a', 0, 'b', 0, /* 4: */ 2, /* 5: */ 5, 4, 0, /* 8: */ 0, 0, 0x20, 0x40,
                       /* keys, width of keys, count, 4 bytes each */ 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
                       /* 24: */ 7, 0, 0, 0, 0, 0, 0x20, 0x40, /* types */ 1 << 2 | 2, 3 << 2 | 2,
                       /* root: offset, type, width */ 10, 9 << 2 | 2, 1};
    /* clang-format on */
    flex_map m;
    double x = 0;
    CHECK(flex_root_map(bytes, sizeof bytes, &m) && m.count == 2);
    CHECK(flex_number(&m, "a", &x) && x == 7);
    CHECK(flex_number(&m, "b", &x) && x == 2.5);
    CHECK(!flex_number(&m, "c", &x) && !flex_number(&m, "", &x));
    for (size_t size = 0; size <= sizeof bytes; size++) { /* cut at the front and at the back, and every byte changed */
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, bytes + sizeof bytes - size, size);
        if (flex_root_map(copy, size, &m))
            flex_number(&m, "b", &x);
        memcpy(copy, bytes, size);
        if (flex_root_map(copy, size, &m))
            flex_number(&m, "b", &x);
        free(copy);
    }
    for (size_t at = 0; at < sizeof bytes; at++)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t *copy = malloc(sizeof bytes);
            memcpy(copy, bytes, sizeof bytes);
            copy[at] = (uint8_t)value;
            if (flex_root_map(copy, sizeof bytes, &m))
                flex_number(&m, "b", &x);
            free(copy);
        }
}

int main(void)
{
    test_reads_back();
    test_every_cut_and_word();
    test_budget();
    test_flexbuffer();
    return test_end();
}
