/* check_import.h: what every input must satisfy, whatever its bytes; shared by the fuzzer and the mutator. */
#ifndef QCC_CHECK_IMPORT_H
#define QCC_CHECK_IMPORT_H

#include <stddef.h>
#include <stdint.h>

/* Imports the bytes as a model.  Aborts with a message unless there is a graph that verifies and prints, or exactly one
 * diagnostic and no graph, in memory proportional to the input.  Returns whether there was a graph. */
int check_import(const uint8_t *bytes, size_t size);

#endif
