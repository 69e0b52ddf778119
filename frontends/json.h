/* json.h: reading JSON that nobody has checked, as a tree in an arena.
 *
 *     const js_value *root = js_read(reader, arena);            NULL after an error, which the reader keeps
 *     for (const js_value *op = js_first(js_member(root, "ops")); op; op = op->next) …
 *
 * Errors stick in the reader as in flatbuffer.h.  Trees are at most JS_MAX_DEPTH deep; a value takes some 80 bytes, for
 * two of the file at least. */
#ifndef QCC_JSON_H
#define QCC_JSON_H

#include "frontends/flatbuffer.h"
#include "ir/arena.h"

enum { JS_MAX_DEPTH = 64 };

typedef enum js_kind { JS_NULL, JS_FALSE, JS_TRUE, JS_NUMBER, JS_STRING, JS_ARRAY, JS_OBJECT } js_kind;

typedef struct js_value {
    struct js_value *next; /* within the array or object around it */
    const char *key;       /* in an object; terminated, UTF-8 */
    js_kind kind;
    size_t at;              /* its first byte in the file */
    double real;            /* of a number */
    int64_t integer;        /* of a number: towards zero, within int64_t */
    const char *text;       /* of a string; terminated */
    uint32_t count;         /* bytes of a string, values of an array or object */
    struct js_value *first; /* of an array or object */
} js_value;

const js_value *js_read(fb_reader *, arena *);

/* The looking up takes NULL, which stands for what is not there, and gives NULL, 0 or "" for it. */
const js_value *js_member(const js_value *object, const char *key);
const js_value *js_first(const js_value *);              /* of an array */
const js_value *js_at(const js_value *, uint32_t index); /* by walking */
int64_t js_integer(const js_value *);                    /* of a number or boolean */
const char *js_text(const js_value *);
bool js_is(const js_value *, js_kind);

#endif
