/* diag.h: how failures travel.  A function that can fail returns false (or NULL) after it has reported exactly one
 * diagnostic; whoever owns the diag prints it.  The library itself never prints and never exits.
 *
 *     m.tflite: subgraph 0, node 17 (CONV_2D): error: weight scale count 31, expected 32 */
#ifndef QCC_DIAG_H
#define QCC_DIAG_H

#include <stdarg.h>
#include <stdbool.h>

struct ir_loc;

enum { DIAG_TEXT_BYTES = 1024 };

typedef struct diag {
    bool failed;
    bool out_of_memory;         /* the error is that */
    char text[DIAG_TEXT_BYTES]; /* the first error, complete with its location; no newline at the end */
    void (*warn)(void *context, const char *text); /* NULL: warnings are dropped */
    void *context;
} diag;

/* Records the first error, later ones are dropped.  loc may be NULL.  Always returns false, so that a caller can write
 * `return diag_error(d, &op->loc, "…")`. */
bool diag_error(diag *, const struct ir_loc *, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool diag_out_of_memory(diag *, const struct ir_loc *); /* the same, of memory that was not to be had */
void diag_add(diag *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* to the end of the error */
void diag_warn(diag *, const struct ir_loc *, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
