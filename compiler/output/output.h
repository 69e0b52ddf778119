/* output.h: files that appear whole, together, or not at all.
 *
 *     output_set s = {0};
 *     output_keep(&s, "model.tflite", &d);                                    // no output may be this file
 *     const int object = output_declare(&s, "model.o", 0666, &d);             // all of them before the work begins:
 *     const int header = output_declare(&s, "model.h", 0666, &d);             // what can be refused is refused here
 *     … output_add(&s, object, bytes, size, &d) && output_add(&s, header, …) && output_commit(&s, &d) …
 *     output_discard(&s);                                                     // what was not committed leaves no trace
 */
#ifndef QCC_OUTPUT_H
#define QCC_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "compiler/codegen/backend.h"

enum { OUTPUT_MAX_FILES = 256, OUTPUT_NONE = -1, OUTPUT_ASIDE_BYTES = 32 };

/* What tells one file from another: a file by its number, one that is yet to be by its folder's number and its name. */
typedef struct output_identity {
    bool exists, regular, sink; /* sink: /dev/null, which any number of outputs may share */
    dev_t device, folder_device;
    ino_t number, folder_number; /* folder_number 0: not in a folder (stdin, stdout) */
} output_identity;

typedef struct output_file {
    char *path; /* as it was asked for; "-" is stdin or stdout */
    output_identity identity;
    bool read;                /* not an output */
    bool in_place, to_stdout; /* stdout, devices and pipes are written to as they are */
    unsigned mode;
    int folder;   /* where the file goes, symbolic links followed; OUTPUT_NONE: nowhere */
    char *leaf;   /* … and its name there */
    int contents; /* a file without a name, in that folder if possible, else in memory; OUTPUT_NONE: none yet */
    char aside
        [OUTPUT_ASIDE_BYTES]; /* while committing: the other name that something has in the folder on its account */
    bool published, replaced; /* has its name; `aside` is the file that had it before */
} output_file;

typedef struct output_set {
    output_file file[OUTPUT_MAX_FILES];
    int count;
} output_set;

/* True for stdout (-), devices and pipes, which are written to as they are. */
bool output_in_place(const char *path);

/* A file that is read: no output may be the same. */
bool output_keep(output_set *, const char *path, diag *);
/* The same for one that is read when the outputs have been declared, and that those declared later are not compared
 * with. */
bool output_spares(const output_set *, const char *path, diag *);
/* An output; returns its number, or OUTPUT_NONE with a diagnostic. */
int output_declare(output_set *, const char *path, unsigned mode, diag *);

bool output_add(output_set *, int file, const void *bytes, size_t size, diag *);
/* A file of several pieces, one behind the other. */
bool output_add_parts(output_set *, int file, const cg_part parts[], size_t count, diag *);
/* For what writes by itself: a descriptor to write the contents to, which stays the set's; OUTPUT_NONE with a
 * diagnostic. */
int output_open(output_set *, int file, diag *);

/* Everything that was added since the last commit gets its name: all, or, after a diagnostic, nothing. */
bool output_commit(output_set *, diag *);
void output_discard(output_set *);

/* write() until all is written; errno. */
bool output_write(int fd, const void *bytes, size_t size);
/* Appends all of one file to another; errno. */
bool output_copy(int from, int to);

#endif
