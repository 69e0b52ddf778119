/* json.c: see json.h.
 *
 *     {"a": [1, true], "b": "x"}   ->   object: array "a": number, true; string "b" */
#include "frontends/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scan {
    fb_reader *reader;
    arena *arena;
    size_t at;
} scan;

static int peek(const scan *s) { return s->at < s->reader->size ? s->reader->bytes[s->at] : -1; }

/* The next byte that is no white space, which is not taken. */
static int next_token(scan *s)
{
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
        s->at++;
    return peek(s);
}

static bool fail(scan *s, const char *what)
{
    fb_fail(s->reader, s->at, what);
    return false;
}

/* ---- Strings ---- */

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits behind \u as UTF-8; halves of pairs become a question mark. */
static bool read_unicode(scan *s, char *out, size_t *length)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = hex_digit(peek(s));
        if (digit < 0)
            return fail(s, "a character's number is not four digits");
        code = code * 16 + (unsigned)digit;
        s->at++;
    }
    if (code == 0)
        return fail(s, "a string with a zero byte");
    if (code < 0x80) {
        out[(*length)++] = (char)code;
    } else if (code < 0x800) {
        out[(*length)++] = (char)(0xc0 | code >> 6);
        out[(*length)++] = (char)(0x80 | (code & 0x3f));
    } else if (code >= 0xd800 && code < 0xe000) {
        out[(*length)++] = '?';
    } else {
        out[(*length)++] = (char)(0xe0 | code >> 12);
        out[(*length)++] = (char)(0x80 | (code >> 6 & 0x3f));
        out[(*length)++] = (char)(0x80 | (code & 0x3f));
    }
    return true;
}

static bool read_escape(scan *s, char *out, size_t *length)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const int c = peek(s);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (!letter && c != 'u')
        return fail(s, "an escape that is none");
    s->at++;
    if (!letter)
        return read_unicode(s, out, length);
    out[(*length)++] = meant[letter - letters];
    return true;
}

/* From its quote on; what it stands for is not longer than what stands there. */
static const char *read_string(scan *s, uint32_t *out_length)
{
    size_t end = ++s->at, length = 0;
    while (end < s->reader->size && s->reader->bytes[end] != '"')
        end += s->reader->bytes[end] == '\\' ? 2 : 1;
    if (end >= s->reader->size || end - s->at > UINT32_MAX) {
        fail(s, "a string has no end");
        return NULL;
    }
    char *text = arena_alloc(s->arena, end - s->at + 1);
    while (s->at < end) {
        const uint8_t c = s->reader->bytes[s->at++];
        if (c < 0x20) {
            fail(s, "a control character in a string");
            return NULL;
        }
        if (c != '\\')
            text[length++] = (char)c;
        else if (!read_escape(s, text, &length))
            return NULL;
    }
    s->at = end + 1;
    *out_length = (uint32_t)length;
    return text;
}

/* ---- Numbers and words ---- */

static bool read_number(scan *s, js_value *v)
{
    char text[64], *end;
    size_t length = 0;
    for (int c = peek(s); c > 0 && strchr("+-.0123456789eE", c); c = peek(s)) {
        if (length + 1 == sizeof text)
            return fail(s, "a number of more than 63 characters");
        text[length++] = (char)c;
        s->at++;
    }
    text[length] = 0;
    v->kind = JS_NUMBER;
    v->real = strtod(text, &end);
    if (!length || *end || !isfinite(v->real))
        return fail(s, "no number, or one beyond all bounds");
    v->integer = !strpbrk(text, ".eE")  ? strtoll(text, NULL, 10)
                 : fabs(v->real) < 9e18 ? (int64_t)v->real
                 : v->real < 0          ? INT64_MIN
                                        : INT64_MAX;
    return true;
}

static bool read_word(scan *s, js_value *v)
{
    static const char *const words[] = {[JS_NULL] = "null", [JS_FALSE] = "false", [JS_TRUE] = "true"};
    for (int i = JS_NULL; i <= JS_TRUE; i++) {
        const size_t length = strlen(words[i]);
        if (s->reader->size - s->at >= length && memcmp(s->reader->bytes + s->at, words[i], length) == 0) {
            s->at += length;
            v->kind = (js_kind)i;
            v->integer = i == JS_TRUE;
            return true;
        }
    }
    return fail(s, "a word that is none");
}

/* ---- Values ---- */

static js_value *read_value(scan *s, int depth);

static bool read_key(scan *s, const char **key)
{
    uint32_t length;
    if (next_token(s) != '"')
        return fail(s, "a member without a name");
    *key = read_string(s, &length);
    if (!*key)
        return false;
    if (next_token(s) != ':')
        return fail(s, "a member without a value");
    s->at++;
    return true;
}

/* Array or object, from its bracket on. */
static bool read_list(scan *s, js_value *list, int depth)
{
    const int end = list->kind == JS_ARRAY ? ']' : '}';
    js_value **last = &list->first;
    s->at++;
    if (next_token(s) == end) {
        s->at++;
        return true;
    }
    for (;;) {
        const char *key = NULL;
        if (list->kind == JS_OBJECT && !read_key(s, &key))
            return false;
        js_value *v = read_value(s, depth + 1);
        if (!v)
            return false;
        v->key = key;
        *last = v;
        last = &v->next;
        list->count++;
        const int c = next_token(s);
        if (c != ',' && c != end)
            return fail(s, "a list that neither goes on nor ends");
        s->at++;
        if (c == end)
            return true;
    }
}

static js_value *read_value(scan *s, int depth)
{
    const int c = next_token(s);
    js_value *v = ARENA_NEW(s->arena, js_value);
    bool good;
    v->at = s->at;
    if (depth > JS_MAX_DEPTH) {
        good = fail(s, "lists within lists beyond all bounds");
    } else if (c == '[' || c == '{') {
        v->kind = c == '[' ? JS_ARRAY : JS_OBJECT;
        good = read_list(s, v, depth);
    } else if (c == '"') {
        v->kind = JS_STRING;
        good = (v->text = read_string(s, &v->count)) != NULL;
    } else {
        good = c == '-' || (c >= '0' && c <= '9') ? read_number(s, v) : read_word(s, v);
    }
    return good ? v : NULL;
}

const js_value *js_read(fb_reader *reader, arena *a)
{
    scan s = {reader, a, 0};
    const js_value *root = read_value(&s, 0);
    if (root && next_token(&s) >= 0)
        fail(&s, "more behind the end");
    return fb_ok(reader) ? root : NULL;
}

/* ---- Looking up ---- */

bool js_is(const js_value *v, js_kind kind) { return v && v->kind == kind; }

const js_value *js_first(const js_value *v) { return js_is(v, JS_ARRAY) ? v->first : NULL; }

const js_value *js_member(const js_value *object, const char *key)
{
    const js_value *v = js_is(object, JS_OBJECT) ? object->first : NULL;
    while (v && strcmp(v->key, key) != 0)
        v = v->next;
    return v;
}

const js_value *js_at(const js_value *list, uint32_t index)
{
    const js_value *v = js_first(list);
    while (v && index--)
        v = v->next;
    return v;
}

int64_t js_integer(const js_value *v) { return v ? v->integer : 0; }

const char *js_text(const js_value *v) { return js_is(v, JS_STRING) ? v->text : ""; }
