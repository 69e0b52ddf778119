/* json_test.c: the reader of JSON.
 *
 * Protects: values of all kinds come out as written; whatever is no JSON is an error with its place, also when it is cut
 * anywhere; nothing outside the given bytes is read (run under a sanitizer). */
#include <stdlib.h>
#include <string.h>

#include "../unit/test.h"
#include "frontends/json.h"

static const char sample[] =
    " {\"a\": [1, -2.5e1, true, null, \"x\\\"\\u00e9\\u20ac\\n\"],\n\"big\": 9007199254740993, \"o\": {}} ";

/* The tree, which is NULL where `text` is no JSON; the bytes end where a sanitizer sees it. */
static const js_value *read(arena *a, const char *text, size_t length, fb_reader *r)
{
    uint8_t *bytes = malloc(length ? length : 1);
    memcpy(bytes, text, length);
    fb_open(r, bytes, length);
    const js_value *root = js_read(r, a);
    free(bytes);
    return root;
}

static void test_reads_back(void)
{
    arena *a = arena_new();
    fb_reader r;
    const js_value *root = read(a, sample, sizeof sample - 1, &r), *list = js_member(root, "a");
    CHECK(root && fb_ok(&r));
    CHECK(js_is(list, JS_ARRAY) && list->count == 5);
    CHECK(js_integer(js_at(list, 0)) == 1 && js_at(list, 1)->real == -25 && js_integer(js_at(list, 1)) == -25);
    CHECK(js_is(js_at(list, 2), JS_TRUE) && js_integer(js_at(list, 2)) == 1 && js_is(js_at(list, 3), JS_NULL));
    CHECK(strcmp(js_text(js_at(list, 4)), "x\"\xc3\xa9\xe2\x82\xac\n") == 0);
    CHECK(js_integer(js_member(root, "big")) == 9007199254740993);
    CHECK(js_is(js_member(root, "o"), JS_OBJECT) && !js_first(js_member(root, "o")));
    CHECK(!js_at(list, 5) && !js_member(root, "b") && !js_member(NULL, "b") && js_integer(NULL) == 0);
    arena_free(a);
}

static void test_cut(void)
{
    arena *a = arena_new();
    for (size_t length = 0; length < sizeof sample - 2; length++) {
        fb_reader r;
        CHECK(!read(a, sample, length, &r) && !fb_ok(&r) && r.error_at <= length);
    }
    arena_free(a);
}

static void test_malformed(void)
{
    static const char *const texts[] = {
        "{\"a\" 1}",   "{1: 2}",      "[1 2]",  "[1,]",  "{\"a\":1,}", "nul",   "tru1",    "1e999", "--1", "\"\\x\"",
        "\"\\u00g0\"", "\"\\u0000\"", "\"\n\"", "[] []", "\"\\",       "1.2.3", "[1e400]", "\"a",   "{",   "]"};
    arena *a = arena_new();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fb_reader r;
        CHECK(!read(a, texts[i], strlen(texts[i]), &r) && !fb_ok(&r));
    }
    char deep[2 * JS_MAX_DEPTH + 4];
    memset(deep, '[', sizeof deep);
    fb_reader r;
    CHECK(!read(a, deep, sizeof deep, &r));
    arena_free(a);
}

int main(void)
{
    test_reads_back();
    test_cut();
    test_malformed();
    return test_end();
}
