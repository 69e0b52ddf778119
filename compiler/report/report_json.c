/* report_json.c: Jansson's calls, none of whose failures gets lost. */
#include "compiler/report/report_json.h"

#include <math.h>
#include <string.h>

void report_put(report_builder *r, json_t *object, const char *key, json_t *value)
{
    r->failed |= json_object_set_new(object, key, value) != 0; /* also when one of them is NULL */
}

void report_push(report_builder *r, json_t *array, json_t *value)
{
    r->failed |= json_array_append_new(array, value) != 0;
}

void report_put_real(report_builder *r, json_t *object, const char *key, double value)
{
    if (isfinite(value))
        report_put(r, object, key, json_real(value));
}

/* How many bytes follow the first one of a character; -1: none begins so. */
static int following_bytes(unsigned char first)
{
    return first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
}

/* Without overlong forms, surrogates and numbers past U+10FFFF (RFC 3629). */
static bool is_utf8(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        const unsigned char first = *c++;
        const int more = following_bytes(first);
        if (more < 0 || (first == 0xe0 && *c < 0xa0) || (first == 0xed && *c > 0x9f) || (first == 0xf0 && *c < 0x90) ||
            (first == 0xf4 && *c > 0x8f))
            return false;
        for (int i = 0; i < more; i++, c++)
            if ((*c & 0xc0) != 0x80)
                return false;
    }
    return true;
}

const char *report_utf8(arena *memory, const char *text)
{
    if (is_utf8(text))
        return text;
    char *plain = arena_string(memory, text, strlen(text));
    for (char *c = plain; *c; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    return plain;
}

json_t *report_string(report_builder *r, const char *text)
{
    return json_string(report_utf8(r->memory, text ? text : ""));
}
