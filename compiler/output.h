/* output.h: files that appear whole or not at all.
 *
 *     output_set s = {0};
 *     output_add(&s, "model.o", bytes, size, 0666, &d) && output_add(&s, "model.h", …) && output_commit(&s, &d);
 *     output_discard(&s);        // what has not been committed leaves no trace
 */
#ifndef QCC_OUTPUT_H
#define QCC_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler/codegen/backend.h"

enum { OUTPUT_MAX_FILES = 256 };

typedef struct output_set {
    struct output_file {
        char *path, *temporary; /* temporary: beside path, renamed on commit; NULL: written already (stdout, devices) */
    } file[OUTPUT_MAX_FILES];
    int count;
} output_set;

/* True for stdout (-), devices and pipes, which are written to as they are. */
bool output_in_place(const char *path);
/* A temporary name beside `path` for a program that writes the file itself; NULL with a diagnostic. */
const char *output_reserve(output_set *, const char *path, unsigned mode, diag *);
bool output_add(output_set *, const char *path, const void *bytes, size_t size, diag *);
/* A file of several pieces, one behind the other. */
bool output_add_parts(output_set *, const char *path, const cg_part parts[], size_t count, diag *);
bool output_commit(output_set *, diag *);
void output_discard(output_set *);

#endif
