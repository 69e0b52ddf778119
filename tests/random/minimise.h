/* minimise.h: a smaller graph that still fails. */
#ifndef TESTS_RANDOM_MINIMISE_H
#define TESTS_RANDOM_MINIMISE_H

#include "tests/random/run.h"

/* Replaces the text, which malloc gave and free takes, by that of a graph with fewer outputs and ops, attributes that
 * have their defaults, and smaller extents, as long as it still differs or crashes. */
void minimise(char **text, size_t *length, compiled_options *);

#endif
