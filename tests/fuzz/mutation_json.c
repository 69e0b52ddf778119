/* mutation_json.c: changes to the values of a JSON file (PaddlePaddle 3's programs); numbers and words are textual IR's.
 *
 *     {"#":"1.full","A":[{"AT":{"#":"0.a_f64","D":1.0},"N":"value"}],"I":[],"O":[{"%":2}]}
 *
 * A value is an object or array with all that is in it, or a text in quotes. */
#include <string.h>

#include "mutation.h"

typedef struct span {
    size_t at, length;
} span;

enum { MOST_COPIED = 2048 };

/* The end of the value that begins at `at`, behind its last byte; the end of the file where it is not closed. */
static size_t end_of(const mutation *m, size_t at)
{
    int depth = 0;
    bool text = false;
    for (size_t i = at; i < m->size; i++) {
        const uint8_t c = m->bytes[i];
        if (text)
            text = c != '"';
        else if (c == '"')
            text = true;
        else
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (!text && depth <= 0)
            return i + 1;
    }
    return m->size;
}

/* A value that begins with one of `marks`, at or behind some place; empty where there is none. */
static span some_value(mutation *m, const char *marks)
{
    size_t at = mutation_below(m, m->size);
    while (at < m->size && !(m->bytes[at] && strchr(marks, m->bytes[at])))
        at++;
    return at < m->size ? (span){at, end_of(m, at) - at} : (span){at, 0};
}

static void drop_value(mutation *m)
{
    span value = some_value(m, "{[\"");
    const size_t end = value.at + value.length;
    mutation_replace(m, value.at, value.length + (end < m->size && m->bytes[end] == ','), "", 0);
}

/* What an object or array holds goes. */
static void empty_value(mutation *m)
{
    span value = some_value(m, "{[");
    if (value.length > 2)
        mutation_replace(m, value.at + 1, value.length - 2, "", 0);
}

/* A copy of one value takes the place of another of its kind, or stands in front of it. */
static void copy_value(mutation *m)
{
    static const char *const kinds[] = {"{", "[", "\"", "{[\""};
    const char *marks = kinds[mutation_below(m, sizeof kinds / sizeof *kinds)];
    uint8_t copy[MOST_COPIED + 1];
    span from = some_value(m, marks), to = some_value(m, marks);
    if (!from.length || from.length > MOST_COPIED)
        return;
    memcpy(copy, m->bytes + from.at, from.length);
    if (mutation_below(m, 2))
        mutation_replace(m, to.at, to.length, copy, from.length);
    else {
        copy[from.length] = ',';
        mutation_replace(m, to.at, 0, copy, from.length + 1);
    }
}

/* A text becomes a name that some format knows. */
static void change_text(mutation *m)
{
    size_t length;
    span value = some_value(m, "\"");
    const char *with = mutation_word(m, &length);
    if (value.length > 2)
        mutation_replace(m, value.at + 1, value.length - 2, with, length);
}

void mutation_json(mutation *m)
{
    static void (*const changes[])(mutation *) = {drop_value, empty_value, copy_value, copy_value, change_text};
    if (mutation_below(m, 2))
        mutation_text(m);
    else
        changes[mutation_below(m, sizeof changes / sizeof *changes)](m);
}
