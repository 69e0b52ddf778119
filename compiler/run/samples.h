/* samples.h: what a model is run on, one sample of one input at a time; nothing of it stays in memory. */
#ifndef QCC_SAMPLES_H
#define QCC_SAMPLES_H

#include "compiler/run/preprocess.h"

typedef struct sample {
    char *path; /* NULL: row `row` of the one file that holds all */
    int64_t row;
    long label; /* class, where the list of the samples says it behind a tab; -1: it doesn't */
} sample;

typedef struct sample_set {
    sample *items;
    int count, room;
    npy_file all; /* descriptor -1: each sample is a file */
} sample_set;

#define SAMPLES_NONE ((sample_set){.all.descriptor = -1})

/* What there is in
 *   a folder: pictures (.jpg, .jpeg, .png) and arrays (.npy), in alphabetical order;
 *   a .npy file: rows, when each is as large as the input that `info` describes, or one sample;
 *   a picture: itself;
 *   a file of numbers alone, where `preprocess_raw` says of which: its samples;
 *   any other file: names of such files, one a line, seen from the list's own folder; what follows a tab is not read,
 * nor are
 *   lines that begin with #. */
bool samples_load(const char *path, const preprocess_raw *, const qcc_tensor_info *info, sample_set *out, diag *);
void samples_free(sample_set *);
void samples_cut(sample_set *, int count); /* the first `count` stay */

/* For those who say themselves which samples there are.  The path becomes the set's, also on failure. */
bool samples_add(sample_set *, char *path, int64_t row, diag *);
/* The files of a folder that samples_load takes, as names; free() each and the array.  -1: the folder can't be read. */
int samples_folder(const char *path, char ***out_names);

/* Fills the model's input with a sample.  Threads may do so at once. */
bool sample_fill(const sample_set *, int index, const preprocessing *, const qcc_tensor_info *info, void *to, diag *);
bool samples_is_picture(const char *path); /* by its name */
/* Its class, as the list says, or the numbers behind raw samples; *out_label is -1 where nobody says it. */
bool sample_label(const sample_set *, const preprocess_raw *, int index, long *out_label, diag *);
/* How diagnostics call a sample: "cat.png", "x.npy, row 17"; returns text. */
enum { SAMPLE_NAME_BYTES = 512 };
const char *sample_name(const sample_set *, int index, char text[SAMPLE_NAME_BYTES]);

#endif
