/* stats.h: what has been observed of the values of one graph. */
#ifndef QCC_STATS_H
#define QCC_STATS_H

#include "compiler/quantize/statistics/observer.h"
#include "ir/ir.h"

typedef struct stats_value {
    const ir_value *value;
    observer seen;
    /* Of each channel its ends, and the sum of its squares, which is to be summed in the order of batches; of this run's
     * samples, not of those of files. */
    int64_t channels;
    float *channel_low, *channel_high;
    double *channel_squares;
} stats_value;

typedef struct stats {
    uint64_t graph;      /* what they are of (stats_graph_hash) */
    stats_value *values; /* in the order of the graph */
    int count;
    int64_t samples;
} stats;

/* For the wanted values (by id), constants aside: nothing seen yet. */
bool stats_init(stats *, const ir_graph *, const bool *wanted, diag *);
/* Another one for the same values. */
bool stats_init_like(stats *, const stats *, diag *);
void stats_free(stats *);
void stats_see_channels(stats_value *, const float values[]);
void stats_move_squares(stats_value *from, stats_value *to);
bool stats_merge(stats *, const stats *, diag *); /* of the same values; samples, too */

/* Ops, operands, types, attributes and constants: graphs of equal ones compute the same. */
uint64_t stats_graph_hash(const ir_graph *);
/* The name of a value in files and diagnostics: "conv1", or "%17"; returns text. */
enum { STATS_NAME_BYTES = 256 };
const char *stats_name(const ir_value *, char text[STATS_NAME_BYTES]);

#endif
