/* classes.h: scores -> names of the classes with the best ones. */
#ifndef QCC_TOOLS_CLASSES_H
#define QCC_TOOLS_CLASSES_H

#include "compiler/run/session.h"

typedef struct class_options {
    const char *names; /* a file with a line a class; NULL: numbers alone */
    long offset;       /* number of the class that the first line names */
    long top;          /* how many are printed; 0: none are wanted */
} class_options;

/* Prints, best first, the classes of the first output that has one for each name and `offset` more:
 *
 *     scores: 5 best of 1000 classes
 *        0.8711  class 281: tabby, tabby cat
 *        … */
bool classes_print(const session *, const class_options *, diag *);

#endif
