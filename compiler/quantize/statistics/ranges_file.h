/* ranges_file.h: chosen ranges as text, to be looked at, edited and used again.
 *
 *     # low high value
 *     -1 1 input
 *     0 5.25 conv1/Relu
 */
#ifndef QCC_RANGES_FILE_H
#define QCC_RANGES_FILE_H

#include "compiler/quantize/statistics/stats.h"
#include "passes/pass.h"

/* What the values that `of` lists are called before passes give them other names, as a file is read. */
const char *const *ranges_file_names(const stats *of, arena *);
/* The ranges (by value id) of these values; free().  NULL: out of memory. */
char *ranges_file_text(const stats *of, const char *const names[], const pass_range ranges[]);
/* Sets the ranges that a file has; the others stay as they are. */
bool ranges_file_read(const char *path, const stats *of, pass_range ranges[], const char *note, diag *);

#endif
