/* diag.h: how failures travel.  A function that can fail returns false (or NULL) after it has reported exactly one
 * diagnostic; whoever owns the diag prints it.  The library itself never prints and never exits.
 *
 * An importer goes on after what it does not support, to tell all of it at once: it puts the error off, if the owner
 * has given room for refusals, and fails with all of them in the end.
 *
 *     m.tflite: subgraph 0, node 17 (CONV_2D): error: weight scale count 31, expected 32 */
#ifndef QCC_DIAG_H
#define QCC_DIAG_H

#include <stdarg.h>
#include <stdbool.h>

struct ir_loc;

enum { DIAG_TEXT_BYTES = 1024, DIAG_MOST_REFUSALS = 20 };

/* Errors after which work went on.  Those that differ in nothing but the node are one, told at the first. */
typedef struct diag_refusals {
    int count;                       /* of the texts */
    bool full;                       /* there were other errors, for which there is no room */
    int places;                      /* where there was one */
    int more[DIAG_MOST_REFUSALS];    /* places of the same error beside the first */
    int what_at[DIAG_MOST_REFUSALS]; /* see diag */
    char text[DIAG_MOST_REFUSALS][DIAG_TEXT_BYTES];
    char summary[DIAG_TEXT_BYTES]; /* when they are settled, where there are several */
} diag_refusals;

typedef struct diag {
    bool failed;
    bool out_of_memory;         /* the error is that */
    bool final;                 /* nothing can go on after the error: memory is out, or the file is damaged */
    int what_at;                /* where in the text the place ends that the error's node is, but for its kind */
    diag_refusals *refusals;    /* NULL: the first error is the only one */
    char text[DIAG_TEXT_BYTES]; /* the first error, complete with its location; no newline at the end */
    void (*warn)(void *context, const char *text); /* NULL: warnings are dropped */
    void *context;
} diag;

/* Records the first error, later ones are dropped.  loc may be NULL.  Always returns false, so that a caller can write
 * `return diag_error(d, &op->loc, "…")`. */
bool diag_error(diag *, const struct ir_loc *, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool diag_out_of_memory(diag *, const struct ir_loc *); /* the same, of memory that was not to be had */
bool diag_final(diag *, const struct ir_loc *, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* one after which nothing goes on */
/* Either of them, for functions that take a format of their own. */
bool diag_fail(diag *, const struct ir_loc *, bool final, const char *format, va_list)
    __attribute__((format(printf, 4, 0)));
void diag_add(diag *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* to the end of the error */
void diag_warn(diag *, const struct ir_loc *, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The error becomes a refusal, and work can go on; false: it stays the error. */
bool diag_put_off(diag *);
/* The end of the work: errors that were put off are its failure, and the first of them the text.  Returns whether it
 * failed. */
bool diag_settle(diag *, const struct ir_loc *);

#endif
