/* arena.h: memory that is given back all at once. */
#ifndef QCC_ARENA_H
#define QCC_ARENA_H

#include <stddef.h>

typedef struct arena arena;

arena *arena_new(void);                              /* NULL when out of memory */
void arena_free(arena *);
void arena_reset(arena *);                           /* gives everything back, keeps one block for reuse */
/* Zeroed, aligned to 16; aborts the process with a message on stderr when out of memory (the one place in the compiler
 * where that happens; sizes that come from a file are checked against limits before they get here). */
void *arena_alloc(arena *, size_t bytes);
void *arena_copy(arena *, const void *, size_t bytes);
char *arena_string(arena *, const char *text, size_t length); /* copies, terminates */
char *arena_format(arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const arena *);                   /* allocated so far */

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), (size_t)(n) * sizeof(T)))

#endif
