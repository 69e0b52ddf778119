/* arena.h: memory that is given back all at once, and what happens when there is none.
 *
 * Nothing here returns NULL, so nothing that allocates needs a check: out of memory, control leaves for the innermost
 * arena_guard of the thread.  The entry points of the compiler (frontend_import, ir_parse, pass_run, cg_compile, …)
 * are such guards and report a diagnostic. */
#ifndef QCC_ARENA_H
#define QCC_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct arena arena;

typedef enum arena_outcome { ARENA_DONE, ARENA_OUT_OF_MEMORY, ARENA_PAST_LIMIT, ARENA_ABANDONED } arena_outcome;

/* Calls work(context); ARENA_DONE when it came back.  Otherwise memory ran out below it, an arena's limit was
 * reached, or it was abandoned: the arenas made meanwhile are gone, older ones and *context are as they were left.
 * `work` keeps nothing but arenas where only its own frames know of it.  Without any guard the process ends with a
 * message. */
arena_outcome arena_guard(void (*work)(void *context), void *context);

/* For memory that is not an arena's: leaves as if an allocation of one had failed. */
_Noreturn void arena_out_of_memory(void);
/* For a library below that can't go on and must not be returned to; who calls it has a guard of its own. */
_Noreturn void arena_abandon(void);

arena *arena_new(void);
/* What it and the arenas made beside it hold together stays within `bytes`. */
arena *arena_new_within(size_t bytes);
arena *arena_new_beside(const arena *);   /* one more under the same limit */
void arena_charge(arena *, size_t bytes); /* counts memory that is not its own until it is freed or reset */
void arena_allow(arena *, size_t bytes);  /* so many more than its limit was */
size_t arena_left(const arena *);         /* bytes up to the limit; SIZE_MAX without one */
void arena_free(arena *);
void arena_reset(arena *); /* gives everything back, keeps one block for reuse */
/* Zeroed, aligned to 16; sizes that come from a file are checked against limits before they get here. */
void *arena_alloc(arena *, size_t bytes);
void *arena_copy(arena *, const void *, size_t bytes);
char *arena_string(arena *, const char *text, size_t length); /* copies, terminates */
char *arena_format(arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const arena *); /* allocated so far */

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), (size_t)(n) * sizeof(T)))

#endif
