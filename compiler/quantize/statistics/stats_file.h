/* stats_file.h: statistics as JSON, so that samples can be counted on several machines, and ranges chosen anew
 * without samples. docs/calibration.md describes the file. */
#ifndef QCC_STATS_FILE_H
#define QCC_STATS_FILE_H

#include "compiler/quantize/statistics/stats.h"

/* The text of a file; free().  NULL: out of memory. */
char *stats_file_text(const stats *);
/* Adds what a file says to statistics of the same graph; one of another graph, or a damaged one, is refused. */
bool stats_file_read(const char *path, stats *to, diag *);

#endif
