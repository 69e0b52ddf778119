/* check_import.h: what every input must satisfy, whatever its bytes; shared by the fuzzer and the mutator. */
#ifndef QCC_CHECK_IMPORT_H
#define QCC_CHECK_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

/* Imports the bytes as a model.  Aborts with a message unless there is a graph that verifies and survives its text
 * form, or no graph and a diagnostic, one for each thing that is refused (diag.h), in memory proportional to the
 * input.  Returns whether there was a graph. */
int check_import(const uint8_t *bytes, size_t size, bool passes);

/* Runs the passes over the graph imported from these bytes, which also choose the options, and aborts unless they
 * keep it well-formed and equal (check_passes.c).  check_import does so when `passes` is set. */
void check_passes(ir_graph *, const uint8_t *bytes, size_t size);

_Noreturn void check_fail(const char *what, const char *detail);
void check_diagnostic(const diag *); /* one line with its kind in it */

#endif
