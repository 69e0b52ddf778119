/* scan.c: characters, words, strings, numbers and lists of the text form.  The text may be hostile: sizes are limited.
 */
#include "ir/text/scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ir_scan_fail(parser *p, const char *what)
{
    p->loc.node = p->line;
    return diag_error(p->d, &p->loc, "%s", what);
}

/* Of what is found after looking past the statement's end. */
bool ir_scan_fail_statement(parser *p, const char *what)
{
    p->loc.node = p->start;
    return diag_error(p->d, &p->loc, "%s", what);
}

/* ---- Characters ---- */

void ir_scan_space(parser *p)
{
    while (p->at < p->end) {
        char c = *p->at;
        if (c == '/' && p->end - p->at > 1 && p->at[1] == '/') {
            while (p->at < p->end && *p->at != '\n')
                p->at++;
        } else if (c == '\n') {
            p->line++;
            p->at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            p->at++;
        } else {
            break;
        }
    }
}

char ir_scan_peek(parser *p)
{
    ir_scan_space(p);
    return p->at < p->end ? *p->at : '\0';
}

bool ir_scan_accept(parser *p, char c)
{
    if (p->at >= p->end || ir_scan_peek(p) != c || p->at >= p->end)
        return false;
    p->at++;
    return true;
}

bool ir_scan_expect(parser *p, char c)
{
    if (ir_scan_accept(p, c))
        return true;
    p->loc.node = p->line;
    if (p->at >= p->end)
        return diag_error(p->d, &p->loc, "expected '%c' at the end of the text", c);
    return diag_error(p->d, &p->loc, "expected '%c' before '%.*s'", c, (int)(p->end - p->at < 12 ? p->end - p->at : 12),
                      p->at);
}

bool ir_scan_is_digit(char c) { return c >= '0' && c <= '9'; }
bool ir_scan_is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* The word here, without taking it; empty if there is none. */
slice ir_scan_peek_word(parser *p)
{
    slice w = {NULL, 0};
    if (!ir_scan_is_letter(ir_scan_peek(p)))
        return w;
    w.at = p->at;
    while (p->at + w.length < p->end && (ir_scan_is_letter(w.at[w.length]) || ir_scan_is_digit(w.at[w.length])))
        w.length++;
    return w;
}

slice ir_scan_word(parser *p)
{
    slice w = ir_scan_peek_word(p);
    p->at += w.length;
    return w;
}

bool ir_scan_slice_is(slice s, const char *text)
{
    return s.length == strlen(text) && memcmp(s.at, text, s.length) == 0;
}

bool ir_scan_accept_word(parser *p, const char *text)
{
    slice w = ir_scan_peek_word(p);
    if (!ir_scan_slice_is(w, text))
        return false;
    p->at += w.length;
    return true;
}

int ir_scan_hex_digit(char c)
{
    if (ir_scan_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a string, escapes resolved; -1 on a malformed one. */
static int string_char(parser *p)
{
    char c = *p->at++;
    if (c == '\n')
        return -1;
    if (c != '\\')
        return (unsigned char)c;
    if (p->at >= p->end)
        return -1;
    c = *p->at++;
    if (c == '"' || c == '\\')
        return c;
    if (c != 'x' || p->end - p->at < 2)
        return -1;
    int high = ir_scan_hex_digit(p->at[0]), low = ir_scan_hex_digit(p->at[1]);
    p->at += 2;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

const char *ir_scan_string(parser *p)
{
    if (!ir_scan_expect(p, '"'))
        return NULL;
    const char *close = p->at;
    while (close < p->end && *close != '"' && *close != '\n')
        close += *close == '\\' && p->end - close > 1 ? 2 : 1;
    char *s = arena_alloc(p->g->arena, (size_t)(close - p->at) + 1);
    size_t n = 0;
    while (p->at < p->end && *p->at != '"') {
        int c = string_char(p);
        if (c <= 0)
            return ir_scan_fail(p, "malformed string"), NULL;
        s[n++] = (char)c;
    }
    return ir_scan_expect(p, '"') ? s : NULL;
}

/* ---- Numbers ---- */

/* Copies the number here to `text`; an empty text when there is none or it is too long. */
static void number_text(parser *p, char text[NUMBER_CHARS])
{
    size_t n = 0;
    ir_scan_peek(p);
    while (p->at + n < p->end && n < NUMBER_CHARS - 1 &&
           (ir_scan_is_digit(p->at[n]) || ir_scan_is_letter(p->at[n]) || p->at[n] == '.' || p->at[n] == '-' ||
            p->at[n] == '+'))
        n++;
    if (n == NUMBER_CHARS - 1)
        n = 0;
    memcpy(text, p->at, n);
    text[n] = '\0';
}

bool ir_scan_int(parser *p, int64_t min, int64_t max, int64_t *out)
{
    char c = ir_scan_peek(p);
    bool negative = c == '-';
    const char *at = p->at + negative, *first = at;
    uint64_t value = 0;
    while (at < p->end && ir_scan_is_digit(*at) && value <= (UINT64_MAX - 9) / 10)
        value = value * 10 + (uint64_t)(*at++ - '0');
    if (at == first)
        return ir_scan_fail(p, "expected an integer");
    bool fits = at >= p->end || !ir_scan_is_digit(*at);
    fits = fits && value <= (uint64_t)INT64_MAX + negative;
    int64_t x = negative ? (int64_t)(0 - value) : (int64_t)value;
    if (!fits || x < min || x > max)
        return ir_scan_fail(p, "integer out of range");
    p->at = at;
    *out = x;
    return true;
}

bool ir_scan_i32(parser *p, int32_t *out)
{
    int64_t x;
    if (!ir_scan_int(p, INT32_MIN, INT32_MAX, &x))
        return false;
    *out = (int32_t)x;
    return true;
}

bool ir_scan_offset(parser *p, int64_t *out) { return ir_scan_int(p, 0, INT64_MAX / 2, out); }

static bool number_ok(parser *p, const char *text, const char *stop, bool infinite)
{
    if (stop == text || *stop)
        return ir_scan_fail(p, "expected a number");
    if (infinite && !strstr(text, "inf"))
        return ir_scan_fail(p, "number out of range");
    p->at += strlen(text);
    return true;
}

bool ir_scan_float(parser *p, float *out)
{
    char text[NUMBER_CHARS], *stop;
    number_text(p, text);
    *out = strtof(text, &stop);
    return number_ok(p, text, stop, isinf(*out));
}

bool ir_scan_double(parser *p, double *out)
{
    char text[NUMBER_CHARS], *stop;
    number_text(p, text);
    *out = strtod(text, &stop);
    return number_ok(p, text, stop, isinf(*out));
}

/* How many elements the bracketed list has at most that starts here: for allocation, bounded by the text's length. */
int32_t ir_scan_list_bound(const parser *p)
{
    int32_t n = 1;
    for (const char *c = p->at; c < p->end && *c != ']' && n < LIST_LIMIT; c++)
        n += *c == ',';
    return n;
}

bool ir_scan_ints(parser *p, const int64_t **out, int32_t *out_count)
{
    if (!ir_scan_expect(p, '['))
        return false;
    int32_t bound = ir_scan_list_bound(p), n = 0;
    int64_t *v = ARENA_ARRAY(p->g->arena, int64_t, bound);
    if (!ir_scan_accept(p, ']')) {
        do {
            if (n == bound)
                return ir_scan_fail(p, "list too long");
            if (!ir_scan_int(p, INT64_MIN, INT64_MAX, &v[n++]))
                return false;
        } while (ir_scan_accept(p, ','));
        if (!ir_scan_expect(p, ']'))
            return false;
    }
    *out = v;
    *out_count = n;
    return true;
}

bool ir_scan_floats(parser *p, const float **out, int32_t *out_count)
{
    if (!ir_scan_expect(p, '['))
        return false;
    int32_t bound = ir_scan_list_bound(p), n = 0;
    float *v = ARENA_ARRAY(p->g->arena, float, bound);
    if (!ir_scan_accept(p, ']')) {
        do {
            if (n == bound)
                return ir_scan_fail(p, "list too long");
            if (!ir_scan_float(p, &v[n++]))
                return false;
        } while (ir_scan_accept(p, ','));
        if (!ir_scan_expect(p, ']'))
            return false;
    }
    *out = v;
    *out_count = n;
    return true;
}
